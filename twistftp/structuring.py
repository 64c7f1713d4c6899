"""
The configuration file's tables as typed settings: what cattrs is told, and where in the file a fault is.

Not here: reading the file and what must hold on this machine (``configuration``), and the rules of the values (``policy``).
Types are strict (``true`` is no number and ``5`` no text), and an unknown key is an error.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import attrs
from attrs import frozen
from cattrs import BaseValidationError, Converter
from cattrs.gen import make_dict_structure_fn

from twistftp.policy.authorization import Groups, Rule
from twistftp.policy.channels import PortRange
from twistftp.policy.firewall_support import AddressTable, FirewallSupport, Networks
from twistftp.policy.isolation import VirtualDirectory
from twistftp.policy.settings import Metrics, ServerSettings, SiteSettings

__all__ = ["Document", "Refused", "Where", "advice", "first_fault", "structure"]

Where = tuple[str | int, ...]
"""The keys and indexes that lead to a value of the file."""


_IIS_NAMES = {
    "lowDataChannelPort": "data_channel_port_range",
    "highDataChannelPort": "data_channel_port_range",
    "externalIp4Address": "external_address",
    "physicalPath": "root",
    "serverCertHash": "certificate",
    "ssl": "tls",
}
"""Keys of IIS's configuration whose names are far from ours."""

_GRACE, _WORKERS = attrs.fields(ServerSettings).grace, attrs.fields(ServerSettings).workers
_LISTING_CACHE = attrs.fields(ServerSettings).listing_cache


@frozen
class _Server:
    """The ``[server]`` table."""

    workers: int = attrs.field(default=_WORKERS.default, validator=_WORKERS.validator)
    grace: float = attrs.field(default=_GRACE.default, validator=_GRACE.validator)
    control_socket: str = ""
    listing_cache: int = attrs.field(default=_LISTING_CACHE.default, validator=_LISTING_CACHE.validator)


@frozen
class Document:
    """The file as a whole, in the file's words."""

    site: tuple[SiteSettings, ...] = ()
    server: _Server = _Server()
    firewall_support: FirewallSupport = FirewallSupport()
    metrics: Metrics = Metrics()


class Refused(Exception):
    """A value of the wrong type or form, at the place where cattrs was when this was raised."""

    def __init__(self, value: object, rule: str) -> None:
        super().__init__(rule)
        self.value, self.rule = value, rule


def _exactly(kind: type, rule: str) -> Callable[[Any, Any], Any]:
    """A hook that takes values of this type alone: ``true`` is no number and ``5`` no text (cattrs would convert)."""

    def hook(value: Any, _: Any) -> Any:
        if type(value) is not kind:
            raise Refused(value, rule)
        return value

    return hook


def _number(value: Any, _: Any) -> float:
    if type(value) not in (int, float):
        raise Refused(value, "must be a number")
    return value  # type: ignore[no-any-return] # an int where one was written, so that it is shown as written


def _texts(value: Any, _: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(type(item) is str for item in value):
        raise Refused(value, 'must be a list of texts: ["…", "…"]')
    return tuple(value)


def _range(value: Any, _: Any) -> PortRange:
    if type(value) is not str:
        raise Refused(value, 'must be a text such as "50000-50100"')
    try:
        return PortRange.parse(value)
    except ValueError as error:
        raise Refused(value, str(error)) from None


def _mapped_range(value: Any, _: Any) -> PortRange | None:
    return None if value == "" else _range(value, _)


def _true_false_or_text(value: Any, _: Any) -> bool | str:
    if type(value) not in (bool, str):
        raise Refused(value, 'must be true, false, or prefix lengths for IPv4 and IPv6 such as "24/64"')
    return value  # type: ignore[no-any-return]


def _addresses(value: Any, _: Any) -> Any:
    if not isinstance(value, dict) or not all(type(address) is str for address in value.values()):
        raise Refused(value, 'must be a table of texts: "10.8.0.0/16" = "10.8.0.1"')
    return value  # the setting itself reads it


def _groups(value: Any, _: Any) -> Groups:
    if not isinstance(value, dict) or not all(isinstance(names, list) and all(type(name) is str for name in names) for names in value.values()):
        raise Refused(value, 'must be a table of lists: staff = ["alice", "bob"]')
    return tuple((group, tuple(names)) for group, names in value.items())


def _tables(kind: Any, name: str) -> Callable[[Any, Any], Any]:
    """A hook for tables that may be repeated: ``[[site.authorization]]``."""

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, list):
            raise Refused(value, f"each is a table of its own with two brackets: [[site.{name}]]")
        return tuple(_CONVERTER.structure(value, list[kind]))

    return hook


def _table(kind: type) -> Callable[[Any, Any], Any]:
    structure: Any = make_dict_structure_fn(kind, _CONVERTER, _cattrs_forbid_extra_keys=True, _cattrs_detailed_validation=True)

    def hook(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise Refused(value, "must be a table")
        return structure(value, kind)

    return hook


def _sites(value: Any, _: Any) -> tuple[SiteSettings, ...]:
    if not isinstance(value, list):
        raise Refused(value, "each site is a table of its own with two brackets: [[site]]")
    return tuple(_CONVERTER.structure(value, list[SiteSettings]))


_CONVERTER = Converter(detailed_validation=True, forbid_extra_keys=True)
_CONVERTER.register_structure_hook_factory(attrs.has, _table)
for _kind, _rule in ((bool, "must be true or false"), (int, "must be a whole number"), (str, "must be a text in quotes")):
    _CONVERTER.register_structure_hook(_kind, _exactly(_kind, _rule))
_CONVERTER.register_structure_hook(float, _number)
_CONVERTER.register_structure_hook_func(lambda kind: kind == tuple[str, ...], _texts)
_CONVERTER.register_structure_hook_func(lambda kind: kind == tuple[SiteSettings, ...], _sites)
_CONVERTER.register_structure_hook_func(lambda kind: kind == tuple[Rule, ...], _tables(Rule, "authorization"))
_CONVERTER.register_structure_hook_func(lambda kind: kind == tuple[VirtualDirectory, ...], _tables(VirtualDirectory, "virtual_directory"))
_CONVERTER.register_structure_hook_func(lambda kind: kind == Groups, _groups)
_CONVERTER.register_structure_hook(PortRange, _range)
_CONVERTER.register_structure_hook_func(lambda kind: kind == PortRange | None, _mapped_range)
_CONVERTER.register_structure_hook_func(lambda kind: kind == bool | str, _true_false_or_text)
_CONVERTER.register_structure_hook_func(lambda kind: kind == AddressTable, _addresses)
_CONVERTER.register_structure_hook_func(lambda kind: kind == Networks, _texts)


def structure(document: dict[str, Any]) -> Document:
    """
    The typed document. What it raises is a tree of errors: see :func:`first_fault`.
    """
    return _CONVERTER.structure(document, Document)


def first_fault(error: BaseException, where: Where) -> tuple[Where, BaseException]:
    """The first leaf of cattrs' tree of errors, and its place: the notes on the way down name the keys."""
    for note in getattr(error, "__notes__", ()):
        step = getattr(note, "name", None)
        where = (*where, step if step is not None else note.index)
    if isinstance(error, BaseValidationError):
        return first_fault(error.exceptions[0], where)
    return where, error


def advice(key: str, kind: type, known_as: str = "") -> str:
    """
    What may have been meant by an unknown key of the table ``kind``: one like it, or one that lives elsewhere.

    :param known_as: the key's name here, if it is known that people have another one for it.
    """
    homes = _homes(Document, "")
    if elsewhere := homes.get(key):
        return f"; it belongs into {elsewhere}"
    known_as = known_as or _IIS_NAMES.get(key, "")
    if elsewhere := homes.get(known_as):
        return f"; did you mean {known_as} in {elsewhere}?"
    near = difflib.get_close_matches(key, [one.name for one in attrs.fields(kind)], 3)
    # difflib rates "root" as near to "prot" as "port" is: swapped letters come first.
    return f"; did you mean {max(near, key=lambda name: sorted(name) == sorted(key))}?" if near else ""


def _homes(kind: type, path: str) -> dict[str, str]:
    """The table in which each key of the whole file lives."""
    homes: dict[str, str] = {}
    for one in attrs.fields(attrs.resolve_types(kind)):
        inner = SiteSettings if one.name == "site" else one.type
        if inner is not PortRange and attrs.has(inner):
            name = f"{path}.{one.name}".lstrip(".")
            homes |= _homes(inner, name)
        homes[one.name] = "the top of the file" if not path else "[[site]]" if path == "site" else f"[{path}]"
    return homes

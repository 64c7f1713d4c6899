"""
The configuration file and the command line, read into one :class:`ServerSettings` or refused in one line.

Not here: which settings exist and what values they take (``policy.settings``), and anything that listens or serves.
An option is a key of the file given elsewhere (:data:`OPTIONS`), so both go the same way and one error text serves
both. Relative roots of the file start at the file's directory, those of options at the working directory.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from attrs import evolve, frozen
from cattrs import ForbiddenExtraKeysError

from twistftp.accounts.checkers import make_checkers
from twistftp.endpoint_text import endpoint_trouble
from twistftp.policy.agreement import disagreements
from twistftp.policy.rules import BadSetting
from twistftp.policy.settings import Authentication, ServerSettings, SiteSettings, TLSSettings, describe_change
from twistftp.roots import Place, directory_trouble, expand, file_trouble, root_trouble, served_trouble
from twistftp.structuring import Refused, Where, advice, first_fault, structure

__all__ = ["OPTIONS", "ConfigurationError", "describe_change", "load", "read"]

# Where the value of each command line option lives in the file. 0 stands for the first [[site]].
OPTIONS: Mapping[tuple[str | int, ...], str] = {
    ("site", 0, "root"): "--root",
    ("site", 0, "port"): "--port",
    ("site", 0, "address"): "--interface",
    ("site", 0, "listen"): "--listen",
    ("site", 0, "name"): "--name",
    ("site", 0, "host_name"): "--host-name",
    ("site", 0, "authentication", "anonymous"): "--no-anonymous",
    ("site", 0, "authentication", "strcred"): "--auth",
    ("site", 0, "authentication", "users_file"): "--users",
    ("site", 0, "authorization"): "--allow",
    ("site", 0, "logging", "commands"): "--log-commands",
    ("site", 0, "logging", "file"): "--access-log",
    ("site", 0, "logging", "format"): "--access-log-format",
    ("site", 0, "logging", "capture"): "--capture",
    ("site", 0, "firewall_support", "external_address"): "--external-address",
    ("site", 0, "firewall_support", "external_addresses"): "--external-address",
    ("site", 0, "firewall_support", "external_ports"): "--external-ports",
    ("site", 0, "firewall_support", "internal_networks"): "--internal-network",
    ("site", 0, "tls", "certificate"): "--certificate",
    ("site", 0, "tls", "private_key"): "--private-key",
    ("site", 0, "tls", "self_signed"): "--self-signed",
    ("site", 0, "tls", "control_channel"): "--tls",
    ("site", 0, "tls", "data_channel"): "--tls",
    ("site", 0, "tls", "implicit"): "--implicit-tls",
    ("site", 0, "tls", "session"): "--tls-session",
    ("site", 0, "firewall_support", "proxy_from"): "--proxy-from",
    ("firewall_support", "data_channel_port_range"): "--passive-ports",
    ("server", "grace"): "--grace",
    ("server", "workers"): "--workers",
    ("server", "control_socket"): "--control-socket",
    ("metrics", "endpoint"): "--metrics",
}

_KEYS = {option[2:].replace("-", "_"): str(place[-1]) for place, option in OPTIONS.items()}
"""What an option is called in the file."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
"""A key that TOML wants no quotes around."""


class ConfigurationError(Exception):
    """The configuration cannot be used; the text is one line that names the place, the value and the rule."""


def load(path: str) -> ServerSettings:
    """
    Read a configuration file.

    :raises ConfigurationError: it cannot be read or used.
    """
    return read(path)


def read(path: str | None, given: Mapping[Where, object] | None = None, place: Place = Place()) -> ServerSettings:  # noqa: B008 (frozen)
    """
    Read the file, if there is one, and lay the values ``given`` as options (keyed as in :data:`OPTIONS`) over it.

    :raises ConfigurationError: something in them cannot be used.
    """
    source = _Source(path, given or {})
    settings = source.structured(source.document())
    sites = tuple(source.checked(number, site, place) for number, site in enumerate(settings.sites))
    settings = evolve(settings, sites=sites)
    for found in disagreements(settings):
        source.refuse(found.where, found.value, found.rule)
    served = [seen for site in sites for seen in (*site.user_isolation.seen(site.root), *(one.root for one in site.virtual_directory))]
    for number, site in enumerate(sites):
        if site.logging.capture and (trouble := served_trouble(site.logging.capture, served, place)):
            source.refuse(("site", number, "logging", "capture"), site.logging.capture, trouble)
    if settings.metrics.endpoint and (trouble := endpoint_trouble(settings.metrics.endpoint)):
        source.refuse(("metrics", "endpoint"), settings.metrics.endpoint, trouble)
    control_socket = settings.control_socket
    if control_socket not in ("", "off"):
        control_socket = source.absolute(("server", "control_socket"), control_socket, place)
    return evolve(settings, control_socket=control_socket)


@frozen
class _Source:
    """Where settings come from: knows the words in which an error names a place of the file or an option."""

    path: str | None
    given: Mapping[Where, object]

    def refuse(self, where: Where, value: object, rule: str) -> NoReturn:
        """Refuse a value in one line."""
        raise ConfigurationError(f"{self.name(where)}{' ' if where in self.given else ' = '}{_shown(value)}: {rule}") from None

    def name(self, where: Where) -> str:
        """``--port`` for a value given as an option, ``ftp.toml: [site.limits] max_connections`` for one of the file."""
        for start in range(len(where), 0, -1):
            if where[:start] in self.given:
                return OPTIONS[where[:start]]
        if where[0] == "site" and not self.path:
            return OPTIONS.get(where, str(where[-1]))
        *tables, key = [part for part in where if isinstance(part, str)]
        key = key if _BARE.fullmatch(key) else _shown(key)
        number = next((f" (site {part + 1})" for part in where[:2] if isinstance(part, int) and part), "")
        number += next((f" (number {part + 1})" for part in where[2:] if isinstance(part, int)), "")
        table = {"": "", "site": "[[site]] "}.get(".".join(tables), f"[{'.'.join(tables)}] ")
        if where[2:] and isinstance(where[-1], int):
            return f"{self.path}: [[{'.'.join((*tables, key))}]]{number}"  # such a table as a whole
        if any(isinstance(part, int) for part in where[2:]):
            table = f"[{table[:-1]}] "  # a table that may be repeated, [[site.authorization]]
        return f"{self.path}: {table}{key}{number}"

    def document(self) -> dict[str, Any]:
        """The file's content with the options laid over it."""
        document = _parse(self.path) if self.path else {"site": [{}]}
        sites = document.setdefault("site", [{}] if ("site", 0, "root") in self.given else [])
        for where, value in self.given.items():
            if where[0] == "site" and isinstance(sites, list) and len(sites) != 1:
                count = f"{len(sites)} sites" if sites else "no [[site]]"
                raise ConfigurationError(f"{OPTIONS[where]}: is for one site and {self.path} has {count}; change the file instead")
            table: Any = document
            for part in where[:-1]:
                table = table.setdefault(part, {}) if isinstance(table, dict) else table[part]
                if not isinstance(table, (dict, list)):
                    break  # the file has a value where a table belongs: refused when it is structured
            else:
                table[where[-1]] = value
        return document

    def structured(self, document: dict[str, Any]) -> ServerSettings:
        """The typed settings of a document."""
        try:
            whole = structure(document)
        except Exception as error:
            where, fault = first_fault(error, ())
            match fault:
                case ForbiddenExtraKeysError():
                    key = min(fault.extra_fields)
                    meant = advice(key, fault.cl, _KEYS.get(key, ""))
                    raise ConfigurationError(f"{self.name((*where, key))}: unknown key{meant}") from None
                case BadSetting():
                    self.refuse((*where, fault.name), fault.value, fault.rule)
                case Refused():
                    self.refuse(where, fault.value, fault.rule)
                case KeyError():
                    raise ConfigurationError(f"{self.name(where)}: is required") from None
            raise  # a fault of ours, not of the file
        if not whole.site:
            raise ConfigurationError(f"{self.path}: has no [[site]], so there is nothing to serve")
        server = whole.server
        whole_process = server.grace, server.control_socket, whole.metrics, server.workers, server.listing_cache
        return ServerSettings(whole.site, whole.firewall_support, *whole_process)

    def checked(self, number: int, site: SiteSettings, place: Place) -> SiteSettings:
        """The site with its root as an absolute path, after all that must hold on this machine was found to hold."""
        where: Where = ("site", number)
        for text in site.listen:
            if trouble := endpoint_trouble(text):
                self.refuse((*where, "listen"), text, trouble)
        try:
            make_checkers(site.authentication.strcred)
        except ValueError as error:
            raise ConfigurationError(f"{self.name((*where, 'authentication', 'strcred'))}: {error}") from None
        virtual = tuple(
            evolve(one, root=self._directory((*where, "virtual_directory", position, "root"), one.root, place))
            for position, one in enumerate(site.virtual_directory)
        )
        isolation = site.user_isolation
        homes = {key: self._expanded((*where, "user_isolation", key), getattr(isolation, key)) for key in ("home", "anonymous_home")}
        root = self._directory((*where, "root"), site.root, place)
        try:
            isolation = evolve(isolation, **homes)
        except BadSetting as error:  # a variable holds what none may
            self.refuse((*where, "user_isolation", error.name), error.value, error.rule)
        logging = site.logging
        if logging.file:
            logging = evolve(logging, file=self._new_file((*where, "logging", "file"), logging.file, place))
        if logging.capture:
            logging = evolve(logging, capture=self._writable((*where, "logging", "capture"), logging.capture, place))
        tls = self._with_files((*where, "tls"), site.tls, place)
        authentication = self._with_users(where, site.authentication, place)
        return evolve(
            site, root=root, virtual_directory=virtual, user_isolation=isolation, logging=logging, tls=tls, authentication=authentication
        )

    def _expanded(self, where: Where, text: str) -> str:
        try:
            return expand(text)
        except ValueError as error:
            self.refuse(where, text, str(error))

    def absolute(self, where: Where, path: str, place: Place) -> str:
        """A path with its variables expanded, from where relative ones start; behind a chroot that is its root."""
        return os.path.normpath(os.path.join("/" if place.chroot else self._start(where), self._expanded(where, path)))

    def _directory(self, where: Where, text: str, place: Place) -> str:
        """The absolute path of a directory that is to be served."""
        directory = self.absolute(where, text, place)
        if trouble := root_trouble(directory, place):
            self.refuse(where, text, f"{trouble}{'' if directory == text else f' ({_shown(directory)[1:-1]})'}")
        return directory

    def _writable(self, where: Where, text: str, place: Place) -> str:
        """The absolute path of a directory that files are to be made in."""
        directory = self.absolute(where, text, place)
        if trouble := directory_trouble(directory, place):
            self.refuse(where, text, trouble)
        return directory

    def _new_file(self, where: Where, text: str, place: Place) -> str:
        """
        The absolute path of a file that may have to be made. Its place must be there at the start; a running server has the file
        open, perhaps from when it could see that place, and goes on in it.
        """
        path = self.absolute(where, text, place)
        if not place.is_serving and (trouble := file_trouble(path, place)):
            self.refuse(where, text, trouble)
        return path

    def _start(self, where: Where) -> str:
        """Where a relative path starts: at the working directory if it was given as an option, else where the file is."""
        return os.getcwd() if where in self.given or not self.path else os.path.dirname(os.path.abspath(self.path))

    def _with_files(self, where: Where, tls: TLSSettings, place: Place) -> TLSSettings:
        """
        The settings with absolute paths. Certificate and key must be usable at the start; later the running server decides,
        which may have to keep those that it read before its chroot or as another user.
        """
        keys = [key for key in ("certificate", "private_key", "client_ca") if getattr(tls, key)]
        found = {key: self._expanded((*where, key), getattr(tls, key)) for key in keys}
        paths: dict[str, Any] = {key: os.path.normpath(os.path.join(self._start((*where, key)), file)) for key, file in found.items()}
        tls = evolve(tls, **paths)
        if not keys or place.is_serving:
            return tls
        from twistftp.transport.certificates import load_authorities, load_identity

        try:
            for key in keys:
                with open(getattr(tls, key), "rb"):
                    pass
            for key in ("certificate", "client_ca"):
                if getattr(tls, key):
                    load_authorities(getattr(tls, key))
            key = "private_key"
            if tls.certificate:
                load_identity(tls.certificate, tls.private_key)
        except OSError as error:
            self.refuse((*where, key), getattr(tls, key), (error.strerror or str(error)).lower())
        except ValueError as error:
            self.refuse((*where, key), getattr(tls, key), str(error).removeprefix(f"{getattr(tls, key)}: "))
        return tls

    def _with_users(self, where: Where, authentication: Authentication, place: Place) -> Authentication:
        """The users file by its absolute path, when it was found to be good. It is outside of any chroot."""
        written = authentication.users_file
        if not written:
            return authentication
        where = (*where, "authentication", "users_file")
        try:
            path = os.path.normpath(os.path.join(self._start(where), expand(written)))
            if not place.is_serving:
                from twistftp.accounts.user_book import load_users  # and with it argon2, which is nothing to a server without such a file

                load_users(path, authentication.is_anonymous)
        except ValueError as error:
            self.refuse(where, written, str(error))
        return evolve(authentication, users_file=path)


def _parse(path: str) -> dict[str, Any]:
    import tomllib  # options alone need none

    try:
        return tomllib.loads(Path(path).read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 text (octet {error.start})") from None
    except ValueError as error:
        raise ConfigurationError(f"{path}: not valid TOML: {' '.join(str(error).split())}") from None


def _shown(value: object) -> str:
    """A value on one line, as TOML would have it, not endless."""
    text = "".join(character if character.isprintable() else f"\\u{ord(character):04x}" for character in _toml(value))
    return text if len(text) <= 120 else f"{text[:110]}…{text[-1]}"


def _toml(value: object) -> str:
    if isinstance(value, (str, bool)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        inside = ", ".join(f"{key if _BARE.fullmatch(key) else _toml(key)} = {_toml(one)}" for key, one in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    return str(value)  # numbers, and the dates and times of TOML

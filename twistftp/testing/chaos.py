"""
The faults that a site can be given, by name: ``ftp_site(chaos=[chaos.reset_at(1000, times=1)])``.

Not here: what each does (``testing.faults``). docs/testing.md has them as a table, which a test compares with this one.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable
from typing import Any

from twistftp.testing.faults.base import Fault
from twistftp.testing.faults.control import half_close_control_at, reset_control_at, split_replies
from twistftp.testing.faults.data import disk_full_at, early_226, half_close_at, octet_segments, reset_at, stall_at, truncated_tls
from twistftp.testing.faults.replies import (
    late_226,
    missing_226,
    odd_550,
    odd_multiline,
    reply_421_at,
    rewritten_port,
    slow_login,
    wrong_address_in_227,
)
from twistftp.testing.faults.site import (
    connection_limit,
    ms_dos_listing,
    no_commands,
    no_epsv,
    no_mlsd,
    no_resumption,
    no_utf8,
    require_resumption,
    slow_data,
    wrong_certificate,
)

_ALL: tuple[type[Fault], ...] = (
    *(wrong_address_in_227, rewritten_port),
    *(early_226, late_226, missing_226),
    *(reset_at, stall_at, half_close_at, octet_segments, disk_full_at, truncated_tls),
    *(split_replies, reset_control_at, half_close_control_at, reply_421_at, odd_multiline, odd_550, slow_login),
    *(no_resumption, require_resumption, wrong_certificate),
    *(no_epsv, no_mlsd, no_utf8, no_commands, ms_dos_listing, connection_limit, slow_data),
)
FAULTS: dict[str, type[Fault]] = {kind.__name__: kind for kind in _ALL}
"""Every fault by its name."""

__all__ = [
    "FAULTS",
    "Fault",
    "connection_limit",
    "disk_full_at",
    "early_226",
    "from_json",
    "half_close_at",
    "half_close_control_at",
    "late_226",
    "missing_226",
    "ms_dos_listing",
    "named",
    "no_commands",
    "no_epsv",
    "no_mlsd",
    "no_resumption",
    "no_utf8",
    "octet_segments",
    "odd_550",
    "odd_multiline",
    "read",
    "reply_421_at",
    "require_resumption",
    "reset_at",
    "reset_control_at",
    "rewritten_port",
    "slow_data",
    "slow_login",
    "split_replies",
    "stall_at",
    "truncated_tls",
    "wrong_address_in_227",
    "wrong_certificate",
]


def read(faults: Iterable[Fault | str]) -> tuple[Fault, ...]:
    """
    Faults as the test gives them: values, or texts such as ``"early_226"`` and ``"reset_at(1000, times=1)"``.

    :raises ValueError: a text is no such thing. :raises TypeError: a parameter is missing or unknown, or something is no fault.
    """
    if isinstance(faults, (str, Fault, type)):
        faults = (faults,)
    return tuple(_read(fault) for fault in faults)


def _read(fault: Any) -> Fault:
    if isinstance(fault, Fault):
        return fault
    if isinstance(fault, type) and issubclass(fault, Fault):
        return _made(fault)
    if isinstance(fault, str):
        return named(fault)
    raise TypeError(f"{fault!r} is no fault; give one of twistftp.testing.chaos, or its name as a text")


def named(text: str) -> Fault:
    """The fault that a text names, with its parameters. :raises ValueError: there is none."""
    try:
        tree: ast.expr = ast.parse(text.strip(), mode="eval").body
        call = tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])
        name = call.func.id  # type: ignore[attr-defined]
        given = [ast.literal_eval(argument) for argument in call.args]
        by_name = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    except (SyntaxError, ValueError, AttributeError):
        raise ValueError(f"{text!r} is no fault; write name or name(parameters), such as reset_at(1000)") from None
    return _made(_kind(name), *given, **by_name)


def _made(kind: type[Fault], *given: Any, **by_name: Any) -> Fault:
    try:
        return kind(*given, **by_name)
    except TypeError as error:
        raise TypeError(str(error).replace(".__init__", "")) from None


def _kind(name: str) -> type[Fault]:
    try:
        return FAULTS[name]
    except KeyError:
        near = difflib.get_close_matches(name, FAULTS, 1)
        raise ValueError(f"there is no fault {name!r}{f'; did you mean {near[0]}?' if near else ''}") from None


def from_json(value: dict[str, Any]) -> Fault:
    """The inverse of ``Fault.as_json``."""
    return _kind(value["name"])(**{key: given for key, given in value.items() if key != "name"})

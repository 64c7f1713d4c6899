"""
What the events of a capsule are made of, as tables: a file that came by mail may hold anything.

Not here: what they mean (``replay``); CONTRIBUTING.md has them for people.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from twistftp.policy.diagnosis import Cause

__all__ = ["KINDS", "fault", "shown"]

_LARGEST = 1 << 53
"""Of all numbers: no file is so large, no date is so far, and JSON has no more that are exact."""
_FILLER = 64 << 20

Check = Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    try:
        return isinstance(value, str) and value.encode("utf-8", "surrogateescape") is not None
    except UnicodeEncodeError:
        return False


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable() and 0 < len(value) < 256


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -_LARGEST < value < _LARGEST


def _is_whole(value: Any) -> bool:
    return type(value) is int and -_LARGEST < value < _LARGEST


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _LARGEST


def _is_flag(value: Any) -> bool:
    return value in (True, False)


def _is_base64(value: Any) -> bool:
    try:
        return isinstance(value, str) and base64.b64decode(value, validate=True) is not None
    except (binascii.Error, ValueError):
        return False


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _said(value: Any) -> bool:
    return all(_is_text(piece) or _is(piece, {"filler": _is_filler}) for piece in (value if isinstance(value, list) else [value]))


def _is_filler(value: Any) -> bool:
    return type(value) is int and 0 < value <= _FILLER


def _is(value: Any, needed: Mapping[str, Check], possible: Mapping[str, Check] = {}) -> bool:
    return isinstance(value, dict) and not _fault(value, needed, possible)


def _passed(value: Any) -> bool:
    return _is(value, {"octets": _is_count, "sha256": _is_text}, _CONTENT)


def _is_cause(value: Any) -> bool:
    return isinstance(value, str) and value in Cause.__members__


def _verdict(value: Any) -> bool:
    return _is(value, {"cause": _is_cause}, _PARTICULARS) and value.keys() <= {"cause", *_PARTICULARS}


def _end(value: Any) -> bool:
    return _is_text(value) or _verdict(value)


def _entry(value: Any) -> bool:
    return _is(value, {"name": _is_text}, _ENTRY)


_CONTENT: Mapping[str, Check] = {"text": _is_text, "base64": _is_base64}
_PARTICULARS: Mapping[str, Check] = {
    **dict.fromkeys(("port", "ports", "rate", "octets"), _is_whole),
    **dict.fromkeys(("range", "address", "reason", "peer", "by", "instead"), _is_text),
    "seconds": _is_number,
}
_ENTRY: Mapping[str, Check] = {
    **dict.fromkeys(("mode", "size", "links"), _is_count),
    **dict.fromkeys(("owner", "group", "unique", "perm"), _is_text),
    "modified": _is_number,
    "target": lambda value: value is None or _is_text(value),
}

# Of each kind of event, which its own key tells, what it needs and what it may have.
_FORMS: Mapping[str, tuple[Mapping[str, Check], Mapping[str, Check]]] = {
    "client": ({"client": _said}, {}),
    "server": ({"server": _is_text}, {}),
    "tls": ({"tls": lambda value: value in ("begun", "secured", "failed", "left")}, {"name": _is_name}),
    "data": (
        {"data": _is_count},
        {"opened": _is_flag, "private": _is_flag, "failed": _verdict, "ended": _end, "sent": _passed, "received": _passed, "moved": _is_count},
    ),
    "avatar": ({"avatar": _is_text, "start": _is_text, "can": _texts, "facts": _texts}, {}),
    "tree": ({"tree": _is_text}, {"at": _is_count, "later": _is_flag, "resolved": _entry, **_CONTENT, **_ENTRY}),
    "refuses": ({"refuses": _is_text, "path": _is_text}, {"as": _is_text, "text": _is_text, "reason": _is_text}),
    "free": ({"free": lambda value: value is None or _is_count(value)}, {}),
    "closed": ({"closed": _is_text}, {}),
    "cut": ({"cut": _is_text}, {}),
}
KINDS = tuple(_FORMS)
"""The keys that tell the kinds of events."""


def fault(event: Mapping[str, Any]) -> str:
    """What is wrong with an event, in one line; ``""`` if nothing is. Keys that are unknown are left alone."""
    kind = next((kind for kind in KINDS if kind in event), None)
    if not _is_number(event.get("t")) or event["t"] < 0 or kind is None:
        return f"no event: it needs t, the seconds since the beginning, and one of {', '.join(KINDS)}"
    return _fault(event, *_FORMS[kind])


def _fault(value: Mapping[str, Any], needed: Mapping[str, Check], possible: Mapping[str, Check]) -> str:
    for key, is_right in (*needed.items(), *possible.items()):
        if key in value:
            if not is_right(value[key]):
                return f"{key} cannot be {shown(value[key])}"
        elif key in needed:
            return f"{key} is missing"
    return ""


def shown(value: Any) -> str:
    """The beginning of a value, on one line."""
    try:
        return ascii(value)[:60]
    except RecursionError:
        return "so deep"

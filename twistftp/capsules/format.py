"""
The form of a capsule: one JSON object a line, the header first, then events in the order in which they happened.

Not here: who writes them (``recording``) and who plays them (``replay``). CONTRIBUTING.md lists the events for people.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from twistftp.capsules.forms import fault, shown

__all__ = ["VERSION", "BadCapsule", "Capsule", "line_of", "octets_of", "packed", "parse", "text_of", "unpacked"]

VERSION = 1
"""Of this form. A reader refuses what is newer than it is; keys that it does not know it leaves alone."""

_LONGEST = 10_000_000.0  # seconds that a session lasts
_LAST = 253402214400  # seconds from 1970 to the last day that a date can name
_DAY = 86400


class BadCapsule(ValueError):
    """This is no capsule that can be played; the text is one line that says why, and in which line of the file."""


@frozen
class Capsule:
    """
    One session: its header and its events, each a dictionary with ``t``, seconds since the session's beginning. Event ``n`` is line
    ``n + 2`` of the file. ``is_broken_off``: the file's last line is not whole and was left out.
    """

    header: Mapping[str, Any]
    events: tuple[Mapping[str, Any], ...]
    is_broken_off: bool = False

    @property
    def lack(self) -> str:
        """Why there is no more, if the session went on; ``""`` if its end is here."""
        cut = next((event["cut"] for event in self.events if "cut" in event), None)
        if cut is not None:
            return str(cut)
        if self.is_broken_off:
            return "its last line is not whole"
        return "" if any("closed" in event for event in self.events) else "the session's end is not in it"


def text_of(octets: bytes) -> str:
    """Octets as the text of a capsule: UTF-8, and what is none as surrogate escapes, so that nothing is lost."""
    return octets.decode("utf-8", "surrogateescape")


def octets_of(text: str) -> bytes:
    """The inverse of :func:`text_of`. :raises UnicodeEncodeError: it is not of :func:`text_of`."""
    return text.encode("utf-8", "surrogateescape")


def packed(octets: bytes) -> dict[str, str]:
    """The content of a file or a data connection: as text where it is some, else in base64."""
    try:
        text = octets.decode("ascii")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(octets).decode()}
    return {"text": text}


def unpacked(value: Mapping[str, Any]) -> bytes | None:
    """The inverse of :func:`packed`; ``None`` where there is no content. :raises ValueError: it is no base64."""
    if "text" in value:
        return octets_of(value["text"])
    return base64.b64decode(value["base64"], validate=True) if "base64" in value else None


def line_of(event: Mapping[str, Any]) -> bytes:
    """One object as a line, in ASCII."""
    return json.dumps(event, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def parse(lines: Iterable[bytes]) -> Capsule:
    """
    Read a capsule.

    :raises BadCapsule: it is none, or one of a newer kind.
    """
    header: Mapping[str, Any] | None = None
    events: list[Mapping[str, Any]] = []
    for number, line in enumerate(lines, 1):
        value = _object(line, number)
        if header is None:
            header = _header(value)
            continue
        if wrong := fault(value):
            raise BadCapsule(f"line {number}: {wrong}")
        if value["t"] > _LONGEST:
            raise BadCapsule(f"line {number}: t cannot be {value['t']}: no session lasts so long")
        events.append(value)
    if header is None:
        raise BadCapsule("it is empty")
    return Capsule(header, tuple(events))


def _object(line: bytes, number: int) -> Mapping[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is one, too
        raise BadCapsule(f"line {number}: no JSON: {' '.join(str(error).split())}") from None
    if not isinstance(value, dict):
        raise BadCapsule(f"line {number}: no JSON object")
    return value


def _header(value: Mapping[str, Any]) -> Mapping[str, Any]:
    version = value.get("capsule")
    if type(version) is not int:
        raise BadCapsule('line 1: no header: it needs "capsule", the version of the form')
    if version > VERSION:
        raise BadCapsule(f"line 1: version {version} of the form; this twistftp reads up to {VERSION}")
    for key, kinds in (("time", (int, float)), ("peer", (str,)), ("local", (str,)), ("settings", (dict,))):
        if type(value.get(key)) not in kinds:
            raise BadCapsule(f"line 1: the header lacks {key}, or it is of the wrong type")
    for key, least, largest in (("time", 0, _LAST), ("utc_offset", -_DAY, _DAY), ("session", 0, 1 << 53)):
        if type(value.get(key, 0)) not in (int, float) or not least <= value.get(key, 0) <= largest:
            raise BadCapsule(f"line 1: {key} cannot be {shown(value[key])}")
    tree = value.get("tree", [])
    for event in tree if isinstance(tree, list) else [tree]:
        if wrong := fault({"t": 0, **event}) if isinstance(event, dict) and "tree" in event else f"no event of a tree: {shown(event)}":
            raise BadCapsule(f"line 1: tree: {wrong}")
    return value

"""
Faults of replies: what is said wrongly, in an odd form, early, late or not at all.

Not here: how replies are cut into segments (``control``), the order of 226 and the data connection's end (``data``).
"""

from __future__ import annotations

import re
from typing import Any

from attrs import field, frozen

from twistftp.testing.faults.base import SILENCE, TRANSFERS, Occasional, at_least, verbs
from twistftp.wire.addresses import encode_227, encode_229
from twistftp.wire.replies import Reply, encode_text

__all__ = ["late_226", "missing_226", "odd_550", "odd_multiline", "reply_421_at", "rewritten_port", "slow_login", "wrong_address_in_227"]

_PLACE = re.compile(r"(\d+),(\d+),(\d+),(\d+),(\d+),(\d+)")
_READ_BY_CLIENTS = frozenset((211, 213, 227, 229, 257))  # their texts mean something
_TEXTS = ("", "a", "226 Transfer complete.", "Übergröße: ∞ файл", 'No such file: "a ""quoted"" name"', "long " * 400, "%s %n {0}")
_COMPLETE = 226


@frozen(slots=False)
class wrong_address_in_227(Occasional):
    """227 names another address, as a server behind a NAT does that does not know its own; the port is the right one."""

    address: str = "192.0.2.1"

    def said(self, verb: str, reply: Reply, occasion: int, closed_port: int) -> Reply:
        """227 with the other address."""
        found = _PLACE.search(reply.text) if reply.code == 227 else None
        return reply if found is None else Reply.of(227, encode_227(self.address, int(found[5]) * 256 + int(found[6])))


@frozen(slots=False)
class rewritten_port(Occasional):
    """227 and 229 name a port on which nobody listens, as behind a NAT that maps the ports: connections to it are refused."""

    def said(self, verb: str, reply: Reply, occasion: int, closed_port: int) -> Reply:
        """227 or 229 with the other port."""
        if reply.code == 229:
            return Reply.of(229, encode_229(closed_port))
        found = _PLACE.search(reply.text) if reply.code == 227 else None
        return reply if found is None else Reply.of(227, encode_227(".".join(found.groups()[:4]), closed_port))


@frozen(slots=False)
class late_226(Occasional):
    """226 comes so many seconds after the end of the data connection."""

    seconds: float = field(default=1.0, validator=at_least(0.01))
    on: tuple[str, ...] = field(default=TRANSFERS, converter=verbs, kw_only=True)

    def wait_after(self, verb: str, reply: Reply) -> float:
        """Before 226 only."""
        return self.seconds if reply.code == _COMPLETE and verb in self.on else 0.0


@frozen(slots=False)
class missing_226(Occasional):
    """226 never comes; the next command is answered as ever."""

    on: tuple[str, ...] = field(default=TRANSFERS, converter=verbs, kw_only=True)

    def said(self, verb: str, reply: Reply, occasion: int, closed_port: int) -> Reply:
        """Nothing instead of 226."""
        return SILENCE if reply.code == _COMPLETE and verb in self.on else reply


@frozen(slots=False)
class slow_login(Occasional):
    """PASS is answered after so many seconds, as where a directory service is asked."""

    seconds: float = field(default=1.0, validator=at_least(0.01))

    def wait_before(self, verb: str) -> float:
        """Before PASS only."""
        return self.seconds if verb == "PASS" else 0.0


@frozen(slots=False)
class reply_421_at(Occasional):
    """The ``command``-th command of a connection is not carried out but answered 421, and the connection closed."""

    command: int = field(validator=at_least(1))

    def answers(self, count: int, verb: str) -> Reply | None:
        """421 at that one."""
        return Reply.of(421, "Service not available, closing control connection.", closes=True) if count == self.command else None


@frozen(slots=False)
class odd_550(Occasional):
    """Every 550 has another text: none, one that looks like a 226, not ASCII, in quotes, endless. The next 550 has the next one."""

    texts: tuple[str, ...] = field(default=_TEXTS, converter=tuple)

    @texts.validator
    def _check(self, attribute: Any, value: Any) -> None:
        if not value or any("\r" in text or "\n" in text for text in value):
            raise ValueError("odd_550: texts must be one or more lines")

    def said(self, verb: str, reply: Reply, occasion: int, closed_port: int) -> Reply:
        """550 with one of the texts."""
        return Reply.of(550, self.texts[occasion % len(self.texts)]) if reply.code == 550 else reply


class _OddReply(Reply):
    """A reply of several lines, which are sent as they are."""

    @property
    def octets(self) -> bytes:
        """The lines as they are."""
        return encode_text("".join(f"{line}\r\n" for line in self.lines))


# Multi-line forms that RFC 959 §4.2 allows, and that clients have stumbled over: the lines before the last.
_FORMS: dict[str, tuple[str, ...]] = {
    "set_in": ("{code}-several lines", " {code} is not the end, for it is set in"),
    "empty_line": ("{code}-", ""),
    "each_line": ("{code}-each line", "{code}-has the code"),
    "short_line": ("{code}-a line that is", "2", "shorter than a code"),
}


@frozen(slots=False)
class odd_multiline(Occasional):
    """
    Replies come as several lines in forms that are odd but legal: empty lines, the code set in, lines shorter than a code. Those whose
    text clients must read (211, 213, 227, 229, 257) come as ever, and so do those that have several lines anyway.

    :ivar form: ``set_in``, ``empty_line``, ``each_line`` or ``short_line``; without it, one after the other.
    """

    form: str = field(default="")

    @form.validator
    def _check(self, attribute: Any, value: Any) -> None:
        if value and value not in _FORMS:
            raise ValueError(f"odd_multiline: form must be one of {', '.join(_FORMS)}, not {value!r}")

    def said(self, verb: str, reply: Reply, occasion: int, closed_port: int) -> Reply:
        """The reply in the next form, its text in the last line."""
        if reply.code in _READ_BY_CLIENTS or len(reply.lines) > 1:
            return reply
        before = _FORMS[self.form or tuple(_FORMS)[occasion % len(_FORMS)]]
        return _OddReply(reply.code, (*(line.format(code=reply.code) for line in before), f"{reply.code} {reply.text}"), reply.closes)

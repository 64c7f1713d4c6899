"""
The W3C extended log file format with the fields of IIS's FTP service, in the order in which IIS writes them.

Not here: what happened (``entry``), and the file. Times are UTC.
"""

from __future__ import annotations

import re
from functools import lru_cache, partial

from twistftp.policy.access_log.entry import Epoch, Outcome
from twistftp.policy.access_log.stamps import Stamped, stamp

__all__ = ["FIELDS", "W3C", "field", "header"]

FIELDS = (
    *("date", "time", "c-ip", "c-port", "cs-username", "s-sitename", "s-computername", "cs-host", "s-ip", "s-port", "cs-method", "cs-uri-stem"),
    *("sc-status", "sc-win32-status", "sc-substatus", "sc-bytes", "cs-bytes", "time-taken", "x-session", "x-fullpath", "x-debug"),
)
"""``time-taken`` is in milliseconds."""

_PATTERN = "%Y-%m-%d %H:%M:%S"
_AS_IT_IS = re.compile(r"[!#$&'()*,./0-9:;<=>?@A-Z\[\\\]^_`a-z{|}~-]+").fullmatch


def header(now: float, version: str) -> str:
    """The lines that a file begins with."""
    return f"#Software: twistftp {version}\n#Version: 1.0\n#Date: {stamp(int(now), _PATTERN)}\n#Fields: {' '.join(FIELDS)}\n"


class W3C(Stamped):
    """
    The format, for a site of this name on this computer; see :class:`entry.Format`.

    The blanks between a line's parts belong to the parts, and most lines need no number to be written: each piece of a line costs.
    """

    def __init__(self, site: str, computer: str, epoch: Epoch) -> None:
        super().__init__(epoch, _PATTERN)
        self._behind = lru_cache(maxsize=512)(partial(_behind, f"{field(site)} {field(computer)}"))

    def session(self, number: int, identity: str) -> str:
        """``x-session``."""
        return identity

    def ends(self, client: str, client_port: int, server: str, server_port: int, host: str) -> tuple[str, str]:
        """``c-ip`` and ``c-port``, and what follows the user up to ``s-port``."""
        return f" {client or '-'} {client_port or '-'} ", self._behind(server, server_port, host)

    def user(self, name: str) -> str:
        """``cs-username``."""
        return field(name)

    def event(self, method: str, argument: str, path: str, outcome: Outcome) -> tuple[str, str, str]:
        """``cs-method`` to ``sc-substatus``, the same with the numbers of most lines, and ``x-fullpath`` with what follows."""
        code, win32, substatus, cause = outcome
        first = f"{method} {field(argument)} {code or '-'} {win32} {substatus}"
        return first, f"{first} 0 0 0 ", f" {field(path)} {cause or '-'}\n"

    def line(self, now: float, session: str, place: str, event: tuple[str, str, str], sent: int, received: int, seconds: float) -> str:
        """All fields."""
        if not self._since <= now < self._until:
            self._turn(now)
        first, what, last = event
        if seconds >= 0.001 or sent or received:
            what = f"{first} {sent} {received} {int(seconds * 1000) if seconds >= 0.001 else 0} "
        return f"{self._stamp}{place}{what}{session}{last}"


def _behind(site: str, server: str, server_port: int, host: str) -> str:
    """``s-sitename`` to ``s-port``."""
    return f" {site} {field(host)} {server or '-'} {server_port or '-'} "


@lru_cache(maxsize=512)
def field(text: str) -> str:
    """
    A text as one field: ``-`` for none, ``+`` for a space, ``%XX`` for what could be taken for another field or line.

    The inverse is what undoes the encoding of HTML forms (``unquote_plus``), but for ``-``.
    """
    if not text:
        return "-"
    if text == "-":
        return "%2D"
    return text if _AS_IT_IS(text) else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if character == " ":
        return "+"
    if _AS_IT_IS(character) or (character > "\x7f" and character.isprintable()):
        return character
    return "".join(f"%{octet:02X}" for octet in character.encode("utf-8", "surrogateescape"))

"""
The access log as JSON: one object a line, in ASCII, with the same keys in every line.

Not here: what happened (``entry``), and the file. Times are UTC.
"""

from __future__ import annotations

import json
from functools import lru_cache

from twistftp.policy.access_log.entry import PSEUDO_COMMANDS, Epoch, Outcome
from twistftp.policy.access_log.stamps import Stamped

__all__ = ["JSON"]

_encode = json.encoder.encode_basestring_ascii  # type: ignore[attr-defined]

_NO_NUMBERS = '"octets_sent":0,"octets_received":0,"seconds":0.000000'


class JSON(Stamped):
    """The format, for a site of this name; see :class:`entry.Format`."""

    def __init__(self, site: str, epoch: Epoch) -> None:
        super().__init__(epoch, '{"time":"%Y-%m-%dT%H:%M:%S.')
        self._site = _text(site)

    def session(self, number: int, identity: str) -> str:
        """The keys of a session."""
        return f'"site":{self._site},"session":{number},"session_id":"{identity}"'  # ASCII, with nothing to escape

    def ends(self, client: str, client_port: int, server: str, server_port: int, host: str) -> tuple[str, str]:
        """The keys of both ends, up to the user's, and the virtual host's."""
        ports = f'"client_port":{client_port or "null"},"server_port":{server_port or "null"}'
        return f'"client":{_text(client)},"server":{_text(server)},{ports},"user":', f',"host":{_text(host)}'

    def user(self, name: str) -> str:
        """The user's value."""
        return _text(name)

    def event(self, method: str, argument: str, path: str, outcome: Outcome) -> str:
        """The keys of what was done."""
        event = PSEUDO_COMMANDS.get(method)
        what = f'"event":"{event or "command"}","verb":{"null" if event else _text(method)},"argument":{_text(argument)},"path":{_text(path)}'
        return f'{what},"code":{outcome.code or "null"},"cause":{_text(outcome.cause)}'

    def line(self, now: float, session: str, place: str, event: str, sent: int, received: int, seconds: float) -> str:
        """An object."""
        if not self._since <= now < self._until:
            self._turn(now)
        after = int((now - self._since) * 1000)
        milliseconds = str(after).zfill(3) if after < 1000 else "999"  # floats are rounded; and a format that fills up costs twice as much
        numbers = f'"octets_sent":{sent},"octets_received":{received},"seconds":{seconds:.6f}' if sent or received or seconds else _NO_NUMBERS
        return f'{self._stamp}{milliseconds}Z",{event},{session},{place},{numbers}}}\n'


@lru_cache(maxsize=512)
def _text(text: str) -> str:
    r"""
    A JSON string. Octets that are no UTF-8 are shown as ``\xff``: half a surrogate pair is no character, and many a reader refuses it.
    """
    if not text:
        return "null"
    return _encode(text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))  # type: ignore[no-any-return]

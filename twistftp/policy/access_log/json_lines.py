"""
The access log as JSON: one object a line, in ASCII, with the same keys in every line.

Not here: what happened (``entry``), and the file. Times are UTC.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache

from twistftp.policy.access_log.entry import PSEUDO_COMMANDS, Epoch, Outcome

__all__ = ["JSON"]

_encode = json.encoder.encode_basestring_ascii  # type: ignore[attr-defined]


class JSON:
    """The format, for a site of this name; see :class:`entry.Format`."""

    def __init__(self, site: str, epoch: Epoch) -> None:
        self._site, self._epoch = _text(site), epoch

    def session(self, number: int, identity: str) -> str:
        """The keys of a session."""
        return f'"site":{self._site},"session":{number},"session_id":{_text(identity)}'

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
        numbers = f'"octets_sent":{sent},"octets_received":{received},"seconds":{seconds:.6f}'
        return f'{{"time":"{_time(now + self._epoch())}",{event},{session},{place},{numbers}}}\n'


def _time(now: float) -> str:
    """As ISO 8601 has it."""
    milliseconds = int(now * 1000)
    return f"{_stamp(milliseconds // 1000)}.{milliseconds % 1000:03}Z"


@lru_cache(maxsize=4)
def _stamp(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=512)
def _text(text: str) -> str:
    r"""
    A JSON string. Octets that are no UTF-8 are shown as ``\xff``: half a surrogate pair is no character, and many a reader refuses it.
    """
    if not text:
        return "null"
    return _encode(text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))  # type: ignore[no-any-return]

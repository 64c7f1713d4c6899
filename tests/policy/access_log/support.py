"""
Lines of access logs, with everything in them that a client might send.

Not here: what becomes of them.
"""

from __future__ import annotations

from typing import Any

from hypothesis.strategies import binary, characters, one_of, text

from twistftp.policy.access_log.entry import Outcome

__all__ = ["ANYTHING", "line"]

ANYTHING = one_of(
    binary(max_size=40).map(lambda octets: octets.decode("utf-8", "surrogateescape")),
    text(" +-%\"'\r\n\t\0\x1b\x85\u2028#{}[]\\,:_", max_size=20),
    text(characters(codec="utf-8"), max_size=20),
)
"""Text as it comes from a client: octets that are no UTF-8 in surrogate escapes."""


def line(
    form: Any,
    now: float = 1710000000.0,
    user: str = "alice",
    host: str = "",
    method: str = "RETR",
    argument: str = "x",
    path: str = "/x",
    outcome: Outcome = Outcome(226, 0, 0, ""),  # noqa: B008 (a value)
    client: str = "192.0.2.9",
    client_port: int = 40000,
    server: str = "192.0.2.1",
    server_port: int = 21,
    sent: int = 0,
    received: int = 0,
    seconds: float = 0.0,
) -> str:
    """A line made of its parts."""
    before, behind = form.ends(client, client_port, server, server_port, host)
    event = form.event(method, argument, path, outcome)
    made: str = form.line(now, form.session(17, "x-17"), f"{before}{form.user(user)}{behind}", event, sent, received, seconds)
    return made

"""
The local port that active connections come from: 20 by RFC 959 §3.2, where the system permits it (PROTOCOL P-DC-13).

Not here: connecting (``active``).
"""

from __future__ import annotations

from errno import EACCES, EADDRINUSE, EADDRNOTAVAIL, EPERM
from os import strerror

from twisted.internet.error import ConnectBindError
from twisted.logger import Logger

__all__ = ["SourcePort"]

_FOREVER = frozenset({EACCES, EPERM})  # privileges that were dropped do not come back
_FOR_NOW = frozenset({EADDRINUSE, EADDRNOTAVAIL})


class SourcePort:
    """What a process knows of binding its active connections. One for all sites, so that the log is told once."""

    _log = Logger()

    def __init__(self) -> None:
        self._forbidden: set[int] = set()
        self._has_said = False

    def choose(self, wanted: int) -> int:
        """The port to try: ``wanted``, or 0 for any if that one has been forbidden."""
        return 0 if wanted in self._forbidden else wanted

    def is_unusable(self, port: int, why: BaseException | None) -> bool:
        """Whether an attempt from this port failed because of the port, so that one from any other is worth a try."""
        number = getattr(why, "osError", None)
        if number in _FOREVER and isinstance(why, ConnectBindError):
            self._forbidden.add(port)
        elif number not in _FOR_NOW:
            return False
        if not self._has_said:
            self._has_said = True
            text = "Active connections cannot come from port {port} ({why}): any other is used where that is so. active_port = 0 asks for that."
            self._log.info(text, port=port, why=strerror(number).lower())
        return True

"""
A connection has come and the system has no descriptor, or no memory, for it: its port rests for a while, and the log is told, not too often.

Not here: taking connections (``sockets``), and how Twisted closes those that wait when the process has used up its descriptors.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger, LogPublisher

from twistftp.policy.ration import Ration

try:
    import resource  # here: without a descriptor nothing can be imported any more
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

__all__ = ["QUIET", "REST", "SILENT", "Shortage"]

REST = 0.5
"""Seconds for which a port takes no connections: the reactor would else find it ready in every turn, and turn for nothing else."""
QUIET = 60.0
"""Seconds between two lines of the log: anybody can cause such a line by connecting."""
SILENT = Logger("twistftp.transport.shortage", observer=LogPublisher())
"""For Twisted's own three lines about every connection that it closes: nobody reads them."""


class Shortage:
    """The shortages of one listening ``port``; ``reactor`` is its reactor."""

    _log = Logger()
    _met = 0  # by all ports of the process
    _ration = Ration(1, QUIET)

    def __init__(self, port: Any, reactor: Any) -> None:
        self._port, self._reactor = port, reactor
        self._call: Any = None  # the delayed call that ends the rest

    def met(self, error: OSError, number: int) -> None:
        """There was one at the port of this number: rest."""
        Shortage._met += 1
        if Shortage._ration.allows(self._reactor.seconds()):
            text = "a connection to port {port} could not be taken: {why} ({count} times so far); the server may open {limit} files and connections"
            self._log.warn(text + ": raise that, or set max_connections", port=number, why=error.strerror, count=Shortage._met, limit=_limit())
        if self._call is None and self._port.connected:
            self._port.stopReading()
            self._call = self._reactor.callLater(REST, self._go_on)

    def _go_on(self) -> None:
        self._call = None
        if self._port.connected:
            self._port.startReading()

    def forget(self) -> None:
        """The port is closed."""
        if self._call is not None:
            self._call.cancel()
            self._call = None


def _limit() -> str:
    return "no more" if resource is None else str(resource.getrlimit(resource.RLIMIT_NOFILE)[0])

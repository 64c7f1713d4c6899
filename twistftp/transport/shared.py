"""
Listening sockets that several processes share: held open by one that never takes a connection, accepted from by the others.

Not here: which processes these are and how they come by the sockets (``twistftp.workers``).

Closing such a socket must not shut it down, which would end it for all, and before each connection a process asks a :class:`Gate` whether it is
its own to take.
"""

from __future__ import annotations

import errno
import socket
from typing import Any, Protocol

from twisted.internet import defer, tcp, unix
from twisted.internet.interfaces import IListeningPort
from twisted.python.failure import Failure

from twistftp.transport.directio import CLOSED
from twistftp.transport.sockets import ControlPort

__all__ = ["Gate", "HeldPort", "HeldTCPPort", "HeldUNIXPort", "share"]


class _Held:
    """Bound and listening, and never read."""

    _shouldShutdown = False

    def startReading(self) -> None:
        """Others accept."""

    def stopReading(self) -> None:
        """Nothing to stop."""

    def end_for_all(self) -> bool:
        """
        Have the socket listen no more in any process that has it: the port is free then, whatever those are doing.

        :return: whether they need not be waited for.
        """
        return True  # a name in the file system is free when it is taken away; what came from elsewhere is not ours to end


class HeldPort(_Held, ControlPort):
    """A control port."""

    def end_for_all(self) -> bool:
        """Linux does so; elsewhere a socket listens until the last one has closed it."""
        try:
            self.socket.shutdown(socket.SHUT_RD)  # type: ignore[union-attr]
        except OSError:
            return False
        return True


class HeldTCPPort(_Held, tcp.Port):
    """A socket that came from elsewhere, as systemd's do."""


class HeldUNIXPort(_Held, unix.Port):
    """A Unix socket."""


class Gate(Protocol):
    """Whose connections are whose among the processes that share a port."""

    def admits(self, port: Any) -> bool:
        """Whether this process is to take a connection that waits; else the gate has stopped the port, and starts it again."""


_LUCKY = 4
"""Turns after which a port asks for one connection more."""
_MOST = 16
"""Connections that it asks for in one turn at most."""


class _Shared:
    """Another process's listening socket: it is not bound here, and its name in the file system is not taken away."""

    accepts = 1
    _shouldShutdown = False
    gate: Gate
    sessionno: int
    _asked = 1  # connections asked for in a turn
    _luck = 0  # turns, one after the other, in which there were as many
    _is_paused = False
    _host: Any
    socket: Any
    factory: Any
    connected: Any
    fileno: Any
    _realPortNumber: Any

    @property
    def numberAccepts(self) -> int:
        """Connections that Twisted's ``doRead`` takes a turn; it would grow."""
        return 1

    @numberAccepts.setter
    def numberAccepts(self, number: int) -> None:
        pass

    def begin(self, skt: socket.socket) -> None:
        """Accept from this socket, which belongs to the port from now on."""
        tcp._reservedFD.reserve()
        self.factory.doStart()
        name = skt.getsockname()
        self._realPortNumber = name[1] if skt.family != socket.AF_UNIX else None
        self.socket, self.fileno, self.connected = skt, skt.fileno, True
        self._host = super().getHost()  # type: ignore[misc]
        self.startReading()

    def getHost(self) -> Any:
        """Where it listens, or did: a site that drains is asked, too."""
        return self._host

    def doRead(self) -> None:
        """Take the connections that wait, one by one, or leave them to others. Where they come singly, none is asked for in vain."""
        for _ in range(self._asked):
            if not self.connected or not self.gate.admits(self):
                return
            taken = self.sessionno
            super().doRead()  # type: ignore[misc]
            if self.sessionno == taken:
                self._asked, self._luck = 1, 0
                return
        self._luck += 1
        if self._luck == _LUCKY and self._asked < _MOST:
            self._asked, self._luck = self._asked + 1, 0

    def startReading(self) -> None:
        """Look for connections, unless the port is paused: whoever had it rest for a moment knows nothing of that."""
        if not self._is_paused:
            super().startReading()  # type: ignore[misc]

    def pause(self) -> None:
        """Take no connection until :meth:`resume`: other processes do."""
        self._is_paused = True
        if self.connected:
            self.stopReading()  # type: ignore[attr-defined]

    def resume(self) -> None:
        """Take connections again."""
        self._is_paused = False
        if self.connected:
            self.startReading()

    def connectionLost(self, reason: Failure) -> None:
        """Close it here, once."""
        if self.connected:
            tcp.Port.connectionLost(self, reason)  # type: ignore[arg-type]

    def loseConnection(self, connDone: Failure = CLOSED) -> defer.Deferred[None]:
        """Stop accepting now."""
        if self.connected:
            self.stopReading()  # type: ignore[attr-defined]
            self.connectionLost(connDone)
        return defer.succeed(None)

    stopListening = loseConnection

    def _logConnectionLostMsg(self) -> None:
        pass


class _SharedControlPort(_Shared, ControlPort):
    """Ours; its connections are :class:`~twistftp.transport.sockets.DirectServer`."""

    def _run_short(self, error: OSError) -> None:
        if error.errno == errno.EINVAL:  # whoever holds the socket has ended it for all
            self.loseConnection()
        else:
            super()._run_short(error)


class _EndingPort(tcp.Port):
    """Twisted's, which would log a traceback when the socket was ended for all."""

    def doRead(self) -> None:
        """Take a connection."""
        if self.socket is not None and not self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            self.loseConnection()
        else:
            super().doRead()


class _SharedTCPPort(_Shared, _EndingPort):  # type: ignore[misc]
    """Of an endpoint string: with Twisted's own transports, as without workers."""


class _SharedUNIXPort(_Shared, unix.Port):  # type: ignore[misc]
    """The same in the file system."""


def share(reactor: Any, skt: socket.socket, factory: Any, is_own: bool, gate: Gate) -> IListeningPort:
    """
    Accept from a socket that another process has bound.

    :param skt: belongs to the port from now on.
    :param is_own: for our transports; else Twisted's.
    :param gate: is asked before each connection.
    """
    name = skt.getsockname()
    if skt.family == socket.AF_UNIX:
        port: Any = _SharedUNIXPort(name, factory, reactor=reactor)
    else:
        port = (_SharedControlPort if is_own else _SharedTCPPort)(name[1], factory, interface=name[0], reactor=reactor)
    port.gate = gate
    port.begin(skt)
    return port  # type: ignore[no-any-return]

"""
Active mode: the server connects to the address that PORT or EPRT named.

Not here: whether it may (``policy`` and the verbs decide before this is made).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConnector
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.transport.data_tls import protected
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.dtp import DataConnection
from twistftp.transport.interfaces import DataConnectionFailed, IDataPort
from twistftp.transport.sockets import connect
from twistftp.transport.source import SourcePort
from twistftp.transport.tls_session import SessionTLS

__all__ = ["ActivePort"]

_REASONS: dict[type[Exception], str] = {
    error.ConnectionRefusedError: "connection refused",
    error.TimeoutError: "timed out",
    error.TCPTimedOutError: "timed out",
    error.NoRouteError: "no route to host",
    error.ConnectBindError: "the server's own address cannot be used",
}


@implementer(IDataPort)
class ActivePort:
    """
    One set-up by PORT or EPRT. It connects when the transfer command runs, not before (P-DC-7).

    :param host: the client's address; no name.
    :param bind_host: the address to connect from, that of the control connection (P-DC-13); ``""`` for any.
    :param closed: called with the data connection when it is gone.
    :param source_port: the port to connect from, if that can be; 0 for any.
    :param source: knows which ports the system does not let us have.
    :param tls: the TLS of its session; this end is the server in active mode, too (PROTOCOL P-TD-1).
    """

    def __init__(
        self,
        reactor: Any,
        host: str,
        port: int,
        bind_host: str,
        deadlines: Deadlines,
        closed: Callable[[DataConnection], object] | None = None,
        source_port: int = 0,
        source: SourcePort | None = None,
        tls: SessionTLS | None = None,
    ) -> None:
        self.host, self.port = host, port
        self._tls = tls
        self._source = source or SourcePort()
        self._source_port = self._source.choose(source_port)
        self._timeout = 0.0
        self._reactor, self._bind_host = reactor, bind_host
        self._deadlines, self._closed = deadlines, closed
        self._is_used = False
        self._connector: IConnector | None = None
        self._result: Deferred[DataConnection] | None = None

    @property
    def local_port(self) -> int:
        """The server's port of the connection if it was asked for, else 0."""
        return self._source_port

    def connection(self, timeout: float) -> Deferred[DataConnection]:
        """
        Connect; see :class:`IDataPort`. Cancelling the Deferred stops that.

        :raises DataConnectionFailed: asked twice, or closed; the Deferred fails with CONNECT_FAILED.
        """
        if self._is_used:
            raise DataConnectionFailed(Verdict(Cause.NOT_SET_UP))
        self._is_used = True
        result: Deferred[DataConnection] = Deferred(self._cancelled)
        self._result = result
        self._timeout = timeout
        self._connect()
        return result

    def _connect(self) -> None:
        self._connector = connect(self._reactor, self.host, self.port, _Attempt(self), self._timeout, self._bind_host, self._source_port)

    def close(self) -> None:
        """Stop connecting; see :class:`IDataPort`."""
        self._is_used = True
        self._end(DataConnectionFailed(Verdict(Cause.ABORTED)))

    def refuse(self) -> None:
        """As :meth:`close`: nothing is on its way before it is asked for."""
        self.close()

    def build(self, addr: Any) -> Any:
        """The client has accepted: make the protocol."""
        connection = DataConnection((self.host, self.port), self._deadlines, self._connected, self._closed)
        return connection if self._tls is None or not self._tls.is_private else protected(connection, self._tls)

    def failed(self, reason: Failure) -> None:
        """The attempt has ended without a connection."""
        self._connector = None
        if self._source_port and self._result is not None and self._source.is_unusable(self._source_port, reason.value):
            self._source_port = 0  # it failed at once, so the time for the next attempt is still all there
            self._connect()
            return
        self._end(DataConnectionFailed(Verdict(Cause.CONNECT_FAILED, address=self.host, port=self.port, reason=_in_words(reason.value))))

    def _connected(self, connection: DataConnection) -> None:
        self._connector = None
        result, self._result = self._result, None
        if result is None:
            connection.close()
        else:
            result.callback(connection)

    def _end(self, why: Exception) -> None:
        result, self._result = self._result, None
        self._stop()
        if result is not None:
            result.errback(why)

    def _stop(self) -> None:
        connector, self._connector = self._connector, None
        if connector is not None:
            connector.disconnect()

    def _cancelled(self, _: object) -> None:
        self._result = None
        self._stop()


class _Attempt(ClientFactory):
    """One attempt to connect, for Twisted."""

    noisy = False

    def __init__(self, port: ActivePort) -> None:
        self._port = port

    def buildProtocol(self, addr: Any) -> Any:
        return self._port.build(addr)

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self._port.failed(reason)


def _in_words(why: BaseException | None) -> str:
    """What went wrong, for people: no class names, no numbers."""
    for kind, words in _REASONS.items():
        if type(why) is kind:
            return words
    number = getattr(why, "osError", None)
    return os.strerror(number).lower() if isinstance(number, int) else "no connection"

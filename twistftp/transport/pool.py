"""
The passive pool: gives clients their leases, lets them wait for one, and counts.

Not here: opening and choosing ports (``ports``), a lease's own course (``leases``), what arrives at a port
(``passive``), and the address that the client is told (``policy.firewall``).

Opening a port for every PASV costs more than sending a small file. So a port stays open after its lease, and is
shared: a lease is one client address on one port, and a connection that fits none is dropped (DESIGN §3).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from twistftp.policy.channels import PortRange
from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.policy.matching import EXACT, PeerMatch
from twistftp.policy.proxying import NOBODY, Proxies
from twistftp.policy.ration import Ration
from twistftp.transport.data_tls import Arrival, protected
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.dtp import DataConnection
from twistftp.transport.interfaces import DataConnectionFailed
from twistftp.transport.leases import Lease
from twistftp.transport.passive import PassiveListener, shares_port
from twistftp.transport.ports import OpenPorts, PoolCounters
from twistftp.transport.sockets import DataPort, listen
from twistftp.transport.tls_session import Neighbours, SessionTLS
from twistftp.wire.addresses import fold_address

if TYPE_CHECKING:
    from twistftp.transport.herald import Herald

__all__ = ["PassivePool", "PoolCounters"]

IDLE = 10.0
"""Seconds without any lease after which the open ports are closed."""


class _Waiter:
    """A client that waits for one of its leases to end."""

    __slots__ = ("_pool", "client", "interface", "match", "proxies", "result", "tls", "until")

    def __init__(
        self, pool: PassivePool, interface: str, client: str, match: PeerMatch, proxies: Proxies, tls: SessionTLS | None, until: float
    ) -> None:
        self._pool, self.interface, self.client, self.match, self.proxies, self.tls = pool, interface, client, match, proxies, tls
        self.until = until
        self.result: Deferred[Lease] = Deferred(lambda _: pool.drop(self))

    def expire(self, now: float) -> float | None:
        """Refuse when it has waited long enough."""
        if now < self.until:
            return self.until
        self._pool.refuse(self)
        return None


class PassivePool:
    """
    The passive ports of a process, shared by all its sites and clients.

    :param ports: the range; may be set again at any time, then open ports outside it end with their last lease.
    :param warm: the number of ports kept open while there are leases. Below it each lease opens another.
    :param wait: seconds that a client with leases on all ports waits for one of them to end; the deadlines add up to half a second.
    :param reserved: port numbers never used, those of the control connections.
    :param range_text: how failure texts name the ports of the dynamic range ``0-0``.
    :param unused_timeout: seconds for which an unused lease holds its port (P-DC-12).
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        ports: PortRange,
        deadlines: Deadlines,
        warm: int = 64,
        wait: float = 1.9,
        reserved: Collection[int] = (),
        range_text: str = "",
        unused_timeout: float = 60.0,
        listen: Callable[..., Any] = listen,
    ) -> None:
        self.counters = PoolCounters()
        self.active_leases = 0
        self.neighbours = Neighbours()
        self.deadlines = deadlines
        self._wait, self._unused_timeout = wait, unused_timeout
        self._dynamic_text = range_text
        self._open = OpenPorts(reactor, self, ports, deadlines.seconds, warm, reserved, self.counters, listen)
        self._waiters: dict[tuple[str, str], deque[_Waiter]] = {}
        self._connections: set[DataConnection | Herald] = set()
        self._arrivals: set[Arrival] = set()
        self._idle_at = 0.0
        self._is_watched = False  # whether the deadlines will ask
        self._is_looking = False
        self._ration = Ration(1, seconds=1.0)  # lines about strangers
        self._emptied: Deferred[None] | None = None
        self.ports = ports

    @property
    def ports(self) -> PortRange:
        """The range."""
        return self._open.ports

    @ports.setter
    def ports(self, ports: PortRange) -> None:
        self._open.ports = self.whole = ports
        self._range_text = (self._dynamic_text if ports.is_dynamic else "") or str(ports)

    def share(self, part: PortRange, whole: PortRange) -> None:
        """Use ``part`` of a range of several processes; clients and administrators are told of the ``whole``."""
        self.ports = part
        self.whole, self._range_text = whole, self._range_text if whole.is_dynamic else str(whole)

    @property
    def reserved(self) -> Collection[int]:
        """The ports never used; may be set when the control ports are known."""
        return self._open.reserved

    @reserved.setter
    def reserved(self, ports: Collection[int]) -> None:
        self._open.reserved = ports

    @property
    def open_ports(self) -> int:
        """The number of listening sockets."""
        return len(self._open)

    @property
    def open_connections(self) -> int:
        """The number of data connections not gone yet: early ones, those that send, and those that wait for the client's FIN."""
        return len(self._connections)

    def lease(
        self, interface: str, client: str, match: PeerMatch = EXACT, proxies: Proxies = NOBODY, tls: SessionTLS | None = None
    ) -> Lease | Deferred[Lease]:
        """
        Give a client a port. It is open when this returns (P-PB-7).

        :param interface: the address to listen on, that of the control connection.
        :param client: the client's address; the connection must come from there.
        :param match: which other addresses it may come from as well.
        :param proxies: balancers: their connections begin with a PROXY header, and that says which client they are for.
        :param tls: the TLS of its session.
        :return: the lease, or a Deferred of it if leases that its connection could be taken for are on all ports: it waits for one to end.
        :raises DataConnectionFailed: CANNOT_LISTEN; the Deferred fails with POOL_BUSY.
        """
        interface, client = fold_address(interface), fold_address(client)
        key = (interface, client)
        if key not in self._waiters:
            listener = self._open.find(interface, client, match, proxies, shares_port(tls, match, proxies) if tls is not None else None)
            if listener is not None:
                return self._grant(listener, client, match, proxies, tls)
            if not self._open.is_held(interface, client, match, proxies):
                self.counters.refused += 1
                raise DataConnectionFailed(Verdict(Cause.CANNOT_LISTEN))
        self.counters.waits += 1
        waiter = _Waiter(self, interface, client, match, proxies, tls, self.deadlines.seconds() + self._wait)
        self._waiters.setdefault(key, deque()).append(waiter)
        self.deadlines.watch(waiter, waiter.until)
        return waiter.result

    def _grant(self, listener: PassiveListener, client: str, match: PeerMatch, proxies: Proxies, tls: SessionTLS | None) -> Lease:
        listener.refused.pop(client, None)
        if tls is not None:
            tls.port_told()
        lease = Lease(listener, client, self.deadlines, self._unused_timeout, self._range_text, match, proxies, tls)
        self.counters.shared += client in listener.crowds
        listener.add(lease)
        self.active_leases += 1
        self.counters.leased += 1
        return lease

    # What listeners tell

    def connect(self, lease: Lease, peer: tuple[str, int]) -> Any:
        """A lease's client has come: make its data connection, in TLS if that is what its session wants."""
        connection = self.connection(lease, peer)
        return connection if lease.tls is None or not lease.tls.is_private else protected(connection, lease.tls, lease.port)

    def connection(self, lease: Lease, peer: tuple[str, int]) -> DataConnection:
        """The data connection of a lease."""
        connection = DataConnection(peer, self.deadlines, lease.arrived, self._connection_closed)
        self._connections.add(connection)
        self.counters.arrivals.note(self.deadlines.seconds() - lease.granted)
        return connection

    def decide(self, listener: PassiveListener, client: str, peer: tuple[str, int]) -> Any:
        """A connection to a shared port has come: what it resumes will show whose it is."""
        arrival = Arrival(self, listener, client, peer)
        self._arrivals.add(arrival)
        return arrival.transport

    def decided(self, arrival: Arrival, is_known: bool) -> None:
        """It is known whose it is, or will never be."""
        self._arrivals.discard(arrival)
        self.counters.unproven += not is_known

    def look(self, listener: PassiveListener) -> None:
        """
        Take a connection that has come to the port already. It may be another session's, whose own work then goes on from in here, and
        comes to look for a connection, too: but no deeper than this.
        """
        if isinstance(listener.handle, DataPort) and not self._is_looking:
            self._is_looking = True
            try:
                listener.handle.doRead()
            finally:
                self._is_looking = False

    def late(self, listener: PassiveListener, client: str, peer: tuple[str, int]) -> Any:
        """A client connects whose transfer was refused meanwhile: a connection that closes itself with FIN, if it is in time."""
        if self.deadlines.seconds() > listener.refused.pop(client, 0.0):
            return None
        connection = DataConnection(peer, self.deadlines, DataConnection.close, self._connection_closed)
        self._connections.add(connection)
        return connection

    def stranger(self, listener: PassiveListener, address: str) -> None:
        """A connection was dropped that belongs to nobody."""
        self._note_dropped("A connection from {address} to passive port {port} belongs to no client there", listener, address)

    def _note_dropped(self, text: str, listener: PassiveListener, address: str, why: str = "") -> None:
        """Count a connection that was dropped, and say so, though not to every knock of a port scan."""
        self.counters.strangers += 1
        if self._ration.allows(self.deadlines.seconds()):
            text += " ({count} such so far)."
            self._log.info(text, address=address, port=listener.port, why=why, count=self.counters.strangers)

    def herald(self, listener: PassiveListener, via: str, proxies: Proxies) -> Herald:
        """A balancer's connection has come: who it is for turns out with its header. Any number may wait for theirs."""
        from twistftp.transport.herald import Herald  # imported by the site, when it was told of balancers
        turned_away = partial(self._turned_away, listener, via)
        herald = Herald(self.deadlines, via, proxies, listener.introduced, turned_away, is_data=True, gone=self._connection_closed)
        self._connections.add(herald)
        return herald

    def _turned_away(self, listener: PassiveListener, via: str, why: str) -> None:
        self._note_dropped("A connection of the load balancer {address} to passive port {port} was closed: {why}", listener, via, why)
        listener.note_foreign(via)

    def lease_ended(self, listener: PassiveListener, lease: Lease, is_used: bool) -> None:
        """A place on a port is free: for a client that waits, else kept warm for a while."""
        self.active_leases -= 1
        if not is_used:
            self._open.note_left_unused(lease.client, listener.port)
        if self._waiters:
            self._serve_waiter(listener.interface, lease)
        self._open.tidy(listener)
        if not self.active_leases and self._open:
            self._idle_at = self.deadlines.seconds() + IDLE
            if not self._is_watched:
                self._is_watched = True
                self.deadlines.watch(self, self._idle_at)

    # Waiting

    def _serve_waiter(self, interface: str, ended: Lease) -> None:
        """
        Let in those for whom the place that is free now is the right one: of each address, who has waited longest, and those behind
        it that can share the port with it. Nobody overtakes, so that sessions that share do not keep one out that cannot.
        """
        for waiters in list(self._waiters.values()):
            while waiters:
                waiter = waiters[0]
                if waiter.interface != interface:
                    break
                if not waiter.match.overlaps(waiter.client, ended.match, ended.client) and waiter.proxies == ended.proxies:
                    break
                shares = shares_port(waiter.tls, waiter.match, waiter.proxies)
                listener = self._open.find(interface, waiter.client, waiter.match, waiter.proxies, shares)
                if listener is None:
                    break
                self.drop(waiter)
                waiter.result.callback(self._grant(listener, waiter.client, waiter.match, waiter.proxies, waiter.tls))

    def drop(self, waiter: _Waiter) -> None:
        """Take a waiter out of its queue."""
        self.deadlines.forget(waiter)
        key = (waiter.interface, waiter.client)
        waiters = self._waiters[key]
        waiters.remove(waiter)
        if not waiters:
            del self._waiters[key]

    def refuse(self, waiter: _Waiter) -> None:
        """Tell a waiter that it has waited in vain."""
        self.drop(waiter)
        self.counters.refused += 1
        waiter.result.errback(DataConnectionFailed(Verdict(Cause.POOL_BUSY, ports=len(self.ports) or len(self._open))))

    # The end

    def expire(self, now: float) -> float | None:
        """Close the warm ports when nobody has wanted any for a while."""
        if self.active_leases or not self._open:
            self._is_watched = False
            return None
        if now < self._idle_at:
            return self._idle_at
        self.trim()
        return None

    def trim(self) -> None:
        """Close all ports that carry no lease."""
        self.deadlines.forget(self)
        self._is_watched = False
        self._open.trim()

    def close(self) -> Deferred[None]:
        """End everything: waiting, leases, ports and connections. The Deferred fires when the last of them is gone."""
        for waiters in list(self._waiters.values()):
            for waiter in list(waiters):
                self.drop(waiter)
                waiter.result.errback(DataConnectionFailed(Verdict(Cause.CLOSING)))
        for listener in self._open:
            for lease in listener.all_leases():
                lease.close()
        for arrival in list(self._arrivals):
            arrival.give_up()
        self.trim()
        emptied: Deferred[None] = Deferred()
        self._emptied = emptied
        for connection in list(self._connections):
            connection.shut_down()
        self._look_if_emptied()
        return DeferredList([emptied, *self._open.closing()]).addCallback(lambda _: None)

    def _connection_closed(self, connection: DataConnection | Herald) -> None:
        self._connections.discard(connection)
        self._look_if_emptied()

    def _look_if_emptied(self) -> None:
        if self._emptied is not None and not self._connections:
            emptied, self._emptied = self._emptied, None
            emptied.callback(None)

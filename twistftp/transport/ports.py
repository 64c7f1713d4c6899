"""
The open ports of the data channel port range: which to open, to choose, to keep and to close.

Not here: who holds a lease on them and who waits for one (``pool``), and what arrives (``passive``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from errno import EACCES, EADDRINUSE, EPERM
from math import inf
from random import SystemRandom
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from twistftp.policy.channels import PortRange
from twistftp.policy.histogram import Histogram
from twistftp.policy.matching import EXACT, PeerMatch
from twistftp.policy.proxying import NOBODY, Proxies
from twistftp.transport.passive import PassiveListener, PortOwner
from twistftp.transport.sockets import DataPort
from twistftp.transport.tls_session import SessionTLS

__all__ = ["OpenPorts", "PoolCounters"]

RETRY = 30.0
"""Seconds after which a port that could not be bound is tried again."""
REMEMBERED = 300.0
"""Seconds for which a port that a client left unused is not offered to it while there is another: Linux's connection
tracking keeps its expectation that long, and drops a 227 that names the port again."""
ATTEMPTS = 256
"""Ports tried at most at a time, so that a range that is taken whole does not stop the reactor."""
GUESSES = 8
"""Random tries before all candidates are counted out: ranges are wide, and most of a wide one is free."""


@dataclass
class PoolCounters:
    """
    What the passive pool has done so far: ports opened, leases given, waits for one, leases that shared a port with others of
    their address, and what went wrong. ``arrivals`` is the time from a lease to its connection, on a shared port to what tells whose that is.
    """

    opened: int = 0
    leased: int = 0
    waits: int = 0
    shared: int = 0
    refused: int = 0
    strangers: int = 0
    unproven: int = 0
    unbindable: int = 0
    arrivals: Histogram = field(default_factory=Histogram)


class OpenPorts:
    """
    Listening sockets by interface and port.

    :param owner: told of what arrives.
    :param seconds: the clock.
    :param warm: the number of ports to open before any is shared, and to keep open.
    :param reserved: port numbers never used.
    :param listen: ``sockets.listen``.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        owner: PortOwner,
        ports: PortRange,
        seconds: Callable[[], float],
        warm: int,
        reserved: Collection[int],
        counters: PoolCounters,
        listen: Callable[..., Any],
    ) -> None:
        self.reserved = reserved
        self._reactor, self._owner, self._ports, self._seconds = reactor, owner, ports, seconds
        self._warm, self._counters, self._listen = warm, counters, listen
        self._random = SystemRandom()  # it must not be possible to guess the next port (RFC 2577 §8)
        self._open: dict[tuple[str, int], PassiveListener] = {}
        self._by_interface: dict[str, list[PassiveListener]] = {}
        self._retry_at: dict[tuple[str, int], float] = {}
        self._exhausted_until: dict[str, float] = {}
        self._reported: set[tuple[str, int]] = set()
        self._left_unused: dict[tuple[str, int], float] = {}
        self._closing: set[Deferred[Any]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[PassiveListener]:
        return iter(list(self._open.values()))

    @property
    def ports(self) -> PortRange:
        """The range. Set again, it closes the ports outside it: each when its last lease ends."""
        return self._ports

    @ports.setter
    def ports(self, ports: PortRange) -> None:
        if ports == self._ports:
            return
        self._ports = ports
        self._retry_at.clear()
        self._reported.clear()
        self._exhausted_until.clear()
        for listener in self:
            listener.is_stale = listener.port not in ports
            self.tidy(listener)

    # Choosing

    def find(
        self, interface: str, client: str, match: PeerMatch = EXACT, proxies: Proxies = NOBODY, tls: SessionTLS | None = None
    ) -> PassiveListener | None:
        """
        A new port while few are open, else an open one with room for this client, else a new one after all. A port that the client left
        unused comes last: connection tracking that still expects it there drops the 227 that names it again, and the client hangs.

        :param tls: a session that may share: rather than none, one with another lease of this address (see :meth:`PassiveListener.has_room`).
        """
        is_few = len(self._open) < self._warm
        return (
            (self._open_another(interface, client, is_choosy=True) if is_few else None)
            or self._choose(interface, client, match, proxies)
            or (None if is_few and not self._left_unused else self._open_another(interface, client))
            or (self._choose(interface, client, match, proxies, tls) if tls is not None else None)
        )

    def is_held(self, interface: str, client: str, match: PeerMatch = EXACT, proxies: Proxies = NOBODY) -> bool:
        """Whether a lease is in this client's way on any port here, so that waiting may help."""
        return any(not listener.has_room(client, match, proxies) for listener in self._by_interface.get(interface, ()))

    def _choose(self, interface: str, client: str, match: PeerMatch, proxies: Proxies, tls: SessionTLS | None = None) -> PassiveListener | None:
        listeners = self._by_interface.get(interface)
        if not listeners:
            return None
        for _ in range(GUESSES):
            listener = listeners[int(self._random.random() * len(listeners))]
            if not listener.is_stale and listener.has_room(client, match, proxies, tls) and not self._is_left_unused(client, listener.port):
                return listener
        free = [listener for listener in listeners if not listener.is_stale and listener.has_room(client, match, proxies, tls)]
        better = [listener for listener in free if not self._is_left_unused(client, listener.port)]
        return self._random.choice(better or free) if free else None

    def _is_left_unused(self, client: str, port: int) -> bool:
        until = self._left_unused.get((client, port))
        return until is not None and until > self._seconds()

    def note_left_unused(self, client: str, port: int) -> None:
        """A lease has ended without a connection: its client gets another port next time, if there is one."""
        if len(self._left_unused) >= 4096:
            del self._left_unused[next(iter(self._left_unused))]
        self._left_unused[client, port] = self._seconds() + REMEMBERED

    # Opening

    def _open_another(self, interface: str, client: str, is_choosy: bool = False) -> PassiveListener | None:
        """:param is_choosy: rather none than one that the client left unused."""
        if self._ports.is_dynamic:
            # Again when the system gives a reserved one, which others may bind on another address.
            return next((listener for _ in range(GUESSES) if (listener := self._try_to_open(interface, 0)) is not None), None)
        if self._exhausted_until.get(interface, 0) > self._seconds():
            return None
        for attempt, port in enumerate(self._unopened(interface, client)):
            if is_choosy and self._is_left_unused(client, port):
                return None  # and so are all behind it
            listener = self._try_to_open(interface, port)
            if listener is not None:
                return listener
            # Not this port's fault (no such address, no descriptors left): the next would fail as well.
            if attempt >= ATTEMPTS or (interface, port) not in self._retry_at:
                return None
        # All are open or taken by others: until one closes or may be tried again there is nothing to look for.
        self._exhausted_until[interface] = min((at for (where, _), at in self._retry_at.items() if where == interface), default=inf)
        return None

    def _unopened(self, interface: str, client: str) -> Iterator[int]:
        """The ports of the range that may be opened, in random order."""
        low, high = self._ports.low, self._ports.high
        now = self._seconds()

        def may_open(port: int) -> bool:
            key = (interface, port)
            return key not in self._open and port not in self.reserved and self._retry_at.get(key, 0) <= now

        for _ in range(GUESSES):
            port = self._random.randint(low, high)
            if may_open(port) and not self._is_left_unused(client, port):
                yield port
        rest = [port for port in range(low, high + 1) if may_open(port)]
        self._random.shuffle(rest)
        rest.sort(key=lambda port: self._is_left_unused(client, port))
        yield from rest

    def _try_to_open(self, interface: str, port: int) -> PassiveListener | None:
        listener = PassiveListener(self._owner, interface)
        try:
            listener.handle = self._listen(self._reactor, port, listener, interface, 1024, DataPort)
        except CannotListenError as error:
            self._note_unbindable(interface, port, error)
            return None
        listener.port = port or listener.handle.getHost().port
        if port == 0 and (listener.port in self.reserved or (interface, listener.port) in self._open):
            self._stop(listener)
            return None
        self._counters.opened += 1
        self._retry_at.pop((interface, port), None)
        self._open[interface, listener.port] = listener
        self._by_interface.setdefault(interface, []).append(listener)
        return listener

    def _note_unbindable(self, interface: str, port: int, error: CannotListenError) -> None:
        self._counters.unbindable += 1
        key = (interface, port)
        if getattr(error.socketError, "errno", None) in (EADDRINUSE, EACCES, EPERM):
            self._retry_at[key] = self._seconds() + RETRY
        if key not in self._reported:
            self._reported.add(key)
            self._log.warn("Passive port {port} on {interface!r} cannot be opened: {why}", port=port, interface=interface, why=error.socketError)

    # Closing

    def tidy(self, listener: PassiveListener) -> None:
        """Close a port without leases that is outside the range or one too many."""
        if not listener.is_in_use and (listener.is_stale or len(self._open) > self._warm):
            self._close(listener)

    def trim(self) -> None:
        """Close all ports without leases."""
        for listener in self:
            if not listener.is_in_use:
                self._close(listener)

    def closing(self) -> list[Deferred[Any]]:
        """What is still to fire until closed ports are closed; nothing with transports of ours."""
        return list(self._closing)

    def _close(self, listener: PassiveListener) -> None:
        if self._open.get((listener.interface, listener.port)) is not listener:
            return
        del self._open[listener.interface, listener.port]
        listeners = self._by_interface[listener.interface]
        listeners.remove(listener)
        if not listeners:
            del self._by_interface[listener.interface]
        self._exhausted_until.pop(listener.interface, None)
        self._stop(listener)

    def _stop(self, listener: PassiveListener) -> None:
        stopped = listener.handle.stopListening()
        if isinstance(stopped, Deferred) and not stopped.called:
            self._closing.add(stopped)
            stopped.addBoth(lambda _: self._closing.discard(stopped))

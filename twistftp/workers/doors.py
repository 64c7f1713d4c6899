"""
The control ports of a server with workers: opened and held by the supervisor, handed to each worker.

Not here: the sockets' classes (``transport.shared``), and who hands what to whom when (``supervisor``, ``worker``).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.protocols.haproxy import proxyEndpoint
from zope.interface import implementer

from twistftp.transport.shared import Gate, HeldPort, HeldTCPPort, HeldUNIXPort, share

__all__ = ["Doors", "Hall", "Handed"]


class _CannotBeShared(AttributeError):
    """An endpoint wants of its reactor what a port for several processes cannot be made with."""


class Doors:
    """
    Stands for the reactor where ports are opened (``binding.open_ports``): they are held, and nobody accepts.

    :param close: called with a port that is to be closed, before; fires when no worker uses it any more. Only where the system
        does not let one process end a socket for all is that waited for: a worker may be busy, or stopped.
    """

    def __init__(self, reactor: Any, backlog: int, close: Callable[[Door], Deferred[Any]]) -> None:
        self._reactor, self._backlog, self._close = reactor, backlog, close
        self._number = 0
        self._open: dict[int, Door] = {}

    def __iter__(self) -> Iterator[Door]:
        """All whose sockets are open, those that are being closed, too."""
        return iter(self._open.values())

    def __getattr__(self, name: str) -> Any:
        kinds = "plain tcp, tcp6, unix and systemd endpoints can, also behind haproxy:"
        raise _CannotBeShared(f"several workers cannot share an endpoint of this kind; {kinds}")

    def listen(self, port: int, site: Any, address: str) -> Door:
        """As ``binding.Listen``."""
        held = HeldPort(port, site, self._backlog, address, self._reactor)
        held.startListening()
        return self._door(held, is_own=True)

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Door:
        """For an endpoint."""
        _demand_known(factory)
        held = HeldPort(port, factory, backlog, interface, self._reactor)
        held.startListening()
        return self._door(held)

    def listenUNIX(self, address: str, factory: Any, backlog: int = 50, mode: int = 0o666, wantPID: int = 0) -> Door:
        """For an endpoint."""
        _demand_known(factory)
        held = HeldUNIXPort(address, factory, backlog, mode, self._reactor, wantPID)  # type: ignore[arg-type]
        held.startListening()
        return self._door(held)

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: Any) -> Door:
        """For an endpoint whose socket was there before."""
        _demand_known(factory)
        if addressFamily == socket.AF_UNIX:
            held: Any = HeldUNIXPort._fromListeningDescriptor(self._reactor, fileDescriptor, factory)
        else:
            held = HeldTCPPort._fromListeningDescriptor(self._reactor, fileDescriptor, addressFamily, factory)
        held.startListening()
        held.socket.setblocking(False)  # Python's object believes that it blocks, and has each of its duplicates do so, and with them all
        return self._door(held)

    def _door(self, held: Any, is_own: bool = False) -> Door:
        self._number += 1
        is_proxied = hasattr(held.factory, "wrappedFactory")
        door = self._open[self._number] = Door(self._number, held, is_own, is_proxied, self._stop)
        return door

    def _stop(self, door: Door) -> Deferred[Any]:
        told = self._close(door)
        waited = succeed(None) if door.held.end_for_all() else told
        return waited.addBoth(lambda _: door.held.stopListening()).addBoth(lambda _: self._open.pop(door.number))


def _demand_known(factory: Any) -> None:
    """:raises _CannotBeShared: a wrapper of the site that workers could not make for theirs."""
    if hasattr(factory, "wrappedFactory") and not type(factory).__module__.startswith("twisted.protocols.haproxy"):
        raise _CannotBeShared("several workers cannot share an endpoint that wraps its connections, except haproxy:")


@define(eq=False)
class Door:
    """A port that the supervisor holds; to the service of a site it looks like any other."""

    number: int
    held: Any
    is_own: bool
    is_proxied: bool
    _stop: Callable[[Door], Deferred[Any]]
    _stopped: Deferred[Any] | None = field(default=None, init=False)

    @property
    def socket(self) -> socket.socket:
        """The listening socket."""
        return self.held.socket  # type: ignore[no-any-return]

    @property
    def kind(self) -> tuple[int, bool, bool]:
        """What a worker must know of it beside the socket."""
        return self.number, self.is_own, self.is_proxied

    def getHost(self) -> Any:
        """Where it listens."""
        return self.held.getHost()

    def stopListening(self) -> Deferred[Any]:
        """Close it everywhere; fires when the port is free."""
        if self._stopped is None:
            self._stopped = self._stop(self)
        return self._stopped


@define
class Handed:
    """A listening socket that a worker was given."""

    number: int
    is_own: bool
    is_proxied: bool
    listening: socket.socket


class Hall:
    """
    The ports of one worker, by their numbers: what it was given and has not opened yet, and what it accepts from.

    :param gate: which connections are its own.
    """

    def __init__(self, reactor: Any, gate: Gate) -> None:
        self._reactor, self._gate = reactor, gate
        self._given: dict[int, Handed] = {}
        self._open: dict[int, Any] = {}

    def give(self, handed: Handed) -> None:
        """One more port."""
        self._given[handed.number] = handed

    def open(self, numbers: Iterable[int], factory: Any) -> list[Any]:
        """Accept for a site from those of its ports that are here and not open yet."""
        return [self._accept(self._given.pop(number), factory) for number in numbers if number in self._given]

    def _accept(self, handed: Handed, factory: Any) -> Any:
        endpoint: Any = _Given(self._reactor, handed, self._gate)
        opened: list[Any] = []
        (proxyEndpoint(endpoint) if handed.is_proxied else endpoint).listen(factory).addCallback(opened.append)
        self._open[handed.number] = opened[0]
        return opened[0]

    def close(self, number: int) -> None:
        """The supervisor gives a port up."""
        if (port := self._open.pop(number, None)) is not None:
            port.stopListening()
        if (handed := self._given.pop(number, None)) is not None:
            handed.listening.close()

    def pause(self) -> None:
        """Take no connection: other workers do."""
        for port in self._open.values():
            port.pause()

    def resume(self) -> None:
        """Take connections again: there is nobody else left to tell their clients anything."""
        for port in self._open.values():
            port.resume()


@implementer(IStreamServerEndpoint)
class _Given:
    """An endpoint that is open already."""

    def __init__(self, reactor: Any, handed: Handed, gate: Gate) -> None:
        self._reactor, self._handed, self._gate = reactor, handed, gate

    def listen(self, factory: Any) -> Deferred[Any]:
        """Accept."""
        return succeed(share(self._reactor, self._handed.listening, factory, self._handed.is_own, self._gate))

"""
One open passive port: whose connection is it that arrives there?

Not here: which ports are open and who gets which (``pool``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.interfaces import IProtocolFactory
from zope.interface import implementer

from twistftp.policy.matching import PeerMatch
from twistftp.wire.addresses import fold_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twistftp.transport.leases import Lease
    from twistftp.transport.tls_session import SessionTLS

__all__ = ["PassiveListener", "PortOwner", "shares_port"]

_UNDECIDED = 8  # connections that may be more than leases on a shared port while it does not show whose they are


def shares_port(tls: SessionTLS | None, match: PeerMatch) -> bool:
    """Whether a lease may stand beside others of its address: its connection can be told from theirs by the TLS session that it resumes."""
    return tls is not None and tls.is_private and tls.may_share and match.is_exact


class PortOwner(Protocol):
    """What a listener and its leases ask of the pool."""

    def lease_ended(self, listener: PassiveListener, lease: Lease, is_used: bool) -> None:
        """A lease no longer holds its place on the port; ``is_used``: its connection has come."""

    def connect(self, lease: Lease, peer: tuple[str, int]) -> Any:
        """Make the protocol for the data connection of a lease."""

    def decide(self, listener: PassiveListener, client: str, peer: tuple[str, int]) -> Any:
        """Make the protocol for a connection to a shared port, which finds out whose it is."""

    def look(self, listener: PassiveListener) -> None:
        """Take a connection that has come to the port already, without waiting for the reactor to say so."""

    def late(self, listener: PassiveListener, client: str, peer: tuple[str, int]) -> Any:
        """A connection of a client that has no lease any more: one to close in order, if its transfer was refused just now."""

    def stranger(self, listener: PassiveListener, address: str) -> None:
        """A connection came that no lease admits."""


@implementer(IProtocolFactory)
class PassiveListener:
    """
    A listening port and the leases on it, by client address or network (:attr:`Lease.key`).

    A lease proves itself by (port, client address) or (port, client network); so one port serves any number of these, each
    once at a time. Two leases that one address could fit are on the same port only in a ``crowd``, told apart by the TLS sessions
    that their connections resume: nothing is handed out on a guess.
    """

    __slots__ = ("_owner", "_wide", "crowds", "handle", "interface", "is_stale", "leases", "port", "refused", "undecided")

    def __init__(self, owner: PortOwner, interface: str) -> None:
        self._owner = owner
        self.interface = interface
        self.port = 0
        self.handle: Any = None  # the IListeningPort
        self.leases: dict[str, Lease] = {}
        self.crowds: dict[str, list[Lease]] = {}  # leases of one address that are told apart by TLS
        self.undecided: dict[str, int] = {}  # connections of an address that may be of any of these
        self._wide = 0  # how many of them admit more than one address
        self.refused: dict[str, float] = {}  # clients whose connection may be on its way to a transfer that was refused, and until when
        self.is_stale = False  # outside the range by now: it ends with its last lease

    def has_room(self, client: str, match: PeerMatch, shares: bool = False) -> bool:
        """Whether a lease of ``client`` under this rule would be told apart from all others here; one that ``shares``, even in a crowd."""
        if match.is_exact and not self._wide:
            return client not in self.leases and (shares or client not in self.crowds)
        return not any(match.overlaps(client, lease.match, lease.client) for lease in self.all_leases())

    def all_leases(self) -> Iterator[Lease]:
        """Those that stand alone and those in crowds."""
        yield from list(self.leases.values())
        for crowd in list(self.crowds.values()):
            yield from list(crowd)

    @property
    def is_in_use(self) -> bool:
        """Whether there is any lease on the port."""
        return bool(self.leases or self.crowds)

    def has_undecided(self, client: str) -> bool:
        """Whether a connection of this address has come that may be of any lease in its crowd."""
        return client in self.undecided

    def add(self, lease: Lease) -> None:
        """Put a lease on the port, which has room for it."""
        if lease.shares:
            self.crowds.setdefault(lease.client, []).append(lease)
            return
        self.leases[lease.key] = lease
        self._wide += not lease.match.is_exact

    def buildProtocol(self, addr: Any) -> Any:
        """Give an arriving connection to the lease of its address; ``None`` drops it (P-DC-4, P-DC-10)."""
        client = fold_address(addr.host)
        lease = self.leases.get(client)
        if lease is None and self._wide:
            lease = next((one for one in self.leases.values() if one.match.admits(one.client, client)), None)
        if lease is None:
            crowd = self.crowds.get(client) if self.crowds else None
            if crowd and self.undecided.get(client, 0) < len(crowd) + _UNDECIDED:
                return self._owner.decide(self, client, (client, addr.port))
            if client in self.refused and (late := self._owner.late(self, client, (client, addr.port))) is not None:
                return late
            self._owner.stranger(self, client)
            if len(self.leases) == 1:
                # Most likely its client, come by another way. Only a hint: it is for the text of a later timeout.
                next(iter(self.leases.values())).foreign = client
            return None
        self.release(lease, is_used=True)  # one connection a lease; the place on the port is free again
        return self._owner.connect(lease, (client, addr.port))

    def look(self) -> None:
        """See whether somebody has connected already."""
        self._owner.look(self)

    def release(self, lease: Lease, is_used: bool = False) -> None:
        """Take a lease off the port; one that is not there is no error."""
        crowd = self.crowds.get(lease.client, ()) if lease.shares else ()
        if lease in crowd:
            crowd.remove(lease)  # type: ignore[union-attr]
            if not crowd:
                del self.crowds[lease.client]
        elif self.leases.get(lease.key) is lease:
            del self.leases[lease.key]
            self._wide -= not lease.match.is_exact
        else:
            return
        self._owner.lease_ended(self, lease, is_used)

    def doStart(self) -> None:
        """The port opens (IProtocolFactory)."""

    def doStop(self) -> None:
        """The port closes (IProtocolFactory)."""

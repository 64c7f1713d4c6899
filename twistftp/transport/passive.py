"""
One open passive port: whose connection is it that arrives there?

Not here: which ports are open and who gets which (``pool``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.interfaces import IProtocol, IProtocolFactory
from zope.interface import implementer

from twistftp.policy.matching import PeerMatch
from twistftp.policy.proxying import NOBODY, Proxies
from twistftp.wire.addresses import fold_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twistftp.transport.herald import Introduction
    from twistftp.transport.leases import Lease
    from twistftp.transport.tls_session import SessionTLS

__all__ = ["PassiveListener", "PortOwner", "shares_port"]

_UNDECIDED = 8  # connections that may be more than leases on a shared port while it does not show whose they are
RULES = 64
"""Rules for balancers that a port remembers, beside those of present leases: on Twisted's ``haproxy:`` endpoint each peer is one."""


def shares_port(tls: SessionTLS | None, match: PeerMatch, proxies: Proxies) -> SessionTLS | None:
    """The session, if its lease may stand beside others of its address: its connection is told from theirs by the TLS session that it resumes."""
    return tls if tls is not None and tls.is_private and tls.may_share and match.is_exact and not proxies else None


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

    def herald(self, listener: PassiveListener, via: str, proxies: Proxies) -> IProtocol:
        """A balancer's connection came: wait for its header, then ask :meth:`PassiveListener.introduced`."""


@implementer(IProtocolFactory)
class PassiveListener:
    """
    A listening port and the leases on it, by client address or network (:attr:`Lease.key`).

    A lease proves itself by (port, client address) or (port, client network); so one port serves any number of these, each
    once at a time. Two leases that one address could fit are on the same port only in a ``crowd``, told apart by the TLS sessions
    that their connections resume: nothing is handed out on a guess.
    Behind a load balancer the client's address is the one that a PROXY header says, which a lease believes of its own site's balancers alone.
    """

    __slots__ = ("_owner", "_suspects", "_wide", "crowds", "handle", "interface", "is_stale", "leases", "port", "refused", "rules", "undecided")

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
        self.rules: dict[Proxies, int] = {}  # whose headers the leases here believe, and how many do; 0: those of some time ago did
        self._suspects: dict[str, set[Proxies]] = {}  # leases whose client may be a balancer by other rules than its own: hardly ever any
        self.is_stale = False  # outside the range by now: it ends with its last lease

    def has_room(self, client: str, match: PeerMatch, proxies: Proxies = NOBODY, tls: SessionTLS | None = None) -> bool:
        """
        Whether a lease of ``client`` under these rules would be told apart from all others here; with ``tls``, which may share, even in a crowd.
        """
        if (self.rules or proxies is not NOBODY) and self._would_mix_up(match.network(client), proxies):
            return False
        if match.is_exact and not self._wide:
            return client not in self.leases and (client not in self.crowds or (tls is not None and self._can_join(client, tls)))
        return not any(match.overlaps(client, lease.match, lease.client) for lease in self.all_leases())

    def _can_join(self, client: str, tls: SessionTLS) -> bool:
        return all(lease.tls is not None and tls.may_share_with(lease.tls) for lease in self.crowds[client])

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

    def _would_mix_up(self, network: str, proxies: Proxies) -> bool:
        """
        Whether a connection could come of which it is not clear if it begins with a header: one site's balancer is another site's
        client. All leases of one site are of one mind, so this is rare.
        """
        if any(proxies.may_speak_from(client) for client in self.crowds):
            return True
        if proxies and proxies not in self.rules:
            self._learn(proxies)
        if any(count and rule != proxies and rule.may_speak_from(network) for rule, count in self.rules.items()):
            return True
        return any(proxies in rules for rules in self._suspects.values())

    def _learn(self, proxies: Proxies) -> None:
        """The first lease of a site here: which of the others may be its balancers. There are as many rules as sites, so this is once."""
        if len(self.rules) >= RULES:
            self.rules = {rule: count for rule, count in self.rules.items() if count}
        self.rules[proxies] = 0
        for lease in self.leases.values():
            self._suspect(lease, proxies)

    def _suspect(self, lease: Lease, proxies: Proxies) -> None:
        if lease.proxies != proxies and proxies.may_speak_from(lease.key):
            self._suspects.setdefault(lease.key, set()).add(proxies)

    def add(self, lease: Lease) -> None:
        """Put a lease on the port, which has room for it."""
        if lease.shares:
            self.crowds.setdefault(lease.client, []).append(lease)
            return
        if self.rules or lease.proxies is not NOBODY:
            if lease.proxies:
                if lease.proxies not in self.rules:
                    self._learn(lease.proxies)
                self.rules[lease.proxies] += 1
            for rule in self.rules:
                self._suspect(lease, rule)
        self.leases[lease.key] = lease
        self._wide += not lease.match.is_exact

    def buildProtocol(self, addr: Any) -> IProtocol | None:
        """Give an arriving connection to the lease of its address; ``None`` drops it (P-DC-4, P-DC-10)."""
        client = fold_address(addr.host)
        if self.rules and (proxies := self._awaits_header(client)):
            return self._owner.herald(self, client, proxies)
        lease = self.leases.get(client)
        return self._give(lease if lease is not None else self._lease_of(client), client, addr.port)

    def _awaits_header(self, address: str) -> Proxies | None:
        """The rule by which a connection from this address has to begin with a header."""
        rules = [rule for rule in self.rules if address in rule]
        if not any(self.rules[rule] for rule in rules) and self._lease_of(address) is not None:
            return None  # no lease believes it any more, and one knows it as a client
        return rules[0] if rules else None

    def introduced(self, introduction: Introduction) -> IProtocol | None:
        """A header has come: :meth:`buildProtocol` for the client that it names."""
        client = introduction.peer
        lease = self._lease_of(client)
        if lease is not None and introduction.via not in lease.proxies:
            lease = None  # of another site, which does not believe this balancer
        if lease is None and introduction.is_own:
            return None  # a balancer that looks if the port is open is nobody to write about
        return self._give(lease, client, introduction.port)

    def _lease_of(self, client: str) -> Lease | None:
        lease = self.leases.get(client)
        if lease is None and self._wide:
            lease = next((one for one in self.leases.values() if one.match.admits(one.client, client)), None)
        return lease

    def _give(self, lease: Lease | None, client: str, port: int) -> Any:
        if lease is None:
            crowd = self.crowds.get(client) if self.crowds else None
            if crowd and self.undecided.get(client, 0) < len(crowd) + _UNDECIDED:
                return self._owner.decide(self, client, (client, port))
            if client in self.refused and (late := self._owner.late(self, client, (client, port))) is not None:
                return late
            self._owner.stranger(self, client)
            self.note_foreign(client)
            return None
        self.release(lease, is_used=True)  # one connection a lease; the place on the port is free again
        return self._owner.connect(lease, (client, port))

    def note_refused(self, client: str, now: float, until: float) -> None:
        """A client's transfer was refused; its connection may still come until then. Those that can come no more are forgotten."""
        refused = self.refused
        refused.pop(client, None)
        refused[client] = until  # behind all that end before
        while refused[oldest := next(iter(refused))] < now:
            del refused[oldest]

    def note_foreign(self, address: str) -> None:
        """Somebody was dropped: most likely the only client here, come by another way. Only a hint, for the text of a later timeout."""
        if len(self.leases) == 1:
            next(iter(self.leases.values())).foreign = address

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
            if lease.proxies is not NOBODY and lease.proxies:
                self.rules[lease.proxies] -= 1
            self._suspects.pop(lease.key, None)
        else:
            return
        self._owner.lease_ended(self, lease, is_used)

    def doStart(self) -> None:
        """The port opens (IProtocolFactory)."""

    def doStop(self) -> None:
        """The port closes (IProtocolFactory)."""

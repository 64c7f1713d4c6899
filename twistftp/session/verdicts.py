"""
The book of failed data connections: how many of each cause, from which client networks, and what they have in common.

Not here: the causes and their texts (``policy.diagnosis``), finding them out (``transport``), and files or formats of metrics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import evolve

from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.policy.firewall import client_network, lacks_external_address

if TYPE_CHECKING:
    from twistftp.session.session import Session

__all__ = ["NETWORKS", "SUSPICIOUS", "Verdicts", "failed", "given_up"]

NETWORKS = 1000
"""Client networks that are remembered; then the oldest go."""
SUSPICIOUS = 3
"""Connections that must miss one after the other before a stateful filter is suspected."""

_TO_A_PORT = frozenset({Cause.NEVER_ARRIVED, Cause.FOREIGN_PEER, Cause.FILTER_SUSPECTED})
_OTHER = {"PASV": "EPSV", "EPSV": "PASV"}


class _Path:
    """How passive connections of one client network fare, by the verb that set them up."""

    __slots__ = ("arrived", "in_clear", "missed", "missed_in_tls")

    def __init__(self) -> None:
        self.in_clear = False  # one of a session without TLS has come
        self.missed_in_tls = 0  # this many of sessions with TLS have missed since one of those came
        self.arrived: set[str] = set()  # these have come since they last missed
        self.missed = dict.fromkeys(_OTHER, 0)  # this many have missed since one came

    @property
    def is_blind(self) -> bool:
        """Whether those of sessions with TLS never come while those without do: a filter cannot read their PASV."""
        return self.in_clear and self.missed_in_tls >= SUSPICIOUS

    def is_filtered(self, by: str) -> bool:
        """Whether those of one verb never come while those of the other do."""
        return self.missed[by] >= SUSPICIOUS and _OTHER[by] in self.arrived


class Verdicts:
    """The counters of one site. Memory is bounded, however many clients come."""

    def __init__(self, networks: int = NETWORKS) -> None:
        self._limit = networks
        self._counts: Counter[Cause] = Counter()
        self._networks: dict[str, Counter[Cause]] = {}  # the one that failed longest ago is first
        self._paths: dict[str, _Path] = {}  # the one that was made first is first

    def note(self, verdict: Verdict, peer: str, by: str = "", *, is_secure: bool = False) -> Verdict:
        """
        Count a failed data connection.

        :param peer: the client's address.
        :param by: ``PASV`` or ``EPSV`` if that set it up.
        :param is_secure: whether its control connection is encrypted.
        :return: the verdict, or a better one in the light of what happened to others of this network.
        """
        network = client_network(peer)
        if verdict.cause is Cause.NEVER_ARRIVED and by in _OTHER:
            path = self._path(network)
            path.missed[by] += 1
            path.arrived.discard(by)
            path.missed_in_tls += is_secure
            if is_secure and path.is_blind:
                verdict = evolve(verdict, cause=Cause.TLS_FILTER_SUSPECTED)
            elif path.is_filtered(by):
                verdict = evolve(verdict, cause=Cause.FILTER_SUSPECTED, by=by, instead=_OTHER[by])
        self._counts[verdict.cause] += 1
        counts = self._networks.pop(network, None)
        if counts is None:
            counts = Counter()
            _make_room(self._networks, self._limit)
        self._networks[network] = counts
        counts[verdict.cause] += 1
        return verdict

    def arrived(self, peer: str, by: str, *, is_secure: bool = False) -> None:
        """A passive connection has come, as it should."""
        if by in _OTHER:
            path = self._path(client_network(peer))
            path.arrived.add(by)
            path.missed[by] = 0
            if is_secure:
                path.missed_in_tls = 0
            else:
                path.in_clear = True

    def counts(self) -> Mapping[Cause, int]:
        """How many data connections failed, for each cause there ever was."""
        return dict(self._counts)

    def networks(self) -> Mapping[str, Mapping[Cause, int]]:
        """The same for each client network that is remembered, the latest last."""
        return {network: dict(counts) for network, counts in self._networks.items()}

    def _path(self, network: str) -> _Path:
        path = self._paths.get(network)
        if path is None:
            _make_room(self._paths, self._limit)
            path = self._paths[network] = _Path()
        return path


def _make_room(table: dict[str, Any], limit: int) -> None:
    if len(table) >= limit:
        del table[next(iter(table))]


def failed(session: Session, verdict: Verdict) -> Verdict:
    """A session's data connection has failed: count it and keep it for SITE WHY; the verdict to tell the client."""
    verdict = session.site.verdicts.note(
        _with_what_was_told(session, verdict), session.peer, session.passive_by, is_secure=session.is_secure
    )
    # A transfer command that follows a PASV or PORT that failed has none set up; what went wrong is what was before.
    if verdict.cause is not Cause.NOT_SET_UP or session.verdict is None:
        session.verdict = verdict
    return verdict


def _with_what_was_told(session: Session, verdict: Verdict) -> Verdict:
    """
    The ports that the client was shown, which are those that a firewall before a port-mapping NAT must open; and nobody can come to a 227
    that names a private address to the Internet.
    """
    if verdict.cause not in _TO_A_PORT or session.passive_by not in _OTHER:
        return verdict
    site = session.site
    support = site.settings.firewall_support
    address, port = site.advertising.place(session.local, session.peer, verdict.port, site.pool.whole)
    if port != verdict.port:
        verdict = evolve(verdict, port=port, range=str(support.external_ports))
    if verdict.cause is not Cause.NEVER_ARRIVED or session.passive_by != "PASV" or not lacks_external_address(support, address, session.peer):
        return verdict
    return evolve(verdict, cause=Cause.PRIVATE_ADVERTISED, address=address)


def given_up(session: Session, port: Any) -> None:
    """
    A session gives a data port up without a transfer. Most clients connect before they send the transfer command, so behind a
    closed firewall they never send it: such a port is the only sign of it.
    """
    verdict: Verdict | None = getattr(port, "failure", None)  # leases have one; to be the target of a PORT is no failure
    if verdict is not None:
        session.site.transcript.gave_up(session, failed(session, verdict))

"""
FTPSite: one FTP site, the factory of its sessions and the owner of what they share.

Not here: listening on ports and reading configuration (``service``), the sessions themselves (``session``).
"""

from __future__ import annotations

import itertools
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.protocols.ftp import FTPFactory

from twistftp.accounts.checkers import build_portal, make_checkers
from twistftp.accounts.credentials import PasswordCredentials
from twistftp.accounts.homes import Homes
from twistftp.accounts.users import UsersFiles
from twistftp.policy.channels import DYNAMIC, PortRange
from twistftp.policy.diagnosis import Cause
from twistftp.policy.settings import SiteSettings
from twistftp.session.advertising import Advertising
from twistftp.session.interpreter import ServerPI
from twistftp.session.logon_guard import LogonGuard
from twistftp.session.messages import Messages
from twistftp.session.reception import Reception
from twistftp.session.refusal import Refusal
from twistftp.session.transcript import Transcript
from twistftp.session.verbs.denied import denying, unknown_verbs
from twistftp.session.verbs.table import SITE_VERBS, VERBS
from twistftp.session.verdicts import Verdicts
from twistftp.stock_attributes import StockAttributes
from twistftp.storage.confinement import Confinement
from twistftp.storage.listing_cache import SHARED as LISTINGS
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.deflate import Mill
from twistftp.transport.dns import DNS
from twistftp.transport.pool import PassivePool
from twistftp.transport.resolver import Lookup, Resolver
from twistftp.transport.source import SourcePort
from twistftp.transport.throttle import Throttle
from twistftp.virtual_hosts import VirtualHosts
from twistftp.wire.addresses import fold_address
from twistftp.wire.replies import Reply

if TYPE_CHECKING:
    from twistftp.transport.tls import SiteTLS

__all__ = ["FTPSite", "make_portal", "make_tls", "own_names"]

_SHUTTING_DOWN = Reply.of(421, "The server is shutting down; try again later.", closes=True)


class FTPSite(StockAttributes, FTPFactory):  # type: ignore[misc]  # in Twisted connectionLimit is None, or a number
    """
    One FTP site: give it to any endpoint's or reactor's ``listen``.

    :param settings: the site's settings.
    :param portal: logs users in; any realm works whose avatars provide ``twisted.protocols.ftp.IFTPShell``. ``None``: a portal
        of the site's own, which admits anonymous users (if the settings do) to ``settings.root``, read-only. The default authorization
        rules are for this one's users alone; rules and filters that the settings state hold for all.
    :param passive_ports: the data channel port range, such as ``"21000-21100"`` or ``21000``, when the site has a pool to itself.
    :param pool: a pool of passive ports that several sites share.
    :param reactor: the reactor; ``None`` means the installed one.
    :param source: what is known of the source port of active connections, when several sites share that.
    :param lookup: finds the addresses of external names; ``None`` asks DNS.
    :param tls: certificate and key, if they were read already; ``None`` reads what ``settings.tls`` names.
    :raises ValueError: certificate, key or passive ports cannot be used.
    :raises OSError: certificate, key or the root cannot be read.
    :param numbers: gives each session its number; sites that share it have no two sessions of one number.
    :param census: knows the connections of the same site in other processes, for limits of all together (``workers.census``).
    """

    protocol: type[Protocol] = ServerPI  # type: ignore[assignment]  # not Twisted's own FTP
    noisy = False
    verbs = VERBS
    site_verbs = SITE_VERBS

    def __init__(
        self,
        settings: SiteSettings,
        portal: Portal | None = None,
        *,
        passive_ports: PortRange | str | int = DYNAMIC,
        pool: PassivePool | None = None,
        reactor: Any = None,
        source: SourcePort | None = None,
        lookup: Lookup | None = None,
        tls: SiteTLS | None = None,
        numbers: Iterator[int] | None = None,
        census: Any = None,
    ) -> None:
        super().__init__(portal or make_portal(settings))
        if reactor is None:
            from twisted.internet import reactor
        self.reactor = reactor
        if pool is None:
            ports = passive_ports if isinstance(passive_ports, PortRange) else PortRange.parse(str(passive_ports))
            pool = PassivePool(reactor, ports, Deadlines(reactor))
        self.pool = pool
        self.deadlines = pool.deadlines
        self.source = source or SourcePort()
        self.tls = tls
        self.log = Logger(namespace="twistftp.site")
        self.resolver = Resolver(self.reactor, lookup or DNS(self.reactor))
        self.advertising = Advertising(self.log, lambda: self.settings, self.resolver.addresses)
        self.transcript = Transcript(self.log, settings.logging.commands)
        self.verdicts = Verdicts()
        self.logon_guard = LogonGuard(self)
        self.reception = Reception(self)
        self.hosts = VirtualHosts(self)
        self.throttle = Throttle(reactor, settings.limits)
        self.mill = Mill(lambda work: reactor.callLater(0, work))
        self.sessions: set[ServerPI] = set()
        self._per_address: Counter[str] = Counter()
        self._numbers = numbers or itertools.count(1)
        self._drained: Deferred[None] | None = None
        self._census = census
        self.settings = settings
        self.reconfigure(settings)

    def reconfigure(self, settings: SiteSettings, portal: Portal | None = None, tls: SiteTLS | None = None) -> None:
        """
        New settings, from the next command that needs them; sessions and transfers go on.

        :param portal: logs in those who come from now on; ``None`` keeps the present one.
        :param tls: certificate and key as they are now; ``None`` keeps those there are, or reads what the settings name for the first time.
        """
        self.settings = settings
        if tls is not None or (self.tls is None and settings.tls.is_on):
            self.tls = tls or make_tls(settings)
        if self.tls is not None:
            self.tls.refresh()
        if portal is not None:
            self.portal = portal
        self._proxies = settings.firewall_support.proxies or None
        if self._proxies is not None or settings.listen:  # before a connection needs it: Twisted's endpoints come with it
            from twistftp.transport import herald  # noqa: F401
        self.throttle.change(settings.limits)
        self.resolver.watch(settings.firewall_support.external_names)
        self.transcript.log_commands = settings.logging.commands
        denied = settings.request_filtering.denied_verbs
        verbs, site_verbs = type(self).verbs, type(self).site_verbs
        self.verbs, self.site_verbs = denying(verbs, denied), denying(site_verbs, denied, "SITE ")
        for word in unknown_verbs(denied, verbs, site_verbs):
            self.log.warn("{site}: denied_commands names {word}, which is no verb of this server", site=settings.name, word=word)
        limits, now = settings.limits, self.deadlines.seconds()
        for session in self.sessions:  # shorter times hold for those who are here, too, counted from now
            session.session.obey(settings)
            self.deadlines.watch(session, now + min(limits.control_channel_timeout, limits.unauthenticated_timeout))
        self.messages = Messages(settings)
        self._is_counted = self._census is not None and self._census.changed(self)  # connections in other processes matter

    def startFactory(self) -> None:
        """The first port of this site opens: from now on external names are kept fresh."""
        super().startFactory()
        self.resolver.start()

    def stopFactory(self) -> None:
        """The last one is closed."""
        self.resolver.stop()
        self.logon_guard.stop()
        if self._census is not None:
            self._census.forget(self)
        LISTINGS.clear()  # other sites of the process lose theirs, too, and make them again
        super().stopFactory()

    # -- connections ---------------------------------------------------------------------------------------------------------------------

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """
        A session for a new connection, or a refusal; for one of a load balancer, whoever waits to hear who its client is.

        Unlike ``FTPFactory``'s there is no ``ProtocolWrapper`` around it: the site counts by itself, and a wrapper would
        cost a call for each write.
        """
        peer = fold_address(getattr(addr, "host", ""))
        if self._proxies is not None and peer in self._proxies:
            return self.reception.herald(peer, self._proxies)  # type: ignore[return-value]
        return self.welcome(peer)

    def welcome(self, peer: str) -> Protocol:
        """A session for a client whose address is known, or a refusal."""
        site = self if len(self.hosts.sites) == 1 else self.hosts.default
        refused = site._refusal(peer)
        if refused is not None:
            self.transcript.tally.refused += 1
            return Refusal(None if site.settings.tls.implicit else refused, self.deadlines)
        return site.protocol(site, next(site._numbers), peer)  # type: ignore[call-arg]

    def receive(self, control: ServerPI) -> Reply | None:
        """
        A session comes from another site on the same port, whose host name its client did not mean.

        :return: why not, if there is no room for it here.
        """
        refused = self._refusal(control.peer)
        if refused is None:
            control.site.disconnected(control)
            control.site = control.session.site = self
            self.connected(control)
        return refused

    def was_no_client(self, peer: str) -> None:
        """A connection that was let in is no session: its client comes behind a header of a load balancer's."""
        if self._is_counted:
            self._census.ended(self, peer)

    def _refusal(self, peer: str) -> Reply | None:
        if self._drained is not None:
            return _SHUTTING_DOWN
        if not self._is_counted:
            return self._judged(peer, 0, 0)
        return self._census.judged(self, peer, lambda elsewhere, from_peer: self._judged(peer, elsewhere, from_peer))

    def _judged(self, peer: str, elsewhere: int, from_peer: int) -> Reply | None:
        """Why there is no room for one more from ``peer``, with so many connections in other processes, in all and from there."""
        limits = self.settings.limits
        if limits.max_connections and len(self.sessions) + elsewhere >= limits.max_connections:
            self._turn_away(peer, "max_connections", limits.max_connections)
            return self.messages.max_clients(None)
        if (blocked := self.logon_guard.refusal(peer)) is not None:
            return blocked
        if limits.max_connections_per_address and self._per_address[peer] + from_peer >= limits.max_connections_per_address:
            limit = limits.max_connections_per_address
            self._turn_away(peer, "max_connections_per_address", limit)
            return Reply.of(421, f"Too many connections from your address (limit {limit}); close some or try again later.", closes=True)
        return None

    def _turn_away(self, peer: str, name: str, limit: int) -> None:
        self.transcript.turned_away(self.settings.name, peer, f"{name} = {limit}", self.deadlines.seconds())

    def peers(self) -> list[str]:
        """The addresses that have sessions now."""
        return list(self._per_address)

    def sessions_of(self, peer: str) -> int:
        """How many an address has."""
        return self._per_address[peer]

    def connected(self, session: ServerPI) -> None:
        """A session has begun."""
        self.sessions.add(session)
        self._per_address[session.peer] += 1
        self.transcript.tally.sessions += 1
        for told in self.transcript.on_opened:
            told(session.session)

    def disconnected(self, session: ServerPI) -> None:
        """A session has ended."""
        for told in self.transcript.on_closed:
            told(session.session)
        self.sessions.discard(session)
        self._per_address[session.peer] -= 1
        if not self._per_address[session.peer]:
            del self._per_address[session.peer]
        if self._is_counted:
            self._census.ended(self, session.peer)
        if not self.sessions:
            self.pool.trim()
        self._check_drained()

    # -- shutting down -------------------------------------------------------------------------------------------------------------------

    def drain(self, grace: float) -> Deferred[None]:
        """
        Shut down: new connections get 421, idle sessions 421 and the end, transfers may finish.

        :param grace: seconds after which transfers that still run are ended, with 426 and 421.
        :return: fires when no session is left.
        """
        if self._drained is None:
            self._drained = Deferred()
            for session in list(self.sessions):
                self.command_ended(session)
            if self.sessions:
                ending = self.reactor.callLater(grace, self._end_transfers)
                self._drained.addBoth(lambda result: ending.cancel() if ending.active() else None)
            self._check_drained()
        return self._drained

    @property
    def is_draining(self) -> bool:
        """Whether the site shuts down."""
        return self._drained is not None

    def command_ended(self, session: ServerPI) -> None:
        """A session has nothing under way: while the site shuts down, it ends."""
        if self._drained is not None and not session.is_busy:
            session.close(_SHUTTING_DOWN)

    def _end_transfers(self) -> None:
        for session in list(self.sessions):
            if session.session.transfer is not None:
                session.session.transfer.abort(Cause.CLOSING)
            session.close(_SHUTTING_DOWN)

    def _check_drained(self) -> None:
        if self._drained is not None and not self.sessions and not self._drained.called:
            self._drained.callback(None)

    # -- for the verbs -------------------------------------------------------------------------------------------------------------------

    def credentials(self, name: str, password: bytes) -> PasswordCredentials:
        """What a client gave as USER and PASS, to be put to the portal."""
        return PasswordCredentials(name, password)

    def now(self) -> float:
        """Seconds since 1970, for the dates of listings."""
        return time.time()

    def utc_offset(self, now: float) -> float:
        """Seconds that local time is ahead of UTC."""
        return float(time.localtime(now).tm_gmtoff)


def own_names(settings: SiteSettings) -> list[str]:
    """What clients may call a site, for a certificate that is made for it."""
    support = settings.firewall_support
    return [settings.host_name, support.external_address, socket.gethostname(), settings.address, "localhost", "127.0.0.1", "::1"]


def make_tls(settings: SiteSettings, made: str = "") -> SiteTLS:
    """The certificate of a site, read or ``made`` (see :class:`SiteTLS`), and what goes with it."""
    from twistftp.transport.tls import SiteTLS  # and with it OpenSSL, which is nothing to a site without TLS

    return SiteTLS(settings.tls, own_names(settings), made=made)


def make_portal(settings: SiteSettings, named: Sequence[Any] | None = None) -> Portal:
    """
    Who may log in to a site, and what they see of its root.

    :param named: the checkers of those with a name; ``None`` reads its users file and has its ``strcred`` made.
    """
    if named is None:
        named = [*UsersFiles().checkers(settings.authentication), *make_checkers(settings.authentication.strcred)]
    root = Confinement(settings.root)
    homes = Homes(root, settings.user_isolation, settings.virtual_directory, settings.file_handling.sync_uploads)
    return build_portal(settings.authentication, root, named, homes)

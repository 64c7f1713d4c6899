"""
The ``twistd ftpsite`` service: binds the sites, drains them on SIGTERM, changes them on SIGHUP.

Not here: options and files (``options``, ``configuration``) and anything of FTP (:class:`twistftp.site.FTPSite`).
:func:`makeService` is the only place of the project that names the reactor.
"""

from __future__ import annotations

import itertools
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection
from functools import cache, partial
from typing import Any

from attrs import evolve
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from twistftp.binding import CannotBind, CannotStart, Listen, close_ports, has_same_binding, open_ports, port_numbers, range_text
from twistftp.configuration import ConfigurationError
from twistftp.dynamic import system_range
from twistftp.options import Options
from twistftp.policy.channels import DYNAMIC
from twistftp.policy.settings import ServerSettings, SiteSettings, describe_change, pair_sites
from twistftp.policy.traps import traps
from twistftp.privileges import ServingUser, prepare_for_chroot
from twistftp.site_service import SiteService
from twistftp.storage.listing_cache import SHARED as LISTINGS

__all__ = ["CannotStart", "Options", "Server", "SiteService", "makeService"]

_BACKLOG = 511  # a burst of connections waits in the kernel; it takes the smaller of this and its own limit


def makeService(options: Options) -> Server:
    """Make the service of the parsed ``options``; nothing is opened before ``privilegedStartService``."""
    # Here and no earlier: twistd's --reactor has been obeyed by now, and twisted.protocols.ftp takes what there is.
    from twisted.internet import reactor

    from twistftp.accounts import realm  # noqa: F401 (build_portal wants it; behind a chroot it could not be found any more)
    from twistftp.accounts.checkers import build_portal, make_checkers
    from twistftp.accounts.homes import Homes
    from twistftp.accounts.users import UsersFiles
    from twistftp.accounts.users_file import BadUsersFile
    from twistftp.monitoring import Monitoring
    from twistftp.site import FTPSite, own_names
    from twistftp.storage.confinement import Confinement
    from twistftp.transport import sockets
    from twistftp.transport.deadlines import Deadlines
    from twistftp.transport.dns import DNS
    from twistftp.transport.pool import PassivePool
    from twistftp.transport.source import SourcePort
    from twistftp.transport.tls import SiteTLS

    # SIGHUP leaves checkers alone whose strings are as they were: some hold state, and a chroot hides their plugins.
    checkers = cache(make_checkers)
    # Read before any chroot and as whoever starts the server; SIGHUP leaves those alone whose settings are as they were.
    identities: dict[Any, SiteTLS] = {}

    def make_tls(site: SiteSettings) -> SiteTLS | None:
        if not site.tls.is_on:
            return None
        key = site.tls, tuple(own_names(site)) if site.tls.self_signed else ()
        if key not in identities:
            identities[key] = SiteTLS(site.tls, own_names(site))
        return identities[key]

    above = getattr(options, "parent", None) or {}
    users = UsersFiles(is_sealed=bool(above.get("chroot")))

    def make_portal(site: SiteSettings) -> Any:
        try:
            named = [*users.checkers(site.authentication), *checkers(site.authentication.strcred)]
        except BadUsersFile as error:
            raise ConfigurationError(f"{site.name}: {error}") from None
        root = Confinement(site.root)
        return build_portal(site.authentication, root, named, Homes(root, site.user_isolation, site.virtual_directory))

    user, source, lookup = None, SourcePort(), DNS(reactor)
    if above.get("chroot"):
        prepare_for_chroot()
        lookup.prepare()
        if not above.get("euid"):
            # twistd would look the user up behind the chroot, where nobody is known, so it is not asked to.
            user = options.place().user
            above["uid"], above["gid"] = None, None if user else above.get("gid")
    if options.settings.metrics.endpoint:
        from twistftp import metrics  # noqa: F401 (as the realm)
    if any(site.logging.capture for site in options.settings.sites):
        from twistftp.capsules import control  # noqa: F401 (as the realm)
    for site in options.settings.sites:
        checkers(site.authentication.strcred)
        make_tls(site)
        users.checkers(site.authentication)  # the serving user may not be able to read them
    users.begin()
    ports = options.settings.firewall_support.data_channel_port_range
    # Connections of all sites share the pool, so the most patient site decides when one counts as stalled.
    stall_timeout = max(site.limits.data_stall_timeout for site in options.settings.sites)
    pool = PassivePool(reactor, ports, Deadlines(reactor), stall_timeout, range_text=range_text(DYNAMIC))
    numbers = itertools.count(1)
    in_thread = partial(deferToThreadPool, reactor, reactor.getThreadPool())  # type: ignore[attr-defined, arg-type]
    serving = user or options.place().user
    owner = (serving.uid, serving.gid) if serving else None
    return Server(
        reactor,
        options.settings,
        pool,
        make_portal=make_portal,
        make_site=lambda site: FTPSite(
            site, make_portal(site), pool=pool, reactor=reactor, source=source, lookup=lookup, tls=make_tls(site), numbers=numbers
        ),
        make_tls=make_tls,
        make_monitoring=lambda services: Monitoring(reactor, pool, services, time.time, in_thread, owner),
        listen=lambda port, site, address: sockets.listen(reactor, port, site, address, _BACKLOG),
        reread=options.reread if options["config"] else None,
        user=user,
        foreground=bool(above.get("nodaemon")),
    )


class Server(MultiService):
    """All sites of the process, the passive ports they share, and the signals they obey."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: ServerSettings,
        pool: Any,
        *,
        make_portal: Callable[[SiteSettings], Any],
        make_site: Callable[[SiteSettings], Any],
        make_tls: Callable[[SiteSettings], Any] = lambda site: None,
        listen: Listen,
        reread: Callable[[], ServerSettings] | None = None,
        user: ServingUser | None = None,
        foreground: bool = False,
        make_monitoring: Callable[[Callable[[], Any]], Any] | None = None,
    ) -> None:
        """
        :param make_monitoring: given what tells the services of the sites, makes what watches them (``monitoring.Monitoring``).
        :param user: to be become when the ports are open, if ``twistd`` does not do that.
        :param reread: gives the settings as they are now, for SIGHUP; ``None`` if there is no file to read.
        :param foreground: whether standard error is there to tell why the start failed; else the log is told.
        """
        super().__init__()
        self.reactor, self.settings, self.pool = reactor, settings, pool
        LISTINGS.limit(settings.listing_cache << 20)
        self.make_portal, self.make_site, self._make_tls = make_portal, make_site, make_tls
        self._listen, self._reread, self._user, self._foreground = listen, reread, user, foreground
        self._is_bound = False
        self._handlers: dict[int, Any] = {}
        self._stopped: Deferred[None] | None = None
        self._monitoring = make_monitoring(lambda: self.services) if make_monitoring else None
        for site in settings.sites:
            SiteService(self, site).setServiceParent(self)

    def open_ports(self, settings: SiteSettings, site: Any) -> list[Any]:
        """
        Open the ports of a site.

        Sites with host names may share them: then another site's are used, and nothing is opened.

        :raises CannotBind: one cannot be opened.
        """
        for other in self.services:
            is_other = other.site not in (None, site) and settings.host_name.lower() != other.settings.host_name.lower()
            if is_other and other.ports and has_same_binding(settings, other.settings):
                other.site.hosts.add(site)
                return []
        return open_ports(self.reactor, self._listen, settings, site)

    def heir(self, service: SiteService, hosts: Any) -> SiteService | None:
        """Whoever of those that share a port (``VirtualHosts``) goes on when ``service`` leaves."""
        return next((other for other in self.services if other is not service and other.site in hosts.sites), None)

    def reserve(self) -> None:
        """Keep the control ports out of the passive ports."""
        self.pool.reserved = {number for site in self.services for number in port_numbers(site.ports)}

    def privilegedStartService(self) -> None:
        """
        Bind all sites, or none.

        :raises CannotStart: one cannot; why was told in one line.
        """
        self._is_bound = True
        try:
            super().privilegedStartService()
            if self._monitoring:
                self._monitoring.open(self.settings)
            if self._user:
                self._user.become()
        except (CannotBind, OSError) as error:
            for site in self.services:
                close_ports(site.ports)
            self._stop_monitoring(None)
            if self._foreground and sys.__stderr__ is not None:
                # Twisted's log has taken over sys.stderr by now.
                print(f"twistd ftpsite: {error}", file=sys.__stderr__, flush=True)
            else:
                self.log.critical("{error}", error=error)
            raise CannotStart(str(error)) from None

    def startService(self) -> None:
        """Obey signals from when the reactor runs (it sets its own handlers just before), and start the sites."""
        if not self._is_bound:
            self.privilegedStartService()  # ``twist``, unlike ``twistd``, knows no such start
        self.reactor.callWhenRunning(self._catch_signals)
        super().startService()
        self.reactor.callWhenRunning(self._warn, ())

    def _warn(self, known: Collection[str]) -> None:
        """Say what in the settings asks for trouble, but not what was said of those before."""
        for line in traps(self.settings, system_range()):
            if line not in known:
                self.log.warn("{line}", line=line)

    def stopService(self) -> Deferred[None]:
        """Drain all sites; new connections get 421 meanwhile. A second SIGTERM or Ctrl-C does not wait for it."""
        grace = self.settings.grace
        self.log.info("stopping: new connections are refused, transfers have up to {grace:g} s to finish", grace=grace)
        stopped: Deferred[None] = Deferred()
        self._stopped = stopped
        if self._monitoring:
            self._monitoring.is_draining = True
        super().stopService().addBoth(lambda _: self.pool.close()).addBoth(self._stop_monitoring).addBoth(lambda _: self._hurry())
        stopped.addBoth(lambda _: self._release_signals())
        return stopped

    def _stop_monitoring(self, _: object) -> Any:
        return self._monitoring.close() if self._monitoring else None

    def _hurry(self) -> None:
        if self._stopped and not self._stopped.called:
            self._stopped.callback(None)

    def _catch_signals(self) -> None:
        if self.running and threading.current_thread() is threading.main_thread():
            for name, action in (("SIGTERM", self.terminate), ("SIGINT", self.interrupt), ("SIGHUP", self.reload)):
                if number := getattr(signal, name, None):
                    # A handler runs between any two instructions; the reactor's thread calls the action in a turn of its own.
                    self._handlers[number] = signal.signal(number, lambda *_, action=action: self.reactor.callFromThread(action))

    def _release_signals(self) -> None:
        while self._handlers:
            signal.signal(*self._handlers.popitem())

    def terminate(self) -> None:
        """SIGTERM: drain, then exit with status 0 (Twisted's own handler would have the process die by the signal)."""
        if self._stopped is None:
            self.reactor.stop()
        else:
            self._hurry()

    def interrupt(self) -> None:
        """Ctrl-C: drain as well, then die by the signal, as shells expect."""
        handler = self._handlers.get(signal.SIGINT)
        if self._stopped is None and callable(handler):
            handler(signal.SIGINT, None)
        else:
            self.terminate()

    def reload(self) -> Deferred[None]:
        """SIGHUP: read the file again, and change what has changed without losing a session."""
        return ensureDeferred(self._reload())

    async def _reload(self) -> None:
        if self._monitoring:
            self._monitoring.reopen()
        if self._reread is None or self._stopped:
            self.log.info("SIGHUP: no configuration file, nothing to re-read" if self._reread is None else "SIGHUP: too late, stopping")
            return
        try:
            new = self._reread()
            portals = {site.name: self.make_portal(site) for site in new.sites}
            identities = {site.name: self._make_tls(site) for site in new.sites}
        except (ConfigurationError, OSError, ValueError) as error:
            self.log.error("SIGHUP: {error}; the old settings stay", error=error)
            return
        changes = describe_change(self.settings, new)
        for change in changes or ["nothing has changed"]:
            self.log.info("SIGHUP: {change}", change=change)
        pairs = pair_sites([service.settings for service in self.services], new.sites)
        services = {service.settings.name: service for service in self.services}
        known, self.settings = traps(self.settings, system_range()), new
        self._warn(known)
        self.pool.ports = new.firewall_support.data_channel_port_range
        LISTINGS.limit(new.listing_cache << 20)
        for was, site in pairs:
            if site is None:
                services[was.name].disownServiceParent()  # type: ignore[union-attr]
            elif was is not None:
                await services[was.name].reconfigure(site, portals[site.name], identities[site.name])
            else:
                added = SiteService(self, evolve(site, auto_start=False))
                added.setServiceParent(self)
                await added.reconfigure(site, portals[site.name], identities[site.name])
        if self._monitoring:
            self._monitoring.change(new)

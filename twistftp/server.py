"""
All sites of one process as a service: opens their ports, drains them on SIGTERM, changes them on SIGHUP.

Not here: what a server is made of (``service``), and several processes (``workers``).
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

from attrs import evolve
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredLock, ensureDeferred
from twisted.logger import Logger

from twistftp.binding import CannotBind, CannotStart, Listen, close_ports, has_same_binding, open_ports, port_numbers
from twistftp.configuration import ConfigurationError
from twistftp.dynamic import system_range
from twistftp.policy.settings import ServerSettings, SiteSettings, describe_change, pair_sites
from twistftp.policy.traps import traps
from twistftp.privileges import ServingUser
from twistftp.site_service import SiteService
from twistftp.storage.listing_cache import SHARED as LISTINGS

__all__ = ["Server"]


class Server(MultiService):
    """All sites of the process, the passive ports they share, and the signals they obey."""

    log = Logger()
    site_service = SiteService
    """The class of the sites' services."""

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
        self._order = DeferredLock()
        self._monitoring = make_monitoring(lambda: self.services) if make_monitoring else None
        for site in settings.sites:
            self.site_service(self, site).setServiceParent(self)

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
        return self._open(settings, site)

    def _open(self, settings: SiteSettings, site: Any) -> list[Any]:
        """Ports that are this site's own."""
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
        self._say_stopping()
        stopped: Deferred[None] = Deferred()
        self._stopped = stopped
        if self._monitoring:
            self._monitoring.is_draining = True
        self._drain().addBoth(lambda _: self.pool.close()).addBoth(self._stop_monitoring).addBoth(lambda _: self._hurry())
        stopped.addBoth(lambda _: self._release_signals())
        return stopped

    def _drain(self) -> Deferred[Any]:
        """Stop the sites."""
        return super().stopService()

    def _say_stopping(self) -> None:
        text = "stopping: new connections are refused, transfers have up to {grace:g} s to finish"
        self.log.info(text, grace=self.settings.grace)

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
        """
        SIGHUP: read the file again, and change what has changed without losing a session.

        One after another: a site that is switched off drains first, and what comes meanwhile must neither find it half gone nor be undone.
        """
        return self._order.run(lambda: ensureDeferred(self._reload()))

    async def _reload(self) -> None:
        if self._monitoring:
            self._monitoring.reopen()
        if self._reread is None or self._stopped:
            self.log.info("SIGHUP: no configuration file, nothing to re-read" if self._reread is None else "SIGHUP: too late, stopping")
            return
        try:
            new = self._reread()
            made = self._made(new)
        except (ConfigurationError, OSError, ValueError) as error:
            self.log.error("SIGHUP: {error}; the old settings stay", error=error)
            return
        if new.workers != self.settings.workers:
            text = "SIGHUP: workers: {old} -> {new} takes a restart; until then there are {old}"
            self.log.warn(text, old=self.settings.workers, new=new.workers)
            new = evolve(new, workers=self.settings.workers)
        changes = describe_change(self.settings, new)
        for change in changes or ["nothing has changed"]:
            self.log.info("SIGHUP: {change}", change=change)
        known, self.settings = traps(self.settings, system_range()), new
        self._warn(known)
        await self._change(new, *made)

    def _made(self, new: ServerSettings) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """What the sites of new settings need of files: their portals, and their certificates."""
        return {site.name: self.make_portal(site) for site in new.sites}, {site.name: self._make_tls(site) for site in new.sites}

    async def _change(self, new: ServerSettings, portals: Mapping[str, Any], identities: Mapping[str, Any]) -> None:
        """Go over to new settings."""
        self.settings = new
        pairs = pair_sites([service.settings for service in self.services], new.sites)
        services = {service.settings.name: service for service in self.services}
        self._use_range(new)
        LISTINGS.limit(new.listing_cache << 20)
        for was, site in pairs:
            if site is None:
                services[was.name].disownServiceParent()  # type: ignore[union-attr]
            elif was is not None:
                await services[was.name].reconfigure(site, portals[site.name], identities[site.name])
            else:
                added = self.site_service(self, evolve(site, auto_start=False))
                added.setServiceParent(self)
                await added.reconfigure(site, portals[site.name], identities[site.name])
        if self._monitoring:
            self._monitoring.change(new)

    def _use_range(self, new: ServerSettings) -> None:
        """Take the passive ports of new settings."""
        self.pool.ports = new.firewall_support.data_channel_port_range

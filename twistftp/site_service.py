"""
One site as a Twisted service: its ports open and close, its settings change, and its last transfers may finish.

Not here: the process, its signals and what the sites share (``service``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from attrs import evolve
from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.logger import Logger

from twistftp.binding import CannotBind, close_ports, has_same_binding, range_text, where
from twistftp.policy.rule_text import who_may
from twistftp.policy.settings import ServerSettings, SiteSettings

__all__ = ["Host", "SiteService"]


class Host(Protocol):
    """What a site asks of the process it is in (``service.Server``)."""

    reactor: Any
    settings: ServerSettings
    make_site: Callable[[SiteSettings], Any]

    def open_ports(self, settings: SiteSettings, site: Any) -> list[Any]:
        """Open the ports of a site, all or none; raises CannotBind."""

    def heir(self, service: SiteService, hosts: Any) -> SiteService | None:
        """Whoever of those that share a port (``VirtualHosts``) goes on when ``service`` leaves."""

    def reserve(self) -> None:
        """Keep the control ports out of the passive ports."""


class SiteService(Service):
    """One site: its factory and the ports on which it listens. A site that is not to start by itself has neither."""

    log = Logger()

    def __init__(self, server: Host, settings: SiteSettings) -> None:
        self.server = server
        self.settings = settings
        self.site: Any = None
        self.ports: list[Any] = []

    def privilegedStartService(self) -> None:
        """
        Bind, while the process still may (ports below 1024).

        :raises CannotBind: a port cannot be opened.
        """
        if self.site is None and self.settings.auto_start:
            site = self.server.make_site(self.settings)
            self.ports = self.server.open_ports(self.settings, site)
            # The factory counts its ports and stops with the last one. Counted once more, it lives through a change of ports.
            site.doStart()
            self.site = site
            self.server.reserve()

    def startService(self) -> None:
        """Say in one line what is served, when the reactor runs: whoever reads it can connect and send signals."""
        super().startService()
        self.server.reactor.callWhenRunning(self._announce)

    def _announce(self) -> None:
        if self.site is not None:
            self.log.info("{line}", line=self.start_line())
            if self.site.tls is not None and self.settings.tls.is_on:
                self.log.info("{line}", line=self.tls_line())
                self.site.tls.warn_of_expiry()

    def stopService(self) -> Deferred[None]:
        """Drain: listen on, so that who comes now is told 421, until the last transfer or the grace is over."""
        super().stopService()
        return ensureDeferred(self._drain())

    async def _drain(self) -> None:
        site = self.site
        if site is not None:
            await maybeDeferred(site.drain, self.server.settings.grace)
            await self.close()
            self.site = None
            site.doStop()

    async def close(self) -> None:
        """Stop listening."""
        ports, self.ports = self.ports, []
        hosts = self.site.hosts
        hosts.remove(self.site)
        await self._let_go(ports, hosts)
        self.server.reserve()

    async def _let_go(self, ports: list[Any], hosts: Any) -> None:
        """Close ports, unless other sites use them as well: then they become theirs."""
        heir = self.server.heir(self, hosts)
        if heir is None:
            await close_ports(ports)
        elif ports:
            heir.inherit(ports)

    def inherit(self, ports: list[Any]) -> None:
        """Ports that this site has used as another's are its own from now on."""
        for port in ports:
            if getattr(port, "factory", None) is not None:
                self.site.doStart()  # for the end of the port, which tells its factory
                old, port.factory = port.factory, self.site
                old.doStop()
        self.ports = ports

    def start_line(self) -> str:
        """Who is served what, and where; the ports are those that a firewall must let through."""
        settings, passive = self.settings, self.server.settings.firewall_support.data_channel_port_range
        authentication = settings.authentication
        kinds = ", ".join(authentication.kinds)
        who = [*([("anonymous users", None)] if authentication.anonymous else []), *([(f"named users ({kinds})", "")] if kinds else [])]
        nobody = "nobody may log in, for anonymous access is off and there is neither --users nor --auth"
        access = who_may(settings.authorization, settings.groups, who, authentication.anonymous_names) if who else nobody
        place = where(settings, self.ports)
        return f"{settings.name}: serving {settings.root} on {place}; passive ports {range_text(passive)}; {access}"

    def tls_line(self) -> str:
        """How TLS is used, and by which fingerprint the certificate is known."""
        tls = self.settings.tls
        kind = "a self-signed certificate" if tls.self_signed else f"the certificate {tls.certificate}"
        way = "implicit TLS" if tls.implicit else f"AUTH TLS, control {tls.control_channel}, data {tls.data_channel}"
        return f"{self.settings.name}: FTPS ({way}) with {kind}, SHA-256 fingerprint {self.site.tls.identity.fingerprint}"

    async def reconfigure(self, settings: SiteSettings, portal: Any, tls: Any = None) -> None:
        """Take new settings; sessions and transfers go on. A port that cannot be opened leaves the old ones as they are."""
        old, self.settings = self.settings, settings
        if not (old.auto_start and settings.auto_start):
            if old.auto_start:
                await self._drain()
            elif settings.auto_start:
                self._start_late()
            return
        self.site.reconfigure(settings, portal, tls)
        if has_same_binding(old, settings):
            return
        try:
            await self._rebind(old, settings)
        except CannotBind as error:
            # The old binding is what this site has, so the next SIGHUP sees the difference and tries again.
            self.settings = evolve(settings, address=old.address, port=old.port, listen=old.listen)
            self.log.error("SIGHUP: {error}; it stays on {place}", error=error, place=where(self.settings, self.ports))
        else:
            self._announce()

    def _start_late(self) -> None:
        try:
            self.privilegedStartService()
        except CannotBind as error:
            self.settings = evolve(self.settings, auto_start=False)
            self.log.error("SIGHUP: {error}; this site is not started", error=error)
        else:
            self.startService()

    async def _rebind(self, old: SiteSettings, new: SiteSettings) -> None:
        """
        New ports first, so that there is no moment without. Where that cannot be (one port, all addresses instead of one), the
        old ones go first, and come back if the new ones cannot be had. :raises CannotBind: that is so.
        """
        hosts = self.site.hosts
        try:
            ports, self.ports = self.server.open_ports(new, self.site), self.ports
        except CannotBind:
            if new.port != old.port or new.listen or old.listen:
                raise
            await self.close()
            try:
                self.ports = self.server.open_ports(new, self.site)
            except CannotBind:
                self.ports = self.server.open_ports(old, self.site)
                raise
        else:
            ports, self.ports = self.ports, ports
            hosts.remove(self.site)
            await self._let_go(ports, hosts)
        self.server.reserve()

"""
The supervisor: opens the ports, reads the settings, forks the workers, and speaks for all of them. It never accepts a connection of a client.

Not here: serving (``worker``), replacing those that end (``staff``), and what it tells of them (``overview``).

Nothing of a site runs here, so every fork starts from the same plain state: settings, users and certificates as they were last read, and sockets.
A worker that takes another's place needs no rights and no file.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.protocol import Factory
from twisted.logger import Logger, LogLevel

from twistftp.assembly import Assembly
from twistftp.binding import CannotBind, open_ports
from twistftp.configuration import ConfigurationError
from twistftp.policy.channels import PortRange
from twistftp.policy.settings import ServerSettings, SiteSettings
from twistftp.server import Server
from twistftp.transport.deadlines import Deadlines
from twistftp.virtual_hosts import VirtualHosts
from twistftp.workers import child
from twistftp.workers.board import Board
from twistftp.workers.census import Census
from twistftp.workers.channel import Channel, connect, pair
from twistftp.workers.doors import Door, Doors, Hall, Handed
from twistftp.workers.kin import FarNeighbours, Kin
from twistftp.workers.logons import CountingGuard, TellingGuard
from twistftp.workers.overview import Overview, WorkerMonitoring
from twistftp.workers.porter import Porter
from twistftp.workers.scales import Pan, Scales
from twistftp.workers.split import split
from twistftp.workers.staff import Member, Staff
from twistftp.workers.worker import Worker, WorkerServer, pack

__all__ = ["Supervisor"]

_CLOSING = 5.0
"""Seconds that workers have to let go of a port, and at the end to go when they should have gone."""


class _HeldSite(Factory):
    """
    Stands for a site where only its settings matter. It holds what files say, and its root open, for workers that take another's place: what is
    gone by then, or cannot be read, is no more to them than to those that serve already.
    """

    noisy = False
    sessions = ()

    def __init__(self, settings: SiteSettings, portal: Any, tls: Any, deadlines: Deadlines, say: Callable[..., object]) -> None:
        self.settings, self.portal, self.tls, self.deadlines = settings, portal, tls, deadlines
        self.log = Logger(namespace="twistftp.site")
        self.hosts = VirtualHosts(self)
        self.logon_guard = CountingGuard(self, say)

    def reconfigure(self, settings: SiteSettings, portal: Any = None, tls: Any = None) -> None:
        """New settings."""
        self.settings = settings
        if portal is not None:
            self.portal = portal
        if tls is not None:
            self.tls = tls
            tls.refresh()

    def drain(self, grace: float) -> Deferred[None]:
        """There is nobody."""
        return succeed(None)

    def stopFactory(self) -> None:
        """It ends."""
        self.logon_guard.stop()


class _Range:
    """What the server knows of passive ports where there is no pool."""

    def __init__(self, ports: PortRange) -> None:
        self.ports = ports
        self.reserved: set[int] = set()

    def close(self) -> None:
        """Nothing is open."""


def _numbers(served: Mapping[str, list[Door]]) -> dict[str, list[int]]:
    return {name: [door.number for door in doors] for name, doors in served.items()}


class Supervisor(Server):
    """The server of the process that ``twistd`` has started, when there are workers."""

    _monitoring: Overview

    def __init__(self, reactor: Any, settings: ServerSettings, assembly: Assembly, *, backlog: int, **more: Any) -> None:
        self._assembly = assembly
        self._doors = Doors(reactor, backlog, self._close_door)
        self._deadlines = Deadlines(reactor)
        self._board, self._kin, self._scales = Board(settings.workers), Kin(settings.workers), Scales(settings.workers)
        self._staff = Staff(reactor, settings.workers, self._hire, self._gone)
        self._has_changed = False
        super().__init__(
            reactor,
            settings,
            _Range(settings.firewall_support.data_channel_port_range),
            make_portal=assembly.make_portal,
            make_site=lambda site: _HeldSite(site, assembly.make_portal(site), assembly.make_tls(site), self._deadlines, self._say_to_all),
            make_tls=assembly.make_tls,
            listen=self._doors.listen,
            make_monitoring=self._overview,
            **more,
        )

    def _overview(self, services: Callable[[], Any]) -> Overview:
        return Overview(self.reactor, self.pool, services, *self._assembly.monitoring, staff=self._staff)

    # Starting

    def _open(self, settings: SiteSettings, site: Any) -> list[Any]:
        if why := child.trouble(self.reactor):
            raise CannotBind(f"workers = {self.settings.workers}: must be 1 here: {why}")
        return open_ports(self._doors, self._listen, settings, site)

    def startService(self) -> None:
        """Start the workers, when the reactor runs."""
        super().startService()
        self.reactor.callWhenRunning(self._staff.begin)

    def _served(self) -> dict[str, list[Door]]:
        """The ports of each site."""
        return {service.settings.name: list(service.ports) for service in self.services}

    # Workers

    def _hire(self, slot: int) -> Member:
        ours, theirs = pair()
        channel = Channel(lambda word, said: self._heard(member, word, said), lambda: self._staff.left(member))
        try:
            pid = child.fork(self.reactor, lambda: self._work(slot, ours, theirs))
        except OSError:
            ours.close()
            theirs.close()
            raise
        theirs.close()
        member = Member(slot, pid, channel, self.reactor.seconds(), {door.number for doors in self._served().values() for door in doors})
        connect(self.reactor, ours, channel)
        return member

    def _work(self, slot: int, far: socket.socket, end: socket.socket) -> None:
        """The child's first steps. Its reactor is new, and all else is as the supervisor had it a moment ago."""
        far.close()  # else the channel would not end with the supervisor
        reactor, assembly, settings = self.reactor, self._assembly, self._effective()
        pan = Pan(self._scales, slot)
        porter = Porter(reactor, pan)
        hall = Hall(reactor, porter)
        served = self._served()
        portals = {service.settings.name: service.site.portal for service in self.services if service.site is not None}
        for doors in served.values():
            for door in doors:
                hall.give(Handed(*door.kind, door.socket.dup()))
        for door in self._doors:  # those that are just being closed, too: else this process would keep them open
            child.cover(door.socket.fileno())
        ports, part = settings.firewall_support.data_channel_port_range, self._parts_of_range(settings)[slot]
        census, pool = Census(self._board, slot, reactor), assembly.make_pool(ports)
        pool.share(part, ports)
        pool.neighbours = FarNeighbours(self._kin, slot)
        numbers, descriptors = self._board.numbers(slot), self._monitoring.log_descriptors()

        def make_server(say: Callable[..., None]) -> WorkerServer:
            def make_site(site: SiteSettings) -> Any:
                made = assembly.make_site(site, pool, numbers, census, portals.pop(site.name, None))
                made.logon_guard = TellingGuard(made, say)
                made.transcript.add_recorder(pan)
                return made

            def make_monitoring(services: Callable[[], Any]) -> WorkerMonitoring:
                monitoring = WorkerMonitoring(reactor, pool, services, *assembly.monitoring, descriptors=descriptors)
                monitoring.started = self._monitoring.started
                return monitoring

            made: dict[str, Any] = {"make_portal": assembly.make_portal, "make_site": make_site, "make_tls": assembly.make_tls}
            own: dict[str, Any] = {"hall": hall, "doors": _numbers(served), "part": part, "learn": assembly.make_tls}
            return WorkerServer(reactor, settings, pool, listen=self._listen, make_monitoring=make_monitoring, **own, **made)

        worker = Worker(reactor, hall, porter, make_server)
        connect(reactor, end, worker.channel)
        blocks = {service.settings.name: service.site.logon_guard.blocks() for service in self.services if service.site is not None}
        worker.begin(blocks)

    def _effective(self) -> ServerSettings:
        """The settings as they are in effect: of a site whose new port could not be opened they name the old one."""
        return evolve(self.settings, sites=tuple(service.settings for service in self.services))

    def _parts_of_range(self, settings: ServerSettings) -> list[PortRange]:
        ports = settings.firewall_support.data_channel_port_range
        with suppress(ValueError):
            return split(ports, settings.workers, self.pool.reserved)
        return split(ports, settings.workers)  # the control ports that are open are not those that were asked for

    def _gone(self, member: Member) -> None:
        self._board.clear(member.slot)
        self._kin.clear(member.slot)
        self._scales.clear(member.slot)
        self._monitoring.left(member)

    def _say_to_all(self, word: str, **what: Any) -> None:
        for member in self._staff:
            member.channel.say(word, **what)

    def _ask_all(self, word: str, **what: Any) -> Deferred[Any]:
        asked = [member.channel.ask(word, **what).addTimeout(_CLOSING, self.reactor) for member in self._staff]
        return DeferredList(asked, consumeErrors=True)

    def _heard(self, member: Member, word: str, said: Mapping[str, Any]) -> Any:
        guard = next((s.site.logon_guard for s in self.services if s.site is not None and s.settings.name == said.get("site")), None)
        match word:
            case "log":
                Logger(namespace=said["namespace"]).emit(LogLevel.levelWithName(said["level"]), "{text}", text=said["text"], worker=member.slot + 1)
            case "failed" if guard is not None:
                guard.count(said["peer"], said["user"])
            case "refused" if guard is not None:
                guard.refused_by(said["client"], said["count"])
            case "leaving":
                member.last = said["report"]

    # Changing

    def _close_door(self, door: Door) -> Deferred[Any]:
        return self._ask_all("close", number=door.number)

    async def _reload(self) -> None:
        self._has_changed = False
        await super()._reload()
        if not self._has_changed:
            self._say_to_all("reopen")

    def _made(self, new: ServerSettings) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        ports = new.firewall_support.data_channel_port_range
        try:
            split(ports, self.settings.workers)
        except ValueError as error:
            raise ConfigurationError(f"passive ports {ports}: {error}") from None
        return super()._made(new)

    async def _change(self, new: ServerSettings, portals: Mapping[str, Any], identities: Mapping[str, Any]) -> None:
        await super()._change(new, portals, identities)
        self._has_changed = True
        settings = self._effective()
        packed, parts, served = pack(settings), self._parts_of_range(settings), self._served()
        made = {site.name: tls.identity.pem() for site in settings.sites if site.tls.self_signed and (tls := self._assembly.make_tls(site))}
        for member in self._staff:  # nobody waits for them: each does one after another what it is told
            fresh = [door for doors in served.values() for door in doors if door.number not in member.doors]
            member.doors.update(door.number for door in fresh)
            descriptors, kinds, part = [door.socket.fileno() for door in fresh], [door.kind for door in fresh], parts[member.slot]
            what = {"settings": packed, "ports": kinds, "doors": _numbers(served), "part": [part.low, part.high], "made": made}
            member.channel.say("reload", descriptors, **what)

    # The end

    def _drain(self) -> Deferred[Any]:
        """Until the last worker has gone, they tell who comes that the server is ending; then the ports are closed."""
        self._say_to_all("drain")
        killing = self.reactor.callLater(self.settings.grace + _CLOSING, self._staff.kill)

        def stop(_: object) -> Deferred[Any]:
            if killing.active():
                killing.cancel()
            return super(Supervisor, self)._drain()

        return self._staff.end().addCallback(stop)

    def terminate(self) -> None:
        """SIGTERM: drain; the second: do not wait."""
        if self._stopped is None:
            super().terminate()
        else:
            self._say_to_all("hurry")
            self.reactor.callLater(1.0, self._staff.kill)

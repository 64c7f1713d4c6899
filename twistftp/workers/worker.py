"""
A worker: a server whose ports, passive range and settings come from the supervisor, and which does what that says.

Not here: how the process came to be (``child``), and the supervisor's end of the channel (``supervisor``).
"""

from __future__ import annotations

import base64
import os
import pickle
import signal
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import LogEvent, Logger, eventAsText

from twistftp.binding import has_same_binding
from twistftp.configuration import ConfigurationError
from twistftp.control import disconnect
from twistftp.policy.channels import PortRange
from twistftp.policy.logon_attempts import Block
from twistftp.policy.settings import ServerSettings, SiteSettings
from twistftp.server import Server
from twistftp.site_service import SiteService
from twistftp.workers.channel import Channel
from twistftp.workers.child import observe_with
from twistftp.workers.doors import Hall, Handed
from twistftp.workers.overview import WorkerMonitoring
from twistftp.workers.porter import Porter

__all__ = ["Worker", "WorkerServer", "pack", "unpack"]

_IGNORED = ("SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2")
"""Ctrl-C and a terminal that is gone come to the whole process group: the supervisor has the others drain. Twisted's log rotates by SIGUSR1."""


def pack(settings: ServerSettings) -> str:
    """Settings as one text. Both ends are the same program, and nobody else can write to the channel."""
    return base64.b64encode(pickle.dumps(settings)).decode()


def unpack(text: str) -> ServerSettings:
    """The inverse of :func:`pack`."""
    return pickle.loads(base64.b64decode(text))  # type: ignore[no-any-return]  # noqa: S301


ByName = Mapping[str, Sequence[int]]


class _QuietSite(SiteService):
    """The supervisor has said what is served."""

    def _announce(self) -> None:
        pass


class WorkerServer(Server):
    """
    The sites of a worker.

    :param doors: the numbers of each site's ports, by its name.
    :param part: its part of the passive ports.
    :param learn: told of a site and the certificate that the supervisor has made for it.
    """

    site_service = _QuietSite

    def __init__(
        self, *arguments: Any, hall: Hall, doors: ByName, part: PortRange, learn: Callable[[SiteSettings, str], object], **more: Any
    ) -> None:
        self._hall, self._doors, self._part, self._learn = hall, doors, part, learn
        super().__init__(*arguments, **more)

    def _open(self, settings: SiteSettings, site: Any) -> list[Any]:
        """Those that the supervisor holds for this site, or for one that shares its ports."""
        names = [settings.name, *(other.settings.name for other in self.services if has_same_binding(settings, other.settings))]
        return next((ports for name in names if (ports := self._hall.open(self._doors.get(name, ()), site))), [])

    def _use_range(self, new: ServerSettings) -> None:
        self.pool.share(self._part, new.firewall_support.data_channel_port_range)

    def _catch_signals(self) -> None:
        pass

    def _warn(self, known: object) -> None:
        pass

    def _say_stopping(self) -> None:
        pass

    def take(self, settings: ServerSettings, doors: ByName, part: PortRange, made: Mapping[str, str]) -> Deferred[None]:
        """The supervisor has read the settings again, and found them good. One after another, as :meth:`Server.reload`."""
        return self._order.run(lambda: ensureDeferred(self._take(settings, doors, part, made)))

    async def _take(self, settings: ServerSettings, doors: ByName, part: PortRange, made: Mapping[str, str]) -> None:
        if self._stopped is not None:
            return  # what ends, ends with the settings that it had; nor does it take connections from ports that are new
        self._doors, self._part = doors, part
        try:
            for site in settings.sites:
                if site.name in made:
                    self._learn(site, made[site.name])
            parts = self._made(settings)
        except (ConfigurationError, OSError, ValueError) as error:
            self.log.error("SIGHUP: {error}; a worker keeps the old settings", error=error)
            return
        await self._change(settings, *parts)


class Worker:
    """
    Obeys the supervisor.

    :param make_server: makes the server, given what tells the supervisor something.
    """

    _log = Logger()

    def __init__(self, reactor: Any, hall: Hall, porter: Porter, make_server: Callable[[Callable[..., None]], WorkerServer]) -> None:
        self._reactor, self._hall, self._porter = reactor, hall, porter
        self.channel = Channel(self._hear, self._orphaned)
        self._ended: Deferred[Any] | None = None
        self._signals = 0
        self._thread = threading.get_ident()
        self._words: dict[str, Callable[[Mapping[str, Any]], Any]] = {
            "report": lambda said: self._monitoring.report(said["is_metered"]),
            "sessions": lambda said: self._monitoring.sessions(),
            "disconnect": lambda said: disconnect(self._monitoring, said["id"]),
            "block": self._block,
            "close": lambda said: self._hall.close(said["number"]),
            "reload": self._reload,
            "reopen": lambda said: self._monitoring.reopen(),
            "drain": lambda said: self._drain(),
            "hurry": lambda said: self._stop(),
        }
        self._server = make_server(self.channel.say)

    @property
    def _monitoring(self) -> WorkerMonitoring:
        return self._server._monitoring  # type: ignore[return-value]

    def begin(self, blocks: Mapping[str, list[Block]]) -> None:
        """Serve, when the reactor runs."""
        observe_with(self._observe)
        for name in _IGNORED:
            if number := getattr(signal, name, None):
                signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: self._reactor.callFromThread(self._terminate))
        self._server.startService()
        self._porter.begin()
        for service in self._server.services:
            for block in blocks.get(service.settings.name, ()) if service.site is not None else ():
                service.site.logon_guard.block(block)

    def _observe(self, event: LogEvent) -> None:
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        level = event.get("log_level")
        say = self.channel.say
        if threading.get_ident() != self._thread:  # what checkers do in threads they tell there; the channel is the reactor's
            say = partial(self._reactor.callFromThread, say)
        say("log", level=level.name if level is not None else "info", namespace=event.get("log_namespace", "-"), text=text)

    def _hear(self, word: str, said: Mapping[str, Any]) -> Any:
        return self._words[word](said)

    def _block(self, said: Mapping[str, Any]) -> None:
        for service in self._server.services:
            if service.site is not None and service.settings.name == said["site"]:
                service.site.logon_guard.block(Block(said["client"], said["until"], said["failures"], said["seconds"]))

    def _reload(self, said: Mapping[str, Any]) -> Deferred[None]:
        self._monitoring.reopen()
        descriptors = self.channel.take(len(said["ports"]))
        if missing := len(said["ports"]) - len(descriptors):  # the system drops what this process may not open
            text = "{count} new ports could not be handed to this worker: too many open files; SIGTERM to process {pid} has another take its place"
            self._log.error(text, count=missing, pid=os.getpid())
        for (number, is_own, is_proxied), descriptor in zip(said["ports"], descriptors, strict=False):
            self._hall.give(Handed(number, is_own, is_proxied, socket.socket(fileno=descriptor)))
        return self._server.take(unpack(said["settings"]), said["doors"], PortRange(*said["part"]), said["made"])

    # The end

    def _terminate(self) -> None:
        """
        SIGTERM for this process alone, or before the supervisor has heard of its own: the others take the connections that come.

        systemd sends it to all processes at once, so the supervisor may have been quicker; this one's second says not to wait.
        """
        self._signals += 1
        if self._ended is not None:
            if self._signals > 1:
                self._stop()
            return
        self._log.info("this worker is to end: its transfers have up to {grace:g} s to finish", grace=self._server.settings.grace)
        self._porter.end()
        self._hall.pause()
        self._end()

    def _orphaned(self) -> None:
        """The supervisor is gone."""
        self._porter.end()
        self._hall.resume()
        self._end()

    def _drain(self) -> None:
        self._porter.end()
        self._hall.resume()
        self._end()

    def _end(self) -> None:
        if self._ended is None:
            self._monitoring.keep()
            self._ended = self._server.stopService().addBoth(self._leave)

    def _leave(self, _: object) -> Deferred[Any]:
        """What was counted must outlast this process; when the supervisor has it, it has all lines of the log, too."""
        asked = self.channel.ask("leaving", report=self._monitoring.report(is_metered=True))
        return asked.addTimeout(1.0, self._reactor).addBoth(lambda _: self._stop())

    def _stop(self) -> None:
        with suppress(ReactorNotRunning):
            self._reactor.stop()

"""
Sites that run in this process on the real reactor, and proof that they let go of everything.

Not here: a ``twistd`` of its own (``twistd``), what is said to a site (``tests.interop``).
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from attrs import evolve, fields_dict
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.support.trees import plant
from twistftp.policy.settings import SiteSettings
from twistftp.site import FTPSite
from twistftp.storage.listing_cache import SHARED as LISTINGS
from twistftp.transport.sockets import listen

__all__ = ["PATIENCE", "RunningSite", "SiteCase", "free_range", "has_ipv6", "in_time", "until"]

PATIENCE = 10.0
"""Seconds after which a condition that has not come true fails a test."""

reactor: Any = installed_reactor
_POLL = 0.01


async def until(condition: Callable[[], Any], what: str, within: float = PATIENCE) -> Any:
    """
    Let the reactor run until ``condition()`` is true; its value.

    :raises AssertionError: it was not so in time. ``what`` says what should have been.
    """
    deadline = reactor.seconds() + within
    while not (value := condition()):
        if reactor.seconds() > deadline:
            raise AssertionError(f"not within {within:g} s: {what}")
        await deferLater(reactor, _POLL)
    return value


def has_ipv6() -> bool:
    """Whether this machine has ``::1``."""
    with suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


def free_range(size: int, address: str = "127.0.0.1") -> str:
    """``LOW-HIGH``: that many ports in a row that nobody listens on, outside the system's dynamic range."""
    for _ in range(100):
        low = random.randrange(20000, 32000 - size)
        with suppress(OSError), ExitStack() as probes:
            for port in range(low, low + size):
                probes.enter_context(socket.socket()).bind((address, port))
            return f"{low}-{low + size - 1}"
    raise AssertionError(f"no {size} free ports in a row")


class RunningSite:
    """
    A site that listens; ``root`` is its content root, ``port`` its control port.

    :param is_plain: listen with Twisted's own endpoint, as somebody does who embeds the site, not as ``twistd ftpsite`` does.
    """

    def __init__(self, site: FTPSite, address: str, is_plain: bool) -> None:
        self.site, self.address, self._is_plain = site, address, is_plain
        self.root = Path(site.settings.root)
        self.commands: list[str] = []
        """``line -> code text`` of every command answered so far."""
        site.transcript.add_observer(self._note_command)

    def _note_command(self, event: dict[str, Any]) -> None:
        if event["ftp_event"] == "command":
            self.commands.append(f"{event['line']} -> {event['code']} {event['reply']}")

    async def start(self) -> None:
        """Open the control port, and remember what there was before the first client."""
        await deferLater(reactor, 0)  # a reactor that has not run yet lacks its waker for child processes
        if self._is_plain:
            endpoint = (TCP6ServerEndpoint if ":" in self.address else TCP4ServerEndpoint)(reactor, 0, interface=self.address)
            self._listener: Any = await endpoint.listen(self.site)
        else:
            self._listener = listen(reactor, 0, self.site, self.address)
        self.port: int = self._listener.getHost().port
        self._before = _Holdings()

    def left_over(self) -> list[str]:
        """What was not there before the first client."""
        site, pool = self.site, self.site.pool
        LISTINGS.clear()  # what is kept of them is nobody's
        counts = {"sessions": len(site.sessions), "ports": pool.open_ports, "leases": pool.active_leases, "data connections": pool.open_connections}
        return [f"{count} {what}" for what, count in counts.items() if count] + _Holdings().beyond(self._before)

    def open_files(self) -> list[str]:
        """The files below the root that this process has open."""
        return [where for where in _descriptors().values() if where.startswith(f"{self.root.resolve()}/")]

    async def stop(self) -> None:
        """End everything at once."""
        await self._listener.stopListening()
        for session in list(self.site.sessions):
            session.transport.abortConnection()
        await self.site.pool.close()


class _Holdings:
    """What the process holds now."""

    def __init__(self) -> None:
        self.descriptors = _descriptors()
        self.selectables = {*reactor.getReaders(), *reactor.getWriters()}
        self.delayed_calls = {call for call in reactor.getDelayedCalls() if not _is_trials(call)}

    def beyond(self, before: _Holdings) -> list[str]:
        """What of this was not there before."""
        more = [f"descriptor {number}: {where}" for number, where in self.descriptors.items() if before.descriptors.get(number) != where]
        more += [f"selectable: {one!r}" for one in self.selectables - before.selectables]
        # A timer may be another one with the same job.
        if len(self.delayed_calls) > len(before.delayed_calls):
            more += [f"delayed call: {call}" for call in self.delayed_calls - before.delayed_calls]
        return more


def _descriptors() -> dict[str, str]:
    """Number and target of each descriptor (Linux; elsewhere none)."""
    found: dict[str, str] = {}
    with suppress(FileNotFoundError):
        for number in os.listdir("/proc/self/fd"):
            with suppress(FileNotFoundError):  # the listing's own
                found[number] = os.readlink(f"/proc/self/fd/{number}")
    return {number: where for number, where in found.items() if where != f"/proc/{os.getpid()}/fd"}


def _is_trials(call: Any) -> bool:
    """Whether a delayed call is the test runner's own."""
    return str(getattr(call.func, "__module__", "")).startswith("twisted.trial")


class SiteCase(TestCase):
    """
    A test with running sites. After it, when its clients are gone, each site must have let go of every session, port,
    descriptor and timer; so every test is a test of that.
    """

    timeout = 60

    async def serve(
        self,
        tree: Mapping[str | bytes, Any] | None = None,
        *,
        portal: Any = None,
        address: str = "127.0.0.1",
        passive_ports: str = "0-0",
        is_plain: bool = False,
        **settings: Any,
    ) -> RunningSite:
        """
        Start a site with this content.

        :param settings: of the site; sections as mappings: ``limits={"max_connections": 2}``.
        """
        root = self.absolute_path()
        plant(root, tree or {})
        defaults = fields_dict(SiteSettings)
        sections = {name: evolve(defaults[name].default, **value) if isinstance(value, Mapping) else value for name, value in settings.items()}
        running = RunningSite(FTPSite(SiteSettings(root, **sections), portal, passive_ports=passive_ports), address, is_plain)
        await running.start()
        self.addCleanup(self._end, running)
        return running

    async def _end(self, running: RunningSite) -> None:
        try:
            await self.assert_let_go(running)
        finally:
            await running.stop()

    async def assert_let_go(self, running: RunningSite, within: float = PATIENCE) -> None:
        """Fail if the site holds something for clients that are gone."""
        left: list[str] = []

        def is_clean() -> bool:
            left[:] = running.left_over()
            return not left

        try:
            await until(is_clean, "the site lets go", within)
        except AssertionError:
            self.fail("the site still holds:\n  " + "\n  ".join(left))

    def absolute_path(self) -> str:
        """The path of something that does not exist yet, and goes when all tests have."""
        return os.path.abspath(self.mktemp())

    def closing(self, what: Any) -> Any:
        """Close a socket, a file, a client at the end of the test, before the sites are looked at."""
        self.addCleanup(what.close)
        return what


def in_time(waiting: Deferred[Any], within: float = PATIENCE) -> Deferred[Any]:
    """A Deferred that fails with ``TimeoutError`` when it takes too long."""
    return waiting.addTimeout(within, reactor)

"""Limits of bandwidth over real sockets."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, gatherResults

from tests.interop.by_hand import data_to, log_in
from tests.support.running import RunningSite, SiteCase, in_time

reactor: Any = installed_reactor

BIG = bytes(range(256)) * 1024  # 256 KiB: more than is read and sent at once, so by sendfile
SMALL = bytes(range(250)) * 200


class BandwidthTests(SiteCase):
    """How long transfers take at least; what arrives is what was sent."""

    async def fetch(self, running: RunningSite, kind: str, name: str, content: bytes) -> float:
        """Seconds that a transfer took."""
        control = await log_in(self, running, kind)
        data = await data_to(self, control)
        began = reactor.seconds()
        self.assertEqual("150", (await control.ask(f"RETR {name}"))[:3])
        self.assertEqual("226", (await control.reply())[:3])
        seconds: float = reactor.seconds() - began
        self.assertEqual("FIN", await in_time(data.closed))
        self.assertEqual(content, data.received)
        return seconds

    async def test_each(self) -> None:
        """A connection's limit holds for sendfile and for what is read and sent, and a new one for the next connection."""
        running = await self.serve({"big": BIG, "small": SMALL}, limits={"max_bytes_per_second": 500_000})
        self.assertGreaterEqual(await self.fetch(running, "I", "big", BIG), (len(BIG) - 100_000) / 500_000)
        settings = running.site.settings
        running.site.reconfigure(evolve(settings, limits=evolve(settings.limits, max_bytes_per_second=100_000)))
        self.assertGreaterEqual(await self.fetch(running, "I", "small", SMALL), (len(SMALL) - 20_000) / 100_000)

    async def test_together(self) -> None:
        """The site's limit is shared by all of its connections."""
        running = await self.serve({"big": BIG}, limits={"max_site_bytes_per_second": 1_000_000})
        began = reactor.seconds()
        await gatherResults([Deferred.fromCoroutine(self.fetch(running, "I", "big", BIG)) for _ in range(3)])
        self.assertGreaterEqual(reactor.seconds() - began, (3 * len(BIG) - 200_000) / 1_000_000)

    async def test_plain_transport(self) -> None:
        """Over Twisted's own transports as well."""
        running = await self.serve({"big": BIG}, is_plain=True, limits={"max_bytes_per_second": 500_000})
        self.assertGreaterEqual(await self.fetch(running, "I", "big", BIG), (len(BIG) - 100_000) / 500_000)

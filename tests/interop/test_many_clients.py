"""Many clients, each with an address of its own, on one passive port at the same time."""

from __future__ import annotations

import sys

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SkipTest

from tests.interop.by_hand import Control, Data, connect, log_in
from tests.support.running import RunningSite, SiteCase, free_range, in_time

COUNT = 200


class ManyTests(SiteCase):
    async def test_one_port(self) -> None:
        """
        P-DC-4, DESIGN §3: 200 clients hold the only port of the range at once, come to it in another order than they asked for it, half of them
        before their command and half behind it, and each gets its own file.
        """
        if sys.platform != "linux":
            raise SkipTest("elsewhere only 127.0.0.1 of 127.0.0.0/8 is there to come from")
        files = {str(number): b"%d\n" % number * 2000 for number in range(COUNT)}
        running = await self.serve(files, passive_ports=free_range(1))
        sources = [f"127.0.1.{number}" for number in range(1, COUNT + 1)]
        controls: list[Control] = await in_time(gatherResults([Deferred.fromCoroutine(log_in(self, running, source=source)) for source in sources]))
        ports = [await control.passive() for control in controls]
        self.assertEqual((1, COUNT), (len(set(ports)), running.site.pool.active_leases))
        fetching = [self._fetch(running, number, controls[number], sources[number], ports[0]) for number in reversed(range(COUNT))]
        fetched = await in_time(gatherResults([Deferred.fromCoroutine(one) for one in fetching]), 30)
        self.assertEqual([files[str(number)] for number in reversed(range(COUNT))], fetched)
        self.assertEqual((1, 0), (running.site.pool.counters.opened, running.site.pool.counters.strangers))

    async def _fetch(self, running: RunningSite, number: int, control: Control, source: str, port: int) -> bytes:
        if number % 2:
            control.say(f"RETR {number}")
        data: Data = self.closing(await connect(port, Data(), running.address, source))
        if not number % 2:
            control.say(f"RETR {number}")
        self.assertEqual(["150", "226"], [(await control.reply())[:3] for _ in range(2)])
        self.assertEqual("FIN", await in_time(data.closed))
        return data.received

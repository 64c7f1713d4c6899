"""Tests of ``transport.resolver``: names are kept fresh, and nobody waits (P-PB-14)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from twistftp.transport.resolver import LONGEST, RETRY, SHORTEST, Resolver

NAME = "ftp.example.org"


class ResolverTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[tuple[float, str]] = []
        self.answer: Any = (["203.0.113.7"], 20.0)
        self.said: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)
        self.resolver = Resolver(self.clock, self.lookup)

    def observe(self, event: Any) -> None:
        if event.get("log_namespace", "").startswith("twistftp.transport.resolver"):
            self.said.append(event["log_format"].format(**event))

    def lookup(self, name: str) -> Any:
        self.asked.append((self.clock.seconds(), name))
        if isinstance(self.answer, Deferred):
            return self.answer
        return fail(self.answer) if isinstance(self.answer, Exception) else succeed(self.answer)

    def started(self, *names: str) -> Resolver:
        self.resolver.watch(names or [NAME])
        self.resolver.start()
        self.clock.advance(0)
        return self.resolver

    def times(self) -> list[float]:
        return [when for when, _ in self.asked]

    def test_answer(self) -> None:
        """P-PB-14: asked in the next turn, not before; the answer is there for whoever wants it."""
        self.resolver.watch([NAME])
        self.resolver.start()
        self.resolver.start()
        self.assertEqual([], self.asked)
        self.clock.advance(0)
        self.assertEqual([(0, NAME)], self.asked)
        self.assertEqual({NAME: "203.0.113.7"}, self.resolver.addresses)
        self.assertEqual([f"External address {NAME}: 203.0.113.7"], self.said)

    def test_time_to_live(self) -> None:
        """P-PB-14: asked again when the answer is no longer good, but within 30 s whatever it says, and not all the time."""
        for seconds, expected in ((20.0, 20.0), (86400.0, LONGEST), (0.0, SHORTEST)):
            self.setUp()
            self.answer = (["203.0.113.7"], seconds)
            self.started()
            self.clock.pump([0.5] * 80)
            self.assertEqual([0, expected], self.times()[:2])

    def test_change(self) -> None:
        """P-PB-14: a new address replaces the old one, and the log has both."""
        self.started()
        self.answer = (["203.0.113.8"], 20.0)
        self.clock.advance(20)
        self.assertEqual({NAME: "203.0.113.8"}, self.resolver.addresses)
        self.assertEqual(f"External address {NAME}: 203.0.113.7 -> 203.0.113.8", self.said[-1])

    def test_several_addresses(self) -> None:
        """Of several addresses the same one as long as it is among them, in whatever order they come."""
        self.started()
        self.answer = (["203.0.113.9", "203.0.113.7"], 20.0)
        self.clock.advance(20)
        self.assertEqual({NAME: "203.0.113.7"}, self.resolver.addresses)
        self.assertEqual(1, len(self.said))

    def test_failure_keeps_the_last(self) -> None:
        """P-PB-14: without an answer the last good one stays; asked again soon, and said once; a later answer ends that."""
        self.started()
        self.answer = OSError("no such name")
        self.clock.advance(20)
        self.clock.advance(RETRY)
        self.clock.advance(RETRY)
        self.assertEqual([0, 20, 20 + RETRY, 20 + 2 * RETRY], self.times())
        self.assertEqual({NAME: "203.0.113.7"}, self.resolver.addresses)
        line = f"External address {NAME} cannot be found out (no such name); 203.0.113.7, the last good answer, stays."
        self.assertEqual([line], self.said[1:])
        self.answer = (["203.0.113.8"], 20.0)
        self.clock.advance(RETRY)
        self.assertEqual({NAME: "203.0.113.8"}, self.resolver.addresses)

    def test_no_answer_yet(self) -> None:
        """P-PB-14: nothing is known before the first answer."""
        self.answer = OSError("no such name")
        self.started()
        self.assertEqual({}, self.resolver.addresses)
        self.assertIn("until there is an answer clients are told the local address", self.said[0])

    def test_lookup_that_raises(self) -> None:
        """Whatever goes wrong in a question, the next one is put."""
        self.resolver = Resolver(self.clock, lambda name: 1 // 0)  # type: ignore[arg-type,return-value]
        self.started()
        self.clock.advance(RETRY)
        self.assertEqual(1, len(self.clock.getDelayedCalls()))

    def test_unusable_answers(self) -> None:
        """P-PB-14: loopback, multicast, unspecified and no address at all are no answers; a private one is, with a word about it."""
        for addresses in (["127.0.0.1"], ["224.0.0.1"], ["0.0.0.0"], []):
            self.setUp()
            self.answer = (addresses, 20.0)
            self.started()
            self.assertEqual({}, self.resolver.addresses)
            self.assertEqual(1, len(self.said))
        self.answer = (["127.0.0.1", "10.0.0.7"], 20.0)
        self.clock.advance(RETRY)
        self.assertEqual({NAME: "10.0.0.7"}, self.resolver.addresses)
        self.assertIn("private", self.said[-1])

    def test_slow_answer(self) -> None:
        """One question at a time; what is known stays meanwhile."""
        self.started()
        slow: Deferred[Any] = Deferred()
        self.answer = slow
        self.clock.advance(20)
        self.clock.advance(600)
        self.assertEqual([0, 20], self.times())
        self.assertEqual({NAME: "203.0.113.7"}, self.resolver.addresses)
        slow.callback((["203.0.113.8"], 20.0))
        self.assertEqual({NAME: "203.0.113.8"}, self.resolver.addresses)
        self.assertEqual(1, len(self.clock.getDelayedCalls()))

    def test_stop(self) -> None:
        """A stop leaves no delayed call, whether one is due or a question is under way; the addresses stay; it may start again."""
        self.started()
        self.resolver.stop()
        self.resolver.stop()
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual({NAME: "203.0.113.7"}, self.resolver.addresses)
        cancelled: list[Any] = []
        self.answer = Deferred(cancelled.append)
        self.resolver.start()
        self.clock.advance(0)
        self.resolver.stop()
        self.assertEqual(1, len(cancelled))
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual(1, len(self.said))
        self.answer = (["203.0.113.8"], 20.0)
        self.resolver.start()
        self.clock.advance(0)
        self.assertEqual({NAME: "203.0.113.8"}, self.resolver.addresses)

    def test_other_names(self) -> None:
        """SIGHUP: a new name is asked for at once, one that stays is left alone, one that is gone is forgotten."""
        self.started("a.example", "b.example")
        self.resolver.watch(["b.example", "c.example"])
        self.clock.advance(0)
        self.assertEqual(["a.example", "b.example", "c.example"], [name for _, name in self.asked])
        self.assertEqual({"b.example", "c.example"}, set(self.resolver.addresses))
        self.resolver.watch([])
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_gone_while_asking(self) -> None:
        """An answer for a name that nobody wants any more changes nothing."""
        asking: Deferred[Any] = Deferred(lambda _: None)
        self.answer = asking
        self.started()
        self.resolver.watch([])
        self.assertEqual(({}, []), (self.resolver.addresses, self.clock.getDelayedCalls()))

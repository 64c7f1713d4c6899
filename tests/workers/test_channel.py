"""Tests of ``workers.channel``: what supervisor and worker say to each other, over real sockets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from tests.support.running import until
from twistftp.workers.channel import Channel, Gone, connect, pair


class End:
    """One end, which remembers what it has heard. ``answer`` is what it answers to all questions."""

    def __init__(self, end: Any) -> None:
        self.heard: list[tuple[str, Mapping[str, Any]]] = []
        self.taken: list[int] = []
        self.lost = 0
        self.answer: Any = None
        self.channel = Channel(self._hear, self._lost)
        connect(reactor, end, self.channel)

    def _hear(self, word: str, said: Mapping[str, Any]) -> Any:
        self.heard.append((word, said))
        self.taken += self.channel.take(said.get("count", 0))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def _lost(self) -> None:
        self.lost += 1


class ChannelTests(TestCase):
    """Both ends in one process."""

    def setUp(self) -> None:
        self.one, self.other = (End(end) for end in pair())
        self.addCleanup(self._end)

    async def _end(self) -> None:
        for end in (self.one, self.other):
            end.channel.close()
        await until(lambda: self.one.lost and self.other.lost, "both ends are closed")

    async def test_say(self) -> None:
        """What is said arrives in its order, whatever letters are in it."""
        for number in range(100):
            self.one.channel.say("word", number=number, text="\n\0ü")
        await until(lambda: len(self.other.heard) == 100, "all was heard")
        heard = [(word, said["number"], said["text"]) for word, said in self.other.heard]
        self.assertEqual([("word", number, "\n\0ü") for number in range(100)], heard)

    async def test_ask(self) -> None:
        """Answers find their questions, also when the later comes first; a long one comes whole."""
        waiting: list[Deferred[Any]] = [Deferred(), Deferred()]
        self.other.answer = waiting[0]
        first = self.one.channel.ask("first")
        await until(lambda: len(self.other.heard) == 1, "the first question")
        self.other.answer = waiting[1]
        second = self.one.channel.ask("second")
        await until(lambda: len(self.other.heard) == 2, "the second question")
        waiting[1].callback("x" * 3_000_000)
        self.assertEqual(3_000_000, len(await second))
        self.assertFalse(first.called)
        waiting[0].callback({"a": [1, 2]})
        self.assertEqual({"a": [1, 2]}, await first)

    async def test_failed(self) -> None:
        """A question that could not be answered is answered with nothing; why is in the log of who was asked."""
        self.other.answer = ZeroDivisionError()
        self.assertIsNone(await self.one.channel.ask("divide"))
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    async def test_descriptors(self) -> None:
        """Descriptors arrive with their line, each with its own, as new numbers for the same files."""
        pipes = [os.pipe() for _ in range(3)]
        self.one.channel.say("two", [pipes[0][1], pipes[1][1]], count=2)
        self.one.channel.say("none")
        await self.one.channel.ask("one", [pipes[2][1]], count=1)
        self.assertEqual(3, len(self.other.taken))
        for number, ((read, write), taken) in enumerate(zip(pipes, self.other.taken, strict=True)):
            os.write(taken, b"%d" % number)
            self.assertEqual(b"%d" % number, os.read(read, 1))
            self.assertFalse(os.get_inheritable(taken), "no program that the server starts gets it")
            for descriptor in (read, write, taken):
                os.close(descriptor)

    async def test_gone(self) -> None:
        """When one side ends, all questions fail, late ones at once, and saying something does nothing; descriptors that nobody took are closed."""
        self.other.answer = Deferred()
        asked = [self.one.channel.ask("a"), self.one.channel.ask("b")]
        read, write = os.pipe()
        self.other.channel.say("nobody takes this", [write])
        os.close(write)
        await until(lambda: self.one.heard, "it has come")
        self.other.channel.close()
        failures = [await self.assertFailure(question, Gone) for question in asked]
        self.assertEqual(2, len(failures))
        await until(lambda: (self.one.lost, self.other.lost) == (1, 1), "both ends know, once")
        await self.assertFailure(self.one.channel.ask("c"), Gone)
        self.one.channel.say("d")
        self.assertEqual(b"", os.read(read, 1), "the last descriptor of the other end is closed")
        os.close(read)

    async def test_impatient(self) -> None:
        """A question whose asker has had enough is forgotten; its answer may still come."""
        self.other.answer = waiting = Deferred()  # type: ignore[var-annotated]
        asked = self.one.channel.ask("a")
        await until(lambda: self.other.heard, "it was heard")
        asked.cancel()
        await self.assertFailure(asked, Exception)
        waiting.callback(1)
        self.other.answer = 2
        self.assertEqual([2], await gatherResults([self.one.channel.ask("b")]))

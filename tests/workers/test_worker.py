"""Tests of ``workers.worker``: what a worker tells its supervisor; here without one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from twistftp.workers.worker import Worker


class FakeReactor:
    """Keeps what threads ask to be called."""

    def __init__(self) -> None:
        self.asked: list[Callable[[], Any]] = []

    def callFromThread(self, call: Callable[..., Any], *arguments: Any, **more: Any) -> None:
        self.asked.append(lambda: call(*arguments, **more))


class LogTests(SynchronousTestCase):
    """Lines of the log."""

    def test_threads(self) -> None:
        """The channel belongs to the reactor's thread: what is logged in another is said there, and in the same words."""
        reactor, said = FakeReactor(), []
        worker = Worker(reactor, None, None, lambda say: None)  # type: ignore[arg-type, return-value]
        worker.channel.say = lambda *words, **what: said.append((threading.get_ident(), words, what))  # type: ignore[assignment, misc]
        event = {"log_format": "{who} is late", "who": "alice", "log_level": LogLevel.warn, "log_namespace": "checker"}
        worker._observe(event)
        thread = threading.Thread(target=worker._observe, args=(event,))
        thread.start()
        thread.join()
        self.assertEqual(1, len(said))
        for call in reactor.asked:
            call()
        line = (threading.get_ident(), ("log",), {"level": "warn", "namespace": "checker", "text": "alice is late"})
        self.assertEqual([line, line], said)

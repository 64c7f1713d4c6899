"""Tests of ``workers.worker``: what a worker tells its supervisor; here without one."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import Any

from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.channels import PortRange
from twistftp.policy.settings import ServerSettings
from twistftp.workers.doors import Handed
from twistftp.workers.worker import Worker, pack


class FakeReactor:
    """Keeps what threads ask to be called."""

    def __init__(self) -> None:
        self.asked: list[Callable[[], Any]] = []

    def callFromThread(self, call: Callable[..., Any], *arguments: Any, **more: Any) -> None:
        self.asked.append(lambda: call(*arguments, **more))


class FakeServer:
    """Takes settings."""

    def __init__(self) -> None:
        self._monitoring = self
        self.taken: list[Any] = []

    def reopen(self) -> None:
        pass

    def take(self, *what: Any) -> None:
        self.taken.append(what)


class FakeHall(list[int]):
    """Keeps the numbers of the ports that it was given."""

    def give(self, handed: Handed) -> None:
        handed.listening.close()
        self.append(handed.number)


class ReloadTests(SynchronousTestCase):
    """SIGHUP."""

    def test_no_room(self) -> None:
        """A worker that can open no more files is handed fewer ports than there are: it says so in one line, and all else changes."""
        server, hall = FakeServer(), FakeHall()
        worker = Worker(FakeReactor(), hall, None, lambda say: server)  # type: ignore[arg-type, return-value]
        settings = ServerSettings(sites=())
        with socket.socket() as listening:
            worker.channel.take = lambda count: [os.dup(listening.fileno())]  # type: ignore[method-assign]
            said = {"settings": pack(settings), "ports": [[7, True, False], [8, True, False]], "doors": {"Files": [7, 8]}, "part": [50000, 50009]}
            said["made"] = {}
            with capturedLogs() as events:
                worker._hear("reload", said)
        self.assertEqual([7], hall)
        self.assertEqual([(settings, {"Files": [7, 8]}, PortRange(50000, 50009), {})], server.taken)
        (line,) = [formatEvent(event) for event in events]
        self.assertTrue(line.startswith("1 new ports could not be handed to this worker: too many open files"), line)


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

"""Tests of recordings: the files, their bounds, and disks that fail."""

import errno
import os
import stat
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.support.at_once import at_once
from twistftp.capsules import recording as module
from twistftp.capsules.recording import SOON, Recording

HEADER = {"capsule": 1}


class RecordingTests(SynchronousTestCase):
    """:class:`Recording` and :class:`CapsuleFile`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.directory = Path(os.path.abspath(self.mktemp()))
        self.directory.mkdir()
        self.threads: list[Any] = []

    def later(self, function: Any, *arguments: Any) -> Deferred[Any]:
        """A thread that takes its time."""
        waiting: Deferred[Any] = Deferred()
        self.threads.append(lambda: waiting.callback(function(*arguments)))
        return waiting

    def record(self, in_thread: Any = at_once, **options: Any) -> Recording:
        return Recording(self.clock, str(self.directory), in_thread, lambda: 1710000000.0, **options)

    def test_file(self) -> None:
        """A session's file has a name of its own and is its owner's alone; it has the header, and events with their time."""
        recording = self.record()
        capsule = recording.begin(7, HEADER)
        self.clock.advance(0.1)
        capsule.note({"server": "220 x"})
        self.assertEqual([], list(self.directory.iterdir()))
        self.clock.advance(SOON)
        (path,) = self.directory.iterdir()
        self.assertEqual(f"20240309T160000Z-{os.getpid()}-7.jsonl", path.name)
        self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode))
        self.assertEqual('{"capsule":1}\n{"t":0.1,"server":"220 x"}\n', path.read_text())
        capsule.note({"closed": "FIN"})
        capsule.end()
        capsule.note({"server": "too late"})
        self.clock.advance(SOON)
        self.assertEqual('{"t":0.35,"closed":"FIN"}', path.read_text().splitlines()[-1])
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_in_threads(self) -> None:
        """The reactor's thread writes nothing; what comes meanwhile is written next, in order."""
        capsule = self.record(self.later).begin(1, HEADER)
        self.clock.advance(SOON)
        capsule.note({"a": 1})
        capsule.note({"b": 1})
        self.clock.advance(10)
        self.assertEqual(1, len(self.threads))
        self.threads.pop()()
        self.clock.advance(SOON)
        self.threads.pop()()
        (path,) = self.directory.iterdir()
        self.assertEqual(3, len(path.read_text().splitlines()))

    def test_close(self) -> None:
        """The end of the server writes what waits, also behind a thread that is at work."""
        recording = self.record(self.later)
        recording.begin(1, HEADER)
        self.clock.advance(SOON)
        recording.begin(2, HEADER).note({"x": 1})
        closing = recording.close()
        self.assertNoResult(closing)
        self.threads.pop()()
        self.successResultOf(closing)
        self.assertEqual([1, 2], sorted(len(path.read_text().splitlines()) for path in self.directory.iterdir()))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_limit(self) -> None:
        """A capsule that grows too large ends with a mark."""
        capsule = self.record(limit=200).begin(1, HEADER)
        for _ in range(100):
            capsule.note({"server": "x" * 50})
        self.assertTrue(capsule.is_over)
        self.clock.advance(SOON)
        (path,) = self.directory.iterdir()
        self.assertEqual('{"t":0.0,"cut":"the capsule has reached 200 octets"}', path.read_text().splitlines()[-1])
        self.assertLess(path.stat().st_size, 300)

    def test_full_disk(self) -> None:
        """A disk that is full is told of once; sessions and other capsules go on."""
        recording = self.record()
        first, second = recording.begin(1, HEADER), recording.begin(2, HEADER)

        def full(descriptor: int, octets: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with capturedLogs() as events:
            self.patch(module.os, "write", full)
            self.clock.advance(SOON)
            first.note({"a": 1})
            second.note({"a": 1})
            self.clock.advance(SOON)
        self.assertEqual(["no space left on device"], [event["why"] for event in events if "why" in event])
        self.assertTrue(first.is_over and second.is_over)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_no_link_is_followed(self) -> None:
        """What is there already is neither followed nor added to."""
        target = self.directory.parent / "target"
        target.write_text("precious")
        (self.directory / f"20240309T160000Z-{os.getpid()}-1.jsonl").symlink_to(target)
        with capturedLogs() as events:
            self.record().begin(1, HEADER)
            self.clock.advance(SOON)
        self.assertEqual("precious", target.read_text())
        self.assertIn("file exists", [event.get("why") for event in events])

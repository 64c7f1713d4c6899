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
from twistftp.capsules.recording import AGAIN, LIMIT, SOON, Recording
from twistftp.capsules.room import HELD, Room

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
        made = Recording(self.clock, str(self.directory), in_thread, lambda: 1710000000.0, **options)
        self.run_threads()
        return made

    def run_threads(self) -> None:
        while self.threads:
            self.threads.pop(0)()

    def test_file(self) -> None:
        """A session's file has a name of its own and is its owner's alone; it has the header, and events with their time."""
        recording = self.record()
        capsule = recording.begin(7, HEADER)
        self.clock.advance(0.1)
        capsule.note({"server": "220 x"})
        self.assertEqual([], list(self.directory.iterdir()))
        self.clock.advance(SOON)
        (path,) = self.directory.iterdir()
        self.assertRegex(path.name, r"^20240309T160000Z-[0-9a-f]{16}-7\.jsonl$")
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
        self.clock.advance(0)
        closing = recording.close()
        self.assertNoResult(closing)
        self.threads.pop()()
        self.successResultOf(closing)
        texts = sorted((path.read_text().splitlines() for path in self.directory.iterdir()), key=len)
        self.assertEqual([2, 3], [len(lines) for lines in texts])
        self.assertEqual({'{"t":0.0,"cut":"the server ended"}', '{"t":0.25,"cut":"the server ended"}'}, {lines[-1] for lines in texts})
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_close_at_the_end(self) -> None:
        """A session whose end is noted is not said to be cut off by the server's."""
        recording = self.record()
        capsule = recording.begin(1, HEADER)
        capsule.note({"closed": "FIN"})
        capsule.is_ending = True
        self.successResultOf(recording.close())
        capsule.end()
        (path,) = self.directory.iterdir()
        self.assertEqual(['{"capsule":1}', '{"t":0.0,"closed":"FIN"}'], path.read_text().splitlines())

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
        """A disk that is full is told of once; sessions go on, none is captured for a while, and when one can be that is told, too."""
        recording = self.record()
        first, second = recording.begin(1, HEADER), recording.begin(2, HEADER)

        def full(descriptor: int, octets: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        real = os.write
        with capturedLogs() as events:
            self.patch(module.os, "write", full)
            self.clock.advance(SOON)
            first.note({"a": 1})
            second.note({"a": 1})
            self.clock.advance(SOON)
            self.assertFalse(recording.is_open)
            self.clock.advance(AGAIN)
            self.assertTrue(recording.is_open)
            recording.begin(3, HEADER)
            self.clock.advance(SOON)
            self.assertFalse(recording.is_open)
            self.patch(module.os, "write", real)
            self.clock.advance(AGAIN)
            recording.begin(4, HEADER)
            self.clock.advance(SOON)
            self.assertTrue(recording.is_open)
        self.assertEqual(["no space left on device"], [event["why"] for event in events if "why" in event])
        self.assertIn("can be written again", events[-1]["log_format"])
        self.assertTrue(first.is_over and second.is_over)
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual("", recording.room.refusal(HELD))  # what was not written does not wait any more

    def test_too_slow(self) -> None:
        """While the disk takes nothing, so much is held in memory and no more: what comes then is cut."""
        recording = self.record(self.later, room=Room(self.clock, str(self.directory), at_once, LIMIT, held=1000))
        first, second = recording.begin(1, HEADER), recording.begin(2, HEADER)
        self.clock.advance(SOON)
        for _ in range(9):
            first.note({"server": "x" * 100})
        self.assertEqual((True, False), (first.is_over, second.is_over))
        second.note({"server": "x" * 500})
        self.assertTrue(second.is_over)
        self.assertFalse(recording.is_open)
        for _ in range(2):
            self.run_threads()
            self.clock.advance(SOON)
        self.run_threads()
        self.assertTrue(recording.is_open)
        self.assertEqual(2, sum('"cut":"1000 octets wait for the disk"' in path.read_text() for path in self.directory.iterdir()))

    def test_names_do_not_collide(self) -> None:
        """Two servers with the same process id, as in containers, may write the same session of the same second into one directory."""
        for _ in range(2):
            self.record().begin(1, HEADER)
        self.clock.advance(SOON)
        self.assertEqual(2, len(list(self.directory.iterdir())))

    def test_no_link_is_followed(self) -> None:
        """What is there already is neither followed nor added to; nor is a link that takes a capsule's place."""
        target = self.directory.parent / "target"
        target.write_text("precious")
        self.patch(module.secrets, "token_hex", lambda octets: "0" * (2 * octets))
        (self.directory / f"20240309T160000Z-{'0' * 16}-1.jsonl").symlink_to(target)
        with capturedLogs() as events:
            recording = self.record()
            recording.begin(1, HEADER)
            second = recording.begin(2, HEADER)
            self.clock.advance(SOON)
            Path(second.path).unlink()
            Path(second.path).symlink_to(target)
            second.note({"server": "220 x"})
            self.clock.advance(SOON)
        self.assertEqual("precious", target.read_text())
        self.assertIn("file exists", [event.get("why") for event in events])
        self.assertTrue(second.is_over)

    def test_fifo(self) -> None:
        """A FIFO that takes a capsule's place holds no thread."""
        recording = self.record()
        capsule = recording.begin(1, HEADER)
        self.clock.advance(SOON)
        os.unlink(capsule.path)
        os.mkfifo(capsule.path)
        capsule.note({"server": "220 x"})
        self.clock.advance(SOON)
        self.assertTrue(capsule.is_over)

"""Tests of ``logfile``: lines that reach the disk whatever happens to the file."""

import errno
import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from twistftp import logfile
from twistftp.logfile import LIMIT, SOON, CannotOpen, LogFile

NOBODY = 65534


class Case(SynchronousTestCase):
    """A file, a clock, and a thread that does its work when told; ``said`` is what the log was told."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.path = Path(self.mktemp())
        self.jobs: list[tuple[Any, tuple[Any, ...], Deferred[Any]]] = []
        self.is_at_once = True
        self.said: list[str] = []
        globalLogPublisher.addObserver(self.observe)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)  # type: ignore[arg-type]

    def observe(self, event: Any) -> None:
        if event.get("log_namespace", "").startswith("twistftp."):
            self.said.append(event["log_format"].format(**event))

    def in_thread(self, function: Any, *arguments: Any) -> Deferred[Any]:
        result: Deferred[Any] = Deferred()
        self.jobs.append((function, arguments, result))
        if self.is_at_once:
            self.work()
        return result

    def work(self) -> None:
        """The thread ends what it has been given."""
        jobs, self.jobs = self.jobs, []
        for function, arguments, result in jobs:
            result.callback(function(*arguments))

    def open(self, **options: Any) -> LogFile:
        file = LogFile(self.clock, str(self.path), self.in_thread, **options)
        self.addCleanup(file.close)
        return file

    def failing(self, *answers: Any) -> None:
        """Have the next writes take that many octets, or fail."""
        left, write = list(answers), os.write

        def fake(descriptor: int, octets: bytes) -> int:
            answer = left.pop(0) if left else None
            if isinstance(answer, OSError):
                raise answer
            return write(descriptor, octets if answer is None else octets[:answer])

        self.patch(logfile.os, "write", fake)


class WriteTests(Case):
    """Lines."""

    def test_soon(self) -> None:
        """Lines wait for others for a moment, then go in one write; nothing is pending when nothing waits."""
        file = self.open()
        file.write("one\n")
        file.write("two\n")
        self.assertEqual("", self.path.read_text())
        self.clock.advance(SOON)
        self.assertEqual("one\ntwo\n", self.path.read_text())
        self.assertEqual([], self.clock.getDelayedCalls())
        file.write("three\n")
        self.clock.advance(SOON)
        self.assertEqual("one\ntwo\nthree\n", self.path.read_text())

    def test_appended(self) -> None:
        """What was in the file stays; the header is for empty files."""
        self.path.write_text("old\n")
        file = self.open(header=lambda: "# new\n")
        file.write("line\n")
        self.clock.advance(SOON)
        self.assertEqual("old\nline\n", self.path.read_text())

    def test_header(self) -> None:
        """An empty file begins with the header."""
        file = self.open(header=lambda: "# new\n")
        file.write("line\n")
        self.clock.advance(SOON)
        self.assertEqual("# new\nline\n", self.path.read_text())
        self.assertEqual(0o640, self.path.stat().st_mode & 0o777)

    def test_one_write_at_a_time(self) -> None:
        """While a write takes its time, lines wait, in order."""
        self.is_at_once = False
        file = self.open()
        file.write("one\n")
        self.clock.advance(SOON)
        file.write("two\n")
        self.clock.advance(SOON)
        self.assertEqual(1, len(self.jobs))
        self.work()
        self.clock.advance(SOON)
        self.assertEqual(1, len(self.jobs))
        self.work()
        self.assertEqual("one\ntwo\n", self.path.read_text())

    def test_waiting(self) -> None:
        """Who makes many lines adds them by itself, and says so for the first alone, whatever the file does meanwhile."""
        self.is_at_once = False
        file = self.open()
        lines = file.waiting
        file.wake()
        lines.extend(("one\n", "two\n"))
        self.clock.advance(SOON)
        file.wake()
        lines.append("three\n")
        self.clock.advance(SOON)
        lines.append("four\n")
        self.work()
        self.clock.advance(SOON)
        self.work()
        self.assertEqual("one\ntwo\nthree\nfour\n", self.path.read_text())
        file.wake()
        lines.append("five\n")
        file.close()
        self.assertEqual("one\ntwo\nthree\nfour\nfive\n", self.path.read_text())

    def test_close(self) -> None:
        """What waits is written, after what is being written; closing twice is no error."""
        self.is_at_once = False
        file = self.open()
        file.write("one\n")
        self.clock.advance(SOON)
        file.write("two\n")
        closed = file.close()
        self.assertNoResult(closed)
        self.work()
        self.successResultOf(closed)
        self.assertEqual("one\ntwo\n", self.path.read_text())
        self.successResultOf(file.close())
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_cannot_open(self) -> None:
        """One line says which file, and why."""
        self.path = Path(self.mktemp()) / "missing" / "access.log"
        error = self.assertRaises(CannotOpen, self.open)
        self.assertEqual(f"access log {self.path}: no such file or directory", str(error))


class TroubleTests(Case):
    """A disk that is full."""

    def test_full_for_a_while(self) -> None:
        """One line in the log when it begins and one when it ends; nothing is lost, no line is torn."""
        file = self.open()
        full = OSError(errno.ENOSPC, "No space left on device")
        self.failing(3, full, full, full)
        file.write("one line\n")
        self.clock.advance(SOON)
        self.assertEqual("one", self.path.read_text())
        file.write("another\n")
        self.clock.advance(1)
        self.clock.advance(1)
        self.assertEqual(1, len(self.said))
        self.assertIn(f"access log {self.path}: no space left on device", self.said[0])
        self.clock.advance(1)
        self.assertEqual("one line\n", self.path.read_text())
        self.clock.advance(SOON)
        self.assertEqual("one line\nanother\n", self.path.read_text())
        self.assertIn("is written again; 0 lines were lost", self.said[1])
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_bounded(self) -> None:
        """Of more lines than memory should hold the newest are lost, and counted."""
        self.is_at_once = False
        file = self.open()
        file.write("first\n")
        self.clock.advance(SOON)
        for number in range(LIMIT + 5):
            file.write(f"{number}\n")
        self.clock.advance(SOON)
        self.assertEqual(5, file.lost)
        self.is_at_once = True
        self.work()
        self.clock.advance(SOON)
        lines = self.path.read_text().splitlines()
        self.assertEqual(["first", *map(str, range(LIMIT))], lines)

    def test_bounded_in_trouble(self) -> None:
        """The same while the disk is full, however long; closing tries once more to write all of them."""
        file = self.open()
        self.failing(*[OSError(errno.ENOSPC, "No space left on device")] * 3)
        file.write("first\n")
        self.clock.advance(SOON)
        for _ in range(2):
            for number in range(LIMIT):
                file.write(f"{number}\n")
            self.clock.advance(1)
        self.assertEqual(LIMIT, file.lost)
        file.close()
        self.assertEqual(["first", *map(str, range(LIMIT))], self.path.read_text().splitlines())


class ReopenTests(Case):
    """A file that was moved away."""

    def test_moved(self) -> None:
        """Lines go on in a new file with a header of its own; none is lost."""
        file = self.open(header=lambda: "#\n")
        file.write("one\n")
        self.clock.advance(SOON)
        file.write("two\n")
        old = self.path.with_suffix(".1")
        self.path.rename(old)
        file.reopen()
        file.write("three\n")
        self.clock.advance(SOON)
        self.assertEqual(("#\none\n", "#\ntwo\nthree\n"), (old.read_text(), self.path.read_text()))

    def test_moved_during_a_write(self) -> None:
        """What is being written goes where it was going; then the old file is closed."""
        self.is_at_once = False
        file = self.open(header=lambda: "#\n")
        file.write("one\n")
        self.clock.advance(SOON)
        descriptor = file._descriptor
        old = self.path.with_suffix(".1")
        self.path.rename(old)
        file.reopen()
        file.write("two\n")
        self.work()
        self.assertRaises(OSError, os.fstat, descriptor)
        self.is_at_once = True
        self.clock.advance(SOON)
        self.assertEqual(("#\none\n", "#\ntwo\n"), (old.read_text(), self.path.read_text()))

    def test_still_there(self) -> None:
        """A file that nobody has moved is left alone: the serving user may not even be able to open it."""
        file = self.open(header=lambda: "#\n")
        self.clock.advance(SOON)
        descriptor = file._descriptor
        file.reopen()
        self.assertEqual((descriptor, "#\n"), (file._descriptor, self.path.read_text()))

    def test_cannot_reopen(self) -> None:
        """The old file stays, and one line says so, with the cure."""
        directory = Path(self.mktemp())
        directory.mkdir()
        self.path = directory / "access.log"
        file = self.open()
        directory.rename(moved := Path(self.mktemp()))
        file.reopen()
        file.write("one\n")
        self.clock.advance(SOON)
        self.assertEqual("one\n", (moved / "access.log").read_text())
        (line,) = self.said
        self.assertIn("no such file or directory; lines go on into the file that was open", line)

    def test_owner(self) -> None:
        """A file that root makes for another user belongs to that user, who can open it again; one that was there is left alone."""
        if os.geteuid() != 0:
            raise SkipTest("root alone gives files away")
        self.open(owner=(NOBODY, NOBODY))
        self.assertEqual(NOBODY, self.path.stat().st_uid)
        os.chown(self.path, 0, 0)
        self.open(owner=(NOBODY, NOBODY))
        self.assertEqual(0, self.path.stat().st_uid)

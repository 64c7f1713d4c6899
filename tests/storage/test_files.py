"""``storage.files``: reading without stopping the reactor, and ``storage.holding``, which keeps descriptors for threads."""

from __future__ import annotations

import errno
import os
import socket
import threading
from unittest import mock

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from tests.storage.threads import Threads
from tests.support.trees import Link, open_descriptors, plant
from twistftp.storage import files as module
from twistftp.storage.confinement import Confinement
from twistftp.storage.failures import IsADirectory, NotAPlainFile, NotFound, ReadFailed
from twistftp.storage.files import LocalFile, open_local_file
from twistftp.storage.interfaces import IOpenFile


class Base(SynchronousTestCase):
    """A root with some files."""

    content = bytes(range(256)) * 40

    def setUp(self) -> None:
        root = self.mktemp()
        plant(root, {"f": self.content, "d": {}, "empty": b"", "l": Link("f"), "dangling": Link("none")})
        self.root = root
        self.confinement = Confinement(root)
        self.addCleanup(self.confinement.close)
        self.threads = Threads()

    def open(self, *path: str) -> LocalFile:
        file = open_local_file(self.confinement, path, self.threads)
        self.addCleanup(file.close)
        return file


class OpeningTests(Base):
    """Which objects are opened."""

    def test_plain_file(self) -> None:
        """A plain file, also through a link, is opened and tells its size and its descriptor."""
        for name in ("f", "l"):
            file = self.open(name)
            verifyObject(IOpenFile, file)
            self.assertEqual(len(self.content), file.size)
            self.assertEqual(self.content[:4], os.pread(file.descriptor or -1, 4, 0))

    def test_others(self) -> None:
        """Directories, missing files, FIFOs, sockets and devices are refused each in its way, and none is opened."""
        os.mkfifo(os.path.join(self.root, "fifo"))
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        here = os.open(self.root, os.O_RDONLY)  # the path of a socket is short
        self.addCleanup(os.close, here)
        listener.bind(f"/proc/self/fd/{here}/sock")
        before = open_descriptors()
        for name, failure in (("d", IsADirectory), ("none", NotFound), ("dangling", NotFound), ("fifo", NotAPlainFile), ("sock", NotAPlainFile)):
            self.assertRaises(failure, open_local_file, self.confinement, (name,))
        self.assertRaises(IsADirectory, open_local_file, self.confinement, ())
        self.assertEqual(before, open_descriptors())

    def test_device(self) -> None:
        """A device below the root is not opened."""
        confinement = Confinement("/dev")
        self.addCleanup(confinement.close)
        opened: list[int] = []
        really = Confinement._open

        def note(confinement: Confinement, route: bytes, flags: int, mode: int) -> int:
            opened.append(flags)
            return really(confinement, route, flags, mode)

        with mock.patch.object(Confinement, "_open", note):
            self.assertRaises(NotAPlainFile, open_local_file, confinement, ("null",))
        self.assertEqual([], [flags for flags in opened if not flags & os.O_PATH])

    def test_replaced_by_a_fifo(self) -> None:
        """A FIFO that takes the file's place between the look and the open is closed again, without waiting for a writer."""
        path = os.path.join(self.root, "f")
        status = Confinement._status

        def look(confinement: Confinement, route: bytes) -> os.stat_result:
            found = status(confinement, route)
            os.unlink(path)
            os.mkfifo(path)
            return found

        before = open_descriptors()
        with mock.patch.object(Confinement, "_status", look):
            self.assertRaises(NotAPlainFile, open_local_file, self.confinement, ("f",))
        self.assertEqual(before, open_descriptors())


class ReadingTests(Base):
    """``read_at``, ``is_cached`` and ``warm``."""

    def test_cached(self) -> None:
        """What is in the page cache is read at once, at any offset, up to the end and no further."""
        file = self.open("f")
        os.pread(file.descriptor or -1, file.size, 0)
        if not file.is_cached(0, 1):
            raise SkipTest("this file system does not support RWF_NOWAIT")
        self.assertEqual(self.content[5:15], file.read_at(5, 10))
        self.assertEqual(self.content[-3:], file.read_at(file.size - 3, 100))
        self.assertEqual(b"", file.read_at(file.size, 100))
        self.assertEqual(b"", file.read_at(file.size + 9, 100))
        self.assertEqual(self.content, file.read_at(0, 1 << 20))
        self.assertTrue(file.is_cached(0, file.size))
        self.assertEqual([], self.threads.calls)

    def test_blocks_do_not_share_memory(self) -> None:
        """What was read stays what it was when more is read."""
        file = self.open("f")
        preadv = os.preadv
        with mock.patch.object(os, "preadv", lambda number, buffers, offset, flags: preadv(number, buffers, offset)):
            first = file.read_at(0, 10)
            file.read_at(100, 10)
        self.assertEqual(self.content[:10], first)

    def test_cold(self) -> None:
        """What is not in the page cache is read in a thread."""
        file = self.open("f")
        with mock.patch.object(os, "preadv", side_effect=BlockingIOError(errno.EAGAIN, "")):
            reading = file.read_at(3, 7)
            self.assertFalse(file.is_cached(3, 7))
        self.assertNoResult(reading)
        self.threads.run()
        self.assertEqual(self.content[3:10], self.successResultOf(reading))

    def test_half_cold(self) -> None:
        """A block of which only the beginning is in the page cache is read in a thread as a whole."""
        file = self.open("f")
        with mock.patch.object(os, "preadv", return_value=100):
            reading = file.read_at(0, 200)
        self.threads.run()
        self.assertEqual(self.content[:200], self.successResultOf(reading))

    def test_end_is_cold(self) -> None:
        """``is_cached`` looks at both ends of a block."""
        file = self.open("f")
        asked = []

        def preadv(number: int, buffers: list[memoryview], offset: int, flags: int = 0) -> int:
            asked.append((offset, len(buffers[0])))
            if offset > 1000:
                raise BlockingIOError(errno.EAGAIN, "")
            return len(buffers[0])

        with mock.patch.object(os, "preadv", preadv):
            self.assertTrue(file.is_cached(0, 1000))
            self.assertFalse(file.is_cached(0, 2000))
            self.assertFalse(file.is_cached(500, 1 << 30))
            self.assertTrue(file.is_cached(file.size, 10))
        self.assertEqual([(0, 1), (999, 1), (0, 1), (1999, 1), (500, 1), (file.size - 1, 1)], asked)

    def test_file_system_that_cannot_tell(self) -> None:
        """On a file system without NOWAIT everything is read in a thread, and it is asked once for a file."""
        file = self.open("f")
        with mock.patch.object(os, "preadv", side_effect=OSError(errno.EOPNOTSUPP, "")) as preadv:
            self.assertFalse(file.is_cached(0, 10))
            self.assertFalse(file.is_cached(0, 10))
            reading = file.read_at(0, 10)
        self.assertEqual(1, preadv.call_count)
        self.threads.run()
        self.assertEqual(self.content[:10], self.successResultOf(reading))

    def test_system_that_cannot_ask(self) -> None:
        """Where there is no NOWAIT at all, files are read at once."""
        file = self.open("f")
        with mock.patch.object(module, "_CAN_ASK", False):
            self.assertTrue(file.is_cached(0, 10))
            self.assertEqual(self.content[:10], file.read_at(0, 10))

    def test_disk_fails(self) -> None:
        """An error of the disk is ReadFailed, at once and in a thread."""
        file = self.open("f")
        broken = OSError(errno.EIO, "Input/output error")
        with mock.patch.object(os, "preadv", side_effect=broken):
            self.assertRaises(ReadFailed, file.read_at, 0, 10)
            warming = file.warm(0, 10)
            self.threads.run()
            self.failureResultOf(warming, ReadFailed)
        with mock.patch.object(os, "preadv", side_effect=BlockingIOError(errno.EAGAIN, "")), mock.patch.object(os, "pread", side_effect=broken):
            reading = file.read_at(0, 10)
            self.threads.run()
        self.assertEqual("Input/output error", self.failureResultOf(reading, ReadFailed).value.strerror)

    def test_warm(self) -> None:
        """``warm`` reads the block, and nothing behind the end, in a thread."""
        file = self.open("f")
        asked = []
        preadv = os.preadv

        def watch(number: int, buffers: list[memoryview], offset: int, flags: int = 0) -> int:
            asked.append((offset, len(buffers[0]), flags))
            return preadv(number, buffers, offset, flags)

        with mock.patch.object(os, "preadv", watch):
            warming = file.warm(100, 1 << 30)
            self.assertEqual([], asked)
            self.threads.run()
        self.assertIsNone(self.successResultOf(warming))
        self.assertEqual([(100, file.size - 100, 0)], asked)

    def test_file_was_cut(self) -> None:
        """A file that became shorter ends where it now ends; neither reading nor warming waits for more."""
        file = self.open("f")
        os.truncate(os.path.join(self.root, "f"), 10)
        reading, warming = file.read_at(0, 100), file.warm(0, 100)
        self.threads.run()
        self.assertEqual(self.content[:10], self.successResultOf(reading))
        self.assertIsNone(self.successResultOf(warming))


class ClosingTests(Base):
    """A descriptor that a thread uses is not closed under it."""

    def is_open(self, number: int) -> bool:
        try:
            os.fstat(number)
        except OSError:
            return False
        return True

    def test_close(self) -> None:
        """A file that nobody reads is closed at once; once closed it gives no descriptor and reads nothing."""
        file = self.open("f")
        number = file.descriptor or -1
        file.close()
        file.close()
        self.assertFalse(self.is_open(number))
        self.assertIsNone(file.descriptor)
        for call in (file.read_at, file.is_cached, file.warm):
            self.assertRaises(ValueError, call, 0, 1)

    def test_close_while_read(self) -> None:
        """While a thread reads, the number stays open; the last thread closes it, and the reads are answered."""
        file = self.open("f")
        number = file.descriptor or -1
        with mock.patch.object(os, "preadv", side_effect=BlockingIOError(errno.EAGAIN, "")):
            first, second = file.read_at(0, 4), file.read_at(4, 4)
        file.close()
        self.assertTrue(self.is_open(number))
        self.threads.run()
        self.assertFalse(self.is_open(number))
        self.assertEqual(self.content[:8], self.successResultOf(first) + self.successResultOf(second))

    def test_cancelled_read(self) -> None:
        """A cancelled Deferred does not mean that the thread is back."""
        file = self.open("f")
        number = file.descriptor or -1
        warming = file.warm(0, 4)
        warming.cancel()
        self.failureResultOf(warming, CancelledError)
        file.close()
        self.assertTrue(self.is_open(number))
        self.threads.run()
        self.assertFalse(self.is_open(number))

    def test_no_threads(self) -> None:
        """When the pool takes no work, nothing stays open."""
        file = self.open("f")
        number = file.descriptor or -1
        file._in_thread = mock.Mock(side_effect=RuntimeError)
        self.assertRaises(RuntimeError, file.warm, 0, 1)
        file.close()
        self.assertFalse(self.is_open(number))


class RealThreadTests(TestCase):
    """The reactor's own threads."""

    async def test_cold_read(self) -> None:
        """Cold reads and warming happen outside the reactor's thread."""
        root = self.mktemp()
        plant(root, {"f": b"content"})
        confinement = Confinement(root)
        self.addCleanup(confinement.close)
        file = open_local_file(confinement, ("f",))
        self.addCleanup(file.close)
        used = []
        pread = os.pread

        def watch(number: int, count: int, offset: int) -> bytes:
            used.append(threading.current_thread())
            return pread(number, count, offset)

        self.patch(os, "pread", watch)
        with mock.patch.object(os, "preadv", side_effect=BlockingIOError(errno.EAGAIN, "")):
            reading = file.read_at(0, 100)
        self.assertEqual(b"content", await reading)
        self.assertIsNone(await file.warm(0, 100))
        self.assertEqual(1, len(used))
        self.assertNotIn(threading.current_thread(), used)

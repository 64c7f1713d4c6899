"""``storage.uploads`` and ``storage.placing``: files that arrive."""

from __future__ import annotations

import errno
import os
import stat
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError
from twisted.internet.testing import StringTransport
from twisted.protocols import ftp
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.storage.threads import Threads
from tests.support.trees import Link, open_descriptors, plant
from twistftp.storage import placing, uploads
from twistftp.storage.confinement import Confinement
from twistftp.storage.failures import (
    Busy,
    DiskFull,
    NameNotAllowed,
    NotAPlainFile,
    NotFound,
    ObjectExists,
    PermissionDenied,
    QuotaExceeded,
    StorageError,
    WriteFailed,
)
from twistftp.storage.filesystem import FilesystemShell
from twistftp.storage.interfaces import IUpload

CONTENT = b"old content"


class Base(SynchronousTestCase):
    """A root, a user who may write, and threads that run when the test says so."""

    confinement_options: dict[str, Any] = {}

    def setUp(self) -> None:
        self.root = self.mktemp()
        plant(self.root, {"f": CONTENT, "sub": {}, "l": Link("f"), "broken": Link("none"), "out": Link("../../x"), "up": Link("sub")})
        os.chmod(self.at("f"), 0o640)
        self.descriptors = open_descriptors()
        self.confinement = Confinement(self.root, **self.confinement_options)
        self.threads = Threads()
        self.store = FilesystemShell(self.confinement, self.threads, writable=True)

    def syncing(self) -> FilesystemShell:
        """The same files, and uploads that wait for the disk."""
        return FilesystemShell(self.confinement, self.threads, writable=True, syncs=True)

    def tearDown(self) -> None:
        self.threads.run()
        self.confinement.close()
        self.assertEqual(self.descriptors, open_descriptors(), "descriptors are left over")
        self.assertEqual({}, uploads._under_way)
        self.assertEqual([], [name for _, _, names in os.walk(self.root) for name in names if name.startswith(".twistftp-")])

    def at(self, *path: str) -> str:
        return os.path.join(self.root, *path)

    def read(self, *path: str) -> bytes:
        with open(self.at(*path), "rb") as file:
            return file.read()

    def write(self, upload: Any, *pieces: bytes) -> None:
        for piece in pieces:
            stored = upload.write(piece)
            if stored is not None:
                self.threads.run()
                self.successResultOf(stored)

    def put(self, path: tuple[str, ...], *pieces: bytes, **how: Any) -> None:
        """A whole upload."""
        upload = self.store.open_upload(path, **how)
        verifyObject(IUpload, upload)
        self.write(upload, *pieces)
        finished = upload.finish()
        self.threads.run()
        self.successResultOf(finished)

    def breaks(self, path: tuple[str, ...], *pieces: bytes, **how: Any) -> int | None:
        """An upload that breaks: what is kept."""
        upload = self.store.open_upload(path, **how)
        self.write(upload, *pieces)
        kept = upload.abandon()
        self.assertIs(None, upload.abandon())
        self.threads.run()
        return kept


class AsideTests(Base):
    """Beside the file, which it replaces when it is complete."""

    def test_new(self) -> None:
        """P-STOR-1: a new file, an empty one too; a link's target is written, not the link, wherever the path leads."""
        self.put(("n",), b"a", b"bc")
        self.put(("empty",))
        self.put(("up", "x"), b"through a link")
        self.put(("l",), b"new")
        self.assertEqual([b"abc", b"", b"through a link", b"new"], [self.read("n"), self.read("empty"), self.read("sub", "x"), self.read("f")])
        self.assertTrue(os.path.islink(self.at("l")))

    def test_replace(self) -> None:
        """P-STOR-1: the old file is whole until the new one is; its rights stay."""
        upload = self.store.open_upload(("f",))
        self.write(upload, b"new")
        self.assertEqual(CONTENT, self.read("f"))
        finished = upload.finish()
        self.assertEqual(CONTENT, self.read("f"))
        self.threads.run()
        self.successResultOf(finished)
        self.assertEqual((b"new", 0o640), (self.read("f"), stat.S_IMODE(os.stat(self.at("f")).st_mode)))

    def test_break(self) -> None:
        """P-DX-5: a broken one leaves no trace, of a new file neither."""
        self.assertIs(None, self.breaks(("f",), b"x"))
        self.assertIs(None, self.breaks(("n",), b"x"))
        self.assertIs(None, self.breaks(("m",)))
        self.assertIs(None, self.breaks(("f",), b"x", offset=3))
        self.assertEqual(CONTENT, self.read("f"))
        self.assertEqual({"broken", "f", "l", "out", "sub", "up"}, set(os.listdir(self.root)))

    def test_nothing_is_seen(self) -> None:
        """P-LS-9: an unfinished upload is in no listing and can be named by nobody."""
        upload = self.store.open_upload(("n",))
        self.write(upload, b"x")
        listing = self.store.listing(())
        names = [entry.name for entry in listing.next_batch()]  # type: ignore[union-attr]
        listing.close()
        self.assertEqual(["broken", "f", "l", "out", "sub", "up"], names)
        with open(self.at(".twistftp-1"), "wb"):
            pass
        for look in (self.store.status, self.store.open_file):
            self.assertRaises(NotFound, look, (".twistftp-1",))
        for make in (self.store.open_upload, self.store.make_directory):
            self.assertRaises(NameNotAllowed, make, (".twistftp-1",))
        os.unlink(self.at(".twistftp-1"))
        upload.abandon()
        self.threads.run()

    def test_offset(self) -> None:
        """P-REST-3, P-APPE-1: what is to stay is copied; what was behind the end goes, unless it is a part (RANG)."""
        self.put(("f",), b"CON", offset=4)
        self.assertEqual(b"old CON", self.read("f"))
        self.put(("f",), b"+", offset=None)
        self.assertEqual(b"old CON+", self.read("f"))
        self.put(("f",), b"LD", offset=1, is_part=True)
        self.assertEqual(b"oLD CON+", self.read("f"))
        self.put(("n",), b"x", offset=None)
        self.assertEqual(b"x", self.read("n"))

    def test_copy_without_the_call(self) -> None:
        """The copy is the same where the system has none of its own."""
        with mock.patch.object(os, "copy_file_range", side_effect=OSError(errno.EXDEV, "x")):
            self.put(("f",), b"!", offset=None)
        self.assertEqual(CONTENT + b"!", self.read("f"))

    def test_two(self) -> None:
        """Two writers of one name: each is whole, the last counts."""
        first, second = self.store.open_upload(("f",)), self.store.open_upload(("f",))
        self.write(first, b"first")
        self.write(second, b"second")
        for upload, content in ((second, b"second"), (first, b"first")):
            upload.finish()
            self.threads.run()
            self.assertEqual(content, self.read("f"))

    def test_append_again_at_once(self) -> None:
        """The next one may add to the file as soon as this one is known to have broken, though a thread has yet to let go of it."""
        upload = self.store.open_upload(("f",), offset=None)
        self.write(upload, b" and more")
        upload.abandon()
        again = self.store.open_upload(("f",), offset=None)
        self.write(again, b"!")
        finished = again.finish()
        self.threads.run()
        self.successResultOf(finished)
        self.assertEqual(CONTENT + b"!", self.read("f"))

    def test_two_appends(self) -> None:
        """Who adds to a file has it for himself; of two that add to a new one the second is refused, for it would wipe out the first."""
        first = self.store.open_upload(("f",), offset=None)
        for offset in (0, 3, None):
            self.assertRaises(Busy, self.store.open_upload, ("f",), offset=offset)
        first.abandon()
        self.threads.run()
        first, second = self.store.open_upload(("n",), offset=None), self.store.open_upload(("n",), offset=None)
        self.write(first, b"1")
        self.write(second, b"2")
        finished = first.finish(), second.finish()
        self.threads.run()
        self.successResultOf(finished[0])
        self.failureResultOf(finished[1], Busy)
        self.assertEqual(b"1", self.read("n"))

    def test_unique(self) -> None:
        """P-STOU-1: new when it is opened and when it is finished."""
        self.assertRaises(ObjectExists, self.store.open_unique, ("f",))
        upload = self.store.open_unique(("n",))
        plant(self.root, {"n": b"somebody else's"})
        finished = upload.finish()
        self.threads.run()
        self.failureResultOf(finished, Busy)
        self.assertEqual(b"somebody else's", self.read("n"))

    def test_power_cut(self) -> None:
        """P-DX-3: by option, the octets are on the disk before the name is changed."""
        order: list[str] = []
        upload = self.syncing().open_upload(("f",))
        self.write(upload, b"new")
        real = os.fsync

        def fsync(number: int) -> None:
            order.append(f"sync while it is {self.read('f')!r}")
            real(number)

        with mock.patch.object(os, "fsync", fsync):
            upload.finish()
            self.threads.run()
        self.assertEqual([f"sync while it is {CONTENT!r}"], order)

    def test_disk_not_waited_for(self) -> None:
        """P-DX-3: without that option the end waits for no disk, whatever kind of upload it is."""
        with mock.patch.object(os, "fsync", side_effect=AssertionError("the disk was waited for")):
            self.put(("f",), b"new")
            self.put(("f",), b"newer", in_place=True)
            unique = self.store.open_unique(("n",))
            self.write(unique, b"abc")
            finished = unique.finish()
            self.threads.run()
        self.successResultOf(finished)
        self.assertEqual((b"newer", b"abc"), (self.read("f"), self.read("n")))

    def test_syncing_unique_and_read_only(self) -> None:
        """The option holds for new names too, and for the same store with other rights."""
        for store in self.syncing(), self.syncing().as_writable(False).as_writable(True):
            with mock.patch.object(os, "fsync") as fsync:
                unique = store.open_unique((f"n{id(store)}",))
                self.write(unique, b"abc")
                unique.finish()
                self.threads.run()
            fsync.assert_called_once()

    def test_without_links(self) -> None:
        """A file system that gives files without a name and then no name to them gets a copy."""
        with mock.patch.object(os, "link", side_effect=OSError(errno.EPERM, "x")):
            self.put(("f",), b"new")
            self.put(("n",), b"abc")
        self.assertEqual((b"new", 0o640), (self.read("f"), stat.S_IMODE(os.stat(self.at("f")).st_mode)))
        self.assertEqual(b"abc", self.read("n"))

    def test_cancelled(self) -> None:
        """P-DX-13: when all octets are here they become the file, whoever has lost interest."""
        upload = self.store.open_upload(("n",))
        self.write(upload, b"x")
        finished = upload.finish()
        finished.cancel()
        self.failureResultOf(finished, CancelledError)
        self.assertIs(None, upload.abandon())
        self.threads.run()
        self.assertEqual(b"x", self.read("n"))

    def test_over(self) -> None:
        """Nothing can be written any more."""
        upload = self.store.open_upload(("n",))
        upload.abandon()
        self.assertRaises(ValueError, upload.write, b"x")
        self.threads.run()

    def test_read_in_progress(self) -> None:
        """What has arrived can be read from the moment the first octet came to the end."""
        upload = self.store.open_upload(("f",))
        self.assertIs(None, self.store.read_upload(("f",)))
        self.write(upload, b"so far")
        part: Any = self.store.read_upload(("f",))
        self.assertEqual((6, b"so far"), (part.size, part.read_at(0, 100)))
        part.close()
        self.assertIs(None, self.store.read_upload(("n",)))
        upload.abandon()
        self.assertIs(None, self.store.read_upload(("f",)))


class NamedTests(AsideTests):
    """Where there are no files without a name."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(placing, "_NAMELESS", 0)

    def test_nothing_is_left(self) -> None:
        """A rename that fails leaves no unfinished upload behind."""
        upload = self.store.open_upload(("n",))
        plant(self.root, {"n": {"x": b""}})
        finished = upload.finish()
        self.threads.run()
        self.failureResultOf(finished, StorageError)


class RealPathTests(AsideTests):
    """Where directories have no descriptors (Windows)."""

    confinement_options = {"use_descriptors": False}


class WalkTests(AsideTests):
    """Where the kernel has no ``openat2``."""

    confinement_options = {"use_openat2": False}


class InPlaceTests(Base):
    """In its own place, where what arrives stays."""

    def test_write(self) -> None:
        """P-STOR-1, P-REST-3, P-APPE-1: as beside it."""
        self.put(("f",), b"new", in_place=True)
        self.put(("n",), b"", in_place=True)
        self.assertEqual((b"new", b""), (self.read("f"), self.read("n")))
        self.put(("f",), b"W", offset=2, in_place=True)
        self.put(("f",), b"!", offset=None, in_place=True)
        self.put(("f",), b"E", offset=1, is_part=True, in_place=True)
        self.assertEqual(b"nEW!", self.read("f"))

    def test_again_at_once(self) -> None:
        """P-STOR-1, P-DX-5: who resumes as soon as 426 is there is not told that the file is being uploaded; nor is what comes then taken away."""
        for name, sent in (("f", b"12"), ("n", b""), ("n", b"12")):
            upload = self.store.open_upload((name,), in_place=True)
            self.write(upload, sent)
            upload.abandon()
            again = self.store.open_upload((name,), offset=len(sent), in_place=True)
            self.write(again, b"34")
            finished = again.finish()
            self.threads.run()
            self.successResultOf(finished)
            self.assertEqual(sent + b"34", self.read(name))

    def test_not_while_a_thread_is_at_it(self) -> None:
        """What a thread is still changing is nobody else's yet."""
        upload = self.store.open_upload(("f",), in_place=True)
        stored = upload.write(b"1")
        self.assertIsNot(None, stored)
        upload.abandon()
        self.assertRaises(Busy, self.store.open_upload, ("f",), in_place=True)
        self.threads.run()
        self.successResultOf(stored)
        self.store.open_upload(("f",), in_place=True).abandon()

    def test_nothing_before_the_first_octet(self) -> None:
        """P-STOR-1, P-DC-6: a file is as it was, and one that was not is not, if nothing came of it."""
        self.breaks(("f",), in_place=True)
        self.breaks(("n",), in_place=True)
        self.assertEqual((CONTENT, False), (self.read("f"), os.path.exists(self.at("n"))))

    def test_kept(self) -> None:
        """P-DX-5, P-REST-3: what arrived stays, and its size says where to go on; over several breaks."""
        self.assertEqual(3, self.breaks(("f",), b"012", in_place=True))
        self.assertEqual(b"012", self.read("f"))
        self.assertEqual(5, self.breaks(("f",), b"34", offset=3, in_place=True))
        self.assertEqual(6, self.breaks(("f",), b"5", offset=None, in_place=True))
        self.put(("f",), b"6", offset=6, in_place=True)
        self.assertEqual(b"0123456", self.read("f"))

    def test_two(self) -> None:
        """Two writers of one name: the second is refused, and so is who would read, remove or rename it."""
        upload = self.store.open_upload(("f",), in_place=True)
        self.write(upload, b"x")
        for how in ({"in_place": True}, {}, {"offset": None}):
            self.assertRaises(Busy, self.store.open_upload, ("f",), **how)
        for change in (lambda: self.store.move(("f",), ("g",)), lambda: self.store.move(("sub",), ("f",))):
            self.assertRaises(StorageError, change)
        removed = self.store.remove_file(("f",))
        self.threads.run()
        self.failureResultOf(removed, Busy)
        file = self.store.open_file(("f",))
        self.assertTrue(file.is_being_uploaded)
        upload.abandon()
        self.threads.run()
        self.assertFalse(file.is_being_uploaded)
        file.close()
        self.put(("f",), b"y", in_place=True)

    def test_unique(self) -> None:
        """P-STOU-1: made with exclusive create."""
        self.assertRaises(ObjectExists, self.store.open_unique, ("f",), in_place=True)
        upload = self.store.open_unique(("n",), in_place=True)
        self.assertTrue(os.path.exists(self.at("n")))
        upload.finish()
        self.threads.run()


class RefusalTests(Base):
    def test_names(self) -> None:
        """P-STOR-1, P-PATH-4, P-PATH-6: no directory, nothing outside, no link that leads nowhere, nothing too long."""
        os.mkfifo(self.at("fifo"))
        for path, failure in (
            (("sub",), NameNotAllowed),
            ((), NameNotAllowed),
            (("up",), NameNotAllowed),
            (("x" * 256,), NameNotAllowed),
            (("none", "x"), NotFound),
            (("f", "x"), StorageError),
            (("broken",), NotFound),
            (("out",), NotFound),
            (("out", "x"), NotFound),
            (("a/b",), NotFound),
            (("fifo",), NotAPlainFile),
        ):
            for in_place in (False, True):
                self.assertRaises(failure, self.store.open_upload, path, in_place=in_place)
        self.assertRaises(NotFound, self.store.open_upload, ("n",), offset=1)

    def test_link_race(self) -> None:
        """P-PATH-4: a link that takes the file's place while it is looked at is not followed."""
        directory, name, old = uploads.place_of(self.confinement, ("f",))
        os.unlink(self.at("f"))
        os.symlink("/etc/passwd", self.at("f"))
        for kind in (placing.InPlace, placing.Aside):
            self.assertRaises(OSError, kind, directory, name, old, 0, False)
        directory.close()

    def test_read_only(self) -> None:
        """P-SEC-7: who may only read changes nothing."""
        store = FilesystemShell(self.confinement, self.threads)
        for change in (
            lambda: store.open_upload(("n",)),
            lambda: store.open_unique(("n",)),
            lambda: store.make_directory(("n",)),
            lambda: store.remove_directory(("sub",)),
            lambda: store.remove_file(("f",)),
            lambda: store.move(("f",), ("n",)),
            lambda: store.set_modified(("f",), 1.0),
            lambda: store.set_mode(("f",), 0o600),
        ):
            self.assertRaises(PermissionDenied, change)
        for answer in (store.makeDirectory(("n",)), store.removeFile(("f",)), store.rename(("f",), ("n",)), store.openForWriting(("n",))):
            self.failureResultOf(answer, ftp.PermissionDeniedError)


class SlowDiskTests(Base):
    def test_begin_in_a_thread(self) -> None:
        """What is to be copied or cut off before the first octet is for a thread."""
        for how in ({"offset": 3}, {"offset": None}, {"in_place": True}):
            upload = self.store.open_upload(("f",), **how)
            stored = upload.write(b"x")
            self.assertEqual(1, len(self.threads.calls), how)
            self.threads.run()
            self.successResultOf(stored)
            self.assertIs(None, upload.write(b"y"))
            upload.abandon()
            self.threads.run()

    def test_slow_writes(self) -> None:
        """After a slow write the next go to a thread, until some were quick."""
        seconds = iter([uploads.SLOW * 2])
        with mock.patch.object(uploads, "_timed", side_effect=lambda function, arguments: function(*arguments) or next(seconds, 0.0)):
            upload = self.store.open_upload(("n",))
            self.assertIs(None, upload.write(b"a"))
            for _ in range(uploads.CAREFUL):
                stored = upload.write(b"b")
                assert stored is not None
                self.threads.run()
                self.successResultOf(stored)
            self.assertIs(None, upload.write(b"c"))
            upload.finish()
            self.threads.run()
        self.assertEqual(b"a" + b"b" * uploads.CAREFUL + b"c", self.read("n"))

    def test_far_ahead(self) -> None:
        """P-SEC-10: one upload is at most twice ``SYNC_EVERY`` ahead of the disk."""
        self.patch(uploads, "SYNC_EVERY", 10)
        upload = self.store.open_upload(("n",))
        self.assertIs(None, upload.write(b"x" * 10))
        self.assertIs(None, upload.write(b"x" * 9))
        waiting = upload.write(b"x")
        self.assertNoResult(waiting)
        self.threads.run()
        self.successResultOf(waiting)
        upload.finish()
        self.threads.run()
        self.assertEqual(b"x" * 20, self.read("n"))

    def test_disk_fails(self) -> None:
        """P-DX-8: full, over quota or broken, when it is written and when it is asked to write down; the old file stays."""
        for number, failure in ((errno.ENOSPC, DiskFull), (errno.EDQUOT, QuotaExceeded), (errno.EIO, WriteFailed)):
            with mock.patch.object(os, "write", side_effect=OSError(number, "x")):
                upload = self.store.open_upload(("f",))
                self.assertRaises(failure, upload.write, b"x")
            upload.abandon()
            upload = self.syncing().open_upload(("f",))
            upload.write(b"x")
            with mock.patch.object(os, "fsync", side_effect=OSError(number, "x")):
                finished = upload.finish()
                self.threads.run()
            self.failureResultOf(finished, failure)
            self.patch(uploads, "SYNC_EVERY", 1)
            upload = self.store.open_upload(("f",))
            upload.write(b"x")
            waiting = upload.write(b"x")
            with mock.patch.object(os, "fdatasync", side_effect=OSError(number, "x")):
                self.threads.run()
            self.failureResultOf(waiting, failure)
            self.assertRaises(failure, upload.write, b"x")
            self.assertRaises(failure, upload.finish)
            upload.abandon()
            self.threads.run()
            self.assertEqual(CONTENT, self.read("f"))

    def test_short_writes(self) -> None:
        """A system that takes a part of a write gets the rest."""
        real = os.write
        with mock.patch.object(os, "write", lambda number, data: real(number, bytes(data)[:2])):
            self.put(("n",), b"abcde")
        self.assertEqual(b"abcde", self.read("n"))

    def test_pipe(self) -> None:
        """Octets from a pipe, in threads too; a file system without ``splice`` reads them."""
        if not hasattr(os, "splice"):
            return
        for refuses in (False, True):
            readable, writable = os.pipe()
            upload = self.store.open_upload(("n",))
            os.write(writable, b"hello")
            if refuses:
                with mock.patch.object(os, "splice", side_effect=OSError(errno.EINVAL, "x")):
                    self.assertIs(None, upload.take(readable, 5))
                self.assertFalse(upload.takes_pipes)
            else:
                self.assertIs(None, upload.take(readable, 5))
            upload.finish()
            self.threads.run()
            self.assertEqual(b"hello", self.read("n"))
            os.close(readable)
            os.close(writable)


class StockTests(Base):
    def test_writer(self) -> None:
        """Twisted's own server uploads too: octets in any number, a producer that is paused while the disk is slow."""
        writer = self.successResultOf(self.store.openForWriting(("n",)))
        verifyObject(ftp.IWriteFile, writer)
        consumer: Any = self.successResultOf(writer.receive())
        producer = StringTransport()
        consumer.registerProducer(producer, True)
        consumer.write(b"a")
        self.patch(uploads, "SYNC_EVERY", 1)
        consumer.write(b"b")
        consumer.write(b"c")
        self.assertEqual("paused", producer.producerState)
        consumer.write(b"d")
        self.threads.run()
        self.assertEqual("producing", producer.producerState)
        consumer.unregisterProducer()
        closed = writer.close()
        self.threads.run()
        self.successResultOf(closed)
        self.assertEqual(b"abcd", self.read("n"))

    def test_failure(self) -> None:
        """A disk that fails is told when it is closed, and nothing is left."""
        writer = self.successResultOf(self.store.openForWriting(("f",)))
        with mock.patch.object(os, "write", side_effect=OSError(errno.ENOSPC, "x")):
            writer.write(b"x")
        self.failureResultOf(writer.close(), DiskFull)
        self.threads.run()
        self.assertEqual(CONTENT, self.read("f"))

    def test_changes(self) -> None:
        """The rest of ``IFTPShell``, with Twisted's own failures."""
        shell = self.store
        self.successResultOf(shell.makeDirectory(("d",)))
        self.failureResultOf(shell.makeDirectory(("d",)), ftp.FileExistsError)
        self.successResultOf(shell.rename(("d",), ("e",)))
        self.failureResultOf(shell.rename(("e",), ("f",)), ftp.FileExistsError)
        self.successResultOf(shell.removeDirectory(("e",)))
        removed = shell.removeFile(("f",))
        self.threads.run()
        self.successResultOf(removed)

    def test_directories(self) -> None:
        """A directory, the root too, is told from other names that no file can have, as Twisted's own shell does."""
        for path in (("sub",), (), ("up",)):
            self.failureResultOf(self.store.openForWriting(path), ftp.IsADirectoryError)
        self.failureResultOf(self.store.openForWriting((placing.RESERVED.decode() + "x",)), ftp.PermissionDeniedError)


_EVENTS = st.lists(
    st.tuples(st.sampled_from([0, 1, None, "part"]), st.booleans(), st.booleans(), st.lists(st.binary(max_size=6), max_size=3)), max_size=6
)


class ModelTests(Base):
    @given(_EVENTS)
    def test_any_sequence(self, events: list[tuple[Any, bool, bool, list[bytes]]]) -> None:
        """P-REST-3, P-APPE-1, P-DX-5: after any sequence of uploads, finished and broken, the file is what a list of octets says."""
        model: bytes | None = None
        if os.path.exists(self.at("m")):
            os.unlink(self.at("m"))
        for kind, in_place, is_broken, pieces in events:
            is_part = kind == "part"
            offset = 0 if is_part else kind
            data = b"".join(pieces)
            try:
                upload = self.store.open_upload(("m",), offset=offset, in_place=in_place, is_part=is_part)
            except NotFound:
                self.assertTrue(offset and model is None)
                continue
            old = model or b""
            start = len(old) if offset is None else offset
            kept = old[:start].ljust(start, b"\0") if start else b""
            self.write(upload, *(piece for piece in pieces if piece))
            tail = old[start + len(data) :] if is_part else b""
            if is_broken:
                upload.abandon()
                if in_place and data:
                    model = kept + data + tail
            else:
                upload.finish()
                if data or not (offset and start > len(old)):
                    model = kept + data + tail
            self.threads.run()
            if model is None:
                self.assertFalse(os.path.exists(self.at("m")))
            else:
                self.assertEqual(model, self.read("m"))

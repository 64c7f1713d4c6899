"""``storage.foreign_writing``, and what other people's avatars may do beyond ``IFTPShell``."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.protocols import ftp
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import alsoProvides, implementer
from zope.interface.verify import verifyObject

from tests.storage.test_foreign import read_to_end
from tests.support.trees import open_descriptors, plant
from twistftp.storage import adapt
from twistftp.storage.failures import (
    DirectoryNotEmpty,
    NameNotAllowed,
    NotADirectory,
    NotFound,
    ObjectExists,
    Occupied,
    PermissionDenied,
    StorageError,
    WriteFailed,
)
from twistftp.storage.foreign_reading import RestartableFile
from twistftp.storage.foreign_writing import ForeignUpload
from twistftp.storage.interfaces import IAppendable, IDirectFile, IFileStore, IOpenFile, IRestartable, ITimestamps, IUpload


class StockTests(SynchronousTestCase):
    """Twisted's own ``FTPShell``."""

    def setUp(self) -> None:
        self.root = self.mktemp()
        plant(self.root, {"f": b"old", "sub": {"x": b""}})
        self.before = open_descriptors()
        self.store: Any = adapt(ftp.FTPShell(FilePath(self.root)))

    def read(self, name: str) -> bytes:
        with open(os.path.join(self.root, name), "rb") as file:
            return file.read()

    def test_interface(self) -> None:
        """It is a whole ``IFileStore``."""
        verifyObject(IFileStore, self.store)
        self.assertEqual((True, False, False, False, False), tuple(getattr(self.store, name) for name in (
            "writable", "restartable", "appendable", "changes_times", "changes_modes")))  # fmt: skip

    def test_upload(self) -> None:
        """P-STOR-1: nothing is changed before the first octet or the end."""
        upload = self.successResultOf(self.store.open_upload(("f",)))
        verifyObject(IUpload, upload)
        self.assertEqual(b"old", self.read("f"))
        for piece in (b"a", b"bc"):
            stored = upload.write(piece)
            if stored is not None:
                self.successResultOf(stored)
        self.successResultOf(upload.finish())
        self.assertEqual((b"abc", 3), (self.read("f"), upload.octets))
        self.successResultOf(self.successResultOf(self.store.open_upload(("empty",))).finish())
        self.assertEqual(b"", self.read("empty"))
        self.assertEqual(self.before, open_descriptors())

    def test_abandoned(self) -> None:
        """P-DX-5: before its first octet it leaves what was there; after it what the shell keeps."""
        upload = self.successResultOf(self.store.open_upload(("f",)))
        self.assertIs(None, upload.abandon())
        self.assertEqual(b"old", self.read("f"))
        upload = self.successResultOf(self.store.open_upload(("f",)))
        upload.write(b"a")
        self.assertEqual(1, upload.abandon())
        self.assertIs(None, upload.abandon())
        self.assertRaises(ValueError, upload.write, b"x")
        self.assertRaises(ValueError, upload.take, 0, 1)
        self.assertEqual(self.before, open_descriptors())

    def test_refusals(self) -> None:
        """P-STOR-1, P-MKD-1, P-RNTO-1: as of our own avatar."""
        for asked, failure in (
            (self.store.open_upload(("sub",)), NameNotAllowed),
            (self.store.open_upload(("none", "x")), NotFound),
            (self.store.open_upload(("f", "x")), StorageError),
            (self.store.open_upload(("f",), is_part=True), PermissionDenied),
            (self.store.open_upload(("none",), offset=1), NotFound),
            (self.store.open_unique(("f",)), ObjectExists),
            (self.store.make_directory(("sub",)), ObjectExists),
            (self.store.make_directory(("none", "x")), NotFound),
            (self.store.remove_directory(("sub",)), DirectoryNotEmpty),
            (self.store.remove_directory(("f",)), NotADirectory),
            (self.store.move(("f",), ("sub",), replace=True), Occupied),
            (self.store.move(("sub", "x"), ("f",), replace=False), Occupied),
            (self.store.set_mode(("f",), 0o600), PermissionDenied),
        ):
            self.failureResultOf(asked, failure)
        self.assertIs(None, self.store.free_space(()))
        self.assertIs(None, self.store.read_upload(("f",)))

    def test_changes(self) -> None:
        """P-MKD-1, P-RNTO-1, P-DELE-1, P-STOU-1: what it can do."""
        self.successResultOf(self.store.make_directory(("d",)))
        self.successResultOf(self.store.move(("sub", "x"), ("f",), replace=True))
        self.assertEqual(b"", self.read("f"))
        self.successResultOf(self.successResultOf(self.store.open_unique(("u",))).finish())
        self.successResultOf(self.store.remove_file(("u",)))
        self.successResultOf(self.store.remove_directory(("d",)))
        self.assertEqual({"f", "sub"}, set(os.listdir(self.root)))

    def test_anonymous(self) -> None:
        """P-SEC-7: the anonymous shell refuses everything by itself."""
        store: Any = adapt(ftp.FTPAnonymousShell(FilePath(self.root)))
        upload = self.successResultOf(store.open_upload(("n",)))
        self.failureResultOf(upload.write(b"x"), PermissionDenied)
        self.failureResultOf(store.remove_file(("f",)), PermissionDenied)
        self.failureResultOf(store.make_directory(("d",)), PermissionDenied)


class Writer:
    """An ``IWriteFile`` and its consumer."""

    def __init__(self, content: bytearray) -> None:
        self.content = content
        self.is_closed = False
        self.error: Exception | None = None
        self.closing: Deferred[None] = succeed(None)
        self.producer: Any = None

    def receive(self) -> Deferred[Any]:
        return succeed(self)

    def close(self) -> Deferred[None]:
        self.is_closed = True
        return self.closing

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def write(self, data: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.content += data


class UploadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.writer = Writer(bytearray())
        self.upload = ForeignUpload(lambda: succeed(self.writer), 5)

    def begin(self) -> None:
        self.successResultOf(self.upload.write(b"a"))

    def test_paused(self) -> None:
        """P-SEC-10: a consumer that pauses its producer holds the upload up."""
        self.begin()
        self.writer.producer.pauseProducing()
        stored = self.upload.write(b"b")
        assert stored is not None
        self.assertNoResult(stored)
        self.writer.producer.resumeProducing()
        self.successResultOf(stored)
        self.assertIs(None, self.upload.write(b"c"))
        self.assertEqual(b"abc", bytes(self.writer.content))

    def test_stopped(self) -> None:
        """P-DX-8: a consumer that takes no more fails it, at once and from then on."""
        self.begin()
        self.writer.producer.pauseProducing()
        stored = self.upload.write(b"b")
        self.writer.producer.stopProducing()
        self.failureResultOf(stored, WriteFailed)
        self.assertRaises(WriteFailed, self.upload.write, b"c")
        self.assertRaises(WriteFailed, self.upload.finish)

    def test_write_fails(self) -> None:
        """P-DX-8: what the consumer raises is the upload's failure."""
        self.begin()
        self.writer.error = KeyError("x")
        self.assertRaises(KeyError, self.upload.write, b"b")

    def test_close(self) -> None:
        """P-DX-3: it is finished when the shell says so; its failure to close is one of the upload."""
        self.begin()
        self.writer.closing = Deferred()
        finished = self.upload.finish()
        self.assertNoResult(finished)
        self.writer.closing.callback(None)
        self.successResultOf(finished)
        other = Writer(bytearray())
        other.closing = fail(KeyError("x"))
        self.failureResultOf(ForeignUpload(lambda: succeed(other)).finish(), KeyError)

    def test_open_fails(self) -> None:
        """It may turn out that late."""
        self.failureResultOf(ForeignUpload(lambda: fail(KeyError("x"))).write(b"a"), KeyError)

    def test_kept(self) -> None:
        """What is kept counts from the beginning of the file."""
        self.begin()
        self.assertEqual(6, self.upload.abandon())
        self.assertTrue(self.writer.is_closed)


@implementer(ftp.IReadFile)
class Reader:
    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    def send(self, consumer: Any) -> Deferred[None]:
        consumer.write(self.octets)
        return succeed(None)


@implementer(IRestartable, IAppendable, ITimestamps)
class AbleShell(ftp.FTPShell):
    """A shell that can do everything there is an optional interface for; files are kept in ``contents``."""

    def __init__(self, root: str) -> None:
        super().__init__(FilePath(root))
        self.times: dict[str, float] = {}
        self.opened: list[int] = []

    def where(self, path: Any) -> str:
        return self._path(path).path  # type: ignore[no-any-return]

    def openForReadingAt(self, path: Any, offset: int) -> Deferred[Any]:
        self.opened.append(offset)
        with open(self.where(path), "rb") as file:
            return succeed(Reader(file.read()[offset:]))

    def _write(self, path: Any, offset: int) -> Deferred[Any]:
        number = os.open(self.where(path), os.O_WRONLY | os.O_CREAT)
        os.lseek(number, offset, os.SEEK_SET)
        os.ftruncate(number, offset)
        file = os.fdopen(number, "wb")
        return succeed(ftp._FileWriter(file))

    def openForWritingAt(self, path: Any, offset: int) -> Deferred[Any]:
        return self._write(path, offset)

    def openForAppending(self, path: Any) -> Deferred[Any]:
        where = self.where(path)
        return self._write(path, os.path.getsize(where) if os.path.exists(where) else 0)

    def setModificationTime(self, path: Any, seconds: float) -> Deferred[None]:
        self.times["/".join(path)] = seconds
        return succeed(None)


class AbleTests(SynchronousTestCase):
    """A shell with all optional interfaces."""

    def setUp(self) -> None:
        self.root = self.mktemp()
        plant(self.root, {"f": b"0123456789"})
        self.shell = AbleShell(self.root)
        self.store: Any = adapt(self.shell)

    def put(self, octets: bytes, **how: Any) -> bytes:
        upload = self.successResultOf(self.store.open_upload(("f",), **how))
        stored = upload.write(octets)
        if stored is not None:
            self.successResultOf(stored)
        self.successResultOf(upload.finish())
        with open(os.path.join(self.root, "f"), "rb") as file:
            return file.read()

    def test_offered(self) -> None:
        """What it can do is offered."""
        for interface in (IRestartable, IAppendable, ITimestamps):
            verifyObject(interface, self.shell)
        self.assertTrue(self.store.restartable and self.store.appendable and self.store.changes_times)

    def test_writing(self) -> None:
        """P-REST-3, P-APPE-1: from the middle and at the end."""
        self.assertEqual(b"0123X", self.put(b"X", offset=4))
        self.assertEqual(b"0123XY", self.put(b"Y", offset=None))

    def test_time(self) -> None:
        """P-MFMT-1."""
        self.successResultOf(self.store.set_modified(("f",), 5.0))
        self.assertEqual({"f": 5.0}, self.shell.times)

    def test_reading(self) -> None:
        """P-REST-2: from anywhere, and again; the file is opened anew only where it does not go on."""
        file: Any = self.successResultOf(self.store.open_file(("f",)))
        verifyObject(IOpenFile, file)
        self.assertIsInstance(file, RestartableFile)
        for offset, count, expected in ((4, 3, b"456"), (7, 9, b"789"), (0, 2, b"01"), (2, 3, b"234"), (9, 1, b"9")):
            data = file.read_at(offset, count)
            self.assertEqual(expected, data if isinstance(data, bytes) else self.successResultOf(data))
        self.assertEqual([4, 0, 9], self.shell.opened)
        file.close()
        file.close()
        self.assertRaises(ValueError, file.read_at, 0, 1)
        self.assertTrue(file.is_cached(0, 1))
        self.successResultOf(file.warm(0, 1))

    def test_direct(self) -> None:
        """A reader that gives its descriptor away is sent from by the kernel."""
        path = os.path.join(self.root, "f")

        class Direct(Reader):
            def detach(self) -> int:
                return os.open(path, os.O_RDONLY)

        reader = Direct(b"")
        alsoProvides(reader, IDirectFile)
        self.patch(self.shell, "openForReading", lambda path: succeed(reader))
        before = open_descriptors()
        file: Any = self.successResultOf(self.store.open_file(("f",)))
        self.assertIsNotNone(file.descriptor)
        self.assertEqual(b"0123456789", read_to_end(self, file))
        file.close()
        self.assertEqual(before, open_descriptors())

"""``storage.foreign`` and ``storage.foreign_reading``: other people's avatars."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IConsumer
from twisted.protocols import ftp
from twisted.python.filepath import FilePath, Permissions
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.support.trees import Link, open_descriptors, plant
from twistftp.storage import adapt
from twistftp.storage.failures import (
    IsADirectory,
    NotADirectory,
    NotFound,
    ObjectExists,
    PermissionDenied,
    ReadFailed,
)
from twistftp.storage.foreign import ForeignStore
from twistftp.storage.foreign_reading import ForeignFile
from twistftp.storage.interfaces import IListing, IOpenFile


def read_to_end(case: SynchronousTestCase, file: Any, count: int = 1000) -> bytes:
    """Read a file whose blocks come at once or from a producer that needs nobody's help."""
    content = b""
    while True:
        block = file.read_at(len(content), count)
        if isinstance(block, Deferred):
            block = case.successResultOf(block)
        if not block:
            return content
        case.assertLessEqual(len(block), count)
        content += block


class StockTests(SynchronousTestCase):
    """Twisted's own ``FTPAnonymousShell``."""

    def setUp(self) -> None:
        self.root = self.mktemp()
        self.content = os.urandom(300_000)
        plant(self.root, {"f": self.content, "sub": {"b": b"", "a": b"", b"\xe9": b"1"}, "line\nend": b""})
        os.chmod(os.path.join(self.root, "f"), 0o640)
        os.utime(os.path.join(self.root, "f"), (1, 1_000_000_000))
        self.store = adapt(ftp.FTPAnonymousShell(FilePath(self.root)))

    def listed(self, *path: str) -> list[str]:
        listing = self.successResultOf(self.store.listing(path))
        verifyObject(IListing, listing)
        names = []
        while batch := self.successResultOf(listing.next_batch()):
            names += [entry.name for entry in batch]
        listing.close()
        return names

    def test_status(self) -> None:
        """An object's values are those that the interface has words for; others are not among the facts."""
        entry = self.successResultOf(self.store.status(("f",)))
        self.assertEqual(("f", stat.S_IFREG | 0o640, 300_000, 1_000_000_000, 1), entry[:5])
        self.assertEqual(("", ""), (entry.unique, entry.perm))
        self.assertEqual(frozenset(), {"unique", "perm"} & self.store.facts)
        self.assertFalse(self.store.restartable)

    def test_root(self) -> None:
        """The root is a directory and is named ``/``."""
        entry = self.successResultOf(self.store.status(()))
        self.assertEqual(("/", True), (entry.name, entry.is_directory))

    def test_listing(self) -> None:
        """P-LS-3, P-LINE-10, P-PATH-2: names are in the order of octets, without line ends, and any octets."""
        self.assertEqual(["a", "b", "\udce9"], self.listed("sub"))
        self.assertEqual(["f", "sub"], self.listed())

    def test_dangling_link(self) -> None:
        """P-LS-6: a dangling link, for which Twisted's shell gives up the whole directory, is left out."""
        plant(self.root, {"broken": Link("none")})
        self.assertEqual(["f", "sub"], self.listed())

    def test_refusals(self) -> None:
        """Stock failures are ours."""
        for path, failure in ((("none",), NotFound), (("..", "x"), NotFound), (("a/b",), NotFound)):
            self.failureResultOf(self.store.status(path), failure)
        self.failureResultOf(self.store.listing(("f",)), NotADirectory)
        self.failureResultOf(self.store.listing(("none",)), NotFound)
        self.failureResultOf(self.store.open_file(("sub",)), IsADirectory)
        self.failureResultOf(self.store.open_file(("none",)), NotFound)

    def test_reading(self) -> None:
        """A file is read from its beginning to its end, whatever the block, and closed there."""
        before = open_descriptors()
        for count in (1000, 65536, 1 << 20):
            file = self.successResultOf(self.store.open_file(("f",)))
            verifyObject(IOpenFile, file)
            self.assertEqual((300_000, None), (file.size, file.descriptor))
            self.assertEqual(self.content, read_to_end(self, file, count))
            file.close()
        self.assertEqual(before, open_descriptors())

    def test_close_early(self) -> None:
        """A file that is closed unread, or half read, is let go of by the shell's reader."""
        before = open_descriptors()
        unread = self.successResultOf(self.store.open_file(("f",)))
        unread.close()
        half = self.successResultOf(self.store.open_file(("f",)))
        self.successResultOf(half.read_at(0, 10))
        half.close()
        half.close()
        self.assertEqual(before, open_descriptors())

    def test_order_of_reading(self) -> None:
        """Reading anywhere else is a mistake of the caller's (``restartable`` is False)."""
        file = self.successResultOf(self.store.open_file(("f",)))
        self.addCleanup(file.close)
        self.assertRaises(ValueError, file.read_at, 5, 10)


@implementer(ftp.IFTPShell)
class ThirdParty:
    """A shell that somebody wrote for a database: it answers later, in its own types."""

    when = datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1)))

    def __init__(self) -> None:
        self.pending: list[Callable[[], None]] = []
        self.objects: dict[tuple[str, ...], list[Any]] = {
            (): [0, True, 0o755, 2, None, "", None],
            ("one",): [3, False, stat.S_IFREG | 0o604, 1, self.when, b"a user", "two  words"],
            ("two",): [None, 0, Permissions(0o751), 0, datetime(2020, 1, 1), "", "g"],
        }
        self.error: Exception | None = None

    def _later(self, value: Any) -> Deferred[Any]:
        result: Deferred[Any] = Deferred()
        self.pending.append(lambda: result.errback(self.error) if self.error else result.callback(value))
        return result

    def stat(self, path: list[str], keys: tuple[str, ...] = ()) -> Deferred[Any]:
        if tuple(path) not in self.objects:
            return fail(ftp.FileNotFoundError("/".join(path)))
        return self._later(self.objects[tuple(path)])

    def list(self, path: list[str], keys: tuple[str, ...] = ()) -> Deferred[Any]:
        names: list[str | bytes] = [b"two", "one", b"\xff", ".", "..", "", "a/b", "nul\0"]
        return self._later([(name, self.objects[("one",)]) for name in names])

    def openForReading(self, path: list[str]) -> Deferred[Any]:
        raise ftp.PermissionDeniedError("/".join(path))


class ThirdPartyTests(SynchronousTestCase):
    """A hand-written ``IFTPShell``."""

    def setUp(self) -> None:
        self.shell = ThirdParty()
        self.store = ForeignStore(self.shell)

    def answer(self, result: Deferred[Any]) -> Deferred[Any]:
        while self.shell.pending:
            self.shell.pending.pop(0)()
        return result

    def test_types(self) -> None:
        """Modes as numbers or ``Permissions``, times as numbers, datetimes or nothing, owners as octets: all are understood."""
        one = self.successResultOf(self.answer(self.store.status(("one",))))
        self.assertEqual(("one", stat.S_IFREG | 0o604, 3, self.shell.when.timestamp(), 1, "a_user", "two__words"), one[:7])
        two = self.successResultOf(self.answer(self.store.status(("two",))))
        self.assertEqual(("two", stat.S_IFREG | 0o751, 0, 1577836800, 1, "ftp", "g"), two[:7])
        root = self.successResultOf(self.answer(self.store.status(())))
        self.assertEqual((stat.S_IFDIR | 0o755, 0, 0, 2, "ftp", "ftp"), root[1:7])

    def test_listing(self) -> None:
        """P-LS-3: ``.``, ``..`` and names that nobody could ask for are left out; names may be octets."""
        listing = self.successResultOf(self.answer(self.store.listing(())))
        found = self.successResultOf(listing.next_batch())
        self.assertEqual(["one", "two", "\udcff"], [entry.name for entry in found])
        self.assertEqual([], self.successResultOf(listing.next_batch()))

    def test_waiting(self) -> None:
        """The answer comes when the shell's comes."""
        status = self.store.status(("one",))
        self.assertNoResult(status)
        self.answer(status)
        self.successResultOf(status)

    def test_failures(self) -> None:
        """Every stock failure, and the system's, has one of ours; an unknown one stays what it is."""
        for error, failure in (
            (ftp.FileNotFoundError("x"), NotFound),
            (ftp.IsADirectoryError("x"), IsADirectory),
            (ftp.IsNotADirectoryError("x"), NotADirectory),
            (ftp.PermissionDeniedError("x"), PermissionDenied),
            (ftp.AnonUserDeniedError(), PermissionDenied),
            (ftp.FileExistsError("x"), ObjectExists),
            (PermissionError(13, "no"), PermissionDenied),
            (OSError(5, "Input/output error"), ReadFailed),
            (ZeroDivisionError(), ZeroDivisionError),
            (ftp.FTPCmdError(), ftp.FTPCmdError),
        ):
            self.shell.error = error
            self.failureResultOf(self.answer(self.store.status(("one",))), failure)

    def test_shell_that_raises(self) -> None:
        """A shell that raises instead of failing its Deferred is understood as well."""
        opening = self.store.open_file(("one",))
        self.answer(opening)  # to stat
        self.failureResultOf(opening, PermissionDenied)


class Producer:
    """A producer that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.more: Callable[[], None] = lambda: None

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")
        self.more()

    def stopProducing(self) -> None:
        self.told.append("stop")


@implementer(ftp.IReadFile)
class Reader:
    """An ``IReadFile`` over such a producer; ``sent`` is what ``send`` gave."""

    def __init__(self, streaming: bool) -> None:
        self.streaming = streaming
        self.producer = Producer()
        self.sent: Deferred[None] = Deferred()
        self.consumer: Any = None

    def send(self, consumer: Any) -> Deferred[None]:
        self.consumer = consumer
        verifyObject(IConsumer, consumer)
        consumer.registerProducer(self.producer, self.streaming)
        return self.sent

    def end(self) -> None:
        self.consumer.unregisterProducer()
        self.sent.callback(None)


class PushTests(SynchronousTestCase):
    """A producer that pushes."""

    def setUp(self) -> None:
        self.reader = Reader(streaming=True)
        self.file = ForeignFile(self.reader, 10)

    def test_nothing_before_it_is_asked_for(self) -> None:
        """The content is sent when the first block is read."""
        self.assertIsNone(self.reader.consumer)

    def test_reading(self) -> None:
        """A read waits for octets, takes what there is, and ``b""`` is the end."""
        first = self.file.read_at(0, 4)
        self.assertNoResult(first)
        self.reader.consumer.write(b"")
        self.assertNoResult(first)
        self.reader.consumer.write(b"123456")
        self.assertEqual(b"1234", self.successResultOf(first))
        self.assertEqual(b"56", self.file.read_at(4, 100))
        last = self.file.read_at(6, 100)
        self.reader.end()
        self.assertEqual(b"", self.successResultOf(last))
        self.assertEqual(b"", self.file.read_at(6, 100))

    def test_blocks_are_joined(self) -> None:
        """What was written in small pieces is read in one."""
        self.file.read_at(0, 1)
        for octet in b"abcdef":
            self.reader.consumer.write(bytes([octet]))
        self.assertEqual(b"bcde", self.file.read_at(1, 4))
        self.assertEqual(b"f", self.file.read_at(5, 4))

    def test_back_pressure(self) -> None:
        """P-SEC-10: over 256 KiB held pause the producer once, under 128 KiB resume it."""
        self.file.read_at(0, 1)
        for _ in range(5):
            self.reader.consumer.write(bytes(64 * 1024))
        self.assertEqual(["pause"], self.reader.producer.told)
        self.file.read_at(1, 100 * 1024)
        self.assertEqual(["pause"], self.reader.producer.told)
        self.file.read_at(1 + 100 * 1024, 100 * 1024)
        self.assertEqual(["pause", "resume"], self.reader.producer.told)

    def test_failure(self) -> None:
        """What was written before a failure is read, then the failure is raised, each time."""
        first = self.file.read_at(0, 100)
        self.reader.consumer.write(b"1")
        self.reader.consumer.write(b"2")
        self.reader.sent.errback(ZeroDivisionError())
        self.assertEqual(b"1", self.successResultOf(first))
        self.assertEqual(b"2", self.file.read_at(1, 100))
        self.assertRaises(ZeroDivisionError, self.file.read_at, 2, 100)
        self.assertRaises(ZeroDivisionError, self.file.read_at, 2, 100)

    def test_failure_while_waiting(self) -> None:
        """A read that waits gets the failure."""
        reading = self.file.read_at(0, 100)
        self.reader.sent.errback(ZeroDivisionError())
        self.failureResultOf(reading, ZeroDivisionError)

    def test_close(self) -> None:
        """Closing stops the producer and cancels the read that waits; what is written after that is dropped."""
        reading = self.file.read_at(0, 100)
        self.file.close()
        self.failureResultOf(reading, CancelledError)
        self.assertEqual(["stop"], self.reader.producer.told)
        self.reader.consumer.write(b"late")
        self.reader.sent.errback(ZeroDivisionError())
        self.assertRaises(ValueError, self.file.read_at, 0, 1)

    def test_close_unread(self) -> None:
        """A file that was never read is sent and stopped at once: its reader has no other way to learn of the end."""
        self.file.close()
        self.assertEqual(["stop"], self.reader.producer.told)

    def test_cancel(self) -> None:
        """A read can be cancelled and repeated."""
        reading = self.file.read_at(0, 100)
        reading.cancel()
        self.failureResultOf(reading, CancelledError)
        self.reader.consumer.write(b"1")
        self.assertEqual(b"1", self.file.read_at(0, 100))

    def test_one_read_at_a_time(self) -> None:
        """A second read while one waits is a mistake of the caller's."""
        self.file.read_at(0, 100)
        self.assertRaises(ValueError, self.file.read_at, 0, 100)


class PullTests(SynchronousTestCase):
    """A producer that is asked for each block."""

    def setUp(self) -> None:
        self.reader = Reader(streaming=False)
        self.file = ForeignFile(self.reader, 10)

    def test_asked_when_needed(self) -> None:
        """It is asked when a read finds nothing, and no sooner."""
        self.reader.producer.more = lambda: self.reader.consumer.write(b"abc")
        self.assertEqual(b"ab", self.successResultOf(self.file.read_at(0, 2)))
        self.assertEqual(b"c", self.file.read_at(2, 2))
        self.assertEqual(["resume"], self.reader.producer.told)
        self.assertEqual(b"ab", self.successResultOf(self.file.read_at(3, 2)))
        self.assertEqual(["resume", "resume"], self.reader.producer.told)

    def test_empty_blocks(self) -> None:
        """A producer that writes nothing at times is asked again."""
        blocks = [b"", b"", b"x"]
        self.reader.producer.more = lambda: self.reader.consumer.write(blocks.pop(0))
        self.assertEqual(b"x", self.successResultOf(self.file.read_at(0, 2)))

    def test_writes_later(self) -> None:
        """A producer may write some time after it was asked."""
        reading = self.file.read_at(0, 2)
        self.assertEqual(["resume"], self.reader.producer.told)
        self.reader.consumer.write(b"x")
        self.assertEqual(b"x", self.successResultOf(reading))

    def test_end(self) -> None:
        """The end may come while it is being asked."""
        self.reader.producer.more = self.reader.end
        self.assertEqual(b"", self.successResultOf(self.file.read_at(0, 2)))

    def test_no_producer(self) -> None:
        """A reader may write everything at once without registering anything."""

        class Simple:
            def send(self, consumer: Any) -> Deferred[None]:
                consumer.write(b"all")
                return succeed(None)

        self.assertEqual(b"all", read_to_end(self, ForeignFile(Simple(), 3)))

    def test_two_producers(self) -> None:
        """A second producer is refused, as every consumer does."""
        self.file.read_at(0, 1)
        self.assertRaises(RuntimeError, self.reader.consumer.registerProducer, self.reader.producer, False)

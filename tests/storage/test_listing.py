"""``storage.listing``: directories, some entries at a time."""

from __future__ import annotations

import errno
import os
import time
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from tests.storage.threads import Threads
from tests.support.trees import Link, kernel_confines, open_descriptors, plant
from twistftp.storage import listing as module
from twistftp.storage.attributes import entry_of, rights
from twistftp.storage.confinement import Confinement
from twistftp.storage.failures import NotADirectory, NotFound, PermissionDenied, ReadFailed
from twistftp.storage.interfaces import ILongListing
from twistftp.storage.listing import LocalListing
from twistftp.storage.placing import RESERVED
from twistftp.wire.entries import Entry
from twistftp.wire.unix_form import UnixForm


class Cases:
    """The same for the kernel and for the walk."""

    use_openat2: bool

    def setUp(self) -> None:
        if self.use_openat2 and not kernel_confines():
            raise SkipTest("openat2 does not work here")
        self.root = self.mktemp()
        os.mkdir(self.root)
        self.confinement = Confinement(self.root, use_openat2=self.use_openat2)
        self.addCleanup(self.confinement.close)
        self.threads = Threads()
        # A sixteenth of what the server does: making thousands of files takes long on some machines.
        for name, value in (("_SMALL", -1), ("_AT_ONCE", 64), ("_RUN", 256), ("_FEW_RUNS", 2), ("_BATCH", 16), ("_STEP", 4)):
            self.patch(module, name, value)

    def listing(self, *path: str) -> LocalListing:
        listing = LocalListing(self.confinement, path, self.threads)
        self.addCleanup(listing.close)
        return listing

    def batches(self, listing: LocalListing) -> list[list[Entry]]:
        batches = []
        while True:
            batch = listing.next_batch()
            if isinstance(batch, Deferred):
                self.threads.run()
                batch = self.successResultOf(batch)
            if not batch:
                return batches
            batches.append(batch)

    def names(self, *path: str) -> list[str]:
        return [entry.name for batch in self.batches(self.listing(*path)) for entry in batch]

    def lines(self, form: UnixForm | bytes, *path: str) -> bytes:
        """All lines of LIST in a form, or of NLST with a prefix."""
        listing, lines = self.listing(*path), b""
        while True:
            more = listing.next_names(form) if isinstance(form, bytes) else listing.next_lines(form)
            if isinstance(more, Deferred):
                self.threads.run()
                more = self.successResultOf(more)
            if not more:
                return lines
            lines += more

    def test_lines(self) -> None:
        """P-LS-9: LIST's lines made in the listing are those of its entries, whatever the objects are and however the names are read."""
        tree = {"a file": b"12345", b"caf\xe9": b"", "dir": {}, "to": Link("a file"), "nowhere": Link("none"), "out": Link("/../../etc")}
        plant(self.root, {**tree, **{f"{number:03}": b"x" * number for number in range(200)}})
        os.mkfifo(os.path.join(self.root, "fifo"))
        form = UnixForm(time.time(), 3600)
        expected = b"".join(form.lines(batch) for batch in self.batches(self.listing()))
        self.assertEqual(207, expected.count(b"\r\n"))
        self.assertEqual(expected, self.lines(form))
        names = b"".join(b"d/" + os.fsencode(entry.name) + b"\r\n" for batch in self.batches(self.listing()) for entry in batch)
        self.assertEqual(names, self.lines(b"d/"))
        self.patch(module, "_SMALL", 1 << 30)
        self.assertEqual(expected, self.lines(form))
        self.assertEqual(expected, b"".join(form.lines(batch) for batch in self.batches(self.listing())))

    def test_order(self) -> None:
        """P-LS-3: names are in the order of their octets, dot files among them, ``.`` and ``..`` not."""
        names = ("b", "a", "Z", ".hidden", "é", "\udcff", "\uffff", "\U00010000", "~", "-rf", " x ")
        plant(self.root, dict.fromkeys(names, b""))
        self.assertEqual([" x ", "-rf", ".hidden", "Z", "a", "b", "~", "é", "\uffff", "\U00010000", "\udcff"], self.names())

    def test_any_octets(self) -> None:
        """P-PATH-2: names that are not UTF-8 are listed as they are."""
        plant(self.root, {b"caf\xe9": b"", "café": b""})
        self.assertEqual(["caf\N{LATIN SMALL LETTER E WITH ACUTE}", "caf\udce9"], self.names())

    def test_other_locale(self) -> None:
        """P-PATH-2: octets stay what they are under a locale that is not UTF-8."""

        class Named:
            name = "caf\xe9"  # as a Latin-1 locale decodes what is on the disk

        plant(self.root, {b"caf\xe9": b"1"})
        listing = self.listing()
        with mock.patch.object(module, "_ENCODING", "latin-1"):
            listing._read_run([Named()], 5)
        self.assertEqual([[b"caf\xe9"]], listing._runs)

    def test_line_ends(self) -> None:
        """P-LINE-10: names with CR or LF are left out."""
        plant(self.root, {"a\nb": b"", "a\rb": b"", "ok": b"", "\n": b""})
        self.assertEqual(["ok"], self.names())

    def test_empty(self) -> None:
        """An empty directory has no batch."""
        self.assertEqual([], self.batches(self.listing()))

    def test_values(self) -> None:
        """What is listed is what ``entry_of`` says of each object."""
        plant(self.root, {"d": {}, "f": b"123"})
        os.mkfifo(os.path.join(self.root, "p"))
        expected = [entry_of(name, os.lstat(os.path.join(self.root, name)), rights()) for name in ("d", "f", "p")]
        (found,) = self.batches(self.listing())
        self.assertEqual(expected, found)
        self.assertEqual([Entry] * 3, [type(entry) for entry in found])

    def test_vanished(self) -> None:
        """P-LS-6: what vanishes while it is listed is left out, and the rest is listed."""
        plant(self.root, {f"{number:02}": b"" for number in range(60)})
        listing = self.listing()
        self.assertEqual(16, len(listing.next_batch()))
        for number in range(50):
            os.unlink(os.path.join(self.root, f"{number:02}"))
        self.assertEqual([f"{number:02}" for number in range(50, 60)], [e.name for batch in self.batches(listing) for e in batch])

    def test_replaced_by_a_link(self) -> None:
        """P-LS-6: a link that vanishes while it is looked at is left out."""
        plant(self.root, {"a": Link("b"), "b": b""})
        with mock.patch.object(os, "readlink", side_effect=FileNotFoundError(errno.ENOENT, "")):
            self.assertEqual(["b"], self.names())

    def test_batches(self) -> None:
        """P-LS-8: entries come some at a time, the smaller directories' at once."""
        plant(self.root, {f"{number:02}": b"" for number in range(63)})
        sizes = [len(batch) for batch in self.batches(self.listing())]
        self.assertEqual([16, 16, 16, 15], sizes)
        listing = self.listing()
        self.assertIsInstance(listing.next_batch(), list)

    def test_big_directory(self) -> None:
        """P-LS-8, P-LS-9: a big directory's names are read and sorted in a thread; all are listed, in order."""
        expected = [f"{number:03}" for number in range(150)]
        plant(self.root, dict.fromkeys(expected, b""))
        with mock.patch.object(module, "_RUN", 20):  # so that there are several runs to be merged
            listing = self.listing()
            first = listing.next_batch()
            self.assertIsInstance(first, Deferred)
            self.assertNoResult(first)
            self.threads.run()
        found = [entry.name for entry in self.successResultOf(first)]
        listing._is_slow = False
        found += [entry.name for batch in self.batches(listing) for entry in batch]
        self.assertEqual(expected, found)

    def test_cold_disk(self) -> None:
        """P-LS-8: once looking took long, the rest is looked at in threads, and what there is is given at once."""
        plant(self.root, {f"{number:03}": b"" for number in range(20)})
        listing = self.listing()
        now = iter(range(1000))
        with mock.patch.object(module, "perf_counter", lambda: next(now)):
            first = listing.next_batch()
            self.assertEqual(4, len(first))
            second = listing.next_batch()
            self.assertNoResult(second)
            self.threads.run()
        self.assertEqual("004", self.successResultOf(second)[0].name)

    def test_refusals(self) -> None:
        """What is missing, outside or no directory is refused, and nothing stays open."""
        plant(self.root, {"f": b"", "out": Link("../..")})
        before = open_descriptors()
        self.assertRaises(NotFound, LocalListing, self.confinement, ("none",))
        self.assertRaises(NotADirectory, LocalListing, self.confinement, ("f",))
        with mock.patch.object(Confinement, "_open", side_effect=OSError(errno.EACCES, "")):
            self.assertRaises(PermissionDenied, LocalListing, self.confinement, ())
        self.assertEqual(before, open_descriptors())

    def test_opening_reads_nothing(self) -> None:
        """A directory that is opened only to see whether it may be (CWD) is not read."""
        with mock.patch.object(os, "scandir") as scandir:
            self.listing().close()
        scandir.assert_not_called()

    def test_disk_fails(self) -> None:
        """A disk that fails in the middle of a big directory is ReadFailed."""
        plant(self.root, {f"{number:03}": b"" for number in range(100)})
        listing = self.listing()
        reading = listing.next_batch()
        with mock.patch.object(LocalListing, "_read_run", side_effect=OSError(errno.EIO, "")):
            self.threads.run()
            self.failureResultOf(reading, ReadFailed)
            self.assertRaises(ReadFailed, self.listing().next_batch)

    def test_close(self) -> None:
        """Closing, also in the middle, leaves nothing open, and there are no more entries."""
        plant(self.root, {f"{number:03}": b"" for number in range(100)})
        before = open_descriptors()
        listing = self.listing()
        reading = listing.next_batch()
        listing.close()
        listing.close()
        self.threads.run()
        self.assertEqual(16, len(self.successResultOf(reading)))
        self.assertEqual([], listing.next_batch())
        self.assertEqual(before, open_descriptors())

    def test_close_unread(self) -> None:
        """Closing before the first batch came, or after it could not be read, leaves nothing open."""
        plant(self.root, {f"{number:03}": b"" for number in range(100)})
        before = open_descriptors()
        self.listing().close()
        listing = self.listing()
        with mock.patch.object(LocalListing, "_read_run", side_effect=OSError(errno.EIO, "")):
            self.assertRaises(ReadFailed, listing.next_batch)
        listing.close()
        self.assertEqual(before, open_descriptors())


class KernelTests(Cases, SynchronousTestCase):
    """``openat2``."""

    use_openat2 = True

    def test_interface(self) -> None:
        """A listing is an ``IListing``."""
        verifyObject(ILongListing, self.listing())


class WalkTests(Cases, SynchronousTestCase):
    """The walk in user space."""

    use_openat2 = False


class RealPathTests(SynchronousTestCase):
    """Where directories have no descriptors (Windows)."""

    def test_listing(self) -> None:
        """Names and links are found by path."""
        root = os.path.realpath(self.mktemp())
        plant(root, {"sub": {b"\xe9": b"", "f": b"1", "l": Link("f")}})
        confinement = Confinement(root, use_descriptors=False)
        listing = LocalListing(confinement, ("sub",))
        found = listing.next_batch()
        listing.close()
        self.assertEqual([("f", None), ("l", "f"), ("\udce9", None)], [(entry.name, entry.target) for entry in found])


class RealThreadTests(TestCase):
    """The reactor's own threads."""

    async def test_big_directory(self) -> None:
        """P-LS-8: a big directory is listed whole."""
        root = self.mktemp()
        plant(root, {f"{number:05}": b"" for number in range(1100)})
        confinement = Confinement(root)
        self.addCleanup(confinement.close)
        listing = LocalListing(confinement, ())
        self.addCleanup(listing.close)
        found: list[str] = []
        while True:
            batch = listing.next_batch()
            entries = await batch if isinstance(batch, Deferred) else batch
            if not entries:
                break
            found += [entry.name for entry in entries]
        self.assertEqual([f"{number:05}" for number in range(1100)], found)


class PropertyTests(SynchronousTestCase):
    """Any names."""

    @settings(deadline=None, max_examples=40)
    @given(st.sets(st.binary(min_size=1, max_size=20).map(lambda name: name.replace(b"/", b"").replace(b"\0", b"")), max_size=12))
    def test_all_names_in_order(self, names: set[bytes]) -> None:
        """P-PATH-2, P-LS-3: every name but those with line ends comes out, in the order of octets."""
        names -= {b"", b".", b".."}
        root = self.mktemp()
        plant(root, dict.fromkeys(names, b""))
        confinement = Confinement(root)
        listing = LocalListing(confinement, ())
        found = [entry.name.encode("utf-8", "surrogateescape") for entry in listing.next_batch()]
        listing.close()
        confinement.close()
        self.assertEqual(sorted(name for name in names if not {10, 13} & set(name) and not name.startswith(RESERVED)), found)

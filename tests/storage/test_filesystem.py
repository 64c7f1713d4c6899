"""``storage.filesystem``: the avatar over local files, for our session and for Twisted's own server."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.protocols import ftp
from twisted.python.filepath import Permissions
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

import twistftp
from tests.storage.threads import Threads
from tests.support.trees import Link, open_descriptors, plant
from twistftp.storage import adapt
from twistftp.storage import listing as listing_module
from twistftp.storage.confinement import Confinement
from twistftp.storage.failures import IsADirectory, NotADirectory, NotFound
from twistftp.storage.filesystem import FilesystemShell
from twistftp.storage.interfaces import IFileStore
from twistftp.wire.entries import ALL_FACTS

# A child finds the package where this process has found it.
_HERE = os.path.dirname(os.path.dirname(os.path.abspath(twistftp.__file__)))
_ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (_HERE, os.environ.get("PYTHONPATH"))))}
KEYS = ("size", "directory", "permissions", "hardlinks", "modified", "owner", "group")


class Base(SynchronousTestCase):
    """A root with some of everything."""

    def setUp(self) -> None:
        self.root = self.mktemp()
        plant(
            self.root,
            {"f": b"12345", "sub": {"g": b"123"}, "l": Link("sub"), "broken": Link("none"), "out": Link("../../x"), "caf\udce9": b""},
        )
        os.utime(os.path.join(self.root, "f"), (1, 1_000_000_000))
        os.chmod(os.path.join(self.root, "f"), 0o640)
        self.confinement = Confinement(self.root)
        self.addCleanup(self.confinement.close)
        self.threads = Threads()
        self.shell = FilesystemShell(self.confinement, self.threads)


class StoreTests(Base):
    """As ``IFileStore``."""

    def test_interfaces(self) -> None:
        """The avatar is an ``IFTPShell`` and an ``IFileStore``, and needs no adapter."""
        verifyObject(ftp.IFTPShell, self.shell)
        verifyObject(IFileStore, self.shell)
        self.assertIs(self.shell, adapt(self.shell))
        self.assertEqual((True, frozenset(ALL_FACTS)), (self.shell.restartable, self.shell.facts))

    def test_light(self) -> None:
        """A session's own share is one small object."""
        self.assertFalse(hasattr(self.shell, "__dict__"))
        self.assertLess(sys.getsizeof(self.shell), 200)

    def test_status(self) -> None:
        """P-LS-7: an object is named by the last name of its path, the root ``/``."""
        self.assertEqual(("f", 5, 1_000_000_000, "ftp", "ftp"), tuple(self.shell.status(("f",))[i] for i in (0, 2, 3, 5, 6)))
        self.assertEqual("g", self.shell.status(("sub", "g")).name)
        self.assertEqual("g", self.shell.status(("l", "g")).name)
        self.assertEqual("/", self.shell.status(()).name)
        self.assertTrue(self.shell.status(()).is_directory)

    def test_status_of_links(self) -> None:
        """A link carries what it leads to; a dangling one is there, too (P-LS-6)."""
        self.assertTrue(self.shell.status(("l",)).is_directory)
        self.assertTrue(self.shell.status(("l",)).is_link)
        self.assertIsNone(self.shell.status(("broken",)).resolved)
        self.assertEqual((None, None), self.shell.status(("out",))[9:])

    def test_status_fails(self) -> None:
        """P-PATH-4, P-PATH-6: what is missing, outside or impossible is not found."""
        for path in (("none",), ("none", "x"), ("n" * 256,), ("a\0",), ("sub/g",), ("..",), ("sub", ".."), (".",), ("",), ("broken", "x")):
            self.assertRaises(NotFound, self.shell.status, path)
        self.assertRaises(NotADirectory, self.shell.status, ("f", "x"))

    def test_listing(self) -> None:
        """A directory is listed as ``status`` describes each of its objects (P-LS-9)."""
        listing = self.shell.listing(())
        self.addCleanup(listing.close)
        found = listing.next_batch()
        self.assertEqual(["broken", "caf\udce9", "f", "l", "out", "sub"], [entry.name for entry in found])
        self.assertEqual([self.shell.status((entry.name,)) for entry in found], found)

    def test_open_file(self) -> None:
        """A file is opened for reading; a directory is not."""
        file = self.shell.open_file(("sub", "g"))
        self.addCleanup(file.close)
        self.assertEqual(3, file.size)
        self.assertRaises(IsADirectory, self.shell.open_file, ("sub",))
        self.assertRaises(NotFound, self.shell.open_file, ("broken",))

    def test_no_descriptor_is_left(self) -> None:
        """Asking leaves no descriptor open."""
        before = open_descriptors()
        for name in ("f", "l", "broken", "out", "sub"):
            self.shell.status((name,))
        self.assertEqual(before, open_descriptors())


class StockTests(Base):
    """As ``IFTPShell``, asked as Twisted's own server asks."""

    def test_stat(self) -> None:
        """``stat`` gives the values in the order of the keys, seen through links."""
        values = self.successResultOf(self.shell.stat(["f"], KEYS))
        self.assertEqual([5, False, Permissions(0o640), 1, 1_000_000_000, "ftp", "ftp"], values)
        self.assertEqual([True], self.successResultOf(self.shell.stat(["l"], ("directory",))))
        self.assertEqual([True], self.successResultOf(self.shell.stat([], ("directory",))))
        self.failureResultOf(self.shell.stat(["broken"], KEYS), ftp.FileNotFoundError)
        self.failureResultOf(self.shell.stat(["none"]), ftp.FileNotFoundError)

    def test_unknown_keys(self) -> None:
        """A key that ``IFTPShell`` does not have is an ``AttributeError``, as with Twisted's own shell."""
        self.failureResultOf(self.shell.stat(["f"], ("size", "colour")), AttributeError)
        self.failureResultOf(self.shell.list(["sub"], ("size", "colour")), AttributeError)

    def test_list(self) -> None:
        """``list`` gives a directory's entries, or the file alone."""
        self.assertEqual([("g", [3])], self.successResultOf(self.shell.list(["sub"], ("size",))))
        self.assertEqual([("g", [3])], self.successResultOf(self.shell.list(["sub", "g"], ("size",))))
        self.assertEqual(6, len(self.successResultOf(self.shell.list([]))))
        self.failureResultOf(self.shell.list(["none"]), ftp.FileNotFoundError)

    def test_list_of_a_big_directory(self) -> None:
        """Big directories are waited for."""
        self.patch(listing_module, "_SMALL", -1)
        self.patch(listing_module, "_AT_ONCE", 10)
        plant(self.root, {"big": {f"{number:04}": b"" for number in range(300)}})
        listing = self.shell.list(["big"])
        for _ in range(10):
            self.threads.run()
        self.assertEqual(300, len(self.successResultOf(listing)))

    def test_access(self) -> None:
        """``access`` is for directories that can be listed."""
        self.assertIsNone(self.successResultOf(self.shell.access(["l"])))
        self.failureResultOf(self.shell.access(["f"]), ftp.IsNotADirectoryError)
        self.failureResultOf(self.shell.access(["none"]), ftp.FileNotFoundError)

    def test_reading(self) -> None:
        """A file's content is produced to a consumer, and nothing stays open."""
        before = open_descriptors()
        reader = self.successResultOf(self.shell.openForReading(["sub", "g"]))
        verifyObject(ftp.IReadFile, reader)
        transport = StringTransport()
        sending = reader.send(transport)
        while transport.producer is not None:
            transport.producer.resumeProducing()
        self.successResultOf(sending)
        self.assertEqual(b"123", transport.value())
        self.assertEqual(before, open_descriptors())
        self.failureResultOf(self.shell.openForReading(["sub"]), ftp.IsADirectoryError)

    def test_read_only(self) -> None:
        """Whatever would change something is refused, and changes nothing."""
        before = sorted(os.listdir(self.root))
        for refused in (
            self.shell.makeDirectory(["new"]),
            self.shell.removeDirectory(["sub"]),
            self.shell.removeFile(["f"]),
            self.shell.rename(["f"], ["new"]),
            self.shell.openForWriting(["new"]),
        ):
            self.failureResultOf(refused, ftp.PermissionDeniedError)
        self.assertEqual(before, sorted(os.listdir(self.root)))


class RightsTests(TestCase):
    """What the serving process may not read."""

    def test_without_rights(self) -> None:
        """P-ML-5, P-RETR-1: what cannot be read is listed without rights, and refused when asked for."""
        if not hasattr(os, "setuid"):
            raise SkipTest("this system has no users to become")
        root = self.mktemp()
        plant(root, {"open": b"", "shut": b"", "dir": {"x": b""}, "hall": {"x": b"1"}})
        for name, mode in (("shut", 0o600), ("dir", 0o700), ("hall", 0o711), ("open", 0o644), ("", 0o755)):
            os.chmod(os.path.join(root, name), mode)
        # A child, because a process cannot become root again; it opens the root first, since its parents may be closed to it.
        user = os.geteuid() or 65534
        done = subprocess.run([sys.executable, "-c", _CHILD, root, str(user)], capture_output=True, text=True, check=False, env=_ENVIRONMENT)
        if user == os.geteuid():
            raise SkipTest("only root can become somebody else")
        self.assertEqual(("", "{'dir': '', 'hall': 'e', 'open': 'r', 'shut': ''} denied denied denied 1"), (done.stderr, done.stdout.strip()))


_CHILD = """
import os, sys
from twistftp.storage.confinement import Confinement
from twistftp.storage.failures import PermissionDenied
from twistftp.storage.filesystem import FilesystemShell
shell = FilesystemShell(Confinement(sys.argv[1]))
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
print({entry.name: entry.perm for entry in shell.listing(()).next_batch()}, end=" ")
for method, path in ((shell.open_file, ("shut",)), (shell.listing, ("dir",)), (shell.status, ("dir", "x"))):
    try:
        method(path)
    except PermissionDenied:
        print("denied", end=" ")
print(shell.status(("hall", "x")).size)
"""


class ImportTests(SynchronousTestCase):
    """What importing costs."""

    def test_package_installs_no_reactor(self) -> None:
        """``twistftp.storage``, its interfaces, and what reads files install no reactor."""
        code = (
            "import sys, twistftp.storage, twistftp.storage.interfaces, twistftp.storage.listing, twistftp.storage.files;"
            "print('twisted.internet.reactor' in sys.modules, 'twisted.protocols.ftp' in sys.modules)"
        )
        self.assertEqual("False False", subprocess.check_output([sys.executable, "-c", code], text=True, env=_ENVIRONMENT).strip())


class AdaptTests(SynchronousTestCase):
    """``adapt``."""

    def test_neither(self) -> None:
        """What is no avatar of FTP is a TypeError, with the name of what it is."""
        error = self.assertRaises(TypeError, adapt, object())
        self.assertIn("object", str(error))

    def test_stock(self) -> None:
        """An ``IFTPShell`` gets an ``IFileStore`` whose answers are deferred."""
        from twisted.python.filepath import FilePath

        root = self.mktemp()
        plant(root, {"f": b""})
        store = adapt(ftp.FTPAnonymousShell(FilePath(root)))
        verifyObject(IFileStore, store)
        status = store.status(("f",))
        self.assertIsInstance(status, Deferred)
        self.assertEqual("f", self.successResultOf(status).name)

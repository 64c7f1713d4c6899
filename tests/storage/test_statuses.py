"""``storage.statuses``: many objects, looked at together, are what ``lstat`` says of each."""

from __future__ import annotations

import os
import stat
import threading

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.support.trees import Link, plant
from twistftp.storage import statuses as module
from twistftp.storage.confinement import Confinement, Directory
from twistftp.storage.statuses import MOST, look

FIELDS = (stat.ST_MODE, stat.ST_NLINK, stat.ST_SIZE, stat.ST_MTIME, stat.ST_UID, stat.ST_GID, stat.ST_INO, stat.ST_DEV)


class LookTests(SynchronousTestCase):
    """By ``statx(2)``, where it works here."""

    def setUp(self) -> None:
        self.root = self.mktemp()
        plant(self.root, {"f": b"12345", "d": {}, "to": Link("f"), "nowhere": Link("none"), "old": b"", "far": b"", b"caf\xe9": b"", "two": b""})
        os.link(os.path.join(self.root, "two"), os.path.join(self.root, "names"))
        os.mkfifo(os.path.join(self.root, "fifo"))
        os.utime(os.path.join(self.root, "old"), (1, -86400.5))
        os.utime(os.path.join(self.root, "far"), (1, 2**33 + 0.75))
        os.truncate(os.path.join(self.root, "far"), 1 << 33)
        os.chmod(os.path.join(self.root, "f"), 0o4751)
        self.confinement = Confinement(self.root)
        self.addCleanup(self.confinement.close)
        self.directory = self.confinement.directory((), readable=True)
        self.addCleanup(self.directory.close)
        self.names = sorted(os.listdir(os.fsencode(self.root)))

    def expected(self, names: list[bytes]) -> list[list[int]]:
        """The columns of those that are there."""
        found = [os.lstat(os.path.join(os.fsencode(self.root), name)) for name in names]
        return [[status[field] for status in found] for field in FIELDS]

    def test_all_kinds(self) -> None:
        """Files, directories, links themselves, sizes and times of more than 32 bits and before 1970."""
        self.assertEqual(self.expected(self.names), look(self.directory, self.names, FIELDS))
        self.assertEqual(self.expected(self.names[:1]), look(self.directory, self.names[:1], FIELDS))

    def test_several_devices(self) -> None:
        """Each object has its own device's number, as ``lstat`` gives it."""
        directory = Directory(os.open("/", os.O_RDONLY | os.O_DIRECTORY))
        self.addCleanup(directory.close)
        names = [b".", b"dev", b"proc", b"tmp"]
        found = [os.lstat(b"/" + name).st_dev for name in names]
        if len(set(found)) == 1:
            raise SkipTest("nothing is mounted here")
        self.assertEqual([found], look(directory, names, [stat.ST_DEV]))

    def test_missing(self) -> None:
        """P-LS-6: of what is missing all is 0, and the rest is looked at."""
        first, last = self.expected(self.names[:1]), self.expected(self.names[-1:])
        found = look(self.directory, [self.names[0], b"none", self.names[-1]], FIELDS)
        self.assertEqual([[*one, 0, *other] for one, other in zip(first, last, strict=True)], found)

    def test_many(self) -> None:
        """More than fit into a room are looked at all the same."""
        names = [b"f"] * (MOST + 1)
        self.assertEqual(self.expected(names), look(self.directory, names, FIELDS))
        self.assertEqual(self.expected(names[1:]), look(self.directory, names[1:], FIELDS))

    def test_threads(self) -> None:
        """Each thread has a room for itself."""
        expected, found = self.expected(self.names), []

        def many_times() -> None:
            found.extend(look(self.directory, self.names, FIELDS) == expected for _ in range(200))

        threads = [threading.Thread(target=many_times) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([True] * 800, found)
        self.assertLessEqual(len(module._rooms), 10)


class WithoutTests(LookTests):
    """Where there is no such call."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(module, "_statx", None)


class RefusedTests(LookTests):
    """Where the system refuses it (seccomp in containers)."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(module, "_statx", lambda *_: -1)


class RealPathTests(LookTests):
    """Where directories have no descriptors (Windows)."""

    def setUp(self) -> None:
        super().setUp()
        self.directory = Directory(None, os.fsencode(os.path.realpath(self.root)) + b"/")

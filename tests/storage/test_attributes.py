"""``storage.attributes``: what a ``stat`` says to FTP."""

from __future__ import annotations

import os
import stat

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.support.trees import plant
from twistftp.storage.attributes import Rights, entry_of, rights

FILE, DIRECTORY = stat.S_IFREG, stat.S_IFDIR


class RightsTests(SynchronousTestCase):
    """P-ML-5: the letters of ``perm`` for a reader."""

    def test_classes(self) -> None:
        """The owner's, the group's or the others' bits count, the first that apply."""
        letters = Rights(1000, frozenset({100, 200}))
        for expected, mode, user, group in (
            ("r", FILE | 0o400, 1000, 1),
            ("", FILE | 0o044, 1000, 100),
            ("r", FILE | 0o040, 1, 200),
            ("", FILE | 0o404, 1, 100),
            ("r", FILE | 0o004, 1, 1),
            ("", FILE | 0o440, 1, 1),
            ("el", DIRECTORY | 0o500, 1000, 1),
            ("e", DIRECTORY | 0o010, 1, 100),
            ("", DIRECTORY | 0o004, 1, 1),
            ("", stat.S_IFIFO | 0o777, 1000, 1),
            ("", stat.S_IFCHR | 0o777, 1000, 1),
        ):
            self.assertEqual(expected, letters[mode, user, group], (oct(mode), user, group))

    def test_root(self) -> None:
        """Root reads everything."""
        letters = Rights(0, frozenset())
        self.assertEqual("r", letters[FILE, 1, 1])
        self.assertEqual("el", letters[DIRECTORY, 1, 1])

    def test_without_users(self) -> None:
        """Where there are no users, the mode alone decides."""
        self.assertEqual("r", Rights(None, frozenset())[FILE | 0o444, 0, 0])
        self.assertEqual("", Rights(None, frozenset())[FILE, 0, 0])

    def test_bounded(self) -> None:
        """What is remembered stays small."""
        letters = Rights(0, frozenset())
        for user in range(10_000):
            letters[FILE, user, 0]
        self.assertLess(len(letters), 5000)

    def test_shared(self) -> None:
        """The rights of this process are one object."""
        self.assertIs(rights(), rights())


class EntryTests(SynchronousTestCase):
    """Entries of objects."""

    def test_values(self) -> None:
        """Size, mode, time and links are those of the object; its owner is not shown (P-LU-3)."""
        root = self.mktemp()
        plant(root, {"f": b"12345"})
        path = os.path.join(root, "f")
        os.chmod(path, 0o644)
        os.utime(path, (1, 1_700_000_000.75))
        os.link(path, path + "2")
        entry = entry_of("f", os.lstat(path), rights())
        self.assertEqual(("f", FILE | 0o644, 5, 1_700_000_000, 2, "ftp", "ftp", "r"), (*entry[:7], entry.perm))
        self.assertIs(None, entry.resolved)

    def test_unique(self) -> None:
        """P-ML-6: the same object has the same value under all its names, another has another, and it is not the inode."""
        root = self.mktemp()
        plant(root, {"f": b"", "g": b""})
        os.link(os.path.join(root, "f"), os.path.join(root, "f2"))
        found = {name: os.lstat(os.path.join(root, name)) for name in ("f", "f2", "g")}
        unique = {name: entry_of(name, values, rights()).unique for name, values in found.items()}
        self.assertEqual(unique["f"], unique["f2"])
        self.assertNotEqual(unique["f"], unique["g"])
        self.assertNotIn(unique["f"], (f"{found['f'].st_ino}", f"{found['f'].st_ino:x}"))
        self.assertRegex(unique["f"], "^[0-9a-f]{1,16}$")

    @example([(0, 1 << 63 | 100), (0, 104)])
    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 2**64 - 1)), unique=True))
    def test_different_objects_differ(self, objects: list[tuple[int, int]]) -> None:
        """P-ML-6: no two objects share a value, also where inodes have all their bits (overlay file systems)."""
        letters = Rights(0, frozenset())
        values = [entry_of("", os.stat_result((FILE, inode, device, 1, 0, 0, 0, 0, 0, 0)), letters).unique for device, inode in objects]
        self.assertEqual(len(objects), len(set(values)))

"""Tests of ``accounts.saving``."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from twistftp.accounts.saving import change


class ChangeTests(SynchronousTestCase):
    """A file and what becomes of it."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir(parents=True)
        self.path = self.directory / "users"

    def change(self, path: Path | None = None, **options: bool) -> None:
        change(str(path or self.path), lambda content: content + b"x", **options)

    def test_new(self) -> None:
        """A new file is for its owner alone."""
        self.change()
        self.assertEqual((b"x", 0o600), (self.path.read_bytes(), stat.S_IMODE(self.path.stat().st_mode)))

    def test_not_to_be_made(self) -> None:
        """Unless none may be made."""
        self.assertRaises(FileNotFoundError, self.change, may_create=False)
        self.assertEqual([], list(self.directory.iterdir()))

    def test_old(self) -> None:
        """An old one is replaced in one step; nothing is left beside it; its group may still read, others may not."""
        self.path.write_bytes(b"a")
        self.path.chmod(0o664)
        before = self.path.stat().st_ino
        self.change()
        self.assertEqual((b"ax", 0o640), (self.path.read_bytes(), stat.S_IMODE(self.path.stat().st_mode)))
        self.assertNotEqual(before, self.path.stat().st_ino)
        self.assertEqual([self.path], list(self.directory.iterdir()))

    def test_owner(self) -> None:
        """It keeps its owner and group."""
        if os.name != "posix" or os.getuid() != 0:
            raise SkipTest("needs root, to give files away")
        self.path.write_bytes(b"")
        os.chown(self.path, 65534, 65533)
        self.change()
        self.assertEqual((65534, 65533), (self.path.stat().st_uid, self.path.stat().st_gid))

    def test_link(self) -> None:
        """A link stays one."""
        (self.directory / "real").write_bytes(b"a")
        self.path.symlink_to("real")
        self.change()
        self.assertTrue(self.path.is_symlink())
        self.assertEqual(b"ax", (self.directory / "real").read_bytes())

    def test_failure(self) -> None:
        """An edit that fails, or a disk that does, leaves the old file and nothing else."""
        self.path.write_bytes(b"a")
        self.assertRaises(ZeroDivisionError, change, str(self.path), lambda content: 1 // 0)  # type: ignore[arg-type, return-value]
        self.patch(os, "fsync", lambda descriptor: 1 // 0)
        self.assertRaises(ZeroDivisionError, self.change)
        self.assertEqual((b"a", [self.path]), (self.path.read_bytes(), list(self.directory.iterdir())))

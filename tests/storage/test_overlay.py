"""Tests of ``storage.overlay``: virtual directories in a user's tree."""

from __future__ import annotations

import os
import shutil
from typing import Any

from twisted.protocols.ftp import IFTPShell, PermissionDeniedError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.support.at_once import at_once, now
from tests.support.trees import Link, plant
from twistftp.policy.denials import Reason
from twistftp.policy.isolation import Account
from twistftp.storage.confinement import Confinement
from twistftp.storage.failures import NotADirectory, NotFound, ObjectExists
from twistftp.storage.filesystem import FilesystemShell
from twistftp.storage.operations import CHANGES
from twistftp.storage.overlay import OverlayShell
from twistftp.storage.refusals import Denied
from twistftp.storage.site_store import ISiteStore
from twistftp.wire.paths import Path


class ChangingShell(FilesystemShell):
    """Tells what it was told to change."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.writable = self.appendable = True
        self.changes_modes = False


def told(name: str) -> Any:
    """A method that tells where it was called, and with what."""
    return lambda self, *arguments: (os.fsdecode(os.path.basename(self._confinement.real_root)), name, *arguments)


for name in (*CHANGES, "free_space", "read_upload"):
    setattr(ChangingShell, name, told(name))


def names_in(store: Any, *path: str) -> list[str]:
    listing, names = store.listing(path), []
    while batch := now(listing.next_batch()):
        names += [entry.name for entry in batch]
    listing.close()
    return names


class OverlayTests(SynchronousTestCase):
    """A root with one directory at its top, one inside a real directory, and one whose parents are nowhere."""

    kind = FilesystemShell

    def setUp(self) -> None:
        base = os.path.abspath(self.mktemp())
        plant(
            base,
            {
                "root": {"archive": {"old": b"o"}, "pub": {"a": b"a", "z": b"z", "link": Link("/archive")}, "top": b"t", "far": b"file", "x": {}},
                "archive": {"2024": {"jan": b"j"}, "out": Link("../root/top"), "inside": Link("2024")},
                "music": {"song": b"s"},
                "deep": {"d": b"d"},
                "nested": {"n": b"n"},
            },
        )
        self.base = base
        shells = {name: self.kind(Confinement(os.path.join(base, name)), at_once) for name in os.listdir(base)}
        mounts: dict[Path, FilesystemShell] = {
            ("archive",): shells["archive"],
            ("pub", "music"): shells["music"],
            ("far", "away", "deep"): shells["deep"],
            ("archive", "nested"): shells["nested"],
        }
        self.overlay = OverlayShell(shells["root"], mounts, Account("alice"))

    def test_interfaces(self) -> None:
        """It is an avatar like the one below it."""
        for interface in (IFTPShell, ISiteStore):
            verifyObject(interface, self.overlay)
        self.assertEqual("alice", self.overlay.account.name)  # type: ignore[union-attr]

    def test_listings(self) -> None:
        """P-LS-3, P-LS-9: virtual directories stand among the real entries in order, and hide those of the same name."""
        self.assertEqual(["archive", "far", "pub", "top", "x"], names_in(self.overlay))
        self.assertEqual(["a", "link", "music", "z"], names_in(self.overlay, "pub"))
        self.assertEqual(["2024", "inside", "nested", "out"], names_in(self.overlay, "archive"))
        self.assertEqual(["away"], names_in(self.overlay, "far"))
        self.assertEqual(["deep"], names_in(self.overlay, "far", "away"))
        self.assertEqual(["d"], names_in(self.overlay, "far", "away", "deep"))
        self.assertEqual(["jan"], names_in(self.overlay, "archive", "2024"))

    def test_long_listings(self) -> None:
        """They stand in their places however many batches there are."""
        for number in range(1000):
            open(os.path.join(self.base, "root", "pub", f"{'m' if number % 2 else 'n'}{number:04}"), "w").close()
        names = names_in(self.overlay, "pub")
        self.assertEqual((sorted(names), 1004), (names, len(names)))

    def test_objects(self) -> None:
        """Each object is that of the deepest directory that covers it."""
        for path in (("archive",), ("pub", "music"), ("far",), ("far", "away"), ("far", "away", "deep"), ("archive", "nested"), ()):
            entry = self.overlay.status(path)
            self.assertEqual((True, path[-1] if path else "/"), (entry.is_directory, entry.name))
        self.assertRaises(NotFound, self.overlay.status, ("archive", "old"))
        self.assertRaises(NotFound, self.overlay.status, ("far", "other"))
        self.assertRaises(NotADirectory, self.overlay.listing, ("pub", "music", "song"))
        for text, content in (("archive/2024/jan", b"j"), ("pub/music/song", b"s"), ("archive/nested/n", b"n"), ("top", b"t")):
            file = self.overlay.open_file(text.split("/"))
            self.assertEqual(content, now(file.read_at(0, 9)))
            file.close()

    def test_each_is_confined(self) -> None:
        """P-PATH-4: a link in a virtual directory does not lead out of it, not even into the site's root."""
        self.assertRaises(NotFound, self.overlay.open_file, ("archive", "out"))
        self.overlay.open_file(("archive", "inside", "jan")).close()

    def test_places(self) -> None:
        """Where something is, without links."""
        self.assertEqual(("archive", "2024", "jan"), self.overlay.place(("archive", "inside", "jan")))
        self.assertEqual(("far", "away"), self.overlay.place(("far", "away")))
        self.assertEqual(("pub", "music"), self.overlay.place(("pub", "music")))
        self.assertRaises(NotFound, self.overlay.place, ("far", "other"))

    def test_a_root_that_went_away(self) -> None:
        """Its name is gone from listings, and the others stay."""
        shutil.rmtree(os.path.join(self.base, "root", "pub"))
        self.assertEqual(["archive", "far", "pub", "top", "x"], names_in(self.overlay))
        self.assertEqual(["music"], names_in(self.overlay, "pub"))

    def test_stock_interface(self) -> None:
        """``IFTPShell``'s methods go the same ways."""
        listed = self.successResultOf(self.overlay.list(["pub"], ("directory",)))
        self.assertIn(("music", [True]), listed)
        self.assertEqual([1], self.successResultOf(self.overlay.stat(["pub", "music", "song"], ("size",))))
        self.assertIsNone(self.successResultOf(self.overlay.access(["far", "away"])))
        self.failureResultOf(self.overlay.rename(["pub", "a"], ["archive", "a"]), PermissionDeniedError)
        self.successResultOf(self.overlay.openForReading(["pub", "music", "song"]))._file.close()


class ChangeTests(OverlayTests):
    """Changes, as stores that write would do them."""

    kind = ChangingShell

    def change(self, name: str, *paths: Path) -> Any:
        return getattr(self.overlay, name)(*paths, *[7] * name.startswith("set_"))

    def test_ways(self) -> None:
        """A change is made by the shell that covers the path, of the path in it."""
        self.assertEqual((True, True, False), (self.overlay.writable, self.overlay.appendable, self.overlay.changes_modes))
        self.assertIs(self.overlay, self.overlay.as_writable(True))
        self.assertEqual(("archive", "free_space", ()), self.change("free_space", ("archive",)))
        self.assertEqual(("music", "read_upload", ("song",)), self.change("read_upload", ("pub", "music", "song")))
        self.assertEqual(("archive", "open_upload", ("2024", "new")), self.change("open_upload", ("archive", "2024", "new")))
        self.assertEqual(("nested", "set_mode", ("n",), 7), self.change("set_mode", ("archive", "nested", "n")))
        self.assertEqual(("nested", "remove_file", ("n",)), self.change("remove_file", ("archive", "nested", "n")))
        self.assertEqual(("root", "move", ("top",), ("bottom",)), self.change("move", ("top",), ("bottom",)))

    def test_virtual_directories_stay(self) -> None:
        """They, and what is above them, are not removed, renamed or replaced; to make one that is there says that it is there."""
        for name in ("remove_file", "remove_directory", "open_upload", "set_mode"):
            for path in (("archive",), ("far", "away", "deep"), ("pub",), ("far",), ()):
                error = self.assertRaises(Denied, self.change, name, path)
                self.assertIs(Reason.VIRTUAL_DIRECTORY, error.denial.reason)
        for paths in ((("archive",), ("new",)), (("x",), ("far", "away"))):
            self.assertRaises(Denied, self.change, "move", *paths)
        self.assertRaises(ObjectExists, self.change, "make_directory", ("far", "away"))

    def test_no_moves_across(self) -> None:
        """P-RNTO-1: from one into another nothing is renamed."""
        error = self.assertRaises(Denied, self.change, "move", ("top",), ("archive", "top"))
        self.assertIs(Reason.ACROSS, error.denial.reason)

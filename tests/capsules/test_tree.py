"""Tests of a replay's tree: planted from a capsule, changed by the session, refusing what was refused."""

import stat
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twistftp.capsules.tree import PlayedStore
from twistftp.storage import failures
from twistftp.storage.refusals import Refused

NOW = 1710000000.0
DIRECTORY, FILE = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o644


class PlayedStoreTests(SynchronousTestCase):
    """:class:`PlayedStore`."""

    def setUp(self) -> None:
        self.store = PlayedStore(lambda: NOW)
        self.store.plant(("pub",), {"mode": DIRECTORY, "size": 4096, "perm": "el"})
        self.store.plant(("pub", "a"), {"mode": FILE, "size": 5, "modified": 7.0, "perm": "r", "unique": "u1"})
        self.store.plant(("pub", "a"), {"at": 0, "text": "hello"})
        self.store.plant(("deep", "er", "b"), {"mode": FILE, "size": 100})

    def names(self, *path: str) -> list[str]:
        listing, found = self.store.listing(path), []
        while batch := listing.next_batch():
            found += [entry.name for entry in batch]
        return found

    def upload(self, path: tuple[str, ...], *pieces: bytes, **how: Any) -> Any:
        upload = self.store.open_upload(path, **how)
        for piece in pieces:
            upload.write(piece)
        return upload

    def test_planted(self) -> None:
        """What the capsule says is there, with the directories above it."""
        self.assertEqual((["deep", "pub"], ["a"], ["er"]), (self.names(), self.names("pub"), self.names("deep")))
        entry = self.store.status(("pub", "a"))
        self.assertEqual(("a", FILE, 5, 7.0, "r", "u1"), (entry.name, entry.mode, entry.size, entry.modified, entry.perm, entry.unique))
        self.assertEqual("/", self.store.status(()).name)

    def test_reading(self) -> None:
        """Octets that the capsule does not hold are NUL, and that they were read is known."""
        self.assertEqual(b"hello", self.store.open_file(("pub", "a")).read_at(0, 9))
        self.assertFalse(self.store.has_invented)
        file, taken = self.store.open_file(("deep", "er", "b")), []
        self.assertEqual(60, self.successResultOf(file.feed(taken.append, 40, 99)))
        self.assertEqual((bytes(60), True), (b"".join(taken), self.store.has_invented))

    def test_nothing_there(self) -> None:
        """Each operation says what a file system says."""
        for error, method, *arguments in (
            (failures.NotFound, self.store.status, ("none",)),
            (failures.NotADirectory, self.store.status, ("pub", "a", "b")),
            (failures.NotADirectory, self.store.listing, ("pub", "a")),
            (failures.IsADirectory, self.store.open_file, ("pub",)),
            (failures.NotFound, self.store.open_upload, ("none", "x")),
            (failures.NameNotAllowed, self.store.open_upload, ("pub",)),
            (failures.ObjectExists, self.store.make_directory, ("pub",)),
            (failures.PermissionDenied, self.store.make_directory, ()),
            (failures.NotADirectory, self.store.make_directory, ("pub", "a", "b")),
            (failures.DirectoryNotEmpty, self.store.remove_directory, ("pub",)),
            (failures.NotADirectory, self.store.remove_directory, ("pub", "a")),
            (failures.IsADirectory, self.store.remove_file, ("pub",)),
            (failures.NotFound, self.store.remove_file, ("none",)),
            (failures.NotFound, self.store.set_mode, ("none",), 0o600),
            (failures.NotFound, self.store.set_modified, ("none",), 1.0),
            (failures.NotFound, self.store.free_space, ("none",)),
        ):
            self.assertRaises(error, method, *arguments)
        with self.assertRaises(failures.NotFound):
            self.store.open_upload(("none",), offset=3)
        with self.assertRaises(failures.Occupied):
            self.store.move(("deep",), ("pub",), replace=True)

    def test_uploads(self) -> None:
        """A file is there when it is complete; a part, an end, and one that is written in its place."""
        upload = self.upload(("new",), b"ab", b"c")
        self.assertRaises(failures.NotFound, self.store.status, ("new",))
        self.successResultOf(upload.finish())
        entry = self.store.status(("new",))
        self.assertEqual((3, NOW), (entry.size, entry.modified))
        self.assertIs(None, upload.abandon())
        self.successResultOf(self.upload(("pub", "a"), b"LL", offset=2, is_part=True).finish())
        self.assertEqual(b"heLLo", self.store.open_file(("pub", "a")).read_at(0, 9))
        self.successResultOf(self.upload(("pub", "a"), b"!", offset=None).finish())
        self.assertEqual(b"heLLo!", self.store.open_file(("pub", "a")).read_at(0, 9))
        self.assertEqual(4, self.upload(("pub", "a"), b"12", offset=2, in_place=True).abandon())
        self.assertEqual(b"he12", self.store.open_file(("pub", "a")).read_at(0, 9))
        self.assertIs(None, self.upload(("pub", "a"), b"12").abandon())

    def test_unique(self) -> None:
        """STOU gets the name that it got then."""
        self.store.unique_name = "upload.1234"
        self.successResultOf(self.store.open_unique(("pub", "upload.other")).finish())
        self.assertEqual(["a", "upload.1234"], self.names("pub"))

    def test_changes(self) -> None:
        """Names come, go and move, with all that is below them; attributes change."""
        self.store.make_directory(("made",))
        self.store.move(("pub",), ("made", "there"), replace=False)
        self.assertEqual(["a"], self.names("made", "there"))
        self.store.set_mode(("made", "there", "a"), 0o600)
        self.store.set_modified(("made", "there", "a"), 99.0)
        entry = self.store.status(("made", "there", "a"))
        self.assertEqual((stat.S_IFREG | 0o600, 99.0), (entry.mode, entry.modified))
        self.store.remove_file(("made", "there", "a"))
        self.store.remove_directory(("made", "there"))
        self.assertEqual([], self.names("made"))

    def test_later(self) -> None:
        """What the session makes looks as it did then; of its size the upload decides."""
        self.store.change(("new",), {"modified": 42.0, "perm": "adfrw", "size": 9, "later": True})
        self.successResultOf(self.upload(("new",), b"abc").finish())
        entry = self.store.status(("new",))
        self.assertEqual((42.0, "adfrw", 3), (entry.modified, entry.perm, entry.size))

    def test_changed_by_others(self) -> None:
        """What somebody else changed meanwhile changes, too."""
        self.store.change(("pub", "a"), {"mode": FILE, "modified": 8.0, "size": 2})
        self.assertEqual((2, 8.0, b"he"), (*self.store.status(("pub", "a"))[2:4], self.store.open_file(("pub", "a")).read_at(0, 9)))

    def test_refusals(self) -> None:
        """What was refused is refused, once for each time."""
        self.store.armed += [
            {"refuses": "open_file", "path": "/pub/a", "as": "PermissionDenied"},
            {"refuses": "read_at", "path": "/pub/a", "as": "ReadFailed", "text": "Input/output error"},
            {"refuses": "status", "path": "/x.exe", "as": "Refused", "reason": "EXTENSION"},
        ]
        self.assertRaises(failures.PermissionDenied, self.store.open_file, ("pub", "a"))
        file = self.store.open_file(("pub", "a"))
        self.assertEqual("Input/output error", str(self.assertRaises(failures.ReadFailed, file.read_at, 0, 1)))
        self.assertEqual(b"h", file.read_at(0, 1))
        self.assertRaises(Refused, self.store.status, ("x.exe",))
        self.assertRaises(failures.NotFound, self.store.status, ("x.exe",))

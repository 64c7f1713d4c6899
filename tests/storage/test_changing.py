"""``storage.changing``, ``storage.renameat2``, and the rights that are shown to those who may write."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.storage.test_uploads import Base
from tests.support.trees import Link, plant
from twistftp.storage import changing, renameat2
from twistftp.storage.attributes import Rights
from twistftp.storage.failures import (
    Busy,
    DirectoryNotEmpty,
    IsADirectory,
    NameNotAllowed,
    NotADirectory,
    NotAPlainFile,
    NotFound,
    ObjectExists,
    Occupied,
    OtherFileSystem,
    PermissionDenied,
    StorageError,
    WriteFailed,
    from_write_error,
)


class ChangingTests(Base):
    """Each change, in the kernel's confinement."""

    def remove(self, *path: str) -> None:
        removed = self.store.remove_file(path)
        self.threads.run()
        self.successResultOf(removed)

    def assert_removal_fails(self, failure: type[Exception], *path: str) -> None:
        removed = self.store.remove_file(path)
        self.threads.run()
        self.failureResultOf(removed, failure)

    def test_directories(self) -> None:
        """P-MKD-1, P-RMD-1, P-PATH-6: one level, not what is there, not what is not empty, never the root; links are kept."""
        self.store.make_directory(("new",))
        self.store.make_directory(("new", "below"))
        self.assertTrue(os.path.isdir(self.at("new", "below")))
        for path, failure in (
            (("f",), ObjectExists),
            ((), ObjectExists),
            (("none", "x"), NotFound),
            (("x" * 256,), NameNotAllowed),
            (("f", "x"), StorageError),
        ):
            self.assertRaises(failure, self.store.make_directory, path)
        for path, failure in (
            (("new",), DirectoryNotEmpty),
            (("f",), NotADirectory),
            (("up",), NotADirectory),
            (("x",), NotFound),
            ((), PermissionDenied),
        ):
            self.assertRaises(failure, self.store.remove_directory, path)
        self.store.remove_directory(("new", "below"))
        self.store.remove_directory(("new",))
        self.assertFalse(os.path.exists(self.at("new")))

    def test_remove(self) -> None:
        """P-DELE-1: links are removed and not what they lead to."""
        for name in ("l", "broken", "out", "up"):
            self.remove(name)
        self.assertEqual(b"old content", self.read("f"))
        self.remove("f")
        self.assertEqual(["sub"], os.listdir(self.root))
        self.assert_removal_fails(IsADirectory, "sub")
        self.assert_removal_fails(NotFound, "none")
        self.assert_removal_fails(PermissionDenied)

    def test_move(self) -> None:
        """P-RNTO-1: files, directories and links, across directories and through links."""
        self.store.move(("f",), ("up", "g"))
        self.assertEqual(b"old content", self.read("sub", "g"))
        self.store.move(("sub",), ("sub2",))
        self.store.move(("broken",), ("b2",))
        self.assertEqual("none", os.readlink(self.at("b2")))

    def test_move_refused(self) -> None:
        """P-RNTO-1, P-RNFR-1: nothing is replaced that must stay, nothing goes into itself or out of the root."""
        plant(self.root, {"g": b"g", "full": {"x": b""}})
        for path, to, replace, failure in (
            (("f",), ("g",), False, Occupied),
            (("f",), ("sub",), True, Occupied),
            (("sub",), ("g",), True, Occupied),
            (("f",), ("l",), False, Occupied),
            (("f",), (), True, Occupied),
            ((), ("x",), False, PermissionDenied),
            (("none",), ("x",), False, NotFound),
            (("f",), ("none", "x"), False, NotFound),
            (("sub",), ("sub", "x"), False, NameNotAllowed),
            (("f",), ("x" * 256,), False, NameNotAllowed),
            (("f",), (".twistftp-x",), False, NameNotAllowed),
            (("f",), ("out", "x"), False, NotFound),
        ):
            self.assertRaises(failure, self.store.move, path, to, replace=replace)
        self.store.move(("f",), ("g",), replace=True)
        self.assertEqual(b"old content", self.read("g"))
        with mock.patch.object(changing, "rename_new", side_effect=OSError(errno.EXDEV, "x")):
            self.assertRaises(OtherFileSystem, self.store.move, ("g",), ("h",))

    def test_times(self) -> None:
        """P-MFMT-1: of files, directories, the root and what a link leads to; when it was read stays."""
        read = os.stat(self.at("f")).st_atime_ns
        for path in (("f",), ("sub",), ()):
            self.store.set_modified(path, 1_000_000_000.25)
            self.assertEqual(1_000_000_000_250_000_000, os.stat(self.at(*path)).st_mtime_ns)
        self.store.set_modified(("l",), 5.0)
        self.assertEqual((5.0, read), (os.stat(self.at("f")).st_mtime, os.stat(self.at("f")).st_atime_ns))
        self.store.set_modified(("f",), -1.0)
        self.assertEqual(-1.0, os.stat(self.at("f")).st_mtime)
        for path in (("none",), ("broken",), ("out",)):
            self.assertRaises(NotFound, self.store.set_modified, path, 1.0)

    def test_modes(self) -> None:
        """P-SITE-2: of files and directories, also of one that nobody may read; of nothing else."""
        os.mkfifo(self.at("fifo"))
        for path in (("f",), ("sub",), ("l",)):
            for mode in (0, 0o755):
                self.store.set_mode(path, mode)
                self.assertEqual(mode, stat.S_IMODE(os.stat(self.at(*path)).st_mode))
        self.assertRaises(NotAPlainFile, self.store.set_mode, ("fifo",), 0o600)
        for path in (("none",), ("broken",), ("out",)):
            self.assertRaises(NotFound, self.store.set_mode, path, 0o600)

    def test_room(self) -> None:
        """P-ALLO-1: what the file system says is free for this process."""
        free = self.store.free_space(("sub",))
        assert free is not None
        found = os.statvfs(self.root)
        self.assertLess(abs(free - found.f_bavail * found.f_frsize), 1 << 30)
        self.assertRaises(NotFound, self.store.free_space, ("none",))

    def test_rights(self) -> None:
        """P-ML-5: what may be done is shown to those who may write, and not to others."""
        letters = {entry.name: entry.perm for entry in self.listed()}
        self.assertEqual({"a", "d", "f", "r", "w"}, set(letters["f"]))
        self.assertEqual({"c", "d", "e", "f", "l", "m", "p"}, set(letters["sub"]))
        self.assertEqual(set(letters["f"]), set(self.store.status(("f",)).perm))
        self.assertEqual({"c", "e", "l", "m", "p"}, set(self.store.status(()).perm))
        self.store.writable = False
        self.assertEqual({"f": "r", "sub": "el"}, {entry.name: entry.perm for entry in self.listed() if entry.name in ("f", "sub")})

    def listed(self) -> list[Any]:
        listing = self.store.listing(())
        try:
            return list(listing.next_batch())  # type: ignore[arg-type]
        finally:
            listing.close()


class WalkTests(ChangingTests):
    confinement_options = {"use_openat2": False}


class RealPathTests(ChangingTests):
    confinement_options = {"use_descriptors": False}


class RightsTests(SynchronousTestCase):
    def test_letters(self) -> None:
        """P-ML-5: the file's own bits for its content, the directory's for its name."""
        for removable in (False, True):
            letters = Rights(1000, frozenset({100}), True, removable)
            df = "df" if removable else ""
            self.assertEqual(f"a{df}rw", letters[stat.S_IFREG | 0o600, 1000, 1])
            self.assertEqual(f"{df}r", letters[stat.S_IFREG | 0o640, 1, 100])
            self.assertEqual(f"cmp{df}el", letters[stat.S_IFDIR | 0o770, 1, 100])
            self.assertEqual(df, letters[stat.S_IFIFO | 0o777, 1000, 1])


class RenameTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = self.mktemp()
        plant(self.root, {"a": b"a", "b": b"b", "l": Link("none")})
        self.directory = os.open(self.root, os.O_RDONLY)

    def tearDown(self) -> None:
        os.close(self.directory)

    def check(self) -> None:
        for taken in (b"b", b"l"):
            self.assertRaises(FileExistsError, renameat2.rename_new, b"a", taken, self.directory, self.directory)
        renameat2.rename_new(b"a", b"c", self.directory, self.directory)
        self.assertEqual({"b", "c", "l"}, set(os.listdir(self.root)))
        self.assertRaises(FileNotFoundError, renameat2.rename_new, b"a", b"d", self.directory, self.directory)

    def test_kernel(self) -> None:
        """The kernel sees to it that nothing is replaced, a dangling link neither."""
        self.check()

    def test_without(self) -> None:
        """It is the same where the kernel cannot."""
        self.patch(renameat2, "_call", None)
        self.check()


class FailureTests(SynchronousTestCase):
    def test_errors(self) -> None:
        """P-PATH-6, P-TEXT-24: a name too long is told so; what is not known otherwise is a failed write."""
        self.assertIsInstance(from_write_error(OSError(errno.ENAMETOOLONG, "x")), NameNotAllowed)
        self.assertEqual("Input/output error", getattr(from_write_error(OSError(errno.EIO, "Input/output error")), "strerror", ""))
        self.assertIsInstance(from_write_error(OSError(errno.EIO, "x")), WriteFailed)
        self.assertIsInstance(from_write_error(OSError(errno.ETXTBSY, "x")), Busy)


_NAMES = st.sampled_from(["a", "b", "d"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map(tuple)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("mkd"), _PATHS),
        st.tuples(st.just("rmd"), _PATHS),
        st.tuples(st.just("dele"), _PATHS),
        st.tuples(st.just("stor"), _PATHS, st.binary(max_size=3)),
        st.tuples(st.just("move"), _PATHS, _PATHS, st.booleans()),
    ),
    max_size=20,
)


class ModelTests(Base):
    """Any sequence of changes against a tree of dictionaries."""

    @given(_STEPS)
    def test_any_sequence(self, steps: list[Any]) -> None:
        """P-MKD-1, P-RMD-1, P-DELE-1, P-RNTO-1, P-STOR-1: what works works, what is refused changes nothing."""
        tree: dict[str, Any] = {}
        for number, step in enumerate(steps):
            if not number:
                self.store.make_directory(("model",))
            before = self.disk(self.at("model"))
            self.assertEqual(tree, before)
            accepted = self.model(tree, *step)
            try:
                self.do(*step)
            except StorageError:
                self.assertFalse(accepted, step)
                self.assertEqual(before, self.disk(self.at("model")))
            else:
                self.assertTrue(accepted, step)
        if steps:
            self.assertEqual(tree, self.disk(self.at("model")))
            os.rename(self.at("model"), self.mktemp())

    def do(self, verb: str, path: tuple[str, ...], *more: Any) -> None:
        full = ("model", *path)
        if verb == "mkd":
            self.store.make_directory(full)
        elif verb == "rmd":
            self.store.remove_directory(full)
        elif verb == "dele":
            removed = self.store.remove_file(full)
            self.threads.run()
            failures: list[Any] = []
            removed.addErrback(failures.append)
            if failures:
                raise failures[0].value
        elif verb == "stor":
            upload = self.store.open_upload(full)
            upload.write(more[0])
            upload.finish()
            self.threads.run()
        else:
            self.store.move(full, ("model", *more[0]), replace=more[1])

    def model(self, tree: dict[str, Any], verb: str, path: tuple[str, ...], *more: Any) -> bool:
        parent = self.find(tree, path[:-1])
        if not isinstance(parent, dict):
            return False
        name = path[-1]
        there = parent.get(name)
        if verb == "mkd":
            return there is None and parent.setdefault(name, {}) is not None
        if verb == "rmd":
            return isinstance(there, dict) and not there and parent.pop(name) is not None
        if verb == "dele":
            return isinstance(there, bytes) and parent.pop(name) is not None
        if verb == "stor":
            if isinstance(there, dict):
                return False
            parent[name] = more[0]
            return True
        to, replace = more
        target = self.find(tree, to[:-1])
        if there is None or not isinstance(target, dict) or (isinstance(there, dict) and to[: len(path)] == path):
            return False
        old = target.get(to[-1])
        if old is not None and not (replace and isinstance(old, bytes) and isinstance(there, bytes)):
            return False
        del parent[name]
        target[to[-1]] = there
        return True

    def find(self, tree: Any, path: tuple[str, ...]) -> Any:
        for name in path:
            tree = tree.get(name) if isinstance(tree, Mapping) else None
        return tree

    def disk(self, path: str) -> Any:
        if os.path.isdir(path):
            return {name: self.disk(os.path.join(path, name)) for name in os.listdir(path)}
        with open(path, "rb") as file:
            return file.read()

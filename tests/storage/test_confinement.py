"""``storage.confinement``, and with it ``openat2`` and ``walk``: the same cases for the kernel and for the walk."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
import threading
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.support.trees import Link, kernel_confines, open_descriptors, plant, read_all
from twistftp.storage import confinement as module
from twistftp.storage.confinement import Confinement
from twistftp.storage.failures import NotADirectory, NotFound, StorageError

SECRET = b"outside"


class Cases:
    """What holds whichever way a root is confined."""

    use_openat2: bool

    def setUp(self) -> None:
        if self.use_openat2 and not kernel_confines():
            raise SkipTest("openat2 does not work here")
        self.base = os.path.realpath(self.mktemp())
        self.root = os.path.join(self.base, "root")
        plant(self.base, {"secret": SECRET, "root": {"a": b"A", "sub": {"b": b"B", "deep": {"c": b"C"}}}})
        self.confinement = Confinement(self.root, use_openat2=self.use_openat2)
        self.addCleanup(self.confinement.close)

    def link(self, name: str, target: str) -> None:
        os.symlink(target, os.path.join(self.root, name))

    def test_files_are_reached(self) -> None:
        """P-PATH-1: names below the root lead to what is there."""
        self.assertEqual(b"A", read_all(self.confinement, "a"))
        self.assertEqual(b"C", read_all(self.confinement, "sub", "deep", "c"))

    def test_missing(self) -> None:
        """What is not there is not found, on the way or at the end."""
        self.assertRaises(NotFound, self.confinement.open, ("none",), os.O_RDONLY)
        self.assertRaises(NotFound, self.confinement.status, ("none", "x"))
        self.assertRaises(NotADirectory, self.confinement.status, ("a", "x"))
        self.assertRaises(NotADirectory, self.confinement.directory, ("a",))

    def test_root_itself(self) -> None:
        """The empty path is the root."""
        inode = os.stat(self.root).st_ino
        self.assertEqual(inode, self.confinement.status(()).st_ino)
        with self.confinement.directory(()) as directory:
            self.assertEqual(1, directory.status(b"a").st_size)
        self.assertEqual((), self.confinement.place(()))

    def test_dots_stay_inside(self) -> None:
        """P-PATH-4: more ``..`` than there are levels end at the root."""
        self.assertEqual(b"A", read_all(self.confinement, "sub", "..", "..", "..", "a"))
        self.assertRaises(NotFound, read_all, self.confinement, "..", "secret")
        self.assertRaises(NotFound, read_all, self.confinement, "sub", "..", "..", "secret")

    def test_relative_links_inside(self) -> None:
        """Relative links that stay inside work, to files and to directories, also with ``..``."""
        self.link("to-a", "a")
        self.link("to-deep", "sub/deep")
        self.link("sub/up", "../a")
        self.link("sub/round", "deep/../../sub/./b")
        self.assertEqual(b"A", read_all(self.confinement, "to-a"))
        self.assertEqual(b"C", read_all(self.confinement, "to-deep", "c"))
        self.assertEqual(b"A", read_all(self.confinement, "sub", "up"))
        self.assertEqual(b"B", read_all(self.confinement, "sub", "round"))

    def test_links_in_links(self) -> None:
        """``..`` behind a link to a directory goes up from where the link led."""
        self.link("short", "sub/deep")
        self.link("tricky", "short/../b")
        self.assertEqual(b"B", read_all(self.confinement, "tricky"))
        self.assertEqual((b"sub", b"b"), self.confinement.place(("tricky",)))

    def test_absolute_links(self) -> None:
        """Absolute links are taken from the root, as after chroot."""
        self.link("sub/abs", "/sub/deep/c")
        self.assertEqual(b"C", read_all(self.confinement, "sub", "abs"))

    def test_host_links(self) -> None:
        """Absolute links to the root's own place on the host work, on the way, at the end, to the root, and one in another."""
        self.link("host-file", f"{self.root}/sub/b")
        self.link("host-dir", f"{self.root}/sub/")
        self.link("host-root", self.root)
        self.link("host-twice", f"{self.root}/host-dir/deep")
        self.assertEqual(b"B", read_all(self.confinement, "host-file"))
        self.assertEqual(b"C", read_all(self.confinement, "host-dir", "deep", "c"))
        self.assertEqual(b"A", read_all(self.confinement, "host-root", "a"))
        self.assertEqual(b"C", read_all(self.confinement, "host-twice", "c"))
        self.assertEqual((b"sub", b"deep"), self.confinement.place(("host-twice",)))
        self.assertEqual(1, self.confinement.status(("host-file",)).st_size)

    def test_root_given_by_a_link(self) -> None:
        """A root may be named by a link, and links may use that name or the real one."""
        alias = os.path.join(self.base, "alias")
        os.symlink("root", alias)
        self.link("by-alias", f"{alias}/a")
        self.link("by-real", f"{self.root}/a")
        confinement = Confinement(alias, use_openat2=self.use_openat2)
        self.addCleanup(confinement.close)
        self.assertEqual(b"A", read_all(confinement, "by-alias"))
        self.assertEqual(b"A", read_all(confinement, "by-real"))

    def test_links_outside(self) -> None:
        """P-PATH-4: links that lead outside answer as if nothing were there."""
        for number, target in enumerate(
            (
                "../secret",
                "../../secret",
                f"{self.base}/secret",
                f"{self.root}/../secret",
                f"{self.root}x/secret",
                "/proc/self/root/etc/passwd",
                "/proc/self/cwd",
            )
        ):
            self.link(f"out{number}", target)
            self.assertRaises(NotFound, read_all, self.confinement, f"out{number}")
            self.assertRaises(NotFound, self.confinement.status, (f"out{number}",))
            self.assertRaises(NotFound, self.confinement.place, (f"out{number}",))

    def test_sibling_with_the_same_beginning(self) -> None:
        """A directory beside the root whose name begins as the root's is outside."""
        plant(f"{self.root}-other", {"x": SECRET})
        self.link("other", f"{self.root}-other/x")
        self.assertRaises(NotFound, read_all, self.confinement, "other")

    def test_loops(self) -> None:
        """Links in a circle end, and are not found."""
        self.link("x", "y")
        self.link("y", "x")
        self.link("self", "self/self")
        self.assertRaises(NotFound, read_all, self.confinement, "x")
        self.assertRaises(NotFound, read_all, self.confinement, "self", "z")

    def test_link_itself(self) -> None:
        """With O_NOFOLLOW the last link is not followed, those before are."""
        self.link("dir", "sub")
        self.link("sub/to-b", "b")
        self.assertRaises(NotFound, self.confinement.open, ("dir", "to-b"), os.O_RDONLY | os.O_NOFOLLOW)
        os.close(self.confinement.open(("dir", "b"), os.O_RDONLY | os.O_NOFOLLOW))

    def test_names_of_any_octets(self) -> None:
        """P-PATH-2: names that are not UTF-8, and names in UTF-8, are found whatever the locale."""
        plant(self.root, {b"caf\xe9": b"latin", "café": b"utf-8", "日本": {b"\xff\xfe": b"both"}})
        self.assertEqual(b"latin", read_all(self.confinement, "caf\udce9"))
        self.assertEqual(b"utf-8", read_all(self.confinement, "café"))
        self.assertEqual(b"both", read_all(self.confinement, "日本", "\udcff\udcfe"))

    def test_case_matters(self) -> None:
        """P-PATH-5: upper and lower case are as the file system has them."""
        self.assertRaises(NotFound, read_all, self.confinement, "A")

    def test_impossible_names(self) -> None:
        """P-PATH-6: names that nothing can have are not found: too long, NUL, a slash, no octets."""
        deep = ("d" * 250,) * 20
        for path in (("n" * 256,), ("é" * 128,), deep, ("a\0",), ("a\0b", "c"), ("sub/b",), ("\ud800",), ("sub", "/b")):
            self.assertRaises(NotFound, self.confinement.open, path, os.O_RDONLY)
            self.assertRaises(NotFound, self.confinement.status, path)

    def test_file_size_limits(self) -> None:
        """P-PATH-6: the longest names and deep paths work."""
        name = "n" * 255
        deepest = os.path.join(self.root, *("d" * 100,) * 30)
        os.makedirs(deepest)
        plant(deepest, {name: b"!"})
        self.assertEqual(b"!", read_all(self.confinement, *("d" * 100,) * 30, name))

    def test_no_descriptor_is_left(self) -> None:
        """Neither success nor failure leaves a descriptor open."""
        self.link("loop", "loop")
        self.link("host", f"{self.root}/sub/../sub/b")
        before = open_descriptors()
        for path in (("a",), ("none",), ("loop",), ("host",), ("sub", "none", "x"), ("a", "x"), ("sub", "..", "..", "a")):
            for ask in (self.confinement.status, self.confinement.place, lambda path: read_all(self.confinement, *path)):
                with contextlib.suppress(StorageError):
                    ask(path)
        self.assertEqual(before, open_descriptors())

    def test_not_inherited(self) -> None:
        """Descriptors do not go to child processes."""
        descriptor = self.confinement.open(("a",), os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        self.assertFalse(os.get_inheritable(descriptor))

    def test_close_twice(self) -> None:
        """A root may be closed more than once."""
        self.confinement.close()
        self.confinement.close()

    def test_directory_flips_to_a_link_outside(self) -> None:
        """P-PATH-4: a directory that becomes a link to the outside and back, while it is used, never lets anything out."""
        plant(self.base, {"out": {"f": SECRET}})
        plant(self.root, {"flip": {"f": b"inside"}})
        flip, parked = os.path.join(self.root, "flip"), os.path.join(self.root, "parked")
        link = os.path.join(self.root, "link")
        os.symlink(os.path.join(self.base, "out"), link)
        self.link("by", "flip/../flip/f")
        stop = threading.Event()

        def flipper() -> None:
            while not stop.is_set():
                os.rename(flip, parked)
                os.rename(link, flip)
                os.rename(flip, link)
                os.rename(parked, flip)

        thread = threading.Thread(target=flipper)
        thread.start()
        seen: dict[bytes | None, int] = {}
        try:
            for number in range(3000):
                try:
                    content: bytes | None = read_all(self.confinement, *(("flip", "f") if number % 2 else ("by",)))
                except StorageError:
                    content = None
                seen[content] = seen.get(content, 0) + 1
        finally:
            stop.set()
            thread.join()
        self.assertEqual(set(), set(seen) - {b"inside", None})
        self.assertIn(b"inside", seen)

    def test_directory_moved_outside(self) -> None:
        """P-PATH-4: ``..`` from a directory that was moved out of the root meanwhile does not lead outside."""
        plant(self.base, {"out": {}})
        inside, outside = os.path.join(self.root, "sub", "deep"), os.path.join(self.base, "out", "deep")
        plant(self.base, {"out": {"b": SECRET}})
        self.link("up", "sub/deep/../b")
        stop = threading.Event()

        def mover() -> None:
            while not stop.is_set():
                os.rename(inside, outside)
                os.rename(outside, inside)

        thread = threading.Thread(target=mover)
        thread.start()
        seen = set()
        try:
            for _ in range(2000):
                with contextlib.suppress(StorageError):
                    seen.add(read_all(self.confinement, "up"))
        finally:
            stop.set()
            thread.join()
        self.assertEqual(set(), seen - {b"B"})


class KernelTests(Cases, SynchronousTestCase):
    """``openat2``."""

    use_openat2 = True

    def test_unsure_kernel(self) -> None:
        """When renames elsewhere keep the kernel from being sure (EAGAIN), the walk answers."""
        with mock.patch.object(module, "openat2", side_effect=OSError(errno.EAGAIN, "")):
            self.assertEqual(b"B", read_all(self.confinement, "sub", "b"))
            self.assertRaises(NotFound, read_all, self.confinement, "none")


class WalkTests(Cases, SynchronousTestCase):
    """The walk in user space."""

    use_openat2 = False

    def test_file_becomes_a_link(self) -> None:
        """P-PATH-4: a file that becomes a link to the outside after it was looked at is looked at again."""
        path = os.path.join(self.root, "a")
        walk = module.walk

        def find(*arguments: Any) -> Any:
            found = walk(*arguments)
            if not os.path.islink(path):
                os.unlink(path)
                os.symlink("../secret", path)
            return found

        with mock.patch.object(module, "walk", find):
            self.assertRaises(NotFound, read_all, self.confinement, "a")

    def test_endless_race(self) -> None:
        """An object that is another one each time it is looked at is given up."""
        with mock.patch.object(os, "open", side_effect=OSError(errno.ELOOP, "")) as opened:
            self.assertRaises(NotFound, self.confinement.open, ("a",), os.O_RDONLY)
        self.assertLess(opened.call_count, 100)

    def test_busy_links(self) -> None:
        """A link with very many ``..`` is given up instead of keeping the server busy."""
        plant(self.root, {"x": {"y": {"z": {}}}})
        self.link("busy", "x/y/z/../../.." + "/x/y/z/../../.." * 180)
        self.link("busier", "busy/" * 39)
        self.assertRaises(StorageError, self.confinement.status, ("busier",))


class RealPathTests(SynchronousTestCase):
    """Where directories have no descriptors (Windows): real paths are compared."""

    def test_inside_and_outside(self) -> None:
        """P-PATH-4: what is below the root is found, what is not is not."""
        base = os.path.realpath(self.mktemp())
        plant(base, {"secret": SECRET, "root": {"a": b"A", "in": Link("sub/b"), "out": Link("../secret"), "sub": {"b": b"B"}}})
        confinement = Confinement(os.path.join(base, "root"), use_descriptors=False)
        self.assertEqual(b"A", read_all(confinement, "a"))
        self.assertEqual(b"B", read_all(confinement, "in"))
        self.assertEqual((b"sub", b"b"), confinement.place(("in",)))
        self.assertEqual((), confinement.place(()))
        for path in (("out",), ("..", "secret"), ("none",)):
            self.assertRaises(NotFound, read_all, confinement, *path)
        with confinement.directory(("sub",)) as directory:
            self.assertEqual(1, directory.status(b"b").st_size)
        self.assertRaises(NotADirectory, confinement.directory, ("a",))
        confinement.close()


class RootTests(SynchronousTestCase):
    """Opening the root."""

    def test_missing_root(self) -> None:
        """A root that is missing or no directory is the operator's error, with its name."""
        missing = self.mktemp()
        self.assertRaises(FileNotFoundError, Confinement, missing)
        plant(missing, {"f": b""})
        self.assertRaises(NotADirectoryError, Confinement, os.path.join(missing, "f"))

    def test_whole_machine(self) -> None:
        """``/`` may be the root; every absolute link is then inside."""
        path = os.path.realpath(self.mktemp())
        plant(path, {"f": b"F", "l": Link(path + "/f")})
        for use_openat2 in (None, False):
            confinement = Confinement("/", use_openat2=use_openat2)
            self.assertEqual(b"F", read_all(confinement, *path[1:].split("/"), "l"))
            confinement.close()


names = st.sampled_from(["a", "b", "c", "l", "m", "..", ".", "root", "secret", "out"])
targets = st.builds(
    lambda absolute, parts: absolute + "/".join(parts),
    st.sampled_from(["", "/", "BASE/", "BASE/root/", "/proc/self/root/"]),
    st.lists(names, min_size=1, max_size=4),
)
plans = st.recursive(
    st.one_of(st.just(b"inside"), targets.map(Link)),
    lambda below: st.dictionaries(st.sampled_from(["a", "b", "c", "l", "m"]), below, max_size=4),
    max_leaves=8,
)


class PropertyTests(SynchronousTestCase):
    """Any tree, any links, any path."""

    @settings(deadline=None, max_examples=60)
    @given(
        st.dictionaries(st.sampled_from(["a", "b", "c", "l", "m"]), plans, min_size=1, max_size=4),
        st.lists(st.lists(names, max_size=5), min_size=4, max_size=8),
    )
    def test_nothing_outside(self, plan: dict[str, object], paths: list[list[str]]) -> None:
        """P-PATH-4: whatever the links and the path are, content from outside is never read; kernel and walk agree."""
        base = os.path.realpath(tempfile.mkdtemp())
        try:

            def placed(content: object) -> object:
                if isinstance(content, Link):
                    return Link(str(content.target).replace("BASE", base))
                return {name: placed(below) for name, below in content.items()} if isinstance(content, dict) else content

            plant(base, {"secret": SECRET, "out": dict.fromkeys("abclm", SECRET), "root": {n: placed(c) for n, c in plan.items()}})
            ways = [Confinement(base + "/root", use_openat2=False)]
            if kernel_confines():
                ways.append(Confinement(base + "/root", use_openat2=True))
            for path in paths:
                results = []
                for confinement in ways:
                    try:
                        results.append(read_all(confinement, *path))
                    except (StorageError, IsADirectoryError) as error:
                        results.append(type(error))
                self.assertNotIn(SECRET, results)
                self.assertEqual(1, len({result if isinstance(result, bytes) else bool for result in results}), (path, results))
            for confinement in ways:
                confinement.close()
        finally:
            shutil.rmtree(base)

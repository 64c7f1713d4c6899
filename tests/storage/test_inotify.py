"""``storage.inotify``: what the system tells of a directory."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from unittest import mock

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.support.trees import open_descriptors, plant
from twistftp.storage import inotify as module
from twistftp.storage import statfs
from twistftp.storage.inotify import Watches, is_local

_ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


class Cases(SynchronousTestCase):
    """A watched directory."""

    def setUp(self) -> None:
        self.path = os.path.abspath(self.mktemp())
        plant(self.path, {"d": {"f": b"123", "sub": {}}, "elsewhere": {"g": b""}})
        self.directory = os.open(os.path.join(self.path, "d"), os.O_RDONLY)
        self.addCleanup(os.close, self.directory)
        try:
            self.watches = Watches()
        except OSError as error:
            raise SkipTest(f"no inotify here: {error}") from None
        self.addCleanup(self.watches.close)

    def at(self, *names: str) -> str:
        return os.path.join(self.path, *names)


class WatchesTests(Cases):
    """One event ends a watch."""

    def told_of(self, change: Callable[[], object]) -> bool:
        """Whether a change ends the watch; it is told at once and once."""
        watch = self.watches.watch(self.directory)
        self.assertEqual([], self.watches.ended())
        change()
        ended = self.watches.ended()
        self.assertEqual([], self.watches.ended())
        assert ended is not None
        self.assertLessEqual(set(ended), {watch})
        return bool(ended)

    def test_changes(self) -> None:
        """Whatever changes a line of the directory's listing is told, and its own rights; reading is not a change."""
        file = self.at("d", "f")
        os.chmod(self.at("d"), 0o700)
        for change in (
            lambda: os.chmod(file, 0o600),
            lambda: os.utime(file, (0, 0)),
            lambda: os.truncate(file, 1),
            lambda: plant(self.at("d"), {"new": b""}),
            lambda: os.link(file, self.at("d", "other")),
            lambda: os.rename(file, self.at("d", "renamed")),
            lambda: os.rename(self.at("d", "renamed"), self.at("elsewhere", "h")),
            lambda: os.rename(self.at("elsewhere", "h"), file),
            lambda: os.symlink("f", self.at("d", "link")),
            lambda: os.unlink(self.at("d", "link")),
            lambda: os.rmdir(self.at("d", "sub")),
            lambda: os.mkdir(self.at("d", "sub")),
            lambda: os.chmod(self.at("d"), 0o755),
        ):
            self.assertTrue(self.told_of(change))
        for no_change in (os.listdir, os.lstat):
            self.assertFalse(self.told_of(partial(no_change, self.at("d"))))
        self.assertFalse(self.told_of(lambda: open(file).close()))
        self.assertFalse(self.told_of(lambda: os.unlink(self.at("elsewhere", "g"))))

    def test_open_file(self) -> None:
        """Octets written to a file that was open before are told, those that come through a pipe too, at the latest when it is closed."""
        with open(self.at("d", "f"), "ab", 0) as file:
            self.assertTrue(self.told_of(lambda: file.write(b"more")))
            self.assertTrue(self.told_of(file.close))

    def test_ways_to_write(self) -> None:
        """However octets get into an open file or its values change: each is told, that of an upload which gets its name later, too."""
        file, other = os.open(self.at("d", "f"), os.O_RDWR), os.open(self.at("elsewhere", "g"), os.O_RDWR)
        reading, writing = os.pipe()
        for descriptor in (file, other, reading, writing):
            self.addCleanup(os.close, descriptor)
        os.write(writing, b"through a pipe")
        os.write(other, b"from a file")
        changes: list[Callable[[], object]] = [
            lambda: os.splice(reading, file, 14, offset_dst=0),
            lambda: os.sendfile(file, other, 0, 5),
            lambda: os.pwrite(file, b"x", 50),
            lambda: os.posix_fallocate(file, 0, 5000),
            lambda: os.ftruncate(file, 3),
            lambda: os.fchmod(file, 0o600),
            lambda: os.utime(file, (0, 0)),
        ]
        try:
            nameless = os.open(self.at("d"), os.O_TMPFILE | os.O_WRONLY)
        except OSError:  # not all file systems can
            pass
        else:
            self.addCleanup(os.close, nameless)
            new = self.at("d", "new")
            changes += [
                lambda: os.link(f"/proc/self/fd/{nameless}", new, src_dir_fd=file, follow_symlinks=True),
                lambda: os.write(nameless, b"more"),
            ]
        for number, change in enumerate(changes):
            self.assertTrue(self.told_of(change), number)

    def test_renamed_directory(self) -> None:
        """What is watched is the directory that is open, whatever it is called by then."""
        os.rename(self.at("d"), self.at("e"))
        os.mkdir(self.at("d"))
        self.assertFalse(self.told_of(lambda: plant(self.at("d"), {"new": b""})))
        self.assertTrue(self.told_of(lambda: plant(self.at("e"), {"new": b""})))

    def test_removed_directory(self) -> None:
        """A directory that is gone is told."""
        directory = os.open(self.at("elsewhere"), os.O_RDONLY)
        watch = self.watches.watch(directory)
        os.unlink(self.at("elsewhere", "g"))
        self.assertIn(watch, self.watches.ended() or ())
        watch = self.watches.watch(directory)
        os.rmdir(self.at("elsewhere"))
        os.close(directory)
        self.assertEqual([watch], self.watches.ended())

    def test_numbers(self) -> None:
        """The number of a watch that has ended is not given again; one directory has one."""
        seen = set()
        for _ in range(5):
            watch = self.watches.watch(self.directory)
            self.assertEqual(watch, self.watches.watch(self.directory))
            seen.add(watch)
            self.watches.forget(watch)
            self.watches.forget(watch)
            self.assertEqual({watch}, set(self.watches.ended() or ()))
        self.assertEqual(5, len(seen))

    def test_many_events(self) -> None:
        """All are read, however many there are."""
        self.patch(module, "_ROOM", 64)
        watches = []
        for number in range(20):
            os.mkdir(self.at(f"{number}"))
            directory = os.open(self.at(f"{number}"), os.O_RDONLY)
            watches.append(self.watches.watch(directory))
            os.close(directory)
            plant(self.at(f"{number}"), {"name": b""})
        self.assertEqual(set(watches), set(self.watches.ended() or ()))
        self.assertEqual([], self.watches.ended())

    def test_overflow(self) -> None:
        """When the system has forgotten what there was, it says so."""
        with mock.patch.object(os, "read", return_value=struct.pack("iIII", -1, 0x4000, 0, 0)):
            self.assertIsNone(self.watches.ended())

    def test_no_directory(self) -> None:
        """Only directories are watched."""
        with open(self.at("d", "f")) as file:
            self.assertEqual(errno.ENOTDIR, self.assertRaises(OSError, self.watches.watch, file.fileno()).errno)

    def test_closed(self) -> None:
        """Nothing stays open."""
        before = open_descriptors()
        one = Watches()
        one.watch(self.directory)
        one.close()
        one.close()
        self.assertEqual(before, open_descriptors())
        self.assertRaises(OSError, one.watch, self.directory)

    def test_where_there_is_none(self) -> None:
        """Systems without inotify say so, and no file system is known."""
        self.patch(module, "_libc", None)
        self.assertRaises(OSError, Watches)
        self.patch(statfs, "_libc", None)
        self.assertFalse(is_local(self.directory))

    def test_another_user(self) -> None:
        """It works when the process has stepped down from root: directories that the user may read."""
        if os.geteuid() != 0:
            raise SkipTest("only root can step down")
        program = (
            "import os, sys\nfrom twistftp.storage.inotify import Watches, is_local\n"
            "directory = os.open('/', os.O_RDONLY)\nos.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "print(Watches().watch(directory), is_local(directory) in (False, True))"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False, env=_ENVIRONMENT)
        self.assertEqual(("1 True\n", ""), (done.stdout, done.stderr))


class IsLocalTests(Cases):
    """Where events can be believed."""

    def test_known(self) -> None:
        """Of proc and of what is no descriptor it is not said; of a file system by its number."""
        proc = os.open("/proc", os.O_RDONLY)
        self.addCleanup(os.close, proc)
        self.assertFalse(is_local(proc))
        self.assertFalse(is_local(-1))

    def test_by_number(self) -> None:
        """A network file system is not local."""

        class Libc:
            number = 0

            def fstatfs(self, descriptor: int, found: object) -> int:
                found.raw = self.number.to_bytes(8, sys.byteorder).ljust(512, b"\0")  # type: ignore[attr-defined]
                return 0

        libc = Libc()
        self.patch(statfs, "_libc", libc)
        for number, local in ((0xEF53, True), (0x01021994, True), (0x9123683E, True), (0x6969, False), (0x65735546, False), (0xFE534D42, False)):
            libc.number = number
            self.assertEqual(local, is_local(self.directory), hex(number))

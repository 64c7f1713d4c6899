"""``storage.mounts``: on which directories' events one can rely."""

from __future__ import annotations

import os
import subprocess
import sys
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.support.trees import open_descriptors, plant
from twistftp.storage import mounts as module
from twistftp.storage.mounts import Mounts

_ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

# In a mount namespace of its own: files are mounted over files, and each listing that may be kept is compared with one made anew.
_PROGRAM = """
import ctypes, os, sys
from tests.support.at_once import at_once
from tests.storage.test_listing_cache import NEVER, Counting, all_of
from twistftp.storage.confinement import Confinement
from twistftp.storage.listing import LocalListing
from twistftp.storage.listing_cache import ListingCache
from twistftp.wire.unix_form import UnixForm

libc = ctypes.CDLL(None, use_errno=True)

def checked(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

def mount(what, where, flags):
    checked(libc.mount(os.fsencode(what), os.fsencode(where), None, flags, None))

BIND, PRIVATE = 0x1000, 0x4000 | 0x40000
try:
    checked(libc.unshare(0x20000))
    mount("none", "/", PRIVATE)
    mount("d", "d", BIND)  # a mount of its own, whatever else is mounted into the one around it
except PermissionError:
    print("not permitted")
    sys.exit()
confinement, cache, form = Confinement("."), Counting(), UnixForm(10**9)

def say(what, *names):
    for name in names or ("d",):
        hits = cache.hits
        kept, anew = [all_of(LocalListing(confinement, (name,), at_once, False, of), form) for of in (cache, ListingCache(small=NEVER))]
        print(what, name, kept == anew, cache.hits > hits, b" 5 " in kept)

say("first"); say("kept")
os.mkdir("view"); mount("d", "view", BIND); say("mounted elsewhere"); say("kept", "d", "view")
mount("e/other", "view/file", BIND); say("file over file", "d", "view", "d", "view")
with open("e/other", "w") as file: file.write("12345")
say("changed there", "d", "view")
mount("e", "view/sub", BIND); say("directory over directory", "d", "view")
checked(libc.umount2(b"view/file", 0)); say("unmounted", "d", "view"); say("kept", "d", "view")
os.truncate("e/other", 0); say("kept", "d", "view")
"""

_EXPECTED = """
first d True False False
kept d True True False
mounted elsewhere d True False False
kept d True True False
kept view True True False
file over file d True False False
file over file view True False False
file over file d True True False
file over file view True False False
changed there d True True False
changed there view True False True
directory over directory d True False False
directory over directory view True False True
unmounted d True False False
unmounted view True True False
kept d True True False
kept view True True False
kept d True True False
kept view True True False
"""


class MountsTests(SynchronousTestCase):
    """The table of this process."""

    def setUp(self) -> None:
        if not os.path.exists("/proc/self/mountinfo"):
            raise SkipTest("no mount table here")

    def test_file_systems(self) -> None:
        """What is said of a file system is remembered, for so many at most."""
        asked: list[int] = []
        self.patch(module, "is_local", lambda descriptor: (asked.append(descriptor), descriptor != 5)[1])
        self.patch(module, "_with_files", lambda table: frozenset())
        one = Mounts()
        self.assertEqual([True, False, True], [one.tell_all(4, 1), one.tell_all(5, 2), one.tell_all(4, 1)])
        self.assertEqual([4, 5], asked)
        for device in range(5000):
            one.tell_all(4, device)
        self.assertLessEqual(len(one._are_local), 1024)
        one.close()

    def test_unknown_mount(self) -> None:
        """Where files are mounted anywhere, a directory whose mount cannot be known is not relied on."""
        self.patch(module, "is_local", lambda descriptor: True)
        with mock.patch.object(module, "_with_files", return_value=frozenset({b"nobody's"})):
            one = Mounts()
        directory = os.open(".", os.O_RDONLY)
        self.assertEqual((True, False), (one.tell_all(directory, 1), one.tell_all(1 << 20, 1)))
        os.close(directory)
        one.close()

    def test_closed(self) -> None:
        """Nothing stays open."""
        before = open_descriptors()
        one = Mounts()
        one.close()
        one.close()
        self.assertEqual(before, open_descriptors())

    def test_mounting(self) -> None:
        """P-LS-9: files mounted over files are listed as they are; through another mount of the same directory, too."""
        if os.geteuid() != 0:
            raise SkipTest("only root can mount")
        from tests.storage.test_listing_cache import demand_inotify

        demand_inotify()
        path = os.path.abspath(self.mktemp())
        plant(path, {"d": {"file": b"1", "sub": {}}, "e": {"other": b"123"}})
        done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60, check=False, env=_ENVIRONMENT, cwd=path)
        if done.stdout == "not permitted\n":
            raise SkipTest("no mount namespaces here")
        self.assertEqual((_EXPECTED.strip().splitlines(), ""), (done.stdout.splitlines(), done.stderr))


class TableTests(SynchronousTestCase):
    """Rows of mountinfo."""

    def setUp(self) -> None:
        self.path = os.path.abspath(self.mktemp())
        plant(self.path, {"with blank": {"d": {}, "f": b""}})

    def found(self, *rows: str) -> frozenset[bytes]:
        text = "".join(f"{row}\n" for row in rows).replace("@", self.path.replace("\\", "\\134")) + "1 0 8:1 / / rw - ext4 /dev/a rw\n"
        return module._with_files(text.encode())

    def test_whole_file_systems(self) -> None:
        """They begin with directories, so nobody looks."""
        self.assertEqual(frozenset(), self.found("7 1 8:1 / /nowhere rw shared:1 master:2 - nfs a:/b rw", "8 7 0:5 / /nowhere/e rw - ext4 /dev/c rw"))

    def test_parts(self) -> None:
        """Those that are no directories count for the mount that they are in; names have their blanks escaped."""
        self.assertEqual(frozenset(), self.found("7 1 8:1 /x @/with\\040blank/d rw shared:1 - ext4 /dev/a rw"))
        self.assertEqual({b"1"}, self.found("7 1 8:1 /x @/with\\040blank/f rw shared:1 - ext4 /dev/a rw"))
        self.assertEqual({b"1"}, self.found("7 1 8:1 /x @/gone rw - ext4 /dev/a rw"))
        above = "6 1 8:1 / /mnt rw - ext4 /dev/b rw"
        self.assertEqual({b"6"}, self.found(above, "7 6 8:1 /x @/with\\040blank/f rw - ext4 /dev/a rw"))

    def test_network(self) -> None:
        """A path that leads through a network file system is not looked at: it may be a file."""
        looked_at: list[object] = []
        self.patch(os, "lstat", looked_at.append)
        above = "6 1 0:9 / /mnt rw - nfs4 a:/b rw"
        self.assertEqual({b"6"}, self.found(above, "7 6 8:1 /x /mnt/d rw - ext4 /dev/a rw"))
        self.assertEqual({b"1"}, self.found("7 1 0:8 /x /d rw - fuse.sshfs a rw"))
        self.assertEqual([], looked_at)

    def test_circle(self) -> None:
        """A table that makes no sense does not keep anybody busy."""
        self.assertEqual(frozenset(), self.found("6 7 8:1 /x @/with\\040blank/d rw - ext4 a rw", "7 6 8:1 / / rw - ext4 a rw"))

    @given(st.binary(max_size=99))
    def test_escapes(self, name: bytes) -> None:
        """Any path comes back from its escaped form."""
        escaped = name
        for octet in b"\\ \t\n":
            escaped = escaped.replace(bytes((octet,)), b"\\%03o" % octet)
        self.assertEqual(name, module._ESCAPE.sub(module._unescaped, escaped))

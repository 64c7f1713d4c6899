"""``storage.links``: what a listing shows of symbolic links."""

from __future__ import annotations

import os

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.support.trees import Link, kernel_confines, plant
from twistftp.storage.confinement import Confinement, text_of
from twistftp.storage.filesystem import FilesystemShell
from twistftp.wire.entries import Entry, facts_lines
from twistftp.wire.unix_form import unix_lines


class Cases:
    """The same for the kernel and for the walk."""

    use_openat2: bool

    def setUp(self) -> None:
        if self.use_openat2 and not kernel_confines():
            raise SkipTest("openat2 does not work here")
        self.base = os.path.realpath(self.mktemp())
        self.root = os.path.join(self.base, "root")
        plant(self.base, {"secret": b"outside", "root": {"f": b"12345", "sub": {"g": b"123", "deep": {}}}})
        self.confinement = Confinement(self.root, use_openat2=self.use_openat2)
        self.addCleanup(self.confinement.close)
        self.shell = FilesystemShell(self.confinement)

    def entry(self, target: str | bytes, *path: str) -> Entry:
        """The entry, as listed, of a link with that text, in the directory ``path``; STAT and MLST show the same."""
        os.symlink(os.fsencode(target), os.path.join(os.fsencode(self.root), *map(os.fsencode, path), b"link"))
        listing = self.shell.listing(path)
        try:
            found = {entry.name: entry for entry in listing.next_batch()}
        finally:
            listing.close()
        self.assertEqual(found["link"], self.shell.status((*path, "link")))
        return found["link"]

    def assertShown(self, entry: Entry, target: str | None, size: int | None) -> None:
        self.assertTrue(entry.is_link)
        self.assertEqual(target, entry.target)
        self.assertEqual(size, entry.resolved.size if entry.resolved is not None else None)

    def test_relative(self) -> None:
        """P-LU-8: the text of a relative link that stays inside is shown as it is stored."""
        self.assertShown(self.entry("./sub//g"), "./sub//g", 3)

    def test_relative_up(self) -> None:
        """P-LU-8: ``..`` that stays inside is shown."""
        self.assertShown(self.entry("../../f", "sub", "deep"), "../../f", 5)

    def test_relative_out(self) -> None:
        """P-LU-8: ``..`` that would climb above the root is not shown, nor what lies outside."""
        self.assertShown(self.entry("../secret"), None, None)

    def test_relative_out_and_back(self) -> None:
        """P-LU-8: nor is a path that leaves the root to come back into it."""
        self.assertIsNone(self.entry("../root/f").target)

    def test_up_from_a_directory_behind_a_link(self) -> None:
        """P-LU-8: what counts is how deep the directory is, not by how long a path it was reached."""
        plant(os.path.join(self.root, "sub", "deep"), {"top": Link("/sub")})
        os.symlink("../../secret", os.path.join(self.root, "sub", "link"))
        listing = self.shell.listing(("sub", "deep", "top"))
        self.addCleanup(listing.close)
        self.assertEqual([None], [entry.target for entry in listing.next_batch() if entry.name == "link"])

    def test_dangling(self) -> None:
        """P-LS-6, P-ML-2: a dangling relative link is listed with its text; MLSD leaves it out."""
        entry = self.entry("none/at/all")
        self.assertShown(entry, "none/at/all", None)
        self.assertEqual("", facts_lines([entry], frozenset({"type"})))
        self.assertIn("link -> none/at/all", unix_lines([entry], 0))

    def test_absolute_from_the_root(self) -> None:
        """P-LU-8: an absolute link that is right as seen from the root is shown."""
        self.assertShown(self.entry("/sub/g", "sub"), "/sub/g", 3)

    def test_host_path(self) -> None:
        """P-LU-8: a host's path below the root is shown as seen from the root."""
        self.assertShown(self.entry(f"{self.root}/sub/g"), "/sub/g", 3)

    def test_host_path_of_the_root(self) -> None:
        """The host's path of the root is ``/``."""
        entry = self.entry(self.root, "sub")
        self.assertEqual("/", entry.target)
        self.assertTrue(entry.is_directory)

    def test_dangling_host_path(self) -> None:
        """A dangling link below the root by the host's path shows nothing of the host."""
        self.assertShown(self.entry(f"{self.root}/none"), "/none", None)

    def test_outside(self) -> None:
        """P-LU-8: an absolute link that leads outside shows neither text nor target."""
        entry = self.entry(f"{self.base}/secret")
        self.assertShown(entry, None, None)
        self.assertNotIn(self.base, unix_lines([entry], 0))

    def test_host_path_out(self) -> None:
        """P-LU-8: a host's path that begins in the root and leaves it is not shown."""
        self.assertShown(self.entry(f"{self.root}/../secret"), None, None)

    def test_line_ends(self) -> None:
        """P-LINE-10: a text with a line end in it is not shown, since a client would take what follows for an entry."""
        self.assertShown(self.entry("none\r\ndrwxr-xr-x 1 ftp ftp 0 Jan 1 00:00 fake"), None, None)

    def test_any_octets(self) -> None:
        """P-PATH-2: texts are octets, too."""
        plant(self.root, {b"\xe9": b"1"})
        self.assertShown(self.entry(b"\xe9"), text_of(b"\xe9"), 1)

    def test_facts_are_the_targets(self) -> None:
        """P-ML-2, P-ML-6: type, size and identity in MLSD are those of what the link leads to."""
        entry = self.entry("sub/g")
        self.assertEqual("type=file;size=3; link\r\n", facts_lines([entry], frozenset({"type", "size"})))
        self.assertEqual(self.shell.status(("sub", "g")).unique, (entry.resolved or entry).unique)
        self.assertNotEqual(entry.unique, (entry.resolved or entry).unique)


class KernelTests(Cases, SynchronousTestCase):
    """``openat2``."""

    use_openat2 = True


class WalkTests(Cases, SynchronousTestCase):
    """The walk in user space."""

    use_openat2 = False

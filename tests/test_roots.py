"""Tests of ``roots``."""

import os
from pathlib import Path
from unittest import SkipTest

from hypothesis import given
from hypothesis.strategies import text
from twisted.trial.unittest import SynchronousTestCase

from twistftp.privileges import ServingUser
from twistftp.roots import Place, directory_trouble, expand, file_trouble, root_trouble, served_trouble

NOBODY = 65534


class ExpandTests(SynchronousTestCase):
    """Homes and variables."""

    ENVIRONMENT = {"SystemDrive": "C:", "DATA": "/data", "EMPTY": ""}

    def test_forms(self) -> None:
        """As shells write them, and IIS."""
        for written, meant in {
            "/srv": "/srv",
            "$DATA/x": "/data/x",
            "${DATA}x": "/datax",
            "%SystemDrive%\\inetpub\\ftproot": "C:\\inetpub\\ftproot",
            "a$": "a$",
            "100%": "100%",
            "~": os.path.expanduser("~"),
            "~/x": os.path.expanduser("~/x"),
        }.items():
            self.assertEqual(meant, expand(written, self.ENVIRONMENT))

    def test_refusals(self) -> None:
        """What does not exist is named."""
        for written, rule in {
            "$NIX/x": "the environment variable NIX is not set",
            "${NIX}": "the environment variable NIX is not set",
            "%NIX%": "the environment variable NIX is not set",
            "${}": "the environment variable ${} is not set",
            "~nix-nobody/x": "there is no user 'nix-nobody', so no home directory",
            "": "must not be empty",
            "$EMPTY": "must not be empty",
            "a\0b": "must not contain a NUL character",
        }.items():
            self.assertEqual(rule, str(self.assertRaises(ValueError, expand, written, self.ENVIRONMENT)))

    @given(text())
    def test_any_text(self, written: str) -> None:
        """Any text is expanded or refused."""
        try:
            expand(written, self.ENVIRONMENT)
        except ValueError:
            pass


class RootTroubleTests(SynchronousTestCase):
    """Whether a directory can be served."""

    def setUp(self) -> None:
        # Below the temporary directory, not below trial's: what the user nobody may enter is of interest.
        import tempfile

        self.base = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.base.chmod(0o755)
        (self.base / "pub").mkdir(mode=0o755)
        (self.base / "file").touch()

    def test_good(self) -> None:
        """A directory that may be read."""
        self.assertEqual("", root_trouble(str(self.base / "pub"), Place()))

    def test_bad(self) -> None:
        """Each trouble has words of its own."""
        self.assertEqual("no such directory", root_trouble(str(self.base / "nix"), Place()))
        self.assertEqual("is not a directory", root_trouble(str(self.base / "file"), Place()))
        self.assertEqual("cannot be read: not a directory", root_trouble(str(self.base / "file" / "x"), Place()))
        (self.base / "loop").symlink_to("loop")
        self.assertIn("cannot be read", root_trouble(str(self.base / "loop"), Place()))

    def test_behind_chroot(self) -> None:
        """With ``--chroot`` the root is what it will be inside."""
        self.assertEqual("", root_trouble("/pub", Place(str(self.base))))
        self.assertEqual(f"no such directory behind --chroot {self.base}", root_trouble(str(self.base / "pub"), Place(str(self.base))))

    def test_other_user(self) -> None:
        """With ``--uid`` it is that user who must be able to read it, through every directory above it."""
        if os.name != "posix" or os.getuid() != 0:
            raise SkipTest("needs root, to become somebody else")
        place = Place(user=ServingUser.of(NOBODY))
        self.assertEqual("", root_trouble(str(self.base / "pub"), place))
        for locked in (self.base / "pub", self.base):
            locked.chmod(0o700)
            self.assertIn(f"is not readable for user {NOBODY} (--uid)", root_trouble(str(self.base / "pub"), place))
            locked.chmod(0o755)
        (self.base / "pub").chmod(0o744)
        self.assertIn("is not readable", root_trouble(str(self.base / "pub"), place))


class DirectoryTroubleTests(SynchronousTestCase):
    """Whether files can be made in a directory, and stay private there."""

    def setUp(self) -> None:
        self.base = Path(os.path.abspath(self.mktemp()))
        (self.base / "pub" / "deep").mkdir(parents=True)
        (self.base / "public").mkdir()

    def test_others_may_write(self) -> None:
        """Where everybody may write files could be put in place of the server's, unless it is as in /tmp."""
        if os.name != "posix":
            raise SkipTest("needs permission bits")
        for mode, begins in ((0o700, ""), (0o755, ""), (0o777, "everybody may write there"), (0o1777, "")):
            (self.base / "pub").chmod(mode)
            trouble = directory_trouble(str(self.base / "pub"), Place())
            self.assertEqual((bool(begins), True), (bool(trouble), trouble.startswith(begins)), oct(mode))

    def test_served(self) -> None:
        """It may not lie in a directory that is served, by whatever way; beside one, or above, it may."""
        base = str(self.base)
        (self.base / "link").symlink_to("pub/deep")
        for name in ("pub", "pub/deep", "link", "public/../pub"):
            trouble = served_trouble(f"{base}/{name}", [f"{base}/other", f"{base}/pub/"], Place())
            self.assertIn(f"lies in {base}/pub/, which is served", trouble, name)
        for name in ("public", "", "none"):
            self.assertEqual("", served_trouble(f"{base}/{name}", [f"{base}/pub"], Place()), name)
        self.assertIn("lies in /,", served_trouble(base, ["/"], Place()))
        self.assertIn("lies in /pub,", served_trouble("/link", ["/pub"], Place(base)))

    def test_files(self) -> None:
        """A file may be there or not; its directory must be, behind a chroot, too, and one of the two writable."""
        base = str(self.base)
        (self.base / "pub" / "a.log").write_text("")
        expected = {
            f"{base}/pub/a.log": "",
            f"{base}/pub/b.log": "",
            f"{base}/pub": "is a directory",
            f"{base}/none/a.log": "there is no directory to make it in; make that first",
        }
        self.assertEqual(expected, {path: file_trouble(path, Place()) for path in expected})
        self.assertEqual(("", "is a directory"), (file_trouble("/pub/b.log", Place(base)), file_trouble("/pub", Place(base))))
        asked = []
        self.patch(os, "access", lambda path, mode: asked.append((path, mode)))
        for path in list(expected)[:2]:
            self.assertEqual("permission denied", file_trouble(path, Place()))
        self.assertEqual([(f"{base}/pub/a.log", os.W_OK), (f"{base}/pub", os.W_OK)], asked)

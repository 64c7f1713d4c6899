"""Tests of ``cli.passwd``."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from unittest import SkipTest

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from tests.support.twistd import environment
from twistftp.accounts.hashing import is_password
from twistftp.accounts.user_book import load_users
from twistftp.cli import main


class PasswdTests(SynchronousTestCase):
    """``twistftp passwd``."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def passwd(self, *arguments: str, typed: str | bytes = "") -> Result:
        return CliRunner().invoke(main, ["passwd", str(self.path), *arguments], input=typed)

    def said(self, *arguments: str, typed: str | bytes = "", status: int = 0) -> str:
        result = self.passwd(*arguments, typed=typed)
        self.assertEqual(status, result.exit_code, result.output)
        return result.output.replace(str(self.path), "FILE")

    def has(self, name: str, password: bytes) -> bool:
        return is_password(load_users(str(self.path))[name].encoded, password)

    def test_add_and_change(self) -> None:
        """The first line of standard input, whatever its line end, is the password; a new file is its owner's alone."""
        self.assertEqual("FILE: alice added\n", self.said("alice", typed="secret\nmore\n"))
        self.assertEqual(0o600, stat.S_IMODE(self.path.stat().st_mode))
        self.assertTrue(self.has("alice", b"secret"))
        self.assertEqual("FILE: bob added\n", self.said("bob", typed=" b o b \r\n"))
        self.assertEqual("FILE: password of alice changed\n", self.said("alice", typed="größe".encode()))
        self.assertEqual(["alice", "bob"], list(load_users(str(self.path))))
        self.assertTrue(self.has("alice", "größe".encode()) and self.has("bob", b" b o b "))
        self.assertNotIn(b"secret", self.path.read_bytes())

    def test_delete(self) -> None:
        """``--delete`` takes a user out, and needs no password."""
        self.said("alice", typed="x")
        self.assertEqual("FILE: alice taken out\n", self.said("alice", "--delete"))
        self.assertEqual({}, dict(load_users(str(self.path))))
        self.assertEqual("twistftp passwd: FILE: there is no user alice\n", self.said("--delete", "alice", status=1))

    def test_composed(self) -> None:
        """Names are stored in their composed form, whichever the terminal sends."""
        self.said("u\u0308", typed="x")
        self.assertEqual(["ü"], list(load_users(str(self.path))))

    def test_comments(self) -> None:
        """All else in the file stays."""
        self.path.write_text("# our users\n\n")
        self.said("alice", typed="x")
        self.assertTrue(self.path.read_text().startswith("# our users\n\nalice:$argon2id$"))

    def test_usage(self) -> None:
        """Mistakes on the command line: status 2, and nothing is written."""
        for arguments in (["a:b"], [""], ["a/b"], ["*"], ["anonymous"], ["FTP"], [], ["a", "b"]):
            self.assertEqual(2, self.passwd(*arguments, typed="x").exit_code, arguments)
        self.assertFalse(self.path.exists())

    def test_bad_password(self) -> None:
        """No password, or one that FTP cannot send: status 1, one line, and nothing is written."""
        for typed, rule in (("", "empty"), ("\n", "empty"), ("a\0b", "no NUL"), ("x" * 513, "at most 512 octets")):
            said = self.said("alice", typed=typed, status=1)
            self.assertRegex(said, rf"\Atwistftp passwd: [^\n]*{rule}[^\n]*\n\Z")
        self.assertFalse(self.path.exists())

    def test_no_place(self) -> None:
        """What is wrong with the file is said before anybody is asked for a password."""
        missing = self.path / "deeper"
        for path, rule in ((missing, "there is no directory to make it in; make that first"), (Path(os.curdir), "is a directory")):
            result = CliRunner().invoke(main, ["passwd", str(path), "alice"], input="")
            self.assertEqual((1, f"twistftp passwd: {path}: {rule}\n"), (result.exit_code, result.output))

    def test_not_a_users_file(self) -> None:
        """A file that is none is not changed, nor one whose directory is not there."""
        self.path.write_text("root:x:0:0:root\n")
        self.assertEqual("twistftp passwd: FILE: line 1: must be NAME:HASH and nothing more\n", self.said("alice", typed="x", status=1))
        self.assertEqual("root:x:0:0:root\n", self.path.read_text())
        self.path = self.path / "deeper" / "users"
        self.assertRegex(self.said("alice", typed="x", status=1), r"\Atwistftp passwd: FILE: (not a directory|no such file or directory)\n\Z")
        self.assertRegex(self.said("alice", "--delete", status=1), r"\Atwistftp passwd: FILE: (not a directory|no such file or directory)\n\Z")

    def test_terminal(self) -> None:
        """At a terminal it is asked for twice, unseen, until both are the same."""
        if not hasattr(os, "openpty"):
            raise SkipTest("there are no terminals here")
        ours, theirs = os.openpty()
        self.addCleanup(os.close, ours)
        command = [sys.executable, "-m", "twistftp", "passwd", str(self.path.absolute()), "alice"]
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(), start_new_session=True) as child:
            os.close(theirs)
            seen = b""
            for number, answer in enumerate((b"one\n", b"two\n", b"secret\n", b"secret\n")):
                while seen.count(b"Password: ") + seen.count(b"Once more: ") <= number:
                    seen += os.read(ours, 1000)
                os.write(ours, answer)
            while b"added" not in seen:
                seen += os.read(ours, 1000)
            self.assertEqual(0, child.wait(30))
        self.assertIn(b"do not match", seen)
        self.assertNotIn(b"secret", seen)
        self.assertTrue(self.has("alice", b"secret"))

"""Tests of ``accounts.user_book``: a users file that changes under a running server."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from twistftp.accounts import user_book
from twistftp.accounts.hashing import hash_password
from twistftp.accounts.user_book import UserBook, load_users
from twistftp.accounts.users_file import BadUsersFile

ALICE, BOB = hash_password(b"secret"), hash_password(b"bobs")


class Case(SynchronousTestCase):
    """A file with ``alice`` in it."""

    def setUp(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir(parents=True)
        self.path = directory / "users"
        self.write(f"# users\nalice:{ALICE}\n")

    def write(self, text: str) -> None:
        """As an editor does: a new file takes the old one's place."""
        new = self.path.with_name("new")
        new.write_text(text, "utf-8")
        new.replace(self.path)


class LoadTests(Case):
    """The first reading."""

    def test_good(self) -> None:
        """Names and hashes."""
        self.assertEqual(["alice"], list(load_users(str(self.path))))

    def test_refusals(self) -> None:
        """What cannot be read, or is no users file."""
        self.path.with_name("bad").write_text("\n\nalice\n")
        for name, rule in (("nix", "no such file"), (".", "is a directory"), ("bad", "line 3: ")):
            self.assertIn(rule, str(self.assertRaises(BadUsersFile, UserBook, str(self.path.parent / name))))
        self.assertEqual("line 2: alice is a name of the anonymous user; choose another", str(self.assertRaises(BadUsersFile, self.guests)))

    def guests(self) -> None:
        load_users(str(self.path), lambda name: name == "alice")

    def test_pipe(self) -> None:
        """A FIFO holds nobody up."""
        if not hasattr(os, "mkfifo"):
            raise SkipTest("this system has none")
        os.mkfifo(self.path.with_name("pipe"))
        self.assertEqual("not a plain file", str(self.assertRaises(BadUsersFile, load_users, str(self.path.with_name("pipe")))))


class RefreshTests(Case):
    """Later ones."""

    def setUp(self) -> None:
        super().setUp()
        self.book = UserBook(str(self.path))

    def test_unchanged(self) -> None:
        """A file that is the same is not read again."""
        self.patch(user_book, "_load", lambda *_: self.fail("read again"))
        self.assertEqual("", self.book.refresh())

    def test_changed(self) -> None:
        """Users come and go."""
        self.write(f"bob:{BOB}\ncarl:{BOB}\n")
        self.assertEqual(f"users file {self.path}: read again, 2 users (before: 1)", self.book.refresh())
        self.assertEqual("", self.book.refresh())
        self.assertTrue(self.book.knows("bob", b"bobs"))
        self.assertFalse(self.book.knows("alice", b"secret"))

    def test_in_place(self) -> None:
        """A file that is written over where it is counts as changed, too."""
        self.path.write_text(f"bob:{BOB}\n")
        self.assertIn("read again", self.book.refresh())

    def test_bad(self) -> None:
        """Those who were read before stay; the line is named, once for each trouble."""
        self.write(f"alice:{ALICE}\nbob\n")
        self.assertEqual(f"users file {self.path}: line 2: must be NAME:HASH; the users from before (1) stay", self.book.refresh())
        self.assertEqual("", self.book.refresh())
        self.write("bob\n")
        self.assertIn("line 1: ", self.book.refresh())
        self.assertTrue(self.book.knows("alice", b"secret"))
        self.write(f"bob:{BOB}\n")
        self.assertIn("read again", self.book.refresh())

    def test_gone(self) -> None:
        """Nor does a file that is gone lock anybody out."""
        self.path.unlink()
        self.assertIn("no such file; the users from before (1) stay", self.book.refresh())
        self.assertTrue(self.book.knows("alice", b"secret"))

    def test_not_allowed(self) -> None:
        """One that this user may not read any more: the cure is told, once."""

        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        self.patch(os, "stat", refuse)
        said = self.book.refresh()
        self.assertIn("may not read it: let the group of that user read file and directory, or restart; the users from before (1) stay", said)
        self.assertEqual("", self.book.refresh())

    def test_not_allowed_to_open(self) -> None:
        """The same where the directory may be looked into."""
        self.write("")
        real = os.open

        def refuse(path: str, *options: int) -> int:
            if path == str(self.path):
                raise PermissionError(13, "Permission denied")
            return real(path, *options)

        self.patch(os, "open", refuse)
        self.assertIn("may not read it", self.book.refresh())

    def test_sealed(self) -> None:
        """Behind a chroot the path names another file, which is not looked at; SIGHUP says so once."""
        book = UserBook(str(self.path), is_sealed=True)
        self.write(f"mallory:{BOB}\n")
        self.assertEqual("", book.refresh())
        self.assertFalse(book.knows("mallory", b"bobs"))
        self.assertEqual([True, False], [bool(book.sealed_note()), bool(book.sealed_note())])
        self.assertEqual("", self.book.sealed_note())

    def test_one_at_a_time(self) -> None:
        """While one thread reads, the others go on with what there is."""
        self.write("")
        with self.book._lock:
            self.assertEqual("", self.book.refresh())
        self.assertIn("read again, 0 users", self.book.refresh())

    def test_reserved(self) -> None:
        """Another site that uses the file may have other names for the anonymous user."""
        self.book.refuse_reserved(lambda name: name == "bob")
        self.assertRaises(BadUsersFile, self.book.refuse_reserved, lambda name: name == "alice")


class KnowsTests(Case):
    """Who is known."""

    def counted(self) -> list[str]:
        """The hashes that are compared with from now on."""
        compared: list[str] = []
        real = user_book.is_password

        def is_password(encoded: str, password: bytes) -> bool:
            compared.append(encoded)
            return real(encoded, password)

        self.patch(user_book, "is_password", is_password)
        return compared

    def test_same_work(self) -> None:
        """P-SEC-4: one hash is compared with for the right password, a wrong one, an unknown name, and where there is no user at all."""
        book = UserBook(str(self.path))
        compared = self.counted()
        for name, password in (("alice", b"secret"), ("alice", b"wrong"), ("nobody", b"secret"), ("Alice", b"secret")):
            self.assertEqual((name, password) == ("alice", b"secret"), book.knows(name, password))
            self.assertEqual(1, len(compared))
            self.assertEqual(ALICE.split("$")[:4], compared.pop().split("$")[:4])
        self.write("")
        book.refresh()
        self.assertFalse(book.knows("alice", b"secret"))
        self.assertEqual(1, len(compared))

    def test_decoys_of_a_mixed_file(self) -> None:
        """P-SEC-4: unknown names cost what some user costs, the same name always the same."""
        cheap = ALICE.replace("t=2", "t=1")
        self.write(f"alice:{ALICE}\nbob:{cheap}\n")
        book = UserBook(str(self.path))
        compared = self.counted()
        self.patch(user_book, "is_password", lambda encoded, password: compared.append(encoded.split("$")[3]))
        for number in range(40):
            book.knows(f"nobody{number}", b"x")
            book.knows(f"nobody{number}", b"y")
        self.assertEqual(compared[::2], compared[1::2])
        self.assertEqual({"m=19456,t=1,p=1", "m=19456,t=2,p=1"}, set(compared))

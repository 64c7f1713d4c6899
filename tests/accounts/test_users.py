"""Tests of ``accounts.users``: the desk, the checker, the files of a process."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twistftp.accounts.credentials import PasswordCredentials
from twistftp.accounts.hashing import hash_password
from twistftp.accounts.users import Desk, UsersFiles
from twistftp.accounts.users_file import BadUsersFile
from twistftp.policy.settings import Authentication

ALICE = hash_password(b"secret")


class Threads:
    """Threads that the test lets work."""

    def __init__(self) -> None:
        self.begun: list[tuple[Deferred[Any], Callable[[], Any]]] = []

    def __call__(self, work: Callable[[], Any]) -> Deferred[Any]:
        deferred: Deferred[Any] = Deferred()
        self.begun.append((deferred, work))
        return deferred

    def finish(self) -> None:
        """One thread is done."""
        deferred, work = self.begun.pop(0)
        try:
            result = work()
        except Exception:
            deferred.errback(Failure())
        else:
            deferred.callback(result)


class DeskTests(SynchronousTestCase):
    """A few at a time."""

    def setUp(self) -> None:
        self.threads = Threads()
        self.desk = Desk(2, self.threads)

    def test_bounded_and_in_order(self) -> None:
        """300 at once: two are worked on, the others wait, and all are answered in the order in which they came."""
        answered: list[int] = []
        for number in range(300):
            self.desk.do(lambda number=number: number).addCallback(answered.append)
        most = 0
        while self.threads.begun:
            most = max(most, len(self.threads.begun))
            self.threads.finish()
        self.assertEqual((2, list(range(300)), 0), (most, answered, self.desk.waiting))

    def test_leaving(self) -> None:
        """Who leaves while waiting costs nothing; the work of one who leaves later is done and nobody told."""
        done: list[int] = []
        answers = [self.desk.do(lambda number=number: done.append(number)) for number in range(4)]
        answers[0].cancel()
        answers[2].cancel()
        self.assertEqual(1, self.desk.waiting)
        while self.threads.begun:
            self.threads.finish()
        self.assertEqual([0, 1, 3], done)
        for number in (0, 2):
            self.failureResultOf(answers[number], CancelledError)

    def test_failures(self) -> None:
        """Work that fails, and threads that cannot be had, hold nobody up."""
        failing = self.desk.do(lambda: 1 // 0)
        fine = self.desk.do(lambda: 7)
        self.threads.finish()
        self.threads.finish()
        self.failureResultOf(failing, ZeroDivisionError)
        self.assertEqual(7, self.successResultOf(fine))
        broken = Desk(1, lambda work: fail(RuntimeError("no threads")))
        for _ in range(3):
            self.failureResultOf(broken.do(lambda: 7), RuntimeError)

    def test_default_limit(self) -> None:
        """Few, and never none, whatever the machine; several processes share them."""
        for processors, processes, limit in ((None, 1, 1), (1, 1, 1), (2, 1, 1), (4, 1, 3), (64, 1, 4), (64, 2, 2), (64, 4, 1), (64, 8, 1)):
            self.patch(os, "cpu_count", lambda processors=processors: processors)
            threads = Threads()
            desk = Desk(in_thread=threads, processes=processes)
            for _ in range(9):
                desk.do(lambda: None)
            self.assertEqual(limit, len(threads.begun))


class Case(SynchronousTestCase):
    """A users file, and what is logged."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.path.write_text(f"alice:{ALICE}\n")
        self.path.chmod(0o600)
        self.authentication = Authentication(users_file=str(self.path))
        self.threads = Threads()
        self.files = UsersFiles(desk=Desk(1, self.threads))
        self.said: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: Any) -> None:
        if event.get("log_namespace") == "twistftp.users":
            self.said.append(event["log_format"].format(**event))


class CheckerTests(Case):
    """Who is let in."""

    def setUp(self) -> None:
        super().setUp()
        (self.checker,) = self.files.checkers(self.authentication)

    def judge(self, credentials: Any) -> Any:
        answer = self.checker.requestAvatarId(credentials)
        self.assertNoResult(answer)
        self.threads.finish()
        return answer

    def test_interface(self) -> None:
        """It is a checker."""
        verifyObject(ICredentialsChecker, self.checker)

    def test_forms(self) -> None:
        """Text, octets, and what a session gives; the answer is the name as text."""
        for name, password in (("alice", "secret"), (b"alice", b"secret")):
            self.assertEqual("alice", self.successResultOf(self.judge(UsernamePassword(name, password))))
            self.failureResultOf(self.judge(UsernamePassword(name, password[:-1])), UnauthorizedLogin)
        name = self.successResultOf(self.judge(PasswordCredentials("alice", b"secret")))
        self.assertEqual(("alice", str), (name, type(name)))
        self.failureResultOf(self.judge(PasswordCredentials("alice\udcff", b"\xff")), UnauthorizedLogin)

    def test_asked_once(self) -> None:
        """A refusal holds for every form: nothing is computed twice."""
        asking = Deferred.fromCoroutine(PasswordCredentials("nobody", b"x").put_to(self.checker.requestAvatarId))
        self.threads.finish()
        self.failureResultOf(asking, UnauthorizedLogin)
        self.assertEqual([], self.threads.begun)

    def test_withdrawn(self) -> None:
        """Credentials that are withdrawn leave the queue."""
        first, second = PasswordCredentials("alice", b"secret"), PasswordCredentials("alice", b"secret")
        self.checker.requestAvatarId(first)
        answer = self.checker.requestAvatarId(second)
        second.withdrawal.make()
        self.failureResultOf(answer, CancelledError)
        self.threads.finish()
        self.assertEqual([], self.threads.begun)

    def test_changed_file(self) -> None:
        """A change is noticed at the next login, and said once."""
        self.path.write_text(f"alice:{ALICE}\nbob:{ALICE}\n")
        self.assertEqual("bob", self.successResultOf(self.judge(PasswordCredentials("bob", b"secret"))))
        self.judge(PasswordCredentials("bob", b"secret"))
        self.assertEqual([f"users file {self.path}: read again, 2 users (before: 1)"], self.said)


class FilesTests(Case):
    """All files of a process."""

    def test_none(self) -> None:
        """A site without a users file has no checker for one."""
        self.assertEqual([], self.files.checkers(Authentication()))

    def test_shared(self) -> None:
        """Two sites with the same file read it once."""
        ((one,), (two,)) = (self.files.checkers(self.authentication) for _ in range(2))
        self.assertIs(one.book, two.book)
        self.assertEqual([], self.said)

    def test_other_names_of_the_anonymous_user(self) -> None:
        """A site for which one of the users is the anonymous one refuses the file."""
        self.files.checkers(self.authentication)
        error = self.assertRaises(BadUsersFile, self.files.checkers, Authentication(users_file=str(self.path), anonymous_names=("Alice",)))
        self.assertEqual(f"users file {self.path}: line 1: alice is a name of the anonymous user; choose another", str(error))

    def test_bad(self) -> None:
        """The file is named."""
        self.path.write_text("alice\n")
        error = self.assertRaises(BadUsersFile, self.files.checkers, self.authentication)
        self.assertEqual(f"users file {self.path}: line 1: must be NAME:HASH", str(error))

    def test_exposed(self) -> None:
        """One that everybody on the machine may read is worth a line."""
        if os.name != "posix":
            raise SkipTest("files have no modes here")
        self.path.chmod(0o604)
        self.files.checkers(self.authentication)
        self.files.checkers(self.authentication)
        cure = f"users file {self.path} may be read by everybody on this machine, who could guess at its passwords: chmod o= {self.path}"
        self.assertEqual([cure], self.said)

    def test_later(self) -> None:
        """Asked again, as by SIGHUP, a changed file is read; one that has become bad changes nothing and is told of."""
        (checker,) = self.files.checkers(self.authentication)
        self.files.begin()
        self.path.write_text(f"bob:{ALICE}\n")
        self.files.checkers(self.authentication)
        self.assertEqual(["bob"], list(checker.book.users))
        self.path.write_text("bob\n")
        self.files.checkers(self.authentication)
        self.assertEqual(["bob"], list(checker.book.users))
        self.assertIn("line 1: must be NAME:HASH; the users from before (1) stay", self.said[-1])

    def test_sealed(self) -> None:
        """Behind a chroot: what was read stays, which is said once; another file cannot be had any more."""
        files = UsersFiles(is_sealed=True)
        files.checkers(self.authentication)
        files.begin()
        for _ in range(2):
            (checker,) = files.checkers(self.authentication)
        self.assertEqual([f"users file {self.path}: lies outside --chroot and is not read again; changes need a restart"], self.said)
        self.assertEqual(["alice"], list(checker.book.users))
        error = self.assertRaises(BadUsersFile, files.checkers, Authentication(users_file="/etc/other"))
        self.assertIn("lies outside --chroot and cannot be read any more; restart", str(error))

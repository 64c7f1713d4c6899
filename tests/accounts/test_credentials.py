"""Tests of ``accounts.credentials``: one USER and PASS, judged once by checkers of either kind."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis.strategies import binary, text
from twisted.cred.checkers import FilePasswordDB, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twistftp.accounts.checkers import FirstOf
from twistftp.accounts.credentials import PasswordCredentials, text_of
from twistftp.wire.paths import decode_name

NAMES = {"alice": "secret", "jürgen": "größe"}


class Counting:
    """A checker of ``kind`` (a function that gives a yes or a no), and how often it was asked."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, judge: Callable[[Any], bool]) -> None:
        self.judge = judge
        self.asked: list[type] = []

    def requestAvatarId(self, credentials: Any) -> Any:
        self.asked.append(type(credentials.username))
        return succeed("yes") if self.judge(credentials) else fail(UnauthorizedLogin())


def exactly(kind: type) -> Callable[[Any], bool]:
    def judge(credentials: Any) -> bool:
        if type(credentials.username) is not kind or type(credentials.password) is not kind:
            raise TypeError(f"wants {kind}")
        return NAMES.get(text_of(credentials.username)) == text_of(credentials.password)

    return judge


def refusing(kind: type) -> Callable[[Any], bool]:
    def judge(credentials: Any) -> bool:
        return isinstance(credentials.username, kind) and NAMES.get(text_of(credentials.username)) == text_of(credentials.password)

    return judge


TEXTS = dict(NAMES)
OCTETS = {name.encode(): password.encode() for name, password in NAMES.items()}


def by_dict(table: Any) -> Callable[[Any], bool]:
    return lambda credentials: credentials.username in table and credentials.checkPassword(table[credentials.username])


def by_reading(table: Any) -> Callable[[Any], bool]:
    def judge(credentials: Any) -> bool:
        name, password = credentials.username, credentials.password
        return table.get(name) == password

    return judge


def by_comparing(table: Any) -> Callable[[Any], bool]:
    return lambda credentials: any((credentials.username, credentials.password) == pair for pair in table.items())


KINDS = {
    "str": exactly(str),
    "bytes": exactly(bytes),
    "only str": refusing(str),
    "only bytes": refusing(bytes),
    **{f"{way.__name__} {kind}": way(table) for way in (by_dict, by_reading, by_comparing) for kind, table in (("str", TEXTS), ("bytes", OCTETS))},
}


class PutToTests(SynchronousTestCase):
    """Every kind of checker, with names of ASCII and beyond."""

    def ask(self, checker: Any, name: str, password: str) -> Any:
        return Deferred.fromCoroutine(PasswordCredentials(name, password.encode()).put_to(checker.requestAvatarId))

    def test_right(self) -> None:
        """The right password is accepted by all of them."""
        for kind, judge in KINDS.items():
            for name, password in NAMES.items():
                self.assertEqual("yes", self.successResultOf(self.ask(Counting(judge), name, password)), (kind, name))

    def test_wrong(self) -> None:
        """A wrong password, an unknown name: refused by all of them."""
        for kind, judge in KINDS.items():
            for name, password in (("alice", "größe"), ("jürgen", "secret"), ("nobody", "secret"), ("niemand·", ""), ("Alice", "secret")):
                self.failureResultOf(self.ask(Counting(judge), name, password), UnauthorizedLogin)

    def test_asked_once(self) -> None:
        """One that compares passwords, however it does that, is asked once for a wrong one: it may count."""
        for kind, judge in KINDS.items():
            if kind.startswith(("by_", "only str")):
                for name in NAMES if not kind.endswith("bytes") else ("alice",):
                    checker = Counting(judge)
                    self.failureResultOf(self.ask(checker, name, "wrong"), UnauthorizedLogin)
                    self.assertEqual(1, len(checker.asked), (kind, name))

    def test_twisteds_own(self) -> None:
        """``memory:`` holds text, the class behind it octets, ``file:`` octets, with any case if it likes: all are asked once."""
        memory = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
        strings = InMemoryUsernamePasswordDatabaseDontUse()
        strings.addUser("alice", "secret")  # type: ignore[arg-type]  # as Twisted's own plugin does
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write("alice:secret\njürgen:größe\n".encode())
        for checker in (memory, strings, FilePasswordDB(path), FilePasswordDB(path, cache=True), FilePasswordDB(path, caseSensitive=False)):
            self.assertEqual("alice", text_of(self.successResultOf(self.ask(checker, "alice", "secret"))))
            self.failureResultOf(self.ask(checker, "alice", "wrong"), UnauthorizedLogin)
            self.failureResultOf(self.ask(checker, "nobody", "secret"), UnauthorizedLogin)
        for file_checker in (FilePasswordDB(path), FilePasswordDB(path, cache=True)):
            self.assertEqual("jürgen", text_of(self.successResultOf(self.ask(file_checker, "jürgen", "größe"))))

    def test_hash_function(self) -> None:
        """A hash that wants octets gets them."""
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(b"alice:c2VjcmV0\n")
        from base64 import b64encode

        checker = FilePasswordDB(path, hash=lambda name, password, stored: b64encode(password))
        self.assertEqual(b"alice", self.successResultOf(self.ask(checker, "alice", "secret")))
        self.failureResultOf(self.ask(checker, "alice", "wrong"), UnauthorizedLogin)

    def test_several(self) -> None:
        """Of several checkers, each is asked in the form it takes, and none again because another one stumbled."""
        counting, octets = Counting(by_dict(TEXTS)), Counting(exactly(bytes))
        several = FirstOf([octets, counting])
        self.failureResultOf(self.ask(several, "alice", "wrong"), UnauthorizedLogin)
        self.assertEqual((2, 1), (len(octets.asked), len(counting.asked)))
        only = Counting(lambda credentials: isinstance(credentials.username, bytes) and credentials.checkPassword("x"))
        self.assertEqual("yes", self.successResultOf(self.ask(FirstOf([Counting(by_reading({})), only]), "alice", "x")))

    def test_several_and_withdrawn(self) -> None:
        """When nobody waits any more, the checkers that have not been asked are not."""
        answer: Deferred[Any] = Deferred()
        second = Counting(by_dict(TEXTS))
        credentials = PasswordCredentials("alice", b"x")
        slow = Counting(bool)
        slow.requestAvatarId = lambda _: answer  # type: ignore[method-assign, assignment]
        asking = Deferred.fromCoroutine(credentials.put_to(FirstOf([slow, second]).requestAvatarId))
        credentials.withdrawal.make()
        answer.errback(UnauthorizedLogin())
        self.failureResultOf(asking, UnauthorizedLogin)
        self.assertEqual([], second.asked)

    def test_broken(self) -> None:
        """One that fails in every form: its first error in the last of them; a refusal in any is a refusal."""
        self.failureResultOf(self.ask(Counting(lambda _: 1 // 0 == 0), "alice", "x"), ZeroDivisionError)

        def picky(credentials: Any) -> bool:
            if isinstance(credentials.username, bytes):
                raise ValueError("octets")
            return False

        self.failureResultOf(self.ask(Counting(picky), "alice", "x"), UnauthorizedLogin)

    def test_withdrawn(self) -> None:
        """When nobody waits any more, no second question is put."""
        answer: Deferred[Any] = Deferred()
        credentials = PasswordCredentials("alice", b"x")
        asked = []
        asking = Deferred.fromCoroutine(credentials.put_to(lambda form: asked.append(form) or answer))
        credentials.withdrawal.make()
        answer.errback(TypeError("late"))
        self.failureResultOf(asking, TypeError)
        self.assertEqual(1, len(asked))


class FormTests(SynchronousTestCase):
    """What checkers see."""

    def test_interface(self) -> None:
        """They are credentials as any."""
        verifyObject(IUsernamePassword, PasswordCredentials("a", b"b"))

    @given(text(), binary(), binary())
    def test_equality(self, name: str, password: bytes, other: bytes) -> None:
        """Name and password equal themselves as text and as octets, and nothing else; so does the comparison."""
        name = decode_name(name.encode("utf-8", "replace"))
        credentials = PasswordCredentials(name, password)
        for mine, octets in ((credentials.username, name.encode("utf-8", "surrogateescape")), (credentials.password, password)):
            for same in (octets, decode_name(octets), mine):
                self.assertTrue(mine == same and same == mine)
                self.assertFalse(mine != same)
            self.assertFalse(mine == 7 or mine is None)
            self.assertTrue(mine != 7)
        self.assertEqual(password == other, credentials.password == other)
        self.assertEqual(password == other, credentials.checkPassword(other))
        self.assertEqual(password == other, credentials.checkPassword(decode_name(other)))

    def test_no_password(self) -> None:
        """What a checker may have in place of a password: no match, no error."""
        credentials = PasswordCredentials("a", b"b")
        for stored in (None, 7, "\ud800", ["b"]):
            self.assertFalse(credentials.checkPassword(stored))

    def test_name_outlives_them(self) -> None:
        """A realm gets the name for the avatar's: it behaves as text and leads to no password."""
        name = PasswordCredentials("alice", b"secret").username
        self.assertEqual(("alice", "alice/x", 1), (str(name), f"{name}/x", {"alice": 1}[name]))
        self.assertEqual("alice", pickle.loads(pickle.dumps(name)))
        self.assertNotIn(b"secret", pickle.dumps(name))
        self.assertNotIn("secret", repr(vars(name)))

    def test_withdrawal(self) -> None:
        """Those who asked are told once; who asks later, at once."""
        withdrawal = PasswordCredentials("a", b"b").withdrawal
        told: list[int] = []
        withdrawal.then(lambda: told.append(1))
        withdrawal.make()
        withdrawal.make()
        withdrawal.then(lambda: told.append(2))
        self.assertEqual([1, 2], told)

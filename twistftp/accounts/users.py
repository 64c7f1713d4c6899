"""
The checker of users files: finds the user, verifies the password in a thread, a few at a time.

Not here: the file (``user_book``, ``users_file``) and what those who are let in see (``realm``).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from zope.interface import implementer

from twistftp.accounts.credentials import text_of
from twistftp.accounts.users_file import BadUsersFile
from twistftp.policy.settings import Authentication
from twistftp.storage.holding import InThread, in_thread
from twistftp.wire.paths import encode_name

if TYPE_CHECKING:
    from twistftp.accounts.user_book import UserBook

__all__ = ["Desk", "UsersChecker", "UsersFiles"]

_log = Logger(namespace="twistftp.users")


class Desk:
    """
    Does work in threads, at most ``limit`` pieces at a time; the rest waits in order.

    So 300 who log in at once take the memory of a few, and one processor is left for the reactor.

    :param processes: how many have such a desk, and share the processors.
    """

    def __init__(self, limit: int = 0, in_thread: InThread | None = None, processes: int = 1) -> None:
        self._limit = limit or max(1, min(4, (os.cpu_count() or 1) - 1) // processes)
        self._in_thread = in_thread or _in_one_of(self._limit)
        self._waiting: dict[Deferred[Any], Callable[[], Any]] = {}
        self._working = 0

    @property
    def waiting(self) -> int:
        """How many pieces have not been begun."""
        return len(self._waiting)

    def do(self, work: Callable[[], Any]) -> Deferred[Any]:
        """The result of ``work()``. Cancelled, it leaves the queue; what a thread has begun is done, and nobody told."""
        answer: Deferred[Any] = Deferred(self._leave)
        self._waiting[answer] = work
        self._begin()
        return answer

    def _leave(self, answer: Deferred[Any]) -> None:
        self._waiting.pop(answer, None)

    def _begin(self) -> None:
        while self._waiting and self._working < self._limit:
            answer = next(iter(self._waiting))
            work = self._waiting.pop(answer)
            self._working += 1
            maybeDeferred(self._in_thread, work).addBoth(self._done, answer)

    def _done(self, result: Any, answer: Deferred[Any]) -> None:
        self._working -= 1
        try:
            if not answer.called:
                answer.callback(result)
        finally:
            self._begin()


def _in_one_of(limit: int) -> InThread:
    """
    Threads of our own, always the same: the C library keeps the memory of a computation for the thread's next one, and
    the reactor's pool would spread the work over all of its threads. One of them waits for each of ours.
    """
    ours = ThreadPoolExecutor(limit, "twistftp-users")  # starts them when they are wanted
    return lambda work: in_thread(lambda: ours.submit(work).result())


@implementer(ICredentialsChecker)
class UsersChecker:
    """Lets in whom a users file knows, by name and password, as text or octets."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, book: UserBook, desk: Desk, is_reserved: Callable[[str], bool]) -> None:
        self.book = book
        self._desk = desk
        self._is_reserved = is_reserved

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """
        The user's name; fails with ``UnauthorizedLogin``, after the same work, for an unknown one.

        Credentials that have a ``withdrawal`` leave the queue when it is made.
        """
        name, password = text_of(credentials.username), credentials.password
        octets = encode_name(password) if isinstance(password, str) else password
        answer = self._desk.do(lambda: self._judge(name, octets))
        withdrawal = getattr(credentials, "withdrawal", None)
        if withdrawal is not None:
            withdrawal.then(answer.cancel)
        return answer.addCallback(self._told, name)

    def _judge(self, name: str, password: bytes) -> tuple[str, bool]:
        return self.book.refresh(self._is_reserved), self.book.knows(name, password)

    def _told(self, judged: tuple[str, bool], name: str) -> str:
        note, is_known = judged
        if note:
            _log.warn("{note}", note=note)
        if not is_known:
            raise UnauthorizedLogin
        return name


class UsersFiles:
    """
    The users files of a process: each is read once, whichever sites use it, and all share a desk.

    :param is_sealed: the process goes behind a chroot, from where no file is read again.
    """

    def __init__(self, *, is_sealed: bool = False, desk: Desk | None = None) -> None:
        self._is_sealed = is_sealed
        self._is_begun = False
        self._desk = desk or Desk()
        self._books: dict[str, UserBook] = {}

    def begin(self) -> None:
        """The start is over: what is asked for from now on comes by SIGHUP."""
        self._is_begun = True

    def checkers(self, authentication: Authentication) -> list[UsersChecker]:
        """
        The checker of a site, if it has a users file. One that is known already is read again, if it has changed and can be read.

        :raises BadUsersFile: it cannot be used; the text names it.
        """
        path = authentication.users_file
        if not path:
            return []
        book = self._books.get(path)
        try:
            if book is None:
                if self._is_begun and self._is_sealed:
                    raise BadUsersFile("lies outside --chroot and cannot be read any more; restart")
                from twistftp.accounts.user_book import UserBook, exposure  # and with it argon2, which is nothing to a server without such a file

                book = self._books[path] = UserBook(path, authentication.is_anonymous, is_sealed=self._is_sealed)
                if note := exposure(path):
                    _log.warn("{note}", note=note)
            elif note := book.refresh(authentication.is_anonymous) or (book.sealed_note() if self._is_begun else ""):
                _log.warn("{note}", note=note)
            book.refuse_reserved(authentication.is_anonymous)
        except BadUsersFile as error:
            raise BadUsersFile(f"users file {path}: {error}") from error
        return [UsersChecker(book, self._desk, authentication.is_anonymous)]

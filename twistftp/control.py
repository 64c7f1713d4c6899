"""
The control socket: where ``twistftp status``, ``sessions`` and ``disconnect`` ask a running server. JSON, one object a line.

Not here: what there is to tell (``reporting``), and the commands that ask (``cli``). Who may open the socket may ask: its mode is 0600.
"""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from zope.interface import implementer

from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.reporting import Source, find, sessions, status
from twistftp.transport.interfaces import DataConnectionFailed
from twistftp.wire.replies import Reply

__all__ = ["Answers", "BadRequest", "CannotServe", "ControlSocket", "demanded_number", "disconnect"]

_FAREWELL = Reply.of(421, "Disconnected by the administrator.", closes=True)
_log = Logger(namespace="twistftp.control")


Answers = Mapping[str, Callable[[Any, Mapping[str, object]], Any]]
"""Commands and who answers them, given the factory and the question: with a value or its Deferred."""


class CannotServe(Exception):
    """There can be no control socket; the text says why."""


class BadRequest(Exception):
    """What was asked for cannot be done; the text is one line."""


@implementer(IReadDescriptor)
class ControlSocket:
    """
    A listening Unix socket. Twisted's own would open itself to everybody for a moment, and be gone without asking whose file it is.

    :param path: where; a socket that a server has left behind is replaced, that of a living one is not.
    :param answers: who answers what, if not we do.
    :raises CannotServe: something is there, or nothing can be made there, or the system has no such sockets.
    """

    def __init__(self, reactor: Any, path: str, source: Source, now: Callable[[], float], answers: Answers | None = None) -> None:
        self.path = path
        self._reactor, self._factory = reactor, _Factory(source, now, answers or _ANSWERS)
        if not hasattr(socket, "AF_UNIX") or not hasattr(reactor, "adoptStreamConnection"):
            raise CannotServe("this system has no Unix sockets")
        try:
            _clear(path)
            self._socket = _listening(path)
            self._inode = _inode(path)
        except OSError as error:
            raise CannotServe((error.strerror or str(error)).lower()) from None
        reactor.addReader(self)

    def fileno(self) -> int:
        """The descriptor, for the reactor."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """What the log calls this."""
        return "control socket"

    def doRead(self) -> None:
        """Somebody asks."""
        try:
            skt, _ = self._socket.accept()
        except OSError:
            return  # gone again, or too many open files: the next turn tries again
        with skt:
            skt.setblocking(False)
            self._reactor.adoptStreamConnection(skt.fileno(), socket.AF_UNIX, self._factory)

    def connectionLost(self, reason: object) -> None:
        """The reactor stops."""
        self._socket.close()

    def close(self) -> None:
        """Stop listening, and take the socket away if it is still ours."""
        self._reactor.removeReader(self)
        self._socket.close()
        with suppress(OSError):  # behind a chroot, or no longer permitted: the next server replaces it
            if _inode(self.path) == self._inode:
                os.unlink(self.path)


def _inode(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _clear(path: str) -> None:
    """Take away what a dead server has left."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotServe("something that is no socket is there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except BlockingIOError:
            raise CannotServe("another server listens there") from None
        else:
            raise CannotServe("another server listens there")


def _listening(path: str) -> socket.socket:
    """A socket that nobody else can open, from the moment it is there."""
    skt = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        skt.bind(path)
        skt.listen(16)
    except BaseException:
        skt.close()
        raise
    finally:
        os.umask(mask)
    skt.setblocking(False)
    return skt


class _Factory(Factory):
    noisy = False

    def __init__(self, source: Source, now: Callable[[], float], answers: Answers) -> None:
        self.source, self.now, self.answers = source, now, answers

    def buildProtocol(self, addr: Any) -> _Questions:
        return _Questions(self)


class _Questions(LineOnlyReceiver):
    """Answers each line with one line: what was asked for, or ``{"error": ...}``."""

    delimiter = b"\n"
    MAX_LENGTH = 4096

    def __init__(self, factory: _Factory) -> None:
        self.factory = factory

    def lineReceived(self, line: bytes) -> None:
        """One question."""
        try:
            answer = _answer(self.factory, line)
        except BadRequest as error:
            answer = {"error": str(error)}
        if isinstance(answer, Deferred):  # other processes are asked first
            answer.addErrback(lambda failure: {"error": str(failure.value)} if failure.check(BadRequest) else failure)
            answer.addCallbacks(self._tell, lambda failure: _log.failure("a question could not be answered", failure))
        else:
            self._tell(answer)

    def _tell(self, answer: Any) -> None:
        if self.connected:
            self.sendLine(json.dumps(answer).encode())


def _answer(factory: _Factory, line: bytes) -> Any:
    try:
        question = json.loads(line)
    except (ValueError, RecursionError):
        question = None
    answer = factory.answers.get(question.get("command", "")) if isinstance(question, dict) and isinstance(question.get("command"), str) else None
    if answer is None:
        raise BadRequest(f"what is asked for must be one of {', '.join(factory.answers)}")
    return answer(factory, question)


def _status(factory: _Factory, _: object) -> Any:
    return status(factory.source, factory.now())


def _sessions(factory: _Factory, _: object) -> Any:
    return {"sessions": sessions(factory.source)}


def _disconnect(factory: _Factory, question: Mapping[str, object]) -> Any:
    number = demanded_number(question)
    ended = disconnect(factory.source, number)
    if ended is None:
        raise BadRequest(f"there is no session {number}")
    return ended


def demanded_number(question: Mapping[str, object]) -> int:
    """
    Which session is meant.

    :raises BadRequest: none is.
    """
    number = question.get("id")
    if type(number) is not int:
        raise BadRequest("id must be the number of a session")
    return number


def disconnect(source: Source, number: int) -> dict[str, Any] | None:
    """End a session; who it was, ``None`` if it is not there."""
    found = find(source, number)
    if found is None:
        return None
    site, pi = found
    session = pi.session
    text = "{site} #{session} {peer} {user}: disconnected by the administrator"
    who = _text(session.user) or "-"
    _log.info(text, site=site.settings.name, session=number, peer=session.peer, user=who)
    if session.transfer is not None:
        session.transfer.abort(Cause.DISCONNECTED)
    session.trouble = DataConnectionFailed(Verdict(Cause.DISCONNECTED))
    pi.close(_FAREWELL)
    return {"disconnected": number, "client": session.peer, "user": who}


def _text(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


_ANSWERS: Mapping[str, Callable[[_Factory, Any], Any]] = {"status": _status, "sessions": _sessions, "disconnect": _disconnect}

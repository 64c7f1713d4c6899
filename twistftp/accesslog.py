"""
The access log of a site: what its sessions do, as lines of a file in the format that the settings name.

Not here: the formats (``policy.access_log``), the file (``logfile``), and who opens it when (``monitoring``).
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from twisted.internet.defer import maybeDeferred

from twistftp import __version__
from twistftp.logfile import InThread, LogFile
from twistftp.policy.access_log.entry import PSEUDO_COMMANDS, Format, Outcome, Transferred
from twistftp.policy.access_log.json_lines import JSON
from twistftp.policy.access_log.statuses import FINE, Status, of_cause, of_code
from twistftp.policy.access_log.w3c import W3C, header
from twistftp.policy.access_log.xferlog import xferlog
from twistftp.policy.diagnosis import Cause
from twistftp.session.patience import RunOut
from twistftp.session.recorder import Recorder
from twistftp.session.session import Session, TransferType
from twistftp.session.tally import DIRECTIONS
from twistftp.session.transfer import Transfer
from twistftp.storage import failures as storage
from twistftp.transport.interfaces import DataConnectionFailed, ShortFile
from twistftp.wire.commands import Command, split_line
from twistftp.wire.paths import Path, decode_name, join, resolve, strip_options
from twistftp.wire.replies import Reply
from twistftp.wire.states import Login

__all__ = ["CommandLog", "TransferLog", "hold_access_log", "open_access_log"]

_START = str(uuid4())[:-12]  # of this process; the number of the session follows
_COMPUTER = platform.node()

_STATUSES: Mapping[type, Status] = {
    storage.NotFound: (2, 0),
    storage.PermissionDenied: (5, 2),
    storage.IsADirectory: (5, 13),
    storage.NotADirectory: (267, 13),
    storage.NotAPlainFile: (5, 13),
    storage.ObjectExists: (183, 3),
    storage.DirectoryNotEmpty: (145, 3),
    storage.NameNotAllowed: (123, 3),
    storage.ReadFailed: (1117, 3),
    ShortFile: (38, 3),
}
_RUN_OUT: Mapping[RunOut, tuple[Status, str]] = {RunOut.LOGIN: ((121, 16), "LOGIN_TIMEOUT"), RunOut.IDLE: ((121, 14), "IDLE_TIMEOUT")}

_MOVES = frozenset(("CWD", "XCWD", "CDUP", "XCUP", "PASS"))  # after these the working directory is what was meant
_OPTIONS = frozenset(("LIST", "NLST", "STAT"))
_HIDDEN = "***"  # as IIS writes passwords
_NOTHING = (0, 0)
_REMEMBERED = 1024  # command lines
_NOWHERE: Path = ("",)  # no path has an empty name
_UNSAID = (0, _NOWHERE, None)


def _outcome(code: int, trouble: object) -> Outcome:
    """How something ended, with the error that was raised, or the time that has run out, if that is known."""
    if code and code < 400:
        return Outcome(code, *FINE, "")
    if trouble is None:
        return Outcome(code, *of_code(code), "")
    if isinstance(trouble, DataConnectionFailed):
        cause: Cause = trouble.verdict.cause
        return Outcome(code, *of_cause(cause), cause.name)
    if isinstance(trouble, RunOut):
        status, name = _RUN_OUT.get(trouble, (FINE, ""))
        return Outcome(code, *status, name)
    return Outcome(code, *_STATUSES.get(type(trouble), (31, 3)), type(trouble).__name__)  # 31: ERROR_GEN_FAILURE


class _Guest:
    """What is remembered of a session between two lines. Nothing is given to it when it is made: that would cost more."""

    session: str
    ends: tuple[str, int, str, int]
    user: str
    host: str
    shown: str  # the user, what stands before, and behind
    before: str
    behind: str
    place: str
    data_place = ""
    moved: tuple[int, int]  # octets sent and received by the transfer whose command has not ended yet


class CommandLog(Recorder):
    """
    One line for each command, and for each connection that is opened or closed.

    A command costs a few microseconds here, beside a login's 250: each call was weighed. What clients say again and again is put into words
    once.

    :param clock: seconds on the clock of the sites' deadlines; the format knows when that began.
    """

    def __init__(self, file: LogFile, form: Format, clock: Callable[[], float]) -> None:
        self.file = file
        self._form, self._clock = form, clock
        self._guests: dict[Session, _Guest] = {}
        self._lines = file.waiting
        self._said: dict[bytes, tuple[int, Path, Any]] = {}  # of command lines that were done: the code, the working directory, and the event
        opened, closed, begun, ended = (form.event(name, "", "", Outcome(0, 0, 0, "")) for name in PSEUDO_COMMANDS)
        self._opened, self._closed, self._data_opened, self._data_closed = opened, closed, begun, ended
        self._nobody = form.user("")

    def _add(self, guest: _Guest, place: str, event: Any, sent: int = 0, received: int = 0, seconds: float = 0.0) -> None:
        lines, clock = self._lines, self._clock
        if not lines:
            self.file.wake()
        lines.append(self._form.line(clock(), guest.session, place, event, sent, received, seconds))

    def _meet(self, session: Session) -> _Guest:
        """A session that nobody told of until now."""
        transport, number = session.control.transport, session.identifier
        peer = getattr(transport, "client", None)  # of a socket: to make an address object would cost more than the line
        port = peer[1] if isinstance(peer, tuple) else getattr(transport.getPeer(), "port", 0)
        server, _, server_port = session.ends
        guest = self._guests[session] = _Guest()
        guest.moved = _NOTHING
        guest.session, guest.ends = self._form.session(number, _START + str(number).zfill(12)), (session.peer, port, server, server_port)
        user, host = guest.user, guest.host = session.user, session.host
        guest.before, guest.behind = self._form.ends(session.peer, port, server, server_port, host)
        guest.shown = self._form.user(user) if user else self._nobody
        guest.place = f"{guest.before}{guest.shown}{guest.behind}"
        return guest

    def _name(self, guest: _Guest, session: Session) -> None:
        """Who the client is and which host it wants, as of now."""
        user, host = session.user, session.host
        if host is not guest.host:
            guest.before, guest.behind = self._form.ends(*guest.ends, host)
        guest.user, guest.host, guest.shown = user, host, self._form.user(user)
        guest.place = f"{guest.before}{guest.shown}{guest.behind}"

    def opened(self, session: Session) -> None:
        """ControlChannelOpened."""
        guest = self._meet(session)
        self._add(guest, guest.place, self._opened)

    def closed(self, session: Session) -> None:
        """ControlChannelClosed, with the reason where the server had one. The session has forgotten its user by now."""
        guest = self._guests.pop(session, None)
        if guest is not None:
            trouble = session.trouble
            event = self._closed if trouble is None else self._form.event("ControlChannelClosed", "", "", _outcome(0, trouble))
            self._add(guest, guest.place, event)

    def data_opened(self, session: Session, transfer: Transfer) -> None:
        """DataChannelOpened, with the data connection's own ports."""
        guest = self._guests.get(session) or self._meet(session)
        client, _, server, _ = guest.ends
        before, behind = self._form.ends(client, transfer.connection.peer[1], server, transfer.local_port, guest.host)
        place = guest.data_place = f"{before}{guest.shown}{behind}"
        self._add(guest, place, self._data_opened)

    def data_closed(self, session: Session, transfer: Transfer, error: BaseException | None, seconds: float) -> None:
        """DataChannelClosed, with the octets."""
        guest = self._guests.get(session) or self._meet(session)
        octets = transfer.octets
        sent, received = guest.moved = (0, octets) if DIRECTIONS.get(transfer.verb) == "upload" else (octets, 0)
        event = self._data_closed if error is None else self._form.event("DataChannelClosed", "", "", _outcome(0, error))
        self._add(guest, guest.data_place or guest.place, event, sent, received, seconds)

    def command(self, session: Session, command: Command | None, line: bytes, reply: Reply, now: float, seconds: float) -> None:
        """A command, with its secrets masked; an unknown verb that may be a mistyped password, too (PROTOCOL P-SEC-13)."""
        try:
            guest = self._guests[session]
        except KeyError:
            guest = self._meet(session)
        if session.user is not guest.user or session.host is not guest.host:
            self._name(guest, session)
        if command is not None and command.argument.is_secret:
            line = f"{command.verb} {_HIDDEN}".encode()  # passwords are kept by nobody, not even by what remembers lines
        code = reply.code
        known, cwd, event = self._said.get(line, _UNSAID)
        if known != code or (cwd is not _NOWHERE and cwd != session.cwd):
            event = self._say(session, command, line, code)
        sent, received = guest.moved
        if sent or received:
            guest.moved = _NOTHING
        if not (lines := self._lines):
            self.file.wake()
        lines.append(self._form.line(now, guest.session, guest.place, event, sent, received, seconds))

    def _say(self, session: Session, command: Command | None, line: bytes, code: int) -> Any:
        """Put a command into words, and remember them if it was done."""
        if command is None:
            return self._form.event(*self._unknown(session, line), "", _outcome(code, session.trouble))
        verb, shown = command.verb, decode_name(line.lstrip(b" ").partition(b" ")[2])
        is_move = verb in _MOVES
        cwd, path = session.cwd if command.argument.is_path or is_move else _NOWHERE, ""
        if cwd is not _NOWHERE and (verb != "PASS" or code == 230):
            path = join(cwd if is_move and code < 400 else resolve(cwd, strip_options(shown) if verb in _OPTIONS else shown))
        event = self._form.event(verb, shown, path, _outcome(code, session.trouble))
        if code < 400:
            if len(self._said) >= _REMEMBERED:
                self._said.clear()
            self._said[line] = code, cwd, event
        return event

    def _unknown(self, session: Session, line: bytes) -> tuple[str, str]:
        if session.login is Login.NAMED:
            return _HIDDEN, ""
        verb, argument = split_line(line)
        return verb or "?", decode_name(argument)


class TransferLog(Recorder):
    """xferlog: one line for each file that went over a data connection or was deleted."""

    def __init__(self, file: LogFile, now: Callable[[], float]) -> None:
        self.file, self._now = file, now
        self._mails: dict[Session, str] = {}  # of anonymous users

    def logged_in(self, session: Session, mail: str) -> None:
        """Remember the mail address."""
        self._mails[session] = mail

    def closed(self, session: Session) -> None:
        """Forget it."""
        self._mails.pop(session, None)

    def data_closed(self, session: Session, transfer: Transfer, error: BaseException | None, seconds: float) -> None:
        """A file has been sent or received; listings are not told of."""
        direction = _ARROWS.get(DIRECTIONS.get(transfer.verb, ""))
        if direction is not None:
            self._tell(session, transfer.what, direction, error is None, transfer.octets, seconds)

    def command(self, session: Session, command: Command | None, line: bytes, reply: Reply, now: float, seconds: float) -> None:
        """DELE that succeeded, as ProFTPD tells of it."""
        if command is not None and command.verb == "DELE" and reply.code < 300:
            path = join(resolve(session.cwd, decode_name(split_line(line)[1])))
            self._tell(session, path, "d", True, 0, seconds)

    def _tell(self, session: Session, path: str, direction: str, is_complete: bool, octets: int, seconds: float) -> None:
        is_text, is_anonymous = session.type is TransferType.ASCII, session.is_anonymous
        user = self._mails.get(session, "") if is_anonymous else session.user
        done = Transferred(self._now(), session.peer, seconds, octets, path, is_text, direction, user, is_anonymous, is_complete)
        self.file.write(xferlog(done))


_ARROWS = {"download": "o", "upload": "i"}


def open_access_log(
    reactor: Any,
    path: str,
    form: str,
    site: str,
    in_thread: InThread,
    now: Callable[[], float],
    owner: tuple[int, int] | None = None,
    shared: int | None = None,
) -> CommandLog | TransferLog:
    """
    Open an access log; ``site.transcript.add_recorder`` takes it.

    :param form: ``w3c``, ``json`` or ``xferlog``.
    :param shared: another process has written the header (:func:`hold_access_log`); the descriptor of the open file, ``-1`` to open it by its path.
    :raises CannotOpen: the file cannot be written to.
    """
    first = _first(form, now) if shared is None else str
    file = LogFile(reactor, path, in_thread, first, owner, -1 if shared is None else shared)
    if form == "xferlog":
        return TransferLog(file, now)

    def epoch() -> float:
        return now() - reactor.seconds()  # type: ignore[no-any-return]

    return CommandLog(file, JSON(site, epoch) if form == "json" else W3C(site, _COMPUTER, epoch), reactor.seconds)


def hold_access_log(reactor: Any, path: str, form: str, now: Callable[[], float], owner: tuple[int, int] | None = None) -> LogFile:
    """
    Open an access log for other processes, which write its lines (:func:`open_access_log`, ``shared``); its header is written when this returns.

    :raises CannotOpen: the file cannot be written to.
    """
    file = LogFile(reactor, path, maybeDeferred, _first(form, now), owner)
    file.settle()
    return file


def _first(form: str, now: Callable[[], float]) -> Callable[[], str]:
    """What makes the lines that a file of this format begins with."""
    return (lambda: header(now(), __version__)) if form == "w3c" else str

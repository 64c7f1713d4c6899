"""
What a site tells the log: one structured event a login, a transfer and, where wanted, a command; secrets masked.

Not here: files and formats of access logs; they observe these events.

Every event carries ``ftp_event``, ``site``, ``session`` (a number), ``peer`` and ``user`` (``"-"`` before the login). By ``ftp_event``:

==========================  ======================================================================================================
``"opened"``, ``"closed"``  a session begins, ends
``"login"``                 ``code``; ``mail``, what an anonymous user gave for a password; ``tls``, version and cipher, or ``""``; where the
                            site refuses a user whose password was right ``cause``, ``substatus`` and ``why``
``"command"``               ``line``, secrets masked; ``code`` and ``reply``; ``seconds``
``"transfer"``              ``verb``, ``path``, ``octets``, ``seconds``; ``cause``, ``""`` if it is complete, else there is ``why``, too
``"data port"``             a data port came to nothing before any transfer: ``cause``, ``why``
``"denial"``                rules or filters refuse a command: ``verb``, ``path``, ``cause``, ``substatus``, ``why``
``"tls"``                   a handshake has failed: ``why``
==========================  ======================================================================================================

An observer that is added here sees them all, a recorder is called without any event being made. Twisted's log gets logins and
transfers, at most :data:`LINES_A_SECOND` of them,
because to write such a line costs as much as a small transfer; the rest is counted. ``[site.logging] commands`` sends it everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.logger import ILogObserver, Logger, LogLevel, LogPublisher

from twistftp.policy.denials import Denial
from twistftp.policy.diagnosis import Verdict
from twistftp.policy.ration import Ration
from twistftp.session.recorder import Recorder, hooks
from twistftp.session.tally import Tally
from twistftp.transport.interfaces import DataConnectionFailed
from twistftp.wire.commands import Command, masked, split_line
from twistftp.wire.replies import Reply, cleaned
from twistftp.wire.states import Login

if TYPE_CHECKING:
    from twistftp.session.session import Session
    from twistftp.session.transfer import Transfer

__all__ = ["LINES_A_SECOND", "Transcript", "printable"]

LINES_A_SECOND = 10
QUIET = 10.0
"""Seconds between two lines about connections for which there was no room."""
_WHO = "{site} #{session} {peer} {user}: "


def printable(text: str, limit: int = 512) -> str:
    """What came from a client, fit for a line of a log in any encoding of Unicode: control characters and stray octets escaped, cut at ``limit``."""
    text = cleaned(text, limit)
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class Transcript:
    """The events of one site, told to ``log``. ``log_commands``: write a line for each command, login and transfer."""

    def __init__(self, log: Logger, log_commands: bool) -> None:
        self._log = log
        self._publisher = LogPublisher()
        self._observers = 0
        self._events = Logger("twistftp.event", observer=self._publisher)
        self._lines, self._refusals, self._full = Ration(LINES_A_SECOND), Ration(LINES_A_SECOND), Ration(1, QUIET)
        self._is_written = False  # whether the event at hand goes to the log
        self._recorders: tuple[Recorder, ...] = ()
        self._log_commands = log_commands
        self._record(())
        self.tally = Tally()

    def add_observer(self, observer: ILogObserver) -> None:
        """From now on show every event to ``observer``, each command's too."""
        self._publisher.addObserver(observer)
        self._observers += 1
        self._look_who_wants()

    def remove_observer(self, observer: ILogObserver) -> None:
        """The inverse of :meth:`add_observer`."""
        self._publisher.removeObserver(observer)
        self._observers -= 1
        self._look_who_wants()

    def add_recorder(self, recorder: Recorder) -> None:
        """From now on tell everything to ``recorder``."""
        self._record((*self._recorders, recorder))

    def remove_recorder(self, recorder: Recorder) -> None:
        """The inverse of :meth:`add_recorder`."""
        self._record(tuple(one for one in self._recorders if one is not recorder))

    def _record(self, recorders: tuple[Recorder, ...]) -> None:
        self._recorders = recorders
        self._on_command, self._on_login = hooks(recorders, "command"), hooks(recorders, "logged_in")
        self._on_data_opened, self._on_data_closed = hooks(recorders, "data_opened"), hooks(recorders, "data_closed")
        self._look_who_wants()

    @property
    def log_commands(self) -> bool:
        """Whether a line is written for each command, login and transfer."""
        return self._log_commands

    @log_commands.setter
    def log_commands(self, value: bool) -> None:
        self._log_commands = value
        self._look_who_wants()

    def _look_who_wants(self) -> None:
        is_watched = self._observers > 0
        # Called, each with the session, when one has begun, and when one has ended.
        self.on_opened = (*hooks(self._recorders, "opened"), *((self._opened,) if is_watched else ()))
        self.on_closed = (*hooks(self._recorders, "closed"), *((self._closed,) if is_watched else ()))
        # Whether anybody looks at single commands: making an event costs as much as a NOOP, telling a recorder does not.
        self._shows_commands = self._log_commands or is_watched
        self.wants_commands = self._shows_commands or bool(self._on_command)

    def _opened(self, session: Session) -> None:
        self._events.emit(LogLevel.debug, _WHO + "connected", **_who(session), ftp_event="opened")

    def _closed(self, session: Session) -> None:
        self._events.emit(LogLevel.debug, _WHO + "disconnected", **_who(session), ftp_event="closed")

    def data_opened(self, session: Session, transfer: Transfer) -> None:
        """A transfer has its data connection."""
        for told in self._on_data_opened:
            told(session, transfer)

    def shown(self, session: Session, command: Command | None, line: bytes) -> str:
        """A command line as logs may show it."""
        verb, argument = split_line(line)
        return masked(command, verb or "?", argument, expecting_password=session.login is Login.NAMED)

    def command(self, session: Session, command: Command | None, line: bytes, reply: Reply, started: float) -> None:
        """A command has had its final reply."""
        now = session.site.deadlines.seconds()
        seconds = now - started
        for told in self._on_command:
            told(session, command, line, reply, now, seconds)
        session.trouble = None
        if not self._shows_commands:
            return
        fields = {
            **_who(session),
            "ftp_event": "command",
            "line": self.shown(session, command, line),
            "code": reply.code,
            "reply": "****" if command is None and session.login is Login.NAMED else printable(reply.text),  # it quotes the unknown verb
            "seconds": seconds,
        }
        text = _WHO + "{line} -> {code} {reply}"
        if self._observers:
            self._events.emit(LogLevel.debug, text, **fields)
        if self.log_commands:
            self._log.info(text, **fields)

    def login(self, session: Session, user: str, reply: Reply, mail: str = "", denial: Denial | None = None) -> None:
        """
        A login succeeded or failed. ``mail`` is what an anonymous user gave for a password, by custom a mail address; ``denial`` why
        the site refuses a user whose password was right.
        """
        self.tally.login(reply)
        if reply.is_positive:
            for told in self._on_login:
                told(session, mail)
        if not self._has_reader(session):
            return
        tls = session.tls.description if session.tls is not None and session.is_secure else ""
        fields = {**_who(session), "ftp_event": "login", "user": printable(user, 64), "code": reply.code, "mail": printable(mail, 64), "tls": tls}
        if denial is not None:
            self._tell(LogLevel.warn, _WHO + "failed to log in: {why}", fields | _why(denial))
        elif not reply.is_positive:
            self._tell(LogLevel.warn, _WHO + "failed to log in", fields)
        else:
            self._tell(LogLevel.info, _WHO + "logged in" + (" ({mail})" if mail else "") + (" over {tls}" if tls else ""), fields)

    def transfer(self, session: Session, transfer: Transfer, error: BaseException | None) -> None:
        """A transfer has ended, well (``error`` is ``None``) or not."""
        self.tally.transfer(transfer.verb, transfer.octets, error)
        if self._on_data_closed and transfer.connection is not None:
            seconds = session.site.deadlines.seconds() - transfer.started
            for told in self._on_data_closed:
                told(session, transfer, error, seconds)
        if not self._has_reader(session):
            return
        fields: dict[str, Any] = {
            **_who(session),
            "ftp_event": "transfer",
            "verb": transfer.verb,
            "path": printable(transfer.what),
            "octets": transfer.octets,
            "seconds": session.site.deadlines.seconds() - transfer.started,
            "cause": "",
        }
        if error is None:
            cut = transfer.is_truncated  # many clients do so; it could also have been somebody who cut the connection (PROTOCOL P-TD-5)
            text = _WHO + "{verb} {path}: {octets} bytes in {seconds:.3f} s" + (", but TLS was not closed by the client" if cut else "")
            self._tell(LogLevel.warn if cut else LogLevel.info, text, fields)
            return
        verdict: Verdict | None = getattr(error, "verdict", None) if isinstance(error, DataConnectionFailed) else None
        fields["cause"] = verdict.cause.name if verdict is not None else type(error).__name__
        denial: Denial | None = getattr(error, "denial", None)
        if denial is not None:
            self._is_written = False  # that it was denied has a line of its own
        fields["why"] = printable((verdict.text if verdict is not None else denial.why if denial is not None else str(error)) or type(error).__name__)
        self._tell(LogLevel.warn, _WHO + "{verb} {path} failed: {why}", fields)

    def tls_failed(self, session: Session, reason: str) -> None:
        """The handshake of a control connection has failed."""
        self.tally.handshake("")
        if self._has_reader(session):
            fields = {**_who(session), "ftp_event": "tls", "why": printable(reason)}
            self._tell(LogLevel.warn, _WHO + "TLS handshake failed: {why}", fields)

    def gave_up(self, session: Session, verdict: Verdict) -> None:
        """A data port came to nothing before any transfer command."""
        if self._has_reader(session):
            fields = {**_who(session), "ftp_event": "data port", "cause": verdict.cause.name, "why": printable(verdict.text)}
            self._tell(LogLevel.warn, _WHO + "no transfer: {why}", fields)

    def denied(self, session: Session, verb: str, path: str, denial: Denial) -> None:
        """A command was refused by the site's rules or filters (``ftp_event`` ``"denial"``)."""
        if self._has_reader(session, is_refusal=True):
            fields = {**_who(session), "ftp_event": "denial", "verb": verb, "path": printable(path), **_why(denial)}
            self._tell(LogLevel.warn, _WHO + ("{verb} {path} refused: {why}" if path else "{verb} refused: {why}"), fields)

    def turned_away(self, site: str, peer: str, limit: str, now: float) -> None:
        """A limit leaves no room for one more connection: a line, and then none for :data:`QUIET` seconds, however many come."""
        if self._full.allows(now):
            others = self._full.settle()
            more = f"; it is number {others + 1} since the last such line" if others else ""
            self._log.warn("{site}: a connection of {peer} was refused ({limit}){more}", site=site, peer=peer, limit=limit, more=more)

    def _has_reader(self, session: Session, *, is_refusal: bool = False) -> bool:
        """
        Whether the next login or transfer is told to anybody: to make its event costs as much as a small part of it.

        :param is_refusal: it is a refusal; these have as many lines of their own, so that no traffic hides them.
        """
        ration = self._refusals if is_refusal else self._lines
        self._is_written = self.log_commands or ration.allows(session.site.deadlines.seconds())
        if self._is_written and ration.withheld:
            text, what = "{site}: {count} more {what}, not shown one by one", "refusals" if is_refusal else "logins and transfers"
            self._log.info(text, site=session.site.settings.name, count=ration.settle(), what=what)
        return self._is_written or self._observers > 0

    def _tell(self, level: Any, text: str, fields: dict[str, Any]) -> None:
        if self._observers:
            self._events.emit(level, text, **fields)
        if self._is_written:
            self._log.emit(level, text, **fields)


def _why(denial: Denial) -> dict[str, Any]:
    return {"cause": denial.reason.name, "substatus": denial.reason.substatus, "why": printable(denial.why)}


def _who(session: Session) -> dict[str, Any]:
    return {"site": session.site.settings.name, "session": session.identifier, "peer": session.peer, "user": printable(session.user, 64) or "-"}

"""
The server-PI: the control connection's protocol, which feeds lines to the verbs one at a time and writes their replies in order.

Not here: what a verb does (``verbs``), the session's state (``session``). This is the only file that writes to a control connection.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from twistftp.policy.diagnosis import Cause
from twistftp.session.access import note
from twistftp.session.dispatch import cut, dispatch, named, too_long, unknown
from twistftp.session.driver import drive
from twistftp.session.failures import is_expected, reply_for
from twistftp.session.intake import Intake
from twistftp.session.outlet import Outlet
from twistftp.session.patience import Patience
from twistftp.session.reception import Introducible
from twistftp.session.securing import begin_tls, tls_lost
from twistftp.session.session import Session
from twistftp.session.transfer import Transfer
from twistftp.session.verdicts import failed
from twistftp.transport.interfaces import DataConnectionFailed
from twistftp.transport.output import hang_up
from twistftp.transport.sockets import tune_control
from twistftp.transport.turns import SPAN
from twistftp.wire.commands import Command, split_line
from twistftp.wire.lines import Flood, Oversize
from twistftp.wire.paths import join
from twistftp.wire.replies import Reply
from twistftp.wire.states import Login

__all__ = ["ServerPI"]

_TLS_RECORD = b"\x16"  # what a TLS client sends first (P-CONN-2)
_FLOOD = Reply.of(421, "Command line too long.", closes=True)
_PASSIVE = {227: "PASV", 229: "EPSV"}


class ServerPI(Introducible):
    """
    One client's control connection, made by ``site``, the :class:`twistftp.site.FTPSite`; ``peer`` is the client's address.

    At most one command runs at a time. Lines that come meanwhile wait in ``_intake``, except what acts at once during a
    transfer (``while_busy``). ``kind_of_session`` and ``kind_of_outlet`` are there for kinds of it that see more (``capsules``).
    """

    kind_of_session, kind_of_outlet = Session, Outlet

    def __init__(self, site: Any, identifier: int, peer: str) -> None:
        self.site = site
        self._identifier = identifier
        self.peer = peer
        self._intake = Intake(site.settings.limits.max_command_line)
        self._running: Deferred[Reply] | None = None  # the command that has to wait for something
        self._command: tuple[Command | None, bytes, float] | None = None  # the one that runs: verb, line, start
        self._asked: Transfer | None = None  # the transfer that has been asked for its status before its 150
        self._abort_awaited = False  # an ABOR waits in the queue; transfers before it must not start
        self._are_many = False  # several lines may be at hand, whose replies can leave together
        self._is_advancing = False
        self._is_closing = False
        self._is_lost = False
        self._is_reading = True
        self.patience = self._patience = Patience(site.deadlines.seconds())  # the former for those who ask how long it has been idle
        self._after: Callable[[], object] | None = None  # what is to be done when the reply has been sent

    def connectionMade(self) -> None:
        """Greet first, before any octet is read (PROTOCOL P-CONN-1)."""
        transport: Any = self.transport
        tune_control(transport)
        self.session = self.kind_of_session(self.site, self._identifier, self.peer, self)
        self._outlet = self.kind_of_outlet(transport, self.site.reactor, self._go_on, self._is_unread)
        transport.registerProducer(self._outlet, True)
        self.site.connected(self)
        self._patience.watch(self)
        if self.site.settings.tls.implicit:
            begin_tls(self.session, is_private=True)
        self.send(self.site.messages.banner(self.session))

    def connectionLost(self, reason: Failure = Failure(CancelledError())) -> None:  # noqa: B008 (Twisted's own signature)
        """Whatever ran ends; file, port and avatar are let go (PROTOCOL P-GEN-15, P-DX-13)."""
        self._is_lost = self._is_closing = True
        self._outlet.close()
        self._intake.clear()
        session = self.session
        if session.transfer is not None:
            session.transfer.abort(Cause.CLIENT_GONE)
        if self._running is not None:
            self._running.cancel()
        tls_lost(session)
        session.log_out()
        self.site.deadlines.forget(self)
        self.site.disconnected(self)

    def dataReceived(self, data: bytes) -> None:
        """Octets from the client, cut anywhere."""
        if self._is_closing:
            return
        if data[:1] == _TLS_RECORD and self.session.login is Login.NONE and self._intake.is_empty:
            self.abort()
            return
        self._patience.idle_since = self.site.deadlines.seconds()
        if self._running is None and self._outlet.is_open and (line := self._intake.whole_line(data)) is not None:
            self._run_line(line)
            return
        self._are_many = self._intake.feed(data)
        if self._running is None:
            self._advance()
        elif self.session.transfer is not None:
            self.look_ahead()
        self._regulate_reading()

    def _advance(self) -> None:
        """Run lines until there are none, one has to wait, or it is the others' turn."""
        if self._is_advancing:
            return
        self._is_advancing = True
        if self._are_many:
            self._outlet.cork()
        seconds = self.site.deadlines.seconds
        until = seconds() + SPAN  # a line may be a NOOP or a search through a thousand names
        try:
            while self._running is None and self._outlet.is_open and not self._is_closing:
                if seconds() >= until:
                    self._outlet.give_way()
                    break
                line = self._intake.take()
                if answers := self._intake.take_answers():
                    self._outlet.send_octets(answers)
                if line is None:
                    break
                self._run_line(line)
        except Flood:
            self.send(_FLOOD)
        finally:
            self._is_advancing = False
            if not self._is_lost:
                self._outlet.uncork()

    def _go_on(self) -> None:
        if self._running is None and not self._is_closing:
            self._advance()
        self._regulate_reading()

    def look_ahead(self) -> None:
        """During a transfer: queue what arrives, act on ABOR and STAT (PROTOCOL P-PIPE-2, P-PIPE-3)."""
        try:
            while self.session.transfer is not None and not self._abort_awaited and (line := self._intake.look()) is not None:
                if isinstance(line, Oversize) or not self._acts_at_once(line):
                    self._intake.keep(line)
        except Flood:
            self.send(_FLOOD)

    def _acts_at_once(self, line: bytes) -> bool:
        """Whether a line that came during a transfer has been answered; ABOR acts at once and is answered in its turn."""
        verb, argument = split_line(line)
        command = self.site.verbs.get(verb)
        transfer = self.session.transfer
        if command is None or not command.while_busy or transfer is None:
            return False
        if verb == "ABOR":
            self._abort_awaited = True  # what comes behind it is looked at when it has been answered
            self._intake.keep(line)
            transfer.abort(Cause.ABORTED)
            return True
        if self._intake.has_lines or argument:
            return False
        answer = partial(self._answer_at_once, command, line, self._patience.idle_since)
        if transfer.is_begun:
            answer(transfer.status())
        else:
            transfer.status_wanted.append(answer)
            self._asked = transfer
        return True

    def _answer_at_once(self, command: Command, line: bytes, started: float, reply: Reply) -> None:
        self.send(reply)
        if self.site.transcript.wants_commands:
            self.site.transcript.command(self.session, command, line, reply, started)

    def _run_line(self, line: bytes | Oversize) -> None:
        started = self._patience.idle_since
        if not isinstance(line, bytes):
            self._command = (None, b"", started)
            self._finish(too_long(self.session))
            return
        if not line:
            return
        verb, argument = split_line(line)
        command = self.site.verbs.get(verb)
        self._command = (command, line, started)
        session = self.session
        if command is None:
            if line.strip(b" "):
                self._finish(unknown(session, verb, line))
            return
        if self._abort_awaited:
            if verb == "ABOR":  # even if it is denied by now
                self._abort_awaited = False
            elif command.is_transfer:
                self._finish(cut(session))
                return
        try:
            given = dispatch(session, command, argument)
            result = given if isinstance(given, Reply) else drive(given)
        except Exception as error:
            self._finish(self._reply_to(error))
            return
        if isinstance(result, Reply):
            self._finish(result)
        else:
            self._running = result
            result.addCallbacks(self._finish, self._failed)

    def _failed(self, failure: Failure) -> None:
        self._finish(self._reply_to(failure.value, failure))

    def _reply_to(self, error: BaseException | None, failure: Failure | None = None) -> Reply:
        """What a failed command is answered; what nobody expected goes to the log, with its traceback."""
        command, line, _ = self._command or (None, b"", 0.0)
        self.session.trouble = error
        if not is_expected(error):
            self.site.log.failure("unexpected error in {line!r}", failure, line=self.site.transcript.shown(self.session, command, line))
        if isinstance(error, DataConnectionFailed) and command is not None and not command.is_transfer:
            failed(self.session, error.verdict)  # those of transfers are in the book already
        path = named(command, line) or join(self.session.cwd)
        return reply_for(note(self.session, command, path, error), path)

    def _finish(self, reply: Reply) -> None:
        """The final reply of the command that ran; then the next line."""
        was_waiting, self._running = self._running is not None, None
        if self._command is not None and not self._is_lost:
            command, line, started = self._command
            self._command = None
            session = self.session
            if session.data_port is not None and command is not None and command.is_transfer:
                session.refuse_data_port()  # the transfer did not even take it
            if reply.code in _PASSIVE:
                session.passive_by = _PASSIVE[reply.code]
            self.send(reply)
            if self._after is not None:
                after, self._after = self._after, None
                after()
            if self.site.transcript.wants_commands:
                self.site.transcript.command(session, command, line, reply, started)
            if self._asked is not None:
                asked, self._asked = self._asked, None
                if not asked.is_begun:  # no 150 came: each STAT is answered in its turn
                    for _ in asked.status_wanted:
                        self._intake.keep(b"STAT", first=True)
            if was_waiting:
                self._patience.idle_since = self.site.deadlines.seconds()
                self.site.command_ended(self)
                self._advance()
                self._regulate_reading()

    def send(self, reply: Reply) -> None:
        """Write a reply now, after those before it; none behind the last."""
        if self._is_lost or self._is_closing:
            return
        self._outlet.send(reply)
        if reply.closes:
            self.close()

    def close(self, reply: Reply | None = None) -> None:
        """Close the connection when what was said has gone out; ``reply``, if any, is the last thing said."""
        if self._is_closing:
            return
        if reply is not None:
            self.send(reply)
            if self._is_closing:  # the reply itself closed it
                return
        self._outlet.uncork()
        self._outlet.close()
        self._is_closing = True
        self._intake.clear()
        self.session.leave()
        self._patience.closing_since = self.site.deadlines.seconds()
        self._patience.watch(self)
        transport: Any = self.transport
        transport.unregisterProducer()
        self._resume_reading()
        hang_up(transport)

    def abort(self) -> None:
        """Reset the connection."""
        self._is_closing = True
        self.transport.abortConnection()  # type: ignore[union-attr]

    @property
    def is_busy(self) -> bool:
        """Whether a transfer or another command is under way."""
        return self._running is not None

    @property
    def is_logged_in(self) -> bool:
        """Whether there is a user."""
        return self.session.login is Login.DONE

    def expire(self, now: float) -> float | None:
        """``transport.deadlines`` asks whether something has run out, and is told when to ask again."""
        return None if self._is_lost else self._patience.expire(self, now)

    def restart_login_clock(self) -> None:
        """The time to log in counts from now."""
        self._patience.login_since = self.site.deadlines.seconds()
        self._patience.watch(self)

    @property
    def is_quiet(self) -> bool:  # noqa: D102 (see ``session.Control``)
        return self._intake.is_empty

    def after_reply(self, action: Callable[[], object]) -> None:
        """Do something when the reply to the command that runs has been sent."""
        self._after = action

    def use_transport(self, transport: Any) -> None:
        """The control connection goes under TLS or comes back from it: write there from now on."""
        self._outlet.uncork()
        self._outlet.use(transport)

    def _regulate_reading(self) -> None:
        """Stop reading while too much waits, so that memory is bounded and TCP slows the client down (PROTOCOL P-PIPE-4)."""
        if self._is_closing:
            return
        full = self._intake.is_full or self._outlet.is_blocked
        if full and self._is_reading:
            self._is_reading = False
            self.transport.pauseProducing()  # type: ignore[union-attr]
        elif not full:
            self._resume_reading()

    def _resume_reading(self) -> None:
        if not self._is_reading and not self._is_lost:
            self._is_reading = True
            self.transport.resumeProducing()  # type: ignore[union-attr]

    def _is_unread(self, is_unread: bool) -> None:
        """The client does not read its replies, or reads again."""
        self._patience.blocked_since = self.site.deadlines.seconds() if is_unread else None
        if is_unread:
            self._patience.watch(self)

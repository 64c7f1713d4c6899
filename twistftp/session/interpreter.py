"""
The server-PI: the control connection's protocol, which feeds lines to the verbs one at a time and writes their replies in order.

Not here: what a verb does (``verbs``), the session's state (``session``). This is the only file that writes to a control connection.
"""

from __future__ import annotations

from functools import partial
from math import inf
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from twistftp.policy.diagnosis import Cause
from twistftp.session.backlog import LARGEST, Backlog
from twistftp.session.dispatch import LINE_TOO_LONG, dispatch, unknown
from twistftp.session.driver import drive
from twistftp.session.failures import INTERNAL_ERROR, is_expected, reply_for
from twistftp.session.outlet import Outlet
from twistftp.session.session import Session
from twistftp.session.transfer import Transfer
from twistftp.session.verbs.table import VERBS
from twistftp.transport.output import hang_up
from twistftp.transport.sockets import tune_control
from twistftp.wire.commands import Command, split_line
from twistftp.wire.lines import Flood, LineSplitter, Oversize
from twistftp.wire.paths import decode_name, join
from twistftp.wire.replies import Reply
from twistftp.wire.states import Login

__all__ = ["ServerPI"]

_ONE_LINE = 64  # octets that are usually one command; where more came at once there are replies to gather
_LINES_A_TURN = 128  # lines of one client after which the others have their turn
_CLOSE_WAIT = 5.0  # seconds that a closed connection may take to go (P-TIME-8)
_WRITE_WAIT = 300.0  # seconds that a client may leave replies unread (P-TIME-9)
_TLS_RECORD = b"\x16"  # what a TLS client sends first (P-CONN-2)
_FLOOD = Reply.of(421, "Command line too long.", closes=True)
_CUT = Reply.of(450, "Transfer not started: the client asked to stop.")


class ServerPI(Protocol):
    """
    One client's control connection, made by ``site``, the :class:`twistftp.site.FTPSite`; ``peer`` is the client's address.

    At most one command runs at a time. Lines that come meanwhile wait in ``_backlog``, except what acts at once during a
    transfer (``while_busy``).
    """

    def __init__(self, site: Any, identifier: int, peer: str) -> None:
        self.site = site
        self._identifier = identifier
        self.peer = peer
        self._splitter = LineSplitter(site.settings.limits.max_command_line)
        self._backlog = Backlog()
        self._running: Deferred[Reply] | None = None  # the command that has to wait for something
        self._command: tuple[Command | None, bytes, float] | None = None  # the one that runs: verb, line, start
        self._asked: Transfer | None = None  # the transfer that has been asked for its status before its 150
        self._abort_awaited = False  # an ABOR waits in the queue; transfers before it must not start
        self._is_advancing = False
        self._is_closing = False
        self._is_lost = False
        self._is_reading = True
        self._blocked_since = 0.0
        self._idle_since = 0.0
        self._login_since = 0.0
        self._close_by = 0.0

    # -- the connection ------------------------------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Greet first, before any octet is read (PROTOCOL P-CONN-1)."""
        transport: Any = self.transport
        tune_control(transport)
        self.session = Session(self.site, self._identifier, self.peer, transport.getHost, self._send, self._look_ahead)
        self._outlet = Outlet(transport, self.site.reactor.callLater, self._go_on)
        transport.registerProducer(self, True)
        self._idle_since = self._login_since = now = self.site.deadlines.seconds()
        self.site.connected(self)
        limits = self.site.settings.limits
        self.site.deadlines.watch(self, now + min(limits.unauthenticated_timeout, limits.control_channel_timeout))
        self._send(self.site.banner)

    def connectionLost(self, reason: Failure = Failure(CancelledError())) -> None:  # noqa: B008 (Twisted's own signature)
        """Whatever ran ends; file, port and avatar are let go (PROTOCOL P-GEN-15, P-DX-13)."""
        self._is_lost = self._is_closing = True
        self._outlet.close()
        self._backlog.clear()
        self._splitter.clear()
        session = self.session
        if session.transfer is not None:
            session.transfer.abort(Cause.CLOSING)
        if self._running is not None:
            self._running.cancel()
        session.log_out()
        self.site.deadlines.forget(self)
        self.site.disconnected(self)

    def dataReceived(self, data: bytes) -> None:
        """Octets from the client, cut anywhere."""
        if self._is_closing:
            return
        if self.session.login is Login.NONE and data[:1] == _TLS_RECORD and not self._splitter.pending:
            self._abort()
            return
        self._idle_since = self.site.deadlines.seconds()
        if self._running is None and not self._backlog and self._outlet.is_open:
            line = self._splitter.whole_line(data)
            if line is not None:
                self._run_line(line)
                return
        self._splitter.feed(data)
        if self._running is None:
            self._advance()
        elif self.session.transfer is not None:
            self._look_ahead()
        self._regulate_reading()

    # -- lines ---------------------------------------------------------------------------------------------------------------------------

    def _next_line(self) -> bytes | Oversize | None:
        if self._backlog:
            return self._backlog.take()
        if not self._splitter.pending:
            return None
        line = self._splitter.next_line()
        if self._splitter.answers:
            self._outlet.send_octets(self._splitter.answers)
            self._splitter.answers = b""
        return line

    def _advance(self) -> None:
        """Run lines until there are none, one has to wait, or it is the others' turn."""
        if self._is_advancing:
            return
        self._is_advancing = True
        if self._backlog or self._splitter.pending > _ONE_LINE:
            self._outlet.cork()
        lines = 0
        try:
            while self._running is None and self._outlet.is_open and not self._is_closing:
                if lines >= _LINES_A_TURN:
                    self._outlet.give_way()
                    break
                line = self._next_line()
                if line is None:
                    break
                lines += 1
                self._run_line(line)
        except Flood:
            self._send(_FLOOD)
        finally:
            self._is_advancing = False
            if not self._is_lost:
                self._outlet.uncork()

    def _go_on(self) -> None:
        if self._running is None and not self._is_closing:
            self._advance()
        self._regulate_reading()

    def _look_ahead(self) -> None:
        """During a transfer: queue what arrives, act on ABOR and STAT (PROTOCOL P-PIPE-2, P-PIPE-3)."""
        try:
            while self.session.transfer is not None and not (self._abort_awaited or self._backlog.is_full) and self._splitter.pending:
                line = self._splitter.next_line()
                if line is None:
                    break
                if isinstance(line, Oversize) or not self._acts_at_once(line):
                    self._backlog.add(line)
        except Flood:
            self._send(_FLOOD)

    def _acts_at_once(self, line: bytes) -> bool:
        """Whether a line that came during a transfer has been answered; ABOR acts at once and is answered in its turn."""
        verb, argument = split_line(line)
        command = VERBS.get(verb)
        transfer = self.session.transfer
        if command is None or not command.while_busy or transfer is None:
            return False
        if verb == "ABOR":
            self._abort_awaited = True  # what comes behind it is looked at when it has been answered
            self._backlog.add(line)
            transfer.abort(Cause.ABORTED)
            return True
        if self._backlog or argument:
            return False
        answer = partial(self._answer_at_once, command, line, self._idle_since)
        if transfer.is_begun:
            answer(transfer.status())
        else:
            transfer.status_wanted.append(answer)
            self._asked = transfer
        return True

    def _answer_at_once(self, command: Command, line: bytes, started: float, reply: Reply) -> None:
        self._send(reply)
        if self.site.transcript.wants_commands:
            self.site.transcript.command(self.session, command, line, reply, started)

    def _run_line(self, line: bytes | Oversize) -> None:
        started = self._idle_since
        if isinstance(line, Oversize):
            self._command = (None, b"", started)
            self._finish(LINE_TOO_LONG)
            return
        if not line:
            return
        verb, argument = split_line(line)
        command = VERBS.get(verb)
        self._command = (command, line, started)
        session = self.session
        if command is None:
            if line.strip(b" "):
                self._finish(unknown(session, verb, line))
            return
        if self._abort_awaited:
            if command.while_busy and verb == "ABOR":
                self._abort_awaited = False
            elif command.is_transfer:
                self._finish(_CUT)
                return
        try:
            result = dispatch(session, command, argument)
            if type(result) is not Reply:
                result = drive(result)
        except Exception as error:
            self._finish(self._reply_to(error))
            return
        if type(result) is Reply:
            self._finish(result)
        else:
            self._running = result
            result.addCallbacks(self._finish, self._failed)

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        if self._is_lost or isinstance(error, CancelledError):
            if not is_expected(error) and not isinstance(error, CancelledError):
                self.site.log.failure("error after the client had gone", failure)
            self._finish(INTERNAL_ERROR)
            return
        self._finish(self._reply_to(error, failure))

    def _reply_to(self, error: BaseException, failure: Failure | None = None) -> Reply:
        if not is_expected(error):
            self.site.log.failure(
                "unexpected error in {line!r}", failure or Failure(), line=self.site.transcript.shown(self.session, *self._command_words())
            )
        _, _, argument = (self._command[1] if self._command else b"").lstrip(b" ").partition(b" ")
        path = decode_name(argument) or join(self.session.cwd)
        return reply_for(error, path) if isinstance(error, Exception) else INTERNAL_ERROR

    def _command_words(self) -> tuple[Command | None, bytes]:
        return (self._command[0], self._command[1]) if self._command else (None, b"")

    def _finish(self, reply: Reply) -> None:
        """The final reply of the command that ran; then the next line."""
        was_waiting, self._running = self._running is not None, None
        if self._command is not None and not self._is_lost:
            command, line, started = self._command
            self._command = None
            session = self.session
            if session.data_port is not None and command is not None and command.is_transfer:
                session.drop_data_port()  # used up, whatever became of the transfer (PROTOCOL P-DC-1)
            self._send(reply)
            if self.site.transcript.wants_commands:
                self.site.transcript.command(session, command, line, reply, started)
            if self._asked is not None:
                asked, self._asked = self._asked, None
                if not asked.is_begun:  # no 150 came: each STAT is answered in its turn
                    for _ in asked.status_wanted:
                        self._backlog.put_first(b"STAT")
            if was_waiting:
                self._idle_since = self.site.deadlines.seconds()
                self.site.command_ended(self)
                self._advance()
                self._regulate_reading()

    # -- replies -------------------------------------------------------------------------------------------------------------------------

    def _send(self, reply: Reply) -> None:
        if self._is_lost or self._is_closing:
            return
        self._outlet.send(reply)
        if reply.closes:
            self.close()

    # -- the end -------------------------------------------------------------------------------------------------------------------------

    def close(self, reply: Reply | None = None) -> None:
        """Close the connection when what was said has gone out; ``reply``, if any, is the last thing said."""
        if self._is_closing:
            return
        if reply is not None:
            self._send(reply)
            if self._is_closing:  # the reply itself closed it
                return
        self._outlet.uncork()
        self._outlet.close()
        self._is_closing = True
        self._backlog.clear()
        self._splitter.clear()
        if self.session.transfer is not None:
            self.session.transfer.abort(Cause.CLOSING)
        self._close_by = self.site.deadlines.seconds() + _CLOSE_WAIT
        self.site.deadlines.watch(self, self._close_by)
        transport: Any = self.transport
        transport.unregisterProducer()
        self._resume_reading()
        hang_up(transport)

    def _abort(self) -> None:
        self._is_closing = True
        transport: Any = self.transport
        transport.abortConnection()

    @property
    def is_busy(self) -> bool:
        """Whether a transfer or another command is under way."""
        return self._running is not None

    def expire(self, now: float) -> float | None:
        """A deadline has come, or may have moved: ``transport.deadlines`` asks, and is told when to ask again."""
        if self._is_lost:
            return None
        if self._is_closing:
            if now < self._close_by:
                return self._close_by
            self._abort()
            return None
        latest = self._blocked_since + _WRITE_WAIT if self._outlet.is_blocked else inf
        if now >= latest:
            self._abort()
            return None
        limits = self.site.settings.limits
        if self.session.login is not Login.DONE:
            due, seconds = self._login_since + limits.unauthenticated_timeout, limits.unauthenticated_timeout
            if now >= due:
                self.close(Reply.of(421, f"Not logged in within {seconds:g} seconds; closing.", closes=True))
                return now + _CLOSE_WAIT
            return min(due, now + limits.control_channel_timeout, latest)
        if self._running is not None:
            return min(now + limits.control_channel_timeout, latest)
        due, seconds = self._idle_since + limits.control_channel_timeout, limits.control_channel_timeout
        if now >= due:
            self.close(Reply.of(421, f"No command for {seconds:g} seconds; closing.", closes=True))
            return now + _CLOSE_WAIT
        return min(due, latest)

    def restart_login_clock(self) -> None:
        """REIN: the time to log in counts from now."""
        self._login_since = now = self.site.deadlines.seconds()
        self.site.deadlines.watch(self, now + self.site.settings.limits.unauthenticated_timeout)

    # -- flow control --------------------------------------------------------------------------------------------------------------------

    def _regulate_reading(self) -> None:
        """Stop reading while too much waits, so that memory is bounded and TCP slows the client down (PROTOCOL P-PIPE-4)."""
        if self._is_closing:
            return
        full = self._backlog.is_full or self._splitter.pending >= LARGEST or self._outlet.is_blocked
        if full and self._is_reading:
            self._is_reading = False
            self.transport.pauseProducing()  # type: ignore[union-attr]
        elif not full:
            self._resume_reading()

    def _resume_reading(self) -> None:
        if not self._is_reading and not self._is_lost:
            self._is_reading = True
            self.transport.resumeProducing()  # type: ignore[union-attr]

    def pauseProducing(self) -> None:
        """IPushProducer, told by the transport: replies pile up; no further line runs until they have gone."""
        if not self._outlet.is_blocked:
            self._outlet.is_blocked = True
            self._blocked_since = now = self.site.deadlines.seconds()
            self.site.deadlines.watch(self, now + _WRITE_WAIT)

    def resumeProducing(self) -> None:
        """IPushProducer: the client reads again."""
        self._outlet.is_blocked = False
        self._go_on()

    def stopProducing(self) -> None:
        """IPushProducer: the connection is gone; ``connectionLost`` follows."""

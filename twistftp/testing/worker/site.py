"""
A site with faults: an ``FTPSite`` whose verbs, control connections, data connections and TLS can be made to fail, and that notes what was said.

Not here: the faults (``testing.faults``), the process around it (``host``).
"""

from __future__ import annotations

import socket
from typing import Any

from attrs import evolve
from twisted.internet.task import deferLater
from twisted.logger import Logger, eventAsText, formatEvent

from twistftp.session.session import Session
from twistftp.session.verbs.table import VERBS
from twistftp.site import FTPSite
from twistftp.testing.worker.armed import Armoury
from twistftp.testing.worker.control import FaultyPI
from twistftp.testing.worker.data import FaultyPort
from twistftp.wire.commands import Command, CommandGroup, CommandTable
from twistftp.wire.paths import decode_name
from twistftp.wire.replies import Reply

__all__ = ["FaultySite"]

_NO_UTF8 = Reply.of(501, "Option not understood.")


def _with_faults(command: Command) -> Command:
    """The verb, carried out with what befalls it at the time."""

    async def handle(session: Session, value: Any) -> Reply:
        site = session.site
        verb = command.verb
        if seconds := site.armoury.wait_before(verb):
            await deferLater(site.reactor, seconds)
        if command.is_transfer and session.data_port is not None:
            session.data_port = FaultyPort(session.data_port, lambda: site.armoury.for_data(verb), site.reactor)
        given = command.handler(session, value)
        reply: Reply = given if isinstance(given, Reply) else await given
        if seconds := site.armoury.wait_after(verb, reply):
            await deferLater(site.reactor, seconds)
        return reply

    return evolve(command, handler=handle)


def _without_utf8(command: Command) -> Command:
    """FEAT and OPTS where names have no known encoding."""

    def handle(session: Session, value: Any) -> Any:
        if not session.site.armoury.has("no_utf8"):
            return command.handler(session, value)
        if command.verb == "OPTS":
            return _NO_UTF8 if str(value).upper().startswith("UTF") else command.handler(session, value)
        given = command.handler(session, value)
        return given._replace(lines=tuple(line for line in given.lines if line != "UTF8"))

    return evolve(command, handler=handle)


def _of_tests(command: Command) -> Command:
    return _with_faults(_without_utf8(command) if command.verb in ("FEAT", "OPTS") else command)


class FaultySite(FTPSite):
    """
    A site of the tests.

    :ivar commands: the lines that clients have said, with the number of the session of each, in order.
    :ivar lines: what the site told its log, a line an event.
    """

    protocol = FaultyPI
    verbs = CommandTable(*(CommandGroup(group.title, [_of_tests(command) for command in group.commands]) for group in VERBS.groups))

    def __init__(self, settings: Any, portal: Any, armoury: Armoury, **given: Any) -> None:
        self.armoury = armoury
        self.commands: list[tuple[int, str]] = []
        self.lines: list[str] = []
        # Bound and not listened on: whoever connects is refused, and nobody else gets it.
        self._closed = socket.socket(socket.AF_INET6 if ":" in settings.address else socket.AF_INET)
        self._closed.bind((settings.address, 0))
        self.closed_port: int = self._closed.getsockname()[1]
        super().__init__(settings, portal, **given)
        self.transcript.add_observer(self._note)  # type: ignore[arg-type]
        self.log = Logger(namespace="twistftp.site", observer=self._note_trouble)  # type: ignore[arg-type]

    def _note(self, event: Any) -> None:
        self.lines.append(formatEvent(event))

    def _note_trouble(self, event: Any) -> None:
        """What nobody has expected, with its traceback: the site is at fault, and whoever reads the log should see it."""
        self.lines += eventAsText(event, includeTimestamp=False, includeSystem=False).splitlines()

    def heard(self, session: int, line: bytes) -> None:
        """A client has said something."""
        self.commands.append((session, decode_name(line)))

    @property
    def is_idle(self) -> bool:
        """Whether no command is being carried out and no data connection is open."""
        return not self.pool.open_connections and not any(control.is_busy or control.session.transfer for control in self.sessions)

    def let_go(self) -> None:
        """The site is over."""
        self._closed.close()

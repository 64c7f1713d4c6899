"""Tests for ``twistftp.transport.shortage``: ports of ``sockets`` for whose connections there is no descriptor."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from tests.support.running import until
from tests.support.transports import dial
from tests.transport.test_sockets import SocketTestCase
from twistftp.policy.ration import Ration
from twistftp.transport import shortage
from twistftp.transport.shortage import QUIET, REST, Shortage


class Scarce:
    """A listening socket that takes a connection only when the system allows it: for each refusal there is an error in ``errors``."""

    def __init__(self, skt: socket.socket, errors: list[int]) -> None:
        self._skt, self.errors = skt, errors

    def __getattr__(self, name: str) -> Any:
        return getattr(self._skt, name)

    def _accept(self) -> Any:
        if self.errors:
            number = self.errors.pop(0)
            raise OSError(number, os.strerror(number))
        return self._skt._accept()  # type: ignore[attr-defined]

    def accept(self) -> Any:
        number = errno.ENFILE
        raise OSError(number, os.strerror(number))


class ShortageTests(SocketTestCase):
    def setUp(self) -> None:
        self.patch(Shortage, "_met", 0)
        self.patch(Shortage, "_ration", Ration(1, QUIET))
        self.patch(shortage, "REST", 0.05)
        self.lines: list[Any] = []

        def note(event: Any) -> None:
            if "accept" in event["log_format"] or "EMFILE" in event["log_format"] or event["log_namespace"].endswith("Shortage"):
                self.lines.append(event["log_format"].format(**event))

        globalLogPublisher.addObserver(note)
        self.addCleanup(globalLogPublisher.removeObserver, note)

    @inlineCallbacks
    def test_rest(self) -> Any:
        """A port does not keep the reactor busy while nothing can be taken; the log has one line, and who has waited is served in the end."""
        for number in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            port: Any = self.open()
            port.socket = Scarce(port.socket, [number] * 3)
            client = dial(reactor, port.getHost().port)
            yield until(lambda port=port: len(port.socket.errors) == 2, "the first refusal")
            self.assertNotIn(port, reactor.getReaders())  # type: ignore[attr-defined]
            server = yield self.made
            yield self.end(client, server)
            self.assertEqual([], port.socket.errors)
            self.assertIn(port, reactor.getReaders())  # type: ignore[attr-defined]
        [line] = self.lines
        self.assertIn(os.strerror(errno.EMFILE), line)

    @inlineCallbacks
    def test_closed_meanwhile(self) -> Any:
        """A port that is closed while it rests leaves nothing behind."""
        port: Any = self.open()
        port.socket = Scarce(port.socket, [errno.EMFILE] * 3)
        client = dial(reactor, port.getHost().port)
        yield until(lambda: len(port.socket.errors) == 2, "the first refusal")
        port.loseConnection()
        self.assertNotIn(port, reactor.getReaders())  # type: ignore[attr-defined]
        self.assertFalse([call for call in reactor.getDelayedCalls() if "Shortage" in str(call)])  # type: ignore[attr-defined]
        yield client.ended

    def test_seldom_told(self) -> None:
        """However often it happens, a minute has one line, with their number."""
        clock: Any = Clock()

        class Port:
            connected = True
            is_reading = True

            def stopReading(self) -> None:
                self.is_reading = False

            def startReading(self) -> None:
                self.is_reading = True

        self.patch(shortage, "REST", REST)
        port = Port()
        one = Shortage(port, clock)
        for _ in range(100):
            one.met(OSError(errno.EMFILE, "none left"), 21)
        self.assertEqual((1, False), (len(self.lines), port.is_reading))
        clock.advance(shortage.REST)
        self.assertTrue(port.is_reading)
        clock.advance(QUIET)
        one.met(OSError(errno.EMFILE, "none left"), 21)
        self.assertEqual(2, len(self.lines))
        self.assertIn("(101 times so far)", self.lines[1])
        one.forget()
        self.assertEqual([], clock.getDelayedCalls())

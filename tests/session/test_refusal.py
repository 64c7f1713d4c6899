"""Connections that get no session."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import ControlTransport, Dialogue, TurningClock
from twistftp.policy.settings import Limits
from twistftp.policy.tls import TLSSettings
from twistftp.session.refusal import Refusal
from twistftp.transport.deadlines import Deadlines
from twistftp.wire.replies import Reply


class RefusalTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = TurningClock()
        self.transport = ControlTransport("192.0.2.9", "192.0.2.1")
        self.refusal = Refusal(Reply.of(421, "No."), Deadlines(self.clock))
        self.refusal.makeConnection(self.transport)

    def test_says_and_closes(self) -> None:
        """P-CONN-1, P-GEN-11: one 421 and the end; what the client sends is not read."""
        self.refusal.dataReceived(b"NOOP\r\n")
        self.assertEqual([b"421 No.\r\n"], self.transport.writes)
        self.assertTrue(self.transport.disconnecting)
        self.refusal.connectionLost()
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_hard_close(self) -> None:
        """P-TIME-8: a client that does not go is cut off after 5 s."""
        for _ in range(12):
            self.clock.advance(0.5)
        self.assertTrue(self.transport.is_aborted)

    def test_where_clear_text_would_be(self) -> None:
        """P-IMPL-1: on a port of implicit TLS nothing is said in clear."""
        d = Dialogue(self, tls=TLSSettings(self_signed=True, implicit=True), limits=Limits(max_connections=1))
        refusal = d.site.buildProtocol(IPv4Address("TCP", "192.0.2.7", 4000))
        transport = ControlTransport("192.0.2.7", "192.0.2.1")
        refusal.makeConnection(transport)
        self.assertEqual(([], True), (transport.writes, transport.disconnecting))

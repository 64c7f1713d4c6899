"""Replies on their way out."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import ControlTransport, TurningClock
from twistftp.session.outlet import Outlet
from twistftp.wire.replies import Reply

OK = Reply.of(200, "OK.")
PASSIVE = Reply.of(227, "Entering Passive Mode (192,0,2,1,195,80).")
BYE = Reply.of(421, "Bye.", closes=True)


class OutletTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = TurningClock()
        self.transport = ControlTransport("192.0.2.9", "192.0.2.1")
        self.ready = 0
        self.outlet = Outlet(self.transport, self.clock, self.is_ready)

    def is_ready(self) -> None:
        self.ready += 1

    def test_at_once(self) -> None:
        """Without a cork each reply is a write."""
        self.outlet.send(OK)
        self.outlet.send(OK)
        self.assertEqual([OK.octets] * 2, self.transport.writes)

    def test_cork(self) -> None:
        """P-GEN-5: replies gathered leave in one write, in order; a reply on many lines is never cut."""
        self.outlet.cork()
        self.outlet.send(OK)
        self.outlet.send_octets(b"\xff\xfe\x01")
        self.outlet.send(Reply.listing(211, "a", ["b"], "c"))
        self.assertEqual([], self.transport.writes)
        self.outlet.uncork()
        self.assertEqual([OK.octets + b"\xff\xfe\x01211-a\r\n b\r\n211 c\r\n"], self.transport.writes)

    def test_passive_alone(self) -> None:
        """P-PB-4, P-PB-5, P-PIPE-8: a 227 is a write of its own behind what was gathered, and no command runs before the next turn."""
        self.outlet.cork()
        self.outlet.send(OK)
        self.outlet.send(PASSIVE)
        self.assertEqual([OK.octets, PASSIVE.octets], self.transport.writes)
        self.assertFalse(self.outlet.is_open)
        self.clock.advance(0)
        self.assertTrue(self.outlet.is_open)
        self.assertEqual(1, self.ready)

    def test_passive_waits_for_the_kernel(self) -> None:
        """P-PB-5: while the transport still holds octets the 227 waits, turn for turn."""
        self.transport.is_merging = True
        self.outlet.send(OK)
        self.outlet.send(PASSIVE)
        self.clock.advance(0)
        self.assertEqual(OK.octets, self.transport.dataBuffer)
        self.transport.flush()
        self.clock.advance(0)
        self.assertEqual(PASSIVE.octets, self.transport.dataBuffer)
        self.assertEqual(0, self.ready)
        self.transport.flush()
        self.clock.advance(0)
        self.assertEqual(([OK.octets, PASSIVE.octets], 1), (self.transport.writes, self.ready))

    def test_passive_waits_for_the_client(self) -> None:
        """A client that reads nothing does not keep the reactor busy: a 227 that waits is looked after ten times a second; then it goes out."""
        self.transport.is_merging = self.transport.is_stuck = True
        self.outlet.send(OK)
        self.outlet.send(PASSIVE)
        for _ in range(10):
            self.clock.advance(0)
        [call] = self.clock.getDelayedCalls()
        self.assertGreater(call.getTime(), self.clock.seconds())
        self.transport.unstick()
        self.clock.advance(0.1)
        self.transport.flush()
        self.clock.advance(0)
        self.assertEqual(([OK.octets, PASSIVE.octets], 1), (self.transport.writes, self.ready))

    def test_end_overtakes_nothing(self) -> None:
        """The end of the connection is said behind a 227 that waits."""
        self.transport.is_merging = True
        self.outlet.send(OK)
        self.outlet.send(PASSIVE)
        self.outlet.send(BYE)
        self.transport.flush()
        self.assertEqual([OK.octets + PASSIVE.octets + BYE.octets], self.transport.writes)

    def test_blocked(self) -> None:
        """P-PIPE-4: while the client does not read no command runs, though its turn comes."""
        self.outlet.is_blocked = True
        self.outlet.give_way()
        self.clock.advance(0)
        self.assertEqual((0, False), (self.ready, self.outlet.is_open))

    def test_close(self) -> None:
        """Nothing is called or written after the end."""
        self.outlet.give_way()
        self.transport.is_merging = True
        self.outlet.send(OK)
        self.outlet.send(PASSIVE)
        self.outlet.close()
        self.clock.advance(0)
        self.assertEqual(([], 0), (self.clock.getDelayedCalls(), self.ready))

    def test_a_turn_for_the_others(self) -> None:
        """P-PIPE-4: who gives way goes on in the next turn, once, behind those who were there before."""
        order: list[str] = []
        other = Outlet(self.transport, self.clock, lambda: order.append("other"))
        self.outlet = Outlet(self.transport, self.clock, lambda: order.append("one"))
        other.give_way()
        self.outlet.give_way()
        self.outlet.give_way()
        self.assertEqual(([], False), (order, self.outlet.is_open))
        self.clock.advance(0)
        self.clock.advance(0)
        self.assertEqual((["other", "one"], True), (order, self.outlet.is_open))

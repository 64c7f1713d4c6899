"""Tests for ``twistftp.transport.turns``, and for ``directio`` where others leave it no time."""

from __future__ import annotations

from twisted.internet import main, reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from tests.transport.test_sockets import SocketTestCase
from twistftp.transport.turns import SPAN, Turns, turns_of


class Later:
    """As much of a reactor as is wanted: what is to be called in its next turn."""

    def __init__(self):
        self.calls = []

    def callLater(self, delay, call):
        self.calls.append(call)

    def turn(self):
        calls, self.calls = self.calls, []
        for call in calls:
            call()


class Sending:
    """Takes some time whenever it is called, and asks again as often as it has been told to."""

    def __init__(self, case, name, times=0, cost=SPAN):
        self.case, self.name, self.left, self.cost = case, name, times, cost

    def ask(self):
        """As a connection does whose socket takes octets."""
        if self.case.turns.may_go(self):
            self.go()

    def go(self):
        self.case.went.append(self.name)
        self.case.now += self.cost
        if self.left:
            self.left -= 1
            self.ask()


class TurnsTests(SynchronousTestCase):
    def setUp(self):
        self.reactor, self.now, self.went = Later(), 1000.0, []
        self.turns = Turns(self.reactor, lambda: self.now)

    def turn(self):
        """What has gone in this turn of the reactor."""
        self.went.clear()
        self.reactor.turn()
        return self.went[:]

    def test_within_the_span(self):
        """As long as there is time nobody waits, and no delayed call is made."""
        for name in "abcd":
            Sending(self, name, cost=SPAN / 5).ask()
        self.assertEqual([*"abcd"], self.went)
        self.assertEqual([], self.reactor.calls)

    def test_in_order(self):
        """Those that come when the span is over go in the next turns, in their order, as many in each as it has time for."""
        for name in "abcde":
            Sending(self, name, cost=SPAN * 0.6).ask()
        self.assertEqual([*"ab"], self.went)
        self.assertEqual([*"cd"], self.turn())
        self.assertEqual([*"e"], self.turn())
        self.assertEqual([], self.reactor.calls)

    def test_nobody_is_overtaken(self):
        """Who asks while others wait goes behind them, and so does one that has gone and asks again."""
        for name in "abc":
            Sending(self, name, times=1).ask()
        self.assertEqual([*"a"], self.went)
        found = [self.turn() for _ in range(5)]
        self.assertEqual([["a"], ["b"], ["c"], ["b"], ["c"]], found)
        self.assertEqual([], self.reactor.calls)

    def test_waiting(self):
        """Who has had enough of this turn waits for another, though there may be time left; one that goes on and on gets one in each."""
        names = Sending(self, "a", cost=SPAN / 5), Sending(self, "b", cost=SPAN / 5)
        names[0].ask = lambda: self.turns.wait(names[0])
        names[0].left = 3
        for one in names:
            self.turns.wait(one)
        self.assertEqual([], self.went)
        self.assertEqual([["a", "b"], ["a"], ["a"], ["a"]], [self.turn() for _ in range(4)])
        self.assertEqual([], self.reactor.calls)
        names[0].left, names[0].cost = 20, SPAN
        names[0].ask()
        for _ in range(20):
            self.assertEqual([*"a"], self.turn())
            self.assertEqual(1, len(self.reactor.calls))

    def test_fault(self):
        """When one fails the others' turn comes all the same."""
        for name in "abc":
            Sending(self, name, cost=SPAN / 2 if name == "b" else SPAN).ask()
        self.turns._waiting[0].go = lambda: 1 / 0
        self.assertRaises(ZeroDivisionError, self.turn)
        self.assertEqual([*"c"], self.turn())

    def test_after_a_pause(self):
        """When nobody has sent anything for some time one goes at once."""
        Sending(self, "a").ask()
        self.now += SPAN
        Sending(self, "b").ask()
        self.assertEqual([*"ab"], self.went)

    def test_rest_of_a_turn(self):
        """What those that waited leave of the span is there for others."""
        for name in "abc":
            Sending(self, name, cost=SPAN * 0.6).ask()
        self.assertEqual([*"c"], self.turn())
        Sending(self, "d").ask()
        self.assertEqual([*"cd"], self.went)

    def test_by_reactor(self):
        """Each reactor has one."""
        self.assertIs(turns_of(self.reactor), turns_of(self.reactor))
        self.assertIsNot(turns_of(self.reactor), turns_of(Later()))


class DirectIOTests(SocketTestCase):
    @inlineCallbacks
    def crowded(self):
        """A connected pair; another connection has just used up the server's turn."""
        client, server = yield self.pair()
        now = 1000.0
        server.transport._turns = turns = Turns(reactor, lambda: now)
        self.assertTrue(turns.may_go(server.transport))
        now += SPAN
        return client, server.transport, server

    @inlineCallbacks
    def test_waiting(self):
        """The hook is called all the same, and the reactor does not look at the socket meanwhile."""
        _, transport, _ = yield self.crowded()
        called = Deferred()
        transport.when_writable(lambda: called.callback(None))
        transport.doWrite()
        self.assertFalse(called.called)
        self.assertNotIn(transport, reactor.getWriters())
        yield called
        self.assertNotIn(transport, reactor.getWriters())

    @inlineCallbacks
    def test_buffer_goes_first(self):
        """Octets that were written while the hook waits are sent before it is called."""
        client, transport, _ = yield self.crowded()
        called = Deferred()

        def hook():
            self.assertFalse(transport.dataBuffer or transport._tempDataLen)
            reactor.callLater(0, called.callback, None)

        transport.when_writable(hook)
        transport.doWrite()
        client.transport.pauseProducing()
        transport.write(b"x" * 10_000_000)
        transport.go()
        self.assertFalse(called.called)
        client.transport.resumeProducing()
        yield called

    @inlineCallbacks
    def test_forgotten(self):
        """A hook that was taken back while it waited is not called."""
        _, transport, _ = yield self.crowded()
        transport.when_writable(self.fail)
        transport.doWrite()
        transport.forget_hook()
        again = Deferred()
        reactor.callLater(0, again.callback, None)
        yield again

    @inlineCallbacks
    def test_error(self):
        """What the hook returns ends the connection, as from ``doWrite``."""
        _, transport, server = yield self.crowded()
        transport.when_writable(lambda: main.CONNECTION_LOST)
        transport.doWrite()
        self.assertIsInstance((yield server.ended), ConnectionLost)

    @inlineCallbacks
    def test_exception(self):
        """One that the hook raises does, too, and is logged."""
        _, transport, server = yield self.crowded()
        transport.when_writable(lambda: 1 / 0)
        transport.doWrite()
        self.assertIsInstance((yield server.ended), ZeroDivisionError)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

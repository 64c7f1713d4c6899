"""Tests of ``twistftp.transport.secure``: a client's engine, the layer, and a protocol above it, all in memory."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.support.tls import TLS13, VERSIONS, Below, HalfCloseableUpper, Link, TLSClient, Upper, begin_on, client_context, site_tls
from twistftp.transport.departure import HandshakeFailed
from twistftp.transport.secure import SecureTransport

APPLICATION_DATA, ALERT = 23, 21


def records(octets: bytes) -> list[int]:
    """The content types of the records."""
    kinds = []
    while octets:
        kinds.append(octets[0])
        octets = octets[5 + int.from_bytes(octets[3:5], "big") :]
    return kinds


class SecureCase(SynchronousTestCase):
    """Links to one site."""

    def setUp(self) -> None:
        self.site = site_tls(self)

    def link(self, version: Any = None, *, upper: Any = None, cut: int | None = None, below: Below | None = None) -> Link:
        return Link(begin_on(self.site), TLSClient(client_context(version)), upper, cut, below)

    def links(self, upper: Any = Upper) -> list[Link]:
        """One for each version, after the handshake."""
        return [self.link(version, upper=upper()).shake_hands() for version in VERSIONS]


class Crowded(Below):
    """Others use the reactor's turn up; ``waiting`` are those whose turn has not come."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Any] = []

    @property
    def turns(self) -> Any:
        return self

    def may_go(self, layer: Any) -> bool:
        self.waiting.append(layer)
        return False

    def turn(self) -> None:
        waiting, self.waiting = self.waiting, []
        for layer in waiting:
            layer.go()


class TurnTests(SecureCase):
    """Handshakes when many clients begin at once."""

    def crowded(self, version: Any = None) -> tuple[Link, Crowded]:
        below = Crowded()
        link = self.link(version, below=below)
        link.push(link.client.begin())
        return link, below

    def test_waiting(self) -> None:
        """Each step waits for its turn, and what comes meanwhile waits behind it; afterwards nothing waits any more."""
        for version in VERSIONS:
            below = Crowded()
            link = self.link(version, below=below, cut=100)
            link.push(link.client.begin())
            for _ in range(3):
                self.assertEqual(b"", below.sent)
                self.assertLessEqual(len(below.waiting), 1)
                below.turn()
                link.flow()
            self.assertTrue(link.client.is_secure and link.secure.is_secure)
            link.say(b"at once")
            self.assertEqual((b"at once", []), (link.upper.octets, below.waiting))

    def test_end_behind_it(self) -> None:
        """An upload whose octets and FIN come while the end of the handshake waits is whole."""
        link, below = self.crowded(TLS13)
        below.turn()
        link.pull()
        link.push(link.client.output() + link.client.say(b"all of it") + link.client.end())
        self.assertFalse(link.secure.is_secure)
        link.secure.readConnectionLost()
        self.assertEqual((True, b"all of it", False), (link.secure.is_secure, link.upper.octets, link.secure.is_truncated))
        below.turn()
        self.assertEqual(b"all of it", link.upper.octets)

    def test_gone(self) -> None:
        """A client that has gone, or was given up, before its turn came: nothing is done for it."""
        link, below = self.crowded()
        link.secure.connectionLost(Failure(ConnectionDone()))
        below.turn()
        self.assertEqual((b"", ["the client went away during it"]), (below.sent, link.failed))
        link, below = self.crowded()
        link.secure.fail("too slow")
        below.turn()
        self.assertEqual((b"", ["too slow"]), (below.sent, link.failed))


class HandshakeTests(SecureCase):
    def test_cut(self) -> None:
        """However the network cuts it, single octets included; ``secured`` is told once, ``failed`` never."""
        for version in VERSIONS:
            for cut in (1, 2, 5, 64, None):
                link = self.link(version, cut=cut).shake_hands()
                self.assertTrue(link.client.is_secure and link.secure.is_secure)
                self.assertEqual((1, []), (len(link.secured), link.failed))

    def test_written_before(self) -> None:
        """P-TD-2: what is written before the handshake comes behind it, in order, whoever begins."""
        for version in VERSIONS:
            link = self.link(version)
            link.secure.write(b"one ")
            link.secure.writeSequence([b"two ", b"three "])
            link.push(link.client.begin())
            link.secure.write(b"four")
            self.assertFalse(link.secure.write_more(b""))
            link.flow()
            self.assertEqual(b"one two three four", link.client.received)

    def test_no_tickets_before_octets(self) -> None:
        """DESIGN §4: after a TLS 1.3 handshake nothing is sent before the protocol's first octets: an upload's client never reads."""
        link = self.link(TLS13)
        link.push(link.client.begin())
        link.pull()
        link.push(link.client.output())
        self.assertTrue(link.secure.is_secure)
        self.assertEqual(b"", link.below.sent)
        link.push(link.client.say(b"upload"))
        self.assertEqual((b"", b"upload"), (link.below.sent, link.upper.octets))
        link.secure.write(b"x")
        self.assertGreater(len(records(link.below.sent)), 1)
        link.flow()
        self.assertIsNotNone(link.client.session)

    def test_tickets_with_the_end(self) -> None:
        """DESIGN §4: an upload's connection gives its tickets with close_notify, when the client is done."""
        link = self.link(TLS13, upper=HalfCloseableUpper()).shake_hands()
        link.push(link.client.say(b"upload") + link.client.end())
        self.assertEqual(b"", link.below.sent)
        link.secure.loseConnection()
        self.assertGreater(len(records(link.below.sent)), 1)
        link.pull()
        self.assertTrue(link.client.has_end)

    def test_garbage(self) -> None:
        """P-AUTH-7: what is no TLS ends the connection, with the reason told once; the protocol hears HandshakeFailed."""
        for octets in (b"NOOP\r\n" * 10, bytes(100), b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00"):
            link = self.link()
            link.push(octets)
            self.assertEqual(["lose"], link.below.events)
            link.below.lose()
            self.assertEqual((1, []), (len(link.failed), link.upper.told))
            self.assertIsInstance(link.upper.lost, HandshakeFailed)
            self.assertEqual(str(link.upper.lost), link.failed[0])

    def test_alert_is_sent(self) -> None:
        """P-AUTH-7: the client is told by an alert, if it speaks TLS at all."""
        link = self.link()
        link.push(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00")
        self.assertEqual([ALERT], records(link.below.sent))

    def test_client_refuses(self) -> None:
        """P-TEXT-28: a client that does not trust the certificate says so in an alert, and that is the reason."""
        for version in VERSIONS:
            link = Link(begin_on(self.site), TLSClient(client_context(version), name="other.example.org")).shake_hands()
            link.below.lose()
            self.assertIsNotNone(link.client.error)
            self.assertIn("alert", link.failed[0])
            self.assertIsNotNone(link.upper.lost)

    def test_client_leaves(self) -> None:
        """A FIN or a loss in the midst is told as such, once."""
        for version in VERSIONS:
            for fin in (True, False):
                for so_far in (0, 1):
                    link = self.link(version)
                    octets = link.client.begin()
                    link.push(octets if so_far else octets[:20])
                    if fin:
                        link.below.fin()
                        self.assertEqual("the client ended the connection before it", link.failed[0])
                    link.below.lose()
                    self.assertEqual(1, len(link.failed))
                    self.assertIsNotNone(link.upper.lost)
        link = self.link()
        link.secure.abortConnection()
        link.below.lose()
        self.assertEqual(["the server gave it up"], link.failed)

    def test_given_up(self) -> None:
        """P-TIME-3: ``fail`` ends it before a ClientHello and in its midst, and does nothing later."""
        for begun in (False, True):
            link = self.link()
            if begun:
                link.push(link.client.begin())
            link.secure.fail("not done in time")
            link.secure.fail("again")
            self.assertEqual((["not done in time"], ["lose" if begun else "abort"]), (link.failed, link.below.events))
            link.below.lose()
            self.assertEqual("not done in time", str(link.upper.lost))
        for link in self.links():
            link.secure.fail("too late")
            self.assertEqual(([], []), (link.failed, link.below.events))

    def test_begin_needs_more(self) -> None:
        """``begin`` sees all octets so far until it gives a connection."""
        seen: list[bytes] = []
        begin = begin_on(self.site)

        def choosy(octets: bytes) -> Any:
            seen.append(octets)
            return begin(octets) if len(octets) > 100 else None

        link = Link(choosy, cut=30).shake_hands()
        self.assertTrue(link.secure.is_secure)
        self.assertEqual([30, 60, 90, 120], [len(octets) for octets in seen])


class OctetTests(SecureCase):
    @settings(max_examples=25, suppress_health_check=[HealthCheck.differing_executors])
    @given(st.sampled_from(VERSIONS), st.lists(st.tuples(st.booleans(), st.binary(max_size=40000)), max_size=8), st.sampled_from([1, 3, 1000, None]))
    def test_any_octets(self, version: Any, pieces: list[tuple[bool, bytes]], cut: int | None) -> None:
        """What goes in on one side comes out on the other, in order."""
        if cut == 1:
            pieces = [(who, data[:500]) for who, data in pieces]
        link = self.link(version, cut=cut).shake_hands()
        sent = {True: b"", False: b""}
        for by_server, data in pieces:
            sent[by_server] += data
            if by_server:
                link.secure.write(data)
                link.flow()
            elif data:
                link.say(data)
        self.assertTrue(sent[True] == link.client.received)
        self.assertTrue(sent[False] == link.upper.octets)

    def test_nothing_to_write(self) -> None:
        """No octets are no record."""
        for link in self.links():
            link.secure.write(b"")
            link.secure.writeSequence([])
            self.assertEqual(b"", link.below.sent)

    def test_changed_on_the_way(self) -> None:
        """P-DX-21: a changed record ends the connection by reset; nothing of it is handed over."""
        for link in self.links():
            octets = bytearray(link.client.say(b"secret"))
            octets[-1] ^= 1
            link.push(bytes(octets))
            self.assertEqual((["abort"], b""), (link.below.events, link.upper.octets))

    def test_paused(self) -> None:
        """Back-pressure: a paused protocol gets nothing, the transport below is paused, and all of it comes later, in order."""
        for link in self.links():
            link.upper.on_data = lambda data, link=link: link.secure.pauseProducing()
            link.push(link.client.say(b"one") + link.client.say(b"two") + link.client.say(b"three"))
            self.assertEqual(([b"one"], False), (link.upper.told, link.below.is_reading))
            link.secure.resumeProducing()
            self.assertEqual([b"one", b"two"], link.upper.told)
            link.upper.on_data = lambda data: None
            link.secure.resumeProducing()
            self.assertEqual(([b"one", b"two", b"three"], True), (link.upper.told, link.below.is_reading))

    def test_paused_before_the_handshake(self) -> None:
        """P-TD-2: a data connection that is not read yet shakes hands all the same; then it is paused."""
        for version in VERSIONS:
            link = self.link(version)
            link.secure.pauseProducing()
            self.assertTrue(link.below.is_reading)
            link.shake_hands()
            self.assertTrue(link.secure.is_secure)
            link.push(link.client.say(b"early"))
            self.assertEqual((b"", False), (link.upper.octets, link.below.is_reading))
            link.secure.resumeProducing()
            self.assertEqual((b"early", True), (link.upper.octets, link.below.is_reading))

    def test_producer(self) -> None:
        """A producer is the transport's below, which knows when it is full."""
        link = self.links()[0]
        producer = object()
        link.secure.registerProducer(producer, True)
        self.assertIs(producer, link.below.producer)
        link.secure.unregisterProducer()
        self.assertIsNone(link.below.producer)

    def test_ends(self) -> None:
        """Both ends' addresses are those of the transport below, and there need be no socket."""
        link = self.link()
        self.assertEqual(("peer", "host", None), (link.secure.getPeer(), link.secure.getHost(), link.secure.getHandle()))


class EndTests(SecureCase):
    def test_ours(self) -> None:
        """P-TD-3: close_notify, then FIN, behind what was written; and only once."""
        for link in self.links():
            link.secure.write(b"last")
            link.secure.loseConnection()
            link.secure.loseConnection()
            link.secure.write(b"too late")
            link.pull()
            self.assertEqual((b"last", True, ["lose"]), (link.client.received, link.client.has_end, link.below.events))

    def test_half(self) -> None:
        """P-DX-1: ``finish`` says close_notify and FIN, and goes on reading; the protocol is told when it is with the kernel."""
        for link in self.links(HalfCloseableUpper):
            link.secure.write(b"last")
            self.assertFalse(link.secure.finish())
            link.pull()
            self.assertEqual((b"last", True, ["half"]), (link.client.received, link.client.has_end, link.below.events))
            link.secure.writeConnectionLost()
            link.push(link.client.say(b"still here") if link.client.ssl.version() == "TLSv1.3" else b"")
            link.push(link.client.end())
            link.below.fin()
            self.assertEqual("their end", link.upper.told[-1])
            self.assertIn("our end", link.upper.told)
            self.assertFalse(link.secure.is_truncated)

    def test_before_the_handshake(self) -> None:
        """P-DX-19, P-TW-3: an empty file ends behind the handshake, not in it: ``finish`` and ``loseConnection`` both wait for it."""
        for version in VERSIONS:
            for end, event in ((lambda link: link.secure.finish(), "half"), (lambda link: link.secure.loseConnection(), "lose")):
                for moment in (0, 1):
                    link = self.link(version, upper=HalfCloseableUpper())
                    if moment:
                        link.push(link.client.begin())
                    end(link)
                    self.assertEqual([], link.below.events)
                    if not moment:
                        link.push(link.client.begin())
                    link.flow()
                    self.assertTrue(link.client.is_secure and link.client.has_end, (version, event, moment))
                    self.assertEqual(([event], None), (link.below.events, link.client.error))

    def test_empty_over_a_transport_that_cannot_be_half_closed(self) -> None:
        """P-DX-19: there the whole connection is closed, and that is the end."""

        link = self.link(upper=HalfCloseableUpper(), below=Below())
        link.secure.finish()
        link.shake_hands()
        self.assertEqual((["lose"], ["our end"]), (link.below.events, link.upper.told))

    def test_theirs(self) -> None:
        """P-TD-4: the client's close_notify is answered by ours before FIN; the octets before it are whole."""
        for link in self.links():
            link.push(link.client.say(b"last") + link.client.end())
            self.assertEqual((b"last", ["lose"]), (link.upper.octets, link.below.events))
            link.pull()
            self.assertTrue(link.client.has_end)

    def test_theirs_half(self) -> None:
        """P-TD-4, P-DX-3: a protocol that hears of it answers when it has done its work; FIN behind it says nothing new."""
        for link in self.links(HalfCloseableUpper):
            self.assertTrue(IHalfCloseableProtocol.providedBy(link.secure))
            link.push(link.client.say(b"upload") + link.client.end())
            link.below.fin()
            self.assertEqual(([b"upload", "their end"], False, []), (link.upper.told, link.secure.is_truncated, link.below.events))
            link.secure.loseConnection()
            link.pull()
            self.assertEqual((True, ["lose"]), (link.client.has_end, link.below.events))

    def test_theirs_early(self) -> None:
        """P-DX-17: octets go on after the client's close_notify; it has closed its own direction."""
        for link in self.links(HalfCloseableUpper):
            link.push(link.client.end())
            link.secure.write(b"still")
            link.secure.finish()
            self.assertEqual(["half"], link.below.events)
            self.assertGreater(len(records(link.below.sent)), 1)

    def test_truncated(self) -> None:
        """P-TD-5, P-TW-5: a FIN without close_notify is told as the end, and the connection knows that it need not be all."""
        for link in self.links(HalfCloseableUpper):
            link.push(link.client.say(b"upload"))
            link.below.fin()
            self.assertEqual(([b"upload", "their end"], True), (link.upper.told, link.secure.is_truncated))

    def test_truncated_record(self) -> None:
        """P-TD-5: half a record is not handed over."""
        for link in self.links(HalfCloseableUpper):
            link.push(link.client.say(b"whole") + link.client.say(b"half")[:-3])
            link.below.fin()
            self.assertEqual(([b"whole", "their end"], True), (link.upper.told, link.secure.is_truncated))

    def test_behind_the_end(self) -> None:
        """What comes behind the client's close_notify is nobody's."""
        for link in self.links(HalfCloseableUpper):
            more = link.client.end()
            link.push(more + b"\x17\x03\x03\x00\x05junk!NOOP\r\n")
            self.assertEqual((["their end"], []), (link.upper.told, link.below.events))

    def test_abort(self) -> None:
        """In every phase: reset, nothing more is handed over, and the protocol is told once that it is gone."""

        def nothing(link: Link) -> None:
            """Before a ClientHello."""

        def hello(link: Link) -> None:
            link.push(link.client.begin())

        def secure(link: Link) -> None:
            link.shake_hands()

        def talking(link: Link) -> None:
            link.shake_hands().say(b"x")

        def paused(link: Link) -> None:
            link.shake_hands()
            link.secure.pauseProducing()
            link.push(link.client.say(b"held"))

        def finished(link: Link) -> None:
            link.shake_hands()
            link.secure.finish()

        def ended(link: Link) -> None:
            link.shake_hands()
            link.push(link.client.end())

        def waiting(link: Link) -> None:
            link.secure.write(b"x")
            link.secure.finish()

        def leaving(link: Link) -> None:
            link.shake_hands()
            link.secure.leave(lambda: self.fail("left"))

        for version in VERSIONS:
            for phase in (nothing, hello, secure, talking, paused, finished, ended, waiting, leaving):
                link = self.link(version, upper=HalfCloseableUpper())
                phase(link)
                told = list(link.upper.told)
                link.secure.abortConnection()
                self.assertEqual("abort", link.below.events[-1], phase)
                link.secure.write(b"too late")
                link.secure.resumeProducing()
                self.assertEqual(told, link.upper.told, phase)
                link.below.lose()
                self.assertIsInstance(link.upper.lost, ConnectionAborted)

    def test_lost(self) -> None:
        """A loss without our doing comes through as it is."""
        for link in self.links():
            link.below.lose()
            self.assertIsInstance(link.upper.lost, ConnectionDone)
            self.assertEqual([], link.failed)


class LeaveTests(SecureCase):
    """Back to clear text: RFC 4217 §5, P-CCC-2."""

    def leave(self, link: Link) -> list[str]:
        left: list[str] = []
        link.secure.leave(lambda: left.append(f"left with {link.upper.octets!r}"))
        link.pull()
        self.assertTrue(link.client.has_end, "close_notify was said")
        return left

    def test_close_notify(self) -> None:
        """The client's close_notify, then octets in clear in the same segment or later, cut anywhere."""
        for version in VERSIONS:
            for cut in (1, 4, None):
                for together in (True, False):
                    link = self.link(version, cut=cut).shake_hands()
                    left = self.leave(link)
                    self.assertEqual([], left)
                    end = link.client.end()
                    link.push(end + b"NOOP\r\n" if together else end)
                    if not together:
                        self.assertEqual(["left with b''"], left)
                        link.push(b"NOOP\r\n")
                    self.assertEqual((["left with b''"], b"NOOP\r\n"), (left, link.upper.octets))
                    self.assertIs(link.below, link.upper.transport)
                    self.assertIs(link.upper, link.below.protocol)

    def test_clear_at_once(self) -> None:
        """P-CCC-2: octets in clear without close_notify are as good."""
        for link in self.links():
            left = self.leave(link)
            link.push(b"NOOP\r\n")
            self.assertEqual((["left with b''"], b"NOOP\r\n"), (left, link.upper.octets))

    def test_in_tls_behind_it(self) -> None:
        """P-PIPE-7: what the client still says in TLS is thrown away."""
        for link in self.links():
            left = self.leave(link)
            link.push(link.client.say(b"PASS secret\r\n") + link.client.end() + b"NOOP\r\n")
            self.assertEqual((1, b"NOOP\r\n"), (len(left), link.upper.octets))

    def test_client_was_first(self) -> None:
        """A client that has said close_notify already has left when we do."""
        for link in self.links(HalfCloseableUpper):
            link.push(link.client.end())
            left = self.leave(link)
            self.assertEqual(["left with b''"], left)

    def test_written_meanwhile(self) -> None:
        """P-CCC-2: behind our close_notify our direction is in clear: what is written while the client has not left is sent so."""
        for link in self.links():
            self.leave(link)
            link.secure.write(b"421 Idle.\r\n")
            self.assertEqual(b"421 Idle.\r\n", link.below.taken())

    def test_closed_meanwhile(self) -> None:
        """P-TIME-7: the connection can be closed while the client has not left, in order or by reset."""
        for end, event in ((SecureTransport.loseConnection, "lose"), (SecureTransport.finish, "half"), (SecureTransport.abortConnection, "abort")):
            for link in self.links():
                self.leave(link)
                end(link.secure)
                self.assertEqual(([event], b""), (link.below.events, link.below.sent))
                link.below.lose()
                self.assertIsNotNone(link.upper.lost)

    def test_fin_meanwhile(self) -> None:
        """A FIN instead of leaving ends it."""
        for link in self.links():
            left = self.leave(link)
            link.below.fin()
            self.assertEqual((["lose"], []), (link.below.events, left))

    def test_from_inside(self) -> None:
        """``leave`` from the protocol's own ``dataReceived``, with more records in the same segment: they are not handed over."""
        for link in self.links():
            left: list[int] = []

            def on_data(data: bytes, link: Link = link, left: list[int] = left) -> None:
                if data == b"CCC":
                    link.secure.leave(lambda: left.append(1))

            link.upper.on_data = on_data
            link.push(link.client.say(b"CCC") + link.client.say(b"NOOP"))
            self.assertEqual([b"CCC"], link.upper.told)
            link.push(link.client.end() + b"PWD")
            self.assertEqual(([b"CCC", b"PWD"], [1]), (link.upper.told, left))

    def test_take_over_again(self) -> None:
        """REIN and AUTH again on the same connection: a second layer steps in where the first stepped out."""
        for version in VERSIONS:
            link = self.link(version).shake_hands()
            self.leave(link)
            link.push(link.client.end())
            link.client = TLSClient(client_context(version))
            link.secure = SecureTransport(link.upper, begin_on(self.site))
            link.secure.take_over(link.below)
            link.shake_hands().say(b"again")
            self.assertEqual((b"again", True), (link.upper.octets, link.secure.is_secure))

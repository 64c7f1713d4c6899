"""Tests of ``twistftp.transport.tls_session``: what a session's tickets prove."""

from __future__ import annotations

import ssl
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.tls import TLS12, TLS13, VERSIONS, Link, TLSClient, authority, authority_file, client_context, site_tls
from tests.support.visitors import CLIENT, Visitor, hello
from twistftp.policy.diagnosis import Cause
from twistftp.transport.tls_session import Neighbours, SessionTLS


class SessionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 0.0
        self.site = site_tls(self, lambda: self.now)
        self.neighbours = Neighbours()

    def visitor(self, version: Any = TLS13, **about: Any) -> Visitor:
        return Visitor(about.pop("site", self.site), self.neighbours, version, **about)


class ResumptionTests(SessionCase):
    def test_own(self) -> None:
        """P-TD-7, P-TD-9, P-TW-7: a session's ticket resumes it 200 times, always the same one or always the newest."""
        for version in VERSIONS:
            for renews in (False, True):
                visitor = self.visitor(version)
                offers = visitor.ticket
                for number in range(200):
                    link, cause = visitor.connect(offers)
                    self.assertEqual((True, True, None), (link.client.is_secure, link.client.ssl.session_reused, cause), number)
                    if renews:
                        offers = link.client.session
                self.assertTrue(visitor.tls.has_resumed)

    def test_without_tickets(self) -> None:
        """P-TD-7: a TLS 1.2 client that takes no tickets resumes by the session's identifier, and by its own session's only."""
        visitor, other = self.visitor(TLS12), self.visitor(TLS12)
        for one in (visitor, other):
            one.context = client_context(TLS12)
            one.context.options |= ssl.OP_NO_TICKET
            one.control.client = first = TLSClient(one.context)
            one.link = Link(one.tls.begin_control, first)
            one.link.shake_hands()
        for _ in range(5):
            link, cause = visitor.connect(visitor.ticket)
            self.assertEqual((True, None), (link.client.ssl.session_reused, cause))
        other.context = visitor.context
        self.assertFalse(other.connect(visitor.ticket)[0].client.ssl.session_reused)

    def test_nothing_is_kept(self) -> None:
        """Sessions that have ended, however often that is said, leave nothing behind."""
        people = [self.visitor(), self.visitor(), self.visitor(client="198.51.100.2")]
        for person in people * 2:
            person.tls.close()
        self.neighbours.gave_ticket(people[0].tls)
        self.assertEqual(({}, []), (self.neighbours._by_address, list(self.neighbours.newer(people[0].tls))))

    def test_others(self) -> None:
        """DESIGN §4: another session's ticket never resumes it: of the same address, of another, of one that has ended."""
        for version in VERSIONS:
            for client in (CLIENT, "198.51.100.2"):
                for has_ended in (False, True):
                    visitor, other = self.visitor(version), self.visitor(version, client=client)
                    if has_ended:
                        other.tls.close()
                    self.assertIsNone(visitor.tls.resume(hello(visitor, other.ticket)))
                    link, _ = visitor.connect(other.ticket)
                    self.assertEqual((True, False, False), (link.client.is_secure, link.client.ssl.session_reused, visitor.tls.has_resumed))

    def test_none(self) -> None:
        """A full handshake is no resumption, nor is a hello with a ticket of nobody's."""
        for version in VERSIONS:
            visitor = self.visitor(version)
            self.assertIsNone(visitor.tls.resume(hello(visitor, None)))
            self.assertIsNone(visitor.tls.resume(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"))
            self.assertIsNone(visitor.tls.resume(b""[:0] or b"USER ftp\r\n"))

    def test_retry_request(self) -> None:
        """A hello that makes the server ask for another key share proves nothing by itself (RFC 8446 §4.1.4)."""
        visitor, other = self.visitor(), self.visitor()
        for ticket in (None, other.ticket, visitor.ticket):
            octets = hello(visitor, ticket)
            share = octets.index(b"\x00\x33", 40)  # the extension key_share: type, length, list's length, group
            changed = octets[: share + 6] + b"\x12\x34" + octets[share + 8 :]
            self.assertIsNone(visitor.tls.resume(changed))

    def test_after_a_loss(self) -> None:
        """A data connection that was lost without close_notify does not spoil the session's tickets on our side."""
        for version in VERSIONS:
            visitor = self.visitor(version)
            link, _ = visitor.connect(visitor.ticket)
            link.below.lose()
            self.assertTrue(visitor.connect(visitor.ticket)[0].client.ssl.session_reused)


class RuleTests(SessionCase):
    """P-TD-8, P-TD-11, P-TEXT-27: which data connections are refused, under ``session`` off, auto and require."""

    def cause(self, rule: str, resumptions: int, offers: str, version: Any = None) -> Any:
        visitor = self.visitor(version, rule=rule) if version else self.visitor(rule=rule)
        neighbours = {"sibling": self.visitor(), "stranger": self.visitor(user=lambda: "bob"), "far": self.visitor(client="198.51.100.2")}
        for _ in range(resumptions):
            visitor.connect(visitor.ticket)
        ticket = {"own": visitor.ticket, "nothing": None}.get(offers) if offers not in neighbours else neighbours[offers].ticket
        return visitor.connect(ticket)[1]

    def test_table(self) -> None:
        """What is refused is told as such; under ``auto`` only to those who can, and a sibling of the same user is no stranger."""
        refused = Cause.NOT_RESUMED
        for rule, resumptions, expected in (
            ("off", 0, {}),
            ("off", 2, {}),
            ("auto", 0, {}),
            ("auto", 1, {"stranger": refused, "far": refused}),
            ("auto", 2, {"nothing": refused, "stranger": refused, "far": refused}),
            ("require", 0, {"nothing": refused, "sibling": refused, "stranger": refused, "far": refused}),
            ("require", 2, {"nothing": refused, "sibling": refused, "stranger": refused, "far": refused}),
        ):
            for offers in ("own", "nothing", "sibling", "stranger", "far"):
                self.assertEqual(expected.get(offers), self.cause(rule, resumptions, offers), (rule, resumptions, offers))

    def test_tickets_of_one_use(self) -> None:
        """
        P-TD-9: a client that uses no TLS 1.3 ticket twice, as OpenSSL's own do, and keeps the control connection's alone resumes
        once and then offers nothing; it is let in then, but not with a stranger's. In TLS 1.2 nobody is like that.
        """
        self.assertEqual(Cause.NOT_RESUMED, self.cause("auto", 1, "nothing", TLS12))
        visitor, stranger = self.visitor(rule="auto"), self.visitor(user=lambda: "bob")
        self.assertEqual([None] * 4, [visitor.connect(ticket)[1] for ticket in (visitor.ticket, None, None, None)])
        self.assertEqual(Cause.NOT_RESUMED, visitor.connect(stranger.ticket)[1])

    def test_uploads_in_a_row(self) -> None:
        """
        P-TD-9: Ruby's and Perl's Net::FTP use no TLS 1.3 ticket twice and keep the newest; an upload brings none (DESIGN §4), so behind
        one they have nothing to offer. In TLS 1.2 they use what they have again.
        """
        for version, expected in ((TLS13, None), (TLS12, Cause.NOT_RESUMED)):
            visitor = self.visitor(version, rule="auto")
            link, _ = visitor.connect(visitor.ticket)
            link, cause = visitor.connect(link.client.session)
            self.assertEqual((True, None), (link.client.ssl.session_reused, cause))
            link, cause = visitor.connect(link.client.session, uploads=True)
            self.assertEqual((True, None), (link.client.ssl.session_reused, cause))
            self.assertEqual([expected] * 2, [visitor.connect(None, uploads=uploads)[1] for uploads in (True, False)])

    def test_ticket_used_again(self) -> None:
        """P-TD-8: a client that has used more tickets than it was given uses them again, and has one still, whatever it transfers."""
        visitor = self.visitor(rule="auto")
        for _ in range(3):
            self.assertEqual(None, visitor.connect(visitor.ticket, uploads=True)[1])
        self.assertEqual(Cause.NOT_RESUMED, visitor.connect(None)[1])

    def test_store_by_address_and_port(self) -> None:
        """
        P-TD-9: Perl's Net::FTP and Java keep the sessions of each port for themselves: their first connection to a passive port offers
        nothing, or what an earlier session was given there; later ones resume what they got there. That is no habit to be held to.
        """
        for version in VERSIONS:
            visitor, earlier = self.visitor(version, rule="auto"), self.visitor(version)
            kept: dict[int, Any] = {50001: earlier.ticket}
            for port in (50000, 50001, 50000, 50001, 50000, 50001, 50002):
                link, cause = visitor.connect(kept.get(port), port=port)
                self.assertEqual((None, True), (cause, link.client.is_secure), port)
                kept[port] = link.client.session
            self.assertTrue(visitor.tls.has_resumed)

    def test_habit_at_one_port(self) -> None:
        """P-TD-8: who resumes from the first connection to a port has the control connection's session, and is held to it at every port."""
        for port in (0, 50000):
            visitor = self.visitor(rule="auto")
            visitor.connect(visitor.ticket, port=port)
            visitor.connect(visitor.ticket, port=port)
            self.assertEqual(Cause.NOT_RESUMED, visitor.connect(None, port=50001)[1])

    def test_sibling_that_has_ended(self) -> None:
        """A program with one store may offer what is left of a session that it has closed; a stranger's is a stranger's still."""
        for version in VERSIONS:
            for user, expected in (("alice", None), ("bob", Cause.NOT_RESUMED)):
                visitor, other = self.visitor(version), self.visitor(version, user=lambda user=user: user)
                visitor.connect(visitor.ticket)
                other.tls.close()
                self.assertEqual(expected, visitor.connect(other.ticket)[1], (version, user))

    def test_sibling_before_login(self) -> None:
        """
        Go's programs (rclone) open several sessions with one store, and the newest ticket may be of one that is not logged in yet. Its
        control connection has offered the other's ticket: that only the same program can.
        """
        for version in VERSIONS:
            for is_kin, has_ended in ((True, False), (True, True), (False, False)):
                visitor = self.visitor(version)
                visitor.connect(visitor.ticket)
                other = self.visitor(version, user=lambda: "", offers=visitor.ticket if is_kin else None)
                third = self.visitor(version, user=lambda: "", offers=other.ticket)
                if has_ended:
                    other.tls.close()
                for sibling in (other, third):
                    self.assertEqual(None if is_kin else Cause.NOT_RESUMED, visitor.connect(sibling.ticket)[1], (version, is_kin, has_ended))

    def test_kin_by_a_handshake_that_ends(self) -> None:
        """A ClientHello that was overheard and is sent again makes nobody kin: only who wrote it can end its handshake."""
        for version in VERSIONS:
            visitor = self.visitor(version)
            visitor.connect(visitor.ticket)
            thief = SessionTLS(self.site, CLIENT, self.neighbours)
            self.assertIsNotNone(thief.begin_control(hello(visitor, visitor.ticket)))
            self.assertIsNot(visitor.tls.family, thief.family)

    def test_astray(self) -> None:
        """A sibling's own connection to the port that it has just left is the sibling's; to any other port it is this session's."""
        for has_ended in (False, True):
            for port, after, expected in ((30000, 0, Cause.NOT_RESUMED), (30001, 0, None), (30000, 3, None)):
                visitor, sibling = self.visitor(), self.visitor()
                visitor.connect(visitor.ticket)
                sibling.tls.port_left(30000)
                if has_ended:
                    sibling.tls.close()
                self.now += after
                begun = visitor.tls.begin_data(hello(visitor, sibling.ticket), port)
                self.assertEqual(expected, begun and begun[1], (has_ended, port, after))
                self.assertEqual(expected is not None, visitor.tls.is_stray(hello(visitor, sibling.ticket), port))

    def test_memory_of_ended_sessions(self) -> None:
        """What is remembered of them is bounded, and goes with the last session of the address."""
        visitor = self.visitor()
        first = self.visitor()
        visitor.connect(visitor.ticket)
        ticket = first.ticket
        first.tls.close()
        for _ in range(20):
            self.visitor().tls.close()
        self.assertEqual(Cause.NOT_RESUMED, visitor.connect(ticket)[1])
        visitor.tls.close()
        self.assertEqual({}, self.neighbours._by_address)

    def test_certificate(self) -> None:
        """P-TD-10: a certificate on a data connection must be the control connection's; none is none."""
        site = site_tls(self, client_certificates="allow", client_ca=authority_file(self))
        alice, bob = authority().issue_cert("alice@example.org"), authority().issue_cert("bob@example.org")
        for version in VERSIONS:
            for identity, others in ((alice, ((alice, True), (bob, False), (None, True))), (None, ((alice, True), (None, True)))):
                visitor = self.visitor(version, site=site, identity=identity)
                self.assertEqual(identity is not None, visitor.tls.peer_certificate is not None)
                for other, is_own in others:
                    visitor.context = client_context(version, identity=other)
                    found: list[bool] = []
                    link = Link(lambda octets, visitor=visitor: (visitor.tls.begin_data(octets, 0) or [None])[0], TLSClient(visitor.context))
                    link.secure.secured = lambda ssl, visitor=visitor, found=found: found.append(visitor.tls.is_own_certificate(ssl))
                    link.shake_hands()
                    self.assertEqual([is_own], found, (version, identity, other))

    def test_certificate_with_resumption(self) -> None:
        """P-TD-10: a data connection that resumes needs no certificate."""
        site = site_tls(self, client_certificates="require", client_ca=authority_file(self))
        for version in VERSIONS:
            visitor = self.visitor(version, site=site, identity=authority().issue_cert("alice@example.org"))
            link, cause = visitor.connect(visitor.ticket)
            self.assertEqual((True, None), (link.client.ssl.session_reused, cause))

    def test_description(self) -> None:
        """P-TLS-10: version and cipher of the control connection."""
        self.assertRegex(self.visitor(TLS12).tls.description, "^TLSv1.2 ECDHE-")
        self.assertRegex(self.visitor(TLS13).tls.description, "^TLSv1.3 TLS_")


class RightTests(SessionCase):
    """DESIGN §3: the right to share a port is gained by proof only, and lost for good."""

    def test_gained(self) -> None:
        """Only when a neighbour has a newer ticket: alone, with an older one, or with one of another address it proves nothing."""
        for version in VERSIONS:
            older, visitor, far = self.visitor(version), self.visitor(version), self.visitor(version, client="198.51.100.2")
            visitor.connect(visitor.ticket)
            self.assertEqual((True, False), (visitor.tls.has_resumed, visitor.tls.may_share))
            older.hear()
            older.connect(older.ticket)
            self.assertTrue(older.tls.may_share, "the other's was newer")
            visitor.connect(visitor.ticket)
            self.assertTrue(visitor.tls.may_share, "now this one's was")
            far.connect(far.ticket)
            self.assertFalse(far.tls.may_share, "it has no neighbours")

    def test_by_pairs(self) -> None:
        """It is one to share with those whose tickets are kept apart, both ways: that a third one's are proves nothing about these two."""
        for version in VERSIONS:
            a, b, c = self.visitor(version), self.visitor(version), self.visitor(version)
            a.connect(a.ticket)
            self.assertFalse(a.tls.may_share_with(b.tls), "not the other way round")
            c.connect(c.ticket)
            b.connect(b.ticket)
            self.assertTrue(a.tls.may_share_with(c.tls) and c.tls.may_share_with(a.tls) and a.tls.may_share_with(b.tls))
            self.assertTrue(b.tls.may_share and c.tls.may_share)
            self.assertFalse(b.tls.may_share_with(c.tls) or c.tls.may_share_with(b.tls))
            c.connect(c.ticket)
            self.assertTrue(b.tls.may_share_with(c.tls) and c.tls.may_share_with(b.tls))
            b.connect(None)
            self.assertFalse(b.tls.may_share_with(c.tls) or c.tls.may_share_with(b.tls))
            self.assertTrue(a.tls.may_share_with(c.tls))

    def test_ticket_that_came_later(self) -> None:
        """A ticket that a neighbour was given after the client was told the port proves nothing: the client may have chosen before."""
        for version in VERSIONS:
            neighbour, visitor = self.visitor(version), self.visitor(version)
            visitor.tls.port_told()
            neighbour.connect(neighbour.ticket)
            visitor.connect(visitor.ticket, is_told=True)
            self.assertFalse(visitor.tls.may_share)
            visitor.connect(visitor.ticket, is_told=True)
            self.assertFalse(visitor.tls.may_share, "nor does a connection without a port")
            neighbour.connect(neighbour.ticket)
            visitor.connect(visitor.ticket)
            self.assertTrue(visitor.tls.may_share_with(neighbour.tls))

    def test_neighbour_that_has_ended(self) -> None:
        """A neighbour that is gone proves nothing, and what it proved is of no use."""
        visitor, neighbour = self.visitor(), self.visitor()
        neighbour.tls.close()
        visitor.connect(visitor.ticket)
        self.assertFalse(visitor.tls.may_share)
        neighbour = self.visitor()
        visitor.connect(visitor.ticket)
        self.assertTrue(visitor.tls.may_share)
        neighbour.tls.close()
        self.assertFalse(visitor.tls.may_share)

    def test_lost(self) -> None:
        """By a full handshake, by another's ticket, and by lending one's own: for good."""
        for version in VERSIONS:
            for offers in ("nothing", "sibling", "nobody's"):
                visitor, neighbour, third = self.visitor(version), self.visitor(version), self.visitor(version)
                visitor.connect(visitor.ticket)
                neighbour.connect(neighbour.ticket)
                self.assertTrue(visitor.tls.may_share and neighbour.tls.may_share)
                third.tls.close()
                visitor.connect({"nothing": None, "sibling": neighbour.ticket, "nobody's": third.ticket}[offers])
                self.assertFalse(visitor.tls.may_share)
                self.assertEqual(offers != "sibling", neighbour.tls.may_share, offers)
                for session in (visitor, neighbour, visitor, neighbour):
                    session.connect(session.ticket)
                self.assertFalse(visitor.tls.may_share)
                self.assertEqual(offers != "sibling", neighbour.tls.may_share)

    def test_one_store_from_the_beginning(self) -> None:
        """A control connection that offers a session comes from a program with one store for several: neither session ever shares."""
        for version in VERSIONS:
            first = self.visitor(version)
            second = self.visitor(version, offers=first.ticket)
            self.assertFalse(second.control.client.ssl.session_reused)
            self.visitor(version)
            for session in (first, second, first, second):
                session.connect(session.ticket)
            self.assertFalse(first.tls.may_share or second.tls.may_share)

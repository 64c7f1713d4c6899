"""Tests of ``twistftp.wire.client_hello``."""

from __future__ import annotations

import ssl
from functools import cache

import trustme
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.wire.client_hello import LONGEST, Offer, offer_of

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@cache
def hello(version: ssl.TLSVersion, resumes: bool, tickets: bool = True) -> bytes:
    """A ClientHello of OpenSSL's; with ``resumes`` it offers the session of an earlier connection."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.issue_cert("ftp.example.org").configure_cert(server)
    authority.configure_trust(client)
    client.maximum_version = version
    if not tickets:
        client.options |= ssl.OP_NO_TICKET
    session = None
    if resumes:
        first, _ = _connect(server, client, None)
        session = first.session
    return _connect(server, client, session)[1]


def _connect(server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None) -> tuple[ssl.SSLObject, bytes]:
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(back, there, server_hostname="ftp.example.org", session=session)
    other_in, other_out = ssl.MemoryBIO(), ssl.MemoryBIO()
    other = server.wrap_bio(other_in, other_out, server_side=True)
    first = b""
    for _ in range(4):
        for end, outgoing, incoming in ((one, there, other_in), (other, other_out, back)):
            try:
                end.do_handshake()
                end.read(1)
            except ssl.SSLWantReadError:
                pass
            octets = outgoing.read()
            first = first or octets
            incoming.write(octets)
    return one, first


def record(message: bytes, *lengths: int) -> bytes:
    """A handshake message in records of these lengths, the rest in a last one."""
    octets = b""
    for length in (*lengths, len(message)):
        part, message = message[:length], message[length:]
        if part:
            octets += b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part
    return octets


CASES = [
    (TLS12, False, True, Offer.NONE),
    (TLS12, True, True, Offer.SESSION),
    (TLS12, True, False, Offer.SESSION),  # by its identifier alone
    (TLS12, False, False, Offer.NONE),
    (TLS13, False, True, Offer.NONE),
    (TLS13, True, True, Offer.SESSION),
]


class OfferTests(SynchronousTestCase):
    """What a ClientHello offers, DESIGN §4."""

    def test_real(self) -> None:
        """P-TD-7: those of OpenSSL, for TLS 1.2 and 1.3, with and without a session, by ticket or by identifier."""
        for version, resumes, tickets, offer in CASES:
            octets = hello(version, resumes, tickets)
            self.assertEqual(offer, offer_of(octets), (version, resumes, tickets))
            self.assertEqual(offer, offer_of(octets + b"what comes behind"), (version, resumes, tickets))

    def test_cut_anywhere(self) -> None:
        """However the network cuts it: unknown to the last octet but one."""
        for version, resumes, tickets, offer in CASES:
            octets = hello(version, resumes, tickets)
            self.assertEqual({Offer.UNKNOWN}, {offer_of(octets[:end]) for end in range(len(octets))})
            self.assertEqual(offer, offer_of(octets))

    @given(st.sampled_from(CASES), st.lists(st.integers(1, 600), max_size=8), st.integers(0, 3000))
    def test_in_several_records(self, case: tuple[ssl.TLSVersion, bool, bool, Offer], lengths: list[int], end: int) -> None:
        """A ClientHello in several records says the same, and nothing before it is whole."""
        version, resumes, tickets, offer = case
        octets = record(hello(version, resumes, tickets)[5:], *lengths)
        self.assertEqual(offer, offer_of(octets))
        if end < len(octets):
            self.assertEqual(Offer.UNKNOWN, offer_of(octets[:end]))

    @given(st.binary(max_size=600))
    @example(b"\x16\x03\x01\x00\x00")
    @example(b"\x16\x03\x01\x00\x04\x01\x00\x00\x00")
    @example(b"\x16\x03\x01\x00\x04\x01\xff\xff\xff")
    def test_any_octets(self, octets: bytes) -> None:
        """Nothing raises; and what is known of a beginning stays so, whatever comes behind it."""
        known = Offer.UNKNOWN
        for end in range(len(octets) + 1):
            offer = offer_of(octets[:end])
            if known is not Offer.UNKNOWN:
                self.assertEqual(known, offer)
            known = offer

    @given(st.binary(max_size=600))
    def test_any_body(self, body: bytes) -> None:
        """A whole ClientHello with any content is judged."""
        offer = offer_of(record(b"\x01" + len(body).to_bytes(3, "big") + body))
        self.assertIn(offer, (Offer.NONE, Offer.SESSION))

    @given(st.sampled_from(CASES), st.data())
    def test_changed_on_the_way(self, case: tuple[ssl.TLSVersion, bool, bool, Offer], data: st.DataObject) -> None:
        """Octets that were changed do not raise."""
        octets = bytearray(hello(*case[:3]))
        for position, value in data.draw(st.lists(st.tuples(st.integers(0, len(octets) - 1), st.integers(0, 255)), max_size=10)):
            octets[position] = value
        self.assertIsInstance(offer_of(bytes(octets)), Offer)

    def test_no_client_hello(self) -> None:
        """Other records, other messages, other protocols: nothing is offered, and nothing is waited for."""
        for octets in (b"RETR x\r\n", b"\x15\x03\x03\x00\x02\x01\x00", b"\x16\x03\x01\x00\x01\x02", b"\x80\x2e\x01\x00\x02"):
            self.assertEqual(Offer.NONE, offer_of(octets))

    def test_in_crumbs(self) -> None:
        """One in a great many records is not put together again and again: OpenSSL may judge it."""
        octets = hello(TLS13, True)[5:]
        self.assertEqual(Offer.SESSION, offer_of(record(octets, *[len(octets) // 60] * 60)))
        self.assertEqual(Offer.NONE, offer_of(record(octets, *[1] * len(octets))))
        self.assertEqual(Offer.NONE, offer_of(record(octets, *[1] * 100)[: 6 * 64]))

    def test_without_end(self) -> None:
        """A ClientHello that never ends is waited for up to a limit."""
        endless = record(b"\x01\xff\xff\xff" + bytes(LONGEST), *[16384] * 5)
        self.assertEqual(Offer.UNKNOWN, offer_of(endless[: LONGEST - 1]))
        self.assertEqual(Offer.NONE, offer_of(endless[:LONGEST]))

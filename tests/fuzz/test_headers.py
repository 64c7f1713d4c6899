"""
What comes before a session, or before the data: PROXY headers and TLS ClientHellos, good, nearly good and bad, cut anywhere.

Not here: sessions behind a balancer in the long run (``test_proxied_machine``), TLS once it has begun (``test_tls_machine``).
"""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz import effort
from tests.fuzz.case import FuzzCase
from tests.fuzz.mutations import HELLOS, cuts, edited, hellos, in_records, pieces_of
from tests.fuzz.test_session_machine import finish
from tests.fuzz.tls_client import SecureClient, certificate
from tests.fuzz.world import THERE, World
from tests.support.headers import SIGNATURE, local_2, version_1, version_2
from twistftp.policy.settings import Limits, SiteFirewallSupport
from twistftp.policy.tls import TLSSettings

BALANCER = "192.0.2.7"
BEHIND = SiteFirewallSupport(proxy_from=(BALANCER,))
_LIMITS = Limits(data_channel_timeout=5, data_stall_timeout=9, unauthenticated_timeout=20)
_CLIENT = "198.51.100.5"
_HEADERS = st.sampled_from(
    [version_1(_CLIENT), version_2(_CLIENT), version_1("2001:db8::5", "2001:db8::1"), version_2("2001:db8::5", "2001:db8::1"), local_2()]
)
_near_headers = st.one_of(edited(_HEADERS, 1), st.binary(max_size=20).map(lambda data: SIGNATURE + data), st.binary(max_size=60))
_RECORDS = (b"\x14", b"\x15", b"\x16")


class _Raw:
    """A connection on which nobody expects anything."""

    def __init__(self, world: World, peer: str) -> None:
        self.world = world
        self.wire = world._arrive(peer)

    def send(self, segments: list[bytes]) -> bytes:
        """What came back."""
        for segment in segments:
            self.wire.send(segment)
            self.world.turn()
        got: bytes = self.wire.got
        return got


def _at_end(world: World, raw: _Raw) -> None:
    """A client that says nothing more is sent away, and nothing is left."""
    try:
        world.wait(30)
        if not raw.wire.is_lost:
            raise AssertionError(f"still there: {raw.wire.got!r}")
    except BaseException:
        world.close(is_broken=True)
        raise
    world.close()


def _proxied(segments: list[bytes], peer: str = BALANCER) -> bytes:
    world = World(many=1, firewall_support=BEHIND, limits=_LIMITS)
    raw = _Raw(world, peer)
    got = raw.send(segments)
    _at_end(world, raw)
    return got


class ProxyHeaderTests(FuzzCase):
    @effort(20)
    @given(_HEADERS, cuts)
    def test_good_ones(self, header: bytes, cuts: list[int]) -> None:
        """P-PB-18: cut anywhere, the client behind it is greeted and heard."""
        got = _proxied(pieces_of(header + b"NOOP\r\n", cuts))
        self.assertEqual([b"220", b"200"], [line[:3] for line in got.splitlines()])

    @effort(50)
    @given(_near_headers, cuts)
    @example(b"PROXY UNKNOWN\r\n", [])
    @example(b"PROXY TCP4 198.51.100.5 203.0.113.7 040000 21\r\n", [])
    @example(SIGNATURE + b"\x21\x11\xff\xff", [])
    @example(SIGNATURE + b"\x21\x11\0\0", [3])
    def test_nearly_good_ones(self, octets: bytes, cuts: list[int]) -> None:
        """P-PB-18, P-CONN-1: nobody is greeted who has not sent a header, whatever else was sent, and however it was cut."""
        got = _proxied([octets])
        self.assertIn(got[:4], (b"", b"220 "))
        self.assertTrue(not got or octets.startswith((b"PROXY ", SIGNATURE)), octets)
        self.assertEqual(got[:3], _proxied(pieces_of(octets, cuts))[:3])

    @effort(20)
    @given(st.one_of(_HEADERS, _near_headers), cuts)
    def test_of_others(self, octets: bytes, cuts: list[int]) -> None:
        """P-PB-18: a header of somebody who is no balancer is not believed; the connection ends, and no session comes of it."""
        world = World(many=1, firewall_support=BEHIND, limits=_LIMITS)
        raw = _Raw(world, THERE)
        raw.send(pieces_of(octets, cuts))
        peers = {control.peer for control in world.site.sessions}
        _at_end(world, raw)
        self.assertLessEqual(peers, {THERE})


def _tls(**rules: Any) -> TLSSettings:
    chain, key = certificate()
    return TLSSettings(certificate=chain, private_key=key, **rules)


class ClientHelloTests(FuzzCase):
    def answer(self, segments: list[bytes]) -> bytes:
        world = World(many=1, tls=_tls(implicit=True), limits=_LIMITS)
        raw = _Raw(world, THERE)
        got = raw.send(segments)
        _at_end(world, raw)
        return got

    def test_good_ones(self) -> None:
        """P-TLS-1: what the other tests break is whole at first: the server goes on with its own hello."""
        for name, message in HELLOS.items():
            for size in (16384, 9):
                got = self.answer([in_records(message, size)])
                self.assertEqual((0x16, 2), (got[0], got[5]), f"{name} in records of {size}")

    @effort(40)
    @given(hellos, cuts)
    @example(b"", [])
    @example(b"\x16\x03\x01\xff\xff\x01\0\0\0", [])
    @example(b"\x16\x03\x01\0\0" * 70, [7])
    def test_control(self, octets: bytes, cuts: list[int]) -> None:
        """P-TLS-4, P-TIME-3, P-AUTH-7: whatever comes as a ClientHello is answered in TLS or not at all, and the connection ends."""
        got = self.answer(pieces_of(octets, cuts))
        self.assertTrue(not got or got.startswith(_RECORDS), got)

    @effort(30)
    @given(hellos, cuts, st.booleans(), st.sampled_from(["RETR", "STOR"]), st.sampled_from(["off", "auto", "require"]), st.booleans())
    @example(b"", [], True, "RETR", "auto", True)
    @example(in_records(HELLOS["TLS 1.3 with a ticket"], 7), [3, 50], True, "RETR", "require", True)
    @example(in_records(HELLOS["TLS 1.2 with a ticket"], 16384), [], False, "STOR", "auto", False)
    def test_data(self, octets: bytes, cuts: list[int], is_early: bool, verb: str, rule: str, ends: bool) -> None:
        """P-TD-6, P-DX-11: whatever comes as the ClientHello of a data connection, the command gets its reply and the session goes on."""
        world = World(many=1, tls=_tls(session=rule), limits=_LIMITS)
        client: Any = world.connect(kind=SecureClient)
        client.say(("AUTH", b"TLS"))
        world.turn()
        client.shake_hands()
        world.turn()
        client.say(("PBSZ", b"0"), ("PROT", b"P"), ("USER", b"alice"), ("PASS", b"secret"), ("EPSV", b""))
        world.turn()
        if not is_early:
            client.say((verb, b"binary" if verb == "RETR" else b"new"))
        wire = client.dial()
        for segment in pieces_of(octets, cuts):
            wire.send(segment)
            world.turn()
        if ends:
            wire.end()
        if is_early:
            client.say((verb, b"binary" if verb == "RETR" else b"new"))
        client.say(("NOOP", b""))
        world.turn()
        finish(world)
        self.assertEqual(200, client.replies[-1].code)
        self.assertIn(client.replies[-2].code, (425, 426, 522), client.told)
        self.assertTrue(not wire.got or wire.got.startswith(_RECORDS), wire.got)

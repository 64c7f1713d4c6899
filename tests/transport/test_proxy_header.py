"""Tests of ``transport.proxy_header``: headers of both versions, cut anywhere, and everything that is none."""

from __future__ import annotations

from ipaddress import ip_address

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.protocols.haproxy._v2parser import V2Parser
from twisted.trial.unittest import SynchronousTestCase

from tests.support.headers import SIGNATURE, VERSIONS, local_2, version_2
from twistftp.transport.proxy_header import LONGEST, Announced, BadHeader, HeaderReader

IPV4 = st.ip_addresses(v=4).map(str)
IPV6 = st.ip_addresses(v=6).map(str)
ENDS = st.one_of(st.tuples(IPV4, IPV4), st.tuples(IPV6, IPV6))
PORTS = st.tuples(st.integers(0, 65535), st.integers(0, 65535))


def read(*pieces: bytes) -> tuple[Announced, bytes] | None:
    reader = HeaderReader()
    found = None
    for number, piece in enumerate(pieces):
        found = reader.feed(piece)
        if found is not None:
            return found[0], found[1] + b"".join(pieces[number + 1 :])
    return found


def plain(announced: Announced) -> tuple[tuple[str, int], tuple[str, int]]:
    return (announced.source.host, announced.source.port), (announced.destination.host, announced.destination.port)


def same(one: str, other: str) -> bool:
    return ip_address(one) == ip_address(other)


class GoodTests(SynchronousTestCase):
    @given(ENDS, PORTS, st.sampled_from(VERSIONS), st.binary(max_size=40), st.lists(st.integers(0, 300), max_size=8))
    def test_cut_anywhere(self, ends, ports, version, behind, cuts) -> None:
        """What a header says does not depend on how the network cut it, and the octets behind it come out as they went in."""
        octets = version(*ends, ports) + behind
        edges = [0, *sorted(cut for cut in cuts if cut < len(octets)), len(octets)]
        found = read(*(octets[start:stop] for start, stop in zip(edges, edges[1:], strict=False)))
        assert found is not None
        (source, source_port), (destination, destination_port) = plain(found[0])
        self.assertTrue(same(ends[0], source) and same(ends[1], destination))
        self.assertEqual((ports, behind), ((source_port, destination_port), found[1]))

    @given(ENDS, st.sampled_from(VERSIONS), st.binary(max_size=40))
    def test_its_own_octets_alone(self, ends, version, behind) -> None:
        """Octet by octet it asks for every octet of the header and for none behind it."""
        header = version(*ends)
        reader = HeaderReader()
        for position in range(len(header)):
            rest = (header + behind)[position:]
            self.assertEqual(1, reader.share(rest[:1]))
            self.assertEqual(len(header) - position, reader.share(rest))
            found = reader.feed(rest[:1])
        self.assertEqual(b"", found[1])  # type: ignore[index]

    def test_speaks_for_itself(self) -> None:
        """§2.1 UNKNOWN, whatever follows it, §2.2 LOCAL and the families that are none of TCP: the connection's own addresses stand."""
        unix = SIGNATURE + b"\x21\x31\0\xd8" + bytes(216)
        unspecified = SIGNATURE + b"\x21\0\0\0"
        for header in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN \xff :: 1 x\r\n", local_2(), local_2(bytes(36)), unix, unspecified):
            self.assertEqual((Announced(), b"USER x\r\n"), read(header + b"USER x\r\n"), header)

    def test_more_fields(self) -> None:
        """TLVs behind the addresses are read over, and count as part of the header."""
        for size in (3, 255, LONGEST - 28):
            found = read(version_2("192.0.2.1", more=b"\x04" * size), b"rest")
            self.assertEqual(b"rest", found[1])  # type: ignore[index]


class BadTests(SynchronousTestCase):
    def refused(self, *pieces: bytes) -> str:
        error = self.assertRaises(BadHeader, read, *pieces)
        self.assertIs(BadHeader, type(error))
        return str(error)

    def test_begins_otherwise(self) -> None:
        """The first octet that is not a header's is enough."""
        for octets in (b"U", b"PROXX", b"PROXY\r\n", b"proxy ", b"\x16\x03\x01", SIGNATURE[:-1] + b"X", b"\r\nUSER x\r\n"):
            self.assertEqual("it does not begin with a PROXY header", self.refused(octets))
            self.assertEqual("it does not begin with a PROXY header", self.refused(*(octets[at : at + 1] for at in range(len(octets)))))

    def test_too_long(self) -> None:
        """§2.1: 107 octets, the line's end included; version 2 has the limit set here, known from its first 16 octets."""
        self.assertIsNotNone(read(b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n"))
        for octets in (b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n", b"PROXY TCP4 " + b"1" * 96):
            self.assertEqual("its PROXY header is longer than 107 octets", self.refused(octets))
        self.assertIn("longer than 4096 octets", self.refused(SIGNATURE + b"\x21\x11" + (LONGEST - 15).to_bytes(2, "big")))
        self.assertIsNone(read(SIGNATURE + b"\x21\x11" + (LONGEST - 16).to_bytes(2, "big")))

    def test_malformed(self) -> None:
        """What Twisted's parsers let through, or stumble over, is refused: no addresses, other families, other numbers, other forms."""
        for line in (
            "TCP4 192.0.2.1 192.0.2.2 1 x",
            "TCP4 192.0.2.1 192.0.2.2 1",
            "TCP4 192.0.2.1 192.0.2.2",
            "TCP4 192.0.2.1",
            "TCP4",
            "",
            "TCP5 192.0.2.1 192.0.2.2 1 2",
            "TCP4 192.0.2.1 192.0.2.2 1 65536",
            "TCP4 192.0.2.1 192.0.2.2 -1 2",
            "TCP4 192.0.2.1 192.0.2.2 +1 2",
            "TCP4 192.0.2.1 192.0.2.2 01 2",
            "TCP4 192.0.2.1 192.0.2.2 1_0 2",
            "TCP4 192.0.2.1 192.0.2.2 1 2 3",
            "TCP4 192.0.2.1  192.0.2.2 1 2",
            "TCP4 192.0.2.001 192.0.2.2 1 2",
            "TCP4 example.org 192.0.2.2 1 2",
            "TCP4 2001:db8::1 2001:db8::2 1 2",
            "TCP4 * * 1 2",
            "TCP6 192.0.2.1 192.0.2.2 1 2",
            "TCP6 fe80::1%eth0 fe80::2 1 2",
            "TCP6 \xff \xff 1 2",
            "UNKNOWN\t",
        ):
            self.refused(f"PROXY {line}\r\n".encode("latin-1"))
        whole = version_2("192.0.2.1")
        self.refused(version_2("192.0.2.1", transport=2))  # UDP
        for position, octet in ((12, 0x11), (12, 0x22), (12, 0x2F), (13, 0x41), (13, 0x13), (15, 11)):
            self.refused(whole[:position] + bytes([octet]) + whole[position + 1 :])

    def test_fault_of_the_parser(self) -> None:
        """An exception that nobody thought of is a bad header and no traceback."""

        def fail(parser, data):
            raise ZeroDivisionError

        self.patch(V2Parser, "feed", fail)
        self.assertEqual("its PROXY header cannot be read", self.refused(version_2("192.0.2.1")))

    @given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(b"PROXY ".__add__), st.binary(max_size=300).map(SIGNATURE.__add__)))
    @example(SIGNATURE + b"\x21\x11\0\x0c" + bytes(12))
    def test_garbage(self, octets) -> None:
        """Anything at all is read, wanted more of, or refused; never more than the bound is held back."""
        reader = HeaderReader()
        try:
            found = reader.feed(octets)
        except BadHeader as error:
            self.assertTrue(str(error).isprintable())
        else:
            self.assertLessEqual(0 if found else len(octets), LONGEST)

"""Tests of ``twistftp.wire.addresses``."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.wire.addresses import (
    AddressError,
    FamilyNotSupported,
    encode_227,
    encode_229,
    fold_address,
    is_ipv6,
    is_unusable_target,
    parse_eprt,
    parse_port,
)

_IPV4 = st.ip_addresses(v=4).map(str)
_IPV6 = st.ip_addresses(v=6).filter(lambda address: address.ipv4_mapped is None).map(str)
_PORTS = st.integers(1, 65535)


class PortTests(SynchronousTestCase):
    """The argument of PORT."""

    def test_example(self) -> None:
        """Six numbers are four of an address and two of a port (P-PORT-1)."""
        self.assertEqual(("192.0.2.7", 50000), parse_port("192,0,2,7,195,80"))

    def test_blanks_after_commas(self) -> None:
        """Blanks after the commas are tolerated (P-PORT-1)."""
        self.assertEqual(("192.0.2.7", 50000), parse_port("192, 0, 2,  7, 195, 80"))

    def test_leading_zeros_are_decimal(self) -> None:
        """Numbers are decimal, with leading zeros too (P-PORT-1)."""
        self.assertEqual(("10.0.0.8", 21), parse_port("010,000,000,008,000,021"))

    def test_refused(self) -> None:
        """Anything but six numbers from 0 to 255 is refused (P-PORT-1)."""
        for text in (
            *("", "1,2,3,4,5", "1,2,3,4,5,6,7", "256,0,0,1,4,1", "1,2,3,4,5,256", "1,2,3,4,5,-1", "1,2,3,4,5,", "1.2.3.4,5,6", "a,2,3,4,5,6"),
            *("1,2,3,4,5,6\n", " 1,2,3,4,5,6", "1 ,2,3,4,5,6", "1,2,3,4,5,0006", "1,2,3,4,5,²", "1,2,3,4,5,٣", "1,2,3,4,5,6)", "+1,2,3,4,5,6"),
        ):
            self.assertRaises(AddressError, parse_port, text)

    @given(_IPV4, st.integers(0, 65535))
    def test_round_trip_with_227(self, host: str, port: int) -> None:
        """What 227 says between its parentheses is what PORT reads (P-PORT-1, P-PB-1)."""
        self.assertEqual((host, port), parse_port(encode_227(host, port).partition("(")[2].partition(")")[0]))

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Any other text is an ``AddressError``, nothing else (P-PORT-1)."""
        try:
            host, port = parse_port(text)
        except AddressError:
            return
        self.assertTrue(IPv4Address(host) and 0 <= port <= 65535)


class EprtTests(SynchronousTestCase):
    """The argument of EPRT."""

    def test_examples(self) -> None:
        """RFC 2428's two families (P-EPRT-1)."""
        self.assertEqual(("132.235.1.2", 6275), parse_eprt("|1|132.235.1.2|6275|"))
        self.assertEqual(("1080::8:800:200c:417a", 5282), parse_eprt("|2|1080::8:800:200C:417A|5282|"))

    def test_mapped_addresses_are_ipv4(self) -> None:
        """An IPv4 address written as IPv6 is given as IPv4: the same peer (P-EPRT-1, P-TW-10)."""
        self.assertEqual(("192.0.2.7", 5000), parse_eprt("|2|::ffff:192.0.2.7|5000|"))

    def test_other_families(self) -> None:
        """A family that is neither 1 nor 2 has its own error (P-EPRT-1, P-PB-17)."""
        for text in ("|3|1.2.3.4|5000|", "|0|1.2.3.4|5000|", "|12|::1|5000|", "|3|nonsense||"):
            self.assertRaises(FamilyNotSupported, parse_eprt, text)

    def test_refused(self) -> None:
        """The delimiters, a number for the family, an address of it without zone or brackets, and a port from 1 to 65535 are needed (P-EPRT-1)."""
        for text in (
            *("", "|", "|1|1.2.3.4|5000", "1|1.2.3.4|5000|", "|1|1.2.3.4|5000||", "x|1|1.2.3.4|5000|", "|1|1.2.3.4|5000|x", " 1 1.2.3.4 5000 "),
            *("||||", "||1.2.3.4|5000|", "|IPv4|1.2.3.4|5000|", "|-1|1.2.3.4|5000|", "| 1|1.2.3.4|5000|", "|²|::1|5000|"),
            *("|1|::1|5000|", "|2|1.2.3.4|5000|", "|1|1.2.3|5000|", "|1||5000|", "|1|1.2.3.256|5000|", "|1|localhost|5000|", "|1|1.2.3.٣|5000|"),
            *("|2|[::1]|5000|", "|2|fe80::1%eth0|5000|", "|2|fe80::1%1|5000|", "|2|::1/64|5000|", "|1|01.2.3.4|5000|"),
            *("|1|1.2.3.4|0|", "|1|1.2.3.4|65536|", "|1|1.2.3.4|-1|", "|1|1.2.3.4|+5|", "|1|1.2.3.4| 5|", "|1|1.2.3.4||", "|1|1.2.3.4|000021|"),
            *("|1|1.2.3.4|²|", "|1|1.2.3.4|٣٣|", "|1|1.2.3.4|1_0|", "é1é1.2.3.4é5000é", "\x7f1\x7f1.2.3.4\x7f5000\x7f"),
        ):
            error = self.assertRaises(AddressError, parse_eprt, text)
            self.assertNotIsInstance(error, FamilyNotSupported)

    @given(_IPV4 | _IPV6, _PORTS, st.sampled_from([chr(c) for c in range(33, 127) if not chr(c).isalnum() and chr(c) not in ".:"]))
    def test_round_trip(self, host: str, port: int, delimiter: str) -> None:
        """Every address and port comes through, whatever the delimiter (P-EPRT-1)."""
        text = delimiter.join(["", "2" if is_ipv6(host) else "1", host, str(port), ""])
        self.assertEqual((fold_address(host), port), parse_eprt(text))

    @given(st.text() | st.lists(st.text(max_size=5), min_size=5, max_size=5).map("|".join))
    def test_any_text(self, text: str) -> None:
        """Any other text is an ``AddressError``, nothing else (P-EPRT-1)."""
        try:
            _, port = parse_eprt(text)
        except AddressError:
            return
        self.assertTrue(1 <= port <= 65535)


class PassiveTests(SynchronousTestCase):
    """227 and 229."""

    def test_227(self) -> None:
        """227 is byte for byte what conntrack reads (P-PB-1, P-PB-2)."""
        self.assertEqual("Entering Passive Mode (192,0,2,7,195,80).", encode_227("192.0.2.7", 50000))

    def test_229(self) -> None:
        """229 has empty fields for family and address (P-PB-3)."""
        self.assertEqual("Entering Extended Passive Mode (|||50000|)", encode_229(50000))

    @given(_PORTS)
    def test_229_round_trip(self, port: int) -> None:
        """A client that splits at the delimiter has the port in the fourth of five fields (P-PB-3)."""
        text = encode_229(port)
        self.assertEqual(["", "", "", str(port), ""], text[text.index("(") + 1 : text.index(")")].split("|"))

    @given(_IPV4, _PORTS)
    def test_227_has_no_other_digits(self, host: str, port: int) -> None:
        """No digit and no parenthesis stands before the address (P-PB-1)."""
        before, _, after = encode_227(host, port).partition("(")
        self.assertEqual((False, "."), (any(c.isdigit() for c in before), after.partition(")")[2]))


class FoldTests(SynchronousTestCase):
    """One address has one form."""

    def test_mapped(self) -> None:
        """The IPv4 clients of a dual-stack listener are IPv4 (P-TW-10)."""
        self.assertEqual("192.0.2.7", fold_address("::ffff:192.0.2.7"))
        self.assertEqual("192.0.2.7", fold_address("::FFFF:c000:207"))

    def test_others(self) -> None:
        """IPv6 is written in its shortest form, a zone is kept; anything else stays (P-TW-10, P-PB-10)."""
        for expected, host in (("::1", "0:0:0:0:0:0:0:1"), ("fe80::1%eth0", "FE80::1%eth0"), ("192.0.2.7", "192.0.2.7"), ("a:b", "a:b"), ("", "")):
            self.assertEqual(expected, fold_address(host))

    @given(_IPV4)
    def test_any_mapped(self, host: str) -> None:
        """Every IPv4 address that comes in IPv6's form, in either spelling; what only looks like one stays (P-TW-10)."""
        self.assertEqual([host, host], [fold_address(f"::ffff:{host}"), fold_address(f"::FFFF:{host}")])
        self.assertEqual(f"::ffff:{host}.1", fold_address(f"::ffff:{host}.1"))

    @given(_IPV4 | _IPV6)
    def test_is_idempotent(self, host: str) -> None:
        """A folded address stays; it names the same address (P-TW-10)."""
        folded = fold_address(host)
        self.assertEqual(folded, fold_address(folded))
        self.assertEqual(is_ipv6(folded), ":" in host)
        if is_ipv6(folded):
            self.assertEqual(IPv6Address(host), IPv6Address(folded))


class TargetTests(SynchronousTestCase):
    """Where no data connection may go."""

    def test_unusable(self) -> None:
        """Unspecified and multicast addresses, and what is none, are refused (P-DC-15)."""
        for host in ("0.0.0.0", "::", "224.0.0.1", "239.255.255.250", "ff02::1", "ff02::1%eth0", "", "localhost"):
            self.assertTrue(is_unusable_target(host), host)

    def test_usable(self) -> None:
        """Ordinary addresses are not refused here (P-DC-15)."""
        for host in ("192.0.2.7", "127.0.0.1", "::1", "2001:db8::1", "fe80::1%eth0"):
            self.assertFalse(is_unusable_target(host), host)

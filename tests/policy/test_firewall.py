"""Tests of ``policy.firewall``: what a client is told."""

from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.channels import DYNAMIC, PortRange
from twistftp.policy.firewall import advertised, client_network, is_internal, is_private, lacks_external_address
from twistftp.policy.firewall_support import INTERNAL_NETWORKS, SiteFirewallSupport
from twistftp.wire.addresses import encode_227, encode_229

LOCAL, OUTSIDE, INSIDE = "10.0.0.5", "198.51.100.9", "192.168.1.9"
PORTS = PortRange(50000, 50100)

ipv4 = st.ip_addresses(v=4).map(str)
any_address = st.ip_addresses().map(str) | st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}")
numbers = st.integers(1024, 65000)
usable = st.integers(int(IPv4Address("1.0.0.0")), int(IPv4Address("126.255.255.255"))).map(lambda n: str(IPv4Address(n)))
networks = st.builds(lambda address, bits: str(ip_network((address, bits), strict=False)), ipv4, st.integers(0, 32))


def place(support: dict[str, Any], peer: str, port: int = 50007, local: str = LOCAL, resolved: dict[str, str] = {}) -> tuple[str, int]:
    return advertised(SiteFirewallSupport(**support), local, peer, port, resolved, PORTS)


class AdvertisedTests(SynchronousTestCase):
    def test_nothing_set(self) -> None:
        """P-PB-8: the local address and port, whoever asks."""
        for peer in (OUTSIDE, INSIDE, "2001:db8::9", ""):
            self.assertEqual((LOCAL, 50007), place({}, peer))

    def test_external_address(self) -> None:
        """P-PB-11, P-PB-13: for clients outside; those inside get the local one."""
        support = {"external_address": "203.0.113.7"}
        self.assertEqual(("203.0.113.7", 50007), place(support, OUTSIDE))
        self.assertEqual(("203.0.113.7", 50007), place(support, f"::ffff:{OUTSIDE}"))
        for peer in (INSIDE, "127.0.0.1", "169.254.1.1", "172.16.0.1", f"::ffff:{INSIDE}"):
            self.assertEqual((LOCAL, 50007), place(support, peer))

    def test_name(self) -> None:
        """P-PB-14: a name's latest address; before the first answer the local one."""
        support = {"external_address": "ftp.example.org"}
        self.assertEqual((LOCAL, 50007), place(support, OUTSIDE))
        self.assertEqual(("203.0.113.8", 50007), place(support, OUTSIDE, resolved={"ftp.example.org": "203.0.113.8"}))

    def test_table(self) -> None:
        """The most specific network of the table decides, before internal networks and external address."""
        table = {"10.0.0.0/8": "10.0.0.1", "10.8.0.0/16": "10.8.0.1", "198.51.100.0/24": "vpn.example.org"}
        support = {"external_address": "203.0.113.7", "external_addresses": table}
        for peer, address in {"10.8.1.1": "10.8.0.1", "10.9.1.1": "10.0.0.1", "192.168.0.1": LOCAL, "203.0.113.99": "203.0.113.7"}.items():
            self.assertEqual((address, 50007), place(support, peer))
        self.assertEqual((LOCAL, 50007), place(support, OUTSIDE))
        self.assertEqual(("203.0.113.5", 50007), place(support, OUTSIDE, resolved={"vpn.example.org": "203.0.113.5"}))

    def test_mapped_ports(self) -> None:
        """P-PB-12: the port outside stands at the same place of its range; inside it is the one that listens."""
        support = {"external_ports": PortRange(60000, 60100)}
        for port, outside in {50000: 60000, 50007: 60007, 50100: 60100, 50101: 50101}.items():
            self.assertEqual((LOCAL, outside), place(support, OUTSIDE, port))
            self.assertEqual((LOCAL, port), place(support, INSIDE, port))
        self.assertEqual((LOCAL, 50007), advertised(SiteFirewallSupport(**support), LOCAL, OUTSIDE, 50007, {}, DYNAMIC))
        self.assertEqual(("::1", 60007), place(support, "2001:db8::9", local="::1"))

    def test_own_internal_networks(self) -> None:
        """The list that is given replaces the usual one."""
        support = {"external_address": "203.0.113.7", "internal_networks": ["198.51.100.0/24", "2001:db8::/32"]}
        self.assertEqual((LOCAL, 50007), place(support, OUTSIDE))
        self.assertEqual(("203.0.113.7", 50007), place(support, INSIDE))

    def test_replies(self) -> None:
        """P-PB-1, P-PB-3, P-PB-11, P-PB-12: 227 and 229 byte for byte."""
        told = place({"external_address": "203.0.113.7", "external_ports": PortRange(60000, 60100)}, OUTSIDE)
        self.assertEqual("Entering Passive Mode (203,0,113,7,234,103).", encode_227(*told))
        self.assertEqual("Entering Extended Passive Mode (|||60007|)", encode_229(told[1]))

    @given(usable, st.dictionaries(networks, usable), st.lists(networks), any_address, numbers, st.booleans())
    def test_rules(self, external: str, table: dict[str, str], internal: list[str], peer: str, port: int, is_mapped: bool) -> None:
        """Table, then inside, then outside; the port depends on nothing but being inside."""
        mapped = PortRange(40000, 40100) if is_mapped else None
        support = SiteFirewallSupport(external, external_addresses=table, internal_networks=internal, external_ports=mapped)
        address, number = advertised(support, LOCAL, peer, port, {}, PORTS)
        client: Any = ip_address(peer)
        client = getattr(client, "ipv4_mapped", None) or client
        inside = any(client in ip_network(network) for network in internal)
        fitting = [ip_network(network) for network in table if client in ip_network(network)]
        best = max(fitting, key=lambda network: network.prefixlen, default=None)
        expected = table[str(best)] if best else LOCAL if inside else external
        self.assertEqual((inside, expected), (is_internal(support, peer), address))
        self.assertEqual(port - 10000 if is_mapped and not inside and port in PORTS else port, number)

    @given(any_address, st.sampled_from(["2001:db8::1", "fe80::1%eth0", "::1"]), usable)
    def test_ipv6_keeps_its_own(self, peer: str, local: str, external: str) -> None:
        """P-PB-10, P-PB-14: no mixture of families: over IPv6 there is only the local address, over IPv4 never an IPv6 one."""
        support = SiteFirewallSupport(external, external_addresses={"0.0.0.0/0": external})
        self.assertEqual(local, advertised(support, local, peer, 50007, {}, PORTS)[0])
        self.assertNotIn(":", advertised(support, LOCAL, peer, 50007, {}, PORTS)[0])


class PrivateTests(SynchronousTestCase):
    def test_private(self) -> None:
        """What the Internet cannot reach; documentation addresses and other special ranges are not among it."""
        private = (
            "10.1.2.3",
            "172.31.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "fc00::1",
            "fe80::1%eth0",
            "::1",
            "::ffff:10.0.0.1",
        )
        for address in private:
            self.assertTrue(is_private(address), address)
        for address in ("192.0.2.1", "203.0.113.1", "198.18.0.1", "8.8.8.8", "172.32.0.1", "2001:db8::1", "::ffff:8.8.8.8", "", "x"):
            self.assertFalse(is_private(address), address)

    def test_usual_internal_networks(self) -> None:
        """P-PB-13: exactly the networks of the contract; carrier-grade NAT is not inside."""
        self.assertEqual(8, len(INTERNAL_NETWORKS))
        usual = SiteFirewallSupport()
        self.assertTrue(all(is_internal(usual, peer) for peer in ("10.0.0.1", "fe80::1%eth0", "::1", "fd00::1", "")))
        self.assertFalse(any(is_internal(usual, peer) for peer in ("100.64.0.1", "192.0.2.1", "2001:db8::1")))

    def test_lacks_external_address(self) -> None:
        """A private address that a client from outside is told, unless the cure is there already."""
        self.assertTrue(lacks_external_address(SiteFirewallSupport(), LOCAL, OUTSIDE))
        for support, address, peer in (
            ({}, LOCAL, INSIDE),
            ({}, "203.0.113.7", OUTSIDE),
            ({}, LOCAL, "100.64.0.1"),
            ({"external_address": "ftp.example.org"}, LOCAL, OUTSIDE),
            ({"internal_networks": ["198.51.100.0/24"]}, LOCAL, OUTSIDE),
        ):
            self.assertFalse(lacks_external_address(SiteFirewallSupport(**support), address, peer), (support, address, peer))

    def test_client_network(self) -> None:
        """A client's neighbours are its /24 or /64."""
        self.assertEqual("198.51.100.0/24", client_network("::ffff:198.51.100.9"))
        self.assertEqual("2001:db8:0:1::/64", client_network("2001:db8:0:1::9"))

    @given(any_address)
    def test_never_raises(self, address: str) -> None:
        """Any address can be judged."""
        assume(address)
        is_private(address), client_network(address)

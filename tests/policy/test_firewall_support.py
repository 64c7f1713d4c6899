"""Tests of ``policy.firewall_support``: values that are taken and values that are refused."""

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.channels import DYNAMIC, PortRange
from twistftp.policy.firewall_support import INTERNAL_NETWORKS, SiteFirewallSupport, is_address, unusable
from twistftp.policy.matching import ANY, EXACT, PeerMatch
from twistftp.policy.rules import BadSetting
from twistftp.policy.settings import ServerSettings, SiteSettings, describe_change


class RuleTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """Nothing is told but the local address, the usual networks are inside, only the client's own address counts."""
        support = SiteFirewallSupport()
        self.assertEqual(("", (), None, 20, True, True), (support.external_address, support.external_addresses, support.external_ports,
                         support.active_port, support.active_mode, support.match_client_address_for_port))  # fmt: skip
        self.assertEqual(tuple(map(ip_network, INTERNAL_NETWORKS)), support.internal_networks)
        self.assertIs(EXACT, support.peer_match)

    def test_external_address(self) -> None:
        """P-PB-14: an IPv4 address that somebody could connect to, private ones included, or a DNS name."""
        for value in ("203.0.113.7", "10.0.0.7", "100.64.0.1", "ftp.example.org", "localhost", "_a.example", "4711.example"):
            self.assertEqual(value, SiteFirewallSupport(external_address=value).external_address)
        wrong = ("127.0.0.1", "127.1.2.3", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255", "255.255.255.255")
        malformed = (
            "::1",
            "2001:db8::1",
            "::ffff:203.0.113.7",
            "[::1]",
            "203.0.113",
            "203.0.113.256",
            "203.0.113.07",
            "203.0.113.7:21",
            "a b",
            "a..b",
            "-",
            "7",
        )
        for value in (*wrong, *malformed):
            error = self.assertRaises(BadSetting, SiteFirewallSupport, external_address=value)
            self.assertEqual(("external_address", value), (error.name, error.value))
            table = self.assertRaises(BadSetting, SiteFirewallSupport, external_addresses={"10.0.0.0/8": value})
            self.assertEqual(("external_addresses", f"10.0.0.0/8={value}", error.rule), (table.name, table.value, table.rule))
            self.assertTrue(error.rule.isprintable())

    def test_table(self) -> None:
        """The narrowest network is first; an address stands for itself; host bits, IPv6 and nonsense are refused."""
        support = SiteFirewallSupport(external_addresses={"10.0.0.0/8": "10.0.0.1", "10.8.0.0/16": "vpn.example", "192.0.2.1": "192.0.2.2"})
        self.assertEqual(["192.0.2.1/32", "10.8.0.0/16", "10.0.0.0/8"], [str(network) for network, _ in support.external_addresses])
        self.assertEqual({"vpn.example"}, support.external_names)
        self.assertEqual(support, SiteFirewallSupport(external_addresses=support.external_addresses))
        for network in ("10.8.0.1/16", "fc00::/7", "x", "", "10.0.0.0/33"):
            error = self.assertRaises(BadSetting, SiteFirewallSupport, external_addresses={network: "203.0.113.7"})
            self.assertEqual((f"{network}=203.0.113.7"), error.value)
        self.assertIn("did you mean 10.8.0.0/16?", self.assertRaises(BadSetting, SiteFirewallSupport, external_addresses={"10.8.0.1/16": "a"}).rule)

    def test_others(self) -> None:
        """Ports, networks and the match rule."""
        self.assertEqual(PortRange(6000, 6001), SiteFirewallSupport(external_ports=PortRange(6000, 6001)).external_ports)
        self.assertEqual((), SiteFirewallSupport(internal_networks=[]).internal_networks)
        for name, value in {
            "external_ports": DYNAMIC,
            "internal_networks": ["10.0.0.1/8"],
            "match_client_address_for_pasv": "24",
            "active_port": 65536,
        }.items():
            error = self.assertRaises(BadSetting, SiteFirewallSupport, **{name: value})  # type: ignore[arg-type]
            self.assertEqual(name, error.name)

    def test_names_and_addresses(self) -> None:
        """No name ends in a number."""
        self.assertTrue(is_address("203.0.113.7"))
        self.assertFalse(is_address("ftp.example.org") or is_address("localhost"))
        self.assertEqual("", unusable("8.8.8.8"))

    def test_changes_in_words(self) -> None:
        """SIGHUP logs networks as people write them."""
        old = SiteSettings("/", firewall_support=SiteFirewallSupport(internal_networks=["10.0.0.0/8", "::1"]))
        new = SiteSettings("/", firewall_support=SiteFirewallSupport(external_ports=PortRange(6000, 6001), internal_networks=[]))
        lines = describe_change(ServerSettings((old,)), ServerSettings((new,)))
        self.assertEqual(["firewall_support.external_ports of site 'twistftp': None -> 6000-6001",
                          "firewall_support.internal_networks of site 'twistftp': [10.0.0.0/8, ::1/128] -> []"], lines)  # fmt: skip


class PeerMatchTests(SynchronousTestCase):
    def test_parse(self) -> None:
        """P-DC-10: exact, off, or a pair of prefix lengths."""
        self.assertEqual((EXACT, ANY, PeerMatch(24, 64)), (PeerMatch.parse(True), PeerMatch.parse(False), PeerMatch.parse("24/64")))
        for value in ("24", "24/", "/64", "33/64", "24/129", "0/0", "0/64", "a/b", "24/64/1", "-1/64", ""):
            self.assertRaises(ValueError, PeerMatch.parse, value)

    def test_admits(self) -> None:
        """P-DC-10: which connection may take whose lease."""
        near = PeerMatch(24, 64)
        self.assertTrue(near.admits("192.0.2.1", "192.0.2.200") and near.admits("2001:db8::1", "2001:db8::2") and ANY.admits("192.0.2.1", "::1"))
        self.assertTrue(near.admits("fe80::1%eth0", "fe80::2%eth0"))
        self.assertFalse(near.admits("192.0.2.1", "192.0.3.1") or EXACT.admits("192.0.2.1", "192.0.2.2") or near.admits("192.0.2.1", "2001:db8::1"))

    def test_overlaps(self) -> None:
        """Two leases overlap when one address could take either."""
        near, nearer = PeerMatch(24, 64), PeerMatch(28, 64)
        self.assertTrue(near.overlaps("192.0.2.1", EXACT, "192.0.2.200") and EXACT.overlaps("192.0.2.200", near, "192.0.2.1"))
        self.assertTrue(near.overlaps("192.0.2.1", nearer, "192.0.2.200") and ANY.overlaps("::1", EXACT, "192.0.2.1"))
        self.assertFalse(nearer.overlaps("192.0.2.1", nearer, "192.0.2.200") or EXACT.overlaps("192.0.2.1", EXACT, "192.0.2.2"))

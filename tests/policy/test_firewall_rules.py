"""Tests of ``policy.firewall_rules``: the text of the rules, and what of the settings they follow. Loading them is ``test_firewall_rules_loaded``."""

from attrs import evolve
from hypothesis import given
from hypothesis.strategies import booleans, builds, just, lists, sampled_from, tuples
from hypothesis.strategies import integers as numbers
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.channels import DYNAMIC, PortRange
from twistftp.policy.firewall_rules.formats import FORMATS, rules
from twistftp.policy.firewall_rules.service import NoRules, Service, describe
from twistftp.policy.settings import FirewallSupport, ServerSettings, SiteFirewallSupport, SiteSettings

LINUX = PortRange(32768, 60999)
PLAIN = Service(control_ports=(21,), passive=PortRange(50000, 50003), ephemeral=LINUX)
FTPS = evolve(PLAIN, has_tls=True, implicit_ports=(990,))
OUTSIDE = evolve(PLAIN, has_external_address=True)
PASSIVE_ONLY = evolve(PLAIN, active_mode=False)

# What a format does to the outgoing connections of active mode; the containers have no rules for it.
FILTERS_OUTWARD = {
    "netsh": "dir=out localport=20",
    "powershell": "-Direction Outbound -Protocol TCP -Action Allow -LocalPort 20",
    "nftables": "tcp sport 20 tcp dport 1024-65535",
    "iptables": "-A OUTPUT -p tcp --sport 20 --dport 1024:65535",
    "ufw": "ufw allow out proto tcp from any port 20 to any",
    "firewalld": "--policy=twistftp-active --add-source-port=20/tcp",
    "pf": "pass out proto tcp from any port { 20 }",
    "terraform-aws": "aws_vpc_security_group_egress_rule",
}


def commands(service: Service, kind: str) -> list[str]:
    """The rules without remarks."""
    return [line for line in rules(service, kind).splitlines() if line and not line.startswith(("#", "rem "))]


def settings(*sites: SiteSettings, ports: PortRange = DYNAMIC) -> ServerSettings:
    return ServerSettings(sites, FirewallSupport(ports))


class DescribeTests(SynchronousTestCase):
    """From settings to what a firewall must know."""

    def test_one_site(self) -> None:
        """A site with a range: its control port, the range, active mode from port 20."""
        site = SiteSettings(root="/", port=21)
        self.assertEqual(PLAIN, describe(settings(site, ports=PortRange(50000, 50003)), LINUX))

    def test_dynamic(self) -> None:
        """``0-0`` is the range that the system really has."""
        service = describe(settings(SiteSettings(root="/")), LINUX)
        self.assertTrue(service.is_dynamic)
        self.assertEqual(LINUX, service.passive)

    def test_several_sites(self) -> None:
        """Every site that is started counts, and each port once."""
        sites = [
            SiteSettings(root="/", name="a", port=2121, address="127.0.0.1"),
            SiteSettings(root="/", name="b", port=2121, address="127.0.0.2", firewall_support=SiteFirewallSupport(active_port=0)),
            SiteSettings(root="/", name="c", port=21, firewall_support=SiteFirewallSupport(active_mode=False)),
            SiteSettings(root="/", name="d", port=2199, auto_start=False, firewall_support=SiteFirewallSupport(active_port=5)),
        ]
        service = describe(settings(*sites), LINUX)
        self.assertEqual((21, 2121), service.listening)
        self.assertEqual((0, 20), service.active_ports)
        self.assertTrue(service.active_mode)

    def test_firewall_support(self) -> None:
        """An external address, one for some networks or external ports: no helper is relied on."""
        for support in (
            SiteFirewallSupport(external_address="203.0.113.7"),
            SiteFirewallSupport(external_addresses={"10.8.0.0/16": "10.8.0.1"}),
            SiteFirewallSupport(external_ports=PortRange(60000, 60003)),
        ):
            service = describe(settings(SiteSettings(root="/", firewall_support=support), ports=PortRange(50000, 50003)), LINUX)
            self.assertFalse(service.may_use_helper, support)
        self.assertEqual((PortRange(60000, 60003),), service.external_ports)

    def test_endpoints(self) -> None:
        """Ports are read out of endpoint strings; what they do not say is named."""
        listen = (
            "tcp:2121",
            "tcp6:port=2122:interface=\\:\\:1",
            "haproxy:tcp:2123:backlog=5",
            "unix:/run/ftp.sock",
            "systemd:domain=INET",
            "tcp:0",
        )
        service = describe(settings(SiteSettings(root="/", port=21, listen=listen)), LINUX)
        self.assertEqual((2121, 2122, 2123), service.listening)
        self.assertEqual(("systemd:domain=INET", "tcp:0"), service.unknown)
        self.assertIn("# Listens on tcp:0: add its port by hand.", rules(service, "nftables"))

    def test_nothing_to_let_through(self) -> None:
        """Without a TCP port there are no rules."""
        for site in (SiteSettings(root="/", auto_start=False), SiteSettings(root="/", listen=("unix:/run/ftp.sock",))):
            self.assertRaises(NoRules, describe, settings(site), LINUX)


class WindowsTests(SynchronousTestCase):
    """The cases of the walk-through."""

    def test_plain(self) -> None:
        """Plain FTP on port 21: the walk-through's own two lines, and its note on active mode as a third."""
        expected = [
            'netsh advfirewall firewall add rule name="FTP (non-SSL)" action=allow protocol=TCP dir=in localport=21',
            "netsh advfirewall set global StatefulFtp enable",
            'netsh advfirewall firewall add rule name="twistftp active" action=allow protocol=TCP dir=out localport=20',
        ]
        self.assertEqual(expected, commands(PLAIN, "netsh"))
        self.assertEqual(expected[:2], commands(PASSIVE_ONLY, "netsh"))

    def test_other_port(self) -> None:
        """For a control port other than 21 the data ports are opened beside."""
        expected = [
            'netsh advfirewall firewall add rule name="FTP (non-SSL)" action=allow protocol=TCP dir=in localport=2121',
            "netsh advfirewall set global StatefulFtp enable",
            'netsh advfirewall firewall add rule name="twistftp passive" action=allow protocol=TCP dir=in localport=50000-50003',
        ]
        self.assertEqual(expected, commands(evolve(PASSIVE_ONLY, control_ports=(2121,)), "netsh"))

    def test_ftps(self) -> None:
        """FTPS: ports by number, the filter off."""
        expected = [
            'netsh advfirewall firewall add rule name="twistftp control" action=allow protocol=TCP dir=in localport=21,990',
            'netsh advfirewall firewall add rule name="twistftp passive" action=allow protocol=TCP dir=in localport=50000-50003',
            "netsh advfirewall set global StatefulFtp disable",
        ]
        self.assertEqual(expected, commands(evolve(FTPS, active_mode=False), "netsh"))
        self.assertIn("Off is machine-wide", rules(FTPS, "netsh"))

    def test_external_address(self) -> None:
        """An external address is as FTPS."""
        self.assertIn("netsh advfirewall set global StatefulFtp disable", commands(OUTSIDE, "netsh"))
        self.assertNotIn("StatefulFtp enable", rules(OUTSIDE, "netsh"))

    def test_powershell(self) -> None:
        """The same cases in cmdlets."""
        self.assertIn("Set-NetFirewallSetting -EnableStatefulFtp True", commands(PLAIN, "powershell"))
        expected = [
            'New-NetFirewallRule -DisplayName "twistftp control" -Direction Inbound -Protocol TCP -Action Allow -LocalPort 21,990',
            'New-NetFirewallRule -DisplayName "twistftp passive" -Direction Inbound -Protocol TCP -Action Allow -LocalPort 50000-50003',
            "Set-NetFirewallSetting -EnableStatefulFtp False",
        ]
        self.assertEqual(expected, commands(evolve(FTPS, active_mode=False), "powershell"))


class UnixTests(SynchronousTestCase):
    """The commands of Unix firewalls."""

    def test_nftables(self) -> None:
        """One table that replaces itself, with two base chains that accept."""
        text = "\n".join(commands(PASSIVE_ONLY, "nftables"))
        self.assertTrue(text.startswith("add table inet twistftp\ndelete table inet twistftp\ntable inet twistftp {\n"))
        self.assertIn("type filter hook input priority filter; policy accept;\n\t\ttcp dport { 21 } counter accept", text)
        self.assertIn("tcp dport 50000-50003 counter accept", text)
        self.assertEqual(2, text.count("policy accept;"))
        self.assertIn("does not override a drop in another base chain", rules(PLAIN, "nftables"))

    def test_iptables(self) -> None:
        """Each line twice, for IPv4 and for IPv6."""
        lines = commands(PLAIN, "iptables")
        first = [line for line in lines if line.startswith("iptables -A ")]
        self.assertEqual(lines, first + [f"ip6tables{line[8:]}" for line in first])
        self.assertIn('iptables -A INPUT -p tcp --dport 50000:50003 -m comment --comment "FTP passive data" -j ACCEPT', first)

    def test_ufw(self) -> None:
        """Ports are joined by commas, ranges by colons."""
        expected = ["ufw allow 21,990/tcp comment 'FTP control'", "ufw allow 50000:50003/tcp comment 'FTP passive data'"]
        self.assertEqual(expected, commands(evolve(FTPS, active_mode=False), "ufw"))

    def test_firewalld(self) -> None:
        """A service of its own, without a helper."""
        text = rules(PASSIVE_ONLY, "firewalld")
        self.assertIn("--service=twistftp --add-port=21/tcp\n", text)
        self.assertIn("--service=twistftp --add-port=50000-50003/tcp\n", text)
        self.assertTrue(text.endswith("firewall-cmd --permanent --add-service=twistftp\nfirewall-cmd --reload\n"))

    def test_pf(self) -> None:
        """One rule for what comes in."""
        self.assertEqual(["pass in proto tcp from any to any port { 21, 50000:50003 } flags S/SA keep state"], commands(PASSIVE_ONLY, "pf"))


class CloudTests(SynchronousTestCase):
    """Containers and clouds."""

    MAPPED = evolve(OUTSIDE, external_ports=(PortRange(60000, 60003),))

    def test_docker_compose(self) -> None:
        """The ports are published as they are, or as the NAT shows them."""
        self.assertEqual(['      - "21:21"', '      - "50000-50003:50000-50003"'], commands(PLAIN, "docker-compose")[-2:])
        self.assertEqual(['      - "21:21"', '      - "60000-60003:50000-50003"'], commands(self.MAPPED, "docker-compose")[-2:])
        self.assertIn("Few ports suffice", rules(PLAIN, "docker-compose"))

    def test_kubernetes(self) -> None:
        """Each port by itself, with the inside port as its target."""
        listed = [line.strip() for line in commands(self.MAPPED, "kubernetes") if "protocol:" in line]
        self.assertEqual(5, len(listed))
        self.assertEqual("- {name: control-21, protocol: TCP, port: 21, targetPort: 21}", listed[0])
        self.assertEqual("- {name: passive-60003, protocol: TCP, port: 60003, targetPort: 50003}", listed[-1])

    def test_kubernetes_with_many_ports(self) -> None:
        """More than a balancer takes is said; more than a cluster takes is refused."""
        self.assertIn("listeners", rules(evolve(PLAIN, passive=PortRange(50000, 50100)), "kubernetes"))
        self.assertNotIn("listeners", rules(PLAIN, "kubernetes"))
        error = self.assertRaises(NoRules, rules, evolve(PLAIN, passive=LINUX, is_dynamic=True), "kubernetes")
        self.assertIn("28232 (32768-60999) are too many", str(error))

    def test_control_port_within_the_range(self) -> None:
        """A port is published once."""
        service = evolve(PLAIN, control_ports=(50001,))
        self.assertEqual(['      - "50000-50003:50000-50003"'], [line for line in commands(service, "docker-compose") if "-" in line])
        self.assertEqual(4, rules(service, "kubernetes").count("targetPort"))

    def test_terraform(self) -> None:
        """A rule for each port or range, and for IPv4 and IPv6."""
        text = rules(evolve(FTPS, active_mode=False), "terraform-aws")
        self.assertEqual(6, text.count('resource "aws_vpc_security_group_ingress_rule"'))
        self.assertIn("  from_port         = 50000\n  to_port           = 50003\n", text)


class EveryFormatTests(SynchronousTestCase):
    """What holds for all of them."""

    def test_the_table(self) -> None:
        """The formats are those of the contract."""
        names = "netsh powershell nftables iptables ufw firewalld pf docker-compose kubernetes terraform-aws"
        self.assertEqual(names.split(), list(FORMATS))

    def test_active_mode(self) -> None:
        """The outbound rule is there exactly when active mode is on."""
        for kind in FORMATS:
            for service in (PLAIN, FTPS, OUTSIDE):
                without = "\n".join(commands(evolve(service, active_mode=False), kind))
                if kind in FILTERS_OUTWARD:
                    self.assertIn(FILTERS_OUTWARD[kind], "\n".join(commands(service, kind)), kind)
                    self.assertNotIn(FILTERS_OUTWARD[kind], without, kind)
                self.assertNotIn("active", without, kind)

    def test_active_port_0(self) -> None:
        """Any source port is the whole dynamic range."""
        service = evolve(PLAIN, active_ports=(0, 20))
        self.assertIn("tcp sport 32768-60999 tcp dport 1024-65535", rules(service, "nftables"))
        self.assertIn("active_port = 20 makes a rule for one port", rules(service, "iptables"))
        self.assertIn("from any port { 32768:60999, 20 } to", rules(service, "pf"))

    def test_no_helper(self) -> None:
        """With TLS or an external address no rule leans on something that reads along, and no helper is named as a way."""
        for kind in FORMATS:
            for service in (FTPS, OUTSIDE):
                for word in ("StatefulFtp enable", "EnableStatefulFtp True", "helper ftp", "related"):
                    self.assertNotIn(word, rules(service, kind), kind)
        for kind in ("nftables", "iptables"):
            self.assertIn("helper", rules(PLAIN, kind))
            self.assertNotIn("helper", "\n".join(commands(PLAIN, kind)))

    def test_dynamic(self) -> None:
        """The remark on the dynamic range says that all of it must be open, and what is better."""
        for kind in set(FORMATS) - {"kubernetes"}:
            text = rules(evolve(PLAIN, passive=LINUX, is_dynamic=True), kind)
            self.assertIn("all 28232 ports must be open", text)
            self.assertIn("--passive-ports", text)
            self.assertNotIn("all 28232", rules(evolve(PLAIN, passive=LINUX), kind))

    @given(
        builds(
            Service,
            control_ports=lists(numbers(1, 65535), min_size=1, max_size=3).map(tuple),
            implicit_ports=sampled_from([(), (990,)]),
            passive=tuples(numbers(1024, 65000), numbers(0, 40)).map(lambda pair: PortRange(pair[0], pair[0] + pair[1])),
            ephemeral=just(LINUX),
            is_dynamic=booleans(),
            active_mode=booleans(),
            active_ports=sampled_from([(20,), (0,), (0, 20)]),
            has_external_address=booleans(),
            has_tls=booleans(),
        ),
        sampled_from(sorted(FORMATS)),
    )
    def test_any_service(self, service: Service, kind: str) -> None:
        """Rules allow and never forbid; they name every port; remarks are remarks; lines are not endless; a command prompt can read them."""
        text = rules(service, kind)
        self.assertTrue(text.isascii() and text.endswith("\n"))
        self.assertLessEqual(max(map(len, text.splitlines())), 170)
        lines = "\n".join(commands(service, kind))
        for word in ("drop", "DROP", "REJECT", "block", "deny"):
            self.assertNotIn(word, lines)
        for port in (*service.listening, service.passive.low, service.passive.high):
            self.assertIn(str(port), text)

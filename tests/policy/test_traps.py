"""Tests of ``policy.traps``."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.channels import DYNAMIC, PortRange
from twistftp.policy.settings import Authentication, FirewallSupport, Limits, Logging, ServerSettings, SiteFirewallSupport, SiteSettings
from twistftp.policy.traps import traps

LINUX = PortRange(32768, 60999)


def found(ports: PortRange, *sites: dict[str, Any], dynamic: PortRange | None = None) -> list[str]:
    made = tuple(SiteSettings("/srv", **{"name": f"s{number}"} | site) for number, site in enumerate(sites or ({},)))
    return traps(ServerSettings(made, FirewallSupport(ports)), dynamic)


class TrapTests(SynchronousTestCase):
    def one(self, *arguments: Any, **keywords: Any) -> str:
        lines = found(*arguments, **keywords)
        self.assertEqual(1, len(lines), lines)
        self.assertTrue(lines[0].isprintable())
        return lines[0]

    def test_none(self) -> None:
        """Nothing to say of good settings, nor of the dynamic range."""
        self.assertEqual([], found(PortRange(20000, 20100), dynamic=LINUX))
        self.assertEqual([], found(DYNAMIC, {"limits": Limits(max_connections=5)}, dynamic=LINUX))
        self.assertEqual([], found(PortRange(50000, 50001)))

    def test_control_port(self) -> None:
        """A control port in the range; that of a site that does not start is in nobody's way."""
        self.assertIn("hold the control port 2121 of site 's0'", self.one(PortRange(2100, 2199)))
        self.assertEqual([], found(PortRange(2100, 2199), {"auto_start": False}))
        self.assertEqual([], found(PortRange(2100, 2199), {"listen": ("tcp:21",)}))

    def test_dynamic_range(self) -> None:
        """Any port in common with the system's range, from either end."""
        for ports in (PortRange(50000, 50100), PortRange(32000, 32768), PortRange(60999, 61000), PortRange(1024, 65535)):
            self.assertIn("overlap the system's dynamic range 32768-60999", " ".join(found(ports, dynamic=LINUX)))
        for ports in (PortRange(32000, 32767), PortRange(61000, 61100)):
            self.assertEqual([], found(ports, dynamic=LINUX))

    def test_size(self) -> None:
        """Fewer ports than sessions that compete for them: those of one address, of one network, or all."""
        ports = PortRange(20000, 20009)
        self.assertIn("(max_connections = 11)", self.one(ports, {"limits": Limits(max_connections=11)}))
        self.assertIn("(max_connections_per_address = 11)", self.one(ports, {"limits": Limits(max_connections=500, max_connections_per_address=11)}))
        self.assertEqual([], found(ports, {"limits": Limits(max_connections=500, max_connections_per_address=10)}))
        off = SiteFirewallSupport(match_client_address_for_pasv=False)
        line = self.one(ports, {"limits": Limits(max_connections=500, max_connections_per_address=10), "firewall_support": off})
        self.assertIn("10 clients in all", line)

    def test_users_file_that_is_served(self) -> None:
        """A users file in the content root can be fetched; one beside it cannot."""
        for path in ("/srv/users", "/srv/a/b"):
            self.assertIn("clients can fetch the hashes", self.one(DYNAMIC, {"authentication": Authentication(users_file=path)}))
        for path in ("/srv.users", "/etc/users", ""):
            self.assertEqual([], found(DYNAMIC, {"authentication": Authentication(users_file=path)}))

    def test_everybody_is_a_balancer(self) -> None:
        """A list of balancers in which all clients are."""
        for network in ("0.0.0.0/0", "::/0"):
            site = {"firewall_support": SiteFirewallSupport(proxy_from=["10.0.0.5", network])}
            self.assertIn(f"proxy_from {network} of site 's0' is everybody", self.one(DYNAMIC, site))

    def test_format_of_no_log(self) -> None:
        """A format without a file has no effect. What holds without being written down is nothing to say anything about."""
        line = "site 's0' has a format for its access log (json) and no access log: name its file (--access-log, file)"
        self.assertEqual(line, self.one(DYNAMIC, {"logging": Logging(format="json")}))
        self.assertEqual([], found(DYNAMIC, {"logging": Logging(format="json", file="/var/log/ftp.json")}, {"logging": Logging(format="w3c")}))

    def test_private_external_address(self) -> None:
        """A private external address helps nobody outside; names and the per-network table are not judged."""
        site = {"firewall_support": SiteFirewallSupport("10.0.0.7")}
        self.assertIn("external address 10.0.0.7 of site 's0' is private", self.one(DYNAMIC, site))
        for support in (SiteFirewallSupport("203.0.113.7"), SiteFirewallSupport("a.example", external_addresses={"10.0.0.0/8": "10.0.0.1"})):
            self.assertEqual([], found(DYNAMIC, {"firewall_support": support}))

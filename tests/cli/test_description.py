"""Tests of ``cli.description``: what a server will do, in words."""

from twisted.trial.unittest import SynchronousTestCase

from twistftp.cli.description import describe_server
from twistftp.policy.channels import PortRange
from twistftp.policy.settings import (
    Authentication,
    FileHandling,
    FirewallSupport,
    Limits,
    Logging,
    Metrics,
    ServerSettings,
    SiteFirewallSupport,
    SiteSettings,
)
from twistftp.policy.tls import TLSSettings

LINUX = PortRange(32768, 60999)


def describe(site: SiteSettings, ports: str = "0-0") -> str:
    return "\n".join(describe_server(ServerSettings((site,), FirewallSupport(PortRange.parse(ports))), LINUX))


def with_support(**values: object) -> str:
    return describe(SiteSettings(root="/srv/ftp", firewall_support=SiteFirewallSupport(**values)))


class DescriptionTests(SynchronousTestCase):
    """Each setting that a client or an administrator would notice is said."""

    def test_defaults(self) -> None:
        """A site with nothing but a root."""
        expected = (
            "site 'twistftp'\n"
            "  serves /srv/ftp, for reading\n"
            "  listens on port 2121 of all addresses\n"
            "  anonymous users (anonymous, ftp) may read; there are no users with names\n"
            "  TLS: none, for there is no certificate; names, passwords and files travel in clear text\n"
            "  passive mode: clients are told the address they connected to\n"
            "  passive mode: a data connection must come from the client's own address\n"
            "  active mode: connects to the client's own address alone, from port 20 where permitted, else any port\n"
            "  ends a session after 300 s without a command, and waits 30 s for each data connection\n"
            "\n"
            "the process\n"
            "  passive ports: the system's dynamic range, 32768-60999 here; a firewall must open all of it\n"
            "  SIGTERM lets transfers finish, for at most 10 s"
        )
        self.assertEqual(expected, describe(SiteSettings(root="/srv/ftp")))

    def test_workers(self) -> None:
        """How many processes, and how many passive ports each has."""
        for ports, each in (("50000-50100", ", each with 25 or so of the passive ports"), ("0-0", "")):
            settings = ServerSettings((SiteSettings(root="/srv/ftp"),), FirewallSupport(PortRange.parse(ports)), workers=4)
            self.assertIn(f"  4 workers serve{each}; limits hold for all of them together", describe_server(settings, LINUX))

    def test_firewall_support(self) -> None:
        """Who is told which address and which ports."""
        text = with_support(
            external_address="ftp.example.org", external_addresses={"10.8.0.0/16": "10.8.0.1"}, external_ports=PortRange(60000, 60100)
        )
        self.assertIn("clients of 10.8.0.0/16 are told the address 10.8.0.1\n", text)
        self.assertIn("clients outside are told the address ftp.example.org (PASV; EPSV needs none)\n", text)
        self.assertIn("clients outside are told the ports 60000-60100", text)
        self.assertIn("clients inside (private, link-local and loopback networks) are told the local address and ports\n", text)
        self.assertIn("clients inside (10.1.0.0/16) are", with_support(external_address="203.0.113.7", internal_networks=("10.1.0.0/16",)))
        self.assertNotIn("clients inside", with_support(external_address="203.0.113.7", internal_networks=()))

    def test_tls(self) -> None:
        """What is encrypted, by which certificate, and what that asks of clients."""
        files = {"certificate": "/etc/c.pem", "private_key": "/etc/k.pem"}
        text = describe(SiteSettings("/", tls=TLSSettings(**files, control_channel="require", data_channel="require", session="require")))
        self.assertIn("TLS: nobody logs in without it; with the certificate /etc/c.pem, from version 1.2\n", text)
        self.assertIn("data connections are always encrypted, and must resume the control connection's TLS session\n", text)
        text = describe(SiteSettings("/", tls=TLSSettings(self_signed=True, implicit=True, client_certificates="require", client_ca="/etc/ca.pem")))
        self.assertIn("TLS: from the first octet (implicit); with a self-signed certificate, new at each start", text)
        self.assertIn("clients must show a certificate issued by /etc/ca.pem", text)

    def test_data_connections(self) -> None:
        """Whose data connections are taken and made."""
        self.assertIn("may come from the client's network (/24 in IPv4, /64 in IPv6)", with_support(match_client_address_for_pasv="24/64"))
        self.assertIn("may come from any address", with_support(match_client_address_for_pasv=False))
        self.assertIn("connects to any address that a client names, from any port", with_support(match_client_address_for_port=False, active_port=0))
        self.assertIn("active mode is off", with_support(active_mode=False))

    def test_balancers(self) -> None:
        """From where connections must begin with a header."""
        text = with_support(proxy_from=("10.0.0.5", "2001:db8::/64"))
        self.assertIn("  connections from 10.0.0.5/32, 2001:db8::/64 must begin with a PROXY header, and are those of the clients", text)

    def test_uploads(self) -> None:
        """What becomes of them; where nobody may write, nothing."""
        users = Authentication(strcred=("memory:a:b",))
        text = describe(SiteSettings("/", authentication=users))
        self.assertIn("\n  an upload that breaks leaves what was there before; a rename never replaces a file\n", text)
        text = describe(SiteSettings("/", authentication=users, file_handling=FileHandling(True, True, True, True)))
        self.assertIn("breaks stays, to be resumed, and can be fetched before it is complete, and one that is whole is on the disk before 226;", text)
        self.assertIn("; a rename may replace a file\n", text)
        self.assertNotIn("upload", describe(SiteSettings("/")))

    def test_users(self) -> None:
        """Kinds of authentication are named, what may hold a password is not."""
        text = describe(SiteSettings(root="/", authentication=Authentication(anonymous=False, strcred=("memory:alice:secret",))))
        self.assertIn("anonymous users are refused; users with names log in by memory and may write\n", text)
        self.assertNotIn("secret", text)

    def test_limits(self) -> None:
        """Limits that are set are said."""
        self.assertIn("at most 50 connections, 2 from one", describe(SiteSettings(root="/", limits=Limits(50, 2))))
        text = describe(SiteSettings(root="/", limits=Limits(min_bytes_per_second=5, max_bytes_per_second=10, max_site_bytes_per_second=20)))
        self.assertIn("moves at most 10 bytes a second on each data connection, 20 bytes a second on all of them together\n", text)
        self.assertIn("ends transfers that are slower than 5 bytes a second\n", text)
        self.assertIn("at most any number of connections, 2 from", describe(SiteSettings(root="/", limits=Limits(max_connections_per_address=2))))

    def test_places(self) -> None:
        """Host names, endpoints, and sites that are not started."""
        text = describe(SiteSettings(root="/", host_name="ftp.example.org", listen=("tcp:21", "unix:/run/ftp"), auto_start=False), "5000")
        for words in ("virtual host ftp.example.org", "listens on tcp:21 and unix:/run/ftp\n", "is not started", "passive ports: 5000 alone;"):
            self.assertIn(words, text)
        self.assertIn("passive ports: 50000-50003, 4 of them;", describe(SiteSettings(root="/"), "50000-50003"))

    def test_logs(self) -> None:
        """Where lines and metrics go."""
        site = SiteSettings(root="/", logging=Logging(file="/var/log/ftp.log", format="json", capture="/var/capsules"))
        text = "\n".join(describe_server(ServerSettings((site,), metrics=Metrics("tcp:9121")), LINUX))
        self.assertIn("writes an access log to /var/log/ftp.log (json)\n", text)
        self.assertIn("secrets masked, to files in /var/capsules\n", text)
        self.assertIn("metrics for Prometheus: tcp:9121\n", text)

    def test_several_sites(self) -> None:
        """Each has its paragraph."""
        sites = tuple(SiteSettings(root="/", name=name) for name in ("a", "b"))
        text = "\n".join(describe_server(ServerSettings(sites), LINUX))
        self.assertIn("site 'b'", text)
        self.assertIn("the process with its 2 sites", text)

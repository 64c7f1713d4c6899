"""
Tests of ``policy.firewall_rules`` with the firewalls themselves: rules load, and let through what they should and nothing else.

In network namespaces; skipped, with the reason, where those or a tool are not to be had.
"""

from __future__ import annotations

import errno
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable
from ftplib import FTP
from pathlib import Path
from unittest import SkipTest

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.support.namespaces import Laboratory, Namespace, missing
from twistftp.policy.channels import PortRange
from twistftp.policy.firewall_rules.formats import rules
from twistftp.policy.firewall_rules.service import Service

LINUX = PortRange(32768, 60999)
SERVICE = Service(control_ports=(21,), passive=PortRange(50000, 50003), ephemeral=LINUX)
FTPS = evolve(SERVICE, has_tls=True, implicit_ports=(990,), active_mode=False)
CASES = {
    "plain": SERVICE,
    "FTPS": FTPS,
    "external address": evolve(SERVICE, has_external_address=True, external_ports=(PortRange(60000, 60003),)),
    "dynamic": evolve(SERVICE, passive=LINUX, is_dynamic=True),
    "any active port": evolve(SERVICE, active_ports=(0, 20)),
    "one port": evolve(SERVICE, passive=PortRange(50000, 50000)),
}
# Where somebody listens: what should be open, its neighbours, and other programs' ports.
TRIED = (20, 21, 22, 49999, 50000, 50003, 50004, 60000)
OPEN = [21, 50000, 50003]

# An administrator's policy. What it does not name is reset, not dropped, so that the tests need not wait; a reset must get out, too.
DROPPING = """
{0} -P INPUT DROP
{0} -P OUTPUT DROP
{0} -A INPUT -i lo -j ACCEPT
{0} -A OUTPUT -o lo -j ACCEPT
{0} -A INPUT -p {1} -j ACCEPT
{0} -A OUTPUT -p {1} -j ACCEPT
"""
RESETTING = """
{0} -A INPUT -p tcp -j REJECT --reject-with tcp-reset
{0} -A OUTPUT -p tcp --tcp-flags RST RST -j ACCEPT
{0} -A OUTPUT -p tcp -j REJECT --reject-with tcp-reset
"""
PROGRAMS = (("iptables", "icmp"), ("ip6tables", "icmpv6"))


class LoadedTests(SynchronousTestCase):
    """A client, a router and a server; the firewall is the server's."""

    def setUp(self) -> None:
        if reason := missing():
            raise SkipTest(reason)

    def laboratory(self) -> Laboratory:
        return self.enterContext(Laboratory())

    def shell(self, machine: Namespace, text: str) -> None:
        """Run lines in a shell; each must succeed."""
        done = machine.run("sh", "-e", "-c", text)
        self.assertEqual((0, b""), (done.returncode, done.stderr), text)

    def listen(self, machine: Namespace, ports: Iterable[int]) -> None:
        with machine.inside():
            for port in ports:
                self.enterContext(socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True))

    def reached(self, lab: Laboratory, address: str) -> list[int]:
        """The ports of the server that the client can connect to."""
        return [port for port in TRIED if self.connects(lab.client, (address, port))]

    def connects(self, machine: Namespace, address: tuple[str, int], source: tuple[str, int] | None = None) -> bool:
        """Whether a connection comes about; the alternative is a reset, for nothing is dropped here without one."""
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        outcome = errno.EHOSTUNREACH
        until = time.monotonic() + 20
        # A link that has just come up may take a moment until the kernels at its ends have found each other.
        while outcome in {errno.EHOSTUNREACH, errno.ENETUNREACH} and time.monotonic() < until:
            with machine.inside(), socket.socket(family, socket.SOCK_STREAM) as one:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # an earlier connection from the same port lingers
                one.settimeout(20)
                if source:
                    one.bind(source)
                outcome = one.connect_ex(address)
        self.assertIn(outcome, (0, errno.ECONNREFUSED), (address, source, errno.errorcode.get(outcome)))
        return outcome == 0

    def assert_lists(self, lab: Laboratory) -> None:
        """A real server behind the firewall lists, in passive and in active mode, over IPv4 and IPv6."""
        directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (directory / "pub").mkdir()
        (directory / "pub" / "file.txt").write_text("hello")
        with lab.serving(directory, "--passive-ports", "50000-50003"), lab.client.inside():
            for address in (lab.server_address, lab.server_address6):
                with FTP(address, "anonymous", timeout=20) as client:
                    for is_passive in (True, False):
                        client.set_pasv(is_passive)
                        self.assertEqual(["file.txt"], client.nlst())


class NftablesTests(LoadedTests):
    """The table ``inet twistftp``."""

    def test_syntax(self) -> None:
        """nft accepts the rules of every case."""
        machine = self.enterContext(Namespace("nft"))
        for name, service in CASES.items():
            with machine.inside():
                text = rules(service, "nftables")
                done = subprocess.run(["nft", "-c", "-f", "-"], input=text, capture_output=True, text=True, timeout=30, check=False)
            self.assertEqual((0, ""), (done.returncode, done.stderr), name)

    def test_loading(self) -> None:
        """It can be loaded again and again: there is one table, and other tables stay. The listing shows ports and names."""
        machine = self.enterContext(Namespace("nft"))
        machine.nft("table inet filter { chain input { type filter hook input priority 0; policy drop; }; }")
        for _ in range(2):
            machine.nft(rules(SERVICE, "nftables"))
        listing = machine.run("nft", "list", "ruleset").stdout.decode()
        self.assertEqual(1, listing.count("table inet twistftp {"))
        self.assertEqual(1, listing.count('tcp dport 50000-50003 counter packets 0 bytes 0 accept comment "FTP passive data"'))
        self.assertEqual(1, listing.count("policy drop"))

    def test_counters(self) -> None:
        """Its counters show which rules are used; on a machine that drops nothing it changes nothing."""
        lab = self.laboratory()
        lab.server.nft(rules(SERVICE, "nftables"))
        self.listen(lab.server, TRIED)
        self.assertTrue(self.connects(lab.client, (lab.server_address, 50000)))
        self.assertTrue(self.connects(lab.client, (lab.server_address, 22)))
        listing = lab.server.run("nft", "list", "table", "inet", "twistftp").stdout.decode()
        counters = re.findall(r'counter packets (\d+) bytes \d+ accept comment "([^"]+)"', listing)
        self.assertEqual(["FTP passive data", "FTP passive data, replies"], sorted(name for packets, name in counters if packets != "0"))

    def insert(self, machine: Namespace, text: str) -> None:
        """Do what the remark says to somebody whose chain drops."""
        lines = re.findall(r"^#   (nft insert rule .*)$", text, re.MULTILINE)
        self.assertEqual(2, len(lines))
        self.shell(machine, "\n".join(lines))

    def test_with_a_chain_that_drops(self) -> None:
        """As the remark says: the table alone does not help, its lines for the administrator's own chain do, and open nothing else."""
        lab = self.laboratory()
        lab.server.nft(
            "table inet filter { chain input { type filter hook input priority 10; policy drop; meta l4proto { icmp, icmpv6 } accept; "
            "meta l4proto tcp reject with tcp reset; }; }"
        )
        text = rules(SERVICE, "nftables")
        lab.server.nft(text)
        self.listen(lab.server, TRIED)
        self.assertEqual([], self.reached(lab, lab.server_address))
        self.insert(lab.server, text)
        for address in (lab.server_address, lab.server_address6):
            self.assertEqual(OPEN, self.reached(lab, address))

    def test_a_real_session(self) -> None:
        """A server behind a chain that drops lists, once the lines are in the chain."""
        lab = self.laboratory()
        lab.server.nft("table inet filter { chain input { type filter hook input priority 0; policy drop; meta l4proto { icmp, icmpv6 } accept; }; }")
        text = rules(SERVICE, "nftables")
        lab.server.nft(text)
        self.insert(lab.server, text)
        self.assert_lists(lab)


class IptablesTests(LoadedTests):
    """The lines for iptables and ip6tables, between a policy that drops and its last rules."""

    def setUp(self) -> None:
        super().setUp()
        if shutil.which("iptables") is None or shutil.which("ip6tables") is None:
            raise SkipTest("without iptables and ip6tables their rules cannot be loaded")

    def test_syntax(self) -> None:
        """Both programs accept the lines of every case."""
        for name, service in CASES.items():
            with self.subTest(name), Namespace("iptables") as machine:
                self.shell(machine, rules(service, "iptables"))

    def guarded(self, service: Service) -> Laboratory:
        """A laboratory whose server drops, both ways, what the printed lines do not allow."""
        lab = self.laboratory()
        for program, icmp in PROGRAMS:
            self.shell(lab.server, DROPPING.format(program, icmp))
        self.shell(lab.server, rules(service, "iptables"))
        for program, _ in PROGRAMS:
            self.shell(lab.server, RESETTING.format(program))
        return lab

    def test_what_comes_in(self) -> None:
        """Control and passive ports are open, others are not."""
        lab = self.guarded(SERVICE)
        self.listen(lab.server, TRIED)
        for address in (lab.server_address, lab.server_address6):
            self.assertEqual(OPEN, self.reached(lab, address))

    def test_active_mode(self) -> None:
        """Connections go out from port 20 and from no other, and not below port 1024."""
        lab = self.guarded(SERVICE)
        self.listen(lab.client, (1023, 3456))
        for own, client in ((lab.server_address, lab.client_address), (lab.server_address6, lab.client_address6)):
            self.assertTrue(self.connects(lab.server, (client, 3456), (own, 20)))
            self.assertFalse(self.connects(lab.server, (client, 1023), (own, 20)))
            self.assertFalse(self.connects(lab.server, (client, 3456), (own, 2000)))

    def test_without_active_mode(self) -> None:
        """Nothing goes out."""
        lab = self.guarded(evolve(SERVICE, active_mode=False))
        self.listen(lab.client, (3456,))
        self.assertFalse(self.connects(lab.server, (lab.client_address, 3456), (lab.server_address, 20)))

    def test_a_real_session(self) -> None:
        """A server behind all this lists, over IPv4 and IPv6."""
        self.assert_lists(self.guarded(SERVICE))


class TerraformTests(SynchronousTestCase):
    """The tool's own opinion of the text."""

    def test_format(self) -> None:
        """``terraform fmt`` reads it and would change nothing."""
        terraform = shutil.which("terraform")
        if terraform is None:
            raise SkipTest("without terraform its format is not checked")
        for service in CASES.values():
            text = rules(service, "terraform-aws")
            done = subprocess.run([terraform, "fmt", "-"], input=text, capture_output=True, text=True, timeout=30, check=False)
            self.assertEqual(text, done.stdout, done.stderr)

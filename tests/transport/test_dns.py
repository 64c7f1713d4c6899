"""Tests of ``transport.dns``, with a name server of Twisted's on this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, fail, inlineCallbacks, succeed
from twisted.internet.protocol import DatagramProtocol
from twisted.names import common, dns, server
from twisted.names.error import DNSNameError
from twisted.trial.unittest import SynchronousTestCase, TestCase

from twistftp.transport import dns as dns_module
from twistftp.transport.dns import DNS
from twistftp.transport.resolver import LookupFailed

ROOT = Path(__file__).resolve().parents[2]


class Zone(common.ResolverBase):
    """An alias and its two addresses; everything else does not exist."""

    def _lookup(self, name, cls, kind, timeout=None):
        if name != b"ftp.example.org" or kind != dns.A:
            return fail(DNSNameError())
        alias = dns.RRHeader(name, dns.CNAME, dns.IN, 7, dns.Record_CNAME("host.example.org", 7))
        records = [dns.RRHeader("host.example.org", dns.A, dns.IN, 60, dns.Record_A(address, 60)) for address in ("203.0.113.7", "203.0.113.8")]
        return succeed(([alias, *records], [], []))


class DNSTests(TestCase):
    timeout = 20

    def setUp(self):
        self.directory = Path(self.mktemp())
        self.directory.mkdir(parents=True)
        self.hosts = self.directory / "hosts"
        self.hosts.write_text("203.0.113.9 static.example.org\n")

    def ask(self, protocol):
        port = reactor.listenUDP(0, protocol, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return DNS(reactor, [("127.0.0.1", port.getHost().port)], hosts=str(self.hosts))

    @inlineCallbacks
    def test_answers(self):
        """P-PB-14: the addresses of a name, through its alias, and the shortest time among them; the hosts file comes first."""
        ask = self.ask(dns.DNSDatagramProtocol(server.DNSServerFactory(clients=[Zone()])))
        answer = yield ask("ftp.example.org")
        self.assertEqual((["203.0.113.7", "203.0.113.8"], 7.0), answer)
        answer = yield ask("static.example.org")
        self.assertEqual(["203.0.113.9"], answer[0])
        failed = yield self.assertFailure(ask("nix.example.org"), LookupFailed)
        self.assertEqual("there is no such name", str(failed))

    @inlineCallbacks
    def test_no_answer(self):
        """Nobody answers: the question ends by itself."""
        self.patch(dns_module, "_TIMEOUTS", (0.05, 0.05))
        failed = yield self.assertFailure(self.ask(DatagramProtocol())("ftp.example.org"), LookupFailed)
        self.assertEqual("no name server answers", str(failed))

    @inlineCallbacks
    def test_cancelled(self):
        """A question that is given up leaves neither a delayed call nor a port: trial would fail the test."""
        ask = self.ask(DatagramProtocol())
        question = ask("ftp.example.org")
        question.cancel()
        yield self.assertFailure(question, CancelledError)


class ServersTests(SynchronousTestCase):
    def test_resolv_conf(self):
        """It is read for each question; what was read last holds when it is gone (``--chroot``)."""
        file = Path(self.mktemp())
        ask = DNS(None, resolv_conf=str(file))
        self.assertEqual([("127.0.0.1", 53)], ask._find_servers())
        file.write_text("search example.org\nnameserver 192.0.2.53\nnameserver\n# nameserver 192.0.2.54\n")
        ask.prepare()
        self.assertEqual([("192.0.2.53", 53)], ask._find_servers())
        file.write_text("nameserver 2001:db8::53\nnameserver 192.0.2.55")
        self.assertEqual([("2001:db8::53", 53), ("192.0.2.55", 53)], ask._find_servers())
        file.unlink()
        self.assertEqual([("2001:db8::53", 53), ("192.0.2.55", 53)], ask._find_servers())

    def test_import(self):
        """Importing and making one installs no reactor, and twisted.names waits until it is needed."""
        wanted = "[name for name in ('twisted.internet.reactor', 'twisted.names') if name in sys.modules]"
        code = f"import sys; from twistftp.transport.dns import DNS; DNS(None)\nprint({wanted})"
        said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
        self.assertEqual("[]\n", said.stdout, said.stderr)

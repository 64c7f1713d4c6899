"""What a client and the log learn when a firewall is in the way."""

from __future__ import annotations

from twisted.trial.unittest import SkipTest

from tests.firewall.scene import DROP_ALL_BUT, IMPATIENT, FirewallCase
from twistftp.options import Options

_HELPER = """
table inet helped {
    ct helper ftp-std { type "ftp" protocol tcp; }
    chain pre { type filter hook prerouting priority filter; tcp dport 21 ct helper set "ftp-std"; }
}
"""


class WhyTests(FirewallCase):
    def test_client_connects_first(self) -> None:
        """
        Case 1 as most programs meet it (P-TEXT-11): they connect before they send the transfer command, so they never send it. The log
        has a line all the same, and so has SITE WHY.
        """
        lab = self.laboratory()
        lab.server.nft(DROP_ALL_BUT.format("tcp dport 21 ct state new accept"))
        server = self.serve("--passive-ports", "50000-50004")
        client = self.client()
        address = client.passive()
        self.assertRaises(TimeoutError, lab.client.connect, address, timeout=3.2)
        client.passive()
        reply = client.say("SITE WHY")
        for part in ("214-Last failed data connection: never arrived.", f"port {address[1]} within 3 s", "Open TCP 50000-50004"):
            self.assertIn(part, reply)
        line = server.wait_for("no transfer: ").string
        self.assertIn(f"198.51.100.10 ftp: no transfer: No connection reached port {address[1]} within 3 s", line)

    def test_client_gives_up(self) -> None:
        """Case 1 with a client that has sent the command and leaves before the 425: the log says what it waited for."""
        lab = self.laboratory()
        lab.server.nft(DROP_ALL_BUT.format("tcp dport 21 ct state new accept"))
        server = self.serve("--passive-ports", "50000-50004")
        client = self.client()
        address = client.passive()
        client.control.sendall(b"RETR readme\r\n")
        self.assertRaises(TimeoutError, lab.client.connect, address, timeout=3.2)
        client.close()
        self.assertIn(f"RETR /readme failed: No connection reached port {address[1]} within 3 s", server.wait_for("RETR /readme failed").string)

    def test_filter(self) -> None:
        """
        Case 3 with the mistake of P-PB-15: connection tracking opens the data ports and an external address is set, so the kernel
        takes no notice of 227 and PASV fails, while EPSV works. After three such the 425 says what it looks like, and what to use.
        """
        if "external-address" not in {row[0] for row in Options.optParameters} and not hasattr(Options, "opt_external_address"):
            raise SkipTest("there is no --external-address yet")
        lab = self.laboratory()
        lab.server.nft(DROP_ALL_BUT.format("tcp dport 21 ct state new accept") + _HELPER)
        self.serve("--passive-ports", "50000-50004", "--external-address", "203.0.113.99", config=IMPATIENT)
        client = self.client()
        self.assertFetches(client, client.extended())
        for likely in (False, False, True):
            address = client.passive()
            self.assertEqual("203.0.113.99", address[0])
            with client.knock((lab.server_address, address[1])):
                reply = client.say("RETR readme")
            self.assertTrue(reply.startswith("425 No connection reached port"), reply)
            self.assertEqual(likely, "a stateful FTP filter is likely; use EPSV." in reply, reply)
        self.assertIn("Last failed data connection: filter suspected.", client.say("SITE WHY"))
        self.assertFetches(client, client.extended())

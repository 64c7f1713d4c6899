"""Ports that the server's own firewall lets in, and those that it does not."""

from __future__ import annotations

import re

from tests.firewall.scene import DROP_ALL_BUT, IMPATIENT, FirewallCase


class RangeTests(FirewallCase):
    def test_closed(self) -> None:
        """Case 1, the range is closed (P-DC-6, P-TEXT-11): login works; the listing ends with a 425 that names port, seconds, range and cure."""
        lab = self.laboratory()
        lab.server.nft(DROP_ALL_BUT.format("tcp dport 21 ct state new accept"))
        self.serve("--passive-ports", "50000-50004", config=IMPATIENT)
        client = self.client()
        address = client.passive()
        with client.knock(address):
            reply = client.say("LIST")
        self.assertTrue(reply.startswith("425 "), reply)
        for part in (f"port {address[1]} ", " 1 s", "50000-50004", "firewall"):
            self.assertIn(part, reply)
        self.assertGreater(lab.server.counter("refused"), 0, "it was the firewall")
        self.assertEqual("257", client.say("PWD")[:3], "the session lives")

    def test_open(self) -> None:
        """Case 2, control port and range are open, all else is dropped: plain PASV and EPSV work, for curl and ftplib too."""
        lab = self.laboratory()
        lab.server.nft(DROP_ALL_BUT.format("tcp dport { 21, 50000-50004 } ct state new accept"))
        self.serve("--passive-ports", "50000-50004")
        client = self.client()
        for _ in range(8):
            for address in (client.passive(), client.extended()):
                self.assertIn(address[1], range(50000, 50005))
                self.assertEqual(lab.server_address, address[0])
            self.assertFetches(client, address)
            self.assertFetches(client, client.passive())
        names: list[str] = []
        with lab.client.inside():
            ftp = self.ftplib()
            ftp.retrlines("NLST", names.append)
        self.assertEqual(33, len(names))
        for option in ("--disable-epsv", "--ftp-pasv"):
            done = lab.client.run("curl", "-sS", "--max-time", "10", option, f"ftp://{lab.server_address}/readme")
            self.assertEqual((0, b"hello\n"), (done.returncode, done.stdout), done.stderr)
        self.assertEqual(0, lab.server.counter("refused"))

    def test_never_outside_the_range(self) -> None:
        """Case 2, the other way round (P-DC-11): with all ports of a tiny range leased, the answer is a 425, no port outside."""
        lab = self.laboratory()
        lab.server.nft(DROP_ALL_BUT.format("tcp dport { 21, 50000 } ct state new accept"))
        self.serve("--passive-ports", "50000")
        holder, late = self.client(), self.client()
        self.assertEqual(50000, holder.passive()[1])
        reply = late.say("PASV")
        self.assertTrue(reply.startswith("425 "), reply)
        self.assertFetches(holder, (lab.server_address, 50000))
        self.assertFetches(late, late.passive())

    def test_ipv6(self) -> None:
        """Case 7, IPv6 alone (P-PB-10): 502 to PASV, EPSV and EPRT work, through a firewall of the same rules."""
        lab = self.laboratory(ipv4=False)
        lab.server.nft(DROP_ALL_BUT.format("tcp dport { 21, 50000-50004 } ct state new accept"))
        self.serve("--passive-ports", "50000-50004")
        client = self.client(address=lab.server_address6)
        self.assertEqual("502", client.say("PASV")[:3])
        self.assertFetches(client, client.extended())
        done = lab.client.run("curl", "-sS", "--max-time", "10", f"ftp://[{lab.server_address6}]/readme")
        self.assertEqual((0, b"hello\n"), (done.returncode, done.stdout), done.stderr)
        listener = client.listen(lab.client_address6)
        reply = client.say(f"EPRT |2|{lab.client_address6}|{listener.getsockname()[1]}|")
        self.assertEqual("200", reply[:3], reply)
        reply, octets = client.fetch_actively("readme", listener)
        self.assertEqual(("226", b"hello\n"), (reply[:3], octets))


class StatefulTests(FirewallCase):
    """Case 3: connection tracking opens the data ports, because it understands what the server says."""

    HELPED = """
    table inet helped {
        ct helper ftp-std { type "ftp" protocol tcp; }
        chain pre {
            type filter hook prerouting priority filter;
            tcp dport 21 ct helper set "ftp-std"
        }
    }
    """

    def test_helper(self) -> None:
        """Case 3 (P-PB-1, P-PB-3): port 21 and established,related alone are open; 227 and 229 work, again and again."""
        lab = self.laboratory()
        self._close_all_but_21()
        lab.server.nft(self.HELPED)
        self.serve("--passive-ports", "50000-50100")
        client = self.client()
        for _ in range(8):
            self.assertFetches(client, client.passive())
            self.assertFetches(client, client.extended())
        self.assertEqual(0, lab.server.counter("refused"))

    def test_pipelined(self) -> None:
        """Case 3, pipelined (P-PB-4, P-PB-5): 227 and 229 come behind other replies and still start a segment of their own."""
        lab = self.laboratory()
        self._close_all_but_21()
        lab.server.nft(self.HELPED)
        self.serve("--passive-ports", "50000-50100")
        client = self.client()
        for before in (("NOOP",), ("PWD", "NOOP", "FEAT"), ("HELP", "SYST", "TYPE A", "TYPE I"), ("NOOP",) * 20):
            self.assertFetches(client, client.passive(*before))
            self.assertFetches(client, client.extended(*before))
            address = client.passive(*before, "EPSV", *before)  # and the older of two is no hindrance
            self.assertFetches(client, address)
        self.assertEqual(0, lab.server.counter("refused"))

    def test_ports_left_unused(self) -> None:
        """
        Case 3, again and again (DESIGN §3): the kernel drops a 227 that names a port which the same client left unused in an earlier
        session, and such a client would hang. It gets other ports while there are any.
        """
        lab = self.laboratory()
        self._close_all_but_21()
        lab.server.nft(self.HELPED)
        self.serve("--passive-ports", "50000-50004")
        for _ in range(3):
            client = self.client()
            client.passive()
            client.close()
        client = self.client()
        for _ in range(6):
            self.assertFetches(client, client.passive())
            self.assertFetches(client, client.extended())

    def test_real_clients(self) -> None:
        """Case 3, with the clients that people use."""
        lab = self.laboratory()
        self._close_all_but_21()
        lab.server.nft(self.HELPED)
        self.serve("--passive-ports", "50000-50100")
        for option in ("--disable-epsv", "--ftp-pasv"):
            done = lab.client.run("curl", "-sS", "--max-time", "10", option, f"ftp://{lab.server_address}/readme")
            self.assertEqual((0, b"hello\n"), (done.returncode, done.stdout), done.stderr)
        with lab.client.inside():
            octets: list[bytes] = []
            self.ftplib().retrbinary("RETR 7", octets.append)
        self.assertEqual((self.root / "7").read_bytes(), b"".join(octets))

    def test_without_helper(self) -> None:
        """Case 3, the control: the same rules without the helper end in a 425, so it was the helper that worked above."""
        self.laboratory()
        self._close_all_but_21()
        self.serve("--passive-ports", "50000-50100", config=IMPATIENT)
        client = self.client()
        with client.knock(client.passive()):
            reply = client.say("RETR readme")
        self.assertTrue(re.match(r"425 No connection reached port \d+ within 1 s", reply), reply)

    def _close_all_but_21(self) -> None:
        self.lab.server.nft(DROP_ALL_BUT.format("tcp dport 21 ct state new accept"))

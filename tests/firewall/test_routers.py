"""Routers between client and server: address translation on either side, port forwarding, paths that break."""

from __future__ import annotations

import socket
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.firewall.scene import DROP_ALL_BUT, IMPATIENT, FirewallCase, port_argument
from twistftp.options import Options

_MASQUERADE = """
table ip nat {
    chain post { type nat hook postrouting priority srcnat; oif s0 masquerade; }
}
"""
_NAT_HELPER = """
table ip helped {
    ct helper ftp-std { type "ftp" protocol tcp; }
    chain pre { type filter hook prerouting priority filter; tcp dport 21 ct helper set "ftp-std"; }
}
"""
_FORWARD_TO_LAN = """
table ip nat {
    chain pre { type nat hook prerouting priority dstnat; iif c0 tcp dport { 21, 50000-50004 } dnat to 10.0.0.20; }
}
table ip filter {
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        ct status dnat accept
    }
}
"""
_CUT = """
table ip cut {
    chain forward { type filter hook forward priority filter; tcp sport 50000-50004 drop; tcp dport 50000-50004 drop; }
}
"""


class SharingTests(FirewallCase):
    """Clients that meet on one port: each gets its own octets (P-DC-4)."""

    def test_behind_one_nat(self) -> None:
        """Case 4, two clients behind one NAT and a range of one port: the second waits for the first one's lease, and each gets its own file."""
        lab = self.laboratory(client_net="192.168.7")
        lab.router.nft(_MASQUERADE)
        lab.server.nft(DROP_ALL_BUT.format("tcp dport { 21, 50000 } ct state new accept"))
        self.serve("--passive-ports", "50000")
        one, two = (self.client(address) for address in lab.client_addresses[:2])
        for _ in range(3):
            address = one.passive()
            self.assertEqual(50000, address[1])
            two.control.sendall(b"PASV\r\nRETR 2\r\n")
            self.assertFetches(one, address, "1")
            reply = two.hear()
            self.assertEqual("227", reply[:3], reply)
            with two.open(address) as data:
                self.assertEqual("150", two.hear()[:3])
                octets = b"".join(iter(lambda data=data: data.recv(65536), b""))  # type: ignore[misc]
            self.assertEqual(("226", (self.root / "2").read_bytes()), (two.hear()[:3], octets))
            one, two = two, one

    def test_programs_behind_one_nat(self) -> None:
        """Case 4, with programs that start at the same moment."""
        lab = self.laboratory(client_net="192.168.7")
        lab.router.nft(_MASQUERADE)
        self.serve("--passive-ports", "50000")
        for attempt in range(3):
            started = [
                lab.client.start("curl", "-sS", "--max-time", "10", "--interface", address, f"ftp://{lab.server_address}/{number}")
                for number, address in enumerate(lab.client_addresses[attempt : attempt + 2])
            ]
            for number, process in enumerate(started):
                octets, errors = process.communicate(timeout=20)
                self.assertEqual((0, (self.root / str(number)).read_bytes()), (process.returncode, octets), errors)

    def test_twenty_on_one_port(self) -> None:
        """Case 5, twenty clients with addresses of their own hold one port at once; each gets its own file, in whatever order they come."""
        lab = self.laboratory()
        lab.server.nft(DROP_ALL_BUT.format("tcp dport { 21, 50000 } ct state new accept"))
        self.serve("--passive-ports", "50000")
        clients = [self.client(address) for address in lab.client_addresses[:20]]
        where = [client.passive() for client in clients]
        self.assertEqual({(lab.server_address, 50000)}, set(where))
        for number, client in reversed(list(enumerate(clients))):  # half of them connect first, as ftplib does, half ask first
            if number % 2:
                client.data = client.open(where[number])  # type: ignore[attr-defined]
            client.control.sendall(f"RETR {number}\r\n".encode())
        for number, client in enumerate(clients):
            data: socket.socket = client.data if number % 2 else client.open(where[number])  # type: ignore[attr-defined]
            with data:
                octets = b"".join(iter(lambda data=data: data.recv(65536), b""))  # type: ignore[misc]
            self.assertEqual((self.root / str(number)).read_bytes(), octets)
            self.assertEqual(["150", "226"], [client.hear()[:3] for _ in range(2)])

    def test_from_another_address(self) -> None:
        """A client whose data connections leave by another address (P-DC-10, P-TEXT-13): the stranger gets nothing, the 425 names it."""
        lab = self.laboratory()
        self.serve("--passive-ports", "50000", config=IMPATIENT)
        client = self.client(lab.client_addresses[0])
        address = client.passive()
        with lab.client.connect(address, lab.client_addresses[1]) as stranger:
            reply = client.say("RETR readme")
            self.assertEqual(b"", self._all_of(stranger))
        self.assertTrue(reply.startswith("425 "), reply)
        self.assertIn(lab.client_addresses[1], reply)
        self.assertFetches(client, client.passive())

    def _all_of(self, skt: socket.socket) -> bytes:
        try:
            return b"".join(iter(lambda: skt.recv(65536), b""))
        except ConnectionResetError:
            return b""


class BrokenPathTests(FirewallCase):
    def test_cut_in_mid_transfer(self) -> None:
        """Case 6, the data path is cut while octets flow (P-DX-6, P-TEXT-14): 426 after the stall time, and the session lives."""
        lab = self.laboratory()
        with (self.root / "big").open("wb") as file:
            file.truncate(256 << 20)
        self.serve("--passive-ports", "50000-50004", config=IMPATIENT)
        client = self.client()
        with client.open(client.passive()) as data:
            self.assertEqual("150", client.say("RETR big")[:3])
            self.assertTrue(data.recv(65536))
            lab.router.nft(_CUT)
            reply = client.hear()
        self.assertTrue(reply.startswith("426 "), reply)
        self.assertIn("no data for 1 s", reply)
        self.assertEqual("200", client.say("NOOP")[:3])
        lab.router.nft("delete table ip cut")
        self.assertFetches(client, client.passive())

    def test_client_reset(self) -> None:
        """A reset in mid-transfer (P-DX-4): 426, at once, and the session lives."""
        lab = self.laboratory()
        with (self.root / "big").open("wb") as file:
            file.truncate(256 << 20)
        self.serve("--passive-ports", "50000-50004")
        client = self.client()
        data = client.open(client.passive())
        self.assertEqual("150", client.say("RETR big")[:3])
        data.recv(65536)
        data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        data.close()
        self.assertIn("426 Data connection lost", client.hear())
        self.assertFetches(client, client.extended())
        del lab


class ForwardingTests(FirewallCase):
    """The server behind a router that forwards its ports."""

    def forwarded(self, *options: str, config: str = "") -> Any:
        lab = self.laboratory(server_net="10.0.0")
        lab.router.nft(_FORWARD_TO_LAN)
        self.serve("--passive-ports", "50000-50004", *options, config=config)
        return lab

    def test_external_address(self) -> None:
        """Case 8 (P-PB-11, P-PB-13): with --external-address a client outside is told that address, one in the local network the local one."""
        if "external-address" not in {row[0] for row in Options.optParameters} and not hasattr(Options, "opt_external_address"):
            raise SkipTest("there is no --external-address yet")
        lab = self.forwarded("--external-address", "198.51.100.1")
        outside = self.client(address="198.51.100.1")
        address = outside.passive()
        self.assertEqual("198.51.100.1", address[0])
        self.assertFetches(outside, address)
        self.assertFetches(outside, outside.extended())
        inside = self.client(machine=lab.router)
        address = inside.passive()
        self.assertEqual(lab.server_address, address[0])
        self.assertFetches(inside, address)

    def test_without_external_address(self) -> None:
        """Case 8, the mistake (P-PB-8): without it a 227 names the private address, useless outside, and the 425 says so; 229 works."""
        lab = self.forwarded(config=IMPATIENT)
        outside = self.client(address="198.51.100.1")
        address = outside.passive()
        self.assertEqual(lab.server_address, address[0])
        with outside.knock(address):
            self.assertIn("you were told 10.0.0.20, a private address; use EPSV.", outside.say("RETR readme"))
        self.assertFetches(outside, outside.extended())


class ActiveTests(FirewallCase):
    """The server connects: PORT and EPRT."""

    def test_open(self) -> None:
        """Without a NAT active mode works, through a server's firewall that lets nothing in but port 21 (P-DC-7)."""
        lab = self.laboratory()
        lab.server.nft(DROP_ALL_BUT.format("tcp dport 21 ct state new accept"))
        self.serve()
        client = self.client()
        for _ in range(3):
            listener = client.listen(lab.client_address)
            argument = port_argument(*listener.getsockname())
            self.assertEqual("200", client.say(f"PORT {argument}")[:3])
            reply, octets = client.fetch_actively("readme", listener)
            self.assertEqual(("226", b"hello\n"), (reply[:3], octets))

    def test_through_a_nat(self) -> None:
        """Case 9 (P-TEXT-30, P-TEXT-12): PORT with the private address is a 501 that names both; with the router's own, a 425."""
        lab = self.laboratory(client_net="192.168.7")
        lab.router.nft(_MASQUERADE)
        self.serve(config=IMPATIENT)
        client = self.client()
        reply = client.say(f"PORT {port_argument(lab.client_address, 40000)}")
        self.assertTrue(reply.startswith("501 "), reply)
        for part in (lab.client_address, "203.0.113.1", "passive mode"):
            self.assertIn(part, reply)
        self.assertEqual("200", client.say(f"PORT {port_argument('203.0.113.1', 40000)}")[:3])
        self.assertIn("425 Cannot connect to 203.0.113.1 port 40000 (connection refused)", client.say("RETR readme"))
        lab.router.nft("table ip shut { chain in { type filter hook input priority filter; tcp dport 40000 drop; }; }")
        self.assertEqual("200", client.say(f"PORT {port_argument('203.0.113.1', 40000)}")[:3])
        self.assertIn("425 Cannot connect to 203.0.113.1 port 40000 (timed out)", client.say("RETR readme"))
        self.assertFetches(client, client.passive())

    def test_through_a_nat_that_helps(self) -> None:
        """Case 9, with a router that rewrites PORT (Linux' nf_nat_ftp): it works."""
        lab = self.laboratory(client_net="192.168.7")
        lab.router.nft(_MASQUERADE + _NAT_HELPER)
        self.serve(config=IMPATIENT)
        client = self.client()
        listener = client.listen(lab.client_address)
        reply = client.say(f"PORT {port_argument(*listener.getsockname())}")
        if reply.startswith("501"):
            raise SkipTest("this kernel's connection tracking does not rewrite PORT")
        reply, octets = client.fetch_actively("readme", listener)
        self.assertEqual(("226", b"hello\n"), (reply[:3], octets))

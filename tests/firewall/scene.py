"""
What the tests of this directory share: a laboratory, a site in it and a client that sees each reply.

Not here: assertions, and the firewalls themselves: each test shows its own.
"""

from __future__ import annotations

import ftplib
import re
import socket
from contextlib import ExitStack
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.support.namespaces import Laboratory, Namespace, missing, reply_of
from tests.support.twistd import PATIENCE, Twistd

__all__ = ["DROP_ALL_BUT", "IMPATIENT", "Client", "FirewallCase", "port_argument"]

DROP_ALL_BUT = """
table inet lab {{
    counter refused {{ }}
    chain input {{
        type filter hook input priority filter; policy drop;
        iif lo accept
        meta l4proto ipv6-icmp accept
        ct state established,related accept
        {}
        counter name refused
    }}
}}
"""
"""A server's firewall: nothing comes in but what the rules put into the braces let in."""

IMPATIENT = "[site.limits]\ndata_channel_timeout = 1\ndata_stall_timeout = 1\n"
"""A site that waits one second for data connections, and one for octets on them."""


class Client:
    """A client that sends lines and reads replies, one at a time or several."""

    def __init__(self, lab: Laboratory, source: str = "", address: str = "", machine: Namespace | None = None) -> None:
        self._machine, self.source = machine or lab.client, source
        self.control = self._machine.connect((address or lab.server_address, 21), source)
        self._octets = bytearray()
        self.greeting = self.hear()

    def hear(self) -> str:
        return reply_of(self.control, self._octets)

    def say(self, *lines: str) -> str:
        """Send lines in one segment; the last of the replies to them."""
        self.control.sendall(b"".join(line.encode() + b"\r\n" for line in lines))
        return [self.hear() for _ in lines][-1]

    def login(self) -> str:
        reply = self.say("USER ftp", "PASS me@example.org")
        self.say("TYPE I")
        return reply

    def passive(self, *before: str) -> tuple[str, int]:
        """PASV, behind other commands in the same segment; where the server wants the client."""
        return address_of(self.say(*before, "PASV"))

    def extended(self, *before: str) -> tuple[str, int]:
        """EPSV, as :meth:`passive`."""
        reply = self.say(*before, "EPSV")
        match = re.search(r"\(\|\|\|(\d+)\|\)", reply)
        if match is None:
            raise AssertionError(reply)
        return self.control.getpeername()[0], int(match[1])

    def open(self, address: tuple[str, int]) -> socket.socket:
        """Make the data connection."""
        return self._machine.connect(address, self.source)

    def knock(self, address: tuple[str, int]) -> socket.socket:
        """Begin to make a data connection, without waiting for it."""
        with self._machine.inside():
            skt = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        if self.source:
            skt.bind((self.source, 0))
        skt.setblocking(False)
        skt.connect_ex(address)
        return skt

    def fetch(self, name: str, data: socket.socket) -> tuple[str, bytes]:
        """RETR over a data connection: the last reply and the octets."""
        reply = self.say(f"RETR {name}")
        if not reply.startswith("150"):
            return reply, b""
        octets = b"".join(iter(lambda: data.recv(65536), b""))
        data.close()
        return self.hear(), octets

    def listen(self, address: str) -> socket.socket:
        """Wait for the server to connect, in active mode."""
        with self._machine.inside():
            listener = socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        listener.settimeout(PATIENCE)
        return listener

    def fetch_actively(self, name: str, listener: socket.socket) -> tuple[str, bytes]:
        """RETR over the data connection that comes in: the last reply and the octets."""
        with listener:
            self.control.sendall(f"RETR {name}\r\n".encode())
            reply = self.hear()
            if not reply.startswith("150"):
                return reply, b""
            data, _ = listener.accept()
            with data:
                octets = b"".join(iter(lambda: data.recv(65536), b""))
        return self.hear(), octets

    def close(self) -> None:
        self.control.close()


def port_argument(address: str, port: int) -> str:
    """The argument of PORT."""
    return f"{address.replace('.', ',')},{port >> 8},{port & 255}"


def address_of(reply: str) -> tuple[str, int]:
    """The address in a 227."""
    if not reply.startswith("227"):
        raise AssertionError(reply)
    return ftplib.parse227(reply)


class FirewallCase(SynchronousTestCase):
    """A laboratory and, in ``self.root``, the files to serve: ``readme`` and one ``N`` for each number to 31."""

    timeout = PATIENCE

    def laboratory(self, client_net: str = "198.51.100", server_net: str = "203.0.113", ipv4: bool = True) -> Laboratory:
        if reason := missing():
            raise SkipTest(reason)
        self._stack = ExitStack()
        self.addCleanup(self._stack.close)
        self.directory = Path(self.mktemp()).absolute()
        self.root = self.directory / "pub"
        self.root.mkdir(parents=True)
        (self.root / "readme").write_bytes(b"hello\n")
        for number in range(32):
            (self.root / str(number)).write_bytes(f"the file of {number}\n".encode() * 1000)
        self.lab = self._stack.enter_context(Laboratory(client_net, server_net, ipv4))
        return self.lab

    def serve(self, *options: str, config: str = "") -> Twistd:
        return self._stack.enter_context(self.lab.serving(self.directory, *options, config=config))

    def client(self, source: str = "", address: str = "", machine: Namespace | None = None) -> Client:
        """A client that has logged in; it sits on the client's machine unless told otherwise."""
        client = Client(self.lab, source, address, machine)
        self.addCleanup(client.close)
        reply = client.login()
        self.assertTrue(reply.startswith("230"), reply)
        return client

    def ftplib(self, address: str = "", timeout: float = 5) -> ftplib.FTP:
        """Python's own client, logged in. What it connects must be connected inside ``self.lab.client.inside()``."""
        ftp = ftplib.FTP(timeout=timeout)
        with self.lab.client.inside():
            ftp.connect(address or self.lab.server_address, 21)
        self.addCleanup(ftp.close)
        ftp.login()
        return ftp

    def assertFetches(self, client: Client, address: tuple[str, int], name: str = "readme") -> None:
        """A whole download over a data connection to ``address``."""
        reply, octets = client.fetch(name, client.open(address))
        self.assertEqual(("226", (self.root / name).read_bytes()), (reply[:3], octets))

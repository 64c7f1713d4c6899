"""``twistd ftpsite`` behind a balancer that the test plays: a change of ``proxy_from`` while it serves, and the endpoint ``haproxy:``."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.support.headers import version_1, version_2
from tests.support.namespaces import reply_of
from tests.support.running import free_range
from tests.support.twistd import PATIENCE, Twistd

BALANCER, CLIENT = "127.0.0.5", "198.51.100.1"


class Peer:
    """A control connection from the balancer's address."""

    def __init__(self, port: int, header: bytes = b"") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE, (BALANCER, 0))
        self.socket.sendall(header)
        self._octets = bytearray()

    def hear(self) -> str:
        return reply_of(self.socket, self._octets)

    def say(self, line: str) -> str:
        self.socket.sendall(line.encode() + b"\r\n")
        return self.hear()

    def is_closed(self) -> bool:
        """Whether the server ends it without a word."""
        return self.socket.recv(1) == b""


class ServiceTests(SynchronousTestCase):
    timeout = PATIENCE

    def setUp(self) -> None:
        if sys.platform != "linux":
            raise SkipTest("elsewhere only 127.0.0.1 of 127.0.0.0/8 is there to come from")
        self.directory = Path(self.mktemp()).absolute()
        (self.directory / "pub").mkdir(parents=True)

    def peer(self, port: int, header: bytes = b"") -> Peer:
        peer = Peer(port, header)
        self.addCleanup(peer.socket.close)
        return peer

    def test_reload(self) -> None:
        """SIGHUP: a changed list is for connections from then on; the session that was there goes on."""
        file = self.directory / "ftp.toml"
        site = '[[site]]\nroot = "pub"\nport = 0\naddress = "127.0.0.1"\n[site.firewall_support]\nproxy_from = ['
        file.write_text(f"{site}]\n")
        with Twistd("ftpsite", "--config", str(file), directory=self.directory) as server:
            port = server.port()
            before = self.peer(port)
            self.assertEqual("220", before.hear()[:3])
            file.write_text(f'{site}"{BALANCER}/32"]\n')
            server.signal(signal.SIGHUP)
            server.wait_for(rf"SIGHUP: firewall_support.proxy_from of site 'twistftp': \[\] -> \[{BALANCER}/32\]")
            with_header, without = self.peer(port, version_2(CLIENT)), self.peer(port, b"USER ftp\r\n")
            self.assertEqual("220", with_header.hear()[:3])
            self.assertTrue(without.is_closed())
            self.assertEqual("331", before.say("USER ftp")[:3])
            server.wait_for(f"a connection of the load balancer {BALANCER} was closed: it does not begin with a PROXY header")

    def test_endpoint(self) -> None:
        """``--listen haproxy:...``: log and 227 have the addresses of the header, and there is no 220 before it."""
        number = int(free_range(1).partition("-")[0])
        options = ("--root", "pub", "--listen", f"haproxy:tcp:{number}:interface=127.0.0.1")
        with Twistd("ftpsite", *options, directory=self.directory) as server:
            server.wait_for(": serving ")
            peer, silent = self.peer(number, version_1(CLIENT)), self.peer(number)
            self.assertEqual("220", peer.hear()[:3])
            peer.say("USER ftp")
            self.assertEqual("230", peer.say("PASS x")[:3])
            self.assertIn("(203,0,113,7,", peer.say("PASV"))
            server.wait_for(f"{CLIENT} ftp: logged in")
            silent.socket.setblocking(False)
            self.assertRaises(BlockingIOError, silent.socket.recv, 1)

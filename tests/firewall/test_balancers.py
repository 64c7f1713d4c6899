"""A real HAProxy between clients and server, with the configuration that ``docs/firewalls.md`` shows."""

from __future__ import annotations

import os
import re
import shutil
import signal
from ftplib import FTP
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.firewall.scene import IMPATIENT, FirewallCase
from tests.support.headers import VERSIONS, version_1
from tests.support.namespaces import Laboratory
from tests.support.twistd import CHECKOUT, Twistd

PAGE = (CHECKOUT / "docs" / "firewalls.md").read_text("utf-8")
BALANCER, SHOWN = "203.0.113.1", "198.51.100.1"  # the router's address on the server's side, and on that of the clients
PORTS = "21000-21009"


def shown(language: str) -> str:
    """The block of the page's section."""
    section = PAGE.partition("## Behind a load balancer")[2].partition("\n## ")[0]
    block = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert block is not None
    return block[1]


class BalancerCase(FirewallCase):
    def balanced(self, send: str = "send-proxy-v2", balancer: str = "", site: str = "") -> Twistd:
        """The server, and on the router's machine the balancer of the page."""
        if shutil.which("haproxy") is None:
            raise SkipTest("without haproxy there is no balancer to try")
        lab = self.laboratory()
        server = self.serve("--passive-ports", PORTS, config=shown("toml").replace("10.0.0.5", BALANCER) + site)
        text = balancer or shown("haproxy").replace("10.0.0.20", lab.server_address)
        self._balance(lab, text.replace("send-proxy-v2", send))
        return server

    def _balance(self, lab: Laboratory, text: str) -> None:
        file, pid = self.directory / "haproxy.cfg", self.directory / "haproxy.pid"
        file.write_text(text)
        done = lab.router.run("haproxy", "-q", "-D", "-p", str(pid), "-f", str(file))  # it returns when its ports are open
        self.assertEqual(0, done.returncode, done.stderr)
        self.addCleanup(self._end, pid)

    def _end(self, pid: Path) -> None:
        for number in pid.read_text().split():
            os.kill(int(number), signal.SIGKILL)


class ClientsTests(BalancerCase):
    """P-PB-18: programs that people use fetch and list through the balancer, with either version of the header."""

    def test_curl(self) -> None:
        """PASV names the balancer's address, and EPSV works as it is."""
        for send in ("send-proxy", "send-proxy-v2"):
            server = self.balanced(send)
            for number, option in enumerate(("--disable-epsv", "--ftp-pasv")):
                source = self.lab.client_addresses[number]
                options = ("-sS", "-v", "--max-time", "10", "--interface", source, option)
                done = self.lab.client.run("curl", *options, f"ftp://{SHOWN}/7", f"ftp://{SHOWN}/")
                self.assertEqual(0, done.returncode, done.stderr)
                self.assertTrue(done.stdout.startswith((self.root / "7").read_bytes()))
                self.assertIn(b"readme", done.stdout)
                told = b"227 Entering Passive Mode (198,51,100,1," if number == 0 else b"229 Entering Extended Passive Mode (|||210"
                self.assertIn(told, done.stderr)
                self.assertIn(f" {source} anonymous: RETR /7: ", server.wait_for("RETR /7: ").string)

    def test_lftp(self) -> None:
        """A program that keeps its session and has several at once."""
        if shutil.which("lftp") is None:
            raise SkipTest("there is no lftp")
        for send in ("send-proxy", "send-proxy-v2"):
            self.balanced(send)
            target = self.directory / "mirror"
            script = f"set net:max-retries 1; set net:timeout 10; open ftp://{SHOWN}; mirror --parallel=4 / {target}"
            done = self.lab.client.run("lftp", "-c", script)
            self.assertEqual(0, done.returncode, done.stderr)
            self.assertEqual(
                {file.name: file.read_bytes() for file in self.root.iterdir()}, {file.name: file.read_bytes() for file in target.iterdir()}
            )
            shutil.rmtree(target)

    def test_two_clients(self) -> None:
        """Two clients of different addresses, in turn on one port and both waiting at once: each gets its own data, and its own name in the log."""
        for send in ("send-proxy", "send-proxy-v2"):
            server = self.balanced(send)
            sources = self.lab.client_addresses[:2]
            sessions: list[FTP] = []
            with self.lab.client.inside():
                for source in sources:
                    ftp = FTP(timeout=10, source_address=(source, 0))
                    self.addCleanup(ftp.close)
                    ftp.connect(SHOWN, 21)
                    ftp.login()
                    ftp.voidcmd("TYPE I")
                    sessions.append(ftp)
                for _ in range(4):
                    data = [ftp.transfercmd(f"RETR {number}") for number, ftp in enumerate(sessions)]
                    for number, skt in reversed(list(enumerate(data))):
                        with skt:
                            octets = b"".join(iter(lambda skt=skt: skt.recv(65536), b""))  # type: ignore[misc]
                        self.assertEqual((self.root / str(number)).read_bytes(), octets)
                    for ftp in sessions:
                        self.assertEqual("226", ftp.voidresp()[:3])
                self.assertEqual([33, 33], [len(ftp.nlst()) for ftp in sessions])
            for number, source in enumerate(sources):
                self.assertIn(f" {source} anonymous: RETR /{number}: ", server.wait_for(f"RETR /{number}: ").string)

    def test_one_port(self) -> None:
        """The same with both data connections waiting on the same port."""
        if shutil.which("haproxy") is None:
            raise SkipTest("without haproxy there is no balancer to try")
        lab = self.laboratory()
        self.serve("--passive-ports", "21000", config=shown("toml").replace("10.0.0.5", BALANCER))
        self._balance(lab, shown("haproxy").replace("10.0.0.20", lab.server_address))
        clients = [self.client(source, SHOWN) for source in lab.client_addresses[:8]]
        where = [client.passive() for client in clients]
        self.assertEqual({(SHOWN, 21000)}, set(where))
        data = [client.open(address) for client, address in zip(clients, where, strict=True)]
        for number, (client, skt) in reversed(list(enumerate(zip(clients, data, strict=True)))):
            reply, octets = client.fetch(str(number), skt)
            self.assertEqual(("226", (self.root / str(number)).read_bytes()), (reply[:3], octets))


class ImpostorsTests(BalancerCase):
    def test_forged(self) -> None:
        """A client that comes directly with a header is refused, on the control port and on the data ports of others."""
        server = self.balanced()
        victim = self.client(self.lab.client_addresses[0], SHOWN)
        _, port = victim.passive()
        for version in VERSIONS:
            header = version(self.lab.client_addresses[0], SHOWN)
            with self.lab.client.connect((self.lab.server_address, 21), self.lab.client_addresses[1]) as control:
                control.sendall(header + b"USER anonymous\r\nPASS x\r\n")
                said = self._all_of(control)
            self.assertEqual([b"220 ", b"421 "], [line[:4] for line in said.splitlines()])
            server.wait_for(f"{self.lab.client_addresses[1]} sent a PROXY header and was cut off")
            self.assertRaises(ConnectionResetError, self._intrude, port)
        self.assertFetches(victim, (SHOWN, port))

    def _intrude(self, port: int) -> None:
        """A connection to a data port from another address; it may be reset before it is even known to stand."""
        with self.lab.client.connect((self.lab.server_address, port), self.lab.client_addresses[1]) as data:
            self._all_of(data)

    def test_no_header_on_data(self) -> None:
        """A balancer that is told of the control port alone: the 425 says so."""
        plain = shown("haproxy").replace("10.0.0.20", "203.0.113.20").replace("send-proxy-v2 track", "track")
        self.balanced(balancer=plain, site=IMPATIENT)
        client = self.client(self.lab.client_addresses[0], SHOWN)
        with client.open(client.passive()) as data:
            data.sendall(b"x")  # nothing would come in 5 s, too
            reply = client.say("RETR readme")
        self.assertRegex(reply, rf"^425 The load balancer {re.escape(BALANCER)} connected to port 210\d\d without a PROXY protocol header")
        self.assertIn("must send PROXY protocol headers to the passive ports", client.say("SITE WHY"))

    def test_no_header_at_all(self) -> None:
        """The listed machine without a header gets no service: closed in good time, one line."""
        server = self.balanced()
        for octets in (b"USER anonymous\r\n", version_1("nobody"), b""):
            with self.lab.router.connect((self.lab.server_address, 21)) as control:
                control.sendall(octets)
                self.assertEqual(b"", self._all_of(control))
            server.wait_for(f"a connection of the load balancer {BALANCER} was closed: ")

    def test_checks(self) -> None:
        """The balancer's own checks are served and leave no line."""
        server = self.balanced(balancer=shown("haproxy").replace("10.0.0.20", "203.0.113.20").replace("check", "check inter 20ms"))
        for _ in range(5):
            client = self.client(self.lab.client_addresses[0], SHOWN)
            self.assertFetches(client, client.passive())
            client.say("QUIT")
            client.close()
        server.signal(signal.SIGTERM)
        server.end()
        self.assertNotIn("load balancer", "\n".join(server.lines))
        self.assertNotIn("belongs to no client", "\n".join(server.lines))

    def _all_of(self, skt: object) -> bytes:
        return b"".join(iter(lambda: skt.recv(65536), b""))  # type: ignore[attr-defined]

"""Tests of ``twisted_tls``, each in a process of its own; and of what a started server has imported, and what it can do without the rest."""

from __future__ import annotations

import ftplib
import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.support.clients import ClientsCase
from tests.support.tls import authority, client_context, write_files
from tests.support.twistd import PATIENCE, Twistd, environment
from twistftp.accounts.hashing import hash_password
from twistftp.twisted_tls import is_wanted_by

NOBODY = 65534
# Runs the "twistd" behind it; at its end, each module that it has imported is a line.
TELLING = """
import atexit, sys
atexit.register(lambda: print(*(f"imported {name}" for name in sys.modules), sep="\\n", file=sys.__stdout__, flush=True))
sys.argv[:] = ["twistd", *sys.argv[4:]]  # without the Python, "-c" and code that start it otherwise
from twisted.scripts.twistd import run
run()
"""
TWISTED_TLS = {"twisted.internet.ssl", "twisted.protocols.tls", "service_identity"}
OPENSSL = {"OpenSSL", "cryptography"}
USERS = {"argon2", "twistftp.accounts.user_book"}
# What other settings need, and what no server needs.
OTHERS = {
    *("tomllib", "twisted.internet.endpoints", "twisted.names", "twisted.protocols.haproxy", "twisted.web"),
    *("prometheus_client", "twistftp.accesslog", "twistftp.capsules", "twistftp.metrics", "twistftp.transport.herald", "twistftp.workers"),
    *("click", "rich", "twistftp.cli", "hypothesis", "trustme", "twistftp.testing"),
}


class LeavingOutTests(SynchronousTestCase):
    """The context manager."""

    def say(self, *lines: str) -> str:
        """What a process prints that runs these."""
        code = "\n".join(("import sys", "from twistftp.twisted_tls import is_left_out, left_out", *lines))
        return subprocess.run([sys.executable, "-c", code], env=environment(), check=True, capture_output=True, text=True, timeout=PATIENCE).stdout

    def test_left_out(self) -> None:
        """Twisted's reactor is imported without TLS and OpenSSL; afterwards both may be imported."""
        told = self.say(
            "with left_out(): from twisted.internet import reactor",
            "print('OpenSSL' in sys.modules, is_left_out())",
            "import twisted.internet.ssl, twisted.protocols.tls",
            "print('OpenSSL' in sys.modules)",
        )
        self.assertEqual("False True\nTrue\n", told)

    def test_wanted_before(self) -> None:
        """What has been imported before stays, and the reactor has it."""
        lines = "with left_out(): from twisted.internet import reactor", "print('twisted.protocols.tls' in sys.modules, is_left_out())"
        self.assertEqual("True False\n", self.say("import OpenSSL", *lines))

    def test_failure(self) -> None:
        """An error in between leaves nothing behind."""
        told = self.say("try:", "    with left_out(): 1 / 0", "except ZeroDivisionError: import OpenSSL.SSL", "print('OpenSSL.SSL' in sys.modules)")
        self.assertEqual("True\n", told)


class EndpointTests(SynchronousTestCase):
    """Which endpoints may want it."""

    def test_is_wanted_by(self) -> None:
        """Those in clear do not, behind PROXY headers neither; all others may, and what plugins know."""
        in_clear = "tcp:2121", "tcp6:2121:interface=::1", "unix:/run/ftp.sock", "systemd:domain=INET:index=0", "haproxy:tcp:2121"
        self.assertEqual([False] * 5, [is_wanted_by(text) for text in in_clear])
        self.assertEqual([True] * 3, [is_wanted_by(text) for text in ("ssl:990", "haproxy:tls:990", "onion:21")])


class StartedCase(ClientsCase):
    """A folder to serve, and a server that tells at its end what it has imported."""

    timeout = 2 * PATIENCE

    def setUp(self) -> None:
        super().setUp()
        self.here = Path(self.mktemp()).absolute()
        (self.here / "pub").mkdir(parents=True)
        (self.here / "pub" / "a.txt").write_bytes(b"hello\n")

    def serve(self, *options: str, before: tuple[str, ...] = ()) -> Twistd:
        places = () if "--listen" in options or "--config" in options else ("--root", "pub", "--interface", "127.0.0.1", "--port", "0")
        return Twistd(*before, "ftpsite", *places, *options, directory=self.here, by=(sys.executable, "-c", TELLING))

    def use(self, client: ftplib.FTP) -> None:
        """What all clients do."""
        octets: list[bytes] = []
        self.assertEqual(["a.txt"], client.nlst())
        client.retrlines("LIST", str)
        client.retrbinary("RETR a.txt", octets.append)
        self.assertEqual([b"hello\n"], octets)
        client.sendcmd("EPSV")
        client.sendcmd("FEAT")

    def imported(self, server: Twistd) -> set[str]:
        """What the server has imported by its end, which comes now."""
        server.signal(signal.SIGTERM)
        self.assertEqual(0, server.end())
        self.assertEqual([], [line for line in server.lines if "Traceback" in line])
        return {line.removeprefix("imported ") for line in server.lines if line.startswith("imported ")}


class ImportedTests(StartedCase):
    """A server has imported what its settings need and no more: that is what its memory at the start consists of."""

    def test_plain(self) -> None:
        """One that serves anonymous users in clear: neither OpenSSL nor argon2, even after clients were there."""
        with self.serve() as server, self.client(server.port()) as client:
            self.use(client)
            found = self.imported(server)
        self.assertIn("twistftp.site", found)
        self.assertEqual(set(), found & (TWISTED_TLS | OPENSSL | USERS | OTHERS))

    def test_certificate_and_users(self) -> None:
        """With a certificate OpenSSL, but not Twisted's TLS; with a users file argon2."""
        certificate, key = write_files(self.here, authority().issue_cert("localhost"))
        (self.here / "users").write_text(f"alice:{hash_password(b'secret')}\n")
        with self.serve("--certificate", certificate, "--private-key", key, "--users", "users") as server:
            with ftplib.FTP_TLS(context=client_context(), timeout=PATIENCE) as client:
                client.connect("localhost", server.port())
                client.login("alice", "secret")
                client.prot_p()
                self.use(client)
            found = self.imported(server)
        self.assertEqual(OPENSSL | USERS, found & (TWISTED_TLS | OPENSSL | USERS | OTHERS))

    def test_balancers(self) -> None:
        """Load balancers bring Twisted's endpoints along, but not their TLS."""
        with self.serve("--proxy-from", "192.0.2.1/32") as server, self.client(server.port()) as client:
            self.use(client)
            found = self.imported(server)
        self.assertIn("twisted.internet.endpoints", found)
        self.assertEqual(set(), found & (TWISTED_TLS | OPENSSL | USERS))

    def test_twistd_help(self) -> None:
        """``twistd --help`` tells of the command and imports nothing of it."""
        with Twistd("--help", directory=self.here, by=(sys.executable, "-c", TELLING)) as asked:
            self.assertEqual(0, asked.end())
        self.assertTrue([line for line in asked.lines if line.split()[:1] == ["ftpsite"]])
        self.assertEqual([], [line for line in asked.lines if line.startswith("imported twistftp")])


class LaterTests(StartedCase):
    """What was left out can be had when SIGHUP asks for it, or the log says why not."""

    def write(self, *lines: str, root: str = "pub") -> None:
        """The configuration file; its path leads to it behind a chroot, too."""
        text = "\n".join(("[[site]]", f'root = "{root}"', 'address = "127.0.0.1"', "port = 0", *lines))
        for place in (self.here, self.here / str(self.here).lstrip("/")):
            place.mkdir(parents=True, exist_ok=True)
            (place / "ftp.toml").write_text(text)

    def reload(self, server: Twistd, port: int) -> None:
        """SIGHUP, once the server obeys signals, which is when clients are greeted."""
        self.client(port).close()
        server.signal(signal.SIGHUP)

    def test_tls_of_endpoints(self) -> None:
        """An endpoint with Twisted's TLS has it."""
        certificate, key = write_files(self.here, authority().issue_cert("localhost"))
        endpoint = f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1"
        with self.serve("--root", "pub", "--listen", endpoint) as server:
            server.wait_for("serving ")
            found = self.imported(server)
        self.assertLessEqual(TWISTED_TLS, found)

    def test_endpoint_with_tls_later(self) -> None:
        """A server that was started without cannot listen on such an endpoint later; it says so in one line and stays where it is."""
        certificate, key = write_files(self.here, authority().issue_cert("localhost"))
        listen = f'listen = ["ssl:0:privateKey={key}:certKey={certificate}"]'
        self.refuse(listen)
        self.refuse(listen, "[site.firewall_support]", 'proxy_from = ["192.0.2.1"]')  # this one has imported endpoints

    def refuse(self, listen: str, *tables: str) -> None:
        self.write(*tables)
        with self.serve("--config", "ftp.toml") as server:
            port = server.port()
            self.write(listen, *tables)
            self.reload(server, port)
            server.wait_for(r"SIGHUP: .*ftp.toml: .* listen = .*ssl:.*: may want Twisted's own TLS, .*; restart it; the old settings stay")
            with self.client(port) as client:
                self.use(client)
            self.imported(server)

    def change(self, *before: str, root: str = "pub", log: str = "access.log") -> None:
        """SIGHUP turns on FTPS, an access log and load balancers, all at once."""
        self.write(root=root)
        self.here.chmod(0o777)
        with self.serve("--config", "ftp.toml", "--control-socket", "off", before=before) as server:
            port = server.port()
            tables = "[site.logging]", f'file = "{log}"', "[site.firewall_support]", 'proxy_from = ["192.0.2.1"]', "[site.tls]", "self_signed = true"
            self.write(*tables, root=root)
            self.reload(server, port)
            server.wait_for("SIGHUP: tls.self_signed of site 'twistftp': False -> True")
            with ftplib.FTP_TLS(timeout=PATIENCE) as client:
                client.connect("127.0.0.1", port)
                client.login()
                client.prot_p()
                self.use(client)
            found = self.imported(server)
        self.assertLessEqual({*OPENSSL, "twistftp.accesslog", "twistftp.transport.herald"}, found)
        self.assertIn(" RETR ", (self.here / "access.log").read_text())

    def test_turned_on(self) -> None:
        """FTPS, an access log, load balancers."""
        self.change()

    def test_turned_on_behind_a_chroot(self) -> None:
        """The same where nothing can be imported any more."""
        if not sys.platform.startswith("linux") or os.getuid() != 0:
            raise SkipTest("needs root on Linux")
        self.change("--chroot", str(self.here), root="/pub", log="/access.log")

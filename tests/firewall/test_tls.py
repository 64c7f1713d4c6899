"""Firewalls that read along, and what TLS takes away from them: the walk-through's cases with FTPS."""

from __future__ import annotations

import ftplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.firewall import test_ranges
from tests.firewall.scene import DROP_ALL_BUT, IMPATIENT, FirewallCase
from tests.support.namespaces import Namespace
from tests.support.tls import authority, authority_file, client_context, write_files
from tests.support.twistd import PATIENCE

CERTIFICATE = """
[site.tls]
certificate = "cert.pem"
private_key = "key.pem"
clear_command_channel = true
"""
RANGE = "50000-50009"


class HelperTests(FirewallCase):
    """
    A server's firewall that lets port 21 in, and data connections that its FTP helper has heard announced: the kernel's own connection
    tracking with ``nf_conntrack_ftp``.
    """

    def serve_tls(self, *, is_impatient: bool = True) -> None:
        issued = authority().issue_cert(self.lab.server_address)
        write_files(self.directory, issued)
        self.authority = authority_file(self)
        self.serve("--passive-ports", RANGE, config=(IMPATIENT if is_impatient else "") + CERTIFICATE)

    def guard(self, *more: str) -> None:
        """The firewall; ``more`` ports are open, too."""
        ports = ", ".join(("21", *more))
        self.lab.server.nft(DROP_ALL_BUT.format(f"tcp dport {{ {ports} }} ct state new accept"))
        self.lab.server.nft(test_ranges.StatefulTests.HELPED)

    def curl(self, *options: str) -> Any:
        common = ("curl", "--disable", "-sS", "--max-time", "10", "--disable-epsv", "--cacert", self.authority)
        return self.lab.client.run(*common, *options, f"ftp://{self.lab.server_address}/readme")

    def ftps(self) -> ftplib.FTP_TLS:
        """Python's client in TLS, with PROT P."""
        ftp = ftplib.FTP_TLS(context=client_context(), timeout=PATIENCE)
        with self.lab.client.inside():
            ftp.connect(self.lab.server_address, 21)
        self.addCleanup(ftp.close)
        ftp.login()
        ftp.prot_p()
        ftp.voidcmd("TYPE I")
        return ftp

    def why_not(self, ftp: ftplib.FTP_TLS) -> str:
        """The answer to a transfer whose data connection does not come, although the client tries."""
        _, port = ftp.makepasv()
        with knocking(self.lab.client, (self.lab.server_address, port)):
            return str(self.assertRaises(ftplib.Error, ftp.voidcmd, "RETR readme"))

    def test_blind(self) -> None:
        """The helper cannot read PASV under TLS: the data connection never comes, the answer is a 425 with port and range (P-PB-15, P-PB-16)."""
        self.laboratory()
        self.guard()
        self.serve_tls()
        told = self.why_not(self.ftps())
        self.assertRegex(told, rf"^425 No connection reached port 5000\d within 1 s: .* open TCP {RANGE} to this server\.$")
        self.assertGreater(self.lab.server.counter("refused"), 0, "it was the firewall")

    def test_suspected(self) -> None:
        """DESIGN §3: where connections without TLS came and those with TLS do not, the answer names the filter."""
        self.laboratory()
        self.guard()
        self.serve_tls()
        done = self.curl()
        self.assertEqual((0, b"hello\n"), (done.returncode, done.stdout), done.stderr)
        ftp = self.ftps()
        told = [self.why_not(ftp) for _ in range(3)]
        self.assertNotIn("stateful", told[0])
        likely = f"while those without TLS arrive: a stateful FTP filter is likely; open TCP {RANGE} to this server."
        self.assertRegex(told[-1], rf"^425 No connection reached port 5000\d, {likely}$")
        self.assertIn("which TLS hides from it", ftp.voidcmd("SITE WHY"))

    def test_opened(self) -> None:
        """The cure: with the range open FTPS works through the same firewall, explicit, with curl and ftplib; nothing is refused."""
        self.laboratory()
        self.guard(RANGE)
        self.serve_tls()
        for version in ("1.2", "1.3"):
            done = self.curl("--ssl-reqd", "--tls-max", version)
            self.assertEqual((0, b"hello\n"), (done.returncode, done.stdout), done.stderr)
        ftp = self.ftps()
        with self.lab.client.inside():
            octets: list[bytes] = []
            for _ in range(5):
                octets.clear()
                ftp.retrbinary("RETR 7", octets.append)
                self.assertEqual((self.root / "7").read_bytes(), b"".join(octets))
        self.assertEqual(0, self.lab.server.counter("refused"))

    def test_clear_channel(self) -> None:
        """The other cure: after CCC the helper reads along again, and the range can stay closed (P-CCC-2)."""
        self.laboratory()
        self.guard()
        self.serve_tls()
        for mode in ("active", "passive"):
            done = self.curl("--ssl-reqd", "--ftp-ssl-ccc", "--ftp-ssl-ccc-mode", mode)
            self.assertEqual((0, b"hello\n"), (done.returncode, done.stdout), done.stderr)

    def test_clear_channel_many_times(self) -> None:
        """
        Transfer after transfer on the same control connection, data in TLS all the while. The kernel reads a 227 only behind a line that it
        has seen end, so the first reply in clear must be another one.
        """
        self.laboratory()
        self.guard()
        self.serve_tls()
        ftp = self.ftps()
        ftp.ccc()
        ftp.voidcmd("NOOP")
        with self.lab.client.inside():
            for name in ("1", "2", "3"):
                octets: list[bytes] = []
                data, _ = ftp.ntransfercmd(f"RETR {name}")
                with data:
                    self.assertIsInstance(data, ssl.SSLSocket)
                    octets = list(iter(lambda data=data: data.recv(65536), b""))  # type: ignore[misc]
                    data.unwrap()  # type: ignore[attr-defined]
                ftp.voidresp()
                self.assertEqual((self.root / name).read_bytes(), b"".join(octets))


@contextmanager
def knocking(machine: Namespace, address: tuple[str, int]) -> Iterator[None]:
    """A client's attempt to make a data connection, for as long as the block lasts."""
    with machine.inside():
        skt = socket.socket()
    with skt:
        skt.setblocking(False)
        skt.connect_ex(address)
        yield

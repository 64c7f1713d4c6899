"""Tests of TLS with two workers, as it is: real processes, and clients that resume sessions here and there."""

from __future__ import annotations

import ftplib
import os
import shutil
import signal
import socket
import ssl
import subprocess
from typing import Any
from unittest import SkipTest

from tests.support.tls import NAME, VERSIONS, authority, write_files
from tests.workers.running import Guest, Office, WorkersCase, eventually


class Secure(Guest, ftplib.FTP_TLS):
    """
    A client that is logged in over TLS. Its data connections resume ``offered``, or else the session of its control connection, which ftplib's
    do not by themselves.

    :param earlier: a session that the control connection tries to resume.
    """

    def __init__(self, context: ssl.SSLContext, is_implicit: bool = False, earlier: Any = None) -> None:
        self.is_implicit, self.earlier, self.offered = is_implicit, earlier, None
        ftplib.FTP_TLS.__init__(self, context=context)

    def connect(self, *arguments: Any, **more: Any) -> str:
        """Connect, and be in TLS."""
        if not self.is_implicit:
            welcome = super().connect(*arguments, **more)
            self.putcmd("AUTH TLS")
            assert self.getresp()[:3] == "234"
            self._secure()
            return welcome
        self.host, self.port = arguments
        self.sock = socket.create_connection((self.host, self.port), more["timeout"])
        self.af = self.sock.family
        self._secure()
        self.welcome = self.getresp()
        return self.welcome

    def _secure(self) -> None:
        self.sock: Any = self.context.wrap_socket(self.sock, server_hostname=NAME, session=self.earlier)
        self.file = self.sock.makefile(mode="r", encoding=self.encoding)

    def login(self, *arguments: Any, **more: Any) -> str:
        """Log in; data connections are private."""
        answer = ftplib.FTP.login(self, *arguments)
        self.prot_p()
        return answer

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        """A data connection; ``is_reused`` tells whether it has resumed anything."""
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        try:
            secured = self.context.wrap_socket(conn, server_hostname=NAME, session=self.offered or self.sock.session)
        except OSError:
            conn.close()
            raise
        self.is_reused = secured.session_reused
        return secured, size


class SecureTests(WorkersCase):
    """Certificates and tickets are of both workers."""

    def setUp(self) -> None:
        self.context = ssl.create_default_context(cadata=authority().cert_pem.bytes().decode())

    def secured(self, *arguments: str) -> Office:
        """A server with a certificate; ``certify`` gives it another one."""
        office = Office(self, *arguments, "--certificate", "cert.pem", "--private-key", "key.pem")
        self.certify(office)
        office.__enter__()
        self.addCleanup(self._end, office)
        return office

    def certify(self, office: Office) -> bytes:
        """A new certificate; as octets."""
        issued = authority().issue_cert(NAME, "localhost", "127.0.0.1")
        write_files(office.place, issued)
        return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())

    def versions(self) -> Any:
        """Contexts of clients with TLS 1.2 and 1.3."""
        for version in VERSIONS:
            self.context.minimum_version, self.context.maximum_version = min(VERSIONS), version
            yield version

    def test_explicit_and_implicit(self) -> None:
        """P-TD-7, P-TD-11: under ``require`` the clients of both workers get their data, since they resume their own sessions."""
        for is_implicit in (False, True):
            office = self.secured("--tls", "require", "--tls-session", "require", *(["--implicit-tls"] if is_implicit else []))
            port = office.port()
            for version in self.versions():
                one, two = office.guests(port, lambda: Secure(self.context, is_implicit))
                for guest in (one, two, one, two):
                    self.assertEqual(["hello.txt"], guest.nlst())
                    self.assertTrue(guest.is_reused, version)
                certificates = {guest.sock.getpeercert(binary_form=True) for guest in (one, two)}
                self.assertEqual(1, len(certificates))
                for guest in (one, two):
                    guest.quit()

    def test_session_of_before(self) -> None:
        """A control connection that offers the session of an earlier one, of whichever worker, has a whole handshake and works."""
        office = self.secured("--tls-session", "require")
        port = office.port()
        for _ in self.versions():
            for earlier in [guest.sock.session for guest in office.guests(port, lambda: Secure(self.context))]:
                for guest in office.guests(port, lambda earlier=earlier: Secure(self.context, earlier=earlier)):
                    self.assertFalse(guest.sock.session_reused)
                    self.assertEqual(["hello.txt"], guest.nlst())
                    guest.quit()

    def test_one_store(self) -> None:
        """P-TD-8: a program with one store of tickets offers one worker the other's; ``auto`` knows them as those of one user."""
        office = self.secured("--auth", "memory:alice:secret")
        port = office.port()
        for version in self.versions():
            one, two = office.guests(port, lambda: Secure(self.context))
            for guest, other in ((one, two), (two, one)):
                guest.nlst()
                guest.nlst()
                guest.offered = other.sock.session
                self.assertEqual(["hello.txt"], guest.nlst())
                self.assertFalse(guest.is_reused, version)
            alice = Secure(self.context)
            alice.connect("127.0.0.1", port, timeout=15)
            alice.login("alice", "secret")
            for guest in (one, two):
                guest.offered = alice.sock.session
                with self.assertRaises((ftplib.error_perm, ftplib.error_temp, OSError)):
                    guest.nlst()
            for guest in (one, two, alice):
                guest.close()

    def test_rclone(self) -> None:
        """P-TD-8: rclone with eight transfers at a time, sessions in both workers and one store of tickets: nothing is tried twice."""
        program = shutil.which("rclone")
        if program is None:
            raise SkipTest("rclone is not installed")
        office = self.secured("--auth", "memory:alice:secret")
        port = office.port()
        password = subprocess.run([program, "obscure", "secret"], capture_output=True, text=True, check=True, timeout=30).stdout.strip()
        there = f":ftp,host=127.0.0.1,port={port},user=alice,pass={password},explicit_tls=true,no_check_certificate=true:/new"
        names = [f"f{number}" for number in range(40)]
        (office.place / "out").mkdir()
        for number, name in enumerate(names):
            (office.place / "out" / name).write_bytes(name.encode() * number * 100)
        options = ("--config", os.devnull, "--transfers", "8", "--retries", "1", "--low-level-retries", "1")
        for source, target in (("out", there), (there, "in")):
            command = [program, "copy", *options, source, target]
            ran = subprocess.run(command, cwd=office.place, capture_output=True, text=True, check=False, timeout=60)
            self.assertEqual((0, ""), (ran.returncode, ran.stderr))
        for name in names:
            self.assertEqual((office.place / "out" / name).read_bytes(), (office.place / "in" / name).read_bytes(), name)

    def test_new_certificate(self) -> None:
        """A certificate that is renewed is both workers', without a signal, and its successor's as well."""
        office = self.secured()
        port = office.port()
        old = {guest.sock.getpeercert(binary_form=True) for guest in office.guests(port, lambda: Secure(self.context))}
        new = self.certify(office)
        self.assertNotIn(new, old)

        def shown() -> set[bytes]:
            return {guest.sock.getpeercert(binary_form=True) for guest in office.guests(port, lambda: Secure(self.context))}

        eventually(lambda: shown() == {new}, "the new certificate in both")
        os.kill(office.both()[0], signal.SIGKILL)
        office.wait_for("another takes its place")
        office.both()
        eventually(lambda: shown() == {new}, "and in the one that took a place")

"""It ends in time, whatever the network does."""

from __future__ import annotations

import socket
from time import monotonic

from click.testing import Result

from tests.support.doctor import DoctorCase, authority
from tests.support.scripted import Deed, Scripted, Talk, Words, black_hole

SECONDS = 3.0
ALLOWANCE = 3.0
"""For a busy machine; nothing of it is waited for."""


class EndingTests(DoctorCase):
    """Networks and servers that never come to an end."""

    def timed(self, server: Scripted, *options: str, scheme: str = "ftp") -> Result:
        with server:
            begin = monotonic()
            result = self.visit(server, *options, scheme=scheme, seconds=SECONDS)
            self.assertLess(monotonic() - begin, SECONDS + ALLOWANCE, result.output)
        return result

    def test_black_hole(self) -> None:
        """SYNs that nobody answers."""
        with black_hole() as port:
            begin = monotonic()
            result = self.run_doctor(f"ftp://127.0.0.1:{port}", "--timeout", str(SECONDS))
            self.assertLess(monotonic() - begin, SECONDS + ALLOWANCE)
        self.assertFinds(result, 1, "problem: control port closed", "does not answer at all")

    def test_silence(self) -> None:
        """Servers that fall silent, at any command."""
        for verb in ("USER", "PASS", "FEAT", "SYST", "TYPE", "PASV", "EPSV", "MLSD", "RETR", "PORT"):
            with self.subTest(verb=verb):
                self.timed(Scripted({verb: Deed.SILENCE}))

    def test_all_silent(self) -> None:
        """Nothing is answered but the login."""
        result = self.timed(Scripted(dict.fromkeys(("PASV", "EPSV", "PORT", "STAT", "SITE"), Deed.SILENCE)))
        self.assertFinds(result, 1, "result: does not work: ")

    def test_endless_banners(self) -> None:
        """One line without end, or lines without end."""
        for greeting in (b"220-" + b"x" * (1 << 20), b"220-x\r\n" * 100_000):
            self.assertFinds(self.timed(Scripted(greeting=greeting)), 1, "problem: the server talks without end")

    def test_trickling_banner(self) -> None:
        """A banner that comes octet by octet, for ever, does not buy the server time."""

        def trickle(talk: Talk, argument: str) -> Words:
            talk.control.settimeout(0.05)
            while True:
                talk.control.sendall(b"x")
                try:
                    talk.control.recv(1)
                except TimeoutError:
                    continue
                raise EOFError

        self.timed(Scripted({"USER": trickle}))

    def test_endless_data(self) -> None:
        """Listings and files without end: a part is enough."""

        def pour(talk: Talk, data: socket.socket) -> None:
            while True:
                data.sendall(b"type=file;size=7; readme\r\n" * 100)

        self.assertFinds(self.doctor(Scripted(data=pour), seconds=20), 0, "and stopped there", "result: works")

    def test_silent_data(self) -> None:
        """Data connections on which nothing comes."""

        def wait(talk: Talk, data: socket.socket) -> None:
            data.recv(1)

        self.assertFinds(self.timed(Scripted(data=wait)), 1, "problem: data connections come up and nothing moves")

    def test_silent_tls(self) -> None:
        """Handshakes that are never answered, on control and on data connections."""

        def wait(talk: Talk, data: socket.socket) -> None:
            while data.recv(4096):
                pass

        tls = authority().context()
        self.timed(Scripted({"AUTH": b"234 TLS.\r\n"}), "--insecure", scheme="ftpes")
        result = self.timed(Scripted(tls=tls, data=wait), "--insecure", scheme="ftpes")
        self.assertFinds(result, 1, "problem: TLS fails on data connections")
        self.timed(Scripted(greeting=Deed.SILENCE), "--insecure", scheme="ftps")

    def test_slow_names(self) -> None:
        """A resolver that does not come back."""
        from threading import Event
        from unittest.mock import patch

        event = Event()
        self.addCleanup(event.set)
        begin = monotonic()
        with patch("socket.getaddrinfo", side_effect=lambda *_, **__: event.wait(30)):
            result = self.run_doctor("ftp://slow.example.org", "--timeout", str(SECONDS))
        self.assertLess(monotonic() - begin, SECONDS + ALLOWANCE)
        self.assertFinds(result, 1, "problem: the DNS does not answer")

"""Each fault of replies and of the control connection, as ftplib sees it."""

from __future__ import annotations

import socket
import ssl
from ftplib import FTP, FTP_TLS, error_perm, error_reply, error_temp
from time import monotonic

from tests.testing.support import CONTENT, SitesCase, segments_received
from twistftp.testing import FTPServer, chaos


class SplitTests(SitesCase):
    """Replies in several segments."""

    def greeting_segments(self, site: FTPServer) -> tuple[bytes, int]:
        with socket.create_connection((site.host, site.port), 10) as connection:
            data = b""
            while not data.endswith(b"\r\n"):
                data += connection.recv(4096)
            return data, segments_received(connection)

    def test_split_replies(self) -> None:
        """At the places that are named, else everywhere, else at random ones; and ftplib puts them together again."""
        octets, segments = self.greeting_segments(self.serve())
        self.assertEqual(1, segments)
        for fault, expected in ((chaos.split_replies([3, -1]), 3), (chaos.split_replies(), len(octets)), (chaos.split_replies(seed=1), 4)):
            site = self.serve(fault)
            self.assertEqual((octets, expected), self.greeting_segments(site))
            self.assertEqual(["a.bin"], self.client(site).nlst())

    def test_under_tls(self) -> None:
        """There the records are cut, and 234 that comes before it."""
        for tls in ("explicit", "implicit"):
            site = self.serve(chaos.split_replies(1, pause=0.001), tls=tls)
            client = self.client(site, FTP_TLS if tls == "explicit" else _ImplicitFTP)
            client.sock.settimeout(10)
            self.assertEqual(CONTENT, self.fetch(client))
            client.sock.sendall(b"SYST\r\n")
            self.assertEqual(b"2", client.sock.recv(100))  # a read of TLS gives one record
            client.getresp()
            client.quit()
            site.wait_until_empty()

    def test_pieces(self) -> None:
        """The pieces are the reply, the same ones for the same seed and place."""
        fault = chaos.split_replies(seed=7)
        reply = b"220 hello there\r\n"
        self.assertEqual(reply, b"".join(fault.pieces(reply, 0)))
        self.assertEqual(fault.pieces(reply, 3), chaos.split_replies(seed=7).pieces(reply, 3))
        self.assertNotEqual(fault.pieces(reply, 3), fault.pieces(reply, 4))
        self.assertEqual([b"22", b"0 \r", b"\n"], chaos.split_replies([2, -1, 0, 99]).pieces(b"220 \r\n", 0))


class _ImplicitFTP(FTP_TLS):
    """ftplib, which has no implicit TLS of its own."""

    def connect(self, *arguments: object, **options: object) -> str:  # type: ignore[override]
        self.host, self.port = arguments[:2]  # type: ignore[assignment]
        bare = socket.create_connection((self.host, self.port), 10)
        self.sock = self.context.wrap_socket(bare, server_hostname=self.host)
        self.af = bare.family
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()
        return self.welcome

    def login(self, *arguments: str) -> str:  # type: ignore[override]
        return FTP.login(self, *arguments)


class EndTests(SitesCase):
    """How the control connection ends."""

    def test_reset_control_at(self) -> None:
        """So many octets of replies, then a reset; the next connection is a good one."""
        site = self.serve(chaos.reset_control_at(7, times=1, pause=0.5))
        with socket.create_connection((site.host, site.port), 10) as connection:
            self.assertEqual(b"220 twi", self.exactly(connection, 7))
            self.assertRaises(ConnectionResetError, connection.recv, 1)
        self.assertEqual(CONTENT, self.fetch(self.client(site)))

    def test_reset_control_at_under_tls(self) -> None:
        """What was said before TLS counts. (Python's ssl may tell of a reset as of an end without close_notify.)"""
        before = len(b"220 twistftp FTP service ready.\r\n234 Starting TLS.\r\n")
        client = self.connect(self.serve(chaos.reset_control_at(before + 5), tls=True), FTP_TLS)
        client.auth()
        client.sock.sendall(b"NOOP\r\n")
        client.sock.suppress_ragged_eofs = False
        self.assertEqual(b"200 O", client.sock.recv(100))
        self.assertRaises((ConnectionResetError, ssl.SSLEOFError), client.sock.recv, 1)

    def test_half_close_control_at(self) -> None:
        """The server says no more, and hears what is said."""
        site = self.serve(chaos.half_close_control_at(2))
        client = self.client(site)
        self.assertRaises(EOFError, client.voidcmd, "NOOP")
        site.wait_for_command("NOOP")
        client.close()
        site.wait_until_empty()

    def test_half_close_control_at_under_tls(self) -> None:
        """close_notify comes before it."""
        client = self.connect(self.serve(chaos.half_close_control_at(2), tls=True), FTP_TLS)
        client.auth()
        client.voidcmd("NOOP")
        self.assertRaises(EOFError, client.voidcmd, "NOOP")

    def test_reply_421_at(self) -> None:
        """421 instead of what was asked for, and the end."""
        site = self.serve(chaos.reply_421_at(3, times=1))
        client = self.client(site)
        self.assertRaisesRegex(error_temp, "^421", client.voidcmd, "NOOP")
        self.assertRaises((EOFError, ConnectionError), client.voidcmd, "NOOP")
        self.assertEqual("200", self.client(site).voidcmd("NOOP")[:3])


class TextTests(SitesCase):
    """What replies say."""

    def test_odd_550(self) -> None:
        """One text after the other, and from the beginning again."""
        client = self.client(self.serve(chaos.odd_550(["one", "226 two"])))
        for text in ("one", "226 two", "one"):
            with self.assertRaises(error_perm) as caught:
                client.delete("missing")
            self.assertEqual(f"550 {text}", str(caught.exception))

    def test_odd_550_of_itself(self) -> None:
        """Without texts it has its own."""
        client = self.client(self.serve("odd_550"))
        seen = set()
        for _ in range(7):
            with self.assertRaises(error_perm) as caught:
                client.delete("missing")
            seen.add(str(caught.exception))
        self.assertEqual(7, len(seen))
        self.assertIn("550 ", seen)

    def test_odd_multiline(self) -> None:
        """Every reply has several lines, which mean what the last one says."""
        client = self.client(self.serve("odd_multiline"))
        seen = [client.voidcmd("NOOP") for _ in range(4)]
        self.assertEqual(4, len(set(seen)))
        for reply in seen:
            self.assertRegex(reply, r"(?s)\A200-.*\n.*\n200 OK\.\Z")
        self.assertEqual(CONTENT, self.fetch(client))
        self.assertEqual("/", client.pwd())

    def test_odd_multiline_of_one_form(self) -> None:
        client = self.client(self.serve(chaos.odd_multiline("empty_line")))
        for _ in range(2):
            self.assertEqual("200-\n\n200 OK.", client.voidcmd("NOOP"))

    def test_slow_login(self) -> None:
        """PASS takes its time; the next one does not."""
        site = self.serve(chaos.slow_login(0.3, times=1))
        begun = monotonic()
        self.client(site)
        self.assertGreater(monotonic() - begun, 0.29)
        client = self.connect(self.serve(chaos.slow_login(3600)))
        client.sendcmd("USER user")
        client.sock.settimeout(0.2)
        self.assertRaises(TimeoutError, client.sendcmd, "PASS password")

    def test_a_fault_for_a_while(self) -> None:
        """Faults can be set and taken away while clients are there."""
        site = self.serve()
        client = self.client(site)
        site.use_chaos("odd_550(['changed'])")
        self.assertRaisesRegex(error_perm, "^550 changed$", client.delete, "missing")
        site.use_chaos()
        self.assertRaisesRegex(error_perm, "No such file", client.delete, "missing")
        self.assertEqual((), site.chaos)
        self.assertRaises(error_reply, client.voidcmd, "USER user")  # 331

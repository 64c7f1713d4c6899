"""Each fault of data connections and of 226, as ftplib sees it."""

from __future__ import annotations

import io
import ssl
from ftplib import error_temp, parse227
from time import monotonic
from typing import Any

from tests.testing.support import CONTENT, SitesCase, segments_received, whole
from twistftp.testing import chaos


class AddressTests(SitesCase):
    """What 227 and 229 say."""

    def test_wrong_address_in_227(self) -> None:
        """227 names another address with the right port: who believes it gets nowhere, who does not has no trouble."""
        client = self.client(self.serve(chaos.wrong_address_in_227("127.0.0.2")))
        self.assertEqual("127.0.0.2", parse227(client.sendcmd("PASV"))[0])
        self.assertEqual(CONTENT, self.fetch(client))
        client.trust_server_pasv_ipv4_address = True
        self.assertRaises(ConnectionRefusedError, self.fetch, client)

    def test_rewritten_port(self) -> None:
        """Nobody listens where 227 and 229 say; the second time all is well."""
        client = self.client(self.serve(chaos.rewritten_port(times=2)))
        self.assertRaises(ConnectionRefusedError, self.fetch, client)
        client.af = 10  # EPSV
        self.assertRaises(OSError, self.fetch, client)
        client.af = 2
        self.assertEqual(CONTENT, self.fetch(client))


class CompletionTests(SitesCase):
    """When 226 comes."""

    def test_early_226(self) -> None:
        """226 is there when the last octets are not."""
        client = self.client(self.serve(chaos.early_226(octets=10, pause=3600)))
        connection = self.begin(client)
        self.assertEqual("226", client.getresp()[:3])
        self.assertEqual(CONTENT[:-10], self.exactly(connection, len(CONTENT) - 10))
        self.assert_silent(connection)

    def test_early_226_before_the_end(self) -> None:
        """All octets are there, and the data connection stays open."""
        client = self.client(self.serve(chaos.early_226(octets=0, pause=3600)))
        connection = self.begin(client)
        self.assertEqual("226", client.getresp()[:3])
        self.assertEqual(CONTENT, self.exactly(connection, len(CONTENT)))
        self.assert_silent(connection)

    def test_early_226_and_the_rest(self) -> None:
        """The last octets follow, so a client that reads on has all; a file without octets has none to keep back."""
        client = self.client(self.serve(chaos.early_226(pause=0.01), files={"a.bin": CONTENT, "empty": b""}))
        self.assertEqual(CONTENT, self.fetch(client))
        self.assertEqual(b"", self.fetch(client, "empty"))

    def test_late_226(self) -> None:
        """The data connection has ended, and 226 does not come."""
        client = self.client(self.serve(chaos.late_226(3600)))
        self.assertEqual(CONTENT, whole(self.begin(client)))
        self.assert_silent(client.sock)

    def test_late_226_comes(self) -> None:
        """It does when its time is over, and the next one at once."""
        client = self.client(self.serve(chaos.late_226(0.3, times=1)))
        begun = monotonic()
        self.assertEqual(CONTENT, self.fetch(client))
        self.assertGreater(monotonic() - begun, 0.29)
        self.assertEqual(CONTENT, self.fetch(client))

    def test_missing_226(self) -> None:
        """The next reply is that of the next command."""
        client = self.client(self.serve(chaos.missing_226(on="RETR")))
        self.assertEqual(CONTENT, whole(self.begin(client)))
        self.assertEqual("215", client.sendcmd("SYST")[:3])
        self.assertEqual(["a.bin"], client.nlst())


class OctetTests(SitesCase):
    """What happens at an octet."""

    def test_reset_at(self) -> None:
        """So many octets come, then a reset and 426; the rest can be had by REST."""
        site = self.serve(chaos.reset_at(1000, times=1))
        client = self.client(site)
        connection = self.begin(client)
        self.assertEqual(CONTENT[:1000], self.exactly(connection, 1000))
        self.assertRaises(ConnectionResetError, connection.recv, 1)
        self.assertRaisesRegex(error_temp, "^426 .* 1000 bytes", client.voidresp)
        self.assertEqual(CONTENT[1000:], self.fetch(client, rest=1000))
        self.assertIn("REST 1000", site.commands)

    def test_reset_at_under_tls(self) -> None:
        """The same octets, and no end that TLS knows. (Python's ssl may tell of a reset as of an end without close_notify.)"""
        client = self.client(self.serve(chaos.reset_at(1000), tls=True))
        connection = self.begin(client)
        connection.suppress_ragged_eofs = False
        self.assertEqual(CONTENT[:1000], self.exactly(connection, 1000))
        self.assertRaises((ConnectionResetError, ssl.SSLEOFError), connection.recv, 1)
        self.assertRaisesRegex(error_temp, "^426 .* 1000 bytes", client.voidresp)

    def test_reset_at_of_an_upload(self) -> None:
        """What came before is not kept."""
        site = self.serve(chaos.reset_at(1000, on="STOR"))
        client = self.client(site)
        connection = self.begin(client, "STOR b.bin")
        connection.sendall(CONTENT)
        self.assertRaises(ConnectionResetError, connection.recv, 1)
        self.assertRaisesRegex(error_temp, "^426", client.voidresp)
        self.assertEqual(["a.bin"], list(site.files))
        self.assertEqual(CONTENT, self.fetch(client))

    def test_stall_at(self) -> None:
        """So many octets come and no more; the transfer can be aborted."""
        client = self.client(self.serve(chaos.stall_at(1000)))
        connection = self.begin(client)
        self.assertEqual(CONTENT[:1000], self.exactly(connection, 1000))
        self.assert_silent(connection)
        self.assertEqual("426", client.abort()[:3])

    def test_stall_at_of_an_upload(self) -> None:
        """The server takes no more, so the client cannot send either, and no reply comes."""
        client = self.client(self.serve(chaos.stall_at(1000, on="STOR")))
        connection = self.begin(client, "STOR b.bin")
        connection.settimeout(0.3)
        self.assertRaises(TimeoutError, connection.sendall, bytes(50_000_000))
        self.assert_silent(client.sock)

    def test_half_close_at(self) -> None:
        """A short file that claims to be whole."""
        client = self.client(self.serve(chaos.half_close_at(1000)))
        self.assertEqual(CONTENT[:1000], self.fetch(client))
        self.assertEqual(len(CONTENT), client.size("a.bin"))

    def test_disk_full_at(self) -> None:
        """452, and nothing is kept; a file that fits is taken."""
        site = self.serve(chaos.disk_full_at(1000))
        client = self.client(site)
        self.assertRaisesRegex((error_temp, OSError), "^452|reset|pipe", client.storbinary, "STOR b.bin", io.BytesIO(CONTENT))
        site.wait_until_idle()
        self.assertIn("STOR b.bin -> 452", "\n".join(site.log))
        self.assertEqual("226", self.client(site).storbinary("STOR small", io.BytesIO(b"x" * 999))[:3])
        self.assertEqual(["a.bin", "small"], list(site.files))

    def test_octet_segments(self) -> None:
        """Each octet comes in a segment of its own, of a listing as of a file; without the fault they are one."""
        site = self.serve(chaos.octet_segments(20), files={"a.bin": b"x" * 21})
        client = self.client(site)
        for line in ("RETR a.bin", "NLST", "RETR a.bin"):
            connection = self.begin(client, line)
            data = b""
            while piece := connection.recv(65536):
                data += piece
            expected = 1 if not site.chaos else len(data)
            self.assertEqual(expected, segments_received(connection))
            connection.close()
            client.voidresp()
            if line == "NLST":
                site.use_chaos()

    def test_octet_segments_in_a_text_file(self) -> None:
        """Line ends are cut, too, and put together again."""
        client = self.client(self.serve(chaos.octet_segments(), files={"a.txt": b"one\ntwo\n"}))
        lines: list[str] = []
        client.retrlines("RETR a.txt", lines.append)
        self.assertEqual(["one", "two"], lines)

    def test_together(self) -> None:
        """Faults add up: single octets, a reset behind them, and a reply that is cut."""
        client = self.client(self.serve(chaos.octet_segments(4), chaos.reset_at(6), chaos.split_replies(2)))
        connection = self.begin(client)
        self.assertEqual(CONTENT[:6], self.exactly(connection, 6))
        self.assertRaises(ConnectionResetError, connection.recv, 1)
        self.assertRaisesRegex(error_temp, "^426", client.voidresp)

    def test_an_occasion_is_a_connection(self) -> None:
        """A transfer that is refused has no data connection, so it uses nothing up."""
        client = self.client(self.serve(chaos.reset_at(0, times=1)))
        self.assertRaisesRegex(Exception, "^550", self.fetch, client, "missing")
        self.assertRaises(ConnectionResetError, self.fetch, client)


class TruncatedTLSTests(SitesCase):
    """TLS without close_notify."""

    def received(self, *faults: Any) -> Any:
        connection = self.begin(self.client(self.serve(*faults, tls=True)))
        connection.suppress_ragged_eofs = False
        self.assertEqual(CONTENT, self.exactly(connection, len(CONTENT)))
        return connection

    def test_truncated_tls(self) -> None:
        """The end is not one that TLS has told of."""
        self.assertRaises(ssl.SSLEOFError, self.received("truncated_tls").recv, 1)

    def test_without_it(self) -> None:
        """Else it is."""
        self.assertEqual(b"", self.received().recv(1))

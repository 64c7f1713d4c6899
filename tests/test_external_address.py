"""A real ``twistd`` whose clients count as outside: what they are told, also after SIGHUP, and what the log says."""

import os
import re
import signal
import sys
import tempfile
from pathlib import Path
from unittest import SkipTest

from tests.support.clients import ClientsCase
from tests.support.twistd import Twistd

FILE = """
[[site]]
root = "pub"
port = 0
address = "127.0.0.1"
[site.firewall_support]
internal_networks = []
"""


class ExternalAddressTests(ClientsCase):
    def setUp(self) -> None:
        if os.name != "posix":
            raise SkipTest("needs SIGHUP")
        self.base = Path(self.enterContext(tempfile.TemporaryDirectory()))  # one that another user may enter
        self.base.chmod(0o755)
        (self.base / "pub").mkdir()
        self.file = self.base / "ftp.toml"

    def test_hangup(self) -> None:
        """P-PB-11, P-PB-12: the next PASV after SIGHUP tells the new address and the new ports, in the same session."""
        self.file.write_text(f'{FILE}external_address = "203.0.113.7"\n')
        with Twistd("ftpsite", "--config", "ftp.toml", directory=self.base) as server:
            client = self.client(server.port())
            self.assertRegex(client.sendcmd("PASV"), r"^227 Entering Passive Mode \(203,0,113,7,\d+,\d+\)\.$")
            ports = 'external_ports = "60000-60010"\n[firewall_support]\ndata_channel_port_range = "20000-20010"\n'
            self.file.write_text(f'{FILE}external_address = "203.0.113.8"\n{ports}')
            server.signal(signal.SIGHUP)
            server.wait_for("SIGHUP: firewall_support.data_channel_port_range: 0-0 -> 20000-20010")
            server.wait_for("SIGHUP: firewall_support.external_address of site 'twistftp': '203.0.113.7' -> '203.0.113.8'")
            server.wait_for("SIGHUP: firewall_support.external_ports of site 'twistftp': None -> 60000-60010")
            match = re.fullmatch(r"227 Entering Passive Mode \(203,0,113,8,(\d+),(\d+)\)\.", client.sendcmd("PASV"))
            assert match is not None
            self.assertIn(int(match[1]) * 256 + int(match[2]), range(60000, 60011))
            match = re.fullmatch(r"229 Entering Extended Passive Mode \(\|\|\|(\d+)\|\)", client.sendcmd("EPSV"))
            assert match is not None
            self.assertIn(int(match[1]), range(60000, 60011))
            self.hang_up()
            server.signal(signal.SIGTERM)
            self.assertEqual(0, server.end())

    def test_name(self) -> None:
        """P-PB-14: a name that cannot be used leaves the local address, at once, and the log says why; it hinders no end."""
        self.file.write_text(f'{FILE}external_address = "localhost"\n')
        with Twistd("ftpsite", "--config", "ftp.toml", directory=self.base) as server:
            client = self.client(server.port())
            self.assertIn("(127,0,0,1,", client.sendcmd("PASV"))
            server.wait_for(r"External address localhost cannot be found out \(127\.0\.0\.1: a loopback address .*clients are told the local address")
            self.hang_up()
            server.signal(signal.SIGTERM)
            self.assertEqual(0, server.end())
            self.assertNotIn("Traceback", "\n".join(server.lines))

    def test_active_mode(self) -> None:
        """P-DC-13: active transfers work with the source port as it comes, permitted or not."""
        (self.base / "pub" / "file").write_bytes(b"hello")
        self.file.write_text(FILE)
        before = ("--uid", "65534", "--gid", "65534") if sys.platform == "linux" and os.getuid() == 0 else ()
        with Twistd(*before, "ftpsite", "--config", "ftp.toml", directory=self.base) as server:
            client = self.client(server.port())
            client.set_pasv(False)
            for _ in range(2):
                received: list[bytes] = []
                client.retrbinary("RETR file", received.append)
                self.assertEqual(b"hello", b"".join(received))
            client.quit()
            self.hang_up()
            server.signal(signal.SIGTERM)
            self.assertEqual(0, server.end())
            said = [line for line in server.lines if "cannot come from port 20" in line]
            self.assertLessEqual(len(said), 1)

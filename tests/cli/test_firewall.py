"""Tests of ``cli.firewall``: which rules are printed for a file and options. Their text is ``policy.firewall_rules``' business."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from twistftp.cli import main
from twistftp.dynamic import dynamic_range
from twistftp.policy.firewall_rules.formats import FORMATS


class FirewallTests(SynchronousTestCase):
    """``twistftp firewall``."""

    def run_it(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["firewall", *arguments])

    def file(self, text: str) -> str:
        directory = Path(self.mktemp())
        (directory / "pub").mkdir(parents=True)
        (directory / "ftp.toml").write_text(text, "utf-8")
        return str(directory / "ftp.toml")

    def test_defaults(self) -> None:
        """Without a file: port 2121 and this system's dynamic range."""
        result = self.run_it("--format", "nftables")
        self.assertEqual(0, result.exit_code, result.output)
        self.assertIn("tcp dport { 2121 } counter accept", result.output)
        self.assertIn(f"tcp dport {dynamic_range()} counter accept", result.output)
        self.assertIn("choose a range", result.output)

    def test_options(self) -> None:
        """Port and range are those of the options, in every format."""
        for kind in FORMATS:
            result = self.run_it("--format", kind, "--port", "21", "--passive-ports", "50000-50003")
            self.assertEqual(0, result.exit_code, kind)
            self.assertIn("control 21, passive data 50000-50003\n", result.output)

    def test_walk_through(self) -> None:
        """The lines of the walk-through's step 3 for plain FTP on port 21."""
        output = self.run_it("-f", "netsh", "-p", "21").output
        self.assertIn('\nnetsh advfirewall firewall add rule name="FTP (non-SSL)" action=allow protocol=TCP dir=in localport=21\n', output)
        self.assertIn("\nnetsh advfirewall set global StatefulFtp enable\n", output)
        self.assertIn("\nrem netsh advfirewall set global StatefulFtp disable\n", output)  # its other case, FTPS

    def test_file(self) -> None:
        """The rules follow the file."""
        path = self.file(
            '[firewall_support]\ndata_channel_port_range = "50000-50003"\n[[site]]\nroot = "pub"\nport = 21\n'
            '[site.firewall_support]\nexternal_address = "203.0.113.7"\nexternal_ports = "60000-60003"\nactive_mode = false\n'
        )
        output = self.run_it(path, "--format", "netsh").output
        self.assertIn("pass its ports 60000-60003 to 50000-50003", output)
        self.assertIn("StatefulFtp disable", output)
        self.assertNotIn("dir=out", output)
        self.assertIn('"60000-60003:50000-50003"', self.run_it(path, "--format", "docker-compose").output)

    def test_options_beside_a_file(self) -> None:
        """Options override the file, as those of ``twistd ftpsite`` do."""
        path = self.file('[[site]]\nroot = "pub"\nport = 21\n')
        self.assertIn("control 2122, passive data 5000\n", self.run_it(path, "-f", "pf", "-p", "2122", "--passive-ports", "5000").output)

    def test_mistakes(self) -> None:
        """What cannot be used ends in one line and status 1."""
        two = self.file('[[site]]\nroot = "pub"\nname = "a"\n[[site]]\nroot = "pub"\nname = "b"\nport = 2122\n')
        bad = self.file('[[site]]\nroot = "pub"\nprot = 21\n')
        for arguments, words in (
            (("/does/not/exist", "-f", "pf"), "/does/not/exist: no such file or directory"),
            (("-f", "pf", "--passive-ports", "9-5"), '--passive-ports "9-5": port 9 is outside 1024-65535'),
            (("-f", "pf", "-p", "99999"), "--port 99999: "),
            ((two, "-f", "pf", "-p", "21"), "--port: is for one site"),
            ((bad, "-f", "pf"), "did you mean port?"),
            (("-f", "kubernetes"), "are too many"),
        ):
            result = self.run_it(*arguments)
            self.assertEqual(1, result.exit_code, arguments)
            self.assertIn(words, result.output)
            self.assertTrue(result.output.startswith("twistftp firewall: "))
            self.assertEqual(1, result.output.count("\n"))

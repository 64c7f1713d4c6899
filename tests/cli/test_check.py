"""Tests of ``cli.check``."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from twistftp.cli import main
from twistftp.configuration import load
from twistftp.dynamic import dynamic_range
from twistftp.policy.traps import traps


class CheckTests(SynchronousTestCase):
    """``twistftp check``."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        (self.directory / "pub").mkdir(parents=True)

    def check(self, text: str) -> Result:
        self.path = str(self.directory / "ftp.toml")
        Path(self.path).write_text(text, "utf-8")
        return CliRunner().invoke(main, ["check", self.path])

    def test_good(self) -> None:
        """A file without traps: what each site does, no warning, status 0."""
        result = self.check('[[site]]\nname = "Mirror"\nroot = "pub"\n')
        self.assertEqual(0, result.exit_code, result.output)
        self.assertIn("site 'Mirror'\n", result.output)
        self.assertNotIn("warning", result.output)

    def test_traps(self) -> None:
        """Traps are warnings: all of them are shown, and the status stays 0."""
        result = self.check('[[site]]\nroot = "pub"\naddress = "127.0.0.1"\n[site.firewall_support]\nexternal_address = "192.168.1.7"\n')
        self.assertEqual(0, result.exit_code, result.output)
        expected = traps(load(self.path), dynamic_range())
        self.assertEqual([f"warning: {trap}" for trap in expected], [line for line in result.output.splitlines() if line.startswith("warning: ")])
        self.assertIn("192.168.1.7", "".join(expected))
        self.assertIn("remote clients cannot reach this", result.output)

    def test_bad(self) -> None:
        """What the server would refuse is refused with the same line, and status 1."""
        for text, words in (
            ('[[site]]\nroot = "nowhere"\n', "no such directory"),
            ('[[site]]\nroot = "pub"\nport = "21"\n', "must be a whole number"),
            ("", "has no [[site]]"),
            ("[[site]\n", "not valid TOML"),
        ):
            result = self.check(text)
            self.assertEqual(1, result.exit_code, text)
            self.assertTrue(result.output.startswith(f"twistftp check: {self.path}: "), result.output)
            self.assertIn(words, result.output)
            self.assertEqual(1, result.output.count("\n"))

    def test_no_file(self) -> None:
        """A missing file, too."""
        result = CliRunner().invoke(main, ["check", "/does/not/exist"])
        self.assertEqual((1, "twistftp check: /does/not/exist: no such file or directory\n"), (result.exit_code, result.output))

"""Tests of ``cli.command``: the command as a whole, as users start it."""

from __future__ import annotations

import errno
import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

import twistftp
from tests.support.twistd import CHECKOUT, environment
from twistftp.cli import main


class CommandTests(SynchronousTestCase):
    """``twistftp``."""

    def test_subcommands(self) -> None:
        """Help names them."""
        result = CliRunner().invoke(main, ["--help"])
        self.assertEqual(0, result.exit_code)
        for name in ("check", "doctor", "firewall", "passwd"):
            self.assertRegex(result.output, rf"(?m)^  {name} +\w")
        self.assertNotRegex(result.output, r"(?m)\.\.\.$(?<!\[ARGS\]\.\.\.)")  # what it does is said whole

    def test_usage(self) -> None:
        """Mistakes on the command line end with status 2."""
        bad_options = ["firewall", "--format", "nonsense"], ["firewall", "-f", "pf", "-p", "x"]
        for arguments in ([], ["nonsense"], ["check"], ["doctor"], ["firewall"], *bad_options):
            self.assertEqual(2, CliRunner().invoke(main, arguments).exit_code, arguments)

    def test_unreadable_files(self) -> None:
        """A file that may not be read is no mistake of usage: status 1, and one line."""
        path = Path(self.mktemp())
        path.write_text("[[site]]\nroot = '.'\n")

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        self.patch(os, "access", lambda *_, **__: False)
        self.patch(Path, "read_bytes", refuse)
        self.patch(importlib.import_module("twistftp.cli.passwd"), "change", refuse)
        for arguments in (["check", str(path)], ["firewall", str(path), "-f", "ufw"], ["passwd", str(path), "alice", "--delete"]):
            result = CliRunner().invoke(main, arguments)
            self.assertEqual((1, f"twistftp {arguments[0]}: {path}: permission denied\n"), (result.exit_code, result.output))

    def test_module(self) -> None:
        """``python -m twistftp`` is the same command, and needs no reactor."""
        with tempfile.TemporaryDirectory() as directory:
            done = subprocess.run(
                [sys.executable, "-m", "twistftp", "--version"],
                cwd=directory,
                env=environment(),
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        self.assertEqual((0, f"twistftp, version {twistftp.__version__}\n"), (done.returncode, done.stdout), done.stderr)

    def test_no_reactor(self) -> None:
        """Importing the command installs no reactor: it is started often, and never serves."""
        code = "import sys, twistftp.cli; print('twisted.internet.reactor' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual("False\n", done.stdout, done.stderr)

    def test_light(self) -> None:
        """What the doctor alone needs is not imported for the others."""
        code = "import sys, twistftp.cli; print('twistftp.cli.doctor.examination' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual("False\n", done.stdout, done.stderr)

    def test_console_script(self) -> None:
        """The package installs it under its name."""
        self.assertIn('"twistftp = twistftp.cli:main"', (Path(CHECKOUT) / "setup.py").read_text("utf-8"))

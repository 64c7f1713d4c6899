"""Tests of ``twistftp replay``: what it prints, and its exit status."""

from __future__ import annotations

import os
from pathlib import Path

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from twistftp.cli import main

CAPSULE = Path(__file__).resolve().parent.parent / "interop" / "capsules" / "curl-pasv.jsonl"


class ReplayTests(SynchronousTestCase):
    """``twistftp replay FILE``."""

    def run_command(self, *arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["replay", *arguments])
        return result.exit_code, result.output

    def written(self, text: str) -> str:
        path = os.path.abspath(self.mktemp())
        Path(path).write_text(text)
        return path

    def test_same(self) -> None:
        """All replies are the same: how many, and exit status 0."""
        self.assertEqual((0, "same: 10 replies\n"), self.run_command(str(CAPSULE)))

    def test_difference(self) -> None:
        """The first difference with what was said before it, and exit status 1."""
        path = self.written(CAPSULE.read_text().replace("Logged in.", "Welcome."))
        status, output = self.run_command(path)
        expected = [
            "    server: 220 Capsules FTP service ready.",
            "    client: USER anonymous",
            "    server: 331 Anonymous login ok; send your e-mail address as password.",
            "    client: PASS ****",
            "  expected: 230 Welcome.",
            "  got:      230 Logged in.",
        ]
        first, *rest = output.splitlines()
        self.assertEqual((1, expected), (status, rest))
        line = next(number for number, text in enumerate(CAPSULE.read_text().splitlines(), 1) if "Logged in." in text)
        self.assertRegex(first, rf"^{path}:{line}: the first difference, at 0\.0\d\d s, after 2 replies that are the same:$")

    def test_broken_off(self) -> None:
        """A file of which the end is missing is played as far as it goes, and that is said; no line is more than one."""
        whole = CAPSULE.read_text()
        for kept, why in ((len(whole) - 20, "its last line is not whole"), (whole.rindex('{"t":'), "the session's end is not in it")):
            status, output = self.run_command(self.written(whole[:kept]))
            self.assertEqual((0, 1), (status, output.count("\n")))
            self.assertRegex(output, rf"^same: \d+ replies, as far as the capsule goes: {why}\n$")

    def test_other_files(self) -> None:
        """``--root`` takes the files from a directory."""
        root = Path(os.path.abspath(self.mktemp()))
        root.mkdir()
        status, output = self.run_command(str(CAPSULE), "--root", str(root))
        self.assertEqual(1, status)
        self.assertIn("550 file.txt: No such file or directory.", output)
        (root / "file.txt").write_bytes(b"one\ntwo\nthree\n")
        self.assertEqual((0, "same: 10 replies\n"), self.run_command(str(CAPSULE), "--root", str(root)))
        (root / "file.txt").write_bytes(b"one\ntwo\nFOUR\n\n")
        status, output = self.run_command(str(CAPSULE), "--root", str(root))
        self.assertIn("  expected: RETR sends three\n  got:      RETR sends FOUR\n", output)

    def test_unusable(self) -> None:
        """One line, and exit status 1; no traceback."""
        path = self.written("nothing\n")
        self.assertEqual((1, f"twistftp replay: {path}: line 1: no JSON: Expecting value: line 1 column 1 (char 0)\n"), self.run_command(path))
        self.assertEqual((1, "twistftp replay: /nowhere: no such file or directory\n"), self.run_command("/nowhere"))
        self.assertEqual((1, "twistftp replay: /nowhere: no such file or directory\n"), self.run_command(str(CAPSULE), "--root", "/nowhere"))
        header = '{"capsule":1,"time":0,"peer":"","local":"","settings":{"name":5}}\n'
        status, output = self.run_command(self.written(header + '{"t":0,"server":"220 x"}\n'))
        self.assertEqual((1, 1), (status, output.count("\n")))

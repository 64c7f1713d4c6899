"""Tests of ``twistftp conform`` as it is typed: what goes wrong is said in one line, nothing is written without consent, no password is shown."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from time import monotonic
from typing import Any

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from tests.support.scripted import Deed, Scripted, Talk, black_hole
from twistftp.cli import main
from twistftp.cli.conform.catalogue import ROWS

ALLOWANCE = 3.0
"""Seconds for a busy machine; nothing of it is waited for."""
WRITING = ("STOR ", "APPE ", "STOU", "MKD ", "RNTO ", "RMD ", "MFMT ", "MFF ", "SITE CHMOD")


class CommandCase(SynchronousTestCase):
    """Runs it in this process."""

    def run_it(self, *arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(main, ["conform", *arguments], env=environment)

    def assertSaysOneLine(self, result: Result, status: int, *words: str) -> None:
        self.assertEqual((status, 1), (result.exit_code, len(result.stderr.strip().split("\n"))), result.output)
        for word in words:
            self.assertIn(word, result.stderr)

    def directory(self) -> Path:
        return Path(self.enterContext(tempfile.TemporaryDirectory()))


class NobodyThereTests(CommandCase):
    """A server that cannot be reached, or is none: one line, status 1, no card."""

    def test_refused(self) -> None:
        """Nobody listens."""
        with Scripted() as server:
            port = server.closed_port()
        card = self.directory() / "card.html"
        result = self.run_it(f"ftp://alice:secret@127.0.0.1:{port}/pub", "--output", str(card))
        self.assertSaysOneLine(result, 1, f"ftp://alice@127.0.0.1:{port}/pub: ", "connection refused")
        self.assertFalse(card.exists())

    def test_no_name(self) -> None:
        """A host that does not exist."""
        self.assertSaysOneLine(self.run_it("ftp://nobody.invalid", "--timeout", "9"), 1, "ftp://nobody.invalid:21/: ")

    def test_black_hole(self) -> None:
        """SYNs that nobody answers."""
        with black_hole() as port:
            begin = monotonic()
            result = self.run_it(f"ftp://127.0.0.1:{port}", "--timeout", "2")
            self.assertLess(monotonic() - begin, 2 + ALLOWANCE)
        self.assertSaysOneLine(result, 1, "no answer")

    def test_silent(self) -> None:
        """It takes the connection and says nothing."""
        with Scripted(greeting=Deed.SILENCE) as server:
            begin = monotonic()
            result = self.run_it(f"ftp://127.0.0.1:{server.port}", "--timeout", "2")
            self.assertLess(monotonic() - begin, 2 + ALLOWANCE)
        self.assertSaysOneLine(result, 1, "no answer")

    def test_another_protocol(self) -> None:
        """What it says is no reply."""
        with Scripted(greeting=b"SSH-2.0-x\r\n") as server:
            result = self.run_it(f"ftp://127.0.0.1:{server.port}", "--timeout", "5")
        self.assertSaysOneLine(result, 1, "something else than expected")

    def test_turned_away(self) -> None:
        """421 instead of a greeting."""
        with Scripted(greeting=b"421 Full.\r\n") as server:
            result = self.run_it(f"ftp://127.0.0.1:{server.port}", "--timeout", "5")
        self.assertSaysOneLine(result, 1, "421 Full.")


class UsageTests(CommandCase):
    """Mistakes on the command line: status 2, before anything is tried."""

    def test_mistakes(self) -> None:
        """Each with its reason."""
        for arguments, words in (
            ((), "Missing argument 'URL'"),
            (("http://x",), "a URL begins with ftp://"),
            (("ftp://x", "--only", "P-NONE"), "there is no row P-NONE"),
            (("ftp://x", "--ca", "x.pem", "--insecure"), "give one of them"),
            (("ftp://bob@x", "--user", "alice"), "give one of them"),
            (("ftp://x", "--write"), "name a user"),
            (("ftp://x", "--user", "a\r\nDELE b"), "line ends"),
            (("ftp://x", "--output", "/nowhere/at/all.html"), "there is no directory"),
        ):
            result = self.run_it(*arguments)
            self.assertEqual(2, result.exit_code, result.output)
            self.assertIn(words, result.stderr)

    def test_list(self) -> None:
        """``--list`` shows the rows, and tries nothing."""
        result = self.run_it("--list")
        self.assertEqual((0, len(ROWS)), (result.exit_code, len(result.stdout.strip().split("\n"))))
        some = self.run_it("--list", "--only", "P-EPSV-1,p-epsv-2").stdout.strip().split("\n")
        self.assertEqual(["P-EPSV-1", "P-EPSV-2"], [line.split()[0] for line in some])

    def test_ids(self) -> None:
        """No two rows have one id."""
        self.assertEqual(len(ROWS), len({row.id for row in ROWS}))


class CardTests(CommandCase):
    """What comes of a server."""

    def test_forms(self) -> None:
        """Each FILE has the form of its ending, ``--format`` that of all; one run makes them."""
        place = self.directory()
        files = [place / name for name in ("card.txt", "card.json", "card.html")]
        with Scripted() as server:
            outputs = [part for file in files for part in ("--output", str(file))]
            result = self.run_it(f"ftp://127.0.0.1:{server.port}", "--only", "P-NOOP,P-SYST-1", "--name", "Scripted 1", *outputs)
            self.assertEqual(3, server.commands.count("SYST"))  # one of them introduces the server
        self.assertIn("MUST", result.stdout)
        text, encoded, page = (file.read_text("utf-8") for file in files)
        self.assertTrue(text.startswith("FTP conformance of Scripted 1\n"))
        card = json.loads(encoded)
        self.assertEqual(("Scripted 1", ["P-NOOP-1", "P-SYST-1", "P-SYST-1.name"]), (card["name"], [row["id"] for row in card["rows"]]))
        self.assertTrue(page.startswith("<!DOCTYPE html>"))

    def test_status(self) -> None:
        """0 if no MUST is broken, 1 if one is; a SHOULD does not count."""
        for verbs, status in (({"NOOP": b"200 Yes.\r\n"}, 0), ({"NOOP": b"500 No.\r\n"}, 1)):
            with Scripted(verbs) as server:
                result = self.run_it(f"ftp://127.0.0.1:{server.port}", "--only", "P-NOOP-1")
            self.assertEqual(status, result.exit_code, result.output)
        with Scripted({"ALLO": b"502 No.\r\n"}) as server:
            result = self.run_it(f"ftp://127.0.0.1:{server.port}", "--only", "P-ALLO-1,P-SYST-1")
        self.assertEqual(0, result.exit_code)
        self.assertIn("no MUST is broken; 1 SHOULD is broken", result.stdout)

    def test_code_of_the_same_kind(self) -> None:
        """RFC 1123 §4.1.2.11: another code of the same kind breaks no MUST, and one SHOULD."""
        with Scripted({"NOOP": b"250 Yes.\r\n"}) as server:
            result = self.run_it(f"ftp://127.0.0.1:{server.port}", "--only", "P-NOOP-1,P-GEN-6", "--format", "json")
        self.assertEqual({"P-NOOP-1": "PASS", "P-GEN-6.codes": "FAIL"}, {row["id"]: row["verdict"] for row in json.loads(result.stdout)["rows"]})

    def test_no_login(self) -> None:
        """A card in which most rows could not be tried is not a good one; the account is asked for once, so that it is not locked."""
        with Scripted({"PASS": b"530 No.\r\n", "LIST": b"530 No.\r\n"}) as server:
            result = self.run_it(f"ftp://alice:secret@127.0.0.1:{server.port}", "--timeout", "20")
            self.assertEqual(1, server.commands.count("PASS secret"))
        self.assertEqual(1, result.exit_code)
        self.assertIn("no session could be had: the login is refused: 530 No.", " ".join(result.stdout.split()))

    def test_time(self) -> None:
        """A server that falls silent is left when the time is up; that is said, and is no good card."""
        with Scripted({"NOOP": Deed.SILENCE, "PWD": Deed.SILENCE, "TYPE": Deed.SILENCE}) as server:
            begin = monotonic()
            result = self.run_it(f"ftp://127.0.0.1:{server.port}", "--timeout", "2")
            self.assertLess(monotonic() - begin, 2 + ALLOWANCE)
        self.assertEqual(1, result.exit_code)
        self.assertRegex(" ".join(result.stdout.split()), r"the time was up before \d+ rows could be tried")

    def test_chaos(self) -> None:
        """Servers that hang up, reset and babble at any command have cards, too."""
        for words in (Deed.CUT, Deed.RESET, b"\xff\xfe\xf0\x80 \r\n", b"299-x\r\n", b"227 (\xd9\xa1,0,0,1,\xd9\xa3,999999)\r\n", b""):
            verbs = dict.fromkeys(("NOOP", "PWD", "PASV", "EPSV", "LIST", "RETR", "FEAT", "MLST", "QUIT", "PORT", "MKD"), words)
            with Scripted(verbs) as server:
                result = self.run_it(f"ftp://anonymous@127.0.0.1:{server.port}", "--write", "--timeout", "2")
            self.assertEqual((1, ""), (result.exit_code, result.stderr))
            self.assertRegex(result.stdout, r"(?m)^result: ")

    def test_passwords(self) -> None:
        """However it is given and wherever the server repeats it, no card shows it."""
        for arguments, environment in (
            (("ftp://alice:hushhush@HOST",), {}),
            (("ftp://HOST", "--user", "alice", "--password", "hushhush"), {}),
            (("ftp://alice@HOST",), {"TWISTFTP_PASSWORD": "hushhush"}),
        ):
            with Scripted({"PASS": repeated, "SYST": b"215 hushhush\r\n"}, greeting=b"220 hushhush\r\n") as server:
                words = [argument.replace("HOST", f"127.0.0.1:{server.port}") for argument in arguments]
                for form in ("text", "json", "html"):
                    result = self.run_it(*words, "--only", "P-PASS-1,P-SYST,P-NOOP", "--format", form, **environment)
                    self.assertNotIn("hushhush", result.output)
                    self.assertIn("********", result.output)
                self.assertIn("PASS hushhush", server.commands)

    def test_nothing_is_written(self) -> None:
        """Without ``--write`` nothing is made, changed or deleted, whatever the login."""
        with Scripted() as server:
            self.run_it(f"ftp://alice:secret@127.0.0.1:{server.port}", "--timeout", "6")
            self.assertGreater(len(server.commands), 50)
            self.assertEqual([], [line for line in server.commands if line.upper().startswith(WRITING)])

    def test_a_directory_of_somebody(self) -> None:
        """A server that answers 257 for a directory that is there: what is in it is not touched."""
        with Scripted({"MKD": b'257 "made"\r\n', "PWD": b'257 "/"\r\n'}) as server:
            result = self.run_it(f"ftp://anonymous@127.0.0.1:{server.port}", "--write", "--only", "P-STOR-1,P-NOOP-1")
            self.assertFalse([line for line in server.commands if line.startswith(("STOR", "DELE", "RMD"))])
        self.assertIn("is not empty", " ".join(result.stdout.split()))


def repeated(talk: Talk, argument: str) -> Any:
    """A login whose reply repeats the password."""
    return f"230 Welcome, {argument}.\r\n".encode()


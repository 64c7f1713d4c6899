"""docs/testing.md and the README: every example runs as it stands, and the tables have what there is."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from tests.testing.support import CHECKOUT, pytest_environment
from twistftp.testing import FTPServer

# What the examples take from the program that is tested: an upload, and a download that is tried again.
PROGRAM = """
import io
from ftplib import FTP, error_temp
from urllib.parse import urlsplit


def upload(host, port, name):
    with FTP(timeout=10) as ftp:
        ftp.connect(host, port)
        ftp.login("user", "password")
        ftp.storbinary(f"STOR {name}", io.BytesIO(b"date;amount"))


def download(url, name):
    place, data = urlsplit(url), io.BytesIO()
    while True:
        try:
            with FTP(timeout=10) as ftp:
                ftp.connect(place.hostname, place.port)
                ftp.login(place.username, place.password)
                ftp.retrbinary(f"RETR {name}", data.write, rest=data.tell() or None)
                return data.getvalue()
        except (error_temp, ConnectionError):
            continue


"""
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "twistftp.testing.plugin", "--strict-markers")
PYTHON = ("-c", "import runpy, sys; [runpy.run_path(path, run_name='__main__') for path in sys.argv[1:]]")


def examples(*words: str) -> list[str]:
    """The examples of the page, and of the README's section, in which these words are."""
    page = (CHECKOUT / "docs" / "testing.md").read_text("utf-8")
    section = (CHECKOUT / "README.md").read_text("utf-8").partition("\n## In your tests\n")[2].partition("\n## ")[0]
    blocks: list[str] = re.findall(r"^```python\n(.*?)^```", page + section, re.MULTILINE | re.DOTALL)
    return [block for block in blocks if all(word in block for word in words)]


class ExampleTests(SynchronousTestCase):
    """The examples as a user would run them."""

    timeout = 120

    def run_examples(self, blocks: list[str], *arguments: str) -> str:
        """Run them in a directory of their own: what is said."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        names = [f"test_example_{number}" for number, _ in enumerate(blocks)]
        for name, block in zip(names, blocks, strict=True):
            (folder / f"{name}.py").write_text(PROGRAM + block, "utf-8")
        ending = "" if "twisted.trial" in arguments else ".py"
        done = subprocess.run(
            [sys.executable, *arguments, *(name + ending for name in names)],
            cwd=folder,
            env={**pytest_environment(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def test_every_example_is_one_of_these(self) -> None:
        """With pytest, with asyncio, with Twisted, or with nothing of that."""
        kinds = [examples("import pytest"), examples("import aioftp"), examples("twisted.trial"), examples("with ftp_site(files=", "\nwith ")]
        self.assertEqual([3, 1, 1, 2], [len(blocks) for blocks in kinds])
        self.assertEqual(sorted(examples()), sorted(block for blocks in kinds for block in blocks))

    def test_plain(self) -> None:
        """What is read from top to bottom."""
        self.assertEqual("hello\n", self.run_examples(examples("\nwith "), *PYTHON))

    @skipUnless(find_spec("pytest"), "needs pytest")
    def test_with_pytest(self) -> None:
        self.assertRegex(self.run_examples(examples("import pytest"), *PYTEST), r"\b8 passed in ")

    @skipUnless(find_spec("aioftp"), "needs aioftp")
    def test_with_asyncio(self) -> None:
        self.assertEqual("", self.run_examples(examples("import aioftp"), *PYTHON))

    def test_with_twisted(self) -> None:
        """In a process whose reactor runs."""
        self.assertIn("PASSED (successes=1)", self.run_examples(examples("twisted.trial"), "-m", "twisted.trial"))


class TableTests(SynchronousTestCase):
    """What a site takes, and what it has."""

    def named(self, start: str) -> list[str]:
        """The words in code of the first cells of the table behind a line."""
        text = (CHECKOUT / "docs" / "testing.md").read_text("utf-8").partition(start)[2]
        table = re.split(r"\n\n(?!\|)", text.partition("\n| ")[2])[0]
        rows = [row for row in table.split("\n")[1:] if not row.startswith("|-")]
        return [re.split(r"[(:]", word)[0] for row in rows for word in re.findall(r"`([^`]+)`", row.split(" | ")[0])]

    def test_options(self) -> None:
        """Each, and in the order in which FTPServer has them: those of most use first."""
        parameters = {name for name, one in inspect.signature(FTPServer).parameters.items() if one.kind is not one.VAR_KEYWORD}
        named = self.named("## What a site is like")
        self.assertEqual(sorted(parameters), sorted(named))
        document = inspect.getdoc(FTPServer) or ""
        self.assertEqual(parameters, set(re.findall(r":param (\w+):", document)) - {"settings"})

    def test_attributes(self) -> None:
        """All that is public."""
        own = {name for name in dir(FTPServer) if not name.startswith("_")} | {"host", "port", "users", "tls", "chaos"}
        self.assertEqual(own, {*self.named("Then it has:"), "start", "stop"})

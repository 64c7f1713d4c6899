"""docs/testing.md and the README: every example runs as it stands, and the tables have what there is."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from unittest import SkipTest

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
# How a block is run, by what is in it; the first that fits. With what must have been said.
RUNNERS = (
    ("import pytest", "pytest", ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "twistftp.testing.plugin"), r"\b[1-9]\d* passed in "),
    ("twisted.trial", "twisted", ("-m", "twisted.trial"), r"PASSED \(successes=[1-9]\d*\)"),
    ("import aioftp", "aioftp", (), r"\A\Z"),
    ("", "", (), r"\A(hello\n)?\Z"),
)


def blocks(text: str) -> list[str]:
    """The examples of a page."""
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


class ExampleTests(SynchronousTestCase):
    """The examples of both pages."""

    timeout = 120

    def run_block(self, block: str) -> None:
        """Run it in a directory of its own. :raises SkipTest: what it is about is not installed."""
        _, needed, arguments, expected = next(row for row in RUNNERS if row[0] in block)
        if needed and not find_spec(needed):
            raise SkipTest(f"needs {needed}")
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "test_block.py").write_text(PROGRAM + block, "utf-8")
        command = [sys.executable, *arguments, "test_block" if needed == "twisted" else "test_block.py"]
        done = subprocess.run(command, cwd=folder, env=pytest_environment(), capture_output=True, text=True, timeout=100, check=False)
        output = done.stdout + done.stderr
        self.assertEqual(0, done.returncode, f"{block}\n{output}")
        self.assertRegex(output, expected)

    def test_every_kind_is_there(self) -> None:
        """Those with pytest, with asyncio, with Twisted, and with nothing of that."""
        found = blocks((CHECKOUT / "docs" / "testing.md").read_text("utf-8"))
        kinds = [next(needed for mark, needed, *_ in RUNNERS if mark in block) for block in found]
        self.assertEqual(["", "pytest", "pytest", "pytest", "aioftp", "twisted"], kinds)

    def test_readme(self) -> None:
        """The README's example."""
        section = (CHECKOUT / "README.md").read_text("utf-8").partition("\n## In your tests\n")[2].partition("\n## ")[0]
        (block,) = blocks(section)
        self.run_block(block)


def _example(number: int) -> None:
    def test(self: ExampleTests) -> None:
        self.run_block(blocks((CHECKOUT / "docs" / "testing.md").read_text("utf-8"))[number])

    test.__doc__ = f"Example {number + 1} of docs/testing.md."
    setattr(ExampleTests, f"test_example_{number + 1}", test)


for _number in range(len(blocks((CHECKOUT / "docs" / "testing.md").read_text("utf-8")))):
    _example(_number)


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

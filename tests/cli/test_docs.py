"""Tests of ``docs/firewalls.md``: what it shows is what the command prints."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from unittest.mock import patch

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from tests.support.twistd import CHECKOUT
from twistftp.cli import main
from twistftp.policy.channels import PortRange

PAGE = (CHECKOUT / "docs" / "firewalls.md").read_text("utf-8")
BLOCK = re.compile(r"```console\n\$ twistftp (.*)\n((?:.*\n)*?)```")


class PageTests(SynchronousTestCase):
    """Each block that begins with ``$ twistftp``."""

    def setUp(self) -> None:
        self.directory = os.path.realpath(self.enterContext(tempfile.TemporaryDirectory()))
        (Path(self.directory) / "pub").mkdir()
        example = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
        assert example is not None
        (Path(self.directory) / "ftp.toml").write_text(example[1], "utf-8")
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)
        # The page is about Linux as it comes; a test machine may be set otherwise.
        self.enterContext(patch("twistftp.cli.check.dynamic_range", lambda: PortRange(32768, 60999)))
        self.enterContext(patch("twistftp.cli.check.others_may_read", lambda directory: True))

    def test_outputs(self) -> None:
        """The page's outputs are the command's. Its folder is ``/etc`` there."""
        blocks = BLOCK.findall(PAGE)
        self.assertGreater(len(blocks), 8)
        for command, shown in blocks:
            result = CliRunner().invoke(main, command.split())
            self.assertEqual(0, result.exit_code, result.output)
            self.assertEqual(result.output.replace(self.directory, "/etc"), shown, command)

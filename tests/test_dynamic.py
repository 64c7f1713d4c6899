"""Tests of ``cli.dynamic``."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twistftp.dynamic import dynamic_range
from twistftp.policy.channels import PortRange


class DynamicRangeTests(SynchronousTestCase):
    """What ``0-0`` comes to."""

    def of(self, text: str) -> PortRange:
        path = Path(self.mktemp())
        path.write_text(text, "ascii")
        return dynamic_range(os.fspath(path))

    def test_linux(self) -> None:
        """The kernel says it; ports below 1024 are no passive ports."""
        self.assertEqual(PortRange(32768, 60999), self.of("32768\t60999\n"))
        self.assertEqual(PortRange(1024, 60999), self.of("500\t60999\n"))

    def test_elsewhere(self) -> None:
        """Where it cannot be read, the range is that of Windows, macOS and the IANA."""
        for text in ("", "one two", "1 2 3", "1 2"):
            self.assertEqual(PortRange(49152, 65535), self.of(text))
        self.assertEqual(PortRange(49152, 65535), dynamic_range("/does/not/exist"))

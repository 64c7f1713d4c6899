"""
Some seconds of the soak of ``bench``: well-behaved and hostile clients together leave nothing behind in a server.

Times are not looked at, and memory only for what no warming up explains: an hour of ``bench/soak.py`` is for that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.support.twistd import CHECKOUT

_BENCH = CHECKOUT / "bench"
_SECONDS, _CLIENTS, _MIB = "10", "4", "48"
_PATIENCE = 400.0  # seconds after which something hangs


class SoakTests(SynchronousTestCase):
    """A real server, and threads of clients."""

    def test_nothing_is_left(self) -> None:
        """
        After each round of visits and attacks no descriptor, listener, session, lease, data connection, delayed call or unfinished upload
        is left, every guest was served as always, and the log has no traceback (PROTOCOL P-SEC-10).
        """
        if not sys.platform.startswith("linux") or not _BENCH.is_dir():
            raise SkipTest("the soak reads Linux' /proc, and is in the checkout")
        command = [sys.executable, str(_BENCH / "soak.py"), "--seconds", _SECONDS, "--clients", _CLIENTS, "--grow-mib", _MIB]
        environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
        ended = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE, check=False)
        self.assertEqual(0, ended.returncode, f"{ended.stdout}\n{ended.stderr}")
        self.assertIn("Nothing grew.", ended.stdout)

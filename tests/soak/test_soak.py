"""
A short profile of the soak of ``bench``: well-behaved and hostile clients together leave nothing behind in a server.

Visits and attacks are counted, not timed, and come from one seed: always the same is done. Times are not looked at, and memory only for what no
warming up explains: an hour of ``bench/soak.py`` is for that.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.support.twistd import CHECKOUT

_BENCH = CHECKOUT / "bench"
_PROFILE = ("--visits", "4", "--clients", "2", "--grow-mib", "48")  # four rounds, so each client has time for all attacks
_PATIENCE = 400.0  # seconds after which something hangs


class SoakTests(SynchronousTestCase):
    """A real server, and threads of clients."""

    def test_nothing_is_left(self) -> None:
        """
        Every visit and every attack is made. After each round no descriptor, listener, session, lease, data connection, delayed call or
        unfinished upload is left, every guest was served as always, and the log has no traceback (PROTOCOL P-SEC-10).
        """
        if not sys.platform.startswith("linux") or not _BENCH.is_dir():
            raise SkipTest("the soak reads Linux' /proc, and is in the checkout")
        found = Path(self.mktemp())
        command = [sys.executable, str(_BENCH / "soak.py"), *_PROFILE, "--json", str(found)]
        environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
        ended = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE, check=False)
        self.assertEqual(0, ended.returncode, f"{ended.stdout}\n{ended.stderr}")
        self.assertIn("Nothing grew.", ended.stdout)
        self.patch(sys, "path", [str(_BENCH), *sys.path])
        import guests
        import vandals

        self.assertEqual({*guests.VISITS, *(attack.__name__ for attack in vandals.ATTACKS)}, set(json.loads(found.read_text())["done"]))

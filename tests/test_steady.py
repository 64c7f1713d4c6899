"""A reactor's clock, while the system's is set."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.support.twistd import environment
from twistftp.steady import make_steady

_SERVER = """
import os, sys, time
from twisted.internet import reactor
from twistftp.service import Options, makeService
from twistftp.workers.child import begin_anew

os.mkdir(sys.argv[1])
options = Options()
options.parseOptions(["--root", sys.argv[1]])
makeService(options)
print("server", reactor.seconds is time.monotonic)
begin_anew(reactor)
print("worker", reactor.seconds is time.monotonic)
"""


class SteadyTests(SynchronousTestCase):
    def reactor(self) -> Any:
        reactor = SelectReactor()
        self.addCleanup(reactor._uninstallHandler)
        for reader in list(reactor.getReaders()):
            reactor.removeReader(reader)
            self.addCleanup(reader.connectionLost, None)
        return reactor

    def test_clock_is_set(self) -> None:
        """A call waits for as long as it was told to, whatever becomes of the time of day; one for the next turn comes in the next turn."""
        for step in (-86400.0, 86400.0):
            reactor, called, real = self.reactor(), [], time.time
            self.assertTrue(make_steady(reactor))
            reactor.callLater(0, called.append, "now")
            reactor.callLater(600, called.append, "later")
            self.patch(time, "time", lambda real=real, step=step: real() + step)
            reactor.runUntilCurrent()
            self.assertEqual(["now"], called)
            self.assertTrue(500 < reactor.timeout() <= 600)
            [waiting] = reactor.getDelayedCalls()
            waiting.reset(0)
            reactor.runUntilCurrent()
            self.assertEqual(["now", "later"], called)

    def test_left_alone(self) -> None:
        """Clocks that are no system's, and those by which somebody waits already."""
        clock = Clock()
        self.assertFalse(make_steady(clock))
        reactor = self.reactor()
        call = reactor.callLater(5, lambda: None)
        self.assertFalse(make_steady(reactor))
        call.cancel()
        self.assertTrue(make_steady(reactor))
        self.assertFalse(make_steady(reactor))

    def test_server(self) -> None:
        """That of ``twistd ftpsite`` is one, in workers too."""
        text = subprocess.run(
            [sys.executable, "-c", _SERVER, self.mktemp()], env=environment(), capture_output=True, text=True, timeout=60, check=False
        )
        self.assertEqual(("server True\nworker True\n", ""), (text.stdout, text.stderr))

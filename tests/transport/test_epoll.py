"""Tests for ``twistftp.transport.epoll``: Twisted's own of what every reactor must do, and what is particular to this one."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.test import test_core, test_fdset, test_threads, test_time
from twisted.internet.test.reactormixins import ReactorBuilder
from twisted.trial.unittest import SynchronousTestCase

from tests.support.twistd import PATIENCE, environment

IS_LINUX = sys.platform == "linux"
if IS_LINUX:
    from twistftp.transport.epoll import _TIDY, DirectEPollReactor


# The first wants a library, of the second Twisted says itself that epoll cannot do it.
NOT_OURS = frozenset({"test_timeout_add", "test_lostFileDescriptor"})


def twisteds_own() -> dict[str, Any]:
    """The test cases with which Twisted tries its reactors, made for this one."""
    made: dict[str, Any] = {}
    for module in (test_core, test_fdset, test_threads, test_time):
        for name, builder in vars(module).items():
            if isinstance(builder, type) and issubclass(builder, ReactorBuilder) and not issubclass(builder, SynchronousTestCase):
                body = {key: value for key, value in vars(builder).items() if key not in NOT_OURS}
                body |= {"_reactors": ["twistftp.transport.epoll.DirectEPollReactor"], "__module__": __name__}
                made |= type(name, builder.__bases__, body).makeTestCaseClasses()  # type: ignore[attr-defined]
    return made


class Watched:
    """A socket that the reactor watches; it has something to read, and says what happens to it."""

    def __init__(self, case: DirectEPollTests, name: str) -> None:
        self.case, self.name = case, name
        self.ours, self.theirs = socket.socketpair()
        self.theirs.send(b"x")
        self.fileno = self.ours.fileno
        case.reactor.addReader(self)
        case.watched.append(self)

    def doRead(self) -> Any:
        """Take what there is, and note it."""
        self.ours.recv(1)
        self.case.happened.append(f"{self.name} read")
        return self.read()

    def read(self) -> Any:
        """What a test does with it."""

    def logPrefix(self) -> str:
        """For Twisted, when the reactor ends."""
        return self.name

    def connectionLost(self, reason: Any) -> None:
        """Note it."""
        self.case.happened.append(f"{self.name} lost: {reason.type.__name__}")


class DirectEPollTests(SynchronousTestCase):
    """One turn at a time."""

    if not IS_LINUX:
        skip = "epoll is Linux's"

    def setUp(self) -> None:
        self.reactor: Any = DirectEPollReactor()
        self.addCleanup(self.close)
        self.watched: list[Watched] = []
        self.happened: list[str] = []

    def close(self) -> None:
        """Nothing of the reactor stays open."""
        for watched in self.watched:
            self.reactor.removeReader(watched)
            watched.ours.close()
            watched.theirs.close()
        for internal in list(self.reactor._internalReaders):
            self.reactor.removeReader(internal)
            internal.connectionLost(None)
        self.reactor._poller.close()

    def turn(self) -> list[str]:
        """What happens in a turn, in whichever order."""
        self.reactor.iterate(0)
        return sorted(self.happened)

    def test_all_are_read(self) -> None:
        """Whatever is ready is read, and stays watched."""
        one, _ = Watched(self, "one"), Watched(self, "two")
        self.assertEqual(self.turn(), ["one read", "two read"])
        one.theirs.send(b"y")
        self.assertEqual(self.turn(), ["one read", "one read", "two read"])

    def test_lost(self) -> None:
        """Who says why its connection is lost is watched no more and told so."""
        one = Watched(self, "one")
        one.read = ConnectionDone  # type: ignore[method-assign]
        self.assertEqual(self.turn(), ["one lost: ConnectionDone", "one read"])
        self.assertNotIn(one, self.reactor.getReaders())

    def test_failure(self) -> None:
        """Who fails is logged and disconnected, and the others are served in the same turn."""
        one, _ = Watched(self, "one"), Watched(self, "two")
        one.read = lambda: 1 / 0  # type: ignore[method-assign]
        self.assertEqual(self.turn(), ["one lost: ZeroDivisionError", "one read", "two read"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertNotIn(one, self.reactor.getReaders())

    def test_failure_when_lost(self) -> None:
        """Nor does it matter to the others when somebody fails in hearing that its connection is lost."""
        both = Watched(self, "one"), Watched(self, "two")
        for each in both:
            each.read = ConnectionDone  # type: ignore[method-assign]
            each.connectionLost = lambda reason: 1 / 0  # type: ignore[assignment, method-assign]
        self.assertEqual(self.turn(), ["one read", "two read"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertFalse({*both} & {*self.reactor.getReaders()})

    def test_let_go_in_the_same_turn(self) -> None:
        """Who is let go of by another that was ready at the same time is not read."""
        both = Watched(self, "one"), Watched(self, "two")
        for each, other in zip(both, reversed(both), strict=True):
            each.read = lambda other=other: self.reactor.removeReader(other)  # type: ignore[method-assign]
        self.assertEqual(len(self.turn()), 1)

    def test_cancelled_calls_are_forgotten(self) -> None:
        """A loop without any call that is due still forgets those that were cancelled: each session has one."""
        reactor, kept = self.reactor, []

        def read() -> None:
            kept.append(len(reactor._pendingTimedCalls))
            watched.theirs.send(b"x")
            if len(kept) == 3:
                reactor.stop()

        watched = Watched(self, "one")
        watched.read = read  # type: ignore[method-assign]
        calls = [reactor.callLater(600, int) for _ in range(4 * _TIDY)]
        reactor.timeout()  # it has seen them
        reactor.callWhenRunning(lambda: [call.cancel() for call in calls])
        reactor.run(installSignalHandlers=False)
        self.assertLess(kept[-1], _TIDY)


class InstallTests(SynchronousTestCase):
    """``install``, each time in a new process."""

    if not IS_LINUX:
        skip = "epoll is Linux's"

    def reactor_after(self, *lines: str) -> str:
        """Which reactor a process has that ran this."""
        code = "\n".join((*lines, "from twisted.internet import reactor", "print(type(reactor).__name__)"))
        done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=True)
        return done.stdout.strip()

    def test_install(self) -> None:
        """Where there is none, it is this."""
        self.assertEqual(self.reactor_after("from twistftp.transport.epoll import install", "install()"), "DirectEPollReactor")

    def test_another(self) -> None:
        """Where there is one, it stays."""
        first = "from twisted.internet.selectreactor import install; install()"
        self.assertEqual(self.reactor_after(first, "from twistftp.transport.epoll import install", "install()"), "SelectReactor")

    def test_import(self) -> None:
        """To import it installs nothing."""
        self.assertEqual(self.reactor_after("import twistftp.transport.epoll"), "EPollReactor")


if IS_LINUX:
    globals().update(twisteds_own())

"""Tests of ``workers.child``: forking from a reactor. That of a whole server is in ``test_running``."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.pollreactor import PollReactor
from twisted.internet.selectreactor import SelectReactor
from twisted.trial.unittest import SynchronousTestCase

from tests.support.twistd import environment
from twistftp.workers.child import cover, trouble

_FORKING = """
import os, signal, socket, sys
from twisted.internet.{name}reactor import install; install()
from twisted.internet import reactor
from twisted.internet.protocol import Protocol, Factory
from twistftp.workers.child import fork

class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)

port = reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
near, far = socket.socketpair()
here, there = socket.socketpair()
calls = []

def work():
    # The child: what the parent has called for is not called here, and its own reactor serves.
    there.setblocking(False)
    reactor.adoptStreamConnection(there.fileno(), socket.AF_UNIX, Factory.forProtocol(Echo))
    reactor.callLater(0, calls.append, "child")
    signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(leave))

def leave():
    os.write(1, b"child " + repr(calls).encode() + b"\\n")
    reactor.stop()

def later():
    calls.append("parent")
    pid = fork(reactor, work)
    here.sendall(b"hello")
    assert here.recv(5) == b"hello"
    client = socket.create_connection(("127.0.0.1", port.getHost().port))
    client.setblocking(False)
    os.kill(pid, signal.SIGTERM)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.write(1, b"status %d\\n" % status)
    # The parent's reactor has lost nothing: its port still accepts and echoes.
    client.setblocking(True)
    client.sendall(b"x")
    reactor.callInThread(lambda: (client.recv(1), os.write(1, b"parent serves\\n"), reactor.callFromThread(reactor.stop)))

reactor.callLater(0, later)
reactor.callLater(30, os._exit, 3)
reactor.run()
"""


class ForkTests(SynchronousTestCase):
    """A child with the parent's reactor made new."""

    def forked(self, name: str) -> list[str]:
        program = _FORKING.format(name=name)
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False, env=environment())
        self.assertEqual((0, ""), (ran.returncode, ran.stderr))
        return ran.stdout.splitlines()

    def test_reactors(self) -> None:
        """The child serves its own connections and nothing of its parent's, whose reactor does not notice; both end well."""
        for name in ("epoll", "poll", "select"):
            self.assertEqual(["child ['parent', 'child']", "status 0", "parent serves"], self.forked(name), name)

    def test_which(self) -> None:
        """Those three, and no other."""
        for reactor_class in (EPollReactor, PollReactor, SelectReactor):
            self.assertEqual("", trouble(object.__new__(reactor_class)))
        self.assertEqual(
            "the reactor AsyncioSelectorReactor cannot be forked; epoll, poll and select can (twistd --reactor)",
            trouble(object.__new__(AsyncioSelectorReactor)),
        )


class CoverTests(SynchronousTestCase):
    """Descriptors of the parent."""

    def test_cover(self) -> None:
        """The number stays taken and harmless; the other end sees the connection end only when all have let go of it."""
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        self.addCleanup(far.close)
        other = far.dup()
        cover(far.fileno())
        near.setblocking(False)
        self.assertRaises(BlockingIOError, near.recv, 1)
        other.close()
        self.assertEqual(b"", near.recv(1))
        self.assertEqual(os.devnull, os.readlink(f"/proc/self/fd/{far.fileno()}") if Path("/proc/self/fd").exists() else os.devnull)
        self.assertFalse(os.get_inheritable(far.fileno()))

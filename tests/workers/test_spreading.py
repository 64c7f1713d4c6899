"""Tests of ``twistd ftpsite --workers 2``: how its connections are spread, and that a worker which does nothing holds up nobody."""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.workers.running import Office, WorkersCase, eventually


class SpreadingTests(WorkersCase):
    """Real connections."""

    def shares(self, office: Office, count: int) -> list[int]:
        """The sessions of both, when there are ``count``."""
        eventually(lambda: len(office.sessions()) == count, f"{count} sessions")
        found = Counter(session["worker"] for session in office.sessions())
        return [found[1], found[2]]

    def stay(self, port: int, count: int) -> None:
        """Connections that stay, one by one."""
        for _ in range(count):
            self.assertEqual("220", self.greeting(port)[1])

    @contextmanager
    def stopped(self, pid: int) -> Iterator[None]:
        """A worker does nothing meanwhile."""
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def test_one_by_one(self) -> None:
        """Clients that come one by one and stay: both workers have their share, though one alone could serve them all."""
        office = self.office()
        port = office.port()
        office.both()
        self.stay(port, 80)
        self.assertGreaterEqual(min(self.shares(office, 80)), 20)

    def test_at_once(self) -> None:
        """A burst: the same."""
        office = self.office()
        port = office.port()
        office.both()
        clients = [socket.socket() for _ in range(100)]
        for client in clients:
            self.addCleanup(client.close)
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        for client in clients:
            client.settimeout(15)
            self.assertEqual(b"220", client.recv(512)[:3])
        self.assertGreaterEqual(min(self.shares(office, 100)), 10)

    def test_stopped(self) -> None:
        """
        Nobody waits for a worker that is stopped: all that come are served by the other, though that has more sessions. When it goes on,
        it is given what comes.
        """
        office = self.office()
        port = office.port()
        one, _ = office.both()
        with self.stopped(one):
            self.stay(port, 60)
            self.assertEqual([0, 60], self.shares(office, 60))
        for number in range(61, 261):
            self.stay(port, 1)
            if self.shares(office, number)[0] >= 20:
                break
        self.assertGreaterEqual(self.shares(office, number)[0], 20)

    def test_killed(self) -> None:
        """Nor for one that is killed; the one that takes its place is given what comes."""
        office = self.office()
        port = office.port()
        one, _ = office.both()
        self.stay(port, 40)
        left = self.shares(office, 40)[1]
        with self.stopped(one):
            self.stay(port, 1)
            os.kill(one, signal.SIGKILL)
        office.wait_for("another takes its place")
        office.both()
        self.stay(port, 40)
        self.assertGreaterEqual(self.shares(office, left + 41)[0], 10)

"""Tests of ``twistd ftpsite --workers 2``: counts of all together where connections are no sessions, and what is told when nobody serves."""

from __future__ import annotations

import os
import signal
import socket
from urllib.error import HTTPError
from urllib.request import urlopen

from tests.support.running import free_range
from tests.workers.running import PATIENCE, Office, WorkersCase, eventually


def free_port() -> int:
    """A port that nobody has."""
    return int(free_range(1).partition("-")[0])


class BalancerTests(WorkersCase):
    """Twisted's ``haproxy:`` endpoints, where the client turns out with a header."""

    def test_no_sessions(self) -> None:
        """Connections of a balancer that never names a client are no sessions of anybody, in no worker."""
        port = free_port()
        listen = f'listen = ["haproxy:tcp:{port}:interface=127.0.0.1"]\n'
        office = self.office(text=f"{listen}[site.limits]\nmax_connections = 1\nmax_connections_per_address = 1\n")
        office.wait_for("serving")
        office.both()
        for _ in range(40):  # more than one worker takes before it leaves the next to the other
            skt = socket.create_connection(("127.0.0.1", port), PATIENCE)
            skt.sendall(b"QUIT\r\n")
            skt.settimeout(PATIENCE)
            self.assertEqual(b"", skt.recv(512))
            skt.close()
        for number in range(40):
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as skt:
                skt.sendall(f"PROXY TCP4 192.0.2.{number} 192.0.2.1 4000 21\r\n".encode())
                self.assertEqual(b"220", skt.recv(512)[:3])
                skt.sendall(b"QUIT\r\n")
                while skt.recv(512):
                    pass
            eventually(lambda: not office.sessions(), "the session has ended")


class HealthTests(WorkersCase):
    """``/healthz`` where workers end again and again."""

    def test_nobody_serves(self) -> None:
        """As long as there is no worker the answer is 503, and 200 again when there is one."""
        metrics = free_port()
        office = self.office("--metrics", f"tcp:{metrics}:interface=127.0.0.1")
        office.port()
        self.assertEqual((200, "ok\n"), _health(metrics))
        eventually(lambda: _kill_all(office) == 0 and _health(metrics) == (503, "no worker serves\n"), "no worker is there")
        eventually(lambda: _health(metrics) == (200, "ok\n"), "a worker is there")


def _kill_all(office: Office) -> int:
    """End the workers that there are; how many there were."""
    pids = office.pids()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return len(pids)


def _health(port: int) -> tuple[int, str]:
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()

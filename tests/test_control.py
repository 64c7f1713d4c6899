"""Tests of ``control``: the socket, who gets it, and what it answers. Real sockets, the site in memory."""

from __future__ import annotations

import json
import os
import socket
import stat
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.support.dialogue import Dialogue
from tests.support.observed import Observed
from tests.support.running import in_time
from twistftp import control
from twistftp.cli.asking import NoAnswer, _exchange, ask
from twistftp.control import CannotServe, ControlSocket


class Case(TestCase):
    timeout = 30

    def setUp(self) -> None:
        # Not below trial's own directory: the path of a socket has a hundred octets at most.
        directory = tempfile.TemporaryDirectory(prefix="twistftp-")
        self.addCleanup(directory.cleanup)
        self.path = str(Path(directory.name) / "s")
        self.d = Dialogue(self)
        self.observed = Observed(self.d)

    def open(self, path: str = "") -> ControlSocket:
        opened = ControlSocket(reactor, path or self.path, self.observed, lambda: 1060.0)
        self.addCleanup(opened.close)
        return opened

    def ask(self, **question: object) -> Deferred[Any]:
        """What a command would get."""
        return in_time(deferToThread(ask, self.path, **question))


class SocketTests(Case):
    """The file."""

    def test_mode(self) -> None:
        """It is its owner's alone from the moment it is there, whatever the process's umask; that is as it was afterwards."""
        made = []
        listen = socket.socket.listen

        def spy(skt: socket.socket, backlog: int) -> None:
            made.append(stat.S_IMODE(os.stat(self.path).st_mode))
            listen(skt, backlog)

        self.patch(control.socket.socket, "listen", spy)
        before = os.umask(0)
        try:
            self.open()
            self.assertEqual(0, os.umask(0))
        finally:
            os.umask(before)
        self.assertEqual(([0o600], 0o600), (made, stat.S_IMODE(os.stat(self.path).st_mode)))

    def test_dead_server(self) -> None:
        """What a dead server has left is replaced; at the end the socket is gone."""
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(self.path)
        opened = self.open()
        opened.close()
        self.assertFalse(os.path.exists(self.path))

    async def test_living_server(self) -> None:
        """That of a living server is left alone, and goes on answering, also after the second one's end."""
        self.open()
        error = self.assertRaises(CannotServe, self.open)
        self.assertEqual("another server listens there", str(error))
        self.assertEqual(1, len((await self.ask(command="sessions"))["sessions"]))

    def test_taken_over(self) -> None:
        """A server whose socket was replaced does not take the other's away."""
        first = self.open()
        os.unlink(self.path)
        self.open()
        first.close()
        self.assertTrue(os.path.exists(self.path))

    def test_impossible_places(self) -> None:
        """Somebody's file is never touched; a place that is not there, and one that is too long, are refused in one line."""
        Path(self.path).write_text("mine")
        self.assertEqual("something that is no socket is there", str(self.assertRaises(CannotServe, self.open)))
        self.assertEqual("mine", Path(self.path).read_text())
        self.assertEqual("no such file or directory", str(self.assertRaises(CannotServe, self.open, f"{self.path}.d/s")))
        self.assertIn("too long", str(self.assertRaises(CannotServe, self.open, "/tmp/" + "x" * 200)))

    def test_other_systems(self) -> None:
        """A reactor without Unix sockets is told apart."""
        error = self.assertRaises(CannotServe, ControlSocket, object(), self.path, self.observed, lambda: 0.0)
        self.assertEqual("this system has no Unix sockets", str(error))


class AnswerTests(Case):
    """Questions."""

    async def test_status(self) -> None:
        """A summary."""
        self.open()
        found = await self.ask(command="status")
        self.assertEqual((60.0, "twistftp"), (found["uptime"], found["sites"][0]["name"]))

    async def test_disconnect(self) -> None:
        """A session that is ended gets 421, its transfer 426 before; its log line says who did it."""
        self.open()
        d = self.d
        d.login()
        d.pool.is_slow = True
        connection = d.passive().connect()
        d.say("RETR binary")
        connection.move(1)
        found = await self.ask(command="disconnect", id=1)
        self.assertEqual({"disconnected": 1, "client": "192.0.2.9", "user": "anonymous"}, found)
        self.assertEqual([426, 421], [int(reply[:3]) for reply in d.hear()])
        self.assertTrue(connection.is_reset and d.is_closing)

    async def test_no_such_session(self) -> None:
        """One line; nobody is disconnected."""
        self.open()
        for question, line in (
            ({"command": "disconnect", "id": 7}, "there is no session 7"),
            ({"command": "disconnect", "id": "1"}, "id must be the number of a session"),
            ({"command": "disconnect", "id": True}, "id must be the number of a session"),
            ({"command": "reboot"}, "what is asked for must be one of status, sessions, disconnect"),
            ({"command": ["status"]}, "what is asked for must be one of status, sessions, disconnect"),
            ({}, "what is asked for must be one of status, sessions, disconnect"),
        ):
            error = await self.assertFailure(self.ask(**question), NoAnswer)
            self.assertEqual(line, str(error))
        self.assertFalse(self.d.is_closing)

    async def test_nonsense(self) -> None:
        """What is no JSON is answered, and a line without end ends the connection."""
        self.open()
        for question in (b"\xff\n", b"[]\n", b"1\n", b"[" * 4000 + b"\n"):
            answer = json.loads(await in_time(deferToThread(_exchange, self.path, question)))
            self.assertIn("error", answer)
        self.assertEqual(b"", await in_time(deferToThread(_exchange, self.path, b"x" * 5000)))

    async def test_nobody(self) -> None:
        """Without a server one line says where it was looked for."""
        error = await self.assertFailure(self.ask(command="status"), NoAnswer)
        self.assertEqual(f"no server listens at {self.path}", str(error))

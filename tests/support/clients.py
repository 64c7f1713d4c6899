"""
ftplib's clients of a server in a process of its own.

Not here: the server (``twistd``).
"""

from __future__ import annotations

import ftplib

from twisted.trial.unittest import SynchronousTestCase

__all__ = ["ClientsCase"]

_PATIENCE = 20.0


class ClientsCase(SynchronousTestCase):
    """A test whose clients are closed at its end, if not before."""

    def __init__(self, *arguments: str) -> None:
        super().__init__(*arguments)
        self._clients: list[ftplib.FTP] = []

    def client(self, port: int, user: str = "anonymous", password: str = "me@example.org") -> ftplib.FTP:
        """One that has logged in."""
        client = ftplib.FTP(timeout=_PATIENCE)
        self.addCleanup(client.close)
        self._clients.append(client)
        client.connect("127.0.0.1", port)
        client.login(user, password)
        return client

    def hang_up(self) -> None:
        """All of them leave: a server that ends waits some seconds for those that stay."""
        for client in self._clients:
            client.close()

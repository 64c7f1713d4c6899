"""Twisted's own ``FTPClient`` against a site in this process, passive and active."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.protocols.ftp import CommandFailed, FTPClient, FTPError, FTPFileListProtocol

from tests.interop.by_hand import connect
from tests.support.running import RunningSite, SiteCase, in_time

reactor: Any = installed_reactor

TREE = {"file.txt": b"one\ntwo\n", "big": bytes(range(256)) * 20_000, "empty": b"", "pub": {"b": b"bb", "a b": b"a", "deep": {}}}


class Receiver(Protocol):
    """What comes over the data connection."""

    def __init__(self) -> None:
        self.octets = b""

    def dataReceived(self, data: bytes) -> None:
        self.octets += data


class Client(FTPClient):
    """Tells when its connection is gone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(username="anonymous", password="a@b", **options)
        self.gone: Deferred[None] = Deferred()

    def connectionLost(self, reason: Any = ConnectionDone()) -> None:
        super().connectionLost(reason)
        self.gone.callback(None)

    def close(self) -> Deferred[None] | None:
        """End the connection, and wait for that."""
        if self.gone.called:
            return None
        self.transport.loseConnection()
        return self.gone


class PassiveTests(SiteCase):
    """Passive mode."""

    is_passive = True

    async def log_in(self, running: RunningSite) -> Client:
        return self.closing(await connect(running.port, Client(passive=self.is_passive), running.address))

    async def received(self, operation: Any, *arguments: Any) -> bytes:
        """What an operation with a data connection receives."""
        receiver = Receiver()
        await in_time(operation(*arguments, receiver))
        return receiver.octets

    async def test_session(self) -> None:
        """list, nlst, retrieveFile, cwd, cdup and pwd, one after another and at once (P-PIPE-1)."""
        client = await self.log_in(await self.serve(TREE))
        self.assertEqual(['257 "/" is the current directory.'], await in_time(client.pwd()))
        self.assertEqual(TREE["big"], await self.received(client.retrieveFile, "big"))
        self.assertEqual(b"", await self.received(client.retrieveFile, "empty"))
        self.assertEqual(TREE["big"][5_000_000:], await self.received(lambda path, receiver: client.retrieveFile(path, receiver, 5_000_000), "big"))
        self.assertEqual(b"big\r\nempty\r\nfile.txt\r\npub\r\n", await self.received(client.nlst, ""))
        self.assertEqual(b"pub/a b\r\npub/b\r\npub/deep\r\n", await self.received(client.nlst, "pub"))
        self.assertEqual(b"", await self.received(client.nlst, "pub/deep"))
        await in_time(client.cwd("pub"))
        files = FTPFileListProtocol()
        await in_time(client.list(".", files))
        self.assertEqual([("a b", "-"), ("b", "-"), ("deep", "d")], [(file["filename"], file["filetype"]) for file in files.files])
        self.assertEqual([1, 2], [file["size"] for file in files.files[:2]])
        await in_time(client.cdup())
        fetching = [Deferred.fromCoroutine(self.received(client.retrieveFile, "file.txt")) for _ in range(3)]
        self.assertEqual([TREE["file.txt"]] * 3, [await octets for octets in fetching])
        await in_time(client.quit())

    async def test_missing(self) -> None:
        """A file or directory that is not there fails the operation with its 550; the next one works."""
        client = await self.log_in(await self.serve(TREE))
        for operation in (client.retrieveFile, client.nlst):
            # It connects and sends the command at the same time, so sometimes hears of its connection's end before the 550.
            with self.assertRaises(FTPError) as caught:
                await self.received(operation, "none")
            self.assertRegex(str(caught.exception), r"550 none: No such file or directory\.|Connection Failed")
        with self.assertRaises(CommandFailed):
            await in_time(client.cwd("none"))
        self.assertEqual(TREE["file.txt"], await self.received(client.retrieveFile, "file.txt"))


class ActiveTests(PassiveTests):
    """Active mode."""

    is_passive = False

"""Other people's avatars behind a site: a shell in memory that answers late, and Twisted's own shells (CONTRACT §5)."""

from __future__ import annotations

import ftplib
import io
import os
from collections.abc import Mapping
from typing import Any

from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.protocols.ftp import (
    BaseFTPRealm,
    FileNotFoundError,
    FTPRealm,
    IFTPShell,
    IReadFile,
    IsADirectoryError,
    IsNotADirectoryError,
    PermissionDeniedError,
)
from twisted.python.filepath import FilePath, Permissions
from zope.interface import implementer

from tests.interop.by_hand import Control, connect, data_to, log_in
from tests.support.running import PATIENCE, RunningSite, SiteCase, in_time, until
from tests.support.trees import plant

reactor: Any = installed_reactor

MODIFIED = 1704445620.0  # 2024-01-05 09:07:00 UTC
BINARY = bytes(range(256)) * 4000
TREE: dict[str, Any] = {"file.txt": b"one\ntwo\n", "binary": BINARY, "empty": b"", "pub": {"b": b"bb", "a": b"a", "é": b"e"}, "secret": None}


def late(result: Any) -> Deferred[Any]:
    """A result in the next turn; an exception as a failure."""

    def give() -> Any:
        if isinstance(result, Exception):
            raise result
        return result

    return deferLater(reactor, 0, give)


@implementer(IFTPShell)
class MemoryShell:
    """An ``IFTPShell`` as its interface describes it, every answer a Deferred; ``None`` in the tree may not be read."""

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self.tree = tree

    def _node(self, path: Any) -> Any:
        node: Any = self.tree
        for name in path:
            if not isinstance(node, Mapping):
                return IsNotADirectoryError("/".join(path))
            if name not in node:
                return FileNotFoundError("/".join(path))
            node = node[name]
        return node

    def _values(self, node: Any, keys: Any) -> list[Any]:
        is_directory = isinstance(node, Mapping)
        known = {
            "size": 0 if is_directory or node is None else len(node),
            "directory": is_directory,
            "permissions": Permissions(0o755 if is_directory else 0o644),
            "hardlinks": 1,
            "modified": MODIFIED,
            "owner": "the owner",
            "group": "staff",
        }
        return [known[key] for key in keys]

    def access(self, path: Any) -> Deferred[None]:
        node = self._node(path)
        return late(node if isinstance(node, Exception) else None)

    def stat(self, path: Any, keys: Any = ()) -> Deferred[list[Any]]:
        node = self._node(path)
        return late(node if isinstance(node, Exception) else self._values(node, keys))

    def list(self, path: Any, keys: Any = ()) -> Deferred[list[Any]]:
        node = self._node(path)
        if isinstance(node, Mapping):
            return late([(name, self._values(inner, keys)) for name, inner in node.items()])
        return late(node if isinstance(node, Exception) else [(path[-1], self._values(node, keys))])

    def openForReading(self, path: Any) -> Deferred[Any]:
        node = self._node(path)
        if isinstance(node, Mapping):
            node = IsADirectoryError("/".join(path))
        elif node is None:
            node = PermissionDeniedError("/".join(path))
        return late(node if isinstance(node, Exception) else MemoryReader(node))

    def _refused(self, *paths: Any) -> Deferred[Any]:
        return late(PermissionDeniedError("/".join(paths[0])))

    makeDirectory = removeDirectory = removeFile = rename = openForWriting = _refused


@implementer(IReadFile)
class MemoryReader:
    """Writes a piece a turn to the consumer."""

    def __init__(self, octets: bytes) -> None:
        self._rest = octets

    def send(self, consumer: Any) -> Deferred[None]:
        self._consumer = consumer
        return Deferred.fromCoroutine(self._send())

    async def _send(self) -> None:
        while self._rest:
            piece, self._rest = self._rest[:50_000], self._rest[50_000:]
            self._consumer.write(piece)
            await late(None)


@implementer(IRealm)
class MemoryRealm:
    """Gives everybody a ``MemoryShell`` when ``open`` fires, and knows who has not logged out."""

    def __init__(self) -> None:
        self.present: list[object] = []
        self.asked = 0
        self.open: Deferred[None] = late(None)

    def requestAvatar(self, avatarId: object, mind: object, *interfaces: Any) -> Any:
        self.asked += 1
        answer: Deferred[Any] = Deferred()

        def admit(_: object) -> None:
            self.present.append(avatarId)
            answer.callback((IFTPShell, MemoryShell(TREE), lambda: self.present.remove(avatarId)))

        self.open.addCallback(admit)
        return answer


class Case(SiteCase):
    """What every avatar must give."""

    def look(self, ftp: ftplib.FTP) -> None:
        """LIST NLST MLSD RETR SIZE MDTM CWD, 550 for what is missing, and a FEAT that promises no REST."""
        self.assertEqual(["binary", "empty", "file.txt", "pub", "secret"], ftp.nlst())
        self.assertEqual(["pub/a", "pub/b", "pub/é"], ftp.nlst("pub"))
        listed: list[str] = []
        ftp.dir("pub", listed.append)
        self.assertEqual([("-", "1", "a"), ("-", "2", "b"), ("-", "1", "é")], [(line[0], line.split()[4], line.split()[8]) for line in listed])
        facts = dict(ftp.mlsd("", ["type", "size", "modify"]))
        self.assertEqual(("file", "8"), (facts["file.txt"]["type"], facts["file.txt"]["size"]))
        self.assertEqual("dir", facts["pub"]["type"])
        for name, octets in (("binary", BINARY), ("empty", b""), ("pub/b", b"bb"), ("pub/é", b"e")):
            self.assertEqual(octets, self.octets(ftp, name))
        self.assertEqual(len(BINARY), ftp.size("binary"))
        self.assertRegex(ftp.sendcmd("MDTM pub/a"), r"^213 \d{14}$")
        ftp.cwd("pub")
        self.assertEqual("/pub", ftp.pwd())
        self.assertEqual(b"a", self.octets(ftp, "a"))
        ftp.cwd("..")
        lines: list[str] = []
        ftp.retrlines("RETR file.txt", lines.append)
        self.assertEqual(["one", "two"], lines)
        for command in ("CWD none", "SIZE none", "MDTM none", "MLST none", "CWD file.txt", "SIZE pub"):
            with self.assertRaisesRegex(ftplib.error_perm, "^550 ", msg=command):
                ftp.sendcmd(command)
        for command in ("RETR none", "RETR pub", "RETR secret", "LIST none", "NLST none", "MLSD none"):
            with self.assertRaisesRegex(ftplib.error_perm, "^550 ", msg=command):
                ftp.transfercmd(command)
        self.assertNotIn("REST STREAM", ftp.sendcmd("FEAT"))
        with self.assertRaises((ftplib.error_perm, ftplib.error_temp)):
            self.octets(ftp, "binary", 10)
        self.assertEqual(BINARY, self.octets(ftp, "binary"))

    def octets(self, ftp: ftplib.FTP, name: str, offset: int | None = None) -> bytes:
        found = io.BytesIO()
        self.assertRegex(ftp.retrbinary(f"RETR {name}", found.write, rest=offset), "^226 ")
        return found.getvalue()

    async def visit(self, running: RunningSite, user: str = "anonymous", password: str = "a@b") -> None:
        def in_thread() -> None:
            for passive in (True, False):
                with ftplib.FTP(timeout=PATIENCE) as ftp:
                    ftp.connect(running.address, running.port)
                    ftp.login(user, password)
                    ftp.set_pasv(passive)
                    self.look(ftp)

        await deferToThread(in_thread)


class MemoryShellTests(Case):
    """A shell that somebody wrote after ``IFTPShell``."""

    async def test_session(self) -> None:
        """Everything that reads works, over Deferreds; the avatar is logged out (P-TW-9)."""
        realm = MemoryRealm()
        running = await self.serve(portal=Portal(realm, [AllowAnonymousAccess()]))
        await self.visit(running)
        await self.assert_let_go(running)
        self.assertEqual([], realm.present)

    async def test_lost_during_login(self) -> None:
        """A client that goes while the realm still thinks leaves no avatar behind (P-GEN-15)."""
        realm = MemoryRealm()
        realm.open = Deferred()
        running = await self.serve(portal=Portal(realm, [AllowAnonymousAccess()]))
        for leave in (Control.reset, Control.close):
            control = self.closing(await connect(running.port, Control()))
            control.say("USER ftp", "PASS x")
            asked = realm.asked
            await until(lambda asked=asked: realm.asked > asked, "the realm is asked")
            leave(control)
        await self.assert_let_go(running)
        realm.open.callback(None)
        self.assertEqual([], realm.present)


class TwistedShellTests(Case):
    """Twisted's own shells over a directory."""

    def make_root(self) -> str:
        root = self.absolute_path()
        plant(root, {name: content for name, content in TREE.items() if content is not None})
        os.mkdir(os.path.join(root, "secret"))
        return root

    async def test_anonymous_realm(self) -> None:
        """``FTPRealm`` gives an ``FTPAnonymousShell``."""
        await self.visit(await self.serve(portal=Portal(FTPRealm(self.make_root()), [AllowAnonymousAccess()])))

    async def test_anonymous_shell(self) -> None:
        """``FTPAnonymousShell`` and ``FTPShell`` from a realm of one's own, for anonymous and for named users."""
        root = FilePath(self.make_root())

        class Realm(BaseFTPRealm):
            def __init__(self) -> None:
                super().__init__(root.path)

            def getHomeDirectory(self, avatarId: object) -> FilePath[str]:
                return root

        checkers = [AllowAnonymousAccess(), InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")]
        running = await self.serve(portal=Portal(Realm(), checkers))
        await self.visit(running)
        await self.visit(running, "alice", "secret")

    async def test_broken_off(self) -> None:
        """A transfer that the client breaks off, in any way, closes the shell's file (P-DX-4, P-DX-9, P-DX-13)."""
        root = self.make_root()
        os.truncate(os.path.join(root, "empty"), 64 << 20)
        running = await self.serve(portal=Portal(FTPRealm(root), [AllowAnonymousAccess()]))
        for end in ("reset", "ABOR", "control lost"):
            control = await log_in(self, running)
            data = await data_to(self, control, is_deaf=True)
            self.assertEqual("150", (await control.ask("RETR empty"))[:3])
            if end == "reset":
                data.reset()
                self.assertEqual("426", (await control.reply())[:3])
                control.reset()
            elif end == "ABOR":
                self.assertEqual("426", (await control.ask("ABOR"))[:3])
                self.assertEqual("226", (await control.reply())[:3])
                control.reset()
            else:
                control.reset()
            if end != "reset":
                data.listen()
                self.assertEqual("RST", await in_time(data.closed))
            await self.assert_let_go(running)

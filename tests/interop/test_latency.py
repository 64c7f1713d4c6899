"""
One client never holds up the others, and never makes the server keep for it what it does not read. Times are counted so
generously that only a server that waits for somebody misses them.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.portal import IRealm, Portal
from twisted.internet import reactor as installed_reactor
from twisted.internet.threads import deferToThread
from twisted.protocols.ftp import IFTPShell
from zope.interface import implementer

from tests.interop.by_hand import Control, Data, connect, connect_narrowly, log_in
from tests.support.running import RunningSite, SiteCase, in_time, until
from twistftp.storage.failures import NotFound
from twistftp.storage.interfaces import IFileStore, IListing
from twistftp.wire.entries import Entry

reactor: Any = installed_reactor

SOON = 2.0
"""Seconds within which another session's NOOP is answered whatever goes on; it takes some milliseconds."""
KERNEL = 16 << 20
"""Octets: more than both sockets of a connection ever hold."""
BATCH = 500


@implementer(IListing)
class LongListing:
    """A directory of ``size`` entries that never exist all at once; ``made`` is how many there were so far."""

    def __init__(self, size: int) -> None:
        self.size, self.made = size, 0

    def next_batch(self) -> list[Entry]:
        count = min(BATCH, self.size - self.made)
        batch = [Entry(f"{self.made + number:080}", 0o100644, 1, 0.0) for number in range(count)]
        self.made += count
        return batch

    def close(self) -> None:
        """Nothing is held."""


@implementer(IFileStore)
class LongStore:
    """An avatar whose root is a ``LongListing``."""

    writable = False
    restartable = True
    facts = frozenset({"type", "size"})

    def __init__(self, size: int) -> None:
        self.opened = LongListing(size)

    def listing(self, path: Any) -> LongListing:
        return self.opened

    def status(self, path: Any) -> Entry:
        if path:
            raise NotFound
        return Entry("/", 0o40755, 0, 0.0)

    def open_file(self, path: Any) -> Any:
        raise NotFound


@implementer(IRealm)
class Realm:
    """Gives everybody the same avatar."""

    def __init__(self, avatar: Any) -> None:
        self.avatar = avatar

    def requestAvatar(self, avatarId: object, mind: object, *interfaces: Any) -> Any:
        return IFTPShell, self.avatar, lambda: None


def fill(root: Any, count: int) -> set[str]:
    """Make that many empty files with long names in the root."""
    names = {f"{number:06}{'x' * 150}" for number in range(count)}
    directory = os.open(root, os.O_RDONLY)
    for name in names:
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=directory))
    os.close(directory)
    return names


class Case(SiteCase):
    """Somebody who is served meanwhile."""

    async def assert_served(self, control: Control, times: int = 1) -> None:
        """NOOP is answered soon."""
        for _ in range(times):
            before = reactor.seconds()
            self.assertEqual("200 OK.", await control.ask("NOOP"))
            self.assertLess(reactor.seconds() - before, SOON)

    async def narrow(self, control: Control) -> Data:
        """A passive data connection that nobody reads yet."""
        return self.closing(await connect_narrowly(await control.passive(), Data(is_deaf=True)))


class ListingTests(Case):
    """Long listings (PROTOCOL P-LS-8, P-SEC-10)."""

    async def test_many_files(self) -> None:
        """While 20 000 files are listed to a client that does not read, others are served; then LIST, NLST and MLSD name the same files (P-LS-9)."""
        running = await self.serve()
        names = await deferToThread(fill, running.root, 20_000)
        control, other = await log_in(self, running), await log_in(self, running)
        for command, name_of in (
            ("LIST", lambda line: line.rsplit(" ", 1)[1]),
            ("NLST", lambda line: line),
            ("MLSD", lambda line: line.rsplit("; ", 1)[1]),
        ):
            data = await self.narrow(control)
            self.assertEqual("150", (await control.ask(command))[:3])
            await self.assert_served(other, 20)
            self.assertRegex(await control.ask("STAT"), r"^213 Status: \d+ bytes transferred$")
            data.listen()
            before = reactor.seconds()
            while not control.replies:
                await self.assert_served(other)
                self.assertLess(reactor.seconds() - before, 30)
            self.assertEqual("226", (await control.reply())[:3])
            self.assertEqual("FIN", await in_time(data.closed))
            lines = data.received.decode().splitlines()
            self.assertEqual(20_000, len(lines))
            self.assertEqual(names, {name_of(line) for line in lines})

    async def test_back_pressure(self) -> None:
        """Of a listing of two million entries only what the sockets hold is made until the client reads, and then only as fast as it does."""
        store = LongStore(2_000_000)
        running = await self.serve(portal=Portal(Realm(store), [AllowAnonymousAccess()]))
        control, other = await log_in(self, running), await log_in(self, running)
        data = await self.narrow(control)
        self.assertEqual("150", (await control.ask("LIST"))[:3])
        line = 80 + 50
        made = -1
        while made != store.opened.made:
            made = store.opened.made
            await self.assert_served(other, 20)
        self.assertGreater(made, 0)
        self.assertLess(made * line, KERNEL)
        data.listen()
        for goal in range(5_000_000, 30_000_000, 5_000_000):
            await until(lambda goal=goal: data.count >= goal, "the client has read some more")
            self.assertLess(store.opened.made * line - data.count, KERNEL)
            await self.assert_served(other)
        self.assertEqual("426", (await control.ask("ABOR"))[:3])
        self.assertEqual("226", (await control.reply())[:3])
        self.assertLess(store.opened.made, 2_000_000)

    async def test_whole(self) -> None:
        """A client that reads gets all of 100 000 entries, in order, while others are served."""
        running = await self.serve(portal=Portal(Realm(LongStore(100_000)), [AllowAnonymousAccess()]))
        control, other = await log_in(self, running), await log_in(self, running)
        data = self.closing(await connect(await control.passive(), Data()))
        control.say("NLST")
        while len(control.replies) < 2:
            await self.assert_served(other)
        self.assertEqual(["150", "226"], [reply[:3] for reply in control.replies])
        self.assertEqual("FIN", await in_time(data.closed))
        self.assertEqual([f"{number:080}" for number in range(100_000)], data.received.decode().splitlines())


class FileTests(Case):
    """Big files."""

    async def test_fast_reader(self) -> None:
        """Others are served while a big file goes out as fast as it can, as it is and as text."""
        running = await self.serve({"big": b""})
        os.truncate(running.root / "big", 64 << 20)
        control, other = await log_in(self, running), await log_in(self, running)
        for kind in ("I", "A"):
            await control.ask(f"TYPE {kind}")
            data = self.closing(await connect(await control.passive(), Data()))
            self.assertEqual("150", (await control.ask("RETR big"))[:3])
            before = reactor.seconds()
            while not control.replies:
                await self.assert_served(other)
                self.assertLess(reactor.seconds() - before, 30)
            self.assertEqual("226", (await control.reply())[:3])
            self.assertEqual("FIN", await in_time(data.closed))
            self.assertEqual(64 << 20, data.count)


class ReplyTests(Case):
    """Clients that do not read their replies."""

    async def start(self, running: RunningSite) -> Control:
        """A session of a client with little room, which has logged in."""
        control = self.closing(await connect_narrowly(running.port, Control()))
        control.say("USER ftp", "PASS a@b")
        for _ in range(3):
            await control.reply()
        return control

    async def test_unread_replies(self) -> None:
        """A client that sends command after command and reads no reply is not read either; later all replies come (P-PIPE-4, P-SEC-10)."""
        running = await self.serve()
        control, other = await self.start(running), await log_in(self, running)
        running.commands.clear()
        control.transport.pauseProducing()
        total = 15_000
        control.say(*["HELP"] * total)
        answered, before = 0, -1
        while answered != before:
            await self.assert_served(other, 20)
            before, answered = answered, sum(command.startswith("HELP") for command in running.commands)
        self.assertGreater(answered, 0)
        self.assertLess(answered, total)
        control.transport.resumeProducing()
        await until(lambda: len(control.replies) == total, "all replies", 30)
        self.assertEqual({"214"}, {reply[:3] for reply in control.replies})
        control.replies.clear()

    async def test_gone_without_reading(self) -> None:
        """Such a client that goes leaves nothing behind (P-GEN-15)."""
        running = await self.serve()
        control = await self.start(running)
        control.transport.pauseProducing()
        control.say(*["HELP"] * 30_000)
        await until(lambda: len(running.commands) > 1000, "some replies are made")
        control.reset()
        await self.assert_let_go(running)

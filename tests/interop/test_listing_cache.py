"""Listings of a running site: what is kept of them is never out of date, whoever lists and whoever has changed what."""

from __future__ import annotations

import ftplib
import io
import os
from collections.abc import Callable
from typing import Any

from twisted.internet.threads import blockingCallFromThread, deferToThread

from tests.storage.test_listing_cache import demand_inotify
from tests.support.running import PATIENCE, RunningSite, SiteCase, reactor
from twistftp.policy.authorization import Rule
from twistftp.storage.listing_cache import SHARED, ListingCache

ALICE = {"strcred": ("memory:alice:secret",)}
TREE: dict[str | bytes, Any] = {"d": {f"file-{number:03}": b"1" * number for number in range(50)}, "e": {}}
LISTINGS = ("LIST d", "MLSD d", "NLST d")


def listed(ftp: ftplib.FTP) -> list[str]:
    """All listings of the directory, after one another."""
    lines: list[str] = []
    for command in LISTINGS:
        ftp.retrlines(command, lines.append)
    return lines


class SiteTests(SiteCase):
    """ftplib in a thread, twice: one client changes things, the other looks."""

    def setUp(self) -> None:
        demand_inotify()
        self.patch(SHARED, "_small", -1)
        self.hits = 0
        find = ListingCache.find

        def counted(*arguments: Any) -> Any:
            found = find(*arguments)
            self.hits += found is not None
            return found

        self.patch(ListingCache, "find", counted)

    async def use(self, running: RunningSite, use: Callable[[ftplib.FTP, ftplib.FTP], None]) -> None:
        def in_thread() -> None:
            with ftplib.FTP(timeout=PATIENCE) as alice, ftplib.FTP(timeout=PATIENCE) as guest:
                for ftp, words in ((alice, ("alice", "secret")), (guest, ())):
                    ftp.connect(running.address, running.port)
                    ftp.login(*words)
                use(alice, guest)

        await deferToThread(in_thread)

    async def changes(self, **file_handling: Any) -> None:
        running = await self.serve(TREE, authentication=ALICE, file_handling=file_handling)

        def change(alice: ftplib.FTP, guest: ftplib.FTP) -> None:
            for number, action in enumerate(
                (
                    lambda: alice.storbinary("STOR d/new", io.BytesIO(b"x" * 300_000)),
                    lambda: alice.storbinary("STOR d/new", io.BytesIO(b"x" * 100_000)),
                    lambda: alice.storbinary("APPE d/new", io.BytesIO(b"x")),
                    lambda: alice.storbinary("STOR d/new", io.BytesIO(b"x" * 100_000), rest=100_001),
                    lambda: alice.rename("d/new", "d/other"),
                    lambda: alice.rename("d/other", "e/other"),
                    lambda: alice.delete("d/file-001"),
                    lambda: alice.voidcmd("MFMT 20200102030405 d/file-002"),
                    lambda: alice.voidcmd("SITE CHMOD 600 d/file-003"),
                    lambda: alice.mkd("d/sub"),
                    lambda: alice.rename("e/other", "d/sub/x"),
                    lambda: alice.delete("d/sub/x"),
                    lambda: alice.rmd("d/sub"),
                    lambda: os.truncate(running.root / "d" / "file-004", 12345),
                )
            ):
                before = self.hits
                self.assertEqual(listed(alice), listed(alice), number)
                self.assertEqual(listed(guest), listed(guest), number)
                self.assertGreaterEqual(self.hits, before + 2 * len(LISTINGS))
                action()
                for ftp in (alice, guest):
                    seen = listed(ftp)
                    blockingCallFromThread(reactor, SHARED.clear)
                    self.assertEqual(listed(ftp), seen, number)

        await self.use(running, change)

    async def test_changes(self) -> None:
        """P-LS-9, P-STOR-1, P-RNTO-1: what one client has been told is done, another one sees."""
        await self.changes()

    async def test_changes_in_place(self) -> None:
        """P-LS-9, P-APPE-1: so, too, where uploads are written in their places."""
        await self.changes(keep_partial_uploads=True)

    async def test_upload_under_way(self) -> None:
        """P-LS-9: a file that is being written shows the size that it has."""
        running = await self.serve(TREE, authentication=ALICE, file_handling={"keep_partial_uploads": True})

        def grow(alice: ftplib.FTP, guest: ftplib.FTP) -> None:
            sizes = []
            with alice.transfercmd("STOR d/new") as data:
                for total in (100_000, 200_000):
                    data.sendall(b"x" * 100_000)
                    while not sizes or sizes[-1] < total:
                        (line,) = [line for line in listed(guest) if line.startswith("-") and line.endswith(" new")]
                        sizes.append(int(line.split()[4]))
            alice.voidresp()
            self.assertEqual(sorted(sizes), sizes)

        await self.use(running, grow)

    async def test_stopped(self) -> None:
        """A site that stops holds no descriptors for listings any more."""
        running = await self.serve(TREE, authentication=ALICE)
        await self.use(running, lambda alice, guest: self.assertEqual(listed(guest), listed(guest)))
        self.assertGreater(self.hits, 0)
        self.assertNotEqual((None, None), (SHARED._watches, SHARED._mounts))
        await running.stop()
        self.assertEqual((None, None, 0), (SHARED._watches, SHARED._mounts, SHARED.octets))

    async def test_rules(self) -> None:
        """P-LS-9, P-ML-5: each user sees what rules and filters leave to them, whoever has listed before."""
        rules = (Rule("allow", ("alice",), ("read", "write")), Rule("allow", ("?",), ("read",)))
        running = await self.serve(TREE, authentication=ALICE, authorization=rules)

        def look(alice: ftplib.FTP, guest: ftplib.FTP) -> None:
            for _ in range(3):
                self.assertTrue(any("perm=adfrw;" in line for line in listed(alice)))
                self.assertFalse(any("perm=adfrw;" in line for line in listed(guest)))
                self.assertTrue(any("perm=r;" in line for line in listed(guest)))
            self.assertGreater(self.hits, 6)

        await self.use(running, look)

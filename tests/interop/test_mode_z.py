"""MODE Z over sockets: lftp, Python's zlib, bombs, and who else is there meanwhile."""

from __future__ import annotations

import ftplib
import io
import ssl
import zlib
from pathlib import Path
from random import Random
from typing import Any

from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.threads import deferToThread

from tests.interop.test_clients import Case
from tests.interop.test_uploads import StockRealm
from tests.support.running import PATIENCE, RunningSite
from tests.support.trees import plant

RANDOM = Random(4).randbytes(400_000)
TEXT = b"".join(b"line %d of a log, and what it says\n" % number for number in range(6_000))
TREE: dict[str | bytes, Any] = {"text": TEXT, "random": RANDOM, "empty": b"", "zeros": bytes(300_000), "sub": {"x": b"x"}}
SETTINGS: dict[str, Any] = {"authentication": {"strcred": ("memory:alice:secret",)}, "file_handling": {"mode_z": True}}


class LftpTests(Case):
    """The client that speaks it (PROTOCOL P-CLI-3)."""

    async def test_there_and_back(self) -> None:
        """P-MODEZ-1: lftp asks for it, lists, fetches and puts files of all kinds; nothing is refused."""
        running = await self.start(TREE, **SETTINGS)
        names = ("text", "random", "empty", "zeros")
        commands = ["set net:max-retries 1", "set ftp:use-mode-z yes", "ls", "nlist sub"]
        commands += [*(f"get {name}" for name in names), *(f"put {name} -o sub/{name}" for name in names), "bye"]
        outcome = await self.run_to_end("lftp", "--norc", "-e", "; ".join(commands), f"ftp://alice:secret@{running.address}:{running.port}")
        self.assertIn("300000", outcome.output)
        for name in names:
            self.assert_same(name, TREE[name])
            self.assertTrue((running.root / "sub" / name).read_bytes() == TREE[name], f"{name} differs there")
        self.assertIn("MODE Z -> 200 MODE set to Z.", running.commands)
        self.assertEqual([], [command for command in self.refused() if not command.startswith("AUTH")])


class LibraryTests(Case):
    """ftplib, which knows nothing of it, and zlib."""

    def connect(self, running: RunningSite, make: Any = ftplib.FTP) -> ftplib.FTP:
        ftp: ftplib.FTP = make(timeout=PATIENCE)
        ftp.connect(running.address, running.port)
        ftp.login("alice", "secret")
        return ftp

    async def test_bomb(self) -> None:
        """P-SEC-18, P-MODEZ-1: what becomes too large is 552, and nothing of it stays; damaged streams are 451; the session goes on."""
        running = await self.start(TREE, **SETTINGS, request_filtering={"max_content_length": 20_000_000})
        bomb = zlib.compress(bytes(100_000_000), 9)

        def attempt() -> None:
            with self.connect(running) as ftp:
                ftp.voidcmd("MODE Z")
                with self.assertRaisesRegex(ftplib.error_perm, "^552 "):
                    ftp.storbinary("STOR text", io.BytesIO(bomb), blocksize=1 << 20)
                for wrong in (TEXT[:1000], zlib.compress(TEXT)[:-1], zlib.compress(TEXT) + b"x"):
                    with self.assertRaisesRegex(ftplib.error_temp, "^451 .*zlib stream"):
                        ftp.storbinary("STOR text", io.BytesIO(wrong), blocksize=1 << 20)
                self.assertRegex(ftp.storbinary("STOR fine", io.BytesIO(zlib.compress(bytes(20_000_000)))), "^226 ")
                ftp.voidcmd("MODE S")
                self.assertRegex(ftp.storbinary("STOR plain", io.BytesIO(b"x")), "^226 ")

        await deferToThread(attempt)
        self.assertTrue((running.root / "text").read_bytes() == TEXT)
        self.assertEqual((20_000_000, b"x"), ((running.root / "fine").stat().st_size, (running.root / "plain").read_bytes()))
        self.assertEqual({*TREE, "fine", "plain"}, {path.name for path in running.root.iterdir()})

    async def test_plain_transport_and_pace(self) -> None:
        """Through Twisted's own listening port, and with a limit of bandwidth, everything is the same."""
        running = await self.start(TREE, **SETTINGS, is_plain=True, limits={"max_bytes_per_second": 200_000})

        def there_and_back() -> None:
            with self.connect(running) as ftp:
                ftp.voidcmd("MODE Z")
                stream = io.BytesIO()
                ftp.retrbinary("RETR text", stream.write)
                self.assertTrue(zlib.decompress(stream.getvalue()) == TEXT)
                ftp.storbinary("STOR copy", io.BytesIO(stream.getvalue()))

        await deferToThread(there_and_back)
        self.assertTrue((running.root / "copy").read_bytes() == TEXT)

    async def test_stock_shells(self) -> None:
        """Twisted's own shells know nothing of it, and need not."""
        home = Path(self.absolute_path())
        plant(str(home), {"alice": {"f": TEXT}, "anonymous": {}})
        checkers = [AllowAnonymousAccess(), InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")]
        running = await self.start(portal=Portal(StockRealm(str(home)), checkers), file_handling={"mode_z": True})

        def there_and_back() -> None:
            with self.connect(running) as ftp:
                ftp.voidcmd("MODE Z")
                stream = io.BytesIO()
                ftp.retrbinary("RETR f", stream.write)
                self.assertTrue(zlib.decompress(stream.getvalue()) == TEXT)
                self.assertRegex(ftp.storbinary("STOR copy", io.BytesIO(stream.getvalue())), "^226 ")

        await deferToThread(there_and_back)
        self.assertTrue((home / "alice/copy").read_bytes() == TEXT)

    async def test_client_goes_away(self) -> None:
        """A client that leaves in the middle, either way, leaves nothing behind (the case looks)."""
        running = await self.start(TREE, **SETTINGS)

        def leave() -> None:
            for begin in (lambda ftp: ftp.transfercmd("RETR random"), lambda ftp: ftp.transfercmd("STOR half")):
                ftp = self.connect(running)
                ftp.voidcmd("MODE Z")
                with begin(ftp) as data:
                    data.sendall(zlib.compress(bytes(50_000_000))[:40_000])
                    ftp.close()

        await deferToThread(leave)
        await self.assert_let_go(running)
        self.assertFalse((running.root / "half").exists())

    async def test_tls(self) -> None:
        """P-MODEZ-1: sessions with TLS are refused it, and FEAT is silent there; AUTH ends it for those that had it."""
        running = await self.start(TREE, **SETTINGS, tls={"self_signed": True})
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

        def attempt() -> None:
            with self.connect(running) as ftp:
                self.assertIn("\n MODE Z\n", ftp.sendcmd("FEAT"))
            ftp = ftplib.FTP_TLS(context=context, timeout=PATIENCE)
            with ftp:
                ftp.connect(running.address, running.port)
                ftplib.FTP.login(ftp, "alice", "secret")
                ftp.voidcmd("MODE Z")
                ftp.login("alice", "secret")
                self.assertNotIn("MODE Z", ftp.sendcmd("FEAT"))
                with self.assertRaisesRegex(ftplib.error_perm, "^504 MODE Z is not for sessions with TLS"):
                    ftp.voidcmd("MODE Z")
                found = io.BytesIO()
                ftp.prot_p()
                ftp.retrbinary("RETR sub/x", found.write)
                self.assertEqual(b"x", found.getvalue())

        await deferToThread(attempt)

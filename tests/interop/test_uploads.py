"""Clients that upload: ftplib, aioftp, curl, lftp, ncftp; and Twisted's own shells on the other side."""

from __future__ import annotations

import asyncio
import ftplib
import io
import os
from pathlib import Path
from random import Random
from typing import Any

import aioftp
from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.threads import deferToThread
from twisted.protocols.ftp import BaseFTPRealm
from twisted.python.filepath import FilePath

from tests.interop.test_clients import Case as ProgramCase
from tests.support.running import PATIENCE, RunningSite, SiteCase
from tests.support.trees import plant

BINARY = Random(3).randbytes(3_000_000)
ALICE = {"strcred": ("memory:alice:secret",)}
TREE: dict[str | bytes, Any] = {"file.txt": b"one\n", "sub": {}}


class StockRealm(BaseFTPRealm):
    """Twisted's own shells; users have their homes below a directory."""

    def __init__(self, homes: str) -> None:
        super().__init__(os.path.join(homes, "anonymous"))
        self._homes = homes

    def getHomeDirectory(self, avatarId: Any) -> FilePath[str]:
        return FilePath(self._homes).child(avatarId.decode() if isinstance(avatarId, bytes) else avatarId)


class LibraryTests(SiteCase):
    """Libraries, in a thread."""

    async def use(self, running: RunningSite, use: Any) -> Any:
        def in_thread() -> Any:
            with ftplib.FTP(timeout=PATIENCE) as ftp:
                ftp.connect(running.address, running.port)
                ftp.login("alice", "secret")
                return use(ftp)

        return await deferToThread(in_thread)

    async def test_binary(self) -> None:
        """P-STOR-1, P-APPE-1, P-REST-3, P-STOU-1: files of all sizes, added to and resumed."""
        running = await self.serve(TREE, authentication=ALICE)

        def put(ftp: ftplib.FTP) -> None:
            for size in (0, 1, 65_535, 262_144, 262_145, 3_000_000):
                self.assertRegex(ftp.storbinary("STOR sub/f", io.BytesIO(BINARY[:size])), "^226 ")
                self.assertTrue((running.root / "sub/f").read_bytes() == BINARY[:size])
                self.assertEqual(size, ftp.size("sub/f"))
            ftp.storbinary("STOR part", io.BytesIO(BINARY[:1000]))
            ftp.storbinary("APPE part", io.BytesIO(BINARY[1000:2000]))
            ftp.storbinary("STOR part", io.BytesIO(BINARY[1500:]), rest=1500)
            self.assertTrue((running.root / "part").read_bytes() == BINARY)
            ftp.storbinary("STOU", io.BytesIO(b"unique"))
            (name,) = [name for name in ftp.nlst() if name.startswith("upload.")]
            self.assertEqual(b"unique", (running.root / name).read_bytes())

        await self.use(running, put)

    async def test_text(self) -> None:
        """P-TYPE-2: lines there and back."""
        running = await self.serve(TREE, authentication=ALICE)
        text = b"one\ntwo\n\nfour\n" * 10_000

        def there_and_back(ftp: ftplib.FTP) -> None:
            ftp.storlines("STOR t", io.BytesIO(text))
            self.assertTrue((running.root / "t").read_bytes() == text)
            lines: list[str] = []
            ftp.retrlines("RETR t", lines.append)
            self.assertTrue("\n".join(lines).encode() + b"\n" == text)

        await self.use(running, there_and_back)

    async def test_changes(self) -> None:
        """P-MKD-1, P-RMD-1, P-DELE-1, P-RNTO-1: a tree is made, moved and removed."""
        running = await self.serve(TREE, authentication=ALICE)

        def change(ftp: ftplib.FTP) -> None:
            self.assertEqual("/new dir", ftp.mkd("new dir"))
            ftp.rename("file.txt", "new dir/f")
            ftp.rename("new dir", "sub/x")
            self.assertEqual(b"one\n", (running.root / "sub/x/f").read_bytes())
            ftp.delete("sub/x/f")
            ftp.rmd("sub/x")
            with self.assertRaises(ftplib.error_perm):
                ftp.rmd("/")

        await self.use(running, change)

    async def test_anonymous(self) -> None:
        """P-SEC-7: the anonymous may read, and no more."""
        running = await self.serve(TREE, authentication=ALICE)

        def attempt() -> None:
            with ftplib.FTP(timeout=PATIENCE) as ftp:
                ftp.connect(running.address, running.port)
                ftp.login()
                for change in (lambda: ftp.storbinary("STOR x", io.BytesIO(b"x")), lambda: ftp.delete("file.txt"), lambda: ftp.mkd("x")):
                    with self.assertRaisesRegex(ftplib.error_perm, "^550 .*Permission denied"):
                        change()

        await deferToThread(attempt)
        self.assertEqual({"file.txt", "sub"}, set(os.listdir(running.root)))

    async def test_plain_transport(self) -> None:
        """Through Twisted's own listening port everything is the same."""
        running = await self.serve(TREE, authentication=ALICE, is_plain=True)
        await self.use(running, lambda ftp: ftp.storbinary("STOR f", io.BytesIO(BINARY)))
        self.assertTrue((running.root / "f").read_bytes() == BINARY)

    async def test_aioftp(self) -> None:
        """A tree that aioftp uploads."""
        running = await self.serve(TREE, authentication=ALICE)
        here = Path(self.absolute_path())
        plant(str(here), {"a": b"a", "deep": {"b": BINARY[:100_000], "c": b""}})

        async def upload() -> None:
            async with aioftp.Client.context(running.address, running.port, "alice", "secret") as client:
                await client.upload(here, "up", write_into=True)

        await deferToThread(lambda: asyncio.run(upload()))
        found = {str(path.relative_to(running.root / "up")): path.read_bytes() for path in (running.root / "up").rglob("*") if path.is_file()}
        self.assertEqual({"a": b"a", "deep/b": BINARY[:100_000], "deep/c": b""}, found)

    async def test_stock_shells(self) -> None:
        """Twisted's own shell can be written through ``IFTPShell`` alone; what it has no word for is refused in order."""
        home = self.absolute_path()
        plant(home, {"alice": {"f": b"12345"}, "anonymous": {}})
        realm = StockRealm(home)
        checkers = [AllowAnonymousAccess(), InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")]
        running = await self.serve(portal=Portal(realm, checkers))

        def change(ftp: ftplib.FTP) -> None:
            ftp.storbinary("STOR big", io.BytesIO(BINARY))
            ftp.storlines("STOR text", io.BytesIO(b"a\nb\n"))
            ftp.storbinary("STOR f", io.BytesIO(b"new"))
            ftp.mkd("d")
            ftp.rename("text", "d/t")
            for refused in ("MKD d", "STOR d", "RMD d", "RNTO x", "STOR none/x", "APPE f", "MFMT 20240101000000 f", "SITE CHMOD 600 f", "REST 1"):
                with self.assertRaises(ftplib.error_perm):
                    ftp.sendcmd(refused)
            self.assertEqual("202", ftp.sendcmd("ALLO 5")[:3])
            ftp.delete("big")
            features = ftp.sendcmd("FEAT")
            for absent in ("MFMT", "SITE CHMOD", "REST STREAM", "RANG"):
                self.assertNotIn(absent, features)

        await self.use(running, change)
        alice = Path(home) / "alice"
        self.assertEqual({"f": b"new", "d/t": b"a\nb\n"}, {str(p.relative_to(alice)): p.read_bytes() for p in alice.rglob("*") if p.is_file()})


class ProgramTests(ProgramCase):
    """Programs (PROTOCOL P-CLI-2, P-CLI-3)."""

    async def begin(self) -> None:
        running = await self.start(TREE, authentication=ALICE)
        self.user_url = f"ftp://alice:secret@{running.address}:{running.port}"
        plant(str(self.here), {"local": {"big": BINARY, "empty": b"", "with two  spaces": b"s", "deep": {"c": b"ccc"}}})

    def assert_arrived(self, there: str) -> None:
        self.assert_same_tree(self.here / "local", self.running.root / there)

    async def test_curl(self) -> None:
        """curl uploads, makes directories, adds, resumes and removes."""
        await self.begin()
        curl = ("curl", "--disable", "--silent", "--show-error")
        await self.run_to_end(*curl, "--ftp-create-dirs", "-T", "local/big", f"{self.user_url}/new/dir/big")
        self.assertTrue((self.running.root / "new/dir/big").read_bytes() == BINARY)
        (self.running.root / "half").write_bytes(BINARY[:1_000_000])
        await self.run_to_end(*curl, "-C", "-", "-T", "local/big", f"{self.user_url}/half")
        self.assertTrue((self.running.root / "half").read_bytes() == BINARY)
        await self.run_to_end(*curl, "--append", "-T", "local/deep/c", f"{self.user_url}/half")
        self.assertTrue((self.running.root / "half").read_bytes() == BINARY + b"ccc")
        await self.run_to_end(*curl, "--output", "list", "-Q", "DELE half", f"{self.user_url}/")
        self.assertFalse((self.running.root / "half").exists())

    async def test_curl_refused(self) -> None:
        """curl tells of an upload that may not be (25), and of no file that it could not put (9)."""
        await self.begin()
        await self.run_to_end("curl", "--disable", "--silent", "-T", "local/big", f"{self.url}/x", status=25)
        await self.run_to_end("curl", "--disable", "--silent", "-T", "local/big", f"{self.user_url}/none/x", status=9)

    async def test_lftp(self) -> None:
        """lftp mirrors a tree here, times and modes too, and removes what is not there."""
        await self.begin()
        os.utime(self.here / "local/deep/c", (1_000_000_000, 1_000_000_000))
        script = "set net:max-retries 1; mirror -R local there; chmod 600 there/empty; mirror -R --delete local/deep there; bye"
        await self.run_to_end("lftp", "--norc", "-e", "set net:max-retries 1; mirror -R local there; chmod 600 there/empty; bye", self.user_url)
        self.assert_arrived("there")
        self.assertEqual(1_000_000_000, (self.running.root / "there/deep/c").stat().st_mtime)
        self.assertEqual(0o600, (self.running.root / "there/empty").stat().st_mode & 0o777)
        await self.run_to_end("lftp", "--norc", "-e", script.split("; ", maxsplit=1)[0] + "; mirror -R --delete local/deep there; bye", self.user_url)
        self.assert_same_tree(self.here / "local/deep", self.running.root / "there")

    async def test_ncftpput(self) -> None:
        """ncftpput puts a tree."""
        await self.begin()
        host, port = self.running.address, str(self.running.port)
        await self.run_to_end("ncftpput", "-V", "-R", "-m", "-u", "alice", "-p", "secret", "-P", port, host, "/up", "local")
        self.assert_arrived("up/local")

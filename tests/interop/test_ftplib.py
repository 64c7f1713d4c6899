"""Python's ftplib, in a thread, against a site in this process (PROTOCOL P-CLI-1)."""

from __future__ import annotations

import ftplib
import hashlib
import io
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.threads import deferToThread

from tests.support.running import PATIENCE, RunningSite, SiteCase, free_range, has_ipv6

TEXT = b"one\ntwo\r\nthree\n"
TREE: dict[str | bytes, Any] = {
    "file.txt": TEXT,
    "binary": bytes(range(256)) * 5,
    "empty": b"",
    "pub": {"b": b"bb", "a": b"a", "deep": {"c": b"ccc"}},
    "é": b"utf-8",
    b"\xe9": b"latin-1",
    "a name  with spaces ": b"spaces",
    '-la "quoted"': b"quoted",
}
BLOCK = 1 << 20
BIG = 64
"""Blocks of the big file."""


class Case(SiteCase):
    """What a user of ftplib does happens in a thread; the reactor, and with it the site, goes on."""

    @contextmanager
    def ftp(self, running: RunningSite, **options: Any) -> Iterator[ftplib.FTP]:
        """A session that is logged in; QUIT ends it."""
        with ftplib.FTP(timeout=PATIENCE, **options) as ftp:
            ftp.connect(running.address, running.port)
            ftp.login()
            yield ftp

    async def use(self, running: RunningSite, use: Callable[[ftplib.FTP], Any], **options: Any) -> Any:
        """Do something with a session, in a thread."""

        def in_thread() -> Any:
            with self.ftp(running, **options) as ftp:
                return use(ftp)

        return await deferToThread(in_thread)

    def octets(self, ftp: ftplib.FTP, name: str, offset: int | None = None) -> bytes:
        """A file's octets."""
        found = io.BytesIO()
        self.assertRegex(ftp.retrbinary(f"RETR {name}", found.write, rest=offset), "^226 ")
        return found.getvalue()

    def lines(self, ftp: ftplib.FTP, command: str) -> list[str]:
        """The lines of a text or a listing."""
        found: list[str] = []
        self.assertRegex(ftp.retrlines(command, found.append), "^226 ")
        return found


class FileTests(Case):
    """Names, types, restarts."""

    async def test_binary(self) -> None:
        """Files arrive as they are, empty ones and those with odd names, too (P-RETR-1, P-LINE-6, P-QUOT-2)."""

        def fetch(ftp: ftplib.FTP) -> None:
            for name in ("file.txt", "binary", "empty", "é", "a name  with spaces ", '-la "quoted"'):
                self.assertEqual(TREE[name], self.octets(ftp, name))

        await self.use(await self.serve(TREE), fetch)

    async def test_names_in_octets(self) -> None:
        """Names are octets: what a Latin-1 client types is the file with those octets, and listings show them (P-PATH-2)."""

        def fetch(ftp: ftplib.FTP) -> None:
            self.assertEqual(b"latin-1", self.octets(ftp, "\xe9"))
            self.assertEqual(b"utf-8", self.octets(ftp, "é".encode().decode("latin-1")))
            names = ftp.nlst()
            self.assertIn("\xe9", names)
            self.assertIn("é".encode().decode("latin-1"), names)
            self.assertEqual(sorted(names), names)

        await self.use(await self.serve(TREE), fetch, encoding="latin-1")

    async def test_lines(self) -> None:
        """TYPE A sends every line end as CRLF, and none twice (P-TYPE-2)."""

        def fetch(ftp: ftplib.FTP) -> None:
            self.assertEqual(["one", "two", "three"], self.lines(ftp, "RETR file.txt"))
            self.assertEqual(b"one\r\ntwo\r\nthree\r\n", self.raw(ftp, "RETR file.txt"))
            self.assertEqual(17, ftp.size("file.txt"))
            ftp.voidcmd("TYPE I")
            self.assertEqual(TEXT, self.raw(ftp, "RETR file.txt"))
            self.assertEqual(15, ftp.size("file.txt"))

        await self.use(await self.serve(TREE), fetch)

    def raw(self, ftp: ftplib.FTP, command: str) -> bytes:
        """The octets of a transfer in the type that is set."""
        with ftp.transfercmd(command) as data, data.makefile("rb") as stream:
            octets = stream.read()
        self.assertEqual("226", ftp.voidresp()[:3])
        return octets

    async def test_restart(self) -> None:
        """REST and RETR give the rest of the file, nothing at its end, 554 behind it; a size in 150 is that of the rest (P-REST-2, P-RETR-2)."""
        octets = TREE["binary"]

        def fetch(ftp: ftplib.FTP) -> None:
            for offset in (0, 1, 255, 256, 1279, 1280):
                self.assertEqual(octets[offset:], self.octets(ftp, "binary", offset))
            with self.assertRaisesRegex(ftplib.error_perm, "^554 "):
                self.octets(ftp, "binary", 1281)
            self.assertEqual(octets, self.octets(ftp, "binary"))
            data, size = ftp.ntransfercmd("RETR binary", 1000)
            with data:
                self.assertEqual(280, size)
                while data.recv(4096):
                    pass
            ftp.voidresp()

        await self.use(await self.serve(TREE), fetch)

    async def test_big_file(self) -> None:
        """64 MiB of random octets arrive whole and the same, passive and active, in whole and from the middle (P-DX-1)."""
        running = await self.serve()
        digests = await deferToThread(write_big, running.root / "big")

        def fetch(ftp: ftplib.FTP) -> None:
            for passive, start in ((True, 0), (False, 0), (True, BIG // 2)):
                ftp.set_pasv(passive)
                digest, count = hashlib.sha256(), 0

                def take(octets: bytes, digest: Any = digest) -> None:
                    nonlocal count
                    digest.update(octets)
                    count += len(octets)

                ftp.retrbinary("RETR big", take, blocksize=1 << 18, rest=start * BLOCK or None)
                self.assertEqual((BIG - start) * BLOCK, count)
                self.assertEqual(digests[start], digest.hexdigest())

        await self.use(running, fetch)


def write_big(path: Path) -> dict[int, str]:
    """Write ``BIG`` blocks that all differ; the digests of what begins at the first and at the middle block."""
    block = Random(1).randbytes(BLOCK)
    digests = {0: hashlib.sha256(), BIG // 2: hashlib.sha256()}
    with path.open("wb") as file:
        for number in range(BIG):
            octets = number.to_bytes(8, "big") + block[8:]
            file.write(octets)
            for start, digest in digests.items():
                if number >= start:
                    digest.update(octets)
    return {start: digest.hexdigest() for start, digest in digests.items()}


class DirectoryTests(Case):
    """Listings, and where one is."""

    async def test_listings(self) -> None:
        """LIST, NLST and MLSD of the working directory and of a path show the same names (P-LS-9, P-LN-2)."""

        def fetch(ftp: ftplib.FTP) -> None:
            names = sorted((name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name) for name in TREE)
            ftp.encoding = "latin-1"
            expected = [name.decode("latin-1") for name in names]
            self.assertEqual(expected, ftp.nlst())
            listed: list[str] = []
            ftp.dir(listed.append)
            self.assertEqual(expected, [line.split(maxsplit=7)[7].split(" ", 1)[1] for line in listed])
            self.assertEqual(expected, [name for name, _ in ftp.mlsd()])
            self.assertEqual(["pub/a", "pub/b", "pub/deep"], ftp.nlst("pub"))
            self.assertEqual(["a", "b", "deep"], [name for name, _ in ftp.mlsd("pub")])
            facts = dict(ftp.mlsd("pub", ["type", "size"]))
            self.assertEqual({"type": "file", "size": "2"}, facts["b"])
            self.assertEqual({"type": "dir"}, facts["deep"])
            with self.assertRaisesRegex(ftplib.error_perm, "^550 none: No such file or directory"):
                ftp.nlst("none")
            with self.assertRaisesRegex(ftplib.error_temp, "^450 No files found"):
                ftp.nlst("none*")

        await self.use(await self.serve(TREE), fetch)

    async def test_walking(self) -> None:
        """cwd, pwd and size; ``cwd("..")`` sends CDUP; a directory that is not there changes nothing (P-CWD-1, P-CDUP-1, P-PWD-1, P-SIZE-1)."""

        def walk(ftp: ftplib.FTP) -> None:
            self.assertEqual("/", ftp.pwd())
            ftp.cwd("pub/deep")
            self.assertEqual("/pub/deep", ftp.pwd())
            self.assertEqual(b"ccc", self.octets(ftp, "c"))
            ftp.cwd("..")
            ftp.voidcmd("TYPE I")
            self.assertEqual(2, ftp.size("b"))
            with self.assertRaises(ftplib.error_perm):
                ftp.cwd("nowhere")
            self.assertEqual("/pub", ftp.pwd())
            ftp.cwd("../..")
            self.assertEqual("/", ftp.pwd())

        await self.use(await self.serve(TREE), walk)

    async def test_read_only(self) -> None:
        """What would change something is refused, and the session goes on."""

        def write(ftp: ftplib.FTP) -> None:
            for attempt in (
                lambda: ftp.storbinary("STOR new", io.BytesIO(b"x")),
                lambda: ftp.mkd("new"),
                lambda: ftp.delete("empty"),
                lambda: ftp.rmd("pub"),
                lambda: ftp.rename("empty", "full"),
            ):
                with self.assertRaises(ftplib.error_perm):
                    attempt()
            self.assertEqual(TREE["binary"], self.octets(ftp, "binary"))

        running = await self.serve(TREE)
        await self.use(running, write)
        self.assertTrue((running.root / "empty").exists())


class DataConnectionTests(Case):
    """Active, IPv6, many."""

    def everything(self, ftp: ftplib.FTP) -> None:
        """A file, a text and listings."""
        self.assertEqual(TREE["binary"], self.octets(ftp, "binary"))
        self.assertEqual(["one", "two", "three"], self.lines(ftp, "RETR file.txt"))
        self.assertEqual(["pub/a", "pub/b", "pub/deep"], ftp.nlst("pub"))
        self.assertEqual(3, len(self.lines(ftp, "LIST pub")))

    async def test_active(self) -> None:
        """``set_pasv(False)``: the server connects to the client (P-PORT-1, P-DC-7)."""

        def fetch(ftp: ftplib.FTP) -> None:
            ftp.set_pasv(False)
            self.everything(ftp)

        await self.use(await self.serve(TREE), fetch)

    async def test_ipv6(self) -> None:
        """EPSV and EPRT over IPv6 (P-EPSV-1, P-EPRT-1)."""
        if not has_ipv6():
            self.skipTest("no ::1 on this machine")

        def fetch(ftp: ftplib.FTP) -> None:
            self.assertEqual(socket.AF_INET6, ftp.af)
            for passive in (True, False):
                ftp.set_pasv(passive)
                self.everything(ftp)

        await self.use(await self.serve(TREE, address="::1"), fetch)

    async def test_all_addresses(self) -> None:
        """A site on all addresses serves IPv4 clients at an IPv6 socket as IPv4 clients (P-TW-10)."""
        if not has_ipv6():
            self.skipTest("no ::1 on this machine")

        def fetch(port: int) -> None:
            for address in ("127.0.0.1", "::1"):
                for passive in (True, False):
                    with ftplib.FTP(timeout=PATIENCE) as ftp:
                        ftp.connect(address, port)
                        ftp.login()
                        ftp.set_pasv(passive)
                        self.everything(ftp)

        running = await self.serve(TREE, address="::")
        await deferToThread(fetch, running.port)

    async def test_many_transfers(self) -> None:
        """200 transfers in a row on one session need no more than the 8 ports of the range (P-DC-11)."""
        running = await self.serve(TREE, passive_ports=free_range(8))

        def fetch(ftp: ftplib.FTP) -> None:
            for number in range(200):
                self.assertEqual(TREE["binary"], self.octets(ftp, "binary"), number)

        await self.use(running, fetch)
        self.assertEqual(0, running.site.pool.counters.refused)

    async def test_many_sessions(self) -> None:
        """300 sessions logged in at once all get their files (P-SEC-10)."""
        running = await self.serve(TREE)

        def fetch() -> None:
            with ExitStack() as stack:
                sessions = [stack.enter_context(self.ftp(running)) for _ in range(300)]
                for number, ftp in enumerate(sessions):
                    self.assertEqual("/", ftp.pwd())
                    if number % 10 == 0:
                        self.assertEqual(TREE["binary"], self.octets(ftp, "binary"))
                self.assertEqual(300, len(running.site.sessions))

        await deferToThread(fetch)

    async def test_abort(self) -> None:
        """``abort()`` in the midst of a big file, all its octets urgent: 426, then 226, and the session goes on (P-ABOR-1, P-TEL-8)."""
        running = await self.serve({**TREE, "big": b""})
        with (running.root / "big").open("r+b") as file:
            file.truncate(BIG * BLOCK)

        def fetch(ftp: ftplib.FTP) -> None:
            for passive in (True, False):
                ftp.set_pasv(passive)
                ftp.voidcmd("TYPE I")
                with ftp.transfercmd("RETR big") as data:
                    data.recv(4096)
                    self.assertEqual("426", ftp.abort()[:3])
                    self.assertEqual("226", ftp.getresp()[:3])
                self.assertEqual("/", ftp.pwd())
                self.everything(ftp)

        await self.use(running, fetch)

"""
More programs that people use: a browser, programs that fetch a file in parts over several connections, and that of small devices.
"""

from __future__ import annotations

from tests.interop.test_clients import BINARY, TEXT, Case


class LynxTests(Case):
    """Lynx, a browser: it finds out whether a name is a directory by RETR."""

    async def test_directories(self) -> None:
        """Directories are shown with what is in them (P-DC-1, but for a directory that RETR names)."""
        await self.start()
        for path, names in (("", ("binary", "empty", "file.txt", "pub")), ("pub/", ("a", "b", "deep"))):
            outcome = await self.run_to_end("lynx", "-dump", "-nolist", f"{self.url}/{path}")
            for name in names:
                self.assertIn(f" {name}", outcome.output)
        self.assertEqual({"RETR / -> 550 /: Is a directory.", "RETR /pub -> 550 /pub: Is a directory."}, set(self.refused()))

    async def test_fetch(self) -> None:
        """A file arrives as it is."""
        await self.start()
        outcome = await self.run_to_end("lynx", "-source", f"{self.url}/file.txt")
        self.assertEqual(TEXT.decode(), outcome.output)
        self.assertEqual([], self.refused())


class PartsTests(Case):
    """aria2 and Axel: several connections, each of which fetches a part and closes before its end (P-REST-2, P-DX-13)."""

    async def test_aria2(self) -> None:
        """The file is whole, with one connection and with four."""
        running = await self.start()
        for split in ("1", "4"):
            options = ("--quiet", "--no-conf", "--no-netrc", f"--split={split}", f"--max-connection-per-server={split}", "--min-split-size=1M")
            await self.run_to_end("aria2c", *options, "--out=got", f"{self.url}/binary")
            self.assert_same("got", BINARY)
            (self.here / "got").unlink()
        await self.assert_let_go(running)

    async def test_axel(self) -> None:
        """The same with three."""
        running = await self.start()
        await self.run_to_end("axel", "--quiet", "--num-connections=3", "--output=got", f"{self.url}/binary")
        self.assert_same("got", BINARY)
        await self.assert_let_go(running)


class BusyBoxTests(Case):
    """BusyBox (PROTOCOL P-CLI-11)."""

    async def test_fetch(self) -> None:
        """``ftpget`` and its wget fetch; nothing is refused."""
        running = await self.start()
        await self.run_to_end("busybox", "ftpget", "-P", str(running.port), running.address, "got", "binary")
        self.assert_same("got", BINARY)
        await self.run_to_end("busybox", "wget", "-q", "-O", "got", f"{self.url}/pub/b")
        self.assert_same("got", b"bb")
        self.assertEqual([], self.refused())

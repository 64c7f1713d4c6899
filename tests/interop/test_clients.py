"""
Programs that people use: curl, wget, lftp, ncftp, tnftp. Each lists and fetches; what arrives is compared, and so is what the
program prints and what the server had to refuse.
"""

from __future__ import annotations

import filecmp
import os
import re
import signal
from pathlib import Path
from random import Random
from typing import Any

from tests.interop.programs import Outcome, Program, start
from tests.support.running import RunningSite, SiteCase, has_ipv6, until

TEXT = b"one\ntwo\nthree\n"
BINARY = Random(2).randbytes(3_000_000)
TREE: dict[str | bytes, Any] = {
    "file.txt": TEXT,
    "binary": BINARY,
    "empty": b"",
    "pub": {"b": b"bb", "a": b"a", "with two  spaces": b"s", "deep": {"c": b"ccc", "é": b"e", b"\xe9": b"latin-1"}},
}
SLOW = 5.0
"""Seconds; each of these runs takes less than a tenth of a second on an idle machine."""


class Case(SiteCase):
    """A site and a program that visits it."""

    async def start(self, tree: Any = TREE, **options: Any) -> RunningSite:
        self.here = Path(self.absolute_path())
        self.here.mkdir()
        running = await self.serve(tree, **options)
        host = f"[{running.address}]" if ":" in running.address else running.address
        self.url = f"ftp://{host}:{running.port}"
        self.running = running
        return running

    def launch(self, *arguments: str, has_terminal: bool = False) -> Program:
        return self.closing(start(self.here, *arguments, has_terminal=has_terminal))

    async def run_to_end(self, *arguments: str, status: int = 0) -> Outcome:
        """Run a program to its end; it must end with this status, and soon."""
        outcome = await self.launch(*arguments).end()
        self.assertEqual(status, outcome.status, f"{arguments}\n{outcome.output}\n{outcome.errors}")
        self.assertLess(outcome.seconds, SLOW, f"{arguments}")
        return outcome

    def refused(self) -> list[str]:
        """The commands that were answered by an error."""
        return [command for command in self.running.commands if command.partition(" -> ")[2][0] in "45"]

    def assert_same(self, name: str, octets: bytes) -> None:
        """A file that a program has fetched."""
        self.assertTrue((self.here / name).read_bytes() == octets, f"{name} differs")

    def assert_same_tree(self, here: Path, there: Path) -> None:
        """A tree that a program has fetched."""
        found = filecmp.dircmp(here, there)
        self.assertEqual(([], [], []), (found.left_only, found.right_only, found.common_funny))
        _, differing, failing = filecmp.cmpfiles(here, there, found.common_files, shallow=False)
        self.assertEqual(([], []), (differing, failing))
        for name in found.common_dirs:
            self.assert_same_tree(here / name, there / name)


class CurlTests(Case):
    """curl (PROTOCOL P-CLI-2)."""

    def curl(self, *arguments: str, status: int = 0) -> Any:
        return self.run_to_end("curl", "--disable", "--silent", "--show-error", *arguments, status=status)

    async def test_fetch(self) -> None:
        """A file by EPSV, by PASV, actively, and as text; nothing is refused on the way and nothing is said."""
        await self.start()
        for options in ((), ("--disable-epsv",), ("--ftp-port", "-"), ("--ftp-port", "-", "--disable-eprt")):
            outcome = await self.curl(*options, "--output", "got", f"{self.url}/binary")
            self.assertEqual(("", ""), (outcome.output, outcome.errors))
            self.assert_same("got", BINARY)
        deep = (("pub/deep/c", b"ccc"), ("pub/deep/%C3%A9", b"e"), ("pub/deep/%E9", b"latin-1"), ("pub/with%20two%20%20spaces", b"s"), ("empty", b""))
        for path, octets in deep:
            for method in ("multicwd", "nocwd", "singlecwd"):
                await self.curl("--ftp-method", method, "--output", "got", f"{self.url}/{path}")
                self.assert_same("got", octets)
        outcome = await self.curl("--use-ascii", f"{self.url}/file.txt")
        self.assertEqual(TEXT.decode(), outcome.output.replace("\r\n", "\n"))
        self.assertEqual([], self.refused())

    async def test_ipv6(self) -> None:
        """The same over IPv6, passive and active."""
        if not has_ipv6():
            self.skipTest("no ::1 on this machine")
        await self.start(address="::1")
        for options in ((), ("--ftp-port", "-")):
            await self.curl(*options, "--output", "got", f"{self.url}/binary")
            self.assert_same("got", BINARY)
        self.assertEqual([], self.refused())

    async def test_parts(self) -> None:
        """Ranges and resumption give exactly the octets asked for (P-REST-2)."""
        await self.start()
        for part, octets in (("1-3", TEXT[1:4]), ("5-", TEXT[5:]), ("-4", TEXT[-4:]), ("0-0", TEXT[:1])):
            outcome = await self.curl("--range", part, f"{self.url}/file.txt")
            self.assertEqual(octets.decode(), outcome.output)
        await self.curl("--range", "1000-1999", "--output", "got", f"{self.url}/binary")
        self.assert_same("got", BINARY[1000:2000])
        (self.here / "got").write_bytes(BINARY[:1_234_567])
        for _ in range(2):  # the second time there is nothing left to fetch
            await self.curl("--continue-at", "-", "--output", "got", f"{self.url}/binary")
            self.assert_same("got", BINARY)
        outcome = await self.curl("--continue-at", "100", f"{self.url}/file.txt", status=36)
        self.assertEqual("", outcome.output)

    async def test_listing(self) -> None:
        """A directory's listing, its names alone, and a file's head."""
        await self.start()
        outcome = await self.curl(f"{self.url}/")
        self.assertEqual(["binary", "empty", "file.txt", "pub"], [line.split()[8] for line in outcome.output.splitlines()])
        outcome = await self.curl("--list-only", f"{self.url}/pub/")
        self.assertEqual(["a", "b", "deep", "with two  spaces"], outcome.output.splitlines())
        outcome = await self.curl("--head", f"{self.url}/binary")
        self.assertIn("Content-Length: 3000000", outcome.output)
        self.assertIn("Last-Modified: ", outcome.output)
        self.assertEqual([], self.refused())

    async def test_missing(self) -> None:
        """A missing file is status 78, a missing directory 9."""
        await self.start()
        await self.curl(f"{self.url}/none", status=78)
        await self.curl(f"{self.url}/none/", status=9)

    async def test_many(self) -> None:
        """Several files over one connection, and at a time."""
        # Not more: when a server on the same machine answers EPSV before curl 7.88 looks, curl waits for a second.
        await self.start({f"f{number}": b"%d" % number for number in range(4)})
        for options in ((), ("--parallel",)):
            await self.curl(*options, "--remote-name-all", f"{self.url}/f[0-3]")
            for number in range(4):
                self.assert_same(f"f{number}", b"%d" % number)
                (self.here / f"f{number}").unlink()
        self.assertEqual([], self.refused())

    async def test_killed(self) -> None:
        """A curl that is killed in mid-transfer leaves nothing behind (P-DX-13)."""
        running = await self.start()
        os.truncate(running.root / "binary", 64 << 20)
        for number in ("INT", "KILL"):
            program = self.launch("curl", "--disable", "--silent", "--limit-rate", "1M", "--output", "got", f"{self.url}/binary")
            await until(lambda: (self.here / "got").exists() and (self.here / "got").stat().st_size, "curl receives something")
            program.transport.signalProcess(number)
            await program.end()
            await self.assert_let_go(running)
            (self.here / "got").unlink()


class WgetTests(Case):
    """GNU Wget."""

    def wget(self, *arguments: str, status: int = 0) -> Any:
        return self.run_to_end("wget", "--no-config", "--no-verbose", "--no-hsts", "--tries=1", *arguments, status=status)

    async def test_tree(self) -> None:
        """A tree, passive and active, arrives whole with its times; nothing is refused."""
        running = await self.start()
        os.utime(running.root / "pub" / "b", (1_700_000_000, 1_700_000_000))
        for directory, options in (("passive", ()), ("active", ("--no-passive-ftp",))):
            outcome = await self.wget(*options, "--recursive", "--no-host-directories", f"--directory-prefix={directory}", f"{self.url}/")
            self.assertNotIn("rror", outcome.errors)
            self.assert_same_tree(self.here / directory, running.root)
            # Its clock is LIST's, which has no seconds, and for old files no hours.
            self.assertEqual(1_700_000_000 // 86400, int((self.here / directory / "pub" / "b").stat().st_mtime) // 86400)
        self.assertEqual([], self.refused())

    async def test_parts_and_patterns(self) -> None:
        """``--continue``, and a pattern that wget matches against LIST."""
        await self.start()
        (self.here / "binary").write_bytes(BINARY[:1_234_567])
        await self.wget("--continue", f"{self.url}/binary")
        self.assert_same("binary", BINARY)
        await self.wget(f"{self.url}/*.txt")
        self.assert_same("file.txt", TEXT)
        self.assertEqual([], self.refused())

    async def test_missing(self) -> None:
        """A missing file is status 8, and wget says so."""
        await self.start()
        outcome = await self.wget(f"{self.url}/none", status=8)
        self.assertIn("No such file", outcome.errors)

    async def test_ipv6(self) -> None:
        """The same over IPv6, passive and active."""
        if not has_ipv6():
            self.skipTest("no ::1 on this machine")
        await self.start(address="::1")
        for options in ((), ("--no-passive-ftp",)):
            await self.wget(*options, "--output-document=got", f"{self.url}/binary")
            self.assert_same("got", BINARY)
        self.assertEqual([], self.refused())


class LftpTests(Case):
    """lftp (PROTOCOL P-CLI-3)."""

    def lftp(self, script: str, status: int = 0) -> Any:
        return self.run_to_end("lftp", "--norc", "-c", f"set net:max-retries 1; open {self.url}; {script}", status=status)

    async def test_mirror(self) -> None:
        """500 files, over one and over four connections, passive and active, arrive the same; nothing is refused or tried again."""
        random = Random(3)
        tree = {f"d{directory}": {f"f{number}": random.randbytes(number * 11) for number in range(100)} for directory in range(5)}
        running = await self.start(tree)
        for number, (mode, options) in enumerate((("on", ""), ("off", ""), ("on", "--parallel=4"))):
            outcome = await self.lftp(f"set ftp:passive-mode {mode}; mirror {options} . copy{number}")
            self.assertEqual(("", ""), (outcome.output, outcome.errors))
            self.assert_same_tree(self.here / f"copy{number}", running.root)
        self.assertEqual([], self.refused())

    async def test_listings(self) -> None:
        """``ls`` shows LIST, ``cls`` what MLSD says, ``nlist`` names; ``cat`` and ``pget`` fetch."""
        await self.start()
        outcome = await self.lftp("ls")
        self.assertEqual(["binary", "empty", "file.txt", "pub"], [line.split()[8] for line in outcome.output.splitlines()])
        outcome = await self.lftp("cls -1; cd pub; cls -1; cd deep; nlist; pwd")
        names = ["binary", "empty", "file.txt", "pub/", "a", "b", "deep/", "with two  spaces", "c", "é", "\udce9"]
        self.assertEqual([*names, f"{self.url}/pub/deep"], outcome.output.splitlines())
        self.assertEqual("", outcome.errors)
        outcome = await self.lftp("cat file.txt")
        self.assertEqual(TEXT.decode(), outcome.output)
        await self.lftp("pget -n 3 binary")
        self.assert_same("binary", BINARY)
        await self.lftp("get -c file.txt; get -c file.txt")
        self.assert_same("file.txt", TEXT)
        self.assertEqual([], self.refused())

    async def test_missing(self) -> None:
        """A missing file is a permanent error, not something to be tried again (P-GEN-6)."""
        await self.start()
        outcome = await self.lftp("get none", status=1)
        self.assertEqual("get: Access failed: 550 none: No such file or directory.\n", outcome.errors)
        self.assertLess(outcome.seconds, 2)

    async def test_interrupt(self) -> None:
        """Ctrl-C in mid-transfer: the session goes on (P-ABOR-1, P-TEL-8)."""
        running = await self.start()
        os.truncate(running.root / "binary", 64 << 20)
        program = self.launch("lftp", "--norc", self.url, has_terminal=True)
        program.transport.write(b"set net:limit-rate 500k; cat file.txt\n")
        await program.says(b"three")
        program.transport.write(b"get binary\n")
        await until(lambda: (self.here / "binary").exists() and (self.here / "binary").stat().st_size, "lftp receives something")
        program.transport.write(b"\x03")
        await program.says(b"Interrupt")  # and sometimes it sends its ABOR only with the next command
        program.transport.write(b"get pub/b; echo done\n")
        await program.says(b"\ndone")
        self.assert_same("b", b"bb")
        ended = [found[0] for line in running.commands if (found := re.match(r"(RETR binary|ABOR) -> \d+", line))]
        self.assertEqual(["RETR binary -> 426", "ABOR -> 226"], ended)
        program.transport.write(b"exit\n")
        await program.end()

    async def test_ipv6(self) -> None:
        """The same over IPv6; only passive, for on the loopback interface lftp's EPRT names the address ``::``."""
        if not has_ipv6():
            self.skipTest("no ::1 on this machine")
        running = await self.start(address="::1")
        await self.lftp("mirror . copy")
        self.assert_same_tree(self.here / "copy", running.root)
        # Against RFC 7151 §3.1 lftp writes the address without brackets; it does not mind the answer.
        self.assertEqual([], [command for command in self.refused() if not command.startswith("HOST ::1 -> 501")])


class NcftpTests(Case):
    """ncftpget and ncftpls."""

    def ncftp(self, program: str, *arguments: str, status: int = 0) -> Any:
        return self.run_to_end(program, "-t", "10", "-r", "1", *arguments, status=status)

    async def test_fetch(self) -> None:
        """Files, passive and active, and again when the local one is the same."""
        running = await self.start()
        place = ("-P", str(running.port), running.address)
        for mode in ("-F", "-E"):
            await self.ncftp("ncftpget", "-V", mode, *place, ".", "/binary", "/file.txt")
            self.assert_same("binary", BINARY)
            self.assert_same("file.txt", TEXT)
            (self.here / "binary").unlink()
        (self.here / "binary").write_bytes(BINARY[:1_234_567])
        await self.ncftp("ncftpget", "-V", "-z", *place, ".", "/binary")
        self.assert_same("binary", BINARY)
        self.assertEqual([], self.refused())

    async def test_tree(self) -> None:
        """A tree; without ``-T`` ncftpget first asks for a tar archive that no server makes."""
        running = await self.start()
        await self.ncftp("ncftpget", "-V", "-T", "-R", "-P", str(running.port), running.address, ".", "/pub")
        self.assert_same_tree(self.here / "pub", running.root / "pub")
        self.assertEqual([], self.refused())

    async def test_listings(self) -> None:
        """ncftpls shows names, and LIST's lines."""
        await self.start()
        outcome = await self.ncftp("ncftpls", "-1", f"{self.url}/pub/")
        self.assertEqual(["a", "b", "deep", "with two  spaces"], outcome.output.splitlines())
        outcome = await self.ncftp("ncftpls", "-l", f"{self.url}/")
        self.assertEqual(["binary", "empty", "file.txt", "pub"], [line.split()[8] for line in outcome.output.splitlines()])
        self.assertEqual("", outcome.errors)
        self.assertEqual([], self.refused())

    async def test_missing(self) -> None:
        """ncftpget says what the server said."""
        running = await self.start()
        outcome = await self.ncftp("ncftpget", "-V", "-P", str(running.port), running.address, ".", "none", status=3)
        self.assertIn("none: No such file or directory.", outcome.errors)


class TnftpTests(Case):
    """tnftp, BSD's ftp."""

    async def test_urls(self) -> None:
        """Files by URL, passive and active; a missing one is status 1 and the server's words."""
        await self.start()
        for option in ("-p", "-A"):
            outcome = await self.run_to_end("tnftp", "-V", option, f"{self.url}/binary")
            self.assertEqual(("", ""), (outcome.output, outcome.errors))
            self.assert_same("binary", BINARY)
            (self.here / "binary").unlink()
        self.assertEqual([], self.refused())
        outcome = await self.run_to_end("tnftp", "-V", f"{self.url}/none", status=1)
        self.assertIn("none: No such file or directory.", outcome.output + outcome.errors)

    async def test_dialogue(self) -> None:
        """A session as a person has it: listings, types, resumption, every kind of data connection."""
        running = await self.start()
        script = f"""open {running.address} {running.port}
            user anonymous me@here
            ls
            nlist pub
            mlsd pub
            get file.txt 1
            ascii
            get file.txt 2
            binary
            restart 4
            get file.txt 3
            size binary
            modtime binary
            epsv4
            get file.txt 4
            passive
            get file.txt 5
            ls
            cd pub
            pwd
            mget a b
            rstatus
            features
            quit
        """
        (self.here / "3").write_bytes(TEXT[:4])
        (self.here / "script").write_text("".join(line.strip() + "\n" for line in script.splitlines()))
        outcome = await self.run_to_end("sh", "-c", "exec tnftp -n -i -v <script")
        for name in "12345":
            self.assert_same(name, TEXT)
        self.assert_same("a", b"a")
        self.assert_same("b", b"bb")
        self.assertIn("binary\t3000000", outcome.output)
        self.assertIn("Remote directory: /pub", outcome.output)
        self.assertEqual("", outcome.errors)
        self.assertEqual([], self.refused())

    async def test_interrupt(self) -> None:
        """Ctrl-C in mid-transfer, which tnftp sends as Telnet's IP and Synch: the session goes on (P-ABOR-1, P-TEL-8)."""
        running = await self.start()
        os.truncate(running.root / "binary", 64 << 20)
        program = self.launch("tnftp", "-n", "-V", running.address, str(running.port), has_terminal=True)
        await program.says(b"ftp> ")
        program.transport.write(b"user anonymous me\nrate all 200000\nget binary\n")
        await until(lambda: (self.here / "binary").exists() and (self.here / "binary").stat().st_size, "tnftp receives something")
        program.transport.signalProcess(signal.SIGINT)
        await until(lambda: any(command.startswith("RETR binary -> 426") for command in running.commands), "the transfer ends")
        program.transport.write(b"get file.txt\nquit\n")
        await program.end()
        self.assert_same("file.txt", TEXT)

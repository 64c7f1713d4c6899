"""FTPS with the clients that people use, and with many of them at once: real sockets, a site in this process."""

from __future__ import annotations

import asyncio
import contextlib
import ftplib
import io
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs, formatEvent

from tests.interop.by_hand import Control, connect, log_in, port_in
from tests.interop.programs import Outcome, start
from tests.support.running import PATIENCE, RunningSite, SiteCase, free_range, in_time, until
from tests.support.tls import VERSIONS, authority, authority_file, client_context, files

TREE: dict[str | bytes, Any] = {
    "file.txt": b"one\ntwo\nthree\n",
    "binary": Random(2).randbytes(3_000_000),
    "small": b"hello" * 200,
    "empty": b"",
    "pub": {"a": b"a", "deep": {"c": b"ccc"}},
}
SOON = 2.0
"""Seconds within which a NOOP is answered whatever goes on; it takes some milliseconds."""
BIG, KERNEL = 64 << 20, 24 << 20
"""Octets: of a big file, and more than both sockets of a connection ever hold."""
SLOW = 10.0
"""Seconds; each run of a program takes less than a fifth of one on an idle machine."""


class Case(SiteCase):
    """A site with a certificate, and clients that trust its authority."""

    async def start(self, tree: Any = TREE, tls: dict[str, Any] | None = None, **options: Any) -> RunningSite:
        certificate, key = files(self)
        self.authority = authority_file(self)
        self.here = Path(self.absolute_path())
        self.here.mkdir()
        self.running = await self.serve(tree, tls={"certificate": certificate, "private_key": key, **(tls or {})}, **options)
        return self.running

    async def run_to_end(self, *arguments: str, status: int = 0) -> Outcome:
        """Run a program to its end; it must end with this status, and soon."""
        outcome = await self.closing(start(self.here, *arguments)).end()
        self.assertEqual(status, outcome.status, f"{arguments}\n{outcome.output}\n{outcome.errors}\n{self.running.commands}")
        self.assertLess(outcome.seconds, SLOW, f"{arguments}")
        return outcome  # type: ignore[no-any-return]

    def refused(self) -> list[str]:
        """The commands that were answered by an error."""
        return [command for command in self.running.commands if command.partition(" -> ")[2][0] in "45"]

    def assert_same(self, name: str, octets: bytes) -> None:
        """A file that a program has fetched."""
        self.assertTrue((self.here / name).read_bytes() == octets, f"{name} differs")


class CurlTests(Case):
    """curl (P-CLI-2)."""

    def curl(self, scheme: str, path: str, *arguments: str, status: int = 0) -> Any:
        general = ("--disable", "--silent", "--show-error", "--cacert", self.authority, "--max-time", "10")
        return self.run_to_end("curl", *general, *arguments, f"{scheme}://localhost:{self.running.port}/{path}", status=status)

    async def test_explicit(self) -> None:
        """AUTH and PROT P, by EPSV and PASV, with TLS 1.2 and 1.3, a listing and an empty file; no command is refused (P-TD-7)."""
        await self.start()
        for version in ("1.2", "1.3"):
            for options in ((), ("--disable-epsv",)):
                outcome = await self.curl("ftp", "binary", "--ssl-reqd", "--tls-max", version, *options, "--output", "got")
                self.assertEqual(("", ""), (outcome.output, outcome.errors))
                self.assert_same("got", TREE["binary"])
        outcome = await self.curl("ftp", "pub/", "--ssl-reqd", "--list-only")
        self.assertEqual(["a", "deep"], outcome.output.split())
        outcome = await self.curl("ftp", "empty", "--ssl-reqd")
        self.assertEqual("", outcome.output)
        self.assertEqual([], self.refused())

    async def test_implicit(self) -> None:
        """``ftps://``: TLS from the first octet (P-IMPL-1)."""
        await self.start(tls={"implicit": True})
        for version in ("1.2", "1.3"):
            await self.curl("ftps", "binary", "--tls-max", version, "--output", "got")
            self.assert_same("got", TREE["binary"])
        self.assertEqual([], self.refused())

    async def test_clear_channel(self) -> None:
        """``--ftp-ssl-ccc``, both ways of it: the control connection goes back to clear, data stays encrypted (P-CCC-2)."""
        await self.start(tls={"clear_command_channel": True})
        for mode in ("passive", "active"):
            for version in ("1.2", "1.3"):
                options = ("--ssl-reqd", "--ftp-ssl-ccc", "--ftp-ssl-ccc-mode", mode, "--tls-max", version)
                outcome = await self.curl("ftp", "file.txt", *options)
                self.assertEqual("one\ntwo\nthree\n", outcome.output)
        self.assertIn("CCC -> 200 The control connection is in clear text from now on.", self.running.commands)
        self.assertEqual([], self.refused())

    async def test_several_files(self) -> None:
        """Several files over one session: the data connections resume its TLS session, and may have to."""
        await self.start(tls={"session": "require"})
        url = f"ftp://localhost:{self.running.port}"
        for version in ("1.2", "1.3"):
            await self.curl("ftp", "small", "--ssl-reqd", "--tls-max", version, "-o", "s", "-o", "b", "-o", "f", f"{url}/binary", f"{url}/file.txt")
            for name, octets in (("s", "binary"), ("b", "file.txt"), ("f", "small")):
                self.assert_same(name, TREE[octets])
        self.assertEqual([], self.refused())

    async def test_required(self) -> None:
        """Without TLS where it is required: curl ends with what the server says, and no password was sent (P-USER-4)."""
        await self.start(tls={"control_channel": "require"})
        outcome = await self.curl("ftp", "small", "--user", "alice:secret", status=67)
        self.assertIn("Access denied", outcome.errors)
        self.assertEqual([], [command for command in self.running.commands if command.startswith("PASS")])


class LftpTests(Case):
    """lftp (P-CLI-3)."""

    def lftp(self, script: str, url: str, status: int = 0) -> Any:
        settings = f"set net:max-retries 1; set ssl:ca-file {self.authority}; set ssl:verify-certificate yes; set dns:order inet"
        return self.run_to_end("lftp", "--norc", "-c", f"{settings}; {script.format(f'open {url}')}", status=status)

    async def test_mirror(self) -> None:
        """Many files, over one and over several connections, forced into TLS; anonymous, too."""
        random = Random(3)
        tree: dict[str | bytes, Any] = {f"d{number}": {f"f{size}": random.randbytes(size * 997) for size in range(25)} for number in range(4)}
        running = await self.start(tree)
        url = f"ftp://localhost:{running.port}"
        for number, options in enumerate(("", "--parallel=4")):
            script = f"set ftp:ssl-force yes; set ftp:ssl-allow-anonymous yes; set ftp:ssl-protect-data yes; {{}}; mirror {options} . copy{number}"
            outcome = await self.lftp(script, url)
            self.assertEqual(("", ""), (outcome.output, outcome.errors))
            for directory, contents in tree.items():
                for name, octets in contents.items():
                    self.assert_same(f"copy{number}/{directory!s}/{name}", octets)
        self.assertEqual([], self.refused())
        self.assertTrue(any(command.startswith("PROT P -> 200") for command in running.commands))

    async def test_implicit(self) -> None:
        """``ftps://``."""
        running = await self.start(tls={"implicit": True})
        outcome = await self.lftp("{}; cat file.txt", f"ftps://localhost:{running.port}")
        self.assertEqual("one\ntwo\nthree\n", outcome.output)

    async def test_required(self) -> None:
        """PROT P where data must be encrypted: lftp finds its way by the 522 (P-PROT-5)."""
        running = await self.start(tls={"control_channel": "require", "data_channel": "require"})
        script = "set ftp:ssl-force yes; set ftp:ssl-allow-anonymous yes; set ftp:ssl-protect-list no; {}; cls -1 pub"
        outcome = await self.lftp(script, f"ftp://localhost:{running.port}")
        self.assertEqual(["pub/a", "pub/deep/"], outcome.output.split())


class OpenSSLTests(Case):
    """``openssl s_client``."""

    async def client(self, *options: str) -> Outcome:
        """Connect, verify, and end."""
        place = ("-connect", f"127.0.0.1:{self.running.port}")
        program = self.closing(start(self.here, "openssl", "s_client", *place, "-CAfile", self.authority, *options))
        program.transport.closeStdin()
        return await program.end()  # type: ignore[no-any-return]

    async def test_starttls(self) -> None:
        """``-starttls ftp``: the chain is verified; TLS 1.1 is refused (P-AUTH-1, P-TLS-1)."""
        await self.start()
        for version in ("-tls1_2", "-tls1_3"):
            outcome = await self.client("-starttls", "ftp", version)
            self.assertIn("Verify return code: 0 (ok)", outcome.output)
        outcome = await self.client("-starttls", "ftp", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        self.assertIn("no peer certificate available", outcome.output)

    async def test_implicit(self) -> None:
        """The same without the prelude (P-IMPL-1)."""
        await self.start(tls={"implicit": True})
        self.assertIn("Verify return code: 0 (ok)", (await self.client()).output)


class Resuming(ftplib.FTP_TLS):
    """ftplib that resumes the control connection's session on data connections, as many a recipe has it."""

    resumed = True

    def ntransfercmd(self, cmd: str, rest: Any = None) -> Any:
        data, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:  # type: ignore[attr-defined]
            data = self.context.wrap_socket(data, server_hostname=self.host, session=self.sock.session)  # type: ignore[union-attr]
            self.resumed &= bool(data.session_reused)
        return data, size


class FtplibCase(Case):
    """What a user of ftplib does happens in a thread."""

    def ftp(self, version: Any = None, kind: Any = ftplib.FTP_TLS, user: str = "", password: str = "") -> Any:
        """A session that is logged in, with PROT P."""
        ftp = kind(context=client_context(version), timeout=PATIENCE)
        ftp.connect("localhost", self.running.port)
        ftp.login(user, password)
        ftp.prot_p()
        return ftp

    def octets(self, ftp: Any, name: str) -> bytes:
        """A file's octets."""
        found = io.BytesIO()
        self.assertRegex(ftp.retrbinary(f"RETR {name}", found.write), "^226 ")
        return found.getvalue()

    async def in_thread(self, use: Callable[[], Any]) -> Any:
        return await deferToThread(use)


class FtplibTests(FtplibCase):
    """Python's ftplib (P-CLI-1)."""

    async def test_transfers(self) -> None:
        """Files big, small and empty, texts and listings, with and without resumption; TLS begins after 150, ``unwrap`` at the end is answered."""
        await self.start()

        def use() -> None:
            for kind in (ftplib.FTP_TLS, Resuming):
                for version in VERSIONS:
                    with self.ftp(version, kind) as ftp:
                        for name in ("binary", "small", "empty", "pub/a"):
                            self.assertEqual(TREE["pub"]["a"] if name == "pub/a" else TREE[name], self.octets(ftp, name))
                        self.assertEqual(["binary", "empty", "file.txt", "pub", "small"], ftp.nlst())
                        lines: list[str] = []
                        ftp.retrlines("RETR file.txt", lines.append)
                        self.assertEqual(["one", "two", "three"], lines)
                        self.assertIn(f"Control connection: {ftp.sock.version()} ", ftp.sendcmd("STAT"))
                        ftp.set_pasv(False)
                        self.assertEqual(TREE["binary"], self.octets(ftp, "binary"))

        await self.in_thread(use)
        self.assertEqual([], self.refused())

    async def test_over_other_transports(self) -> None:
        """A site that somebody embeds, on Twisted's own transports: the same, and CCC, too."""
        await self.start(is_plain=True, tls={"clear_command_channel": True})

        def use() -> None:
            for version in VERSIONS:
                with self.ftp(version, Resuming) as ftp:
                    for passive in (True, False):
                        ftp.set_pasv(passive)
                        self.assertEqual([TREE["binary"], b""], [self.octets(ftp, "binary"), self.octets(ftp, "empty")])
                    ftp.ccc()
                    self.assertEqual("/", ftp.pwd())

        await self.in_thread(use)
        self.assertEqual([], self.refused())

    async def test_slow_reader(self) -> None:
        """P-LS-8, P-SEC-10: of a file that its client does not read the server encrypts no more than the kernel takes; then all of it arrives."""
        running = await self.start({"big": b""})
        with (running.root / "big").open("r+b") as file:
            file.truncate(BIG)
        begun, go_on = threading.Event(), threading.Event()

        def use() -> int:
            with self.ftp(kind=Resuming) as ftp:
                ftp.voidcmd("TYPE I")
                data, _ = ftp.ntransfercmd("RETR big")
                with data:
                    count = len(data.recv(1))
                    begun.set()
                    go_on.wait(PATIENCE)
                    while octets := data.recv(1 << 16):
                        count += len(octets)
                    data.unwrap()
                ftp.voidresp()
                return count

        fetched = deferToThread(use)
        try:
            await until(begun.is_set, "the transfer begins")
            [session] = running.site.sessions
            seen = [-1] * 20

            def is_still() -> bool:
                seen.append(session.session.transfer.octets)
                return len(set(seen[-20:])) == 1

            await until(is_still, "the kernel is full")
            self.assertLess(seen[-1], KERNEL)
        finally:
            go_on.set()
        self.assertEqual(BIG, await in_time(fetched))

    async def test_refused_early(self) -> None:
        """P-DC-17: 550 for a file that is not there, while the data connection is there and its TLS is not; nothing is left of it."""
        await self.start()

        def use() -> None:
            with self.ftp() as ftp:
                for _ in range(3):
                    error = self.assertRaises(ftplib.Error, self.octets, ftp, "none")
                    self.assertEqual("550", str(error)[:3])
                self.assertEqual(TREE["small"], self.octets(ftp, "small"))

        await self.in_thread(use)

    async def test_many_transfers(self) -> None:
        """200 transfers in a row on one session resume it every time, on a range of 4 ports, required to (P-TD-7, P-TD-9, P-TLS-10)."""
        await self.start(tls={"session": "require"}, passive_ports=free_range(4))

        def use() -> None:
            for version in VERSIONS:
                with self.ftp(version, Resuming) as ftp:
                    for number in range(200):
                        self.assertEqual(TREE["small"], self.octets(ftp, "small"), number)
                    self.assertTrue(ftp.resumed)

        await self.in_thread(use)
        self.assertEqual([], self.refused())

    async def test_ccc_and_auth_again(self) -> None:
        """``ccc()`` goes on in clear with encrypted data; after it nothing of TLS is left on the control connection (P-CCC-2)."""
        await self.start(tls={"clear_command_channel": True})

        def use() -> None:
            for version in VERSIONS:
                with self.ftp(version) as ftp:
                    ftp.ccc()
                    self.assertIsNone(ftp.sock.version())
                    self.assertEqual("/", ftp.pwd())
                    self.assertEqual(TREE["binary"], self.octets(ftp, "binary"))

        await self.in_thread(use)
        self.assertEqual([], self.refused())

    async def test_not_resumed(self) -> None:
        """``session = "require"``: ftplib as it is gets 522 with the cure; ``auto`` lets it be, as long as it never resumes (P-TD-8, P-TEXT-27)."""
        await self.start(tls={"session": "require"})

        def use() -> None:
            for version in VERSIONS:
                with self.ftp(version) as ftp:
                    for _ in range(2):
                        error = self.assertRaises(ftplib.Error, self.octets, ftp, "binary")
                        self.assertEqual("522 TLS session reuse required on the data connection (enable it in your client).", str(error))
                    self.assertEqual("/", ftp.pwd())

        await self.in_thread(use)

    async def test_once_always(self) -> None:
        """``auto``: who has resumed once must go on; another login's session is refused, a sibling's of the same user is not (P-TD-8, P-TD-11)."""
        users = ("memory:alice:secret:bob:secret2",)
        await self.start(authentication={"strcred": users})

        def use() -> None:
            for version in VERSIONS:
                context = client_context(version)
                with ExitStack() as stack:
                    alice, sibling, bob = (stack.enter_context(Resuming(context=context, timeout=PATIENCE)) for _ in range(3))
                    for ftp, user, password in ((alice, "alice", "secret"), (sibling, "alice", "secret"), (bob, "bob", "secret2")):
                        ftp.connect("localhost", self.running.port)
                        ftp.login(user, password)
                        ftp.prot_p()
                    self.assertEqual(TREE["small"], self.octets(alice, "small"))
                    for lender, is_refused in ((sibling, False), (bob, True)):
                        own, alice.ntransfercmd = alice.ntransfercmd, lambda cmd, rest=None, lender=lender: self.lent(alice, lender, cmd)
                        if is_refused:
                            error = self.assertRaises(ftplib.Error, self.octets, alice, "small")
                            self.assertEqual("522", str(error)[:3])
                        else:
                            self.assertEqual(TREE["small"], self.octets(alice, "small"))
                        alice.ntransfercmd = own
                    self.assertEqual(TREE["small"], self.octets(alice, "small"))

        await self.in_thread(use)

    def lent(self, ftp: Any, lender: Any, command: str) -> Any:
        """A data connection that offers another session's ticket."""
        data, size = ftplib.FTP.ntransfercmd(ftp, command)
        return ftp.context.wrap_socket(data, server_hostname=ftp.host, session=lender.sock.session), size

    async def test_certificates(self) -> None:
        """P-TLS-7, P-TD-10: USER alone logs in by certificate; the data connection may show it again, and no other."""
        await self.start(tls={"client_certificates": "allow", "client_ca": authority_file(self)})
        alice, bob = (authority().issue_cert(f"{name}@example.org", common_name=name) for name in ("alice", "bob"))

        def use() -> None:
            for version in VERSIONS:
                ftp = ftplib.FTP_TLS(context=client_context(version, identity=alice), timeout=PATIENCE)
                with ftp:
                    ftp.connect("localhost", self.running.port)
                    ftp.auth()
                    self.assertEqual("232", ftp.sendcmd("USER alice")[:3])
                    ftp.prot_p()
                    self.assertEqual(TREE["binary"], self.octets(ftp, "binary"))
                    ftp.context = client_context(version, identity=bob)
                    error = self.assertRaises(ftplib.Error, self.octets, ftp, "binary")
                    self.assertIn("another client certificate", str(error))
                    ftp.context = client_context(version)
                    self.assertEqual(TREE["binary"], self.octets(ftp, "binary"))

        await self.in_thread(use)

    async def test_client_refuses(self) -> None:
        """P-TEXT-28, P-DX-11: a client that does not trust the certificate on the data connection: 522, and the session goes on."""
        await self.start()

        def use() -> None:
            for version in VERSIONS:
                with self.ftp(version) as ftp:
                    trusting, ftp.context = ftp.context, ssl.create_default_context()
                    with contextlib.suppress(ssl.SSLError):
                        ftp.retrbinary("RETR binary", lambda octets: self.fail("octets"))
                    ftp.context = trusting
                    self.assertRegex(self.next_error(ftp), "^522 TLS on the data connection failed: ")
                    self.assertEqual("/", ftp.pwd())

        await self.in_thread(use)

    def next_error(self, ftp: Any) -> str:
        """The error that is on its way."""
        return str(self.assertRaises(ftplib.Error, ftp.getresp))


class AioftpTests(Case):
    """aioftp, whose TLS on data connections begins before the command (P-TD-2)."""

    async def fetch(self, implicit: bool) -> None:
        """A file and a listing."""
        try:
            import aioftp
        except ImportError:
            self.skipTest("aioftp is not installed")
        running = await self.start(tls={"implicit": implicit})

        async def use() -> None:
            async with asyncio.timeout(PATIENCE):
                client = aioftp.Client(ssl=client_context() if implicit else None)
                await client.connect("localhost", running.port)
                if not implicit:
                    await client.upgrade_to_tls(client_context())
                await client.login()
                async with client.download_stream("binary") as stream:
                    got = b"".join([block async for block in stream.iter_by_block()])
                self.assertTrue(got == TREE["binary"])
                self.assertEqual({"a", "deep"}, {path.name for path, _ in await client.list("pub")})
                await client.quit()

        await deferToThread(asyncio.run, use())
        self.assertEqual([], self.refused())

    async def test_explicit(self) -> None:
        """AUTH, PBSZ, PROT P."""
        await self.fetch(implicit=False)

    async def test_implicit(self) -> None:
        """TLS from the first octet."""
        await self.fetch(implicit=True)


class ManyTests(FtplibCase):
    """Many clients behind one address."""

    def fetch_all(self, kinds: list[Any], version: Any, rounds: int) -> list[str]:
        """As many clients at once, each fetches its own file; what went wrong."""
        errors: list[str] = []
        together = threading.Barrier(len(kinds))

        def client(number: int, kind: Any) -> None:
            try:
                with self.ftp(version, kind) as ftp:
                    together.wait(PATIENCE)
                    for turn in range(rounds):
                        got = self.octets(ftp, f"f{number}")
                        if got != content(number):
                            errors.append(f"client {number} got {got[:20]!r} in turn {turn}")
            except Exception as error:
                together.abort()
                errors.append(f"client {number}: {error!r}")

        threads = [threading.Thread(target=client, args=one) for one in enumerate(kinds)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return errors

    async def test_one_port(self) -> None:
        """DESIGN §3: 50 clients behind one address and one port, each gets its own file five times; among them some that never resume."""
        tree: dict[str | bytes, Any] = {f"f{number}": content(number) for number in range(50)}
        running = await self.start(tree, passive_ports=free_range(1))
        for version in VERSIONS:
            for kinds in ([Resuming] * 50, [ftplib.FTP_TLS if number % 10 == 0 else Resuming for number in range(50)]):
                self.assertEqual([], await self.in_thread(lambda kinds=kinds, version=version: self.fetch_all(kinds, version, 5)))
        self.assertEqual(1, running.site.pool.open_ports if running.site.sessions else 1)
        self.assertGreater(running.site.pool.counters.shared, 0)
        self.assertEqual(0, running.site.pool.counters.unproven)

    async def test_one_of_two_does_not_resume(self) -> None:
        """Two sessions on one port, of which one never resumes: both get their files, again and again."""
        await self.start({"f0": content(0), "f1": content(1)}, passive_ports=free_range(1))
        for version in VERSIONS:
            self.assertEqual([], await self.in_thread(lambda version=version: self.fetch_all([Resuming, ftplib.FTP_TLS], version, 20)))
        self.assertEqual([], self.refused())


def content(number: int) -> bytes:
    """The file of one client."""
    return b"%d!" % number * 3000


class HalfOpenTests(Case):
    """Clients that do not come to the end of their handshake."""

    async def test_many(self) -> None:
        """500 of them leave the server responsive: another client's NOOP is answered at once; and they end in their time (P-SEC-11, P-TIME-3)."""
        running = await self.start(limits={"data_channel_timeout": 2.0})
        octets = hello()

        def knock() -> list[socket.socket]:
            sockets = []
            for number in range(500):
                skt = socket.create_connection(("127.0.0.1", running.port), PATIENCE)
                sockets.append(skt)
                skt.sendall(b"AUTH TLS\r\n")
            for number, skt in enumerate(sockets):
                heard = b""
                while heard.count(b"\n") < 2:
                    heard += skt.recv(1000)
                skt.sendall(octets[: (0, 1, 100, len(octets))[number % 4]])
            return sockets

        control = await log_in(self, running)
        sockets = await deferToThread(knock)
        try:
            self.assertEqual(501, len(running.site.sessions))
            slowest = 0.0
            for _ in range(20):
                began = control.transport.reactor.seconds()
                self.assertEqual("200 OK.", await control.ask("NOOP"))
                slowest = max(slowest, control.transport.reactor.seconds() - began)
            self.assertLess(slowest, SOON)
            await until(lambda: len(running.site.sessions) == 1, "the half-open ones are closed")
        finally:
            for skt in sockets:
                skt.close()

    async def test_control_ends(self) -> None:
        """P-TIME-3, P-AUTH-7: a handshake that is not done in time ends the connection; one line of the log names peer and reason."""
        running = await self.start(limits={"data_channel_timeout": 0.3})
        with capturedLogs() as events:
            control = self.closing(await connect(running.port, Control()))
            await control.reply()
            self.assertEqual("234", (await control.ask("AUTH TLS"))[:3])
            await in_time(control.closed)
        lines = [formatEvent(event) for event in events if "TLS" in formatEvent(event)]
        self.assertEqual(1, len(lines), lines)
        self.assertRegex(lines[0], r"#\d+ 127\.0\.0\.1 -: TLS handshake failed: not done in time")

    async def test_garbage(self) -> None:
        """P-AUTH-7: neither is one with garbage or a foreign certificate more than one line, and no traceback."""
        running = await self.start()
        for octets in (b"NOOP\r\nNOOP\r\nNOOP\r\n", b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00"):
            with capturedLogs() as events:
                control = self.closing(await connect(running.port, Control()))
                await control.reply()
                await control.ask("AUTH TLS")
                control.say(octets)
                await in_time(control.closed)
            lines = [formatEvent(event) for event in events if event.get("log_namespace", "").startswith("twistftp")]
            self.assertEqual(1, len(lines), lines)
            self.assertRegex(lines[0], r"127\.0\.0\.1 -: TLS handshake failed: [a-z]")
            self.assertFalse(any("log_failure" in event for event in events))

    async def test_data_ends(self) -> None:
        """P-TIME-3, P-TD-6: a data connection on which the client begins no TLS: 522 in its time."""
        running = await self.start(limits={"data_channel_timeout": 0.3}, tls={"clear_command_channel": True})
        control, data = await deferToThread(protected_in_clear, running)
        self.addCleanup(control.close)
        self.addCleanup(data.close)

        def hear() -> bytes:
            heard = b""
            while heard.count(b"\r\n") < 2:
                heard += control.recv(1000)
            return heard

        control.sendall(b"RETR binary\r\n")
        heard = await deferToThread(hear)
        self.assertRegex(heard, rb"\A150 [^\r]*\r\n522 TLS on the data connection failed: the client did not start it within 0.3 s\.\r\n\Z")

    async def test_reset_early(self) -> None:
        """P-DC-9: a data connection that was reset after its handshake and before the command is 425, not a transfer that breaks off."""
        running = await self.start(tls={"clear_command_channel": True})

        def use() -> bytes:
            control, data = protected_in_clear(running)
            with control, client_context().wrap_socket(data, server_hostname="localhost") as secure:
                secure.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                secure.close()
                control.sendall(b"NOOP\r\n")
                self.assertEqual(b"200", control.recv(1000)[:3])
                control.sendall(b"RETR binary\r\n")
                return control.recv(1000)

        self.assertEqual(b"425 The data connection was reset before the transfer began.\r\n", await deferToThread(use))


def hello() -> bytes:
    """A ClientHello."""
    from tests.support.tls import TLSClient

    return TLSClient().begin()


def protected_in_clear(running: RunningSite) -> tuple[socket.socket, socket.socket]:
    """A control connection after CCC, with PROT P, and a data connection whose TLS has not begun."""
    ftp = ftplib.FTP_TLS(context=client_context(), timeout=PATIENCE)
    ftp.connect("localhost", running.port)
    ftp.login()
    ftp.prot_p()
    ftp.ccc()
    ftp.voidcmd("TYPE I")
    port = port_in(ftp.sendcmd("EPSV"))
    assert ftp.sock is not None
    return ftp.sock, socket.create_connection((ftp.host, port), PATIENCE)

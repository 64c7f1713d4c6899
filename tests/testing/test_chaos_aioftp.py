"""The faults as aioftp sees them: another client, asynchronous, in the loop of the test's own process."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from importlib.util import find_spec
from typing import Any
from unittest import skipUnless

from tests.testing.support import CONTENT, SitesCase
from twistftp.testing import FTPServer

if find_spec("aioftp"):
    import aioftp

    REFUSED: tuple[type[BaseException], ...] = (aioftp.StatusCodeError,)
    FAILED: tuple[type[BaseException], ...] = (aioftp.StatusCodeError, OSError, EOFError)

Play = Callable[[FTPServer, Any], Coroutine[Any, Any, Any]]


async def fetch(site: FTPServer, client: Any, offset: int = 0) -> bytes:
    async with client.download_stream("a.bin", offset=offset) as stream:
        return b"".join([block async for block in stream.iter_by_block()])


async def store(site: FTPServer, client: Any) -> bytes:
    async with client.upload_stream("b.bin") as stream:
        await stream.write(CONTENT)
    return site.files["b.bin"]


async def names(site: FTPServer, client: Any) -> list[str]:
    return [str(path) for path, _ in await client.list()]


async def remove(site: FTPServer, client: Any) -> None:
    await client.command("DELE missing", "2xx")


# Faults that are no reason to fail, with what is done, and what must come of it.
ENDURED: tuple[tuple[str, Play, Any], ...] = (
    ("split_replies()", fetch, CONTENT),
    ("split_replies(seed=3)", store, CONTENT),
    ("octet_segments(10)", fetch, CONTENT),
    ("octet_segments(10)", names, ["a.bin"]),
    ("early_226(pause=0.01)", fetch, CONTENT),
    ("early_226(octets=0, pause=0.01)", fetch, CONTENT),
    ("late_226(0.05)", fetch, CONTENT),
    ("odd_multiline('each_line')", store, CONTENT),  # aioftp 0.28 takes lines without a code for an error
    ("slow_login(0.05)", fetch, CONTENT),
    ("wrong_address_in_227('127.0.0.2')", fetch, CONTENT),  # it asks for EPSV
    ("no_epsv", fetch, CONTENT),
    ("no_mlsd", names, ["a.bin"]),
    ("no_utf8", fetch, CONTENT),
    ("connection_limit(1)", fetch, CONTENT),
    ("slow_data(1000000)", fetch, CONTENT),
    ("half_close_at(1000)", fetch, CONTENT[:1000]),
)
# Faults that must show: its patience ends what would last.
SHOWN: tuple[tuple[str, Play], ...] = (
    ("rewritten_port", fetch),
    ("no_commands(['EPSV', 'PASV'])", fetch),
    ("reset_at(1000)", fetch),
    ("reset_at(1000)", store),
    ("stall_at(1000)", fetch),
    ("disk_full_at(1000)", store),
    ("missing_226", fetch),
    ("late_226(3600)", fetch),
    ("reset_control_at(10)", fetch),
    ("half_close_control_at(3)", fetch),
    ("reply_421_at(4)", fetch),
    ("odd_550(['odd'])", remove),
    ("slow_login(3600)", fetch),
)


@skipUnless(find_spec("aioftp"), "needs aioftp")
class AioftpTests(SitesCase):
    """Each by itself."""

    def play(self, site: FTPServer, play: Play, patience: float = 10) -> Any:
        async def run() -> Any:
            times = {"socket_timeout": patience, "path_timeout": patience}
            async with aioftp.Client.context(site.host, site.port, site.user, site.password, **times) as client:
                return await play(site, client)

        return asyncio.run(run())

    def test_endured(self) -> None:
        """It does what was asked for all the same."""
        for chaos, play, expected in ENDURED:
            self.assertEqual(expected, self.play(self.serve(chaos), play), chaos)

    def test_shown(self) -> None:
        """It fails, as it must."""
        for chaos, play in SHOWN:
            with self.assertRaises(FAILED, msg=chaos):
                self.play(self.serve(chaos), play, 0.5)

    def test_tried_again(self) -> None:
        """It fails once, and no more."""
        for chaos in ("rewritten_port(times=1)", "reset_at(100, times=1)", "reply_421_at(4, times=1)", "disk_full_at(100, times=1)"):
            site = self.serve(chaos)
            play = store if chaos.startswith("disk") else fetch
            with self.assertRaises(FAILED, msg=chaos):
                self.play(site, play)
            self.assertEqual(CONTENT, self.play(site, play), chaos)

    def test_tls(self) -> None:
        """Implicit TLS, which its own loop speaks; it resumes sessions, as it can see that it must."""

        async def run(site: FTPServer) -> bytes:
            async with aioftp.Client.context(site.host, site.port, site.user, site.password, ssl=site.client_context()) as client:
                return await fetch(site, client)

        site = self.serve("wrong_certificate", tls="implicit")
        self.assertRaises(ssl.SSLCertVerificationError, asyncio.run, run(site))
        for chaos in ("no_resumption", "split_replies(seed=2)", "octet_segments(8)", "no_epsv", "require_resumption"):
            site.use_chaos(chaos)
            self.assertEqual(CONTENT, asyncio.run(run(site)))

    def test_without_faults(self) -> None:
        """All of that works where nothing is wrong."""
        site = self.serve()
        self.assertEqual((CONTENT, CONTENT, ["a.bin", "b.bin"]), tuple(self.play(site, play) for play in (fetch, store, names)))

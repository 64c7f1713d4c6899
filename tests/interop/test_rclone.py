"""rclone, which has several sessions at a time, and as programs in Go do, one store of TLS sessions for them all."""

from __future__ import annotations

from random import Random

from tests.interop.test_tls_clients import Case
from tests.interop.test_uploads import ALICE

_RANDOM = Random(5)
FILES = {f"f{number}": _RANDOM.randbytes(number * 499) for number in range(40)}


class RcloneTests(Case):
    """Nothing is tried twice: the first error would be told."""

    async def rclone(self, *arguments: str) -> None:
        """``@`` is a directory on the server that is not there at first."""
        password = (await self.run_to_end("rclone", "obscure", "secret")).output.strip()
        there = f":ftp,host=127.0.0.1,port={self.running.port},user=alice,pass={password},explicit_tls=true,no_check_certificate=true:/new"
        options = ("--config", "/dev/null", "--transfers", "4", "--retries", "1", "--low-level-retries", "1")
        outcome = await self.run_to_end("rclone", *options, *(there if argument == "@" else argument for argument in arguments))
        self.assertEqual("", outcome.errors)

    async def test_copy(self) -> None:
        """A tree goes up, is looked at, and comes down again, with four transfers at a time (P-TD-7, P-TD-9)."""
        running = await self.start({}, authentication=ALICE)
        (self.here / "out" / "d").mkdir(parents=True)
        for name, octets in FILES.items():
            (self.here / "out" / "d" / name).write_bytes(octets)
        await self.rclone("copy", "out", "@")
        await self.rclone("copy", "out", "@")  # nothing is left to do
        await self.rclone("copy", "@", "in")
        for name, octets in FILES.items():
            self.assertTrue((running.root / "new" / "d" / name).read_bytes() == octets, name)
            self.assert_same(f"in/d/{name}", octets)

"""The doctor and twistftp itself, on the real reactor: the doctor works in a thread, as it waits."""

from __future__ import annotations

from click.testing import CliRunner, Result
from twisted.internet.threads import deferToThread

from tests.support.running import SiteCase, free_range
from twistftp.cli import main


class TwistftpTests(SiteCase):
    """``twistftp doctor`` sent to a running site."""

    async def doctor(self, port: int, *options: str) -> Result:
        return await deferToThread(lambda: CliRunner().invoke(main, ["doctor", f"ftp://127.0.0.1:{port}", "--timeout", "20", *options]))

    async def test_works(self) -> None:
        """All modes work; every port of the range is found open, though one alone is offered at a time."""
        ports = free_range(4)
        running = await self.serve({"pub": {"readme": b"hello\n"}}, passive_ports=ports)
        result = await self.doctor(running.port, "--ports", ports)
        self.assertEqual(0, result.exit_code, result.output)
        for words in ("result: works; clients can list and fetch", f"open: {ports}", "works  active      PORT", "fetched 6 octets"):
            self.assertIn(words, result.output)
        self.assertNotIn("problem", result.output)

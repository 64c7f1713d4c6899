"""twistftp itself keeps every rule, those of its own too, on real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import skipUnless

from tests.support.conform import ConformCase
from tests.support.running import has_ipv6
from twistftp.cli.conform.card import Card
from twistftp.cli.conform.catalogue import ROWS
from twistftp.cli.conform.row import Level, Row, Verdict


class TwistftpTests(ConformCase):
    """All rows."""

    def failures(self, card: Card) -> list[str]:
        return [f"{one.row.id}: {one.reason}\n{chr(10).join(one.transcript)}" for one in card.outcomes if one.verdict is Verdict.FAIL]

    def left_out(self, card: Card) -> dict[str, str]:
        return {one.row.id: one.reason for one in card.outcomes if one.verdict in {Verdict.NOT_APPLICABLE, Verdict.NOT_TRIED}}

    async def test_everything(self) -> None:
        """With TLS and --write all pass, and nothing is left on the server."""
        running = await self.start()
        card = await self.examine(running, ROWS, may_write=True)
        self.assertEqual(([], ()), (self.failures(card), card.remarks))
        self.assertEqual({"P-PB-10": "the control connection goes over IPv4"}, self.left_out(card))
        self.assertTrue(card.is_fine)
        self.assertEqual(["pub", "readme.txt"], sorted(path.name for path in running.root.iterdir()))

    async def test_interrupted(self) -> None:
        """Whatever ends it on the way, what was made on the server is removed."""

        class Interruption(Exception):
            pass

        def rows() -> Iterator[Row]:
            yield from (row for row in ROWS if row.id in {"P-STOR-1", "P-MKD-1"})
            seen.extend(path.name for path in running.root.rglob("*"))
            raise Interruption

        running = await self.start()
        seen: list[str] = []
        with self.assertRaises(Interruption):
            await self.examine(running, rows(), may_write=True)
        self.assertLessEqual({"twistftp-conform", "stored.bin", "made"}, set(seen))
        self.assertEqual(["pub", "readme.txt"], sorted(path.name for path in running.root.iterdir()))

    async def test_reading(self) -> None:
        """An anonymous visitor writes nothing; files are found by listings."""
        running = await self.start()
        card = await self.examine(running, ROWS, user="")
        self.assertEqual([], self.failures(card))
        self.assertEqual({"--write was not given"}, set(self.left_out(card).values()) - {"the control connection goes over IPv4"})
        self.assertFalse([line for line in running.commands if line.startswith(("STOR", "MKD", "APPE"))])

    async def test_under_tls(self) -> None:
        """Logged in under TLS (ftpes://), where a few rows have nothing to look at."""
        card = await self.examine(await self.start(), ROWS, "ftpes", may_write=True)
        self.assertEqual([], self.failures(card))
        self.assertEqual({"P-REIN-1", "P-AUTH-4", "P-DX-17", "P-PB-10", "P-MODEZ-1"}, set(self.left_out(card)))

    async def test_implicit_tls(self) -> None:
        """With ftps:// nothing is asked in the clear."""
        card = await self.examine(await self.start(implicit=True), ROWS, "ftps", may_write=True)
        self.assertEqual([], self.failures(card))
        self.assertGreater(sum(card.count(level, Verdict.PASS) for level in Level), 150)

    @skipUnless(has_ipv6(), "no IPv6 here")
    async def test_ipv6(self) -> None:
        """The rows of IPv4 have nothing to look at, that of IPv6 has."""
        card = await self.examine(await self.start("::1"), ROWS, may_write=True)
        self.assertEqual([], self.failures(card))
        self.assertEqual({"the control connection goes over IPv6"}, {why for row, why in self.left_out(card).items() if row != "P-TD-1.active"})

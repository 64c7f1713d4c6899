"""
``twistftp conform`` sent to a site of this process, in a thread, as it waits.

Not here: bad servers (``scripted``) and assertions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.threads import deferToThread

from tests.support.running import RunningSite, SiteCase
from tests.support.tls import files
from twistftp.cli.conform.card import Card
from twistftp.cli.conform.examination import examine
from twistftp.cli.conform.row import Row
from twistftp.cli.doctor.target import parse_target

__all__ = ["ConformCase", "SETTINGS", "TREE"]

TREE: dict[str | bytes, Any] = {"readme.txt": b"hello world\nline two\n", "pub": {"inner.txt": b"inner\n"}}
SETTINGS: dict[str, Any] = {
    "authentication": {"strcred": ("memory:alice:secret",)},
    "logon_attempts": {"delay": 0, "max_failures": 1000, "period": 1},
    "file_handling": {"mode_z": True},
}
"""All that can be switched on is, and nobody waits for a failed login."""


class ConformCase(SiteCase):
    """Sites to look at."""

    timeout = 240

    async def start(self, address: str = "127.0.0.1", **tls: Any) -> RunningSite:
        """A site with TLS, and a user who may write."""
        certificate, key = files(self)
        settings = {"certificate": certificate, "private_key": key, "clear_command_channel": True, **tls}
        return await self.serve(TREE, address=address, tls=settings, **SETTINGS)

    async def examine(self, running: RunningSite, rows: Iterable[Row], scheme: str = "ftp", user: str = "alice:secret@", **options: Any) -> Card:
        """Try these rows on it."""
        host = f"[{running.address}]" if ":" in running.address else running.address
        target = parse_target(f"{scheme}://{user}{host}:{running.port}")
        return await deferToThread(lambda: examine(target, rows, 200.0, is_insecure=True, **options))  # type: ignore[no-any-return]

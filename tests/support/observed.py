"""
A site in memory as those see it who report on a server: control socket and metrics.

Not here: what they say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.support.dialogue import Dialogue
from twistftp.metrics import Latencies
from twistftp.policy.channels import PortRange
from twistftp.site import FTPSite
from twistftp.transport.pool import PassivePool

__all__ = ["Observed"]


class Observed:
    """The site of a dialogue, with latencies, beside a pool of its own."""

    started = 1000.0
    is_draining = False

    def __init__(self, dialogue: Dialogue) -> None:
        self.dialogue = dialogue
        self.pool: Any = PassivePool(dialogue.clock, PortRange(50000, 50100), dialogue.deadlines)
        self.latencies = {dialogue.settings.name: Latencies()}
        dialogue.site.transcript.add_recorder(self.latencies[dialogue.settings.name])

    def sites(self) -> Iterator[tuple[FTPSite, str]]:
        yield self.dialogue.site, "port 21 of all addresses"

    @property
    def delayed_calls(self) -> int:
        return len(self.dialogue.clock.getDelayedCalls())

    def lost_lines(self) -> Iterator[tuple[str, int]]:
        yield self.dialogue.settings.name, 3

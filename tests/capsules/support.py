"""
Sessions in memory of which a capsule is made.

Not here: assertions.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.support.at_once import at_once
from tests.support.dialogue import Client, Dialogue
from tests.support.tls_dialogue import SecureDialogue
from twistftp.capsules.control import capturing
from twistftp.capsules.format import Capsule, parse
from twistftp.capsules.recording import Recording

__all__ = ["Captured", "capture"]


class Captured:
    """A site whose sessions are captured into ``directory``, and a client of it."""

    def __init__(self, case: Any, dialogue: Any, limit: int | None = None) -> None:
        self.dialogue = dialogue
        self.directory = Path(os.path.abspath(case.mktemp()))
        self.directory.mkdir()
        options = {} if limit is None else {"limit": limit}
        self.recording = Recording(dialogue.clock, str(self.directory), at_once, lambda: 1710000000.0, **options)
        dialogue.site.protocol = capturing(self.recording)
        self.client: Client = dialogue.another()

    @property
    def octets(self) -> bytes:
        """The file, all of it written."""
        self.recording.close()
        (path,) = self.directory.iterdir()
        return path.read_bytes()

    @property
    def capsule(self) -> Capsule:
        """The capsule, when the client has gone."""
        self.client.leave()
        return parse(self.octets.splitlines())

    def said(self, key: str) -> list[Any]:
        """What the events of one kind say."""
        return [event[key] for event in self.capsule.events if key in event]


def capture(case: Any, tree: Any = None, *, is_secure: bool = False, limit: int | None = None, **options: Any) -> Captured:
    """A captured session that has just begun."""
    return Captured(case, (SecureDialogue if is_secure else Dialogue)(case, tree, **options), limit)

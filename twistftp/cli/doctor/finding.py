"""
One cause that holds, with its particulars.

Not here: which causes there are (``causes``), and when they hold (``rules``).
"""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from twistftp.cli.doctor.causes import Cause

__all__ = ["Finding"]


@frozen
class Finding:
    """
    One cause with its particulars. ``about`` names the session it was found in, ``""``: the one that was asked for;
    ``is_problem``: whether it is in the way, or only worth knowing.
    """

    cause: Cause
    is_problem: bool = True
    facts: dict[str, Any] = field(factory=dict)
    about: str = ""

    @property
    def title(self) -> str:
        """What is the matter, in a few words."""
        return self.cause.value.title.format(**self.facts)

    @property
    def why(self) -> str:
        """What it means, and what it was seen by."""
        return self.cause.value.why.format(**self.facts)

    @property
    def cure(self) -> str:
        """What to do about it."""
        return self.cause.value.cure.format(**self.facts)

"""
The states of a session and what each verb may do to them (PROTOCOL §1.8).

Not here: the values that go with a state (``session.session``).
"""

from __future__ import annotations

from enum import Enum, Flag, auto

__all__ = ["Keeps", "Login", "Needs"]


class Login(Enum):
    """How far the login has come: PROTOCOL's N, U and L."""

    NONE = "N"
    NAMED = "U"
    DONE = "L"


class Needs(Enum):
    """What a verb needs before it is looked at any further (PROTOCOL P-GEN-10)."""

    NOTHING = "any time"
    LOGIN = "after login"


class Keeps(Flag):
    """What a verb leaves standing that any other verb would drop (PROTOCOL P-GEN-12, P-GEN-13)."""

    NOTHING = 0
    RENAME = auto()  # an RNFR that waits for its RNTO
    RESTART = auto()  # a REST that waits for its transfer

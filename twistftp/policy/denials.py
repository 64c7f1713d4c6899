"""
Why a user may not do something: a closed list of reasons, after IIS's list of substatus codes.

Not here: finding them (``authorization``, ``filtering``, ``isolation``), and what becomes of one (``storage.failures``, the session's log).
"""

from __future__ import annotations

from enum import Enum

from attrs import frozen

__all__ = ["NO_HOME", "Denial", "Reason"]

NO_HOME = "User cannot log in, home directory inaccessible"
"""IIS's words for a user who exists and has nothing to see, for whatever reason."""


class Reason(Enum):
    """
    Each value is IIS's substatus, the text for the client and the words for the log, in which ``{detail}`` is the denial's.

    The client learns what it can act on. Which rule, which folder and which setting it was is for the log alone.
    """

    RULE_DENIED = (1, "Permission denied", "{detail}")
    NO_RULE = (1, "Permission denied", "no authorization rule allows to {detail} here")
    MOVED_INTO_VIEW = (1, "Permission denied", "what may not be read cannot be moved to where it may: {detail}")
    ACROSS = (3, "Permission denied; it cannot be moved to another file system", "{detail} is in another virtual directory")
    VIRTUAL_DIRECTORY = (5, "Permission denied; virtual directories are not for clients to change", "{detail} is, or holds, a virtual directory")
    HIDDEN_SEGMENT = (8, "No such file or directory", "hidden segment {detail!r}")
    URL_SEQUENCE = (9, "Permission denied; this path holds a sequence that is not allowed here", "denied sequence {detail!r}")
    EXTENSION = (11, "Permission denied; files of this type are not allowed here", "denied extension {detail!r}")
    URL_LENGTH = (12, "Permission denied; this path is too long", "the path is longer than {detail} octets")
    HOME_MISSING = (33, NO_HOME, "there is no home directory {detail}")
    HOME_INACCESSIBLE = (33, NO_HOME, "the home directory {detail} cannot be read")
    HOME_LEADS_AWAY = (33, NO_HOME, "the home directory {detail} is reached by a link that its user could have made")
    HOME_NAME = (33, NO_HOME, "the user's name cannot be that of a directory: {detail!r}")
    CONTENT_LENGTH = (39, "Larger than the files that are accepted here", "the upload is larger than {detail} octets")
    COMMAND = (51, "is switched off on this server", "the command {detail} is denied")

    @property
    def substatus(self) -> int:
        """IIS's number for it, for the column of a log."""
        return self.value[0]

    @property
    def text(self) -> str:
        """What the client is told, without a full stop."""
        return self.value[1]


@frozen
class Denial:
    """One refusal: its single reason, and the rule, folder or setting that it comes from."""

    reason: Reason
    detail: str = ""

    @property
    def why(self) -> str:
        """What the log is told, on one line if ``detail`` is."""
        return self.reason.value[2].format(detail=self.detail)

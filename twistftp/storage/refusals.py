"""
The ways in which a site's rules and filters say no: storage failures that carry their reason.

Not here: the reasons (``policy.denials``), what else can fail (``failures``), and what clients are told (``session.failures``).
"""

from __future__ import annotations

from twistftp.policy.denials import Denial, Reason
from twistftp.storage.failures import NameNotAllowed, NotFound, PermissionDenied, StorageError

__all__ = ["Denied", "HiddenObject", "HomeRefused", "NameRefused", "Refused", "TooLarge", "denied"]


class Denied(StorageError):
    """Rules or filters of the site refuse it, for the one reason that ``denial`` gives. What the client may know of it is in the subclass."""

    def __init__(self, denial: Denial) -> None:
        super().__init__(denial.reason.name)
        self.denial = denial


class Refused(Denied, PermissionDenied):
    """It may be there, and this user may not do that."""


class HiddenObject(Denied, NotFound):
    """It is hidden: for clients it is not there."""


class NameRefused(Denied, NameNotAllowed):
    """Nothing may be made under this name."""


class TooLarge(Denied):
    """The site takes no files of this size."""


class HomeRefused(Denied):
    """The user cannot log in: the home is not there, or not to be used."""


def denied(denial: Denial, *, is_new: bool = False) -> Denied:
    """What to raise for a denial. ``is_new``: it is about the name of something that is to be made."""
    kind: type[Denied] = _KINDS.get(denial.reason, Refused)
    return (NameRefused if is_new and denial.reason in _ABOUT_NAMES else kind)(denial)


_KINDS = {Reason.HIDDEN_SEGMENT: HiddenObject, Reason.CONTENT_LENGTH: TooLarge}
_ABOUT_NAMES = frozenset({Reason.EXTENSION, Reason.URL_LENGTH, Reason.URL_SEQUENCE})

"""
The forms a listing can have, as values: what lines look like, and how long they stay right.

Not here: the form of LIST (``unix_form``), what is known of an object (``entries``), how lines are kept (``storage.listing_cache``).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from math import inf

from twistftp.wire.entries import Entry, facts_lines, ms_dos_lines
from twistftp.wire.times import modify_facts
from twistftp.wire.timeval import timeval

__all__ = ["NAMES", "DosForm", "FactsForm", "Form"]

_MOST = 4096  # texts that one table remembers
_NOTHING: Mapping[int, int | None] = {}


class Form:
    """
    The base of all forms.

    :ivar key: with the entries themselves, all that lines in this form depend on, but for the time.
    :ivar now: when it is; lines made at one time may look otherwise at another.
    :ivar shows_rights: whether lines tell what the reader may do.
    """

    __slots__ = ("key", "now")

    shows_rights = False

    def __init__(self, key: Hashable, now: float = 0) -> None:
        self.key = key
        self.now = now

    def span(self) -> tuple[float, float]:
        """From when on, and until when, all the lines made so far look as they do."""
        return -inf, inf

    def lines(self, entries: Iterable[Entry]) -> bytes:
        """The lines of entries, each ended by CRLF."""
        raise NotImplementedError


class _Names(Form):
    """NLST's: the names as they are."""

    __slots__ = ()

    def lines(self, entries: Iterable[Entry]) -> bytes:
        """As in ``Form``."""
        return b"".join([b"%s\r\n" % entry.name.encode("utf-8", "surrogateescape") for entry in entries])


NAMES = _Names("names")
"""The form of NLST without anything in front of the names."""


class DosForm(Form):
    """LIST's in the style of Windows; ``offset`` are seconds to add for local time."""

    __slots__ = ("_offset",)

    def __init__(self, offset: float = 0) -> None:
        super().__init__(("ms-dos", offset))
        self._offset = offset

    def lines(self, entries: Iterable[Entry]) -> bytes:
        """As in ``Form``."""
        return ms_dos_lines(entries, self._offset).encode("utf-8", "surrogateescape")


class _Templates(dict[tuple[int, str], bytes]):
    """
    What lines of MLSD have in common, by ``(st_mode, perm)``, with room for ``size``, ``modify``, ``unique`` and the name.

    A directory's has no size.
    """

    def __init__(self, form: FactsForm, owner: str) -> None:
        super().__init__()
        self._form, self._owner = form, owner

    def __missing__(self, key: tuple[int, str]) -> bytes:
        if len(self) >= _MOST:
            self.clear()
        mode, perm = key
        # Values that stand for themselves in no other fact: 2**40 is no mode, the times are those of 1970 and its identity is a word.
        sample = Entry("\0name", mode, 1 << 40, 0, 1, self._owner, self._owner, "\0unique", perm)
        line = self._form.lines([sample]).replace(b"%", b"%%")
        for value, place in ((b"size=1099511627776;", b"size=%d;"), (timeval(0).encode(), b"%s"), (b"\0unique", b"%x"), (b"\0name", b"%s")):
            line = line.replace(value, place, 1)
        self[key] = line
        return line


class FactsForm(Form):
    """
    MLSD's, with the facts that the client wants.

    ``templates`` and ``times`` are for those who have bare ``stat`` values by the thousand, if ``is_usual``: if size, modify and unique are wanted.

    :param goes: a table for ``str.translate`` that takes letters from the perm facts.
    :param owner: of objects shown by templates.
    """

    __slots__ = ("facts", "goes", "is_usual", "owner", "templates", "times")

    shows_rights = True

    def __init__(self, facts: frozenset[str], goes: Mapping[int, int | None] = _NOTHING, owner: str = "ftp") -> None:
        super().__init__(("facts", facts, frozenset(goes)))
        self.facts = facts
        self.goes = goes
        self.owner = owner
        self.is_usual = facts >= {"size", "modify", "unique"}
        self.templates = _Templates(self, owner)
        self.times = modify_facts

    def without(self, goes: Mapping[int, int | None]) -> FactsForm:
        """The same with these letters gone, too."""
        return FactsForm(self.facts, {**self.goes, **goes}, self.owner) if goes else self

    def lines(self, entries: Iterable[Entry]) -> bytes:
        """As in ``Form``; links that lead nowhere are left out."""
        if self.goes:
            entries = [self._lessened(entry) for entry in entries]
        return facts_lines(entries, self.facts).encode("utf-8", "surrogateescape")

    def _lessened(self, entry: Entry) -> Entry:
        seen = entry.resolved or entry
        return seen._replace(name=entry.name, perm=seen.perm.translate(self.goes))

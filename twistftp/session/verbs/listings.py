"""
What is in a directory: LIST NLST MLSD, and STAT with a path (RFC 959 §4.1.3, RFC 1123 §4.1.2.7, RFC 3659 §7).

Not here: how an entry becomes a line (``wire.entries``), how a directory is read (``storage.listing``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twistftp.session.driver import drive
from twistftp.session.lookup import find
from twistftp.session.pauses import Pauses
from twistftp.session.session import Session
from twistftp.session.transfer import send_over_data, settled
from twistftp.storage.failures import NotFound
from twistftp.storage.interfaces import IListing, ILongListing
from twistftp.storage.refusals import Denied
from twistftp.transport.interfaces import ISource
from twistftp.wire.arguments import OPTIONAL_PATHNAME
from twistftp.wire.commands import CommandGroup
from twistftp.wire.entries import Entry
from twistftp.wire.forms import DosForm, FactsForm, Form
from twistftp.wire.paths import decode_name, encode_name, glob_matcher, is_glob, join, resolve, strip_options
from twistftp.wire.replies import Reply, cleaned
from twistftp.wire.unix_form import UnixForm

__all__ = ["listings", "status_of"]

listings = CommandGroup("Listings")

_NO_FILES = Reply.of(450, "No files found.")
_NOT_A_DIRECTORY = "Not a directory"
_STATUS_LINES = 2000  # a reply is kept in memory: a larger directory is for LIST (PROTOCOL P-STAT-3, P-SEC-10)
_LONGEST = 8192  # octets of such a line

Render = Callable[[list[Entry]], bytes]


@listings.command("LIST", OPTIONAL_PATHNAME, is_transfer=True, rfc="959 §4.1.3", help="list a directory in the manner of ls -l")
async def list_(session: Session, text: str) -> Reply:
    """Options are tolerated, globs work in the last name (PROTOCOL P-LOPT-1, P-GLOB-1)."""
    shown, _, listing = await _select(session, text)
    return _NO_FILES if listing is None else await _send(session, "LIST", shown, listing, _source(listing, _long_form(session)))


@listings.command("NLST", OPTIONAL_PATHNAME, is_transfer=True, rfc="959 §4.1.3", help="list names alone")
async def name_list(session: Session, text: str) -> Reply:
    """Each name as RETR takes it from the working directory: with what the client typed in front (PROTOCOL P-LN-2)."""
    shown, prefix, listing = await _select(session, text)
    return _NO_FILES if listing is None else await _send(session, "NLST", shown, listing, _name_source(listing, prefix))


@listings.command("MLSD", OPTIONAL_PATHNAME, is_transfer=True, rfc="3659 §7", help="list a directory for programs to read")
async def machine_list(session: Session, text: str) -> Reply:
    """No options and no globs: ``-a`` is a name (PROTOCOL P-MLSD-1)."""
    path, entry = await find(session, text.rstrip("/") or text)
    if not entry.is_directory:
        return Reply.of(501, f"{cleaned(text)}: {_NOT_A_DIRECTORY}.")
    listing = await settled(session.store.listing(path))
    source = _source(listing, FactsForm(session.facts & session.store.facts))
    return await _send(session, "MLSD", join(path), listing, source)


async def status_of(session: Session, text: str) -> Reply:
    """STAT with a path: LIST's lines over the control connection; 212 for a directory, 213 for a file."""
    shown, _, listing = await _select(session, text)
    if listing is None:
        return _NO_FILES
    render, lines, pauses = _long_form(session).lines, [], Pauses(session.site)
    try:
        while batch := await settled(listing.next_batch()):
            lines += decode_name(render(batch)).split("\r\n")[:-1]
            if len(lines) > _STATUS_LINES:
                return Reply.of(451, f"More than {_STATUS_LINES} entries; use LIST.")
            await pauses.pause()
    finally:
        listing.close()
    code = 213 if isinstance(listing, _Fixed) and listing.is_single else 212
    return Reply.listing(code, f"Status of {cleaned(shown)}:", [cleaned(line, _LONGEST) for line in lines], "End of status.")


async def _select(session: Session, text: str) -> tuple[str, str, Any]:
    """
    What LIST, NLST and STAT are asked for: its path as text, the prefix of its names, and an ``IListing`` (``None``: a glob that nothing matches).

    :raises StorageError: it is missing or may not be listed.
    """
    if not text:
        return join(session.cwd), "", await settled(session.store.listing(session.cwd))
    try:
        path, entry = await find(session, text, follows=False)
    except (NotFound, Denied):  # who may not know of names here may still list what is left
        if text.startswith("-") and (rest := strip_options(text)) != text:
            return await _select(session, rest)
        directory, name = text.rpartition("/")[0::2]
        if not is_glob(name):
            raise
        within = resolve(session.cwd, directory or ("/" if text.startswith("/") else ""))
        matching = await _matching(session, await settled(session.store.listing(within)), name)
        return text, text[: len(text) - len(name)], matching
    if path != resolve(session.cwd, text):
        text = text.rstrip(" ")  # a blank at the end was forgiven: no name is made with it
    if entry.is_directory:
        return join(path), text if text.endswith("/") else f"{text}/", await settled(session.store.listing(path))
    prefix = text.rstrip(" /").rpartition("/")[0]
    return join(path), f"{prefix}/" if prefix or text.startswith("/") else "", _Fixed([entry], is_single=True)


async def _matching(session: Session, listing: Any, pattern: str) -> Any:
    """
    The entries whose names match: themselves, not what directories among them hold (PROTOCOL P-GLOB-2). ``None``: there are none.

    Read up to the first that does; the rest follows a batch at a time.
    """
    matching = _Matching(session.site, listing, glob_matcher(pattern))
    try:
        matching.found = await matching.search()
    except BaseException:
        listing.close()
        raise
    if matching.found:
        return matching
    listing.close()
    return None


@implementer(IListing)
class _Matching:
    """What a glob matches: ``found``, then what else ``listing`` has."""

    def __init__(self, site: Any, listing: Any, matches: Callable[[str], bool]) -> None:
        self.found: list[Entry] = []
        self._site = site
        self._listing = listing
        self._matches = matches

    def next_batch(self) -> Any:
        """The next of them."""
        found, self.found = self.found, []
        return found or drive(self.search())

    async def search(self) -> list[Entry]:
        """The next of those in ``listing``. There may be a million names of which none matches, so the other clients have their turn meanwhile."""
        pauses = Pauses(self._site)
        while batch := await settled(self._listing.next_batch()):
            if found := [entry for entry in batch if self._matches(entry.name)]:
                return found
            await pauses.pause()
        return []

    def close(self) -> None:
        """Let go of the directory."""
        self._listing.close()


@implementer(IListing)
class _Fixed:
    """Entries that are known already."""

    def __init__(self, entries: list[Entry], *, is_single: bool = False) -> None:
        self._entries = entries
        self.is_single = is_single

    def next_batch(self) -> list[Entry]:
        """All, then none."""
        entries, self._entries = self._entries, []
        return entries

    def close(self) -> None:
        """Nothing is held."""


@implementer(ISource)
class _ListingSource:
    """A listing as octets for the data connection, a batch at a time, so that memory does not grow with the directory."""

    def __init__(self, listing: Any, render: Render) -> None:
        self._listing = listing
        self._render = render

    def read(self) -> Any:
        """The next lines; a batch may hold only what is not shown."""
        while True:
            batch = self._listing.next_batch()
            if isinstance(batch, Deferred):
                return batch.addCallback(lambda entries: self._render(entries) or (self.read() if entries else b""))
            if (lines := self._render(batch)) or not batch:
                return lines


@implementer(ISource)
class _DirectSource:
    """The same for a listing that makes its lines itself."""

    def __init__(self, next_lines: Callable[[], Any]) -> None:
        self.read = next_lines


def _source(listing: Any, form: Form) -> _DirectSource | _ListingSource:
    """The lines of LIST or MLSD: made by the listing where it can."""
    if ILongListing.providedBy(listing):
        return _DirectSource(partial(listing.next_lines, form))
    return _ListingSource(listing, form.lines)


def _name_source(listing: Any, prefix: str) -> _DirectSource | _ListingSource:
    """NLST's lines: nothing but the names need be known."""
    if ILongListing.providedBy(listing):
        return _DirectSource(partial(listing.next_names, encode_name(prefix)))
    return _ListingSource(listing, partial(_names, prefix))


async def _send(session: Session, verb: str, shown: str, listing: Any, source: _DirectSource | _ListingSource) -> Reply:
    try:
        return await send_over_data(session, verb, shown, lambda connection: connection.send(source))
    finally:
        listing.close()


def _long_form(session: Session) -> Form:
    """LIST's form in this site, and its clock."""
    browse, site = session.site.settings.directory_browse, session.site
    now = site.now()
    offset = site.utc_offset(now) if browse.time == "local" else 0
    return UnixForm(now, offset) if browse.style == "unix" else DosForm(offset)


def _names(prefix: str, batch: list[Entry]) -> bytes:
    return encode_name("".join([f"{prefix}{entry.name}\r\n" for entry in batch]))

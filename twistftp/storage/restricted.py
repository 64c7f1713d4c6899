"""
A store behind the site's rules: each operation on a path is checked for this user before the store behind hears of it.

Not here: the rules (``policy.authorization``, ``policy.filtering``), which user has which (``session.access``).
This is the one place that all verbs go through. What is refused is refused whether or not it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from twistftp.policy.authorization import Decision, Permission, UserRules
from twistftp.policy.denials import Denial
from twistftp.policy.filtering import RequestFiltering
from twistftp.storage.failures import NotADirectory, NotFound, StorageError
from twistftp.storage.interfaces import IFileStore, IListing, ILongListing
from twistftp.storage.limited import LimitedUpload
from twistftp.storage.operations import CHANGES, Changing
from twistftp.storage.refusals import Denied, denied
from twistftp.storage.site_store import ISiteStore
from twistftp.wire.entries import Entry
from twistftp.wire.forms import FactsForm, Form
from twistftp.wire.paths import Path

__all__ = ["RestrictedStore", "views_of"]

_NOWHERE = (NotFound, NotADirectory)  # for these alone a place is not asked for: where something may be, it must be known

READ, WRITE = Permission.READ, Permission.WRITE

# The letters of the perm fact (RFC 3659 §7.5.5) that say what may be done to an object, and those of reading a file or listing a directory.
_WRITING = str.maketrans("", "", "acdfmpw")
_READING = str.maketrans("", "", "rl")
_CONTENT = str.maketrans("", "", "raw")


def views_of(path: Path, place: Callable[[Sequence[str]], Path], *, is_changed: bool = False) -> tuple[Path, ...]:
    """
    The path as the client named it and, where that differs, as it is without links.

    :param place: as in ``ISiteStore``; what it fails with, but that nothing is there, goes on to the caller.
    :param is_changed: also the path of a link itself, which a change may be about. So, too, where nothing is there yet.
    """
    views = [path]
    if path:
        try:
            views.append(place(path))
        except _NOWHERE:
            is_changed = True
        if is_changed:
            try:
                views.append((*place(path[:-1]), path[-1]))
            except _NOWHERE:  # nothing there either, so nothing can be done
                pass
    return tuple(dict.fromkeys(views))


@implementer(IFileStore)
class RestrictedStore(Changing):
    """
    An ``IFileStore`` that shows of ``store`` what ``rules`` and ``filtering`` leave to one user.

    Symbolic links do not lead around a rule: where the store can tell where an object really is (``ISiteStore``), that place must be
    allowed, too.
    """

    def __init__(self, store: Any, rules: UserRules, filtering: RequestFiltering) -> None:
        self._store = store
        self._rules = rules
        self._filtering = filtering
        self.restartable: bool = store.restartable
        self.facts: frozenset[str] = store.facts
        places_matter = rules.have_paths or filtering.filters_paths
        self._place: Callable[[Sequence[str]], Path] | None = store.place if places_matter and ISiteStore.providedBy(store) else None
        self.writable: bool = getattr(store, "writable", False) and rules.may_anywhere(WRITE)
        self._can_what_these_can((store,))
        # Where all may be read and rules have no paths, the same letters go from every entry's perm fact.
        self.always_goes: dict[int, int | None] | None = None
        if rules.reads_everything and not rules.have_paths and not filtering.denied_extensions:
            self.always_goes = {} if rules.may(WRITE, ()) else _WRITING

    def status(self, path: Sequence[str]) -> Entry | Deferred[Entry]:
        """As in ``IFileStore``. Of what may not be read, directories that may be written or passed are shown."""
        views = self._views(tuple(path))
        reading = self._decide(READ, views)
        if not reading.is_allowed and not self._sees(views):
            raise denied(reading.denial)

        def shown(entry: Entry) -> Entry:
            if not entry.is_directory:
                trouble = self._of_file(views) or (None if reading.is_allowed else reading.denial)
                if trouble is not None:
                    raise denied(trouble)
            return self._with_rights(entry, views)

        if reading.is_allowed:
            return _then(self._store.status(path), shown)
        try:
            found = self._store.status(path)
        except (NotFound, NotADirectory):
            raise denied(reading.denial) from None
        if isinstance(found, Deferred):
            found.addErrback(partial(_instead, denied(reading.denial)))
        return _then(found, shown)

    def listing(self, path: Sequence[str]) -> Any:
        """As in ``IFileStore``: without what the user may not know of."""
        views = self._views(tuple(path))
        reading = self._decide(READ, views)
        if not reading.is_allowed and not all(self._rules.leads_on(view) for view in views):
            raise denied(reading.denial)
        is_whole = reading.is_allowed and not self._rules.have_paths and not self._filtering.hides_names

        def shown(listing: Any) -> Any:
            is_direct = is_whole and ILongListing.providedBy(listing)
            return (_WholeListing if is_direct else _RestrictedListing)(listing, self, views)

        return _then(self._store.listing(path), shown)

    def open_file(self, path: Sequence[str]) -> Any:
        """As in ``IFileStore``."""
        views = self._views(tuple(path))
        trouble = self._refusal(READ, views) or self._of_file(views)
        if trouble is not None:
            raise denied(trouble)
        return self._store.open_file(path)

    def read_upload(self, path: Sequence[str]) -> Any:
        """As in ``IFileStore``: as :meth:`open_file`."""
        views = self._views(tuple(path))
        trouble = self._refusal(READ, views) or self._of_file(views)
        if trouble is not None:
            raise denied(trouble)
        return self._store.read_upload(path)

    def free_space(self, path: Sequence[str]) -> Any:
        """As in ``IFileStore``: of what may be known of."""
        views = self._views(tuple(path))
        if not self._sees(views):
            raise denied(self._decide(READ, views).denial)
        return self._store.free_space(path)

    def _change(self, name: str, paths: tuple[Sequence[str], ...], *arguments: Any, **options: Any) -> Any:
        change = CHANGES[name]
        for number, names in enumerate(paths):
            path = tuple(names)
            is_new = number == change.new
            views = self._views(path, is_new=is_new, is_changed=True)
            if trouble := self._refusal(WRITE, views) or (self._of_file(views) if change.of_file else None):
                raise denied(trouble, is_new=is_new)
        if change.paths == 2 and (trouble := self._rules.of_move(tuple(paths[0]), tuple(paths[1]))):
            raise denied(trouble)
        result = getattr(self._store, name)(*paths, *arguments, **options)
        if change.is_upload and self._filtering.max_content_length:
            return _then(result, lambda upload: LimitedUpload(upload, self._filtering))
        return result

    # -- decisions -----------------------------------------------------------------------------------------------------------------------

    def _views(self, path: Path, *, is_new: bool = False, is_changed: bool = False) -> tuple[Path, ...]:
        """
        Under which paths the rules look at an object; see :func:`views_of`.

        :raises Denied: a filter refuses one of them.
        """
        views = (path,) if self._place is None else views_of(path, self._place, is_changed=is_changed)
        if self._filtering.filters_paths:
            for view in views:
                if trouble := self._filtering.of_path(view):
                    raise denied(trouble, is_new=is_new)
        return views

    def _decide(self, permission: Permission, views: tuple[Path, ...]) -> Decision:
        """The first decision that is a no, else the one on the path itself."""
        if len(views) == 1:
            return self._rules.decide(permission, views[0])
        decisions = [self._rules.decide(permission, view) for view in views]
        return next((one for one in decisions if not one.is_allowed), decisions[0])

    def _refusal(self, permission: Permission, views: tuple[Path, ...]) -> Denial | None:
        decision = self._decide(permission, views)
        return None if decision.is_allowed else decision.denial

    def _sees(self, views: tuple[Path, ...]) -> bool:
        return all(self._rules.sees(view) for view in views)

    def _of_file(self, views: tuple[Path, ...]) -> Denial | None:
        return next((trouble for view in views if view and (trouble := self._filtering.of_file(view[-1]))), None)

    def shown(self, directory: tuple[Path, ...], entry: Entry) -> Entry | None:
        """An entry of a listing as this user sees it, ``None`` if it is left out. ``directory``: as :func:`views_of` has it."""
        views = tuple([(*view, entry.name) for view in directory])
        if self.always_goes is not None and not self._filtering.hides_names:
            return self._with_rights(entry, views) if entry.perm or entry.resolved else entry
        if self._filtering.hides(entry.name):
            return None
        if entry.is_link and self._place is not None:
            try:
                views = (*views, self._place(views[0]))
            except _NOWHERE:
                pass
            except StorageError:  # where it leads cannot be known
                return None
            if any(map(self._filtering.hides, views[-1])):
                return None
        return self._with_rights(entry, views) if self._sees(views) else None

    def _with_rights(self, entry: Entry, views: tuple[Path, ...]) -> Entry:
        """The entry with those letters of its perm fact, and its target's, that the rules leave."""
        if self.always_goes is not None and entry.resolved is None:
            perm = entry.perm.translate(self.always_goes)
            return entry if perm == entry.perm else entry._replace(perm=perm)
        if entry.resolved is not None:
            entry = entry._replace(resolved=self._with_rights(entry.resolved, views))
        perm = entry.perm
        if not all(self._rules.may(WRITE, view) for view in views):
            perm = perm.translate(_WRITING)
        if not all(self._rules.may(READ, view) or (entry.is_directory and self._rules.leads_on(view)) for view in views):
            perm = perm.translate(_READING)
        if not entry.is_directory and self._of_file(views) is not None:
            perm = perm.translate(_CONTENT)
        return entry if perm == entry.perm else entry._replace(perm=perm)


@implementer(IListing)
class _RestrictedListing:
    """What a user sees of a listing."""

    __slots__ = ("_directory", "_listing", "_store")

    def __init__(self, listing: Any, store: RestrictedStore, directory: tuple[Path, ...]) -> None:
        self._listing = listing
        self._store = store
        self._directory = directory

    def next_batch(self) -> list[Entry] | Deferred[list[Entry]]:
        """As in ``IListing``; only at the end empty."""
        while True:
            batch = self._listing.next_batch()
            if isinstance(batch, Deferred):
                return batch.addCallback(lambda entries: self._shown(entries) or (self.next_batch() if entries else []))
            if (shown := self._shown(batch)) or not batch:
                return shown

    def _shown(self, batch: list[Entry]) -> list[Entry]:
        return [entry for found in batch if (entry := self._store.shown(self._directory, found)) is not None]

    def close(self) -> None:
        """As in ``IListing``."""
        self._listing.close()


@implementer(ILongListing)
class _WholeListing(_RestrictedListing):
    """A listing of which only the perm facts differ, so that lines can come as they are, or with letters that always go."""

    __slots__ = ("_form", "next_names")

    def __init__(self, listing: Any, store: RestrictedStore, directory: tuple[Path, ...]) -> None:
        super().__init__(listing, store, directory)
        self.next_names = listing.next_names
        self._form: Form | None = None

    def next_lines(self, form: Form) -> bytes | Deferred[bytes]:
        """As in ``ILongListing``."""
        if not isinstance(form, FactsForm):
            return self._listing.next_lines(form)  # type: ignore[no-any-return]
        always_goes = self._store.always_goes
        if always_goes is not None:
            if self._form is None:
                self._form = form.without(always_goes)
            return self._listing.next_lines(self._form)  # type: ignore[no-any-return]
        while True:
            batch = self.next_batch()
            if isinstance(batch, Deferred):
                return batch.addCallback(lambda entries: form.lines(entries) or (self.next_lines(form) if entries else b""))
            if (lines := form.lines(batch)) or not batch:
                return lines


def _instead(error: Denied, failure: Failure) -> NoReturn:
    """Of what may not be read, not even the absence is told."""
    failure.trap(NotFound, NotADirectory)
    raise error


def _then(result: Any, function: Callable[[Any], Any]) -> Any:
    """Apply ``function`` to a result, now or when it has come."""
    return result.addCallback(function) if isinstance(result, Deferred) else function(result)

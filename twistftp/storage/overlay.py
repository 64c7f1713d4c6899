"""
Virtual directories: several stores as one tree, each below a path of its own, each staying in its own root.

Not here: which there are (``policy.isolation``), and who may use them (``restricted``).
A virtual directory is listed in its parent like any other; a real object of the same name is hidden by it. Parents that are nowhere real
are there as well.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.protocols.ftp import IFTPShell, PermissionDeniedError
from zope.interface import implementer

from twistftp.policy.denials import Denial, Reason
from twistftp.policy.isolation import Account
from twistftp.storage.confinement import octets_of
from twistftp.storage.failures import NotADirectory, NotFound, ObjectExists, StorageError
from twistftp.storage.filesystem import FilesystemShell
from twistftp.storage.interfaces import IListing
from twistftp.storage.operations import Changing
from twistftp.storage.refusals import denied
from twistftp.storage.site_store import ISiteStore
from twistftp.wire.entries import Entry
from twistftp.wire.paths import Path, join

__all__ = ["OverlayShell"]


def _by_first_path(name: str) -> Callable[..., Any]:
    """A method that the shell at the path carries out."""

    def method(self: OverlayShell, path: Sequence[str], *arguments: Any) -> Any:
        shell, rest, _ = self._route(tuple(path))
        return getattr(shell, name)(rest, *arguments)

    return method


@implementer(IFTPShell, ISiteStore)
class OverlayShell(Changing):
    """
    One user's view of ``base`` with ``mounts`` in it.

    :param mounts: shells by the paths at which they are found; none at the root itself.
    """

    restartable = True
    facts = FilesystemShell.facts

    def __init__(self, base: FilesystemShell, mounts: Mapping[Path, FilesystemShell], account: Account | None = None) -> None:
        self._base = base
        self._mounts = dict(mounts)
        # The directories above mounts, each with the names in it that lead to one.
        self._above: dict[Path, set[str]] = {}
        for path in mounts:
            for depth, name in enumerate(path):
                self._above.setdefault(path[:depth], set()).add(name)
        self.account = account
        shells: list[Any] = [base, *mounts.values()]
        self.writable = all(getattr(shell, "writable", False) for shell in shells)
        self._can_what_these_can(shells)

    def as_writable(self, writable: bool) -> OverlayShell:
        """As in ``ISiteStore``."""
        if self.writable == writable:
            return self
        mounts = {path: shell.as_writable(writable) for path, shell in self._mounts.items()}
        return OverlayShell(self._base.as_writable(writable), mounts, self.account)

    def status(self, path: Sequence[str]) -> Entry:
        """As in ``IFileStore``."""
        path = tuple(path)
        shell, rest, _ = self._route(path)
        if path not in self._above or not path:
            entry = self._ask(path, shell.status, rest)
            return entry if rest or not path else entry._replace(name=path[-1])
        try:
            entry = shell.status(rest)
        except (NotFound, NotADirectory):
            return self._imagined(path)
        return entry._replace(name=path[-1]) if entry.is_directory else self._imagined(path)

    def listing(self, path: Sequence[str]) -> Any:
        """As in ``IFileStore``."""
        path = tuple(path)
        shell, rest, _ = self._route(path)
        names = self._above.get(path)
        if names is None:
            return shell.listing(rest)
        try:
            listing: Any = shell.listing(rest)
        except (NotFound, NotADirectory):
            listing = None  # the parent of a virtual directory is there, even if nothing else is in it
        return _MergedListing(listing, names, (*self._entries(path, names),))

    def open_file(self, path: Sequence[str]) -> Any:
        """As in ``IFileStore``."""
        shell, rest, _ = self._route(tuple(path))
        return shell.open_file(rest)

    read_upload = _by_first_path("read_upload")
    free_space = _by_first_path("free_space")

    def place(self, path: Sequence[str]) -> Path:
        """As in ``ISiteStore``: below the virtual directory."""
        path = tuple(path)
        shell, rest, mount = self._route(path)
        try:
            return mount + self._ask(path, shell.place, rest)
        except StorageError:
            if path in self._above:
                return path
            raise

    def _change(self, name: str, paths: tuple[Sequence[str], ...], *arguments: Any, **options: Any) -> Any:
        routes = []
        for path in map(tuple, paths):
            if path in self._mounts or path in self._above:
                raise ObjectExists if name == "make_directory" else denied(Denial(Reason.VIRTUAL_DIRECTORY, join(path)))
            routes.append(self._route(path))
        if len({mount for _, _, mount in routes}) > 1:
            raise denied(Denial(Reason.ACROSS, join(routes[1][2])))
        return getattr(routes[0][0], name)(*(rest for _, rest, _ in routes), *arguments, **options)

    def _route(self, path: Path) -> tuple[FilesystemShell, Path, Path]:
        """The shell for ``path``, the path in it, and the path of the shell itself: the deepest that fits."""
        for depth in range(len(path), 0, -1):
            shell = self._mounts.get(path[:depth])
            if shell is not None:
                return shell, path[depth:], path[:depth]
        return self._base, path, ()

    def _ask(self, path: Path, function: Callable[[Path], Any], rest: Path) -> Any:
        """Call ``function``. A real file where the parent of a virtual directory is, is not there."""
        try:
            return function(rest)
        except NotADirectory:
            if path[:-1] in self._above:
                raise NotFound from None
            raise

    def _imagined(self, path: Path) -> Entry:
        """A directory that is nowhere but above a virtual one, from which it has all but its name and identity."""
        below = min(mount for mount in self._mounts if mount[: len(path)] == path)
        return self._mounts[below].status(())._replace(name=path[-1], unique="")

    def _entries(self, path: Path, names: Iterable[str]) -> Iterable[Entry]:
        for name in names:
            try:
                yield self.status((*path, name))
            except StorageError:  # its root went away: nothing to list
                continue

    # IFTPShell, for Twisted's own server and other people's code; these ask the methods above.
    access = FilesystemShell.access
    stat = FilesystemShell.stat
    list = FilesystemShell.list

    openForReading = _by_first_path("openForReading")
    openForWriting = _by_first_path("openForWriting")
    makeDirectory = _by_first_path("makeDirectory")
    removeDirectory = _by_first_path("removeDirectory")
    removeFile = _by_first_path("removeFile")

    def rename(self, fromPath: Sequence[str], toPath: Sequence[str]) -> Any:
        """Within one of the directories."""
        shell, rest, mount = self._route(tuple(fromPath))
        other, target, _ = self._route(tuple(toPath))
        return shell.rename(rest, target) if shell is other else fail(PermissionDeniedError(join(mount)))


@implementer(IListing)
class _MergedListing:
    """
    A listing, or none, with the entries of virtual directories in their places; real ones of the same names are left out.

    :param names: of the virtual directories, also of those that cannot be shown just now.
    """

    def __init__(self, listing: Any, names: Collection[str], entries: Iterable[Entry]) -> None:
        self._listing = listing
        self._names = names
        self._waiting = sorted(entries, key=_order)

    def next_batch(self) -> list[Entry] | Deferred[list[Entry]]:
        """As in ``IListing``; only at the end empty."""
        while True:
            batch = self._listing.next_batch() if self._listing is not None else []
            if isinstance(batch, Deferred):
                return batch.addCallback(lambda entries: self._merged(entries) or (self.next_batch() if entries else []))
            if (merged := self._merged(batch)) or not batch:
                return merged

    def _merged(self, batch: list[Entry]) -> list[Entry]:
        """The batch with those that come before its end; at the end of all, those that are left."""
        count = bisect_right(self._waiting, _order(batch[-1]), key=_order) if batch else len(self._waiting)
        now, self._waiting = self._waiting[:count], self._waiting[count:]
        real = [entry for entry in batch if entry.name not in self._names]
        return sorted([*real, *now], key=_order) if now else real

    def close(self) -> None:
        """As in ``IListing``."""
        if self._listing is not None:
            self._listing.close()


def _order(entry: Entry) -> bytes:
    return octets_of(entry.name)

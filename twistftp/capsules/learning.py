"""
A store in front of a session's own that notes what it says of the tree, so that a replay has the same.

Not here: what is done with it (``tree``). What a session was never told of cannot matter to its replay.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure
from zope.interface import implementer

from twistftp.capsules.data import KEPT
from twistftp.capsules.format import packed
from twistftp.capsules.recording import CapsuleFile
from twistftp.storage import failures, refusals
from twistftp.storage.interfaces import IFileStore, IListing, IOpenFile, IUpload
from twistftp.wire.entries import Entry
from twistftp.wire.paths import Path, join

__all__ = ["LearningStore", "Learnt", "plain_entry"]

# What a tree says by itself, because there is or is not something at a place; it need not be noted.
_NATURAL = (
    *(failures.NotFound, failures.NotADirectory, failures.IsADirectory, failures.ObjectExists),
    *(failures.DirectoryNotEmpty, failures.Occupied),
)
_FIELDS = ("mode", "size", "modified", "links", "owner", "group", "unique", "perm", "target")
_DEFAULTS = Entry("", 0, 0, 0.0)
_ENTRIES = 4096  # of a session that are remembered, so that they are not noted twice


def plain_entry(entry: Entry) -> dict[str, Any]:
    """An entry as a capsule holds it: without its name, and without what is as ever."""
    plain = {name: value for name in _FIELDS if (value := getattr(entry, name)) != getattr(_DEFAULTS, name)}
    if entry.resolved is not None:
        plain["resolved"] = {"name": entry.resolved.name, **plain_entry(entry.resolved)}
    return plain


def _plain_failure(error: failures.StorageError) -> dict[str, Any]:
    known = next(kind for kind in type(error).__mro__ if kind.__module__ in (failures.__name__, refusals.__name__))
    said: dict[str, Any] = {"as": known.__name__}
    if isinstance(error, refusals.Denied):
        return said | {"reason": error.denial.reason.name}
    return said | ({"text": str(error)} if str(error) else {})


def _then(value: Any, told: Callable[[Any], Any]) -> Any:
    """What ``told`` makes of a value that may be deferred."""
    return value.addCallback(told) if isinstance(value, Deferred) else told(value)


class Learnt:
    """What a session's capsule holds of the tree so far: entries, how much of each file, and which paths the session itself has changed."""

    def __init__(self) -> None:
        self.entries: dict[Path, dict[str, Any]] = {}
        self.contents: dict[Path, set[tuple[int, int]]] = {}
        self.touched: set[Path] = set()

    def is_touched(self, path: Path) -> bool:
        """Whether the session has changed an object or something above it."""
        return any(path[:length] in self.touched for length in range(1, len(path) + 1))


@implementer(IFileStore)
class LearningStore:
    """A session's store as it sees it: behind the site's rules. ``learnt`` is common to all stores of one session."""

    def __init__(self, store: Any, capsule: CapsuleFile, learnt: Learnt) -> None:
        self._store, self._capsule, self._learnt = store, capsule, learnt
        self._note = capsule.note

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def learn(self, path: Path, entry: Entry) -> None:
        """There is such an object."""
        if self._capsule.is_over:
            return
        plain = plain_entry(entry)
        entries = self._learnt.entries
        if entries.get(path) != plain:
            if len(entries) >= _ENTRIES:
                entries.clear()  # what is noted once more does no harm
            entries[path] = plain
            self._note({"tree": join(path), **self._later(path), **plain})

    def learn_content(self, path: Path, offset: int, data: bytes) -> None:
        """A file holds this. Of those that the session has changed a replay knows it."""
        if self._capsule.is_over or not data or offset >= KEPT:
            return
        piece, known = (offset, len(data)), self._learnt.contents.setdefault(path, set())
        if piece not in known and not self._learnt.is_touched(path):
            known.add(piece)
            self._note({"tree": join(path), "at": offset, **packed(data[: KEPT - offset])})

    def _later(self, path: Path) -> dict[str, bool]:
        return {"later": True} if self._learnt.is_touched(path) else {}

    def _knowing(self, paths: tuple[Path, ...], then: Callable[[], Any]) -> Any:
        """What ``then`` gives, after the objects have been looked at that it is about: it may change them, or say less of them than there is."""
        waiting: list[Deferred[Any]] = []
        for path in () if self._capsule.is_over else paths:
            if path in self._learnt.entries:
                continue
            try:
                entry = self._store.status(path)
            except failures.StorageError:
                continue  # not there, or not to be seen
            if isinstance(entry, Deferred):
                waiting.append(entry.addCallbacks(partial(self.learn, path), lambda failure: failure.trap(failures.StorageError)))
            else:
                self.learn(path, entry)
        return DeferredList(waiting).addCallback(lambda _: then()) if waiting else then()

    def _changing(self, operation: str, paths: tuple[Path, ...], method: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """A change of the tree at ``paths``."""

        def done(result: Any) -> Any:
            self.touch(*paths)
            return result

        above = tuple(path[:-1] for path in paths)
        return self._knowing((*above, *paths), lambda: _then(self.asked(operation, paths[0], method, *arguments, **keywords), done))

    def touch(self, *paths: Path) -> None:
        """The session has changed these."""
        if not self._capsule.is_over:
            self._learnt.touched.update(paths)

    def asked(self, operation: str, path: Path, method: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """What ``method`` gives; a failure that the tree alone does not explain is noted."""
        try:
            result = method(*arguments, **keywords)
        except failures.StorageError as error:
            self.refused(operation, path, error)
            raise
        if isinstance(result, Deferred):
            result.addErrback(self._deferred_refusal, operation, path)
        return result

    def _deferred_refusal(self, failure: Failure, operation: str, path: Path) -> Failure:
        if isinstance(failure.value, failures.StorageError):
            self.refused(operation, path, failure.value)
        return failure

    def refused(self, operation: str, path: Path, error: failures.StorageError) -> None:
        """An operation has failed."""
        if type(error) not in _NATURAL:
            self._note({"refuses": operation, "path": join(path), **_plain_failure(error)})

    # IFileStore

    def status(self, path: Any) -> Any:
        """As the store behind."""

        def told(entry: Entry) -> Entry:
            self.learn(tuple(path), entry)
            return entry

        return _then(self.asked("status", tuple(path), self._store.status, path), told)

    def listing(self, path: Any) -> Any:
        """As the store behind."""
        path = tuple(path)
        opened = lambda: self.asked("listing", path, self._store.listing, path)
        return _then(self._knowing((path,), opened), lambda listing: _Listing(self, path, listing))

    def open_file(self, path: Any) -> Any:
        """As the store behind."""
        path = tuple(path)
        opened = lambda: self.asked("open_file", path, self._store.open_file, path)
        return _then(self._knowing((path,), opened), lambda file: _File(self, path, file))

    def read_upload(self, path: Any) -> Any:
        """As the store behind: what another session is uploading is for this one a file as others are."""
        path = tuple(path)
        part = self._store.read_upload(path)
        return None if part is None else _File(self, path, part)

    def open_upload(self, path: Any, **how: Any) -> Any:
        """As the store behind."""
        return self._uploading("open_upload", tuple(path), self._store.open_upload, how)

    def open_unique(self, path: Any, **how: Any) -> Any:
        """As the store behind."""
        return self._uploading("open_unique", tuple(path), self._store.open_unique, how)

    def _uploading(self, operation: str, path: Path, method: Callable[..., Any], how: dict[str, Any]) -> Any:
        opened = lambda: self.asked(operation, path, method, path, **how)
        return _then(self._knowing((path[:-1], path), opened), lambda upload: _Upload(self, path, upload))

    def make_directory(self, path: Any) -> Any:
        """As the store behind."""
        return self._changing("make_directory", (tuple(path),), self._store.make_directory, path)

    def remove_directory(self, path: Any) -> Any:
        """As the store behind."""
        return self._changing("remove_directory", (tuple(path),), self._store.remove_directory, path)

    def remove_file(self, path: Any) -> Any:
        """As the store behind."""
        return self._changing("remove_file", (tuple(path),), self._store.remove_file, path)

    def move(self, path: Any, to: Any, *, replace: bool) -> Any:
        """As the store behind."""
        return self._changing("move", (tuple(path), tuple(to)), self._store.move, path, to, replace=replace)

    def set_modified(self, path: Any, seconds: float) -> Any:
        """As the store behind."""
        return self._changing("set_modified", (tuple(path),), self._store.set_modified, path, seconds)

    def set_mode(self, path: Any, mode: int) -> Any:
        """As the store behind."""
        return self._changing("set_mode", (tuple(path),), self._store.set_mode, path, mode)

    def free_space(self, path: Any) -> Any:
        """As the store behind."""

        def told(octets: int | None) -> int | None:
            self._note({"free": octets, "path": join(tuple(path))})
            return octets

        return _then(self.asked("free_space", tuple(path), self._store.free_space, path), told)


class _Behind:
    """Something of a store, in front of the real one."""

    def __init__(self, store: LearningStore, path: Path, real: Any) -> None:
        self._store, self._path, self._real = store, path, real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def close(self) -> None:
        """As the real one."""
        self._real.close()


@implementer(IListing)
class _Listing(_Behind):
    """A directory whose entries are noted. It makes no lines by itself (``ILongListing``): the entries are what is wanted."""

    def next_batch(self) -> Any:
        return _then(self._store.asked("next_batch", self._path, self._real.next_batch), self._took)

    def _took(self, batch: list[Entry]) -> list[Entry]:
        for entry in batch:
            self._store.learn((*self._path, entry.name), entry)
        return batch


@implementer(IOpenFile)
class _File(_Behind):
    """A file whose content is noted as it is read: by this way alone, so it has no descriptor."""

    descriptor = None

    def read_at(self, offset: int, count: int) -> Any:
        return _then(self._store.asked("read_at", self._path, self._real.read_at, offset, count), lambda data: self._took(offset, data))

    def _took(self, offset: int, data: bytes) -> bytes:
        self._store.learn_content(self._path, offset, data)
        return data


@implementer(IUpload)
class _Upload(_Behind):
    """An upload whose failures are noted."""

    takes_pipes = False

    def write(self, data: bytes) -> Any:
        self._store.touch(self._path)
        return self._store.asked("write", self._path, self._real.write, data)

    def finish(self) -> Any:
        self._store.touch(self._path)
        return self._store.asked("finish", self._path, self._real.finish)

    def abandon(self) -> Any:
        return self._real.abandon()

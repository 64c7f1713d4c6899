"""
Which files a user of a site sees: the content root or a home, with the virtual directories, kept below each.

Not here: which home is whose (``policy.isolation``), rights (``storage.restricted``), who the user is (``accounts.realm``).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NoReturn
from weakref import WeakValueDictionary

from attrs import frozen

from twistftp.policy.denials import Denial, Reason
from twistftp.policy.isolation import Account, Home, UserIsolation, VirtualDirectory
from twistftp.storage.confinement import Confinement, octets_of, text_of
from twistftp.storage.failures import NotADirectory, NotFound, StorageError
from twistftp.storage.filesystem import FilesystemShell
from twistftp.storage.overlay import OverlayShell
from twistftp.storage.refusals import HomeRefused
from twistftp.wire.paths import Path

__all__ = ["Found", "Homes"]

_EVERYBODY, _ANONYMOUS = UserIsolation(), Account()


@frozen
class Found:
    """A user's view: below which directory of the host (``folder``) it is confined, and where it starts."""

    confinement: Confinement
    folder: str
    start: Path = ()


class Homes:
    """
    The homes and virtual directories of one site.

    :param confinement: the content root.
    :param syncs: whether an upload that ends waits for the disk.
    :raises OSError: the root of a virtual directory is missing.
    """

    def __init__(
        self, confinement: Confinement, isolation: UserIsolation = _EVERYBODY, virtual: Iterable[VirtualDirectory] = (), syncs: bool = False
    ) -> None:
        self._root = confinement
        self._syncs = syncs
        self._isolation = isolation
        self._mounts = {one.names: Confinement(one.root) for one in virtual}
        self._open: WeakValueDictionary[str, Confinement] = WeakValueDictionary()  # homes of those who are here

    def shell(self, user: str | None) -> FilesystemShell | OverlayShell:
        """
        The avatar of a user; ``None`` is the anonymous one, which may write only if the site's rules say so and ask for that.

        :raises HomeRefused: the user has no home, or none that can be used.
        """
        found = self.find(user)
        account = _ANONYMOUS if user is None and not found.start else Account(user, found.start)
        shell = FilesystemShell(found.confinement, account=account, writable=user is not None, syncs=self._syncs)
        if not self._mounts:
            return shell
        return self._overlay(shell, account)

    def _overlay(self, base: FilesystemShell, account: Account | None = None) -> OverlayShell:
        mounts = {path: FilesystemShell(one, writable=base.writable, syncs=self._syncs) for path, one in self._mounts.items()}
        return OverlayShell(base, mounts, account)

    def find(self, user: str | None) -> Found:
        """Where a user's files are. :raises HomeRefused: as :meth:`shell`."""
        home = self._isolation.home_of(user)
        if home is None:
            return Found(self._root, os.fsdecode(self._root.real_root))
        if isinstance(home, Denial):
            raise HomeRefused(home)
        if self._isolation.mode == "isolate":
            folder = self._folder(home)
            return Found(self._confinement(folder), folder)
        self._start_is_there(home)
        return Found(self._root, os.fsdecode(self._root.real_root), home.names + home.below)

    def _start_is_there(self, home: Home) -> None:
        """Users who see the whole site start in their directory, which may be a virtual one, or below one."""
        start = home.names + home.below
        shown = os.path.join(os.fsdecode(self._root.real_root), *start)
        try:
            self._overlay(FilesystemShell(self._root)).listing(start).close()
        except StorageError as error:
            _refuse(error, shown)

    def _folder(self, home: Home) -> str:
        """The real path of an isolated user's home, found without a link that the user could have made."""
        shown = os.path.join(home.base or os.fsdecode(self._root.real_root), *home.names, *home.below)
        try:
            base = Confinement(home.base) if home.base else self._root
            own = base.place(home.names)
            if base.place((*map(text_of, own), *home.below)) != own + tuple(map(octets_of, home.below)):
                raise HomeRefused(Denial(Reason.HOME_LEADS_AWAY, shown))
            base.directory((*home.names, *home.below), readable=True).close()
            return os.fsdecode(os.path.join(base.real_root, *own, *map(octets_of, home.below)))
        except HomeRefused:
            raise
        except OSError:
            raise HomeRefused(Denial(Reason.HOME_MISSING, shown)) from None
        except StorageError as error:
            _refuse(error, shown)

    def _confinement(self, folder: str) -> Confinement:
        """The confinement in a home, shared by the sessions of its user and closed behind the last."""
        known = self._open.get(folder)
        try:
            if known is not None and os.path.samestat(known.status(()), os.stat(folder)):
                return known
            confinement = self._open[folder] = Confinement(folder)
        except (OSError, StorageError):  # it was moved or removed this moment
            raise HomeRefused(Denial(Reason.HOME_MISSING, folder)) from None
        return confinement


def _refuse(error: StorageError, shown: str) -> NoReturn:
    missing = isinstance(error, (NotFound, NotADirectory))
    raise HomeRefused(Denial(Reason.HOME_MISSING if missing else Reason.HOME_INACCESSIBLE, shown)) from None

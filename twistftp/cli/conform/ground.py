"""
The files that checks look at: found on the server, or made there in a directory of our own, which is removed in the end.

Not here: checks. Nothing that was not made here is ever changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from twistftp.cli.conform.row import Broken, NotTried
from twistftp.cli.doctor.files import directories, files

if TYPE_CHECKING:
    from twistftp.cli.conform.client import Client
    from twistftp.cli.conform.visit import Visit

__all__ = ["Directory", "Ground", "Sample", "TEXT"]

TEXT = b"alpha\nbeta\n\ngamma\n"
"""A text file as it lies on a Unix server: what TYPE A must send with CR LF."""
_PATTERN = bytes(range(256)) * 12
_OWN = "twistftp-conform"
_ITSELF = {"", ".", ".."}
_SMALL = range(2, 1 << 20)
_DEEPEST = 3


@frozen
class Sample:
    """A file: its name from where sessions begin, and its size in octets."""

    name: str
    size: int


@frozen
class Directory:
    """A directory: its name from where sessions begin, and the name of a file in it."""

    name: str
    file: str


class Ground:
    """``path`` is where sessions go after the login, one CWD after the other."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self.path: list[str] = [visit.target.path] if visit.target.path else []
        self.trouble = ""
        """Why there is no directory of our own."""
        self.is_ours = False
        """Whether there is a directory of our own, in which files can be made."""
        self._own = ""
        self._place: tuple[str, ...] = ()
        self._sample: Sample | None = None
        self._directory: Directory | None = None
        self._is_searched = False

    def make(self) -> None:
        """The directory of our own and what is in it; where that fails, ``trouble`` says why. What the server answers has checks of its own."""
        client = self._visit.session(fresh=True)
        for number in range(1, 10):
            name = _OWN if number == 1 else f"{_OWN}-{number}"
            said = client.ask(f"MKD {name}")
            if said.code == 257:
                break
        else:
            self.trouble = f"no directory can be made: {said}"
            return
        self._own = name
        client.settle(f"CWD {name}", "2xx")
        if self._names(client) - _ITSELF:
            # The reply to MKD or to CWD was not true, and what is here is somebody's.
            self._own, self.trouble = "", f"the directory {name} is not empty, though MKD has just made it"
            return
        self._place = client.ask("PWD").lines
        client.settle("TYPE I", "200")
        stored = client.store("STOR data.bin", _PATTERN)
        if stored.begun.code >= 400:
            self.trouble = f"no file can be stored: {stored.begun}"
            return
        self.path.append(name)
        self.is_ours = True
        client.stored("STOR text.txt", TEXT)
        client.settle("MKD sub", "257")
        client.stored("STOR sub/inner.txt", TEXT)
        self._sample, self._directory, self._is_searched = Sample("data.bin", len(_PATTERN)), Directory("sub", "inner.txt"), True

    def clear(self) -> str:
        """Remove what was made; why that was not possible, ``""``: it was."""
        if not self._own:
            return ""
        own, self._own = self._own, ""
        if self.is_ours:
            self.path.pop()
        self.is_ours = False
        is_gone = self._remove(self._visit.session(fresh=True), own, _DEEPEST)
        return "" if is_gone else f"the directory {own}, which was made, could not be removed"

    def _remove(self, client: Client, name: str, depth: int) -> bool:
        """The directory of our own with all that is in it, and nothing else; whether it is gone."""
        if client.ask(f"CWD {name}").code >= 400:
            return False
        if depth == _DEEPEST and client.ask("PWD").lines != self._place:
            return False  # wherever that is, it is not where the files were made
        for inner in self._names(client) - _ITSELF:
            if client.ask(f"DELE {inner}").code >= 400 and depth > 0:
                self._remove(client, inner, depth - 1)
        client.ask("CDUP")
        return client.ask(f"RMD {name}").code < 400

    @staticmethod
    def _names(client: Client) -> set[str]:
        """What is in the working directory; not every server has NLST without an argument."""
        transfer = client.fetch("NLST")
        if transfer.ended.code < 400:
            return {entry.rpartition("/")[2] for entry in transfer.lines}
        listing = client.fetch("LIST").octets
        return {file.name for file in files(listing)} | set(directories(listing))

    def sample(self) -> Sample:
        """A file, see :meth:`Visit.sample`."""
        self._search()
        if self._sample is None:
            raise NotTried("no small file was found (the URL may name a directory that has one)")
        return self._sample

    def directory(self) -> Directory:
        """A directory, see :meth:`Visit.directory`."""
        self._search()
        if self._directory is None:
            raise NotTried("no directory with a file in it was found")
        return self._directory

    def _search(self) -> None:
        """Look in the directory and in the first few below."""
        if self._is_searched:
            return
        self._is_searched = True
        client = self._visit.session()
        mark = self._visit.transcript.mark()
        try:
            listing = self._listed(client)
            self._sample = self._best(listing)
            for name in directories(listing)[:5]:
                if inner := self._best(self._listed(client, name)):
                    self._directory = Directory(name, inner.name)
                    self._sample = self._sample or Sample(f"{name}/{inner.name}", inner.size)
                    break
        except Broken:
            pass  # listings have checks of their own
        self._visit.transcript.fold(mark, "looking for a file and a directory")

    def _listed(self, client: Client, name: str = "") -> bytes:
        command = "MLSD" if "MLST" in self._visit.features() else "LIST"
        return client.fetch(f"{command} {name}".rstrip()).octets

    @staticmethod
    def _best(listing: bytes) -> Sample | None:
        found = sorted((file for file in files(listing) if file.size in _SMALL), key=lambda file: file.size)
        return Sample(found[0].name, found[0].size) if found else None

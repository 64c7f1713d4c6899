"""
Files from the client: STOR APPE STOU (RFC 959 §4.1.3).

Not here: the course of a transfer (``session.transfer``), and where octets lie until all are there (``storage``).
"""

from __future__ import annotations

import secrets
from typing import Any

from twisted.internet.defer import Deferred

from twistftp.session.lookup import new_path
from twistftp.session.session import Session, TransferType
from twistftp.session.transfer import WHOLE_ALONE, receive_over_data, settled
from twistftp.storage.failures import BeyondRange, NameNotAllowed, NotFound
from twistftp.transport.interfaces import DataConnectionFailed
from twistftp.wire.arguments import OPTIONAL_PATHNAME, PATHNAME
from twistftp.wire.commands import CommandGroup
from twistftp.wire.nvt_ascii import FromNVT
from twistftp.wire.paths import Path, join
from twistftp.wire.replies import Reply, exact
from twistftp.wire.states import Keeps

uploads = CommandGroup("Uploads")

_BROKEN = 426


@uploads.command("STOR", PATHNAME, keeps=Keeps.RESTART, is_transfer=True, writes=True, rfc="959 §4.1.3", help="receive a file from the client")
async def store(session: Session, name: str) -> Reply:
    """What is wrong with the name or the disk is said at once, before any data connection is waited for (PROTOCOL P-DC-17)."""
    offset, last = session.take_range()
    return await _receive_at(session, "STOR", name, offset, last)


@uploads.command("APPE", PATHNAME, keeps=Keeps.RESTART, is_transfer=True, writes=True, rfc="959 §4.1.3", help="add to a file from the client")
async def append(session: Session, name: str) -> Reply:
    """Behind a restart point it is STOR (PROTOCOL P-REST-4)."""
    offset, last = session.take_range()
    if offset or last is not None:
        return await _receive_at(session, "APPE", name, offset, last)
    if not session.store.appendable:
        return Reply.of(502, "Files cannot be added to in this file system.")
    path = new_path(session, name)
    upload = await settled(session.store.open_upload(path, offset=None, in_place=_is_in_place(session), is_part=False))
    return await _receive(session, "APPE", path, upload, upload)


@uploads.command(
    "STOU", OPTIONAL_PATHNAME, keeps=Keeps.RESTART, is_transfer=True, writes=True, rfc="959 §4.1.3", help="receive a file, under a name that is new"
)
async def store_unique(session: Session, hint: str) -> Reply:
    """The name is in the 150, as RFC 1123 §4.1.2.9 has it: relative to the working directory. The hint is its beginning."""
    offset, last = session.take_range()
    if offset or last is not None:
        return Reply.of(503, "STOU cannot follow REST or RANG: there is nothing yet to go on with.")
    name = f"{hint or 'upload'}.{secrets.token_hex(4)}"
    path = new_path(session, name)
    upload = await settled(session.store.open_unique(path, in_place=_is_in_place(session)))
    return await _receive(session, "STOU", path, upload, upload, f"FILE: {exact(name)}")


def _is_in_place(session: Session) -> bool:
    return session.site.settings.file_handling.keep_partial_uploads  # type: ignore[no-any-return]


async def _receive_at(session: Session, verb: str, name: str, offset: int, last: int | None) -> Reply:
    """An upload to a place in a file: with ``last``, that part of it alone (RANG)."""
    path = new_path(session, name)
    if (offset or last is not None) and session.deflates:
        return WHOLE_ALONE
    if (offset or last is not None) and session.type is not TransferType.IMAGE:
        return Reply.of(554, "A restart point of an upload counts octets of the file: use TYPE I.")
    if offset and (refused := await _beyond(session, path, offset)):
        return refused
    upload = await settled(session.store.open_upload(path, offset=offset, in_place=_is_in_place(session), is_part=last is not None))
    return await _receive(session, verb, path, upload, upload if last is None else _PartSink(upload, last + 1 - offset))


async def _beyond(session: Session, path: Path, offset: int) -> Reply | None:
    """554 if the file, which must be there, is shorter than the restart point (PROTOCOL P-REST-3)."""
    entry = await settled(session.store.status(path))
    entry = entry.resolved or entry
    if entry.is_directory:
        raise NameNotAllowed("it is a directory")
    if not entry.is_file:
        raise NotFound
    if offset <= entry.size:
        return None
    return Reply.of(554, f"Restart point {offset} is beyond the end of the file ({entry.size} bytes).")


async def _receive(session: Session, verb: str, path: Path, upload: Any, sink: Any, opening: str = "") -> Reply:
    """The transfer; an upload that breaks is removed or kept, and the client told which (PROTOCOL P-TEXT-15)."""
    if session.type is TransferType.ASCII:
        sink = _TextSink(sink)
    try:
        return await receive_over_data(session, verb, join(path), sink, opening)
    except DataConnectionFailed as error:
        kept = upload.abandon()
        if error.verdict.code != _BROKEN:
            raise
        fate = "What had arrived was removed." if kept is None else f"Partial file of {kept} bytes kept; resume with REST {kept} or APPE."
        return Reply.of(_BROKEN, f"{error.verdict.text} {fate}")
    except BaseException:
        upload.abandon()
        raise


class _TextSink:
    """An upload that gets the line ends of files for those of the wire (TYPE A)."""

    takes_pipes = False

    def __init__(self, upload: Any) -> None:
        self._upload = upload
        self._converter = FromNVT()

    def write(self, data: bytes) -> Deferred[None] | None:
        """Convert, and write what is certain."""
        converted = self._converter.convert(data)
        return self._upload.write(converted) if converted else None

    def finish(self) -> Any:
        """A CR at the end is kept (PROTOCOL P-TYPE-2)."""
        held = self._converter.finish()
        stored = self._upload.write(held) if held else None
        return self._upload.finish() if stored is None else stored.addCallback(lambda _: self._upload.finish())


class _PartSink:
    """A part of a file, of ``count`` octets at most (RANG)."""

    takes_pipes = False

    def __init__(self, upload: Any, count: int) -> None:
        self._upload = upload
        self._left = count
        self.finish = upload.finish

    def write(self, data: bytes) -> Deferred[None] | None:
        """:raises BeyondRange: more comes than RANG has announced."""
        self._left -= len(data)
        if self._left < 0:
            raise BeyondRange
        return self._upload.write(data)  # type: ignore[no-any-return]

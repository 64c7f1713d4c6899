"""
Files over the data connection: RETR, and ABOR that ends what goes over it (RFC 959 §4.1.3).

Not here: listings, which use the data connection too; the course of a transfer (``session.transfer``).
"""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from twistftp.session.lookup import readable
from twistftp.session.session import Session, TransferType
from twistftp.session.transfer import WHOLE_ALONE, send_over_data
from twistftp.session.verbs.files import COUNTABLE, converted_length
from twistftp.storage.failures import IsADirectory
from twistftp.transport.interfaces import ISource, ShortFile
from twistftp.wire.arguments import NOTHING, PATHNAME
from twistftp.wire.commands import CommandGroup
from twistftp.wire.nvt_ascii import ToNVT
from twistftp.wire.paths import join
from twistftp.wire.replies import Reply
from twistftp.wire.states import Keeps, Needs

transfers = CommandGroup("Transfers")

_BLOCK = 256 * 1024


@transfers.command("RETR", PATHNAME, keeps=Keeps.RESTART, is_transfer=True, rfc="959 §4.1.3", help="send a file to the client")
async def retrieve(session: Session, name: str) -> Reply:
    """What is wrong with the file is said at once, before any data connection is waited for (PROTOCOL P-DC-17)."""
    offset, last = session.take_range()
    if (offset or last is not None) and session.deflates:
        return WHOLE_ALONE
    try:
        path, file = await readable(session, name)
    except IsADirectory:  # Lynx asks in order to know, and then lists it by the set-up that it has, as other servers let it
        session.spares_data_port = session.data_port is not None
        raise
    try:
        if last is not None:
            return await _send_part(session, join(path), file, offset, last)
        if session.type is TransferType.IMAGE:
            return await _send_image(session, join(path), file, offset)
        return await _send_text(session, join(path), file, offset)
    finally:
        file.close()


async def _send_image(session: Session, path: str, file: Any, offset: int) -> Reply:
    """The octets as they are; as many as there were when the file was opened (PROTOCOL P-RETR-1)."""
    count = file.size - offset
    if count < 0:
        return _beyond(offset, file.size)
    return await send_over_data(session, "RETR", path, lambda connection: connection.send_file(file, offset, count), count, f" ({count} bytes)")


async def _send_part(session: Session, path: str, file: Any, first: int, last: int) -> Reply:
    """RANG: what there is of it; behind the end of the file that is nothing (PROTOCOL P-RANG-1)."""
    if session.type is not TransferType.IMAGE:
        return Reply.of(554, "RANG counts octets of the file: use TYPE I.")
    first = min(first, file.size)
    count = min(last + 1, file.size) - first
    return await send_over_data(session, "RETR", path, lambda connection: connection.send_file(file, first, count), count, f" ({count} bytes)")


async def _send_text(session: Session, path: str, file: Any, offset: int) -> Reply:
    """Line ends converted. A restart point counts converted octets, which takes reading the file (PROTOCOL P-REST-2)."""
    if offset:
        if file.size > COUNTABLE:
            return Reply.of(554, f"Restart point {offset} cannot be found in a text file of this size; use TYPE I.")
        length = await converted_length(file)
        if offset > length:
            return _beyond(offset, length)
    return await send_over_data(session, "RETR", path, lambda connection: connection.send(_TextSource(file, offset)))


def _beyond(offset: int, size: int) -> Reply:
    return Reply.of(554, f"Restart point {offset} is beyond the end of the file ({size} bytes).")


@implementer(ISource)
class _TextSource:
    """An ``IOpenFile`` as TYPE A sends it, without its first ``skip`` converted octets."""

    def __init__(self, file: Any, skip: int) -> None:
        self._file = file
        self._skip = skip
        self._offset = 0
        self._converter = ToNVT()

    def read(self) -> Any:
        """The next converted octets, at once when the file gives its own at once."""
        while self._offset < self._file.size:
            data = self._file.read_at(self._offset, min(_BLOCK, self._file.size - self._offset))
            if not isinstance(data, bytes):
                return data.addCallback(lambda octets: self._convert(octets) or self.read())
            if converted := self._convert(data):
                return converted
        return b""

    def _convert(self, data: bytes) -> bytes:
        if not data:
            raise ShortFile
        self._offset += len(data)
        converted = self._converter.convert(data)
        if self._skip:
            skipped = min(self._skip, len(converted))
            self._skip -= skipped
            converted = converted[skipped:]
        return converted


@transfers.command("ABOR", NOTHING, needs=Needs.NOTHING, while_busy=True, rfc="959 §4.1.3", help="end the transfer under way")
def abort(session: Session, _: None) -> Reply:
    """
    The interpreter ends a transfer as soon as it sees ABOR, and its command is answered 426; what is left to do here
    is to give up a data connection that waits unused, and to say so (PROTOCOL P-ABOR-1 to P-ABOR-4).
    """
    session.drop_data_port()
    return Reply.of(226, "Abort done; no transfer is under way.")

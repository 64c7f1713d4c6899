"""
Exceptions to replies: one table, the first row that fits answers.

Not here: raising them, and logging those that nobody expected (the interpreter does).
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError

from twistftp.policy.denials import NO_HOME
from twistftp.storage import failures as storage
from twistftp.storage import refusals
from twistftp.transport.deflate import BadStream, Bomb
from twistftp.transport.interfaces import DataConnectionFailed, ShortFile
from twistftp.wire.replies import Reply, cleaned

__all__ = ["INTERNAL_ERROR", "is_expected", "reply_for"]

INTERNAL_ERROR = Reply.of(451, "Requested action aborted: local error in processing.")


def _says(code: int, text: str) -> Callable[[Exception, str], Reply]:
    return lambda error, path: Reply.of(code, f"{cleaned(path)}: {text}.")


def _denied(code: int) -> Callable[[Exception, str], Reply]:
    return lambda error, path: Reply.of(code, f"{cleaned(path)}: {error.denial.reason.text}.")  # type: ignore[attr-defined]


_ROWS: tuple[tuple[type[Exception], Callable[[Exception, str], Reply]], ...] = (
    (refusals.Refused, _denied(550)),
    (refusals.NameRefused, _denied(553)),
    (refusals.TooLarge, lambda error, path: Reply.of(552, f"{error.denial.reason.text}.")),  # type: ignore[attr-defined]
    (refusals.HomeRefused, lambda error, path: Reply.of(530, f"{NO_HOME}.")),
    (storage.NotFound, _says(550, "No such file or directory")),
    (storage.PermissionDenied, _says(550, "Permission denied")),
    (storage.IsADirectory, _says(550, "Is a directory")),
    (storage.NotADirectory, _says(550, "Not a directory")),
    (storage.NotAPlainFile, _says(550, "Not a plain file")),
    (storage.ObjectExists, _says(550, "File already exists")),
    (storage.DirectoryNotEmpty, _says(550, "Directory not empty")),
    (storage.NameNotAllowed, lambda error, path: Reply.of(553, f"{cleaned(path)}: Name not allowed: {error.reason}.")),  # type: ignore[attr-defined]
    (storage.Occupied, _says(553, "There is a file or directory of this name already")),
    (storage.OtherFileSystem, _says(550, "It cannot be moved to another file system; copy it")),
    (storage.Busy, _says(450, "The file is being uploaded; try again later")),
    (storage.DiskFull, lambda error, path: Reply.of(452, "Insufficient storage space: the disk is full.")),
    (storage.QuotaExceeded, lambda error, path: Reply.of(552, "Exceeded storage allocation: your quota on this disk is used up.")),
    (storage.BeyondRange, lambda error, path: Reply.of(552, "More octets came than RANG has announced.")),
    (storage.WriteFailed, lambda error, path: Reply.of(451, f"Local error while writing: {cleaned(str(error))}.")),
    (storage.ReadFailed, lambda error, path: Reply.of(451, f"Local error while reading: {cleaned(str(error))}.")),
    (BadStream, lambda error, path: Reply.of(451, f"What came is no whole zlib stream: {error}. MODE S does without one.")),
    (Bomb, lambda error, path: Reply.of(552, "What came inflates to too many times its size; send this file in MODE S.")),
    (ShortFile, lambda error, path: Reply.of(451, "Local error while reading: the file became shorter while it was sent.")),
    (DataConnectionFailed, lambda error, path: Reply.of(error.verdict.code, error.verdict.text)),  # type: ignore[attr-defined]
)


def reply_for(error: BaseException | None, path: str) -> Reply:
    """
    What the client is told of ``error``; for one that no row knows a fixed text, never the error's own (PROTOCOL P-DX-12).

    :param path: what the client named, shown in front of the text.
    """
    for kind, reply in _ROWS:
        if isinstance(error, kind):
            return reply(error, path)
    return INTERNAL_ERROR


def is_expected(error: BaseException | None) -> bool:
    """
    Whether the table knows the error, or it is the end of a command whose client has gone; any other is a defect and is
    logged with its traceback.
    """
    return isinstance(error, (CancelledError, *(kind for kind, _ in _ROWS)))

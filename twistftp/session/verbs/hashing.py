"""
HASH: what a file's content amounts to, for clients who compare it with theirs (draft-bryan-ftpext-hash).

Not here: computing it (``storage.digests``), OPTS HASH and RANG (``parameters``).
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError

from twistftp.policy.diagnosis import Cause
from twistftp.session.lookup import readable
from twistftp.session.session import Session
from twistftp.storage.digests import ALGORITHMS, Digest
from twistftp.storage.failures import IsADirectory
from twistftp.transport.interfaces import ShortFile
from twistftp.wire.arguments import PATHNAME
from twistftp.wire.commands import CommandGroup
from twistftp.wire.replies import Reply, cleaned, exact
from twistftp.wire.states import Keeps

hashing = CommandGroup("Checksums")


class _Reckoning:
    """A computation under way, in the place of a transfer: STAT asks how far it is, ABOR and the end of the session end it."""

    is_begun = True

    def __init__(self, digest: Digest) -> None:
        self._digest = digest
        self.is_aborted = False
        self.status_wanted: list[Any] = []

    def status(self) -> Reply:
        """As of a transfer (PROTOCOL P-STAT-2)."""
        return Reply.of(213, f"Status: {self._digest.octets} of {self._digest.count} bytes hashed")

    def abort(self, cause: Cause) -> None:
        """No further piece is begun."""
        self.is_aborted = True
        self._digest.give_up()


def _algorithms(session: Session) -> str:
    return "HASH " + ";".join(f"{name}*" if name == session.hash else name for name in ALGORITHMS)


@hashing.command("HASH", PATHNAME, keeps=Keeps.RESTART, rfc="draft-bryan-ftpext-hash", feat=_algorithms, help="show a file's checksum")
async def hash_(session: Session, name: str) -> Reply:
    """Of the whole file, or of what REST or RANG has named. In threads, a piece at a time (PROTOCOL P-HASH-1, P-SEC-18)."""
    first, last = session.take_range()
    try:
        _, file = await readable(session, name)
    except IsADirectory:
        return Reply.of(553, f"{cleaned(name)}: Is a directory.")
    try:
        end = file.size if last is None else min(last + 1, file.size)
        if first > end or (first == end and file.size):
            return Reply.of(551, f"{cleaned(name)}: There is nothing from octet {first} on ({file.size} bytes).")
        digest = Digest(session.hash, file, first, end - first)
        reckoning = _Reckoning(digest)
        session.transfer = reckoning  # type: ignore[assignment]
        try:
            session.control.look_ahead()
            while not reckoning.is_aborted and digest.octets < digest.count:
                if not await digest.go_on():
                    raise ShortFile
        except CancelledError:
            if not reckoning.is_aborted:
                raise
        finally:
            session.transfer = None
        if reckoning.is_aborted:
            return Reply.of(450, "Stopped: the client asked for it.")
        return Reply.of(213, f"{session.hash} {first}-{max(first, end - 1)} {digest.hexadecimal} {exact(name)}")
    finally:
        file.close()

"""
Verbs that would change files: this site is for reading, so each is known and refused (RFC 959 §4.1.3).

Not here: anything that writes.
"""

from __future__ import annotations

from typing import Any

from twistftp.session.session import Session
from twistftp.wire.arguments import Argument
from twistftp.wire.commands import CommandGroup
from twistftp.wire.paths import decode_name
from twistftp.wire.replies import Reply, cleaned
from twistftp.wire.states import Keeps

__all__ = ["changes", "refuse"]

changes = CommandGroup("Changes")

_NAME = Argument("<path>", decode_name, is_path=True)

# verb -> whether it would use the data connection, its RFC
_VERBS: dict[str, tuple[bool, str]] = {
    **dict.fromkeys(("STOR", "APPE", "STOU"), (True, "959 §4.1.3")),
    **dict.fromkeys(("RNFR", "RNTO", "DELE", "RMD", "MKD"), (False, "959 §4.1.3")),
    **dict.fromkeys(("XMKD", "XRMD"), (False, "1123 §4.1.3.1")),
    "MFMT": (False, "draft-somers-ftp-mfxx §3"),
}


def refuse(session: Session, name: str) -> Reply:
    """The user's rights come before the argument is looked at (PROTOCOL P-GEN-1), so nothing about the file is given away."""
    shown = f"{cleaned(name)}: " if name else ""
    return Reply.of(550, f"{shown}Permission denied. This site is read-only.")


for _verb, (_is_transfer, _rfc) in _VERBS.items():
    changes.command(
        _verb, _NAME, is_transfer=_is_transfer, keeps=Keeps.NOTHING, rfc=_rfc, help="not allowed: this site is read-only", is_offered=False
    )(refuse)


@changes.command("SMNT", _NAME, rfc="959 §4.1.1", help="not supported", is_offered=False)
def mount(session: Session, _: Any) -> Reply:
    """No server has more than one file system to offer here (PROTOCOL P-SMNT-1)."""
    return Reply.of(502, "SMNT is not supported.")

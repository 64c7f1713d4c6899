"""
Verbs that a site denies to everybody (``[site.request_filtering] denied_commands``): known, not offered, and answered 502.

Not here: which those are (``policy.filtering``). FEAT and HELP leave them out by themselves, since they read the same table.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from attrs import evolve

from twistftp.policy.denials import Denial, Reason
from twistftp.session.session import Session
from twistftp.wire.commands import Command, CommandGroup, CommandTable
from twistftp.wire.replies import Reply, cleaned
from twistftp.wire.states import Needs

__all__ = ["denying", "unknown_verbs"]

# RFC 1123 §4.1.3.1: other words for the same, so that one cannot be denied without the other.
_SAME = {"CWD": "XCWD", "CDUP": "XCUP", "PWD": "XPWD", "MKD": "XMKD", "RMD": "XRMD"}


def denying(table: CommandTable, denied: Collection[str], prefix: str = "") -> CommandTable:
    """
    The table without the verbs ``denied``; ``prefix`` stands before a verb of this table in ``denied`` (``"SITE "``), which may also
    have the prefix alone, for all of them.
    """
    words = {verb for verb in table if f"{prefix}{verb}" in denied or prefix.strip() in denied}
    if not words:
        return table
    words |= {_SAME[verb] for verb in words if verb in _SAME}
    return CommandTable(
        *(
            CommandGroup(group.title, [_denied(command, prefix) if command.verb in words else command for command in group.commands])
            for group in table.groups
        )
    )


def unknown_verbs(denied: Collection[str], verbs: Collection[str], site_verbs: Collection[str]) -> list[str]:
    """Those of ``denied`` that there are not, so that to deny them does nothing: probably misspelt."""
    known = {*verbs, *(f"SITE {verb}" for verb in site_verbs)}
    return sorted(word for word in denied if word not in known)


def _denied(command: Command, prefix: str) -> Command:
    verb = f"{prefix}{command.verb}"

    def refuse(session: Session, _: Any) -> Reply:
        """Before the login is asked for (PROTOCOL P-GEN-1), and whatever the argument is."""
        denial = Denial(Reason.COMMAND, verb)
        session.site.transcript.denied(session, verb, "", denial)
        return Reply.of(502, f"{cleaned(verb, 32)} {denial.reason.text}.")

    anything = evolve(command.argument, parse=lambda octets: None)
    return evolve(command, handler=refuse, argument=anything, needs=Needs.NOTHING, feat=None, while_busy=False, is_offered=False)

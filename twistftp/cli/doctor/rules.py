"""
From what was seen to what it means: all rules over both sessions.

Not here: the rules (``entry_rules``, ``data_rules``) and their texts (``causes``).
"""

from __future__ import annotations

from attrs import evolve

from twistftp.cli.doctor.causes import Cause
from twistftp.cli.doctor.data_rules import DATA_GROUPS
from twistftp.cli.doctor.entry_rules import ENTRY_GROUPS
from twistftp.cli.doctor.finding import Finding
from twistftp.cli.doctor.seen import Seen, Session

__all__ = ["findings"]

_ABOUT = {"ftp": "in the clear", "ftpes": "with TLS (ftpes://)", "ftps": "with TLS (ftps://)"}


def findings(seen: Seen) -> list[Finding]:
    """What is the matter, problems first, each cause once. What only the second session shows is worth knowing, no problem."""
    found = _of(seen.session, seen)
    causes = {finding.cause for finding in found}
    if seen.other is not None:
        about = _ABOUT[seen.other.scheme]
        found += [evolve(finding, is_problem=False, about=about) for finding in _of(seen.other, seen) if finding.cause not in causes]
    if seen.ran_out:
        found.append(Finding(Cause.NO_TIME, not seen.is_fine, {"step": seen.ran_out}))
    elif not seen.is_fine and not any(finding.is_problem for finding in found):
        found.append(Finding(Cause.UNCLEAR))
    return sorted(found, key=lambda finding: not finding.is_problem)


def _of(session: Session, seen: Seen) -> list[Finding]:
    found = []
    for group in (*ENTRY_GROUPS, *DATA_GROUPS):
        for rule in group:
            if (finding := rule(session, seen)) is not None:
                found.append(finding)
                break
    return found

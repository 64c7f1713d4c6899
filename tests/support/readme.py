"""
The parts of the README that are made from the code.

Not here: comparing (``tests.test_readme``). ``python -m tests.support.readme`` prints them for pasting, the verdicts of
docs/firewalls.md with any argument.
"""

from __future__ import annotations

import sys

from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.session.verbs.table import VERBS

__all__ = ["verbs_table", "verdicts_table"]


def verbs_table() -> str:
    """A Markdown table of all verbs, in the families they are declared in."""
    rows = ["| verb | what it does | RFC |", "|---|---|---|"]
    for group in VERBS.groups:
        rows.append(f"| **{group.title}** | | |")
        for command in group.commands:
            syntax = command.syntax.replace("|", "\\|")
            rows.append(f"| `{syntax}` | {command.help} | {command.rfc} |")
    return "\n".join(rows)


_EXAMPLE = {
    "port": 21004,
    "ports": 10,
    "range": "21000-21009",
    "seconds": 30,
    "address": "192.0.2.7",
    "peer": "198.51.100.7",
    "reason": "connection refused",
    "octets": 4096,
}
_BY = {
    "FILTER_SUSPECTED": {"by": "PASV", "instead": "EPSV"},
    "TLS_FAILED": {"reason": "no shared cipher"},
    "PRIVATE_ADVERTISED": {"address": "10.0.0.5"},
}
_PORT = {"by": "PORT", "address": "10.1.2.3"}


def verdicts_table() -> str:
    """A Markdown table of all causes for which a data connection can fail, with the reply that a client gets and the cure that SITE WHY tells."""
    rows = ["| cause | the client reads | what to do |", "|---|---|---|"]
    for cause in Cause:
        verdict = Verdict(cause, **{**_EXAMPLE, **_PORT, **_BY.get(cause.name, {})})
        rows.append(f"| {cause.name} | {verdict.code} {verdict.text} | {verdict.cure} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(verbs_table() if len(sys.argv) < 2 else verdicts_table())

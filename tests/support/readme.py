"""
The parts of the README that are made from the code.

Not here: comparing (``tests.test_readme``). ``python -m tests.support.readme`` prints them for pasting.
"""

from __future__ import annotations

from twistftp.session.verbs.table import VERBS

__all__ = ["verbs_table"]


def verbs_table() -> str:
    """A Markdown table of all verbs, in the families they are declared in."""
    rows = ["| verb | what it does | RFC |", "|---|---|---|"]
    for group in VERBS.groups:
        rows.append(f"| **{group.title}** | | |")
        for command in group.commands:
            syntax = command.syntax.replace("|", "\\|")
            rows.append(f"| `{syntax}` | {command.help} | {command.rfc} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(verbs_table())

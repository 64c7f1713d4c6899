"""
How a subcommand ends when what it was asked about is not fine: one line on standard error, exit status 1.

Not here: mistakes on the command line, which click answers with status 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from twistftp.accounts.users_file import BadUsersFile
from twistftp.configuration import ConfigurationError
from twistftp.policy.firewall_rules.service import NoRules

__all__ = ["one_line_errors"]


@contextmanager
def one_line_errors(command: str) -> Iterator[None]:
    """Turn what a user can have done wrong into one line that names it."""
    try:
        yield
    except (BadUsersFile, ConfigurationError, NoRules) as error:
        click.echo(f"twistftp {command}: {error}", err=True)
        raise SystemExit(1) from None

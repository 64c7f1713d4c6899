"""
``twistftp`` with its subcommands.

Not here: what they do. Exit status: 0 fine, 1 the thing asked about is not fine, 2 usage.
"""

from __future__ import annotations

import click

from twistftp import __version__
from twistftp.cli.check import check
from twistftp.cli.conform.command import conform
from twistftp.cli.doctor.command import doctor
from twistftp.cli.firewall import firewall
from twistftp.cli.passwd import passwd
from twistftp.cli.replay import replay
from twistftp.cli.status import disconnect, sessions, status

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="twistftp")
def main() -> None:
    """Tools beside the server, which is started by "twistd ftpsite"."""


main.add_command(check)
main.add_command(conform)
main.add_command(doctor)
main.add_command(firewall)
main.add_command(passwd)
main.add_command(replay)
main.add_command(status)
main.add_command(sessions)
main.add_command(disconnect)

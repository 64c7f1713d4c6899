"""The ``twistftp`` command: a file for each of its subcommands, ``command`` puts them together."""

from twistftp.cli.command import main as main

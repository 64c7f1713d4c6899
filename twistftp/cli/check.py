"""
``twistftp check``: reads a configuration file, says in plain words what each site will do, and warns of traps.

Not here: the rules of the values (``configuration``), the traps (``policy.traps``) and the words (``description``).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import click

from twistftp.accounts.user_book import exposure
from twistftp.cli.description import describe_server
from twistftp.cli.failing import one_line_errors
from twistftp.configuration import load
from twistftp.dynamic import dynamic_range
from twistftp.policy.settings import ServerSettings
from twistftp.policy.traps import traps
from twistftp.transport.certificates import load_identity

__all__ = ["check"]


@click.command(short_help="Say what a configuration does, and what is wrong with it.")
@click.argument("config", type=click.Path())
def check(config: str) -> None:
    """
    Read CONFIG, print what each site will do, and warn of traps.

    Exit status 1 and one line if the server would refuse to start with it. Warnings are for people: the status stays 0.
    """
    with one_line_errors("check"):
        settings = load(config)
    ephemeral = dynamic_range()
    for line in describe_server(settings, ephemeral):
        click.echo(line)
    exposures = {site.name: exposure(site.authentication.users_file) for site in settings.sites if site.authentication.users_file}
    for trap in (*traps(settings, ephemeral), *filter(None, exposures.values()), *_dates(settings)):
        click.echo(f"warning: {trap}")


def _dates(settings: ServerSettings) -> Iterator[str]:
    """Certificates that have ended, or will soon."""
    files = {(site.tls.certificate, site.tls.private_key) for site in settings.sites if site.tls.certificate}
    for certificate, private_key in sorted(files):
        trouble = load_identity(certificate, private_key).trouble(datetime.now(UTC))
        if trouble:
            yield f"certificate {certificate} {trouble}"

"""
``twistftp check``: reads a configuration file, says in plain words what each site will do, and warns of traps.

Not here: the rules of the values (``configuration``), the traps (``policy.traps``) and the words (``description``).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import click

from twistftp.accounts.user_book import exposure
from twistftp.cli.cautions import cautions, others_may_read
from twistftp.cli.description import describe_server
from twistftp.cli.failing import one_line_errors
from twistftp.configuration import load
from twistftp.dynamic import dynamic_range
from twistftp.policy.settings import ServerSettings
from twistftp.policy.traps import traps
from twistftp.transport.certificates import load_identity

__all__ = ["check"]


@click.command(short_help="Say what a configuration does, and what is wrong with it.")
@click.argument("config", type=click.Path(readable=False))
@click.option("--explain", "explained", nargs=2, metavar="USER PATH", help="Say what USER (? for anonymous) may do at PATH, and which rule decides.")
def check(config: str, explained: tuple[str, str] | None) -> None:
    """
    Read CONFIG, print what each site will do, and warn of traps.

    Exit status 1 and one line if the server would refuse to start with it. Warnings are for people: the status stays 0.
    With --explain the status is 1 if no site lets the user read or write there.
    """
    with one_line_errors("check"):
        settings = load(config)
    if explained is not None:
        raise SystemExit(0 if _explain(settings, *explained) else 1)
    ephemeral = dynamic_range()
    for line in describe_server(settings, ephemeral):
        click.echo(line)
    exposures = {site.name: exposure(site.authentication.users_file) for site in settings.sites if site.authentication.users_file}
    warnings = *traps(settings, ephemeral), *cautions(settings, others_may_read), *filter(None, exposures.values()), *_dates(settings)
    for trap in (*warnings, *_misspelt(settings)):
        click.echo(f"warning: {trap}")


def _dates(settings: ServerSettings) -> Iterator[str]:
    """Certificates that have ended, or will soon."""
    files = {(site.tls.certificate, site.tls.private_key) for site in settings.sites if site.tls.certificate}
    for certificate, private_key in sorted(files):
        trouble = load_identity(certificate, private_key).trouble(datetime.now(UTC))
        if trouble:
            yield f"certificate {certificate} {trouble}"


def _misspelt(settings: ServerSettings) -> list[str]:
    """Denied commands that are no verbs, so that to deny them does nothing."""
    from twistftp.session.verbs.denied import unknown_verbs
    from twistftp.session.verbs.table import SITE_VERBS, VERBS

    words = [(site.name, word) for site in settings.sites for word in unknown_verbs(site.request_filtering.denied_verbs, VERBS, SITE_VERBS)]
    return [f"denied_commands of site {name!r} names {word}, which is no verb of this server" for name, word in words]


def _explain(settings: ServerSettings, user: str, path: str) -> bool:
    from twistftp.cli.explaining import explain  # not above: it takes the server's parts, which the rest of the command does without

    explanations = [(site, explain(site, user, path)) for site in settings.sites]
    for site, told in explanations:
        click.echo(f"site {site.name!r}")
        for line in told.lines:
            click.echo(f"  {line}")
    return any(told.is_allowed for _, told in explanations)

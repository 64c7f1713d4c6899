"""
``twistftp doctor``: its command line.

Not here: everything that it does. What that needs (TLS, certificates) is imported when it is wanted, so that other subcommands start fast.
"""

from __future__ import annotations

import sys
from typing import Any

import click
from attrs import evolve

from twistftp.cli.doctor.target import TargetError, parse_ports, parse_target

__all__ = ["doctor"]


@click.command(short_help="Say what works with a server as clients see it, and why the rest does not.")
@click.argument("url")
@click.option("--ports", metavar="LOW-HIGH", help="Also look at every port of this range, and list those that are closed.")
@click.option("--ca", metavar="FILE", type=click.Path(), help="Trust the certificates in this PEM file, instead of the system's.")
@click.option("--insecure", is_flag=True, help="Take any certificate. A password in the URL then goes to whoever answers.")
@click.option("--timeout", type=click.FloatRange(1, 3600), default=30.0, show_default=True, help="Seconds after which it ends, come what may.")
def doctor(url: str, ports: str | None, ca: str | None, insecure: bool, timeout: float) -> None:
    """
    Look at the server of URL from the client's side: connect, log in, list and fetch in passive mode, and try active mode and TLS.

    URL is ftp://[USER[:PASSWORD]@]HOST[:PORT], ftpes://... (TLS after AUTH) or ftps://... (TLS from the first octet), perhaps with a
    directory behind it. Without a user it is the anonymous one; a user's password that is missing is asked for. Nothing is changed
    on the server.

    Exit status: 0 if a client can list and fetch, 1 if not, 2 for mistakes on this command line.
    """
    try:
        target = parse_target(url)
        scanned = None if ports is None else parse_ports(ports)
    except TargetError as error:
        raise click.UsageError(str(error)) from None
    if ca and insecure:
        raise click.UsageError("--ca says whom to trust, --insecure to trust everybody: give one of them")
    if target.password is None and not target.is_anonymous and _can_ask():
        target = evolve(target, password=click.prompt(f"Password of {target.user}", hide_input=True, err=True))
    raise SystemExit(_run(target, timeout, ca or "", insecure, scanned))


def _can_ask() -> bool:
    """Whether somebody sits there."""
    return sys.stdin.isatty()


def _run(target: Any, timeout: float, ca: str, is_insecure: bool, ports: range | None) -> int:
    from datetime import UTC, datetime

    from twistftp.cli.doctor.certificate import CannotTrust
    from twistftp.cli.doctor.examination import examine
    from twistftp.cli.doctor.harmless import harmless
    from twistftp.cli.doctor.report import report
    from twistftp.cli.doctor.rules import findings

    try:
        seen = examine(target, timeout, datetime.now(UTC), ca, is_insecure, ports)
    except CannotTrust as error:
        raise click.UsageError(f"--ca {ca}: {error}") from None
    for line in report(seen, findings(seen), harmless(target.user, target.secret)):
        click.echo(line)
    return 0 if seen.is_fine else 1

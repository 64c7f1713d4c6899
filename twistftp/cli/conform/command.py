"""
``twistftp conform``: its command line.

Not here: everything that it does, which is imported when it is wanted, so that other subcommands start fast.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from attrs import evolve

from twistftp.cli.doctor.target import TargetError, parse_target

__all__ = ["conform"]


@click.command(short_help="Try the rules of FTP on any server, clause by clause, and write a report card.")
@click.argument("url", required=False)
@click.option("--ca", metavar="FILE", type=click.Path(), help="Trust the certificates in this PEM file, instead of the system's.")
@click.option("--insecure", is_flag=True, help="Take any certificate. A password in the URL then goes to whoever answers.")
@click.option("--write", is_flag=True, help="Try what changes files, too, in a directory that is made in that of the URL and removed again.")
@click.option("--format", "form", type=click.Choice(["text", "json", "html"]), default="text", show_default=True, help="Form of the card.")
@click.option("--output", metavar="FILE", type=click.Path(dir_okay=False), help="Write the card there.")
@click.option("--only", metavar="ID,...", default="", help="Only these rows; P-EPSV is all that begin so.")
@click.option("--list", "lists", is_flag=True, help="Show the rows, and try nothing.")
@click.option("--timeout", type=click.FloatRange(1, 36000), default=300.0, show_default=True, help="Seconds after which nothing new is tried.")
def conform(
    url: str | None, ca: str | None, insecure: bool, write: bool, form: str, output: str | None, only: str, lists: bool, timeout: float
) -> None:
    """
    Try the rules of FTP on the server of URL from the client's side, each with its RFC and section, and say which it keeps.

    URL is ftp://[USER[:PASSWORD]@]HOST[:PORT], ftpes://... (TLS after AUTH) or ftps://... (TLS from the first octet), perhaps with a
    directory behind it. Rows about TLS are tried with ftp://, too, if the server has AUTH TLS. The checks open one control connection
    at a time and change nothing on the server, unless --write is given.

    Exit status: 0 if no MUST has failed, 1 if one has or the server cannot be looked at, 2 for mistakes on this command line.
    """
    from twistftp.cli.conform.catalogue import ROWS, UnknownRow, chosen

    try:
        rows = chosen(only) if only.strip(", ") else ROWS
    except UnknownRow as error:
        raise click.UsageError(f"--only: there is no row {error}; --list shows them") from None
    if lists:
        for row in rows:
            click.echo(f"{row.id:<22} {row.level.name:<6}  {row.required}  [{row.clause}]")
        return
    if url is None:
        raise click.UsageError("Missing argument 'URL'.")
    try:
        target = parse_target(url)
    except TargetError as error:
        raise click.UsageError(str(error)) from None
    if ca and insecure:
        raise click.UsageError("--ca says whom to trust, --insecure to trust everybody: give one of them")
    if target.password is None and not target.is_anonymous and sys.stdin.isatty():
        target = evolve(target, password=click.prompt(f"Password of {target.user}", hide_input=True, err=True))
    raise SystemExit(_run(target, rows, timeout, ca or "", insecure, write, form, output))


def _as_json(card: Any) -> str:
    return json.dumps(card.as_json(), indent=1, ensure_ascii=False) + "\n"


def _run(target: Any, rows: Any, timeout: float, ca: str, is_insecure: bool, may_write: bool, form: str, output: str | None) -> int:
    from twistftp.cli.conform.examination import examine
    from twistftp.cli.conform.html_card import as_html
    from twistftp.cli.conform.text_card import as_text
    from twistftp.cli.doctor.certificate import CannotTrust

    try:
        card = examine(target, rows, timeout, ca=ca, is_insecure=is_insecure, may_write=may_write)
    except CannotTrust as error:
        raise click.UsageError(f"--ca {ca}: {error}") from None
    text = {"json": _as_json, "html": as_html, "text": as_text}[form](card)
    if output is None:
        click.echo(text, nl=False)
        return 0 if card.is_fine else 1
    try:
        Path(output).write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise click.UsageError(f"--output {output}: {error.strerror}") from None
    return 0 if card.is_fine else 1

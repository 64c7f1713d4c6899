"""
``twistftp conform``: its command line.

Not here: everything that it does, which is imported when it is wanted, so that other subcommands start fast.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

import click
from attrs import evolve, frozen

from twistftp.cli.doctor.target import Target, TargetError, parse_target

if TYPE_CHECKING:
    from twistftp.cli.conform.card import Card
    from twistftp.cli.conform.row import Row

__all__ = ["conform"]

_ENDINGS = {".html": "html", ".htm": "html", ".json": "json"}


@frozen
class _Task:
    """What was asked for: the rows, how they are tried, and the card's name and files, each with its form."""

    target: Target
    rows: tuple[Row, ...]
    timeout: float
    ca: str
    is_insecure: bool
    may_write: bool
    name: str
    cards: tuple[tuple[Path | None, str], ...]


@click.command(short_help="Try the rules of FTP on any server; write a report card.")
@click.argument("url", required=False)
@click.option("--user", metavar="NAME", help="Who logs in, if the URL does not say it.")
@click.option("--password", envvar="TWISTFTP_PASSWORD", show_envvar=True, help="Their password; one that is missing is asked for.")
@click.option("--ca", metavar="FILE", type=click.Path(), help="Trust the certificates in this PEM file, instead of the system's.")
@click.option("--insecure", is_flag=True, help="Take any certificate. The password then goes to whoever answers.")
@click.option("--write", is_flag=True, help="Try what changes files, too: as the named user, in a directory that is made and removed again.")
@click.option("--only", metavar="ID,...", default="", help="Only these rows; P-EPSV is all whose ids begin so.")
@click.option("--list", "lists", is_flag=True, help="Show the rows, and try nothing.")
@click.option("--output", metavar="FILE", type=click.Path(dir_okay=False), multiple=True, help="Write the card there; may be repeated.")
@click.option("--format", "form", type=click.Choice(["text", "json", "html"]), help="Form of the card.  [default: by FILE's ending, else text]")
@click.option("--name", metavar="TEXT", default="", help='What the card calls the server, such as "vsftpd 3.0.3".')
@click.option("--timeout", type=click.FloatRange(1, 36000), default=600.0, show_default=True, help="Seconds after which nothing new is tried.")
def conform(
    url: str | None, user: str | None, password: str | None, ca: str | None, insecure: bool, write: bool, only: str, lists: bool,
    output: tuple[str, ...], form: str | None, name: str, timeout: float,
) -> None:  # fmt: skip
    """
    Try the rules of FTP on the server of URL, from the client's side, and say which it keeps. Each row of the card is one rule with its
    RFC and section, how much that demands (MUST or SHOULD; or it is beyond the RFCs), and what was said when it was tried.

    URL is ftp://[USER[:PASSWORD]@]HOST[:PORT], ftpes://... (TLS after AUTH) or ftps://... (TLS from the first octet), perhaps with a
    directory behind it; an IPv6 address stands in brackets. Without a user it is the anonymous one. Rows about TLS are tried with
    ftp://, too, if the server has AUTH TLS.

    There is one control connection at a time, and one login that fails on purpose. Nothing is changed on the server unless --write is
    given. No password is shown in a card.

    Exit status: 0 if the server was looked at and breaks no MUST; 1 if it breaks one, or if there is no server, no login or not enough
    time; 2 for mistakes on this command line.
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
    if ca and insecure:
        raise click.UsageError("--ca says whom to trust, --insecure to trust everybody: give one of them")
    target = _target(url, user, password)
    if write and not user and not urlsplit(url).username:
        raise click.UsageError("--write wants to know who writes: name a user, as in ftp://anonymous@HOST if anybody may")
    cards = tuple((path, form or _ENDINGS.get(path.suffix.lower(), "text")) for path in map(Path, output)) or ((None, form or "text"),)
    for path, _ in cards:
        if path is not None and not path.parent.is_dir():
            raise click.UsageError(f"--output {path}: there is no directory {path.parent}")
    raise SystemExit(_run(_Task(target, rows, timeout, ca or "", insecure, write, name, cards)))


def _target(url: str, user: str | None, password: str | None) -> Target:
    try:
        target = parse_target(url)
    except TargetError as error:
        raise click.UsageError(str(error)) from None
    for what, text in (("user", user), ("password", password)):
        if text and any(character in text for character in "\r\n\0"):
            raise click.UsageError(f"--{what}: line ends and NUL cannot be sent in FTP")
    if user:
        if not target.is_anonymous:
            raise click.UsageError("the URL names a user, and --user does: give one of them")
        target = evolve(target, user=user)
    if password is not None and target.password is None and not target.is_anonymous:
        target = evolve(target, password=password)
    if target.password is None and not target.is_anonymous and sys.stdin.isatty():
        target = evolve(target, password=click.prompt(f"Password of {target.user}", hide_input=True, err=True))
    return target


def _as_json(card: Card) -> str:
    return json.dumps(card.as_json(), indent=1, ensure_ascii=False) + "\n"


def _run(task: _Task) -> int:
    from datetime import UTC, datetime

    from twistftp.cli.conform.examination import NoServer, examine, shown_url
    from twistftp.cli.conform.html_card import as_html
    from twistftp.cli.conform.text_card import as_text
    from twistftp.cli.doctor.certificate import CannotTrust

    url = shown_url(task.target)
    # What was made on the server is removed also when a scheduler ends us.
    before = signal.signal(signal.SIGTERM, _interrupted)
    try:
        card = examine(task.target, _counted(task.rows), task.timeout, ca=task.ca, is_insecure=task.is_insecure, may_write=task.may_write)
    except CannotTrust as error:
        raise click.UsageError(f"--ca {task.ca}: {error}") from None
    except NoServer as error:
        click.echo(f"{url}: {error}", err=True)
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)
    card = evolve(card, name=task.name, date=datetime.now(UTC).date().isoformat())
    forms: dict[str, Callable[[Card], str]] = {"json": _as_json, "html": as_html, "text": as_text}
    for path, form in task.cards:
        _put(path, forms[form](card))
    if all(path is not None for path, _ in task.cards):
        click.echo(f"{url}: {card.result}")
    return 0 if card.is_fine else 1


def _put(path: Path | None, text: str) -> None:
    if path is None:
        click.echo(text, nl=False)
        return
    try:
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise click.UsageError(f"--output {path}: {error.strerror}") from None


def _interrupted(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _counted(rows: tuple[Row, ...]) -> Iterator[Row]:
    """The rows, with the present one shown to whoever sits there."""
    is_watched = sys.stderr.isatty()
    for number, row in enumerate(rows, 1):
        if is_watched:
            click.echo(f"\r\x1b[K{number}/{len(rows)} {row.id}", nl=False, err=True)
        yield row
    if is_watched:
        click.echo("\r\x1b[K", nl=False, err=True)

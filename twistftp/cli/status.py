"""
``twistftp status``, ``sessions`` and ``disconnect``: what a running server says, and the end of one session.

Not here: how it is asked (``asking``), and how answers look (``screen``).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.live import Live

from twistftp.cli.asking import NoAnswer, ask
from twistftp.cli.screen import sessions_table, status_lines

__all__ = ["disconnect", "sessions", "status"]

_where = click.option("--control-socket", "path", metavar="PATH", help="The server's control socket; default the usual places.")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON, for programs.")

_WIDE = 10_000  # columns of what is no terminal: nothing is cut or folded there


@contextmanager
def _one_line_errors(command: str) -> Iterator[None]:
    try:
        yield
    except NoAnswer as error:
        click.echo(f"twistftp {command}: {error}", err=True)
        raise SystemExit(1) from None


@click.command(short_help="Show what the running server does.")
@_where
@_as_json
def status(path: str | None, as_json: bool) -> None:
    """Show the running server on one screen: sites, sessions, transfers, passive ports, and why data connections failed."""
    with _one_line_errors("status"):
        answer = ask(path, command="status")
    click.echo(json.dumps(answer, indent=2) if as_json else "\n".join(status_lines(answer)))


@click.command(short_help="List the sessions of the running server.")
@_where
@_as_json
@click.option("--watch", "-w", is_flag=True, help="Keep the table up to date until Ctrl-C.")
@click.option("--interval", type=click.FloatRange(0.1), default=2.0, show_default=True, metavar="SECONDS", help="How often --watch looks.")
def sessions(path: str | None, as_json: bool, watch: bool, interval: float) -> None:
    """List the sessions: number, site, user, address, what is transferred, how fast, and for how long nothing has happened."""
    with _one_line_errors("sessions"):
        found = ask(path, command="sessions")["sessions"]
        if as_json:
            click.echo(json.dumps(found, indent=2))
            return
        console = Console(file=sys.stdout) if sys.stdout.isatty() else Console(file=sys.stdout, width=_WIDE)
        if not watch:
            console.print(sessions_table(found))
            return
        try:
            _watch(console, path, found, interval)
        except KeyboardInterrupt:
            return


def _watch(console: Console, path: str | None, found: list[dict[str, Any]], interval: float) -> None:
    """Show the table again and again; ends with Ctrl-C, or with the server."""
    with Live(sessions_table(found), console=console, auto_refresh=False, screen=console.is_terminal) as live:
        looked = time.monotonic()
        while True:
            time.sleep(interval)
            before = {one["id"]: (one["octets"], one["seconds"]) for one in found}
            found, now = ask(path, command="sessions")["sessions"], time.monotonic()
            live.update(sessions_table(found, before, now - looked), refresh=True)
            looked = now


@click.command(short_help="End a session of the running server.")
@click.argument("number", metavar="ID", type=int)
@_where
def disconnect(number: int, path: str | None) -> None:
    """End the session of this number (see "twistftp sessions"): its transfer, if any, ends with 426, and the client is told 421."""
    with _one_line_errors("disconnect"):
        answer = ask(path, command="disconnect", id=number)
    click.echo(f"session {number} of {answer['user']} from {answer['client'] or 'an unknown address'} is ended")

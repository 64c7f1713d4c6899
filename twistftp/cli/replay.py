"""
``twistftp replay FILE``: a session that was captured, once more, in memory, and the first thing that is otherwise now.

Not here: the replay itself (``capsules.replay``).
"""

from __future__ import annotations

import click

from twistftp.cli.failing import one_line_errors

__all__ = ["replay"]


@click.command(short_help="Play a session that was written down, and show the first difference.")
@click.argument("file")
@click.option("--root", metavar="DIR", help="Take the files from this directory instead of the capsule.")
def replay(file: str, root: str | None) -> None:
    """
    Play a session that "twistd ftpsite --capture DIR" has written to FILE, in memory, and show the first difference.

    The site is one with the settings and files of the session; nothing is read but FILE (and DIR), nothing is written. What differs by
    its nature, such as passive ports, is passed over. Shown are the line of FILE, what was said before it, what was expected and what came.

    Exit status 0: all replies and octets are the same, as far as FILE goes; 1: something is not, or FILE cannot be used; 2: usage.
    """
    from twistftp.capsules.format import BadCapsule
    from twistftp.capsules.reading import read_capsule, store_of
    from twistftp.capsules.replay import play

    with one_line_errors("replay"):
        try:
            capsule = read_capsule(file)
            count, difference = play(capsule, store_of(root, float(capsule.header["time"])) if root is not None else None)
        except BadCapsule as error:
            click.echo(f"twistftp replay: {file}: {error}", err=True)
            raise SystemExit(1) from None
        except OSError as error:
            click.echo(f"twistftp replay: {error.filename}: {(error.strerror or str(error)).lower()}", err=True)
            raise SystemExit(1) from None
    lack = capsule.lack and f", as far as the capsule goes: {capsule.lack}"
    if difference is None:
        click.echo(f"same: {count} {'reply' if count == 1 else 'replies'}{lack}")
        return
    click.echo(f"{file}:{difference.line}: the first difference, at {difference.at:.3f} s, after {count} replies that are the same:")
    for line in difference.before:
        click.echo(f"    {line}")
    click.echo(f"  expected: {difference.expected}")
    click.echo(f"  got:      {difference.got}")
    raise SystemExit(1)

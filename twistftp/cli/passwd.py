"""
``twistftp passwd``: adds a user to a users file, changes a password, or takes a user out.

Not here: the form of the file (``accounts.users_file``), and how it is written (``accounts.saving``).
"""

from __future__ import annotations

import os
import sys
import unicodedata

import click

from twistftp.accounts.hashing import hash_password, password_trouble
from twistftp.accounts.saving import change
from twistftp.accounts.users_file import BadUsersFile, name_trouble, parse, with_user, without_user
from twistftp.cli.failing import one_line_errors
from twistftp.policy.settings import Authentication
from twistftp.roots import Place, file_trouble

__all__ = ["passwd"]


@click.command(short_help="Add a user to a users file, or change a password.")
@click.argument("file", type=click.Path(readable=False))
@click.argument("user")
@click.option("--delete", is_flag=True, help="Take the user out.")
def passwd(file: str, user: str, delete: bool) -> None:
    """
    Add USER to the users FILE, or give USER another password.

    The password is asked for twice where there is a terminal; else it is the first line of standard input. What is stored is its
    argon2id hash. A file that is not there is made, for its owner alone to read. "twistd ftpsite --users FILE" reads it, and
    notices changes by itself.
    """
    user = unicodedata.normalize("NFC", user)
    trouble = name_trouble(user)
    if not delete and not trouble and Authentication().is_anonymous(user):
        trouble = f"{user} is a name of the anonymous user, who needs no entry; choose another"
    if trouble:
        raise click.BadParameter(trouble, param_hint="USER")
    with one_line_errors("passwd"):
        try:
            said = _delete(file, user) if delete else _store(file, user)
        except OSError as error:
            raise BadUsersFile(f"{file}: {(error.strerror or str(error)).lower()}") from None
    click.echo(said)


def _store(file: str, user: str) -> str:
    _judge(file)  # before somebody types a password, twice
    password = _password()
    if trouble := password_trouble(password):
        raise BadUsersFile(trouble)
    encoded = hash_password(password)
    counts: list[int] = []

    def edit(content: bytes) -> bytes:
        changed = with_user(_good(file, content), user, encoded)
        counts.extend((len(parse(content)), len(parse(changed))))
        return changed

    change(file, edit)
    before, after = counts
    return f"{file}: {user} added" if after > before else f"{file}: password of {user} changed"


def _judge(file: str) -> None:
    """
    Whether the file can be a users file, or be made one.

    :raises BadUsersFile: it is none, or there is no place for it.
    :raises OSError: it cannot be read.
    """
    try:
        with open(file, "rb") as opened:
            _good(file, opened.read())
    except FileNotFoundError:
        if trouble := file_trouble(os.path.realpath(file), Place()):
            raise BadUsersFile(f"{file}: {trouble}") from None


def _delete(file: str, user: str) -> str:
    def edit(content: bytes) -> bytes:
        try:
            return without_user(_good(file, content), user)
        except KeyError:
            raise BadUsersFile(f"{file}: there is no user {user}") from None

    change(file, edit, may_create=False)
    return f"{file}: {user} taken out"


def _good(file: str, content: bytes) -> bytes:
    """The content, if it is that of a users file: no other file is to be changed."""
    try:
        parse(content)
    except BadUsersFile as error:
        raise BadUsersFile(f"{file}: {error}") from None
    return content


def _password() -> bytes:
    if sys.stdin is not None and sys.stdin.isatty():
        entered: str = click.prompt("Password", hide_input=True, confirmation_prompt="Once more", default="", show_default=False)
        return entered.encode("utf-8", "surrogateescape")
    return b"" if sys.stdin is None else sys.stdin.buffer.readline().rstrip(b"\r\n")

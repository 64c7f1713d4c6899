"""
The users file: one user a line, ``name:hash``; reading it as a whole, adding, changing and removing a line.

Not here: files on disk (``user_book`` reads, ``saving`` writes) and passwords (``hashing``).

Empty lines and lines that begin with ``#`` are comments. A name is UTF-8 in its composed form (NFC), case counts. A third field is
kept for later; today it is refused, so that nobody believes it to do something.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator

from attrs import frozen

__all__ = ["BadUsersFile", "User", "name_trouble", "parse", "with_user", "without_user"]

_LONGEST_NAME = 255  # octets; a home directory may be named after the user


class BadUsersFile(ValueError):
    """A users file cannot be used; the text is one line that names the line's number and the rule."""


@frozen
class User:
    """One user: the line's number, from 1, and the hash of the password."""

    line: int
    encoded: str


def name_trouble(name: str) -> str:
    """Why nobody can have this name in a users file, ``""`` if somebody can."""
    if not name:
        return "the name is empty"
    if not name.isprintable():
        return "a name has no control characters"
    if ":" in name or "/" in name or name in (".", ".."):
        return 'a name has no ":" and no "/" and is not "." or ".."'
    if name != name.strip(" "):
        return "a name neither begins nor ends with a blank"
    if name[0] in "#@" or "," in name or name in ("*", "?"):
        return 'a name does not begin with "#" or "@", holds no comma and is not "*" or "?", which mean something else in files and rules'
    if unicodedata.normalize("NFC", name) != name:
        return "the name is not in Unicode's composed form (NFC)"
    if len(name.encode()) > _LONGEST_NAME:
        return f"a name has at most {_LONGEST_NAME} octets"
    return ""


def _lines(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines that are no comments, with their numbers."""
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        line = line.rstrip(b" \t\r")
        if line and not line.lstrip(b" \t").startswith(b"#"):
            yield number, line


def parse(content: bytes, is_reserved: Callable[[str], bool] = lambda name: False) -> dict[str, User]:
    """
    The users of a file's content.

    :param is_reserved: whether a name is one of the anonymous user's.
    :raises BadUsersFile: a line breaks a rule.
    """
    from twistftp.accounts.hashing import hash_trouble  # and with it argon2; the rest of this module is for servers without users, too

    users: dict[str, User] = {}
    for number, line in _lines(content):
        try:
            name, *fields = line.decode("utf-8").split(":")
        except UnicodeDecodeError:
            raise BadUsersFile(f"line {number}: not UTF-8 text") from None
        trouble = name_trouble(name)
        if not trouble and len(fields) != 1:
            trouble = "must be NAME:HASH" if not fields else "must be NAME:HASH and nothing more"
        if not trouble and is_reserved(name):
            trouble = f"{name} is a name of the anonymous user; choose another"
        if not trouble and name in users:
            trouble = f"{name} is on line {users[name].line} already"
        if trouble := trouble or hash_trouble(fields[0]):
            raise BadUsersFile(f"line {number}: {trouble}")
        users[name] = User(number, fields[0])
    return users


def with_user(content: bytes, name: str, encoded: str) -> bytes:
    """The content with a line for this user, in place of the one there was, else at the end; all else stays as it is."""
    line = f"{name}:{encoded}".encode()
    user = parse(content).get(name)
    if user is not None:
        lines = content.split(b"\n")
        end = b"\r" if lines[user.line - 1].endswith(b"\r") else b""
        lines[user.line - 1] = line + end
        return b"\n".join(lines)
    if content and not content.endswith(b"\n"):
        content += b"\n"
    return content + line + b"\n"


def without_user(content: bytes, name: str) -> bytes:
    """
    The content without the line of this user.

    :raises KeyError: there is none.
    """
    number = parse(content)[name].line
    lines = content.split(b"\n")
    del lines[number - 1]
    return b"\n".join(lines)

"""
Path names on the wire and in the session: TVFS (RFC 3659 §6), octet-exact.

Not here: what lies behind a path (``storage``). A path is a tuple of names below the user's root; a name is text
in UTF-8 with surrogate escapes for octets that are not (RFC 2640 §2.2, PROTOCOL P-PATH-2).
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["Path", "decode_name", "encode_name", "glob_matcher", "is_glob", "join", "names_directory", "resolve", "strip_options"]

Path = tuple[str, ...]


def decode_name(octets: bytes) -> str:
    """Octets of a name to text; nothing is lost."""
    return octets.decode("utf-8", "surrogateescape")


def encode_name(name: str) -> bytes:
    """The inverse of :func:`decode_name`."""
    return name.encode("utf-8", "surrogateescape")


def resolve(cwd: Path, text: str) -> Path:
    """
    The path that ``text`` names from ``cwd``: ``/`` separates, ``.`` and ``..`` are resolved as text, ``..`` at the
    root stays there, repeated ``/`` collapse (PROTOCOL P-PATH-1).
    """
    names = [] if text.startswith("/") else list(cwd)
    for name in text.split("/"):
        if name == "..":
            del names[-1:]
        elif name not in ("", "."):
            names.append(name)
    return tuple(names)


_AS_DIRECTORY = re.compile(r"(?:\A|/)\.{0,2}\Z")


def names_directory(text: str) -> bool:
    """Whether ``text`` can only be a directory's: with ``/``, ``.`` or ``..`` at its end (PROTOCOL P-PATH-1)."""
    return text.endswith(("/", ".")) and _AS_DIRECTORY.search(text) is not None


def join(path: Path) -> str:
    """A path as the client writes it: absolute, ``/`` for the root."""
    return "/" + "/".join(path)


_OPTIONS = re.compile(r"(?:-[A-Za-z0-9]+(?: |\Z))*(?:--(?: |\Z))?")


def strip_options(text: str) -> str:
    """What remains of LIST's argument without leading ``-la`` words and one ``--`` (PROTOCOL P-LOPT-1)."""
    match = _OPTIONS.match(text)
    return text[match.end() :] if match else text


def is_glob(name: str) -> bool:
    """Whether a name, the last of a path, holds one of ``* ? [``."""
    return any(c in name for c in "*?[")


_LONGEST = 1024  # no name is that long, and a long pattern takes long to compile
_MEMBERS = re.compile(r"(.)-(.)|(.)", re.DOTALL)


def _one_of(body: str) -> str:
    """What stands between ``[`` and ``]`` as a regular expression; a range that runs backwards, ``z-a``, holds nothing."""
    negated = body[0] in "!^"
    members = ""
    for low, high, single in _MEMBERS.findall(body[negated:]):
        if single:
            members += re.escape(single)
        elif low <= high:
            members += f"{re.escape(low)}-{re.escape(high)}"
    if not members:
        return "." if negated else "(?!)"
    return f"[{'^' if negated else ''}{members}]"


def glob_matcher(pattern: str) -> Callable[[str], bool]:
    """
    A test for names by ``*``, ``?`` and ``[...]``. A leading dot must be matched by a dot (PROTOCOL P-GLOB-1).

    Time is bounded: what follows a ``*`` is taken where it is first found and never looked for again, and a pattern
    of more than 1024 characters matches nothing.
    """
    if len(pattern) > _LONGEST:
        return lambda name: False
    parts = [""]  # what stands before, between and after the runs of "*", each as long as what it matches
    position = 0
    while position < len(pattern):
        c = pattern[position]
        position += 1
        if c == "*":
            if parts[-1] or len(parts) == 1:
                parts.append("")
        elif c == "?":
            parts[-1] += "."
        elif c == "[" and (end := pattern.find("]", position + 1 + (pattern[position : position + 1] in ("!", "^")))) > 0:
            parts[-1] += _one_of(pattern[position:end])
            position = end + 1
        else:
            parts[-1] += re.escape(c)
    first, *others = parts
    found = "".join(f"(?>.*?{part})" for part in others[:-1])
    expression = re.compile(f"{first}{found}.*{others[-1]}" if others else first, re.DOTALL)
    hidden = pattern.startswith(".")
    return lambda name: (hidden or not name.startswith(".")) and expression.fullmatch(name) is not None

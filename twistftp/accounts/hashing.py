"""
Passwords as argon2id hashes: what is stored instead of a password, and whether a password is the one.

Not here: where hashes are kept (``users_file``), and threads. Everything here blocks for some 30 ms and takes 19 MiB meanwhile.
"""

from __future__ import annotations

import base64
import re
import secrets

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHash, VerificationError

__all__ = ["decoy_of", "hash_password", "hash_trouble", "is_password", "password_trouble"]

# OWASP's first choice for argon2id. Threads inside one computation would only take the processors from other logins.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1, type=Type.ID)
_MOST_MEMORY = 65536  # KiB; the default of argon2's own tools. Several are computed at a time.
_MOST_WORK = 4 * 65536  # KiB times rounds: about a third of a second
_FORM = re.compile(r"\$argon2(?:id|i|d)\$v=\d+\$m=\d+,t=\d+,p=\d+\$([A-Za-z0-9+/]{11,})\$([A-Za-z0-9+/]{16,})", re.ASCII)
_LONGEST_PASSWORD = 512  # octets; must fit into a command line before any login


def password_trouble(password: bytes) -> str:
    """Why this cannot be anybody's password, ``""`` if it can. FTP cannot send line ends."""
    if not password:
        return "the password is empty"
    if any(octet in password for octet in (b"\0", b"\r", b"\n")):
        return "a password has no line ends and no NUL"
    return f"a password has at most {_LONGEST_PASSWORD} octets" if len(password) > _LONGEST_PASSWORD else ""


def hash_password(password: bytes) -> str:
    """A hash of the password, with a new salt."""
    return _HASHER.hash(password)


def hash_trouble(encoded: str) -> str:
    """Why this is no hash that passwords can be held against, ``""`` if it is one."""
    match = _FORM.fullmatch(encoded)
    if match is None:
        return 'the hash is none of argon2, as "twistftp passwd" makes them (those of htpasswd or crypt cannot be used)'
    try:
        parameters = extract_parameters(encoded)
        is_whole = all(base64.b64encode(base64.b64decode(part + "=" * (-len(part) % 4))).rstrip(b"=") == part.encode() for part in match.groups())
    except (InvalidHash, ValueError):
        is_whole = False
    if not is_whole:
        return "the hash is damaged"
    if parameters.memory_cost > _MOST_MEMORY or parameters.memory_cost * parameters.time_cost > _MOST_WORK:
        return f"the hash costs more than this server will spend ({_MOST_MEMORY // 1024} MiB of memory, {_MOST_WORK // _MOST_MEMORY} rounds over it)"
    return ""


def is_password(encoded: str, password: bytes) -> bool:
    """Whether ``password`` is the one that was hashed. Takes as long for a wrong one."""
    try:
        return _HASHER.verify(encoded, password)
    except (VerificationError, InvalidHash):
        return False


def decoy_of(encoded: str | None) -> str:
    """A hash of no password, which costs as much to compare with as ``encoded`` does, or as new ones do."""
    start = encoded.rsplit("$", 2)[0] if encoded else f"$argon2id$v=19$m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    salt, digest = (encoded.rsplit("$", 2)[1:] if encoded else ("A" * 22, "A" * 43))
    return f"{start}${_noise(len(salt))}${_noise(len(digest))}"


def _noise(length: int) -> str:
    """So many characters of base64 without padding, whose last one ends at a whole octet."""
    return secrets.token_urlsafe(length).replace("-", "+").replace("_", "/")[: length - 1] + "A"

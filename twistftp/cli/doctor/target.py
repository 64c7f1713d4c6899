"""
What the doctor is asked to look at: a URL taken apart.

Not here: whether the host exists. No message of this module repeats the URL, because it may hold a password.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from attrs import field, frozen

__all__ = ["PORTS", "Target", "TargetError", "parse_ports", "parse_target"]

PORTS = {"ftp": 21, "ftpes": 21, "ftps": 990}
"""The schemes and their usual ports: plain FTP, TLS after AUTH (explicit), TLS from the first octet (implicit)."""

ANONYMOUS = "anonymous"
_ADDRESS = "doctor@"
"""What anonymous users say instead of a password (RFC 1635)."""


_ESCAPES = "/ ? # and @ in a user name or password are written as %2F %3F %23 and %40"


class TargetError(ValueError):
    """A URL or a range of ports is not what it should be; the text says why, without repeating a password."""


@frozen
class Target:
    """
    A server and a user. ``password`` is ``None`` where the URL has none; ``path`` is a directory (``""``: where the login leads).
    """

    scheme: str
    host: str
    port: int
    user: str = ANONYMOUS
    password: str | None = field(default=None, repr=False)
    path: str = ""

    @property
    def is_anonymous(self) -> bool:
        """Whether there is no password to be careful with: an anonymous user, and none in the URL."""
        return self.password is None and self.user.lower() in {ANONYMOUS, "ftp"}

    @property
    def secret(self) -> str:
        """What must not be printed; ``""``: nothing."""
        return self.password or ""

    @property
    def sent_password(self) -> str:
        """What PASS says."""
        return _ADDRESS if self.is_anonymous else self.password or ""

    @property
    def is_address(self) -> bool:
        """Whether the host is an IP address and no name."""
        try:
            ip_address(self.host.partition("%")[0])
        except ValueError:
            return False
        return True


def parse_target(url: str) -> Target:
    """
    ``ftp://[USER[:PASSWORD]@]HOST[:PORT][/DIRECTORY]``, also ``ftps://`` and ``ftpes://``; ``%``-escapes are undone.

    :raises TargetError: it is something else.
    """
    if any(ord(character) < 33 or ord(character) == 127 for character in url):
        raise TargetError("a URL has no blanks and control characters; write them as %20 and so on")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise TargetError(f"the host or the port is wrong; an IPv6 address stands in brackets, as in ftp://[2001:db8::1]:21; {_ESCAPES}") from None
    if parts.scheme not in PORTS:
        raise TargetError("a URL begins with ftp://, ftpes:// (TLS after AUTH) or ftps:// (TLS from the first octet)")
    if parts.query or parts.fragment:
        raise TargetError(_ESCAPES)
    host = unquote(host)  # the zone of fe80::1%25eth0
    if not host.isprintable():
        raise TargetError("a host name has no control characters")
    if not host:
        raise TargetError("the URL names no host")
    if port == 0:
        raise TargetError("port 0 cannot be connected to")
    try:
        user, password, path = (unquote(text, errors="strict") for text in (parts.username or "", parts.password or "", parts.path))
    except UnicodeDecodeError:
        raise TargetError("%-escapes that are not UTF-8") from None
    if any(character in text for text in (user, password, path) for character in "\r\n\0"):
        raise TargetError("line ends and NUL (%0D, %0A, %00) cannot be sent in FTP")
    return Target(
        scheme=parts.scheme,
        host=host,
        port=port or PORTS[parts.scheme],
        user=user or ANONYMOUS,
        password=None if parts.password is None else password,
        path=path.removeprefix("/"),
    )


def parse_ports(text: str) -> range:
    """
    ``LOW-HIGH`` or ``N``, both ends included.

    :raises TargetError: it is something else.
    """
    low, dash, high = text.partition("-")
    numbers = [part for part in (low, high if dash else low) if part.isascii() and part.isdigit() and len(part) <= 5]
    if len(numbers) < 2 or not 1 <= int(numbers[0]) <= int(numbers[1]) <= 65535:
        raise TargetError(f"--ports {text}: a range of ports is LOW-HIGH or N, from 1 to 65535")
    return range(int(numbers[0]), int(numbers[1]) + 1)

"""
The header of the PROXY protocol, versions 1 and 2: which octets are its own, and what it announces.

Not here: whose header is believed (``policy.proxying``) and the connection that it comes on (``herald``). The reading is Twisted's; this
gives its parsers whole headers of bounded size, and believes nothing in them that is no address.

The specification is HAProxy's ``doc/proxy-protocol.txt``; § below are its sections.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from attrs import frozen
from twisted.internet import address
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._v2parser import V2Parser

__all__ = ["LONGEST", "Announced", "BadHeader", "HeaderReader"]

LONGEST = 4096
"""Octets of the longest header of version 2 that is read; the addresses take 52, the rest is for what others have added (TLVs)."""
_LONGEST_1 = 107  # §2.1, the line's end included
_SIGNATURE_1 = b"PROXY "
_SIGNATURE_2: bytes = V2Parser.PREFIX
_FIXED_2 = 16  # octets of version 2 up to the addresses; the last two are the length of what follows
_FAMILIES: dict[type, type] = {address.IPv4Address: IPv4Address, address.IPv6Address: IPv6Address}


class BadHeader(Exception):
    """The octets are no PROXY header, or none that can be used; the text says why, for the log."""


@frozen
class Announced:
    """
    What a header says: who the client is, and to which address it connected; ports with them.

    Both are ``None`` when the balancer speaks for itself (§2.1 ``UNKNOWN``, §2.2 ``LOCAL``), as it does in health checks.
    """

    source: Any = None
    destination: Any = None


class HeaderReader:
    """Reads one header, however the network has cut it."""

    __slots__ = ("_octets",)

    def __init__(self) -> None:
        self._octets = b""

    @property
    def has_begun(self) -> bool:
        """Whether there was an octet of a header."""
        return bool(self._octets)

    def share(self, data: bytes) -> int:
        """
        How many of the octets that come next belong to the header.

        :raises BadHeader: they cannot.
        """
        octets = self._octets + data
        return min(_size(octets) or len(octets), len(octets)) - len(self._octets)

    def feed(self, data: bytes) -> tuple[Announced, bytes] | None:
        """
        Take octets; once the header is whole, what it says and the octets behind it.

        :raises BadHeader: it cannot be used.
        """
        self._octets += data
        size = _size(self._octets)
        if not size or len(self._octets) < size:
            return None
        return _parsed(self._octets[:size]), self._octets[size:]


def _size(octets: bytes) -> int:
    """How long the header is that begins so; 0: that cannot be told yet."""
    if octets[: len(_SIGNATURE_1)] == _SIGNATURE_1[: len(octets)]:
        end = octets.find(b"\r\n", 0, _LONGEST_1)
        if end < 0 and len(octets) >= _LONGEST_1:
            raise BadHeader(f"its PROXY header is longer than {_LONGEST_1} octets")
        return end + 2 if end >= 0 else 0
    if octets[: len(_SIGNATURE_2)] != _SIGNATURE_2[: len(octets)]:
        raise BadHeader("it does not begin with a PROXY header")
    if len(octets) < _FIXED_2:
        return 0
    size = _FIXED_2 + int.from_bytes(octets[_FIXED_2 - 2 : _FIXED_2], "big")
    if size > LONGEST:
        raise BadHeader(f"its PROXY header is longer than {LONGEST} octets")
    return size


def _parsed(header: bytes) -> Announced:
    is_1 = header.startswith(_SIGNATURE_1)
    if is_1 and header.startswith((b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ")):
        return Announced()  # the short form is what HAProxy's checks send, and Twisted's parser refuses it
    try:
        info, _ = (V1Parser() if is_1 else V2Parser()).feed(header)
    except Exception as error:  # whatever is wrong in there: a port that is no number is a ValueError, an octet above 127 a UnicodeDecodeError
        raise BadHeader("its PROXY header cannot be read") from error
    if info is None:
        raise BadHeader("its PROXY header cannot be read")
    source, destination = info.source, info.destination
    if source is None or destination is None or isinstance(source, address.UNIXAddress):
        return Announced()  # §2.2: of an unknown or other family; the connection's own addresses stand
    for one in (source, destination):
        _check(one)
    if is_1 and header != _line_of(source, destination):
        raise BadHeader("its PROXY header is not in the form of version 1")  # leading zeros (§2.1), signs, more fields
    return Announced(source, destination)


def _check(end: Any) -> None:
    """Twisted's parsers take any text for an address and any number for a port."""
    try:
        parsed = ip_address(end.host)
    except ValueError:
        parsed = None
    if type(parsed) is not _FAMILIES.get(type(end)) or "%" in end.host or end.type != "TCP" or not 0 <= end.port <= 65535:
        raise BadHeader("its PROXY header names no addresses of TCP")


def _line_of(source: Any, destination: Any) -> bytes:
    family = "TCP4" if isinstance(source, address.IPv4Address) else "TCP6"
    return f"PROXY {family} {source.host} {destination.host} {source.port} {destination.port}\r\n".encode()

"""
Addresses and ports as FTP writes them: PORT, EPRT, 227 and 229.

Not here: which address a client may name or is told (``policy``); nothing is resolved or connected to.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

__all__ = [
    "AddressError",
    "FamilyNotSupported",
    "encode_227",
    "encode_229",
    "fold_address",
    "is_ipv6",
    "is_loopback",
    "is_unusable_target",
    "parse_eprt",
    "parse_port",
]


class AddressError(ValueError):
    """The argument of PORT or EPRT is not an address; the text says what is wrong."""


class FamilyNotSupported(AddressError):
    """EPRT or EPSV names a network protocol other than 1 (IPv4) and 2 (IPv6): 522 (RFC 2428 §2)."""


def fold_address(host: str) -> str:
    """
    The plain form of an address: ``::ffff:192.0.2.7`` is the IPv4 address ``192.0.2.7`` (PROTOCOL P-TW-10).

    A zone (``fe80::1%eth0``) is kept; text that is no address is given back as it is.
    """
    return _folded(host) if ":" in host else host


_MAPPED = "::ffff:"  # as systems write it


@lru_cache(maxsize=1024)
def _folded(host: str) -> str:
    """To parse an IPv6 address costs a tenth of a login, and a server that listens on all addresses is told its IPv4 clients in this form."""
    if host.startswith(_MAPPED):
        with suppress(ValueError):
            return str(IPv4Address(host[len(_MAPPED) :]))
    address, percent, zone = host.partition("%")
    try:
        parsed = IPv6Address(address)
    except ValueError:
        return host
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{parsed}{percent}{zone}"


# RFC 959 §5.3.2: <host-port> = h1,h2,h3,h4,p1,p2, each a decimal octet. Blanks after the commas are
# tolerated (PROTOCOL P-PORT-1).
_HOST_PORT = re.compile(r"(\d{1,3})" + r", *(\d{1,3})" * 5, re.ASCII)


def parse_port(text: str) -> tuple[str, int]:
    """
    The address and port of PORT's ``h1,h2,h3,h4,p1,p2`` (RFC 959 §5.3.2).

    :raises AddressError: it is not six numbers from 0 to 255.
    """
    match = _HOST_PORT.fullmatch(text)
    numbers = [int(group) for group in match.groups()] if match else []
    if not numbers or max(numbers) > 255:
        raise AddressError("six numbers from 0 to 255 are needed")
    return ".".join(map(str, numbers[:4])), numbers[4] * 256 + numbers[5]


_FAMILIES: dict[str, type[IPv4Address] | type[IPv6Address]] = {"1": IPv4Address, "2": IPv6Address}


def parse_eprt(text: str) -> tuple[str, int]:
    """
    The address and port of EPRT's ``<d>family<d>address<d>port<d>`` (RFC 2428 §2).

    ``<d>`` is whatever printable character comes first. The address is given in its plain, folded form.

    :raises FamilyNotSupported: the family is a number other than 1 and 2.
    :raises AddressError: anything else is wrong.
    """
    if not text or not 33 <= ord(text[0]) <= 126:
        raise AddressError("a delimiter is needed first, as in |1|192.0.2.7|5000|")
    parts = text.split(text[0])
    if len(parts) != 5 or parts[0] or parts[4]:
        raise AddressError("three fields between delimiters are needed, as in |1|192.0.2.7|5000|")
    _, family, host, port, _ = parts
    if not (family.isascii() and family.isdigit()):
        raise AddressError("the network protocol must be a number, 1 or 2")
    if family not in _FAMILIES:
        raise FamilyNotSupported("network protocol not supported")
    try:
        address = _FAMILIES[family](host)
        if "%" in host:  # a zone means something on the client's own machine only (PROTOCOL P-EPRT-1)
            raise ValueError
    except ValueError:
        raise AddressError(f"not an {'IPv4' if family == '1' else 'IPv6'} address") from None
    if not (port.isascii() and port.isdigit() and 1 <= len(port) <= 5 and 1 <= int(port) <= 65535):
        raise AddressError("the port must be 1 to 65535")
    return fold_address(str(address)), int(port)


def encode_227(host: str, port: int) -> str:
    """
    The text of the 227 reply. The form is exact: conntrack's helper and old clients read no other (PROTOCOL P-PB-1, P-PB-2).

    :param host: an IPv4 address.
    """
    return f"Entering Passive Mode ({host.replace('.', ',')},{port >> 8},{port & 255})."


def encode_229(port: int) -> str:
    """The text of the 229 reply (RFC 2428 §3, PROTOCOL P-PB-3)."""
    return f"Entering Extended Passive Mode (|||{port}|)"


def is_ipv6(host: str) -> bool:
    """Whether a folded address is a real IPv6 one."""
    return ":" in host


def is_loopback(host: str) -> bool:
    """Whether a folded address, given in its plain form, leads back to the machine itself."""
    return ip_address(host).is_loopback


def is_unusable_target(host: str) -> bool:
    """Whether no data connection may ever go to this address: unspecified or multicast (PROTOCOL P-DC-15)."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return True
    return address.is_unspecified or address.is_multicast

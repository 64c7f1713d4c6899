"""
Headers of the PROXY protocol, written from its specification and not with the code that reads them.

Not here: sending them.
"""

from __future__ import annotations

import struct
from ipaddress import ip_address

__all__ = ["SIGNATURE", "VERSIONS", "local_2", "version_1", "version_2"]

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def version_1(source: str, destination: str = "203.0.113.7", ports: tuple[int, int] = (40000, 21)) -> bytes:
    """A client's header in version 1."""
    family = "TCP6" if ":" in source else "TCP4"
    return f"PROXY {family} {source} {destination} {ports[0]} {ports[1]}\r\n".encode()


def version_2(source: str, destination: str = "203.0.113.7", ports: tuple[int, int] = (40000, 21), more: bytes = b"", transport: int = 1) -> bytes:
    """
    A client's header in version 2.

    :param more: TLVs behind the addresses.
    :param transport: 1 TCP, 2 UDP.
    """
    addresses = ip_address(source).packed + ip_address(destination).packed + struct.pack("!HH", *ports) + more
    return SIGNATURE + struct.pack("!BBH", 0x21, (0x20 if ":" in source else 0x10) | transport, len(addresses)) + addresses


def local_2(rest: bytes = b"") -> bytes:
    """A header of version 2 in which the balancer speaks for itself."""
    return SIGNATURE + struct.pack("!BBH", 0x20, 0, len(rest)) + rest


VERSIONS = (version_1, version_2)

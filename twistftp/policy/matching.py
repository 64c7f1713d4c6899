"""
Whose connection may take a lease on a passive port: that of the client's address, of its network, or anybody's.

Not here: ports and leases (``transport``). A rule is a pair of prefix lengths, so all three are one kind of thing.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address, ip_network

from attrs import field, frozen

__all__ = ["ANY", "EXACT", "PeerMatch"]


@frozen
class PeerMatch:
    """
    Two addresses match when they share this many leading bits; ``0/0`` matches any two.

    :raises ValueError: the lengths are not possible ones.
    """

    ipv4: int = 32
    ipv6: int = 128
    is_exact: bool = field(init=False, repr=False, eq=False)
    """Whether only the very address matches."""

    @is_exact.default
    def _is_exact(self) -> bool:
        return self.ipv4 == 32 and self.ipv6 == 128

    def __attrs_post_init__(self) -> None:
        if not (0 <= self.ipv4 <= 32 and 0 <= self.ipv6 <= 128) or (self.ipv4 == 0) != (self.ipv6 == 0):
            raise ValueError("prefix lengths are 1 to 32 for IPv4 and 1 to 128 for IPv6")

    @classmethod
    def parse(cls, value: bool | str) -> PeerMatch:
        """
        Read ``match_client_address_for_pasv``: true, false, or ``"24/64"``.

        :raises ValueError: it is none of these.
        """
        if isinstance(value, bool):
            return EXACT if value else ANY
        ipv4, _, ipv6 = value.partition("/")
        if not all(part.isascii() and part.isdigit() and len(part) <= 3 for part in (ipv4, ipv6)) or not int(ipv4) or not int(ipv6):
            raise ValueError('must be true, false, or prefix lengths for IPv4 and IPv6 such as "24/64"')
        return cls(int(ipv4), int(ipv6))

    def network(self, address: str) -> str:
        """What all addresses that match ``address`` have in common, as text: the address, its network, or ``*``."""
        return address if self.is_exact else "*" if not self.ipv4 else _network(address, self.ipv4, self.ipv6)

    def admits(self, client: str, peer: str) -> bool:
        """Whether a connection from ``peer`` may take a lease of ``client``; both are folded addresses."""
        return client == peer or (not self.is_exact and self.network(client) == self.network(peer))

    def overlaps(self, client: str, other: PeerMatch, other_client: str) -> bool:
        """Whether some address would fit a lease of ``client`` under this rule and one of ``other_client`` under the other."""
        if self.is_exact and other.is_exact:
            return client == other_client
        wider = PeerMatch(min(self.ipv4, other.ipv4), min(self.ipv6, other.ipv6))
        return wider.admits(client, other_client)


@lru_cache(4096)
def _network(address: str, ipv4: int, ipv6: int) -> str:
    plain = address.partition("%")[0]
    try:
        return str(ip_network((plain, ipv4 if ip_address(plain).version == 4 else ipv6), strict=False))
    except ValueError:
        return address  # no IP address: only itself


EXACT = PeerMatch()
ANY = PeerMatch(0, 0)

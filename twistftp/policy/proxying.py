"""
Which peers are load balancers that announce their clients by the PROXY protocol, and are believed.

Not here: reading what they announce (``transport.proxy_header``) and waiting for it (``transport.herald``).
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from attrs import frozen

__all__ = ["NOBODY", "Proxies"]


@frozen(cache_hash=True)
class Proxies:
    """The networks of ``proxy_from``. A peer in them gets no service without a header; a header from anybody else is not believed."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def alone(cls, address: str) -> Proxies:
        """One peer and no other; a zone is left out, for a network has none."""
        try:
            return cls((ip_network(address.partition("%")[0]),))
        except ValueError:
            return NOBODY

    def __bool__(self) -> bool:
        return bool(self.networks)

    def __contains__(self, address: object) -> bool:
        """Whether a folded address (``wire.addresses.fold_address``) is that of a balancer."""
        return bool(self.networks) and _contains(self, str(address))

    def may_speak_from(self, network: str) -> bool:
        """Whether a balancer may have an address of a lease's client network (``PeerMatch.network``): an address, a network or ``*``."""
        return bool(self.networks) and _overlaps(self, network)


NOBODY = Proxies()


@lru_cache(4096)
def _contains(proxies: Proxies, address: str) -> bool:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return any(parsed in network for network in proxies.networks)


@lru_cache(4096)
def _overlaps(proxies: Proxies, network: str) -> bool:
    if network == "*":
        return True
    try:
        parsed = ip_network(network.partition("%")[0])
    except ValueError:
        return False
    return any(parsed.version == one.version and parsed.overlaps(one) for one in proxies.networks)  # type: ignore[arg-type]

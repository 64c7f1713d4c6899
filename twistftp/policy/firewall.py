"""
The address and port that a client is told for its passive data connection, from what the settings say about its network.

Not here: the settings (``firewall_support``), asking DNS (``transport.resolver``), writing 227 and 229 (``wire.addresses``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from twistftp.policy.channels import PortRange
from twistftp.policy.firewall_support import INTERNAL_NETWORKS, SiteFirewallSupport, is_address
from twistftp.policy.matching import PeerMatch
from twistftp.wire.addresses import fold_address

__all__ = ["advertised", "client_network", "is_internal", "is_private", "lacks_external_address"]

_CARRIER_GRADE_NAT = "100.64.0.0/10"
_PRIVATE = tuple(ip_network(text) for text in (*INTERNAL_NETWORKS, _CARRIER_GRADE_NAT))
_ONE_LINE = PeerMatch(24, 64)


def advertised(settings: SiteFirewallSupport, local: str, peer: str, port: int, resolved: Mapping[str, str], ports: PortRange) -> tuple[str, int]:
    """
    What a client is told: the entry for its network, else the local address if it is inside, else the external address.

    The port that a port-mapping NAT shows outside goes to all clients that are not internal (PROTOCOL P-PB-11, P-PB-12, P-PB-13).

    :param local: the control connection's own address; told where nothing else is known. To IPv6 clients it is the only one.
    :param peer: the client's address.
    :param port: the port that listens.
    :param resolved: the latest address of each external name that has been found.
    :param ports: the data channel port range.
    """
    if not (settings.external_address or settings.external_addresses or settings.external_ports):
        return local, port
    client = _parsed(peer)
    is_inside = client is None or _is_in(client, settings.internal_networks)
    mapped = settings.external_ports
    if mapped is not None and not is_inside and port in ports and len(mapped) == len(ports):
        port += mapped.low - ports.low
    if ":" in fold_address(local):
        return local, port
    own = next((address for network, address in settings.external_addresses if isinstance(client, IPv4Address) and client in network), "")
    address = own or ("" if is_inside else settings.external_address)
    if address and not is_address(address):
        address = resolved.get(address, "")
    return address or local, port


def is_internal(settings: SiteFirewallSupport, peer: str) -> bool:
    """Whether a client is in one of the internal networks; so is one without an IP address."""
    client = _parsed(peer)
    return client is None or _is_in(client, settings.internal_networks)


@lru_cache(4096)
def is_private(address: str) -> bool:
    """Whether the Internet has no way to this address: private, loopback, link-local, or a carrier's own (RFC 6598)."""
    parsed = _parsed(address)
    return parsed is not None and _is_in(parsed, _PRIVATE)


def lacks_external_address(settings: SiteFirewallSupport, address: str, peer: str) -> bool:
    """Whether a client from the Internet was told an address that only this side of a NAT can use, for want of an external one."""
    return not settings.external_address and is_private(address) and not is_private(peer) and not is_internal(settings, peer)


@lru_cache(4096)
def client_network(peer: str) -> str:
    """The network of a client that stands for all its neighbours in the log: /24 or /64."""
    return _ONE_LINE.network(fold_address(peer))


def _is_in(address: IPv4Address | IPv6Address, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    return any(address in network for network in networks)


@lru_cache(4096)
def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(fold_address(address).partition("%")[0])
    except ValueError:
        return None

"""
FTP Firewall Support: the settings of ``[firewall_support]`` and ``[site.firewall_support]``, and their rules.

Not here: what follows from them for one client (``firewall``), and which of them ask for trouble (``traps``).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from attrs import Attribute, field, frozen

from twistftp.policy.channels import DYNAMIC, PortRange
from twistftp.policy.matching import PeerMatch
from twistftp.policy.proxying import NOBODY, Proxies
from twistftp.policy.rules import BadSetting, is_host_name, port_number

__all__ = [
    "INTERNAL_NETWORKS",
    "AddressTable",
    "FirewallSupport",
    "Network",
    "Networks",
    "SiteFirewallSupport",
    "is_address",
    "read_networks",
    "unusable",
]

Network = IPv4Network | IPv6Network
Networks = tuple[Network, ...]
AddressTable = tuple[tuple[IPv4Network, str], ...]

INTERNAL_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "fc00::/7", "fe80::/10", "::1/128")
"""Exactly these: Python's ``is_private`` counts documentation and other special ranges, too."""

_FORM = 'must be an IPv4 address or a DNS name, such as "203.0.113.7" or "ftp.example.org"'


def is_address(text: str) -> bool:
    """Whether an external address that passed its rule is an IPv4 address, not a name: no name ends in a number."""
    return text.rpartition(".")[2].isdigit()


def unusable(address: str) -> str:
    """Why no client could connect to this IPv4 address, ``""`` if one might."""
    parsed = ipaddress.IPv4Address(address)
    if parsed.is_unspecified or parsed in _THIS_NETWORK:
        return "0.0.0.0 is no address to connect to"
    if parsed.is_loopback:
        return "a loopback address leads clients to themselves"
    if parsed.is_multicast or parsed == _BROADCAST:
        return "a multicast or broadcast address is no address to connect to"
    return ""


_THIS_NETWORK = IPv4Network("0.0.0.0/8")
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")


def _external_address(name: str, value: str, shown: str | None = None) -> None:
    if ":" in value:
        raise BadSetting(name, shown or value, f"{_FORM}; IPv6 clients use EPSV, whose reply has no address")
    if is_address(value):
        try:
            trouble = unusable(value)
        except ValueError:
            trouble = _FORM
        if trouble:
            raise BadSetting(name, shown or value, trouble)
    elif not is_host_name(value):
        raise BadSetting(name, shown or value, _FORM)


def _external(instance: object, attribute: Attribute[str], value: str) -> None:
    if value:
        _external_address(attribute.name, value)


def _read_network(name: str, text: object, shown: object = None) -> Network:
    if isinstance(text, (IPv4Network, IPv6Network)):
        return text
    try:
        return ipaddress.ip_network(str(text))
    except ValueError:
        pass
    try:
        meant = f"; did you mean {ipaddress.ip_network(str(text), strict=False)}?"
    except ValueError:
        meant = ""
    raise BadSetting(name, shown or text, f'must be a network such as "10.0.0.0/8" or "fc00::/7"{meant}')


def read_networks(name: str, value: Iterable[object]) -> Networks:
    """
    The networks that the setting ``name`` lists.

    :raises BadSetting: one is none.
    """
    return tuple(_read_network(name, one) for one in value)


def _networks(value: Iterable[object]) -> Networks:
    return tuple(_read_network("internal_networks", one) for one in value)


def _proxies(value: Iterable[object]) -> Networks:
    return tuple(_read_network("proxy_from", one) for one in value)


def _table(value: Mapping[Any, str] | AddressTable) -> AddressTable:
    """The most specific network comes first, for that one decides."""
    found: dict[IPv4Network, str] = {}
    for key, address in value.items() if isinstance(value, Mapping) else value:
        shown = f"{key}={address}"
        network = _read_network("external_addresses", key, shown)
        if not isinstance(network, IPv4Network):
            raise BadSetting("external_addresses", shown, "must be a network of IPv4 clients: only the reply to PASV tells an address")
        _external_address("external_addresses", address, shown)
        found[network] = address
    return tuple(sorted(found.items(), key=lambda pair: (-pair[0].prefixlen, pair[0])))


def _external_ports(instance: object, attribute: Attribute[Any], value: PortRange | None) -> None:
    if value is not None and value.is_dynamic:
        raise BadSetting(attribute.name, str(value), "must be a range such as 60000-60100, as large as the passive ports; not 0-0")


def _match(instance: object, attribute: Attribute[Any], value: bool | str) -> None:
    try:
        PeerMatch.parse(value)
    except ValueError as error:
        raise BadSetting(attribute.name, value, str(error)) from None


@frozen
class FirewallSupport:
    """``[firewall_support]``, FTP Firewall Support at server level: one range for all sites of the process."""

    data_channel_port_range: PortRange = DYNAMIC


@frozen
class SiteFirewallSupport:
    """
    ``[site.firewall_support]``: data channel rules of one site.

    Networks may be given as text, ``external_addresses`` as a mapping from client network to address or name.
    """

    external_address: str = field(default="", validator=_external)
    external_addresses: AddressTable = field(default=(), converter=_table)
    external_ports: PortRange | None = field(default=None, validator=_external_ports)
    internal_networks: Networks = field(default=INTERNAL_NETWORKS, converter=_networks)
    match_client_address_for_pasv: bool | str = field(default=True, validator=_match)
    match_client_address_for_port: bool = True
    active_mode: bool = True
    active_port: int = field(default=20, validator=port_number)
    proxy_from: Networks = field(default=(), converter=_proxies)

    @cached_property
    def peer_match(self) -> PeerMatch:
        """Whose connections may take a lease."""
        return PeerMatch.parse(self.match_client_address_for_pasv)

    @cached_property
    def proxies(self) -> Proxies:
        """The peers whose PROXY headers are believed."""
        return Proxies(self.proxy_from) if self.proxy_from else NOBODY

    @property
    def external_names(self) -> frozenset[str]:
        """The DNS names among the external addresses."""
        addresses = {self.external_address, *(address for _, address in self.external_addresses)} - {""}
        return frozenset(address for address in addresses if not is_address(address))

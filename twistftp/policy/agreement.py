"""
What settings that are good one by one must be together: sites in each other's way, passive ports and who needs them.

Not here: each value's own rule (``settings``), what must hold on this machine (``configuration``), and what is allowed but asks for trouble
(``traps``).
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from attrs import frozen

from twistftp.policy.channels import PortRange
from twistftp.policy.settings import ServerSettings, SiteSettings

__all__ = ["Disagreement", "disagreements"]


@frozen
class Disagreement:
    """A ``value`` that cannot be, beside others; ``where`` it is in the document, as ``structuring.Where``."""

    where: tuple[str | int, ...]
    value: object
    rule: str


def disagreements(settings: ServerSettings) -> Iterator[Disagreement]:
    """All there are, in the order of the file."""
    ports = settings.firewall_support.data_channel_port_range
    for number, site in enumerate(settings.sites):
        yield from _mapped(number, site, ports)
        for other in settings.sites[:number]:
            yield from _beside(number, site, other)
    yield from _ports_for_data(settings, ports)


def _mapped(number: int, site: SiteSettings, ports: PortRange) -> Iterator[Disagreement]:
    """A NAT maps port by port."""
    mapped = site.firewall_support.external_ports
    if mapped is not None and len(mapped) != len(ports):
        rule = f"must be as many ports as the passive ports {ports}" if len(ports) else "needs passive ports other than 0-0, and as many"
        yield Disagreement(("site", number, "firewall_support", "external_ports"), str(mapped), rule)


def _beside(number: int, site: SiteSettings, other: SiteSettings) -> Iterator[Disagreement]:
    """Two sites; those with host names may share a port."""
    if site.name == other.name:
        yield Disagreement(("site", number, "name"), site.name, "another site has this name; give each its own")
    if not (site.auto_start and other.auto_start) or site.listen or other.listen or site.port != other.port or not site.port:
        return
    if site.address == other.address:
        if site.host_name.lower() == other.host_name.lower() or site.tls.implicit is not other.tls.implicit:
            rule = f"site {other.name!r} listens there already; change port or address, or give each a host name"
            yield Disagreement(("site", number, "port"), site.port, rule)
    elif _covers(other.address, site.address) or _covers(site.address, other.address):
        place = "all addresses" if _covers(other.address, site.address) else other.address
        rule = f"site {other.name!r} listens on port {other.port} of {place} already; give each an address of its own, or another port"
        yield Disagreement(("site", number, "address"), site.address, rule)


def _covers(one: str, other: str) -> bool:
    """Whether a socket on the first address leaves no port on the second: all of ours are, or all IPv4 ones."""
    everywhere = ip_address(one or "::")
    return everywhere.is_unspecified and (everywhere.version == 6 or not other or ip_address(other).version == 4)


def _ports_for_data(settings: ServerSettings, ports: PortRange) -> Iterator[Disagreement]:
    """Control ports are never given to a data connection, and each worker needs ports of its own."""
    where = ("firewall_support", "data_channel_port_range")
    if not len(ports):
        return
    control = {site.port for site in settings.sites if not site.listen}
    usable = sum(port not in control for port in range(ports.low, ports.high + 1))
    if not usable:
        yield Disagreement(where, str(ports), "holds control ports alone; none is left for data")
    elif usable < settings.workers:
        rule = f"has {usable} usable ports for {settings.workers} workers; each worker needs at least one of its own"
        yield Disagreement(where, str(ports), rule)

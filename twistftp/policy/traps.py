"""
Settings that are allowed and still ask for trouble, each in one line that says what will happen and what to do.

Not here: values that are refused (the settings' own rules, ``configuration``), and who is told (the log, ``twistftp check``).
"""

from __future__ import annotations

from collections.abc import Iterator

from twistftp.policy.channels import PortRange
from twistftp.policy.firewall import is_private
from twistftp.policy.firewall_support import is_address
from twistftp.policy.settings import ServerSettings, SiteSettings

__all__ = ["traps"]


def traps(settings: ServerSettings, dynamic: PortRange | None) -> list[str]:
    """
    What to warn of, one line each.

    :param dynamic: the system's own range for outgoing connections, ``None`` where it is not known.
    """
    ports = settings.firewall_support.data_channel_port_range
    sites = [site for site in settings.sites if site.auto_start]
    lines = [] if ports.is_dynamic else list(_of_the_range(ports, sites, dynamic))
    for site in sites:
        lines.extend(_of_addresses(site))
        lines.extend(_of_users(site))
        lines.extend(_of_balancers(site))
        lines.extend(_of_logs(site))
    return lines


def _of_the_range(ports: PortRange, sites: list[SiteSettings], dynamic: PortRange | None) -> Iterator[str]:
    # Port 990, implicit FTPS, is in no range: they begin at 1024. A site that listens there is one of the control ports.
    for site in sites:
        if not site.listen and site.port in ports:
            yield f"passive ports {ports} hold the control port {site.port} of site {site.name!r}, which is left out; choose a range without it"
    if dynamic and not dynamic.is_dynamic and ports.low <= dynamic.high and dynamic.low <= ports.high:
        yield (
            f"passive ports {ports} overlap the system's dynamic range {dynamic}, so other programs may hold some of them; choose a range "
            "outside it, or reserve the ports (Linux: net.ipv4.ip_local_reserved_ports)"
        )
    for site in sites:
        yield from _of_its_size(ports, site)


def _of_its_size(ports: PortRange, site: SiteSettings) -> Iterator[str]:
    """One port serves a client of each address at a time, so only sessions that share an address compete for ports."""
    limits, match = site.limits, site.firewall_support.peer_match
    total, each = ("max_connections", limits.max_connections), ("max_connections_per_address", limits.max_connections_per_address)
    known = [limit for limit in ((total, each) if match.is_exact else (total,)) if limit[1]]
    if not known:
        return
    name, sessions = min(known, key=lambda limit: limit[1])
    if sessions > len(ports):
        sharing = "of one address" if match.is_exact else "of one network" if match.ipv4 else "in all"
        yield (
            f"passive ports {ports} are fewer ({len(ports)}) than the sessions that site {site.name!r} allows ({name} = {sessions}): "
            f"only {len(ports)} clients {sharing} can wait for a data connection at a time; choose a wider range"
        )


def _of_users(site: SiteSettings) -> Iterator[str]:
    path, root = site.authentication.users_file, site.root.rstrip("/\\")
    if path.startswith((f"{root}/", f"{root}\\")):
        yield f"users file {path} lies in the content root of site {site.name!r}: clients can fetch the hashes; move it out of {site.root}"


def _of_addresses(site: SiteSettings) -> Iterator[str]:
    address = site.firewall_support.external_address
    if address and is_address(address) and is_private(address):
        yield f"external address {address} of site {site.name!r} is private: clients on the Internet cannot reach it; give the public one"


def _of_balancers(site: SiteSettings) -> Iterator[str]:
    for network in site.firewall_support.proxy_from:
        if not network.prefixlen:
            yield f"proxy_from {network} of site {site.name!r} is everybody: a client can pretend to come from any address; list the balancers alone"


def _of_logs(site: SiteSettings) -> Iterator[str]:
    if site.logging.format != "w3c" and not site.logging.file:
        yield f"site {site.name!r} has a format for its access log ({site.logging.format}) and no access log: name its file (--access-log, file)"

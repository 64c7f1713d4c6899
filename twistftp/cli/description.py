"""
What a server will do, in plain words: one paragraph for each site, one for what they share.

Not here: warnings (``policy.traps``) and printing (``check``).
"""

from __future__ import annotations

from collections.abc import Iterator

from twistftp.binding import where
from twistftp.cli.access_text import describe_access
from twistftp.policy.channels import PortRange
from twistftp.policy.firewall_support import INTERNAL_NETWORKS
from twistftp.policy.rule_text import summary
from twistftp.policy.settings import ServerSettings, SiteSettings

__all__ = ["describe_server"]


def describe_server(settings: ServerSettings, ephemeral: PortRange) -> list[str]:
    """Lines for people. ``ephemeral`` is the operating system's dynamic port range."""
    lines: list[str] = []
    for site in settings.sites:
        lines += [f"site {site.name!r}", *(f"  {line}" for line in _site(site)), ""]
    count = len(settings.sites)
    lines.append("the process" if count == 1 else f"the process with its {count} sites")
    return [*lines, *(f"  {line}" for line in _process(settings, ephemeral))]


def _site(site: SiteSettings) -> Iterator[str]:
    yield f"serves {site.root}, for reading"
    yield from describe_access(site)
    if not site.auto_start:
        yield "is not started (auto_start = false)"
    yield f"listens on {where(site, [])}"
    if site.host_name:
        yield f"is the virtual host {site.host_name}: a client that sends HOST must name it"
    yield _users(site)
    yield from _passive(site)
    yield _active(site)
    limits = site.limits
    if limits.max_connections or limits.max_connections_per_address:
        each = f", {limits.max_connections_per_address} from one address" if limits.max_connections_per_address else ""
        yield f"takes at most {limits.max_connections or 'any number of'} connections{each}"
    yield (
        f"ends a session after {limits.control_channel_timeout:g} s without a command, and waits {limits.data_channel_timeout:g} s for each data "
        "connection"
    )


def _users(site: SiteSettings) -> str:
    authentication = site.authentication
    # The rest of a description may hold a password.
    kinds = [description.partition(":")[0] for description in authentication.strcred]
    named = f"users with names log in by {', '.join(kinds)}" if kinds else "there are no users with names"
    names = ", ".join(authentication.anonymous_names)
    may = summary(site.authorization, site.groups, None, authentication.anonymous_names)
    anonymous = f"anonymous users ({names}) {may}" if authentication.anonymous else "anonymous users are refused"
    return f"{anonymous}; {named}"


def _passive(site: SiteSettings) -> Iterator[str]:
    support = site.firewall_support
    for network, address in support.external_addresses:
        yield f"passive mode: clients of {network} are told the address {address}"
    if support.external_address:
        yield f"passive mode: clients outside are told the address {support.external_address} (PASV; EPSV needs none)"
    elif not support.external_addresses:
        yield "passive mode: clients are told the address they connected to"
    if support.external_ports:
        yield f"passive mode: clients outside are told the ports {support.external_ports}, which the NAT maps to the passive ports"
    if support.external_address or support.external_addresses or support.external_ports:
        networks = [str(network) for network in support.internal_networks]
        inside = "private, link-local and loopback networks" if networks == list(INTERNAL_NETWORKS) else ", ".join(networks)
        if networks:
            yield f"passive mode: clients inside ({inside}) are told the local address and ports"
    match = support.peer_match
    if match.is_exact:
        yield "passive mode: a data connection must come from the client's own address"
    elif match.ipv4:
        yield f"passive mode: a data connection may come from the client's network (/{match.ipv4} in IPv4, /{match.ipv6} in IPv6)"
    else:
        yield "passive mode: a data connection may come from any address"


def _active(site: SiteSettings) -> str:
    support = site.firewall_support
    if not support.active_mode:
        return "active mode is off: PORT and EPRT are refused"
    source = f"port {support.active_port} where permitted, else any port" if support.active_port else "any port"
    target = "the client's own address alone" if support.match_client_address_for_port else "any address that a client names"
    return f"active mode: connects to {target}, from {source}"


def _process(settings: ServerSettings, ephemeral: PortRange) -> Iterator[str]:
    ports = settings.firewall_support.data_channel_port_range
    if ports.is_dynamic:
        yield f"passive ports: the system's dynamic range, {ephemeral} here; a firewall must open all of it"
    elif len(ports) == 1:
        yield f"passive ports: {ports} alone; it serves one waiting client of each address, and any number of transfers"
    else:
        yield f"passive ports: {ports}, {len(ports)} of them; each serves one waiting client of each address, and any number of transfers"
    yield f"SIGTERM lets transfers finish, for at most {settings.grace:g} s"

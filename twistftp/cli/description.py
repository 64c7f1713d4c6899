"""
What a server will do, in plain words: one paragraph for each site, one for what they share.

Not here: warnings (``policy.traps``) and printing (``check``).
"""

from __future__ import annotations

from collections.abc import Iterator

from twistftp.accounts.user_book import load_users
from twistftp.binding import where
from twistftp.cli.access_text import describe_access
from twistftp.policy.channels import PortRange
from twistftp.policy.file_handling import FileHandling
from twistftp.policy.firewall_support import INTERNAL_NETWORKS
from twistftp.policy.rule_text import summary
from twistftp.policy.settings import ServerSettings, SiteSettings, TLSSettings

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
    yield f"serves {site.root}, for reading{' and writing' if site.authentication.strcred else ''}"
    yield from describe_access(site)
    if not site.auto_start:
        yield "is not started (auto_start = false)"
    yield f"listens on {where(site, [])}"
    if site.host_name:
        yield f"is the virtual host {site.host_name}: a client that sends HOST must name it"
    if balancers := site.firewall_support.proxy_from:
        yield f"connections from {', '.join(map(str, balancers))} must begin with a PROXY header, and are those of the clients that it names"
    yield _users(site)
    if site.authentication.kinds:
        yield _uploads(site.file_handling)
    yield from _tls(site.tls)
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
    yield from _logging(site)


def _logging(site: SiteSettings) -> Iterator[str]:
    limits, logging = site.limits, site.logging
    if limits.max_bytes_per_second or limits.max_site_bytes_per_second:
        each, all_ = limits.max_bytes_per_second, limits.max_site_bytes_per_second
        texts = [f"{each} bytes a second on each data connection"] if each else []
        texts += [f"{all_} bytes a second on all of them together"] if all_ else []
        yield f"moves at most {', '.join(texts)}"
    if limits.min_bytes_per_second:
        yield f"ends transfers that are slower than {limits.min_bytes_per_second} bytes a second"
    if logging.file:
        yield f"writes an access log to {logging.file} ({logging.format})"
    if logging.capture:
        yield f"writes all that is said in each session, secrets masked, to files in {logging.capture}"


def _users(site: SiteSettings) -> str:
    authentication = site.authentication
    kinds = list(authentication.kinds)
    if authentication.users_file:
        count = len(load_users(authentication.users_file))
        kinds[0] = f"the users file {authentication.users_file} ({count} user{'' if count == 1 else 's'})"
    named = f"users with names log in by {', '.join(kinds)} and may write" if kinds else "there are no users with names"
    names = ", ".join(authentication.anonymous_names)
    may = summary(site.authorization, site.groups, None, authentication.anonymous_names)
    anonymous = f"anonymous users ({names}) {may}" if authentication.anonymous else "anonymous users are refused"
    return f"{anonymous}; {named}"


def _uploads(handling: FileHandling) -> str:
    broken = "stays, to be resumed" if handling.keep_partial_uploads else "leaves what was there before"
    synced = ", and one that is whole is on the disk before 226" if handling.sync_uploads else ""
    readable = ", and can be fetched before it is complete" if handling.allow_read_uploads_in_progress else ""
    may = "may replace" if handling.allow_replace_on_rename else "never replaces"
    return f"an upload that breaks {broken}{readable}{synced}; a rename {may} a file"


_CONTROL = {
    "allow": "clients may ask for it (AUTH TLS)",
    "require": "nobody logs in without it",
    "require-credentials": "name and password need it; a client may end it after the login (CCC)",
}
_DATA = {"allow": "as the client wants (PROT)", "require": "always encrypted", "deny": "never encrypted"}
_RESUMED = {
    "off": "need not resume the control connection's TLS session",
    "auto": "must resume the control connection's TLS session once a client has done so",
    "require": "must resume the control connection's TLS session",
}


def _tls(tls: TLSSettings) -> Iterator[str]:
    if not tls.is_on:
        yield "TLS: none, for there is no certificate; names, passwords and files travel in clear text"
        return
    certificate = "a self-signed certificate, new at each start" if tls.self_signed else f"the certificate {tls.certificate}"
    way = "from the first octet (implicit)" if tls.implicit else _CONTROL[tls.control_channel]
    yield f"TLS: {way}; with {certificate}, from version {tls.minimum_version}"
    yield f"TLS: data connections are {_DATA[tls.data_channel]}, and {_RESUMED[tls.session]}"
    if tls.client_certificates != "ignore":
        need = "must" if tls.client_certificates == "require" else "may"
        yield f"TLS: clients {need} show a certificate issued by {tls.client_ca}; the user whom it names needs no password"


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
    if settings.metrics.endpoint:
        yield f"metrics for Prometheus: {settings.metrics.endpoint}"
    if settings.workers > 1:
        each = "" if ports.is_dynamic else f", each with {len(ports) // settings.workers} or so of the passive ports"
        yield f"{settings.workers} workers serve{each}; limits hold for all of them together"
    yield f"SIGTERM lets transfers finish, for at most {settings.grace:g} s"

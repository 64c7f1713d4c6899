"""
Where the next data connection comes from or goes to: PASV EPSV PORT EPRT (RFC 959 §4.1.2, RFC 2428).

Not here: ports and sockets (``transport.pool``, ``transport.active``) and the transfer that uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred

from twistftp.policy.diagnosis import refused_target
from twistftp.session.session import Session
from twistftp.transport.active import ActivePort
from twistftp.transport.interfaces import DataConnectionFailed
from twistftp.wire.addresses import (
    AddressError,
    FamilyNotSupported,
    encode_227,
    encode_229,
    is_ipv6,
    is_loopback,
    is_unusable_target,
    parse_eprt,
    parse_port,
)
from twistftp.wire.arguments import NOTHING, word
from twistftp.wire.commands import CommandGroup
from twistftp.wire.replies import Reply
from twistftp.wire.states import Keeps, Login

data_ports = CommandGroup("Data connections")

_EPSV_ONLY = Reply.of(501, "Only EPSV after EPSV ALL; send REIN to start afresh.")
_NO_IP = Reply.of(502, "Data connections need a control connection over IP.")
_PASSIVE_ONLY = Reply.of(502, "Active mode is switched off here; use PASV or EPSV.")


@data_ports.command("PASV", NOTHING, keeps=Keeps.RESTART, rfc="959 §4.1.2", help="open a passive port (IPv4)")
def passive(session: Session, _: None) -> Reply | Coroutine[Any, Any, Reply]:
    """227 has room for an IPv4 address alone, so a client on IPv6 is sent to EPSV (PROTOCOL P-PB-10)."""
    if session.epsv_all:
        return _EPSV_ONLY
    if is_ipv6(session.local):
        return Reply.of(502, "PASV works on IPv4 only; use EPSV.")
    return _open(session, _say_227)


@data_ports.command(
    "EPSV", word("[1|2|ALL]", optional=True), keeps=Keeps.RESTART, rfc="2428 §3", feat="EPSV", help="open a passive port (IPv4 and IPv6)"
)
def extended_passive(session: Session, value: str) -> Reply | Coroutine[Any, Any, Reply]:
    """``EPSV ALL`` is answered 200, never 229: connection tracking drops a 229 without a port (PROTOCOL P-EPSV-3)."""
    if value.upper() == "ALL":
        session.epsv_all = True
        return Reply.of(200, "Only EPSV will be accepted from now on.")
    own = _family(session)
    if value and value != own:
        return _wrong_family(session) if value.isdigit() else Reply.of(501, "Syntax: EPSV [1|2|ALL].")
    return _open(session, _say_229)


def _say_227(session: Session, port: int) -> Reply:
    site = session.site
    address, number = site.advertising.place(session.local, session.peer, port, site.pool.whole)
    site.advertising.watch(address, session.peer)
    return Reply.of(227, encode_227(address, number))


def _say_229(session: Session, port: int) -> Reply:
    """The client connects to the address that it knows already; only the port may be another outside (PROTOCOL P-PB-11, P-PB-12)."""
    site = session.site
    return Reply.of(229, encode_229(site.advertising.place(session.local, session.peer, port, site.pool.whole)[1]))


def _open(session: Session, announce: Callable[[Session, int], Reply]) -> Reply | Coroutine[Any, Any, Reply]:
    """Lease a passive port and tell the client which; a coroutine only when the pool makes it wait."""
    if not session.local:
        return _NO_IP
    if session.data_port is not None:
        session.drop_data_port()
    site = session.site
    lease = site.pool.lease(session.interface, session.peer, site.settings.firewall_support.peer_match, session.proxies, session.tls)
    if isinstance(lease, Deferred):
        return _open_later(session, lease, announce)
    session.use_data_port(lease)
    return announce(session, lease.port)


async def _open_later(session: Session, leasing: Deferred[Any], announce: Callable[[Session, int], Reply]) -> Reply:
    lease = await leasing
    session.use_data_port(lease)
    return announce(session, lease.port)


def _is_active(session: Session) -> bool:
    return session.site.settings.firewall_support.active_mode  # type: ignore[no-any-return]


@data_ports.command(
    "PORT",
    word("<h1,h2,h3,h4,p1,p2>"),
    keeps=Keeps.RESTART,
    rfc="959 §4.1.2",
    help="name an address to connect to (IPv4)",
    is_offered=_is_active,
)
def port(session: Session, value: str) -> Reply:
    """Connected to when the transfer begins (PROTOCOL P-DC-7)."""
    if session.epsv_all:
        return _EPSV_ONLY
    return _target(session, "PORT", value, parse_port)


@data_ports.command(
    "EPRT",
    word("<d>1|2<d>address<d>port<d>"),
    keeps=Keeps.RESTART,
    rfc="2428 §2",
    feat=lambda session: "EPRT" if _is_active(session) else None,
    help="name an address to connect to (IPv4, IPv6)",
    is_offered=_is_active,
)
def extended_port(session: Session, value: str) -> Reply:
    """The address is compared by value, whatever its spelling."""
    if session.epsv_all:
        return _EPSV_ONLY
    return _target(session, "EPRT", value, parse_eprt)


def _target(session: Session, verb: str, value: str, parse: Callable[[str], tuple[str, int]]) -> Reply:
    """
    Only the client's own address and ports from 1024: anything else would make this server attack a third
    party for the client (RFC 2577 §3, PROTOCOL P-DC-14, P-DC-15). A site may let users with names do server-to-server transfers.

    :raises DataConnectionFailed: it names somebody else.
    """
    if not session.site.settings.firewall_support.active_mode:
        return _PASSIVE_ONLY
    if not session.local:
        return _NO_IP
    try:
        host, number = parse(value)
    except FamilyNotSupported:
        return _wrong_family(session)
    except AddressError as error:
        return Reply.of(501, f"{verb} argument: {error}.")
    if is_ipv6(host) != is_ipv6(session.local):
        return _wrong_family(session) if verb == "EPRT" else Reply.of(501, "PORT names an IPv4 address, this connection is IPv6: use EPRT or EPSV.")
    if is_unusable_target(host) or _is_elsewhere(session, host) or (host != session.peer.partition("%")[0] and not _may_name(session, host)):
        raise DataConnectionFailed(refused_target(verb, host, session.peer))
    if number == 0:
        return Reply.of(501, "A port is 1 to 65535.")
    if number < 1024:
        return Reply.of(504, f"Port {number} is reserved; name one from 1024 up.")
    site = session.site
    target = _zoned(host, session.interface)
    session.use_data_port(
        ActivePort(
            site.reactor,
            target,
            number,
            session.interface if is_ipv6(session.interface) == is_ipv6(host) else "",  # a balancer may have come by the other family
            site.deadlines,
            source_port=site.settings.firewall_support.active_port,
            source=site.source,
            tls=session.tls,
        )
    )
    return Reply.of(200, f"{verb} command successful.")


def _is_elsewhere(session: Session, host: str) -> bool:
    """The loopback address of a client that came through a balancer is the balancer's, and this machine's would be somebody else's."""
    return session.introduction is not None and is_loopback(host)


def _may_name(session: Session, host: str) -> bool:
    """
    Whether a client may have this server connect to somebody else (FXP): nobody without a name, and never to this machine itself,
    whose services may trust what comes from here.
    """
    settings = session.site.settings
    has_name = session.login is Login.DONE and not settings.authentication.is_anonymous(session.user)
    is_here = host in (session.local.partition("%")[0], session.interface.partition("%")[0]) or is_loopback(host)
    # Under PROT P it would not be the client whose TLS this server meets (PROTOCOL P-TD-12).
    return not settings.firewall_support.match_client_address_for_port and has_name and not is_here and not session.is_protected


def _zoned(host: str, interface: str) -> str:
    """A link-local target lies on the link that the control connection came in on."""
    _, percent, zone = interface.partition("%")
    return f"{host}{percent}{zone}" if percent and "%" not in host else host


def _family(session: Session) -> str:
    return "2" if is_ipv6(session.local) else "1"


def _wrong_family(session: Session) -> Reply:
    return Reply.of(522, f"Network protocol not supported, use ({_family(session)})")

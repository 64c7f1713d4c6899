"""
The control ports of a site: opening them, closing them, and saying in plain words which ports are in use.

Not here: what answers there (the site), and when ports are opened and closed (``service``).
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistftp.dynamic import system_range
from twistftp.policy.channels import PortRange
from twistftp.policy.settings import SiteSettings
from twistftp.wire.addresses import is_loopback

__all__ = ["CannotBind", "CannotStart", "close_ports", "has_same_binding", "open_ports", "port_numbers", "range_text", "reason_of", "where"]

_log = Logger()
_NO_IPV6 = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT, errno.EPFNOSUPPORT})
_REASONS = {
    errno.EADDRINUSE: "another program, or another server of this kind, listens there already",
    errno.EACCES: "not permitted; ports below 1024 are for root, or for a process with CAP_NET_BIND_SERVICE",
    errno.EPERM: "not permitted",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}

Listen = Callable[[int, Any, str], Any]
"""``listen(port, factory, address)`` gives an ``IListeningPort`` or raises ``CannotListenError``."""


class CannotBind(Exception):
    """A port cannot be opened; the text is one line that names the site, the place and the reason."""


class CannotStart(SystemExit, Exception):
    """
    The start has failed; the text is one line. Both bases are needed: as an ``Exception`` it makes ``twistd`` remove its pid file
    and tell the process that waits for the daemon; as a ``SystemExit`` it then ends the command with status 1 and no traceback.
    """

    def __init__(self, line: str) -> None:
        super().__init__(1)
        self.line = line

    def __str__(self) -> str:
        return self.line


def open_ports(reactor: Any, listen: Listen, settings: SiteSettings, factory: Any) -> list[Any]:
    """
    Open the ports of a site, all or none. An endpoint that takes its time joins the list when it is open.

    :raises CannotBind: one cannot be opened.
    """
    opened: list[Any] = []
    place = _place(settings.port, settings.address)
    try:
        for place in settings.listen:
            _open_endpoint(reactor, settings.name, place, factory, opened)
        if not settings.listen:
            _open_addresses(listen, settings, factory, opened)
    except Exception as error:
        close_ports(opened)
        raise CannotBind(f"{settings.name}: cannot listen on {place}: {reason_of(error)}") from error
    return opened


def _open_addresses(listen: Listen, settings: SiteSettings, factory: Any, opened: list[Any]) -> None:
    if settings.address:
        opened.append(listen(settings.port, factory, settings.address))
        return
    try:
        opened.append(listen(settings.port, factory, "::"))
    except CannotListenError as error:
        if getattr(error.socketError, "errno", None) not in _NO_IPV6:
            raise
    if not opened:
        opened.append(listen(settings.port, factory, "0.0.0.0"))
    elif _is_ipv6_alone(opened[0]):  # Windows, the BSDs, Linux with bindv6only
        opened.append(listen(opened[0].getHost().port, factory, "0.0.0.0"))


def _is_ipv6_alone(port: Any) -> bool:
    skt = getattr(port, "socket", None)
    return isinstance(skt, socket.socket) and bool(skt.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))


def _open_endpoint(reactor: Any, name: str, text: str, factory: Any, opened: list[Any]) -> None:
    from twisted.internet.endpoints import serverFromString  # not before it is known whether its TLS is wanted (``twisted_tls``)

    failures: list[Failure] = []
    is_late = False

    def failed(failure: Failure) -> None:
        if is_late:
            _log.error("{name}: cannot listen on {text}: {reason}", name=name, text=text, reason=reason_of(failure.value))
        else:
            failures.append(failure)

    serverFromString(reactor, text).listen(factory).addCallbacks(opened.append, failed)
    is_late = True
    if failures:
        failures[0].raiseException()


def close_ports(ports: Iterable[Any]) -> Deferred[Any]:
    """Stop listening; connections that were taken go on."""
    return DeferredList([maybeDeferred(port.stopListening) for port in ports], consumeErrors=True)


def has_same_binding(one: SiteSettings, other: SiteSettings) -> bool:
    """Whether two settings of a site ask for the same ports."""
    return (one.address, one.port, one.listen) == (other.address, other.port, other.listen)


def port_numbers(ports: Iterable[Any]) -> set[int]:
    """The numbers of the TCP ports among these."""
    return {host.port for port in ports if hasattr(host := port.getHost(), "port")}


def where(settings: SiteSettings, ports: Iterable[Any]) -> str:
    """``port 2121 of all addresses``: where the open ``ports`` of a site are."""
    if settings.listen:
        return " and ".join(settings.listen)
    hosts = [port.getHost() for port in ports]
    number = next((host.port for host in hosts), settings.port)
    is_ipv4_alone = not settings.address and bool(hosts) and all(":" not in host.host for host in hosts)
    return _place(number, settings.address, "all IPv4 addresses" if is_ipv4_alone else "all addresses")


def range_text(ports: PortRange) -> str:
    """The passive ports as people should read them; the dynamic range by what the system says it is."""
    if not ports.is_dynamic:
        return str(ports)
    system = system_range()
    return f"{system} (the system's dynamic range)" if system is not None else "the system's dynamic range"


def _place(port: int, address: str, everywhere: str = "all addresses") -> str:
    if not address:
        return f"port {port} of {everywhere}"
    return f"port {port} of {address}{' (loopback: remote clients cannot reach this)' if is_loopback(address) else ''}"


def reason_of(error: BaseException | None) -> str:
    """Why a port cannot be opened, in plain words and on one line."""
    cause = error.socketError if isinstance(error, CannotListenError) else error
    known = _REASONS.get(getattr(cause, "errno", 0))
    return known or " ".join((getattr(cause, "strerror", None) or str(cause) or type(cause).__name__).split())

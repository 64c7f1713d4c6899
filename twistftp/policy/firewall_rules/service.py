"""
What a firewall has to know about a server: the ports it listens on and the ports it connects from.

Not here: how any firewall writes that down (the other modules), and reading configuration files.
"""

from __future__ import annotations

import re

from attrs import frozen

from twistftp.policy.channels import PortRange
from twistftp.policy.settings import ServerSettings, SiteSettings

__all__ = ["NoRules", "Service", "describe"]

_FTP_DATA = 20  # RFC 959 §5.2: active data connections come from the port below the control port's 21


class NoRules(ValueError):
    """There is nothing to print, or it would be of no use; the text is one line that says why."""


@frozen
class Service:
    """
    An FTP server as seen from outside.

    :param control_ports: where it answers in the clear (or, with ``has_tls``, after AUTH TLS); ``implicit_ports``: TLS from the first byte.
    :param passive: the data ports it opens. With ``is_dynamic`` they are the operating system's own range.
    :param active_ports: where active data connections come from; 0 stands for any port of ``ephemeral``, the system's dynamic range.
    :param external_ports: the ranges, each as long as ``passive``, that port-mapping NATs show outside.
    :param unknown: endpoints that listen on ports which their text does not tell.
    """

    control_ports: tuple[int, ...]
    passive: PortRange
    ephemeral: PortRange
    implicit_ports: tuple[int, ...] = ()
    is_dynamic: bool = False
    active_mode: bool = True
    active_ports: tuple[int, ...] = (_FTP_DATA,)
    has_external_address: bool = False
    has_tls: bool = False
    external_ports: tuple[PortRange, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def listening(self) -> tuple[int, ...]:
        """All control ports, each once, in order."""
        return tuple(sorted({*self.control_ports, *self.implicit_ports}))

    @property
    def may_use_helper(self) -> bool:
        """
        Whether a firewall that reads along could open the data ports by itself.

        It cannot where the control connection is encrypted, and where the 227 names another address than the packets
        carry it takes the connection for somebody else's.
        """
        return not (self.has_tls or self.has_external_address or self.external_ports)

    @property
    def active_ranges(self) -> tuple[PortRange | int, ...]:
        """The source ports of active data connections; none without active mode."""
        if not self.active_mode:
            return ()
        # The whole ephemeral range holds any single port above 1023, but naming both does no harm.
        return tuple(self.ephemeral if port == 0 else port for port in sorted(set(self.active_ports)))


def describe(settings: ServerSettings, ephemeral: PortRange) -> Service:
    """
    The service that the settings make.

    :param ephemeral: the operating system's dynamic port range.
    :raises NoRules: no site is started that listens on a TCP port.
    """
    sites = [site for site in settings.sites if site.auto_start]
    control: set[int] = set()
    implicit: set[int] = set()
    unknown: list[str] = []
    for site in sites:
        for place, port in _places(site):
            if port:
                (implicit if _is_implicit(site) else control).add(port)
            elif port is None:
                unknown.append(place)
    if not (control or implicit or unknown):
        raise NoRules("no site that is started listens on a TCP port, so there is nothing to let through")
    ports = settings.firewall_support.data_channel_port_range
    active = [site for site in sites if site.firewall_support.active_mode]
    mapped = {outside for site in sites if (outside := site.firewall_support.external_ports) is not None and outside != ports}
    return Service(
        control_ports=tuple(sorted(control)),
        implicit_ports=tuple(sorted(implicit)),
        passive=ephemeral if ports.is_dynamic else ports,
        is_dynamic=ports.is_dynamic,
        ephemeral=ephemeral,
        active_mode=bool(active),
        active_ports=tuple(sorted({site.firewall_support.active_port for site in active})),
        has_external_address=any(site.firewall_support.external_address or site.firewall_support.external_addresses for site in sites),
        has_tls=bool(implicit) or any(_has_certificate(site) for site in sites),
        external_ports=tuple(sorted(mapped, key=str)),
        unknown=tuple(unknown),
    )


def _is_implicit(site: SiteSettings) -> bool:
    return site.tls.implicit


def _has_certificate(site: SiteSettings) -> bool:
    return site.tls.is_on


def _places(site: SiteSettings) -> list[tuple[str, int | None]]:
    """Where a site listens: the words for it, and the port, ``None`` for one that is not known and 0 for no TCP port."""
    if not site.listen:
        return [(f"site {site.name}, port 0 (the system chooses one)", site.port or None)]
    return [(text, _endpoint_port(text)) for text in site.listen]


_COLON = re.compile(r"(?<!\\):")


def _endpoint_port(text: str) -> int | None:
    """The TCP port of a Twisted endpoint string; 0 for one without, ``None`` for one that does not say (``systemd:``, others' plugins)."""
    kind, *arguments = _COLON.split(text)
    while kind == "haproxy" and arguments:
        kind, *arguments = arguments
    if kind == "unix":
        return 0
    if kind not in {"tcp", "tcp4", "tcp6", "ssl"} or not arguments:
        return None
    port = next((value[5:] for value in arguments if value.startswith("port=")), arguments[0])
    return int(port) or None if port.isascii() and port.isdigit() else None

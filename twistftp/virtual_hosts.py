"""
Sites that share an address and a port, told apart by the host name that a client names: with HOST (RFC 7151), or under TLS (SNI).

Not here: the names' verbs (``session.verbs.login``), and which sites share a port (``site_service``).
"""

from __future__ import annotations

from typing import Any

__all__ = ["VirtualHosts"]


class VirtualHosts:
    """
    The sites on one port. Clients that name no host, or one that is nobody's, get the site without a host name, or else the first;
    but HOST must name a site.
    """

    def __init__(self, first: Any) -> None:
        self.sites: list[Any] = [first]

    def add(self, site: Any) -> None:
        """One more, which leaves those it was with."""
        site.hosts.sites.remove(site)
        self.sites.append(site)
        site.hosts = self

    def remove(self, site: Any) -> None:
        """It goes to a port of its own, or ends."""
        if site in self.sites and len(self.sites) > 1:
            self.sites.remove(site)
            site.hosts = VirtualHosts(site)

    @property
    def default(self) -> Any:
        """The site of clients that have named none."""
        return next((site for site in self.sites if not site.settings.host_name), self.sites[0])

    def _named(self, name: str) -> Any | None:
        wanted = name.lower().rstrip(".")
        return next((site for site in self.sites if site.settings.host_name.lower().rstrip(".") == wanted), None)

    def has(self, name: str) -> bool:
        """Whether it is the host name of a site."""
        return bool(name) and self._named(name) is not None

    def find(self, name: str) -> Any | None:
        """The site of a host name; one without a name answers to all that are no other's."""
        return self._named(name) or next((site for site in self.sites if not site.settings.host_name), None)

    def tls_of(self, name: str) -> Any | None:
        """The certificate for a server name (SNI, RFC 6066 §3)."""
        site = self.find(name)
        return site.tls if site is not None else None

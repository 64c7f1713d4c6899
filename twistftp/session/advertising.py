"""
What clients of one site are told as the address and port of their passive data connections.

Not here: the rules (``policy.firewall``). This keeps the names' latest addresses and says once what cannot work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.logger import Logger

from twistftp.policy.channels import PortRange
from twistftp.policy.firewall import advertised, client_network, lacks_external_address
from twistftp.policy.settings import SiteSettings

__all__ = ["Advertising"]

_REMEMBERED = 1024
"""Client networks that were written about; whoever comes from so many need not be told more."""
_LACKS = (
    "{site}: clients of {network} are told the private address {address} and cannot reach it through a NAT; "
    "give the public one with --external-address (external_address of [site.firewall_support])"
)


class Advertising:
    """
    One site's answers to "where do I connect to".

    :param site: gives the site's present settings.
    :param resolved: the latest address of each external name.
    """

    def __init__(self, log: Logger, site: Callable[[], SiteSettings], resolved: Mapping[str, str]) -> None:
        self._log, self._site, self._resolved = log, site, resolved
        self._told: set[str] = set()

    def place(self, local: str, peer: str, port: int, ports: PortRange) -> tuple[str, int]:
        """The address and port for a client; see :func:`policy.firewall.advertised`."""
        return advertised(self._site().firewall_support, local, peer, port, self._resolved, ports)

    def watch(self, address: str, peer: str) -> None:
        """A client was told this address: say so where it must be wrong, once for each of the clients' networks."""
        site = self._site()
        if not lacks_external_address(site.firewall_support, address, peer):
            return
        network = client_network(peer)
        if network not in self._told and len(self._told) < _REMEMBERED:
            self._told.add(network)
            self._log.warn(_LACKS, site=site.name, network=network, address=address)

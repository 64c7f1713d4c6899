"""
Control connections that come through a load balancer: from its PROXY header to a session of the client that it names.

Not here: the header (``transport.herald``), which balancers are believed (``policy.proxying``), and the session.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Protocol
from twisted.protocols.policies import ProtocolWrapper

from twistftp.policy.proxying import Proxies
from twistftp.policy.ration import Ration
from twistftp.wire.addresses import fold_address

if TYPE_CHECKING:
    from twistftp.transport.herald import Herald, Introduction

__all__ = ["Introducible", "Reception"]

LINES = 10
"""Lines about connections that were turned away, a second; the rest is counted."""


class Introducible(Protocol):
    """A control connection's protocol, made by ``site``; ``introduction`` is how its client came here through a balancer, if it did."""

    site: Any
    introduction: Introduction | None = None

    def makeConnection(self, transport: Any) -> None:
        """Begin; but on Twisted's own ``haproxy:`` endpoint wait for the header first, and leave the connection to whoever comes then."""
        if isinstance(transport, ProtocolWrapper) and self.introduction is None and _awaits_header(transport):
            self.site.reception.come_by_endpoint(transport)
            return
        self.connected = 1
        self.transport = transport
        self.connectionMade()


def _awaits_header(wrapper: ProtocolWrapper) -> bool:
    from twistftp.transport.herald import HAProxyProtocolWrapper

    return isinstance(wrapper, HAProxyProtocolWrapper)


class Reception:
    """
    Where the balancers of one site say who has come.

    :param site: the :class:`twistftp.site.FTPSite`.
    """

    def __init__(self, site: Any) -> None:
        self._site = site
        self._ration = Ration(LINES)

    def herald(self, via: str, proxies: Proxies) -> Herald:
        """The first protocol of a connection from the balancer ``via``."""
        from twistftp.transport.herald import Herald  # the site has imported it, if it has anything to do with balancers

        return Herald(self._site.deadlines, via, proxies, self._introduced, partial(self._turned_away, via))

    def come_by_endpoint(self, wrapper: Any) -> None:
        """
        A connection of Twisted's ``haproxy:`` endpoint, where everybody is believed. Whoever spoke for a client there is believed on its
        data connections as well.
        """
        via, listed = fold_address(getattr(wrapper.getPeer(), "host", "")), self._site.settings.firewall_support.proxies
        self._site.was_no_client(via)
        self.herald(via, listed if via in listed else Proxies.alone(via)).makeConnection(wrapper)

    def _introduced(self, introduction: Introduction) -> IProtocol:
        protocol: IProtocol = self._site.welcome(introduction.peer)
        if isinstance(protocol, Introducible):
            protocol.introduction = introduction
        return protocol

    def _turned_away(self, via: str, why: str) -> None:
        self._write("{site}: a connection of the load balancer {peer} was closed: {why}", via, why)

    def not_believed(self, peer: str) -> None:
        """Somebody who is no balancer has sent a header."""
        self._write("{site}: {peer} sent a PROXY header and was cut off: it is not in proxy_from", peer)

    def _write(self, text: str, peer: str, why: str = "") -> None:
        """Anybody can cause such a line, so there are not many."""
        site = self._site
        if self._ration.allows(site.deadlines.seconds()):
            count = self._ration.settle()
            more = " ({count} more were, not shown one by one)" if count else ""
            site.log.warn(text + more, site=site.settings.name, peer=peer, why=why, count=count)

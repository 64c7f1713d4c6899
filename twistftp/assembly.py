"""
What servers are made of: certificates, portals, passive ports, sites and what watches them, each made from settings.

Not here: the process around them, its options and its reactor (``service``), and when they start, change and stop (``server``, ``workers``).
Twisted's FTP module, which a site needs, takes whichever reactor there is, so this is imported when one has been chosen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from twistftp.accounts import realm  # noqa: F401 (a portal wants it; behind a chroot it could not be found any more)
from twistftp.accounts.checkers import make_checkers
from twistftp.accounts.users import Desk, UsersFiles
from twistftp.accounts.users_file import BadUsersFile
from twistftp.binding import range_text
from twistftp.configuration import ConfigurationError
from twistftp.monitoring import Monitoring
from twistftp.policy.channels import DYNAMIC, PortRange
from twistftp.policy.settings import SiteSettings
from twistftp.privileges import ServingUser
from twistftp.site import FTPSite, make_portal, make_tls, own_names
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.dns import DNS
from twistftp.transport.pool import PassivePool
from twistftp.transport.source import SourcePort

if TYPE_CHECKING:
    from twistftp.transport.tls import SiteTLS

__all__ = ["Assembly"]


class Assembly:
    """
    Makes the parts of a process's servers.

    Certificates, users and checkers whose settings are as they were stay the same ones after SIGHUP.

    :param serving: who will serve, ``None`` for who starts the server.
    :param is_sealed: files that are not found any more, behind a chroot, keep what they said.
    :param processes: how many serve, each with the like of it.
    """

    def __init__(self, reactor: Any, serving: ServingUser | None = None, *, is_sealed: bool = False, processes: int = 1) -> None:
        self._reactor = reactor
        self._source, self.lookup = SourcePort(), DNS(reactor)
        self._users = UsersFiles(is_sealed=is_sealed, desk=Desk(processes=processes))
        self._checkers = cache(make_checkers)  # some hold state, and a chroot hides their plugins
        self._identities: dict[Any, SiteTLS] = {}
        self._range_text = range_text(DYNAMIC)
        self.monitoring = time.time, self._in_thread, (serving.uid, serving.gid) if serving else None
        """The arguments of ``Monitoring`` after the services."""

    def read(self, sites: Iterable[SiteSettings]) -> None:
        """
        Read the files of all sites, as whoever starts the server and before any chroot: who serves may not be able to.

        :raises ValueError: one cannot be used; the text says which and why.
        """
        for site in sites:
            self._checkers(site.authentication.strcred)
            self.make_tls(site)
            self._users.checkers(site.authentication)
        self._users.begin()

    def make_tls(self, site: SiteSettings, made: str = "") -> SiteTLS | None:
        """The certificate of a site and what goes with it, or nothing for a site without. ``made``: see :class:`SiteTLS`."""
        if not site.tls.is_on:
            return None
        key = site.tls, tuple(own_names(site)) if site.tls.self_signed else ()
        if key not in self._identities:
            self._identities[key] = make_tls(site, made)
        return self._identities[key]

    def make_portal(self, site: SiteSettings) -> Portal:
        """
        Who may come in, and what they see.

        :raises ConfigurationError: a users file says what cannot be.
        """
        try:
            named = [*self._users.checkers(site.authentication), *self._checkers(site.authentication.strcred)]
        except BadUsersFile as error:
            raise ConfigurationError(f"{site.name}: {error}") from None
        return make_portal(site, named)

    def make_pool(self, ports: PortRange) -> PassivePool:
        """The passive ports of one process."""
        return PassivePool(self._reactor, ports, Deadlines(self._reactor), range_text=self._range_text)

    def make_site(
        self, site: SiteSettings, pool: PassivePool, numbers: Iterator[int], census: Any = None, portal: Portal | None = None
    ) -> FTPSite:
        """
        A site; ``numbers`` are those of its sessions, ``census`` who else counts connections (:mod:`twistftp.workers`), ``portal`` one that was
        made already.
        """
        tls, portal = self.make_tls(site), portal or self.make_portal(site)
        shared = {"pool": pool, "reactor": self._reactor, "source": self._source, "lookup": self.lookup}
        return FTPSite(site, portal, tls=tls, numbers=numbers, census=census, **shared)

    def make_monitoring(self, pool: PassivePool, services: Callable[[], Iterable[Any]]) -> Monitoring:
        """What watches the services of one process."""
        return Monitoring(self._reactor, pool, services, *self.monitoring)

    def _in_thread(self, *call: Any) -> Deferred[Any]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), *call)

"""
The ``twistd ftpsite`` service: makes a server, or a supervisor with workers, of what they consist of.

Not here: options and files (``options``, ``configuration``), starting, changing and stopping (``server``, ``workers``), and anything of FTP.
:func:`makeService` is the only place of the project that names the reactor.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from twistftp.binding import CannotStart, range_text
from twistftp.configuration import ConfigurationError
from twistftp.options import Options
from twistftp.policy.channels import DYNAMIC
from twistftp.policy.settings import ServerSettings, SiteSettings
from twistftp.policy.tls import TLSSettings
from twistftp.privileges import prepare_for_chroot
from twistftp.server import Server
from twistftp.site_service import SiteService
from twistftp.twisted_tls import left_out

if TYPE_CHECKING:
    from twistftp.transport.tls import SiteTLS

__all__ = ["CannotStart", "Options", "Server", "SiteService", "makeService"]

_BACKLOG = 511  # a burst of connections waits in the kernel; it takes the smaller of this and its own limit


def _twistds(options: Options) -> Any:
    """The options before the word ``ftpsite``; none where others make the service."""
    return getattr(options, "parent", None) or {}


def _may_want_twisted_tls(options: Options) -> bool:
    """Whether somebody may want Twisted's own TLS: others in this process, or their checkers. Endpoints of the settings have it imported by now."""
    return getattr(options, "parent", None) is None or any(site.authentication.strcred for site in options.settings.sites)


def _import_endpoints(options: Options) -> None:
    """They come with what reads the headers of load balancers; once they have been imported without TLS, they stay so."""
    if _twistds(options).get("chroot") or any(site.firewall_support.proxies for site in options.settings.sites):
        from twisted.internet import endpoints  # noqa: F401


def _import_for_chroot(options: Options) -> None:
    """What is imported only when it is wanted, and by SIGHUP might be wanted when it could not be found any more."""
    from twistftp import accesslog  # noqa: F401
    from twistftp.transport import herald  # noqa: F401

    if options["config"]:
        from twistftp.transport.tls import SiteTLS

        SiteTLS(TLSSettings(self_signed=True))  # cryptography imports some more when it first makes a certificate


def _import_what_watches(settings: ServerSettings) -> None:
    """What is imported only when it is wanted, and could not be found any more behind a chroot."""
    if settings.metrics.endpoint:
        from twistftp import metrics  # noqa: F401
    if any(site.logging.capture for site in settings.sites):
        from twistftp.capsules import control  # noqa: F401


def makeService(options: Options) -> Server:
    """Make the service of the parsed ``options``; nothing is opened before ``privilegedStartService``."""
    # Here and no earlier: twistd's --reactor has been obeyed by now, and twisted.protocols.ftp takes what there is.
    with nullcontext() if _may_want_twisted_tls(options) else left_out():
        if sys.platform == "linux":
            from twistftp.transport import epoll

            epoll.install()
        from twisted.internet import reactor

        _import_endpoints(options)

    from twistftp.accounts import realm  # noqa: F401 (build_portal wants it; behind a chroot it could not be found any more)
    from twistftp.accounts.checkers import build_portal, make_checkers
    from twistftp.accounts.homes import Homes
    from twistftp.accounts.users import UsersFiles
    from twistftp.accounts.users_file import BadUsersFile
    from twistftp.monitoring import Monitoring
    from twistftp.site import FTPSite, own_names
    from twistftp.steady import make_steady
    from twistftp.storage.confinement import Confinement
    from twistftp.transport import sockets
    from twistftp.transport.deadlines import Deadlines
    from twistftp.transport.dns import DNS
    from twistftp.transport.pool import PassivePool
    from twistftp.transport.source import SourcePort

    make_steady(reactor)
    # SIGHUP leaves checkers alone whose strings are as they were: some hold state, and a chroot hides their plugins.
    checkers = cache(make_checkers)
    # Read before any chroot and as whoever starts the server; SIGHUP leaves those alone whose settings are as they were.
    identities: dict[Any, SiteTLS] = {}

    def make_tls(site: SiteSettings) -> SiteTLS | None:
        if not site.tls.is_on:
            return None
        from twistftp.transport.tls import SiteTLS  # and with it OpenSSL, which is nothing to a server without TLS

        key = site.tls, tuple(own_names(site)) if site.tls.self_signed else ()
        if key not in identities:
            identities[key] = SiteTLS(site.tls, own_names(site))
        return identities[key]

    above = _twistds(options)
    users = UsersFiles(is_sealed=bool(above.get("chroot")))

    def make_portal(site: SiteSettings) -> Any:
        try:
            named = [*users.checkers(site.authentication), *checkers(site.authentication.strcred)]
        except BadUsersFile as error:
            raise ConfigurationError(f"{site.name}: {error}") from None
        root = Confinement(site.root)
        homes = Homes(root, site.user_isolation, site.virtual_directory, site.file_handling.sync_uploads)
        return build_portal(site.authentication, root, named, homes)

    user, source, lookup = None, SourcePort(), DNS(reactor)
    if above.get("chroot"):
        prepare_for_chroot()
        lookup.prepare()
        _import_for_chroot(options)
        if not above.get("euid"):
            # twistd would look the user up behind the chroot, where nobody is known, so it is not asked to.
            user = options.place().user
            above["uid"], above["gid"] = None, None if user else above.get("gid")
    _import_what_watches(options.settings)
    for site in options.settings.sites:
        checkers(site.authentication.strcred)
        make_tls(site)
        users.checkers(site.authentication)  # the serving user may not be able to read them
    users.begin()
    dynamic_text = range_text(DYNAMIC)

    def make_pool() -> PassivePool:
        ports = options.settings.firewall_support.data_channel_port_range
        return PassivePool(reactor, ports, Deadlines(reactor), range_text=dynamic_text)

    def make_site(site: SiteSettings, pool: PassivePool, numbers: Iterator[int], census: Any = None) -> FTPSite:
        tls, portal = make_tls(site), make_portal(site)
        return FTPSite(site, portal, pool=pool, reactor=reactor, source=source, lookup=lookup, tls=tls, numbers=numbers, census=census)

    def in_thread(*call: Any) -> Deferred[Any]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), *call)  # type: ignore[attr-defined, arg-type]

    serving = user or options.place().user
    watching = time.time, in_thread, (serving.uid, serving.gid) if serving else None
    how: dict[str, Any] = {
        "reread": options.reread if options["config"] else None,
        "user": user,
        "foreground": bool(above.get("nodaemon")),
    }
    if options.settings.workers > 1:
        from twistftp.workers.supervisor import Parts, Supervisor

        return Supervisor(reactor, options.settings, Parts(make_portal, make_tls, make_pool, make_site, watching), backlog=_BACKLOG, **how)
    pool, numbers = make_pool(), itertools.count(1)
    return Server(
        reactor,
        options.settings,
        pool,
        make_portal=make_portal,
        make_site=lambda site: make_site(site, pool, numbers),
        make_tls=make_tls,
        make_monitoring=lambda services: Monitoring(reactor, pool, services, *watching),
        listen=lambda port, site, address: sockets.listen(reactor, port, site, address, _BACKLOG),
        **how,
    )

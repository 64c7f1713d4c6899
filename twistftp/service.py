"""
The ``twistd ftpsite`` service: chooses the reactor, and makes a server or a supervisor with workers as the options say.

Not here: options and files (``options``, ``configuration``), what servers consist of (``assembly``), and starting, changing and stopping them
(``server``, ``workers``).
:func:`makeService` is the only place of the project that names the reactor.
"""

from __future__ import annotations

import itertools
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from twistftp.binding import CannotStart
from twistftp.options import Options
from twistftp.policy.settings import ServerSettings
from twistftp.policy.tls import TLSSettings
from twistftp.privileges import prepare_for_chroot
from twistftp.server import Server
from twistftp.site_service import SiteService
from twistftp.twisted_tls import left_out

if TYPE_CHECKING:
    from twistftp.assembly import Assembly

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


def _without_twisted_tls(options: Options) -> AbstractContextManager[None]:
    return nullcontext() if _may_want_twisted_tls(options) else left_out()


def _before_chroot(options: Options, assembly: Assembly) -> None:
    prepare_for_chroot()
    assembly.lookup.prepare()
    _import_for_chroot(options)


def makeService(options: Options) -> Server:
    """Make the service of the parsed ``options``; nothing is opened before ``privilegedStartService``."""
    # Here and no earlier: twistd's --reactor has been obeyed by now, and twisted.protocols.ftp takes what there is.
    with _without_twisted_tls(options):
        if sys.platform == "linux":
            from twistftp.transport import epoll

            epoll.install()
        from twisted.internet import reactor

        _import_endpoints(options)
    from twistftp.assembly import Assembly
    from twistftp.steady import make_steady
    from twistftp.transport import sockets

    make_steady(reactor)
    settings, above = options.settings, _twistds(options)
    has_chroot, serving, user = bool(above.get("chroot")), options.place().user, None
    assembly = Assembly(reactor, serving, is_sealed=has_chroot, processes=settings.workers)
    if has_chroot:
        _before_chroot(options, assembly)
        if not above.get("euid"):
            # twistd would look the user up behind the chroot, where nobody is known, so it is not asked to.
            user = serving
            above["uid"], above["gid"] = None, None if user else above.get("gid")
    _import_what_watches(settings)
    assembly.read(settings.sites)
    how: dict[str, Any] = {
        "reread": options.reread,
        "user": user,
        "foreground": bool(above.get("nodaemon")),
    }
    if settings.workers > 1:
        from twistftp.workers.supervisor import Supervisor

        return Supervisor(reactor, settings, assembly, backlog=_BACKLOG, **how)
    pool, numbers = assembly.make_pool(settings.firewall_support.data_channel_port_range), itertools.count(1)
    return Server(
        reactor,
        settings,
        pool,
        make_portal=assembly.make_portal,
        make_site=lambda site: assembly.make_site(site, pool, numbers),
        make_tls=assembly.make_tls,
        make_monitoring=lambda services: assembly.make_monitoring(pool, services),
        listen=lambda port, site, address: sockets.listen(reactor, port, site, address, _BACKLOG),
        **how,
    )

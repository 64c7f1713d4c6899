"""
What watches a server: access logs, the control socket and metrics, opened, changed and closed with it.

Not here: what they say (``accesslog``, ``control``, ``metrics``), and when the server starts and stops (``service``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.logger import Logger

from twistftp.binding import CannotBind, reason_of, where
from twistftp.control import Answers, CannotServe, ControlSocket
from twistftp.logfile import CannotOpen, InThread
from twistftp.places import usual_places
from twistftp.policy.settings import ServerSettings
from twistftp.site import FTPSite

if TYPE_CHECKING:
    from twistftp.accesslog import CommandLog, TransferLog
    from twistftp.capsules.recording import Recording
    from twistftp.metrics import Latencies

__all__ = ["Monitoring"]


class Monitoring:
    """
    The observers of one process.

    :param services: gives the services of the sites, as they are now.
    :param in_thread: calls a function in a thread.
    :param owner: user and group who will serve, for log files that are made before privileges are dropped.
    """

    _log = Logger()
    # Of several processes: who answers what at the control socket, what gives the metrics, and why nobody serves, if that is so.
    _answers: Answers | None = None
    _read_metrics: Callable[[], Deferred[Iterable[Any]]] | None = None
    _trouble: Callable[[], str] = str

    def __init__(
        self,
        reactor: Any,
        pool: Any,
        services: Callable[[], Iterable[Any]],
        now: Callable[[], float],
        in_thread: InThread,
        owner: tuple[int, int] | None = None,
    ) -> None:
        self.pool, self.started, self.is_draining = pool, now(), False
        self.latencies: dict[str, Latencies] = {}
        self._reactor, self._services, self._now, self._in_thread, self._owner = reactor, services, now, in_thread, owner
        self._logs: dict[FTPSite, tuple[tuple[str, str, str], CommandLog | TransferLog]] = {}  # with path, format and the site's name
        self._captures: dict[FTPSite, str] = {}  # the directory of each site's capsules
        self._recordings: dict[str, Recording] = {}  # those of each directory, whichever sites they are of
        self._metered: dict[FTPSite, Latencies] = {}
        self._socket: ControlSocket | None = None
        self._socket_wanted = ""
        self._port: Any = None
        self._endpoint = ""

    # What the server tells

    def open(self, settings: ServerSettings) -> None:
        """
        Open everything.

        :raises CannotBind: an access log or the metrics endpoint cannot be opened. A control socket that cannot is told in one line.
        """
        self._open_metrics(settings.metrics.endpoint)
        for site in self._running():
            self._open_log(site)
            self._capture(site)
        self._meter()
        self._open_socket(settings.control_socket)

    def reopen(self) -> None:
        """Open log files again that were moved away."""
        for _, log in self._logs.values():
            log.file.reopen()

    def change(self, settings: ServerSettings) -> None:
        """Go over to new settings. What cannot be opened stays as it is, with a line in the log."""
        running = self._running()
        for site in [site for site in self._logs if site not in running]:
            self._close_log(site)
        self._captures = {site: directory for site, directory in self._captures.items() if site in running}
        for site in running:
            self._capture(site)
            try:
                self._open_log(site)
            except CannotBind as error:
                self._log.error("SIGHUP: {error}; the access log stays as it is", error=error)
        try:
            self._open_metrics(settings.metrics.endpoint)
        except CannotBind as error:
            self._log.error("SIGHUP: {error}", error=error)
        self._meter()
        if settings.control_socket != self._socket_wanted:
            self._open_socket(settings.control_socket)

    def close(self) -> Deferred[Any]:
        """Close everything; what the logs hold is written."""
        closing: list[Deferred[Any]] = [self._close_log(site) for site in list(self._logs)]
        closing += [recording.close() for recording in self._recordings.values()]
        if self._socket is not None:
            closing.append(maybeDeferred(self._socket.close))
        if self._port is not None:
            closing.append(maybeDeferred(self._port.stopListening))
        self._socket = self._port = None
        return DeferredList(closing, consumeErrors=True)

    # What is asked of it (reporting.Source, metrics.Observed)

    def sites(self) -> Iterator[tuple[FTPSite, str]]:
        """The sites that are served, and where."""
        for service in self._services():
            if service.site is not None:
                yield service.site, where(service.settings, service.ports)

    @property
    def delayed_calls(self) -> int:
        """What the reactor is to do later."""
        return len(self._reactor.getDelayedCalls())

    def lost_lines(self) -> Iterator[tuple[str, int]]:
        """The lines that each site's access log could not write."""
        for site, (_, log) in self._logs.items():
            yield site.settings.name, log.file.lost

    # Its parts

    def _running(self) -> list[FTPSite]:
        return [service.site for service in self._services() if service.site is not None]

    def _open_log(self, site: FTPSite) -> None:
        logging = site.settings.logging
        wanted = (logging.file, logging.format, site.settings.name)
        has, _ = self._logs.get(site, (("", "", ""), None))
        if wanted == has or not (logging.file or has[0]):
            return
        log = None
        if logging.file:
            try:
                log = self._opened_log(logging.file, logging.format, site.settings.name)
            except CannotOpen as error:
                raise CannotBind(f"{site.settings.name}: {error}") from None
        self._close_log(site)
        if log is not None:
            self._logs[site] = (wanted, log)
            site.transcript.add_recorder(log)

    def _opened_log(self, path: str, form: str, name: str) -> CommandLog | TransferLog:
        from twistftp.accesslog import open_access_log

        return open_access_log(self._reactor, path, form, name, self._in_thread, self._now, self._owner)

    def _close_log(self, site: FTPSite) -> Deferred[Any]:
        _, log = self._logs.pop(site, (None, None))
        if log is None:
            return maybeDeferred(lambda: None)
        site.transcript.remove_recorder(log)
        return log.file.close()

    def _capture(self, site: FTPSite) -> None:
        """From now on write the sessions of a site down, or no more; those that are under way go on as they began."""
        wanted = site.settings.logging.capture
        if wanted == self._captures.get(site, ""):
            return
        try:
            from twistftp.capsules.control import capturing  # those who capture nothing do without, as without metrics
            from twistftp.capsules.recording import Recording
        except ImportError:
            self._log.error("capsules: cannot begin to capture behind a chroot; start the server with it")
            return
        self._captures[site] = wanted
        site.protocol = type(site).protocol
        if wanted:
            if wanted not in self._recordings:
                self._recordings[wanted] = Recording(self._reactor, wanted, self._in_thread, self._now)
            site.protocol = capturing(self._recordings[wanted])  # type: ignore[assignment]

    def _meter(self) -> None:
        """Measure the latencies of all sites if metrics are asked for."""
        wanted = self._running() if self._endpoint else []
        if not (wanted or self._metered):
            return
        from twistftp.metrics import Latencies

        for site in [site for site in self._metered if site not in wanted]:
            site.transcript.remove_recorder(self._metered.pop(site))
        for site in wanted:
            if site not in self._metered:
                self._metered[site] = Latencies()
                site.transcript.add_recorder(self._metered[site])
        self.latencies = {site.settings.name: latencies for site, latencies in self._metered.items()}

    def _open_metrics(self, endpoint: str) -> None:
        if endpoint == self._endpoint:
            return
        if endpoint:
            try:
                from twistftp.metrics import web_site  # a web server takes memory that those without metrics can do without
            except ImportError:
                raise CannotBind(f"metrics: cannot begin on {endpoint} behind a chroot; start the server with it") from None
        old, self._port, self._endpoint = self._port, None, ""
        if old is not None:
            old.stopListening()
        if endpoint:
            from twisted.internet.endpoints import serverFromString  # not before it is known whether its TLS is wanted (``twisted_tls``)

            opened: list[Any] = []
            failures: list[Any] = []
            site = web_site(self, self._read_metrics, self._trouble)
            serverFromString(self._reactor, endpoint).listen(site).addCallbacks(opened.append, failures.append)
            if failures or not opened:
                reason = reason_of(failures[0].value) if failures else "it takes its time"
                raise CannotBind(f"metrics: cannot listen on {endpoint}: {reason}")
            self._port, self._endpoint = opened[0], endpoint

    def _open_socket(self, wanted: str) -> None:
        self._socket_wanted = wanted
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if wanted == "off":
            return
        path = wanted or usual_places()[0]
        try:
            self._socket = ControlSocket(self._reactor, path, self, self._now, self._answers)
        except CannotServe as error:
            text = "no control socket at {path}: {error}; 'twistftp status' cannot ask this server (--control-socket sets another place)"
            self._log.warn(text, path=path, error=error)

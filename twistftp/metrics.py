"""
Prometheus metrics: what the sites, the pool and the logs count anyway, read when somebody asks. ``/metrics`` and ``/healthz``.

Not here: counting (``session.tally``, ``session.verdicts``, the pool); only latencies are measured here. A metric is a row of :data:`METRICS`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO
from itertools import accumulate, chain
from typing import Any, Protocol

from attrs import frozen
from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from twisted.internet.defer import CancelledError, Deferred
from twisted.web import server
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from twistftp import __version__
from twistftp.policy.diagnosis import Cause
from twistftp.policy.histogram import BUCKETS
from twistftp.reporting import Source, octets_by_direction, pool_numbers, sessions_in_tls, transfers_under_way
from twistftp.session.recorder import Recorder
from twistftp.session.session import Session
from twistftp.session.tally import DIRECTIONS
from twistftp.site import FTPSite
from twistftp.wire.commands import Command
from twistftp.wire.replies import Reply

__all__ = ["BUCKETS", "METRICS", "Latencies", "Metric", "Observed", "families", "rows", "web_site"]

_CLASSES = {
    **dict.fromkeys(("USER", "PASS", "ACCT", "REIN", "HOST", "AUTH"), "login"),
    **dict.fromkeys(("PASV", "EPSV", "PORT", "EPRT"), "data_port"),
    **dict.fromkeys(("LIST", "NLST", "MLSD", "MLST", "STAT"), "listing"),
    **dict.fromkeys(DIRECTIONS, "transfer"),
}
"""Classes of commands; all others are ``other``."""
_SHORTEST, _SUM = BUCKETS[0], len(BUCKETS) + 1


class Latencies(Recorder):
    """How long the commands of a site take, by class: a recorder."""

    def __init__(self) -> None:
        names = (*dict.fromkeys(_CLASSES.values()), "other")
        self.rows: dict[str, list[float]] = {name: [0] * (len(BUCKETS) + 1) + [0.0] for name in names}
        """For each class the commands in each bucket, and last the sum of their seconds."""
        self._other = self.rows["other"]
        self._row_of = defaultdict(lambda: self._other, {verb: self.rows[name] for verb, name in _CLASSES.items()})

    def command(self, session: Session, command: Command | None, line: bytes, reply: Reply, now: float, seconds: float) -> None:
        """Count a command."""
        row = self._row_of[command.verb] if command is not None else self._other
        row[0 if seconds <= _SHORTEST else bisect_left(BUCKETS, seconds)] += 1  # most are short, and a call costs
        row[_SUM] += seconds


class Observed(Source, Protocol):
    """What metrics are read from."""

    latencies: dict[str, Latencies]  # by site

    def lost_lines(self) -> Iterable[tuple[str, int]]:
        """The lines that each site's access log could not write."""


Values = Iterable[tuple[tuple[str, ...], float]]
"""The labels' values, and the metric's."""


@frozen
class Metric:
    """One metric. Counters get ``_total`` behind their name, as Prometheus wants it. Labels come from closed lists, or from the settings."""

    name: str
    help: str
    read: Callable[[Observed], Values]
    labels: tuple[str, ...] = ()
    is_counter: bool = False


def _per_site(read: Callable[[FTPSite], Iterable[tuple[tuple[str, ...], float]]]) -> Callable[[Observed], Iterator[tuple[tuple[str, ...], float]]]:
    def values(observed: Observed) -> Iterator[tuple[tuple[str, ...], float]]:
        for site, _ in observed.sites():
            for labels, value in read(site):
                yield (site.settings.name, *labels), value

    return values


def _of_pool(name: str) -> Callable[[Observed], Values]:
    return lambda observed: [((), pool_numbers(observed.pool)[name])]


def _logins(site: FTPSite) -> Values:
    return [((result,), site.transcript.tally.logins[result]) for result in ("success", "failure", "error")]


def _transfers(site: FTPSite) -> Values:
    counts = site.transcript.tally.transfers
    kinds = ((way, outcome) for way in ("download", "upload", "listing") for outcome in ("complete", "aborted", "failed"))
    return [(kind, counts[kind]) for kind in kinds]


def _octets(site: FTPSite) -> Values:
    octets = octets_by_direction(site)
    return [((way,), octets.get(way, 0)) for way in ("download", "upload", "listing")]


def _verdicts(site: FTPSite) -> Values:
    counts = site.verdicts.counts()
    return [((cause.name.lower(),), counts.get(cause, 0)) for cause in Cause]


def _has_tls(site: FTPSite) -> bool:
    return site.tls is not None and site.settings.tls.is_on


def _handshakes(site: FTPSite) -> Values:
    counts = site.transcript.tally.handshakes
    kinds = (*((version, "success") for version in ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")), ("none", "failure"))
    return [(kind, counts[kind]) for kind in kinds] if _has_tls(site) else ()


def _data_handshakes(site: FTPSite) -> Values:
    counts = site.transcript.tally.data_handshakes
    return [((result,), counts[result]) for result in ("resumed", "full", "refused")] if _has_tls(site) else ()


def _expiry(site: FTPSite) -> Values:
    return [((), site.tls.identity.expires.timestamp())] if site.tls is not None and _has_tls(site) else ()


METRICS: tuple[Metric, ...] = (
    Metric("twistftp_build_info", "The version, as a label.", lambda _: [((__version__,), 1)], ("version",)),
    Metric("twistftp_start_time_seconds", "When the server was started, in seconds since 1970.", lambda observed: [((), observed.started)]),
    Metric("twistftp_draining", "1 while the server shuts down.", lambda observed: [((), int(observed.is_draining))]),
    Metric("twistftp_sessions", "Control connections.", _per_site(lambda site: [((), len(site.sessions))]), ("site",)),
    Metric("twistftp_sessions_opened", "Sessions so far.", _per_site(lambda site: [((), site.transcript.tally.sessions)]), ("site",), True),
    Metric(
        "twistftp_connections_refused",
        "Control connections that got no session: too many, or the server shut down.",
        _per_site(lambda site: [((), site.transcript.tally.refused)]),
        ("site",),
        True,
    ),
    Metric("twistftp_logins", "Logins.", _per_site(_logins), ("site", "result"), True),
    Metric("twistftp_transfers_active", "Transfers and listings under way.", _per_site(lambda site: [((), transfers_under_way(site))]), ("site",)),
    Metric("twistftp_transfers", "Transfers and listings that have ended.", _per_site(_transfers), ("site", "direction", "outcome"), True),
    Metric("twistftp_bytes", "Octets of data connections.", _per_site(_octets), ("site", "direction"), True),
    Metric("twistftp_verdicts", "Data connections that failed, by cause.", _per_site(_verdicts), ("site", "cause"), True),
    Metric("twistftp_tls_sessions", "Sessions in TLS.", _per_site(lambda site: [((), sessions_in_tls(site))]), ("site",)),
    Metric("twistftp_tls_handshakes", "Handshakes of control connections.", _per_site(_handshakes), ("site", "version", "result"), True),
    Metric(
        "twistftp_tls_data_handshakes",
        "Handshakes of data connections: that resumed their session, that did not, and that were refused because they did not.",
        _per_site(_data_handshakes),
        ("site", "result"),
        True,
    ),
    Metric("twistftp_certificate_expiry_timestamp_seconds", "When the certificate ends, in seconds since 1970.", _per_site(_expiry), ("site",)),
    Metric("twistftp_pool_range_ports", "Ports in the passive range; 0: the dynamic one.", lambda observed: [((), len(observed.pool.ports))]),
    Metric("twistftp_pool_open_ports", "Passive ports that listen.", _of_pool("open_ports")),
    Metric("twistftp_pool_leases", "Passive ports offered to clients that have not come yet.", _of_pool("leases")),
    Metric("twistftp_pool_connections", "Passive data connections.", _of_pool("connections")),
    Metric("twistftp_pool_leased", "PASV and EPSV that got a port.", _of_pool("leased"), (), True),
    Metric("twistftp_pool_opened", "Passive ports opened.", _of_pool("opened"), (), True),
    Metric("twistftp_pool_waits", "PASV and EPSV that had to wait for a port.", _of_pool("waits"), (), True),
    Metric("twistftp_pool_shared", "PASV and EPSV that share a port with others of their address, told apart by TLS.", _of_pool("shared"), (), True),
    Metric("twistftp_pool_refused", "PASV and EPSV that got none.", _of_pool("refused"), (), True),
    Metric("twistftp_pool_strangers", "Connections to passive ports that no client was expected to make.", _of_pool("strangers"), (), True),
    Metric("twistftp_pool_unproven", "Connections to shared ports that did not show whose they are.", _of_pool("unproven"), (), True),
    Metric("twistftp_pool_unbindable", "Passive ports that other programs held.", _of_pool("unbindable"), (), True),
    Metric(
        "twistftp_access_log_lines_lost",
        "Lines that could not be written.",
        lambda observed: [((name,), lost) for name, lost in observed.lost_lines()],
        ("site",),
        True,
    ),
)


def rows(observed: Observed) -> dict[str, Any]:
    """Everything, now, as JSON can tell it: what :func:`families` makes the page of, and what several processes add up."""
    return {
        "values": {metric.name: [[list(labels), value] for labels, value in metric.read(observed)] for metric in METRICS},
        "commands": [[[site, name], row] for site, latencies in observed.latencies.items() for name, row in latencies.rows.items()],
        "arrivals": [*observed.pool.counters.arrivals.counts, observed.pool.counters.arrivals.seconds],
    }


def families(read: Mapping[str, Any]) -> Iterator[Any]:
    """The metrics in Prometheus' words."""
    for metric in METRICS:
        family = (CounterMetricFamily if metric.is_counter else GaugeMetricFamily)(metric.name, metric.help, labels=metric.labels)
        for labels, value in read["values"][metric.name]:
            family.add_metric(labels, value)
        yield family
    histogram = HistogramMetricFamily("twistftp_command_seconds", "From a command to its final reply.", labels=("site", "class"))
    for labels, (*counts, seconds) in read["commands"]:
        histogram.add_metric(labels, _cumulative(counts), seconds)
    yield histogram
    histogram = HistogramMetricFamily("twistftp_pool_arrival_seconds", "From PASV or EPSV to the client's connection.", labels=())
    *counts, seconds = read["arrivals"]
    histogram.add_metric((), _cumulative(counts), seconds)
    yield histogram


def _cumulative(counts: Iterable[float]) -> list[tuple[str, float]]:
    """The counts of the buckets as Prometheus has them: each holds those before it."""
    return list(zip((*map(str, BUCKETS), "+Inf"), accumulate(counts), strict=True))


class _Page(Resource):
    """A page that is made anew each time it is asked for."""

    isLeaf = True

    def __init__(self, make: Callable[[Any], bytes | Deferred[bytes]]) -> None:
        super().__init__()
        self._make = make

    def render_GET(self, request: Any) -> Any:
        """The page."""
        made = self._make(request)
        if not isinstance(made, Deferred):
            return made
        gone = request.notifyFinish()
        gone.addErrback(lambda _: made.cancel())

        def send(page: bytes) -> None:
            request.write(page)
            request.finish()

        made.addCallback(send).addErrback(lambda failure: failure.trap(CancelledError))
        return NOT_DONE_YET


class _Request(server.Request):
    """One request a connection, and no octets behind it: whoever reaches the port can make the server write a page, and no more."""

    def gotLength(self, length: int | None) -> None:
        """The headers are there, and say whether a body follows: ``None`` is one of unknown length."""
        self.content = BytesIO()
        channel: Any = self.channel
        channel.persistent = False
        self.setHeader(b"connection", b"close")
        if length != 0:
            channel.transport.write(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n\r\n")
            channel.loseConnection()

    def handleContentChunk(self, data: bytes) -> None:
        """They are thrown away."""

    def process(self) -> None:
        """Answer, unless that was done."""
        channel: Any = self.channel
        if not channel.transport.disconnecting:
            super().process()


class _Collected:
    """As much of a registry as is needed to print it."""

    def __init__(self, found: Iterable[Any]) -> None:
        self._found = found

    def collect(self) -> Iterable[Any]:
        """The metrics."""
        return self._found


def web_site(observed: Observed, read: Callable[[], Deferred[Iterable[Any]]] | None = None, trouble: Callable[[], str] = str) -> Site:
    """
    The web site of ``--metrics``.

    :param read: gives the metrics of all processes, where there are several.
    :param trouble: why nobody can be served although the server does not shut down; ``""`` if that can be.
    """
    process = ProcessCollector(registry=None)

    def page(found: Iterable[Any]) -> bytes:
        return generate_latest(_Collected(chain(found, process.collect())))  # type: ignore[arg-type]

    def metrics(request: Any) -> bytes | Deferred[bytes]:
        request.setHeader("content-type", CONTENT_TYPE_LATEST)
        return page(families(rows(observed))) if read is None else read().addCallback(page)

    def health(request: Any) -> bytes:
        request.setHeader("content-type", "text/plain; charset=utf-8")
        why = "shutting down" if observed.is_draining else trouble()
        if why:
            request.setResponseCode(503)
        return f"{why or 'ok'}\n".encode()

    root = Resource()
    root.putChild(b"metrics", _Page(metrics))
    root.putChild(b"healthz", _Page(health))
    site = Site(root, requestFactory=_Request)
    site.noisy = False
    site.displayTracebacks = False
    site.log = lambda request: None  # type: ignore[method-assign, assignment]  # a scrape every few seconds is nothing to tell of
    return site

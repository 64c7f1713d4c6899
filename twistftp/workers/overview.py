"""
What watches a server with workers: the supervisor's control socket and metrics, which ask the workers, and the access logs, which it opens for them.

Not here: adding up (``merging``), the workers' own part (:class:`WorkerMonitoring` apart), and when they are asked to stop (``supervisor``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from twisted.internet.defer import Deferred, DeferredList

from twistftp import __version__
from twistftp.accesslog import CommandLog, TransferLog, hold_access_log, open_access_log
from twistftp.binding import CannotBind
from twistftp.control import BadRequest, demanded_number
from twistftp.logfile import CannotOpen, LogFile
from twistftp.monitoring import Monitoring
from twistftp.policy.settings import ServerSettings
from twistftp.reporting import sessions, status
from twistftp.site import FTPSite
from twistftp.workers.merging import merged_rows, merged_status, outlasting_rows, outlasting_status
from twistftp.workers.staff import Member, Staff

__all__ = ["Overview", "WorkerMonitoring"]

PATIENCE = 2.0
"""Seconds that workers have for an answer; of one that takes longer the last report counts."""

Json = dict[str, Any]


class Overview(Monitoring):
    """The supervisor's."""

    def __init__(self, *arguments: Any, staff: Staff) -> None:
        super().__init__(*arguments)
        self.staff = staff
        self._held: dict[tuple[str, str], LogFile] = {}
        self._left_status: Json = {"sites": [], "pool": {}}
        self._left_rows: list[Json] = []
        self._left_seconds = 0.0
        self._answers = {"status": self._status, "sessions": self._sessions, "disconnect": self._disconnect}
        self._read_metrics = self._metrics
        self._trouble = lambda: "" if len(staff) else "no worker serves"

    # Access logs

    def log_descriptors(self) -> dict[str, int]:
        """The open access logs, by path."""
        return {path: file.descriptor for (path, _), file in self._held.items()}

    def reopen(self) -> None:
        """Open log files again that were moved away; the header is there before any worker does the same."""
        for file in self._held.values():
            file.reopen()
            file.settle()

    def _open_log(self, site: Any) -> None:
        logging = site.settings.logging
        if logging.file and (logging.file, logging.format) not in self._held:
            try:
                held = hold_access_log(self._reactor, logging.file, logging.format, self._now, self._owner)
            except CannotOpen as error:
                raise CannotBind(f"{site.settings.name}: {error}") from None
            self._held[logging.file, logging.format] = held

    def change(self, settings: ServerSettings) -> None:
        """Go over to new settings."""
        super().change(settings)
        wanted = {(site.settings.logging.file, site.settings.logging.format) for site in self._running()}
        for key in [key for key in self._held if key not in wanted]:
            self._held.pop(key).close()

    def close(self) -> Deferred[Any]:
        """Close everything."""
        for file in self._held.values():
            file.close()
        self._held.clear()
        return super().close()

    def _meter(self) -> None:
        """The workers measure."""

    # Asking

    def _reports(self) -> Deferred[list[Member]]:
        """The workers, when each has reported anew or has had its time for it."""
        members = list(self.staff)
        asked = [self._ask(member, "report", is_metered=bool(self._endpoint)) for member in members]

        def take(answers: list[tuple[bool, Any]]) -> list[Member]:
            for member, (is_answered, report) in zip(members, answers, strict=True):
                if is_answered:
                    member.last = report
            # Of one that has ended meanwhile the counters stay (``left``), from the moment when it is no more among those that leave.
            return [member for member in [*self.staff, *self.staff.leaving] if member.last is not None]

        return DeferredList(asked, consumeErrors=True).addCallback(take)

    def _ask(self, member: Member, word: str, **what: Any) -> Deferred[Any]:
        return member.channel.ask(word, **what).addTimeout(PATIENCE, self._reactor)

    def left(self, member: Member) -> None:
        """A worker has ended: what it has counted stays."""
        report = member.last
        if report is None:
            return
        stays, before = outlasting_status(report["status"]), self._left_status
        names = dict.fromkeys(site["name"] for site in [*before["sites"], *stays["sites"]])
        self._left_status = merged_status([before, stays], {"sites": [{"name": name} for name in names], "pool": {}})
        self._left_seconds += report["seconds"]
        if report["rows"] is not None:
            from twistftp.metrics import METRICS

            counters = {metric.name for metric in METRICS if metric.is_counter}
            self._left_rows = [merged_rows([*self._left_rows, outlasting_rows(report["rows"], counters)])]

    def _status(self, _: object, __: object) -> Deferred[Json]:
        return self._reports().addCallback(self._merged)

    def _merged(self, members: list[Member]) -> Json:
        own = {
            "version": __version__,
            "pid": os.getpid(),
            "uptime": round(self._now() - self.started, 3),
            "is_draining": self.is_draining,
            "sites": [{"name": site.settings.name, "root": site.settings.root, "where": place} for site, place in self.sites()],
            "pool": {"ports": str(self.pool.ports)},
            "workers": [_about(member) for member in self.staff],
        }
        return merged_status([*(_status_of(member) for member in members), self._left_status], own)

    def _sessions(self, _: object, __: object) -> Deferred[Json]:
        members = list(self.staff)
        asked = DeferredList([self._ask(member, "sessions") for member in members], consumeErrors=True)

        def merge(answers: list[tuple[bool, Any]]) -> Json:
            pairs = zip(members, answers, strict=True)
            found = [{**one, "worker": member.slot + 1} for member, (is_answered, all_of) in pairs if is_answered for one in all_of]
            return {"sessions": sorted(found, key=lambda one: one["id"])}

        return asked.addCallback(merge)

    def _disconnect(self, _: object, question: Mapping[str, object]) -> Deferred[Json]:
        number = demanded_number(question)
        asked = DeferredList([self._ask(member, "disconnect", id=number) for member in self.staff], consumeErrors=True)

        def found(answers: list[tuple[bool, Any]]) -> Json:
            for is_answered, ended in answers:
                if is_answered and ended is not None:
                    return ended  # type: ignore[no-any-return]
            raise BadRequest(f"there is no session {number}")

        return asked.addCallback(found)

    def _metrics(self) -> Deferred[Iterable[Any]]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        from twistftp.metrics import families

        def made(members: list[Member]) -> Iterable[Any]:
            known = [member.last["rows"] for member in members if member.last is not None and member.last["rows"] is not None]
            if known:
                yield from families(merged_rows([*known, *self._left_rows]))
            yield GaugeMetricFamily("twistftp_workers", "Processes that serve.", value=len(self.staff))
            yield CounterMetricFamily("twistftp_workers_replaced", "Processes that took the place of one that ended.", value=self.staff.replaced)
            seconds = self._left_seconds + sum(member.last["seconds"] for member in members if member.last is not None)
            yield CounterMetricFamily("twistftp_workers_cpu_seconds", "Processor time of all of them.", value=seconds)

        return self._reports().addCallback(made)


def _status_of(member: Member) -> Json:
    return member.last["status"] if member.last is not None else {"sites": [], "pool": {}}


def _about(member: Member) -> Json:
    told = _status_of(member)
    return {"worker": member.slot + 1, "pid": member.pid, "sessions": sum(site["sessions"] for site in told["sites"])}


class WorkerMonitoring(Monitoring):
    """
    A worker's: it writes access logs and measures, and tells the supervisor when that asks.

    :param descriptors: of access logs that the supervisor has open, by path.
    """

    def __init__(self, *arguments: Any, descriptors: Mapping[str, int]) -> None:
        super().__init__(*arguments)
        self._descriptors = dict(descriptors)
        self._kept: list[tuple[FTPSite, str]] | None = None

    def keep(self) -> None:
        """The sites end: what they have counted until then is reported until the process ends."""
        self._kept = list(super().sites())

    def sites(self) -> Iterator[tuple[FTPSite, str]]:
        """See :class:`Monitoring`."""
        return super().sites() if self._kept is None else iter(self._kept)

    def report(self, is_metered: bool) -> Json:
        """Everything but the sessions one by one."""
        rows = None
        if is_metered and self._endpoint:
            from twistftp.metrics import rows as read

            rows = read(self)
        return {"status": status(self, self._now()), "rows": rows, "seconds": time.process_time()}

    def sessions(self) -> list[Json]:
        """The sessions."""
        return sessions(self)

    def _open_log(self, site: FTPSite) -> None:
        """An access log that cannot be opened ends no worker: it may take another's place long after the supervisor could not open it either."""
        try:
            super()._open_log(site)
        except CannotBind as error:
            self._log.error("{error}; this worker goes on as it is", error=error)

    def _opened_log(self, path: str, form: str, name: str) -> CommandLog | TransferLog:
        descriptor = self._descriptors.get(path, -1)
        shared = os.dup(descriptor) if descriptor >= 0 else -1
        return open_access_log(self._reactor, path, form, name, self._in_thread, self._now, self._owner, shared)

    def reopen(self) -> None:
        """Open log files again that were moved away; what was open at the start is as old."""
        super().reopen()
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()

    def _open_metrics(self, endpoint: str) -> None:
        if endpoint:
            try:
                from twistftp import metrics  # noqa: F401
            except ImportError:
                return  # behind a chroot: the supervisor tells
        self._endpoint = endpoint

    def _open_socket(self, wanted: str) -> None:
        self._socket_wanted = wanted

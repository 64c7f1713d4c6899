"""Tests of ``workers.overview``: what the supervisor tells of its workers, some of which are slow or gone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twistftp.control import BadRequest
from twistftp.metrics import BUCKETS, METRICS
from twistftp.policy.channels import PortRange
from twistftp.policy.settings import SiteSettings
from twistftp.workers.overview import PATIENCE, Overview
from twistftp.workers.staff import Member


class FakeChannel:
    """A worker's end: ``answers`` by word, at once, or never for words that it does not know."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def ask(self, word: str, **what: Any) -> Deferred[Any]:
        self.asked.append((word, what))
        answer: Deferred[Any] = Deferred()
        if word in self.answers:
            answer.callback(self.answers[word])
        return answer


class FakeStaff:
    """Who is there, and who leaves."""

    def __init__(self, *members: Member) -> None:
        self.members, self.leaving, self.replaced = list(members), list[Member](), 0

    def __iter__(self) -> Any:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)


class FakeService:
    """A site that is open."""

    ports: tuple[Any, ...] = ()

    def __init__(self, name: str) -> None:
        self.settings = SiteSettings(name=name, root="/srv")
        self.site = self


class FakePool:
    """What is said of the passive ports."""

    ports = PortRange(50000, 50003)


def report(sessions: int, total: int, seconds: float = 0.0, rows: Any = None) -> dict[str, Any]:
    """What a worker tells."""
    site = {"name": "Files", "sessions": sessions, "sessions_total": total}
    return {"status": {"sites": [site], "pool": {"ports": "50000-50003", "leased": total}}, "rows": rows, "seconds": seconds}


class OverviewTests(SynchronousTestCase):
    """Two workers."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.channels = [FakeChannel(), FakeChannel()]
        self.members = [Member(slot, 100 + slot, channel, 0.0) for slot, channel in enumerate(self.channels)]  # type: ignore[arg-type]
        self.staff = FakeStaff(*self.members)
        services = [FakeService("Files")]
        self.overview = Overview(self.clock, FakePool(), lambda: services, lambda: 1000.0, None, staff=self.staff)

    def ask(self, command: str, **question: Any) -> Deferred[Any]:
        """What somebody asks at the control socket."""
        return self.overview._answers[command](None, question)  # type: ignore[no-any-return]

    def status(self) -> dict[str, Any]:
        """The status, when everybody has had the time."""
        asked = self.ask("status")
        self.clock.advance(PATIENCE)
        return self.successResultOf(asked)  # type: ignore[no-any-return]

    def counted(self) -> tuple[int, int]:
        """Sessions now and so far."""
        [site] = self.status()["sites"]
        return site.get("sessions", 0), site.get("sessions_total", 0)

    def test_status(self) -> None:
        """Sums, the server's own facts, and the workers one by one."""
        for channel, answer in zip(self.channels, (report(1, 10), report(2, 20)), strict=True):
            channel.answers["report"] = answer
        status = self.successResultOf(self.ask("status"))
        self.assertEqual(os.getpid(), status["pid"])
        self.assertEqual([{"worker": 1, "pid": 100, "sessions": 1}, {"worker": 2, "pid": 101, "sessions": 2}], status["workers"])
        self.assertEqual({"ports": "50000-50003", "leased": 30}, status["pool"])
        [site] = status["sites"]
        self.assertEqual(("Files", "/srv", 3, 30), (site["name"], site["root"], site["sessions"], site["sessions_total"]))

    def test_slow(self) -> None:
        """One that takes too long is told of as it was; one that has never said anything adds nothing."""
        self.channels[0].answers["report"] = report(1, 10)
        self.assertEqual((1, 10), self.counted())
        self.channels[1].answers["report"] = report(2, 20)
        self.assertEqual((3, 30), self.counted())
        self.channels[0].answers.clear()
        self.channels[1].answers["report"] = report(3, 25)
        self.assertEqual((4, 35), self.counted())
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_left(self) -> None:
        """Of workers that end, one after the other, what they have counted stays; nothing is counted twice or, meanwhile, not at all."""
        self.channels[0].answers["report"], self.channels[1].answers["report"] = report(1, 10), report(2, 20)
        self.assertEqual((3, 30), self.counted())
        for number in range(3):
            member = self.staff.members.pop(0)
            self.staff.leaving.append(member)
            self.assertEqual(30 + number, self.counted()[1])
            self.staff.leaving.remove(member)
            self.overview.left(member)
            self.assertEqual(30 + number, self.counted()[1])
            channel = FakeChannel()
            channel.answers["report"] = report(1, 1)
            self.staff.members.append(Member(0, 200 + number, channel, 0.0))  # type: ignore[arg-type]
            self.assertEqual(31 + number, self.counted()[1])
        self.assertEqual((2, 33), self.counted())
        self.assertEqual(33, self.status()["pool"]["leased"])

    def test_left_at_once(self) -> None:
        """One that has never reported leaves nothing."""
        self.overview.left(self.staff.members.pop())
        self.channels[0].answers["report"] = report(1, 10)
        self.assertEqual((1, 10), self.counted())

    def test_metrics(self) -> None:
        """Rows are added up; processor time and how many were replaced are of all that there were."""
        values: dict[str, list[Any]] = {metric.name: [] for metric in METRICS}
        rows = {"values": {**values, "twistftp_sessions": [[["Files"], 2.0]]}, "commands": [], "arrivals": [0.0] * (len(BUCKETS) + 2)}
        self.overview._endpoint = "tcp:9121"
        for channel in self.channels:
            channel.answers["report"] = report(2, 2, 1.5, rows)
        self.assertEqual(
            {"twistftp_sessions": 4.0, "twistftp_workers": 2.0, "twistftp_workers_replaced_total": 0.0, "twistftp_workers_cpu_seconds_total": 3.0},
            self.samples(),
        )
        self.assertEqual([("report", {"is_metered": True})], self.channels[0].asked)
        self.overview.left(self.staff.members.pop())
        self.staff.replaced = 1
        self.assertEqual(
            {"twistftp_sessions": 2.0, "twistftp_workers": 1.0, "twistftp_workers_replaced_total": 1.0, "twistftp_workers_cpu_seconds_total": 3.0},
            self.samples(),
        )

    def samples(self) -> dict[str, float]:
        """Those that have a value."""
        families = self.successResultOf(self.overview._metrics())
        return {sample.name: sample.value for family in families for sample in family.samples if "arrival" not in sample.name}

    def test_sessions(self) -> None:
        """All, the oldest first, with their workers; those of one that does not answer are missing."""
        self.channels[0].answers["sessions"] = [{"id": 1}, {"id": 5}]
        self.channels[1].answers["sessions"] = [{"id": 2}]
        expected = [{"id": 1, "worker": 1}, {"id": 2, "worker": 2}, {"id": 5, "worker": 1}]
        self.assertEqual({"sessions": expected}, self.successResultOf(self.ask("sessions")))
        self.channels[0].answers.clear()
        asked = self.ask("sessions")
        self.clock.advance(PATIENCE)
        self.assertEqual({"sessions": expected[1:2]}, self.successResultOf(asked))

    def test_disconnect(self) -> None:
        """Whoever has the session answers."""
        self.channels[0].answers["disconnect"] = None
        self.channels[1].answers["disconnect"] = {"id": 4, "user": "alice"}
        self.assertEqual({"id": 4, "user": "alice"}, self.successResultOf(self.ask("disconnect", id=4)))
        self.channels[1].answers["disconnect"] = None
        self.failureResultOf(self.ask("disconnect", id=4), BadRequest)
        for question in ({}, {"id": "4"}, {"id": True}):
            self.assertRaises(BadRequest, self.ask, "disconnect", **question)

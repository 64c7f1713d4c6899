"""Tests of ``reporting``, and of what ``session.tally`` has counted for it."""

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue
from tests.support.observed import Observed
from twistftp.policy.settings import Limits, LogonAttempts
from twistftp.reporting import find, sessions, status


class StatusTests(SynchronousTestCase):
    """The whole server."""

    def test_counts(self) -> None:
        """Sessions, logins, transfers with their outcomes, octets, verdicts and the pool, as values that JSON can say."""
        d = Dialogue(self, logon_attempts=LogonAttempts(delay=0), limits=Limits(max_connections=2))
        observed = Observed(d)
        d.login("alice", "wrong")
        d.login()
        d.say("TYPE I")
        d.fetch("RETR binary")
        d.fetch("LIST")
        d.say("RETR binary")
        d.pool.is_slow = True
        connection = d.passive().connect()
        d.say("RETR binary")
        connection.move(2)
        d.another()
        d.another()
        found = json.loads(json.dumps(status(observed, 1012.5)))
        (site,) = found["sites"]
        expected = {
            "sessions": 2,
            "sessions_total": 2,
            "refused": 1,
            "transfers_under_way": 1,
            "logins": {"failure": 1, "success": 1},
            "transfers": {"download": {"complete": 1}, "listing": {"complete": 1}},
            "verdicts": {"NOT_SET_UP": 1},
        }
        self.assertEqual(expected, {key: site[key] for key in expected})
        self.assertEqual(1024 + 32, site["octets"]["download"])
        self.assertEqual((12.5, False, "50000-50100", 0), (found["uptime"], found["is_draining"], found["pool"]["ports"], found["pool"]["leases"]))
        self.assertEqual(len(d.clock.getDelayedCalls()), found["delayed_calls"])
        self.assertGreater(found["delayed_calls"], 0)
        d.say("ABOR")
        self.assertEqual({"complete": 1, "aborted": 1}, status(observed, 0)["sites"][0]["transfers"]["download"])

    def test_error_of_a_store(self) -> None:
        """A transfer that we could not go on with has failed, and was not aborted."""
        d = Dialogue(self)
        d.login()
        d.store.failing[("binary",)] = ValueError("no")
        d.fetch("RETR binary")
        self.flushLoggedErrors(ValueError)
        self.assertEqual({"failed": 1}, status(Observed(d), 0)["sites"][0]["transfers"]["download"])

    def test_login_that_nobody_can_judge(self) -> None:
        """A broken portal is neither success nor failure."""
        d = Dialogue(self, logon_attempts=LogonAttempts(delay=0))
        d.site.portal = None  # type: ignore[assignment]
        d.login()
        self.flushLoggedErrors()
        self.assertEqual({"error": 1}, status(Observed(d), 0)["sites"][0]["logins"])


class SessionTests(SynchronousTestCase):
    """Sessions one by one."""

    def test_what_they_do(self) -> None:
        """Who, from where, what is transferred, how much of it, how fast, and since when nothing has happened."""
        d = Dialogue(self, tree={"f\udcff": b"x" * 1000})
        other = d.another(peer="192.0.2.10")
        other.say("CLNT a\x1bb")
        d.login()
        d.say("TYPE I")
        d.pool.is_slow = True
        lease = d.passive()
        d.say(b"RETR f\xff\xff")
        (first, second) = sessions(Observed(d))
        self.assertEqual(("RETR", "/f\\xff", True, 1000), tuple(first[key] for key in ("verb", "path", "is_waiting", "total")))
        connection = lease.connect()
        connection.move(10)
        d.clock.advance(4)
        first, second = sessions(Observed(d))
        expected = {"id": 1, "site": "twistftp", "user": "anonymous", "client": "192.0.2.9", "octets": 160, "seconds": 4.0, "rate": 40, "idle": 0.0}
        self.assertEqual(expected, {key: first[key] for key in expected})
        expected = {"id": 2, "user": "", "is_logged_in": False, "client": "192.0.2.10", "program": "a?b", "verb": "", "total": None, "idle": 4.0}
        self.assertEqual(expected, {key: second[key] for key in expected})

    def test_find(self) -> None:
        """By number."""
        d = Dialogue(self)
        found = find(Observed(d), 1)
        assert found is not None
        self.assertIs(d.pi, found[1])
        self.assertIs(None, find(Observed(d), 2))

"""What the log is told."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue
from twistftp.policy.settings import Logging, LogonAttempts
from twistftp.session.recorder import Recorder
from twistftp.session.transcript import LINES_A_SECOND, printable


class TranscriptCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)  # type: ignore[arg-type]
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)  # type: ignore[arg-type]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event.get("ftp_event") == kind]

    def observed(self, **settings: Any) -> tuple[Dialogue, list[dict[str, Any]]]:
        d = Dialogue(self, **settings)
        commands: list[dict[str, Any]] = []
        d.site.transcript.add_observer(lambda event: commands.append(event) if event["ftp_event"] == "command" else None)  # type: ignore[arg-type]
        return d, commands


class CommandTests(TranscriptCase):
    def test_one_event_a_command(self) -> None:
        """One structured event for each command, with session, peer, user, line, code and reply."""
        d, commands = self.observed()
        d.say("USER ftp", "PASS x", "CWD pub", "", "FOO", b"x" * 9000, "QUIT")
        self.assertEqual([331, 230, 250, 500, 500, 221], [event["code"] for event in commands])
        self.assertEqual(["USER ftp", "PASS ****", "CWD pub", "? " + "", "?", "QUIT"][:3], [event["line"] for event in commands][:3])
        event = commands[2]
        expected = {
            "ftp_event": "command",
            "site": "twistftp",
            "session": 1,
            "peer": "192.0.2.9",
            "user": "ftp",
            "reply": '"/pub" is the current directory.',
        }
        self.assertEqual(expected, {key: event[key] for key in expected})
        self.assertEqual([], self.of("command"))

    def test_during_a_transfer(self) -> None:
        """ABOR and STAT, which act at once, have theirs, too."""
        d, commands = self.observed()
        d.login()
        d.pool.is_slow = True
        lease = d.passive()
        del commands[:]
        d.say("RETR file.txt", "STAT")
        lease.connect()
        d.say("STAT", "ABOR")
        self.assertEqual(
            [("STAT", 213), ("STAT", 213), ("RETR file.txt", 426), ("ABOR", 226)], [(event["line"], event["code"]) for event in commands]
        )

    def test_only_when_asked_for(self) -> None:
        """No event is made when nobody looks; the setting writes lines."""
        d = Dialogue(self)
        commands: list[dict[str, Any]] = []
        d.site.transcript.add_observer(commands.append)  # type: ignore[arg-type]
        self.assertTrue(d.site.transcript.wants_commands)
        d.site.transcript.remove_observer(commands.append)  # type: ignore[arg-type]
        self.assertFalse(d.site.transcript.wants_commands)
        d.site.reconfigure(attrs.evolve(d.settings, logging=Logging(commands=True)))
        d.say("NOOP")
        self.assertEqual(([], ["twistftp #1 192.0.2.9 -: NOOP -> 200 OK."]), (commands, [formatEvent(event) for event in self.of("command")]))


class SecretTests(TranscriptCase):
    def test_no_secret_in_any_event(self) -> None:
        """P-SEC-13, P-PASS-2: PASS, ACCT, AUTH and a password mistyped as a verb show up in no field of any event."""
        secret = "hunter2"
        d, commands = self.observed(logging=Logging(commands=True), logon_attempts=LogonAttempts(delay=0, max_failures=100))
        for lines in (
            ("USER alice", f"PASS {secret}"),
            ("USER alice", f"pass  {secret} "),
            ("USER alice", secret),
            ("USER alice", f"{secret} {secret}", f"PAS {secret}", f"PASSWORD {secret}", f"PASS{secret}"),
            ("USER alice", f"ACCT {secret}", f"ACCT  {secret}"),
            (f"ADAT {secret}", f"MIC {secret}", f"PASS {secret}"),
            ("USER alice", f"{secret}: {secret}"),
        ):
            d.say(*lines)
        other = d.another()
        other.say("USER alice", *[f"{secret}{number}" for number in range(12)])
        d.site.portal = None  # type: ignore[assignment]
        other = d.another()
        other.say("USER alice", f"PASS {secret}")
        self.flushLoggedErrors()
        for event in (*self.events, *commands):
            for key, value in event.items():
                if key not in ("log_logger", "log_failure", "log_source", "failure"):
                    self.assertNotIn(secret, str(value).lower(), key)
            self.assertNotIn(secret, (formatEvent(event) or "").lower())
            if event.get("log_failure") is not None:
                self.assertNotIn(secret, event["log_failure"].getTraceback())


class InjectionTests(TranscriptCase):
    def test_one_event_is_one_line(self) -> None:
        """P-SEC-13, P-GEN-4: CR, LF, escape sequences and octets that are no UTF-8 in names make neither lines nor trouble for a log file."""
        tree = dict.fromkeys(("a\x1b[2J", "b\rfake", "c\x85d\u2028e\x9b1m", "f\udcff"), b"x")
        d, commands = self.observed(tree=tree, logging=Logging(commands=True), logon_attempts=LogonAttempts(delay=0))
        d.say(b"USER \x1b[31mroot\r\0fake", b"PASS x", b"USER ftp", b"PASS me\x1b\xe9@x")
        for line in (b"RETR a\x1b[2J", b"RETR b\r\0fake", "RETR c\x85d\u2028e\x9b1m".encode(), b"RETR f\xff\xff", b"XYZ \x1b\xe9", b"CWD \xe9\x1b"):
            d.fetch(line)  # type: ignore[arg-type]
        seen = [formatEvent(event) or "" for event in (*self.events, *commands)]
        self.assertGreater(len(seen), 20)
        for text in seen:
            self.assertTrue(text.isprintable(), ascii(text))
            text.encode("utf-8")

    def test_printable(self) -> None:
        """What is shown of such a name."""
        self.assertEqual("a?b\\x9bc\\u2028\\udcffé", printable("a\x1bb\x9bc\u2028\udcffé"))
        self.assertEqual("aaaa...", printable("a" * 10, 4))


class RecorderTests(TranscriptCase):
    """What recorders are told."""

    def test_what_is_overridden(self) -> None:
        """Each is told what it overrides, in order, and nothing once it is taken away."""
        told: list[tuple[Any, ...]] = []

        class Some(Recorder):
            def opened(self, session: Any) -> None:
                told.append(("opened", session.identifier))

            def data_closed(self, session: Any, transfer: Any, error: Any, seconds: float) -> None:
                told.append(("data closed", transfer.verb, transfer.octets, error, seconds))

            def closed(self, session: Any) -> None:
                told.append(("closed", session.identifier))

        d = Dialogue(self)
        recorder = Some()
        d.site.transcript.add_recorder(recorder)
        other = d.another()
        other.login()
        other.fetch("RETR file.txt")
        other.say("RETR file.txt")  # without a data connection
        other.leave()
        self.assertEqual([("opened", 2), ("data closed", "RETR", 10, None, 0.0), ("closed", 2)], told)
        d.site.transcript.remove_recorder(recorder)
        d.another().leave()
        self.assertEqual(3, len(told))

    def test_trouble(self) -> None:
        """Why a command failed is known while it is told of, and forgotten then."""
        found: list[Any] = []

        class Why(Recorder):
            def command(self, session: Any, command: Any, line: bytes, reply: Any, now: float, seconds: float) -> None:
                found.append((type(session.trouble).__name__, now, seconds))

        d = Dialogue(self)
        d.login()
        d.site.transcript.add_recorder(Why())
        d.clock.advance(5)
        d.say("CWD missing", "NOOP")
        now = d.clock.seconds()
        self.assertEqual([("NotFound", now, 0.0), ("NoneType", now, 0.0)], found)


class EventTests(TranscriptCase):
    def test_beginning_and_end(self) -> None:
        """An observer sees sessions begin and end."""
        d, _ = self.observed()
        seen: list[str] = []
        d.site.transcript.add_observer(lambda event: seen.append(formatEvent(event) or ""))  # type: ignore[arg-type]
        d.another().leave()
        self.assertEqual(["twistftp #2 192.0.2.9 -: connected", "twistftp #2 192.0.2.9 -: disconnected"], seen)

    def test_logins(self) -> None:
        """A login and a failed one are one event each; an anonymous user's password is kept as a mail address."""
        d = Dialogue(self, logon_attempts=LogonAttempts(delay=0))
        d.login("alice", "wrong")
        d.login("alice", "secret")
        d.login("ftp", "me@example.org")
        shown = [(event["user"], event["code"], event["mail"], event["log_level"].name) for event in self.of("login")]
        self.assertEqual([("alice", 530, "", "warn"), ("alice", 230, "", "info"), ("ftp", 230, "me@example.org", "info")], shown)

    def test_transfers(self) -> None:
        """A transfer, good or not, is one event with verb, path, octets, seconds and cause."""
        d = Dialogue(self)
        d.login()
        d.say("TYPE I")
        d.fetch("RETR pub/readme")
        d.pool.is_slow = True
        connection = d.passive().connect()
        d.say("RETR binary")
        connection.move(1)
        d.clock.advance(2)
        d.say("ABOR")
        shown = [{key: event[key] for key in ("verb", "path", "octets", "seconds", "cause", "user")} for event in self.of("transfer")]
        self.assertEqual(
            [
                {"verb": "RETR", "path": "/pub/readme", "octets": 5, "seconds": 0.0, "cause": "", "user": "anonymous"},
                {"verb": "RETR", "path": "/binary", "octets": 16, "seconds": 2.0, "cause": "ABORTED", "user": "anonymous"},
            ],
            shown,
        )

    def test_error_of_others(self) -> None:
        """P-SEC-13: the text of an error that somebody else's code raised is one line as well."""
        d = Dialogue(self)
        d.login()
        d.store.failing[("binary",)] = ValueError("two\nlines\udcff")
        d.fetch("RETR binary")
        self.flushLoggedErrors(ValueError)
        self.assertTrue((formatEvent(self.of("transfer")[0]) or "").isprintable())

    def test_not_too_many_lines(self) -> None:
        """More than a few a second are counted, not written; observers see each."""
        d = Dialogue(self)
        seen: list[dict[str, Any]] = []
        d.site.transcript.add_observer(lambda event: seen.append(event) if event["ftp_event"] == "login" else None)  # type: ignore[arg-type]
        for _ in range(LINES_A_SECOND + 5):
            d.login()
        self.assertEqual((LINES_A_SECOND + 5, LINES_A_SECOND), (len(seen), len(self.of("login"))))
        d.clock.advance(1)
        d.login()
        self.assertIn("twistftp: 5 more logins and transfers, not shown one by one", [formatEvent(event) for event in self.events])

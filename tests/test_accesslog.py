"""Tests of ``accesslog``: what sessions do, as lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue
from twistftp.accesslog import open_access_log
from twistftp.policy.access_log.w3c import FIELDS
from twistftp.policy.settings import Limits, LogonAttempts

NOW = 1710000000.0


class Logged(Dialogue):
    """A dialogue with an access log."""

    def __init__(self, case: SynchronousTestCase, form: str, *, late: bool = False, **settings: Any) -> None:
        self.path = Path(case.mktemp())
        self.log: Any = None
        super().__init__(case, **settings)
        self.log = open_access_log(self.clock, str(self.path), form, "my site", maybeDeferred, self.clock.seconds)
        case.addCleanup(self.log.file.close)
        self.site.transcript.add_recorder(self.log)
        if not late:
            self.visitor = self.another()
        else:
            self.visitor = self

    def lines(self) -> list[str]:
        """Those written so far, without the header."""
        self.wait(1)
        return [line for line in self.path.read_text("utf-8").split("\n") if line and not line.startswith("#")]

    def fields(self, *names: str) -> list[tuple[str, ...]]:
        """Fields of the lines of a log in W3C's format."""
        places = [FIELDS.index(name) for name in names]
        return [tuple(line.split(" ")[place] for place in places) for line in self.lines()]


class W3CTests(SynchronousTestCase):
    """W3C's format, as IIS fills it."""

    def test_session(self) -> None:
        """P-SEC-13: a session from its beginning to its end: pseudo-commands, masked password, ports of the data connection, paths, octets."""
        d = Logged(self, "w3c")
        v = d.visitor
        v.login("anonymous", "secret@example.org")
        v.say("TYPE I", "CWD pub")
        v.fetch("RETR readme")
        v.say("QUIT")
        v.leave()
        names = ("cs-username", "s-port", "cs-method", "cs-uri-stem", "sc-status", "sc-win32-status", "sc-substatus", "sc-bytes", "x-fullpath")
        port = str(d.pool.leases[-1].port)
        expected = [
            ("-", "21", "ControlChannelOpened", "-", "-", "0", "0", "0", "-"),
            ("-", "21", "USER", "anonymous", "331", "0", "0", "0", "-"),
            ("anonymous", "21", "PASS", "***", "230", "0", "0", "0", "/"),
            ("anonymous", "21", "TYPE", "I", "200", "0", "0", "0", "-"),
            ("anonymous", "21", "CWD", "pub", "250", "0", "0", "0", "/pub"),
            ("anonymous", "21", "PASV", "-", "227", "0", "0", "0", "-"),
            ("anonymous", port, "DataChannelOpened", "-", "-", "0", "0", "0", "-"),
            ("anonymous", port, "DataChannelClosed", "-", "-", "0", "0", "5", "-"),
            ("anonymous", "21", "RETR", "readme", "226", "0", "0", "5", "/pub/readme"),
            ("anonymous", "21", "QUIT", "-", "221", "0", "0", "0", "-"),
            ("anonymous", "21", "ControlChannelClosed", "-", "-", "0", "0", "0", "-"),
        ]
        self.assertEqual(expected, d.fields(*names))
        self.assertNotIn("secret", d.path.read_text())

    def test_who_and_where(self) -> None:
        """Both ends with their ports, the site, the host that was named, one x-session for a session and another for the next."""
        d = Logged(self, "w3c")
        d.visitor.say("HOST ftp.example.org", "NOOP")
        d.another().say("NOOP")
        found = d.fields("c-ip", "c-port", "s-sitename", "cs-host", "s-ip", "s-port", "x-session")
        self.assertEqual(("192.0.2.9", "21", "my+site", "-", "192.0.2.1", "21"), found[0][:6])
        self.assertEqual("ftp.example.org", found[2][3])
        first, *rest = [one[6] for one in found]
        self.assertEqual([first, first], rest[:2])
        self.assertNotEqual(first, rest[-1])
        self.assertTrue(first.endswith("-000000000002") and rest[-1].endswith("-000000000003"), first)

    def test_failures(self) -> None:
        """Why something failed, in Windows' and in IIS's numbers and in a word of ours."""
        d = Logged(self, "w3c", logon_attempts=LogonAttempts(delay=0))
        v = d.visitor
        v.login("alice", "wrong")
        v.login()
        v.say("CWD missing", "RETR pub", "RETR file.txt", "MKD x", "FOO")
        found = d.fields("cs-method", "sc-status", "sc-win32-status", "sc-substatus", "x-fullpath", "x-debug")
        expected = [
            ("PASS", "530", "1326", "35", "-", "-"),
            ("CWD", "550", "2", "0", "/missing", "NotFound"),
            ("RETR", "550", "5", "13", "/pub", "IsADirectory"),
            ("RETR", "425", "87", "0", "/file.txt", "NOT_SET_UP"),
            ("MKD", "550", "5", "1", "/x", "-"),
            ("FOO", "500", "87", "0", "-", "-"),
        ]
        self.assertEqual(expected, [one for one in found if int(one[1].replace("-", "0")) >= 400])

    def test_broken_transfer(self) -> None:
        """A client that goes in the midst of a transfer leaves two lines: both connections are closed, the data connection with what went over it."""
        d = Logged(self, "w3c")
        v = d.visitor
        v.login()
        d.pool.is_slow = True
        connection = v.passive().connect()
        v.say("TYPE I", "RETR binary")
        connection.move(2)
        v.leave()
        found = d.fields("cs-method", "sc-win32-status", "sc-substatus", "sc-bytes", "x-debug")
        why = ("1236", "23")
        self.assertEqual([("DataChannelClosed", *why, "32", "CLIENT_GONE"), ("ControlChannelClosed", *why, "0", "CLIENT_GONE")], found[-2:])

    def test_time_outs(self) -> None:
        """A session that the server ends says why."""
        d = Logged(self, "w3c", limits=Limits(unauthenticated_timeout=5))
        d.wait(7)
        d.visitor.leave()
        found = d.fields("cs-method", "sc-win32-status", "sc-substatus", "x-debug")
        self.assertEqual([("ControlChannelClosed", "121", "16", "LOGIN_TIMEOUT")], found[-1:])

    def test_mistyped_password(self) -> None:
        """P-SEC-13: an unknown verb while a password is awaited may be one, and is hidden; after the login it is shown."""
        d = Logged(self, "w3c", logon_attempts=LogonAttempts(delay=0))
        d.visitor.say("USER alice", "hunter2 hunter2", "PASS hunter2")
        d.visitor.login()
        d.visitor.say("XYZ a b", b"\xe9! x", b"  noop", b"x" * 9000)
        text = "\n".join(d.lines())
        self.assertNotIn("hunter2", text.lower())
        self.assertEqual([("XYZ", "a+b"), ("?", "x"), ("NOOP", "-"), ("?", "-")], d.fields("cs-method", "cs-uri-stem")[-4:])

    def test_no_secret_is_kept(self) -> None:
        """P-SEC-13: what makes lines again from memory holds no password."""
        d = Logged(self, "w3c")
        d.visitor.login("anonymous", "hunter2")
        d.visitor.login("anonymous", "other")
        d.visitor.say("ACCT hunter2", "TYPE I")
        self.assertEqual([b"ACCT ***", b"PASS ***", b"TYPE I", b"USER anonymous"], sorted(d.log._said))

    def test_said_again(self) -> None:
        """What is remembered of a line holds for its working directory, its code, and its verb alone; not without end."""
        d = Logged(self, "w3c", tree={"pub": {"sub": {"file": b"x"}, "file": b"x"}, "file": b"x"})
        d.visitor.login()
        d.visitor.say("SIZE file", "SIZE sub/file", "CWD pub", "SIZE file", "SIZE sub/file", "SIZE file")
        d.visitor.say("CWD pub", "CDUP", "SIZE file", "NOOP", "NOOP")
        expected = [
            *(("/file", "213"), ("/sub/file", "550"), ("/pub", "250"), ("/pub/file", "213"), ("/pub/sub/file", "213"), ("/pub/file", "213")),
            *(("/pub/pub", "550"), ("/", "250"), ("/file", "213"), ("-", "200"), ("-", "200")),
        ]
        self.assertEqual(expected, d.fields("x-fullpath", "sc-status")[3:])
        for number in range(2000):
            d.visitor.say(f"NOOP {number}")
        self.assertLessEqual(len(d.log._said), 1024)

    def test_forgery(self) -> None:
        """P-SEC-13: names with line ends, blanks and octets that are no UTF-8 make no lines and no fields."""
        d = Logged(self, "w3c", tree={"b\rfake": b"x", "c d": b"x", "f\udcff": b"x"})
        d.visitor.login()
        before = len(d.lines())
        for line in (b"SIZE b\r\0fake", b"SIZE c d", b"SIZE f\xff\xff", b"SIZE \xe2\x80\xa8x", b"SIZE #Fields: a"):
            d.visitor.say(line)
        found = d.lines()[before:]
        self.assertEqual(5, len(found))
        for line in found:
            self.assertEqual((len(FIELDS), 1), (len(line.split()), len(line.splitlines())))
        self.assertEqual(["b%0Dfake", "c+d", "f%FF", "%E2%80%A8x", "#Fields:+a"], [line.split()[11] for line in found])

    def test_late(self) -> None:
        """A log that is opened later meets the sessions that are there."""
        d = Logged(self, "w3c", late=True)
        d.say("NOOP")
        d.leave()
        self.assertEqual([("NOOP",), ("ControlChannelClosed",)], d.fields("cs-method"))

    def test_removed(self) -> None:
        """A log that is taken away hears no more, and nobody makes anything for it."""
        d = Logged(self, "w3c")
        d.site.transcript.remove_recorder(d.log)
        self.assertFalse(d.site.transcript.wants_commands)
        d.visitor.say("NOOP")
        d.visitor.leave()
        self.assertEqual([("ControlChannelOpened",)], d.fields("cs-method"))


class JSONTests(SynchronousTestCase):
    """JSON."""

    def test_session(self) -> None:
        """The same events, an object each."""
        d = Logged(self, "json")
        v = d.visitor
        v.login()
        v.fetch("RETR file.txt")
        v.leave()
        found = [json.loads(line) for line in d.lines()]
        expected = ["opened", "USER", "PASS", "PASV", "data opened", "data closed", "RETR", "closed"]
        self.assertEqual(expected, [one["verb"] or one["event"] for one in found])
        retrieved = found[-2]
        self.assertEqual((226, 10, "/file.txt", "anonymous"), tuple(retrieved[key] for key in ("code", "octets_sent", "path", "user")))


class TransferLogTests(SynchronousTestCase):
    """xferlog."""

    def test_downloads(self) -> None:
        """One line a file, complete or not; listings and other commands have none; anonymous users have their mail address for a name."""
        d = Logged(self, "xferlog")
        v = d.visitor
        v.login("ftp", "me@example.org")
        v.say("TYPE I")
        v.fetch("RETR pub/readme")
        v.fetch("LIST")
        v.say("USER alice", "PASS secret")
        d.pool.is_slow = True
        connection = v.passive().connect()
        v.say("RETR binary")
        connection.move(1)
        d.clock.advance(3)
        v.say("ABOR")
        expected = ["1 192.0.2.9 5 /pub/readme b _ o a me@example.org ftp 0 * c", "3 192.0.2.9 16 /binary b _ o r alice ftp 0 * i"]
        self.assertEqual(expected, [line[25:] for line in d.lines()])

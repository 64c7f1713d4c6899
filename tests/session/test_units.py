"""``session``, ``dispatch``, ``failures``, ``lookup``, ``transfer`` and ``driver`` by themselves."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue, FakePort
from tests.support.memory import MemoryStore
from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.session.dispatch import dispatch, syntax_reply
from twistftp.session.driver import drive
from twistftp.session.failures import INTERNAL_ERROR, is_expected, reply_for
from twistftp.session.intake import Intake
from twistftp.session.lookup import find, on_existing
from twistftp.session.session import TransferType
from twistftp.session.transfer import Transfer, settled
from twistftp.session.verbs.table import VERBS
from twistftp.storage import failures as storage
from twistftp.transport.interfaces import DataConnectionFailed, ShortFile
from twistftp.wire.entries import DEFAULT_FACTS
from twistftp.wire.replies import Reply
from twistftp.wire.states import Keeps, Login


class SessionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.d = Dialogue(self)
        self.session = self.d.session

    def test_fresh(self) -> None:
        """P-GEN-14, P-TYPE-1: what a session is when it begins."""
        s = self.session
        self.assertEqual(
            (Login.NONE, "", TransferType.ASCII, (), 0, None, False, DEFAULT_FACTS),
            (s.login, s.user, s.type, s.cwd, s.restart, s.data_port, s.epsv_all, s.facts),
        )
        self.assertEqual(("192.0.2.9", "192.0.2.1", "192.0.2.1"), (s.peer, s.local, s.interface))

    def test_addresses(self) -> None:
        """P-TW-10, P-PB-10: mapped addresses are folded; a link-local one keeps its zone; a connection without addresses has none."""
        s = self.d.another(peer="::ffff:192.0.2.7", host="::ffff:192.0.2.1").session
        self.assertEqual(("192.0.2.7", "192.0.2.1"), (s.peer, s.local))
        s = self.d.another(peer="fe80::9%eth0", host="fe80::1%eth0").session
        self.assertEqual(("fe80::9%eth0", "fe80::1%eth0"), (s.peer, s.interface))

    def test_forget_pending(self) -> None:
        """P-GEN-12, P-GEN-13: only what the verb keeps stays."""
        for keeps, expected in (
            (Keeps.NOTHING, (0, None)),
            (Keeps.RESTART, (5, None)),
            (Keeps.RENAME, (0, ("x",))),
            (Keeps.RENAME | Keeps.RESTART, (5, ("x",))),
        ):
            self.session.restart, self.session.rename_from = 5, ("x",)
            self.session.forget_pending(keeps)
            self.assertEqual(expected, (self.session.restart, self.session.rename_from))

    def test_logout_once(self) -> None:
        """The avatar's logout is called once, and the session is out before it is."""
        seen: list[Login] = []
        self.session.log_in("x", MemoryStore({}), lambda: seen.append(self.session.login))
        self.session.log_out()
        self.session.log_out()
        self.assertEqual([Login.NONE], seen)

    def test_data_ports(self) -> None:
        """P-DC-1, P-DC-3: a new one ends the old; taken it is the transfer's."""
        first, second = FakePort(1, ""), FakePort(2, "")
        self.session.use_data_port(first)
        self.session.use_data_port(second)
        self.assertTrue(first.is_ended)
        self.assertIs(second, self.session.take_data_port())
        self.assertIsNone(self.session.take_data_port())
        self.session.drop_data_port()
        self.assertFalse(second.is_ended)


class DispatchTests(SynchronousTestCase):
    def test_order(self) -> None:
        """P-GEN-1: login before syntax, syntax before the handler."""
        session = Dialogue(self).session
        self.assertEqual(530, dispatch(session, VERBS["REST"], b"x").code)  # type: ignore[union-attr]
        session.log_in("x", MemoryStore({}), lambda: None)
        self.assertEqual(501, dispatch(session, VERBS["REST"], b"x").code)  # type: ignore[union-attr]
        self.assertEqual(350, dispatch(session, VERBS["REST"], b"1").code)  # type: ignore[union-attr]

    def test_refused_changes_nothing(self) -> None:
        """P-GEN-1: a command refused for want of a login touches nothing."""
        session = Dialogue(self).session
        session.restart = 5
        dispatch(session, VERBS["PWD"], b"")
        self.assertEqual(5, session.restart)

    def test_syntax_reply(self) -> None:
        """P-TEXT-2: the usage, and the reason where there is one."""
        self.assertEqual("Syntax: CWD <path> (a path name holds no NUL).", syntax_reply(VERBS["CWD"], "a path name holds no NUL").text)


class FailureTests(SynchronousTestCase):
    def test_table(self) -> None:
        """P-TEXT-16, P-TEXT-17, P-TEXT-19, P-TEXT-23, P-TEXT-24, P-TEXT-32, P-GEN-6: each failure has one code and its key words."""
        for error, reply in (
            (storage.NotFound(), "550 p: No such file or directory."),
            (storage.PermissionDenied(), "550 p: Permission denied."),
            (storage.IsADirectory(), "550 p: Is a directory."),
            (storage.NotADirectory(), "550 p: Not a directory."),
            (storage.NotAPlainFile(), "550 p: Not a plain file."),
            (storage.ObjectExists(), "550 p: File already exists."),
            (storage.DirectoryNotEmpty(), "550 p: Directory not empty."),
            (storage.NameNotAllowed("it is a directory"), "553 p: Name not allowed: it is a directory."),
            (storage.Occupied(), "553 p: There is a file or directory of this name already."),
            (storage.OtherFileSystem(), "550 p: It cannot be moved to another file system; copy it."),
            (storage.Busy(), "450 p: The file is being uploaded; try again later."),
            (storage.DiskFull(), "452 Insufficient storage space: the disk is full."),
            (storage.QuotaExceeded(), "552 Exceeded storage allocation: your quota on this disk is used up."),
            (storage.BeyondRange(), "552 More octets came than RANG has announced."),
            (storage.WriteFailed("Input/output error"), "451 Local error while writing: Input/output error."),
            (storage.ReadFailed("Stale file handle"), "451 Local error while reading: Stale file handle."),
            (ShortFile(), "451 Local error while reading: the file became shorter while it was sent."),
            (DataConnectionFailed(Verdict(Cause.LOST, octets=5)), "426 Data connection lost after 5 bytes."),
        ):
            self.assertEqual(f"{reply}\r\n".encode(), reply_for(error, "p").octets)
            self.assertTrue(is_expected(error))

    def test_unknown(self) -> None:
        """P-DX-12, P-TEXT-33: the text of an unknown error goes to nobody."""
        self.assertIs(INTERNAL_ERROR, reply_for(OSError(5, "x", "/srv/ftp"), "p"))
        self.assertTrue(is_expected(CancelledError()), "the end of a command whose client has gone")

    def test_paths_are_cleaned(self) -> None:
        """P-GEN-4, P-LINE-11: control octets become ``?``; at most 512 octets, no half character."""
        self.assertEqual("a?b: No such file or directory.", reply_for(storage.NotFound(), "a\rb").text)
        self.assertEqual("é" * 256 + "...: No such file or directory.", reply_for(storage.NotFound(), "é" * 300).text)

    def test_same_text_for_all_that_is_not_there(self) -> None:
        """P-SEC-20, P-PATH-4: outside the root, hidden and missing are one answer."""
        import errno

        for number in (errno.ENOENT, errno.EXDEV, errno.ELOOP, errno.ENAMETOOLONG):
            error = storage.from_os_error(OSError(number, "x"))
            self.assertEqual("p: No such file or directory.", reply_for(error, "p").text)


class LookupTests(SynchronousTestCase):
    def setUp(self) -> None:
        d = Dialogue(self, {"a": b"1", "b ": b"2", "b": b"3", "dir": {"c": b""}})
        d.login()
        self.session = d.session

    def result(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def test_find(self) -> None:
        """P-LINE-6, P-LINE-8, P-PATH-1: the exact name first, then without blanks at its end."""
        for text, path in (("a", ("a",)), ("a  ", ("a",)), ("b ", ("b ",)), ("b  ", ("b",)), ("/dir/../a", ("a",)), ("dir/c ", ("dir", "c"))):
            self.assertEqual(path, self.result(find(self.session, text))[0])

    def test_only_directories(self) -> None:
        """P-PATH-1: what ends with a ``/`` is a directory or nothing, blanks at its end forgiven or not."""
        for text, path in (("dir/", ("dir",)), ("dir/ ", ("dir",)), ("dir/.", ("dir",)), ("/", ()), ("..", ())):
            self.assertEqual(path, self.result(find(self.session, text))[0], text)
        for text, error in (("a/", storage.NotADirectory), ("a/.", storage.NotADirectory), ("a/ ", storage.NotADirectory), ("x/", storage.NotFound)):
            self.failureResultOf(Deferred.fromCoroutine(find(self.session, text)), error)

    def test_missing(self) -> None:
        """P-LINE-8: only what is not there is looked for again, and never the empty name."""
        for text in ("x", "x ", "  ", " a"):
            self.failureResultOf(Deferred.fromCoroutine(find(self.session, text)), storage.NotFound)
        asked: list[Any] = []

        def operation(path: Any) -> Any:
            asked.append(path)
            raise storage.PermissionDenied

        self.failureResultOf(Deferred.fromCoroutine(on_existing(self.session, "a ", operation)), storage.PermissionDenied)
        self.assertEqual([("a ",)], asked)


class TransferTests(SynchronousTestCase):
    def setUp(self) -> None:
        d = Dialogue(self)
        self.port = FakePort(50000, "192.0.2.9")
        self.transfer = Transfer(d.session, "RETR", "/x", 100, self.port)

    def test_abort_before_and_while_waiting(self) -> None:
        """P-ABOR-2, P-DX-10: whether the client is waited for yet or not, it ends with what ended it."""
        self.transfer.abort(Cause.ABORTED)
        failure = self.failureResultOf(Deferred.fromCoroutine(self.transfer.connected(Reply.of(150, "Opening."))), DataConnectionFailed)
        self.assertEqual(Cause.ABORTED, failure.value.verdict.cause)
        self.setUp()
        waiting = Deferred.fromCoroutine(self.transfer.connected(Reply.of(150, "Opening.")))
        self.transfer.abort(Cause.CLOSING)
        self.transfer.abort(Cause.ABORTED)
        self.assertEqual(Cause.CLOSING, self.failureResultOf(waiting, DataConnectionFailed).value.verdict.cause)

    def test_status(self) -> None:
        """P-STAT-2: the first number is what has moved; without a total only that."""
        self.assertEqual("Status: 0 of 100 bytes transferred", self.transfer.status().text)
        self.transfer.total = None
        self.assertEqual("Status: 0 bytes transferred", self.transfer.status().text)

    def test_settled(self) -> None:
        """A value that may be deferred."""
        self.assertEqual(5, self.successResultOf(Deferred.fromCoroutine(settled(5))))
        later: Deferred[int] = Deferred()
        result = Deferred.fromCoroutine(settled(later))
        later.callback(6)
        self.assertEqual(6, self.successResultOf(result))


class IntakeTests(SynchronousTestCase):
    def test_order(self) -> None:
        """P-PIPE-1: lines that were looked at come before those that were not; one put first comes before all."""
        intake = Intake(8192)
        self.assertTrue(intake.is_empty)
        self.assertIsNone(intake.take())
        self.assertIsNone(intake.look())
        intake.feed(b"NOOP\r\nQUIT\r\nPWD\r\n")
        for _ in range(2):
            line = intake.look()
            assert line is not None
            intake.keep(line)
        intake.keep(b"STAT", first=True)
        self.assertTrue(intake.has_lines)
        self.assertIsNone(intake.whole_line(b"NOOP\r\n"))
        self.assertEqual([b"STAT", b"NOOP", b"QUIT", b"PWD", None], [intake.take() for _ in range(5)])
        self.assertTrue(intake.is_empty)
        self.assertEqual(b"NOOP", intake.whole_line(b"NOOP\r\n"))

    def test_bounds(self) -> None:
        """P-PIPE-4: no more than 256 lines or 64 KiB are looked at, whatever comes first, and then nothing more is wanted."""
        for line, count in ((b"", 256), (b"x" * 8190, 9)):
            intake = Intake(8192)
            intake.feed((line + b"\r\n") * 300)
            looked = 0
            while (found := intake.look()) is not None:
                intake.keep(found)
                looked += 1
            self.assertEqual(count, looked)
            self.assertTrue(intake.is_full)
            intake.clear()
            self.assertEqual((True, False, 0), (intake.is_empty, intake.is_full, intake.octets))

    def test_octets(self) -> None:
        """P-PIPE-4: octets that are not lines yet fill it too."""
        intake = Intake(8192)
        intake.feed(b"NOOP\r\n" * 11_000)
        self.assertTrue(intake.is_full)

    def test_answers(self) -> None:
        """P-TEL-2: requests for Telnet options are refused, once."""
        intake = Intake(8192)
        intake.feed(b"\xff\xfd\x01NOOP\r\n")
        self.assertEqual(b"NOOP", intake.take())
        self.assertEqual([b"\xff\xfc\x01", b""], [intake.take_answers(), intake.take_answers()])


class DriverTests(SynchronousTestCase):
    async def steps(self, *waits: Any) -> list[Any]:
        got = []
        for wait in waits:
            try:
                got.append(await wait)
            except ValueError:
                got.append("failed")
        return got

    def test_at_once(self) -> None:
        """A coroutine that never waits gives its result, or raises, at once."""

        async def broken() -> None:
            raise ValueError

        self.assertEqual([], drive(self.steps()))
        self.assertRaises(ValueError, drive, broken())

    def test_later(self) -> None:
        """One that waits goes on with each result and each failure."""
        waits: list[Deferred[int]] = [Deferred() for _ in range(3)]
        result = drive(self.steps(*waits))
        waits[0].callback(1)
        waits[1].errback(ValueError())
        waits[2].callback(3)
        self.assertEqual([1, "failed", 3], self.successResultOf(result))  # type: ignore[arg-type]

    def test_cancel(self) -> None:
        """Cancelled, what it waits for is cancelled, and its ``finally`` runs."""
        ended: list[int] = []

        async def waiting() -> None:
            try:
                await Deferred()
            finally:
                ended.append(1)

        result: Any = drive(waiting())
        result.cancel()
        self.failureResultOf(result, CancelledError)
        self.assertEqual([1], ended)

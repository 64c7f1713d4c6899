"""RETR and ABOR, and what every transfer does."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue, FakeConnection
from tests.support.trees import Link
from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.policy.settings import Limits
from twistftp.storage.failures import ReadFailed

BINARY = bytes(range(256)) * 4


class TransferCase(SynchronousTestCase):
    def setUp(self) -> None:
        tree = {
            "binary": BINARY,
            "text": b"one\ntwo\r\nthree\rfour\n",
            "empty": b"",
            "dir": {},
            "fifo": 0o010644,
            "locked": b"x",
            "link": Link("/binary"),
            "gone": Link("/no"),
        }
        self.d = Dialogue(self, tree)
        self.d.store.denied.add(("locked",))
        self.d.login()
        self.d.say("TYPE I")

    def moving(self, *lines: str) -> FakeConnection:
        """A RETR that has begun and stands still."""
        self.d.pool.is_slow = True
        connection = self.d.passive().connect()
        self.assertEqual(["150 Opening data connection (1024 bytes)."], self.d.say("RETR binary", *lines))
        return connection

    def assert_clean(self) -> None:
        """Nothing of the transfer is left."""
        self.assertEqual([], self.d.store.open)
        self.assertEqual(0, self.d.pool.open_leases)
        self.assertIsNone(self.d.session.transfer)


class RetrTests(TransferCase):
    def test_whole(self) -> None:
        """P-RETR-1, P-DX-1, P-DX-20, P-TEXT-31: 150 with the octets to come, all of them, the end of the data, then 226."""
        replies, data = self.d.fetch("RETR binary")
        self.assertEqual(["150 Opening data connection (1024 bytes).", "226 Transfer complete (1024 bytes)."], replies)
        self.assertEqual(BINARY, data)
        self.assertTrue(self.d.pool.leases[-1].made.is_finished)  # type: ignore[union-attr]
        self.assert_clean()

    def test_empty_and_link(self) -> None:
        """P-RETR-1: an empty file is a transfer too; a link is what it leads to."""
        self.assertEqual((["150 Opening data connection (0 bytes).", "226 Transfer complete (0 bytes)."], b""), self.d.fetch("RETR empty"))
        self.assertEqual(BINARY, self.d.fetch("RETR link")[1])

    def test_text(self) -> None:
        """P-TYPE-2, P-RETR-2: TYPE A sends LF as CRLF, leaves CRLF and a lone CR, and names no count in the 150."""
        self.d.say("TYPE A")
        self.assertEqual(
            (["150 Opening data connection.", "226 Transfer complete (22 bytes)."], b"one\r\ntwo\r\nthree\rfour\r\n"), self.d.fetch("RETR text")
        )

    def test_failures_come_at_once(self) -> None:
        """P-DC-17, P-RETR-1, P-TEXT-16, P-TEXT-17, P-TEXT-19: 550 before the client has connected; port and early connection close."""
        for name, text in (
            ("nowhere", "550 nowhere: No such file or directory."),
            ("locked", "550 locked: Permission denied."),
            ("binary/x", "550 binary/x: Not a directory."),
            ("gone", "550 gone: No such file or directory."),
        ):
            lease = self.d.passive()
            self.assertEqual([text], self.d.say(f"RETR {name}"))
            self.assertTrue(lease.is_ended)
            early = self.d.passive().connect()
            self.d.say(f"RETR {name}")
            self.assertTrue(early.is_closed)
        self.assertEqual(["550 dir: Is a directory."], self.d.say("RETR dir"))
        self.assert_clean()

    def test_restart(self) -> None:
        """P-REST-2, P-RETR-2, P-STATE-8: the octets from n on; n may be the size; beyond it 554 (P-TEXT-25)."""
        self.d.say("REST 1000")
        self.assertEqual(
            (["150 Opening data connection (24 bytes).", "226 Transfer complete (24 bytes)."], BINARY[1000:]), self.d.fetch("RETR binary")
        )
        self.d.say("REST 1024")
        self.assertEqual((["150 Opening data connection (0 bytes).", "226 Transfer complete (0 bytes)."], b""), self.d.fetch("RETR binary"))
        self.d.say("REST 1025")
        self.assertEqual(["554 Restart point 1025 is beyond the end of the file (1024 bytes)."], self.d.fetch("RETR binary")[0])
        self.assert_clean()

    def test_restart_text(self) -> None:
        """P-REST-2: in TYPE A n counts octets as they were sent; in a file too large to count, 554."""
        self.d.say("TYPE A")
        whole = self.d.fetch("RETR text")[1]
        for offset in range(len(whole) + 1):
            self.d.say(f"REST {offset}")
            self.assertEqual(whole[offset:], self.d.fetch("RETR text")[1])
        self.d.say(f"REST {len(whole) + 1}")
        self.assertEqual(["554 Restart point 23 is beyond the end of the file (22 bytes)."], self.d.fetch("RETR text")[0])
        self.d.store.tree["text"] = b"x" * (1 << 20) + b"y"  # type: ignore[index]
        self.d.say("REST 1")
        self.assertEqual(["554 Restart point 1 cannot be found in a text file of this size; use TYPE I."], self.d.fetch("RETR text")[0])

    def test_names(self) -> None:
        """P-PATH-2, P-LINE-6, P-LINE-8: names are octets, with blanks at both ends; an existing one wins over a trimmed one."""
        tree = {"\udce9": b"1", " a ": b"2", "a": b"3", "é": b"4", "*": b"5", "-la": b"6"}
        d = Dialogue(self, tree)
        d.login()
        for line, data in ((b"RETR \xe9", b"1"), (b"RETR  a ", b"2"), (b"RETR a  ", b"3"), ("RETR é", b"4"), ("RETR *", b"5"), ("RETR -la", b"6")):
            self.assertEqual(data, d.fetch(line)[1])  # type: ignore[arg-type]

    def test_no_globs(self) -> None:
        """P-GLOB-1, P-SEC-9: ``*``, ``|`` and ``$`` mean nothing in RETR."""
        self.assertEqual([550] * 3, self.d.codes("RETR bin*", "RETR |id", "RETR $HOME"))

    def test_argument_needed(self) -> None:
        """P-GEN-8: 501, and the data port is used up (P-DC-1)."""
        self.d.passive()
        self.assertEqual(
            ["501 Syntax: RETR <path>.", "425 No data connection: send PASV or EPSV (or PORT/EPRT) first."], self.d.say("RETR", "RETR binary")
        )


class DataConnectionTests(TransferCase):
    def test_none_set_up(self) -> None:
        """P-DC-1, P-DC-2, P-TEXT-10: each transfer needs a set-up of its own; one that failed has used it up as well."""
        none = ["425 No data connection: send PASV or EPSV (or PORT/EPRT) first."]
        self.assertEqual(none, self.d.say("RETR binary"))
        self.d.fetch("RETR binary")
        self.assertEqual(none, self.d.say("RETR binary"))
        self.d.fetch("RETR nowhere")
        self.assertEqual(none, self.d.say("RETR binary"))

    def test_directory_leaves_it(self) -> None:
        """P-DC-1 but for one case: Lynx asks by RETR whether a name is a directory, and lists it by the same set-up."""
        lease = self.d.passive()
        self.assertEqual([550, 250], self.d.codes("RETR dir", "CWD dir"))
        self.d.say("LIST")
        lease.connect()
        self.assertEqual([150, 226], [int(reply[:3]) for reply in self.d.hear()])
        self.assertEqual([425], self.d.codes("LIST"))
        self.assertEqual([550, 550], self.d.codes("RETR .", "RETR nowhere"))  # without any: what is refused next is not spared
        self.d.passive()
        self.assertEqual([550, 550, 425], self.d.codes("RETR .", "RETR nowhere", "LIST"))

    def test_425_leaves_nothing_behind(self) -> None:
        """However often it is said, a refusal keeps nothing alive."""
        from twistftp.session import transfer

        for _ in range(20):
            self.d.say("RETR binary")
        kept = [value for value in vars(transfer).values() if isinstance(value, Exception) and value.__traceback__ is not None]
        self.assertEqual([], kept)

    def test_either_order(self) -> None:
        """P-DC-5, P-DC-6, P-PIPE-5, P-TIME-4: the client may connect before or after its command; no 150 until it has."""
        lease = self.d.passive()
        self.assertEqual([], self.d.say("RETR binary"))
        self.assertTrue(lease.is_awaited)
        self.assertEqual(30, lease.timeout)
        connection = lease.connect()
        self.assertEqual([150, 226], [int(reply[:3]) for reply in self.d.hear()])
        self.assertEqual(BINARY, connection.received)

    def test_pipelined(self) -> None:
        """P-PIPE-5: PASV and RETR in one segment: 227; when the client has come 150, 226."""
        self.assertEqual([227], self.d.codes("PASV", "RETR binary", "NOOP"))
        self.d.pool.leases[-1].connect()
        self.assertEqual([150, 226, 200], [int(reply[:3]) for reply in self.d.hear()])

    def test_never_comes(self) -> None:
        """P-DC-6, P-TEXT-11: 425 that names the port, the time and the firewall; the session goes on."""
        lease = self.d.passive()
        self.d.say("RETR binary")
        lease.never_comes()
        text = "425 No connection reached port 50000 within 30 s: a firewall or NAT probably blocks it; open TCP 50000-50100 to this server."
        self.assertEqual([text], self.d.hear())
        self.assert_clean()
        self.assertEqual([200], self.d.codes("NOOP"))

    def test_foreign_peer(self) -> None:
        """P-TEXT-13: 425 that says that another address came and was refused."""
        lease = self.d.passive()
        self.d.say("RETR binary")
        lease.fail(Verdict(Cause.FOREIGN_PEER, port=50000, address="198.51.100.7"))
        self.assertEqual(["425 A connection to port 50000 came from 198.51.100.7, not from your address, and was refused."], self.d.hear())

    def test_early_reset(self) -> None:
        """P-DC-9: an early connection that was reset: 425."""
        self.d.passive().reset()
        self.assertEqual([425], self.d.codes("RETR binary"))
        self.assert_clean()

    def test_active(self) -> None:
        """P-DC-7, P-DC-8, P-TIME-5: connected when the command runs; 150 with the connection; refused: 425 (P-TEXT-12)."""
        self.d.say("PORT 192,0,2,9,195,80")
        made = self.d.active_ports[-1]
        self.assertEqual([], self.d.say("RETR binary"))
        self.assertEqual(30, made.timeout)
        made.connect()
        self.assertEqual([150, 226], [int(reply[:3]) for reply in self.d.hear()])
        self.d.say("EPRT |1|192.0.2.9|50001|", "RETR binary")
        self.d.active_ports[-1].refuse_connection()
        self.assertEqual(["425 Cannot connect to 192.0.2.9 port 50001 (connection refused): use passive mode."], self.d.hear())

    def test_one_at_a_time(self) -> None:
        """P-DC-18, P-PIPE-1: the next transfer waits for the end of the first."""
        first = self.moving("PASV", "RETR text")
        self.assertEqual(1, len(self.d.pool.leases))
        first.finish()
        self.assertEqual([226, 227], [int(reply[:3]) for reply in self.d.hear()])


class EndTests(TransferCase):
    def test_lost(self) -> None:
        """P-DX-4, P-DX-21, P-TEXT-14: the data connection breaks: 150, 426 with the octets moved, never 226."""
        connection = self.moving()
        connection.move(2)
        connection.lose()
        self.assertEqual(["426 Data connection lost after 32 bytes."], self.d.hear())
        self.assert_clean()

    def test_stalled(self) -> None:
        """P-DX-6, P-TIME-6: no octet moved for the stall time: 426 "timed out"."""
        connection = self.moving()
        connection.stall()
        self.assertEqual(["426 Data connection timed out: no data for 300 s, 0 bytes moved."], self.d.hear())
        self.assert_clean()

    def test_stall_time(self) -> None:
        """P-DX-6: how long that is the site says, also if it shares its passive ports with others, and as it stands when the transfer begins."""
        for seconds in (5, 900):
            self.d.site.reconfigure(evolve(self.d.settings, limits=Limits(data_stall_timeout=seconds)))
            connection = self.moving()
            self.assertEqual(seconds, connection.stall_timeout)
            connection.finish()
            self.assertEqual(["226 Transfer complete (1024 bytes)."], self.d.hear())

    def test_disk_fails(self) -> None:
        """P-DX-7, P-DX-21, P-TEXT-32: the data connection is reset, so that nobody takes the file as whole; 451 with the system's word."""
        for line in ("TYPE I", "TYPE A"):
            self.d.say(line)
            self.d.store.failing[("binary",)] = ReadFailed("Input/output error")
            self.d.store.good_octets = 100
            replies, data = self.d.fetch("RETR binary")
            self.assertEqual("451 Local error while reading: Input/output error.", replies[-1])
            self.assertTrue(self.d.pool.leases[-1].made.is_reset)  # type: ignore[union-attr]
            self.assert_clean()

    def test_file_becomes_shorter(self) -> None:
        """P-RETR-1, P-DX-21: a file that is cut while it is sent: 451 and a reset, in both types."""
        for line in ("TYPE I", "TYPE A"):
            self.d.store.tree["big"] = b"y" * 600_000  # type: ignore[index]
            self.d.say(line)
            self.d.pool.is_slow = True
            connection = self.d.passive().connect()
            self.d.say("RETR big")
            connection.move()
            self.d.store.tree["big"] = b"y"  # type: ignore[index]
            connection.finish()
            self.assertEqual(["451 Local error while reading: the file became shorter while it was sent."], self.d.hear())
            self.assertTrue(connection.is_reset)
            self.assert_clean()

    def test_file_becomes_longer(self) -> None:
        """P-RETR-1: what is sent is the file as long as it was when it was opened, in both types."""
        for line in ("TYPE I", "TYPE A"):
            self.d.store.tree["log"] = b"y" * 300_000  # type: ignore[index]
            self.d.say(line)
            self.d.pool.is_slow = True
            connection = self.d.passive().connect()
            self.d.say("RETR log")
            connection.move()
            self.d.store.tree["log"] = b"y" * 900_000  # type: ignore[index]
            connection.finish()
            self.assertEqual(["226 Transfer complete (300000 bytes)."], self.d.hear())

    def test_unexpected_error(self) -> None:
        """P-DX-12, P-DX-21, P-TEXT-33: 451 without the error's own text, the data connection reset, one traceback in the log."""
        self.d.store.failing[("binary",)] = ZeroDivisionError("/srv/ftp/binary")
        self.assertEqual([150, 451], [int(reply[:3]) for reply in self.d.fetch("RETR binary")[0]])
        self.assertTrue(self.d.pool.leases[-1].made.is_reset)  # type: ignore[union-attr]
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
        self.assert_clean()

    def test_sending_itself_fails(self) -> None:
        """P-DX-12, P-DX-21: an error of the server's own after the 150 resets the data connection too."""
        connection = self.d.passive().connect()

        def broken(*_: Any) -> Any:
            raise ZeroDivisionError

        connection.send_file = broken  # type: ignore[method-assign]
        self.assertEqual([150, 451], self.d.codes("RETR binary"))
        self.assertTrue(connection.is_reset)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_control_connection_lost(self) -> None:
        """P-DX-13, P-GEN-15: the transfer stops, file and data connection close; so too while the client is waited for, or the disk."""
        connection = self.moving()
        self.d.leave()
        self.assertTrue(connection.is_reset)
        self.assert_clean()
        for is_slow in (False, True):
            client = self.d.another()
            client.login()
            lease = client.passive()
            self.d.store.is_slow = is_slow
            client.say("RETR binary")
            client.leave()
            self.d.store.release()
            self.assertTrue(lease.is_ended)
            self.assert_clean()
        self.assertEqual([], self.d.clock.getDelayedCalls())


class AborTests(TransferCase):
    def test_moving(self) -> None:
        """P-ABOR-1, P-DX-9, P-STATE-15, P-TEXT-14: 426 without the word itself, then 226; the data connection is reset."""
        connection = self.moving()
        connection.move(2)
        replies = self.d.say("ABOR")
        self.assertEqual("426 Transfer aborted by the client after 32 bytes.", replies[0])
        self.assertEqual([426, 226], [int(reply[:3]) for reply in replies])
        self.assertNotIn("ABOR", replies[0])
        self.assertTrue(connection.is_reset)
        self.assert_clean()
        self.assertEqual(BINARY, self.fetch_again())

    def fetch_again(self) -> bytes:
        self.d.pool.is_slow = False
        return self.d.fetch("RETR binary")[1]

    def test_waiting(self) -> None:
        """P-ABOR-2, P-DX-10: while the client is waited for: 426, 226, no 150 ever; the port is given up. PORT likewise."""
        lease = self.d.passive()
        self.assertEqual([], self.d.say("RETR binary"))
        self.assertEqual([426, 226], self.d.codes("ABOR"))
        self.assertTrue(lease.is_ended)
        self.d.say("PORT 192,0,2,9,195,80", "RETR binary")
        self.assertEqual([426, 226], self.d.codes("ABOR"))
        self.assert_clean()

    def test_in_the_same_segment(self) -> None:
        """P-PIPE-3, P-ABOR-2: an ABOR that came together with its RETR is seen."""
        self.d.passive()
        self.assertEqual([426, 226], self.d.codes("RETR binary", "ABOR"))
        self.assert_clean()

    def test_while_the_disk_is_waited_for(self) -> None:
        """P-PIPE-3, P-ABOR-2: one that came before the file was open counts as soon as there is a transfer to end."""
        for lines in (("RETR binary", "ABOR"), ("RETR binary",)):
            self.d.passive()
            self.d.store.is_slow = True
            self.assertEqual([], self.d.say(*lines))
            if len(lines) == 1:
                self.assertEqual([], self.d.say("ABOR"))
            self.d.store.is_slow = False
            self.d.store.release()
            self.assertEqual([426, 226], [int(reply[:3]) for reply in self.d.hear()])
            self.assert_clean()

    def test_nothing_running(self) -> None:
        """P-ABOR-3, P-STATE-15: 226 in every state; an unused port or early connection closes, a restart point goes, USER stays."""
        d = Dialogue(self)
        self.assertEqual([226, 331, 226, 230], d.codes("ABOR", "USER ftp", "ABOR", "PASS x"))
        lease = self.d.passive()
        early = lease.connect()
        self.d.say("REST 5")
        self.assertEqual([226], self.d.codes("ABOR"))
        self.assertTrue(lease.is_ended)
        self.assertTrue(early.is_closed)
        self.assertEqual(0, self.d.session.restart)

    def test_just_after_the_end(self) -> None:
        """P-ABOR-4: two final replies in all."""
        connection = self.moving()
        connection.finish()
        self.assertEqual([226, 226], self.d.codes("ABOR"))

    def test_behind_others(self) -> None:
        """P-PIPE-3: seen behind queued commands: 426; queued transfers get 450, the others run; then 226."""
        connection = self.moving("NOOP", "PASV", "RETR text", "SYST", "LIST")
        self.assertEqual([426, 200, 227, 450, 215, 450, 226, 200], self.d.codes("ABOR", "NOOP"))
        self.assertTrue(connection.is_reset)
        self.assert_clean()
        self.assertEqual(BINARY, self.fetch_again())

    def test_twice(self) -> None:
        """P-GEN-2: each ABOR has one reply of its own."""
        self.moving()
        self.assertEqual([426, 226, 226, 200], self.d.codes("ABOR", "ABOR", "NOOP"))
        self.moving()
        self.assertEqual([426], self.d.codes("ABOR")[:1])

    def test_as_clients_send_it(self) -> None:
        """P-TEL-4, P-TEL-8, P-TEL-9: behind Telnet IP and Synch, also with octets lost, it is ABOR."""
        for octets in (b"\xff\xf4\xff\xf2ABOR\r\n", b"\xff\xf4\xf2ABOR\r\n", b"\xf2ABOR\r\n", b"\xff\xf4\xff\xffABOR\r\n", b"ABOR\n"):
            self.moving()
            self.d.send(octets)
            self.assertEqual([426, 226], [int(reply[:3]) for reply in self.d.hear()], octets)

    def test_many_in_one_segment(self) -> None:
        """P-PIPE-3, P-PIPE-4: thousands of transfers that are each aborted at once, in one segment."""
        count = 3000
        self.d.send(b"PASV\r\nRETR binary\r\nABOR\r\n" * count)
        codes = [int(reply[:3]) for reply in self.d.hear()]
        self.assertEqual(count, codes.count(227))
        self.assertEqual(count, codes.count(226))
        self.assertEqual(count, codes.count(426) + codes.count(450))
        self.assert_clean()


class StatInTransferTests(TransferCase):
    def test_moving(self) -> None:
        """P-STAT-2, P-STATE-16: between 150 and the end: 213, the octets moved first."""
        connection = self.moving()
        connection.move(2)
        self.assertEqual(["213 Status: 32 of 1024 bytes transferred"], self.d.say("STAT"))
        self.d.send(b"\xff\xf4\xff\xf2STAT\r\n")
        self.assertEqual(["213 Status: 32 of 1024 bytes transferred"], self.d.hear())

    def test_before_150(self) -> None:
        """P-STAT-2: held back until the 150."""
        lease = self.d.passive()
        self.assertEqual([], self.d.say("RETR binary", "STAT"))
        self.assertEqual([], self.d.say("STAT"))
        self.d.pool.is_slow = lease.is_slow = True
        lease.connect()
        self.assertEqual(["150 Opening data connection (1024 bytes).", *["213 Status: 0 of 1024 bytes transferred"] * 2], self.d.hear())

    def test_never_a_150(self) -> None:
        """P-GEN-2, P-STAT-2: where the 150 never comes it is answered behind the transfer's own reply."""
        for end in ("never_comes", "refuse_connection"):
            lease = self.d.passive()
            self.d.say("RETR binary")
            self.d.say("STAT", "NOOP")
            getattr(lease, end)()
            self.assertEqual([425, 211, 200], [int(reply[:3]) for reply in self.d.hear()])
        self.d.passive()
        self.d.say("RETR binary", "STAT")
        self.assertEqual([426, 211, 226], self.d.codes("ABOR"))

    def test_behind_others(self) -> None:
        """P-PIPE-2: behind queued commands, or with a path, it waits like any other."""
        connection = self.moving("NOOP", "STAT", "STAT dir")
        connection.finish()
        self.assertEqual([226, 200, 211, 212], [int(reply[:3]) for reply in self.d.hear()])

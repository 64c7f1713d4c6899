"""The server-PI: lines, Telnet, the order of replies, and how much a client can make it hold."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue, replies_of
from twistftp.policy.settings import Limits, Messages
from twistftp.transport.turns import SPAN
from twistftp.wire.replies import Reply


class GreetingTests(SynchronousTestCase):
    def test_first(self) -> None:
        """P-CONN-1, P-SEC-16: 220 before anything is read; no version."""
        self.assertEqual(["220 twistftp FTP service ready."], Dialogue(self).greeting)

    def test_banner(self) -> None:
        """P-CONN-1, P-GEN-3: the administrator's lines; without a banner and without the default, "Ready."."""
        self.assertEqual(["220-Hello.\n 220 x\n220 End"], Dialogue(self, messages=Messages(banner="Hello.\n220 x\nEnd")).greeting)
        self.assertEqual(["220 Ready."], Dialogue(self, messages=Messages(suppress_default_banner=True)).greeting)


class LineTests(SynchronousTestCase):
    def hear(self, *segments: bytes) -> list[str]:
        d = Dialogue(self)
        for segment in segments:
            d.send(segment)
        return d.hear()

    def test_line_ends(self) -> None:
        """P-LINE-1: CRLF, LF alone, and a CR and LF in two segments end a line."""
        for segments in ((b"NOOP\r\n",), (b"NOOP\n",), (b"NOOP\r", b"\n"), (b"NO", b"OP", b"\r\n")):
            self.assertEqual(["200 OK."], self.hear(*segments), segments)
        self.assertEqual([], self.hear(b"NOOP\r"))

    def test_empty_lines(self) -> None:
        """P-LINE-2: no reply to an empty line or to blanks; blanks before a verb are dropped."""
        self.assertEqual(["200 OK.", "200 OK."], self.hear(b"\r\n\n   \r\nNOOP\r\n  NOOP\r\n"))

    def test_verbs(self) -> None:
        """P-LINE-5, P-GEN-9, P-TEXT-1: letters in any case; anything else is 500 with the verb cleaned and cut."""
        self.assertEqual(["200 OK."], self.hear(b"nOoP\r\n"))
        for line, shown in (
            (b"FOO bar", "FOO"),
            (b"foo", "FOO"),
            (b"NO\x07OP", "NO?OP"),
            (b"a" * 40 + b" x", "a" * 16 + "..."),
            (b"<script>alert(1)</script>", "<script>alert(1)..."),
        ):
            self.assertEqual([f'500 Unknown command "{shown}"; try HELP.'], self.hear(line + b"\r\n"))

    def test_one_octet_a_segment(self) -> None:
        """P-LINE-1, P-GEN-2: however the network cuts it, the replies are the same."""
        lines = b"NOOP\r\nUSER ftp\nPASS x\r\nCWD pub\r\nPWD\r\n\xff\xf1SYST\r\nTYPE I\r\nSIZE readme\r\nFOO\r\nQUIT\r\n"
        whole = self.hear(lines)
        self.assertEqual([200, 331, 230, 250, 257, 215, 200, 213, 500, 221], [int(reply[:3]) for reply in whole])
        self.assertEqual(whole, self.hear(*(lines[i : i + 1] for i in range(len(lines)))))
        for cut in range(1, len(lines)):
            self.assertEqual(whole, self.hear(lines[:cut], lines[cut:]))

    def test_too_long(self) -> None:
        """P-LINE-3, P-LINE-4: one 500, the rest of the line is no command, then it goes on; after three, 421."""
        long = b"STOR " + b"x" * 100_000 + b"\nNOOP\r\n"
        self.assertEqual(["500 Command line too long.", "200 OK."], self.hear(long))
        self.assertEqual(["500 Command line too long.", "200 OK."], self.hear(*(long[i : i + 1000] for i in range(0, len(long), 1000))))
        self.assertEqual(["500 Command line too long.", "200 OK."], self.hear(b"x" * 9000 + b"DELE x", b" DELE y\r\nNOOP\r\n"))
        d = Dialogue(self)
        self.assertEqual([500, 500, 500, 421], d.codes(*(b"x" * 9000,) * 3, "NOOP"))
        self.assertTrue(d.is_closing)

    def test_limit_is_a_setting(self) -> None:
        """P-LINE-3: the limit is the setting's; a line of just that length works."""
        d = Dialogue(self, limits=Limits(max_command_line=1024))
        self.assertEqual([200, 500], d.codes(b"NOOP " + b"x" * 1018, b"NOOP " + b"x" * 1024))

    def test_endless_line(self) -> None:
        """P-LINE-3, P-SEC-10: a MiB without a line end is 421 and the end, in constant memory."""
        d = Dialogue(self)
        for _ in range(20):
            d.send(b"x" * 65536)
            self.assertLess(d.pi._intake.octets, 100_000)
        self.assertEqual([421], [int(reply[:3]) for reply in d.hear()])
        self.assertTrue(d.is_closing)

    def test_argument_is_exact(self) -> None:
        """P-LINE-6: one blank is the separator, all others belong to the name."""
        d = Dialogue(self, {" a": {}})
        d.login()
        self.assertEqual(['250 "/ a" is the current directory.'], d.say("CWD  a"))


class TelnetTests(SynchronousTestCase):
    def test_options(self) -> None:
        """P-TEL-2, P-TEL-3, P-TEL-10: WILL and DO are refused between replies, WONT and DONT pass in silence."""
        d = Dialogue(self)
        d.send(b"\xff\xfb\x01NO\xff\xfd\x03OP\r\n\xff\xfc\x01\xff\xfe\x03NOOP\r\n")
        self.server_writes(d, b"\xff\xfe\x01\xff\xfc\x03200 OK.\r\n200 OK.\r\n")

    def server_writes(self, d: Dialogue, expected: bytes) -> None:
        d.turn()
        self.assertEqual(expected, b"".join(d.transport.writes[1:]))

    def test_limited(self) -> None:
        """P-TEL-10: 64 are answered, then none."""
        d = Dialogue(self)
        d.send(b"\xff\xfb\x01" * 1000 + b"NOOP\r\n")
        self.server_writes(d, b"\xff\xfe\x01" * 64 + b"200 OK.\r\n")

    def test_doubled(self) -> None:
        """P-TEL-1, P-GEN-4: FF FF is one octet of a name; replies double it again."""
        d = Dialogue(self)
        d.login()
        self.assertEqual([b"550 \xff\xff: No such file or directory.\r\n"], [d.say(b"CWD \xff\xff"), d.transport.writes[-1:]][1])

    def test_lost_codes(self) -> None:
        """P-TEL-9, P-TEL-4: octets from 0x80 up before ABOR, STAT and QUIT are remains of Telnet."""
        for octets, code in ((b"\xf2ABOR", 226), (b"\xff\xf4\xff\xf2ABOR", 226), (b"\xf4\xf2STAT", 530), (b"\xf2quit", 221), (b"\xf2NOOP", 500)):
            self.assertEqual([code], Dialogue(self).codes(octets))


class OtherProtocolTests(SynchronousTestCase):
    def test_http_and_smtp(self) -> None:
        """P-CONN-2, P-SEC-14: 421 and the end; nothing behind is run; after login they are unknown verbs."""
        for first in (
            b"GET / HTTP/1.1",
            b"POST / HTTP/1.1",
            b"CONNECT x:21 HTTP/1.1",
            b"EHLO x",
            b"HELO x",
            b"OPTIONS *",
            b"PUT /",
            b"HEAD /",
            b"Host: x",
        ):
            d = Dialogue(self)
            self.assertEqual(["421 This is an FTP server."], d.say(first, "USER ftp", "PASS x"))
            self.assertTrue(d.is_closing)
        d = Dialogue(self)
        d.login()
        self.assertEqual([500, 500], d.codes("GET / HTTP/1.1", "Host: x"))

    def test_tls(self) -> None:
        """P-CONN-2: a TLS record in clear is cut off in silence."""
        d = Dialogue(self)
        d.send(b"\x16\x03\x01\x02\x00\x01")
        self.assertEqual([], d.hear())
        self.assertTrue(d.transport.is_aborted)

    def test_ten_unknown(self) -> None:
        """P-CONN-2: ten unknown verbs before login are enough; after it nobody counts."""
        self.assertEqual([500] * 9 + [421], Dialogue(self).codes(*["FOO"] * 12))
        d = Dialogue(self)
        d.login()
        self.assertEqual([500] * 20, d.codes(*["FOO"] * 20))


class PipeliningTests(SynchronousTestCase):
    def test_in_order(self) -> None:
        """P-PIPE-1, P-GEN-2: one final reply a command, in order."""
        d = Dialogue(self)
        self.assertEqual(
            [331, 230, 200, 250, 257, 215, 500, 250, 213, 221],
            d.codes("USER ftp", "PASS x", "TYPE I", "CWD pub", "PWD", "SYST", "FOO", "CDUP", "SIZE binary", "QUIT"),
        )

    def test_twenty_thousand(self) -> None:
        """P-PIPE-1, P-PIPE-4, P-GEN-2: 20 000 pipelined commands get 20 000 replies in order; other clients have their turn meanwhile."""
        d = Dialogue(self)
        d.login()
        cycle = (("NOOP", 200), ("PWD", 257), ("SYST", 215), ("FOO", 500), ("TYPE I", 200))
        octets = b"".join(f"{line}\r\n".encode() for line, _ in cycle) * 4000
        codes: list[int] = []
        for start in range(0, len(octets), 65536):
            d.send(octets[start : start + 65536])
            codes += [int(reply[:3]) for reply in d.hear()]
        self.assertEqual([code for _, code in cycle] * 4000, codes)

    def test_a_turn_for_the_others(self) -> None:
        """P-PIPE-4: a client has some milliseconds of a turn, however long its commands take, and its replies of a turn leave in one write."""
        for cost, at_once in ((SPAN / 100, 100), (SPAN, 1), (SPAN * 5, 1)):
            d = Dialogue(self)
            took = 0.0
            d.deadlines.seconds = lambda clock=d.clock: clock.seconds() + took

            def noop(session: Any, _: object, cost: float = cost) -> Reply:
                nonlocal took
                took += cost
                return Reply.of(200, "OK.")

            d.site.verbs = {**d.site.verbs, "NOOP": evolve(d.site.verbs["NOOP"], handler=noop)}
            d.send(b"NOOP\r\n" * 1000)
            first = len(d.heard())
            self.assertIn(first, (at_once, at_once + 1))
            self.assertEqual(1000 - first, len(d.hear()))
            self.assertLess(len(d.transport.writes), 1000 // at_once + 5)

    def test_client_does_not_read(self) -> None:
        """P-PIPE-4, P-SEC-10, P-TIME-9: 100 000 NOOPs whose replies nobody reads: bounded memory; reading stops; nothing is lost when it goes on."""
        d = Dialogue(self)
        d.transport.is_stuck = True
        octets = b"NOOP\r\n" * 100_000
        sent = 0
        while d.transport.is_reading and sent < len(octets):
            d.send(octets[sent : sent + 65536])
            sent += 65536
            d.turn()
        self.assertLess(sent, len(octets))
        self.assertLess(len(d.transport.dataBuffer), 2 * 65536)
        self.assertLess(d.pi._intake.octets, 3 * 65536)
        d.transport.unstick()
        answered = len(d.hear())
        while sent < len(octets):
            self.assertTrue(d.transport.is_reading)
            d.send(octets[sent : sent + 65536])
            sent += 65536
            answered += len(d.hear())
        self.assertEqual(100_000, answered)

    def test_client_never_reads_again(self) -> None:
        """P-TIME-9: replies that nobody reads for 300 s end the connection, whatever else goes on."""
        for is_busy in (False, True):
            d = Dialogue(self, limits=Limits(control_channel_timeout=3600))
            d.login()
            if is_busy:
                d.pool.is_slow = True
                d.passive().connect()
                d.say("RETR binary")
            d.transport.is_stuck = True
            d.transport.producer.pauseProducing()
            d.clock.advance(1)
            for _ in range(298):
                d.clock.advance(1)
            self.assertFalse(d.transport.is_aborted)
            for _ in range(4):
                d.clock.advance(1)
            self.assertTrue(d.transport.is_aborted)

    def test_queue_behind_a_transfer(self) -> None:
        """P-PIPE-2, P-PIPE-4: lines wait behind a transfer up to a bound in lines and in octets; then reading stops; none is lost."""
        for line, count in ((b"NOOP\r\n", 30_000), (b"NOOP " + b"x" * 8000 + b"\r\n", 60)):
            d = Dialogue(self)
            d.login()
            d.pool.is_slow = True
            connection = d.passive().connect()
            d.say("RETR file.txt")
            octets = line * count
            sent = 0
            while d.transport.is_reading and sent < len(octets):
                d.send(octets[sent : sent + 8192])
                sent += 8192
            self.assertLess(sent, len(octets))
            self.assertLess(d.pi._intake.octets, 3 * 65536)
            connection.finish()
            codes = [int(reply[:3]) for reply in d.hear()]
            while sent < len(octets):
                self.assertTrue(d.transport.is_reading)
                d.send(octets[sent : sent + 8192])
                sent += 8192
                codes += [int(reply[:3]) for reply in d.hear()]
            self.assertEqual([226] + [200] * count, codes)

    def test_queue_behind_a_password(self) -> None:
        """P-PIPE-6, P-PIPE-4: so too behind a login that waits."""
        d = Dialogue(self)
        d.say("USER x", "PASS wrong")
        for _ in range(20):
            if d.transport.is_reading:
                d.send(b"NOOP\r\n" * 1000)
        self.assertFalse(d.transport.is_reading)
        self.assertLess(d.pi._intake.octets, 2 * 65536)

    def test_barriers(self) -> None:
        """P-PIPE-2, P-DX-14: in a transfer USER, PASV, PORT, CWD, TYPE, FEAT and QUIT wait and are answered in order."""
        d = Dialogue(self)
        d.login()
        d.pool.is_slow = True
        connection = d.passive().connect()
        d.say("RETR file.txt")
        self.assertEqual([], d.say("TYPE I", "PASV", "PORT 192,0,2,9,10,10", "CWD pub", "FEAT", "REST 1", "USER ftp", "PASS x", "QUIT", "NOOP"))
        connection.finish()
        self.assertEqual([226, 200, 227, 200, 250, 211, 350, 331, 230, 221], [int(reply[:3]) for reply in d.hear()])

    def test_long_line_behind_a_transfer(self) -> None:
        """P-LINE-3: an over-long line in the queue is answered in its turn, a flood ends the connection."""
        d = Dialogue(self)
        d.login()
        d.pool.is_slow = True
        connection = d.passive().connect()
        d.say("RETR file.txt", "NOOP", b"x" * 9000, "NOOP")
        connection.finish()
        self.assertEqual([226, 200, 500, 200], [int(reply[:3]) for reply in d.hear()])
        connection = d.passive().connect()
        d.say("RETR file.txt")
        for _ in range(20):
            d.send(b"x" * 65536)
        self.assertEqual([421], [int(reply[:3]) for reply in d.hear()])
        self.assertTrue(connection.is_reset)


class ReplyTests(SynchronousTestCase):
    def test_grammar_of_every_reply(self) -> None:
        """P-GEN-3, P-GEN-4: names with every octet that a line can carry come back without CR, LF, NUL or a single FF."""
        names = [bytes((octet,)) for octet in range(256) if octet not in (0x0A, 0x0D, 0xFF)] + [b"\r\0", b"\xff\xff", b"220 x", b"220-x"]
        d = Dialogue(self)
        d.login()
        for verb in (
            b"CWD",
            b"RETR",
            b"STAT",
            b"MLST",
            b"SIZE",
            b"STOR",
            b"SITE",
            b"HELP",
            b"OPTS",
            b"TYPE",
            b"PORT",
            b"EPRT",
            b"LANG",
            b"HOST",
            b"CLNT",
            b"XYZ",
        ):
            for name in names:
                d.send(verb + b" " + name + b"\r\n")
                self.assertEqual(1, len(d.hear()), (verb, name))

    def test_whole_reply_in_one_write(self) -> None:
        """P-GEN-5: a multi-line reply is one write."""
        d = Dialogue(self)
        d.say("FEAT")
        self.assertEqual(1, len(replies_of(d.transport.writes[-1])[0]))

    def test_first_failure_answers(self) -> None:
        """P-GEN-1: unknown, then login, then rights, then syntax, then value, then sequence, then file, then data connection."""
        d = Dialogue(self)
        self.assertEqual([500, 530, 530, 530, 530], d.codes("XYZ", "STOR", "RETR", "TYPE X", "RETR nowhere"))
        d.login()
        self.assertEqual([550, 501, 501, 504, 550, 425], d.codes("STOR", "RETR", "TYPE X", "TYPE E", "RETR nowhere", "RETR file.txt"))

    def test_pending_rename(self) -> None:
        """P-GEN-12, P-STATE-11: without a rename to wait for, RNTO and all others leave nothing behind."""
        d = Dialogue(self)
        d.login()
        d.session.rename_from = ("x",)
        d.say("NOOP")
        self.assertEqual(("x",), d.session.rename_from)
        d.say("PWD")
        self.assertIsNone(d.session.rename_from)

    def test_temporary_and_permanent(self) -> None:
        """P-GEN-6: what may work later is 4xx, what will not is 5xx."""
        d = Dialogue(self)
        d.login()
        self.assertEqual([425, 550, 500, 450], d.codes("RETR file.txt", "RETR no", "XYZ", "LIST *.no"))


class LostTests(SynchronousTestCase):
    def test_nothing_is_left(self) -> None:
        """P-GEN-15, P-SEC-12: a client that goes without QUIT leaves no lease, timer or avatar, whatever it was at."""
        for lines in (
            (),
            ("USER x",),
            ("USER x", "PASS wrong"),
            ("USER ftp", "PASS x"),
            ("USER ftp", "PASS x", "PASV"),
            ("USER ftp", "PASS x", "PASV", "RETR binary"),
        ):
            d = Dialogue(self)
            d.say(*lines)
            d.leave()
            self.assertEqual([], d.clock.getDelayedCalls(), lines)
            self.assertEqual(0, d.pool.open_leases)
            self.assertEqual([], d.store.open)
            self.assertEqual(len(d.realm.logins), d.realm.logouts)
            self.assertEqual(set(), d.site.sessions)

    def test_mid_queue(self) -> None:
        """A client that goes while its commands are being run gets no more of them run."""
        d = Dialogue(self)
        d.login()
        d.send(b"NOOP\r\n" * 1000)
        d.leave()
        d.turn()
        self.assertEqual([], d.clock.getDelayedCalls())

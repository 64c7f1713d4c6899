"""Whatever a client sends: one final reply a command, well-formed, in order, nothing in the error log, nothing left behind."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import TREE, Dialogue
from tests.support.trees import Link
from twistftp.policy.settings import DirectoryBrowse, LogonAttempts
from twistftp.session.verbs.table import VERBS
from twistftp.wire.commands import split_line

STATES = ("fresh", "named", "logged in", "waiting", "moving")
TREE_WITH_ODDITIES = {**TREE, "link": Link("/pub"), "gone": Link("/no"), 'a"b': {}, "c\x07d": b"", "e\udcff": b"x", " f ": b"y", "fifo": 0o010644}

octets = st.binary(max_size=40).map(lambda data: data.replace(b"\n", b""))
numbers = st.integers(-1, 2**64).map(lambda number: str(number).encode())
paths = st.lists(
    st.sampled_from(
        [
            b"pub",
            b"deep",
            b"..",
            b".",
            b"",
            b"file.txt",
            b"readme",
            b"link",
            b"gone",
            b"*",
            b"?*",
            b"[a-",
            b"-la",
            b"~",
            b"e\xff\xff",
            b" f ",
            b"fifo",
            b'a"b',
        ]
    ),
    max_size=4,
).map(b"/".join)
words = st.sampled_from(
    [
        b"",
        b"A",
        b"I",
        b"L 8",
        b"ALL",
        b"1",
        b"2",
        b"UTF8 ON",
        b"MLST type;",
        b"192,0,2,9,195,80",
        b"|1|192.0.2.9|5000|",
        b"|2|::1|5000|",
        b"HELP",
        b"ftp",
        b"alice",
        b"secret",
        b"[::1]",
        b"a.b",
    ]
)
arguments = st.one_of(octets, numbers, paths, words)
verbs = st.sampled_from(sorted(VERBS)).map(str.encode)
command_lines = st.one_of(
    st.builds(lambda verb, argument: verb + b" " + argument, verbs, arguments),
    verbs,
    verbs.map(bytes.lower),
    st.builds(lambda prefix, verb: prefix + verb, st.sampled_from([b"\xff\xf4\xff\xf2", b"\xf2", b" ", b"\xff\xfb\x01"]), verbs),
    octets,
).filter(lambda line: not line.startswith(b"\x16"))


class FuzzCase(SynchronousTestCase):
    def dialogue(self, state: str, **options: Any) -> Dialogue:
        """A dialogue in one of the states; a moving transfer stands still."""
        d = Dialogue(self, TREE_WITH_ODDITIES, logon_attempts=LogonAttempts(delay=0, max_failures=1000), **options)
        if state == "named":
            d.say("USER ftp")
        elif state != "fresh":
            d.login()
        if state in ("waiting", "moving"):
            d.pool.is_slow = True
            lease = d.passive()
            if state == "moving":
                lease.connect()
            d.say("RETR binary")
        return d

    def settle(self, d: Dialogue) -> None:
        """Let every client of a data port come, and finish what moves."""
        for _ in range(100):
            awaited = [port for port in (*d.pool.leases, *d.active_ports) if port.is_awaited]
            moving = [port.made for port in (*d.pool.leases, *d.active_ports) if port.made is not None and port.made._result is not None]
            for port in awaited:
                port.connect()
            for connection in moving:
                connection.finish()
            d.turn()
            if not awaited and not moving:
                return
        self.fail("a transfer does not end")

    def assert_nothing_left(self, d: Dialogue) -> None:
        """P-GEN-15: no lease, open file, delayed call, session or avatar; and no error was logged."""
        d.leave()
        self.assertEqual([], d.clock.getDelayedCalls())
        self.assertEqual(0, d.pool.open_leases)
        self.assertEqual([], d.store.open)
        self.assertEqual(set(), d.site.sessions)
        self.assertEqual(len(d.realm.logins), d.realm.logouts)
        self.assertEqual([], self.flushLoggedErrors())

    def is_line(self, line: bytes) -> bool:
        """Whether anything is left of it without Telnet codes."""
        from twistftp.wire.lines import LineSplitter

        splitter = LineSplitter()
        splitter.feed(line + b"\r\n")
        rest = splitter.next_line()
        return isinstance(rest, bytes) and bool(rest.strip(b" "))


def finals(replies: list[str]) -> list[int]:
    """The codes of the replies that end a command."""
    return [int(reply[:3]) for reply in replies if not reply.startswith("1")]


_ANSWER = re.compile(rb"\xff\xff|\xff[\xfc\xfe].", re.DOTALL)  # a doubled IAC of a reply; IAC WONT or DONT, and the option, which may be a CR


def without_telnet(replies_octets: bytes) -> bytes:
    """What was said, without answers to Telnet options."""
    return _ANSWER.sub(lambda found: b"\xff\xff" if found[0] == b"\xff\xff" else b"", replies_octets)


class OneLineTests(FuzzCase):
    @given(st.sampled_from(STATES), command_lines)
    @settings(max_examples=600)
    def test_one_final_reply(self, state: str, line: bytes) -> None:
        """P-GEN-2, P-GEN-3, P-GEN-11: any line in any state gets one final reply, or none if it is empty; never an error event."""
        d = self.dialogue(state)
        had = state in ("waiting", "moving")
        d.transport.write = lambda data, write=d.transport.write: write(without_telnet(data)) if without_telnet(data) else None  # type: ignore[method-assign,misc]
        replies = d.say(line)
        self.settle(d)
        replies += d.hear()
        self.assertEqual(self.is_line(line) + had, len(finals(replies)), replies)
        self.assertEqual(d.is_closing, finals(replies)[-1:] in ([221], [421]), replies)
        self.assert_nothing_left(d)


class SequenceTests(FuzzCase):
    @given(st.lists(command_lines, min_size=1, max_size=10), st.booleans(), st.booleans(), st.integers(0, 60))
    @settings(max_examples=300)
    def test_one_reply_each(self, lines: list[bytes], at_once: bool, is_slow: bool, cut: int) -> None:
        """P-GEN-2, P-PIPE-1: however they are sent, each command has one final reply, until QUIT or 421; nothing is left afterwards."""
        lines = [line for line in lines if b"\xff" not in line]
        d = self.dialogue("logged in", directory_browse=DirectoryBrowse(style="ms-dos" if cut % 2 else "unix"))
        d.pool.is_slow = is_slow
        replies: list[str] = []
        for line in [b"\r\n".join(lines)] if at_once else lines:
            data = line + b"\r\n"
            d.send(data[:cut])
            d.send(data[cut:])
            replies += d.hear()
            if not at_once:
                self.settle(d)
                replies += d.hear()
        self.settle(d)
        replies += d.hear()
        expected = sum(map(self.is_line, lines))
        codes = finals(replies)
        if d.is_closing:
            self.assertIn(codes[-1], (221, 421))
            self.assertLessEqual(len(codes), expected)
        else:
            self.assertEqual(expected, len(codes), replies)
        self.assert_nothing_left(d)

    @given(st.lists(command_lines, min_size=1, max_size=10), st.integers(0, 200))
    @settings(max_examples=200)
    def test_client_goes_at_any_moment(self, lines: list[bytes], cut: int) -> None:
        """P-GEN-15, P-DX-13: wherever the connection breaks off, nothing is left."""
        d = self.dialogue("logged in")
        d.pool.is_slow = True
        d.store.is_slow = bool(cut % 3 == 0)
        d.send(b"\r\n".join(lines)[:cut] + b"\r\n")
        if cut % 2:
            d.turn()
            for port in d.pool.leases:
                if port.is_awaited:
                    port.connect()
            d.store.release()
        d.leave()
        d.store.release()
        self.assert_nothing_left(d)

    @given(
        st.lists(st.sampled_from(["NOOP", "PASV", "RETR binary", "ABOR", "STAT", "LIST", "RETR no", "REST 5", "TYPE I"]), max_size=14),
        st.booleans(),
        st.lists(st.integers(0, 4), max_size=20),
    )
    @settings(max_examples=300)
    def test_transfers_and_aborts(self, lines: list[str], at_once: bool, events: list[int]) -> None:
        """P-PIPE-2, P-PIPE-3, P-ABOR-4: with clients that come, go and stall at any time, each command still has one final reply, in order."""
        d = self.dialogue("logged in")
        d.pool.is_slow = True
        replies: list[str] = []
        for line in ["\r\n".join(lines)] if at_once else lines:
            if line:
                replies += d.say(line)
            for event in events[: 20 if at_once else 2]:
                for port in d.pool.leases:
                    if event == 0 and port.is_awaited:
                        port.connect()
                    elif event == 1 and port.is_awaited:
                        port.never_comes()
                    elif event == 2 and port.made is not None:
                        port.made.move()
                    elif event == 3 and port.made is not None:
                        port.made.lose()
                    elif event == 4 and port.made is None and not port.is_ended:
                        port.connect()
                replies += d.hear()
            events = events[2:]
        self.settle(d)
        replies += d.hear()
        self.assertEqual(len(lines), len(finals(replies)), (lines, replies))
        others = [line for line in lines if split_line(line.encode())[0] in ("NOOP", "REST", "TYPE", "PASV", "ABOR")]
        codes = {"NOOP": 200, "REST": 350, "TYPE": 200, "PASV": 227, "ABOR": 226}
        wanted = [codes[line.split()[0]] for line in others]
        got = [code for code in finals(replies) if code in (200, 350, 227)]
        self.assertEqual([code for code in wanted if code != 226], got)
        self.assert_nothing_left(d)

"""
Data connections on real sockets: early, late, never, strangers, resets at any octet, half closes, clients that do not read (PROTOCOL §3).

Not here: TLS, and commands without data connections (``test_session_machine``).
"""

from __future__ import annotations

import os
import socket
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.fuzz import effort
from tests.fuzz.case import FuzzCase
from tests.fuzz.grammar import Reply
from tests.fuzz.loopback import Loopback, SocketClient
from tests.fuzz.model import Disagreement
from tests.fuzz.test_session_machine import finish
from twistftp.policy.settings import FileHandling, Limits

LARGE = os.urandom(1 << 16) * 24
_UPLOAD = b"0123456789abcdef" * 4096
_LIMITS = Limits(data_channel_timeout=5, data_stall_timeout=9, control_channel_timeout=600)
_RELOADS: list[dict[str, Any]] = [
    {"limits": _LIMITS},
    {"limits": _LIMITS, "file_handling": FileHandling(keep_partial_uploads=True, mode_z=True)},
    {"limits": Limits(data_channel_timeout=5, data_stall_timeout=9, control_channel_timeout=600, max_bytes_per_second=1 << 20)},
]
_SAID = """
    RETR large, RETR large, RETR binary, RETR text, RETR no, LIST many, NLST, MLSD many, STOR new, STOR new, APPE new, STOU, STOR pub,
    ABOR, ABOR, STAT, STAT many, PASV, EPSV, REST 100, RANG 10 20, NOOP, TYPE A, TYPE I, MODE Z, MODE S,
    HASH large, SIZE text, DELE new, RNFR new, RNTO new2, PASS x, MFMT 20200101000000 new
"""
_LINES = st.sampled_from([(verb, argument.encode()) for verb, _, argument in (line.strip().partition(" ") for line in _SAID.split(","))])
_numbers = st.integers(0, 1)


class Fetcher(SocketClient):
    """A client that knows what it should get."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.is_plain = False  # TYPE I, MODE S, no REST, and one connection since: so it can tell what it should have
        self.transfer: Any = None

    def heard(self, reply: Reply, ended: tuple[str, bytes] | None) -> None:
        super().heard(reply, ended)
        if ended == ("RETR", b"large") and self.is_plain and self.transfer is not None:
            self._check_download(reply, self.transfer)
        if ended == ("STOR", b"new") and self.is_plain and self.transfer is not None and reply.code == 226:
            self._check_upload(self.transfer)

    def _check_download(self, reply: Reply, wire: Any) -> None:
        """All of it behind 226, nothing that looks like all of it behind anything else (P-DX-1, P-DX-21)."""
        wire.window = None
        for _ in range(200):
            if wire.is_lost:
                break
            wire.turn()
        if reply.code == 226 and not wire.is_closed and (wire.got != LARGE or wire.is_reset):
            raise Disagreement(f"226, but {len(wire.got)} of {len(LARGE)} octets came; reset: {wire.is_reset}")
        if reply.code in (426, 451) and wire.has_fin and len(wire.got) < len(LARGE) and wire.got:
            raise Disagreement(f"{reply.code}, and {len(wire.got)} octets that end as a whole file does")

    def _check_upload(self, wire: Any) -> None:
        with open(os.path.join(self.world.place.root, "new"), "rb") as file:
            found = file.read()
        if found != wire.meant[: wire.sent]:
            raise Disagreement(f"226, but {len(found)} of {wire.sent} octets are there")


class DataEvents(RuleBasedStateMachine):
    """Two sessions of one address."""

    world: Loopback

    @initialize(reload=st.sampled_from(_RELOADS))
    def begin(self, reload: dict[str, Any]) -> None:
        self.world = Loopback()
        with open(os.path.join(self.world.place.root, "large"), "wb") as file:
            file.write(LARGE)
        self.world.reconfigure(**reload)
        for _ in range(2):
            client = self.world.connect(kind=Fetcher)
            client.say(("USER", b"alice"), ("PASS", b"secret"), ("TYPE", b"I"))
            self.world.turn()

    def client(self, number: int) -> Fetcher:
        return self.world.clients[number]  # type: ignore[return-value]

    @rule(number=_numbers, lines=st.lists(_LINES, min_size=1, max_size=5), at_once=st.booleans())
    def commands(self, number: int, lines: list[tuple[str, bytes]], at_once: bool) -> None:
        client = self.client(number)
        client.is_plain = False
        if not client.model.is_closed and not client.is_gone:
            for one in [lines] if at_once else [[each] for each in lines]:
                client.say(*one)
                self.world.turn()

    @rule(
        number=_numbers,
        is_early=st.booleans(),
        verb=st.sampled_from(["RETR", "RETR", "STOR"]),
        window=st.sampled_from([None, 0, 1, 70000, 800000]),
        active=st.booleans(),
    )
    def transfers(self, number: int, is_early: bool, verb: str, window: int | None, active: bool) -> None:
        """A transfer that can be looked at."""
        client = self.client(number)
        if client.model.is_closed or client.is_gone or client.model.pending:
            return
        client.is_plain, client.transfer = False, None
        client.say(("TYPE", b"I"), ("MODE", b"S"), ("PORT", client.offer().encode()) if active else ("EPSV", b""))
        self.world.turn()
        if client.model.pending or not client.model.has_port:
            return
        before = len(client.data)
        if is_early and not active:
            client.dial()
        client.is_plain = client.model.login == "L" and not client.model.may_be_restarting
        client.say((verb, b"large" if verb == "RETR" else b"new"))
        self.world.turn()
        if active:
            client.accept()
        elif not is_early:
            client.dial()
        if len(client.data) > before:
            client.transfer = wire = client.data[-1]
            wire.window = window
            wire.meant = b""
            if verb == "STOR":
                wire.meant = _UPLOAD * 8
                wire.send(wire.meant[: window or 5])

    @rule(
        number=_numbers,
        event=st.sampled_from(["more", "end", "reset", "read", "read all", "end and more", "urgent"]),
        count=st.sampled_from([1, 1000, 65536, 300000]),
    )
    def data_event(self, number: int, event: str, count: int) -> None:
        """At any octet."""
        data = self.client(number).data
        if not data:
            return
        wire: Any = data[-1]
        if event == "more" and wire is self.client(number).transfer and wire.meant:
            done = wire.sent + len(wire.unsent)
            wire.send(wire.meant[done : done + count])
        elif event == "more":
            wire.send(b"x" * count)
        elif event.startswith("end"):
            wire.end()
        elif event == "reset":
            wire.reset()
        elif event == "read" and wire.window is not None:
            wire.window += count
        elif event == "read all":
            wire.window = None
        elif event == "urgent" and not wire.is_closed and wire.sent == 0:
            try:
                wire.socket.send(b"!", socket.MSG_OOB)
            except OSError:
                pass  # it has been closed

    @rule(number=_numbers, stranger=st.booleans())
    def dials(self, number: int, stranger: bool) -> None:
        client = self.client(number)
        client.is_plain = False
        if client.port is not None:
            client.dial("127.0.0.2" if stranger else "")

    @rule(number=_numbers)
    def aborts(self, number: int) -> None:
        """ABOR as urgent data, as ftplib sends it."""
        client = self.client(number)
        if not client.model.is_closed and not client.is_gone and not client.wire.unsent:  # type: ignore[attr-defined]
            client.is_plain = False
            client.model.sent("ABOR", b"")
            client.wire.socket.send(b"ABOR\r\n", socket.MSG_OOB)  # type: ignore[attr-defined]
            self.world.turn()

    @rule(seconds=st.sampled_from([0.1, 1, 6]))
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule()
    def turns(self) -> None:
        self.world.turn()

    @rule(is_slow=st.booleans())
    def threads_work(self, is_slow: bool) -> None:
        self.world.are_threads_slow = is_slow

    @rule(number=_numbers, is_paused=st.booleans())
    def reads_replies(self, number: int, is_paused: bool) -> None:
        client = self.client(number)
        client.wire.window = 0 if is_paused else None
        client.may_be_cut |= is_paused

    @rule(reset=st.booleans())
    def second_leaves(self, reset: bool) -> None:
        self.client(1).leave(reset=reset)

    @rule(reload=st.sampled_from(_RELOADS))
    def reloads(self, reload: dict[str, Any]) -> None:
        self.world.reconfigure(**reload)

    @invariant()
    def is_in_order(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            for client in self.world.clients:
                client.is_plain = False  # type: ignore[attr-defined]
            finish(self.world)


class DataEventTests(FuzzCase):
    def test_events(self) -> None:
        """P-DC-1 to P-DC-18, P-DX-1 to P-DX-21: whatever becomes of data connections, each command is answered and nothing is left."""
        run_state_machine_as_test(DataEvents, settings=effort(20))

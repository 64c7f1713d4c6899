"""
Whole sessions: any commands, any events of data connections, timers, pauses and reloads, in any order (PROTOCOL §1.0, §2.3, §3).

Not here: TLS (``test_tls_machine``), octets that are no lines (``test_octets``).
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.fuzz import effort
from tests.fuzz.case import FuzzCase
from tests.fuzz.client import Client
from tests.fuzz.words import command
from tests.fuzz.world import OTHER_PORTS, PORTS, World
from twistftp.policy.authorization import Rule
from twistftp.policy.channels import PortRange
from twistftp.policy.settings import DirectoryBrowse, FileHandling, Limits, Logging, LogonAttempts, RequestFiltering, SiteFirewallSupport

_SLOW = LogonAttempts(delay=3, max_failures=3, block=60)
RELOADS: list[dict[str, Any]] = [
    {},
    {"file_handling": FileHandling(keep_partial_uploads=True, allow_replace_on_rename=True, allow_read_uploads_in_progress=True, mode_z=True)},
    {"file_handling": FileHandling(mode_z=True)},
    {"limits": Limits(control_channel_timeout=5, unauthenticated_timeout=5, data_channel_timeout=3, data_stall_timeout=4)},
    {"limits": Limits(max_connections=1, max_bytes_per_second=2000, max_site_bytes_per_second=4000)},
    {"limits": Limits(min_bytes_per_second=1000)},
    {"directory_browse": DirectoryBrowse(style="ms-dos", time="local")},
    {"firewall_support": SiteFirewallSupport(active_mode=False, external_address="203.0.113.7")},
    {"firewall_support": SiteFirewallSupport(match_client_address_for_pasv=False, match_client_address_for_port=False)},
    {"authorization": (Rule("deny", ("*",), ("read",), "/pub"), Rule("allow", ("*",), ("read", "write")))},
    {"authorization": (Rule("allow", ("*",), ("read",)),)},
    {"request_filtering": RequestFiltering(denied_commands=("SYST", "ABOR", "STAT", "SITE CHMOD", "PASV"), hidden_segments=("pub",), max_url=64)},
    {"request_filtering": RequestFiltering(max_content_length=10, denied_extensions=(".exe",), deny_url_sequences=("deep",))},
    {"logon_attempts": _SLOW, "logging": Logging(commands=True)},
]
_COUNTS = st.sampled_from([0, 1, 7, 100, 5000])


class Sessions(RuleBasedStateMachine):
    """Up to three sessions of two addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.world: World | None = None

    @initialize(reload=st.sampled_from(RELOADS), user=st.sampled_from([b"alice", b"alice", b"ftp", b""]))
    def begin(self, reload: dict[str, Any], user: bytes) -> None:
        self.world = World()
        self.world.reconfigure(**reload)
        client = self.world.connect()
        if user:
            client.say(("USER", user), ("PASS", b"secret"))

    def client(self, number: int) -> Client:
        """One of those that are here, or of all when nobody is."""
        clients = self.present or self.world.clients  # type: ignore[union-attr]
        return clients[number % len(clients)]

    @property
    def present(self) -> list[Client]:
        """Who has not left and has not been sent away."""
        return [] if self.world is None else [client for client in self.world.clients if not (client.model.is_closed or client.is_gone)]

    @rule(
        number=st.integers(0, 2),
        commands=st.lists(command(), min_size=1, max_size=6),
        end=st.sampled_from([b"\r\n", b"\r\n", b"\n"]),
        turns=st.booleans(),
    )
    def says(self, number: int, commands: list[tuple[str, bytes]], end: bytes, turns: bool) -> None:
        """Commands, one at a time or all in one segment."""
        client = self.client(number)
        if client.model.is_closed or client.is_gone:
            return
        for one in [[each] for each in commands] if turns else [commands]:
            client.say(*one, end=end)
            if turns:
                self.world.turn()  # type: ignore[union-attr]
                if client.model.is_closed:
                    return

    @rule(
        number=st.integers(0, 2),
        verb=st.sampled_from(["RETR", "STOR", "LIST", "APPE", "STOU", "MLSD"]),
        early=st.integers(0, 3),
        upload=st.binary(max_size=40),
    )
    def transfers(self, number: int, verb: str, early: int, upload: bytes) -> None:
        """The ordinary course, so that others find sessions in the midst of it."""
        client, world = self.client(number), self.world
        assert world is not None
        if client.model.is_closed or client.is_gone:
            return
        client.say(("PASV" if early % 2 else "EPSV", b""))
        world.turn()
        if early < 2 and client.port:
            client.dial()
        client.say((verb, {"RETR": b"binary", "STOR": b"new", "APPE": b"new"}.get(verb, b"")))
        world.turn()
        if early >= 2 and client.port:
            client.dial()
        if verb in ("STOR", "APPE", "STOU") and client.data:
            client.data[-1].send(upload)
            client.data[-1].end()

    @rule(number=st.integers(0, 2), one=command())
    def asks(self, number: int, one: tuple[str, bytes]) -> None:
        """A command, and its answer is awaited."""
        client = self.client(number)
        if not client.model.is_closed and not client.is_gone:
            client.say(one)
            self.world.turn()  # type: ignore[union-attr]

    @rule(number=st.integers(0, 2), user=st.sampled_from([b"alice", b"alice", b"bob", b"ftp", b"slow"]))
    def logs_in(self, number: int, user: bytes) -> None:
        client = self.client(number)
        if not client.model.is_closed and not client.is_gone:
            client.say(("USER", user), ("PASS", b"secret"))

    @rule(number=st.integers(0, 2), stranger=st.booleans(), window=st.sampled_from([None, None, 0, 10, 3000]))
    def dials(self, number: int, stranger: bool, window: int | None) -> None:
        """A data connection: early, late, or of somebody else."""
        client = self.client(number)
        if client.port is not None:
            wire = client.dial("192.0.2.66" if stranger else "")
            if wire is not None:
                wire.window = window

    @rule(number=st.integers(0, 2), accepts=st.booleans())
    def is_dialled(self, number: int, accepts: bool) -> None:
        """A connection of the server's arrives, or is refused."""
        if accepts:
            self.client(number).accept()
        elif self.world.clock.outgoing:  # type: ignore[union-attr]
            self.world.clock.outgoing[0].fail()  # type: ignore[union-attr]

    @rule(number=st.integers(0, 2), which=st.integers(0, 3), event=st.sampled_from(["send", "end", "reset", "read", "junk"]), count=_COUNTS)
    def data_event(self, number: int, which: int, event: str, count: int) -> None:
        """Octets, FIN, RST, at any octet."""
        data = self.client(number).data
        if not data:
            return
        wire = data[-1 - which % len(data)]
        if event == "send":
            wire.send(b"0123456789\r\n\r"[: count + 1] * max(1, count // 13))
        elif event == "end":
            wire.end()
        elif event == "reset":
            wire.reset()
        elif event == "read":
            wire.window = None if count == 0 or wire.window is None else wire.window + count
        else:
            wire.send(b"\x78\x9c\x03\x00\x00\x00\x00\x01")  # a zlib stream of nothing

    @rule(seconds=st.sampled_from([0.1, 0.1, 1, 1, 3, 6, 31]))
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)  # type: ignore[union-attr]

    @rule()
    def turns(self) -> None:
        self.world.turn()  # type: ignore[union-attr]

    @rule(number=st.integers(0, 2), window=st.sampled_from([0, 20, None]))
    def reads_replies(self, number: int, window: int | None) -> None:
        """A client stops reading its replies, or goes on. Who does not read may miss even the last."""
        client = self.client(number)
        client.wire.window = window
        client.may_be_cut |= window is not None

    @rule()
    def long_time_passes(self) -> None:
        """So long that everybody has lost patience; not at first."""
        self.long = getattr(self, "long", 0) + 1
        if self.long % 3 == 0:
            self.world.wait(305)  # type: ignore[union-attr]

    @rule(
        reload=st.sampled_from(RELOADS),
        ports=st.sampled_from([None, None, PORTS, OTHER_PORTS]),
        is_taken=st.booleans(),
        has_new_users=st.sampled_from([False, False, False, True]),
    )
    def reloads(self, reload: dict[str, Any], ports: PortRange | None, is_taken: bool, has_new_users: bool) -> None:
        """SIGHUP; and somebody else takes a port of the range, or gives it back."""
        self.world.reconfigure(ports=ports, has_new_users=has_new_users, **reload)  # type: ignore[union-attr]
        if is_taken:
            self.world.wires.taken ^= {50001}  # type: ignore[union-attr]

    @rule(is_slow=st.booleans())
    def threads_work(self, is_slow: bool) -> None:
        """Disks are slow, or fast again."""
        self.world.are_threads_slow = is_slow  # type: ignore[union-attr]

    @rule(is_right=st.booleans())
    def checker_answers(self, is_right: bool) -> None:
        self.world.answer_slow(is_right)  # type: ignore[union-attr]

    @rule(peer=st.sampled_from(["192.0.2.9", "192.0.2.8"]))
    def another_comes(self, peer: str) -> None:
        if len(self.present) >= 3:
            return
        client = self.world.connect(peer)  # type: ignore[union-attr]
        client.say(("USER", b"alice"), ("PASS", b"secret"))

    @rule(number=st.integers(0, 2), reset=st.booleans())
    def leaves(self, number: int, reset: bool) -> None:
        """The others go on."""
        if number and len(self.present) > 1:
            self.client(number).leave(reset=reset)

    @rule()
    def shuts_down(self) -> None:
        """SIGTERM; rarely at first, since nothing comes after it."""
        self.down = getattr(self, "down", 0) + 1
        if self.down == 4:
            self.world.site.drain(2)  # type: ignore[union-attr]

    @invariant()
    def is_in_order(self) -> None:
        if self.world is not None:
            self.world.check()

    def teardown(self) -> None:
        world, self.world = self.world, None
        if world is not None:
            finish(world)


def finish(world: World) -> None:
    """Every command gets its reply when clients behave at last; then nothing is left."""
    try:
        world.are_threads_slow = False
        for client in world.clients:
            client.wire.window = None
            for wire in client.data:
                wire.window = None
                wire.end()
        for _ in range(400):
            world.turn()
            world.answer_slow(False)
            if not any(client.is_waiting_for_replies for client in world.clients):
                break
            world.wait(7)
        for client in world.clients:
            if client.is_waiting_for_replies:
                raise AssertionError(f"never answered: {client.model.pending}; said: {client.told}")
        world.check()
    except BaseException:
        world.close(is_broken=True)
        raise
    world.close()


class SessionTests(FuzzCase):
    def test_sessions(self) -> None:
        """P-GEN-2, P-GEN-3, P-GEN-11, P-GEN-15, P-PATH-4, P-SEC-10: one final reply a command, in order, and nothing left, whatever happens."""
        run_state_machine_as_test(Sessions, settings=effort(45))

"""
TLS in any order: AUTH anywhere, octets in clear behind it, handshakes that end early, close_notify or not, PROT and CCC (PROTOCOL §6).

Not here: ClientHellos made by hand (``test_headers``).
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.fuzz import effort
from tests.fuzz.case import FuzzCase
from tests.fuzz.loopback import Loopback, SocketClient
from tests.fuzz.test_session_machine import finish
from tests.fuzz.tls_client import SecureClient, certificate
from tests.fuzz.words import command
from tests.fuzz.world import World
from twistftp.policy.settings import Limits
from twistftp.policy.tls import TLSSettings
from twistftp.transport.tls import SiteTLS

_RULES: list[dict[str, Any]] = [
    {},
    {"client_certificates": "allow"},
    {"clear_command_channel": True, "session": "off"},
    {"control_channel": "require", "data_channel": "require"},
    {"control_channel": "require-credentials", "session": "require"},
    {"data_channel": "deny"},
]
_numbers = st.integers(0, 1)


def _settings(number: int = 0, **rules: Any) -> TLSSettings:
    chain, key = certificate(number)
    if "client_certificates" in rules:
        rules["client_ca"] = chain
    return TLSSettings(certificate=chain, private_key=key, **rules)


class TLSSessions(RuleBasedStateMachine):
    """Two sessions of one address: whose data connection is whose is told by TLS."""

    world: World
    kind: type[SecureClient] = SecureClient

    def make_world(self, **settings: Any) -> World:
        return World(**settings)

    @initialize(rules=st.sampled_from(_RULES), is_implicit=st.sampled_from([False, False, False, True]), secure=st.booleans(), version=_numbers)
    def begin(self, rules: dict[str, Any], is_implicit: bool, secure: bool, version: int) -> None:
        is_implicit &= "clear_command_channel" not in rules
        self.world = self.make_world(tls=_settings(**rules, implicit=is_implicit), limits=Limits(data_channel_timeout=5, data_stall_timeout=9))
        for _ in range(2):
            client = self.world.connect(kind=self.kind)
            if is_implicit:
                client.shake_hands(version)  # type: ignore[attr-defined]
                self.world.turn()
            elif secure:
                self._go_secure(client, version)  # type: ignore[arg-type]
            if secure:
                client.say(("PBSZ", b"0"), ("PROT", b"P"), ("USER", b"alice"), ("PASS", b"secret"))
                self.world.turn()

    def _go_secure(self, client: SecureClient, version: int) -> None:
        client.say(("AUTH", b"TLS"))
        self.world.turn()
        if client.expects_tls:
            client.shake_hands(version)
            self.world.turn()

    def client(self, number: int) -> SecureClient:
        """One of the two that came last."""
        return self.world.clients[-1 - number]  # type: ignore[return-value]

    def speaker(self, number: int) -> SecureClient | None:
        """A client that can say something now."""
        client = self.client(number)
        is_mute = client.expects_tls or client.is_leaving or client.is_waiting or (client.engine is not None and not client.engine.is_secure)
        return None if is_mute or client.model.is_closed or client.is_gone or client.wire.has_fin else client

    @rule(number=_numbers, is_implicit_first=st.booleans(), version=_numbers, logs_in=st.booleans())
    def another_comes(self, number: int, is_implicit_first: bool, version: int, logs_in: bool) -> None:
        """In the place of one that has left or was sent away."""
        if all(self.speaker(each) for each in range(2)) or len(self.world.clients) > 7:
            return
        client: Any = self.world.connect(kind=self.kind)
        if client.wire.is_lost:
            return
        if self.world.site.settings.tls.implicit:
            client.shake_hands(version)
            self.world.turn()
        elif is_implicit_first:
            self._go_secure(client, version)
        if logs_in and self.speaker(0) is client:
            client.say(("PBSZ", b"0"), ("PROT", b"P"), ("USER", b"alice"), ("PASS", b"secret"))
            self.world.turn()

    @rule(number=_numbers, one=command())
    def asks(self, number: int, one: tuple[str, bytes]) -> None:
        """A command, and its answer is awaited."""
        client = self.speaker(number)
        if client is not None and one[0] not in ("REIN", "CCC", "AUTH"):
            client.say(one)
            self.world.turn()

    @rule(number=_numbers, user=st.sampled_from([b"alice", b"alice", b"bob", b"slow"]))
    def logs_in(self, number: int, user: bytes) -> None:
        client = self.speaker(number)
        if client is not None:
            client.say(("USER", user), ("PASS", b"secret"), ("PBSZ", b"0"), ("PROT", b"P"))
            self.world.turn()

    @rule(is_right=st.booleans())
    def checker_answers(self, is_right: bool) -> None:
        self.world.answer_slow(is_right)

    @rule(number=_numbers, commands=st.lists(command(), min_size=1, max_size=3))
    def says(self, number: int, commands: list[tuple[str, bytes]]) -> None:
        client = self.speaker(number)
        if client is not None:
            commands = [one for one in commands if one[0] not in ("REIN", "CCC", "AUTH")]
            client.say(*commands)

    @rule(
        number=_numbers,
        verb=st.sampled_from(["AUTH", "AUTH", "CCC", "REIN"]),
        behind=st.sampled_from([(), (), (("NOOP", b""),), (("USER", b"alice"),)]),
    )
    def changes(self, number: int, verb: str, behind: tuple[tuple[str, bytes], ...]) -> None:
        """Between clear text and TLS, perhaps with octets behind (P-AUTH-6, P-PIPE-7)."""
        client = self.speaker(number)
        if client is not None:
            client.say((verb, b"TLS" if verb == "AUTH" else b""), *behind)
            self.world.turn()

    @rule(number=_numbers, version=_numbers, cut=st.sampled_from([None, None, None, None, 1, 5, 40, 200]))
    def shakes_hands(self, number: int, version: int, cut: int | None) -> None:
        client = self.client(number)
        if client.expects_tls and not client.is_gone:
            client.shake_hands(version, cut)
            self.world.turn()

    @rule(
        number=_numbers,
        octets=st.sampled_from([b"NOOP\r\n", b"\x16\x03\x01\x00\x05hello", b"\x15\x03\x01\x00\x02\x02\x28", b"\0", b"\x16\x03\x01\xff\xff"]),
    )
    def breaks_tls(self, number: int, octets: bytes) -> None:
        """Octets that are no TLS where TLS should be; rarely, for nothing comes after."""
        self.breaks = getattr(self, "breaks", 0) + 1
        client = self.client(number)
        if self.breaks % 3 == 0 and (client.expects_tls or client.engine is not None) and not client.is_leaving:
            client.may_be_cut = True
            client.wire.send(octets)

    @rule(number=_numbers, says_so=st.booleans())
    def leaves_tls(self, number: int, says_so: bool) -> None:
        self.client(number).leave_tls(says_so)

    @rule(number=_numbers, is_early=st.booleans(), verb=st.sampled_from(["RETR", "LIST", "STOR"]), resumes=st.booleans(), protects=st.booleans())
    def transfers(self, number: int, is_early: bool, verb: str, resumes: bool, protects: bool) -> None:
        """A transfer whose client connects, and begins TLS, before or behind the command."""
        client = self.speaker(number)
        if client is None:
            return
        client.say(("EPSV", b""))
        self.world.turn()
        if is_early and client.port:
            client.dial()
            if protects:
                client.protect(resumes)
        client.say((verb, {"RETR": b"binary", "STOR": b"new"}.get(verb, b"")))
        self.world.turn()
        if not is_early and client.port:
            client.dial()
            self.world.turn()
            if protects:
                client.protect(resumes)

    @rule(number=_numbers, of=_numbers)
    def dials(self, number: int, of: int) -> None:
        """Somebody connects, perhaps to the other's port."""
        port = self.client(of).port
        if port:
            self.client(number).port = port
            self.client(number).dial()

    @rule(number=_numbers, resumes=st.booleans())
    def protects(self, number: int, resumes: bool) -> None:
        self.client(number).protect(resumes)

    @rule(number=_numbers, event=st.sampled_from(["send", "close_notify", "fin", "reset", "junk", "close_notify and fin"]))
    def data_event(self, number: int, event: str) -> None:
        client = self.client(number)
        if not client.data:
            return
        wire = client.data[-1]
        data = getattr(wire, "engine", None)
        if event == "send" and data is not None and data.engine.is_secure and not data.has_ended:
            wire.send(data.engine.say(b"0123456789" * 100))
        elif event.startswith("close_notify") and data is not None and data.engine.is_secure:
            data.has_ended = True
            wire.send(data.engine.end())
        elif event == "reset":
            wire.reset()
        elif event == "junk":
            wire.send(b"in clear text")
        if event.endswith("fin"):
            wire.end()

    @rule(seconds=st.sampled_from([0.1, 1, 3, 6]))
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(rules=st.sampled_from(_RULES), renewed=st.sampled_from([None, None, 0, 1]), is_off=st.sampled_from([False, False, False, True]))
    def reloads(self, rules: dict[str, Any], renewed: int | None, is_off: bool) -> None:
        """Other rules, another certificate, none at all; sessions go on with what they have begun."""
        implicit = self.world.site.settings.tls.implicit
        if implicit and ("clear_command_channel" in rules or is_off):
            return
        tls = TLSSettings() if is_off else evolve(_settings(renewed or 0, **rules), implicit=implicit)
        self.world.reconfigure(SiteTLS(tls) if renewed is not None and not is_off else None, tls=tls)

    @rule(number=_numbers, is_paused=st.booleans())
    def reads_replies(self, number: int, is_paused: bool) -> None:
        self.client(number).wire.window = 0 if is_paused else None
        self.client(number).may_be_cut |= is_paused

    @rule(reset=st.booleans(), notifies=st.booleans())
    def second_leaves(self, reset: bool, notifies: bool) -> None:
        client = self.client(1)
        if notifies and client.is_secure and not client.is_gone:
            client.wire.send(client.engine.end())
        client.leave(reset=reset)

    @invariant()
    def is_in_order(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            for client in self.world.clients:
                if client.expects_tls and not client.is_gone:
                    client.shake_hands()
                client.may_be_cut |= client.is_leaving
            finish(self.world)


class SecureSocketClient(SecureClient, SocketClient):
    """A client that encrypts what goes through sockets."""


class TLSOverSockets(TLSSessions):
    """The same through the transports of production, which write and read by themselves."""

    kind = SecureSocketClient

    def make_world(self, **settings: Any) -> World:
        return Loopback(**settings)


class TLSTests(FuzzCase):
    def test_sessions(self) -> None:
        """P-AUTH-4 to P-AUTH-7, P-CCC-2, P-TD-2 to P-TD-8: nothing in clear is executed behind AUTH, each command is answered, nothing is left."""
        run_state_machine_as_test(TLSSessions, settings=effort(20))

    def test_over_sockets(self) -> None:
        """P-AUTH-4 to P-AUTH-7, P-CCC-2, P-TD-2 to P-TD-8: so too through sockets."""
        run_state_machine_as_test(TLSOverSockets, settings=effort(10))

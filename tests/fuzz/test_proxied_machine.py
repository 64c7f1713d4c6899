"""
Sessions behind a load balancer, and one beside it: whose data connection is whose is told by PROXY headers, while reloads change who is believed.

Not here: headers on connections that never become a session (``test_headers``).
"""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.fuzz import effort
from tests.fuzz.case import FuzzCase
from tests.fuzz.client import Client
from tests.fuzz.mutations import cuts, edited, pieces_of
from tests.fuzz.test_session_machine import finish
from tests.fuzz.words import command
from tests.fuzz.world import OTHER_PORTS, PORTS, THERE, World
from tests.support.headers import VERSIONS, local_2
from twistftp.policy.channels import PortRange
from twistftp.policy.settings import Limits, SiteFirewallSupport

_BALANCER = "192.0.2.7"
_CLIENTS = ("198.51.100.5", "198.51.100.6")
_FILES = {_CLIENTS[0]: b"first", _CLIENTS[1]: b"second", THERE: b"third"}
_LIMITS = Limits(data_channel_timeout=5, data_stall_timeout=9)
_RELOADS = [
    SiteFirewallSupport(proxy_from=(_BALANCER,)),
    SiteFirewallSupport(proxy_from=(_BALANCER,), external_address="203.0.113.7"),
    SiteFirewallSupport(proxy_from=(_BALANCER, THERE)),
    SiteFirewallSupport(),
]
_numbers = st.integers(0, 2)
_VERSIONS = st.sampled_from(VERSIONS)


class _Proxied(Client):
    """``address`` is whom the balancer names."""

    address = THERE

    def dial(self, peer: str = "") -> Any:
        wire: Any = super().dial(peer or self.wire.peer.host)
        if wire is not None:
            wire.whose = ""
        return wire


def _source(header: bytes) -> str:
    """The client that a header names for its source, should it be one."""
    places = header.split(b" ")[2:3], header[16:20]
    return next((one for one in _CLIENTS if one.encode() in places[0] or ip_address(one).packed == places[1]), "")


class ProxiedSessions(RuleBasedStateMachine):
    """Two clients behind the balancer, and one that needs none."""

    world: World

    @initialize(version=_VERSIONS, cuts=cuts)
    def begin(self, version: Any, cuts: list[int]) -> None:
        self.world = World(many=3, firewall_support=_RELOADS[0], limits=_LIMITS)
        for name in _FILES.values():
            with open(os.path.join(self.world.place.root, name.decode()), "wb") as file:
                file.write(name * 5000)
        for address in _CLIENTS:
            client: Any = self.world.connect(_BALANCER, kind=_Proxied)
            client.address = address
            for segment in pieces_of(version(address), cuts):
                client.send(segment)
                self.world.turn()
        self.world.connect(THERE, kind=_Proxied)
        for client in self.world.clients:
            client.say(("USER", b"alice"), ("PASS", b"secret"), ("TYPE", b"I"))
        self.world.turn()

    def client(self, number: int) -> _Proxied:
        return self.world.clients[number]  # type: ignore[return-value]

    def speaker(self, number: int) -> _Proxied | None:
        client = self.client(number)
        return None if client.model.is_closed or client.is_gone else client

    @rule(number=_numbers, one=command())
    def asks(self, number: int, one: tuple[str, bytes]) -> None:
        client = self.speaker(number)
        if client is not None and one[0] not in ("REIN", "QUIT"):
            client.say(one)
            self.world.turn()

    @rule(number=_numbers, is_late=st.booleans(), version=_VERSIONS, names=_numbers, cuts=cuts)
    def fetches(self, number: int, is_late: bool, version: Any, names: int, cuts: list[int]) -> None:
        """One's own file; the header of the data connection most often names the right client."""
        client = self.speaker(number)
        if client is None:
            return
        client.say(("EPSV", b""))
        self.world.turn()
        if is_late:
            client.say(("RETR", b"/" + _FILES[client.address]))
            self.world.turn()
        if client.port:
            self._dial(client, client if names else self.client(number - 1), version, cuts)
        if not is_late:
            client.say(("RETR", b"/" + _FILES[client.address]))

    def _dial(self, client: _Proxied, whom: _Proxied, version: Any, cuts: list[int]) -> None:
        wire = client.dial()
        if wire is None:
            return
        wire.whose = whom.address if client.address != THERE else THERE
        if client.address != THERE:
            for segment in pieces_of(version(whom.address), cuts):
                wire.send(segment)
                self.world.turn()

    @rule(number=_numbers, header=edited(st.builds(lambda version, who: version(who), _VERSIONS, st.sampled_from(_CLIENTS)), 1), ends=st.booleans())
    def sends_an_odd_header(self, number: int, header: bytes, ends: bool) -> None:
        """On a data connection: nobody's, or only a part of one."""
        client = self.client(number)
        wire = client.dial() if client.port else None
        if wire is not None:
            wire.whose = _source(header)  # the oddness may be in what follows
            wire.send(header)
            if ends:
                wire.end()

    @rule(number=_numbers, is_local=st.booleans(), on_control=st.booleans())
    def checks_health(self, number: int, is_local: bool, on_control: bool) -> None:
        """Balancers look whether anybody is there."""
        port = 21 if on_control else self.client(number).port
        wire = self.world._arrive(_BALANCER) if port == 21 else self.world.wires.connect("192.0.2.1", port or 0, _BALANCER)
        if wire is not None:
            if is_local:
                wire.send(local_2())
            wire.end()
            self.world.turn()

    @rule(number=_numbers, event=st.sampled_from(["end", "reset", "send"]))
    def data_event(self, number: int, event: str) -> None:
        data = self.client(number).data
        if data and event == "send":
            data[-1].send(b"octets")
        elif data:
            getattr(data[-1], event)()

    @rule(seconds=st.sampled_from([0.1, 1, 6, 61]))
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(support=st.sampled_from(_RELOADS), ports=st.sampled_from([None, None, PORTS, OTHER_PORTS]))
    def reloads(self, support: SiteFirewallSupport, ports: PortRange | None) -> None:
        """Who is believed from now on."""
        self.world.reconfigure(ports=ports, firewall_support=support, limits=_LIMITS)

    @rule(reset=st.booleans())
    def second_leaves(self, reset: bool) -> None:
        self.client(1).leave(reset=reset)

    @invariant()
    def is_in_order(self) -> None:
        """No octet of a file goes to anybody but the client that the header names (P-DC-10)."""
        if hasattr(self, "world"):
            self.world.check()
            for client in self.world.clients:
                for wire in client.data:
                    mine = _FILES.get(getattr(wire, "whose", ""), b"")
                    for name in set(_FILES.values()) - {mine}:
                        if name in wire.got and b"\r\n" not in wire.got:
                            raise AssertionError(f"octets of {name!r} for {wire.whose}")  # type: ignore[attr-defined]

    def teardown(self) -> None:
        if hasattr(self, "world"):
            finish(self.world)


class ProxiedTests(FuzzCase):
    def test_sessions(self) -> None:
        """P-PB-18, P-DC-10, P-DC-11: behind a balancer, too, each command is answered, data goes to its own client alone, nothing is left."""
        run_state_machine_as_test(ProxiedSessions, settings=effort(15))

"""
A client in memory: what it says goes to the server as it is, what it hears is held against the model.

Not here: when it says what (the tests). Its TLS is ``tests.support.tls.TLSClient``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.fuzz.grammar import Reply, read_replies
from tests.fuzz.model import TRANSFERS, Disagreement, Model
from tests.fuzz.place import SECRET
from tests.fuzz.wires import Wire

if TYPE_CHECKING:
    from tests.fuzz.world import World

__all__ = ["Client"]

_BYTES = re.compile(r"Transfer complete \((\d+) bytes\)")


class Client:
    """``data`` are its data connections, the newest last; ``replies`` all that it has heard."""

    def __init__(self, world: World, wire: Wire, peer: str) -> None:
        self.world, self.wire, self.peer = world, wire, peer
        self.model = Model()
        self.engine: Any = None
        self.replies: list[Reply] = []
        self.told: list[str] = []
        self.largest = 0
        self.data: list[Wire] = []
        self.port: int | None = None
        self.is_gone = False
        self.may_be_cut = False  # it has done what a server answers with the end of the connection alone
        self._octets = b""

    # Saying

    def say(self, *commands: tuple[str, bytes], end: bytes = b"\r\n") -> None:
        """Commands in one segment."""
        octets = b""
        for verb, argument in commands:
            octets += verb.encode() + (b" " + argument if argument else b"") + end
            self.model.sent(verb.upper(), argument)
        self.send(octets)

    def send(self, octets: bytes) -> None:
        """Octets, in TLS if that is on."""
        self.largest = max(self.largest, len(octets))
        self.wire.send(octets if self.engine is None else self.engine.say(octets))

    def leave(self, *, reset: bool = False) -> None:
        """Go away without a word, with the data connections, too."""
        if not self.is_gone:
            self.is_gone = True
            self.wire.window = None
            self.wire.reset() if reset else self.wire.end()
            if not reset and not self.wire._is_reading:
                self.wire.reset()
        for wire in self.data:
            wire.window = None
            wire.reset()

    # Hearing

    def listen(self) -> bool:
        """Take what has come; whether that was anything. :raises AssertionError: it is not right."""
        octets, self.wire.got = self.wire.got, b""
        if not octets:
            return False
        self._octets += octets if self.engine is None else self._decrypted(octets)
        if SECRET in self._octets:
            raise Disagreement("octets from outside the root")
        replies, self._octets = read_replies(self._octets)
        for reply in replies:
            self.replies.append(reply)
            self.told.append(f"{reply.code} {reply.text}")
            ended = self.model.heard(reply)
            self.heard(reply, ended)
        return True

    def _decrypted(self, octets: bytes) -> bytes:
        self.engine.feed(octets)
        found, self.engine.received = self.engine.received, b""
        if answer := self.engine.output():
            self.wire.send(answer)
        return found  # type: ignore[no-any-return]

    @property
    def is_waiting_for_replies(self) -> bool:
        """Whether a command has not been answered and must be."""
        is_over = self.model.is_closed or self.is_gone or (self.may_be_cut and self.wire.is_lost)
        return bool(self.model.pending) and not is_over

    def heard(self, reply: Reply, ended: tuple[str, bytes] | None) -> None:
        """Look closer at some replies."""
        if reply.code in (227, 229):
            self._note_port(reply)
        if reply.code == 226 and ended is not None and ended[0] in TRANSFERS and (said := _BYTES.match(reply.text)):
            self._check_transfer(ended[0], int(said[1]))

    def _note_port(self, reply: Reply) -> None:
        """The port is open when it is told (P-PB-7)."""
        numbers = [int(number) for number in re.findall(r"\d+", reply.text)]
        self.port = numbers[-2] * 256 + numbers[-1] if reply.code == 227 else numbers[-1]
        is_last = not self.model.pending  # a command behind it may have used the port, or replaced it
        if is_last and not self.may_be_cut and not any(port == self.port for _, port in self.world.wires.ports):
            raise Disagreement(f"port {self.port} was told and is not open")

    def _check_transfer(self, verb: str, octets: int) -> None:
        """226 comes behind the last octet and the FIN (P-DX-1, P-DX-2), and counts what was moved."""
        all_data = [wire for client in self.world.clients for wire in client.data]  # another of this address may have dialled this port
        sent = [wire for wire in all_data if wire.has_fin and not wire.dataBuffer and not hasattr(wire, "engine")]
        is_clear = self.engine is None and not any(hasattr(wire, "engine") for wire in self.data)
        if verb in ("RETR", "LIST", "NLST", "MLSD") and sent and is_clear and octets not in [len(wire.got) for wire in sent]:
            raise Disagreement(f"226 of {octets} octets, but {[len(wire.got) for wire in sent]} came")
        if any(SECRET in wire.got for wire in self.data):
            raise Disagreement("octets from outside the root")

    # Data connections

    def dial(self, peer: str = "") -> Wire | None:
        """Connect to the port that was told last; nothing if it is not open any more."""
        wire = self.world.wires.connect("192.0.2.1", self.port or 0, peer or self.peer)
        if wire is not None:
            self.data.append(wire)
        return wire

    def accept(self) -> Wire | None:
        """Take a connection of the server's."""
        if not self.world.clock.outgoing:
            return None
        wire = self.world.clock.outgoing[0].accept(self.world.wires)
        self.data.append(wire)
        return wire

"""
Control connections with faults: what is noted, answered otherwise, cut into pieces, and reset.

Not here: which faults there are (``testing.faults``), and data connections (``data``).
"""

from __future__ import annotations

from collections import deque
from typing import Any

from twistftp.session.interpreter import ServerPI
from twistftp.testing.faults.base import SILENCE
from twistftp.transport.output import hang_up
from twistftp.transport.sockets import half_close
from twistftp.wire.commands import split_line
from twistftp.wire.lines import Oversize
from twistftp.wire.replies import Reply

__all__ = ["FaultyPI"]

_LOOK = 0.002  # seconds between two looks at what the client's kernel has acknowledged
_LOOKS = 1000


class Wire:
    """
    The transport of a control connection with what can be wrong with it; all but writing and closing is the transport's own.

    :ivar limit: octets that may still be said before the connection is reset, and seconds behind them; ``None``: as many as there are.

    It stands above TLS, for a client sees how records are cut and not how segments are. The one below TLS is set ``aside``: octets pass through.
    """

    sends_at_once = False  # so a 227 waits for a turn of its own, as over any other transport

    def __init__(self, inner: Any, site: Any, limit: tuple[int, float] | None) -> None:
        self._inner, self._site = inner, site
        self.limit = limit
        self._queue: deque[tuple[bytes, float]] = deque()  # pieces, and the seconds before each
        self._waiting: Any = None
        self._ending = False
        self._is_over = False
        self.aside = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property
    def protocol(self) -> Any:
        """Whom the transport tells; TLS puts itself in between."""
        return self._inner.protocol

    @protocol.setter
    def protocol(self, protocol: Any) -> None:
        self._inner.protocol = protocol

    def write(self, data: bytes) -> None:
        """Say it, in pieces if it must be."""
        pieces, pause = ([data], 0.0) if self.aside else self._site.armoury.pieces(data)
        for number, piece in enumerate(pieces):
            self._queue.append((piece, pause if number else 0.0))
        if self._waiting is None:
            self._go_on()

    def writeSequence(self, iovec: Any) -> None:
        """``write`` for several pieces."""
        self.write(b"".join(iovec))

    def _go_on(self) -> None:
        self._waiting = None
        while self._queue and not self._is_over:
            piece, pause = self._queue[0]
            if pause:
                self._queue[0] = (piece, 0.0)
                self._waiting = self._site.reactor.callLater(pause, self._go_on)
                return
            self._queue.popleft()
            self._say(piece)
        if self._ending and not self._is_over:
            self._is_over = True
            hang_up(self._inner)

    def _say(self, piece: bytes) -> None:
        if self.limit is None or self.aside:
            self._inner.write(piece)
            return
        octets, pause = self.limit
        self.limit = max(0, octets - len(piece)), pause
        if octets:
            self._inner.write(piece[:octets])
        if octets <= len(piece):
            self._is_over = True
            self._waiting = self._site.reactor.callLater(pause, self._reset, _LOOKS)

    def _reset(self, looks: int) -> None:
        """When the client has what was said: a reset may overtake what is on its way."""
        queued = getattr(self._inner, "queued", None)
        if queued is not None and queued() and looks:
            self._waiting = self._site.reactor.callLater(_LOOK, self._reset, looks - 1)
        else:
            self._waiting = None
            self._inner.abortConnection()

    def loseConnection(self) -> None:
        """Close in order, behind what waits."""
        self._ending = True
        if self._waiting is None:
            self._go_on()

    def half_close(self) -> None:
        """End this direction."""
        if not self._is_over:
            self._is_over = True
            inner = self._inner
            inner.finish() if hasattr(inner, "finish") else half_close(inner)

    def gone(self) -> None:
        """The connection is lost."""
        self._is_over = True
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


class FaultyPI(ServerPI):
    """A control connection of a site of the tests: what its client says is noted, and its faults come to pass."""

    commands_said = 0
    verb = ""
    _wire: Wire | None = None

    def makeConnection(self, transport: Any) -> None:
        """Step between, from the greeting on."""
        self._wire = Wire(transport, self.site, self.site.armoury.control_limit())
        super().makeConnection(self._wire)

    def use_transport(self, transport: Any) -> None:
        """TLS begins or ends: step between there, with what is left of the octets that may be said."""
        old, self._wire = self._wire, None
        limit = old.limit if old is not None else None
        if isinstance(transport, Wire):  # back to clear text
            transport.aside = False
            transport.limit = limit
            self._wire = transport
        else:
            if old is not None and old._inner is not transport:
                old.aside = True
            self._wire = Wire(transport, self.site, limit)
        super().use_transport(self._wire)
        self.transport = self._wire  # type: ignore[assignment]

    def connectionLost(self, *arguments: Any) -> None:
        """As ever."""
        if self._wire is not None:
            self._wire.gone()
        super().connectionLost(*arguments)

    def _run_line(self, line: bytes | Oversize) -> None:
        if not isinstance(line, bytes) or not line:
            super()._run_line(line)
            return
        self._note(line)
        reply = self.site.armoury.answers(self.commands_said, self.verb)
        if reply is None:
            super()._run_line(line)
        else:
            self._command = (self.site.verbs.get(self.verb), line, self._patience.idle_since)
            self._finish(reply)

    def _acts_at_once(self, line: bytes) -> bool:
        has_acted = super()._acts_at_once(line)
        if has_acted and split_line(line)[0] != "ABOR":  # which comes by the other way in its turn
            self.site.heard(self.session.identifier, line)
        return has_acted

    def _note(self, line: bytes) -> None:
        self.commands_said += 1
        self.verb = split_line(line)[0]
        self.site.heard(self.session.identifier, line)

    def _finish(self, reply: Reply) -> None:
        count = self.commands_said
        wire = self._wire
        super()._finish(reply)
        if wire is not None and not reply.is_preliminary and self.site.armoury.half_closes(count):
            self._outlet.uncork()
            wire.half_close()

    def send(self, reply: Reply) -> None:
        """Say it, or what the faults make of it."""
        if reply.code != 0 and not self._is_closing:
            said = self.site.armoury.said(self.verb, reply, self.site.closed_port)
            if said is not SILENCE:
                super().send(said)

"""
Where a capsule is played: a clock that the player moves, the two ends of a control connection, a pool and a portal that do as it says.

Not here: the player (``replay``), data connections (``played_data``) and files (``tree``).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from twisted.cred.error import LoginFailed
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IConsumer, IPushProducer, ITransport
from twisted.internet.task import Clock
from twisted.protocols.ftp import IFTPShell
from zope.interface import implementer

from twistftp.capsules.played_data import PlayedPort
from twistftp.policy.channels import DYNAMIC
from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.session.interpreter import ServerPI
from twistftp.session.session import Session
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.interfaces import DataConnectionFailed
from twistftp.transport.tls_session import Neighbours
from twistftp.wire.paths import Path

__all__ = ["PlayedPI", "PlayedPool", "PlayedPortal", "PlayedTransport", "TurningClock"]

_PORTS = 50000


class TurningClock(Clock):
    """A clock that, as a reactor does, leaves for the next turn what is asked for in this one."""

    running = True

    def advance(self, amount: float) -> None:
        """Let time pass, and call what is due."""
        self.rightNow += amount
        due: list[Any] = [call for call in self.getDelayedCalls() if call.getTime() <= self.rightNow]
        for call in due:
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)
        self._sortCalls()

    def turn(self, turns: int = 10_000) -> None:
        """Let the reactor turn until nothing is left to do without time passing."""
        for _ in range(turns):
            if not any(call.getTime() <= self.rightNow for call in self.getDelayedCalls()):
                return
            self.advance(0)

    def until(self, when: float) -> None:
        """Let time pass until then, in steps of the timer wheel's size."""
        while (left := when - self.rightNow) > 0:
            self.advance(min(0.5, left))
            self.turn()


@implementer(ITransport, IConsumer, IPushProducer)
class PlayedTransport:
    """The server's end of the control connection. ``heard`` is called with what it writes."""

    disconnecting = False

    def __init__(self, peer: str, local: str, heard: Callable[[bytes], object]) -> None:
        self._peer, self._local, self._heard = peer, local, heard
        self.protocol: Any = None
        self.is_aborted = False

    def _address(self, host: str, port: int) -> Any:
        return IPv6Address("TCP", host, port) if ":" in host else IPv4Address("TCP", host, port)

    def getPeer(self) -> Any:
        """The client."""
        return self._address(self._peer, 40000)

    def getHost(self) -> Any:
        """The server."""
        return self._address(self._local, 21)

    def write(self, data: bytes) -> None:
        """Octets for the client."""
        if not self.disconnecting:
            self._heard(data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """The same in pieces."""
        self.write(b"".join(iovec))

    def loseConnection(self) -> None:
        """Close."""
        self.disconnecting = True

    def abortConnection(self) -> None:
        """Reset."""
        self.is_aborted = self.disconnecting = True

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """The client reads all there is, so nobody is ever told to wait."""

    def unregisterProducer(self) -> None:
        """The inverse."""

    def pauseProducing(self) -> None:
        """The player says nothing meanwhile, or then: as the client did."""

    def resumeProducing(self) -> None:
        """The inverse."""

    def stopProducing(self) -> None:
        """Close."""
        self.loseConnection()


class PlayedPool:
    """
    The passive pool: each port is good for one connection, which comes when the capsule says so.

    :param reply_ahead: gives the next reply of the capsule that the server has not said yet.
    """

    def __init__(self, deadlines: Deadlines, awaited: Callable[[PlayedPort], object], reply_ahead: Callable[[], str]) -> None:
        self.deadlines = deadlines
        self.ports = DYNAMIC
        self.neighbours = Neighbours()
        self._awaited, self._reply_ahead = awaited, reply_ahead
        self._numbers = itertools.cycle(range(_PORTS, _PORTS + 1000))

    def lease(self, *_: Any) -> PlayedPort:
        """:raises DataConnectionFailed: the server had no port then."""
        reply = self._reply_ahead()
        if reply.startswith("425"):
            busy = Cause.CANNOT_LISTEN if reply.startswith(Verdict(Cause.CANNOT_LISTEN).text, 4) else Cause.POOL_BUSY
            raise DataConnectionFailed(Verdict(busy))
        return PlayedPort(next(self._numbers), self._awaited)

    def trim(self) -> None:
        """No port is ever open."""


class PlayedPortal:
    """
    Logs those in who were logged in then: it asks no checker, for a capsule holds no passwords.

    :param is_granted: whether the login that is tried now succeeded, ``None`` if something went wrong with it.
    """

    def __init__(self, avatar: Any, is_granted: Callable[[], bool | None]) -> None:
        self._avatar, self._is_granted = avatar, is_granted

    def login(self, credentials: Any, mind: Any, *interfaces: Any) -> Deferred[Any]:
        """As ``Portal``'s."""
        is_granted = self._is_granted()
        if is_granted is None:
            return fail(OSError("as it was then"))
        if not is_granted:
            return fail(LoginFailed())
        return succeed((IFTPShell, self._avatar, lambda: None))


class PlayedPI(ServerPI):
    """A session that begins where the user's began, and connects nowhere."""

    start: Path = ()
    awaited: Callable[[PlayedPort], object]

    def __init__(self, site: Any, identifier: int, peer: str) -> None:
        super().__init__(site, identifier, peer)
        self.kind_of_session = _PlayedSession  # type: ignore[misc, assignment]


class _PlayedSession(Session):
    __slots__ = ()

    def log_in(self, user: str, store: Any, logout: Callable[[], Any]) -> None:
        super().log_in(user, store, logout)
        self.cwd = self.start = self.control.start  # type: ignore[attr-defined]

    def use_data_port(self, port: Any) -> None:
        """What PORT and EPRT have set up is played, too."""
        super().use_data_port(port if isinstance(port, PlayedPort) else PlayedPort(0, self.control.awaited))  # type: ignore[attr-defined]

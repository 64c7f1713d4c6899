"""
Dialogues with a site in memory: a real ``FTPSite`` and a real control connection, a clock that the test moves, and data
connections that the test makes, breaks and finishes.

Not here: assertions about FTP; only that replies are well-formed (RFC 959 §4.2), for else they could not be read at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IConsumer, IPushProducer, ITCPTransport
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.support.memory import CountingRealm, MemoryStore, portal_of
from twistftp.policy.channels import PortRange
from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.policy.matching import EXACT, PeerMatch
from twistftp.policy.proxying import NOBODY, Proxies
from twistftp.policy.settings import SiteSettings
from twistftp.session.verbs import data_ports
from twistftp.site import FTPSite
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.interfaces import DataConnectionFailed, IDataConnection, IDataPort, ShortFile
from twistftp.transport.tls_session import Neighbours

__all__ = ["TREE", "Client", "ControlTransport", "Dialogue", "FakeConnection", "FakePool", "FakePort", "TurningClock", "replies_of"]

TREE: Mapping[str, Any] = {
    "file.txt": b"one\ntwo\n",
    "binary": bytes(range(256)) * 4,
    "empty": b"",
    "pub": {"readme": b"hello", "deep": {"x": b"x"}, ".hidden": b"h"},
    "void": {},
}

_MIDDLE = re.compile(rb" [^\r\n\0]*")


def replies_of(octets: bytes) -> tuple[list[str], bytes]:
    """
    Octets from the server as replies, each as text without its last line end (inner ones are ``\\n``), and what is no whole reply yet.

    :raises AssertionError: they are not what RFC 959 §4.2 and PROTOCOL P-GEN-3, P-GEN-4 allow.
    """
    replies: list[str] = []
    lines: list[bytes] = []
    end = 0
    position = 0
    while (stop := octets.find(b"\n", position)) >= 0:
        line = octets[position : stop + 1]
        position = stop + 1
        if not line.endswith(b"\r\n"):
            raise AssertionError(f"a line without CRLF: {line!r}")
        line = line[:-2]
        if b"\r" in line.replace(b"\r\0", b"") or b"\0" in line.replace(b"\r\0", b"") or b"\xff" in line.replace(b"\xff\xff", b""):
            raise AssertionError(f"control octets in {line!r}")
        code = (lines or [line])[0][:3]
        if not re.fullmatch(rb"[1-5][0-9][0-9]", code):
            raise AssertionError(f"no reply code: {line!r}")
        lines.append(line)
        if line[:4] == code + b" ":
            replies.append(b"\n".join(lines).decode("utf-8", "surrogateescape"))
            lines, end = [], position
        elif len(lines) == 1:
            if line[3:4] != b"-":
                raise AssertionError(f"neither a reply nor the beginning of one: {line!r}")
        elif not _MIDDLE.fullmatch(line.replace(b"\r\0", b"")):
            raise AssertionError(f"a middle line that could be taken for a reply: {line!r}")
    return replies, octets[end:]


class TurningClock(MemoryReactorClock):
    """A clock that, as a reactor does, leaves for the next turn what is asked for in this one."""

    def advance(self, amount: float) -> None:
        self.rightNow += amount
        for call in [call for call in self.getDelayedCalls() if call.getTime() <= self.rightNow]:
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)
        self._sortCalls()


@implementer(ITCPTransport, IConsumer, IPushProducer)
class ControlTransport:
    """
    The server's end of a control connection. ``writes`` are the segments that went out.

    With ``is_merging`` it behaves like a socket of Twisted's: what is written waits in ``dataBuffer`` for the end of the turn.
    With ``is_stuck`` the client reads nothing: from ``high_water`` octets on, the protocol is told to pause.
    """

    disconnecting = False
    high_water = 65536

    def __init__(self, peer: str, host: str, is_merging: bool = False) -> None:
        self._peer, self._host = peer, host
        self.is_merging = is_merging
        self.is_stuck = False
        self.dataBuffer = b""
        self.writes: list[bytes] = []
        self.is_reading = True
        self.pauses = 0
        self.is_aborted = False
        self.producer: Any = None
        self.protocol: Any = None

    def _address(self, host: str) -> Any:
        return IPv6Address("TCP", host, 21) if ":" in host else IPv4Address("TCP", host, 21)

    def getPeer(self) -> Any:
        return self._address(self._peer)

    def getHost(self) -> Any:
        return self._address(self._host)

    def write(self, data: bytes) -> None:
        if not isinstance(data, bytes):
            raise TypeError("octets are written")
        if self.is_stuck or self.is_merging:
            self.dataBuffer += data
            if self.is_stuck and len(self.dataBuffer) >= self.high_water and self.producer is not None:
                self.producer.pauseProducing()
        else:
            self.writes.append(data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        self.write(b"".join(iovec))

    def flush(self) -> None:
        """The end of a turn: what waits goes out, unless the client does not read."""
        if self.dataBuffer and not self.is_stuck:
            data, self.dataBuffer = self.dataBuffer, b""
            self.writes.append(data)

    def unstick(self) -> None:
        """The client reads again."""
        self.is_stuck = False
        self.flush()
        if self.producer is not None:
            self.producer.resumeProducing()

    def loseConnection(self) -> None:
        self.disconnecting = True

    def abortConnection(self) -> None:
        self.is_aborted = self.disconnecting = True

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self.producer is not None:
            raise RuntimeError("there is a producer already")
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.is_reading = False
        self.pauses += 1

    def resumeProducing(self) -> None:
        self.is_reading = True

    def stopProducing(self) -> None:
        self.loseConnection()


@implementer(IDataConnection)
class FakeConnection:
    """
    A data connection. It takes everything at once, or with ``is_slow`` only what ``move`` and ``finish`` make it take.

    ``received`` is what the client got; ``is_reset``/``is_finished`` say how it ended.
    """

    is_slow = False
    is_private = False
    chunk = 16

    def __init__(self, peer: tuple[str, int]) -> None:
        self.peer = peer
        self.octets = 0
        self.received = b""
        self.is_reset = self.is_finished = self.is_closed = False
        self.is_received = False
        self.sink: Any = None
        self._early: list[bytes] = []
        self._read: Any = None
        self._result: Deferred[None] | None = None
        self._error: BaseException | None = None

    def send_file(self, file: Any, offset: int, count: int) -> Any:
        def read() -> Any:
            wanted = min(self.chunk, count - self.octets)
            return self._checked(file.read_at(offset + self.octets, wanted)) if wanted else b""

        return self._start(read)

    def _checked(self, data: Any) -> Any:
        if isinstance(data, Deferred):
            return data.addCallback(self._checked)
        if not data:
            raise ShortFile
        return data

    def send(self, source: Any) -> Any:
        return self._start(source.read)

    def receive(self, sink: Any) -> Any:
        """What the client sends with ``give`` goes to the sink, up to its ``end``."""
        if self._error is not None:
            raise self._error
        self._read, self.sink = True, sink
        self._result = result = Deferred(lambda _: self.abort(Cause.ABORTED))
        early, self._early = self._early, []
        for data in early:
            self._deliver(data)
        return result

    def give(self, data: bytes) -> None:
        """The client sends octets."""
        if self.sink is None:
            self._early.append(data)
        else:
            self._deliver(data)

    def end(self) -> None:
        """The client's FIN, behind its octets."""
        self.give(b"")

    def _deliver(self, data: bytes) -> None:
        if self._error is not None or self._result is None:
            return
        if not data:
            result, self._result, self.is_received = self._result, None, True
            if result is not None:
                result.callback(None)
            return
        self.octets += len(data)
        try:
            stored = self.sink.write(data)
        except Exception as error:
            self._end(error)
            return
        if stored is not None:
            stored.addErrback(lambda failure: self._end(failure.value))

    def _start(self, read: Any) -> Any:
        if self._error is not None:
            raise self._error
        self._read = read
        if not self.is_slow:
            self._pump(-1)
        if self.is_finished:
            return None
        if self._error is not None:
            raise self._error
        self._result = Deferred(lambda _: self.abort(Cause.ABORTED))
        return self._result

    def _pump(self, reads: int) -> None:
        while reads and self._read is not None and self._error is None and not self.is_finished:
            reads -= 1
            try:
                data = self._read()
            except Exception as error:
                self._end(error)
                return
            if isinstance(data, Deferred):
                data.addCallbacks(lambda octets, left=reads: self._took(octets) and self._pump(left), lambda failure: self._end(failure.value))
                return
            self._took(data)

    def _took(self, data: bytes) -> bool:
        if not data:
            self._end(None)
            return False
        self.received += data
        self.octets += len(data)
        return True

    def _end(self, error: BaseException | None) -> None:
        if self.is_finished or self._error is not None:
            return
        self._error, self.is_finished, self.is_reset = error, error is None, error is not None
        result, self._result = self._result, None
        if result is not None:
            if error is None:
                result.callback(None)
            else:
                result.errback(error)

    def move(self, reads: int = 1) -> None:
        """Take a little."""
        self._pump(reads)

    def finish(self) -> None:
        """Take the rest."""
        self._pump(-1)

    def lose(self) -> None:
        """The client resets it."""
        self._end(DataConnectionFailed(Verdict(Cause.LOST, octets=self.octets)))

    def stall(self) -> None:
        """Nothing moved for too long."""
        self._end(DataConnectionFailed(Verdict(Cause.STALLED, seconds=300, octets=self.octets)))

    def abort(self, cause: Cause) -> None:
        if self.is_received:
            return
        self._end(DataConnectionFailed(Verdict(cause, octets=self.octets)))

    def close(self) -> None:
        if self._read is None or self.is_received:
            self.is_closed = True


@implementer(IDataPort)
class FakePort:
    """A lease or the target of PORT. ``connect``, ``never_comes`` and ``refuse_connection`` are what the client's side does."""

    def __init__(self, port: int, peer: str, is_slow: bool = False) -> None:
        self.port, self.peer, self.is_slow = port, peer, is_slow
        self.timeout: float | None = None
        self.tls: Any = None
        self.is_ended = False
        self.made: FakeConnection | None = None
        self._failure: DataConnectionFailed | None = None
        self._result: Deferred[FakeConnection] | None = None

    @property
    def local_port(self) -> int:
        return self.port

    def connection(self, timeout: float) -> Any:
        self.timeout = timeout
        if self._failure is not None:
            self.is_ended = True
            raise self._failure
        if self.is_ended:
            raise DataConnectionFailed(Verdict(Cause.NOT_SET_UP))
        if self.made is not None:
            self.is_ended = True
            return self.made
        self._result = Deferred(lambda _: self._end(None))
        return self._result

    def close(self) -> None:
        if not self.is_ended and self.made is not None:
            self.made.close()
        self._end(DataConnectionFailed(Verdict(Cause.ABORTED)))

    refuse = close

    def _end(self, error: DataConnectionFailed | None) -> None:
        if self.is_ended:
            return
        self.is_ended = True
        result, self._result = self._result, None
        if result is not None and error is not None:
            result.errback(error)

    @property
    def is_awaited(self) -> bool:
        """Whether a transfer command waits for the client."""
        return self._result is not None

    def connect(self) -> FakeConnection:
        """The client comes."""
        self.made = connection = FakeConnection((self.peer, 40000))
        connection.is_slow = self.is_slow
        connection.is_private = self.tls is not None and self.tls.is_private
        result, self._result = self._result, None
        if result is not None:
            self.is_ended = True
            result.callback(connection)
        return connection

    def fail(self, verdict: Verdict) -> None:
        """Something goes wrong before the transfer begins."""
        error = DataConnectionFailed(verdict)
        if self._result is None:
            self._failure = error
        else:
            self._end(error)

    def never_comes(self) -> None:
        self.fail(Verdict(Cause.NEVER_ARRIVED, port=self.port, seconds=self.timeout or 0, range="50000-50100"))

    def refuse_connection(self) -> None:
        self.fail(Verdict(Cause.CONNECT_FAILED, address=self.peer, port=self.port, reason="connection refused"))

    def reset(self) -> None:
        self.fail(Verdict(Cause.RESET_EARLY, port=self.port))


class FakePool:
    """Gives leases of the ports from 50000 up, to be found in ``leases``; ``waiting`` and ``failing`` make the next one late or fail."""

    def __init__(self, deadlines: Deadlines) -> None:
        self.deadlines = deadlines
        self.leases: list[FakePort] = []
        self.asked: list[tuple[str, str]] = []
        self.waiting: Deferred[Any] | None = None
        self.failing: Verdict | None = None
        self.is_slow = False
        self.trims = 0
        self.ports = self.whole = PortRange(50000, 50100)
        self.neighbours = Neighbours()

    def lease(self, interface: str, client: str, match: PeerMatch = EXACT, proxies: Proxies = NOBODY, tls: Any = None) -> Any:
        self.asked.append((interface, client))
        self.match = match
        if self.failing is not None:
            raise DataConnectionFailed(self.failing)
        if self.waiting is not None:
            return self.waiting
        lease = self.make(client)
        lease.tls = tls
        return lease

    def make(self, client: str) -> FakePort:
        """A lease."""
        lease = FakePort(50000 + len(self.leases), client, self.is_slow)
        self.leases.append(lease)
        return lease

    def trim(self) -> None:
        self.trims += 1

    @property
    def open_leases(self) -> int:
        """Leases that nobody gave up or used."""
        return sum(not lease.is_ended for lease in self.leases)


class Client:
    """One control connection and its client."""

    def __init__(self, server: Dialogue, peer: str = "192.0.2.9", host: str = "192.0.2.1", is_merging: bool = False) -> None:
        self.server = server
        self.transport = ControlTransport(peer, host, is_merging)
        self.is_lost = False
        self._read = 0
        self._rest = b""
        self.pi: Any = server.site.buildProtocol(self.transport.getPeer())
        self.transport.protocol = self.pi
        self.pi.makeConnection(self.transport)
        self.greeting = self.hear()

    def send(self, octets: bytes) -> None:
        """Octets to the server, without waiting for anything; nothing when it does not read, as TCP would do."""
        if not self.is_lost and not self.transport.is_aborted:
            self.transport.protocol.dataReceived(octets)

    def hear(self) -> list[str]:
        """The replies since the last time, after everything that needs no time to pass."""
        self.server.turn()
        return self.heard()

    def heard(self) -> list[str]:
        """The replies that have come since the last time, without letting a turn pass."""
        octets = self._rest + b"".join(self.transport.writes[self._read :])
        self._read = len(self.transport.writes)
        replies, self._rest = replies_of(octets)
        return replies

    def say(self, *lines: str | bytes) -> list[str]:
        """Send command lines in one segment; the replies to them."""
        self.send(b"".join((line.encode("utf-8", "surrogateescape") if isinstance(line, str) else line) + b"\r\n" for line in lines))
        return self.hear()

    def codes(self, *lines: str | bytes) -> list[int]:
        """The codes of the replies to these lines."""
        return [int(reply[:3]) for reply in self.say(*lines)]

    def login(self, user: str = "anonymous", password: str = "me@example.org") -> list[str]:
        """Log in; the replies."""
        return self.say(f"USER {user}", f"PASS {password}")

    def put(self, line: str, *pieces: bytes) -> list[str]:
        """An upload from PASV to its end; its replies."""
        connection = self.passive().connect()
        for piece in pieces:
            connection.give(piece)
        connection.end()
        return self.say(line)

    def passive(self) -> FakePort:
        """Set up a passive data port."""
        code = self.codes("PASV" if ":" not in self.transport._host else "EPSV")
        if code not in ([227], [229]):
            raise AssertionError(f"no port: {code}")
        return self.server.pool.leases[-1]

    def fetch(self, line: str) -> tuple[list[str], bytes]:
        """A transfer from PASV to its end: its replies and what came over the data connection."""
        connection = self.passive().connect()
        return self.say(line), connection.received

    def leave(self, reason: Exception | None = None) -> None:
        """The connection is gone."""
        if not self.is_lost:
            self.is_lost = True
            self.transport.protocol.connectionLost(Failure(reason or (ConnectionAborted() if self.transport.is_aborted else ConnectionDone())))

    @property
    def session(self) -> Any:
        """The server's session."""
        return self.pi.session

    @property
    def is_closing(self) -> bool:
        """Whether the server has closed the connection."""
        return self.transport.disconnecting


class Dialogue(Client):
    """A site with its first client. Settings that are not given are the defaults; ``portal`` may be any."""

    def __init__(
        self,
        case: Any,
        tree: Mapping[str, Any] | None = None,
        *,
        portal: Any = None,
        peer: str = "192.0.2.9",
        host: str = "192.0.2.1",
        is_merging: bool = False,
        writable: bool = False,
        **settings: Any,
    ) -> None:
        self.clock = TurningClock()
        self.deadlines = Deadlines(self.clock)
        self.pool = FakePool(self.deadlines)
        self.store = MemoryStore(TREE if tree is None else tree, writable)
        self.realm = CountingRealm(self.store)
        self.settings = SiteSettings(root="/srv/ftp", **settings)
        self.site = FTPSite(self.settings, portal or portal_of(self.realm), pool=self.pool, reactor=self.clock)  # type: ignore[arg-type]
        self.site.now = lambda: 1710000000.0  # type: ignore[method-assign]  # 2024-03-09 16:00:00 UTC
        self.active_ports: list[FakePort] = []
        self.clients: list[Client] = []
        case.patch(data_ports, "ActivePort", self._active_port)
        super().__init__(self, peer, host, is_merging)
        self.clients.append(self)

    def _active_port(self, reactor: Any, host: str, port: int, interface: str, deadlines: Any, **source: Any) -> FakePort:
        made = FakePort(port, host, self.pool.is_slow)
        made.bind_host = interface  # type: ignore[attr-defined]
        made.source_port = source["source_port"]  # type: ignore[attr-defined]
        made.tls = source["tls"]
        self.active_ports.append(made)
        return made

    def another(self, **where: Any) -> Client:
        """One more client."""
        client = Client(self, **where)
        self.clients.append(client)
        return client

    def turn(self) -> None:
        """Let the reactor turn until nothing is left to do without time passing."""
        for _ in range(100_000):
            due = [call for call in self.clock.getDelayedCalls() if call.getTime() <= self.clock.seconds()]
            if due:
                self.clock.advance(0)
            waiting = [client for client in (*self.clients, self) if client.transport.dataBuffer and not client.transport.is_stuck]
            for client in waiting:
                client.transport.flush()
            if not due and not waiting:
                return
        raise AssertionError("the reactor is never idle")

    def wait(self, seconds: float) -> list[str]:
        """Let time pass; the replies that came."""
        end = self.clock.seconds() + seconds
        while (left := end - self.clock.seconds()) > 0:
            self.clock.advance(min(0.5, left))
        return self.hear()

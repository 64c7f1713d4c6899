"""
Data connections with faults: what stands between a transfer and its connection, and spoils it at the octet that was asked for.

Not here: which faults there are (``testing.faults``), and connections (``transport``), whose own code knows nothing of this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from zope.interface import implementer

from twistftp.policy.diagnosis import Cause
from twistftp.session.transfer import settled
from twistftp.storage.failures import DiskFull
from twistftp.testing.faults.base import Action, Cut, Occasional
from twistftp.transport.interfaces import IDataConnection, IDataPort, ISink, ISource
from twistftp.transport.sending import FileSource
from twistftp.transport.sockets import tune_data

__all__ = ["FaultyPort"]

_LOOK = 0.002  # seconds between two looks at what the client's kernel has acknowledged
_LOOKS = 1000


class _Through:
    """Something of which all is as it was but what a subclass has."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@implementer(IDataPort)
class FaultyPort(_Through):
    """A data port whose connection has the faults that ``choose`` gives when it is there."""

    def __init__(self, inner: Any, choose: Callable[[], Sequence[Occasional]], reactor: Any) -> None:
        super().__init__(inner)
        self._choose, self._reactor = choose, reactor

    def connection(self, timeout: float) -> Any:
        """As in ``IDataPort``."""
        connection = self._inner.connection(timeout)
        if isinstance(connection, Deferred):
            return connection.addCallback(self._spoiled)
        return self._spoiled(connection)

    def _spoiled(self, connection: Any) -> Any:
        faults = self._choose()
        return FaultyConnection(connection, faults, self._reactor) if faults else connection


@implementer(IDataConnection)
class FaultyConnection(_Through):
    """A data connection with these faults."""

    def __init__(self, inner: Any, faults: Sequence[Occasional], reactor: Any) -> None:
        super().__init__(inner)
        self.reactor = reactor
        self.cuts: list[Cut] = sorted((cut for fault in faults for cut in fault.cuts()), key=lambda cut: cut.at)
        self._alone = max(((fault.step, fault.pause) for fault in faults), default=(0, 0.0))
        self._early = max(((fault.early, fault.pause) for fault in faults if fault.early is not None), default=None)
        if any(fault.omits_close_notify for fault in faults) and inner.is_private:
            inner.transport._say_close = lambda: None  # its own; nobody else's connection hears of it

    def send_file(self, file: Any, offset: int, count: int) -> Any:
        """As in ``IDataConnection``."""
        return self.send(FileSource(file, offset, count))

    def send(self, source: Any) -> Any:
        """As in ``IDataConnection``; done before it is, if 226 is to be early."""
        if self._early is None:
            return self._inner.send(_Source(source, self, *self._alone))
        said: Deferred[None] = Deferred()
        late = _EarlySource(source, *self._early, said, self)
        ended = self._inner.send(_Source(late, self, *self._alone))
        if ended is None:
            return None
        ended.addCallbacks(lambda _: None if said.called else said.callback(None), lambda failure: None if said.called else said.errback(failure))
        return said

    def receive(self, sink: Any) -> Any:
        """As in ``IDataConnection``."""
        return self._inner.receive(_Sink(sink, self))

    def push(self) -> None:
        """Have the kernel send what it holds back for more to come."""
        if self._inner.transport is not None:
            tune_data(self._inner.transport)  # TCP_NODELAY, set again, does that

    async def delivered(self) -> None:
        """Wait until the client's kernel has it all."""
        self.push()
        for _ in range(_LOOKS):
            transport = self._inner.transport
            if transport is None:
                return
            queued = getattr(transport, "queued", None)
            if queued is None or not queued():
                return
            await deferLater(self.reactor, _LOOK)

    async def act(self, cut: Cut) -> bool:
        """Carry a cut out; whether the transfer ends there in good order. What else it leads to comes by itself, so this may wait for ever."""
        await self.delivered()
        if cut.action is Action.END:
            return True
        if cut.action is Action.FULL:
            raise DiskFull
        if cut.action is Action.RESET:
            self._inner.abort(Cause.LOST)
        return await Deferred()  # type: ignore[no-any-return]


@implementer(ISource)
class _Source:
    """What a source gives, up to the next cut at most, and the first ``alone`` octets one by one."""

    def __init__(self, source: Any, connection: FaultyConnection, alone: int, pause: float) -> None:
        self._source, self._connection = source, connection
        self._alone, self._pause = alone, pause
        self._cuts = list(connection.cuts)
        self._octets = 0
        self._held = b""

    def read(self) -> Deferred[bytes]:
        """As in ``ISource``."""
        return Deferred.fromCoroutine(self._read())

    async def _read(self) -> bytes:
        if self._cuts and self._cuts[0].at <= self._octets and await self._connection.act(self._cuts.pop(0)):
            return b""
        is_alone = self._octets < self._alone
        if 0 < self._octets <= self._alone:
            self._connection.push()
            await deferLater(self._connection.reactor, self._pause)
        if not self._held:
            self._held = await settled(self._source.read())
        size = 1 if is_alone else len(self._held)
        if self._cuts:
            size = min(size, self._cuts[0].at - self._octets)
        data, self._held = self._held[:size], self._held[size:]
        self._octets += len(data)
        return data


@implementer(ISource)
class _EarlySource:
    """All that a source gives, its last ``octets`` octets and the end when ``said`` has been called back and ``pause`` seconds are over."""

    def __init__(self, source: Any, octets: int, pause: float, said: Deferred[None], connection: FaultyConnection) -> None:
        self._source, self._octets, self._pause, self._said, self._connection = source, octets, pause, said, connection
        self._late: bytes | None = None  # once it is known

    def read(self) -> Deferred[bytes]:
        """As in ``ISource``."""
        return Deferred.fromCoroutine(self._read())

    async def _read(self) -> bytes:
        if self._late is None:  # all of it now: the file is closed when 226 is said
            whole = b""
            while data := await settled(self._source.read()):
                whole += data
            begin = max(0, len(whole) - self._octets)
            self._late = whole[begin:]
            if begin:
                return whole[:begin]
        if not self._said.called:
            self._connection.push()
            self._connection.reactor.callLater(0, self._say)
            await deferLater(self._connection.reactor, self._pause)
        late, self._late = self._late, b""
        return late

    def _say(self) -> None:
        if not self._said.called:
            self._said.callback(None)


@implementer(ISink)
class _Sink:
    """A sink that gets what comes up to the next cut, and then whatever that means."""

    takes_pipes = False

    def __init__(self, sink: Any, connection: FaultyConnection) -> None:
        self._sink, self._connection = sink, connection
        self._cuts = [cut for cut in connection.cuts if cut.action is not Action.END]
        self._octets = 0

    def write(self, data: bytes) -> Deferred[None]:
        """As in ``ISink``."""
        return Deferred.fromCoroutine(self._write(data))

    async def _write(self, data: bytes) -> None:
        while self._cuts and self._cuts[0].at <= self._octets + len(data):
            cut = self._cuts.pop(0)
            before, data = data[: cut.at - self._octets], data[cut.at - self._octets :]
            await self._store(before)
            await self._connection.act(cut)
        await self._store(data)

    async def _store(self, data: bytes) -> None:
        if data:
            await settled(self._sink.write(data))
            self._octets += len(data)

    def take(self, pipe: int, count: int) -> None:
        """:raises ValueError: it takes none."""
        raise ValueError("this sink takes no pipes")

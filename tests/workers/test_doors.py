"""Tests of ``workers.doors`` and ``transport.shared``: ports that one process holds and others accept from; here all in one, with real sockets."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.protocols.haproxy import proxyEndpoint
from twisted.trial.unittest import TestCase

from tests.support.running import until
from twistftp.transport.shared import HeldPort
from twistftp.transport.sockets import ControlPort
from twistftp.workers.doors import Door, Doors, Hall, Handed


class Greeter(Protocol):
    """Says whose it is; behind a PROXY header when it has been asked."""

    def connectionMade(self) -> None:
        if not self.factory.is_asked:  # type: ignore[union-attr]
            self.dataReceived(b"")

    def dataReceived(self, data: bytes) -> None:
        peer = self.transport.getPeer()  # type: ignore[union-attr]
        self.transport.write(f"{self.factory.name} {getattr(peer, 'host', '')}\r\n".encode())  # type: ignore[union-attr]
        self.transport.loseConnection()  # type: ignore[union-attr]


class Named(Factory):
    """A site of one worker; ``begun`` and ``ended`` count as Twisted counts its ports."""

    protocol = Greeter
    noisy = False
    is_asked = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.begun = self.ended = 0

    def startFactory(self) -> None:
        self.begun += 1

    def stopFactory(self) -> None:
        self.ended += 1


class Open:
    """A gate through which everybody comes, as long as it is open."""

    is_open = True

    def admits(self, port: Any) -> bool:
        return self.is_open


class DoorsCase(TestCase):
    """A supervisor's doors, and two workers' halls."""

    timeout = 20

    def setUp(self) -> None:
        self.closing: list[Door] = []
        self.may_close: Deferred[None] = Deferred()
        self.doors = Doors(reactor, 50, self._close)
        self.opened: list[Any] = []
        self.gates = [Open(), Open()]
        self.halls = [Hall(reactor, gate) for gate in self.gates]
        self.sites = [Named("one"), Named("two")]
        directory = tempfile.TemporaryDirectory(prefix="twistftp-")
        self.addCleanup(directory.cleanup)
        self.place = Path(directory.name)
        self.addCleanup(self._end)

    def _close(self, door: Door) -> Deferred[None]:
        self.closing.append(door)
        return self.may_close

    async def _end(self) -> None:
        for hall in self.halls:
            for number in range(1, 9):
                hall.close(number)
        if not self.may_close.called:
            self.may_close.callback(None)
        for door in self.opened:
            await door.stopListening()

    def door(self, door: Any) -> Door:
        self.opened.append(door)
        return door  # type: ignore[no-any-return]

    def hand(self, door: Door, hall: int) -> list[Any]:
        """One worker opens a door."""
        number, is_own, is_proxied = door.kind
        self.halls[hall].give(Handed(number, is_own, is_proxied, door.socket.dup()))
        return self.halls[hall].open([number], self.sites[hall])

    async def ask(self, *address: Any, family: socket.AddressFamily = socket.AF_INET, say: bytes = b"") -> str:
        """What a client hears; ``""`` if it hears nothing."""
        with socket.socket(family) as client:
            client.setblocking(False)
            client.connect_ex(address[0] if family == socket.AF_UNIX else address)
            if say:
                await until(lambda: _sent(client, say), "sent")
            return (await until(lambda: _heard(client), "an answer"))[0].decode()  # type: ignore[no-any-return]


def _sent(client: socket.socket, octets: bytes) -> bool:
    try:
        return client.send(octets) == len(octets)
    except (BlockingIOError, OSError):
        return False


def _heard(client: socket.socket) -> list[bytes] | None:
    try:
        return [client.recv(100)]
    except BlockingIOError:
        return None


class SharingTests(DoorsCase):
    """One port, several that accept."""

    async def test_held(self) -> None:
        """Who holds a port answers nobody; the client waits, and is answered by the first worker that there is."""
        door = self.door(self.doors.listen(0, self.sites[0], "127.0.0.1"))
        port = door.getHost().port
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setblocking(False)
            for _ in range(20):
                await deferLater(reactor, 0)
            self.assertIsNone(_heard(client))
            self.hand(door, 1)
            self.assertEqual([b"two 127.0.0.1\r\n"], await until(lambda: _heard(client), "an answer"))

    async def test_several_a_turn(self) -> None:
        """Where many wait, one more is taken in each turn after a while; where there are no more, one is enough again."""
        door = self.door(self.doors.listen(0, self.sites[0], "127.0.0.1"))
        (port,) = self.hand(door, 0)
        port.stopReading()

        def taken() -> int:
            before = port.sessionno
            port.doRead()
            return int(port.sessionno - before)

        for _ in range(2):
            clients = [socket.create_connection(("127.0.0.1", door.getHost().port)) for _ in range(26)]
            self.assertEqual([1] * 4 + [2] * 4 + [3] * 4 + [2, 0], [taken() for _ in range(14)])
            for client in clients:
                client.close()

    async def test_gate(self) -> None:
        """A worker whose gate lets nobody in leaves all to the other; what it has let wait it takes when it may."""
        door = self.door(self.doors.listen(0, self.sites[0], "127.0.0.1"))
        port = door.getHost().port
        for hall in (0, 1):
            self.hand(door, hall)
        self.gates[0].is_open = False
        for _ in range(5):
            self.assertEqual("two 127.0.0.1\r\n", await self.ask("127.0.0.1", port))
        self.halls[1].close(door.number)
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setblocking(False)
            for _ in range(20):
                await deferLater(reactor, 0)
            self.assertIsNone(_heard(client))
            self.gates[0].is_open = True
            self.assertEqual([b"one 127.0.0.1\r\n"], await until(lambda: _heard(client), "an answer"))

    async def test_one_leaves(self) -> None:
        """A worker that closes its port, or lets it rest, ends it for nobody else; who rests can go on."""
        door = self.door(self.doors.listen(0, self.sites[0], "127.0.0.1"))
        port = door.getHost().port
        for hall in (0, 1):
            self.assertIsInstance(self.hand(door, hall)[0], ControlPort)
        self.halls[0].pause()
        for _ in range(5):
            self.assertEqual("two 127.0.0.1\r\n", await self.ask("127.0.0.1", port))
        self.halls[0].resume()
        self.halls[1].close(door.number)
        for _ in range(5):
            self.assertEqual("one 127.0.0.1\r\n", await self.ask("127.0.0.1", port))
        self.halls[1].close(door.number)  # once is enough
        self.assertEqual([(1, 0), (1, 1)], [(site.begun, site.ended) for site in self.sites])

    async def test_one_at_a_time(self) -> None:
        """At first a port takes one connection a turn of the reactor, however many wait: the others may be another worker's."""
        door = self.door(self.doors.listen(0, self.sites[0], "127.0.0.1"))
        clients = [socket.create_connection(("127.0.0.1", door.getHost().port)) for _ in range(6)]
        for client in clients:
            self.addCleanup(client.close)
            client.setblocking(False)
        [first] = self.hand(door, 0)
        [second] = self.hand(door, 1)
        first.doRead()
        second.doRead()
        names = [(await until(lambda client=client: _heard(client), "an answer"))[0][:3] for client in clients[:2]]
        self.assertEqual([b"one", b"two"], names)

    async def test_closed(self) -> None:
        """A port that the supervisor closes is free at once, whatever the workers do; they let go of it when they notice. It still has an address."""
        door = self.doors.listen(0, self.sites[0], "127.0.0.1")
        port = door.getHost().port
        [here] = self.hand(door, 0)
        [there] = self.hand(door, 1)
        number, _, is_proxied = door.kind
        self.halls[1].give(Handed(number, False, is_proxied, door.socket.dup()))
        [twisteds] = self.halls[1].open([number], self.sites[1])
        for one in (there, twisteds):
            one.stopReading()
        door.stopListening()
        self.assertEqual(([door], []), (self.closing, list(self.doors)))
        again = self.door(self.doors.listen(port, self.sites[0], "127.0.0.1"))
        await until(lambda: not here.connected, "one has noticed")
        for one in (there, twisteds):
            one.doRead()
            self.assertFalse(one.connected)
        self.assertEqual([port, port], [one.getHost().port for one in (here, there)])
        self.hand(again, 1)
        self.assertEqual("two 127.0.0.1\r\n", await self.ask("127.0.0.1", port))

    async def test_closed_elsewhere(self) -> None:
        """On a system without that it is when no worker uses it any more; then it is free. Asked twice, it does so once."""
        self.patch(HeldPort, "end_for_all", lambda held: False)
        door = self.doors.listen(0, self.sites[0], "127.0.0.1")
        port = door.getHost().port
        self.hand(door, 0)
        stopped = [door.stopListening(), door.stopListening()]
        self.assertEqual([door], self.closing)
        self.assertRaises(CannotListenError, self.doors.listen, port, self.sites[0], "127.0.0.1")
        self.halls[0].close(door.number)
        self.may_close.callback(None)
        for one in stopped:
            await one
        await self.doors.listen(port, self.sites[0], "127.0.0.1").stopListening()

    async def test_never_opened(self) -> None:
        """A port that is closed before its site has opened it leaves nothing behind."""
        door = self.door(self.doors.listen(0, self.sites[0], "127.0.0.1"))
        mine = door.socket.dup()
        self.halls[0].give(Handed(door.number, True, False, mine))
        self.halls[0].close(door.number)
        self.assertEqual(-1, mine.fileno())
        self.assertEqual([], self.halls[0].open([door.number], self.sites[0]))

    async def test_numbers(self) -> None:
        """Every door has a number of its own."""
        doors = [self.door(self.doors.listen(0, self.sites[0], "127.0.0.1")) for _ in range(3)]
        self.assertEqual([1, 2, 3], [door.number for door in doors])


class EndpointTests(DoorsCase):
    """Endpoint strings."""

    async def listen(self, text: str) -> Door:
        endpoint = serverFromString(self.doors, text.removeprefix("haproxy:"))
        return self.door(await (proxyEndpoint(endpoint) if text.startswith("haproxy:") else endpoint).listen(self.sites[0]))

    async def test_tcp(self) -> None:
        """With Twisted's own transports, as with one process."""
        door = await self.listen("tcp:0:interface=127.0.0.1")
        [port] = self.hand(door, 0)
        self.assertNotIsInstance(port, ControlPort)
        self.assertEqual("one 127.0.0.1\r\n", await self.ask("127.0.0.1", door.getHost().port))

    async def test_unix(self) -> None:
        """The file is the supervisor's: it is there after a worker has gone, and goes with the port."""
        path = self.place / "socket"
        door = await self.listen(f"unix:{path}:mode=660")
        self.assertEqual(0o660, stat.S_IMODE(path.stat().st_mode))
        for hall in (0, 1):
            self.hand(door, hall)
        self.halls[0].close(door.number)
        self.assertEqual("two \r\n", await self.ask(str(path), family=socket.AF_UNIX))
        self.halls[1].close(door.number)
        self.assertTrue(path.exists())
        self.may_close.callback(None)
        await door.stopListening()
        self.assertFalse(path.exists())

    async def test_proxy(self) -> None:
        """Behind ``haproxy:`` the worker reads the header."""
        door = await self.listen("haproxy:tcp:0:interface=127.0.0.1")
        self.assertTrue(door.is_proxied)
        self.hand(door, 1)
        self.sites[1].is_asked = True
        heard = await self.ask("127.0.0.1", door.getHost().port, say=b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 21\r\nWho?")
        self.assertEqual("two 192.0.2.7\r\n", heard)

    async def test_systemd(self) -> None:
        """A socket that was there before (``systemd:domain=INET:index=0``) is shared as well, and ours to close alone."""
        before = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(before.close)
        door = self.door(self.doors.adoptStreamPort(before.fileno(), socket.AF_INET, self.sites[0]))
        self.hand(door, 0)
        self.assertEqual("one 127.0.0.1\r\n", await self.ask("127.0.0.1", before.getsockname()[1]))
        self.may_close.callback(None)
        await door.stopListening()
        self.halls[0].close(door.number)
        os.fstat(before.fileno())

    async def test_systemd_blocks(self) -> None:
        """Such a socket is likely to block when it comes. No worker may wait in ``accept`` for a connection that another has taken."""
        for family, name in ((socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_UNIX, self.mktemp())):
            before = socket.socket(family)
            self.addCleanup(before.close)
            before.bind(name)
            before.listen()
            door = self.door(self.doors.adoptStreamPort(before.fileno(), family, self.sites[0]))
            self.hand(door, 0)
            self.assertFalse(os.get_blocking(before.fileno()), family)

    async def test_others(self) -> None:
        """What cannot be shared says so, and what can."""
        with self.assertRaisesRegex(AttributeError, "several workers cannot share an endpoint of this kind; plain tcp, tcp6, unix and systemd"):
            self.doors.listenSSL(0, self.sites[0], None)

        class Wrapper(Factory):
            wrappedFactory = self.sites[0]

        with self.assertRaisesRegex(AttributeError, "an endpoint that wraps its connections, except haproxy:"):
            self.doors.listenTCP(0, Wrapper())

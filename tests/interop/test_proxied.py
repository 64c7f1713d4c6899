"""Sites behind a balancer that the test plays, over real sockets: with our own ports, with Twisted's, and on Twisted's ``haproxy:`` endpoint."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import serverFromString

from tests.interop.by_hand import Control, Data, connect, is_turned_away, port_in, reactor
from tests.support.headers import VERSIONS, version_1
from tests.support.running import RunningSite, SiteCase, free_range, in_time, until

BALANCER, OTHER = "127.0.0.5", "127.0.0.6"
SHOWN = "203.0.113.7"
CLIENTS = ("198.51.100.1", "198.51.100.2")
BIG = bytes(range(256)) * 40_000


class ProxiedTests(SiteCase):
    """``proxy_from`` on the ports that ``twistd ftpsite`` opens."""

    is_plain = False

    async def start(self, **settings: Any) -> RunningSite:
        tree = {"1": b"the first's", "2": b"the second's", "big": BIG}
        return await self.serve(tree, is_plain=self.is_plain, firewall_support={"proxy_from": [f"{BALANCER}/32"]}, **settings)

    def port_of(self, running: RunningSite) -> int:
        return running.port

    async def control(self, running: RunningSite, client: str, version: Any = version_1) -> Control:
        """A session of a client that comes by the balancer."""
        control: Control = self.closing(await connect(self.port_of(running), Control(), source=BALANCER))
        control.transport.write(version(client, SHOWN))
        self.assertEqual("220", (await control.reply())[:3])
        for command in ("USER ftp", "PASS a@b", "TYPE I"):
            self.assertIn((await control.ask(command))[0], "23")
        return control

    async def data(self, port: int, client: str, version: Any = version_1) -> Data:
        """Its data connection, by the balancer too, which sends the header octet by octet."""
        data: Data = self.closing(await connect(port, Data(), source=BALANCER))
        data.transport.setTcpNoDelay(True)
        for octet in version(client, SHOWN, (40001, port)):
            data.transport.write(bytes([octet]))
        return data

    async def test_whole_sessions(self) -> None:
        """P-PB-18: both versions; PASV names the header's destination, the octets arrive whole, small ones and many."""
        running = await self.start()
        for version in VERSIONS:
            control = await self.control(running, CLIENTS[0], version)
            (session,) = running.site.sessions
            transport: Any = session.transport
            self.assertEqual(
                (IPv4Address("TCP", CLIENTS[0], 40000), IPv4Address("TCP", SHOWN, 21), CLIENTS[0]),
                (transport.getPeer(), transport.getHost(), session.peer),
            )
            for command, name, content in (("PASV", "1", b"the first's"), ("EPSV", "big", BIG)):
                reply = await control.ask(command)
                if command == "PASV":
                    self.assertIn("(203,0,113,7,", reply)
                data = await self.data(port_in(reply), CLIENTS[0], version)
                self.assertEqual("150", (await control.ask(f"RETR {name}"))[:3])
                self.assertEqual("226", (await control.reply())[:3])
                self.assertEqual("FIN", await in_time(data.closed))
                self.assertEqual(content, data.received)
            await control.close()  # type: ignore[misc]
            await until(lambda running=running: not running.site.sessions, "the session's end")  # type: ignore[misc]

    async def test_one_port(self) -> None:
        """Two clients wait on the only port at once; each gets its own, although the same machine connects for both."""
        running = await self.start(passive_ports=free_range(1))
        controls = [await self.control(running, client) for client in CLIENTS]
        ports = [await control.passive() for control in controls]
        self.assertEqual(ports[0], ports[1])
        connections = [await self.data(ports[1], client) for client in reversed(CLIENTS)][::-1]
        for number, (control, data) in enumerate(zip(controls, connections, strict=True)):
            self.assertEqual("150", (await control.ask(f"RETR {number + 1}"))[:3])
            self.assertEqual("226", (await control.reply())[:3])
            self.assertEqual("FIN", await in_time(data.closed))
            self.assertEqual((b"the first's", b"the second's")[number], data.received)
        self.assertEqual(0, running.site.pool.counters.strangers)

    async def test_refused_data(self) -> None:
        """On a data port: another machine, a header that names another client, and none at all are reset; then the rightful one is served."""
        running = await self.start(passive_ports=free_range(1))
        control = await self.control(running, CLIENTS[0])
        port = await control.passive()
        self.assertTrue(await is_turned_away(port, OTHER))  # before it can say anything
        for octets in (version_1(CLIENTS[1]), b"no header\r\n"):
            data: Data = self.closing(await connect(port, Data(), source=BALANCER))
            data.transport.write(octets)
            self.assertEqual("RST", await in_time(data.closed))
        self.assertEqual(3, running.site.pool.counters.strangers)
        data = await self.data(port, CLIENTS[0])
        self.assertEqual("150", (await control.ask("RETR 1"))[:3])
        self.assertEqual("226", (await control.reply())[:3])
        self.assertEqual("FIN", await in_time(data.closed))
        self.assertEqual(b"the first's", data.received)

    async def test_refused_control(self) -> None:
        """Without a header not a word is said, and the end comes with FIN."""
        running = await self.start()
        control = self.closing(await connect(self.port_of(running), Control(), source=BALANCER))
        control.say("USER ftp", "PASS a@b", "PWD")
        self.assertEqual("FIN", await in_time(control.closed))
        self.assertEqual(([], set()), (control.replies, running.site.sessions))


class PlainProxiedTests(ProxiedTests):
    """The same, for somebody who gives the site to Twisted's own ``listenTCP``."""

    is_plain = True

    async def test_forged(self) -> None:
        """Who is not listed and sends a header is greeted and cut off, and nothing of his is executed."""
        running = await self.start()
        for version in VERSIONS:
            control = self.closing(await connect(running.port, Control(), source=OTHER))
            control.transport.write(version(CLIENTS[0]) + b"USER ftp\r\nPASS a@b\r\n")
            self.assertEqual("FIN", await in_time(control.closed))
            self.assertEqual(["220", "421"], [reply[:3] for reply in control.replies])


class EndpointTests(ProxiedTests):
    """The same, on Twisted's own ``haproxy:`` endpoint: the site lists nobody, and the data ports know the balancer by its sessions."""

    async def start(self, **settings: Any) -> RunningSite:
        tree = {"1": b"the first's", "2": b"the second's", "big": BIG}
        running = await self.serve(tree, **settings)
        self._endpoint: Any = await serverFromString(reactor, "haproxy:tcp:0:interface=127.0.0.1").listen(running.site)
        self.addCleanup(self._endpoint.stopListening)
        return running

    def port_of(self, running: RunningSite) -> int:
        return int(self._endpoint.getHost().port)

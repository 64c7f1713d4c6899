"""Control connections behind a load balancer: sessions in memory, and PROXY headers from those who are no balancers."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import UNIXAddress
from twisted.logger import globalLogPublisher
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import ControlTransport, Dialogue
from tests.support.headers import VERSIONS, local_2, version_1, version_2
from twistftp.policy.matching import EXACT
from twistftp.policy.proxying import Proxies
from twistftp.policy.settings import Limits, SiteFirewallSupport
from twistftp.session.reception import LINES
from twistftp.transport.herald import PATIENCE

BALANCER, HERE = "10.0.0.5", "10.0.0.20"
CLIENT, SHOWN = "198.51.100.9", "203.0.113.7"


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self._observe)
        self.addCleanup(globalLogPublisher.removeObserver, self._observe)

    def _observe(self, event: Any) -> None:
        if event.get("log_level") is not None and event["log_level"].name == "warn":
            self.lines.append(event["log_format"].format(**event))

    def dialogue(self, proxy_from: tuple[str, ...] = ("10.0.0.0/24",), peer: str = BALANCER, host: str = HERE, **settings: Any) -> Dialogue:
        support = settings.pop("firewall_support", {})
        d = Dialogue(self, peer=peer, host=host, firewall_support=SiteFirewallSupport(proxy_from=proxy_from, **support), **settings)
        pool: Any = d.pool
        lease = pool.lease
        self.rules: list[Proxies] = []

        def noting(interface: str, client: str, match: Any = EXACT, proxies: Any = None, tls: Any = None) -> Any:
            self.rules.append(proxies)
            return lease(interface, client, match, proxies)

        pool.lease = noting
        return d

    def session(self, d: Dialogue) -> Any:
        (pi,) = d.site.sessions
        return pi.session


class ListedTests(Case):
    def test_client_and_address(self) -> None:
        """P-PB-18: the header's source is the client, its destination is what 227 says; the port listens where the balancer came to."""
        for version in VERSIONS:
            d = self.dialogue()
            self.assertEqual([], d.greeting, "nothing is said before the header")
            d.send(version(CLIENT, SHOWN))
            self.assertEqual(["220 twistftp FTP service ready."], d.hear())
            d.login()
            self.assertEqual(["227 Entering Passive Mode (203,0,113,7,195,80)."], d.say("PASV"))
            self.assertEqual([(HERE, CLIENT)], d.pool.asked)
            self.assertEqual([Proxies(d.settings.firewall_support.proxy_from)], self.rules)
            session = self.session(d)
            self.assertEqual((CLIENT, SHOWN, HERE), (session.peer, session.local, session.interface))
            d.leave()
            self.assertEqual(set(), d.site.sessions)

    @given(st.sampled_from(VERSIONS), st.lists(st.integers(0, 90), max_size=6))
    def test_cut_anywhere(self, version: Any, cuts: list[int]) -> None:
        """The commands behind the header are the session's first, wherever the octets were cut."""
        d = self.dialogue()
        octets = version(CLIENT) + b"USER anonymous\r\nPASS x\r\nPWD\r\n"
        edges = [0, *sorted(cut for cut in cuts if cut < len(octets)), len(octets)]
        for start, stop in zip(edges, edges[1:], strict=False):
            d.send(octets[start:stop])
        self.assertEqual(["220", "331", "230", "257"], [reply[:3] for reply in d.hear()])

    def test_no_header(self) -> None:
        """No header, another protocol's octets, a bad header: no reply at all, one line, and nothing is executed."""
        for octets in (b"USER anonymous\r\nPASS x\r\n", b"\x16\x03\x01", b"PROXY TCP4 a b 1 2\r\nUSER anonymous\r\n", b"PROXY " + b"x" * 200):
            self.setUp()
            d = self.dialogue()
            d.send(octets)
            self.assertEqual([], d.hear())
            self.assertTrue(d.is_closing)
            self.assertEqual((1, []), (len(self.lines), d.realm.logins))
            self.assertTrue(self.lines[0].startswith(f"twistftp: a connection of the load balancer {BALANCER} was closed: it"), self.lines[0])

    def test_deadline(self) -> None:
        """One that says nothing is closed in time, and counts as no session meanwhile."""
        d = self.dialogue()
        d.wait(PATIENCE + 0.5)
        self.assertTrue(d.is_closing)
        self.assertEqual([f"twistftp: a connection of the load balancer {BALANCER} was closed: no PROXY header came within 5 s"], self.lines)
        self.assertEqual(set(), d.site.sessions)

    def test_health_check(self) -> None:
        """A balancer's own connection is served at its own address, and leaves no line."""
        for header in (local_2(), b"PROXY UNKNOWN\r\n"):
            d = self.dialogue()
            d.send(header)
            self.assertEqual(["220"], [reply[:3] for reply in d.hear()])
            session = self.session(d)
            self.assertEqual((BALANCER, HERE, HERE), (session.peer, session.local, session.interface))
            d.leave()
            self.assertEqual([], self.lines)

    def test_limits(self) -> None:
        """max_connections_per_address counts the clients of the headers, not the balancer."""
        d = self.dialogue(limits=Limits(max_connections_per_address=1))
        d.send(version_1(CLIENT))
        codes = [[reply[:3] for reply in d.hear()]]
        for client in (CLIENT, "198.51.100.10"):
            another = d.another(peer=BALANCER, host=HERE)
            another.send(version_2(client))
            codes.append([reply[:3] for reply in another.hear()])
        self.assertEqual([["220"], ["421"], ["220"]], codes)

    def test_advertised(self) -> None:
        """DESIGN §3: table of networks, then internal networks, then external address, then the header's destination."""
        table = {"external_address": "192.0.2.1", "external_addresses": {"198.51.100.0/24": "192.0.2.2"}}
        for client, told, support in (
            (CLIENT, "192,0,2,2", table),
            ("192.168.1.1", "203,0,113,7", table),
            ("198.18.0.1", "192,0,2,1", table),
            ("198.18.0.1", "203,0,113,7", {}),
        ):
            d = self.dialogue(firewall_support=support)
            d.send(version_1(client, SHOWN))
            d.login()
            self.assertEqual([f"227 Entering Passive Mode ({told},195,80)."], d.say("PASV"))

    def test_families(self) -> None:
        """The client's own family decides about PASV and EPSV, not that of the balancer's way here."""
        d = self.dialogue(("fd00::/64",), "fd00::5", "fd00::20")
        d.send(version_2(CLIENT, SHOWN))
        d.login()
        self.assertEqual(["227", "229"], [reply[:3] for reply in d.say("PASV") + d.say("EPSV 1")])
        self.assertEqual([("fd00::20", CLIENT)] * 2, d.pool.asked)
        d = self.dialogue()
        d.send(version_2("2001:db8::9", "2001:db8::1"))
        d.login()
        self.assertEqual(["502", "229"], [reply[:3] for reply in d.say("PASV") + d.say("EPSV 2")])

    def test_mapped_address(self) -> None:
        """::ffff: makes no difference, of the balancer's own address or in the header (P-DC-10)."""
        d = self.dialogue(peer=f"::ffff:{BALANCER}", host=f"::ffff:{HERE}")
        d.send(version_2(f"::ffff:{CLIENT}", f"::ffff:{SHOWN}"))
        d.login()
        session = self.session(d)
        self.assertEqual((CLIENT, SHOWN, HERE), (session.peer, session.local, session.interface))

    def test_reconfigured(self) -> None:
        """A change of the list is for connections from then on; who came through a balancer keeps it for the data connections."""
        d = self.dialogue()
        d.send(version_1(CLIENT))
        d.login()
        d.site.reconfigure(evolve(d.settings, firewall_support=SiteFirewallSupport(proxy_from=["10.9.0.0/16"])))
        d.passive()
        self.assertIn(BALANCER, self.rules[-1])
        late = d.another(peer=BALANCER, host=HERE)
        self.assertEqual(["220"], [reply[:3] for reply in late.greeting])
        late.login()
        late.passive()
        self.assertEqual([True, False], ["10.9.0.1" in self.rules[-1], BALANCER in self.rules[-1]])
        self.assertEqual([], d.another(peer="10.9.0.1", host=HERE).greeting)

    def test_active_mode(self) -> None:
        """PORT to the client that the header names; from the address that the balancer came to only if that is of the same family."""
        for where, source in ((("10.0.0.0/24",), BALANCER, HERE), HERE), ((("fd00::/64",), "fd00::5", "fd00::20"), ""):
            d = self.dialogue(*where)
            d.send(version_1(CLIENT, SHOWN))
            d.login()
            self.assertEqual([200], d.codes("PORT 198,51,100,9,200,1"))
            made: Any = d.active_ports[-1]
            self.assertEqual((CLIENT, source), (made.peer, made.bind_host))
            self.assertEqual([501], d.codes("PORT 10,0,0,5,200,1"))

    def test_loopback_of_the_balancer(self) -> None:
        """A client on the balancer's own machine may come from 127.0.0.1 there; this server's 127.0.0.1 is not its."""
        d = self.dialogue()
        d.send(version_1("127.0.0.1", "127.0.0.1"))
        d.login()
        self.assertEqual([501], d.codes("PORT 127,0,0,1,200,1"))

    def test_other_sockets(self) -> None:
        """A balancer on a socket without addresses, by Twisted's endpoint: the port listens on all addresses of the client's family."""
        for client, interface in ((CLIENT, ""), ("2001:db8::9", "::")):
            d = self.dialogue((), peer=SHOWN)
            transport = ControlTransport("", "")
            transport.getPeer = transport.getHost = lambda: UNIXAddress(None)  # type: ignore[method-assign]
            wrapper: Any = HAProxyWrappingFactory(d.site).buildProtocol(transport.getPeer())  # type: ignore[arg-type]
            wrapper.makeConnection(transport)
            wrapper.dataReceived(version_2(client, SHOWN if interface == "" else "2001:db8::1") + b"USER ftp\r\nPASS x\r\nEPSV\r\n")
            d.turn()
            self.assertEqual([(interface, client)], d.pool.asked)
            self.assertFalse(self.rules[-1])

    def test_fxp_to_this_machine(self) -> None:
        """Server-to-server transfers never lead to this machine, neither to the address that clients see nor to the one behind it."""
        d = self.dialogue(firewall_support={"match_client_address_for_port": False})
        d.send(version_1(CLIENT, SHOWN))
        d.login("alice", "secret")
        for address in (SHOWN, HERE, "127.0.0.1"):
            self.assertEqual([501], d.codes(f"PORT {address.replace('.', ',')},200,1"), address)


class UnlistedTests(Case):
    """Headers from anybody else."""

    def test_never_believed(self) -> None:
        """Closed at once, nothing of what follows is executed, and a line names the sender; with a list and without."""
        for proxy_from in ((), ("10.0.0.0/24",)):
            for header in (version_1("10.0.0.5"), b"PROXY UNKNOWN\r\n", version_2("10.0.0.5"), local_2()):
                for size in (1, 7, 1000):
                    self.setUp()
                    d = self.dialogue(proxy_from, peer=CLIENT)
                    octets = header + b"USER anonymous\r\nPASS x\r\nPWD\r\n"
                    for start in range(0, len(octets), size):
                        d.send(octets[start : start + size])
                    self.assertEqual(["421 PROXY headers are not accepted from your address."], d.hear())
                    self.assertTrue(d.is_closing)
                    self.assertEqual([], d.realm.logins)
                    self.assertEqual([f"twistftp: {CLIENT} sent a PROXY header and was cut off: it is not in proxy_from"], self.lines)

    def test_not_a_flood_of_lines(self) -> None:
        """Anybody can do this, so the log gets a few lines a second and a count."""
        d = self.dialogue((), peer=CLIENT)
        for _ in range(30):
            d.another(peer=CLIENT).send(version_1("10.0.0.5"))
        d.hear()
        self.assertEqual(LINES, len(self.lines))
        d.wait(1)
        d.another(peer=CLIENT).send(version_1("10.0.0.5"))
        self.assertIn("(20 more were, not shown one by one)", self.lines[-1])

    def test_plain_clients(self) -> None:
        """Who is not listed is served as ever, and empty lines are no header."""
        d = self.dialogue(peer=CLIENT, host=SHOWN)
        d.send(b"\r\n\r\n\r\n")
        d.login()
        self.assertEqual(["500"], [reply[:3] for reply in d.say("PROXY TCP4 1.2.3.4 1.2.3.4 1 2")], "logged in, it is an unknown verb")
        d.passive()
        self.assertEqual([], self.lines)


class EndpointTests(Case):
    """Twisted's own ``haproxy:`` endpoint, which believes everybody."""

    def connect(self, d: Dialogue, peer: str = BALANCER) -> tuple[Any, ControlTransport]:
        transport = ControlTransport(peer, HERE)
        factory = HAProxyWrappingFactory(d.site)  # type: ignore[arg-type]
        self.factory = factory
        wrapper = factory.buildProtocol(transport.getPeer())
        wrapper.makeConnection(transport)
        return wrapper, transport

    def test_client(self) -> None:
        """The session begins with the header, not before it; that balancer's data connections begin with one, too."""
        for listed in ((), ("10.0.0.0/24",)):
            for version in VERSIONS:
                d = self.dialogue(listed, peer=CLIENT)
                wrapper, transport = self.connect(d)
                self.assertEqual([], transport.writes)
                for octet in version("192.0.2.77", SHOWN) + b"USER anonymous\r\n":
                    wrapper.dataReceived(bytes([octet]))
                self.assertEqual([b"220", b"331"], [octets[:3] for octets in transport.writes])
                wrapper.dataReceived(b"PASS x\r\nPASV\r\n")
                d.turn()
                self.assertEqual(b"227 Entering Passive Mode (203,0,113,7,195,80).\r\n", transport.writes[-1])
                self.assertEqual([(HERE, "192.0.2.77")], d.pool.asked)
                self.assertIn(BALANCER, self.rules[-1])
                self.assertEqual(bool(listed), "10.0.0.6" in self.rules[-1])
                wrapper.connectionLost(None)
                self.assertEqual(({d.pi}, {}), (d.site.sessions, self.factory.protocols))

    def test_no_header(self) -> None:
        """Closed, with a line."""
        d = self.dialogue((), peer=CLIENT)
        wrapper, transport = self.connect(d)
        wrapper.dataReceived(b"USER anonymous\r\n")
        self.assertTrue(transport.disconnecting)
        self.assertEqual((1, []), (len(self.lines), transport.writes))

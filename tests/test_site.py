"""FTPSite: who gets a session, limits, new settings, shutting down, and its own portal."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.address import UNIXAddress
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Client, ControlTransport, Dialogue, replies_of
from tests.support.memory import CountingRealm, MemoryStore, portal_of
from twistftp.policy.channels import PortRange
from twistftp.policy.settings import Authentication, Limits, Messages, SiteSettings
from twistftp.session.interpreter import ServerPI
from twistftp.session.refusal import Refusal
from twistftp.site import FTPSite


def refused(d: Dialogue, peer: str = "192.0.2.9") -> list[str]:
    """What a new connection is told that gets no session."""
    transport = ControlTransport(peer, "192.0.2.1")
    protocol: Any = d.site.buildProtocol(transport.getPeer())
    if not isinstance(protocol, Refusal):
        return []
    protocol.makeConnection(transport)
    protocol.connectionLost()
    return replies_of(b"".join(transport.writes))[0]


class LimitTests(SynchronousTestCase):
    def test_max_connections(self) -> None:
        """P-CONN-1, P-TEXT-9, P-SEC-10: 421 that names the limit; a place is free when a session has ended."""
        d = Dialogue(self, limits=Limits(max_connections=2))
        self.assertEqual([], refused(d))
        other = d.another()
        self.assertEqual(["421 Too many connections (limit 2); try again later."], refused(d, "192.0.2.10"))
        other.leave()
        self.assertEqual([], refused(d))

    def test_own_text(self) -> None:
        """The administrator's text."""
        d = Dialogue(self, limits=Limits(max_connections=1), messages=Messages(max_clients="Full.\nCome back."))
        self.assertEqual(["421-Full.\n421 Come back."], refused(d))

    def test_per_address(self) -> None:
        """P-TEXT-9, P-TW-10: counted by address, mapped ones as what they are."""
        d = Dialogue(self, limits=Limits(max_connections_per_address=1))
        text = ["421 Too many connections from your address (limit 1); close some or try again later."]
        self.assertEqual(text, refused(d))
        self.assertEqual(text, refused(d, "::ffff:192.0.2.9"))
        self.assertEqual([], refused(d, "192.0.2.10"))
        d.leave()
        self.assertEqual([], refused(d))
        self.assertEqual(0, len(d.site._per_address))

    def test_said_in_the_log(self) -> None:
        """Who was refused, and by which limit: one line in ten seconds, which counts the others."""
        said: list[str] = []

        def observe(event: LogEvent) -> None:
            if "limit" in event:
                said.append(str(event["log_format"]).format(**event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        d = Dialogue(self, limits=Limits(max_connections=2, max_connections_per_address=1))
        name = d.site.settings.name
        for _ in range(3):
            refused(d)
        first = f"{name}: a connection of 192.0.2.9 was refused (max_connections_per_address = 1)"
        self.assertEqual([first], said)
        d.another(peer="192.0.2.10")
        d.wait(9.9)
        refused(d, "192.0.2.11")
        self.assertEqual([first], said)
        d.wait(0.2)
        refused(d, "192.0.2.11")
        second = f"{name}: a connection of 192.0.2.11 was refused (max_connections = 2); it is number 4 since the last such line"
        self.assertEqual([first, second], said)

    def test_no_limit(self) -> None:
        """0 is no limit."""
        d = Dialogue(self)
        for _ in range(50):
            d.another()
        self.assertEqual(51, len(d.site.sessions))

    def test_no_address(self) -> None:
        """A connection without an address, as over a UNIX socket, has a session."""
        d = Dialogue(self)
        self.assertIsInstance(d.site.buildProtocol(UNIXAddress("/run/x")), ServerPI)
        self.assertIsInstance(d.site.buildProtocol(None), ServerPI)

    def test_ports_are_given_back(self) -> None:
        """When the last session has ended the passive ports are closed."""
        d = Dialogue(self)
        other = d.another()
        other.leave()
        self.assertEqual(0, d.pool.trims)
        d.leave()
        self.assertEqual(1, d.pool.trims)


class ReconfigureTests(SynchronousTestCase):
    def test_next_command(self) -> None:
        """New settings hold for the next command that needs them; nobody is disconnected."""
        d = Dialogue(self)
        d.login()
        d.site.reconfigure(
            attrs.evolve(
                d.settings,
                name="new",
                messages=Messages(exit="New bye."),
                firewall_support=attrs.evolve(d.settings.firewall_support, active_mode=False),
            )
        )
        self.assertEqual([502, 221], d.codes("PORT 192,0,2,9,10,10", "QUIT"))
        self.assertIn("221 New bye.\r\n", d.transport.writes[-1].decode())
        self.assertEqual(["220 new FTP service ready."], d.another().greeting)

    def test_portal(self) -> None:
        """A new portal logs in those who come from now on; those who are in stay in."""
        d = Dialogue(self)
        d.login()
        realm = CountingRealm(MemoryStore({"other": b""}))
        d.site.reconfigure(attrs.evolve(d.settings, authentication=Authentication(anonymous=False)), portal_of(realm))
        self.assertEqual([213], d.codes("SIZE file.txt"))
        other = d.another()
        self.assertEqual([331, 230, 213], other.codes("USER alice", "PASS secret", "SIZE other"))
        self.assertEqual(0, d.realm.logouts)

    def test_in_a_transfer(self) -> None:
        """A transfer goes on over a change."""
        d = Dialogue(self)
        d.login()
        d.pool.is_slow = True
        connection = d.passive().connect()
        d.say("RETR file.txt")
        d.site.reconfigure(attrs.evolve(d.settings, name="new"))
        connection.finish()
        self.assertEqual(["226 Transfer complete (10 bytes)."], d.hear())


class DrainTests(SynchronousTestCase):
    shutting_down = "421 The server is shutting down; try again later."

    def moving(self) -> tuple[Dialogue, Any]:
        d = Dialogue(self)
        d.login()
        d.pool.is_slow = True
        connection = d.passive().connect()
        d.say("RETR binary")
        return d, connection

    def test_idle(self) -> None:
        """P-CONN-1, P-GEN-11: idle sessions get 421, in and out of login; new connections too; it is over when all have gone."""
        d = Dialogue(self)
        other = d.another()
        other.login()
        done = d.site.drain(10)
        self.assertEqual([[self.shutting_down]] * 2, [d.hear(), other.hear()])
        self.assertEqual([self.shutting_down], refused(d))
        self.assertNoResult(done)
        d.leave()
        self.assertNoResult(done)
        other.leave()
        self.successResultOf(done)
        self.assertEqual([], d.clock.getDelayedCalls())

    def test_nobody(self) -> None:
        """With nobody there it is over at once."""
        d = Dialogue(self)
        d.leave()
        self.successResultOf(d.site.drain(10))
        self.assertEqual([], d.clock.getDelayedCalls())

    def test_transfer_finishes(self) -> None:
        """P-DX-15: a transfer may finish: 226, then 421; what was queued behind it is not run."""
        d, connection = self.moving()
        d.say("NOOP")
        done = d.site.drain(10)
        self.assertEqual([], d.hear())
        connection.finish()
        self.assertEqual(["226 Transfer complete (1028 bytes).", self.shutting_down], d.hear())
        self.assertTrue(d.is_closing)
        d.leave()
        self.successResultOf(done)
        self.assertEqual([], d.clock.getDelayedCalls())

    def test_grace_is_over(self) -> None:
        """P-DX-15: after the grace period 426, then 421, and the data connection is reset; so too while the client is waited for."""
        d, connection = self.moving()
        waiting = d.another()
        waiting.login()
        lease = waiting.passive()
        waiting.say("RETR binary")
        d.site.drain(10)
        self.assertEqual([], d.wait(9))
        self.assertEqual(["426 Transfer ended by the server after 0 bytes.", self.shutting_down], d.wait(1))
        self.assertEqual(["426 Transfer ended by the server after 0 bytes.", self.shutting_down], waiting.hear())
        self.assertTrue(connection.is_reset)
        self.assertTrue(lease.is_ended)

    def test_command_that_waits(self) -> None:
        """A command that is under way, as a login, ends before its session does; at the end of the grace period that is 421."""
        d = Dialogue(self)
        d.say("USER x", "PASS wrong")
        d.site.drain(10)
        self.assertEqual(["530 Login incorrect.", self.shutting_down], d.wait(3))
        d = Dialogue(self)
        d.login()
        d.store.is_slow = True
        d.say("CWD pub")
        d.site.drain(1)
        self.assertEqual([self.shutting_down], d.wait(1))
        d.leave()
        d.store.release()
        self.assertEqual([], d.store.open)

    def test_client_does_not_go(self) -> None:
        """P-TIME-8: who does not close is cut off, sooner than else: somebody waits for the server's end."""
        d = Dialogue(self)
        d.site.drain(10)
        self.assertFalse(d.transport.is_aborted)
        d.wait(2)
        self.assertTrue(d.transport.is_aborted)

    def test_twice(self) -> None:
        """A second time is the same."""
        d = Dialogue(self)
        self.assertIs(d.site.drain(10), d.site.drain(1))
        d.leave()


class OwnPortalTests(SynchronousTestCase):
    def test_anonymous_over_a_directory(self) -> None:
        """Without a portal the site has one of its own: anonymous, read-only, over ``root``."""
        import os

        root = self.mktemp()
        os.mkdir(root)
        with open(os.path.join(root, "hello"), "w") as file:
            file.write("hi")
        reactor = MemoryReactorClock()
        site = FTPSite(SiteSettings(root=root), passive_ports="0-0", reactor=reactor)
        transport = ControlTransport("192.0.2.9", "192.0.2.1")
        protocol: Any = site.buildProtocol(transport.getPeer())
        protocol.makeConnection(transport)
        protocol.dataReceived(b"USER ftp\r\nPASS x\r\nTYPE I\r\nSIZE hello\r\nDELE hello\r\nRETR ../../etc/passwd\r\n")
        self.assertEqual([220, 331, 230, 200, 213, 550, 550], [int(reply[:3]) for reply in replies_of(b"".join(transport.writes))[0]])
        protocol.connectionLost()
        self.assertEqual([], reactor.getDelayedCalls())

    def test_port_range(self) -> None:
        """``passive_ports`` is a range, its text, or one port; of anything else the rule is told."""
        for ports in ("50000-50100", PortRange.parse("50000-50100")):
            site = FTPSite(SiteSettings(root="/srv"), portal_of(CountingRealm(None)), passive_ports=ports, reactor=MemoryReactorClock())
            self.assertEqual("50000-50100", str(site.pool.ports))
        settings, portal, reactor = SiteSettings(root="/srv"), portal_of(CountingRealm(None)), MemoryReactorClock()
        self.assertEqual(PortRange(50000, 50000), FTPSite(settings, portal, passive_ports=50000, reactor=reactor).pool.ports)
        for wrong in ((50000, 50100), 80, None):
            with self.assertRaisesRegex(ValueError, "a range is LOW-HIGH|outside 1024-65535"):
                FTPSite(settings, portal, passive_ports=wrong, reactor=reactor)


class SharingTests(SynchronousTestCase):
    def test_sessions_are_apart(self) -> None:
        """What one session does is nothing to another."""
        d = Dialogue(self)
        d.login()
        other: Client = d.another()
        other.login()
        d.say("CWD pub", "TYPE I", "EPSV ALL", "OPTS MLST", "REST 3")
        self.assertEqual(['257 "/" is the current directory.'], other.say("PWD"))
        self.assertIn("TYPE: ASCII", other.say("STAT")[0])
        self.assertEqual([227], other.codes("PASV"))
        self.assertNotEqual(d.session.identifier, other.session.identifier)

"""The book of failed data connections, and SITE WHY."""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue, FakePort
from twistftp.policy.channels import PortRange
from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.policy.settings import SiteFirewallSupport
from twistftp.session.verbs import data_ports
from twistftp.session.verdicts import SUSPICIOUS, Verdicts, failed
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.interfaces import DataConnectionFailed
from twistftp.transport.leases import SOON
from twistftp.transport.pool import PassivePool

_MISSED = Verdict(Cause.NEVER_ARRIVED, port=50013, seconds=30, range="50000-50100")


class BookTests(SynchronousTestCase):
    def test_counts(self) -> None:
        """One count for each cause, and for each cause of each client network."""
        book = Verdicts()
        for peer in ("192.0.2.1", "192.0.2.200", "198.51.100.1", "2001:db8::1", "2001:db8::2"):
            self.assertIs(_MISSED, book.note(_MISSED, peer))
        book.note(Verdict(Cause.LOST), "192.0.2.1")
        self.assertEqual({Cause.NEVER_ARRIVED: 5, Cause.LOST: 1}, book.counts())
        self.assertEqual(
            {
                "198.51.100.0/24": {Cause.NEVER_ARRIVED: 1},
                "2001:db8::/64": {Cause.NEVER_ARRIVED: 2},
                "192.0.2.0/24": {Cause.NEVER_ARRIVED: 2, Cause.LOST: 1},
            },
            book.networks(),
        )

    def test_bounded(self) -> None:
        """The network that has failed longest ago goes first; no count of a cause is lost."""
        book = Verdicts(networks=10)
        for number in range(30):
            book.note(_MISSED, f"10.0.{number}.1", "PASV")
            book.note(_MISSED, "10.0.0.1", "PASV")
            book.arrived(f"10.1.{number}.1", "EPSV")
        networks = book.networks()
        self.assertEqual(10, len(networks))
        self.assertEqual({Cause.NEVER_ARRIVED: 31}, networks["10.0.0.0/24"])
        self.assertEqual({Cause.NEVER_ARRIVED: 60}, book.counts())
        self.assertEqual(10, len(book._paths))

    def test_stateful_filter(self) -> None:
        """DESIGN §3: where PASV never works and EPSV does, or the other way round, something on the way reads along."""
        for by, other in (("PASV", "EPSV"), ("EPSV", "PASV")):
            book = Verdicts()
            book.arrived("192.0.2.1", other)
            for _ in range(SUSPICIOUS - 1):
                self.assertEqual(Cause.NEVER_ARRIVED, book.note(_MISSED, "192.0.2.1", by).cause)
            verdict = book.note(_MISSED, "192.0.2.77", by)
            self.assertEqual(Cause.FILTER_SUSPECTED, verdict.cause)
            self.assertIn(f"port 50013 after {by}, while those after {other} arrive", verdict.text)
            self.assertIn(f"Use {other}.", verdict.cure)
            self.assertEqual(Cause.NEVER_ARRIVED, book.note(_MISSED, "198.51.100.1", by).cause, "another network")

    def test_no_filter(self) -> None:
        """Not if both miss, not if one comes now and then, and not for what was set up otherwise."""
        book = Verdicts()
        for _ in range(2 * SUSPICIOUS):
            for by in ("PASV", "EPSV", ""):
                self.assertEqual(Cause.NEVER_ARRIVED, book.note(_MISSED, "192.0.2.1", by).cause)
        book = Verdicts()
        book.arrived("192.0.2.1", "EPSV")
        for _ in range(2 * SUSPICIOUS):
            for _ in range(SUSPICIOUS - 1):
                self.assertEqual(Cause.NEVER_ARRIVED, book.note(_MISSED, "192.0.2.1", "PASV").cause)
            book.arrived("192.0.2.1", "PASV")
            book.arrived("192.0.2.1", "")


class WhyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.d = Dialogue(self)
        self.d.login()

    def why(self) -> str:
        (reply,) = self.d.say("SITE WHY")
        return reply

    def counts(self) -> dict[str, int]:
        return {cause.name: count for cause, count in self.d.site.verdicts.counts().items()}

    def test_nothing(self) -> None:
        """P-SITE-1: 530 before login; nothing has failed; SITE HELP lists it."""
        self.assertEqual([530], self.d.another().codes("SITE WHY"))
        self.assertEqual("200 No data connection has failed in this session.", self.why())
        self.assertIn("SITE WHY", self.d.say("SITE HELP")[0])
        self.d.fetch("RETR file.txt")
        self.assertEqual("200 No data connection has failed in this session.", self.why())
        self.assertEqual({}, self.counts())

    def test_never_arrived(self) -> None:
        """P-TEXT-11: cause, particulars and cure; it stays when others fail, and when later transfers work."""
        lease = self.d.passive()
        self.d.say("LIST")
        lease.never_comes()
        (reply,) = self.d.hear()
        self.assertEqual(
            "214-Last failed data connection: never arrived.\n"
            f" {reply[4:]}\n"
            " Open TCP 50000-50100 to this server in its firewall, the cloud's rules and the router's forwarding; "
            "behind a NAT, set its external address.\n"
            "214 End.",
            self.why(),
        )
        self.d.fetch("RETR file.txt")
        self.assertIn("never arrived", self.why())
        self.assertEqual({"NEVER_ARRIVED": 1}, self.counts())
        self.assertEqual({"192.0.2.0/24": {Cause.NEVER_ARRIVED: 1}}, self.d.site.verdicts.networks())
        other = self.d.another()
        other.login()
        self.assertEqual([200], other.codes("SITE WHY"))

    def test_each_way_to_fail(self) -> None:
        """P-DC-2, P-DX-4, P-DX-6, P-DX-9, P-TEXT-12: whatever went wrong is in the book once, under its name, and answered as before."""

        def slow() -> Any:
            self.d.pool.is_slow = True
            connection = self.d.passive().connect()
            self.d.say("RETR binary")
            connection.move(1)
            return connection

        def passive_fails(cause: Cause) -> None:
            self.d.pool.failing = Verdict(cause, ports=5)
            self.assertEqual([425], self.d.codes("PASV"))
            self.d.pool.failing = None

        def refused() -> None:
            self.d.say("PORT 192,0,2,9,195,81", "LIST")
            self.d.active_ports[-1].refuse_connection()

        def early_reset() -> None:
            lease = self.d.passive()
            lease.reset()
            self.d.say("LIST")

        for number, (name, act) in enumerate(
            (
                ("NOT_SET_UP", lambda: self.d.say("LIST")),
                ("POOL_BUSY", lambda: passive_fails(Cause.POOL_BUSY)),
                ("CANNOT_LISTEN", lambda: passive_fails(Cause.CANNOT_LISTEN)),
                ("CONNECT_FAILED", refused),
                ("RESET_EARLY", early_reset),
                ("LOST", lambda: slow().lose()),
                ("STALLED", lambda: slow().stall()),
                ("ABORTED", lambda: slow() and self.d.say("ABOR")),
            ),
            1,
        ):
            act()  # type: ignore[no-untyped-call]
            self.d.hear()
            self.assertIn(f"Last failed data connection: {name.lower().replace('_', ' ')}.", self.why())
            self.assertEqual((1, number), (self.counts()[name], sum(self.counts().values())))

    def test_what_follows_a_failure(self) -> None:
        """P-DC-2: a client that goes on after a failed PASV gets "none set up", and learns of the failure, not of that."""
        self.d.pool.failing = Verdict(Cause.POOL_BUSY, ports=5)
        self.assertEqual([425, 425], self.d.codes("PASV", "LIST"))
        self.assertIn("pool busy", self.why())
        self.assertEqual({"POOL_BUSY": 1, "NOT_SET_UP": 1}, self.counts())

    def test_refused_target(self) -> None:
        """P-DC-14: what a verb refuses with a verdict is answered with its code and in the book, too."""

        def refuse(*_: Any) -> Any:
            raise DataConnectionFailed(Verdict(Cause.PRIVATE_TARGET, by="PORT", address="10.0.0.1", peer="192.0.2.9"))

        self.patch(data_ports, "_target", refuse)
        self.assertEqual([501], self.d.codes("PORT 10,0,0,1,195,80"))
        self.assertIn("private target", self.why())

    def test_filter(self) -> None:
        """DESIGN §3: the client itself is told; the verb that set up is known, whatever comes between."""
        self.d.say("EPSV")
        self.d.pool.leases[-1].connect()
        self.d.say("NOOP", "LIST")
        for _ in range(SUSPICIOUS):
            lease = self.d.passive()
            self.d.say("NOOP", "LIST")
            lease.never_comes()
            (reply,) = self.d.hear()
        self.assertIn("425 No connection reached port", reply)
        self.assertIn("a stateful FTP filter is likely; use EPSV.", reply)

    def test_private_address(self) -> None:
        """P-PB-15: a client of the Internet that was told a private address learns that this is why, and what works without it."""
        self.d = Dialogue(self, peer="8.8.8.8", host="192.168.7.20")
        self.d.login()
        for verb, cause in (("PASV", "private advertised"), ("EPSV", "never arrived")):
            self.d.say(verb)
            self.d.say("LIST")
            self.d.pool.leases[-1].never_comes()
            self.d.hear()
            self.assertIn(f"Last failed data connection: {cause}.", self.why())
        inside = self.d.another(peer="192.168.7.9", host="192.168.7.20")
        inside.login()
        inside.passive()
        inside.say("LIST")
        self.d.pool.leases[-1].never_comes()
        self.assertNotIn("private", inside.hear()[0])

    def test_mapped_ports(self) -> None:
        """P-TEXT-11, P-PB-12: behind a port-mapping NAT the ports are those that the client was shown; a client inside was shown the others."""
        support = SiteFirewallSupport(external_address="203.0.113.7", external_ports=PortRange(60000, 60100))
        self.d = Dialogue(self, peer="198.51.100.9", host="10.0.0.5", firewall_support=support)
        inside = self.d.another(peer="10.0.0.9", host="10.0.0.5")
        for client, base in ((self.d, 60000), (inside, 50000)):
            client.login()
            for verb in ("PASV", "EPSV"):
                self.assertEqual([227 if verb == "PASV" else 229], client.codes(verb))
                lease = self.d.pool.leases[-1]
                client.say("LIST")
                lease.never_comes()
                (reply,) = client.hear()
                port = base + lease.port - 50000
                self.assertIn(f"425 No connection reached port {port} within", reply)
                self.assertIn(f"open TCP {base}-{base + 100} to this server", reply)
                why = client.say("SITE WHY")[0]
                self.assertIn(f" Open TCP {base}-{base + 100} to this server in its firewall", why)
                self.assertNotIn(str(110_000 - base), why)

    def test_mapped_ports_of_others(self) -> None:
        """The same where a stranger came, or a filter is suspected."""
        support = SiteFirewallSupport(external_address="203.0.113.7", external_ports=PortRange(60000, 60100))
        self.d = Dialogue(self, peer="198.51.100.9", host="10.0.0.5", firewall_support=support)
        self.d.login()
        for cause in (Cause.FOREIGN_PEER, Cause.FILTER_SUSPECTED):
            self.d.say("PASV")
            verdict = Verdict(cause, port=50007, range="50000-50100", address="192.0.2.1", by="PASV", instead="EPSV")
            self.assertIn("port 60007 ", failed(self.d.session, verdict).text)

    def test_rein(self) -> None:
        """P-REIN-1: the next user begins afresh."""
        self.d.say("LIST")
        self.d.say("REIN")
        self.d.login()
        self.assertEqual([200], self.d.codes("SITE WHY"))

    def test_client_gone(self) -> None:
        """P-DX-13: a client that leaves during a transfer is one cause, the server's end another."""
        self.d.pool.is_slow = True
        self.d.passive().connect()
        self.d.say("RETR binary")
        self.d.leave()
        self.assertEqual({"CLIENT_GONE": 1}, self.counts())


class ImpatientTests(SynchronousTestCase):
    """Clients that connect first, and so never send a transfer command: with real leases."""

    def setUp(self) -> None:
        self.d = Dialogue(self)
        self.d.site.pool = PassivePool(MemoryReactorClock(), PortRange.parse("50000-50004"), Deadlines(self.d.clock), listen=self._listen)
        self.d.site.pool.deadlines = self.d.deadlines
        self.d.login()

    def _listen(self, reactor: Any, port: int, factory: Any, *rest: Any) -> Any:
        listener = reactor.listenTCP(port, factory)
        listener.stopListening = lambda: None
        return listener

    def counts(self) -> dict[str, int]:
        return {cause.name: count for cause, count in self.d.site.verdicts.counts().items()}

    def test_another_try(self) -> None:
        """A port for which nobody came in some seconds is a failure when the client asks for the next; one asked for at once is none."""
        self.d.say("EPSV", "EPSV")
        self.assertEqual({}, self.counts())
        self.d.wait(SOON + 1)
        self.d.say("PASV")
        self.assertEqual({"NEVER_ARRIVED": 1}, self.counts())
        self.assertIn("within 4 s", self.d.say("SITE WHY")[0])

    def test_leaving(self) -> None:
        """So it is when the client leaves, whether it has sent the transfer command or not; each once."""
        self.d.say("PASV")
        self.d.wait(SOON)
        other = self.d.another()
        other.login()
        other.say("PASV", "LIST")
        self.d.wait(SOON)
        self.d.leave()
        other.leave()
        self.assertEqual({"NEVER_ARRIVED": 2}, self.counts())

    def test_soon(self) -> None:
        """Leaving at once, or a transfer that is refused, says nothing of firewalls."""
        self.d.say("PASV", "RETR nothing")
        self.d.say("PASV")
        self.d.leave()
        self.assertEqual({}, self.counts())

    def test_late_command(self) -> None:
        """P-DC-12: a transfer command after the unused port was given up is told why nobody came, and counted once."""
        self.d.say("PASV")
        self.d.wait(61)
        (reply,) = self.d.say("LIST")
        self.assertIn("425 No connection reached port", reply)
        self.assertIn("within 60 s", reply)
        self.assertEqual({"NEVER_ARRIVED": 1}, self.counts())

    def test_fakes_have_no_failure(self) -> None:
        """A target of PORT that is given up is no failure."""
        self.d.session.use_data_port(FakePort(1, ""))
        self.d.wait(SOON + 1)
        self.d.session.drop_data_port()
        self.assertEqual({}, self.counts())

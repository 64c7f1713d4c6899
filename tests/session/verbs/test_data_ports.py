"""PASV EPSV PORT EPRT."""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue
from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.policy.settings import SiteFirewallSupport
from twistftp.transport.interfaces import DataConnectionFailed

V6: dict[str, Any] = {"peer": "2001:db8::9", "host": "2001:db8::1"}


def dialogue(case: Any, **options: Any) -> Dialogue:
    d = Dialogue(case, **options)
    d.login()
    return d


class PasvTests(SynchronousTestCase):
    def test_reply(self) -> None:
        """P-PASV-1, P-PB-1, P-PB-2, P-PB-8: six numbers of the control connection's own address in parentheses, no other digit."""
        d = dialogue(self)
        self.assertEqual(["227 Entering Passive Mode (192,0,2,1,195,80)."], d.say("PASV"))
        self.assertEqual([("192.0.2.1", "192.0.2.9")], d.pool.asked)

    def test_mapped_address(self) -> None:
        """P-PB-8, P-PB-9: ``::ffff:`` is stripped; such a client has IPv4 in all ways."""
        d = dialogue(self, peer="::ffff:192.0.2.9", host="::ffff:192.0.2.1")
        self.assertEqual(
            [
                "227 Entering Passive Mode (192,0,2,1,195,80).",
                "229 Entering Extended Passive Mode (|||50001|)",
                "522 Network protocol not supported, use (1)",
            ],
            d.say("PASV") + d.say("EPSV 1", "EPSV 2"),
        )
        self.assertEqual(("192.0.2.1", "192.0.2.9"), d.pool.asked[0])
        self.assertEqual([200, 200], d.codes("PORT 192,0,2,9,10,10", "EPRT |1|192.0.2.9|5000|"))

    def test_ipv6(self) -> None:
        """P-PB-10, P-TEXT-3: never a 227 over IPv6; the text says what to use."""
        d = dialogue(self, **V6)
        self.assertEqual(["502 PASV works on IPv4 only; use EPSV."], d.say("PASV"))
        self.assertEqual([], d.pool.asked)

    def test_twice(self) -> None:
        """P-DC-3, P-SEC-12: the older lease and its unused early connection end; the new reply is valid."""
        d = dialogue(self)
        first = d.passive()
        early = first.connect()
        second = d.passive()
        self.assertTrue(first.is_ended)
        self.assertTrue(early.is_closed)
        self.assertFalse(second.is_ended)
        d.say("PORT 192,0,2,9,10,10")
        self.assertTrue(second.is_ended)
        d.passive()
        self.assertTrue(d.active_ports[0].is_ended)

    def test_listener_before_reply(self) -> None:
        """P-PB-7: the lease is there before anything is said, also where it has to be waited for; the queue waits with it."""
        d = dialogue(self)
        d.pool.waiting = Deferred()
        self.assertEqual([], d.say("PASV", "NOOP"))
        d.pool.waiting.callback(d.pool.make("192.0.2.9"))
        self.assertEqual(["227 Entering Passive Mode (192,0,2,1,195,80).", "200 OK."], d.hear())
        self.assertEqual(1, d.pool.open_leases)

    def test_no_port(self) -> None:
        """P-PASV-1, P-DC-11: 425 when none is free, at once or after a wait; the session and the next PASV are well."""
        d = dialogue(self)
        d.pool.failing = Verdict(Cause.CANNOT_LISTEN)
        self.assertEqual(["425 No passive port could be opened; try again later."], d.say("PASV"))
        d.pool.failing = None
        d.pool.waiting = Deferred()
        d.say("EPSV")
        d.pool.waiting.errback(Failure(DataConnectionFailed(Verdict(Cause.POOL_BUSY, ports=3))))
        self.assertEqual(["425 All 3 passive ports are in use; try again shortly."], d.hear())
        d.pool.waiting = None
        self.assertEqual([227], d.codes("PASV"))

    def test_client_leaves_while_waiting(self) -> None:
        """P-GEN-15: the wait for a port ends with the connection."""
        d = dialogue(self)
        cancelled: list[Any] = []
        d.pool.waiting = Deferred(cancelled.append)
        d.say("PASV")
        d.leave()
        self.assertEqual(1, len(cancelled))

    def test_junk_is_ignored(self) -> None:
        """P-GEN-7: an argument of PASV is ignored."""
        self.assertEqual([227], dialogue(self).codes("PASV 1"))


class SegmentTests(SynchronousTestCase):
    """A 227 or 229 is a write of its own (P-PB-4, P-PB-5, P-PIPE-8)."""

    def assert_alone(self, d: Dialogue) -> None:
        segments = [data for data in d.transport.writes if re.search(rb"22[79] ", data)]
        self.assertEqual(4, len(segments))
        for data in segments:
            self.assertRegex(data, rb"\A22[79] [^\r\n]*\r\n\Z")

    def test_alone(self) -> None:
        """P-PB-4, P-PB-5, P-PIPE-8: pipelined between others it still leaves alone and whole."""
        for is_merging in (False, True):
            d = dialogue(self, is_merging=is_merging)
            lines = ["NOOP", "PASV", "NOOP", "NOOP", "EPSV", "PASV", "SYST", "NOOP"] + ["NOOP"] * 20 + ["EPSV", "QUIT"]
            expected = [200, 227, 200, 200, 229, 227, 215, 200] + [200] * 20 + [229, 221]
            self.assertEqual(expected, d.codes(*lines))
            self.assert_alone(d)

    def test_segments_end_with_line_ends(self) -> None:
        """P-PB-5: every segment of replies ends with LF."""
        d = dialogue(self, is_merging=True)
        d.say("FEAT", "PASV", "STAT", "HELP", "EPSV")
        for data in d.transport.writes:
            self.assertTrue(data.endswith(b"\r\n"), data)

    def test_shutdown_does_not_lose_it(self) -> None:
        """P-PB-4: a 227 that waits for its segment is not lost when 421 follows."""
        d = dialogue(self, is_merging=True)
        d.send(b"NOOP\r\nPASV\r\n" + b"NOOP\r\n" * 15)
        d.site.drain(5)
        self.assertEqual([200, 227, 421], [int(reply[:3]) for reply in d.hear()])


class EpsvTests(SynchronousTestCase):
    def test_reply(self) -> None:
        """P-EPSV-1, P-PB-3: the family is the control connection's; the form is exact."""
        self.assertEqual(["229 Entering Extended Passive Mode (|||50000|)"], dialogue(self).say("EPSV"))
        self.assertEqual(["229 Entering Extended Passive Mode (|||50000|)"], dialogue(self, **V6).say("EPSV"))

    def test_family(self) -> None:
        """P-EPSV-2, P-PB-17, P-TEXT-29: another family is 522 that ends in the one that works; nonsense is 501."""
        d = dialogue(self)
        self.assertEqual([229, 522, 522, 501, 229], d.codes("EPSV 1", "EPSV 2", "EPSV 3", "EPSV x", "EPSV "))
        self.assertEqual(["522 Network protocol not supported, use (1)"], d.say("EPSV 2"))
        d = dialogue(self, **V6)
        self.assertEqual(["522 Network protocol not supported, use (2)"], d.say("EPSV 1"))
        self.assertEqual([229], d.codes("EPSV 2"))

    def test_all(self) -> None:
        """P-EPSV-3, P-EPSV-5, P-PB-6: 200 without a port; from then on PASV, PORT and EPRT are 501, until REIN; EPSV works."""
        d = dialogue(self)
        self.assertEqual([200], d.codes("EPSV all"))
        self.assertEqual([], d.pool.leases)
        self.assertEqual([501, 501, 501, 229], d.codes("PASV", "PORT 192,0,2,9,10,10", "EPRT |1|192.0.2.9|5000|", "EPSV"))
        d.say("USER ftp", "PASS x")
        self.assertEqual([501], d.codes("PASV"))
        d.say("REIN", "USER ftp", "PASS x")
        self.assertEqual([227], d.codes("PASV"))


class PortTests(SynchronousTestCase):
    def test_good(self) -> None:
        """P-PORT-1, P-DC-7, P-DC-13: 200, and nothing is connected before the transfer; blanks behind commas are forgiven."""
        d = dialogue(self)
        self.assertEqual(["200 PORT command successful."], d.say("PORT 192,0,2,9,195,80"))
        self.assertEqual([200], d.codes("PORT 192, 0, 2, 9, 4, 0"))
        made = d.active_ports[0]
        self.assertEqual(("192.0.2.9", 50000, "192.0.2.1"), (made.peer, made.port, made.bind_host))  # type: ignore[attr-defined]
        self.assertEqual((None, 1024), (made.timeout, d.active_ports[1].port))

    def test_syntax(self) -> None:
        """P-PORT-1: 501 for what is not six numbers from 0 to 255."""
        d = dialogue(self)
        for argument in ("", "192,0,2,9,195", "192,0,2,9,195,80,1", "192,0,2,9,256,80", "192,0,2,9,a,80", "-1,0,2,9,195,80", "192.0.2.9.195.80"):
            self.assertEqual([501], d.codes(f"PORT {argument}"), argument)

    def test_foreign(self) -> None:
        """P-SEC-1, P-DC-14, P-TEXT-30: an address not the client's own is 501, before the port is looked at; the text names the own one."""
        d = dialogue(self)
        self.assertEqual(
            ["501 PORT names 192.0.2.10, you come from 192.0.2.9: use passive mode, or name your own address."], d.say("PORT 192,0,2,10,0,22")
        )
        self.assertEqual([501, 501, 501], d.codes("PORT 0,0,0,0,195,80", "PORT 224,0,0,1,195,80", "PORT 127,0,0,1,195,80"))

    def test_bad_ports(self) -> None:
        """P-DC-14, P-DC-15: ports below 1024 are 504, port 0 is 501."""
        d = dialogue(self)
        self.assertEqual([504, 501], d.codes("PORT 192,0,2,9,3,255", "PORT 192,0,2,9,0,0"))
        self.assertEqual([], d.active_ports)

    def test_ipv6(self) -> None:
        """P-PORT-1: 501 over real IPv6."""
        self.assertEqual([501], dialogue(self, **V6).codes("PORT 192,0,2,9,195,80"))

    def test_refused_keeps_the_old(self) -> None:
        """P-DC-3: a refused PORT changes nothing."""
        d = dialogue(self)
        lease = d.passive()
        d.say("PORT 1,2,3,4,5,6")
        self.assertFalse(lease.is_ended)

    def test_switched_off(self) -> None:
        """P-PORT-1, P-FEAT-2, P-TEXT-3: without active mode 502 that names passive mode, and FEAT does not offer EPRT."""
        d = dialogue(self, firewall_support=SiteFirewallSupport(active_mode=False))
        self.assertNotRegex(d.say("HELP")[0], "PORT|EPRT")  # P-HELP-1
        self.assertEqual(["502 Active mode is switched off here; use PASV or EPSV."] * 2, d.say("PORT 192,0,2,9,195,80", "EPRT |1|192.0.2.9|5000|"))
        self.assertNotIn("EPRT", d.say("FEAT")[0])


class EprtTests(SynchronousTestCase):
    def test_no_addresses(self) -> None:
        """P-EPSV-4: over a connection without addresses there are no data connections: 502."""
        d = dialogue(self)
        d.session._ends = "", ""
        self.assertEqual([502] * 4, d.codes("EPSV", "PASV", "EPRT |1|192.0.2.9|5000|", "PORT 192,0,2,9,10,10"))

    def test_good(self) -> None:
        """P-EPRT-1: any printable delimiter; addresses compared by value."""
        d = dialogue(self)
        self.assertEqual([200, 200], d.codes("EPRT |1|192.0.2.9|5000|", "EPRT !1!192.0.2.9!5000!"))
        d = dialogue(self, **V6)
        self.assertEqual([200], d.codes("EPRT |2|2001:0DB8:0:0::9|5000|"))
        self.assertEqual(("2001:db8::9", 5000), (d.active_ports[0].peer, d.active_ports[0].port))

    def test_wrong(self) -> None:
        """P-EPRT-1, P-DC-14, P-DC-15: 501 syntax, address, port; 504 a reserved port; 501 a foreign address."""
        d = dialogue(self)
        for argument, code in (
            ("", 501),
            ("|1|192.0.2.9|5000", 501),
            ("||||", 501),
            ("|IPv4|192.0.2.9|5000|", 501),
            ("|1|ftp.example.org|5000|", 501),
            ("|1|192.0.2.9|0|", 501),
            ("|1|192.0.2.9|65536|", 501),
            ("|1|192.0.2.9|1023|", 504),
            ("|1|192.0.2.8|5000|", 501),
            ("|1|0.0.0.0|5000|", 501),
        ):
            self.assertEqual([code], d.codes(f"EPRT {argument}"), argument)

    def test_family(self) -> None:
        """P-EPRT-1, P-PB-17, P-TEXT-29: an unknown or unusable family is 522 that ends in the usable one."""
        d = dialogue(self)
        self.assertEqual(["522 Network protocol not supported, use (1)"] * 2, d.say("EPRT |3|x|5000|", "EPRT |2|2001:db8::9|5000|"))
        d = dialogue(self, **V6)
        self.assertEqual(["522 Network protocol not supported, use (2)"], d.say("EPRT |1|192.0.2.9|5000|"))

    def test_link_local(self) -> None:
        """P-PB-10, P-EPRT-1: a link-local client names its address without a zone; it lies on the link of the control connection."""
        d = dialogue(self, peer="fe80::9%eth0", host="fe80::1%eth0")
        self.assertEqual([200, 501], d.codes("EPRT |2|fe80::9|5000|", "EPRT |2|fe80::8|5000|"))
        self.assertEqual("fe80::9%eth0", d.active_ports[0].peer)
        self.assertEqual([229], d.codes("EPSV"))
        self.assertEqual([("fe80::1%eth0", "fe80::9%eth0")], d.pool.asked)

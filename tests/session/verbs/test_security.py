"""RFC 2228's and 4217's verbs, without a certificate and with one."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import formatEvent
from twisted.protocols.ftp import IFTPShell
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue
from tests.support.tls import VERSIONS, TLSClient, authority, authority_file, client_context
from tests.support.tls_dialogue import SecureDialogue
from twistftp.session.verbs.table import VERBS

TLS_FIRST = '530 This server requires TLS: send AUTH TLS first (choose "explicit FTP over TLS" in your client).'
PROTECT = "522 Data connections must be encrypted here: send PBSZ 0 and PROT P."


def words(reply: str) -> set[str]:
    """The words of a reply of several lines."""
    return set(reply.split())


class WithoutCertificateTests(SynchronousTestCase):
    def test_answers(self) -> None:
        """P-AUTH-0, P-GEN-9: each is known and says that there is no TLS; in any state."""
        d = Dialogue(self)
        expected = {"AUTH TLS": 502, "ADAT x": 503, "PBSZ 0": 503, "PROT P": 503, "CCC": 533, "MIC x": 502, "CONF x": 502, "ENC x": 502}
        self.assertEqual(expected, {line: d.codes(line)[0] for line in expected})
        d.login()
        self.assertEqual(expected, {line: d.codes(line)[0] for line in expected})

    def test_not_offered(self) -> None:
        """P-FEAT-2, P-HELP-1: neither FEAT nor HELP shows them."""
        d = Dialogue(self)
        for reply in d.say("FEAT", "HELP"):
            self.assertEqual(set(), words(reply) & {"AUTH", "PBSZ", "PROT", "CCC"})


class OfferTests(SynchronousTestCase):
    def test_offered(self) -> None:
        """P-FEAT-2, P-HELP-1, P-CCC-1: FEAT and HELP show what works, CCC only where it does, before TLS and in it."""
        for tls, more in (({}, set()), ({"clear_command_channel": True}, {"CCC"}), ({"control_channel": "require-credentials"}, {"CCC"})):
            d = SecureDialogue(self, tls=tls)
            for _ in range(2):
                features, help_ = d.say("FEAT", "HELP")
                self.assertEqual({"AUTH", "PBSZ", "PROT"} | more, words(features) & {"AUTH", "PBSZ", "PROT", "CCC"})
                self.assertIn("\n AUTH TLS\n", features)
                self.assertEqual({"AUTH", "PBSZ", "PROT"} | more, words(help_) & {"AUTH", "PBSZ", "PROT", "CCC", "ADAT", "MIC"})
                if d.engine is None:
                    d.auth()


class AuthTests(SynchronousTestCase):
    def test_mechanisms(self) -> None:
        """P-AUTH-1, P-AUTH-2, P-AUTH-3: TLS in any case and TLS-C; SSL and TLS-P with PROT P preset; others are 504, none is 501."""
        for mechanism, preset in (("TLS", False), ("tls", False), ("TLS-C", False), ("SSL", True), ("ssl", True), ("TLS-P", True)):
            d = SecureDialogue(self)
            self.assertEqual("234 Starting TLS.", d.auth(mechanism=mechanism))
            self.assertEqual((True, preset), (d.is_secure, d.session.is_protected), mechanism)
        d = SecureDialogue(self)
        self.assertEqual([504, 504, 501, 501], d.codes("AUTH KERBEROS", "AUTH TLSX", "AUTH", "AUTH "))
        self.assertFalse(d.session.is_secure)

    def test_reply_alone_and_in_clear(self) -> None:
        """P-AUTH-1: 234 in clear, and nothing behind it until the client has spoken TLS; never 334."""
        for version in VERSIONS:
            d = SecureDialogue(self)
            before = len(d.transport.writes)
            d.say("AUTH TLS")
            self.assertEqual([b"234 Starting TLS.\r\n"], d.transport.writes[before:])
            d.shake_hands(TLSClient(client_context(version)))
            self.assertTrue(d.is_secure)
            self.assertEqual(["200 OK."], d.say("NOOP"))
            self.assertNotIn(b"200 OK", d.transport.writes[-1])

    def test_behind_other_lines(self) -> None:
        """P-PIPE-1, P-AUTH-1: the replies of lines before it come first, and in clear."""
        d = SecureDialogue(self)
        self.assertEqual([200, 215, 234], d.codes("NOOP", "SYST", "AUTH TLS"))
        d.shake_hands()
        self.assertEqual([200], d.codes("NOOP"))

    def test_twice(self) -> None:
        """P-AUTH-1, P-STATE-5: 503 in TLS."""
        d = SecureDialogue(self)
        d.auth()
        self.assertEqual([503], d.codes("AUTH TLS"))
        d.login()
        self.assertEqual([503, 200], d.codes("AUTH TLS", "NOOP"))

    def test_afresh(self) -> None:
        """P-AUTH-4, P-AUTH-5, P-GEN-14, P-STATE-5: user, type, directory, data port, REST and RNFR are gone, HOST is kept, PROT is C."""
        d = SecureDialogue(self)
        d.say("HOST ftp.example.org")
        d.login()
        d.say("TYPE I", "CWD pub")
        lease = d.passive()
        d.say("REST 5")
        self.assertEqual("234", d.auth()[:3])
        session = d.session
        self.assertTrue(lease.is_ended)
        self.assertEqual((1, "", (), 0, None), (d.realm.logouts, session.user, session.cwd, session.restart, session.rename_from))
        self.assertEqual((530, "ftp.example.org", False), (d.codes("PWD")[0], session.host, session.is_protected))
        d.login()
        self.assertIn("TYPE: ASCII", d.say("STAT")[0])

    def test_user_before(self) -> None:
        """P-AUTH-4: a USER before AUTH is void."""
        d = SecureDialogue(self)
        d.say("USER ftp")
        d.auth()
        self.assertEqual([503, 331, 230], d.codes("PASS x", "USER ftp", "PASS x"))

    def test_during_a_transfer(self) -> None:
        """P-AUTH-8, P-STATE-5: it waits for the transfer's end."""
        d = SecureDialogue(self)
        d.pool.is_slow = True
        d.login()
        connection = d.passive().connect()
        self.assertEqual([150], d.codes("RETR binary"))
        self.assertEqual([], d.say("AUTH TLS"))
        connection.finish()
        self.assertEqual(["226", "234"], [reply[:3] for reply in d.hear()])
        d.shake_hands()
        self.assertEqual([530], d.codes("PWD"))

    def test_certificate_is_shown(self) -> None:
        """P-TD-1: the client sees the site's certificate."""
        d = SecureDialogue(self)
        d.auth()
        assert d.engine is not None
        self.assertIn(("DNS", "ftp.example.org"), d.engine.ssl.getpeercert()["subjectAltName"])  # type: ignore[index, operator]


class InjectionTests(SynchronousTestCase):
    """P-AUTH-6, P-PIPE-7, P-SEC-15, P-TW-2: what comes in clear behind AUTH is never executed."""

    def assert_refused(self, segments: list[bytes]) -> None:
        d = SecureDialogue(self)
        d.transport.writes.clear()
        d._read = 0
        for segment in segments:
            d.send(segment)
        d.server.turn()
        said = b"".join(d.transport.writes)
        self.assertNotIn(b"200 OK", said, segments)
        self.assertTrue(d.transport.disconnecting, segments)
        self.assertFalse(d.session.is_secure and b"234" in said and b"\x16\x03" in said, segments)
        self.assertIn(said[:3], (b"421", b"234"))
        if said.startswith(b"234"):
            self.assertRegex(said, rb"\A234 Starting TLS\.\r\n(\x15.*)?\Z")

    def test_every_segmentation(self) -> None:
        """One segment, two cut anywhere, three, and single octets: 421, or a handshake that fails; the connection ends, NOOP gets no 200."""
        octets = b"AUTH TLS\r\nNOOP\r\nNOOP\r\n"
        self.assert_refused([octets])
        for cut in range(1, len(octets)):
            self.assert_refused([octets[:cut], octets[cut:]])
        self.assert_refused([octets[start : start + 1] for start in range(len(octets))])
        self.assert_refused([octets[:10], octets[10:16], octets[16:]])

    def test_behind_other_lines(self) -> None:
        """Several lines before it make no difference."""
        d = SecureDialogue(self)
        self.assertEqual([215, 421], d.codes("SYST", "AUTH TLS", "NOOP", "NOOP"))
        self.assertTrue(d.is_closing)

    def test_hello_in_the_same_segment(self) -> None:
        """A client that cannot wait for 234 is no better: octets that came in clear are not fed to TLS."""
        d = SecureDialogue(self)
        d.send(b"AUTH TLS\r\n" + TLSClient().begin())
        self.assertEqual(["421"], [reply[:3] for reply in d.hear()])
        self.assertTrue(d.is_closing)

    def test_half_a_line(self) -> None:
        """Half a line is enough."""
        d = SecureDialogue(self)
        d.send(b"AUTH TLS\r\nNO")
        self.assertEqual(["421"], [reply[:3] for reply in d.hear()])

    def test_refused_auth_is_no_barrier(self) -> None:
        """An AUTH that is refused changes nothing: lines behind it are executed."""
        d = SecureDialogue(self)
        self.assertEqual([504, 200], d.codes("AUTH X", "NOOP"))


class ProtectionTests(SynchronousTestCase):
    def test_buffer_size(self) -> None:
        """P-PBSZ-1, P-PBSZ-2, P-STATE-6: 503 in clear; 0 to 2^32-1 are 200 PBSZ=0, before the login, too; anything else is 501."""
        d = SecureDialogue(self)
        self.assertEqual([503], d.codes("PBSZ 0"))
        d.auth()
        for size in ("0", "1", "4294967295", "00"):
            self.assertEqual(["200 PBSZ=0"], d.say(f"PBSZ {size}"))
        for size in ("4294967296", "-1", "x", "", "0 0", "٣", "1" * 5000, "0x10"):
            self.assertEqual([501], d.codes(f"PBSZ {size}"), size[:20])

    def test_levels(self) -> None:
        """P-PROT-1, P-PROT-2, P-PROT-3, P-PROT-4, P-STATE-6: C and P in any case, with or without PBSZ; S and E are 536, others 504, none 501."""
        d = SecureDialogue(self)
        self.assertEqual([503, 503], d.codes("PROT P", "PROT C"))
        d.auth()
        self.assertEqual([200, 200, 200, 200], d.codes("PROT P", "PROT c", "PROT p", "PROT C"))
        self.assertEqual([536, 536, 536, 504, 504, 501], d.codes("PROT S", "PROT E", "PROT s", "PROT X", "PROT PP", "PROT"))
        self.assertFalse(d.session.is_protected)
        d.say("PROT P")
        self.assertTrue(d.session.is_protected)

    def test_pending(self) -> None:
        """P-GEN-13, P-STATE-6: PBSZ and PROT keep REST and drop RNFR."""
        for line in ("PBSZ 0", "PROT P"):
            d = SecureDialogue(self).protected()
            d.say("REST 3")
            d.session.rename_from = ("x",)
            self.assertEqual([200], d.codes(line))
            self.assertEqual((3, None), (d.session.restart, d.session.rename_from))

    def test_level_between(self) -> None:
        """P-PROT-6: the level when the transfer begins counts; a data connection that was there before it changed is dropped, 425."""
        for before, after in (("P", "C"), ("C", "P")):
            d = SecureDialogue(self).protected()
            d.say(f"PROT {before}")
            port = d.passive()
            d.say(f"PROT {after}")
            connection = port.connect()
            self.assertEqual([150, 226], d.codes("RETR file.txt"), "it came after the change")
            self.assertEqual(after == "P", connection.is_private)
            d.say(f"PROT {before}")
            connection = d.passive().connect()
            d.say(f"PROT {after}")
            [reply] = d.say("RETR file.txt")
            self.assertEqual("425 The data connection was made before PROT changed its protection; send PASV or EPSV again.", reply)
            self.assertEqual((b"", True), (connection.received, connection.is_reset))
            self.assertEqual([150, 226], [int(reply[:3]) for reply in d.fetch("RETR file.txt")[0]])

    def test_level_between_actively(self) -> None:
        """P-PROT-6: after PORT, too."""
        d = SecureDialogue(self).protected()
        d.say("PORT 192,0,2,9,100,1")
        d.say("PROT C")
        self.assertFalse(d.active_ports[-1].tls.is_private)

    def test_transfer_under_tls(self) -> None:
        """P-TD-2, P-DX-1: 150, the octets, 226."""
        d = SecureDialogue(self).protected()
        replies, octets = d.fetch("RETR file.txt")
        self.assertEqual((["150", "226"], b"one\r\ntwo\r\n"), ([reply[:3] for reply in replies], octets))

    def test_not_offered(self) -> None:
        """P-ADAT-1: ADAT is 503, MIC, CONF and ENC 502, in TLS as in clear."""
        d = SecureDialogue(self)
        for _ in range(2):
            self.assertEqual([503, 502, 502, 502], d.codes("ADAT x", "MIC x", "CONF x", "ENC x"))
            if d.engine is None:
                d.auth()

    def test_fxp(self) -> None:
        """P-TD-12: server to server is refused under PROT P, even where it is allowed otherwise."""
        from twistftp.policy.settings import SiteFirewallSupport

        support = SiteFirewallSupport(match_client_address_for_port=False)
        d = SecureDialogue(self, firewall_support=support)
        d.auth()
        d.login("alice", "secret")
        self.assertEqual([200], d.codes("PORT 192,0,2,77,100,1"))
        self.assertEqual([200, 501], d.codes("PROT P", "PORT 192,0,2,77,100,1"))
        self.assertEqual([200], d.codes("PORT 192,0,2,9,100,1"))


class PolicyTests(SynchronousTestCase):
    """P-TLS-9: what must, may and must not be encrypted."""

    def test_login_in_clear(self) -> None:
        """P-USER-4, P-TEXT-7, P-SEC-5: never 331; 530 with the cure, the connection stays; after AUTH all is well."""
        for policy in ("require", "require-credentials"):
            d = SecureDialogue(self, tls={"control_channel": policy})
            for line in ("USER ftp", "USER alice", "PASS x", "PWD", "PASV", "LIST"):
                self.assertEqual([TLS_FIRST], d.say(line), line)
            self.assertEqual([211, 214, 215, 200, 220], d.codes("FEAT", "HELP", "SYST", "NOOP", "HOST a.example"))
            self.assertEqual([], d.realm.logins)
            d.auth()
            self.assertEqual([331, 230, 257], d.codes("USER ftp", "PASS x", "PWD"))

    def test_allowed_in_clear(self) -> None:
        """Where TLS is only allowed a client may do without."""
        d = SecureDialogue(self)
        self.assertEqual([331, 230, 257], d.codes("USER ftp", "PASS x", "PWD"))

    def test_data_must(self) -> None:
        """P-PROT-2, P-PROT-5, P-TEXT-26, P-SEC-17: 534 to PROT C; 522 to a transfer, before any 150, and the session goes on."""
        d = SecureDialogue(self, tls={"data_channel": "require"})
        d.auth()
        d.login()
        for verb in ("RETR file.txt", "LIST", "NLST", "MLSD", "STOR x"):
            port = d.passive()
            self.assertEqual([PROTECT], d.say(verb), verb)
            self.assertTrue(port.is_ended, "the set-up is used up (P-DC-1)")
        self.assertEqual([257, 213], d.codes("PWD", "MDTM empty"))
        self.assertEqual([200, 534, 200, 534], d.codes("PBSZ 0", "PROT C", "PROT P", "PROT C"))
        self.assertEqual(["150", "226"], [reply[:3] for reply in d.fetch("LIST")[0]])

    def test_uploads_bring_no_ticket(self) -> None:
        """P-TD-9: a client that uses tickets once has none left behind an upload, and may offer none; behind what it fetched it has one."""
        for line, may_have_none in (("STOR new", True), ("APPE new", True), ("STOU", True), ("LIST", False), ("RETR file.txt", False)):
            d = SecureDialogue(self, writable=True).protected()
            for _ in range(2):
                d.session.tls.habits.resumed(0)
            replies = d.put(line, b"x") if may_have_none else d.fetch(line)[0]
            self.assertEqual("226", replies[-1][:3], replies)
            self.assertEqual(may_have_none, d.session.tls.habits.may_have_none(), line)

    def test_data_must_in_clear(self) -> None:
        """P-PROT-5: in clear the cure is the same; directories can be walked, nothing can be transferred."""
        d = SecureDialogue(self, tls={"data_channel": "require"})
        d.login()
        d.passive()
        self.assertEqual([PROTECT], d.say("RETR file.txt"))
        self.assertEqual([257, 250], d.codes("PWD", "CWD pub"))

    def test_data_must_not(self) -> None:
        """Where data is never encrypted PROT P is 534 and PROT C works; AUTH SSL presets nothing of the sort."""
        d = SecureDialogue(self, tls={"data_channel": "deny"})
        d.auth(mechanism="SSL")
        d.login()
        self.assertEqual([534, 200], d.codes("PROT P", "PROT C"))
        self.assertEqual(["150", "226"], [reply[:3] for reply in d.fetch("LIST")[0]])

    def test_data_must_not_and_preset(self) -> None:
        """AUTH SSL and implicit TLS preset PROT P only where the rules allow it: else each transfer would be encrypted against them."""
        d = SecureDialogue(self, tls={"data_channel": "deny"})
        d.auth(mechanism="SSL")
        self.assertFalse(d.session.is_protected)
        d = SecureDialogue(self, tls={"data_channel": "deny", "implicit": True})
        d.shake_hands()
        self.assertFalse(d.session.is_protected)

    def test_changed_while_logged_in(self) -> None:
        """A policy that becomes stricter holds for those who are logged in, too."""
        from attrs import evolve

        d = SecureDialogue(self)
        d.login()
        d.site.reconfigure(evolve(d.settings, tls=evolve(d.settings.tls, control_channel="require")))
        self.assertEqual([TLS_FIRST], d.say("PWD"))
        self.assertEqual([200], d.codes("NOOP"))
        d.protected()
        self.assertEqual([257], d.codes("PWD"))

    def test_certificate_taken_away(self) -> None:
        """A certificate that is no longer configured: sessions in TLS go on, AUTH is 502."""
        from attrs import evolve

        from twistftp.policy.tls import TLSSettings

        d = SecureDialogue(self).protected()
        d.site.reconfigure(evolve(d.settings, tls=TLSSettings()))
        self.assertEqual([257], d.codes("PWD"))
        self.assertEqual([502], d.another().codes("AUTH TLS"))


class ReinitializeTests(SynchronousTestCase):
    def test_back_to_clear(self) -> None:
        """P-REIN-1: 220 in TLS, close_notify, then clear; the session is as freshly connected, and AUTH works again."""
        for version, says_so in product(VERSIONS, (True, False)):
            d = SecureDialogue(self).protected(engine=TLSClient(client_context(version)))
            d.say("TYPE I", "EPSV ALL")
            self.assertEqual(["220 Ready for a new user."], d.say("REIN"))
            d.leave_tls(says_so=says_so)
            self.assertEqual(["530 Please log in with USER and PASS."], d.say("PWD"))
            self.assertEqual((False, False, 1), (d.session.is_secure, d.session.is_protected, d.realm.logouts))
            self.assertEqual("503", d.say("PROT P")[0][:3])
            self.assertEqual("234", d.auth(TLSClient(client_context(version)))[:3])
            self.assertEqual([331, 230, 200, 227], d.codes("USER ftp", "PASS x", "PROT P", "PASV"))

    def test_required(self) -> None:
        """P-REIN-1, P-USER-4: where TLS is required the client must AUTH again."""
        d = SecureDialogue(self, tls={"control_channel": "require"}).protected()
        d.say("REIN")
        d.leave_tls()
        self.assertEqual([TLS_FIRST], d.say("USER ftp"))

    def test_implicit(self) -> None:
        """P-REIN-1: on an implicit connection there is no way back: 502, and nothing has changed."""
        d = SecureDialogue(self, tls={"implicit": True})
        d.shake_hands()
        d.login()
        self.assertEqual([502, 257], d.codes("REIN", "PWD"))

    def test_old_session(self) -> None:
        """P-REIN-1: the TLS session of before is nobody's; the new one has a context of its own."""
        d = SecureDialogue(self).protected()
        old = d.session.tls
        d.say("REIN")
        d.leave_tls()
        d.auth()
        self.assertIsNot(old, d.session.tls)
        self.assertFalse(d.session.tls.has_resumed)


class ClearChannelTests(SynchronousTestCase):
    """P-CCC-1, P-CCC-2."""

    TLS = {"clear_command_channel": True}

    def test_refusals(self) -> None:
        """533 in clear; 534 by default, before the login, and on an implicit connection; the connection stays in TLS."""
        d = SecureDialogue(self, tls=self.TLS)
        self.assertEqual([533], d.codes("CCC"))
        d.auth()
        self.assertEqual([534, 331, 534], [*d.codes("CCC"), *d.codes("USER ftp"), *d.codes("CCC")])
        d = SecureDialogue(self).protected()
        self.assertEqual([534, 257], [*d.codes("CCC"), *d.codes("PWD")])
        d = SecureDialogue(self, tls=self.TLS | {"implicit": True})
        d.shake_hands()
        d.login()
        self.assertEqual([534, 257], [*d.codes("CCC"), *d.codes("PWD")])

    def test_clear(self) -> None:
        """200 in TLS, close_notify, then clear; the login stays, PROT stays; AUTH is 534, PBSZ and PROT are 503."""
        for version, says_so in product(VERSIONS, (True, False)):
            d = SecureDialogue(self, tls=self.TLS).protected(engine=TLSClient(client_context(version)))
            self.assertEqual([200], d.codes("CCC"))
            d.leave_tls(says_so=says_so)
            self.assertEqual([257, 534, 503, 503, 533], d.codes("PWD", "AUTH TLS", "PBSZ 0", "PROT C", "CCC"))
            self.assertEqual((False, True), (d.session.is_secure, d.session.is_protected))
            self.assertTrue(d.passive().connect().is_private)
            self.assertIn(b"227 ", d.transport.writes[-1])

    def test_in_one_segment(self) -> None:
        """The client's close_notify and its first clear line in one segment."""
        for version in VERSIONS:
            d = SecureDialogue(self, tls=self.TLS).protected(engine=TLSClient(client_context(version)))
            d.say("CCC")
            engine, d.engine = d.engine, None
            assert engine is not None
            d.send_raw(engine.end() + b"PWD\r\nNOOP\r\n")
            self.assertEqual(["257", "200"], [reply[:3] for reply in d.hear()])

    def test_behind_other_lines(self) -> None:
        """P-PIPE-1: replies of lines before it in the same record, and its own, are in TLS before close_notify."""
        d = SecureDialogue(self, tls=self.TLS).protected()
        before = ["NOOP", "PWD"] * 20  # enough for their replies to leave together
        self.assertEqual([200, 257] * 20 + [200], d.codes(*before, "CCC"))
        d.leave_tls()
        self.assertEqual([257], d.codes("PWD"))
        d = SecureDialogue(self).protected()
        self.assertEqual([200, 257] * 20 + [220], d.codes(*before, "REIN"))
        d.leave_tls()
        self.assertEqual([530], d.codes("PWD"))

    def test_barrier(self) -> None:
        """P-PIPE-7: lines behind CCC and REIN in TLS are not executed, in the same record or in the next one."""
        for verb in ("CCC", "REIN"):
            d = SecureDialogue(self, tls=self.TLS).protected()
            codes = d.codes(verb, "NOOP")
            self.assertEqual([421], codes)
            self.assertTrue(d.is_closing)
            d = SecureDialogue(self, tls=self.TLS).protected()
            assert d.engine is not None
            d.send_raw(d.engine.say(f"{verb}\r\n".encode()) + d.engine.say(b"NOOP\r\n"))
            self.assertEqual([{"CCC": "200", "REIN": "220"}[verb]], [reply[:3] for reply in d.hear()])
            d.leave_tls()
            self.assertEqual([215], d.codes("SYST"))

    def test_required_control(self) -> None:
        """After CCC the session of a site that requires TLS goes on: it was allowed; a new USER is not."""
        d = SecureDialogue(self, tls=self.TLS | {"control_channel": "require"}).protected()
        d.say("CCC")
        d.leave_tls()
        self.assertEqual([257, 227], [*d.codes("PWD"), *d.codes("PASV")])
        self.assertEqual([TLS_FIRST], d.say("USER ftp"))

    def test_silence(self) -> None:
        """P-CCC-2, P-TIME-7: a client that does not leave is not waited for without end; one that has left may be silent."""
        d = SecureDialogue(self, tls=self.TLS).protected()
        d.say("CCC")
        d.wait(10)
        self.assertTrue(d.is_closing)
        d = SecureDialogue(self, tls=self.TLS).protected()
        d.say("CCC")
        d.leave_tls()
        d.wait(200)
        self.assertEqual([257], d.codes("PWD"))

    def test_idle_meanwhile(self) -> None:
        """A session whose client has not left can end: shutting down closes it, without an error."""
        d = SecureDialogue(self, tls=self.TLS).protected()
        d.say("CCC")
        d.site.drain(1)
        d.wait(2)
        self.assertTrue(d.is_closing)
        d.leave()
        self.assertEqual([], self.flushLoggedErrors())


class ImplicitTests(SynchronousTestCase):
    """P-IMPL-1, P-CONN-1."""

    def test_greeting(self) -> None:
        """Not an octet before the handshake; 220 inside TLS; AUTH is 503; PBSZ 0 and PROT P are taken as said, PROT C may be."""
        for version in VERSIONS:
            d = SecureDialogue(self, tls={"implicit": True})
            self.assertEqual(([], []), (d.greeting, d.transport.writes))
            self.assertEqual(["220 twistftp FTP service ready."], d.shake_hands(TLSClient(client_context(version))))
            d.login()
            self.assertEqual([503], d.codes("AUTH TLS"))
            self.assertTrue(d.session.is_protected)
            self.assertTrue(d.passive().connect().is_private)
            self.assertEqual([200], d.codes("PROT C"))
            self.assertFalse(d.session.is_protected)

    def test_required(self) -> None:
        """Where all must be encrypted it is, and PROT C is 534."""
        d = SecureDialogue(self, tls={"implicit": True, "control_channel": "require", "data_channel": "require"})
        d.shake_hands()
        self.assertEqual([331, 230, 534], d.codes("USER ftp", "PASS x", "PROT C"))

    def test_in_clear(self) -> None:
        """A client that speaks in clear gets no FTP; the connection ends."""
        d = SecureDialogue(self, tls={"implicit": True})
        d.send(b"USER ftp\r\nPASS x\r\n")
        self.assertEqual([], d.hear())
        self.assertTrue(d.is_closing)
        self.assertEqual([], d.realm.logins)


class CertificateTests(SynchronousTestCase):
    """P-TLS-7, P-USER-1: clients' certificates."""

    def dialogue(self, mode: str = "allow") -> SecureDialogue:
        from twistftp.accounts.checkers import CertificateChecker

        d = SecureDialogue(self, tls={"client_certificates": mode, "client_ca": authority_file(self)})
        d.site.portal.registerChecker(CertificateChecker())
        return d

    def test_login(self) -> None:
        """USER alone logs in whom the certificate names: 232; anybody else is asked: 331. PASS after 232 changes nothing."""
        d = self.dialogue()
        d.auth(TLSClient(client_context(identity=authority().issue_cert("alice@example.org", common_name="alice"))))
        self.assertEqual(["331 Password required."], d.say("USER bob"))
        self.assertEqual(["232 Logged in by your certificate."], d.say("USER alice"))
        self.assertEqual([257], d.codes("PWD"))
        self.assertEqual("alice", d.session.user)
        self.assertEqual(["232 Logged in by your certificate."], d.say("USER alice@example.org"))
        self.assertEqual(["331 Password required."], d.say("USER carol"))
        self.assertEqual([530], d.codes("PWD"))

    def test_password_all_the_same(self) -> None:
        """P-PASS-1: clients that send PASS whatever USER was answered are told that they are logged in; once."""
        d = self.dialogue()
        d.auth(TLSClient(client_context(identity=authority().issue_cert("alice@example.org", common_name="alice"))))
        self.assertEqual([232, 230, 503, 257], d.codes("USER alice", "PASS x", "PASS x", "PWD"))

    def test_without(self) -> None:
        """Without one, where it need not be: the password."""
        d = self.dialogue()
        d.auth()
        self.assertEqual([331, 230], d.codes("USER alice", "PASS secret"))

    def test_anonymous(self) -> None:
        """The anonymous user's name logs nobody in by a certificate."""
        d = self.dialogue()
        d.auth(TLSClient(client_context(identity=authority().issue_cert("alice@example.org", common_name="alice"))))
        self.assertEqual([331, 230], d.codes("USER anonymous", "PASS x"))

    def test_required(self) -> None:
        """Required: without one there is no session."""
        d = self.dialogue("require")
        d.auth()
        d.hear()
        self.assertTrue(d.is_closing)
        self.assertFalse(d.session.is_secure and d.is_secure and not d.is_closing)

    def test_broken(self) -> None:
        """A realm that fails, or gives what is no avatar, is logged; the client is asked for its password, and nothing stays logged in."""
        for breaks in ({"raising": ValueError("broken")}, {"avatar": object()}):
            d = self.dialogue()
            vars(d.realm).update(breaks)
            d.auth(TLSClient(client_context(identity=authority().issue_cert("alice@example.org", common_name="alice"))))
            self.assertEqual([331, 530], d.codes("USER alice", "PWD"))
            self.assertEqual(1, len(self.flushLoggedErrors()))
            self.assertEqual(len(d.realm.logins), d.realm.logouts)

    def test_slow(self) -> None:
        """A realm that takes its time holds up nobody else; a client that goes away meanwhile is logged out when it has decided."""
        d = self.dialogue()
        later: Deferred[Any] = Deferred()
        d.site.portal.realm.requestAvatar = lambda *arguments: later
        d.auth(TLSClient(client_context(identity=authority().issue_cert("alice@example.org", common_name="alice"))))
        self.assertEqual([], d.say("USER alice"))
        self.assertEqual([200], d.another().codes("NOOP"))
        d.leave()
        logouts: list[int] = []
        later.callback((IFTPShell, d.store, lambda: logouts.append(1)))
        self.assertEqual([1], logouts)
        self.assertEqual([], self.flushLoggedErrors())

    def test_not_asked_for(self) -> None:
        """P-TLS-7: a certificate that was not asked for, and so not verified, logs nobody in."""
        d = SecureDialogue(self)
        d.auth(TLSClient(client_context(identity=authority().issue_cert("alice@example.org", common_name="alice"))))
        self.assertEqual([331], d.codes("USER alice"))


class QuitTests(SynchronousTestCase):
    def test_end(self) -> None:
        """P-QUIT-1, P-TIME-8: 221 in TLS, close_notify, and the end; a client that does not close is not waited for."""
        for version in VERSIONS:
            d = SecureDialogue(self)
            d.auth(TLSClient(client_context(version)))
            self.assertEqual(["221 Goodbye."], d.say("QUIT"))
            assert d.engine is not None
            self.assertEqual((True, True, False), (d.engine.has_end, d.is_closing, d.transport.is_aborted))
            d.wait(6)
            self.assertTrue(d.transport.is_aborted)

    def test_client_ends(self) -> None:
        """P-GEN-15: the client's close_notify is the end of the session, and is answered."""
        d = SecureDialogue(self).protected()
        assert d.engine is not None
        d.send_raw(d.engine.end())
        d.hear()
        self.assertEqual((True, True), (d.engine.has_end, d.is_closing))
        d.leave()
        self.assertEqual(1, d.realm.logouts)
        self.assertEqual(0, len(d.site.sessions))
        self.assertEqual({}, d.site.pool.neighbours._by_address)


class LogTests(SynchronousTestCase):
    def test_login(self) -> None:
        """P-TLS-10: a login's line and event say by which version and cipher, one in clear says nothing of it."""
        for secure in (True, False):
            d = SecureDialogue(self)
            events: list[dict[str, Any]] = []
            d.site.transcript.add_observer(events.append)
            if secure:
                d.auth()
            d.login()
            [event] = [event for event in events if event["ftp_event"] == "login"]
            self.assertEqual(d.session.tls.description if secure else "", event["tls"])
            self.assertEqual(secure, " over TLSv1.3 TLS_" in formatEvent(event))


class HostTests(SynchronousTestCase):
    def test_server_name(self) -> None:
        """P-HOST-1, P-TLS-6: HOST must agree with the name that TLS was begun for, if there was one, in any case of letters."""
        for version in VERSIONS:
            d = SecureDialogue(self)
            d.auth(TLSClient(client_context(version)))
            self.assertEqual([220, 504, 220], d.codes("HOST FTP.example.org", "HOST other.example.org", "HOST ftp.example.org."))
            self.assertEqual("ftp.example.org.", d.session.host, "a refused HOST changes nothing")
            self.assertEqual([220, 504], d.codes("HOST 192.0.2.1", "HOST 192.0.2.2"))

    def test_no_server_name(self) -> None:
        """Without one any name will do, as in clear."""
        d = SecureDialogue(self)
        self.assertEqual([220], d.codes("HOST any.example.org"))
        d.auth(TLSClient(name="127.0.0.1"))
        self.assertEqual([220], d.codes("HOST any.example.org"))


class StatusTests(SynchronousTestCase):
    def test_told(self) -> None:
        """P-TLS-10, P-STAT-1: version and cipher of the control connection, and whether data is encrypted."""
        d = SecureDialogue(self)
        d.login()
        self.assertIn("Control connection: not encrypted; data connections: not encrypted", d.say("STAT")[0])
        for version in ("TLSv1.2", "TLSv1.3"):
            d = SecureDialogue(self)
            d.auth(TLSClient(client_context(VERSIONS[version == "TLSv1.3"])))
            d.login()
            self.assertRegex(d.say("STAT")[0], f"Control connection: {version} [A-Z0-9_-]+; data connections: not encrypted")
            d.say("PROT P")
            self.assertIn("data connections: encrypted\n", d.say("STAT")[0])
            d.session.tls.habits.resumed(0)
            self.assertIn("data connections: encrypted, resuming this TLS session\n", d.say("STAT")[0])


class ModelTests(SynchronousTestCase):
    """P-STATE-5, P-STATE-6, P-GEN-2: any sequence of AUTH, PBSZ, PROT, CCC, REIN, USER, PASS against a small model."""

    LINES = ("AUTH TLS", "AUTH SSL", "AUTH X", "PBSZ 0", "PBSZ x", "PROT P", "PROT C", "PROT S", "PROT X", "CCC", "REIN", "USER ftp", "PASS x", "PWD")

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.sampled_from(LINES), max_size=14), st.sampled_from(["allow", "require", "require-credentials"]), st.booleans())
    def test_sequences(self, lines: list[str], policy: str, ccc: bool) -> None:
        """Exactly one reply each, the right one, and the session never is more or less secure than the model."""
        d = SecureDialogue(self, tls={"control_channel": policy, "clear_command_channel": ccc})
        model = Model(policy, ccc or policy == "require-credentials")
        for line in lines:
            expected = model.answer(line)
            replies = d.say(line)
            self.assertEqual([expected], [int(reply[:3]) for reply in replies], (lines, line))
            if expected == 234:
                d.shake_hands()
            elif d.engine is not None and d.engine.has_end:
                d.leave_tls()
            self.assertEqual((model.is_secure, model.is_private), (d.session.is_secure, d.session.is_protected), (lines, line))
            self.assertEqual(model.is_secure, d.engine is not None)


class Model:
    """What RFC 4217 and PROTOCOL say of a session."""

    def __init__(self, policy: str, offers_ccc: bool) -> None:
        self.policy, self.offers_ccc = policy, offers_ccc
        self.is_secure = self.is_private = self.was_secure = False
        self.login = "N"

    def answer(self, line: str) -> int:
        verb, _, argument = line.partition(" ")
        answer: int = getattr(self, verb.lower())(argument)
        return answer

    def auth(self, mechanism: str) -> int:
        if self.is_secure:
            return 503
        if self.was_secure:
            return 534
        if mechanism == "X":
            return 504
        self.is_secure, self.is_private, self.login = True, mechanism == "SSL", "N"
        return 234

    def pbsz(self, size: str) -> int:
        return 503 if not self.is_secure else 200 if size == "0" else 501

    def prot(self, level: str) -> int:
        if not self.is_secure:
            return 503
        if level in "PC":
            self.is_private = level == "P"
        return {"P": 200, "C": 200, "S": 536, "X": 504}[level]

    def ccc(self, _: str) -> int:
        if not self.is_secure:
            return 533
        if not self.offers_ccc or self.login != "L":
            return 534
        self.is_secure, self.was_secure = False, True
        return 200

    def rein(self, _: str) -> int:
        self.is_secure = self.was_secure = self.is_private = False
        self.login = "N"
        return 220

    def user(self, _: str) -> int:
        if self.policy != "allow" and not self.is_secure:
            return 530
        self.login = "U"
        return 331

    def pass_(self, _: str) -> int:
        if self.policy != "allow" and not self.is_secure:
            return 530
        if self.login != "U":
            return 503
        self.login = "L"
        return 230

    def pwd(self, _: str) -> int:
        if self.login != "L":
            return 530
        return 530 if self.policy == "require" and not self.is_secure and not self.was_secure else 257


setattr(Model, "pass", Model.pass_)


class TableTests(SynchronousTestCase):
    def test_before_login(self) -> None:
        """P-GEN-10: all of them may be said before logging in."""
        d = SecureDialogue(self)
        client = d.another()
        for verb in ("AUTH", "ADAT", "PBSZ", "PROT", "CCC", "MIC", "CONF", "ENC"):
            self.assertIn(verb, VERBS)
            self.assertNotIn(client.codes(f"{verb} x")[0], (500, 530))

"""FEAT HELP SYST STAT NOOP."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue
from twistftp.session.session import Session


class FeatTests(SynchronousTestCase):
    def test_list(self) -> None:
        """P-FEAT-1, P-FEAT-2: exact, one blank before each line, sorted; the same before and after login; no argument (P-GEN-7)."""
        d = Dialogue(self, writable=True)
        text = (
            "211-Features:\n CLNT\n CSID\n EPRT\n EPSV\n HASH SHA-256*;SHA-512;SHA-1;MD5\n HOST\n LANG EN*\n MDTM\n MFMT\n"
            " MLST type*;size*;modify*;perm*;unique*;unix.mode*;unix.owner;unix.group;\n RANG STREAM\n REST STREAM\n SITE CHMOD\n SITE UTIME\n"
            " SIZE\n TVFS\n UTF8\n211 End"
        )
        expected = [text]
        self.assertEqual(expected, d.say("FEAT"))
        d.login()
        self.assertEqual(expected, d.say("FEAT"))
        self.assertEqual([501, 501], d.codes("FEAT x", "FEAT  "))


class HelpTests(SynchronousTestCase):
    def test_all(self) -> None:
        """P-HELP-1, P-STATE-1: in any state; 501 for an unknown verb."""
        d = Dialogue(self)
        self.assertTrue(d.say("HELP")[0].startswith("214-Commands:\n ABOR"))
        self.assertTrue(d.say("help retr")[0].startswith("214 Syntax: RETR <path>"))
        self.assertEqual([501, 501], d.codes("HELP NOPE", b"HELP \xff\xff"))

    def test_site(self) -> None:
        """P-HELP-2: ``HELP SITE`` and ``SITE HELP`` say the same."""
        d = Dialogue(self)
        d.login()
        self.assertEqual(d.say("HELP SITE"), d.say("SITE HELP"))
        self.assertEqual([214, 501], d.codes("HELP SITE HELP", "HELP SITE EXEC"))


class SystTests(SynchronousTestCase):
    def test_unix(self) -> None:
        """P-SYST-1, P-SEC-16: exact, in any state, junk ignored."""
        self.assertEqual(["215 UNIX Type: L8", "215 UNIX Type: L8"], Dialogue(self).say("SYST", "SYST x"))


class NoopTests(SynchronousTestCase):
    def test_noop(self) -> None:
        """P-NOOP-1, P-GEN-7: 200 in any state."""
        self.assertEqual(["200 OK.", "200 OK."], Dialogue(self).say("NOOP", "NOOP 1"))

    def test_in_a_transfer(self) -> None:
        """P-NOOP-1, P-PIPE-2: answered behind the 226."""
        d = Dialogue(self)
        d.login()
        d.pool.is_slow = True
        connection = d.passive().connect()
        d.say("RETR empty")
        self.assertEqual([], d.say("NOOP"))
        connection.finish()
        self.assertEqual([226, 200], [int(reply[:3]) for reply in d.hear()])


class StatTests(SynchronousTestCase):
    def test_state(self) -> None:
        """P-STAT-1, P-SEC-16, P-TEXT-33: user, both ends, TYPE, STRU, MODE, timeouts; nothing secret, no version, no path of the machine."""
        d = Dialogue(self)
        self.assertEqual([530], d.codes("STAT"))
        d.login("alice", "secret")
        d.say("TYPE I", "REST 7")
        text = (
            "211-Status:\n Connected to 192.0.2.1 from 192.0.2.9\n Logged in as alice\n TYPE: Image, STRU: File, MODE: Stream\n"
            " Control connection: not encrypted; data connections: not encrypted\n Idle timeout: 300 s, data timeout: 300 s\n"
            " Restart point: 7\n211 End of status."
        )
        self.assertEqual([text], d.say("STAT"))
        self.assertEqual(7, d.session.restart)

    def test_keeps(self) -> None:
        """P-STATE-16, P-GEN-12, P-GEN-13: without a path it keeps what is pending; with one it keeps a restart point alone."""
        d = Dialogue(self)
        d.login()
        for line, left in (("STAT", (7, ("x",))), ("STAT /", (7, None))):
            session: Session = d.session
            session.restart, session.rename_from = 7, ("x",)
            d.say(line)
            self.assertEqual(left, (session.restart, session.rename_from))

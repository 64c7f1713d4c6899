"""Tests of ``session.verbs.denied``: verbs that a site denies."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue
from twistftp.policy.filtering import RequestFiltering
from twistftp.session.verbs.denied import denying, unknown_verbs
from twistftp.session.verbs.table import SITE_VERBS, VERBS


class DeniedTests(SynchronousTestCase):
    """``denied_commands``."""

    def start(self, *denied: str) -> Dialogue:
        return Dialogue(self, request_filtering=RequestFiltering(denied_commands=denied))

    def test_answer(self) -> None:
        """P-GEN-1, P-GEN-9, P-TEXT-3: 502 before anything else is looked at, the login and the syntax too."""
        d = self.start("syst", "SIZE", "MDTM")
        self.assertEqual(["502 SYST is switched off on this server."], d.say("SYST"))
        self.assertEqual([502, 502], d.codes("SIZE", "mdtm file.txt"))
        d.login()
        self.assertEqual([502, 502, 257], d.codes("SIZE file.txt", "MDTM", "PWD"))

    def test_log(self) -> None:
        """One denial each."""
        d, events = self.start("SYST"), []
        d.site.transcript.add_observer(events.append)  # type: ignore[arg-type]
        d.say("SYST")
        self.assertEqual([("SYST", "COMMAND", 51)], [(e["verb"], e["cause"], e["substatus"]) for e in events if e["ftp_event"] == "denial"])

    def test_not_offered(self) -> None:
        """P-FEAT-2, P-HELP-1: FEAT and HELP do not have it."""
        d = self.start("SIZE", "SITE WHY")
        features = d.say("FEAT")[0]
        self.assertNotIn("SIZE", features)
        self.assertIn("MDTM", features)
        self.assertNotIn("SIZE", d.say("HELP")[0])
        self.assertNotIn("WHY", d.say("HELP SITE")[0])

    def test_other_words_for_the_same(self) -> None:
        """P-XCMD-1: what is denied is denied under its other name, too."""
        d = self.start("CWD", "PWD")
        d.login()
        self.assertEqual([502, 502, 502, 502, 250], d.codes("CWD pub", "XCWD pub", "PWD", "XPWD", "CDUP"))

    def test_site(self) -> None:
        """SITE's verbs one by one, or all."""
        d = self.start("SITE WHY")
        d.login()
        self.assertEqual(["502 SITE WHY is switched off on this server."], d.say("SITE WHY"))
        self.assertEqual([214], d.codes("SITE HELP"))

    def test_all_of_site(self) -> None:
        """P-FEAT-2, P-SITE-1, P-HELP-1: without SITE there are none of its verbs, and nobody is told of them."""
        d = self.start("SITE")
        d.login()
        self.assertEqual([502, 502, 502], d.codes("SITE HELP", "SITE CHMOD 644 x", "SITE"))
        for line in ("FEAT", "HELP", "HELP SITE"):
            for word in ("SITE", "CHMOD", "UTIME", "WHY"):
                self.assertNotIn(f" {word}", d.say(line)[0], line)
        self.assertEqual([501], d.codes("HELP SITE CHMOD"))

    def test_during_a_transfer(self) -> None:
        """P-PIPE-2: a denied STAT waits its turn, as any command that is not for transfers."""
        d = self.start("STAT")
        d.login()
        d.pool.is_slow = True
        connection = d.passive().connect()
        self.assertEqual(["150"], [reply[:3] for reply in d.say("RETR file.txt", "STAT")])
        connection.finish()
        self.assertEqual([226, 502], [int(reply[:3]) for reply in d.hear()])

    def test_a_denied_transfer(self) -> None:
        """P-DC-1: it uses the data port up."""
        d = self.start("RETR")
        d.login()
        lease = d.passive()
        self.assertEqual([502], d.codes("RETR file.txt"))
        self.assertTrue(lease.is_ended)

    def test_nothing_to_pay(self) -> None:
        """Without denied verbs the table is the one there is."""
        self.assertIs(VERBS, denying(VERBS, ()))
        self.assertIs(VERBS, Dialogue(self).site.verbs)

    def test_misspelt(self) -> None:
        """Words that are no verbs are found, since they deny nothing, and the log is told."""
        self.assertEqual(["DEL", "SITE X"], unknown_verbs(("DEL", "DELE", "SITE X", "SITE HELP"), VERBS, SITE_VERBS))
        said: list[Any] = []
        d = self.start("SYST")
        self.patch(d.site.log, "warn", lambda text, **fields: said.append(text.format(**fields)))
        d.site.reconfigure(self.start("DEL").settings)
        self.assertEqual(["twistftp: denied_commands names DEL, which is no verb of this server"], said)

"""SITE and its verbs."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue


class SiteTests(SynchronousTestCase):
    def test_all(self) -> None:
        """P-SITE-1, P-STATE-14: 530 before login, 501 without a verb, 500 unknown, verbs in any case; text cleaned and cut."""
        d = Dialogue(self)
        self.assertEqual([530, 530], d.codes("SITE", "SITE HELP"))
        d.login()
        self.assertEqual([501, 501, 500, 214, 214], d.codes("SITE", "SITE  ", "SITE NOPE x", "SITE help", "SITE HELP chmod"))
        self.assertEqual(['500 Unknown command "SITE aaaaaaaaaaaaaaaa..."; try SITE HELP.'], d.say("SITE " + "a" * 50))
        self.assertEqual(['500 Unknown command "SITE ?[2J"; try SITE HELP.'], d.say("SITE \x1b[2J"))

    def test_read_only(self) -> None:
        """P-SITE-2, P-SITE-3: what would change files is 550."""
        d = Dialogue(self)
        d.login()
        self.assertEqual([550, 550], d.codes("SITE CHMOD 644 file.txt", "SITE UTIME 20240101000000 file.txt"))

    def test_never_a_shell(self) -> None:
        """P-SEC-9: there is no SITE EXEC."""
        d = Dialogue(self)
        d.login()
        self.assertEqual([500], d.codes("SITE EXEC id"))

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
        """P-SITE-2, P-SITE-3, P-GEN-1: for those who may only read what would change files is 550, whatever the argument."""
        d = Dialogue(self)
        d.login()
        self.assertEqual([550] * 4, d.codes("SITE CHMOD 644 file.txt", "SITE UTIME 20240101000000 file.txt", "SITE CHMOD", "SITE UTIME x"))
        self.assertNotIn("SITE ", d.say("FEAT")[0])

    def test_mode(self) -> None:
        """P-SITE-2: three or four octal digits; nobody's rights are given away by setuid."""
        d = Dialogue(self, {"a": b"", "with blank": b"", "d": {}}, writable=True)
        d.login()
        self.assertEqual([200, 200, 200], d.codes("SITE CHMOD 640 a", "SITE chmod 0755 with blank", "SITE CHMOD 700 d"))
        self.assertEqual({("a",): 0o640, ("with blank",): 0o755, ("d",): 0o700}, d.store.modes)
        self.assertEqual([550, 550, 550], d.codes("SITE CHMOD 4755 a", "SITE CHMOD 1777 d", "SITE CHMOD 644 none"))
        self.assertEqual([501] * 5, d.codes("SITE CHMOD", "SITE CHMOD 644", "SITE CHMOD 64 a", "SITE CHMOD 888 a", "SITE CHMOD u+x a"))
        self.assertIn("SITE CHMOD\n SITE UTIME\n", d.say("FEAT")[0])

    def test_time(self) -> None:
        """P-SITE-3: both forms there are; the second's middle time is that of the modification."""
        d = Dialogue(self, {"a": b"", "with blank": b""}, writable=True)
        d.login()
        self.assertEqual([200], d.codes("SITE UTIME 20240105090700 a"))
        self.assertEqual({("a",): 1704445620.0}, d.store.modified)
        self.assertEqual([200], d.codes("SITE UTIME with blank 20230101000000 202401050907 20230101000000 UTC"))
        self.assertEqual(1704445620.0, d.store.modified["with blank",])
        self.assertEqual(
            [501, 501, 501, 550], d.codes("SITE UTIME", "SITE UTIME 2024 a", "SITE UTIME 20241332000000 a", "SITE UTIME 20240105090700 x")
        )

    def test_texts(self) -> None:
        """P-TEXT-2, P-TEXT-16, P-TEXT-17: the usage is what one has to type, and the path that is shown is the path."""
        d = Dialogue(self, writable=True)
        d.login()
        self.assertEqual(["501 Syntax: SITE CHMOD <octal mode> <path>."], d.say("SITE CHMOD 9 file.txt"))
        self.assertEqual(["501 Syntax: SITE UTIME <YYYYMMDDhhmm[ss]> <path>."], d.say("SITE UTIME x"))
        self.assertRegex(d.say("SITE HELP CHMOD")[0], "^214 Syntax: SITE CHMOD <octal mode> <path> - ")
        missing = "550 no: No such file or directory."
        long_form = "SITE UTIME no 20230101000000 202401050907 20230101000000 UTC"
        self.assertEqual([missing] * 3, d.say("SITE CHMOD 644 no", "SITE UTIME 20240105090700 no", long_form))
        reader = Dialogue(self)
        reader.login()
        denied = "550 file.txt: Permission denied."
        self.assertEqual([denied] * 2, reader.say("SITE CHMOD 644 file.txt", "SITE utime 20240105090700 file.txt"))
        self.assertEqual(["550 Permission denied.", "550 file.txt: Permission denied."], reader.say("SITE CHMOD", "SITE CHMOD file.txt"))

    def test_never_a_shell(self) -> None:
        """P-SEC-9: there is no SITE EXEC."""
        d = Dialogue(self)
        d.login()
        self.assertEqual([500], d.codes("SITE EXEC id"))

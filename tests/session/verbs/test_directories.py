"""PWD CWD CDUP and their X-forms."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue
from tests.support.trees import Link
from twistftp.storage.failures import NotFound


class PwdTests(SynchronousTestCase):
    def test_root(self) -> None:
        """P-PWD-1: the whole line is fixed."""
        d = Dialogue(self)
        d.login()
        self.assertEqual(['257 "/" is the current directory.'] * 3, d.say("PWD", "XPWD", "PWD junk"))

    def test_quotes(self) -> None:
        """P-QUOT-1: a quote in a name is doubled, and the line has no others than those around the path."""
        d = Dialogue(self, {'a"b': {'"': {}}})
        d.login()
        self.assertEqual(['250 "/a""b" is the current directory.', '257 "/a""b" is the current directory.'], d.say('CWD a"b', "PWD"))
        self.assertEqual(['257 "/a""b/""" is the current directory.'], d.say('CWD "', "PWD")[1:])

    def test_arguments_are_not_unquoted(self) -> None:
        """P-QUOT-2: quotes in an argument belong to the name."""
        d = Dialogue(self, {'"a b"': {}})
        d.login()
        self.assertEqual([550, 250], d.codes("CWD a b", 'CWD "a b"'))

    def test_exact_octets(self) -> None:
        """P-GEN-4, P-PATH-2, P-TEL-1: 257 has the name's own octets: FF doubled, CR as CR NUL, what is no UTF-8 as it is."""
        d = Dialogue(self, {"\udcff\r\udce9é": {}})
        d.login()
        before = len(d.transport.writes)
        d.say(b"CWD \xff\xff\r\0\xe9\xc3\xa9", "PWD")
        self.assertIn(b'257 "/\xff\xff\r\0\xe9\xc3\xa9" is the current directory.\r\n', b"".join(d.transport.writes[before:]))


class CwdTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.d = Dialogue(self, {"pub": {"deep": {}}, "file": b"", "locked": {}, "way": {"x": {}}, "l": Link("/pub"), "gone": Link("/nowhere")})
        self.d.store.denied |= {("locked",), ("way",)}
        self.d.store.permissions[("locked",)] = ""
        self.d.store.permissions[("way",)] = "e"
        self.d.login()

    def test_paths(self) -> None:
        """P-CWD-1, P-PATH-1: relative, absolute, ``.`` and ``..``, slashes; ``..`` at the root stays there."""
        for line, path in (
            ("CWD pub", "/pub"),
            ("CWD deep", "/pub/deep"),
            ("CWD ..", "/pub"),
            ("CWD ./deep//../", "/pub"),
            ("CWD /../../pub/deep/", "/pub/deep"),
            ("XCWD /", "/"),
            ("CWD ..", "/"),
            ("CWD l/deep", "/l/deep"),
        ):
            self.assertEqual([f'250 "{path}" is the current directory.'], self.d.say(line))

    def test_failures(self) -> None:
        """P-CWD-1, P-TEXT-16, P-TEXT-17, P-TEXT-19, P-PATH-4: 550 says why, and nothing changes; a link to nowhere is missing."""
        self.d.say("CWD pub")
        self.assertEqual(
            [
                "550 nowhere: No such file or directory.",
                "550 /file: Not a directory.",
                "550 /file/x: Not a directory.",
                "550 /locked: Permission denied.",
                "550 /gone: No such file or directory.",
                '257 "/pub" is the current directory.',
            ],
            self.d.say("CWD nowhere", "CWD /file", "CWD /file/x", "CWD /locked", "CWD /gone", "PWD"),
        )

    def test_enter_without_listing(self) -> None:
        """P-ML-5: a directory whose ``perm`` has ``e`` can be entered, though it may not be listed."""
        self.assertEqual([250, 250], self.d.codes("CWD way", "CWD x"))

    def test_needs_an_argument(self) -> None:
        """P-GEN-8, P-TEXT-2: 501 with the usage."""
        self.assertEqual(["501 Syntax: CWD <path>."], self.d.say("CWD"))

    def test_nul(self) -> None:
        """P-LINE-9: NUL in a name: 501."""
        self.assertEqual([501], self.d.codes(b"CWD a\0b"))

    def test_tilde(self) -> None:
        """P-CWD-1, P-PATH-7: ``~`` alone is the login directory unless there is a ``~``; nowhere else has it a meaning."""
        self.assertEqual([250, 250, 550], self.d.codes("CWD pub", "CWD ~", "CWD ~/pub"))
        d = Dialogue(self, {"a": {}, "~": {}})
        d.login()
        self.assertEqual(['250 "/~" is the current directory.'], d.say("CWD ~"))

    def test_blanks_at_the_end(self) -> None:
        """P-LINE-6, P-LINE-8: blanks belong to the name; where nothing has that name, those at the end are forgiven."""
        d = Dialogue(self, {"pub": {}, "pub ": {}, "in": {}, " in": {}})
        d.login()
        for line, path in (("CWD pub ", "/pub "), ("CWD /pub", "/pub"), ("CWD /in  ", "/in"), ("CWD / in ", "/ in")):
            self.assertEqual([f'250 "{path}" is the current directory.'], d.say(line))
        self.assertEqual([550], d.codes("CWD   "))

    def test_error_texts_are_short_and_clean(self) -> None:
        """P-LINE-11, P-GEN-4, P-GEN-5: at most 512 octets of the argument, control octets as ``?``."""
        reply = self.d.say(b"CWD a\x1b[2J\r\0\x07" + b"x" * 4000)[0]
        self.assertTrue(reply.startswith("550 a?[2J??xxx"), reply[:40])
        self.assertLess(len(reply), 600)
        self.assertTrue(reply.endswith("...: No such file or directory."))

    def test_waits(self) -> None:
        """P-PIPE-1: the next command starts when a slow file system has answered."""
        self.d.store.is_slow = True
        self.assertEqual([], self.d.say("CWD pub", "PWD"))
        self.d.store.release()
        self.assertEqual([], self.d.hear())
        self.d.store.release()
        self.assertEqual([250, 257], [int(reply[:3]) for reply in self.d.hear()])
        self.assertEqual([], self.d.store.open)

    def test_unexpected_error(self) -> None:
        """P-DX-12, P-TEXT-33: an error that nobody expected is logged and answered 451 without its text; the session goes on."""
        self.d.store.raising = KeyError("/srv/ftp/secret")
        self.assertEqual(["451 Requested action aborted: local error in processing."], self.d.say("CWD pub"))
        self.assertEqual(1, len(self.flushLoggedErrors(KeyError)))
        self.d.store.raising = None
        self.assertEqual([250], self.d.codes("CWD pub"))


class CdupTests(SynchronousTestCase):
    def test_up(self) -> None:
        """P-CDUP-1, P-XCMD-1: 250; at the root it stays there; an argument is ignored (P-GEN-7)."""
        d = Dialogue(self)
        d.login()
        d.say("CWD pub/deep")
        self.assertEqual(
            ['250 "/pub" is the current directory.', '250 "/" is the current directory.', '250 "/" is the current directory.'],
            d.say("CDUP", "XCUP", "CDUP x"),
        )

    def test_parent_is_gone(self) -> None:
        """CDUP leads out of a directory that no longer is."""
        d = Dialogue(self)
        d.login()
        d.say("CWD pub/deep")
        d.store.raising = NotFound()
        self.assertEqual(['250 "/pub" is the current directory.'], d.say("CDUP"))


class SmntTests(SynchronousTestCase):
    def test_never(self) -> None:
        """P-SMNT-1: 530 before login, 502 after."""
        d = Dialogue(self)
        self.assertEqual([530], d.codes("SMNT /x"))
        d.login()
        self.assertEqual([502], d.codes("SMNT /x"))

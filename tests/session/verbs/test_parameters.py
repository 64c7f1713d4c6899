"""TYPE STRU MODE REST ALLO OPTS LANG."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue


class LoggedInCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.d = Dialogue(self)
        self.d.login()

    def assert_codes(self, expected: dict[str, int]) -> None:
        self.assertEqual(expected, {line: self.d.codes(line)[0] for line in expected})


class TypeTests(LoggedInCase):
    def test_all(self) -> None:
        """P-TYPE-1, P-LINE-7: A and I work, in any case and with blanks around; what else RFC 959 knows is 504, all else 501."""
        good = dict.fromkeys(("TYPE A", "TYPE a n", "TYPE A T", "TYPE I", "TYPE i ", "TYPE  I\t", "TYPE L 8", "type l 8", "TYPE L8"), 200)
        known = dict.fromkeys(("TYPE E", "TYPE E N", "TYPE A C", "TYPE L 7", "TYPE L7", "TYPE L 36"), 504)
        bad = dict.fromkeys(("TYPE", "TYPE ", "TYPE X", "TYPE L", "TYPE I N", "TYPE A N x", "TYPE L x", "TYPE AN", "TYPE A  N"), 501)
        self.assert_codes({**good, **known, **bad})

    def test_texts(self) -> None:
        """P-TEXT-5: 504 names what is supported."""
        self.assertEqual(["200 Type set to I.", "504 TYPE E is not supported; use TYPE A, TYPE I or TYPE L 8."], self.d.say("TYPE I", "TYPE E"))

    def test_default_and_effect(self) -> None:
        """P-TYPE-1, P-TYPE-2, P-TYPE-3: TYPE A after login, which sends LF as CRLF; TYPE I sends octets; it stays until changed."""
        self.assertEqual(b"one\r\ntwo\r\n", self.d.fetch("RETR file.txt")[1])
        for line in ("TYPE I", "TYPE L 8"):
            self.d.say(line)
            self.d.fetch("LIST")
            self.assertEqual(b"one\ntwo\n", self.d.fetch("RETR file.txt")[1])
        self.d.say("TYPE A T")
        self.assertEqual(b"one\r\ntwo\r\n", self.d.fetch("RETR file.txt")[1])


class StruAndModeTests(LoggedInCase):
    def test_all(self) -> None:
        """P-STRU-1, P-MODE-1: F and S work; what else is known is 504, all else 501."""
        self.assert_codes(
            {
                "STRU F": 200,
                "STRU f ": 200,
                "STRU R": 504,
                "STRU P": 504,
                "STRU": 501,
                "STRU X": 501,
                "STRU F x": 501,
                "MODE S": 200,
                "MODE s": 200,
                "MODE B": 504,
                "MODE C": 504,
                "MODE Z": 504,
                "MODE": 501,
                "MODE BC": 501,
            }
        )
        self.assertEqual(["504 STRU R is not supported; use STRU F."], self.d.say("STRU R"))


class RestTests(LoggedInCase):
    def test_syntax(self) -> None:
        """P-REST-1, P-TEXT-2: digits alone, up to 2^63-1; 350 repeats the number; 501 shows the usage."""
        self.assert_codes(
            {
                "REST 0": 350,
                "REST 9223372036854775807": 350,
                "REST 9223372036854775808": 501,
                "REST -1": 501,
                "REST": 501,
                "REST 1 2": 501,
                "REST x": 501,
                "REST +1": 501,
            }
        )
        self.assertEqual(["350 Restarting at 1234; send RETR or STOR next.", "501 Syntax: REST <byte offset>."], self.d.say("REST 1234", "REST x"))

    def test_zero_clears(self) -> None:
        """P-REST-1, P-STATE-12: the last REST counts, and ``REST 0`` clears."""
        self.d.say("TYPE I", "REST 5", "REST 0")
        self.assertEqual(b"one\ntwo\n", self.d.fetch("RETR file.txt")[1])
        self.d.say("REST 5", "REST 6")
        self.assertEqual(b"o\n", self.d.fetch("RETR file.txt")[1])

    def test_store_cannot(self) -> None:
        """P-FEAT-2: where the file system cannot read from the middle REST is refused and not offered."""
        self.d.store.restartable = False
        self.assertEqual([502], self.d.codes("REST 5"))
        self.assertNotIn("REST", self.d.say("FEAT")[0])

    def test_what_keeps_it(self) -> None:
        """P-GEN-13: parameters, ports, SIZE, MDTM, NOOP and STAT keep a restart point; a transfer uses it up, any other verb clears it."""
        kept = (
            "PASV",
            "EPSV",
            "PORT 192,0,2,9,10,10",
            "EPRT |1|192.0.2.9|5000|",
            "TYPE I",
            "MODE S",
            "STRU F",
            "ALLO 5",
            "SIZE file.txt",
            "MDTM file.txt",
            "NOOP",
            "STAT",
        )
        for line in kept:
            self.d.say("REST 5", line)
            self.assertEqual(5, self.d.session.restart, line)
        for line in (
            "CWD /",
            "PWD",
            "LIST",
            "NLST",
            "MLSD",
            "RETR nowhere",
            "FEAT",
            "SYST",
            "HELP",
            "ABOR",
            "MLST",
            "STOR x",
            "LANG",
            "CLNT x",
            "SITE HELP",
            "RNFR x",
            "XYZZY",
            "STAT " + 9000 * "x",
        ):
            self.d.say("REST 5", line)
            self.assertEqual(0, self.d.session.restart, line)

    def test_listings_ignore_it(self) -> None:
        """P-REST-5: listings begin at their beginning, and clear it."""
        for line in ("LIST pub", "NLST pub", "MLSD pub"):
            whole = self.d.fetch(line)[1]
            self.d.say("REST 5")
            self.assertEqual(whole, self.d.fetch(line)[1])
            self.assertEqual(0, self.d.session.restart)

    def test_bad_arguments(self) -> None:
        """P-GEN-13, P-RANG-1: what would have used or replaced it clears it, too, if it cannot be read; else a mistake would cost octets later."""
        for line in ("RETR", "STOR", "APPE a\0", "REST x", "REST", "RANG 1", "HASH"):
            self.d.say("REST 5", line)
            self.assertEqual(0, self.d.session.restart, line)
        for line in ("TYPE X", "PORT x", "SIZE", "ALLO x", "PRET RETR file.txt"):
            self.d.say("REST 5", line)
            self.assertEqual(5, self.d.session.restart, line)

    def test_used_up_by_failure(self) -> None:
        """P-GEN-13: the next transfer uses it up, though it fails."""
        self.d.say("TYPE I", "REST 5")
        self.assertEqual([425], self.d.codes("RETR file.txt"))
        self.assertEqual(b"one\ntwo\n", self.d.fetch("RETR file.txt")[1])


class AlloTests(LoggedInCase):
    def test_all(self) -> None:
        """P-ALLO-1: superfluous, but a number is needed."""
        self.assert_codes({"ALLO 100": 202, "ALLO 100 R 10": 202, "ALLO": 501, "ALLO x": 501, "ALLO -1": 501, "ALLO 1 R": 501})


class OptsTests(LoggedInCase):
    def test_utf8(self) -> None:
        """P-OPTS-2, P-GEN-10: on in every spelling, also before login; cannot be switched off."""
        d = Dialogue(self)
        self.assertEqual(
            [200, 200, 200, 200, 504, 501], d.codes("OPTS UTF8 ON", "OPTS UTF-8 ON", "opts utf8 on", "OPTS UTF8", "OPTS UTF8 OFF", "OPTS UTF8 X")
        )

    def test_unknown(self) -> None:
        """P-OPTS-1: 501 for an unknown name or none."""
        self.assert_codes({"OPTS": 501, "OPTS NOPE": 501, "OPTS HASH SHA-3": 501, "OPTS MODE Z LEVEL 3": 501})
        self.assertEqual(["501 Option X?Y is not known; there are HASH, MLST, UTF8."], self.d.say(b"OPTS X\x07Y 1"))

    def test_mlst(self) -> None:
        """P-OPTS-3: the answer has the known ones in our order; any case, the last ``;`` may lack; 501 for blanks."""
        for line, reply in (
            ("OPTS MLST Size;TYPE;x.unknown;", "200 MLST OPTS type;size;"),
            ("OPTS MLST modify;type", "200 MLST OPTS type;modify;"),
            ("OPTS MLST", "200 MLST OPTS"),
            ("OPTS MLST ;", "200 MLST OPTS"),
            ("OPTS MLST unknown;", "200 MLST OPTS"),
        ):
            self.assertEqual([reply], self.d.say(line))
        self.assertEqual([501], self.d.codes("OPTS MLST type; size;"))

    def test_mlst_effect(self) -> None:
        """P-OPTS-3, P-ML-9: MLST, MLSD and the marks in FEAT follow; with no fact a line is a blank and the name."""
        self.d.say("OPTS MLST size;type;")
        self.assertEqual(["250-Listing /file.txt\n type=file;size=8; /file.txt\n250 End"], self.d.say("MLST file.txt"))
        self.assertEqual(b"type=file;size=1; .hidden\r\n", self.d.fetch("MLSD pub")[1].splitlines(True)[0])
        self.assertIn("\n MLST type*;size*;modify;perm;unique;unix.mode;unix.owner;unix.group;\n", self.d.say("FEAT")[0])
        self.d.say("OPTS MLST")
        self.assertEqual(["250-Listing /file.txt\n  /file.txt\n250 End"], self.d.say("MLST file.txt"))
        self.assertEqual(b" .hidden\r\n", self.d.fetch("MLSD pub")[1].splitlines(True)[0])

    def test_facts_of_the_store(self) -> None:
        """P-OPTS-3, P-FEAT-2: a fact that the file system cannot tell is neither offered nor accepted."""
        self.d.store.facts = frozenset(("type", "size"))
        self.assertEqual(["200 MLST OPTS size;"], self.d.say("OPTS MLST size;unique;"))
        self.assertIn("\n MLST type;size*;\n", self.d.say("FEAT")[0])


class LangTests(LoggedInCase):
    def test_all(self) -> None:
        """P-LANG-1: English and nothing else."""
        self.assert_codes({"LANG": 200, "LANG EN": 200, "LANG en-US": 200, "LANG FR": 504, "LANG x_y": 501, "LANG en us": 501})

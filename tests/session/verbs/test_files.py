"""SIZE MDTM MLST."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue
from tests.support.trees import Link


class FilesCase(SynchronousTestCase):
    def setUp(self) -> None:
        tree = {
            "text": b"a\nb\r\nc",
            "dir": {"x": b""},
            "big": b"\n" * ((1 << 20) + 1),
            "link": Link("/text"),
            "gone": Link("/no"),
            "fifo": 0o010644,
            "*": b"star",
        }
        self.d = Dialogue(self, tree)
        self.d.login()


class SizeTests(FilesCase):
    def test_image(self) -> None:
        """P-SIZE-1, P-STATE-13: ``213 n`` and nothing else, of links what they lead to."""
        self.d.say("TYPE I")
        self.assertEqual(["213 6", "213 6", "213 1048577"], self.d.say("SIZE text", "SIZE link", "SIZE big"))

    def test_text(self) -> None:
        """P-SIZE-2: in TYPE A what TYPE A would send, if that is cheap to know; else the words ASCII and TYPE I (P-TEXT-21)."""
        self.assertEqual(["213 7"], self.d.say("SIZE text"))
        self.assertEqual(7, len(self.d.fetch("RETR text")[1]))
        self.assertEqual(["550 SIZE not available in ASCII mode; use TYPE I."], self.d.say("SIZE big"))
        self.assertEqual([], self.d.store.open)

    def test_failures(self) -> None:
        """P-SIZE-1, P-TEXT-16, P-TEXT-19: 550 for what is missing, a directory or special; 501 without a name; no globs (P-GLOB-1)."""
        for type_ in ("A", "I"):
            self.d.say(f"TYPE {type_}")
            self.assertEqual(
                ["550 no: No such file or directory.", "550 dir: Is a directory.", "501 Syntax: SIZE <path>."],
                self.d.say("SIZE no", "SIZE dir", "SIZE"),
            )
            self.assertEqual([550, 550, 213], self.d.codes("SIZE t*", "SIZE gone", "SIZE *"))
        self.assertEqual(["550 fifo: Not a plain file."], self.d.say("SIZE fifo"))

    def test_slow_disk(self) -> None:
        """P-PIPE-1: with a file system that takes its time."""
        self.d.store.is_slow = True
        self.assertEqual([], self.d.say("SIZE text"))
        for _ in range(5):
            self.d.store.release()
        self.assertEqual(["213 7"], self.d.hear())


class MdtmTests(FilesCase):
    def test_all(self) -> None:
        """P-MDTM-1: 14 digits in UTC, of directories too; 550, 501."""
        self.assertEqual(
            ["213 20240105090700", "213 20240105090700", "550 no: No such file or directory.", "501 Syntax: MDTM <path>."],
            self.d.say("MDTM text", "MDTM dir", "MDTM no", "MDTM"),
        )
        self.d.store.modified[("text",)] = 1.9
        self.assertEqual(["213 19700101000001"] * 2, self.d.say("MDTM text", "MDTM link"))

    def test_setting_is_a_name(self) -> None:
        """P-MDTM-2: with a date it is a name like any other, and nothing is changed."""
        self.assertEqual([550], self.d.codes("MDTM 20240105090700 text"))


class MlstTests(FilesCase):
    def test_three_lines(self) -> None:
        """P-MLST-1, P-ML-1, P-ML-3, P-ML-4, P-ML-7: exactly three lines, the middle one byte for byte, the path absolute."""
        self.d.say("OPTS MLST type;size;modify;perm;unix.mode;unix.owner;unix.group;")
        self.assertEqual(
            ["250-Listing /text\n type=file;size=6;modify=20240105090700;perm=r;unix.mode=0644;unix.owner=ftp;unix.group=ftp; /text\n250 End"],
            self.d.say("MLST text"),
        )
        self.assertEqual(
            ["250-Listing /dir\n type=dir;modify=20240105090700;perm=el;unix.mode=0755;unix.owner=ftp;unix.group=ftp; /dir\n250 End"],
            self.d.say("MLST dir/../dir/"),
        )

    def test_no_argument(self) -> None:
        """P-MLST-1: the working directory."""
        self.d.say("OPTS MLST type;", "CWD dir")
        self.assertEqual(["250-Listing /dir\n type=dir; /dir\n250 End"], self.d.say("MLST"))
        self.assertEqual(["250-Listing /\n type=dir; /\n250 End"], self.d.say("MLST /"))

    def test_links(self) -> None:
        """P-ML-2: a link has the type of its target; one that dangles is not there."""
        self.d.say("OPTS MLST type;size;")
        self.assertEqual(
            ["250-Listing /link\n type=file;size=6; /link\n250 End", "550 gone: No such file or directory."], self.d.say("MLST link", "MLST gone")
        )

    def test_exact_name(self) -> None:
        """P-GEN-4, P-ML-1: the name exactly: FF doubled, CR as CR NUL; in the text of the first line control octets as ``?``."""
        d = Dialogue(self, {" a\r\udcff ": b""})
        d.login()
        d.say("OPTS MLST type;")
        d.say(b"MLST  a\r\0\xff\xff ")
        self.assertTrue(d.transport.writes[-1].endswith(b"250-Listing / a?\xff\xff \r\n type=file; / a\r\0\xff\xff \r\n250 End\r\n"))

    def test_failures(self) -> None:
        """P-MLST-1, P-STATE-14, P-GLOB-1: 550, no globs, no options."""
        self.assertEqual([550, 550, 550, 501], self.d.codes("MLST no", "MLST t*", "MLST -a", b"MLST a\0"))

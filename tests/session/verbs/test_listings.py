"""LIST NLST MLSD, and STAT with a path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue
from tests.support.trees import Link
from twistftp.policy.settings import DirectoryBrowse
from twistftp.session.verbs import listings
from twistftp.storage.failures import ReadFailed
from twistftp.transport.turns import SPAN
from twistftp.wire.paths import decode_name, glob_matcher

TREE = {
    "a.txt": b"12345",
    "b.txt": b"",
    "my dir": {"x": b"x"},
    "sub": {"one": b"1", "two": {}, ".dot": b""},
    "link": Link("/a.txt"),
    "dangling": Link("/no"),
    ".profile": b"p",
    "fifo": 0o010644,
    "void": {},
    "[z]": b"literal",
}
NAMES = [".profile", "[z]", "a.txt", "b.txt", "dangling", "fifo", "link", "my dir", "sub", "void"]


def slowing(d: Dialogue, seconds: float) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Makes functions of one argument take so much time on the dialogue's clock at each call."""
    calls = 0
    d.deadlines.seconds = lambda: d.clock.seconds() + calls * seconds

    def slow(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def slowed(argument: Any) -> Any:
            nonlocal calls
            calls += 1
            return function(argument)

        return slowed

    return slow


class ListingCase(SynchronousTestCase):
    style = "unix"

    def setUp(self) -> None:
        self.d = Dialogue(self, TREE, directory_browse=DirectoryBrowse(style=self.style))
        self.d.store.denied.add(("void",))
        self.d.login()

    def lines(self, command: str) -> list[str]:
        """A listing's lines; it must have ended well and every line with CRLF."""
        replies, data = self.d.fetch(command)
        self.assertEqual(["150 Opening data connection.", f"226 Transfer complete ({len(data)} bytes)."], replies)
        text = data.decode("utf-8", "surrogateescape")
        self.assertTrue(not text or text.endswith("\r\n"))
        return text.split("\r\n")[:-1]

    def names(self, command: str) -> list[str]:
        """The names of a LIST in Unix form."""
        return [line[55:].split(" -> ")[0] for line in self.lines(command)]


class ListTests(ListingCase):
    def test_form(self) -> None:
        """P-LIST-1, P-LS-1, P-LS-2, P-LS-3, P-LU-1, P-LU-2, P-LU-3, P-LU-4, P-LU-5, P-LU-7, P-LU-8: lines byte for byte, in order, no total."""
        self.assertEqual(
            [
                "-rw-r--r--   1 ftp      ftp             1 Jan  5 09:07 .profile",
                "-rw-r--r--   1 ftp      ftp             7 Jan  5 09:07 [z]",
                "-rw-r--r--   1 ftp      ftp             5 Jan  5 09:07 a.txt",
                "-rw-r--r--   1 ftp      ftp             0 Jan  5 09:07 b.txt",
                "lrwxrwxrwx   1 ftp      ftp             3 Jan  5 09:07 dangling -> /no",
                "prw-r--r--   1 ftp      ftp             0 Jan  5 09:07 fifo",
                "lrwxrwxrwx   1 ftp      ftp             6 Jan  5 09:07 link -> /a.txt",
                "drwxr-xr-x   2 ftp      ftp          4096 Jan  5 09:07 my dir",
                "drwxr-xr-x   2 ftp      ftp          4096 Jan  5 09:07 sub",
                "drwxr-xr-x   2 ftp      ftp          4096 Jan  5 09:07 void",
            ],
            self.lines("LIST"),
        )

    def test_dates(self) -> None:
        """P-LU-6, P-LU-9, P-LS-4, P-LS-5: the year for what is older than 180 days or in the future; UTC."""
        self.d.store.modified[("a.txt",)] = 1701302399.0  # 2023-11-29 23:59:59
        self.d.store.modified[("b.txt",)] = 1690000000.0  # 2023-07-22
        self.d.store.modified[("[z]",)] = 1800000000.0  # 2027-01-15
        shown = {line[55:]: line[42:54] for line in self.lines("LIST")}
        self.assertEqual(("Nov 29 23:59", "Jul 22  2023", "Jan 15  2027"), (shown["a.txt"], shown["b.txt"], shown["[z]"]))

    def test_file_and_directory(self) -> None:
        """P-LS-7: of a file one line with its last name; of a directory its entries; an empty one sends nothing (P-LIST-1)."""
        self.assertEqual(["x"], self.names("LIST my dir"))
        self.assertEqual(["x"], self.names("LIST my dir/x"))
        self.assertEqual([], self.names("LIST sub/two"))
        self.d.say("CWD sub")
        self.assertEqual([".dot", "one", "two"], self.names("LIST"))

    def test_failures(self) -> None:
        """P-LIST-1, P-DC-17, P-TEXT-16, P-TEXT-17, P-TEXT-22: 550 and 450 come at once; the data port closes."""
        for line, text in (
            ("LIST no", "550 no: No such file or directory."),
            ("LIST void", "550 void: Permission denied."),
            ("LIST *.zip", "450 No files found."),
            ("NLST no", "550 no: No such file or directory."),
            ("MLSD no", "550 no: No such file or directory."),
            ("MLSD void", "550 void: Permission denied."),
            ("MLSD a.txt", "501 a.txt: Not a directory."),
        ):
            lease = self.d.passive()
            self.assertEqual([text], self.d.say(line))
            self.assertTrue(lease.is_ended)
        self.assertEqual([], self.d.store.open)

    def test_no_data_connection(self) -> None:
        """P-STATE-9, P-DC-2: 425, and the directory is let go."""
        self.assertEqual([425, 425, 425], self.d.codes("LIST", "NLST", "MLSD"))
        self.assertEqual([], self.d.store.open)

    def test_options(self) -> None:
        """P-LOPT-1, P-LOPT-2: options are dropped, what is behind them is the path; ``-R`` is not recursive."""
        for line in ("LIST -a", "LIST -la", "LIST -l -a", "LIST -aL ", "LIST -R", "LIST --"):
            self.assertEqual(NAMES, self.names(line), line)
        self.assertEqual(["x"], self.names("LIST -la my dir"))
        self.assertEqual(["one", "two"], self.names("LIST -la sub/*"))
        d = Dialogue(self, {"-la": {"inside": b""}, "-x y": b""})
        d.login()
        self.assertIn(b" inside\r\n", d.fetch("LIST -la")[1])
        self.assertIn(b" -x y\r\n", d.fetch("LIST -x y")[1])

    def test_globs(self) -> None:
        """P-GLOB-1, P-GLOB-2: in the last name alone, only where no such name exists; no dot files; directories are entries."""
        self.assertEqual(["a.txt", "b.txt"], self.names("LIST *.txt"))
        self.assertEqual(["a.txt"], self.names("LIST [a]?txt"))
        self.assertEqual(["[z]"], self.names("LIST [z]"))
        self.assertEqual([".profile"], self.names("LIST .p*"))
        self.assertEqual(["sub"], self.names("LIST /s*"))
        self.assertEqual(["one", "two"], self.names("LIST sub/*"))
        self.assertEqual([name for name in NAMES if name != ".profile"], self.names("LIST *"))
        self.assertEqual([550], self.d.codes("LIST */one"))

    def test_glob_is_bounded(self) -> None:
        """P-GLOB-1, P-SEC-9, P-SEC-10: patterns made to be slow are not, and a big directory is matched a batch at a time."""
        d = Dialogue(self, {**{f"f{number:05}": b"" for number in range(3000)}, "a" * 200: b""})
        d.login()
        d.passive()
        self.assertEqual([450], d.codes("LIST " + "*a" * 100 + "*b"))
        d.pool.is_slow = True
        connection = d.passive().connect()
        self.assertEqual([150], d.codes("NLST f*"))
        connection.move(1)
        self.assertLess(connection.octets, 4096)
        connection.finish()
        self.assertEqual(3000, connection.received.count(b"\r\n"))

    def test_a_glob_that_matches_nothing(self) -> None:
        """P-GLOB-1, P-SEC-9: others have their turn while a big directory is searched, before the first match and after; it can be given up."""
        d = Dialogue(self, {f"f{number:05}": b"" for number in range(3000)})
        d.login()
        slow = slowing(d, SPAN / 200)
        self.patch(listings, "glob_matcher", lambda pattern: slow(glob_matcher(pattern)))
        for line, reply in (("LIST z*", 450), ("STAT z*", 450), ("STAT *0[12]999", 212)):
            d.send(f"{line}\r\n".encode())
            self.assertEqual([], d.heard())
            self.assertEqual([reply], [int(text[:3]) for text in d.hear()])
        self.assertEqual(b"f00999\r\nf02999\r\n", d.fetch("NLST f0[02]999")[1])
        d.send(b"LIST z*\r\n")
        d.leave()
        d.turn()
        self.assertEqual([], d.store.open)

    def test_a_big_status(self) -> None:
        """P-STAT-3, P-SEC-9: others have their turn while a directory is told over the control connection; nothing is left if the client goes."""
        d = Dialogue(self, {f"f{number:05}": b"" for number in range(1500)})
        d.login()
        self.patch(listings, "decode_name", slowing(d, SPAN)(decode_name))
        d.send(b"STAT /\r\n")
        self.assertEqual([], d.heard())
        [reply] = d.hear()
        self.assertEqual((212, 1502), (int(reply[:3]), len(reply.split("\n"))))
        d.send(b"STAT /\r\n")
        d.leave()
        d.turn()
        self.assertEqual([], d.store.open)

    def test_error_on_the_way(self) -> None:
        """P-DX-7, P-DX-21: a directory that fails while it is sent: reset and 451, never 226."""
        self.d.pool.is_slow = True
        connection = self.d.passive().connect()
        self.d.say("LIST")
        connection.move(1)
        self.d.store.answer = self.fail_reading  # type: ignore[method-assign]
        connection.finish()
        self.assertEqual(["451 Local error while reading: Input/output error."], self.d.hear())
        self.assertTrue(connection.is_reset)
        self.assertEqual([], self.d.store.open)

    def fail_reading(self, *_: Any) -> Any:
        raise ReadFailed

    def test_type_is_ignored(self) -> None:
        """P-TYPE-3, P-LS-1, P-ML-10: listings look the same in TYPE A and I, CRLF at each end, FF not doubled."""
        d = Dialogue(self, {"\udcff": b""})
        d.login()
        shown = [d.fetch(line)[1] for line in ("LIST", "NLST", "MLSD")]
        d.say("TYPE I")
        self.assertEqual(shown, [d.fetch(line)[1] for line in ("LIST", "NLST", "MLSD")])
        self.assertEqual(b"\xff\r\n", shown[1])

    def test_slow_store(self) -> None:
        """P-LS-8, P-PIPE-1: a directory that takes its time; commands behind it wait."""
        self.d.store.is_slow = True
        connection = self.d.passive().connect()
        self.assertEqual([], self.d.say("LIST", "NOOP"))
        for _ in range(10):
            self.d.store.release()
        self.assertEqual([150, 226, 200], [int(reply[:3]) for reply in self.d.hear()])
        self.assertEqual(len(NAMES), connection.received.count(b"\r\n"))

    def test_many_that_are_not_shown(self) -> None:
        """P-LS-8, P-ML-2: thousands of batches without anything to show are no recursion."""
        d = Dialogue(self, {**{f"gone{number}": Link("/no") for number in range(6000)}, "z": b""})
        d.login()
        self.assertEqual(1, d.fetch("MLSD")[1].count(b"\r\n"))


class NlstTests(ListingCase):
    def test_names(self) -> None:
        """P-NLST-1, P-LN-1, P-LN-3, P-LS-9: one name a line, directories and links too, the same set as LIST."""
        self.assertEqual(NAMES, self.lines("NLST"))
        self.assertEqual(NAMES, self.lines("NLST -l"))
        self.assertEqual([], self.lines("NLST sub/two"))
        self.assertEqual(self.names("LIST"), self.lines("NLST"))

    def test_prefix(self) -> None:
        """P-LN-2: with what was typed in front, one ``/`` between, so that each can be fetched from here."""
        for line, names in (
            ("NLST sub", ["sub/.dot", "sub/one", "sub/two"]),
            ("NLST sub/", ["sub/.dot", "sub/one", "sub/two"]),
            ("NLST /sub", ["/sub/.dot", "/sub/one", "/sub/two"]),
            ("NLST ./sub", ["./sub/.dot", "./sub/one", "./sub/two"]),
            ("NLST a.txt", ["a.txt"]),
            ("NLST /a.txt", ["/a.txt"]),
            ("NLST sub/one", ["sub/one"]),
            ("NLST sub/o*", ["sub/one"]),
            ("NLST /[ab].txt", ["/a.txt", "/b.txt"]),
            ("NLST *.txt", ["a.txt", "b.txt"]),
            ("NLST -a sub", ["sub/.dot", "sub/one", "sub/two"]),
            ("NLST sub ", ["sub/.dot", "sub/one", "sub/two"]),
        ):
            self.assertEqual(names, self.lines(line), line)

    def test_each_can_be_fetched(self) -> None:
        """P-LN-1: each line is an argument for RETR, also where a sloppy blank was forgiven."""
        for line in ("NLST", "NLST sub", "NLST my dir", "NLST my dir ", "NLST /sub", "NLST *.txt", "NLST a.txt "):
            for name in self.lines(line):
                there = 550 if name == "dangling" else 213  # P-PATH-4: what it leads to is missing
                self.assertEqual([there], self.d.codes(f"MDTM {name}"), name)

    def test_no_name_is_empty(self) -> None:
        """P-LN-1: the root's own entries have names."""
        self.assertEqual([f"/{name}" for name in NAMES], self.lines("NLST /"))


class MlsdTests(ListingCase):
    def test_form(self) -> None:
        """P-MLSD-1, P-ML-1, P-ML-2, P-ML-3, P-ML-4, P-ML-8: entries byte for byte; links as what they lead to, dangling ones not at all."""
        self.d.say("OPTS MLST type;size;modify;perm;")
        self.assertEqual(
            [
                "type=file;size=1;modify=20240105090700;perm=r; .profile",
                "type=file;size=7;modify=20240105090700;perm=r; [z]",
                "type=file;size=5;modify=20240105090700;perm=r; a.txt",
                "type=file;size=0;modify=20240105090700;perm=r; b.txt",
                "type=file;size=7;modify=20240105090700;perm=; fifo",
                "type=file;size=5;modify=20240105090700;perm=r; link",
                "type=dir;modify=20240105090700;perm=el; my dir",
                "type=dir;modify=20240105090700;perm=el; sub",
                "type=dir;modify=20240105090700;perm=el; void",
            ],
            self.lines("MLSD"),
        )

    def test_unique(self) -> None:
        """P-ML-6: the same object has the same value, a link that of its target; others have others."""
        self.d.say("OPTS MLST unique;")
        values = {line.split("; ", 1)[1]: line.split(";")[0] for line in self.lines("MLSD")}
        self.assertEqual(values["a.txt"], values["link"])
        self.assertEqual(8, len(set(values.values())))

    def test_no_options_or_globs(self) -> None:
        """P-MLSD-1, P-GLOB-1: ``-a`` and ``*`` are names."""
        self.assertEqual([550, 550], self.d.codes("MLSD -a", "MLSD s*"))
        self.assertEqual(2, len(self.lines("MLSD sub")[1:]))


class MsDosTests(ListingCase):
    style = "ms-dos"

    def test_form(self) -> None:
        """P-LD-1, P-LD-2, P-LD-4, P-SYST-1: the other form, with the SYST that goes with it."""
        self.assertEqual(["215 Windows_NT"], self.d.say("SYST"))
        self.d.store.modified[("a.txt",)] = 1257183120.0  # 2009-11-02 17:32
        lines = self.lines("LIST")
        self.assertIn("11-02-09  05:32PM                    5 a.txt", lines)
        self.assertIn("01-05-24  09:07AM       <DIR>          my dir", lines)
        self.assertEqual({39}, {len(line) - len(line[39:]) for line in lines})
        self.assertEqual(["11-02-09  05:32PM                    5 link"], [line for line in lines if line.endswith("link")])

    def test_stat(self) -> None:
        """P-LD-4: STAT shows the same form."""
        self.assertIn("\n 01-05-24  09:07AM       <DIR>          sub\n", self.d.say("STAT /")[0])


class LocalTimeTests(SynchronousTestCase):
    def test_local(self) -> None:
        """P-LS-5: local time in LIST if the site wants it; MLSD and MDTM stay UTC."""
        d = Dialogue(self, {"f": b""}, directory_browse=DirectoryBrowse(time="local"))
        d.site.utc_offset = lambda now: 7200.0  # type: ignore[method-assign]
        d.login()
        self.assertIn(b" Jan  5 11:07 f\r\n", d.fetch("LIST")[1])
        self.assertEqual(["213 20240105090700"], d.say("MDTM f"))
        self.assertIn(b"modify=20240105090700;", d.fetch("MLSD")[1])


class StatTests(ListingCase):
    def test_directory_and_file(self) -> None:
        """P-STAT-3, P-GEN-3, P-STATE-16: 212 a directory, 213 a file; begins with Status, ends with End; each line one blank in."""
        self.assertEqual(
            ["212-Status of /my dir:\n -rw-r--r--   1 ftp      ftp             1 Jan  5 09:07 x\n212 End of status."],
            self.d.say("STAT my dir"),
        )
        self.assertEqual(
            ["213-Status of /a.txt:\n -rw-r--r--   1 ftp      ftp             5 Jan  5 09:07 a.txt\n213 End of status."],
            self.d.say("STAT a.txt"),
        )
        self.assertEqual(["212-Status of /sub/two:\n212 End of status."], self.d.say("STAT sub/two"))

    def test_globs_options_failures(self) -> None:
        """P-STAT-3, P-GLOB-2, P-LOPT-1: as LIST; 450 and 550."""
        self.assertEqual([212, 212, 450, 550, 550], self.d.codes("STAT *.txt", "STAT -la", "STAT *.zip", "STAT no", "STAT void"))
        self.assertEqual([], self.d.store.open)

    def test_bounded(self) -> None:
        """P-STAT-3, P-SEC-10: a directory that is too big for a reply is 451."""
        d = Dialogue(self, {f"f{number}": b"" for number in range(2001)})
        d.login()
        self.assertEqual(["451 More than 2000 entries; use LIST."], d.say("STAT /"))
        self.assertEqual(["451 More than 2000 entries; use LIST."], d.say("STAT *"))
        self.assertEqual([], d.store.open)

    def test_cr_in_a_name(self) -> None:
        """P-LINE-10, P-GEN-4: a name with CR or LF, if a file system shows one, cannot break the reply."""
        d = Dialogue(self, {"a\rb": b"", "c\n211 d": b""})
        d.login()
        self.assertEqual([212, 200], d.codes("STAT /", "NOOP"))

    def test_one_write(self) -> None:
        """P-GEN-5: the whole reply is one write."""
        before = len(self.d.transport.writes)
        self.d.say("STAT /")
        self.assertEqual(1, len(self.d.transport.writes) - before)

"""Tests of ``twistftp.wire.entries``."""

from __future__ import annotations

import re
import stat
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.wire.entries import ALL_FACTS, DEFAULT_FACTS, Entry, facts_line, facts_lines, ms_dos_lines
from twistftp.wire.paths import decode_name
from twistftp.wire.unix_form import unix_lines


def at(*moment: int) -> float:
    """Seconds since 1970 of a moment in UTC."""
    return datetime(*moment, tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]


NOW = at(2024, 6, 1)
DAY = 86400

PUB = Entry("pub", stat.S_IFDIR | 0o755, 4096, at(2024, 1, 5, 9, 7), links=2, perm="flcdmpe", unique="801g2a")
FILE = Entry("name with  spaces.bin", stat.S_IFREG | 0o644, 12345678, at(2023, 11, 30, 12), perm="adfrw", unique="801g2b")
README = Entry("readme", stat.S_IFREG | 0o644, 5, at(2024, 2, 1), perm="r", unique="801g2c")
LINK = Entry("link", stat.S_IFLNK | 0o777, 11, at(2024, 3, 14, 23, 59), target="pub/readme", resolved=README)

_KINDS = [stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK]
_NAMES = st.binary(min_size=1, max_size=20).map(lambda octets: octets.translate(None, b"\r\n\0/") or b"x").map(decode_name)
_ENTRIES = st.builds(
    Entry,
    name=_NAMES,
    mode=st.builds(lambda kind, bits: kind | bits, st.sampled_from(_KINDS), st.integers(0, 0o7777)),
    size=st.integers(0, 2**63),
    modified=st.floats(-1e12, 1e12),
    links=st.integers(1, 100000),
    owner=st.sampled_from(["ftp", "1000", "averylongowner"]),
    group=st.sampled_from(["ftp", "1000", "averylonggroup"]),
    perm=st.sampled_from(["", "r", "el"]),
    unique=st.sampled_from(["", "1f"]),
    target=st.none() | _NAMES,
    resolved=st.none() | st.just(PUB) | st.just(FILE),
)
_LINE = re.compile(
    r"(?P<mode>[-dlbcps][r-][w-][xsS-][r-][w-][xsS-][r-][w-][xtT-]) +(?P<links>\d+) (?P<owner>\S+) +(?P<group>\S+) +(?P<size>\d+) "
    r"(?P<date>[A-Z][a-z]{2} [ 123]\d (?:[012]\d:[0-5]\d| \d{4})) (?P<name>.+)",
    re.DOTALL | re.ASCII,
)


def unix(entry: Entry, offset: float = 0) -> str:
    """The line of one entry, without its end."""
    return unix_lines([entry], NOW, offset).removesuffix("\r\n")


class EntryTests(SynchronousTestCase):
    """What an entry says of itself."""

    def test_kinds(self) -> None:
        """A link is what it leads to; one that leads nowhere is neither a file nor a directory (P-ML-2)."""
        dangling = LINK._replace(resolved=None)
        to_directory = LINK._replace(resolved=PUB)
        seen = [(e.is_directory, e.is_file, e.is_link) for e in (PUB, FILE, LINK, to_directory, dangling)]
        self.assertEqual([(True, False, False), (False, True, False), (False, True, True), (True, False, True), (False, False, True)], seen)


class UnixLinesTests(SynchronousTestCase):
    """The lines of ``ls -l``."""

    def test_examples(self) -> None:
        """The columns are byte for byte those of PROTOCOL §5.2 (P-LU-2, P-LU-5, P-LU-6, P-LU-7, P-LS-1)."""
        expected = (
            "drwxr-xr-x   2 ftp      ftp          4096 Jan  5 09:07 pub\r\n"
            "-rw-r--r--   1 ftp      ftp      12345678 Nov 30  2023 name with  spaces.bin\r\n"
            "lrwxrwxrwx   1 ftp      ftp            11 Mar 14 23:59 link -> pub/readme\r\n"
        )
        self.assertEqual(expected, unix_lines([PUB, FILE, LINK], NOW))

    def test_nothing(self) -> None:
        """An empty directory has no lines, no ``total`` either (P-LS-2)."""
        self.assertEqual("", unix_lines([], NOW))

    def test_widths_grow(self) -> None:
        """Long values push the rest to the right, one blank always stays (P-LU-2)."""
        entry = FILE._replace(name="x", size=123456789012, links=12345, owner="averylongowner", group="averylonggroup")
        self.assertEqual("-rw-r--r-- 12345 averylongowner averylonggroup 123456789012 Nov 30  2023 x", unix(entry))
        self.assertEqual("-rw-r--r--   1 ftp      ftp      100000000 Nov 30  2023 x", unix(FILE._replace(name="x", size=10**8)))
        widest = FILE._replace(name="x", size=10**8 - 1, links=999, owner="12345678", group="12345678")
        self.assertEqual("-rw-r--r-- 999 12345678 12345678 99999999 Nov 30  2023 x", unix(widest))

    def test_modes(self) -> None:
        """Ten characters, with ``sStT`` for the special bits (P-LU-1)."""
        for mode, shown in (
            *((stat.S_IFREG | 0o4755, "-rwsr-xr-x"), (stat.S_IFREG | 0o4644, "-rwSr--r--"), (stat.S_IFREG | 0o2755, "-rwxr-sr-x")),
            *((stat.S_IFDIR | 0o1777, "drwxrwxrwt"), (stat.S_IFDIR | 0o1770, "drwxrwx--T"), (stat.S_IFREG, "----------")),
            *((stat.S_IFCHR | 0o600, "crw-------"), (stat.S_IFBLK | 0o600, "brw-------"), (stat.S_IFIFO | 0o600, "prw-------")),
            *((stat.S_IFSOCK, "s---------"), (0o644, "-rw-r--r--")),
        ):
            self.assertEqual(shown, unix(FILE._replace(mode=mode))[:10])

    def test_equal_columns_are_not_mixed_up(self) -> None:
        """Entries that differ in any one column are shown so (P-LU-2)."""
        for change in ({"mode": stat.S_IFREG | 0o600}, {"links": 3}, {"owner": "a"}, {"group": "a"}, {"size": 1}, {"modified": NOW}, {"name": "a"}):
            self.assertNotEqual(unix(FILE), unix(FILE._replace(**change)))
            self.assertEqual(unix(FILE), unix(FILE._replace()))

    def test_size_of_others(self) -> None:
        """What is neither file, directory nor link has size 0 (P-LU-4)."""
        for kind in (stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK):
            self.assertEqual("0", unix(FILE._replace(mode=kind | 0o600)).split()[4])

    def test_recent(self) -> None:
        """Less than 180 days old shows the time, older and future show the year (P-LU-6)."""
        for age, shown in (
            *((0, "Jun  1 00:00"), (180 * DAY - 1, "Dec  4 00:00"), (180 * DAY, "Dec  4  2023")),
            *((-1, "Jun  1  2024"), (-300 * DAY, "Mar 28  2025")),
        ):
            self.assertEqual(shown, unix(FILE._replace(modified=NOW - age))[42:54], age)

    def test_clamped(self) -> None:
        """Years that do not fit are clamped (P-LU-9)."""
        self.assertEqual("Jan  1  1970", unix(FILE._replace(modified=-1e15))[42:54])
        self.assertEqual("Dec 31  9999", unix(FILE._replace(modified=1e15))[42:54])

    def test_local_time(self) -> None:
        """An offset moves what is shown, not what is recent (P-LS-5, P-LU-6)."""
        self.assertEqual("Jan  5 11:07", unix(PUB, offset=7200)[42:54])
        self.assertEqual("Jan  4 23:07", unix(PUB, offset=-36000)[42:54])
        self.assertEqual("Jun  1 02:00", unix(FILE._replace(modified=NOW), offset=7200)[42:54])
        self.assertEqual("Dec  4  2023", unix(FILE._replace(modified=NOW - 180 * DAY), offset=7200)[42:54])

    def test_names_are_exact(self) -> None:
        """One blank stands before the name; its own are kept, octets that are not UTF-8 too (P-LU-7, P-LS-1)."""
        name = decode_name(b"  a\xe9\xff ")
        self.assertEqual(f"2023 {name}", unix(FILE._replace(name=name))[50:])

    def test_dangling_link(self) -> None:
        """A link that leads nowhere is shown with its text (P-LU-8, P-LS-6)."""
        self.assertEqual("lrwxrwxrwx   1 ftp      ftp            11 Mar 14 23:59 link -> gone", unix(LINK._replace(target="gone", resolved=None)))

    def test_link_without_text(self) -> None:
        """A link whose text must not be shown has the type and size of what it leads to, or of an empty file (P-LU-8)."""
        self.assertEqual("-rw-r--r--   1 ftp      ftp             5 Mar 14 23:59 link", unix(LINK._replace(target=None)))
        self.assertEqual("drwxr-xr-x   1 ftp      ftp          4096 Mar 14 23:59 link", unix(LINK._replace(target=None, resolved=PUB)))
        self.assertEqual("-rwxrwxrwx   1 ftp      ftp             0 Mar 14 23:59 link", unix(LINK._replace(target=None, resolved=None)))
        device = FILE._replace(mode=stat.S_IFCHR | 0o600)
        self.assertEqual("crw-------   1 ftp      ftp             0 Mar 14 23:59 link", unix(LINK._replace(target=None, resolved=device)))

    @given(_ENTRIES, st.floats(0, 1e11), st.integers(-50400, 50400))
    def test_clients_can_read_it(self, entry: Entry, now: float, offset: int) -> None:
        """Whatever the entry, a line has nine columns that clients' expressions read back (P-LU-1, P-LU-2, P-LU-3, P-LU-7)."""
        line = unix_lines([entry], now, offset)
        self.assertTrue(line.endswith("\r\n"))
        match = _LINE.fullmatch(line[:-2])
        self.assertIsNotNone(match, line)
        assert match is not None  # for mypy
        self.assertEqual((str(entry.links), entry.owner), (match["links"], match["owner"]))
        self.assertEqual(entry.name, match["name"][: len(entry.name)])

    def test_more_kinds_than_are_remembered(self) -> None:
        """However many different columns a listing has, each line is right (P-SEC-10)."""
        lines = unix_lines([FILE._replace(links=n) for n in range(1, 10_001)], NOW).split("\r\n")
        self.assertEqual([str(n) for n in range(1, 10_001)], [line.split()[1] for line in lines[:-1]])


class MsDosLinesTests(SynchronousTestCase):
    """The lines of Windows' ``dir``."""

    def test_examples(self) -> None:
        """The columns are byte for byte those of PROTOCOL §5.3 (P-LD-1, P-LS-1)."""
        expected = "11-02-09  05:32PM       <DIR>          NT\r\n01-06-09  02:42PM                  458 Readme.txt\r\n"
        nt = PUB._replace(name="NT", modified=at(2009, 11, 2, 17, 32))
        readme = FILE._replace(name="Readme.txt", size=458, modified=at(2009, 1, 6, 14, 42))
        self.assertEqual(expected, ms_dos_lines([nt, readme]))

    def test_links(self) -> None:
        """A link is shown as its target under its own name, one that leads nowhere as an empty file (P-LD-2)."""
        self.assertEqual("02-01-24  12:00AM                    5 link\r\n", ms_dos_lines([LINK]))
        self.assertEqual("01-05-24  09:07AM       <DIR>          link\r\n", ms_dos_lines([LINK._replace(resolved=PUB)]))
        self.assertEqual("03-14-24  11:59PM                    0 link\r\n", ms_dos_lines([LINK._replace(resolved=None)]))

    def test_others(self) -> None:
        """What is neither file nor directory has size 0 (P-LD-2)."""
        self.assertEqual("11-30-23  12:00PM                    0 x\r\n", ms_dos_lines([FILE._replace(name="x", mode=stat.S_IFCHR)]))

    def test_local_time(self) -> None:
        """An offset moves what is shown (P-LS-5)."""
        self.assertEqual("01-05-24  11:07AM", ms_dos_lines([PUB], offset=7200)[:17])

    @given(_ENTRIES)
    def test_the_name_is_in_column_40(self, entry: Entry) -> None:
        """Up to 10^21 octets, the name begins in column 40 and is exact (P-LD-1, P-LU-7)."""
        self.assertEqual(f" {entry.name}\r\n", ms_dos_lines([entry])[38:])


class FactsTests(SynchronousTestCase):
    """The lines of MLST and MLSD."""

    def test_examples(self) -> None:
        """The facts are byte for byte those of PROTOCOL §5.5 (P-ML-1, P-ML-3, P-ML-4, P-ML-5, P-ML-6, P-ML-7)."""
        expected = (
            "type=dir;modify=20240105090700;perm=flcdmpe;unique=801g2a;unix.mode=0755; pub\r\n"
            "type=file;size=12345678;modify=20231130120000;perm=adfrw;unique=801g2b;unix.mode=0644; name with  spaces.bin\r\n"
        )
        self.assertEqual(expected, facts_lines([PUB, FILE], DEFAULT_FACTS))

    def test_one_line(self) -> None:
        """MLST's line is that of MLSD with the name it is given and no end (P-MLST-1, P-ML-1)."""
        self.assertEqual("type=file;size=12345678; /pub/x", facts_line(FILE, frozenset({"type", "size"}), "/pub/x"))
        self.assertEqual("type=dir; pub", facts_line(PUB, frozenset({"type", "size"})))

    def test_no_facts(self) -> None:
        """With no facts selected a line is a blank and the name (P-ML-9)."""
        self.assertEqual(" pub\r\n", facts_lines([PUB], frozenset()))
        self.assertEqual(" /pub", facts_line(PUB, frozenset(), "/pub"))

    def test_all_facts(self) -> None:
        """Owner and group come when they are asked for; unknown facts are none (P-ML-7, P-OPTS-3)."""
        line = facts_line(README, frozenset(ALL_FACTS) | {"media-type"})
        self.assertEqual("type=file;size=5;modify=20240201000000;perm=r;unique=801g2c;unix.mode=0644;unix.owner=ftp;unix.group=ftp; readme", line)

    def test_default_facts(self) -> None:
        """Owner and group are off unless asked for (PROTOCOL §1.6)."""
        self.assertEqual({"type", "size", "modify", "perm", "unique", "unix.mode"}, set(DEFAULT_FACTS))

    def test_empty_facts(self) -> None:
        """No right is an empty ``perm``; where nothing identifies an object there is no ``unique`` (P-ML-5, P-ML-6)."""
        self.assertEqual("perm=; pub", facts_line(PUB._replace(perm="", unique=""), frozenset({"perm", "unique"})))

    def test_links(self) -> None:
        """A link has its target's facts and its own name (P-ML-2, P-ML-6)."""
        line = "type=file;size=5;modify=20240201000000;perm=r;unique=801g2c;unix.mode=0644; link"
        self.assertEqual(f"{line}\r\n", facts_lines([LINK], DEFAULT_FACTS))
        self.assertEqual(line, facts_line(LINK, DEFAULT_FACTS))

    def test_dangling_links(self) -> None:
        """A link that leads nowhere is left out, the others stay (P-ML-2)."""
        self.assertEqual(" link\r\n pub\r\n", facts_lines([LINK._replace(name="a", resolved=None), LINK, PUB], frozenset()))

    def test_special_mode_bits(self) -> None:
        """``unix.mode`` has four octal digits (P-ML-7)."""
        for mode, shown in ((0, "0000"), (0o7, "0007"), (0o4755, "4755"), (0o1777, "1777")):
            self.assertEqual(f"unix.mode={shown}; x", facts_line(FILE._replace(name="x", mode=stat.S_IFREG | mode), frozenset({"unix.mode"})))

    @given(_ENTRIES, st.sets(st.sampled_from(ALL_FACTS)).map(frozenset))
    def test_clients_can_read_it(self, entry: Entry, facts: frozenset[str]) -> None:
        """A line is facts with one ``=`` that each end in ``;``, one blank and the exact name (P-ML-1, P-ML-8)."""
        given_facts, _, name = facts_line(entry, facts).partition(" ")
        self.assertEqual(entry.name, name)
        *parts, rest = given_facts.split(";")
        self.assertEqual("", rest)
        self.assertEqual([1] * len(parts), [part.count("=") for part in parts])
        self.assertEqual([fact for fact in ALL_FACTS if f"{fact}=" in given_facts], [part.partition("=")[0] for part in parts])
        self.assertLessEqual({part.partition("=")[0] for part in parts}, facts)

    @given(st.lists(_ENTRIES, max_size=5), st.sets(st.sampled_from(ALL_FACTS)).map(frozenset))
    def test_both_forms_agree(self, entries: list[Entry], facts: frozenset[str]) -> None:
        """MLSD says of each entry what MLST says of it (P-ML-1, P-ML-2)."""
        shown = [entry for entry in entries if not entry.is_link or entry.resolved is not None]
        self.assertEqual("".join(f"{facts_line(entry, facts)}\r\n" for entry in shown), facts_lines(entries, facts))

"""Tests of ``cli.doctor.files``: which file of a listing is fetched."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.cli.doctor.files import best, directories, files
from twistftp.wire.entries import DEFAULT_FACTS, Entry, facts_line, ms_dos_lines

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\x85\u2028\u2029"), min_size=1, max_size=20).filter(
    lambda name: name.strip() == name and name not in {".", ".."}
)


class FilesTests(SynchronousTestCase):
    """``best``, ``files`` and ``directories``."""

    def test_unix(self) -> None:
        """``ls -l``, as servers write it; links are left alone."""
        listing = (
            b"total 8\r\n-rw-r--r--   1 ftp      ftp            12 Nov 23 06:30 a file\r\ndrwxr-xr-x 2 0 0 4096 Jan  1  2020 pub\r\n"
            b"lrwxrwxrwx 1 ftp ftp 3 Jan 1 2020 link -> pub\r\n-rwxr-xr-x+ 1 me users 5 Feb 29 2024 x\n-rw-r--r-- 1 owner 7 Jan 1 00:00 nogroup\r\n"
        )
        self.assertEqual([("a file", 12), ("x", 5), ("nogroup", 7)], [(found.name, found.size) for found in files(listing)])
        self.assertEqual(["pub"], directories(listing))

    def test_dos(self) -> None:
        """Windows' form."""
        listing = b"02-03-20  04:55PM       <DIR>          pub\r\n02-03-2020  16:55                 1,234 a file.txt\r\n"
        self.assertEqual((["a file.txt"], ["pub"]), (best(listing), directories(listing)))

    def test_order(self) -> None:
        """Small files before big ones, and empty ones last."""
        listing = b"".join(b"type=file;size=%d; %d\r\n" % (size, size) for size in (9 << 20, 0, 7, 300, 5))
        self.assertEqual(["5", "7", "300"], best(listing))
        self.assertEqual(["5", "7", "300", "9437184", "0"], best(listing, 9))

    def test_unsafe(self) -> None:
        """Names that could not be sent back, or are none, are passed over."""
        listing = b"type=file;size=1; a\rb\r\ntype=file;size=1; a/b\r\ntype=dir; ..\r\ntype=cdir; .\r\ntype=file; \x1bc\r\n"
        self.assertEqual(([], []), (files(listing), directories(listing)))

    @given(NAMES, st.integers(0, 10**9))
    def test_own_listings(self, name: str, size: int) -> None:
        """What twistftp itself lists is understood, by MLSD and in Windows' form."""
        entry = Entry(name, 0o100644, size, 1_600_000_000.0)
        mlsd = facts_line(entry, DEFAULT_FACTS).strip("\r\n") + "\r\n"
        for listing in (mlsd, ms_dos_lines([entry])):
            self.assertEqual([(name, size)], [(found.name, found.size) for found in files(listing.encode())])

    @given(st.binary(max_size=300))
    def test_anything(self, listing: bytes) -> None:
        """No listing is too odd."""
        self.assertLessEqual(len(best(listing)), 3)

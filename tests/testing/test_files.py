"""The files of a site: the same in memory and on disk, to the test and to clients."""

from __future__ import annotations

import io
from ftplib import error_perm
from importlib.util import find_spec
from unittest import skipUnless

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.testing.support import SitesCase, run
from twistftp.testing.files import flat
from twistftp.testing.server import FTPServer


class FlatTests(SynchronousTestCase):
    def test_nested(self) -> None:
        """Directories become paths, text octets."""
        files = {"/a": "ä", "d": {"b": b"x", "e": {}, "f/g": bytearray(b"y")}, "../x/../empty/": None}
        expected = {"a": "ä".encode(), "d": None, "d/b": b"x", "d/e": None, "d/f/g": b"y", "empty": None}
        self.assertEqual(expected, flat(files))

    def test_what_is_no_file(self) -> None:
        self.assertRaisesRegex(TypeError, "^b: a file's content", flat, {"a": {"b": 3}})


class BothKinds:
    """What holds for both."""

    options: dict[str, bool] = {}
    files = {"a": b"1", "d": {"b": b"2", "e": {}}}

    def site(self) -> FTPServer:
        return self.serve(files=self.files, **self.options)  # type: ignore[attr-defined, no-any-return]

    def test_mapping(self: SitesCase) -> None:
        files = self.site().files  # type: ignore[attr-defined]
        self.assertEqual({"a": b"1", "d/b": b"2"}, dict(files))
        self.assertEqual(["d", "d/e"], files.directories)
        files["new/deep"] = "text"
        files["/a"] = b"other"
        del files["d/b"]
        files.make_directory("empty/one")
        self.assertEqual({"a": b"other", "new/deep": b"text"}, dict(files))
        self.assertEqual(["d", "d/e", "empty", "empty/one", "new"], files.directories)
        self.assertEqual(2, len(files))
        self.assertIn("a", files)
        self.assertNotIn("d", files)
        self.assertIn("b'other'", repr(files))

    def test_nothing_is_outside(self: SitesCase) -> None:
        """``..`` leads no further than to the root, as for clients."""
        site = self.site()  # type: ignore[attr-defined]
        site.files["../../escaped"] = b"x"
        site.files["d/../other"] = b"y"
        self.assertEqual({"a", "d/b", "escaped", "other"}, set(site.files))
        self.assertIn("escaped", self.client(site).nlst())

    def test_directories(self: SitesCase) -> None:
        """One is deleted with all in it; a file cannot be in the place of one, nor in a file."""
        files = self.site().files  # type: ignore[attr-defined]
        self.assertRaisesRegex(IsADirectoryError, "d", files.__setitem__, "d", b"")
        for change in (lambda: files.__setitem__("a/b", b""), lambda: files.make_directory("a/b"), lambda: files.make_directory("a")):
            self.assertRaisesRegex(OSError, "a", change)
        self.assertRaises(ValueError, files.__delitem__, "/")
        self.assertRaises(KeyError, files.__delitem__, "a/b")
        del files["d"]
        self.assertEqual(({"a": b"1"}, []), (dict(files), files.directories))

    def test_what_is_not_there(self: SitesCase) -> None:
        files = self.site().files  # type: ignore[attr-defined]
        for path in ("missing", "d", "a/below", "missing/below"):
            self.assertRaises(KeyError, files.__getitem__, path)
        self.assertRaises(KeyError, files.__delitem__, "missing")
        self.assertRaises(KeyError, files.modified, "missing")
        self.assertRaises(KeyError, files.set_modified, "missing", 1)
        self.assertRaises(TypeError, files.__setitem__, "a", 3)
        self.assertEqual(b"none", files.get("missing", b"none"))

    def test_times(self: SitesCase) -> None:
        site = self.site()  # type: ignore[attr-defined]
        site.files.set_modified("a", 1_000_000_000)
        client = self.client(site)
        self.assertEqual("213 20010909014640", client.sendcmd("MDTM a"))
        client.sendcmd("MFMT 20200101000000 d/b")
        self.assertEqual(1577836800, site.files.modified("d/b"))

    def test_changes(self: SitesCase) -> None:
        """Everything that a client can change."""
        site = self.site()  # type: ignore[attr-defined]
        client = self.client(site)
        client.mkd("new")
        client.storbinary("STOR new/c", io.BytesIO(b"0123456789"))
        client.storbinary("APPE new/c", io.BytesIO(b"ab"))
        client.storbinary("STOR new/c", io.BytesIO(b"XY"), rest=4)
        self.assertEqual(b"0123XY", site.files["new/c"])
        client.sendcmd("RANG 1 2")
        client.storbinary("STOR new/c", io.BytesIO(b"__"))
        self.assertEqual(b"0__3XY", site.files["new/c"])
        client.rename("new", "d/moved")
        client.delete("a")
        client.rmd("d/e")
        self.assertRegex(client.storbinary("STOU", io.BytesIO(b"unique")), "^226")
        self.assertEqual(0o600, self._mode(client, "SITE CHMOD 600 d/b", "d/b"))
        left = dict(site.files)
        self.assertEqual([b"unique"], [left.pop(name) for name in list(left) if name.startswith("upload.")])
        self.assertEqual({"d/b": b"2", "d/moved/c": b"0__3XY"}, left)

    def test_refusals(self: SitesCase) -> None:
        """And what it cannot."""
        site = self.site()  # type: ignore[attr-defined]
        client = self.client(site)
        before = dict(site.files), site.files.directories
        refused = (
            *("MKD d", "MKD missing/d", "RMD d", "RMD a", "RMD missing", "DELE d", "DELE missing", "SIZE missing", "CWD a", "RMD /"),
            *("MDTM missing", "MFMT 20200101000000 missing", "SITE CHMOD 600 missing", "RNFR missing", "RNFR /"),
        )
        for line in refused:
            self.assertRaisesRegex(error_perm, "^5", client.sendcmd, line)
        for old, new in (("a", "d"), ("a", "d/b"), ("d", "d/e/f"), ("a", "missing/a"), ("a", "d/b/below")):
            self.assertRaisesRegex(error_perm, "^5", client.rename, old, new)
        for line in ("STOR d", "STOR missing/a", "STOR a/below", "APPE d", "RETR d", "LIST missing", "NLST a/below"):
            self.assertRaisesRegex(error_perm, "^5", client.transfercmd, line)
        self.assertEqual(before, (dict(site.files), site.files.directories))

    def test_listings(self: SitesCase) -> None:
        client = self.client(self.site())  # type: ignore[attr-defined]
        self.assertEqual(["a", "d"], client.nlst())
        about = dict(client.mlsd(facts=["type", "size", "perm", "unix.mode"]))
        self.assertEqual(("file", "1"), (about["a"]["type"], about["a"]["size"]))
        self.assertEqual("dir", about["d"]["type"])
        lines: list[str] = []
        client.retrlines("LIST d", lines.append)
        self.assertEqual(["b", "e"], [line.split()[-1] for line in lines])
        self.assertRegex(client.sendcmd("HASH a"), "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b")

    def _mode(self, client: object, line: str, path: str) -> int:
        client.sendcmd(line)  # type: ignore[attr-defined]
        return int(client.sendcmd(f"MLST {path}").split("unix.mode=")[1][:4], 8)  # type: ignore[attr-defined]

    def test_a_broken_upload(self: SitesCase) -> None:
        """It leaves what was there, or what has come, as the site says."""
        for keeps, expected in ((False, b"1"), (True, b"0123")):
            site = self.serve("reset_at(4)", files=self.files, file_handling={"keep_partial_uploads": keeps}, **self.options)  # type: ignore[attr-defined]
            client = self.client(site)
            connection = self.begin(client, "STOR a")
            connection.sendall(b"0123456789")
            self.assertRaisesRegex(Exception, "^426", client.voidresp)
            self.assertEqual(expected, site.files["a"])


class MemoryTests(BothKinds, SitesCase):
    """Files in memory."""


class DiskTests(BothKinds, SitesCase):
    """Files on disk."""

    options = {"on_disk": True}


class ContentTests(SitesCase):
    def test_any_octets(self) -> None:
        """What goes in comes out, whatever it is."""
        site = self.serve(files={})

        @given(st.binary(max_size=2000))
        def check(content: bytes) -> None:
            site.files["x"] = content
            self.assertEqual(content, site.files["x"])

        check()


class WhereTests(SynchronousTestCase):
    """Where files in memory are."""

    @skipUnless(find_spec("resource"), "no limits of processes here")
    def test_nothing_is_written(self) -> None:
        """Neither process may write a single octet to any file of the disk, and all goes on."""
        code = """
import io, resource, tempfile
from ftplib import FTP
from twistftp.testing import ftp_site
tempfile.gettempdir()  # which tries whether it may write there
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
with ftp_site({"dir/a": bytes(100_000)}, tls=True) as site, FTP() as client:
    client.connect(site.host, site.port)
    client.login(site.user, site.password)
    client.storbinary("STOR dir/b", io.BytesIO(bytes(1_000_000)))
    client.storbinary("APPE dir/b", io.BytesIO(bytes(1_000_000)))
    client.rename("dir/b", "c")
    client.retrbinary("RETR c", len)
    client.mkd("new")
    client.quit()
    site.files["more"] = bytes(100_000)
    print({path: len(octets) for path, octets in site.files.items()}, site.root)
"""
        done = run(code)
        self.assertEqual(("{'c': 2000000, 'dir/a': 100000, 'more': 100000} None\n", "", 0), (done.stdout, done.stderr, done.returncode))

"""STOR APPE STOU, REST and RANG before them, ALLO."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import TREE, Dialogue
from twistftp.policy.file_handling import FileHandling
from twistftp.storage.failures import DiskFull, QuotaExceeded, WriteFailed

KEEPING = FileHandling(keep_partial_uploads=True)


class UploadCase(SynchronousTestCase):
    def dialogue(self, tree: Any = None, **settings: Any) -> Dialogue:
        d = Dialogue(self, tree, writable=True, **settings)
        d.login()
        d.say("TYPE I")
        return d

    def begin(self, d: Dialogue, line: str, *pieces: bytes) -> Any:
        """An upload under way: its data connection."""
        connection = d.passive().connect()
        for piece in pieces:
            connection.give(piece)
        self.assertEqual([150], [int(reply[:3]) for reply in d.say(line)])
        return connection


class StoreTests(UploadCase):
    def test_store(self) -> None:
        """P-STOR-1, P-DX-3, P-DX-20, P-TEXT-31: 150, then 226 when all is stored and the data connection closed."""
        d = self.dialogue()
        self.assertEqual(["150 Opening data connection.", "226 Transfer complete (5 bytes)."], d.put("STOR new", b"hel", b"lo"))
        self.assertEqual(b"hello", d.store.tree["new"])
        self.assertTrue(d.pool.leases[-1].made.is_closed)  # type: ignore[union-attr]
        d.put("STOR new", b"again")
        self.assertEqual(b"again", d.store.tree["new"])
        d.put("STOR new")
        self.assertEqual(b"", d.store.tree["new"], "no octets: an empty file")
        self.assertEqual([], d.store.open)

    def test_at_once(self) -> None:
        """P-STOR-1, P-DC-17, P-TEXT-24: what is wrong is said before a data connection is waited for, and the set-up is used up."""
        d = self.dialogue()
        d.store.denied.add(("no",))
        d.store.busy.add(("busy",))
        for line, code in (("STOR pub", 553), ("STOR none/x", 550), ("STOR file.txt/x", 550), ("STOR no", 550), ("STOR busy", 450), ("STOR", 501)):
            lease = d.passive()
            self.assertEqual([code], d.codes(line), line)
            self.assertTrue(lease.is_ended)

    def test_directory_name(self) -> None:
        """P-PATH-1, P-TEXT-24: what ends with a ``/`` is no file, whether it is there or not."""
        d = self.dialogue()
        said = "553 {}: Name not allowed: that is a directory's name."
        self.assertEqual([said.format(name) for name in ("new/", "file.txt/")], d.say("STOR new/", "APPE file.txt/"))
        self.assertNotIn("new", d.store.tree)

    def test_no_connection(self) -> None:
        """P-STOR-1, P-DC-2, P-DC-6: without a data connection the file is as it was."""
        d = self.dialogue()
        self.assertEqual([425], d.codes("STOR file.txt"))
        lease = d.passive()
        self.assertEqual([], d.say("STOR file.txt"))
        lease.never_comes()
        self.assertEqual([425], [int(reply[:3]) for reply in d.hear()])
        self.assertEqual(TREE, d.store.tree)
        self.assertEqual([], d.store.open)

    def test_lost(self) -> None:
        """P-DX-5, P-DX-21, P-TEXT-14: a broken upload is 426 and leaves what was there before; the text says so."""
        d = self.dialogue()
        connection = self.begin(d, "STOR file.txt", b"part")
        connection.lose()
        self.assertEqual(["426 Data connection lost after 4 bytes. What had arrived was removed."], d.hear())
        self.assertEqual(TREE, d.store.tree)
        self.assertEqual([], d.store.open)

    def test_kept(self) -> None:
        """P-DX-5, P-TEXT-15: where the setting says so it stays, and the text says how to go on; so over several breaks (P-REST-3)."""
        d = self.dialogue(file_handling=KEEPING)
        self.begin(d, "STOR f", b"0123").lose()
        self.assertEqual(["426 Data connection lost after 4 bytes. Partial file of 4 bytes kept; resume with REST 4 or APPE."], d.hear())
        d.say("REST 4")
        self.begin(d, "STOR f", b"45").stall()
        self.assertIn("Partial file of 6 bytes kept", d.hear()[0])
        self.begin(d, "APPE f", b"67").lose()
        self.assertIn("Partial file of 8 bytes kept", d.hear()[0])
        d.say("REST 8")
        self.assertEqual("226 Transfer complete (2 bytes).", d.put("STOR f", b"89")[-1])
        self.assertEqual(b"0123456789", d.store.tree["f"])

    def test_stalled(self) -> None:
        """P-DX-6, P-TEXT-14: 426 with the time."""
        d = self.dialogue()
        self.begin(d, "STOR f").stall()
        self.assertIn("426 Data connection timed out: no data for 300 s", d.hear()[0])
        self.assertNotIn("f", d.store.tree)

    def test_abort(self) -> None:
        """P-ABOR-1, P-ABOR-4, P-DX-9: 426 and 226; nothing is left. After the last octet it is 226 and 226."""
        d = self.dialogue()
        connection = self.begin(d, "STOR f", b"x")
        self.assertEqual([426, 226], d.codes("ABOR"))
        self.assertTrue(connection.is_reset)
        self.assertNotIn("f", d.store.tree)
        connection = self.begin(d, "STOR f", b"x")
        d.store.is_slow = True
        connection.end()
        self.assertEqual([], d.say("ABOR"))
        d.store.is_slow = False
        d.store.release()
        self.assertEqual([226, 226], [int(reply[:3]) for reply in d.hear()])
        self.assertEqual(b"x", d.store.tree["f"])

    def test_client_gone(self) -> None:
        """P-GEN-15, P-DX-13: the control connection is lost in the midst: as if broken. After the last octet the file is complete."""
        d = self.dialogue()
        self.begin(d, "STOR f", b"x")
        d.leave()
        self.assertEqual((TREE, []), (d.store.tree, d.store.open))
        d = self.dialogue()
        connection = self.begin(d, "STOR f", b"x")
        d.store.is_slow = True
        connection.end()
        d.leave()
        d.store.release()
        self.assertEqual([], d.store.open)

    def test_disk(self) -> None:
        """P-DX-8, P-TEXT-23, P-TEXT-32: full 452, quota 552, anything else 451; never 226; the data connection ends."""
        for error, code in ((DiskFull(), 452), (QuotaExceeded(), 552), (WriteFailed(), 451)):
            for where in ("upload_error", "finish_error"):
                d = self.dialogue()
                setattr(d.store, where, error)
                replies = d.put("STOR f", b"x")
                self.assertEqual([150, code], [int(reply[:3]) for reply in replies], where)
                made: Any = d.pool.leases[-1].made
                self.assertTrue(made.is_reset or made.is_closed)
                self.assertEqual((TREE, []), (d.store.tree, d.store.open))

    def test_slow_store(self) -> None:
        """P-PIPE-1, P-DX-3: 226 waits until the file is stored; what comes meanwhile waits for that."""
        d = self.dialogue()
        d.store.is_slow = True
        connection = d.passive().connect()
        self.assertEqual([], d.say("STOR f"))
        d.store.release()
        self.assertEqual([150], [int(reply[:3]) for reply in d.hear()])
        connection.give(b"abc")
        connection.end()
        self.assertEqual([], d.say("NOOP"))
        d.store.release()
        d.store.release()
        self.assertEqual([226, 200], [int(reply[:3]) for reply in d.hear()])
        self.assertEqual(b"abc", d.store.tree["f"])

    def test_status(self) -> None:
        """P-STAT-2: the octets so far, without a total."""
        d = self.dialogue()
        connection = self.begin(d, "STOR f", b"abc")
        self.assertEqual(["213 Status: 3 bytes transferred"], d.say("STAT"))
        connection.end()
        d.hear()

    def test_text(self) -> None:
        """P-TYPE-2: CRLF becomes LF, also cut in two; a lone CR and one at the end are kept."""
        d = self.dialogue()
        d.say("TYPE A")
        d.put("STOR f", b"a\r", b"\nb\rc\r\n", b"d\r")
        self.assertEqual(b"a\nb\rc\nd\r", d.store.tree["f"])
        d.put("APPE f", b"\r\n")
        self.assertEqual(b"a\nb\rc\nd\r\n", d.store.tree["f"])

    @given(st.lists(st.sampled_from([b"\r", b"\n", b"a", b"\r\n"]), max_size=12), st.integers(1, 4))
    def test_text_comes_back(self, pieces: list[bytes], cut: int) -> None:
        """P-TYPE-2: what was stored as text and is fetched as text has the same lines, however it is cut."""
        wire = b"".join(pieces)
        d = self.dialogue({})
        d.say("TYPE A")
        d.put("STOR f", *(wire[i : i + cut] for i in range(0, len(wire), cut)))
        self.assertEqual(wire.replace(b"\r\n", b"\n"), d.store.tree["f"])


class AppendTests(UploadCase):
    def test_append(self) -> None:
        """P-APPE-1: behind what is there, or a new file."""
        d = self.dialogue()
        self.assertEqual("226 Transfer complete (3 bytes).", d.put("APPE file.txt", b"end")[-1])
        self.assertEqual(b"one\ntwo\nend", d.store.tree["file.txt"])
        d.put("APPE new", b"x")
        self.assertEqual(b"x", d.store.tree["new"])

    def test_broken(self) -> None:
        """P-APPE-1, P-DX-5: a broken one leaves what was there."""
        d = self.dialogue()
        self.begin(d, "APPE file.txt", b"x").lose()
        d.hear()
        self.assertEqual(TREE, d.store.tree)

    def test_not_there(self) -> None:
        """P-APPE-1: a file system without it says so."""
        d = self.dialogue()
        d.store.appendable = False
        d.passive()
        self.assertEqual([502], d.codes("APPE file.txt"))


class RestartTests(UploadCase):
    def test_restart(self) -> None:
        """P-REST-3, P-REST-4, P-STATE-8: from the marker; what was behind the end of the data goes."""
        for verb in ("STOR", "APPE"):
            d = self.dialogue()
            self.assertEqual([350], d.codes("REST 4"))
            d.put(f"{verb} file.txt", b"XY")
            self.assertEqual(b"one\nXY", d.store.tree["file.txt"])
            d.put(f"{verb} new", b"z")
            self.assertEqual(b"z", d.store.tree["new"], "it was used up")

    def test_refused(self) -> None:
        """P-REST-3, P-TEXT-25: 554 behind the end, 550 for no file, 554 in TYPE A, 553 for a directory."""
        d = self.dialogue()
        self.assertEqual([350, "554 Restart point 9 is beyond the end of the file (8 bytes)."], [d.codes("REST 9")[0], d.say("STOR file.txt")[0]])
        self.assertEqual([350, 550, 350, 553], d.codes("REST 1", "STOR none", "REST 1", "STOR pub"))
        self.assertEqual([200, 350, 554], d.codes("TYPE A", "REST 1", "STOR file.txt"))

    def test_at_the_end(self) -> None:
        """P-REST-3: at the size it is an append."""
        d = self.dialogue()
        d.say("REST 8")
        d.put("STOR file.txt", b"!")
        self.assertEqual(b"one\ntwo\n!", d.store.tree["file.txt"])

    def test_unique(self) -> None:
        """P-REST-5: STOU has nothing to go on with."""
        d = self.dialogue()
        self.assertEqual([350, 503, 350, 503], d.codes("REST 1", "STOU", "RANG 0 1", "STOU"))


class RangeTests(UploadCase):
    def test_retrieve(self) -> None:
        """P-RANG-1, P-RETR-2: those octets, as far as there are any; 150 says how many."""
        d = self.dialogue()
        for first, last, expected in ((0, 2, b"one"), (4, 100, b"two\n"), (7, 7, b"\n"), (8, 9, b""), (100, 200, b""), (4, 2**63 - 1, b"two\n")):
            self.assertEqual([350], d.codes(f"RANG {first} {last}"))
            replies, octets = d.fetch("RETR file.txt")
            self.assertEqual(expected, octets)
            self.assertEqual(f"150 Opening data connection ({len(expected)} bytes).", replies[0])
        self.assertEqual(b"one\ntwo\n", d.fetch("RETR file.txt")[1], "it was used up")

    def test_store(self) -> None:
        """P-RANG-1: those octets are replaced, the rest stays; more than announced is 552, and nothing changes."""
        d = self.dialogue()
        d.say("RANG 4 6")
        self.assertEqual(226, int(d.put("STOR file.txt", b"T", b"WO")[-1][:3]))
        self.assertEqual(b"one\nTWO\n", d.store.tree["file.txt"])
        d.say(f"RANG 7 {2**63 - 1}")
        self.assertEqual(226, int(d.put("STOR file.txt", b"\n!")[-1][:3]))
        self.assertEqual(b"one\nTWO\n!", d.store.tree["file.txt"])
        d.say("RANG 8 8")
        d.put("STOR file.txt", b"?")
        self.assertEqual(b"one\nTWO\n?", d.store.tree["file.txt"])
        d.say("RANG 0 1")
        self.assertEqual(552, int(d.put("STOR file.txt", b"123")[-1][:3]))
        self.assertEqual(b"one\nTWO\n?", d.store.tree["file.txt"])

    def test_marker(self) -> None:
        """P-RANG-1, P-STATE-12: ``1 0`` clears, nonsense is 501 and clears; REST and RANG replace each other."""
        d = self.dialogue()
        for line, code in (("RANG 1 0", 350), ("RANG 5 2", 501), ("REST 0", 350)):
            d.say("RANG 0 1")
            self.assertEqual([code], d.codes(line))
            self.assertEqual(8, len(d.fetch("RETR file.txt")[1]), line)
        self.assertEqual([501] * 5, d.codes("RANG", "RANG 1", "RANG a b", "RANG -1 5", f"RANG 0 {2**63}"))
        d.say("REST 4", "RANG 0 0")
        self.assertEqual(b"o", d.fetch("RETR file.txt")[1])
        self.assertEqual([350, 200, 554], d.codes("RANG 0 1", "TYPE A", "RETR file.txt"))


class UniqueTests(UploadCase):
    def test_name(self) -> None:
        """P-STOU-1: the 150 has the new name, which can be used as it is; the hint is its beginning."""
        d = self.dialogue()
        for line, beginning in (("STOU", "upload."), ("STOU file.txt", "file.txt."), ("STOU pub/x", "pub/x.")):
            replies = d.put(line, b"u")
            match = re.fullmatch(r"150 FILE: (.*)", replies[0])
            assert match is not None
            self.assertTrue(match[1].startswith(beginning), match[1])
            self.assertEqual(226, int(replies[1][:3]))
            self.assertEqual(b"u", d.fetch(f"RETR {match[1]}")[1])
        self.assertEqual(b"one\ntwo\n", d.store.tree["file.txt"])


class ReadingTests(UploadCase):
    def test_read_in_progress(self) -> None:
        """P-RETR-1: a file that is being uploaded is 450, or what has arrived where the setting says so; so for HASH."""
        d = self.dialogue(file_handling=KEEPING)
        d.store.busy.add(("file.txt",))
        d.passive()
        self.assertEqual([450, 450], d.codes("RETR file.txt", "HASH file.txt"))
        self.assertEqual([], d.store.open)
        d = self.dialogue(file_handling=FileHandling(allow_read_uploads_in_progress=True))
        connection = self.begin(d, "STOR f", b"so far")
        other = d.another()
        other.login()
        other.say("TYPE I")
        self.assertEqual(b"so far", other.fetch("RETR f")[1])
        connection.end()
        self.assertEqual([226], [int(reply[:3]) for reply in d.hear()])


class RoomTests(UploadCase):
    def test_allo(self) -> None:
        """P-ALLO-1: 552 for what cannot fit, 202 else, also where nobody knows."""
        d = self.dialogue()
        d.store.free = 100
        self.assertEqual(["552 101 bytes do not fit: 100 are free here."], d.say("ALLO 101"))
        self.assertEqual([202, 202], d.codes("ALLO 100", "ALLO 5 R 10"))
        d.store.free = None
        self.assertEqual([202], d.codes("ALLO 10000000000"))

"""DELE RMD MKD RNFR RNTO MFMT, and those who may not."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import TREE, Dialogue
from tests.support.trees import Link
from twistftp.policy.file_handling import FileHandling

VERBS = ("STOR", "APPE", "STOU", "RNFR", "RNTO", "DELE", "RMD", "MKD", "XMKD", "XRMD", "MFMT")


class ReadOnlyTests(SynchronousTestCase):
    def test_refused(self) -> None:
        """P-SEC-7, P-STATE-10, P-STATE-11, P-GEN-1: known; 530 before login, 550 for who may only read, whatever the argument."""
        d = Dialogue(self)
        self.assertEqual([530] * len(VERBS), d.codes(*(f"{verb} x" for verb in VERBS)))
        d.login()
        self.assertEqual([550] * len(VERBS), d.codes(*(f"{verb} file.txt" for verb in VERBS)))
        self.assertEqual([550] * len(VERBS), d.codes(*VERBS))
        self.assertEqual(TREE, d.store.tree)

    def test_text(self) -> None:
        """P-TEXT-17, P-SEC-20: the same for what exists and what does not, with the key words; names cleaned."""
        d = Dialogue(self)
        d.login()
        self.assertEqual(["550 file.txt: Permission denied.", "550 no: Permission denied."], d.say("DELE file.txt", "DELE no"))
        self.assertEqual(["550 a?b: Permission denied."], d.say(b"MKD a\x07b"))

    def test_uploads_end_the_set_up(self) -> None:
        """P-DC-1, P-DC-17: a refused upload uses the data port up; the verbs that move nothing leave it."""
        d = Dialogue(self)
        d.login()
        for verb in ("STOR", "APPE", "STOU"):
            early = d.passive().connect()
            self.assertEqual([550], d.codes(f"{verb} x"))
            self.assertTrue(early.is_closed)
        lease = d.passive()
        d.say("DELE x", "MKD y")
        self.assertFalse(lease.is_ended)

    def test_features(self) -> None:
        """P-FEAT-2: what the user may not do is not offered."""
        d = Dialogue(self)
        d.login()
        self.assertNotIn("MFMT", d.say("FEAT")[0])


class ChangesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.d = Dialogue(self, writable=True)
        self.d.login()
        self.tree = self.d.store.tree

    def test_delete(self) -> None:
        """P-DELE-1: a file, or a link and not its target; no directory, no pattern."""
        self.tree["l"] = Link("pub")
        self.assertEqual([250, 250], self.d.codes("DELE file.txt", "DELE l"))
        self.assertNotIn("file.txt", self.tree)
        self.assertIn("pub", self.tree)
        self.assertEqual(
            ["550 pub: Is a directory.", "550 none: No such file or directory.", "550 *: No such file or directory."],
            self.d.say("DELE pub", "DELE none", "DELE *"),
        )
        self.d.store.busy.add(("binary",))
        self.assertEqual([450, 501], self.d.codes("DELE binary", "DELE"))

    def test_trailing_blank(self) -> None:
        """P-LINE-8: blanks at the end are forgiven for names that exist, never for new ones."""
        self.assertEqual([250, 250, 257], self.d.codes("DELE binary ", "RMD void ", "MKD new "))
        self.assertIn("new ", self.tree)

    def test_directories_alone_end_with_a_slash(self) -> None:
        """P-PATH-1: who means a directory loses no file by it, and gets no file of that name."""
        self.tree["l"] = Link("pub")
        lines = ("DELE file.txt/", "DELE l/", "RNFR file.txt/", "RMD file.txt/", "MFMT 20240105090700 file.txt/", "SITE CHMOD 600 file.txt/")
        self.assertEqual([550] * 7, self.d.codes(*lines, "DELE x/"))
        self.assertEqual(["550 file.txt/: Not a directory.", "550 l/: Is a directory."], self.d.say("DELE file.txt/", "DELE l/"))
        self.assertEqual({"file.txt", "l"}, {"file.txt", "l"} & set(self.tree))
        self.assertEqual([350, 553, 350, 250], self.d.codes("RNFR file.txt", "RNTO new/", "RNFR void", "RNTO new/"))
        self.assertEqual({}, self.tree["new"])
        self.assertEqual([257, 250], self.d.codes("MKD d/", "RMD d/"))

    def test_make_directory(self) -> None:
        """P-MKD-1, P-QUOT-1, P-TEXT-18: 257 with the whole path, its quotes doubled; "already exists" for one that is there."""
        self.assertEqual(['257 "/new" created.', '257 "/pub/a""b" created.'], self.d.say("MKD new", 'MKD pub/a"b'))
        self.assertEqual(["550 pub: Directory already exists."], self.d.say("MKD pub"))
        self.assertEqual([550, 550, 501], self.d.codes("MKD none/x", "MKD file.txt/x", "MKD"))
        self.assertEqual([257, 250], self.d.codes("XMKD x", "XRMD x"))

    def test_remove_directory(self) -> None:
        """P-RMD-1, P-TEXT-20: only an empty one."""
        self.assertEqual([250], self.d.codes("RMD void"))
        self.assertEqual(["550 pub: Directory not empty.", "550 file.txt: Not a directory."], self.d.say("RMD pub", "RMD file.txt"))
        self.assertEqual([550, 550, 501], self.d.codes("RMD /", "RMD none", "RMD"))

    def test_rename(self) -> None:
        """P-RNFR-1, P-RNTO-1: files and directories, across directories; RNFR moves nothing and the last one counts."""
        self.assertEqual([350, 250], self.d.codes("RNFR file.txt", "RNTO pub/f"))
        self.assertEqual(b"one\ntwo\n", self.tree["pub"]["f"])
        self.assertEqual([350, 350, 250], self.d.codes("RNFR binary", "RNFR void", "RNTO empty-one"))
        self.assertIn("binary", self.tree)
        self.assertIn("empty-one", self.tree)
        self.tree["dangling"] = Link("nowhere")
        self.assertEqual([350, 250], self.d.codes("RNFR dangling", "RNTO d2"))

    def test_rename_refused(self) -> None:
        """P-RNFR-1, P-RNTO-1, P-TEXT-4, P-GEN-12: and what was pending is forgotten either way."""
        self.assertEqual([550, 550, 501], self.d.codes("RNFR none", "RNFR /", "RNFR"))
        self.assertEqual(["503 Send RNFR first."], self.d.say("RNTO x"))
        for target, code in (("binary", 553), ("pub", 553), ("none/x", 550)):
            self.assertEqual([350, code, 503], self.d.codes("RNFR file.txt", f"RNTO {target}", "RNTO other"))
        self.assertEqual([350, 200, 250], self.d.codes("RNFR file.txt", "NOOP", "RNTO kept"), "NOOP keeps it")
        self.assertEqual([350, 257, 503], self.d.codes("RNFR kept", "PWD", "RNTO other"))
        self.assertEqual([350, 501, 503], self.d.codes("RNFR kept", "RNTO", "RNTO other"))
        self.assertEqual([350, 500, 503], self.d.codes("RNFR kept", "XYZZY", "RNTO other"))

    def test_replace_on_rename(self) -> None:
        """P-RNTO-1: a file may take a file's place where the setting says so, a directory's never."""
        d = Dialogue(self, writable=True, file_handling=FileHandling(allow_replace_on_rename=True))
        d.login()
        self.assertEqual([350, 250], d.codes("RNFR file.txt", "RNTO binary"))
        self.assertEqual(b"one\ntwo\n", d.store.tree["binary"])
        self.assertEqual([350, 553], d.codes("RNFR binary", "RNTO pub"))

    def test_new_names(self) -> None:
        """P-LINE-9, P-TEXT-24: no control characters, which are named, but NUL is 501; old names may have them."""
        self.assertEqual(["553 a?b: Name not allowed: it holds the control character 0x07."], self.d.say(b"MKD a\x07b"))
        self.assertEqual([350, 553], self.d.codes("RNFR file.txt", b"RNTO a\x7fb"))
        self.assertEqual([553, 553, 553], self.d.codes(b"STOR a\x01", b"APPE a\x01", b"STOU a\x01"))
        self.assertEqual([501], self.d.codes(b"MKD a\0b"))
        self.tree["old\x07"] = b""
        self.assertEqual([250], self.d.codes(b"DELE old\x07"))

    def test_time_of_nothing(self) -> None:
        """P-TEXT-16, P-TEXT-17: the path that is shown is the path, without the time before it."""
        said = self.d.say("MFMT 20240105090700 no such", "MFMT 20240105090700 no  ")
        self.assertEqual(["550 no such: No such file or directory.", "550 no  : No such file or directory."], said)
        d = Dialogue(self)
        d.login()
        self.assertEqual(["550 file.txt: Permission denied.", "550 2024: Permission denied."], d.say("MFMT 20240105090700 file.txt", "MFMT 2024"))

    def test_modification_time(self) -> None:
        """P-MFMT-1: UTC, of directories too; the answer says what was set."""
        self.assertEqual(["213 Modify=20240105090700; file.txt"], self.d.say("MFMT 20240105090700 file.txt"))
        self.assertEqual(["213 Modify=20240105090700; pub"], self.d.say("MFMT 20240105090700.250 pub"))
        self.assertEqual({("file.txt",): 1704445620.0, ("pub",): 1704445620.25}, self.d.store.modified)
        self.assertEqual(
            [501, 501, 501, 550, 501],
            self.d.codes("MFMT", "MFMT 20240105090700", "MFMT 2024 file.txt", "MFMT 20240105090700 none", "MFMT 20240230000000 file.txt"),
        )
        self.assertIn("\n MFMT\n", self.d.say("FEAT")[0])

    def test_without_times(self) -> None:
        """P-FEAT-2: a file system that cannot set times is not said to."""
        self.d.store.changes_times = False
        self.assertEqual([502], self.d.codes("MFMT 20240105090700 file.txt"))
        self.assertNotIn("MFMT", self.d.say("FEAT")[0])

    def test_mount(self) -> None:
        """P-SMNT-1: never."""
        self.assertEqual([502], self.d.codes("SMNT x"))

"""The verbs that would change files."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import TREE, Dialogue

VERBS = ("STOR", "APPE", "STOU", "RNFR", "RNTO", "DELE", "RMD", "MKD", "XMKD", "XRMD", "MFMT")


class ChangesTests(SynchronousTestCase):
    def test_refused(self) -> None:
        """P-SEC-7, P-STATE-10, P-STATE-11, P-GEN-1: known; 530 before login, 550 for everybody after it, whatever the argument."""
        d = Dialogue(self)
        self.assertEqual([530] * len(VERBS), d.codes(*(f"{verb} x" for verb in VERBS)))
        for user, password in (("ftp", "x"), ("alice", "secret")):
            d.login(user, password)
            self.assertEqual([550] * len(VERBS), d.codes(*(f"{verb} file.txt" for verb in VERBS)))
            self.assertEqual([550] * len(VERBS), d.codes(*VERBS))
        self.assertEqual(TREE, d.store.tree)

    def test_text(self) -> None:
        """P-TEXT-17, P-SEC-20: the same for what exists and what does not, with the key words; names cleaned."""
        d = Dialogue(self)
        d.login()
        self.assertEqual(
            ["550 file.txt: Permission denied. This site is read-only.", "550 no: Permission denied. This site is read-only."],
            d.say("DELE file.txt", "DELE no"),
        )
        self.assertEqual(["550 a?b: Permission denied. This site is read-only."], d.say(b"MKD a\x07b"))

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

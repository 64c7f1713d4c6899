"""Tests of ``policy.access_log.xferlog``."""

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from tests.policy.access_log.support import ANYTHING
from twistftp.policy.access_log.entry import Transferred
from twistftp.policy.access_log.xferlog import xferlog

DONE = Transferred(1710000000.7, "192.0.2.9", 12.4, 1024, "/pub/a file", False, "o", "me@example.org", True, True)


class LineTests(SynchronousTestCase):
    """A line as a whole."""

    def test_download(self) -> None:
        """As wu-ftpd, vsftpd and ProFTPD write it; the day has two places, the first may be blank."""
        self.assertEqual("Sat Mar  9 16:00:00 2024 12 192.0.2.9 1024 /pub/a_file b _ o a me@example.org ftp 0 * c\n", xferlog(DONE))

    def test_others(self) -> None:
        """Direction, type, access mode, completion; a second at least."""
        done = DONE._replace(time=1710331200, seconds=0, is_text=True, direction="i", user="alice", is_anonymous=False, is_complete=False)
        self.assertEqual("Wed Mar 13 12:00:00 2024 1 192.0.2.9 1024 /pub/a_file a _ i r alice ftp 0 * i\n", xferlog(done))
        self.assertIn(" d r ", xferlog(done._replace(direction="d")))

    @given(ANYTHING, ANYTHING)
    def test_no_forgery(self, path: str, user: str) -> None:
        """P-SEC-13: neither a name nor a mail address makes another line or another word."""
        line = xferlog(DONE._replace(path=f"/{path}", user=user))
        self.assertEqual(1, len(line.splitlines()))
        words = line.split()
        self.assertEqual(18, len(words))
        self.assertEqual((["b", "_", "o", "a"], ["ftp", "0", "*", "c"]), (words[9:13], words[14:]))
        self.assertTrue(line[:-1].isprintable())
        line.encode("utf-8")

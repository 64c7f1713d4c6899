"""Tests of what a replay reads from the disk."""

import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twistftp.capsules.format import BadCapsule, line_of
from twistftp.capsules.reading import read_capsule, store_of

HEADER = line_of({"capsule": 1, "time": 1.5, "peer": "", "local": "", "settings": {}})


class ReadingTests(SynchronousTestCase):
    """:func:`read_capsule` and :func:`store_of`."""

    def setUp(self) -> None:
        self.place = Path(os.path.abspath(self.mktemp()))
        self.place.mkdir()

    def test_capsule(self) -> None:
        """All its lines; one that is half written, because the server was killed, is left out."""
        path = self.place / "x"
        path.write_bytes(HEADER + line_of({"t": 1, "closed": "FIN"}) + b'{"t":2,"ser')
        capsule = read_capsule(str(path))
        self.assertEqual(([1], True), ([event["t"] for event in capsule.events], capsule.is_broken_off))
        path.write_bytes(HEADER + line_of({"t": 1, "closed": "FIN"}))
        self.assertEqual("", read_capsule(str(path)).lack)

    def test_none(self) -> None:
        """What is no capsule is refused."""
        path = self.place / "x"
        for content in (b"", b"one line", b"\n\n", bytes(1000)):
            path.write_bytes(content)
            self.assertRaises(BadCapsule, read_capsule, str(path))
        self.assertRaises(OSError, read_capsule, str(self.place))
        os.truncate(path, 65 << 20)
        self.assertIn("more than", str(self.assertRaises(BadCapsule, read_capsule, str(path))))

    def test_store(self) -> None:
        """A directory with what is in it, times and sizes too; it is only read."""
        (self.place / "pub").mkdir()
        (self.place / "pub" / "a").write_bytes(b"hello")
        (self.place / "dangling").symlink_to("nowhere")
        os.utime(self.place / "pub" / "a", (5, 5))
        store = store_of(str(self.place), 7.0)
        entry = store.status(("pub", "a"))
        self.assertEqual((5, 5.0, True), (entry.size, entry.modified, stat.S_ISREG(entry.mode)))
        self.assertEqual(b"hello", store.open_file(("pub", "a")).read_at(0, 9))
        self.assertTrue(store.status(("dangling",)).is_link)
        store.remove_file(("pub", "a"))
        self.assertTrue((self.place / "pub" / "a").exists())
        self.assertRaises(OSError, store_of, str(self.place / "none"), 7.0)

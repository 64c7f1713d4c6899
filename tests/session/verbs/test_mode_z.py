"""MODE Z: the verb, its option, and transfers in it."""

from __future__ import annotations

import zlib
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import TREE, Dialogue
from twistftp.policy.file_handling import FileHandling
from twistftp.policy.filtering import RequestFiltering
from twistftp.transport import deflate

ON = FileHandling(mode_z=True)


class ModeZCase(SynchronousTestCase):
    def dialogue(self, **settings: Any) -> Dialogue:
        d = Dialogue(self, writable=True, **{"file_handling": ON, **settings})
        d.login()
        self.assertEqual([200, 200], d.codes("TYPE I", "MODE Z"))
        return d


class VerbTests(ModeZCase):
    def test_off(self) -> None:
        """P-MODEZ-1, P-MODEZ-2: by default there is none, and FEAT is silent."""
        d = Dialogue(self)
        d.login()
        self.assertEqual([504, 501], d.codes("MODE Z", "OPTS MODE Z LEVEL 3"))
        self.assertNotIn("MODE", d.say("FEAT")[0])
        self.assertEqual(b"one\r\ntwo\r\n", d.fetch("RETR file.txt")[1])

    def test_on(self) -> None:
        """P-MODEZ-1, P-GEN-14: 200, FEAT says it, STAT shows it; it stays until MODE S or REIN."""
        d = self.dialogue()
        features, status = d.say("FEAT", "STAT")
        self.assertIn("\n MODE Z\n", features)
        self.assertIn("MODE: Deflate", status)
        self.assertEqual([504, 501, 200], d.codes("MODE B", "MODE", "mode z"))
        self.assertTrue(d.session.deflates)
        d.say("MODE S")
        self.assertFalse(d.session.deflates)
        d.say("MODE Z", "REIN")
        self.assertFalse(d.session.deflates)

    def test_level(self) -> None:
        """P-MODEZ-2: 0 to 9; the highest that is used is said. It counts from the next transfer on."""
        d = self.dialogue()
        replies = d.say(*(f"OPTS MODE Z LEVEL {level}" for level in (0, 6, 9)), "opts mode z level 1")
        self.assertEqual([f"200 MODE Z LEVEL set to {text}." for text in ("0", "6", "6, the highest here", "1")], replies)
        bad = ("OPTS MODE", "OPTS MODE Z", "OPTS MODE Z LEVEL", "OPTS MODE Z LEVEL 10", "OPTS MODE Z LEVEL x", "OPTS MODE S LEVEL 1")
        self.assertEqual([501] * len(bad), d.codes(*bad))
        self.assertEqual(1, d.session.deflate_level)
        sizes = []
        for level in (0, 6):
            d.say(f"OPTS MODE Z LEVEL {level}")
            sizes.append(len(d.fetch("RETR binary")[1]))
        self.assertGreater(sizes[0], 1024)
        self.assertLess(sizes[1], 400)


class DownloadTests(ModeZCase):
    def test_files_and_listings(self) -> None:
        """P-MODEZ-1: RETR, LIST, NLST and MLSD, each one stream; 150 has the file's size, 226 and the counts what went over the wire."""
        d = self.dialogue()
        replies, stream = d.fetch("RETR binary")
        self.assertEqual(TREE["binary"], zlib.decompress(stream))
        self.assertEqual(["150 Opening data connection (1024 bytes).", f"226 Transfer complete ({len(stream)} bytes, deflated)."], replies)
        self.assertEqual(len(stream), d.site.transcript.tally.octets["download"])
        self.assertEqual(b"", zlib.decompress(d.fetch("RETR empty")[1]))
        plain = {}
        for mode in "ZS":
            d.say(f"MODE {mode}")
            for line in ("LIST", "NLST", "MLSD pub", "LIST void"):
                octets = d.fetch(line)[1]
                self.assertEqual(plain.setdefault(line, zlib.decompress(octets) if mode == "Z" else b""), octets if mode == "S" else plain[line])

    def test_text(self) -> None:
        """P-MODEZ-1, P-TYPE-2: line ends are converted before."""
        d = self.dialogue()
        d.say("TYPE A")
        self.assertEqual(b"one\r\ntwo\r\n", zlib.decompress(d.fetch("RETR file.txt")[1]))

    def test_parts(self) -> None:
        """P-MODEZ-1: behind REST or RANG 554, before any data connection; the next transfer is of the whole file. ``REST 0`` is none."""
        d = self.dialogue()
        for first in ("REST 1", "RANG 0 3"):
            for line in ("RETR file.txt", "STOR file.txt", "APPE file.txt"):
                d.say(first)
                lease = d.passive()
                self.assertEqual([554], d.codes(line), f"{first}, {line}")
                self.assertTrue(lease.is_ended)
        d.say("REST 0")
        self.assertEqual(b"one\ntwo\n", zlib.decompress(d.fetch("RETR file.txt")[1]))

    def test_size(self) -> None:
        """P-MODEZ-1: SIZE is that of MODE S."""
        self.assertEqual(["213 1024"], self.dialogue().say("SIZE binary"))

    def test_file_gets_shorter(self) -> None:
        """P-DX-21: a stream that could not be made to its end has none."""
        d = self.dialogue()
        d.store.failing[("binary",)] = ValueError("no")
        d.store.good_octets = 100
        replies, stream = d.fetch("RETR binary")
        self.flushLoggedErrors(ValueError)
        self.assertEqual([150, 451], [int(reply[:3]) for reply in replies])
        inflater = zlib.decompressobj()
        inflater.decompress(stream)
        self.assertFalse(inflater.eof)
        self.assertTrue(d.pool.leases[-1].made.is_reset)  # type: ignore[union-attr]


class UploadTests(ModeZCase):
    def test_store(self) -> None:
        """P-MODEZ-1: STOR, APPE and STOU, cut anywhere; the counts are those of the wire."""
        d = self.dialogue()
        stream = zlib.compress(b"hello " * 1000)
        self.assertEqual(
            ["150 Opening data connection.", f"226 Transfer complete ({len(stream)} bytes, deflated)."], d.put("STOR new", stream[:7], stream[7:])
        )
        self.assertEqual(b"hello " * 1000, d.store.tree["new"])
        d.put("APPE file.txt", zlib.compress(b"three\n"))
        self.assertEqual(b"one\ntwo\nthree\n", d.store.tree["file.txt"])
        d.put("STOR empty2", zlib.compress(b""))
        self.assertEqual(b"", d.store.tree["empty2"])
        opening = d.put("STOU", zlib.compress(b"unique"))[0]
        self.assertEqual(b"unique", d.store.tree[opening.partition("FILE: ")[2]])
        d.say("TYPE A")
        d.put("STOR text", zlib.compress(b"a\r\nb\r\n"))
        self.assertEqual(b"a\nb\n", d.store.tree["text"])

    def test_bad_stream(self) -> None:
        """P-MODEZ-1: 451 for what is no stream, is damaged or not whole, in one clear line; the file is as it was, the session lives."""
        d = self.dialogue()
        stream = zlib.compress(b"hello " * 1000)
        cases = {
            "it is damaged, or none": (b"hello", stream[:10] + b"\xff" + stream[11:]),
            "its end is missing": (b"", stream[:-1]),
            "more octets follow its end": (stream + b"x",),
        }
        for why, octets in cases.items():
            for data in octets:
                pieces = (data,) if data else ()
                self.assertEqual(f"451 What came is no whole zlib stream: {why}. MODE S does without one.", d.put("STOR file.txt", *pieces)[-1])
        self.assertEqual(TREE, d.store.tree)
        self.assertEqual([], d.store.open)
        self.assertEqual(226, int(d.put("STOR file.txt", stream)[-1][:3]))

    def test_too_large(self) -> None:
        """P-MODEZ-1, P-SEC-18: the limit of uploads counts what is stored; the bomb goes off nowhere."""
        d = self.dialogue(request_filtering=RequestFiltering(max_content_length=5000))
        self.assertEqual(552, int(d.put("STOR file.txt", zlib.compress(bytes(100_000)))[-1][:3]))
        self.assertEqual(TREE, d.store.tree)
        self.assertEqual(226, int(d.put("STOR file.txt", zlib.compress(bytes(5000)))[-1][:3]))

    def test_bomb(self) -> None:
        """P-SEC-18: 552, and what to do, for what becomes too much of too little; the file is as it was."""
        self.patch(deflate, "FREE", 1000)
        d = self.dialogue()
        reply = d.put("STOR file.txt", zlib.compress(bytes(200_000)))[-1]
        self.assertEqual("552 What came inflates to too many times its size; send this file in MODE S.", reply)
        self.assertEqual(TREE, d.store.tree)

    def test_abort(self) -> None:
        """P-ABOR-2: ABOR ends it as it does any other, and no turn of the reactor is left over."""
        d = self.dialogue()
        connection = d.passive().connect()
        connection.give(zlib.compress(bytes(10_000_000)))
        d.send(b"STOR new\r\n")
        self.assertEqual(["150 Opening data connection."], d.heard())
        before = len(d.clock.getDelayedCalls())
        self.assertEqual([426, 226], d.codes("ABOR"))
        self.assertLess(len(d.clock.getDelayedCalls()), before)
        self.assertEqual(TREE, d.store.tree)

"""HASH and OPTS HASH."""

from __future__ import annotations

import hashlib
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue
from twistftp.storage import digests
from twistftp.storage.failures import ReadFailed


class HashTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(digests, "in_thread", lambda function, *arguments: succeed(function(*arguments)))
        self.d = Dialogue(self)
        self.d.login()

    def test_algorithms(self) -> None:
        """P-HASH-1, P-OPTS-4: algorithm, octets, hash in lower case, name; OPTS chooses and moves FEAT's mark."""
        content = b"one\ntwo\n"
        for name, function in (("SHA-256", "sha256"), ("SHA-512", "sha512"), ("SHA-1", "sha1"), ("MD5", "md5")):
            self.assertEqual([f"200 {name}"], self.d.say(f"OPTS HASH {name.lower()}"))
            self.assertEqual([f"213 {name} 0-7 {hashlib.new(function, content).hexdigest()} file.txt"], self.d.say("HASH file.txt"))
        self.assertIn(" HASH SHA-256;SHA-512;SHA-1;MD5*\n", self.d.say("FEAT")[0])
        self.assertEqual(["200 MD5"], self.d.say("OPTS HASH"))
        self.assertEqual([501], self.d.codes("OPTS HASH CRC-32"))
        self.d.say("REIN")
        self.assertIn(" HASH SHA-256*;", self.d.say("FEAT")[0])

    def test_empty(self) -> None:
        """P-HASH-1: ``0-0``."""
        self.assertEqual([f"213 SHA-256 0-0 {hashlib.sha256().hexdigest()} empty"], self.d.say("HASH empty"))

    def test_part(self) -> None:
        """P-HASH-1, P-STATE-14: RANG and REST are honoured and used up; 551 where there is nothing."""
        for marker, first, last in (("RANG 4 6", 4, 6), ("RANG 4 99", 4, 7), ("REST 4", 4, 7)):
            self.d.say(marker)
            part = hashlib.sha256(b"one\ntwo\n"[first : last + 1]).hexdigest()
            self.assertEqual([f"213 SHA-256 {first}-{last} {part} file.txt"], self.d.say("HASH file.txt"))
        self.assertIn(" 0-7 ", self.d.say("HASH file.txt")[0])
        self.d.say("REST 8")
        self.assertEqual([551], self.d.codes("HASH file.txt"))

    def test_refused(self) -> None:
        """P-HASH-1: 550 missing, 553 a directory, 501 without a name, 451 for a disk that fails."""
        self.d.store.failing[("binary",)] = ReadFailed()
        self.assertEqual([550, 553, 501, 451], self.d.codes("HASH none", "HASH pub", "HASH", "HASH binary"))
        self.assertEqual([], self.d.store.open)


class LongHashTests(SynchronousTestCase):
    """A file that takes long."""

    def setUp(self) -> None:
        self.waiting: list[tuple[Deferred[Any], Any]] = []
        self.patch(digests, "in_thread", self.in_thread)
        self.patch(digests, "_BLOCK", 2)
        self.patch(digests, "_lanes", DeferredSemaphore(1))
        self.d = Dialogue(self)
        self.d.login()

    def in_thread(self, function: Any, *arguments: Any) -> Deferred[Any]:
        result: Deferred[Any] = Deferred()
        self.waiting.append((result, function(*arguments)))
        return result

    def step(self) -> None:
        result, value = self.waiting.pop(0)
        result.callback(value)

    def test_progress(self) -> None:
        """P-HASH-1, P-STAT-2: it goes on piece by piece; STAT says how far, everything else waits."""
        self.assertEqual([], self.d.say("HASH file.txt"))
        self.step()
        self.assertEqual(["213 Status: 2 of 8 bytes hashed"], self.d.say("STAT"))
        self.assertEqual([], self.d.say("NOOP"))
        while self.waiting:
            self.step()
        self.assertEqual([213, 200], [int(reply[:3]) for reply in self.d.hear()])

    def test_abort(self) -> None:
        """P-SEC-18, P-PIPE-3: ABOR stops it behind the piece at hand: 450 and 226."""
        self.d.say("HASH file.txt")
        self.assertEqual([], self.d.say("ABOR"))
        self.step()
        self.assertEqual([450, 226], [int(reply[:3]) for reply in self.d.hear()])
        self.assertEqual([], self.waiting)
        self.assertEqual([], self.d.store.open)

    def test_abort_in_the_queue(self) -> None:
        """P-SEC-18, P-PIPE-3: and at once if its turn has not come."""
        self.d.say("HASH file.txt")
        other = self.d.another()
        other.login()
        other.say("HASH file.txt")
        self.assertEqual([450, 226], other.codes("ABOR"))
        while self.waiting:
            self.step()
        self.assertEqual([213], [int(reply[:3]) for reply in self.d.hear()])
        self.assertEqual([], self.d.store.open)

    def test_gone(self) -> None:
        """P-SEC-18: so does the end of the session."""
        self.d.say("HASH file.txt")
        self.d.leave()
        self.assertEqual([], self.d.store.open)

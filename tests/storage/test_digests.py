"""``storage.digests``."""

from __future__ import annotations

import hashlib
import os

from twisted.internet.defer import CancelledError, DeferredSemaphore, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.storage.threads import Threads
from tests.support.transports import MemoryFile
from twistftp.storage import digests
from twistftp.storage.digests import ALGORITHMS, Digest
from twistftp.storage.files import LocalFile


class DigestTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.content = os.urandom(3_000_000)
        self.path = self.mktemp()
        with open(self.path, "wb") as file:
            file.write(self.content)
        self.threads = Threads()
        self.file = LocalFile(os.open(self.path, os.O_RDONLY), len(self.content), self.threads)
        self.addCleanup(self.file.close)

    def run_all(self, digest: Digest) -> str:
        while digest.octets < digest.count:
            piece = digest.go_on()
            self.threads.run()
            if not self.successResultOf(piece):
                break
        return digest.hexadecimal

    def test_local(self) -> None:
        """P-HASH-1: every algorithm, of a part and of all, in pieces that are hashed in threads."""
        self.patch(digests, "PIECE", 1_000_000)
        for name, function in ALGORITHMS.items():
            for first, count in ((0, 3_000_000), (17, 2_000_001), (5, 0)):
                digest = Digest(name, self.file, first, count)
                self.assertEqual(hashlib.new(function, self.content[first : first + count]).hexdigest(), self.run_all(digest))

    def test_cut(self) -> None:
        """A file that has become shorter gives nothing more."""
        os.truncate(self.path, 1000)
        digest = Digest("MD5", self.file, 0, 3_000_000)
        self.run_all(digest)
        self.assertEqual(1000, digest.octets)

    def test_a_few_at_once(self) -> None:
        """P-SEC-18: however many hashes are wanted, few threads are at work on them; who gives up leaves the place when the thread is done."""
        self.patch(digests, "PIECE", 1_000_000)
        self.patch(digests, "_lanes", DeferredSemaphore(2))
        pieces = [Digest("MD5", self.file, 0, 3_000_000).go_on() for _ in range(5)]
        self.assertEqual(2, len(self.threads.calls))
        for given_up in (pieces[1], pieces[3]):
            given_up.cancel()
            self.failureResultOf(given_up, CancelledError)
        self.assertEqual(2, len(self.threads.calls))
        self.threads.run()
        self.assertEqual(1_000_000, self.successResultOf(pieces[0]))
        self.threads.run()
        self.assertEqual([1_000_000] * 2, [self.successResultOf(pieces[number]) for number in (2, 4)])
        self.assertEqual(2, digests._lanes.tokens)

    def test_closed(self) -> None:
        """A file that was closed fails, and nobody else waits for that."""
        self.patch(digests, "_lanes", DeferredSemaphore(1))
        self.file.close()
        self.failureResultOf(Digest("MD5", self.file, 0, 10).go_on(), ValueError)
        self.assertEqual(1, digests._lanes.tokens)

    def test_others(self) -> None:
        """A file that is not read in threads is hashed in them all the same."""
        digest = Digest("SHA-1", MemoryFile(self.content), 1, 2_500_000, lambda function, *arguments: succeed(function(*arguments)))
        self.assertEqual(hashlib.sha1(self.content[1:2_500_001]).hexdigest(), self.run_all(digest))

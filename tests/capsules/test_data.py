"""Tests of captured data connections: how many octets, which, and how they ended."""

import hashlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.capsules.support import Captured, capture
from twistftp.capsules.data import KEPT, plain_verdict, verdict_of
from twistftp.capsules.format import unpacked
from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.storage.failures import DiskFull

LARGE = bytes(range(256)) * 100
TREE = {"file.txt": b"one\ntwo\n", "large": LARGE, "pub": {"a": b"a"}}


class DataTests(SynchronousTestCase):
    """:class:`CapturedPort` and :class:`CapturedConnection`."""

    def begin(self, **options: Any) -> Captured:
        captured = capture(self, TREE, writable=True, **options)
        captured.client.login("alice", "secret")
        return captured

    def data_of(self, captured: Captured) -> list[Any]:
        return [{key: value for key, value in event.items() if key != "t"} for event in captured.capsule.events if "data" in event]

    def test_download(self) -> None:
        """Opened; then the octets with their digest, and the FIN."""
        captured = self.begin()
        captured.client.say("TYPE I")
        _, octets = captured.client.fetch("RETR file.txt")
        self.assertEqual(b"one\ntwo\n", octets)
        opened, ended = self.data_of(captured)
        self.assertEqual({"data": 1, "opened": True, "private": False}, opened)
        sent = {"octets": 8, "sha256": hashlib.sha256(octets).hexdigest(), "text": "one\ntwo\n"}
        self.assertEqual({"data": 1, "ended": "FIN", "sent": sent}, ended)

    def test_upload(self) -> None:
        """The same of what came; the file is stored as ever."""
        captured = self.begin()
        captured.client.say("TYPE I")
        self.assertEqual(["150", "226"], [reply[:3] for reply in captured.client.put("STOR new", b"ab", b"cd")])
        self.assertEqual(b"abcd", captured.dialogue.store.tree["new"])
        _, ended = self.data_of(captured)
        self.assertEqual((4, "abcd"), (ended["received"]["octets"], ended["received"]["text"]))

    def test_large(self) -> None:
        """Only the beginning is kept, and the digest is of all."""
        captured = self.begin()
        captured.client.say("TYPE I")
        captured.client.fetch("RETR large")
        sent = self.data_of(captured)[1]["sent"]
        self.assertEqual((len(LARGE), hashlib.sha256(LARGE).hexdigest()), (sent["octets"], sent["sha256"]))
        self.assertEqual(LARGE[:KEPT], unpacked(sent))

    def test_numbers(self) -> None:
        """Each transfer has a number; a port that no transfer used has none."""
        captured = self.begin()
        captured.client.passive()
        captured.client.fetch("LIST")
        captured.client.fetch("NLST")
        self.assertEqual([1, 1, 2, 2], [event["data"] for event in self.data_of(captured)])

    def test_failures(self) -> None:
        """Why one never came, or was lost, with all that the reply says."""
        captured = self.begin()
        client = captured.client
        lease = client.passive()
        client.say("LIST")
        lease.never_comes()
        client.hear()
        connection = client.passive().connect()
        connection.is_slow = True
        client.say("RETR file.txt")
        connection.move()
        connection.lose()
        client.hear()
        failed, opened, ended = self.data_of(captured)
        self.assertEqual({"cause": "NEVER_ARRIVED", "port": 50000, "seconds": 30.0, "range": "50000-50100"}, failed["failed"])
        self.assertEqual((True, "LOST"), (opened["opened"], ended["ended"]["cause"]))

    def test_aborted(self) -> None:
        """ABOR while the client is waited for, and while octets move."""
        captured = self.begin()
        client = captured.client
        client.passive()
        client.say("LIST")
        client.say("ABOR")
        connection = client.passive().connect()
        connection.is_slow = True
        client.say("RETR file.txt")
        client.say("ABOR")
        ends = [event.get("failed") or event["ended"] for event in self.data_of(captured) if "opened" not in event]
        self.assertEqual(["ABORTED", "ABORTED"], [end["cause"] for end in ends])

    def test_unused(self) -> None:
        """A connection that the server did not use after all."""
        captured = self.begin()
        port = captured.client.passive()
        port.connect().is_private = True  # as if PROT had come between
        captured.client.say("LIST")
        self.assertEqual([True, "unused"], [event.get("opened") or event["ended"] for event in self.data_of(captured)])

    def test_active(self) -> None:
        """Active mode is the same."""
        captured = self.begin()
        captured.client.say("PORT 192,0,2,9,200,0", "NLST")
        captured.dialogue.active_ports[-1].connect()
        captured.client.hear()
        self.assertEqual("file.txt\r\nlarge\r\npub\r\n", self.data_of(captured)[1]["sent"]["text"])

    def test_refused_by_the_store(self) -> None:
        """A disk that is full ends it."""
        captured = self.begin()
        captured.dialogue.store.upload_error = DiskFull()
        captured.client.put("STOR new", b"abc")
        self.assertEqual("refused", self.data_of(captured)[1]["ended"])
        self.assertEqual([("write", "/new", "DiskFull")], [(e["refuses"], e["path"], e["as"]) for e in captured.capsule.events if "refuses" in e])


class VerdictTests(SynchronousTestCase):
    """Verdicts as values of JSON."""

    NUMBERS = st.integers(0, 9)

    @given(st.builds(Verdict, st.sampled_from(Cause), port=NUMBERS, range=st.text(max_size=3), seconds=st.floats(0, 9), octets=NUMBERS))
    def test_round_trip(self, verdict: Verdict) -> None:
        """All of a verdict comes back."""
        self.assertEqual(verdict, verdict_of(plain_verdict(verdict)))

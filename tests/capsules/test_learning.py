"""Tests of what a capsule learns of the tree: each thing once, and what the session changed is marked."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.support.memory import MODIFIED, MemoryStore
from tests.support.trees import Link
from twistftp.capsules.learning import LearningStore, Learnt, plain_entry
from twistftp.capsules.nodes import entry_of
from twistftp.policy.denials import Denial, Reason
from twistftp.storage.failures import NotFound, PermissionDenied, ReadFailed
from twistftp.storage.refusals import Refused
from twistftp.wire.entries import Entry

TREE = {"file": b"content", "pub": {"a": b"a", "deep": {}}, "link": Link("/pub/a")}


class _Capsule:
    is_over = False

    def __init__(self) -> None:
        self.noted: list[Any] = []
        self.note = self.noted.append


class LearningStoreTests(SynchronousTestCase):
    """:class:`LearningStore`."""

    def setUp(self) -> None:
        self.behind = MemoryStore(TREE, writable=True)
        self.capsule = _Capsule()
        self.store: Any = LearningStore(self.behind, self.capsule, Learnt())  # type: ignore[arg-type]

    def paths(self) -> list[str]:
        return [event["tree"] for event in self.capsule.noted if "tree" in event and "at" not in event]

    def test_status(self) -> None:
        """What was asked for, once, and again when it has changed."""
        for _ in range(2):
            self.assertEqual(self.behind.status(("file",)), self.store.status(("file",)))
        self.assertEqual(["/file"], self.paths())
        self.behind.modified["file",] = MODIFIED + 1
        self.store.status(("file",))
        self.assertEqual(["/file", "/file"], self.paths())

    def test_listing(self) -> None:
        """A directory with all that is in it."""
        listing = self.store.listing(("pub",))
        while listing.next_batch():
            pass
        listing.close()
        self.assertEqual(["/pub", "/pub/a", "/pub/deep"], self.paths())

    def test_reading(self) -> None:
        """A file with what was read of it, once; a descriptor is not given away, for nobody would see what it sends."""
        for _ in range(2):
            file = self.store.open_file(("file",))
            self.assertIs(None, file.descriptor)
            self.assertEqual((7, b"ten"), (file.size, file.read_at(3, 3)))
            file.close()
        self.assertEqual(["/file"], self.paths())
        self.assertEqual([(3, "ten")], [(event["at"], event["text"]) for event in self.capsule.noted if "at" in event])
        self.assertEqual([], self.behind.open)

    def test_changes(self) -> None:
        """What is changed is looked at before, and marked after."""
        self.store.remove_file(("file",))
        self.store.move(("pub", "a"), ("b",), replace=False)
        self.store.make_directory(("made",))
        self.assertEqual(["/", "/file", "/pub", "/pub/a"], self.paths())
        self.store.status(("b",))
        self.store.status(("made",))
        self.assertEqual([("/b", True), ("/made", True)], [(event["tree"], event.get("later")) for event in self.capsule.noted[-2:]])

    def test_upload(self) -> None:
        """The directory of an upload, and what it replaces; its content comes from the client."""
        upload = self.store.open_upload(("pub", "a"), offset=0, in_place=False, is_part=False)
        upload.write(b"new")
        self.successResultOf(upload.finish()) if isinstance(upload.finish, Deferred) else upload.finish()
        self.assertEqual(["/pub", "/pub/a"], self.paths())
        file = self.store.open_file(("pub", "a"))
        self.assertEqual(b"new", file.read_at(0, 9))
        self.assertEqual([], [event for event in self.capsule.noted if "at" in event])

    def test_failures(self) -> None:
        """What the tree cannot explain: rights, rules, disks. That something is not there it can."""
        self.behind.denied.add(("pub",))
        self.assertRaises(PermissionDenied, self.store.listing, ("pub",))
        self.assertRaises(NotFound, self.store.status, ("none",))
        self.behind.failing["file",] = ReadFailed("Input/output error")
        self.assertRaises(ReadFailed, self.store.open_file(("file",)).read_at, 0, 1)
        self.behind.raising = Refused(Denial(Reason.EXTENSION, ".exe"))
        self.assertRaises(Refused, self.store.set_mode, ("x",), 0o600)
        refused = [{key: value for key, value in event.items() if key != "refuses"} for event in self.capsule.noted if "refuses" in event]
        expected = [
            {"path": "/pub", "as": "PermissionDenied"},
            {"path": "/file", "as": "ReadFailed", "text": "Input/output error"},
            {"path": "/x", "as": "Refused", "reason": "EXTENSION"},
        ]
        self.assertEqual(expected, refused)

    def test_deferred(self) -> None:
        """A store that takes its time is learnt from as well."""
        self.behind.is_slow = True
        listing = self.store.listing(("pub",))
        self.behind.release()
        self.behind.release()
        batch = self.successResultOf(listing).next_batch()
        self.behind.release()
        self.assertEqual(["a", "deep"], [entry.name for entry in self.successResultOf(batch)])
        waiting = self.store.status(("none",))
        self.behind.release()
        self.failureResultOf(waiting, NotFound)
        self.assertEqual(["/pub", "/pub/a", "/pub/deep"], self.paths())

    def test_full_capsule(self) -> None:
        """When the capsule is over nothing more is remembered."""
        self.capsule.is_over = True
        self.store.status(("file",))
        self.assertEqual([], self.paths())

    def test_the_rest(self) -> None:
        """Everything else is the store's own."""
        self.assertEqual((True, True, self.behind.facts), (self.store.writable, self.store.restartable, self.store.facts))
        self.assertEqual(10**6, self.store.free_space(()))
        self.assertEqual({"free": 10**6, "path": "/"}, self.capsule.noted[-1])


class EntryTests(SynchronousTestCase):
    """Entries as values of JSON."""

    ENTRIES = st.builds(
        Entry, st.text(max_size=3), st.integers(0, 0o177777), st.integers(0, 99), st.floats(0, 2e9), st.integers(0, 3), perm=st.text(max_size=2)
    )

    @given(ENTRIES, st.none() | ENTRIES, st.none() | st.text(max_size=2))
    def test_round_trip(self, entry: Entry, resolved: Entry | None, target: str | None) -> None:
        """All of an entry comes back, what a link leads to as well."""
        entry = entry._replace(resolved=resolved, target=target)
        self.assertEqual(entry, entry_of(entry.name, plain_entry(entry)))

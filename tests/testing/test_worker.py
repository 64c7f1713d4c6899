"""The inside of the process of sites, where a test from outside does not come."""

from __future__ import annotations

import json
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from twistftp.policy.settings import SiteSettings
from twistftp.storage.failures import Busy, NotFound, ObjectExists, StorageError
from twistftp.storage.interfaces import IFileStore, IListing, IOpenFile, IUpload
from twistftp.testing.worker.armed import Armoury
from twistftp.testing.worker.host import Host
from twistftp.testing.worker.memory import MemoryTree
from twistftp.testing.worker.memory_store import MemoryStore
from twistftp.testing.worker.site import FaultySite


class StoreTests(SynchronousTestCase):
    """Files in memory."""

    def setUp(self) -> None:
        self.now = 100.0
        self.tree = MemoryTree(lambda: self.now)
        self.tree.plant({"a": b"0123", "d/e": None})
        self.store = MemoryStore(self.tree, writable=True)

    def test_interfaces(self) -> None:
        """It is what the session asks for."""
        verifyObject(IFileStore, self.store)
        verifyObject(IListing, self.store.listing(()))
        verifyObject(IOpenFile, self.store.open_file(("a",)))
        verifyObject(IUpload, self.store.open_upload(("a",)))

    def test_two_uploads_of_one_file(self) -> None:
        """In its own place it is busy; else both are whole, and the last one stays."""
        first = self.store.open_upload(("a",), in_place=True)
        first.write(b"x")
        self.assertTrue(self.store.open_file(("a",)).is_being_uploaded)
        self.assertRaises(Busy, self.store.open_upload, ("a",))
        self.assertRaises(Busy, self.store.remove_file, ("a",))
        self.assertEqual(1, first.abandon())
        self.assertIsNone(first.abandon())
        one, other = self.store.open_upload(("a",)), self.store.open_upload(("a",))
        one.write(b"one")
        other.write(b"other")
        self.assertEqual(b"x", self.tree.file(("a",)).content)
        other.finish()
        one.finish()
        self.assertEqual(b"one", self.tree.file(("a",)).content)
        self.assertRaises(ValueError, one.write, b"more")

    def test_a_new_name_that_is_taken_meanwhile(self) -> None:
        upload = self.store.open_unique(("new",))
        self.tree.plant({"new": b"other"})
        self.assertRaises(ObjectExists, upload.finish)
        self.assertEqual(b"other", self.tree.file(("new",)).content)

    def test_a_directory_that_goes_meanwhile(self) -> None:
        upload = self.store.open_upload(("d", "e", "f"))
        upload.write(b"x")
        self.tree.discard(("d",))
        self.assertRaises(NotFound, upload.finish)

    def test_times(self) -> None:
        """A directory changes when its names do."""
        self.now = 200.0
        self.store.make_directory(("d", "new"))
        self.assertEqual([100, 200], [self.store.status(path).modified for path in (("d", "e"), ("d",))])

    def test_failures_change_nothing(self) -> None:
        before = [(path, node.number) for path, node in self.tree.walk()]
        moves = ((("d",), ("d", "e", "f")), ((), ("x",)), (("a",), ()), (("missing",), ("x",)), (("d",), ("a",)))
        for path, to in moves:
            self.assertRaises(StorageError, self.store.move, path, to, replace=True)
        self.assertEqual(before, [(path, node.number) for path, node in self.tree.walk()])
        self.store.move(("a",), ("a",), replace=False)


class LogTests(TestCase):
    def test_what_nobody_expects(self) -> None:
        """A defect of the site is in its log with the traceback, so the test's author sees whose fault it is."""
        site = FaultySite(SiteSettings("/", address="127.0.0.1"), Portal(None), Armoury(), reactor=reactor)
        self.addCleanup(site.let_go)
        try:
            raise ZeroDivisionError("a defect")
        except ZeroDivisionError:
            site.log.failure("unexpected error in {line!r}", line="LIST")
        self.assertEqual("unexpected error in 'LIST'", site.lines[0])
        self.assertIn("builtins.ZeroDivisionError: a defect", site.lines[-1])


class HostTests(SynchronousTestCase):
    """Questions and answers."""

    def answer(self, **question: Any) -> dict[str, Any]:
        host, transport = Host(reactor), StringTransport()
        host.makeConnection(transport)  # type: ignore[arg-type]
        host.dataReceived(json.dumps({"id": 7, **question}).encode() + b"\n")
        return json.loads(transport.value())  # type: ignore[no-any-return]

    def test_answers(self) -> None:
        self.assertEqual({"id": 7, "result": None}, self.answer(do="ping"))
        self.assertIn("BEGIN CERTIFICATE", self.answer(do="authority")["result"])

    def test_failures(self) -> None:
        """What cannot be is an answer, too."""
        for question in ({"do": "dance"}, {"do": "log", "site": 3}, {"do": "ping", "more": 1}):
            answer = self.answer(**question)
            self.assertEqual((7, "RuntimeError"), (answer["id"], answer["kind"]))
            self.assertTrue(answer["error"])

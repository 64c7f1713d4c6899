"""Tests of a replay's files: what is known of their content, and what is not."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.capsules.data import KEPT
from twistftp.capsules.nodes import Node
from twistftp.wire.entries import Entry

FILE = Entry("x", 0o100644, 0, 0.0)


class NodeTests(SynchronousTestCase):
    """:class:`Node`."""

    @given(st.lists(st.tuples(st.integers(0, 60), st.binary(min_size=1, max_size=20)), max_size=6), st.integers(0, 90), st.integers(0, 90))
    def test_like_a_file(self, writes: list[tuple[int, bytes]], offset: int, count: int) -> None:
        """What is written is there, and whether all of a part was written is known."""
        node, model, known = Node(FILE), bytearray(), set()
        for at, data in writes:
            node.put(at, data)
            model += bytes(max(0, at + len(data) - len(model)))
            model[at : at + len(data)] = data
            known |= set(range(at, at + len(data)))
        there = range(offset, min(offset + count, len(model)))
        self.assertEqual((bytes(model[offset : offset + count]), set(there) <= known), node.read(offset, count))

    def test_large(self) -> None:
        """Only the beginning is held; the size is right."""
        node = Node(FILE)
        node.put(0, b"x" * (KEPT + 10))
        node.put(KEPT + 10, b"y")
        self.assertEqual((KEPT + 11, KEPT), (node.size, len(node.head)))
        self.assertEqual((b"x" + bytes(2), False), node.read(KEPT - 1, 3))
        self.assertEqual((b"xx", True), node.read(0, 2))

    def test_cut(self) -> None:
        """A file that is cut ends there."""
        node = Node(FILE, b"content")
        node.cut(3)
        self.assertEqual((b"con", True), node.read(0, 9))
        node.cut(5)
        self.assertEqual((b"con\0\0", False), node.read(0, 9))

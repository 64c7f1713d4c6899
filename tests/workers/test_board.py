"""Tests of ``workers.board``: numbers that several processes share."""

from __future__ import annotations

import os
import signal
from itertools import islice

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from hypothesis.strategies import integers, sampled_from
from twisted.trial.unittest import SynchronousTestCase

from twistftp.workers.board import Board


class Model(RuleBasedStateMachine):
    """Any order of writing and clearing, against a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.board = Board(3, buckets=2)  # full buckets are common
        self.rows: dict[str, list[int]] = {}

    @rule(name=sampled_from([f"row {number}" for number in range(60)]), column=integers(0, 2), value=sampled_from([0, 0, 1, 2**32 - 1]))
    def write(self, name: str, column: int, value: int) -> None:
        with self.board.locked():
            is_written = self.board.write(name, column, value)
        if not is_written:
            assert name not in self.rows, "a row that is there can be written"
            assert value, "nothing can always be written"
            assert len(self.rows) >= 16, "only a full bucket refuses"
            return
        row = self.rows.setdefault(name, [0, 0, 0])
        row[column] = value
        if not any(row):
            del self.rows[name]

    @rule(column=integers(0, 2))
    def clear(self, column: int) -> None:
        self.board.clear(column)
        for name, row in list(self.rows.items()):
            row[column] = 0
            if not any(row):
                del self.rows[name]

    @invariant()
    def same(self) -> None:
        for number in range(60):
            name = f"row {number}"
            assert self.board.read(name) == tuple(self.rows.get(name, (0, 0, 0))), name


class BoardTests(SynchronousTestCase):
    """The board of workers."""

    def test_model(self) -> None:
        """It is a table; a free row of a full bucket is used again."""
        run_state_machine_as_test(Model, settings=settings(max_examples=30, stateful_step_count=60, deadline=None))

    def test_numbers(self) -> None:
        """Sessions of different workers, and of one and its successor, never have one number; they begin with 1."""
        board = Board(3)
        drawn = [list(islice(board.numbers(column), 4)) for column in range(3)]
        again = list(islice(board.numbers(1), 4))
        numbers = [number for some in (*drawn, again) for number in some]
        self.assertEqual(16, len(set(numbers)))
        self.assertEqual(1, min(numbers))

    def test_processes(self) -> None:
        """What a child writes is read here; one that is killed with the lock in its hand does not keep it."""
        board = Board(2)
        read, write = os.pipe()
        child = os.fork()
        if not child:
            try:
                with board.locked():
                    board.write("x", 1, 7)
                    os.write(write, b"!")
                    signal.pause()
            finally:
                os._exit(1)
        self.assertEqual(b"!", os.read(read, 1))
        os.close(read)
        os.close(write)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with board.locked():
            self.assertEqual((0, 7), board.read("x"))
        board.clear(1)
        self.assertEqual((0, 0), board.read("x"))

"""Tests for ``twistftp.transport.deadlines``."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twistftp.transport.deadlines import Deadlines


class Item:
    """Remembers when it was asked and answers from a list."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def expire(self, now):
        self.asked.append(now)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


class DeadlinesTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock)

    def test_asked_at_its_time(self):
        """An item is asked at most one resolution after its time, and not before."""
        item = Item()
        self.deadlines.watch(item, 3.2)
        self.clock.advance(3.2)
        self.assertEqual([], item.asked)
        self.clock.advance(0.3)
        self.assertEqual([3.5], item.asked)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_one_call_for_all(self):
        """However many items there are, one delayed call is pending."""
        for when in range(100):
            self.deadlines.watch(Item(), when)
        self.assertEqual(1, len(self.clock.getDelayedCalls()))

    def test_answer_moves_it(self):
        """The answer is the next time; None is the end."""
        item = Item(10.0, None)
        self.deadlines.watch(item, 1)
        self.clock.pump([1, 8.9, 0.2, 50])
        self.assertEqual(2, len(item.asked))
        self.assertEqual(0, len(self.deadlines))

    def test_later_is_free_and_earlier_moves(self):
        """A later deadline changes nothing, an earlier one counts."""
        item = Item(100.0)
        self.deadlines.watch(item, 5)
        self.deadlines.watch(item, 100)
        self.clock.advance(5)
        self.assertEqual([5], item.asked)
        self.deadlines.watch(item, 7)
        self.clock.advance(2)
        self.assertEqual([5, 7], item.asked)

    def test_big_step_asks_each_once(self):
        """A clock that jumps asks each due item once."""
        items = [Item() for _ in range(20)]
        for when, item in enumerate(items):
            self.deadlines.watch(item, when)
        self.clock.advance(1000)
        self.assertEqual([[1000.0]] * 20, [item.asked for item in items])

    def test_past_answer_waits_a_tick(self):
        """An item that answers with a time gone by is asked again in the next bucket, not at once."""
        item = Item(0.0, 0.0, None)
        self.deadlines.watch(item, 1)
        self.clock.advance(1)
        self.assertEqual(1, len(item.asked))
        self.clock.advance(0.5)
        self.clock.advance(0.5)
        self.assertEqual(3, len(item.asked))

    def test_forget_last_cancels(self):
        """With nothing to watch no delayed call is pending; what is forgotten is not asked."""
        first, second = Item(), Item()
        self.deadlines.watch(first, 1)
        self.deadlines.watch(second, 2)
        self.deadlines.forget(first)
        self.deadlines.forget(first)
        self.assertEqual(1, len(self.clock.getDelayedCalls()))
        self.deadlines.forget(second)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_forget_from_within(self):
        """An item forgotten by another one of its bucket is not asked."""
        other = Item()

        class Forgetful(Item):
            def expire(inner, now):
                self.deadlines.forget(other)

        self.deadlines.watch(Forgetful(), 1)
        self.deadlines.watch(other, 1)
        self.clock.advance(1)
        self.assertEqual([], other.asked)
        self.assertEqual(0, len(self.deadlines))

    def test_error_does_not_stop_others(self):
        """An item that raises is logged and dropped; the next is asked."""
        other = Item()
        self.deadlines.watch(Item(ValueError("broken")), 1)
        self.deadlines.watch(other, 1)
        self.clock.advance(1)
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))
        self.assertEqual([1], other.asked)

    @settings(deadline=None, derandomize=True, max_examples=60)
    @given(st.lists(st.tuples(st.sampled_from("wfa"), st.integers(0, 5), st.floats(0, 30)), max_size=40))
    def test_model(self, steps):
        """Whatever is watched and forgotten in whatever order, a deadline is met within a resolution and no call is left over."""
        clock = Clock()
        deadlines = Deadlines(clock)
        items = [Item() for _ in range(6)]
        due = {}
        for step, number, amount in steps:
            item = items[number]
            if step == "w":
                when = clock.seconds() + amount
                due[item] = min(when, due.get(item, when))
                deadlines.watch(item, when)
            elif step == "f":
                due.pop(item, None)
                deadlines.forget(item)
            else:
                clock.advance(amount)
            for item in items:
                if item.asked:
                    self.assertLessEqual(due.pop(item) - 1e-9, item.asked.pop())
                    self.assertEqual([], item.asked)
            for when in due.values():
                self.assertLess(clock.seconds(), when + 0.5 + 1e-9)
            self.assertEqual(len(due), len(deadlines))
        clock.advance(100)
        self.assertEqual([], clock.getDelayedCalls())

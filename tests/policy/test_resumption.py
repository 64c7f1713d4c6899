"""Tests of ``twistftp.policy.resumption``: honest clients that do not always resume, and others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.resumption import Habits

TRANSFERS = st.lists(st.booleans(), max_size=30)
"""Whether each is an upload."""


class Client:
    """
    One that begins with the tickets of its control connection.

    :param keeps: how many tickets it keeps, the newest first; ``None``: those of the control connection alone, and one of them.
    :param has_one_use: whether it uses none twice.
    """

    def __init__(self, keeps: int | None, has_one_use: bool) -> None:
        self.habits = Habits()
        self._keeps, self._has_one_use = keeps, has_one_use
        self._tickets = min(2, keeps or 1)

    def is_let_in(self, is_upload: bool, port: int = 0) -> bool:
        """Make a transfer."""
        habits = self.habits
        if self._tickets:
            habits.resumed(port)
            self._tickets -= self._has_one_use
            brings = 1
        else:
            if habits.is_held_to and not habits.may_have_none():
                return False
            habits.did_not(port)
            brings = 2
        if not is_upload:
            habits.tickets_sent()
            if self._keeps:
                self._tickets = min(self._keeps, self._tickets + brings)
        return True


class HabitsTests(SynchronousTestCase):
    @given(st.sampled_from([None, 1, 2, 10]), TRANSFERS)
    def test_one_use(self, keeps: int | None, uploads: list[bool]) -> None:
        """P-TD-9: who uses no ticket twice is let in whatever it transfers, and however many it keeps."""
        client = Client(keeps, has_one_use=True)
        for is_upload in uploads:
            self.assertTrue(client.is_let_in(is_upload))

    @given(TRANSFERS)
    def test_several_uses(self, uploads: list[bool]) -> None:
        """P-TD-8: who has shown that it uses tickets again always has one: what offers none is not this client's."""
        client = Client(1, has_one_use=False)
        for is_upload in uploads:
            client.is_let_in(is_upload)
        for _ in range(3):
            client.is_let_in(is_upload=True)
        self.assertEqual((True, False), (client.habits.is_held_to, client.habits.may_have_none()))

    def test_downloads(self) -> None:
        """P-TD-8: who has resumed twice, and was given tickets since, has one, too."""
        client = Client(1, has_one_use=True)
        client.is_let_in(is_upload=False)
        client.is_let_in(is_upload=False)
        self.assertFalse(client.habits.may_have_none())

    @given(st.lists(st.tuples(st.integers(50000, 50004), st.booleans()), max_size=30))
    def test_by_port(self, transfers: list[tuple[int, bool]]) -> None:
        """P-TD-9: who keeps the tickets of each port for themselves is never held to a habit."""
        habits, kept = Habits(), set[int]()
        for port, is_upload in transfers:
            if port in kept:
                habits.resumed(port)
            else:
                habits.did_not(port)
            if not is_upload:
                habits.tickets_sent()
                kept.add(port)
            self.assertFalse(habits.is_held_to)

    def test_late_ticket(self) -> None:
        """P-TD-8: who had no ticket yet at the first port, and resumes at another, is held to it."""
        habits = Habits()
        habits.did_not(50000)
        self.assertFalse(habits.is_held_to)
        habits.resumed(50001)
        self.assertTrue(habits.is_held_to)

"""Tests of how a difference is shown: what differs is always to be seen, on one line."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.capsules.comparing import normal
from twistftp.capsules.difference import shortened, side_by_side

REPLIES = st.one_of(
    st.text(max_size=600),
    st.lists(st.sampled_from(["a", "b", "x" * 300, "x" * 300 + "y", "227 (1,2,3,4,5,6)"]), max_size=6).map("\n".join),
)


class SideBySideTests(SynchronousTestCase):
    """:func:`side_by_side` and :func:`shortened`."""

    @given(REPLIES, REPLIES)
    def test_difference_is_seen(self, then: str, now: str) -> None:
        """Of two replies that differ two different lines are shown, in ASCII and not too long."""
        shown = side_by_side(then, now)
        if normal(then) != normal(now):
            self.assertNotEqual(*shown)
        for line in shown:
            self.assertTrue(line.isascii() and (not line or line.isprintable()), line)
            self.assertLess(len(line), 200 * len("\\U0010ffff") + 7)

    def test_lines(self) -> None:
        """Of several lines the first that differs; one that is not there is said to be missing."""
        self.assertEqual(("line 2:  B", "line 2:  C"), side_by_side("211-A\n B\n D\n211 E", "211-A\n C\n D\n211 E"))
        self.assertEqual(("line 3:  C", "line 3: 211 E"), side_by_side("211-A\n B\n C\n211 E", "211-A\n B\n211 E"))
        self.assertEqual(("only 2 lines", "line 3: c"), side_by_side("a\nb", "a\nb\nc"))

    def test_rules(self) -> None:
        """What may differ is passed over: it is the next line that is shown."""
        then, now = (f"211-A\n Control connection: TLSv1.3 {cipher}; x\n {last}\n211 E" for cipher, last in (("A", "1"), ("B", "2")))
        self.assertEqual(("line 3:  1", "line 3:  2"), side_by_side(then, now))
        then, now = (f"250-L\n modify={time};perm=r;size={size}; /a\n250 E" for time, size in ((1, 2), (3, 4)))
        self.assertEqual(("line 2:  modify=1;perm=r;size=2; /a", "line 2:  modify=3;perm=r;size=4; /a"), side_by_side(then, now, is_other=True))

    def test_long(self) -> None:
        """Of a long line the part that differs."""
        then, now = side_by_side("250 " + "x" * 500 + "A" + "z" * 500, "250 " + "x" * 500 + "B" + "z" * 500)
        self.assertEqual(f"...{'x' * 60}A{'z' * 139}...", then)
        self.assertEqual(f"...{'x' * 60}B{'z' * 139}...", now)

    def test_shortened(self) -> None:
        """The lines before a difference."""
        self.assertEqual("211-A / \\udce9\\t / 211 E", shortened("211-A\n\udce9\t\n211 E"))
        self.assertEqual("x" * 200 + "...", shortened("x" * 201))

"""``wire.forms``, and the time for which lines of ``wire.unix_form`` are right."""

from __future__ import annotations

import stat
from math import inf

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.wire.entries import ALL_FACTS, DEFAULT_FACTS, Entry, facts_line, facts_lines, ms_dos_lines
from twistftp.wire.forms import NAMES, DosForm, FactsForm
from twistftp.wire.timeval import RECENT
from twistftp.wire.unix_form import UnixForm

SECONDS = st.integers(-(10**10), 10**12)
NAME = st.text(st.characters(blacklist_characters="/\r\n\0", blacklist_categories=("Cs",)), min_size=1, max_size=9)
KINDS = st.sampled_from((stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO))
MODES = KINDS.flatmap(lambda kind: st.integers(0, 0o7777).map(lambda bits: kind | bits))
ENTRIES = st.builds(
    lambda name, mode, size, modified, perm: Entry(name, mode, size, modified, unique="a1", perm=perm),
    *(NAME, MODES, st.integers(0, 1 << 62), SECONDS, st.text("acdefmprlw", max_size=5)),
)


class FormTests(SynchronousTestCase):
    """What all forms are."""

    def test_keys(self) -> None:
        """Forms with the same key make the same lines of the same entries; others have other keys."""
        forms = (UnixForm(0, 0), UnixForm(0, 3600), DosForm(0), DosForm(3600), NAMES, FactsForm(DEFAULT_FACTS), FactsForm(frozenset()))
        forms = (*forms, FactsForm(DEFAULT_FACTS, {ord("w"): None}))
        self.assertEqual(len(forms), len({form.key for form in forms}))
        self.assertEqual(UnixForm(0).key, UnixForm(99).key)
        self.assertEqual(FactsForm(DEFAULT_FACTS, {ord("w"): None}).key, FactsForm(DEFAULT_FACTS).without({ord("w"): None}).key)

    def test_others(self) -> None:
        """The other forms say what ``entries`` says."""
        entries = [Entry("caf\udce9", stat.S_IFREG | 0o644, 5, 99)]
        self.assertEqual(b"caf\xe9\r\n", NAMES.lines(entries))
        self.assertEqual(ms_dos_lines(entries, 60).encode("utf-8", "surrogateescape"), DosForm(60).lines(entries))
        self.assertEqual((-inf, inf), DosForm(60).span())


class SpanTests(SynchronousTestCase):
    """Until when a line of LIST is right."""

    @given(st.lists(SECONDS, min_size=1, max_size=5), SECONDS, st.integers(-1, 1), st.sampled_from((0, 3600, -3600)), st.data())
    def test_span(self, modified: list[int], now: int, nudge: int, offset: int, data: st.DataObject) -> None:
        """P-LU-6: at each time in the span, the lines are the same."""
        now = modified[0] + data.draw(st.sampled_from((0, RECENT, now))) + nudge
        entries = [Entry(str(second), stat.S_IFREG, 0, second) for second in modified]
        form = UnixForm(now, offset)
        made = form.lines(entries)
        since, until = form.span()
        self.assertTrue(since <= now < until)
        inside = [time for time in (now, since, (now + until) / 2, until - 1) if time >= since]
        self.assertEqual([made] * len(inside), [UnixForm(time, offset).lines(entries) for time in inside])


class FactsFormTests(SynchronousTestCase):
    """MLSD's lines."""

    @given(st.lists(ENTRIES, max_size=4), st.frozensets(st.sampled_from(ALL_FACTS)))
    def test_lines(self, entries: list[Entry], facts: frozenset[str]) -> None:
        """All facts are those of ``entries.facts_lines``."""
        self.assertEqual(facts_lines(entries, facts).encode("utf-8", "surrogateescape"), FactsForm(facts).lines(entries))

    @given(ENTRIES, st.frozensets(st.sampled_from(ALL_FACTS)))
    def test_templates(self, entry: Entry, facts: frozenset[str]) -> None:
        """P-ML-1: a template with values put in is the line of a file or directory."""
        form = FactsForm(facts | {"size", "modify", "unique"})
        self.assertTrue(form.is_usual)
        kind = stat.S_IFMT(entry.mode)
        if kind not in (stat.S_IFREG, stat.S_IFDIR):
            return
        values = (*form.times([int(entry.modified)]), 0xA1, entry.name.encode())
        made = form.templates[entry.mode, entry.perm] % (values if kind == stat.S_IFDIR else (entry.size, *values))
        self.assertEqual(f"{facts_line(entry, form.facts)}\r\n".encode(), made)

    def test_unusual(self) -> None:
        """Without one of the three there are no templates."""
        for fact in ("size", "modify", "unique"):
            self.assertFalse(FactsForm(frozenset(ALL_FACTS) - {fact}).is_usual)

    def test_letters_that_go(self) -> None:
        """P-ML-5: letters go from the perm fact, from that of a link's target too, and from templates."""
        file = Entry("f", stat.S_IFREG, 5, 0, perm="adfrw")
        link = Entry("l", stat.S_IFLNK, 1, 0, perm="df", resolved=file)
        form = FactsForm(frozenset({"perm"})).without(str.maketrans("", "", "adfw"))
        self.assertEqual(b"perm=r; f\r\nperm=r; l\r\n", form.lines([file, link]))
        form = FactsForm(frozenset(ALL_FACTS), str.maketrans("", "", "adfw"))
        self.assertIn(b"perm=r;", form.templates[file.mode, file.perm])

    def test_nothing_goes(self) -> None:
        """Where nothing goes, it is the same form."""
        form = FactsForm(DEFAULT_FACTS)
        self.assertIs(form, form.without({}))

    def test_templates_are_bounded(self) -> None:
        """Templates are not remembered without end."""
        form = FactsForm(DEFAULT_FACTS)
        for number in range(5000):
            self.assertTrue(form.templates[stat.S_IFREG, str(number)])
        self.assertLessEqual(len(form.templates), 4096)

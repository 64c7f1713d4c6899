"""Tests of ``policy.filtering``: what is refused to everybody."""

from hypothesis import given
from hypothesis.strategies import lists, sampled_from, text
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.denials import Denial, Reason
from twistftp.policy.filtering import RequestFiltering
from twistftp.policy.rules import BadSetting
from twistftp.wire.paths import Path

PATHS = lists(text(sampled_from("abcABC. %\udc80ß"), min_size=1, max_size=6), max_size=4).map(tuple)


class PathTests(SynchronousTestCase):
    """Names, sequences and lengths."""

    def test_nothing_by_default(self) -> None:
        """Filters that nobody set refuse nothing."""
        default = RequestFiltering()
        self.assertFalse(default.filters_paths or default.hides_names)
        self.assertEqual((None, None, None), (default.of_path(("..", "x.exe")), default.of_file("x.exe"), default.of_length(10**15)))

    @given(PATHS)
    def test_hidden_segments(self, path: Path) -> None:
        """A hidden name is hidden wherever it stands in a path and however it is spelt."""
        filtering = RequestFiltering(hidden_segments=("ab", "C"))
        hidden = [name for name in path if name.lower() in ("ab", "c")]
        self.assertEqual(Denial(Reason.HIDDEN_SEGMENT, hidden[0]) if hidden else None, filtering.of_path(path))
        self.assertEqual(bool(hidden), any(map(filtering.hides, path)))

    @given(PATHS)
    def test_sequences(self, path: Path) -> None:
        """A sequence may span names."""
        refused = "a/b" in "/".join(path).lower()
        self.assertEqual(Denial(Reason.URL_SEQUENCE, "A/b") if refused else None, RequestFiltering(deny_url_sequences=("A/b",)).of_path(path))

    def test_lengths(self) -> None:
        """``max_url`` counts octets from the root's slash on."""
        filtering = RequestFiltering(max_url=32)
        self.assertTrue(filtering.filters_paths)
        self.assertIsNone(filtering.of_path(("a" * 31,)))
        self.assertEqual(Denial(Reason.URL_LENGTH, "32"), filtering.of_path(("a" * 30, "b")))
        self.assertEqual(Denial(Reason.URL_LENGTH, "32"), filtering.of_path(("ä" * 16,)))

    def test_extensions(self) -> None:
        """With a dot or without, in any case, also of two parts, and behind dots and blanks that Windows drops."""
        filtering = RequestFiltering(denied_extensions=("exe", ".Tar.gz"))
        for name in ("x.exe", "X.EXE", ".exe", "x.txt.exe", "x.exe.", "x.exe . ", "x.tar.GZ"):
            self.assertIsNotNone(filtering.of_file(name), name)
        for name in ("exe", "x.exe.txt", "xexe", "x.gz", "x.ex"):
            self.assertIsNone(filtering.of_file(name), name)
        self.assertEqual("denied extension '.exe'", filtering.of_file("a.exe").why)  # type: ignore[union-attr]

    def test_sizes(self) -> None:
        """As large as the limit is not too large."""
        filtering = RequestFiltering(max_content_length=10)
        self.assertEqual([None, Denial(Reason.CONTENT_LENGTH, "10")], [filtering.of_length(octets) for octets in (10, 11)])

    def test_commands(self) -> None:
        """Verbs in any case, SITE's with one blank."""
        self.assertEqual({"SYST", "SITE CHMOD"}, RequestFiltering(denied_commands=("syst", "Site  chmod")).denied_verbs)


class RuleTests(SynchronousTestCase):
    """What the settings may be."""

    def test_refusals(self) -> None:
        """Each fault is refused by the name of its setting."""
        for name, values in {
            "hidden_segments": (("",), ("a/b",), ("\n",)),
            "deny_url_sequences": (("",),),
            "denied_extensions": ((".",), ("",), ("a/b",)),
            "denied_commands": (("",), ("A B",), ("SITE A B",), ("QUIT",), ("user",), ("pass",)),
            "max_url": (31, 32769),
            "max_content_length": (-1,),
        }.items():
            for value in values:
                error = self.assertRaises(BadSetting, RequestFiltering, **{name: value})
                self.assertEqual(name, error.name)


class DenialTests(SynchronousTestCase):
    """The closed list of reasons."""

    def test_texts(self) -> None:
        """P-TEXT-17, P-TEXT-33: texts for clients name no rule and no folder; those for the log say what it was."""
        for reason in Reason:
            denial = Denial(reason, "DETAIL")
            self.assertNotIn("DETAIL", reason.text)
            self.assertNotIn("{", reason.text)
            self.assertIn("DETAIL", denial.why)
            self.assertTrue(1 <= reason.substatus <= 55)
        for reason in (Reason.RULE_DENIED, Reason.NO_RULE, Reason.EXTENSION, Reason.URL_SEQUENCE):
            self.assertTrue(reason.text.startswith("Permission denied"))

    def test_no_two_are_one(self) -> None:
        """No two of them are the same value, which would make one an alias of the other."""
        self.assertEqual(len(Reason.__members__), len(list(Reason)))

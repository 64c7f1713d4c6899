"""Tests of ``twistftp.wire.paths``."""

from __future__ import annotations

import re
import warnings
from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.wire.paths import Path, decode_name, encode_name, glob_matcher, is_glob, join, names_directory, resolve, strip_options

_TEXTS = st.lists(st.sampled_from(["/", ".", "..", "a", "b c", "\\", "~", " ", "é", "-la"]) | st.text(max_size=3), max_size=12).map("".join)
_PATHS = st.lists(st.text(min_size=1, max_size=4).filter(lambda name: "/" not in name and name not in (".", "..")), max_size=4).map(tuple)


class NameTests(SynchronousTestCase):
    """Octets of names as text."""

    def test_utf_8(self) -> None:
        """Names are read as UTF-8 (P-PATH-2)."""
        self.assertEqual("Grüße", decode_name("Grüße".encode()))

    @given(st.binary())
    def test_any_octets(self, octets: bytes) -> None:
        """No octet is lost or changed, UTF-8 or not (P-PATH-2)."""
        self.assertEqual(octets, encode_name(decode_name(octets)))

    def test_no_normalisation(self) -> None:
        """The composed and the decomposed form of a letter are different names (P-PATH-2)."""
        self.assertNotEqual(decode_name("\u00e9".encode()), decode_name("e\u0301".encode()))


class ResolveTests(SynchronousTestCase):
    """What a path names."""

    def test_examples(self) -> None:
        """``/`` leads from the root, ``.`` and ``..`` are resolved as text, repeated and trailing ``/`` collapse (P-PATH-1)."""
        cwd = ("pub", "linux")
        for text, expected in (
            *(("", cwd), (".", cwd), ("./", cwd), ("/", ()), ("//", ()), ("..", ("pub",)), ("../..", ())),
            *(("x", (*cwd, "x")), ("x//y/", (*cwd, "x", "y"))),
            *(("/x", ("x",)), ("x/../y", (*cwd, "y")), ("/../../x", ("x",)), ("...", (*cwd, "...")), (" ", (*cwd, " ")), ("x/./y", (*cwd, "x", "y"))),
        ):
            self.assertEqual(expected, resolve(cwd, text), text)

    def test_dots_at_the_root(self) -> None:
        """``..`` at the root stays there (P-PATH-1, P-PATH-4)."""
        self.assertEqual(("etc",), resolve((), "../../../etc"))

    def test_ordinary_characters(self) -> None:
        """``\\ ~ $ ; | -`` and backquotes mean nothing (P-PATH-1, P-PATH-7)."""
        for name in ("..\\..", "~", "~root", "$HOME", "`id`", "a|b", "a;b", "-la", "C:", "%2e%2e"):
            self.assertEqual(("pub", name), resolve(("pub",), name))

    @given(_PATHS, _TEXTS)
    def test_never_leaves_the_root(self, cwd: Path, text: str) -> None:
        """Whatever is typed, the result is names below the root, none of them a step up (P-PATH-1, P-PATH-4)."""
        for name in resolve(cwd, text):
            self.assertNotIn(name, ("", ".", ".."))
            self.assertNotIn("/", name)

    @given(_PATHS, _PATHS, _TEXTS)
    def test_is_idempotent(self, cwd: Path, elsewhere: Path, text: str) -> None:
        """A path as it is shown names the same object from everywhere (P-PATH-1)."""
        path = resolve(cwd, text)
        self.assertEqual(path, resolve(elsewhere, join(path)))

    @given(_PATHS)
    def test_join(self, path: Path) -> None:
        """``join`` and ``resolve`` are inverse (P-PATH-1)."""
        self.assertEqual(path, resolve((), join(path)))
        self.assertEqual("/", join(())[:1])


class NamesDirectoryTests(SynchronousTestCase):
    """What can be a directory's name alone."""

    def test_ends(self) -> None:
        """A ``/`` at the end, or ``.`` or ``..`` as the last name (P-PATH-1)."""
        for text in ("a/", "a//", "/", "a/.", "a/..", ".", ".."):
            self.assertTrue(names_directory(text), text)
        for text in ("", "a", "/a", "a.", "a/b", ".a", "a/...", "a/ "):
            self.assertFalse(names_directory(text), text)


class StripOptionsTests(SynchronousTestCase):
    """LIST's options."""

    def test_examples(self) -> None:
        """Leading ``-letters`` and one ``--`` are dropped; the rest behind the blank is the path (P-LOPT-1, P-LOPT-2)."""
        for text, expected in (
            *(("-a", ""), ("-la", ""), ("-la my dir", "my dir"), ("-l -a x", "x"), ("-1", ""), ("-la  x", " x"), ("-a ", ""), ("-R x", "x")),
            *(("-- -x", "-x"), ("-l -- -a", "-a"), ("--", ""), ("-- -- x", "-- x"), ("x -la", "x -la"), ("", ""), ("-", "-"), ("- x", "- x")),
            *(("-la/x", "-la/x"), ("-é", "-é"), ("--all", "--all"), (" -l", " -l"), ("-l\tx", "-l\tx")),
        ):
            self.assertEqual(expected, strip_options(text), text)

    @given(st.text("-al x", max_size=30))
    def test_a_suffix_remains(self, text: str) -> None:
        """What remains is the end of the text, with nothing more to drop but behind ``--`` (P-LOPT-1)."""
        rest = strip_options(text)
        self.assertTrue(text.endswith(rest))
        if "--" not in text:
            self.assertEqual(rest, strip_options(rest))


class IsGlobTests(SynchronousTestCase):
    """What may be a pattern."""

    def test_characters(self) -> None:
        """``*``, ``?`` and ``[`` make a pattern, braces and others do not (P-GLOB-1)."""
        self.assertEqual([True, True, True, True], [is_glob(name) for name in ("*.txt", "a?", "[ab]", "[")])
        self.assertEqual([False, False, False, False], [is_glob(name) for name in ("", "a{b,c}", "a]", "~")])


class GlobMatcherTests(SynchronousTestCase):
    """Patterns of LIST and NLST."""

    def check(self, pattern: str, matching: tuple[str, ...], others: tuple[str, ...]) -> None:
        matches = glob_matcher(pattern)
        self.assertEqual(matching, tuple(name for name in (*matching, *others) if matches(name)), pattern)

    def test_stars_and_question_marks(self) -> None:
        """``*`` stands for any octets, ``?`` for one character (P-GLOB-1)."""
        self.check("*", ("a", "a b", "a\nb"), (".a",))
        self.check("**", ("a", ""), (".a",))
        self.check("*.txt", ("a.txt", "a.b.txt"), ("a.txt.gz", "atxt", ".txt"))
        self.check("a*b*c", ("abc", "aXbYc", "abbcc", "abcbc"), ("abcd", "ab", "acb", "xabc"))
        self.check("ab*ba", ("abba", "abxba"), ("aba", "ab", "abb"))
        self.check("a?c", ("abc", "aéc"), ("ac", "abbc"))
        self.check("", ("",), ("a",))

    def test_sets(self) -> None:
        """``[...]`` stands for one of its characters or ranges, ``[!...]`` and ``[^...]`` for one of the others (P-GLOB-1)."""
        self.check("[abc]", ("a", "c"), ("d", "ab", ""))
        self.check("[a-c1]", ("b", "1"), ("-", "d"))
        self.check("[!a-c]", ("d", "!"), ("b", ""))
        self.check("[^a]", ("b", "^"), ("a",))
        self.check("[]x]", ("]", "x"), ("[", "[]x]"))
        self.check("[!]x]", ("a", "["), ("]", "x"))
        self.check("[-a]", ("-", "a"), ("b",))
        self.check("[a-]", ("-", "a"), ("b",))
        self.check("[!-]", ("a",), ("-",))
        self.check("[a^!]", ("^", "!"), ("b",))
        self.check("[*?]", ("*", "?"), ("a",))
        self.check("[z-a]", (), ("z", "a", "-"))
        self.check("[z-ax]", ("x",), ("z", "a", "-"))
        self.check("[!z-a]", ("m",), ("", "mm"))

    def test_no_set(self) -> None:
        """A ``[`` that nothing closes is itself (P-GLOB-1)."""
        for pattern in ("[", "[]", "[!", "[!]", "[a", "[^]", "x[", "[-"):
            self.check(pattern, (pattern,), ("a", "]", "x", "!"))

    def test_characters_of_regular_expressions(self) -> None:
        """Everything else is itself, in sets too (P-GLOB-1, P-PATH-7)."""
        for c in "\\.^$+{}()|~#&- \n":
            self.check(f"x{c}", (f"x{c}",), ("x", "xx", "xa"))
            self.check(f"[a{c}]", (c, "a") if c != "." else ("a",), ("b",))
        self.check("[\\d]", ("\\", "d"), ("1",))
        self.check("[+--]", ("+", ",", "-"), ("a", "."))
        self.check("[a&&b]", ("a", "b", "&"), ("c",))
        self.check("a{b,c}", ("a{b,c}",), ("ab", "ac"))

    def test_no_warnings(self) -> None:
        """No pattern makes Python warn of what a later ``re`` may mean by it."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for pattern in ("[[a]", "[a--b]", "[a||b]", "[a~~b]", "[a&&b]", "[--a]", "[!--a]"):
                re.purge()
                glob_matcher(pattern)("a")

    def test_leading_dot(self) -> None:
        """A leading dot is matched by a dot and by nothing else (P-GLOB-1)."""
        self.check(".*", (".a", ".", ".."), ("a",))
        for pattern in ("*", "?a", "[.]a", "[!x]a", "*a"):
            self.assertFalse(glob_matcher(pattern)(".a"), pattern)
        self.check("a*", ("a.b",), (".a",))

    def test_octets_that_are_not_utf_8(self) -> None:
        """``?`` stands for an octet that is not UTF-8, too (P-GLOB-1, P-PATH-2)."""
        self.check("a?", (decode_name(b"a\xe9"),), ())
        self.check(decode_name(b"\xe9*"), (decode_name(b"\xe9t\xe9"),), ("ete",))

    def test_many_stars(self) -> None:
        """Any number of stars matches as it should, in bounded time (P-GLOB-1, P-SEC-10)."""
        self.check("*a" * 100, ("a" * 100, "ba" * 100), ("a" * 99, "a" * 100 + "b"))
        self.check("*a" * 30 + "*b", ("a" * 250 + "b",), ("a" * 255,))
        self.check("*?" * 30, ("a" * 30, "a" * 255), ("a" * 29,))
        self.check("*" * 1000 + "b", ("ab",), ("a" * 255,))
        self.check("a*" * 500, ("a" * 500,), ("a" * 255,))
        self.check("*[ab]?*" * 20 + "c", ("ab" * 20 + "c",), ("ab" * 120,))

    def test_long_patterns(self) -> None:
        """A pattern longer than any name matches nothing, as compiling it would hold up everybody (P-GLOB-1, P-SEC-10)."""
        self.check("*" * 1024, ("a",), ())
        self.check("*" * 1025, (), ("a",))

    @given(st.text("*?ab.", max_size=12), st.text("ab.", max_size=12))
    def test_as_fnmatch(self, pattern: str, name: str) -> None:
        """But for the leading dot, Python's ``fnmatch`` finds the same (P-GLOB-1)."""
        expected = fnmatchcase(name, pattern) and (pattern.startswith(".") or not name.startswith("."))
        self.assertEqual(expected, glob_matcher(pattern)(name))

    @given(st.text("*?[]!ab-\\]", max_size=12), st.text("ab![]-\\", max_size=6))
    def test_as_fnmatch_with_sets(self, pattern: str, name: str) -> None:
        """That holds for sets, too: ``^`` alone is not fnmatch's (P-GLOB-1)."""
        self.assertEqual(fnmatchcase(name, pattern), glob_matcher(pattern)(name))

    @given(st.text(max_size=12), st.text(max_size=6))
    def test_any_text(self, pattern: str, name: str) -> None:
        """Every text is a pattern: clients may send what they like (P-GLOB-1)."""
        self.assertIsInstance(glob_matcher(pattern)(name), bool)

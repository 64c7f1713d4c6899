"""Tests of ``accounts.users_file``: lines, names, and what stays as it was."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis.strategies import characters, lists, sampled_from, text, tuples
from twisted.trial.unittest import SynchronousTestCase

from twistftp.accounts.users_file import BadUsersFile, name_trouble, parse, with_user, without_user

HASH = "$argon2id$v=19$m=19456,t=2,p=1$3YyhjoGHKfiZLPFu7/jqLQ$DGu7Ov9h4wAIUQOGFPCy/72rWURDlz5/13HyBFsDh6A"
OTHER = HASH.replace("t=2", "t=3")

names = text(characters(codec="utf-8"), min_size=1, max_size=12).filter(lambda name: not name_trouble(name))
noise = sampled_from(["", "# note", "  # x:y", "\r", "\t"])


class ParseTests(SynchronousTestCase):
    """A whole file."""

    def refusal(self, content: bytes) -> str:
        return str(self.assertRaises(BadUsersFile, parse, content, lambda name: name == "ftp"))

    def test_good(self) -> None:
        """Comments, empty lines, line ends of either kind, a byte order mark; case counts."""
        content = f"\ufeff# users\n\nalice:{HASH}\r\n  # :\nAlice:{OTHER}\nb@example.org:{HASH}  \nDOMAIN\\jürgen x:{HASH}".encode()
        users = parse(content)
        lines = {"alice": 3, "Alice": 5, "b@example.org": 6, "DOMAIN\\jürgen x": 7}
        self.assertEqual(lines, {name: user.line for name, user in users.items()})
        self.assertEqual((HASH, OTHER), (users["alice"].encoded, users["Alice"].encoded))

    def test_empty(self) -> None:
        """No users."""
        for content in (b"", b"\n", b"# nobody yet\n"):
            self.assertEqual({}, parse(content))

    def test_refusals(self) -> None:
        """The line's number and the rule, in one line."""
        for line, rule in {
            "alice": "must be NAME:HASH",
            f"alice:{HASH}:home": "must be NAME:HASH and nothing more",
            f":{HASH}": "the name is empty",
            f"ftp:{HASH}": "ftp is a name of the anonymous user; choose another",
            f"bob:{HASH}": "bob is on line 1 already",
            f"a\tb:{HASH}": "a name has no control characters",
            f" a:{HASH}": "a name neither begins nor ends with a blank",
            f"a,b:{HASH}": "a name does not begin with",
            f"u\u0308:{HASH}": "the name is not in Unicode's composed form (NFC)",
            "alice:secret": "the hash is none of argon2",
            "alice:$apr1$x$y": "the hash is none of argon2",
            f"alice:{HASH[:-1]}": "the hash is damaged",
            f"alice:{HASH[:-1]}B": "the hash is damaged",
            f"alice:{HASH}AA": "the hash is damaged",
            f"alice:{HASH.replace('19456', '1048576')}": "the hash costs more than this server will spend",
            f"alice:{HASH.replace('t=2', 't=200')}": "the hash costs more than this server will spend",
        }.items():
            refusal = self.refusal(f"bob:{HASH}\n# x\n{line}\n".encode())
            self.assertTrue(refusal.startswith(f"line 3: {rule}"), (line, refusal))
            self.assertNotIn("\n", refusal)
        self.assertEqual("line 2: not UTF-8 text", self.refusal(b"\n\xff:x"))

    def test_names(self) -> None:
        """What would break lines, rules or directories is no name."""
        for name in ("", ".", "..", "a/b", "a:b", "*", "?", "@staff", "#a", "a,b", " a", "a ", "a\nb", "a\x00", "a\u2028b", "ü" * 128, "u\u0308"):
            self.assertNotEqual("", name_trouble(name), name)
        for name in ("a", "a b", "bob@example.org", "DOMAIN\\bob", "jürgen", "日本", "$x", "a#b", "ü" * 127):
            self.assertEqual("", name_trouble(name), name)


class ChangeTests(SynchronousTestCase):
    """Lines that are changed, and those that are not."""

    @given(lists(tuples(names, noise), unique_by=lambda pair: pair[0], max_size=6), names, sampled_from(["\n", "\r\n"]))
    def test_anything(self, pairs: list[tuple[str, str]], name: str, end: str) -> None:
        """A user that is added can be read, all others and all comments stay in their order, and is gone when taken out."""
        content = "".join(f"{note}{end}{one}:{HASH}{end}" for one, note in pairs).encode()
        before = parse(content)
        changed = with_user(content, name, OTHER)
        after = parse(changed)
        self.assertEqual(OTHER, after[name].encoded)
        self.assertEqual({one: HASH for one in before if one != name}, {one: user.encoded for one, user in after.items() if one != name})
        self.assertEqual(list(before), [one for one in after if one in before])
        old, new = content.split(b"\n"), changed.split(b"\n")
        self.assertLessEqual(sum(line not in new for line in old), 1)
        self.assertEqual(changed, with_user(changed, name, OTHER))
        gone = without_user(changed, name)
        self.assertEqual({one for one in before if one != name}, set(parse(gone)))
        if name not in before:
            self.assertEqual(content, gone)

    @given(names)
    def test_no_last_line_end(self, name: str) -> None:
        """A file without a line end at its end gets one first."""
        assume(name != "bob")
        self.assertEqual({"bob", name}, set(parse(with_user(f"bob:{HASH}".encode(), name, OTHER))))

    def test_nobody(self) -> None:
        """Who is not there cannot be taken out."""
        self.assertRaises(KeyError, without_user, f"bob:{HASH}\n".encode(), "alice")

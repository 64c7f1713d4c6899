"""Tests of ``policy.rule_text``: rules as options and in words."""

from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.authorization import Rule
from twistftp.policy.rule_text import parse_rule, rule_in_words, summary, who_may


class ParseTests(SynchronousTestCase):
    """``USERS:PERMISSIONS[:/path]``."""

    def test_forms(self) -> None:
        """The examples of the manual, blanks, and a path that holds colons."""
        for text, expected in {
            "?:read": Rule("allow", ("?",), ("read",)),
            "*:read,write:/incoming": Rule("allow", ("*",), ("read", "write"), "/incoming"),
            "alice,bob:write": Rule("allow", ("alice", "bob"), ("write",)),
            "@staff, carol: read": Rule("allow", ("@staff", "carol"), ("read",)),
            "*:read:/a:b": Rule("allow", ("*",), ("read",), "/a:b"),
        }.items():
            self.assertEqual(expected, parse_rule("allow", text))
        self.assertEqual("deny", parse_rule("deny", "?:read").access)

    def test_mistakes(self) -> None:
        """Each says what the form is."""
        for text in ("", "?", "read", ":read", "?:", "?:reed", "?:read:incoming", "?:read,,write", "?:read:/.."):
            error = self.assertRaises(ValueError, parse_rule, "allow", text)
            self.assertIn("USERS:PERMISSIONS[:/path]", str(error))

    def test_text_and_back(self) -> None:
        """What a rule is called in the log is what its option would be."""
        rule = parse_rule("deny", "alice,@staff:read,write:/x")
        access, _, text = str(rule).partition(" ")
        self.assertEqual(rule, parse_rule(access, text))


class WordTests(SynchronousTestCase):
    """For people."""

    def test_rules(self) -> None:
        """One line each."""
        self.assertEqual("allow anonymous users to read everything", rule_in_words(parse_rule("allow", "?:read")))
        words = "forbid alice, the group staff and everyone to read and write /a and everything below it"
        self.assertEqual(words, rule_in_words(parse_rule("deny", "alice,@staff,*:write,read:/a/")))

    def test_summaries(self) -> None:
        """What one may do at the root, and whether that is all."""
        groups = (("staff", ("alice",)),)
        for texts, user, expected in (
            ((), None, "may read"),
            ((), "", "may read and write"),
            (("?:read",), "", "have no access"),
            (("?:read", "?:write:/in"), None, "may read, but for some paths"),
            (("?:write:/in",), None, "may write in some places"),
            (("@staff:read,write",), "alice", "may read and write"),
        ):
            self.assertEqual(expected, summary(tuple(parse_rule("allow", text) for text in texts), groups, user), texts)

    def test_audiences(self) -> None:
        """Those who may do the same are told together; users whom rules name are named."""
        audiences = (("anonymous users", None), ("named users", ""))
        self.assertEqual("anonymous users may read; named users may read and write", who_may((), (), audiences, ()))
        self.assertEqual("anonymous users and named users may read", who_may((parse_rule("allow", "*:read"),), (), audiences, ()))
        rules = (parse_rule("allow", "alice,@staff:write"), parse_rule("allow", "*:read"))
        expected = "anonymous users and named users may read; rules name alice and the group staff"
        self.assertEqual(expected, who_may(rules, (("staff", ()),), audiences, ()))

"""Tests of ``policy.authorization``: the first rule that matches decides."""

from hypothesis import given
from hypothesis.strategies import builds, lists, none, sampled_from
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.authorization import DEFAULT_RULES, EVERYTHING, NOTHING, Permission, Rule, rules_of, unknown_group
from twistftp.policy.denials import Reason
from twistftp.policy.rules import BadSetting
from twistftp.wire.paths import Path, join

READ, WRITE = Permission.READ, Permission.WRITE
GROUPS = (("staff", ("alice", "bob")), ("nobody", ()))

NAMES = sampled_from(("a", "b", "A", "a b", "*", "?"))
PATHS = lists(NAMES, max_size=3).map(tuple)
USERS = sampled_from(("?", "*", "alice", "bob", "@staff", "@nobody", "ftp"))
RULES = builds(
    Rule,
    sampled_from(("allow", "deny")),
    lists(USERS, min_size=1, max_size=2).map(tuple),
    sampled_from((("read",), ("write",), ("read", "write"))),
    PATHS.map(join),
)
ALL_RULES = lists(RULES, max_size=6).map(tuple)
WHO = none() | sampled_from(("alice", "bob", "carol", "ftp", "?", "*"))
ANONYMOUS_NAMES = ("anonymous", "ftp")


def own(rules: tuple[Rule, ...], user: str | None) -> object:
    return rules_of(rules, GROUPS, user, ANONYMOUS_NAMES)


def is_meant(rule: Rule, user: str | None) -> bool:
    """The definition, written another way."""
    if "*" in rule.users or ("@staff" in rule.users and user in ("alice", "bob")):
        return True
    return bool({"?", "ftp"} & set(rule.users)) if user is None else user not in ("?", "*") and user in rule.users


class DecisionTests(SynchronousTestCase):
    """Against the definition, for any rules."""

    @given(ALL_RULES, WHO, sampled_from(Permission), PATHS)
    def test_first_match(self, rules: tuple[Rule, ...], user: str | None, permission: Permission, path: Path) -> None:
        """The first rule about the user, the permission and the path or something above it decides; none means no."""
        below = f"{join(path)}/".replace("//", "/")
        matching = [
            (number, rule)
            for number, rule in enumerate(rules, 1)
            if is_meant(rule, user) and permission.value in rule.permissions and below.startswith(f"{rule.path.rstrip('/')}/")
        ]
        decision = rules_of(rules, GROUPS, user, ANONYMOUS_NAMES).decide(permission, path)
        if not matching:
            self.assertEqual((False, 0, None, Reason.NO_RULE), (decision.is_allowed, decision.number, decision.rule, decision.denial.reason))
            return
        number, rule = matching[0]
        self.assertEqual((rule.access == "allow", number, rule), (decision.is_allowed, decision.number, decision.rule))
        self.assertEqual(Reason.RULE_DENIED, decision.denial.reason)
        self.assertIn(f"rule {number} ({rule})", decision.denial.why)

    @given(ALL_RULES, WHO, PATHS)
    def test_short_ways(self, rules: tuple[Rule, ...], user: str | None, path: Path) -> None:
        """What is asked for many paths at once agrees with what is decided for one."""
        mine = rules_of(rules, GROUPS, user, ANONYMOUS_NAMES)
        for permission in Permission:
            allowed = mine.decide(permission, path).is_allowed
            self.assertEqual(allowed, mine.may(permission, path))
            self.assertTrue(mine.may_anywhere(permission) or not allowed)
            self.assertTrue(allowed or not mine.is_unlimited)
        self.assertTrue(mine.decide(READ, path).is_allowed or not mine.reads_everything)

    @given(ALL_RULES, WHO, PATHS, PATHS)
    def test_ways_to_what_is_allowed(self, rules: tuple[Rule, ...], user: str | None, path: Path, more: Path) -> None:
        """Every directory on the way to something that is allowed can be seen; what is seen is allowed or leads on."""
        mine = rules_of(rules, GROUPS, user, ANONYMOUS_NAMES)
        if any(mine.may(permission, path + more) for permission in Permission):
            self.assertTrue(mine.sees(path))
        if mine.sees(path) and not any(mine.may(permission, path) for permission in Permission):
            self.assertTrue(mine.leads_on(path))

    @given(ALL_RULES, WHO, PATHS, PATHS, PATHS)
    def test_moves(self, rules: tuple[Rule, ...], user: str | None, source: Path, target: Path, inside: Path) -> None:
        """Nothing that may not be read can be read after a move that is allowed, wherever in what was moved it is."""
        mine = rules_of(rules, GROUPS, user, ANONYMOUS_NAMES)
        if mine.of_move(source, target) is None and mine.may(READ, target + inside):
            self.assertTrue(mine.may(READ, source + inside))


class UserTests(SynchronousTestCase):
    """Whom a word in a rule means."""

    def meant(self, word: str, user: str | None) -> bool:
        return rules_of((Rule("allow", (word,), ("read",)),), GROUPS, user, ANONYMOUS_NAMES).may(READ, ())

    def test_words(self) -> None:
        """``?`` anonymous users, ``*`` everyone, names, groups."""
        table = {
            "?": (True, False, False),
            "*": (True, True, True),
            "alice": (False, True, False),
            "@staff": (False, True, False),
            "@nobody": (False, False, False),
            "Alice": (False, False, False),
            # Whoever writes the anonymous user's name means the anonymous user.
            "anonymous": (True, False, False),
            "FTP": (True, False, False),
        }
        for word, expected in table.items():
            self.assertEqual(expected, tuple(self.meant(word, user) for user in (None, "alice", "carol")), word)

    def test_a_user_called_like_a_word(self) -> None:
        """A name that a client makes up is nothing but a name: ``?``, ``*`` and ``@staff`` get what a stranger gets."""
        for name in ("?", "@staff", "*"):
            for word in ("?", "@staff", "alice"):
                self.assertFalse(self.meant(word, name), (name, word))
            self.assertTrue(self.meant("*", name))

    def test_unknown_groups(self) -> None:
        """The first group that is not there is found."""
        rules = (Rule("allow", ("@staff",), ("read",)), Rule("deny", ("alice", "@stuff"), ("read",)))
        self.assertEqual(("@stuff", ""), (unknown_group(rules, GROUPS), unknown_group(rules[:1], GROUPS)))


class DefaultTests(SynchronousTestCase):
    """What holds where no rule is written."""

    def test_rules(self) -> None:
        """P-SEC-7: anonymous users read, users with names read and write."""
        anonymous, named = rules_of(DEFAULT_RULES, (), None), rules_of(DEFAULT_RULES, (), "")
        self.assertEqual((True, False), (anonymous.may(READ, ("a",)), anonymous.may(WRITE, ("a",))))
        self.assertEqual((True, False, False), (anonymous.reads_everything, anonymous.is_unlimited, anonymous.may_anywhere(WRITE)))
        self.assertEqual((True, True), (named.is_unlimited, named.may(WRITE, ("a", "b"))))

    def test_ends(self) -> None:
        """Everything is everything, nothing nothing."""
        self.assertTrue(EVERYTHING.is_unlimited)
        self.assertFalse(NOTHING.sees(()))

    def test_drop_box(self) -> None:
        """An upload area that cannot be read is there all the same, and so is the way to it."""
        rules = (Rule("allow", ("?",), ("write",), "/in/box"),)
        mine = rules_of(rules, (), None)
        self.assertEqual([True, True, True, False], [mine.sees(path) for path in ((), ("in",), ("in", "box", "x"), ("out",))])
        self.assertFalse(mine.may(READ, ("in", "box")))
        self.assertTrue(mine.may_anywhere(WRITE))

    def test_a_later_rule_does_not_open_what_is_denied(self) -> None:
        """A rule below a path that an earlier rule denies leads nowhere."""
        rules = (Rule("deny", ("?",), ("read",), "/a"), Rule("allow", ("?",), ("read",), "/a/b"))
        mine = rules_of(rules, (), None)
        self.assertFalse(mine.sees(("a",)) or mine.sees(()) or mine.may(READ, ("a", "b")))


class RuleTests(SynchronousTestCase):
    """What a rule may be."""

    def test_refusals(self) -> None:
        """Each fault is refused by the name of the setting."""
        good = ("allow", ("?",), ("read",), "/")
        faults = {
            "access": ("permit",),
            "users": ((), ("",), ("@",), ("a\nb",)),
            "permissions": ((), ("reed",), ("read", "")),
            "path": ("", "a", "/a/../b", "/./a", "/a\n", "../a"),
        }
        for number, (name, values) in enumerate(faults.items()):
            for value in values:
                arguments = [*good[:number], value, *good[number + 1 :]]
                error = self.assertRaises(BadSetting, Rule, *arguments)
                self.assertEqual((name, value), (error.name, error.value))

    def test_paths(self) -> None:
        """Slashes that say nothing are dropped."""
        self.assertEqual([(), ("a",), ("a", "b")], [Rule("allow", ("?",), ("read",), path).names for path in ("/", "/a/", "//a//b")])

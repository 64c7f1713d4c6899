"""
Authorization rules: who may read and who may write below which path. The first rule that matches decides; none means no.

Not here: where rules come from (``rule_text`` for options, ``configuration``), and who asks (``storage.restricted``).
Paths are those that the client sees: below the home of a user who is isolated, below the content root of others.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import cached_property, lru_cache

from attrs import Attribute, field, frozen

from twistftp.policy.denials import Denial, Reason
from twistftp.policy.rules import BadSetting
from twistftp.wire.paths import Path, join, resolve

__all__ = ["DEFAULT_RULES", "EVERYTHING", "NOTHING", "Decision", "Groups", "Permission", "Rule", "UserRules", "rules_of", "unknown_group"]

Groups = tuple[tuple[str, tuple[str, ...]], ...]
"""``[site.groups]``: names of groups, each with its members."""

ANONYMOUS, EVERYBODY = "?", "*"


class Permission(Enum):
    """What a rule is about. Reading is also listing, and to know that something is there."""

    READ = "read"
    WRITE = "write"


def _access(instance: object, attribute: Attribute[str], value: str) -> None:
    if value not in ("allow", "deny"):
        raise BadSetting(attribute.name, value, "must be one of allow, deny")


def _users(instance: object, attribute: Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    if not value or not all(name.strip() and name.isprintable() and name != "@" for name in value):
        rule = 'must name at least one of "?" (anonymous users), "*" (everyone), users, and groups as "@group"'
        raise BadSetting(attribute.name, value, rule)


def _permissions(instance: object, attribute: Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    if not value or not set(value) <= {"read", "write"}:
        raise BadSetting(attribute.name, value, "must be read, write, or both")


def absolute_path(instance: object, attribute: Attribute[str], value: str) -> None:
    """Refuse what is no path from the root (an attrs validator)."""
    names = value.split("/")
    if names[0] or not value or ".." in names or "." in names or not value.isprintable():
        raise BadSetting(attribute.name, value, 'must be a path as clients see it, from the root and without "..", such as "/incoming"')


@frozen
class Rule:
    """``[[site.authorization]]``: whether ``users`` have ``permissions`` at ``path`` and everything below it."""

    access: str = field(validator=_access)
    users: tuple[str, ...] = field(validator=_users)
    permissions: tuple[str, ...] = field(validator=_permissions)
    path: str = field(default="/", validator=absolute_path)

    def __str__(self) -> str:
        return f"{self.access} {','.join(self.users)}:{','.join(self.permissions)}:{join(self.names)}"

    @cached_property
    def names(self) -> Path:
        """The path as the tuple of its names."""
        return resolve((), self.path)


# Anonymous users may read, users with names may do everything. Without the second rule the third would be theirs, too.
DEFAULT_RULES = (Rule("allow", ("?",), ("read",)), Rule("deny", ("?",), ("write",)), Rule("allow", ("*",), ("read", "write")))


def unknown_group(rules: Iterable[Rule], groups: Groups) -> str:
    """The first group that a rule names and that there is not, ``""`` if all are there."""
    known = {f"@{name}" for name, _ in groups}
    return next((user for rule in rules for user in rule.users if user.startswith("@") and user not in known), "")


@frozen
class Decision:
    """Whether something is allowed, and the rule that says so: ``number`` counts from 1; 0 and ``None`` when none matches."""

    is_allowed: bool
    permission: Permission
    number: int = 0
    rule: Rule | None = None
    kind: str = "authorization rule"

    @property
    def denial(self) -> Denial:
        """What to refuse with, if it is not allowed."""
        if self.rule is None:
            return Denial(Reason.NO_RULE, self.permission.value)
        return Denial(Reason.RULE_DENIED, f"{self.kind} {self.number} ({self.rule})")


@frozen
class UserRules:
    """The rules that are about one user, each with its number, in their order; ``kind`` is what the log calls one of them."""

    numbered: tuple[tuple[int, Rule], ...]
    kind: str = "authorization rule"

    def decide(self, permission: Permission, path: Path) -> Decision:
        """The first rule about this permission whose path is ``path`` or above it."""
        for number, rule in self._reading if permission is Permission.READ else self._writing:
            names = rule.names
            if not names or path[: len(names)] == names:
                return Decision(rule.access == "allow", permission, number, rule, self.kind)
        return Decision(False, permission)

    def may(self, permission: Permission, path: Path) -> bool:
        """Whether ``permission`` is given at ``path``."""
        for _, rule in self._reading if permission is Permission.READ else self._writing:
            names = rule.names
            if not names or path[: len(names)] == names:
                return rule.access == "allow"
        return False

    def may_anywhere(self, permission: Permission) -> bool:
        """Whether there is any place where ``permission`` is given."""
        return any(permission in given for _, given in self._places)

    def sees(self, path: Path) -> bool:
        """Whether the user may know of ``path``: it may be read or written, or is on the way to something that may."""
        return self.may(Permission.READ, path) or self.may(Permission.WRITE, path) or self.leads_on(path)

    def leads_on(self, path: Path) -> bool:
        """Whether something is allowed somewhere below ``path``."""
        return any(_is_below(place, path) for place, _ in self._places)

    def of_move(self, source: Path, target: Path) -> Denial | None:
        """
        Why ``source``, with all that may be in it, must not become ``target`` even if both may be written: nothing gets out of the
        reach of a rule that forbids, and nothing that may not be read gets to where it may.
        """
        for number, rule in self.numbered:
            if _is_below(rule.names, target) or (rule.access == "deny" and _is_below(rule.names, source)):
                return Denial(Reason.RULE_DENIED, f"authorization rule {number} ({rule})")
        if self.may(Permission.READ, target) and not self.may(Permission.READ, source):
            return Denial(Reason.MOVED_INTO_VIEW, f"{join(source)} to {join(target)}")
        return None

    @cached_property
    def have_paths(self) -> bool:
        """Whether a rule is about less than everything, so that it matters where something is."""
        return any(rule.names for _, rule in self.numbered)

    @cached_property
    def is_unlimited(self) -> bool:
        """Whether everything is allowed everywhere."""
        return all(self._is_given_everywhere(permission) for permission in Permission)

    @cached_property
    def reads_everything(self) -> bool:
        """Whether reading is allowed everywhere."""
        return self._is_given_everywhere(Permission.READ)

    def _is_given_everywhere(self, permission: Permission) -> bool:
        """Whether ``permission`` is allowed at the root and nowhere denied."""
        about = self._about(permission)
        return self.may(permission, ()) and not any(rule.access == "deny" and rule.names for _, rule in about)

    def _about(self, permission: Permission) -> tuple[tuple[int, Rule], ...]:
        return tuple((number, rule) for number, rule in self.numbered if permission.value in rule.permissions)

    @cached_property
    def _reading(self) -> tuple[tuple[int, Rule], ...]:
        return self._about(Permission.READ)

    @cached_property
    def _writing(self) -> tuple[tuple[int, Rule], ...]:
        return self._about(Permission.WRITE)

    @cached_property
    def _places(self) -> tuple[tuple[Path, frozenset[Permission]], ...]:
        """Where rules allow something that no rule before them denies, and what."""
        places: dict[Path, set[Permission]] = {}
        for _, rule in self.numbered:
            if rule.access == "allow":
                given = {Permission(word) for word in rule.permissions if self.decide(Permission(word), rule.names).is_allowed}
                places.setdefault(rule.names, set()).update(given)
        return tuple((place, frozenset(given)) for place, given in places.items() if given)


def _is_below(names: Path, path: Path) -> bool:
    return len(names) > len(path) and names[: len(path)] == path


EVERYTHING = UserRules(((0, Rule("allow", ("*",), ("read", "write"))),))
"""No rules: for avatars that decide by themselves."""


NOTHING = UserRules(())
"""No access at all."""


@lru_cache(maxsize=256)
def rules_of(
    rules: tuple[Rule, ...], groups: Groups, user: str | None, anonymous_names: tuple[str, ...] = (), kind: str = "authorization rule"
) -> UserRules:
    """
    The rules about one user. :raises KeyError: a rule names a group that there is not.

    :param user: the name, as it is spelt in the list of users; ``None`` is the anonymous user.
    :param anonymous_names: the names that the anonymous user logs in under: a rule may name one of them instead of ``?``.
    """
    members = {f"@{name}": names for name, names in groups}
    names = {user} if user is not None else {name.lower() for name in anonymous_names}

    def is_meant(word: str) -> bool:
        if word.startswith("@"):
            return any(is_named(member) for member in members[word])
        return word == EVERYBODY or is_named(word)

    def is_named(word: str) -> bool:
        if user is None:
            return word == ANONYMOUS or word.lower() in names
        return word in names and word not in (ANONYMOUS, EVERYBODY)  # anybody can log in under any name where a checker lets them

    return UserRules(tuple((number, rule) for number, rule in enumerate(rules, 1) if any(map(is_meant, rule.users))), kind)

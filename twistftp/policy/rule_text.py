"""
Authorization rules as text: ``USERS:PERMISSIONS[:/path]`` of the command line, and plain words for people.

Not here: what rules mean (``authorization``).
"""

from __future__ import annotations

from collections.abc import Iterable

from twistftp.policy.authorization import ANONYMOUS, DEFAULT_RULES, EVERYBODY, Groups, Permission, Rule, rules_of
from twistftp.policy.rules import BadSetting
from twistftp.wire.paths import join

__all__ = ["parse_rule", "rule_in_words", "summary", "who_may"]

_FORM = "must be USERS:PERMISSIONS[:/path], such as ?:read or alice,@staff:read,write:/incoming"


def parse_rule(access: str, text: str) -> Rule:
    """
    The rule of an option ``--allow`` or ``--deny``.

    :raises ValueError: it is none; the text says what it should be.
    """
    users, colon, rest = text.partition(":")
    permissions, _, path = rest.partition(":")
    if not colon:
        raise ValueError(_FORM)
    try:
        return Rule(access, _listed(users), _listed(permissions), path or "/")
    except BadSetting as error:
        raise ValueError(f"{error.name} {error.rule}; the form is {_FORM.removeprefix('must be ')}") from None


def _listed(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


_WHO = {ANONYMOUS: "anonymous users", EVERYBODY: "everyone"}


def rule_in_words(rule: Rule) -> str:
    """``allow anonymous users and alice to read below /pub``."""
    who = [_called(user) for user in rule.users]
    verb = "allow" if rule.access == "allow" else "forbid"
    where = f" {join(rule.names)} and everything below it" if rule.names else " everything"
    return f"{verb} {_and(who)} to {_and(sorted(set(rule.permissions)))}{where}"


def who_may(rules: tuple[Rule, ...], groups: Groups, audiences: Iterable[tuple[str, str | None]], anonymous_names: tuple[str, ...]) -> str:
    """
    Who may do what in a site: ``anonymous users may read; named users (memory) may read and write``.

    :param audiences: what to call them, and the user of :func:`summary`.
    """
    by_text: dict[str, list[str]] = {}
    for who, user in audiences:
        by_text.setdefault(summary(rules, groups, user, anonymous_names), []).append(who)
    text = "; ".join(f"{_and(who)} {what}" for what, who in by_text.items())
    named = dict.fromkeys(user for rule in rules for user in rule.users if user not in _WHO)
    return f"{text}; rules name {_and([_called(user) for user in named])}" if named else text


def summary(rules: tuple[Rule, ...], groups: Groups, user: str | None, anonymous_names: tuple[str, ...] = ()) -> str:
    """
    What one user may do, in a few words: ``may read``, ``may read and write, but for some paths``.

    :param user: ``None``: anonymous users; ``""``: users with names, none of whom a rule names.
    """
    own = rules_of(rules or DEFAULT_RULES, groups, user, anonymous_names)
    given = [permission.value for permission in Permission if own.may(permission, ())]
    elsewhere = any(rule.names for _, rule in own.numbered)
    if given:
        return f"may {_and(given)}{', but for some paths' if elsewhere else ''}"
    places = [permission.value for permission in Permission if own.may_anywhere(permission)]
    return f"may {_and(places)} in some places" if places else "have no access"


def _called(user: str) -> str:
    return _WHO.get(user, f"the group {user[1:]}" if user.startswith("@") else user)


def _and(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

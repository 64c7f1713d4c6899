"""
Who may do what in a site, in plain words: rules, virtual directories, homes and filters, for ``twistftp check``.

Not here: what they mean for one user and one path (``explaining``), and the rest of a site (``description``).
"""

from __future__ import annotations

from collections.abc import Iterator

from twistftp.policy.filtering import RequestFiltering
from twistftp.policy.isolation import UserIsolation
from twistftp.policy.rule_text import rule_in_words
from twistftp.policy.settings import SiteSettings

__all__ = ["describe_access"]


def describe_access(site: SiteSettings) -> Iterator[str]:
    """What differs from a site where all see the content root and the default rules hold."""
    for virtual in site.virtual_directory:
        yield f"serves {virtual.root} as the virtual directory {virtual.path}"
    yield from _homes(site.user_isolation)
    for number, rule in enumerate(site.authorization, 1):
        yield f"authorization rule {number}: {rule_in_words(rule)}"
    if site.authorization:
        yield "authorization: the first rule that matches decides; where none does there is no access"
    for group, names in site.groups:
        yield f"the group {group}: {', '.join(names) or 'nobody'}"
    yield from _filters(site.request_filtering)


def _homes(isolation: UserIsolation) -> Iterator[str]:
    if isolation.mode == "isolate":
        yield f"isolates users: each sees only {isolation.home}, anonymous users {isolation.anonymous_home}; without it nobody can log in"
    elif isolation.mode == "start_in_users_directory":
        yield f"users start in {isolation.home}, anonymous ones in {isolation.anonymous_home}, and see the whole site; without it nobody can log in"


def _filters(filtering: RequestFiltering) -> Iterator[str]:
    for words, texts in (
        ("hides everything named", filtering.hidden_segments),
        ("refuses paths that hold", filtering.deny_url_sequences),
        ("refuses files that end in", filtering.denied_extensions),
        ("denies the commands", filtering.denied_commands),
    ):
        if texts:
            yield f"{words} {', '.join(texts)}"
    if filtering.max_url < RequestFiltering().max_url:
        yield f"refuses paths of more than {filtering.max_url} octets"
    if filtering.max_content_length:
        yield f"refuses uploads of more than {filtering.max_content_length} octets"

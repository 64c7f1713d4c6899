"""
What a logged-in user may do in a site as it is set up now: the store that verbs see, and the rights behind it.

Not here: the rules (``policy``), checking paths (``storage.restricted``), who the user is (cred).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from twistftp.policy.authorization import DEFAULT_RULES, EVERYTHING, Permission, UserRules, rules_of
from twistftp.policy.isolation import Account
from twistftp.storage.refusals import Denied, HomeRefused
from twistftp.storage.restricted import RestrictedStore
from twistftp.storage.site_store import ISiteStore
from twistftp.wire.paths import Path, join, resolve

if TYPE_CHECKING:
    from twistftp.policy.settings import SiteSettings
    from twistftp.session.session import Session
    from twistftp.wire.commands import Command

__all__ = ["Access", "access_of", "note", "note_reading_only", "rules_for"]


_DEFAULT_ANONYMOUS, _DEFAULT_NAMED = (rules_of(DEFAULT_RULES, (), user, kind="default rule") for user in (None, ""))


class Access(NamedTuple):
    """``store`` is what verbs use, ``rules`` what the user may do there, ``start`` the directory after login."""

    store: Any
    rules: UserRules
    start: Path = ()

    def demand_entry(self) -> None:
        """:raises HomeRefused: rules leave nothing of the directory in which the user would start (IIS refuses the login, too)."""
        if not self.rules.reads_everything and not self.rules.sees(self.start):
            raise HomeRefused(self.rules.decide(Permission.READ, self.start).denial)


def access_of(settings: SiteSettings, store: Any, user: str) -> Access:
    """
    What ``user`` may do with an avatar's ``store``.

    Rules that were written down hold for every avatar. The default ones are for those that the site gives itself; anybody else's realm
    knows what its avatars are for. A site with neither rules nor filters costs nothing: verbs get the very store.
    """
    account: Account | None = store.account if ISiteStore.providedBy(store) else None
    if account is not None:
        name = account.name
    else:
        authentication = settings.authentication
        name = None if authentication.anonymous and authentication.is_anonymous(user) else user
    rules = EVERYTHING if account is None and not settings.authorization else rules_for(settings, name)
    start: Path = ()
    if account is not None:
        start = account.start
        store = store.as_writable(rules.may_anywhere(Permission.WRITE))
    filtering = settings.request_filtering
    writes_freely = not store.writable or (rules.is_unlimited and not filtering.max_content_length)
    if rules.reads_everything and writes_freely and not filtering.filters_paths:
        return Access(store, rules, start)
    return Access(RestrictedStore(store, rules, filtering), rules, start)


def rules_for(settings: SiteSettings, name: str | None) -> UserRules:
    """The rules about a user of the site's own realm; ``None`` is the anonymous one."""
    if not settings.authorization:
        return _DEFAULT_ANONYMOUS if name is None else _DEFAULT_NAMED
    return rules_of(settings.authorization, settings.groups, name, settings.authentication.anonymous_names)


def note(session: Session, command: Command | None, text: str, error: BaseException | None) -> BaseException | None:
    """
    A command failed, with ``error``, which is given back: if rules or filters refused it, that has one line in the log, with its reason
    and what of the settings it comes from.
    """
    if isinstance(error, Denied) and command is not None:
        session.site.transcript.denied(session, command.verb, join(resolve(session.cwd, text)), error.denial)
    return error


def note_reading_only(session: Session, command: Command, text: str) -> None:
    """A command that writes was refused before its argument was looked at; if that is by the rules, the log is told."""
    decision = session.rights.decide(Permission.WRITE, resolve(session.cwd, text))
    if not decision.is_allowed:
        session.site.transcript.denied(session, command.verb, join(resolve(session.cwd, text)), decision.denial)

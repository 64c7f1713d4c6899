"""
Why a user may or may not use a path: ``twistftp check CONFIG --explain USER PATH``.

Not here: the decisions themselves; they are asked of what the server asks (``accounts.homes``, ``policy``).
"""

from __future__ import annotations

import os

from twistftp.accounts.homes import Found, Homes
from twistftp.policy.authorization import Decision, Permission
from twistftp.policy.denials import Denial
from twistftp.policy.filtering import RequestFiltering
from twistftp.policy.rule_text import rule_in_words
from twistftp.policy.settings import SiteSettings
from twistftp.session.access import access_of
from twistftp.storage.confinement import Confinement
from twistftp.storage.failures import PermissionDenied, StorageError
from twistftp.storage.filesystem import FilesystemShell
from twistftp.storage.overlay import OverlayShell
from twistftp.storage.refusals import HomeRefused
from twistftp.storage.restricted import views_of
from twistftp.wire.paths import Path, join, resolve

__all__ = ["Explanation", "explain"]


class Explanation:
    """Lines for people, and whether anything is allowed."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.is_allowed = False

    def say(self, what: str, text: str) -> None:
        """One line."""
        self.lines.append(f"{what + ':':<19}{text}")


def explain(site: SiteSettings, user: str, text: str) -> Explanation:
    """
    What the site would let ``user`` do at the path ``text``.

    :param user: ``""``, ``?`` or one of the anonymous names mean the anonymous user.
    """
    told = Explanation()
    authentication = site.authentication
    name = None if user in ("", "?") or (authentication.anonymous and authentication.is_anonymous(user)) else user
    told.say("user", "anonymous" if name is None else name)
    if name is None and not authentication.anonymous:
        told.say("login", "refused: anonymous access is off")
        return told
    root = Confinement(site.root)
    homes = Homes(root, site.user_isolation, site.virtual_directory)
    try:
        found = homes.find(name)
        shell = homes.shell(name)
        access = access_of(site, shell, name or "")
        access.demand_entry()
    except HomeRefused as error:
        told.say("login", f"refused: {error.denial.why} ({error.denial.reason.name})")
        return told
    path = resolve(found.start, text)
    told.say("path", join(path))
    told.say("home", f"{found.folder}{_home_words(site, found)}")
    try:
        views = views_of(path, shell.place)
    except StorageError:  # who asks may not look there; the server may
        views = (path,)
    _tell_places(site, found, shell, views, told)
    denial = _filtered(site.request_filtering, shell, path, views)
    told.say("request filtering", f"refuses it: {denial.why} ({denial.reason.name})" if denial else "lets it pass")
    for permission in Permission:
        decisions = [access.rules.decide(permission, view) for view in views]
        decision = next((one for one in decisions if not one.is_allowed), decisions[0])
        told.say(permission.value, _decision_words(decision))
        told.is_allowed |= decision.is_allowed and denial is None
    return told


def _home_words(site: SiteSettings, found: Found) -> str:
    mode = site.user_isolation.mode
    if mode == "isolate":
        return ', which the user sees as "/"'
    return f", starting in {join(found.start)}" if found.start else ', which everybody sees as "/"'


def _tell_places(site: SiteSettings, found: Found, shell: FilesystemShell | OverlayShell, views: tuple[Path, ...], told: Explanation) -> None:
    """Where in the host the path is, links followed."""
    for real in views[1:]:
        told.say("without links", join(real))
    real, folder, rest = views[-1], found.folder, views[-1]
    for virtual in sorted(site.virtual_directory, key=lambda one: -len(one.names)):
        if real[: len(virtual.names)] == virtual.names:
            told.say("virtual directory", f"{virtual.path}, which is {virtual.root}")
            folder, rest = virtual.root, real[len(virtual.names) :]
            break
    try:
        shell.place(views[0])
        missing = ""
    except PermissionDenied:
        missing = " (you may not look there)"
    except StorageError:
        missing = " (not there)"
    told.say("real path", f"{os.path.join(folder, *rest)}{missing}")


def _filtered(filtering: RequestFiltering, shell: FilesystemShell | OverlayShell, path: Path, views: tuple[Path, ...]) -> Denial | None:
    try:
        is_directory = shell.status(path).is_directory
    except StorageError:
        is_directory = False
    for view in views:
        if denial := filtering.of_path(view) or (filtering.of_file(view[-1]) if view and not is_directory else None):
            return denial
    return None


def _decision_words(decision: Decision) -> str:
    if decision.rule is None:
        return "denied: no authorization rule matches"
    verdict = "allowed" if decision.is_allowed else "denied"
    return f"{verdict} by {decision.kind} {decision.number}: {rule_in_words(decision.rule)}"

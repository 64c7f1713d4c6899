"""
User isolation: which directory is a user's home, as a text; and virtual directories, which are nobody's home.

Not here: whether a directory is there (``accounts.homes``), and staying in it (``storage.confinement``).
"""

from __future__ import annotations

import re
from typing import Any

from attrs import Attribute, field, frozen

from twistftp.policy.authorization import absolute_path
from twistftp.policy.denials import Denial, Reason
from twistftp.policy.rules import BadSetting
from twistftp.wire.paths import Path, encode_name, resolve

__all__ = ["Account", "Home", "UserIsolation", "VirtualDirectory", "is_folder_name"]

_MODES = ("none", "start_in_users_directory", "isolate")
_FIELD = re.compile(r"(?<!\$)\{([^{}]*)\}")  # ${VAR} is a variable
_USER = "{user}"
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_NAME_MAX = 255  # octets of one name on every file system in use


@frozen
class Account:
    """For whom a store was made: ``name`` is that of the list of users, ``None`` for anonymous ones; ``start`` the directory after login."""

    name: str | None = None
    start: Path = ()


@frozen
class Home:
    """
    Where a user's home is.

    :param base: an absolute directory of the host, in which the administrator alone makes links; ``""`` is the content root.
    :param names: the way from there to the directory that is the user's own, or that all share.
    :param below: the rest of the way. What lies there the user may have changed, so no link in it is followed.
    """

    base: str
    names: Path
    below: Path = ()


def is_folder_name(name: str) -> bool:
    """Whether a user's name can be the name of one directory, on any system, and can lead nowhere else."""
    return (
        name not in ("", ".", "..")
        and not any(character in '/\\:*?"<>|' or ord(character) < 32 or ord(character) == 127 for character in name)
        and name == name.strip()
        and not name.endswith(".")
        and len(encode_name(name)) <= _NAME_MAX
    )


def _mode(instance: object, attribute: Attribute[str], value: str) -> None:
    if value not in _MODES:
        raise BadSetting(attribute.name, value, f"must be one of {', '.join(_MODES)}")


def _is_absolute(template: str) -> bool:
    return template.startswith(("/", "~", "$", "%")) or _DRIVE.match(template) is not None


def _template(instance: Any, attribute: Attribute[str], value: str) -> None:
    names = value.split("/")
    if not value.strip() or not value.isprintable() or ".." in names or "." in names:
        raise BadSetting(attribute.name, value, 'must be a directory below the root, or an absolute one, without "..", such as "LocalUser/{user}"')
    for unknown in set(_FIELD.findall(value)) - {"user"}:
        raise BadSetting(attribute.name, value, f"{{{unknown}}} is unknown; {{user}} stands for the user's name")
    if attribute.name == "anonymous_home" and _USER in value:
        raise BadSetting(attribute.name, value, "anonymous users have no name that could stand for {user}")
    if instance.mode == "start_in_users_directory" and _is_absolute(value):
        raise BadSetting(attribute.name, value, "must be below the root in this mode: users see the whole site, and start there")


@frozen
class UserIsolation:
    """``[site.user_isolation]``: ``none``: everybody sees the root; ``start_in_users_directory``; ``isolate``: the home is ``/``."""

    mode: str = field(default="none", validator=_mode)
    home: str = field(default="LocalUser/{user}", validator=_template)
    anonymous_home: str = field(default="LocalUser/Public", validator=_template)

    def home_of(self, user: str | None) -> Home | Denial | None:
        """
        The home of ``user`` (``None``: anonymous users), or why there can be none; ``None`` when nobody has one.

        A user's name becomes one name of a directory or nothing: it never leads anywhere else.
        """
        if self.mode == "none":
            return None
        template = self.anonymous_home if user is None else self.home
        if user is not None and _USER in template and not is_folder_name(user):
            return Denial(Reason.HOME_NAME, user)
        given = template.split("/")
        names = tuple(name.replace(_USER, user or "") for name in given)
        if user is not None and any(name in (".", "..") for name in names):  # "." in a template such as ".{user}"
            return Denial(Reason.HOME_NAME, user)
        own = next((number for number, name in enumerate(given) if _USER in name), len(given) - 1)
        if not _is_absolute(template):
            return Home("", _full(names[: own + 1]), _full(names[own + 1 :]))
        if _USER not in template:
            return Home(template, ())
        return Home("/".join(names[:own]) or "/", names[own : own + 1], _full(names[own + 1 :]))

    def seen(self, root: str) -> tuple[str, ...]:
        """The directories of the host in which is all that users see, where the site's root is ``root``; virtual directories not counted."""
        if self.mode != "isolate":
            return (root,)
        found = []
        for template in (self.home, self.anonymous_home):
            fixed = template.partition(_USER)[0]
            if fixed != template:
                fixed = fixed[: fixed.rfind("/") + 1]
            found.append(fixed if _is_absolute(fixed) else f"{root}/{fixed}")
        return tuple(found)


def _full(names: Path) -> Path:
    return tuple(name for name in names if name)


def _below_the_root(instance: object, attribute: Attribute[str], value: str) -> None:
    absolute_path(instance, attribute, value)
    if not resolve((), value):
        raise BadSetting(attribute.name, value, "is the site's root already; a virtual directory needs a name")


@frozen
class VirtualDirectory:
    """``[[site.virtual_directory]]``: clients find the directory ``root`` of the host at ``path``."""

    path: str = field(validator=_below_the_root)
    root: str

    def __str__(self) -> str:
        return f"{self.path} = {self.root}"

    @property
    def names(self) -> Path:
        """The path as the tuple of its names."""
        return resolve((), self.path)

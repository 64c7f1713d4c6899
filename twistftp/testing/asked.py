"""
What a test may ask of a site, checked before anything is started: each mistake has one line, which names the option.

Not here: sections of the configuration file by their content, which the site itself reads (``worker.running``).
"""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import fields

from twistftp.policy.settings import SiteSettings

__all__ = ["checked_port", "checked_sections", "checked_users", "tls_kind"]

_TLS = {False: "", None: "", True: "explicit", "explicit": "explicit", "implicit": "implicit", "required": "required"}
# What of the configuration file has another name here, or none: accounts, files and ports are the test's own.
_INSTEAD = {
    "authentication": "users= and anonymous= say who may log in",
    "virtual_directory": "files= and root= say what there is",
    "user_isolation": "all users see the same files",
    "listen": "address= and port= say where it listens",
    "auto_start": "it starts with with, or by start()",
    "logging": "the attributes log and commands have what was said",
}
_SECTIONS = frozenset(field.name for field in fields(SiteSettings)) - _INSTEAD.keys()


def tls_kind(value: Any) -> str:
    """``explicit``, ``required``, ``implicit``, or ``""`` for none. :raises ValueError: it is nothing of that."""
    if not isinstance(value, (bool, str, type(None))) or value not in _TLS:
        raise ValueError(f"tls must be True, False, 'explicit', 'required' or 'implicit', not {value!r}")
    return _TLS[value]


def checked_port(value: Any) -> int | None:
    """A port, ``None`` for any. :raises TypeError: it is no number. :raises ValueError: it is none that there is."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"port must be a number, or None for a free one, not {value!r}")
    if not 0 <= value <= 65535:
        raise ValueError(f"port must be from 0 to 65535, not {value}")
    return value


def checked_users(value: Any) -> dict[str, str]:
    """Names and passwords. :raises TypeError: they are not."""
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for pair in value.items() for text in pair):
        raise TypeError(f"users must be a mapping of names to passwords, both str, not {value!r}")
    return dict(value)


def checked_sections(given: Mapping[str, Any], maker: Callable[..., Any]) -> dict[str, Any]:
    """
    Sections of the configuration file, by name. ``maker`` has been called with them among its options.

    :raises TypeError: there is no such section, nor such an option of ``maker``; or its content is not what a TOML file may hold.
    :raises ValueError: a site of a test has something else for it.
    """
    for name, content in given.items():
        if name in _INSTEAD:
            raise ValueError(f"{name} is not for sites of tests: {_INSTEAD[name]}")
        if name not in _SECTIONS:
            raise TypeError(f"a site has no option {name!r}{_hint(name, [*inspect.signature(maker).parameters, *_SECTIONS])}")
        try:
            json.dumps(content)
        except (TypeError, ValueError):
            raise TypeError(f"{name} must be as in the configuration file, of dicts, lists, texts, numbers and booleans; not {content!r}") from None
    return dict(given)


def _hint(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]}?" if near else ""

"""
What of a site's settings a capsule holds, so that a replay has a site that answers alike.

Not here: reading configuration files. Left out is what names this machine, its users and its files, and what the replay gets from
the capsule's events instead: who may log in and who may do what.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from twistftp.policy.settings import SiteSettings
from twistftp.structuring import structure

__all__ = ["plain_settings", "site_settings"]

# Keys of [[site]] that go into a capsule; of a table those of its keys that are named, or all.
_KEPT: Mapping[str, frozenset[str] | None] = {
    "name": None,
    "host_name": None,
    "firewall_support": frozenset({"match_client_address_for_pasv", "match_client_address_for_port", "active_mode"}),
    "authentication": frozenset({"anonymous", "anonymous_names"}),
    "request_filtering": frozenset({"denied_commands"}),
    "limits": frozenset({"control_channel_timeout", "unauthenticated_timeout", "data_channel_timeout", "data_stall_timeout", "max_command_line"}),
    "logon_attempts": frozenset({"max_failures", "period", "block", "delay", "log_only"}),
    "file_handling": None,
    "directory_browse": None,
    "messages": None,
    "tls": frozenset({"control_channel", "data_channel", "implicit", "session", "minimum_version", "clear_command_channel"}),
}


def plain_settings(settings: SiteSettings) -> dict[str, Any]:
    """The settings that matter and are not the defaults, as the configuration file would have them; ``tls.is_on`` beside them."""
    found: dict[str, Any] = {}
    defaults = SiteSettings(root="/")
    for key, kept in _KEPT.items():
        value, default = getattr(settings, key), getattr(defaults, key)
        if attrs.has(type(value)):
            table = {
                one.name: _plain(getattr(value, one.name))
                for one in attrs.fields(type(value))
                if (kept is None or one.name in kept) and getattr(value, one.name) != getattr(default, one.name)
            }
            if key == "tls" and settings.tls.is_on:
                table["self_signed"] = True  # whatever certificate it has, a replay has one of its own
            if table:
                found[key] = table
        elif value != default:
            found[key] = value
    return found


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def site_settings(plain: Mapping[str, Any]) -> SiteSettings:
    """
    The settings of a capsule.

    :raises Exception: they are none; ``structuring.first_fault`` says why.
    """
    return structure({"site": [{**plain, "root": "/"}]}).site[0]

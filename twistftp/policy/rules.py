"""
What several settings have in common: the error for a value that breaks a rule, and rules used in more than one place.

Not here: which settings there are (``settings``, ``firewall_support``).
"""

from __future__ import annotations

import re
from typing import Any

from attrs import Attribute

__all__ = ["BadSetting", "is_host_name", "port_number"]


class BadSetting(ValueError):
    """A value breaks a rule: ``name`` is the setting's, ``value`` what was given, ``rule`` what it should be."""

    def __init__(self, name: str, value: object, rule: str) -> None:
        super().__init__(f"{name} = {value!r}: {rule}")
        self.name, self.value, self.rule = name, value, rule


def port_number(instance: object, attribute: Attribute[int], value: Any) -> None:
    """Refuse what is no port number (an attrs validator)."""
    if not 0 <= value <= 65535:
        raise BadSetting(attribute.name, value, "a port is 0 to 65535")


# RFC 7151 §3.1 takes host names as in RFC 3986 and 1123; an underscore is common inside private networks.
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\Z", re.IGNORECASE)


def is_host_name(text: str) -> bool:
    """Whether ``text`` has the form of a DNS name, without a full stop at its end."""
    return _HOST_NAME.match(text) is not None

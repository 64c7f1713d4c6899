"""
An administrator's message with variables, as IIS has them: ``%SiteName% %UserName% %SessionID% %BytesSent% %BytesReceived%``.

Not here: which message is said when, and the values (``session.messages``).

``%BytesReceived%`` is what the client has received and ``%BytesSent%`` what it has sent, as in IIS: the reader of a message is the client.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["VARIABLES", "expand", "has_variables"]

VARIABLES = ("SiteName", "UserName", "SessionID", "BytesSent", "BytesReceived")
_CANONICAL = {name.lower(): name for name in VARIABLES}
_VARIABLE = re.compile(f"%({'|'.join(VARIABLES)})%", re.IGNORECASE | re.ASCII)


def has_variables(text: str) -> bool:
    """Whether the text differs from one session to the next."""
    return _VARIABLE.search(text) is not None


def expand(text: str, values: Mapping[str, str]) -> str:
    """
    The text with the values, keyed as :data:`VARIABLES`, in place of their names (in any case); any other ``%X%`` stays as it is.

    A value stays on its line, whatever a client has put into it, and is not looked through for variables.
    """
    return _VARIABLE.sub(lambda match: _one_line(values[_CANONICAL[match[1].lower()]]), text)


def _one_line(value: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in value)

"""
The texts of a site for people: banner, greeting, farewell, and what is said when there are too many connections.

Not here: where they are said. A text without variables is made into a reply once, when the settings are read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twistftp.policy.messages import expand, has_variables
from twistftp.policy.settings import SiteSettings
from twistftp.wire.replies import Reply, cleaned

if TYPE_CHECKING:
    from twistftp.session.session import Session

__all__ = ["Messages"]

_LONGEST_NAME = 128  # octets of a user's name


class Messages:
    """The messages of one site; each is given the session that it is for."""

    def __init__(self, settings: SiteSettings) -> None:
        messages, limit = settings.messages, settings.limits.max_connections
        banner = messages.banner or ("Ready." if messages.suppress_default_banner else f"{settings.name} FTP service ready.")
        self._site_name = settings.name
        # The site's name in the default banner is no place for variables.
        self.banner = self._message(220, banner, messages.banner)
        self.greeting = self._message(230, messages.greeting or "Logged in.")
        self.goodbye = self._message(221, messages.exit or "Goodbye.", closes=True)
        full = messages.max_clients or f"Too many connections (limit {limit}); try again later."
        self.max_clients = self._message(421, full, messages.max_clients, closes=True)

    def _message(self, code: int, text: str, written: str | None = None, *, closes: bool = False) -> Callable[[Session | None], Reply]:
        fixed = Reply(code, Reply.message(code, text).lines, closes)
        if not has_variables(text if written is None else written):
            return lambda session: fixed
        return lambda session: Reply(code, tuple(expand(line, self._values(session)) for line in fixed.lines), closes)

    def _values(self, session: Session | None) -> dict[str, str]:
        """A connection that gets no session has no number either; before a login nobody has a name."""
        if session is None:
            return {"SiteName": self._site_name, "UserName": "", "SessionID": "0", "BytesSent": "0", "BytesReceived": "0"}
        return {
            "SiteName": self._site_name,
            "UserName": "anonymous" if session.is_anonymous else cleaned(session.user, _LONGEST_NAME),
            "SessionID": str(session.identifier),
            "BytesSent": str(session.octets_received),
            "BytesReceived": str(session.octets_sent),
        }

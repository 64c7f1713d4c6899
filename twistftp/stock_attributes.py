"""
What programs set on Twisted's ``FTPFactory`` to keep clients out, as words for the settings of the same meaning.

Not here: the settings, and what follows from them (``site``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import evolve

if TYPE_CHECKING:
    from twistftp.policy.settings import SiteSettings

__all__ = ["StockAttributes"]


class StockAttributes:
    """
    ``allowAnonymous`` and ``connectionLimit`` of a site.

    A program that is written for ``FTPFactory`` sets them on the factory. Were they plain attributes here, nothing would
    happen, and clients would be let in who should not be. New settings (``FTPSite.reconfigure``) win over what was set before.
    """

    settings: SiteSettings
    reconfigure: Callable[..., None]

    @property
    def allowAnonymous(self) -> bool:
        """Whether anonymous users may log in: ``authentication.anonymous``."""
        return self.settings.authentication.anonymous

    @allowAnonymous.setter
    def allowAnonymous(self, allowed: bool) -> None:
        self.reconfigure(evolve(self.settings, authentication=evolve(self.settings.authentication, anonymous=bool(allowed))))

    @property
    def connectionLimit(self) -> int | None:
        """How many clients there may be at a time, ``None`` for any number: ``limits.max_connections``."""
        return self.settings.limits.max_connections or None

    @connectionLimit.setter
    def connectionLimit(self, limit: int | None) -> None:
        self.reconfigure(evolve(self.settings, limits=evolve(self.settings.limits, max_connections=limit or 0)))

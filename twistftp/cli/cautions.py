"""
What ``twistftp check`` warns of beside the traps of ``policy.traps``: what may well be meant so, and is said to whoever asks.

Not here: what the running server warns of by itself, at each start (``policy.traps``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from twistftp.policy.settings import ServerSettings, SiteSettings
from twistftp.privileges import ServingUser, may_read
from twistftp.wire.addresses import is_loopback

__all__ = ["cautions", "others_may_read"]

_NOBODY = 65534
"""A user who has no right that not everybody has."""
_DEPRECATED = ("1.0", "1.1")


def cautions(settings: ServerSettings, may_others_read: Callable[[str], bool]) -> Iterator[str]:
    """What to warn of, one line each."""
    for site in settings.sites:
        if site.address and is_loopback(site.address) and not site.listen:
            yield f'site {site.name!r} is bound to the loopback address {site.address}: remote clients cannot reach this; address = "" is all of them'
        yield from _of_tls(site)
        for root in (site.root, *(one.root for one in site.virtual_directory)):
            if not may_others_read(root):
                yield (
                    f"{root} of site {site.name!r} is not for everybody to read: a server that gives up root's rights (twistd --uid) needs "
                    "read and search permission there for its user, and search permission on the directories above it"
                )


def _of_tls(site: SiteSettings) -> Iterator[str]:
    if not site.tls.is_on:
        yield f"site {site.name!r} allows TLS and has no certificate, so there is no TLS: give certificate and private_key, or self_signed = true"
    elif site.tls.minimum_version in _DEPRECATED:
        yield f"minimum_version {site.tls.minimum_version} of site {site.name!r}: TLS 1.0 and 1.1 are deprecated (RFC 8996); for old devices alone"


def others_may_read(directory: str) -> bool:
    """
    Whether somebody without any rights may list and enter ``directory``. Only root can tell, and only root serves as somebody else:
    to others a directory that they may not read is refused anyway.
    """
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return not is_root or may_read(directory, ServingUser(_NOBODY, _NOBODY, (_NOBODY,)))

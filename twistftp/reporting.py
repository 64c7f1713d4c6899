"""
What a running server can tell about itself, as plain values: a summary, and its sessions one by one.

Not here: who asks (``control``), Prometheus' names for it (``metrics``), and how it is shown (``cli``).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from twistftp import __version__
from twistftp.session.interpreter import ServerPI
from twistftp.session.tally import DIRECTIONS
from twistftp.site import FTPSite
from twistftp.wire.states import Login

__all__ = ["Source", "find", "octets_by_direction", "pool_numbers", "sessions", "sessions_in_tls", "status", "transfers_under_way"]


class Source(Protocol):
    """What is reported on: a process with its sites."""

    started: float  # seconds since 1970
    pool: Any

    @property
    def is_draining(self) -> bool:
        """Whether the server shuts down."""

    @property
    def delayed_calls(self) -> int:
        """What the reactor is to do later: few, however many sessions there are."""

    def sites(self) -> Iterable[tuple[FTPSite, str]]:
        """The sites that are served, and where."""


def status(source: Source, now: float) -> dict[str, Any]:
    """The whole server in numbers."""
    return {
        "version": __version__,
        "pid": os.getpid(),
        "uptime": round(now - source.started, 3),
        "is_draining": source.is_draining,
        "delayed_calls": source.delayed_calls,
        "sites": [_site(site, where) for site, where in source.sites()],
        "pool": {"ports": str(source.pool.whole), **pool_numbers(source.pool)},
    }


def _site(site: FTPSite, where: str) -> dict[str, Any]:
    tally = site.transcript.tally
    transfers: dict[str, dict[str, int]] = {}
    for (direction, outcome), count in sorted(tally.transfers.items()):
        transfers.setdefault(direction, {})[outcome] = count
    return {
        "name": site.settings.name,
        "root": site.settings.root,
        "where": where,
        "sessions": len(site.sessions),
        "transfers_under_way": transfers_under_way(site),
        "sessions_total": tally.sessions,
        "refused": tally.refused,
        "logins": dict(sorted(tally.logins.items())),
        "transfers": transfers,
        "octets": dict(sorted(octets_by_direction(site).items())),
        "tls": _tls(site),
        "verdicts": {cause.name: count for cause, count in site.verdicts.counts().items()},
    }


def _tls(site: FTPSite) -> dict[str, Any] | None:
    if site.tls is None or not site.settings.tls.is_on:
        return None
    tally = site.transcript.tally
    return {
        "sessions": sessions_in_tls(site),
        "expires": site.tls.identity.expires.isoformat(),
        "trouble": site.tls.trouble(),
        "handshakes": {f"{version} {result}": count for (version, result), count in sorted(tally.handshakes.items())},
        "data_handshakes": dict(sorted(tally.data_handshakes.items())),
    }


def sessions_in_tls(site: FTPSite) -> int:
    """Sessions whose control connection is encrypted now."""
    return sum(pi.session.is_secure for pi in site.sessions)


def pool_numbers(pool: Any) -> dict[str, int]:
    """The passive pool: what is open now, and what it has done so far."""
    counters = pool.counters
    done = {name: getattr(counters, name) for name in ("opened", "leased", "waits", "shared", "refused", "strangers", "unproven", "unbindable")}
    return {"open_ports": pool.open_ports, "leases": pool.active_leases, "connections": pool.open_connections, **done}


def transfers_under_way(site: FTPSite) -> int:
    """Transfers and listings that run or wait for their data connection."""
    return sum(pi.session.transfer is not None for pi in site.sessions)


def octets_by_direction(site: FTPSite) -> Mapping[str, int]:
    """Octets of data connections so far, those of transfers under way included."""
    octets = dict(site.transcript.tally.octets)
    for pi in site.sessions:
        if (transfer := pi.session.transfer) is not None:
            direction = DIRECTIONS.get(transfer.verb, "listing")
            octets[direction] = octets.get(direction, 0) + transfer.octets
    return octets


def sessions(source: Source) -> list[dict[str, Any]]:
    """Each session, the oldest first."""
    return sorted((_session(site, pi) for site, _ in source.sites() for pi in site.sessions), key=lambda one: one["id"])


def _session(site: FTPSite, pi: ServerPI) -> dict[str, Any]:
    session, now = pi.session, site.deadlines.seconds()
    transfer = session.transfer
    seconds = now - transfer.started if transfer is not None else 0.0
    return {
        "id": session.identifier,
        "site": site.settings.name,
        "user": _text(session.user),
        "is_logged_in": session.login is Login.DONE,
        "client": session.peer,
        "program": _text(session.client),
        "tls": session.tls.description if session.tls is not None and session.is_secure else "",
        "verb": transfer.verb if transfer is not None else "",
        "path": _text(transfer.what) if transfer is not None else "",
        "is_waiting": transfer is not None and not transfer.is_begun,
        "octets": transfer.octets if transfer is not None else 0,
        "total": transfer.total if transfer is not None else None,
        "seconds": round(seconds, 3),
        "rate": round(transfer.octets / seconds) if transfer is not None and seconds > 0 else 0,
        "idle": 0.0 if pi.is_busy else round(now - pi.patience.idle_since, 3),
    }


def _text(text: str) -> str:
    """Text from a client, without half a surrogate pair: that is no character, and JSON's readers refuse it."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def find(source: Source, number: int) -> tuple[FTPSite, ServerPI] | None:
    """The session of that number and its site."""
    return next(((site, pi) for site, _ in source.sites() for pi in site.sessions if pi.session.identifier == number), None)

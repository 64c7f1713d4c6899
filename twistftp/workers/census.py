"""
The limits of a site that hold for all workers together: connections, connections of an address, octets a second.

Not here: the shared memory (``board``), and a site's own count of its sessions (``site``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import LoopingCall

from twistftp.reporting import transfers_under_way
from twistftp.workers.board import Board

__all__ = ["Census"]

SHARING = 0.25
"""Seconds between two looks at how many transfers each worker has."""


class Census:
    """
    What one worker tells the others of its sites, and hears. Nothing is told of limits that are not set.

    :param column: the worker's column of the ``board``.
    """

    def __init__(self, board: Board, column: int, clock: Any) -> None:
        self._board, self._column, self._clock = board, column, clock
        self._told: dict[Any, set[str]] = {}
        self._sharing: dict[Any, tuple[str, LoopingCall]] = {}

    # Of the sites

    def judged(self, site: Any, peer: str, judge: Callable[[int, int], Any]) -> Any:
        """
        What ``judge`` says of a new connection, given how many connections the other workers have, in all and from ``peer``. If that is
        ``None``, the connection counts already when the next one is judged, here or elsewhere.
        """
        limits = site.settings.limits
        if not limits.max_connections and not limits.max_connections_per_address:
            return judge(0, 0)
        whole, of_peer = _names(site, peer)
        with self._board.locked():
            elsewhere = self._others(whole) if limits.max_connections else 0
            from_peer = self._others(of_peer) if limits.max_connections_per_address else 0
            verdict = judge(elsewhere, from_peer)
            if verdict is None:
                self._tell(site, peer, 1)
        return verdict

    def ended(self, site: Any, peer: str) -> None:
        """A session has ended."""
        if site in self._told:
            with self._board.locked():
                self._tell(site, peer, 0)

    def changed(self, site: Any) -> bool:
        """
        A site has other settings, or another name: what was told of it is told anew.

        :return: whether it has limits on connections, so that :meth:`judged` and :meth:`ended` are to be called.
        """
        limits = site.settings.limits
        has_limits = bool(limits.max_connections or limits.max_connections_per_address)
        if has_limits or site in self._told:
            with self._board.locked():
                for name in self._told.pop(site, ()):
                    self._board.write(name, self._column, 0)
                if has_limits:
                    self._told[site] = set()
                    for peer in site.peers():
                        self._tell(site, peer, 0)
        self._share(site, bool(limits.max_site_bytes_per_second) and not site.is_draining)
        return has_limits

    def forget(self, site: Any) -> None:
        """A site has ended here."""
        self._share(site, False)
        if names := self._told.pop(site, None):
            with self._board.locked():
                for name in names:
                    self._board.write(name, self._column, 0)

    def _others(self, name: str) -> int:
        columns = self._board.read(name)
        return sum(columns) - columns[self._column]

    def _tell(self, site: Any, peer: str, more: int) -> None:
        whole, of_peer = _names(site, peer)
        told = self._told.setdefault(site, set())
        for name, count in ((whole, len(site.sessions) + more), (of_peer, site.sessions_of(peer) + more)):
            self._board.write(name, self._column, count)
            if count:
                told.add(name)
            else:
                told.discard(name)

    # Bandwidth

    def _share(self, site: Any, is_needed: bool) -> None:
        name, call = self._sharing.pop(site, ("", None))
        if call is not None:
            call.stop()
            with self._board.locked():
                self._board.write(_transfers(name), self._column, 0)
        if is_needed:
            name = site.settings.name
            call = LoopingCall(self._look, site, name)
            self._sharing[site] = name, call
            call.clock = self._clock
            call.start(SHARING, now=True)

    def _look(self, site: Any, name: str) -> None:
        """A part of the rate for each transfer, whichever worker has it; to begin with, a part for a worker without any."""
        mine = transfers_under_way(site)
        with self._board.locked():
            self._board.write(_transfers(name), self._column, mine)
            others = self._others(_transfers(name))
        site.throttle.share(max(1, mine) / (max(1, mine) + others))


def _names(site: Any, peer: str) -> tuple[str, str]:
    name = site.settings.name
    return f"c {name}", f"p {name}\n{peer}"


def _transfers(name: str) -> str:
    return f"t {name}"

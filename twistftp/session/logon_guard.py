"""
Keeps out addresses from which too many logins have failed: the site's one count of them, the 421s, the lines of the log.

Not here: counting (``policy.logon_attempts``), and the failures of a single connection (``verbs.login``).
"""

from __future__ import annotations

from math import ceil
from typing import Any

from twistftp.policy.logon_attempts import Block, FailedLogins, client_of
from twistftp.policy.ration import Ration
from twistftp.session.session import Session
from twistftp.session.transcript import LINES_A_SECOND, printable
from twistftp.wire.replies import Reply
from twistftp.wire.states import Login

__all__ = ["LogonGuard"]


class LogonGuard:
    """The guard of one ``site``; all its connections, of whichever port, count together."""

    def __init__(self, site: Any) -> None:
        self._site = site
        self._failed = FailedLogins()
        self._ration = Ration(LINES_A_SECOND)

    def refusal(self, peer: str) -> Reply | None:
        """What a new connection from ``peer`` is told if it is blocked (CONTRACT §3, ``[site.logon_attempts]``)."""
        now = self._site.deadlines.seconds()
        block = self._failed.blocked(peer, self._site.settings.logon_attempts, now)
        if block is None:
            return None
        block.refused += 1
        return _keep_out(block, now)

    def refused(self, peer: str) -> Reply | None:
        """The same for one that is there already."""
        now = self._site.deadlines.seconds()
        block = self._failed.blocked(peer, self._site.settings.logon_attempts, now)
        return None if block is None else _keep_out(block, now)

    def failed(self, session: Session, name: str) -> Reply | None:
        """
        A login has failed. If its address is blocked, now or already: the reply to it; other connections from there that are not
        logged in have had theirs.
        """
        site, peer = self._site, session.peer
        settings, now = site.settings.logon_attempts, site.deadlines.seconds()
        block = self._failed.failed(peer, settings, now)
        if block is not None:
            self._tell(block, name, settings.log_only, settings.block)
            site.deadlines.watch(self, block.until)
        reply = self.refused(peer)
        if reply is not None and block is not None:
            self._send_away(block.client, reply, session)
        return reply

    def _send_away(self, client: str, reply: Reply, but: Session | None = None) -> None:
        """End the connections of a client that are not logged in."""
        for other in list(self._site.sessions):
            if other.session is not but and other.session.login is not Login.DONE and client_of(other.peer) == client:
                other.close(reply)
                other.session.give_up_login()  # an attacker's waiting guesses must not keep others from logging in

    def block(self, block: Block) -> None:
        """Another process, which counts for all, has found that a client is to be kept out."""
        site, now = self._site, self._site.deadlines.seconds()
        self._failed.add(block)
        site.deadlines.watch(self, self._failed.next_end)
        if (standing := self._failed.standing(block.client, site.settings.logon_attempts, now)) is not None:
            self._send_away(block.client, _keep_out(standing, now))

    def blocks(self) -> list[Block]:
        """Those of which the end has not come yet."""
        return self._failed.blocks()

    def _tell(self, block: Block, name: str, log_only: bool, seconds: float) -> None:
        if self._may_write():
            text = "{site}: {client} {is_blocked} blocked for {block:g} s after {failures} failed logins in {seconds:.0f} s, the last as {user}"
            self._site.log.warn(
                text,
                site=self._site.settings.name,
                client=block.client,
                is_blocked="would be" if log_only else "is",
                block=seconds,
                failures=block.failures,
                seconds=block.seconds,
                user=printable(name, 64),
            )

    def _may_write(self) -> bool:
        """An attack from many addresses must not fill the log: what is not written is counted."""
        may = self._ration.allows(self._site.deadlines.seconds())
        if may:
            self._sum_up()
        return may

    def _sum_up(self) -> None:
        if count := self._ration.settle():
            self._site.log.warn("{site}: {count} more blocks began or ended, not shown one by one", site=self._site.settings.name, count=count)

    def expire(self, now: float) -> float | None:
        """The end of a block has come (``transport.deadlines`` asks); when to ask again."""
        for block in self._failed.ended(now):
            if not self._site.settings.logon_attempts.log_only and self._may_write():
                text = "{site}: {client} is no longer blocked; {refused} connections were refused meanwhile"
                self._site.log.info(text, site=self._site.settings.name, client=block.client, refused=block.refused)
        if self._failed.next_end is None:
            self._sum_up()
        return self._failed.next_end

    def stop(self) -> None:
        """The site ends."""
        self._site.deadlines.forget(self)


def _keep_out(block: Block, now: float) -> Reply:
    return Reply.of(421, f"Too many failed logins from your address; try again in {max(1, ceil(block.until - now))} seconds.", closes=True)

"""
The control connection goes under TLS, and comes back from it.

Not here: the verbs that ask for it (``verbs.security``), certificates and sessions of TLS (``transport``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twistftp.transport.secure import SecureTransport
from twistftp.transport.tls_session import SessionTLS

if TYPE_CHECKING:
    from twistftp.session.session import Session

__all__ = ["LEAVE_WAIT", "begin_tls", "end_tls", "tls_lost"]

LEAVE_WAIT = 5.0
"""Seconds that a client may take to go back to clear text with us (PROTOCOL P-CCC-2, P-TIME-7)."""


class _Handshake:
    """The handshake of one control connection: how it ends, and that it ends (PROTOCOL P-TIME-3)."""

    __slots__ = ("_session", "_transport")

    def __init__(self, session: Session, transport: SecureTransport) -> None:
        self._session, self._transport = session, transport
        deadlines = session.site.deadlines
        deadlines.watch(self, deadlines.seconds() + session.site.settings.limits.data_channel_timeout)

    def done(self, connection: Any) -> None:
        """The control connection is encrypted."""
        session = self._session
        session.site.deadlines.forget(self)
        if session.tls is None:
            return
        tls = session.tls
        tls.control_is_secure(connection)
        name = tls.server_name if len(session.site.hosts.sites) > 1 else ""
        site = session.site.hosts.find(name) if name and not session.host else None
        if site is not None and site is not session.site and (refused := site.receive(session.control)) is not None:
            session.control.close(refused)
        session.site.transcript.tally.handshake(tls.version)

    def failed(self, reason: str) -> None:
        """It will not be; there is no way back to clear text (PROTOCOL P-AUTH-7)."""
        self._session.site.deadlines.forget(self)
        self._session.site.transcript.tls_failed(self._session, reason)

    def expire(self, now: float) -> float | None:
        """The client has not come to the end of it."""
        self._transport.fail("not done in time")
        return None


def begin_tls(session: Session, *, is_private: bool = False) -> None:
    """
    From now on the control connection speaks TLS; the next octets of the client must be its ClientHello.

    :param is_private: whether data connections are encrypted unless the client says otherwise (PROT P), where the site allows that.
    """
    site, control = session.site, session.control

    def count(result: str) -> None:
        session.site.transcript.tally.data_handshake(result)  # it may be another site's by then

    site.tls.refresh()
    tls = session.tls = SessionTLS(
        site.tls,
        session.peer,
        site.pool.neighbours,
        rule=lambda: session.site.settings.tls.session,
        user=lambda: session.user,
        timeout=lambda: site.settings.limits.data_channel_timeout,
        for_name=site.hosts.tls_of if len(site.hosts.sites) > 1 else None,
        count=count,
    )
    tls.is_private = is_private and not site.settings.tls.is_level_refused(is_protected=True)
    transport = SecureTransport(control, tls.begin_control)
    handshake = _Handshake(session, transport)
    transport.secured, transport.failed = handshake.done, handshake.failed
    transport.take_over(control.transport)
    control.use_transport(transport)


class _Leaving:
    """A client that is to go back to clear text."""

    __slots__ = ("_session", "_transport")

    def __init__(self, session: Session, transport: SecureTransport) -> None:
        self._session, self._transport = session, transport
        session.site.deadlines.watch(self, session.site.deadlines.seconds() + LEAVE_WAIT)

    def expire(self, now: float) -> float | None:
        """It has not."""
        if self._session.control.transport is self._transport:
            self._transport.abortConnection()
        return None


def end_tls(session: Session, then: Callable[[], object] = lambda: None) -> None:
    """The control connection goes back to clear text; ``then`` is called when the client has come along."""
    transport = session.control.transport
    session.control.use_transport(transport)  # what was said so far goes out before close_notify
    leaving = _Leaving(session, transport)

    def left() -> None:
        session.site.deadlines.forget(leaving)
        session.control.use_transport(transport.below)
        then()

    if session.tls is not None:
        session.tls.is_control_secure = False
    transport.leave(left)


def tls_lost(session: Session) -> None:
    """The session has ended, or starts afresh: its TLS sessions are nobody's any more."""
    tls, session.tls = session.tls, None
    if tls is not None:
        session.drop_data_port()  # while the user is known: a connection may be on its way there
        tls.close()

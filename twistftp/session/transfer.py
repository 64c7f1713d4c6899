"""
The course of one transfer: wait for the data connection, 150, the octets, 226 or why not (PROTOCOL §3.2).

Not here: what is sent (``verbs.transfers``, ``verbs.listings``) and how (``transport.dtp``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred

from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.session.session import Session
from twistftp.session.verdicts import failed
from twistftp.transport.deflate import Deflating, InflatedSink
from twistftp.transport.interfaces import DataConnectionFailed
from twistftp.wire.replies import Reply

__all__ = ["WHOLE_ALONE", "Transfer", "receive_over_data", "send_over_data", "settled"]

WHOLE_ALONE = Reply.of(554, "MODE Z transfers whole files only; use MODE S for a part of one.")
"""To a transfer behind REST or RANG in MODE Z: which octets they count, those of the file or of the stream, is not agreed on."""

_UPLOADS = frozenset(("STOR", "APPE", "STOU"))
_NOT_SET_UP = Verdict(Cause.NOT_SET_UP)
_T = TypeVar("_T")


async def settled(value: Deferred[_T] | _T) -> _T:
    """A value that "may be deferred" (``storage.interfaces``), waited for where it is."""
    if isinstance(value, Deferred):
        return await value
    return value


class Transfer:
    """A transfer under way, for those who ask about it (STAT) or end it (ABOR, the loss of the control connection)."""

    __slots__ = ("_ended_by", "_port", "_session", "connection", "is_begun", "started", "status_wanted", "total", "verb", "what")

    def __init__(self, session: Session, verb: str, what: str, total: int | None, port: Any) -> None:
        self._session = session
        self._port = port
        self._ended_by: Cause | None = None
        self.verb = verb
        self.what = what
        self.total = total
        self.connection: Any = None
        self.is_begun = False  # 150 was sent
        self.status_wanted: list[Callable[[Reply], None]] = []  # the answers to STATs that wait for the 150 (PROTOCOL P-STAT-2)
        self.started: float = session.site.deadlines.seconds()

    @property
    def local_port(self) -> int:
        """The server's port of the data connection; 0 where it is not known."""
        return getattr(self._port, "local_port", 0)

    @property
    def octets(self) -> int:
        """Octets moved so far."""
        return self.connection.octets if self.connection is not None else 0

    @property
    def is_truncated(self) -> bool:
        """Whether an upload under TLS ended without the client's close_notify, so that it need not be all."""
        return self.verb in _UPLOADS and getattr(self.connection, "is_truncated", False)

    def status(self) -> Reply:
        """What STAT says while octets move: lftp reads the first number as progress (PROTOCOL P-STAT-2)."""
        of_total = f" of {self.total}" if self.total is not None else ""
        return Reply.of(213, f"Status: {self.octets}{of_total} bytes transferred")

    def abort(self, cause: Cause) -> None:
        """End it now; its command is answered 426."""
        if self._ended_by is None:
            self._ended_by = cause
        if self.connection is not None:
            self.connection.abort(cause)
        else:
            self._port.close()

    async def connected(self, opening: Reply) -> Any:
        """
        The data connection; the wait for it ends early by :meth:`abort`. ``opening`` is said before it is there if a connection
        has come that may be it.
        """
        session = self._session
        try:
            connection = self._port.connection(session.site.settings.limits.data_channel_timeout)
            if isinstance(connection, Deferred):
                if session.tls is not None and session.tls.is_private and hasattr(self._port, "when_knocked"):
                    self._port.when_knocked(lambda: self.begin(opening))
                connection = await connection
            self.connection = connection
        except (DataConnectionFailed, CancelledError):
            if self._ended_by is not None:
                raise DataConnectionFailed(self._why_not(self._ended_by)) from None
            raise
        tls = session.tls
        session.site.verdicts.arrived(session.peer, session.passive_by, is_secure=tls is not None and tls.is_control_secure)
        if self.connection.is_private is not (tls is not None and tls.is_private):  # PROT came between (PROTOCOL P-PROT-6)
            raise DataConnectionFailed(Verdict(Cause.LEVEL_CHANGED))
        self.connection.stall_timeout = session.site.settings.limits.data_stall_timeout  # as it is now, and the site's: the pool is for all of them
        if session.site.throttle.is_needed:
            session.site.throttle.apply(self.connection)
        return self.connection

    def _why_not(self, ended_by: Cause) -> Verdict:
        """A client that goes away while its data connection does not come has most likely lost patience with that."""
        waited_in_vain: Verdict | None = getattr(self._port, "failure", None) if ended_by is Cause.CLIENT_GONE else None
        return waited_in_vain or Verdict(ended_by)

    def begin(self, reply: Reply) -> None:
        """Send the 150, then the status that somebody asked for before it; once."""
        if self.is_begun:
            return
        self.is_begun = True
        self._session.control.send(reply)
        for answer in self.status_wanted:
            answer(self.status())


async def send_over_data(
    session: Session,
    verb: str,
    what: str,
    send: Callable[[Any], Deferred[None] | None],
    total: int | None = None,
    of_bytes: str = "",
    opening: str = "",
) -> Reply:
    """
    Send something over the data connection that the client has set up (:func:`receive_over_data` uses it for the other direction).

    :param what: the path, for texts and the log.
    :param send: told the ``IDataConnection``, sends everything and ends it; gives ``None`` or a Deferred.
    :param total: the octets to come, where that is known.
    :param of_bytes: what to add to the text of 150; clients read ``(N bytes)`` (PROTOCOL P-RETR-2).
    :param opening: a text of 150 of its own.
    :raises DataConnectionFailed: there is none, or it failed.
    """
    port = session.take_data_port()
    if port is None:
        raise DataConnectionFailed(failed(session, _NOT_SET_UP))
    is_deflated = session.deflates and verb not in _UPLOADS
    # What is counted are octets of the data connection (PROTOCOL P-MODEZ-1).
    transfer = session.transfer = Transfer(session, verb, what, None if session.deflates else total, port)
    deflating: Deflating | None = None
    error: Exception | None = None
    try:
        session.control.look_ahead()
        begins = Reply.of(150, opening or f"Opening data connection{of_bytes}.")
        connection = await transfer.connected(begins)
        session.site.transcript.data_opened(session, transfer)
        transfer.begin(begins)
        if is_deflated:
            connection = deflating = Deflating(connection, session.deflate_level, session.site.mill)
        ended = send(connection)
        if ended is not None:
            await ended
        return Reply.of(226, f"Transfer complete ({transfer.octets} bytes{', deflated' if session.deflates else ''}).")
    except Exception as caught:
        error = DataConnectionFailed(failed(session, caught.verdict)) if isinstance(caught, DataConnectionFailed) else caught
        if transfer.connection is not None:  # no client may take what it has got for the whole (PROTOCOL P-DX-21)
            transfer.connection.abort(Cause.CLOSING)
        raise error from None
    finally:
        session.transfer = None
        if deflating is not None:
            deflating.stop()
        session.octets_sent += transfer.octets
        if transfer.connection is not None:
            if verb not in _UPLOADS and session.tls is not None and session.tls.is_private:
                session.tls.habits.tickets_sent()
            transfer.connection.close()  # one that nothing was sent on, or all was received; after a send this does nothing
        session.site.transcript.transfer(session, transfer, error)


async def receive_over_data(session: Session, verb: str, what: str, sink: Any, opening: str = "") -> Reply:
    """
    Receive a file over the data connection that the client has set up. It is stored before 226 goes (PROTOCOL P-DX-3).

    :param sink: an ``ISink`` with the ``finish`` of an ``IUpload``.
    :param opening: a text of 150 of its own.
    :raises DataConnectionFailed: there is none, or it failed: octets may be missing.
    :raises StorageError: what arrived could not be stored.
    :raises BadStream: in MODE Z, it is no whole zlib stream. :raises Bomb: it becomes too much.
    """

    async def receive(connection: Any) -> None:
        inflated = InflatedSink(sink, session.site.mill) if session.deflates else None
        try:
            await connection.receive(inflated or sink)
            await settled((inflated or sink).finish())
        finally:
            if inflated is not None:
                inflated.stop()

    return await send_over_data(session, verb, what, lambda connection: Deferred.fromCoroutine(receive(connection)), opening=opening)

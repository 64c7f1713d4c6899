"""
What the session asks of data connections, passive and active alike.

Not here: implementations (``passive``, ``active``, ``dtp``) and replies: a failure is a
``DataConnectionFailed`` that carries a ``policy.diagnosis.Verdict``.
"""

from __future__ import annotations

from zope.interface import Attribute, Interface

from twistftp.policy.diagnosis import Verdict

__all__ = ["DataConnectionFailed", "IDataConnection", "IDataPort", "ISink", "ISource", "ShortFile"]


class DataConnectionFailed(Exception):
    """A data connection could not be made or did not last; ``verdict`` says why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.text)
        self.verdict = verdict


class ShortFile(Exception):
    """A file ended before the octets that were to be sent: it was cut while it was read."""


class IDataPort(Interface):
    """One client's right to one data connection: a lease of a passive port, or the target of PORT."""

    def connection(timeout):
        """
        Give the :class:`IDataConnection`, at once if it is there, else a Deferred of it. Asked for once.

        :param timeout: seconds to wait for it.
        :raises DataConnectionFailed: (or the Deferred fails with it) it never came, could not be made, or was reset.
        """

    def close():
        """
        Give the right up, whatever has become of it: waiting ends, an unused early connection is closed with
        FIN, the port is free again. A Deferred of :meth:`connection` that has not fired fails with ABORTED.
        Once the connection was handed out this does nothing. May be called more than once.
        """

    def refuse():
        """
        :meth:`close`, because the transfer was refused: a connection that is on its way yet is closed with FIN too, for a reset would
        keep the client from reading the reason (PROTOCOL P-DC-17).
        """


class IDataConnection(Interface):
    """An open data connection, used for one transfer."""

    octets = Attribute("int: payload octets handed to the kernel so far")
    peer = Attribute("(address, port) of the other end")
    is_private = Attribute("bool: whether it is encrypted, or will be when its handshake is done")
    stall_timeout = Attribute("float: seconds without an octet moved after which a transfer ends with STALLED; may be set before it begins")

    def set_rates(pace, least):
        """
        Say before a transfer how fast it may go at most, and at least.

        :param pace: a ``throttle.Pace``, or ``None`` for no limit.
        :param least: octets a second, over a minute or the stall time-out, whichever is shorter; a slower one fails with TOO_SLOW. 0: none.
        """

    def send_file(file, offset, count):
        """
        Send ``count`` octets of an ``IOpenFile`` (its ``descriptor`` through sendfile where that works), then FIN.

        :return: ``None`` if all was handed to the kernel at once, else a Deferred that fires when it is;
            cancelling that aborts. The file must stay open until then.
        :raises DataConnectionFailed: (or the Deferred fails with it) LOST or STALLED.
        :raises ShortFile: the file ended early; the connection has been reset so that no client takes it as whole.
        """

    def send(source):
        """Send what an :class:`ISource` gives until it ends, then FIN. Returns and raises as ``send_file`` does."""

    def receive(sink):
        """
        Give all octets up to the client's FIN to an :class:`ISink`. The connection then stays open until :meth:`close`.

        :return: a Deferred that fires when the sink has taken the last octet and the end was a clean one; cancelling it aborts.
        :raises DataConnectionFailed: (or the Deferred fails with it) LOST or STALLED: octets may be missing.
        :raises Exception: (the Deferred's failure) what the sink raised; the connection has been reset.
        """

    def abort(cause):
        """
        Reset the connection. A transfer that is under way fails with ``DataConnectionFailed(Verdict(cause, octets=…))``.
        May be called at any time, more than once; after a complete send it does nothing, for a reset could
        still take the last octets away from the client. So too after all was received.
        """

    def close():
        """Send FIN, after all was received or when nothing was transferred, as after a 550. Else this does nothing."""


class ISource(Interface):
    """Octets to send, made as the connection takes them."""

    def read():
        """Give the next octets, or a Deferred of them; ``b""`` ends the transfer."""


class ISink(Interface):
    """Where received octets go. One call at a time."""

    takes_pipes = Attribute("bool: whether :meth:`take` works")

    def write(data):
        """Take octets: ``None`` when more may come at once, else a Deferred that fires when it may."""

    def take(pipe, count):
        """:meth:`write` of ``count`` octets that a pipe holds, by ``splice``. The pipe stays open until a Deferred given has fired."""

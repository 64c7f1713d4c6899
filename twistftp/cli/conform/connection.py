"""
The doctor's connections with what conformance asks for beyond: urgent data, the end of TLS, and whether the peer ended it properly.

Not here: FTP (``dialogue``), and what is common to both commands (``doctor.channel``).
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from time import monotonic

from twistftp.cli.doctor.channel import Budget, Channel, Lost, OutOfTime, ending_of
from twistftp.cli.doctor.seen import Ending

__all__ = ["Allowance", "Connection"]


class Allowance(Budget):
    """The time for everything, of which each check gets a share."""

    def __init__(self, seconds: float, share: float = 30.0) -> None:
        self._last = monotonic() + seconds
        self._share = min(share, seconds)
        super().__init__(self._share)

    @property
    def is_over(self) -> bool:
        """Whether there is no time left for anything."""
        return monotonic() >= self._last

    def extend(self, seconds: float) -> None:
        """There are so many seconds now, whatever there was."""
        self._last = monotonic() + seconds
        self.renew()

    def renew(self) -> None:
        """Begin the share of the next check."""
        super().__init__(min(self._share, max(self._last - monotonic(), 0.1)))


class Connection(Channel):
    """One connection. ``is_ended_properly``: whether the peer has sent a close_notify; known once :meth:`receive` has come to the end."""

    is_ended_properly = False

    def receive(self, until: float) -> bytes:
        """What comes next; ``b""``: the peer has closed. Under TLS, whether it said so is in ``is_ended_properly``."""
        if self._tls is None:
            return self._read(until)
        tls = self._tls
        try:
            octets = self._call(lambda: tls.read(65536), until)
        except Lost as lost:
            if lost.ending is Ending.CLOSED:
                return b""
            raise
        self.is_ended_properly = not octets
        return octets

    def finish(self, until: float) -> None:
        """
        Say that nothing more will be sent: with close_notify under TLS, and with a FIN.

        :raises Lost: the connection has broken.
        """
        if self._tls is not None:
            with suppress(ssl.SSLError):
                self._tls.unwrap()  # writes ours and asks for the peer's
            self._flush(until)
        else:
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError as error:
                raise Lost(ending_of(error)) from None

    def await_end(self, until: float) -> bool:
        """Behind :meth:`finish`: wait for the peer's end; under TLS, whether its close_notify came."""
        tls = self._tls
        try:
            if tls is None:
                while self._read(until):
                    pass
                return True
            self._call(tls.unwrap, until)
        except Lost:
            return False
        return True

    def leave_tls(self, until: float) -> bytes:
        """
        Go back to clear text (RFC 2228's CCC): wait for the peer's close_notify and send ours. What came behind it is returned.

        :raises Lost: the peer does not end TLS.
        """
        if self._tls is not None:
            self._call(self._tls.unwrap, until)
            self._tls = None
        return self._incoming.read()

    def send_urgent(self, octets: bytes, until: float) -> None:
        """
        Send octets, the last of which is urgent (RFC 959 §4.1.3: the Telnet Synch). Under TLS there is no such thing.

        :raises Lost: it did not work.
        """
        if self._tls is not None:
            self.send(octets, until)
            return
        self._budget.spend(self._socket, until)
        try:
            self._socket.send(octets, socket.MSG_OOB)
        except OSError as error:
            raise Lost(ending_of(error)) from None

    def is_waiting(self, seconds: float) -> bool:
        """Whether something, be it the end, is there to be read within so many seconds."""
        try:
            self._budget.spend(self._socket, self._budget.until(seconds))
            self._socket.recv(1, socket.MSG_PEEK)
        except ConnectionError:
            return True
        except (Lost, OutOfTime, OSError):
            return False
        return True

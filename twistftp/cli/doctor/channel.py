"""
TCP connections of the doctor, with TLS where it is wanted. Everything ends in time, whatever the network does.

Not here: FTP (``control``). TLS is the standard library's, over memory: it tells publicly whether a session was resumed, which pyOpenSSL
does not, and memory shows what came instead of TLS.
"""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Self, TypeVar

from twistftp.cli.doctor.harmless import harmless
from twistftp.cli.doctor.seen import Ending

__all__ = ["Budget", "Channel", "Lost", "OutOfTime", "addresses", "ending_of"]

_Result = TypeVar("_Result")
_ENDINGS = {
    errno.ECONNREFUSED: Ending.REFUSED,
    errno.ETIMEDOUT: Ending.SILENT,
    errno.ECONNRESET: Ending.RESET,
    errno.EPIPE: Ending.RESET,
    errno.ECONNABORTED: Ending.RESET,
    errno.ENOTCONN: Ending.RESET,  # reset before anything else was done with it
}
_BLOCK = 65536


class OutOfTime(Exception):
    """All the time there was is up."""


class Lost(Exception):
    """A connection ended, or did not come about; ``detail`` is harmless text."""

    def __init__(self, ending: Ending, detail: str = "") -> None:
        super().__init__(ending.value)
        self.ending, self.detail = ending, detail


def ending_of(error: OSError) -> Ending:
    """What an error of a socket means; what is none of the usual says that the network would not have it."""
    if isinstance(error, TimeoutError):
        return Ending.SILENT
    return _ENDINGS.get(error.errno or 0, Ending.UNREACHABLE)


class Budget:
    """
    The time there is, and how much of it a single step may take: shares, so that one silent step does not eat the others' time.

    :param seconds: for everything.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = monotonic() + seconds
        self.to_talk = seconds / 3
        """For the greeting and the login: servers look names up and delay failed logins."""
        self.to_reply = seconds / 6
        self.to_connect = min(5.0, seconds / 8)
        """A SYN is sent again after one second and after three."""
        self.to_transfer = seconds / 5

    @property
    def left(self) -> float:
        """Seconds, perhaps less than none."""
        return self._end - monotonic()

    def until(self, seconds: float) -> float:
        """
        The moment at which a step of so many seconds must be over.

        :raises OutOfTime: there is none.
        """
        if self.left <= 0:
            raise OutOfTime
        return min(monotonic() + seconds, self._end)

    def spend(self, skt: socket.socket, until: float) -> None:
        """
        Let the next operation of a socket wait until that moment.

        :raises OutOfTime: the time is up.
        :raises Lost: the step's is.
        """
        if self.left <= 0:
            raise OutOfTime
        remaining = until - monotonic()
        if remaining <= 0:
            raise Lost(Ending.SILENT)
        skt.settimeout(remaining)


def addresses(host: str, port: int, budget: Budget) -> list[tuple[socket.AddressFamily, Any]]:
    """
    The families and socket addresses of a host, in the system's order. A resolver cannot be interrupted, so it has a thread to hang in.

    :raises Lost: there is no such name, or nobody said so in time.
    """
    found: list[Any] = []

    def ask() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that cannot be in the DNS
            found.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(max(min(budget.to_talk, budget.left), 0))
    if not found:
        raise Lost(Ending.SILENT, "the name servers do not answer")
    if isinstance(found[0], Exception):
        raise Lost(Ending.UNKNOWN_NAME, harmless(str(getattr(found[0], "strerror", "") or found[0])))
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found[0]))


class Channel:
    """One connection. ``context`` and ``session`` of its TLS are those of :mod:`ssl`."""

    def __init__(self, skt: socket.socket, budget: Budget) -> None:
        self._socket, self._budget = skt, budget
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._first = b""
        self._is_closed = False
        with suppress(OSError):
            skt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.local: str = skt.getsockname()[0]
        self.peer: str = skt.getpeername()[0]
        self.family = skt.family

    @classmethod
    def connect(cls, family: int, address: Any, budget: Budget) -> Self:
        """
        Connect to a socket address.

        :raises Lost: it did not work.
        """
        until = budget.until(budget.to_connect)
        try:
            skt = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:  # no IPv6 here
            raise Lost(ending_of(error)) from None
        try:
            budget.spend(skt, until)
            skt.connect(address)
            return cls(skt, budget)
        except (OSError, OverflowError) as error:
            skt.close()
            raise Lost(ending_of(error) if isinstance(error, OSError) else Ending.UNREACHABLE) from None

    def connect_beside(self, host: str, port: int) -> Self:
        """
        Another connection to a host, or to this one's peer if it is the host.

        :raises Lost: it did not work.
        """
        peer = self._socket.getpeername()
        # The peer's own tuple holds the zone of a link-local address.
        return type(self).connect(self.family, (host, port, *peer[2:]) if host == self.peer else (host, port), self._budget)

    def listen_beside(self) -> socket.socket:
        """
        Wait for one connection, on the address at which this one begins.

        :raises OSError: it cannot be waited there.
        """
        listener = socket.socket(self.family, socket.SOCK_STREAM)
        try:
            local = self._socket.getsockname()
            listener.bind((local[0], 0, *local[2:]))
            listener.listen(1)
        except OSError:
            listener.close()
            raise
        return listener

    @classmethod
    def accept(cls, listener: socket.socket, budget: Budget) -> Self:
        """
        Take one connection.

        :raises Lost: none came.
        """
        until = budget.until(budget.to_connect)
        try:
            budget.spend(listener, until)
            return cls(listener.accept()[0], budget)
        except OSError as error:
            raise Lost(ending_of(error)) from None

    @property
    def tls(self) -> ssl.SSLObject | None:
        """TLS, if it is up."""
        return self._tls

    def start_tls(self, context: ssl.SSLContext, host: str, session: ssl.SSLSession | None, until: float) -> None:
        """
        Shake hands; certificates are the context's business.

        :raises Lost: ``UNTRUSTED``, ``GARBLED`` (with what came instead), ``TLS_REFUSED``, or how the connection ended.
        """
        tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host or None, session=session)
        self._call(tls.do_handshake, until)
        self._tls = tls

    def send(self, octets: bytes, until: float) -> None:
        """
        Send all of it.

        :raises Lost: it did not work.
        """
        if self._tls is None:
            self._write(octets, until)
        else:
            tls = self._tls
            self._call(lambda: tls.write(octets), until)

    def receive(self, until: float) -> bytes:
        """
        What comes next; ``b""``: the peer has closed.

        :raises Lost: nothing came, or the connection broke.
        """
        if self._tls is None:
            return self._read(until)
        tls = self._tls
        try:
            return self._call(lambda: tls.read(_BLOCK), until)
        except Lost as lost:
            if lost.ending is Ending.CLOSED:  # with or without close_notify
                return b""
            raise

    def has_more(self) -> bool:
        """Whether octets are there to be read at once; known in the clear only."""
        if self._tls is not None:
            return False
        self._socket.setblocking(False)
        try:
            return bool(self._socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def close(self) -> None:
        """Close, with close_notify under TLS: a session that was not closed properly may not be resumed."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._tls is not None:
            with suppress(ssl.SSLError):
                self._tls.unwrap()  # writes ours and asks for the peer's, which nobody waits for
            with suppress(Lost, OutOfTime):
                self._flush(self._budget.until(1))
        self._socket.close()

    def _call(self, call: Callable[[], _Result], until: float) -> _Result:
        while True:
            try:
                result = call()
            except ssl.SSLWantReadError:
                self._flush(until)
                octets = self._read(until)
                if len(self._first) < _BLOCK and self._tls is None:
                    self._first += octets[:_BLOCK]
                if octets:
                    self._incoming.write(octets)
                else:
                    self._incoming.write_eof()
            except ssl.SSLError as error:
                with suppress(Lost, OutOfTime):
                    self._flush(until)  # the alert
                raise self._lost(error) from None
            else:
                self._flush(until)
                return result

    def _lost(self, error: ssl.SSLError) -> Lost:
        if isinstance(error, ssl.SSLCertVerificationError):
            return Lost(Ending.UNTRUSTED, harmless(error.verify_message))
        if self._tls is None and self._first and self._first[:1] not in b"\x15\x16":
            return Lost(Ending.GARBLED, harmless(self._first.split(b"\n")[0]))
        if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            return Lost(Ending.CLOSED)
        # Behind the handshake it is plain text of a server that gives up, or damage done on the way.
        return Lost(Ending.TLS_REFUSED if self._tls is None else Ending.GARBLED, harmless((error.reason or str(error)).replace("_", " ").lower()))

    def _flush(self, until: float) -> None:
        if octets := self._outgoing.read():
            self._write(octets, until)

    def _write(self, octets: bytes, until: float) -> None:
        self._budget.spend(self._socket, until)
        try:
            self._socket.sendall(octets)
        except OSError as error:
            raise Lost(ending_of(error)) from None

    def _read(self, until: float) -> bytes:
        self._budget.spend(self._socket, until)
        try:
            return self._socket.recv(_BLOCK)
        except OSError as error:
            raise Lost(ending_of(error)) from None

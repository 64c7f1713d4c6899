"""
One OpenSSL connection over buffers in memory: octets of TLS in and out, octets of the protocol in and out.

Not here: where the octets of TLS go to (``secure``), and certificates (``tls``).
"""

from __future__ import annotations

from OpenSSL import SSL

from twistftp.transport.departure import EngineFailed

__all__ = ["CHUNK", "Engine"]

CHUNK = 1 << 18
"""Octets decrypted at a time: each call costs what encrypting many of them does."""
# OpenSSL's own functions for what is done for every command: pyOpenSSL's methods around them, and its exceptions for "not yet",
# cost a twelfth of a login. The reactor has one thread, so one buffer serves all.
_lib, _ffi = SSL._lib, SSL._ffi
_SIZE = CHUNK + (1 << 14)  # as many octets encrypted, and what may wait before them
_BUFFER = _ffi.new("char[]", _SIZE)


class Engine:
    """A server's side of TLS. ``connection`` is a pyOpenSSL connection that was made without a socket."""

    __slots__ = ("_bio", "_ssl", "connection", "feed", "speaks_last")

    def __init__(self, connection: SSL.Connection) -> None:
        self.connection = connection
        self._ssl, self._bio = connection._ssl, connection._from_ssl
        self.feed = connection.bio_write
        """Take octets of TLS from the client."""
        self.speaks_last = False
        """Whether the end of the handshake has to be sent to the client; from TLS 1.3 on it knows by itself."""

    def shake_hands(self) -> bool:
        """
        Go on with the handshake; whether it is done.

        :raises EngineFailed: it never will be; :meth:`output` has the alert.
        """
        try:
            self.connection.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            raise EngineFailed(_in_words(error)) from None
        self.speaks_last = self.connection.get_protocol_version() != SSL.TLS1_3_VERSION
        return True

    def read(self) -> bytes | None:
        """
        Give what the client has said, ``b""`` after its close_notify, ``None`` if more octets are needed first.

        :raises EngineFailed: what came is no TLS, or was changed on the way.
        """
        ssl = self._ssl
        count = _lib.SSL_read(ssl, _BUFFER, CHUNK)
        if count > 0:
            return _ffi.buffer(_BUFFER, count)[:]
        if _lib.SSL_get_error(ssl, count) == _lib.SSL_ERROR_WANT_READ:
            return None
        try:
            self.connection._raise_ssl_error(ssl, count)
            return None
        except SSL.ZeroReturnError:
            return b""
        except SSL.SysCallError as error:  # no error of TLS: Java says user_canceled first, and OpenSSL does not name the close_notify behind it
            if self.connection.get_shutdown() & SSL.RECEIVED_SHUTDOWN:
                return b""
            raise EngineFailed(_in_words(error)) from None
        except SSL.Error as error:
            raise EngineFailed(_in_words(error)) from None

    def encrypted(self, data: bytes) -> bytes:
        """Octets for the client as TLS, behind whatever waits to be sent."""
        sent = _lib.SSL_write(self._ssl, data, len(data))
        if sent != len(data):
            self.connection._raise_ssl_error(self._ssl, sent)
        return self.output()

    def output(self) -> bytes:
        """All that waits to be sent."""
        found = b""
        while (count := _lib.BIO_read(self._bio, _BUFFER, _SIZE)) > 0:
            found += _ffi.buffer(_BUFFER, count)[:]
            if count < _SIZE:
                break
        return found

    def close(self) -> bytes:
        """close_notify, behind whatever waits to be sent."""
        try:
            self.connection.shutdown()
        except SSL.Error:
            pass  # it has failed already, and its end is on the way
        return self.output()


def _in_words(error: SSL.Error) -> str:
    """OpenSSL's own reason, without its library and function."""
    details = error.args[0] if error.args and isinstance(error.args[0], list) and error.args[0] else ()
    return str(details[-1][-1]) if details else "the client went away during it"

"""
The TLS of a replay's client: an engine without a socket, which believes every certificate.

Not here: when it is used (``replay``). Data connections of a replay are said to be encrypted and are not.
"""

from __future__ import annotations

from OpenSSL import SSL

__all__ = ["ClientTLS"]

_CHUNK = 1 << 16


class ClientTLS:
    """The client's side: octets of TLS in by :meth:`heard`, out by :meth:`output`. ``name`` is that of the server (SNI), if it says one."""

    def __init__(self, name: str = "") -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._connection = SSL.Connection(context, None)
        if name:
            self._connection.set_tlsext_host_name(name.encode())
        self._connection.set_connect_state()
        self.is_secure = self.has_end = False
        self._go_on()

    def _go_on(self) -> None:
        if not self.is_secure:
            try:
                self._connection.do_handshake()
                self.is_secure = True
            except SSL.WantReadError:
                pass

    def heard(self, octets: bytes) -> bytes:
        """What the server says; what is in it."""
        if octets:
            self._connection.bio_write(octets)
        self._go_on()
        said = b""
        try:
            while self.is_secure and not self.has_end:
                said += self._connection.recv(_CHUNK)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.has_end = True
        return said

    def say(self, octets: bytes) -> None:
        """Say this in TLS."""
        self._connection.send(octets)

    def end(self) -> None:
        """Say close_notify."""
        try:
            self._connection.shutdown()
        except SSL.Error:
            pass  # it is over already

    def output(self) -> bytes:
        """What is to be sent."""
        found = b""
        while True:
            try:
                found += self._connection.bio_read(_CHUNK)
            except SSL.WantReadError:
                return found

"""
TLS between a TCP transport and a protocol: a protocol to the one below, a transport to the one above.

Not here: certificates and sessions (``tls``, ``tls_session``), and when a connection is encrypted (``session``, ``passive``, ``active``).

Unlike Twisted's own layer this one closes one direction at a time, can give the connection back to clear text (CCC), and says when
the socket takes octets again, as ``DirectIO`` does. What OpenSSL wants to send of its own accord after a TLS 1.3 handshake, which is
tickets, waits for the first octets of the protocol or for close_notify: a client that uploads never reads them, and one that closes
with unread octets before it resets the connection and loses what it has sent (DESIGN §4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from twistftp.transport.departure import Departure, EngineFailed, HandshakeFailed, engine_of
from twistftp.transport.layer import Layer
from twistftp.transport.sockets import acknowledge, half_close

if TYPE_CHECKING:
    from twistftp.transport.engine import Engine

__all__ = ["SecureTransport"]


@implementer(IProtocol, IHalfCloseableProtocol)
class SecureTransport(Layer):
    """
    One connection's TLS, in the server's part.

    :param protocol: the one above.
    :param begin: told all octets of the client so far, gives the OpenSSL connection that has been fed with them, or ``None`` if it needs more.
    :param secured: called with that connection when the handshake is done.
    :param failed: called with the reason when it has failed; the connection is then aborted.
    """

    disconnecting = False

    def __init__(
        self,
        protocol: Any,
        begin: Callable[[bytes], Any],
        secured: Callable[[Any], object] = lambda connection: None,
        failed: Callable[[str], object] = lambda reason: None,
    ) -> None:
        self.protocol = protocol
        self.is_secure = False
        self.is_truncated = False  # the client's FIN came without close_notify: what came before it need not be all
        self._begin, self.secured, self.failed = begin, secured, failed
        self._engine: Engine | None = None
        self._hello = b""
        self._unread = b""  # of a handshake whose turn has not come (``turns``)
        self._waits = False
        self._waiting: list[bytes] = []  # octets of the protocol that wait for the handshake
        self._hook: Callable[[], BaseException | None] | None = None
        self._ending: Callable[[], None] | None = None  # what was asked for before the handshake was done
        self._failure: Exception | None = None
        self._is_paused = self._is_pumping = False
        self._has_end = False  # the client's close_notify or FIN came
        self._left: Callable[[], object] | None = None  # told when the client has gone back to clear text, too
        self._departure: Departure | None = None

    # As a protocol, to the transport below

    def makeConnection(self, transport: Any) -> None:
        """A new connection: the client may begin at once, whatever the protocol wants to read (PROTOCOL P-TD-2)."""
        self.below = transport
        transport.resumeProducing()
        self.protocol.makeConnection(self)

    def connectionMade(self) -> None:
        """The protocol above has its own."""

    def take_over(self, transport: Any) -> None:
        """Step between a connection that is open and its protocol."""
        self.below = transport
        _put(transport, self.protocol, self)
        self.protocol.transport = self

    def dataReceived(self, data: bytes) -> None:
        """Octets of the client."""
        if self._departure is not None:
            octets = self._departure.receive(data)
            if octets is not None:
                self._step_out(octets)
            return
        if self.is_secure:
            self._take(data)
            return
        # To shake hands takes a millisecond. When many clients begin at once, others are to be heard in between.
        self._unread += data
        if not self._waits:
            turns = getattr(self.below, "turns", None)
            self._waits = True
            if turns is None or turns.may_go(self):
                self.go()

    def go(self) -> None:
        """The turn of a handshake has come."""
        if self._waits:
            self._waits = False
            data, self._unread = self._unread, b""
            if not self.disconnecting:
                self._take(data)

    def _take(self, data: bytes) -> None:
        if self._engine is None:
            self._hello += data
            connection = self._begin(self._hello)
            if connection is None:
                return
            self._engine, self._hello = engine_of(connection), b""
        else:
            self._engine.feed(data)
        if self.is_secure or self._shake_hands(self._engine):
            self._pump()

    def readConnectionLost(self) -> None:
        """The client's FIN."""
        self.go()
        if self.is_secure:
            self.is_truncated = not self._has_end
            self._client_ended()
        else:
            self.fail("the client ended the connection before it")

    def writeConnectionLost(self) -> None:
        """Our FIN is with the kernel."""
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.writeConnectionLost()

    def connectionLost(self, reason: Failure) -> None:
        """The connection is gone."""
        if not self.is_secure and self._failure is None:
            self.failed("the server gave it up" if self.disconnecting else "the client went away during it")
        self._hook = self._ending = self._left = None
        self._waits = False
        self._waiting.clear()
        self.protocol.connectionLost(reason if self._failure is None else Failure(self._failure))

    # The handshake

    def _shake_hands(self, engine: Engine) -> bool:
        """Go on with it; whether it is done."""
        try:
            is_done = engine.shake_hands()
        except EngineFailed as error:
            self._send(engine.output())  # the alert
            self.fail(str(error))
            return False
        if not is_done or engine.speaks_last:
            octets = engine.output()
            self._send(octets) if octets else acknowledge(self.below)
        if not is_done:
            return False
        self.is_secure = True
        self.secured(engine.connection)
        if self._is_paused:
            self.below.pauseProducing()
        if self._waiting:
            data, self._waiting = b"".join(self._waiting), []
            self.write(data)
        hook, self._hook = self._hook, None
        if hook is not None:
            self.below.when_writable(hook)
        ending, self._ending = self._ending, None
        if ending is not None:
            ending()
        return True

    def forget_waiting(self) -> None:
        """What waits for the handshake is never sent."""
        self._waiting.clear()

    def fail(self, reason: str) -> None:
        """Give the handshake up."""
        if self._failure is None and not self.disconnecting and not self.is_secure:
            self.disconnecting = True
            self._failure = HandshakeFailed(reason)
            self.failed(reason)
            self.below.abortConnection() if self._engine is None else self.below.loseConnection()

    # Octets

    def _pump(self) -> None:
        """Hand over what can be decrypted."""
        engine = self._engine
        if self._is_pumping or engine is None:
            return
        self._is_pumping = True
        try:
            while self.is_secure and not self._is_paused and not self.disconnecting and self._departure is None and not self._has_end:
                data = engine.read()
                if data:
                    self.protocol.dataReceived(data)
                elif data is None:
                    break
                else:
                    self._client_ended()
        except EngineFailed:
            self.abortConnection()
        finally:
            self._is_pumping = False

    def _client_ended(self) -> None:
        if self._has_end:
            return
        self._has_end = True
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.readConnectionLost()
        else:
            self.loseConnection()

    def _send(self, data: bytes) -> None:
        if data:
            self.below.write(data)

    # As a transport, to the protocol above

    @property
    def sends_at_once(self) -> bool:
        """Whether ``write_more`` and ``when_writable`` work."""
        return getattr(self.below, "sends_at_once", False)

    def write(self, data: bytes) -> None:
        """Send; before the handshake is done the octets wait, and behind the close_notify of :meth:`leave` they go in clear."""
        if self._departure is not None:
            self.below.write(data)
        elif not self.is_secure:
            self._waiting.append(data)
        elif data and not self.disconnecting and self._engine is not None:
            self.below.write(self._engine.encrypted(data))

    def writeSequence(self, iovec: Sequence[bytes]) -> None:
        """``write`` for several pieces."""
        self.write(b"".join(iovec))

    def write_more(self, data: bytes) -> bool:
        """``write`` for octets that others follow; whether the kernel took everything."""
        if not self.is_secure or self._engine is None:
            self._waiting.append(data)
            return False
        return not data or bool(self.below.write_more(self._engine.encrypted(data)))  # OpenSSL takes no octets for an end

    def when_writable(self, hook: Callable[[], BaseException | None]) -> None:
        """Call ``hook`` when the socket takes octets."""
        if self.is_secure:
            self.below.when_writable(hook)
        else:
            self._hook = hook

    def forget_hook(self) -> None:
        """Take back :meth:`when_writable`."""
        self._hook = None
        if self.is_secure and self.sends_at_once:
            self.below.forget_hook()

    def finish(self) -> bool:
        """
        Send close_notify and FIN behind what was written, and leave the other direction open. Before the handshake is done they
        wait for it: a connection that ends there would be an error (PROTOCOL P-DX-19).

        :return: whether they are with the kernel now; else ``writeConnectionLost`` tells.
        """
        if self.is_secure:
            return self._finish()
        self._ending = self._finish_later
        return False

    def _finish(self) -> bool:
        self._say_close()
        return half_close(self.below)

    def _finish_later(self) -> None:
        if self._finish():
            self.writeConnectionLost()

    def _say_close(self) -> None:
        if self._engine is not None:
            self._send(self._engine.close())

    def close_if_delivered(self) -> bool:
        """As ``DirectIO``'s; the client's close_notify must have come, for a closed socket would answer it with a reset."""
        return self._has_end and bool(self.below.close_if_delivered())

    def loseConnection(self) -> None:
        """Close both directions, close_notify first; before the handshake is done, after it."""
        if self.disconnecting:
            return
        if not self.is_secure:
            self._ending = self.loseConnection
            return
        self.disconnecting = True
        self._say_close()
        self.below.loseConnection()

    def abortConnection(self) -> None:
        """Reset."""
        self.disconnecting = True
        self.below.abortConnection()

    def pauseProducing(self) -> None:
        """Hand over no octets for now; the handshake goes on."""
        self._is_paused = True
        if self.is_secure:
            self.below.pauseProducing()

    def resumeProducing(self) -> None:
        """Go on."""
        self._is_paused = False
        self.below.resumeProducing()
        if self.is_secure:
            self._pump()

    # Back to clear text (RFC 4217 §5)

    def leave(self, left: Callable[[], object]) -> None:
        """
        Send close_notify, wait for the client's, or for octets in clear, and step out from between transport and protocol.

        :param left: called when that is done, before the protocol is told of any octets in clear.
        """
        if self._engine is None:
            return
        self._say_close()
        self._left = left
        self._departure = Departure(self._engine)
        if self._has_end or self._departure.is_over():
            self._step_out(b"")

    def _step_out(self, octets: bytes) -> None:
        left, self._left = self._left, None
        self.is_secure = False
        _put(self.below, self, self.protocol)
        self.protocol.transport = self.below
        if left is not None:
            left()
        if octets:
            self.protocol.dataReceived(octets)


def _put(transport: Any, old: Any, new: Any) -> None:
    """Have a transport, or a wrapper of one, tell another protocol."""
    setattr(transport, "protocol" if getattr(transport, "protocol", None) is old else "wrappedProtocol", new)

"""
TLS for tests: an authority of their own, certificates, a client's engine without sockets, and a server's transport in memory.

Not here: assertions.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import trustme
from attrs import evolve
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IHalfCloseableDescriptor, IHalfCloseableProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from twistftp.policy.tls import TLSSettings
from twistftp.transport.secure import SecureTransport
from twistftp.transport.tls import SiteTLS

__all__ = [
    "NAME", "TLS12", "TLS13", "VERSIONS", "Below", "HalfCloseableBelow", "HalfCloseableUpper", "Link", "TLSClient", "Upper",
    "authority", "authority_file", "begin_on", "client_context", "files", "site_tls", "tls_settings", "write_files",
]  # fmt: skip

NAME = "ftp.example.org"
"""Whom the certificates of :func:`files` name, beside ``localhost`` and 127.0.0.1."""
TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERSIONS = (TLS12, TLS13)


@cache
def authority() -> trustme.CA:
    """Who issues all certificates of the tests."""
    return trustme.CA()


@cache
def _issued() -> trustme.LeafCert:
    return authority().issue_cert(NAME, "localhost", "127.0.0.1")


def write_files(directory: Path, issued: trustme.LeafCert) -> tuple[str, str]:
    """Write a certificate with its chain and its private key; their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    certificate, key = directory / "cert.pem", directory / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))
    return str(certificate), str(key)


def files(case: Any, issued: trustme.LeafCert | None = None) -> tuple[str, str]:
    """A certificate and its private key as files that go when all tests have."""
    return write_files(Path(os.path.abspath(case.mktemp())), issued or _issued())


def authority_file(case: Any, who: trustme.CA | None = None) -> str:
    """The authority's certificate as a file."""
    path = os.path.abspath(case.mktemp())
    (who or authority()).cert_pem.write_to_path(path)
    return path


def tls_settings(case: Any, **settings: Any) -> TLSSettings:
    """``[site.tls]`` with a certificate, and these settings."""
    certificate, key = files(case)
    return evolve(TLSSettings(certificate=certificate, private_key=key), **settings)


def site_tls(case: Any, clock: Callable[[], float] = lambda: 0.0, **settings: Any) -> SiteTLS:
    """The TLS of a site with a certificate, and these settings."""
    return SiteTLS(tls_settings(case, **settings), clock=clock)


def client_context(
    version: ssl.TLSVersion | None = None,
    *,
    alpn: tuple[str, ...] = (),
    identity: trustme.LeafCert | None = None,
    least: ssl.TLSVersion | None = None,
) -> ssl.SSLContext:
    """
    A client's settings; it believes the authority and nobody else.

    :param version: the newest that it speaks; ``None``: all.
    :param identity: its own certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority().configure_trust(context)
    if least is not None:
        context.minimum_version = least
        context.set_ciphers("ALL:@SECLEVEL=0")
    if version is not None:
        context.maximum_version = version
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if identity is not None:
        identity.configure_cert(context)
    return context


class TLSClient:
    """
    A client's engine: octets in by ``feed``, octets out by ``output``. It goes on with the handshake, reads, and notices the end by
    itself; ``received`` is what the server said in TLS, ``error`` what ended it.
    """

    def __init__(self, context: ssl.SSLContext | None = None, session: Any = None, name: str = NAME) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ssl = (context or client_context()).wrap_bio(self._incoming, self._outgoing, server_hostname=name, session=session)
        self.is_secure = self.has_end = False
        self.received = b""
        self.error: ssl.SSLError | None = None

    def begin(self) -> bytes:
        """The ClientHello."""
        self._go_on()
        return self.output()

    def feed(self, octets: bytes) -> None:
        """Octets of the server."""
        if octets:
            self._incoming.write(octets)
            self._go_on()

    def output(self) -> bytes:
        """Octets for the server."""
        return self._outgoing.read()

    def say(self, data: bytes) -> bytes:
        """This in TLS."""
        self.ssl.write(data)
        return self.output()

    def end(self) -> bytes:
        """close_notify."""
        try:
            self.ssl.unwrap()
        except ssl.SSLError:
            pass  # the server's own has not come
        return self.output()

    @property
    def session(self) -> Any:
        """The newest session, for a connection that is to resume it."""
        return self.ssl.session

    def _go_on(self) -> None:
        try:
            if not self.is_secure:
                self.ssl.do_handshake()
                self.is_secure = True
            while not self.has_end:
                data = self.ssl.read(1 << 16)
                self.received += data
                self.has_end = not data
        except (ssl.SSLWantReadError, ssl.SSLSyscallError):
            pass
        except ssl.SSLZeroReturnError:
            self.has_end = True
        except ssl.SSLError as error:
            self.error = error


class Below:
    """A server's TCP transport in memory, one that cannot be half closed. ``sent`` is what it was given, ``events`` what else it was told."""

    disconnecting = False

    def __init__(self) -> None:
        self.protocol: Any = None
        self.sent = b""
        self.events: list[str] = []
        self.is_reading = True
        self.is_lost = False
        self.producer: Any = None

    def write(self, data: bytes) -> None:
        if not self.is_lost and not self.disconnecting:
            self.sent += data

    def writeSequence(self, pieces: Any) -> None:
        self.write(b"".join(pieces))

    def taken(self) -> bytes:
        """What was sent since the last time."""
        sent, self.sent = self.sent, b""
        return sent

    def pauseProducing(self) -> None:
        self.is_reading = False

    def resumeProducing(self) -> None:
        self.is_reading = True

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer
        for _ in range(1000):
            if streaming or self.producer is None or getattr(producer, "_is_reading", False):
                return  # asked for, all of it, or waiting for its source
            producer.resumeProducing()
        raise AssertionError("a producer without end")

    def unregisterProducer(self) -> None:
        self.producer = None

    def loseConnection(self) -> None:
        if not self.disconnecting:
            self.disconnecting = True
            self.events.append("lose")

    def abortConnection(self) -> None:
        if not self.is_lost:
            self.disconnecting = True
            self.events.append("abort")

    def getPeer(self) -> str:
        return "peer"

    def getHost(self) -> str:
        return "host"

    def lose(self) -> None:
        """The reactor says that the connection is gone."""
        if not self.is_lost:
            self.is_lost = True
            self.protocol.connectionLost(Failure(ConnectionAborted() if "abort" in self.events else ConnectionDone()))

    def fin(self) -> None:
        """The client's FIN."""
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self.protocol.readConnectionLost()
        else:
            self.lose()


@implementer(IHalfCloseableDescriptor)
class HalfCloseableBelow(Below):
    """One that can."""

    def loseWriteConnection(self) -> None:
        self.events.append("half")


class Upper:
    """The protocol above TLS; ``told`` are the octets and events that it got; ``on_data`` is called with the octets."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.transport: Any = None
        self.lost: Any = None
        self.on_data: Callable[[bytes], object] = lambda data: None

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport

    def dataReceived(self, data: bytes) -> None:
        self.told.append(data)
        self.on_data(data)

    def connectionLost(self, reason: Failure) -> None:
        self.lost = reason.value

    @property
    def octets(self) -> bytes:
        """All octets so far."""
        return b"".join(one for one in self.told if isinstance(one, bytes))


@implementer(IHalfCloseableProtocol)
class HalfCloseableUpper(Upper):
    """One that hears of the client's end, and goes on."""

    def readConnectionLost(self) -> None:
        self.told.append("their end")

    def writeConnectionLost(self) -> None:
        self.told.append("our end")


class Link:
    """
    A client's engine, a :class:`SecureTransport` and a protocol above it.

    :param cut: octets in a segment of the client's; ``None``: whatever it has.
    """

    def __init__(
        self, begin: Callable[[bytes], Any], client: TLSClient | None = None, upper: Any = None, cut: int | None = None, below: Below | None = None
    ) -> None:
        self.client, self.upper, self.cut = client or TLSClient(), upper or Upper(), cut
        self.secured: list[Any] = []
        self.failed: list[str] = []
        self.secure = SecureTransport(self.upper, begin, self.secured.append, self.failed.append)
        self.below = below or HalfCloseableBelow()
        self.below.protocol = self.secure
        self.secure.makeConnection(self.below)

    def shake_hands(self) -> Link:
        """The whole handshake."""
        self.push(self.client.begin())
        return self.flow()

    def push(self, octets: bytes) -> None:
        """Octets of the client arrive."""
        step = self.cut or max(1, len(octets))
        for start in range(0, len(octets), step):
            if self.below.protocol is not None:
                self.below.protocol.dataReceived(octets[start : start + step])

    def pull(self) -> bytes:
        """Octets of the server arrive; they are given back, too."""
        octets = self.below.taken()
        self.client.feed(octets)
        return octets

    def flow(self) -> Link:
        """Both ways until nobody has anything to say."""
        while True:
            arrived = self.pull()
            octets = self.client.output()
            if not arrived and not octets:
                return self
            self.push(octets)

    def say(self, data: bytes) -> Link:
        """The client says something; what comes of it."""
        self.push(self.client.say(data))
        return self.flow()


def begin_on(site: SiteTLS, is_data: bool = False, for_name: Any = None) -> Callable[[bytes], Any]:
    """A ``secure.Begin`` that makes a full handshake with a context of its own."""
    context = site.session_context()

    def begin(octets: bytes) -> Any:
        connection = site.full(context, is_data=is_data, for_name=for_name)
        connection.bio_write(octets)
        return connection

    return begin

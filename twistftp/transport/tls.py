"""
TLS of one site: what OpenSSL is told, and the certificate, which is read again when its file changes.

Not here: the TLS of one session (``tls_session``), moving octets through it (``secure``), and policies (``policy.tls``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.logger import Logger

from twistftp.policy.tls import TLSSettings
from twistftp.transport import engine  # noqa: F401 (``secure`` wants it at the first handshake; behind a chroot it could not be found any more)
from twistftp.transport.certificates import Identity, identity_of, load_authorities, load_identity, make_identity

__all__ = ["ForName", "SiteTLS"]

_LOOK_AGAIN = 1.0  # seconds between two looks at the files
_VERSIONS = {"1.0": SSL.TLS1_VERSION, "1.1": SSL.TLS1_1_VERSION, "1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
# RFC 9325 §4.2 (PROTOCOL P-TLS-2): forward secrecy and AEAD.
_CIPHERS = ":".join(
    f"ECDHE-{key}-{cipher}" for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305") for key in ("ECDSA", "RSA")
).encode()
_CIPHERS_1_3 = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"  # the quickest first
_OLD_CIPHERS = b":ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:@SECLEVEL=0"  # TLS 1.0 and 1.1 know nothing better
# Nothing of these is on by default any more in any OpenSSL that is maintained; said here all the same (P-TLS-3).
_OPTIONS = SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_SSLv2 | SSL.OP_NO_SSLv3
_PARTIAL_WRITE = 0x1  # SSL_MODE_ENABLE_PARTIAL_WRITE: a call for each record of 16 KiB
_RELEASE_BUFFERS = SSL.MODE_RELEASE_BUFFERS  # an idle session keeps no record buffers
_SESSION_SECONDS = 7 * 86400  # the longest that TLS 1.3 allows (RFC 8446 §4.6.1); a session's tickets end with its context, not by time
_SESSION_ID = b"twistftp"
_LONGEST_ID = 32  # octets (SSL_MAX_SID_CTX_LENGTH)
_VERIFY = {"ignore": SSL.VERIFY_NONE, "allow": SSL.VERIFY_PEER, "require": SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT}
_ALPN = (b"ftp", b"ftp-data")

ForName = Callable[[str], "SiteTLS | None"]


class _NoFTP(SSL.Error):
    """The client asks for other protocols than FTP: it was led here by somebody who means no good (ALPACA, PROTOCOL P-TLS-4)."""

    def __init__(self) -> None:
        super().__init__([("", "", "the client offers no ALPN protocol of FTP")])


def _choose_protocol(connection: SSL.Connection, offered: Sequence[bytes]) -> bytes:
    for name in _ALPN:
        if name in offered:
            return name
    raise _NoFTP


def _set_ciphers(context: SSL.Context, more: bytes = b"") -> None:
    context.set_cipher_list(_CIPHERS + more)
    context.set_tls13_ciphersuites(_CIPHERS_1_3)


@cache
def _bare_context() -> SSL.Context:
    """
    What a connection without a certificate is given. It can do nothing but resume a session, so that it succeeds is the proof
    that it did. The callback for server names is there because OpenSSL speaks TLS 1.3 only with a certificate in view.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    _set_ciphers(context)
    context.set_session_id(_SESSION_ID)
    context.set_alpn_select_callback(_choose_protocol)
    context.set_tlsext_servername_callback(lambda connection: None)
    return context


class SiteTLS:
    """
    The TLS of one site, or of all that have the same settings.

    :param names: host names and addresses for a certificate that is made here.
    :param made: one that another process of this server has made already (``Identity.pem``).
    :raises ValueError: certificate, key or client CA cannot be used.
    :raises OSError: one of the files cannot be read.
    """

    _log = Logger()

    def __init__(self, settings: TLSSettings, names: Sequence[str] = (), clock: Callable[[], float] = time.monotonic, made: str = "") -> None:
        self.settings = settings
        self.seconds = clock
        self._looked_at = clock()
        self._stamp = self._stamps()
        self._authorities = load_authorities(settings.client_ca) if settings.client_ca else []
        if settings.self_signed:
            self.identity = identity_of(made) if made else make_identity(names)
        else:
            self.identity = load_identity(settings.certificate, settings.private_key)
        self._full = self._full_context(self.identity)
        self._shared = self._shared_context()

    # Certificates

    def refresh(self) -> None:
        """
        Read certificate and key again if their files have changed: new connections get the new ones. A pair that cannot be used
        is logged once, and the old one stays. Looks at most once a second.
        """
        now = self.seconds()
        if self.settings.self_signed or now < self._looked_at + _LOOK_AGAIN:
            return
        self._looked_at = now
        stamp = self._stamps()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        paths = f"{self.settings.certificate} and {self.settings.private_key}"
        try:
            identity = load_identity(self.settings.certificate, self.settings.private_key)
            context = self._full_context(identity)
        except PermissionError as error:
            text = "{path} has changed and the serving user may not read it, so the old certificate stays; let that user read it, or restart"
            self._log.error(text, path=error.filename)
        except (OSError, ValueError, SSL.Error) as error:
            why = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
            self._log.error("{paths} have changed and cannot be used, so the old certificate stays: {why}", paths=paths, why=why)
        else:
            self.identity, self._full = identity, context
            text = "{paths} were read again; new connections get the certificate with SHA-256 fingerprint {fingerprint}"
            self._log.info(text, paths=paths, fingerprint=identity.fingerprint)
            self.warn_of_expiry()

    def warn_of_expiry(self) -> None:
        """Log what is wrong with the certificate's dates."""
        trouble = self.trouble()
        if trouble:
            self._log.warn("{line}", line=trouble)

    def trouble(self) -> str:
        """What is or will soon be wrong with the certificate's dates; ``""`` if nothing is."""
        trouble = self.identity.trouble(datetime.now(UTC))
        return f"certificate {self.settings.certificate or '(self-signed)'} {trouble}" if trouble else ""

    def _stamps(self) -> tuple[Any, ...]:
        stamps: list[Any] = []
        for path in (self.settings.certificate, self.settings.private_key):
            try:
                status = os.stat(path) if path else None
            except OSError:
                status = None
            stamps.append(status and (status.st_mtime_ns, status.st_size, status.st_ino))
        return tuple(stamps)

    # Contexts

    def _full_context(self, identity: Identity) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        _set_ciphers(context, _OLD_CIPHERS if self.settings.minimum_version < "1.2" else b"")
        context.set_session_id(_SESSION_ID)
        context.set_alpn_select_callback(_choose_protocol)
        context.set_tlsext_servername_callback(self._server_name)
        context.use_certificate(identity.certificate)
        context.use_privatekey(identity.private_key)
        for issuer in identity.chain:
            context.add_extra_chain_cert(issuer)
        store = context.get_cert_store()
        for authority in self._authorities:
            if store is not None:
                store.add_cert(X509.from_cryptography(authority))
            context.add_client_ca(authority)
        return context

    def _server_name(self, connection: SSL.Connection) -> None:
        """The client names a host: if that is another site's on this port, its certificate is shown (PROTOCOL P-TLS-6)."""
        name, for_name = connection.get_servername(), connection.get_app_data()
        other: SiteTLS | None = for_name(name.decode("ascii", "replace")) if name and for_name is not None else None
        if other is not None and other is not self:
            connection.set_context(other._full)

    def session_context(self) -> bytes:
        """
        What tells the connections of one session: a session id context of its own. OpenSSL seals it into its tickets and resumes none
        that holds another, so what resumes one of these is known to be of that session (DESIGN §4).
        """
        return os.urandom(_LONGEST_ID)

    def _connection(self, context: bytes, behind: SSL.Context) -> SSL.Connection:
        """
        A connection of a session, which takes all but that from ``behind``. pyOpenSSL would have a session id context set once and
        for all; a context for each session is the other way, and takes 650 thousand instructions, a fifth of a handshake.
        """
        shared: Any = self._shared._context
        SSL._lib.SSL_CTX_set_session_id_context(shared, context, len(context))  # copied by the connection that is made next
        connection = SSL.Connection(self._shared, None)
        # It must not look like its own now, or the next line would replace the connection's, too.
        SSL._lib.SSL_CTX_set_session_id_context(shared, _SESSION_ID, len(_SESSION_ID))
        connection.set_context(behind)
        connection.set_accept_state()
        return connection

    def _shared_context(self) -> SSL.Context:
        """What the connections of all sessions have in common, the keys of their tickets, too."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(_VERSIONS[self.settings.minimum_version])
        context.set_options(_OPTIONS)
        context.clear_mode(_PARTIAL_WRITE)
        context.set_mode(_RELEASE_BUFFERS)
        context.set_session_id(_SESSION_ID)
        context.set_timeout(_SESSION_SECONDS)
        return context

    def full(self, context: bytes, *, is_data: bool, for_name: ForName | None = None) -> SSL.Connection:
        """
        A connection of a session that shows the site's certificate. On data connections the client need not show its own again.

        :param for_name: finds the site of a server name (SNI), where several share a port.
        """
        connection = self._connection(context, self._full)
        connection.set_app_data(for_name)
        mode = _VERIFY[self.settings.client_certificates]
        if mode:
            connection.set_verify(SSL.VERIFY_PEER if is_data else mode)
        return connection

    def bare(self, context: bytes) -> SSL.Connection:
        """A connection of a session that can only resume it."""
        return self._connection(context, _bare_context())

    def resumed(self, context: bytes, hello: bytes) -> SSL.Connection | None:
        """A connection that goes on from this ClientHello, if it resumes the session of ``context``."""
        connection = self.bare(context)
        connection.bio_write(hello)
        try:
            connection.do_handshake()
        except SSL.WantReadError:
            return connection
        except SSL.Error:
            return None
        return connection

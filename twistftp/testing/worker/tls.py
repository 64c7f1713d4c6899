"""
Certificates for the sites of tests, made in memory: an authority, what it issues for this machine, and wrong ones on request.

Not here: sessions of TLS and their faults' other sides (``site``, ``transport.tls``).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL

from twistftp.policy.tls import TLSSettings
from twistftp.transport.certificates import Identity
from twistftp.transport.tls import SiteTLS

__all__ = ["Authority", "TestedTLS", "authority"]

_DAY = timedelta(days=1)
_LIFE = timedelta(days=30)
_NAMES = ("localhost", "127.0.0.1", "::1")


class Authority:
    """Who issues certificates; a client that trusts ``pem`` trusts them."""

    def __init__(self, name: str = "twistftp.testing") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} authority")])
        self._identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        now = datetime.now(UTC)
        other_usage = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only")
        usage = x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **dict.fromkeys(other_usage, False))
        self._certificate = (
            self._builder(self._key, self._name, now - _DAY, now + _LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(self._identifier, critical=False)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> str:
        """Its certificate."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def _builder(self, key: Any, subject: x509.Name, start: datetime, end: datetime) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
        return builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)

    def issue(self, *names: str, ended: bool = False) -> Identity:
        """A certificate for these host names and addresses, with its key. ``ended``: its last day is over."""
        key = ec.generate_private_key(ec.SECP256R1())
        start = datetime.now(UTC) - _DAY
        end = start + _DAY / 2 if ended else start + _LIFE
        identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._identifier)
        certificate = (
            self._builder(key, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]), start, end)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(identifier, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return Identity(certificate, key, (self._certificate,))

    @cached_property
    def own(self) -> Identity:
        """The one for this machine, which all sites share."""
        return self.issue(*_NAMES)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@cache
def authority() -> Authority:
    """The authority of this process."""
    return Authority()


_WRONG: dict[str, Callable[[], Identity]] = {
    "": lambda: authority().own,
    "name": lambda: authority().issue("wrong.example"),
    "expired": lambda: authority().issue(*_NAMES, ended=True),
    "untrusted": lambda: Authority("Somebody else").issue(*_NAMES),
}


class TestedTLS(SiteTLS):
    """
    The TLS of a site of the tests.

    :param certificate: which wrong certificate it shows, ``""`` for the right one.
    :param refuses_tickets: no session is resumed.
    """

    def __init__(self, settings: TLSSettings, certificate: str = "", *, refuses_tickets: bool = False) -> None:
        super().__init__(settings, _NAMES)
        self._refuses_tickets = refuses_tickets
        self.identity = _WRONG[certificate]()
        self._full = self._full_context(self.identity)

    def bare(self, context: bytes) -> SSL.Connection:
        """As above; a ticket that holds another session id context is not resumed."""
        return super().bare(self.session_context() if self._refuses_tickets else context)

    def full(self, context: bytes, *, is_data: bool, for_name: Any = None) -> SSL.Connection:
        """As above."""
        return super().full(self.session_context() if self._refuses_tickets else context, is_data=is_data, for_name=for_name)

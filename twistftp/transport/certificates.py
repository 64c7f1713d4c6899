"""
A site's certificate, its chain and its private key: read, checked, or made at start.

Not here: what OpenSSL is told about them (``tls``) and when they are read again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["SOON", "Identity", "identity_of", "load_authorities", "load_identity", "make_identity"]

SOON = timedelta(days=30)
"""How long before its end a certificate is warned of."""
_SELF_SIGNED = timedelta(days=397)  # the longest that Apple's clients accept of anybody


@frozen
class Identity:
    """A certificate with its private key and, in ``chain``, the certificates of those who issued it."""

    certificate: x509.Certificate
    private_key: Any
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, as ``openssl x509 -fingerprint`` writes it."""
        return self.certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    @property
    def expires(self) -> datetime:
        """When it ends."""
        return self.certificate.not_valid_after_utc

    def pem(self) -> str:
        """Certificate and key as a text, of which :func:`identity_of` makes the same; a secret."""
        key = self.private_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return (self.certificate.public_bytes(serialization.Encoding.PEM) + key).decode("ascii")

    def trouble(self, now: datetime) -> str:
        """What is or will soon be wrong with its dates; ``""`` if nothing is."""
        if now < self.certificate.not_valid_before_utc:
            return f"is not valid before {_date(self.certificate.not_valid_before_utc)}"
        if now >= self.expires:
            return f"has expired on {_date(self.expires)}; clients refuse it"
        if now >= self.expires - SOON:
            return f"expires on {_date(self.expires)}, in {(self.expires - now).days} days; renew it"
        return ""


def _date(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def load_identity(certificate: str, private_key: str) -> Identity:
    """
    Read a certificate (with its chain behind it, if it has one) and its private key, both PEM files.

    :raises ValueError: they cannot be used; the text says which and why.
    :raises OSError: one of them cannot be read.
    """
    leaf, *chain = _certificates(certificate)
    with open(private_key, "rb") as file:
        content = file.read()
    try:
        key: Any = serialization.load_pem_private_key(content, None)
    except TypeError:
        raise ValueError(f"{private_key}: the private key is encrypted; store it without a pass phrase, readable by its owner alone") from None
    except Exception:
        raise ValueError(f"{private_key}: holds no private key in PEM form") from None
    if _public(leaf.public_key()) != _public(key.public_key()):
        raise ValueError(f"the private key {private_key} does not belong to the certificate {certificate}")
    return Identity(leaf, key, tuple(chain))


def load_authorities(path: str) -> list[x509.Certificate]:
    """
    Read the certificates of those who may issue clients' certificates.

    :raises ValueError: there is none in the file.
    :raises OSError: it cannot be read.
    """
    return _certificates(path)


def _certificates(path: str) -> list[x509.Certificate]:
    with open(path, "rb") as file:
        content = file.read()
    try:
        found = x509.load_pem_x509_certificates(content)
    except ValueError:
        found = []
    if not found:
        raise ValueError(f"{path}: holds no certificate in PEM form")
    return found


def _public(key: Any) -> bytes:
    octets: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return octets


def identity_of(pem: str) -> Identity:
    """What has become :meth:`Identity.pem` in another process."""
    octets = pem.encode("ascii")
    return Identity(x509.load_pem_x509_certificate(octets), serialization.load_pem_private_key(octets, None))


def make_identity(names: Iterable[str], now: datetime | None = None) -> Identity:
    """A new self-signed certificate for these host names and addresses, good for a year and a month. What cannot be a name is left out."""
    known = {name: general for name in names if name and (general := _general_name(name)) is not None} or {"localhost": x509.DNSName("localhost")}
    now = now or datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, next(iter(known))[:64])])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks differ
        .not_valid_after(now + _SELF_SIGNED)
        .add_extension(x509.SubjectAlternativeName(known.values()), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    return Identity(builder.sign(key, hashes.SHA256()), key)


def _general_name(name: str) -> x509.GeneralName | None:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name.encode("idna").decode("ascii"))
    except UnicodeError:  # a machine may be called what no host name can be
        return None

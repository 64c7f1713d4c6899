"""
TLS contexts of a client, and what a server's certificate says. Whose it is, is service-identity's judgement (RFC 9525).

Not here: connections. A chain is judged by the standard library while hands are shaken.
"""

from __future__ import annotations

import hashlib
import ssl
from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509.oid import NameOID
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address

from twistftp.cli.doctor.channel import Channel
from twistftp.cli.doctor.harmless import harmless
from twistftp.cli.doctor.seen import Certificate, Tls
from twistftp.cli.doctor.target import Target

__all__ = ["CannotTrust", "checking", "describe", "examined", "unchecking"]


_UNREADABLE = (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)


class CannotTrust(Exception):
    """The file of certificates to trust cannot be used."""


def checking(ca: str) -> ssl.SSLContext:
    """
    A context that trusts the certificates of a file; ``""``: those that the system trusts.

    :raises CannotTrust: there are none in the file.
    """
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except ssl.SSLError:
        raise CannotTrust("holds no certificate in PEM form") from None
    except OSError as error:
        raise CannotTrust((error.strerror or str(error)).lower()) from None
    context.check_hostname = False  # service-identity does it, and the doctor goes on to say what else it sees
    return context


def unchecking() -> ssl.SSLContext:
    """A context that takes every certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def describe(channel: Channel, target: Target, trust_error: str, is_checked: bool, now: datetime) -> Tls:
    """What TLS came to on a connection."""
    tls = channel.tls
    if tls is None:
        raise ValueError("no TLS on this connection")
    cipher = tls.cipher()
    der = tls.getpeercert(binary_form=True)
    certificate = None
    try:
        certificate = examined(der, target, now) if der else None
    except _UNREADABLE:
        trust_error = trust_error or "it cannot be read"
    return Tls(tls.version() or "", cipher[0] if cipher else "", certificate, trust_error, is_checked)


def examined(der: bytes, target: Target, now: datetime) -> Certificate:
    """
    A certificate's contents, and whether it is that of the target's host.

    :raises ValueError: it cannot be read; some errors of :mod:`cryptography.x509` say the same.
    """
    certificate = x509.load_der_x509_certificate(der)
    not_after = certificate.not_valid_after_utc
    return Certificate(
        subject=_name(certificate.subject),
        names=_names(certificate),
        issuer=_name(certificate.issuer),
        not_after=not_after,
        days_left=(not_after - now.astimezone(UTC)).days,
        name_error=_name_error(certificate, target),
        fingerprint=hashlib.sha256(der).hexdigest(),
    )


def _name_error(certificate: x509.Certificate, target: Target) -> str:
    host = target.host.partition("%")[0].rstrip(".")
    try:
        if target.is_address:
            verify_certificate_ip_address(certificate, host)
        else:
            verify_certificate_hostname(certificate, host)
    except VerificationError:
        return f"it is not valid for {host}"
    except (CertificateError, ValueError) as error:
        return harmless(str(error)) or "its names cannot be read"
    return ""


def _name(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME) or list(name)
    return harmless(str(common[0].value), longest=80) if common else "nobody"


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    found = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    return tuple(harmless(name, longest=80) for name in found[:20])

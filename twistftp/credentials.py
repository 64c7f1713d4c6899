"""
What a client can log in with beside a name and a password: the certificate of its TLS connection.

Not here: who is believed on its strength (``accounts.checkers``), and TLS.
"""

from __future__ import annotations

from typing import Any

from twisted.cred.credentials import ICredentials
from zope.interface import Attribute, implementer

__all__ = ["ClientCertificate", "IClientCertificate"]


class IClientCertificate(ICredentials):
    """A user's name, and a certificate whose chain was verified and whose private key the client has."""

    username = Attribute("str: the name after USER")
    certificate = Attribute("cryptography.x509.Certificate: shown by the client")


@implementer(IClientCertificate)
class ClientCertificate:
    """The credentials of a client with a certificate."""

    def __init__(self, username: str, certificate: Any) -> None:
        self.username, self.certificate = username, certificate

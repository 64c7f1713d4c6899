"""
``[site.tls]``: which channels must, may or may not be encrypted, and what follows from that for a login or a transfer.

Not here: certificates, handshakes and sessions of TLS (``transport.tls``), and replies (``session``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from attrs import Attribute, field, frozen

from twistftp.policy.rules import BadSetting

__all__ = ["CONTROL", "DATA", "TLSSettings", "parse_policy"]

CONTROL = ("allow", "require", "require-credentials")
"""Policies of the control channel; the last wants user name and password encrypted and leaves the rest to the client (CCC)."""
DATA = ("allow", "require", "deny")
"""Policies of the data channel."""
_SESSION = ("off", "auto", "require")
_CLIENT = ("ignore", "allow", "require")
_VERSIONS = ("1.0", "1.1", "1.2", "1.3")


def _one_of(*allowed: str) -> Callable[[Any, Attribute[str], str], None]:
    def check(instance: object, attribute: Attribute[str], value: str) -> None:
        if value not in allowed:
            raise BadSetting(attribute.name, value, f"must be one of {', '.join(allowed)}")

    return check


def _certificate(instance: TLSSettings, attribute: Attribute[str], value: str) -> None:
    if value and not instance.private_key:
        raise BadSetting(attribute.name, value, "needs its private key as well (--private-key FILE, private_key); PEM")
    if value and instance.self_signed:
        raise BadSetting(attribute.name, value, "is given beside a self-signed one that is to be made; choose one of them")


def _private_key(instance: TLSSettings, attribute: Attribute[str], value: str) -> None:
    if value and not instance.certificate:
        raise BadSetting(attribute.name, value, "needs its certificate as well (--certificate FILE, certificate); PEM")


def _needs_certificate(*without: object) -> Callable[[TLSSettings, Attribute[Any], Any], None]:
    def check(instance: TLSSettings, attribute: Attribute[Any], value: Any) -> None:
        if value not in without and not instance.is_on:
            raise BadSetting(attribute.name, value, "needs a certificate (--certificate and --private-key, or --self-signed)")

    return check


def _client_ca(instance: TLSSettings, attribute: Attribute[str], value: str) -> None:
    if not value and instance.client_certificates != "ignore":
        raise BadSetting(attribute.name, value, "is needed beside client_certificates: the PEM file of those who may issue them")


@frozen
class TLSSettings:
    """
    ``[site.tls]``. Without ``certificate`` (or ``self_signed``) there is no TLS, and nothing here may ask for it.

    ``session``: whether a data connection must resume the TLS session of its control connection: ``off``, ``auto`` (a client
    that has once resumed must always), ``require``.
    """

    certificate: str = field(default="", validator=_certificate)
    private_key: str = field(default="", validator=_private_key)
    self_signed: bool = False
    control_channel: str = field(default="allow", validator=[_one_of(*CONTROL), _needs_certificate("allow")])
    data_channel: str = field(default="allow", validator=[_one_of(*DATA), _needs_certificate("allow", "deny")])
    implicit: bool = field(default=False, validator=_needs_certificate(False))
    session: str = field(default="auto", validator=[_one_of(*_SESSION), _needs_certificate("off", "auto")])
    minimum_version: str = field(default="1.2", validator=_one_of(*_VERSIONS))
    clear_command_channel: bool = field(default=False, validator=_needs_certificate(False))
    client_certificates: str = field(default="ignore", validator=[_one_of(*_CLIENT), _needs_certificate("ignore")])
    client_ca: str = field(default="", validator=_client_ca)

    @property
    def is_on(self) -> bool:
        """Whether there is a certificate, and so TLS."""
        return bool(self.certificate) or self.self_signed

    @cached_property
    def is_strict(self) -> bool:
        """Whether anything must be encrypted."""
        return self.control_channel == "require" or self.data_channel == "require"

    @property
    def offers_ccc(self) -> bool:
        """Whether the control connection may go back to clear text after the login (CONTRACT: ``require-credentials`` turns it on)."""
        return self.is_on and not self.implicit and (self.clear_command_channel or self.control_channel == "require-credentials")

    def is_login_refused(self, *, is_secure: bool) -> bool:
        """Whether USER and PASS must wait for TLS (PROTOCOL P-USER-4)."""
        return self.control_channel != "allow" and not is_secure

    def is_command_refused(self, *, is_secure: bool, was_secure: bool) -> bool:
        """Whether commands of a logged-in user must wait for TLS; after CCC (``was_secure``) they need not."""
        return self.control_channel == "require" and not is_secure and not was_secure

    def is_transfer_refused(self, *, is_protected: bool) -> bool:
        """Whether a transfer must wait for PROT P (PROTOCOL P-PROT-5)."""
        return self.data_channel == "require" and not is_protected

    def is_level_refused(self, *, is_protected: bool) -> bool:
        """Whether PROT C (P-PROT-2), or PROT P where data channels are never encrypted, is against the rules."""
        return self.data_channel == ("deny" if is_protected else "require")


def parse_policy(text: str) -> tuple[str, str]:
    """
    The control and the data policy of ``--tls``: ``CONTROL`` alone, whose meaning for data is the nearest there is, or ``CONTROL/DATA``.

    :raises ValueError: it is neither; the text says the rule.
    """
    control, slash, data = text.partition("/")
    if not slash:
        data = "require" if control == "require" else "allow"
    if control not in CONTROL or data not in DATA:
        raise ValueError(f"must be allow, require, or CONTROL/DATA with CONTROL one of {', '.join(CONTROL)} and DATA one of {', '.join(DATA)}")
    return control, data

"""
Faults of the whole site: what it does not offer, how it lists, whom it lets in, and what its TLS is like.

Not here: faults of single commands and transfers. Most of these are settings that any site may have.
"""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from twistftp.testing.faults.base import Fault, at_least, verbs

__all__ = [
    "connection_limit",
    "ms_dos_listing",
    "no_commands",
    "no_epsv",
    "no_mlsd",
    "no_resumption",
    "no_utf8",
    "require_resumption",
    "slow_data",
    "wrong_certificate",
]

_KINDS = ("name", "expired", "untrusted")


def _deny(site: dict[str, Any], *words: str) -> None:
    filtering = site.setdefault("request_filtering", {})
    filtering["denied_commands"] = [*filtering.get("denied_commands", ()), *words]


@frozen(slots=False)
class no_epsv(Fault):
    """EPSV and EPRT are not there: FEAT does not name them, and they are answered 502."""

    def settings(self, site: dict[str, Any]) -> None:
        """Deny them."""
        _deny(site, "EPSV", "EPRT")


@frozen(slots=False)
class no_mlsd(Fault):
    """MLSD and MLST are not there; LIST is all there is."""

    def settings(self, site: dict[str, Any]) -> None:
        """Deny them."""
        _deny(site, "MLSD", "MLST")


@frozen(slots=False)
class no_commands(Fault):
    """These verbs are not there: ``no_commands("SIZE")``, or several: ``no_commands(["SIZE", "MDTM"])``."""

    verbs: tuple[str, ...] = field(converter=verbs)

    def settings(self, site: dict[str, Any]) -> None:
        """Deny them."""
        _deny(site, *self.verbs)


@frozen(slots=False)
class no_utf8(Fault):
    """FEAT does not name UTF8, and OPTS UTF8 ON is refused; names are octets of nobody knows which encoding."""


@frozen(slots=False)
class ms_dos_listing(Fault):
    """LIST has the form of Windows, SYST says Windows_NT, and there is no MLSD."""

    def settings(self, site: dict[str, Any]) -> None:
        """Have that style."""
        site.setdefault("directory_browse", {})["style"] = "ms-dos"
        _deny(site, "MLSD", "MLST")


@frozen(slots=False)
class connection_limit(Fault):
    """So many connections are let in at a time; one more gets 421 instead of a greeting."""

    connections: int = field(default=1, validator=at_least(1))

    def settings(self, site: dict[str, Any]) -> None:
        """Limit them."""
        site.setdefault("limits", {})["max_connections"] = self.connections


@frozen(slots=False)
class slow_data(Fault):
    """Data connections move so many octets a second."""

    octets_per_second: int = field(default=10_000, validator=at_least(1))

    def settings(self, site: dict[str, Any]) -> None:
        """Limit them."""
        site.setdefault("limits", {})["max_bytes_per_second"] = self.octets_per_second


@frozen(slots=False)
class no_resumption(Fault):
    """No session of TLS is resumed: every data connection shakes hands in full."""

    needs_tls = True
    refuses_tickets = True

    def settings(self, site: dict[str, Any]) -> None:
        """And nobody is refused for it."""
        site.setdefault("tls", {})["session"] = "off"


@frozen(slots=False)
class require_resumption(Fault):
    """Data connections must resume the TLS session of the control connection, else the reply is 522 (vsftpd's and ProFTPD's default)."""

    needs_tls = True

    def settings(self, site: dict[str, Any]) -> None:
        """Require it."""
        site.setdefault("tls", {})["session"] = "require"


@frozen(slots=False)
class wrong_certificate(Fault):
    """The certificate is for another ``name``, has ``expired``, or comes from an authority that the client does not trust (``untrusted``)."""

    needs_tls = True

    kind: str = field(default="name")

    @kind.validator
    def _check(self, attribute: Any, value: Any) -> None:
        if value not in _KINDS:
            raise ValueError(f"wrong_certificate: kind must be one of {', '.join(_KINDS)}, not {value!r}")

    @property
    def certificate(self) -> str:  # type: ignore[override]
        """That one."""
        return self.kind

"""
Protection: AUTH PBSZ PROT CCC and their relatives (RFC 2228, RFC 4217).

Not here: TLS itself (``transport``), how the control connection goes under it (``session.securing``), and what a site requires (``policy.tls``).
"""

from __future__ import annotations

from typing import Any

from twistftp.session.securing import begin_tls, end_tls
from twistftp.session.session import Session
from twistftp.wire.arguments import NOTHING, Argument, word
from twistftp.wire.commands import CommandGroup
from twistftp.wire.replies import Reply, cleaned
from twistftp.wire.states import Keeps, Login, Needs

security = CommandGroup("Security")

_NO_TLS = Reply.of(502, "TLS is not available here: the site has no certificate.")
_BEHIND_AUTH = Reply.of(421, "Octets behind AUTH in clear text: they are not executed.", closes=True)
_BEHIND_CCC = Reply.of(421, "Octets behind CCC: they are not executed; wait for its reply.", closes=True)
_NEVER_ENCRYPTED = Reply.of(534, "Data connections are never encrypted here; use PROT C.")
_ALWAYS_ENCRYPTED = Reply.of(534, "Data connections must be encrypted here; use PROT P.")
_MECHANISMS = {"TLS": False, "TLS-C": False, "TLS-P": True, "SSL": True}
"""What AUTH may name, and whether PROT P is preset by it (PROTOCOL P-AUTH-1 to P-AUTH-3)."""
_LARGEST_BUFFER = 2**32 - 1
_LEVELS = {"C": False, "P": True}
_NOT_OFFERED = frozenset("SE")


def _has_tls(session: Session) -> bool:
    return session.site.settings.tls.is_on  # type: ignore[no-any-return]


_SECRET = Argument("<...>", bytes, is_secret=True)


def _with_tls(feature: str) -> Any:
    return lambda session: feature if session.site.settings.tls.is_on else None


@security.command(
    "AUTH", word("TLS"), needs=Needs.NOTHING, rfc="4217 §4", feat=_with_tls("AUTH TLS"), help="encrypt the control connection", is_offered=_has_tls
)
def authenticate(session: Session, mechanism: str) -> Reply:
    """The session begins anew under TLS. What came in clear behind this line may be somebody else's and is thrown away (P-AUTH-6)."""
    if not session.site.settings.tls.is_on:
        return _NO_TLS
    if session.tls is not None:
        return Reply.of(503, "TLS is on already.") if session.is_secure else Reply.of(534, "No second AUTH after CCC.")
    preset = _MECHANISMS.get(mechanism.upper())
    if preset is None:
        return Reply.of(504, "Only AUTH TLS is offered here.")
    if not session.control.is_quiet:
        return _BEHIND_AUTH
    session.log_out()
    session.reset_parameters()
    session.control.restart_login_clock()
    session.control.after_reply(lambda: begin_tls(session, is_private=preset))
    return Reply.of(234, "Starting TLS.")


@security.command(
    "PBSZ",
    word("0"),
    needs=Needs.NOTHING,
    keeps=Keeps.RESTART,
    rfc="4217 §9",
    feat=_with_tls("PBSZ"),
    help="set the protection buffer size, which TLS does not need",
    is_offered=_has_tls,
)
def buffer_size(session: Session, size: str) -> Reply:
    """Zero is all there is; clients that ask for more are told so (PROTOCOL P-PBSZ-2)."""
    if not session.is_secure:
        return Reply.of(503, "PBSZ comes after AUTH TLS.")
    if not size.isdecimal() or not size.isascii() or int(size[:11]) > _LARGEST_BUFFER:
        return Reply.of(501, "Syntax: PBSZ 0.")
    return Reply.of(200, "PBSZ=0")


@security.command(
    "PROT",
    word("C|P"),
    needs=Needs.NOTHING,
    keeps=Keeps.RESTART,
    rfc="4217 §9",
    feat=_with_tls("PROT"),
    help="encrypt data connections (P) or not (C)",
    is_offered=_has_tls,
)
def protection(session: Session, level: str) -> Reply:
    """Good for the transfers from now on, those included whose PASV came before (PROTOCOL P-PROT-6)."""
    if session.tls is None or not session.is_secure:
        return Reply.of(503, "PROT comes after AUTH TLS.")
    is_private = _LEVELS.get(level.upper())
    if is_private is None:
        if level.upper() in _NOT_OFFERED:
            return Reply.of(536, f"PROT {level.upper()} is not offered; use PROT P.")
        return Reply.of(504, f"PROT {cleaned(level, 16)} is unknown; use PROT C or PROT P.")
    if session.site.settings.tls.is_level_refused(is_protected=is_private):
        return _NEVER_ENCRYPTED if is_private else _ALWAYS_ENCRYPTED
    session.tls.is_private = is_private
    return Reply.of(200, f"Data connections are {'encrypted' if is_private else 'not encrypted'} now.")


@security.command(
    "CCC",
    NOTHING,
    needs=Needs.NOTHING,
    rfc="4217 §5",
    feat=lambda session: "CCC" if session.site.settings.tls.offers_ccc else None,
    help="go back to clear text on the control connection",
    is_offered=lambda session: session.site.settings.tls.offers_ccc,
)
def clear_channel(session: Session, _: None) -> Reply:
    """For FTP helpers of firewalls, which must read PORT and 227; data connections stay as PROT has them (PROTOCOL P-CCC-2)."""
    if not session.is_secure:
        return Reply.of(533, "The control connection is not encrypted.")
    if not session.site.settings.tls.offers_ccc:
        return Reply.of(534, "The control connection stays encrypted here.")
    if session.login is not Login.DONE:
        return Reply.of(534, "CCC comes after logging in.")
    if not session.control.is_quiet:
        return _BEHIND_CCC
    session.control.after_reply(lambda: end_tls(session))
    return Reply.of(200, "The control connection is in clear text from now on.")


# verb -> what it is answered (PROTOCOL P-ADAT-1)
_REFUSED: dict[str, Reply] = {
    "ADAT": Reply.of(503, "TLS needs no ADAT."),
    **dict.fromkeys(("MIC", "CONF", "ENC"), Reply.of(502, "Protected commands are not supported; use AUTH TLS.")),
}


def _declare(verb: str, answer: Reply) -> None:
    @security.command(verb, _SECRET, needs=Needs.NOTHING, rfc="2228 §3", help="not available", is_offered=False)
    def refuse(session: Session, _: Any) -> Reply:
        return answer


for _verb, _answer in _REFUSED.items():
    _declare(_verb, _answer)

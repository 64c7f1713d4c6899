"""
Why there is no way in, or no TLS: rules about connection, greeting, AUTH, certificates and login.

Not here: data connections (``data_rules``). Each rule is a function of what was seen; within a group the first that holds is the cause.
"""

from __future__ import annotations

import re

from twistftp.cli.doctor.causes import Cause
from twistftp.cli.doctor.finding import Finding
from twistftp.cli.doctor.seen import Answer, Certificate, Ending, Seen, Session
from twistftp.cli.doctor.wording import said

__all__ = ["ENTRY_GROUPS"]

_MASK = re.compile(r"X{3,}|\*{3,}")
_UNMASKED = re.compile(r"[^X*\W_]")
# What a server says that has AUTH and will not do it now: 431 and 534 are RFC 2228's and RFC 4217's own, the rest is said by some.
_SERVERS_OWN = frozenset({421, 431, 521, 522, 530, 534})
_WANTS_TLS = re.compile(r"\b(TLS|SSL|FTPS|encrypt\w*|secure\w*|AUTH|protected)\b", re.IGNORECASE)
_PROXY = re.compile(
    r"\bproxy\b|\bfrox\b|jftpgw|FireWall-1|Blue ?Coat|\bsquid\b|Zorp|Sidewinder|Kerio|SonicWALL|FortiGate|\bFTP gateway\b|Barracuda|WatchGuard",
    re.IGNORECASE,
)
_EXPIRES_IN = 30


def _connection(session: Session, seen: Seen) -> Finding | None:
    stop = session.stop
    if stop is None or stop.stage != "connect":
        return None
    facts = {"host": seen.host, "port": seen.port, "place": seen.place, "detail": stop.detail or "There is no such name"}
    if stop.ending is Ending.UNKNOWN_NAME:
        return Finding(Cause.NAME_UNKNOWN, facts=facts)
    if stop.ending is Ending.SILENT and not session.connects:
        return Finding(Cause.NAME_SERVERS, facts=facts)
    if stop.ending is Ending.RESET:  # a closed port refuses; this one has accepted before
        return Finding(Cause.HUNG_UP, facts={"how": stop.ending.value})
    causes = {Ending.REFUSED: Cause.CONTROL_REFUSED, Ending.SILENT: Cause.CONTROL_SILENT}
    return Finding(causes.get(stop.ending, Cause.CONTROL_UNREACHABLE), facts=facts)


def _greeting(session: Session, seen: Seen) -> Finding | None:
    stop = session.stop
    if stop is None or stop.stage != "greeting":
        return None
    facts = {"place": seen.place, "detail": stop.detail, "how": stop.ending.value, "said": said(stop.answer), "seconds": seen.patience}
    if stop.answer is not None:
        return Finding(Cause.TURNED_AWAY, facts=facts)
    if session.speaks_tls_at_once:
        return Finding(Cause.SPEAKS_TLS, facts=facts)
    causes = {Ending.SILENT: Cause.MUTE, Ending.GARBLED: Cause.NOT_FTP, Ending.ENDLESS: Cause.ENDLESS}
    return Finding(causes.get(stop.ending, Cause.HUNG_UP), facts=facts)


def _auth(session: Session, seen: Seen) -> Finding | None:
    stop = session.stop
    if stop is None or stop.stage != "auth":
        return None
    detail = f': "{stop.detail}"' if stop.detail else ""
    facts = {"said": said(stop.answer), "how": f"{stop.ending.value}{detail}"}
    if stop.answer is None:
        return Finding(Cause.AUTH_CUT, facts=facts)
    if _MASK.search(stop.answer.text):
        return Finding(Cause.AUTH_MASKED, facts=facts)
    if stop.answer.code in _SERVERS_OWN:
        return Finding(Cause.AUTH_UNCONFIGURED, facts=facts)
    return Finding(Cause.AUTH_ANSWERED_FOR if session.offers("AUTH") else Cause.AUTH_NOT_OFFERED, facts=facts)


def _handshake(session: Session, seen: Seen) -> Finding | None:
    stop = session.stop
    if stop is None or stop.stage != "handshake" or stop.ending is Ending.UNTRUSTED:
        return None
    facts = {"how": stop.ending.value, "detail": stop.detail}
    if stop.ending is Ending.GARBLED:
        return Finding(Cause.SPEAKS_PLAIN if session.scheme == "ftps" else Cause.HANDSHAKE_ANSWERED_FOR, facts=facts)
    return Finding(Cause.TLS_DISAGREED if stop.ending is Ending.TLS_REFUSED else Cause.HANDSHAKE_CUT, facts=facts)


def _certificate(session: Session, seen: Seen) -> Finding | None:
    stop = session.stop
    if stop is None or stop.ending is not Ending.UNTRUSTED:
        return None
    certificate = session.tls.certificate if session.tls else None
    if certificate is not None and certificate.days_left < 0:
        return Finding(Cause.EXPIRED, facts={"not_after": _day(certificate)})
    if certificate is not None and stop.stage == "trust" and certificate.name_error:
        names = ", ".join(certificate.names) or certificate.subject
        return Finding(Cause.WRONG_NAME, facts={"detail": certificate.name_error.capitalize(), "names": names})
    facts = {"detail": stop.detail.capitalize(), "subject": "unknown", "issuer": "unknown"}
    if certificate is not None:
        facts |= {"subject": certificate.subject, "issuer": certificate.issuer}
    return Finding(Cause.UNTRUSTED, facts=facts)


def _login(session: Session, seen: Seen) -> Finding | None:
    stop = session.stop
    if stop is None or stop.stage != "login":
        return None
    facts = {"said": said(stop.answer), "how": stop.ending.value}
    if stop.answer is None:
        return Finding(Cause.LOGIN_CUT, facts=facts)
    return Finding(Cause.TLS_DEMANDED if _wants_tls(session, stop.answer) else Cause.LOGIN_REFUSED, facts=facts)


def _wants_tls(session: Session, answer: Answer) -> bool:
    return not session.is_protected and bool(_WANTS_TLS.search(answer.text))


def _directory(session: Session, seen: Seen) -> Finding | None:
    stop = session.stop
    if stop is None or stop.stage != "directory":
        return None
    return Finding(Cause.DIRECTORY_REFUSED, facts={"said": said(stop.answer)})


def _mask(session: Session, seen: Seen) -> Finding | None:
    for command, answer in (("SYST", session.system), ("the connection", session.greeting)):
        # A banner may well be framed in asterisks; one that has nothing else has been written over.
        if answer is not None and _MASK.search(answer.text) and not _UNMASKED.search(answer.text):
            return Finding(Cause.MASKED, is_problem=False, facts={"command": command, "said": said(answer)})
    return None


def _proxy(session: Session, seen: Seen) -> Finding | None:
    if session.greeting is None or not _PROXY.search(session.greeting.text):
        return None
    return Finding(Cause.PROXY, is_problem=False, facts={"said": said(session.greeting)})


def _strays(session: Session, seen: Seen) -> Finding | None:
    if not session.strays:
        return None
    return Finding(Cause.STRAY_REPLIES, is_problem=False, facts={"said": "; ".join(said(answer) for answer in session.strays[:3])})


def _dead_address(session: Session, seen: Seen) -> Finding | None:
    dead = [connect for connect in session.connects if connect.ending is not Ending.OPEN]
    if not dead or session.connects[-1].ending is not Ending.OPEN:
        return None
    addresses = ", ".join(f"{connect.address} ({connect.ending.value})" for connect in dead)
    return Finding(Cause.DEAD_ADDRESS, is_problem=False, facts={"addresses": addresses})


def _expires_soon(session: Session, seen: Seen) -> Finding | None:
    certificate = session.tls.certificate if session.tls else None
    if certificate is None or not 0 <= certificate.days_left < _EXPIRES_IN:
        return None
    return Finding(Cause.EXPIRES, is_problem=False, facts={"days": certificate.days_left, "not_after": _day(certificate)})


def _day(certificate: Certificate) -> str:
    return certificate.not_after.strftime("%Y-%m-%d")


ENTRY_GROUPS = (
    (_connection, _greeting, _auth, _handshake, _certificate, _login, _directory),
    (_dead_address,),
    (_mask,),
    (_proxy,),
    (_strays,),
    (_expires_soon,),
)
"""Groups of rules: of each group the first that holds is the one most likely cause."""

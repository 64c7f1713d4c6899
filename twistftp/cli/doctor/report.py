"""
The doctor's report: what works, line by line, then causes and cures, then one line for all.

Not here: printing, and finding out. All texts of servers in it are harmless already.
"""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import fill

from twistftp.cli.doctor.causes import Cause
from twistftp.cli.doctor.finding import Finding
from twistftp.cli.doctor.seen import Answer, Certificate, Ending, Passive, PortState, Scan, Seen, Session, Tls
from twistftp.cli.doctor.wording import ports_text
from twistftp.wire.addresses import is_ipv6

__all__ = ["report"]

_WIDTH = 118
_VERBS = ("PASV", "EPSV")
_ONLY = Cause.ONLY_EPSV.value.title


def report(seen: Seen, findings: list[Finding], user: str) -> Iterator[str]:
    """The lines for people."""
    yield from _session(seen.session, seen.port, user)
    if seen.other is not None:
        yield f"for comparison, {'with TLS' if seen.other.scheme != 'ftp' else 'in the clear'} ({seen.other.scheme}://):"
        yield from _session(seen.other, seen.port, user)
    if seen.scan is not None:
        yield from _scan(seen.scan)
    for finding in findings:
        yield ""
        about = f"{finding.about}: " if finding.about else ""
        yield f"{'problem' if finding.is_problem else 'note'}: {about}{finding.title}"
        yield _filled("  why:  ", finding.why)
        yield _filled("  cure: ", finding.cure)
    yield ""
    yield f"result: {_result(seen, findings)}"


def _filled(head: str, text: str) -> str:
    return fill(text, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False)


def _line(works: bool | None, what: str, text: str) -> str:
    return f"{ {True: 'works', False: 'fails', None: ''}[works]:<5}  {what:<12}{text}".rstrip()


def _session(session: Session, port: int, user: str) -> Iterator[str]:
    stop = session.stop
    for connect in session.connects:
        came = f", from {session.local}" if connect.ending is Ending.OPEN else f": {connect.ending.value}"
        yield _line(connect.ending is Ending.OPEN, "control", f"{connect.address} port {port}{came}")
    if stop is not None and stop.stage == "connect" and not session.connects:
        yield _line(False, "control", stop.ending.value)
    if session.greeting is not None:
        yield _line(session.greeting.is_positive, "greeting", str(session.greeting))
    elif stop is not None and stop.stage == "greeting":
        yield _line(False, "greeting", stop.ending.value)
    if session.tls is not None:
        yield from _tls(session.tls)
    if stop is not None and stop.stage in {"auth", "handshake", "trust"}:
        yield _line(False, "TLS", str(stop.answer) if stop.answer else f"{stop.ending.value}{f': {stop.detail}' if stop.detail else ''}")
    if session.login is not None or (stop is not None and stop.stage == "login"):
        came = str(session.login) if session.login else stop.ending.value if stop else ""
        yield _line(session.login is not None and session.login.code < 300, "login", f"{user}: {came}")
    if stop is not None and stop.stage == "directory":
        yield _line(False, "directory", str(stop.answer))
    for verb in _VERBS:
        if session.tries(verb):
            yield _line(session.is_through(verb), verb, "; ".join(_passive(one, session.peer) for one in session.tries(verb)))
    for interruption in session.interruptions:
        yield _line(False, interruption.command, f"the control connection: {interruption.ending.value}")
    if session.active is not None:
        active = session.active
        is_done = active.transfer is not None and active.transfer.is_done
        came = f", from {active.came_from}" if active.came_from not in ("", session.peer) else ""
        yield _line(is_done, "active", f"{active.verb}{came}{'' if is_done else f': {_why_not_active(session)}'}")
    if session.own_account is not None:
        yield _filled(f"{'':<7}{'SITE WHY':<12}", _own(session.own_account))


def _own(answer: Answer) -> str:
    return " ".join(line for line in answer.lines if line not in {"", "End."})


def _why_not_active(session: Session) -> str:
    active = session.active
    if active is None or active.transfer is None:
        return str(active.answer) if active and active.answer else "no answer"
    answer = active.transfer.answer
    return str(answer) if answer is not None and answer.code >= 400 else active.transfer.ending.value


def _tls(tls: Tls) -> Iterator[str]:
    is_wrong = bool(tls.trust_error or (tls.certificate and tls.certificate.name_error))
    yield _line(not (tls.is_checked and is_wrong), "TLS", f"{tls.protocol}, {tls.cipher}")
    if tls.certificate is not None:
        unchecked = "" if tls.is_checked else "; not checked (--insecure)"
        yield _line(None, "certificate", f"{_certificate(tls.certificate)}{unchecked}")


def _certificate(certificate: Certificate) -> str:
    names = ", ".join(certificate.names) or certificate.subject
    until = f"{certificate.not_after:%Y-%m-%d}"
    left = f"{certificate.days_left} days left" if certificate.days_left >= 0 else "expired"
    fits = f"; {certificate.name_error}" if certificate.name_error else ""
    return f"for {names}, issued by {certificate.issuer}, until {until} ({left}){fits}, SHA-256 {certificate.fingerprint}"


def _passive(one: Passive, peer: str) -> str:
    if not one.is_told:
        return str(one.answer)
    place = f"port {one.port}" if one.address in ("", peer) else f"{one.address} port {one.port}"
    if one.transfer is None or one.ending is not Ending.OPEN:
        at_peer = "" if one.at_peer is Ending.NOT_TRIED else f" (at {peer}: {one.at_peer.value})"
        return f"{place}: {one.ending.value}{at_peer}"
    transfer = one.transfer
    what = f"{'fetched' if transfer.is_fetch else 'listed'} {transfer.octets} octets{' and stopped there' if transfer.is_cut else ''}"
    resumed = {True: ", TLS session resumed", False: ", TLS session not resumed", None: ""}[transfer.is_resumed]
    if transfer.is_done:
        return f"{place} {what}{resumed}"
    answer = f": {transfer.answer}" if transfer.answer is not None else ""
    how = "" if transfer.ending is Ending.OPEN else f" ({transfer.ending.value})"
    return f"{place} {transfer.command} fails{how}{answer}"


def _scan(scan: Scan) -> Iterator[str]:
    for state in PortState:
        if ports := scan.in_state(state):
            works = {PortState.OPEN: True, PortState.CLOSED: False}.get(state)
            yield _line(works, "range", f"{state.value}: {ports_text(ports)}")


def _result(seen: Seen, findings: list[Finding]) -> str:
    session = seen.session
    problems = [finding.title for finding in findings if finding.is_problem]
    if not seen.is_fine:
        return f"does not work: {problems[0] if problems else 'a client could not both list and fetch'}"
    if session.works("EPSV") and not session.works("PASV") and not is_ipv6(session.peer):
        why = f": {problems[0]}" if problems and problems[0] != _ONLY else ""
        return f"{_ONLY}{why}; clients that use it can list and fetch"
    if problems:
        return f"works for some clients; {problems[0]}"
    return "works; clients can list and fetch"

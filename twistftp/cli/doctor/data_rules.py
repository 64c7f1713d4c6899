"""
Why data connections fail: rules about PASV, EPSV, transfers, TLS on them, active mode, and ranges of ports.

Not here: how one gets that far (``entry_rules``). Each rule is a function of what was seen; within a group the first that holds is the cause.
"""

from __future__ import annotations

import re

from twistftp.cli.doctor.causes import Cause
from twistftp.cli.doctor.finding import Finding
from twistftp.cli.doctor.seen import FAILED_TO_CONNECT, NO_CHANCE, Ending, Passive, PortState, Seen, Session, Transfer
from twistftp.cli.doctor.wording import also_said, endings_text, ports_text, said
from twistftp.policy.firewall import is_private
from twistftp.wire.addresses import is_unusable_target

__all__ = ["DATA_GROUPS"]

_TRANSFERS = frozenset({"LIST", "MLSD", "RETR"})
_RESUMPTION = re.compile(r"reuse|resum", re.IGNORECASE)


def _failed(session: Session, verb: str = "") -> list[Passive]:
    """Attempts whose data connection did not come up where the reply says."""
    return [one for one in session.passive if one.is_told and one.ending is not Ending.OPEN and verb in ("", one.verb)]


def _opened(session: Session, verb: str = "") -> list[Passive]:
    return [one for one in session.passive if one.ending is Ending.OPEN and verb in ("", one.verb)]


def _misdirected(session: Session) -> list[Passive]:
    """Attempts of PASV that named another address than the server's, and led nowhere."""
    return [one for one in _failed(session, "PASV") if one.address != session.peer]


def _instead(session: Session) -> str:
    return "use EPSV, which works here" if session.connected("EPSV") else "use EPSV, or a client that ignores the address"


def _cut(session: Session, seen: Seen) -> Finding | None:
    at = [one for one in session.interruptions if one.command in {"PASV", "EPSV"}]
    if not at:
        return None
    facts = {"verbs": " and ".join(dict.fromkeys(one.command for one in at)), "how": endings_text(one.ending for one in at)}
    clear = _counterpart(session, seen)
    if session.is_protected and not (clear and any(one.command in {"PASV", "EPSV"} for one in clear.interruptions)):
        return Finding(Cause.CUT_UNDER_TLS, facts=facts)
    return Finding(Cause.SWALLOWED if all(one.ending is Ending.SILENT for one in at) else Cause.CUT_AT_PASSIVE, facts=facts)


def _cut_elsewhere(session: Session, seen: Seen) -> Finding | None:
    # A transfer of which nothing is heard is a matter of its data connection.
    at = [one for one in session.interruptions if one.command not in _TRANSFERS or one.ending is not Ending.SILENT]
    if not at or session.could_list_and_fetch:
        return None
    facts = {"verbs": at[0].command, "how": at[0].ending.value}
    return Finding(Cause.CUT_UNDER_TLS if session.is_protected else Cause.CUT, facts=facts)


def _filter_reads_along(session: Session, seen: Seen) -> Finding | None:
    """The same verb works in the clear."""
    clear = _counterpart(session, seen)
    if not session.is_protected or clear is None or clear.is_protected or _opened(session):
        return None
    failed = [one for one in _failed(session) if one.address in ("", session.peer) and _opened(clear, one.verb)]
    return Finding(Cause.STATEFUL_FILTER, facts={"ports": ports_text(one.port for one in failed)}) if failed else None


def _altered(session: Session, seen: Seen) -> Finding | None:
    """Proof is a second account of the same thing: TLS, which nobody can alter, or STAT. Likely it is where EPSV's ports work and PASV's do not."""
    failed = _failed(session, "PASV")
    if not failed:
        return None
    evidence = session.stated
    if not evidence and (difference := _clear_and_tls(session, seen)):
        evidence = difference
    # One that names another address is most likely just wrong, even where a filter opens ports as it reads the other replies.
    are_here = all(one.address == session.peer for one in failed)
    if not evidence and are_here and len(failed) >= NO_CHANCE and session.connected("EPSV") and not _opened(session, "PASV"):
        ports = ports_text(one.port for one in failed)
        evidence = f"The 227 names the server's address, but its ports ({ports}) are closed, while those of EPSV are open, each time"
    if not evidence:
        return None
    return Finding(Cause.ALTERED, facts={"evidence": evidence[0].upper() + evidence[1:], "instead": _instead(session)})


def _clear_and_tls(session: Session, seen: Seen) -> str:
    other = _counterpart(session, seen)
    if other is None or session.is_protected or not other.is_protected:
        return ""
    clear, tls = ({one.address for one in which.tries("PASV") if one.is_told} for which in (session, other))
    if not clear or not tls or clear & tls:
        return ""
    return f"in the clear the 227 names {min(clear)}, under TLS, where nothing can read along, {min(tls)}"


def _counterpart(session: Session, seen: Seen) -> Session | None:
    return seen.session if session is seen.other else seen.other


def _wrong_address(session: Session, seen: Seen) -> Finding | None:
    misdirected = _misdirected(session)
    if not misdirected:
        return None
    one = misdirected[0]
    kind = ", a private address" if is_private(one.address) and not is_private(session.peer) else ""
    reached = f" (port {one.port} is {'open' if one.at_peer is Ending.OPEN else 'closed'} there)"
    facts = {"address": one.address, "kind": kind, "peer": session.peer, "reached": reached, "instead": _instead(session)}
    is_inside = is_private(session.peer) and not is_private(one.address) and not is_unusable_target(one.address)
    return Finding(Cause.WRONG_INSIDE if is_inside else Cause.WRONG_ADDRESS, facts=facts)


def _epsv_fails(session: Session, seen: Seen) -> Finding | None:
    failed = _failed(session, "EPSV")
    if len(failed) < NO_CHANCE or _opened(session, "EPSV") or not session.connected("PASV"):
        return None
    return Finding(Cause.PASV_ONLY, facts={"ports": ports_text(one.port for one in failed)})


def _range(session: Session, seen: Seen) -> Finding | None:
    """Ports at the server's own address that cannot be reached."""
    closed = {one.port: one.ending for one in _failed(session) if one.address in ("", session.peer)}
    closed |= {one.port: one.at_peer for one in _misdirected(session) if one.at_peer in FAILED_TO_CONNECT}
    if not closed:
        return None
    opened = {one.port for one in session.passive if Ending.OPEN in (one.ending, one.at_peer)}
    facts = {"ports": ports_text(closed), "how": endings_text(closed.values()), "open": ports_text(opened)}
    return Finding(Cause.SOME_CLOSED if opened else Cause.RANGE_CLOSED, facts=facts)


def _refused(session: Session, seen: Seen) -> Finding | None:
    refused = {one.verb: one.answer for one in session.passive if one.answer is not None and not one.is_told}
    told = {one.verb for one in session.passive if one.is_told}
    for verb, answer in refused.items():
        facts = {"verb": verb, "said": said(answer)}
        if answer.is_positive:
            return Finding(Cause.UNREADABLE, is_problem=not session.could_list_and_fetch, facts=facts)
        if answer.code in {500, 502} and session.offers(verb):
            return Finding(Cause.ANSWERED_FOR, is_problem=not session.could_list_and_fetch, facts=facts)
    if not refused:
        return None
    if not told:
        return Finding(Cause.PASSIVE_REFUSED, facts={"said": "; ".join(f"{verb}: {said(answer)}" for verb, answer in refused.items())})
    verb, answer = next(iter(refused.items()))
    facts = {"said": said(answer)}
    return Finding(Cause.ONLY_EPSV, facts=facts) if verb == "PASV" else Finding(Cause.NO_EPSV, is_problem=False, facts=facts)


def _transfers(session: Session) -> list[tuple[Passive, Transfer]]:
    """Those that did not get through though the data connection came up; none if others did."""
    done = {one.transfer.is_fetch for one in session.passive if one.transfer and one.transfer.is_done}
    tried = [(one, one.transfer) for one in session.passive if one.transfer is not None]
    return [(one, transfer) for one, transfer in tried if not transfer.is_done and transfer.is_fetch not in done]


def _transfer(session: Session, seen: Seen) -> Finding | None:
    for one, transfer in _transfers(session):
        if (finding := _of_transfer(session, one, transfer)) is not None:
            return finding
    return None


def _of_transfer(session: Session, one: Passive, transfer: Transfer) -> Finding | None:
    answer = transfer.answer
    what = "file" if transfer.is_fetch else "listing"
    facts = {"port": one.port, "said": said(answer), "how": transfer.ending.value, "what": what}
    if answer is not None and answer.code in {521, 522, 534, 536}:
        return Finding(Cause.DATA_TLS_DEMANDED, facts=facts)
    is_unshaken = session.is_protected and transfer.is_resumed is None and transfer.ending is not Ending.OPEN
    if answer is not None and answer.code >= 400 and _RESUMPTION.search(answer.text):
        return Finding(Cause.DATA_TLS_DEMANDED, facts=facts)
    if is_unshaken:
        return Finding(Cause.DATA_TLS_CUT, facts=facts | {"said": also_said(answer)})
    if answer is not None and answer.code in {425, 426} and not transfer.octets:
        return Finding(Cause.TAKEN_ELSEWHERE, facts=facts)
    if answer is not None and answer.code >= 400:
        return Finding(Cause.FETCH_REFUSED if transfer.is_fetch else Cause.LIST_REFUSED, facts=facts)
    return Finding(Cause.STALLED, facts=facts | {"said": also_said(answer)})


def _nothing_to_fetch(session: Session, seen: Seen) -> Finding | None:
    return Finding(Cause.NOTHING_TO_FETCH) if session.has_no_file else None


def _protection(session: Session, seen: Seen) -> Finding | None:
    if session.is_protected and session.protection is not None and not session.protection.is_positive:
        return Finding(Cause.DATA_IN_CLEAR, is_problem=False, facts={"said": said(session.protection)})
    return None


def _resumption(session: Session, seen: Seen) -> Finding | None:
    resumed = {one.transfer.is_resumed for one in session.passive if one.transfer and one.transfer.is_done}
    return Finding(Cause.NOT_RESUMED, is_problem=False) if resumed == {False} else None


def _active(session: Session, seen: Seen) -> Finding | None:
    active = session.active
    if active is None or (active.transfer is not None and active.transfer.is_done):
        return None
    transfer = active.transfer
    if transfer is None:
        return Finding(Cause.ACTIVE_REFUSED, is_problem=False, facts={"verb": active.verb, "said": said(active.answer)})
    if transfer.answer is not None and transfer.answer.code >= 400 and transfer.answer.code not in {425, 426}:
        return None  # the transfer was refused, not the connection
    return Finding(Cause.ACTIVE_BLOCKED, is_problem=False, facts={"how": transfer.ending.value, "said": also_said(transfer.answer)})


def _scan(session: Session, seen: Seen) -> Finding | None:
    scan = seen.scan
    if scan is None or session is seen.other or not (closed := scan.in_state(PortState.CLOSED)):
        return None
    others = [f"{state.value}: {ports_text(ports)}" for state in PortState if state is not PortState.CLOSED and (ports := scan.in_state(state))]
    return Finding(Cause.SCAN_CLOSED, facts={"ports": ports_text(closed), "others": "; ".join(others) or "no port is open"})


def _outside(session: Session, seen: Seen) -> Finding | None:
    if seen.scan is None or session is seen.other or not seen.scan.outside:
        return None
    return Finding(Cause.OUTSIDE, is_problem=False, facts={"ports": ports_text(seen.scan.outside)})


DATA_GROUPS = (
    (_cut, _filter_reads_along, _altered, _wrong_address, _epsv_fails, _range, _cut_elsewhere, _transfer, _nothing_to_fetch),
    (_refused,),
    (_scan,),
    (_outside,),
    (_protection,),
    (_resumption,),
    (_active,),
)
"""Groups of rules: of each group the first that holds is the one most likely cause."""

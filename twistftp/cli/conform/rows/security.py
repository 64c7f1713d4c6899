"""
TLS: AUTH, PBSZ, PROT and CCC (RFC 2228, RFC 4217), and which TLS is taken.

Not here: data connections (``data_tls``), and certificates, which are the doctor's.
"""

from __future__ import annotations

import ssl

from twistftp.cli.conform.client import Client
from twistftp.cli.conform.dialogue import Said
from twistftp.cli.conform.row import Broken, NotOffered, NotTried, RowGroup
from twistftp.cli.conform.rows.words import BEYOND, LOGIN, MUST, SHOULD, TLS
from twistftp.cli.conform.visit import Visit
from twistftp.cli.doctor.certificate import unchecking
from twistftp.cli.doctor.channel import Lost
from twistftp.cli.doctor.control import Interrupted
from twistftp.cli.doctor.seen import Ending

__all__ = ["security"]

security = RowGroup("TLS")
_NONE = "500 502 504"


def _explicit(visit: Visit) -> Client:
    """
    A new connection in the clear, to a server that has AUTH TLS.

    :raises NotTried: TLS comes first here.
    :raises NotOffered: there is no AUTH TLS.
    """
    if visit.is_tls_first:
        raise NotTried("TLS begins with the first octet here, so there is nothing to ask for")
    visit.secured()
    return visit.stranger()


@security.row("P-AUTH-1", "RFC 4217 §4, §8; RFC 2228 §3", MUST, "AUTH TLS, where there is any, is answered 234, then the server shakes hands.", TLS)
def auth(visit: Visit) -> None:
    """And talks on under TLS."""
    if visit.is_tls_first:
        raise NotTried("TLS begins with the first octet here, so there is nothing to ask for")
    client = visit.secured()
    client.must("QUIT", "221")


@security.row("P-AUTH-1.feat", "RFC 4217 §6", MUST, "A server that has AUTH TLS lists AUTH TLS, PBSZ and PROT in FEAT.", TLS)
def auth_listed(visit: Visit) -> None:
    """If it has FEAT. AUTH may list several mechanisms in a line."""
    client = _explicit(visit)
    said = client.ask("FEAT")
    if said.code != 211:
        raise NotOffered(f"FEAT is answered {said.code} before the login")
    text = "\n".join(line.strip().upper() for line in said.lines[1:-1])
    words = {line.split(" ")[0]: line for line in text.split("\n") if line}
    if missing := [name for name in ("AUTH", "PBSZ", "PROT") if name not in words] + ([] if "TLS" in words.get("AUTH", "TLS") else ["AUTH TLS"]):
        raise Broken(f"FEAT does not list {', '.join(missing)}")


@security.row("P-AUTH-1.case", "RFC 2228 §3", MUST, "Capitals make no difference in the name of the mechanism.", TLS)
def auth_case(visit: Visit) -> None:
    """AUTH tls."""
    client = _explicit(visit)
    client.must("AUTH tls", "234")
    visit.shake(client)


@security.row("P-AUTH-1.unknown", "RFC 2228 §3", MUST, "AUTH with a mechanism that there is not, or without one, is refused with 5yz.", TLS)
def auth_unknown(visit: Visit) -> None:
    """No such mechanism was ever registered."""
    client = _explicit(visit)
    client.must("AUTH XYZZ", "5xx")
    client.must("AUTH", "5xx")


@security.row("P-AUTH-1.504", "RFC 2228 §3", SHOULD, "AUTH with a mechanism that there is not is answered 504.", TLS)
def auth_unknown_code(visit: Visit) -> None:
    """Which says that AUTH is there, and another word may work."""
    _explicit(visit).must("AUTH XYZZ", "504")


@security.row("P-AUTH-3", "beyond; RFC 4217 §17 knows TLS and TLS-C", BEYOND, "AUTH SSL is taken like AUTH TLS, for old clients.", TLS)
def auth_ssl(visit: Visit) -> None:
    """SSL itself is not meant."""
    client = _explicit(visit)
    client.must("AUTH SSL", "234")
    visit.shake(client)


@security.row("P-AUTH-4", "RFC 4217 §4.2; RFC 2228 §3", MUST, "An AUTH that is taken after the login ends the login.", TLS, LOGIN)
def auth_after_login(visit: Visit) -> None:
    """Servers may refuse it."""
    if visit.target.scheme != "ftp":
        raise NotTried("logging in in the clear was not asked for (use ftp://)")
    visit.secured()
    client = visit.session(fresh=True)
    said = client.ask("AUTH TLS")
    if said.code >= 400:
        raise NotOffered(f"AUTH after the login is answered {said.code}")
    client.judge("AUTH TLS", said, "234")
    visit.shake(client)
    client.is_out("AUTH")


@security.row("P-AUTH-1.again", "RFC 2228 §3, §8.2", SHOULD, "AUTH under TLS is refused with 503, 534 or 530, or taken.", TLS)
def auth_again(visit: Visit) -> None:
    """503 is for commands out of order."""
    visit.secured().must("AUTH TLS", "503 534 530 234")


@security.row(
    "P-AUTH-6", "beyond; injection into the handshake, CVE-2011-0411", BEYOND, "A command in the clear behind AUTH TLS is never executed.", TLS
)
def injection(visit: Visit) -> None:
    """In the same segment, where somebody on the way would put it."""
    client = _explicit(visit)
    client.send(b"AUTH TLS\r\nNOOP\r\n")
    said = client.hear()
    if said.code != 234:
        return
    try:
        visit.shake(client)
        after = client.ask("SYST")
    except (Broken, Interrupted):
        return
    if after.code == 200:
        raise Broken("the NOOP that came in the clear is answered under TLS")


@security.row("P-AUTH-7", "RFC 4217 §4.1, §10.1", MUST, "After 234 nothing is answered in the clear any more.", TLS)
def no_way_back(visit: Visit) -> None:
    """A command instead of a handshake. A TLS alert and the end are right."""
    client = _explicit(visit)
    client.must("AUTH TLS", "234")
    client.send("NOOP")
    try:
        said = client.hear()
    except Interrupted as interrupted:
        visit.transcript.note(f"no reply: {interrupted.ending.value}")
        return
    if said.code < 400:
        raise Broken(f"NOOP in the clear is answered {said.code}")


@security.row("P-PBSZ-1", "RFC 2228 §3; RFC 4217 §9", MUST, "Under TLS PBSZ 0 is answered 200.", TLS)
def buffer_size(visit: Visit) -> None:
    """Before the login."""
    client = visit.secured()
    client.must("PBSZ 0", "200")


@security.row("P-PBSZ-1.bad", "RFC 2228 §3", SHOULD, "PBSZ with something else than a number is answered 501 (or 500).", TLS)
def buffer_size_bad(visit: Visit) -> None:
    """Under TLS."""
    visit.secured().must("PBSZ x", "500 501")


@security.row("P-PBSZ-1.early", "RFC 2228 §3", SHOULD, "In the clear PBSZ and PROT are answered 503.", TLS)
def too_early(visit: Visit) -> None:
    """P-PROT-1: a security exchange must come first."""
    client = _explicit(visit)
    client.must("PBSZ 0", "503")
    client.must("PROT P", "503")


@security.row("P-PROT-1", "RFC 4217 §9; RFC 2228 §3", MUST, "PROT P is answered 200, PROT C 200 or 534, something unknown 504 (or 5yz).", TLS)
def protection(visit: Visit) -> None:
    """P-PROT-2: clear data connections may be forbidden."""
    client = visit.secured()
    client.settle("PBSZ 0", "200")
    said = client.must("PROT P", "200 530")
    if said.code == 530:
        raise NotTried("PROT is answered 530 before the login")
    client.must("PROT C", "200 534")
    client.must("PROT X", "5xx")


@security.row("P-PROT-3", "RFC 4217 §9; RFC 2228 §3", SHOULD, "PROT S and PROT E, which TLS has not, are answered 536 (or 504).", TLS)
def other_protection(visit: Visit) -> None:
    """Safe and confidential are of other mechanisms."""
    client = visit.secured()
    client.settle("PBSZ 0", "200")
    for level in "SE":
        client.must(f"PROT {level}", "536 504")


@security.row("P-PROT-4", "RFC 2228 §3", MUST, "PROT without PBSZ before it is answered 503, or taken by servers that need no buffer size.", TLS)
def protection_alone(visit: Visit) -> None:
    """RFC 2228 has 'should reply 503'; RFC 4217 §9 makes the size meaningless, and lenient servers are no danger to anybody."""
    visit.secured().must("PROT P", "503 200 530")


@security.row("P-ADAT-1", "RFC 2228 §3", MUST, "ADAT, MIC, CONF and ENC, which TLS does not use, are refused.", TLS)
def not_of_tls(visit: Visit) -> None:
    """Whatever the 5yz."""
    client = visit.secured()
    for command in ("ADAT x", "MIC x", "CONF x", "ENC x"):
        client.must(command, "5xx")


@security.row("P-CCC-1", "RFC 2228 §3", MUST, "CCC in the clear is refused: there is nothing to leave.", TLS)
def clear_in_clear(visit: Visit) -> None:
    """533 is for that, where there is CCC."""
    _explicit(visit).must("CCC", "5xx")


@security.row(
    "P-CCC-2",
    "RFC 4217 §12.3, §15.3; RFC 2228 §3",
    MUST,
    "A CCC that is answered 200 leads back to clear text; else it is refused with 5yz.",
    TLS,
    LOGIN,
)
def clear_channel(visit: Visit) -> None:
    """Many servers refuse it, for good reasons."""
    client = visit.protected(fresh=True)
    said: Said = client.ask("CCC")
    if said.fits("5xx"):
        raise NotOffered(f"CCC is answered {said.code}")
    client.judge("CCC", said, "200")
    try:
        client.dialogue.feed(client.channel.leave_tls(visit.allowance.until(visit.allowance.to_reply)))
    except Lost as lost:
        raise Broken(f"TLS does not end after 200: {lost.ending.value}") from None
    visit.transcript.note("TLS has ended")
    client.must("PWD", "257")


@security.row("P-TLS-1", "RFC 8996 §4, §5", MUST, "TLS 1.0 and 1.1 are not taken.", TLS)
def old_versions(visit: Visit) -> None:
    """By a client that offers nothing newer."""
    context = unchecking()
    try:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    except (ssl.SSLError, ValueError):
        raise NotTried("the TLS library here cannot offer them") from None
    if (version := _tried(visit, context)) is not None:
        raise Broken(f"{version} is agreed on")


@security.row("P-TLS-1.new", "RFC 9325 §3.1.1", MUST, "TLS 1.2 or 1.3 is taken.", TLS)
def new_versions(visit: Visit) -> None:
    """By a client that offers both."""
    if _tried(visit, unchecking()) is None:
        raise Broken("neither is agreed on")


@security.row(
    "P-TLS-4", "beyond; defence against ALPACA, RFC 7301 §3.2", BEYOND, "A client that offers other protocols than ftp by ALPN is refused.", TLS
)
def other_protocols(visit: Visit) -> None:
    """A browser offers h2 and http/1.1."""
    context = unchecking()
    context.set_alpn_protocols(["h2", "http/1.1"])
    if _tried(visit, context) is not None:
        raise Broken("the handshake succeeds with h2 and http/1.1")


@security.row("P-TLS-5", "RFC 7301 §3.2", MUST, "A client that offers ftp by ALPN is let in.", TLS)
def own_protocol(visit: Visit) -> None:
    """P-TLS-4: the server chooses ftp, or does not know ALPN."""
    context = unchecking()
    context.set_alpn_protocols(["x-filezilla-ftp", "ftp"])
    if _tried(visit, context) is None:
        raise Broken("the handshake fails")
    chosen = visit.alpn
    if chosen not in {None, "ftp", "x-filezilla-ftp"}:
        raise Broken(f"{chosen!r} is chosen")


def _tried(visit: Visit, context: ssl.SSLContext) -> str | None:
    """The version that a client with this context agrees on; ``None``: there is no agreement."""
    if visit.is_tls_first:
        client = visit.bare()
    else:
        client = _explicit(visit)
        client.must("AUTH TLS", "234")
    try:
        client.channel.start_tls(context, visit.host, None, visit.allowance.until(visit.allowance.to_talk))
    except Lost as lost:
        if lost.ending in {Ending.TLS_REFUSED, Ending.CLOSED, Ending.RESET}:
            visit.transcript.note(f"TLS does not come about: {lost.ending.value}{f' ({lost.detail})' if lost.detail else ''}")
            return None
        raise
    tls = client.channel.tls
    visit.alpn = tls.selected_alpn_protocol() if tls is not None else None
    try:
        client.ask("NOOP")  # with TLS 1.3 a refusal may come behind the client's last words
    except Interrupted as interrupted:
        visit.transcript.note(f"the server ends TLS: {interrupted.ending.value}")
        return None
    visit.transcript.note(f"{tls.version() if tls else ''} is agreed on")
    return tls.version() if tls is not None else None

"""
The greeting, the login and its end: RFC 959 §4.1.1, RFC 7151, RFC 2577.

Not here: TLS (``security``).
"""

from __future__ import annotations

from twistftp.cli.conform.client import Client
from twistftp.cli.conform.dialogue import Said
from twistftp.cli.conform.row import Broken, NotOffered, NotTried, RowGroup
from twistftp.cli.conform.rows.words import BEYOND, LOGIN, MUST, SHOULD
from twistftp.cli.conform.visit import Visit

__all__ = ["login"]

login = RowGroup("Greeting and login")
_NOBODY = "twistftp-conform-nobody"


@login.row("P-CONN-1", "RFC 959 §5.4", MUST, "The server begins with 220 (after a 120, if it takes time).")
def greeting(visit: Visit) -> None:
    """A 421 is a polite refusal, and tells nothing else."""
    client = visit.stranger(hears_greeting=False)
    client.judge("the connection", visit.greet(client), "220")


@login.row("P-USER-1", "RFC 959 §5.4", MUST, "USER is answered 230 or 232 (no password needed), 331, 332 or 530.")
def user(visit: Visit) -> None:
    """The user of the URL."""
    visit.stranger().must(f"USER {visit.target.user}", "230 232 331 332 530", visit.allowance.to_talk)


@login.row("P-USER-1.unknown", "RFC 2577 §7", SHOULD, "USER with a name that does not exist is answered 331, like one that does.")
def unknown_user(visit: Visit) -> None:
    """If the server asks for passwords at all; one that wants TLS first answers both alike."""
    known = visit.stranger().ask(f"USER {visit.target.user}", visit.allowance.to_talk)
    if not known.fits("331 332"):
        raise NotOffered(f"USER {visit.target.user} is answered {known.code}: no password is asked for")
    client = visit.stranger()
    unknown = client.ask(f"USER {_NOBODY}", visit.allowance.to_talk)
    if visit.target.is_anonymous and unknown.code != known.code:
        raise NotTried("the server may be for anonymous users only, and have no names to keep")
    client.judge(f"USER {_NOBODY}", unknown, str(known.code))


@login.row("P-PASS-1", "RFC 959 §5.4", MUST, "USER and PASS log in with 230 (or 202).", LOGIN)
def password(visit: Visit) -> None:
    """As the URL says."""
    client = visit.stranger() if visit.target.scheme == "ftp" else visit.secured()
    visit.log_in(client)
    client.must("PWD", "257")


@login.row("P-PASS-1.sequence", "RFC 959 §5.4", MUST, "PASS without USER is refused, with 503 or 530.")
def password_alone(visit: Visit) -> None:
    """Nobody is guessed at: there is no user."""
    visit.stranger().must("PASS nothing", "503 530", visit.allowance.to_talk)


@login.row("P-PASS-3", "RFC 959 §5.4", MUST, "A wrong password is answered 530, and the session goes on.")
def wrong_password(visit: Visit) -> None:
    """One attempt, for a user that does not exist: nobody is locked out."""
    client = visit.stranger()
    said = client.ask(f"USER {_NOBODY}", visit.allowance.to_talk)
    if said.fits("331 332"):
        said = client.ask("PASS wrong-on-purpose", visit.allowance.to_talk)
    client.judge("the login", said, "530")
    client.judge("QUIT", client.ask("QUIT", visit.allowance.to_talk), "221")


def _is_refused(client: Client, command: str) -> Said:
    said = client.ask(command)
    if said.code < 400:
        raise Broken(f"{command} is answered {said.code} before the login")
    return said


@login.row("P-GEN-10", "RFC 959 §4.1.1, §5.4", MUST, "Before the login, commands that want access to files are refused.")
def not_yet(visit: Visit) -> None:
    """RFC 959 §4.1.1: USER is what a server requires for access to its file system."""
    client = visit.stranger()
    for command in ("CWD /", "LIST", "RETR twistftp-conform-none", "DELE twistftp-conform-none"):
        _is_refused(client, command)


@login.row("P-GEN-10.530", "RFC 1123 §4.1.2.11; RFC 959 §5.4", SHOULD, "They are refused with 530, which says that a login is missing.")
def not_logged_in(visit: Visit) -> None:
    """The code that §5.4 lists for them; PWD has none there but 500, 501, 502, 421 and 550."""
    client = visit.stranger()
    for command in ("CWD /", "LIST", "RETR twistftp-conform-none"):
        client.judge(command, _is_refused(client, command), "530")


login.says(
    "P-GEN-10.early", "beyond; RFC 4217 §4 has clients look at FEAT first", BEYOND, "FEAT, SYST, HELP and NOOP are answered before the login.",
    ("FEAT", "211"), ("SYST", "215"), ("HELP", "2xx"), ("NOOP", "200"), needs=(),
)  # fmt: skip


@login.row("P-USER-2", "RFC 959 §4.1.1", MUST, "A USER that is taken when somebody is logged in ends that login.", LOGIN)
def user_again(visit: Visit) -> None:
    """Servers may refuse to change the user."""
    client = visit.session(fresh=True)
    said = client.ask(f"USER {visit.target.user}", visit.allowance.to_talk)
    if said.code >= 400:
        raise NotOffered(f"USER is answered {said.code}: the user cannot be changed")
    if said.fits("230 232"):
        raise NotTried("the user needs no password")
    client.is_out("USER")


@login.row("P-USER-3", "beyond; RFC 959 §4.1.1 permits it", BEYOND, "After USER and another USER, PASS belongs to the latter.", LOGIN)
def user_twice(visit: Visit) -> None:
    """Before the login."""
    client = visit.stranger() if visit.target.scheme == "ftp" else visit.secured()
    if not client.ask(f"USER {_NOBODY}", visit.allowance.to_talk).fits("331 332"):
        raise NotOffered("USER asks for no password")
    said = client.ask(f"USER {visit.target.user}", visit.allowance.to_talk)
    if said.fits("331"):
        said = client.ask(f"PASS {visit.target.sent_password}", visit.allowance.to_talk)
    client.judge("the login", said, "230 202 232")


login.says(
    "P-ACCT-1",
    "RFC 959 §5.4",
    MUST,
    "ACCT, where there is any, is answered 202, 230, 503 or 530.",
    ("ACCT nothing", "202 230 503 530"),
    optional="500 502",
)


@login.row("P-REIN-1", "RFC 959 §4.1.1", MUST, "REIN, where there is any, is answered 220 and logs out.", LOGIN)
def reinitialize(visit: Visit) -> None:
    """In the clear; what it means under TLS is RFC 4217's."""
    client = visit.session(fresh=True)
    if client.channel.tls is not None:
        raise NotTried("the session is under TLS, where REIN ends that, too")
    said = client.ask("REIN")
    if said.fits("500 502"):
        raise NotOffered(f"REIN is answered {said.code}")
    client.judge("REIN", said, "220")
    client.is_out("REIN")


@login.row("P-QUIT-1", "RFC 959 §4.1.1", MUST, "QUIT is answered 221, then the server closes the connection.")
def leave(visit: Visit) -> None:
    """Within the time for a reply."""
    client = visit.stranger()
    client.must("QUIT", "221")
    if not client.dialogue.is_ended(visit.allowance.to_reply):
        raise Broken("the connection stays open after 221")


@login.row("P-HOST-1", "RFC 7151 §3", MUST, "HOST, where FEAT lists it: 220 or 504 for a name, 501 without one, 503 after the login.", LOGIN)
def virtual_host(visit: Visit) -> None:
    """The name of the URL; whether the server knows it is its own affair."""
    visit.needs_feature("HOST")
    visit.session().must("HOST example.invalid", "503")
    client = visit.stranger()
    client.must("HOST", "501")
    client.must("HOST a b", "501 504")
    client.must(f"HOST {f'[{visit.host}]' if ':' in visit.host else visit.host}", "220 504")


@login.row("P-CLNT-1", "beyond; no RFC", BEYOND, "CLNT, where FEAT lists it, is answered 200.", LOGIN)
def client_name(visit: Visit) -> None:
    """Sent by lftp and WinSCP."""
    visit.needs_feature("CLNT")
    visit.session(fresh=True).must("CLNT twistftp", "200")


@login.row("P-CSID-1", "beyond; draft-peterson-streamlined-ftp-command-extensions", BEYOND, "CSID, where FEAT lists it, is answered 200.", LOGIN)
def client_identity(visit: Visit) -> None:
    """Sent by WinSCP."""
    visit.needs_feature("CSID")
    visit.session(fresh=True).must("CSID Name=twistftp; Version=1;", "200")


@login.row("P-CONN-2", "beyond; defence against cross-protocol attacks", BEYOND, "A browser's POST with commands in its body is hung up on.")
def cross_protocol(visit: Visit) -> None:
    """The body's command must not be executed."""
    client = visit.stranger()
    client.send(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nNOOP\r\n")
    while (said := client.dialogue.hear_if_any(visit.allowance.to_reply)) is not None:
        if said.code == 200:
            raise Broken("the NOOP in the body is executed")
        if said.code == 421:
            return
    if not client.dialogue.is_ended(1.0):
        raise Broken("the connection stays open")

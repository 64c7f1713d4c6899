"""
Access control: USER PASS ACCT REIN QUIT HOST and the clients' CLNT and CSID (RFC 959 §4.1.1, RFC 7151).

Not here: checking passwords (cred's portal does), which avatars there are (``accounts``).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Coroutine
from ipaddress import ip_address
from typing import Any

from twisted.cred.credentials import Anonymous
from twisted.cred.error import LoginFailed, UnhandledCredentials
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.protocols.ftp import IFTPShell
from twisted.python.failure import Failure

from twistftp.credentials import ClientCertificate
from twistftp.session.dispatch import TLS_FIRST
from twistftp.session.failures import reply_for
from twistftp.session.securing import end_tls, tls_lost
from twistftp.session.session import Session
from twistftp.session.transcript import printable
from twistftp.storage import adapt
from twistftp.storage.refusals import HomeRefused
from twistftp.wire.arguments import NOTHING, PASSWORD, text, word
from twistftp.wire.commands import CommandGroup
from twistftp.wire.paths import decode_name
from twistftp.wire.replies import Reply, cleaned
from twistftp.wire.states import Login, Needs

login = CommandGroup("Access control")

_PASSWORD_PLEASE = Reply.of(331, "Password required.")
_ANONYMOUS_PASSWORD = Reply.of(331, "Anonymous login ok; send your e-mail address as password.")
_LOGIN_INCORRECT = Reply.of(530, "Login incorrect.")
_LOGIN_BROKEN = Reply.of(451, "Logging in is not possible just now; try again later.")
_TOO_MANY_FAILURES = Reply.of(421, "Too many failed logins.", closes=True)
_USER_FIRST = Reply.of(503, "Log in with USER first.")
_BEHIND_REIN = Reply.of(421, "Octets behind REIN: they are not executed; wait for its reply.", closes=True)
_ALREADY = Reply.of(503, "Already logged in; send USER first.")


class _ClientGone(Exception):
    """The connection was lost or closed while a checker thought; unlike ``CancelledError``, no checker can fail with it."""


_Avatar = tuple[Any, Any, Callable[[], Any]]  # what portal.login gives: interface, avatar, logout


@login.command("USER", text("<name>"), needs=Needs.NOTHING, rfc="959 §4.1.1", help="name the user who logs in")
def user(session: Session, name: str) -> Reply | Coroutine[Any, Any, Reply]:
    """
    The same answer for every name, known or not (RFC 2577 §7, PROTOCOL P-SEC-4); an earlier login ends.

    ``HOST|USER`` names the virtual host, too, as with IIS: for clients that know neither HOST nor the server name of TLS.
    """
    host, _, rest = name.partition("|")
    if rest and session.site.hosts.has(host):
        session.log_out()
        if (refused := _move(session, host)) is not None:
            return refused if refused.closes else Reply.of(530, refused.text)
        name, session.host = rest, host
    if session.site.settings.tls.is_login_refused(is_secure=session.is_secure):
        return TLS_FIRST  # never 331: the password must not be asked for in clear text
    if session.login is Login.DONE:
        session.control.restart_login_clock()
    session.log_out()
    session.login = Login.NAMED
    # One name for users files, rules and homes, whichever form of its accents the client's system prefers.
    session.user_pending = name = unicodedata.normalize("NFC", name)
    if session.tls is not None and session.tls.peer_certificate is not None:
        return by_certificate(session, name)
    return _ask_for_password(session, name)


def _ask_for_password(session: Session, name: str) -> Reply:
    authentication = session.site.settings.authentication
    return _ANONYMOUS_PASSWORD if authentication.anonymous and authentication.is_anonymous(name) else _PASSWORD_PLEASE


@login.command("PASS", PASSWORD, needs=Needs.NOTHING, rfc="959 §4.1.1", help="give the password")
async def password(session: Session, given: bytes) -> Reply:
    """Log in through the site's portal; a failure waits, then says nothing about its reason (PROTOCOL P-PASS-3)."""
    if session.site.settings.tls.is_login_refused(is_secure=session.is_secure):
        return TLS_FIRST
    name, site = session.user_pending, session.site
    if session.login is Login.DONE and name:  # the certificate has logged in; some clients send PASS whatever USER was answered
        session.user_pending = ""
        return site.messages.greeting(session)  # type: ignore[no-any-return]
    if session.login is not Login.NAMED:
        return _ALREADY if session.login is Login.DONE else _USER_FIRST
    try:
        _, avatar, logout = await _authenticate(session, name, given)
        try:
            session.log_in(name, adapt(avatar), logout)
        except BaseException:
            logout()
            raise
    except LoginFailed:
        reply = _LOGIN_INCORRECT
    except HomeRefused as error:  # the password was right, so nobody guesses: no delay, and it does not count
        return _turned_away(session, name, error)
    except _ClientGone:
        raise CancelledError from None
    except GeneratorExit:
        raise
    except BaseException:  # others' code: asyncio's CancelledError is no Exception
        site.log.failure(
            "{site} #{session}: login of {user} ended in an error", site=site.settings.name, session=session.identifier, user=printable(name, 64)
        )
        reply = _LOGIN_BROKEN
    else:
        greeting = site.messages.greeting(session)
        site.transcript.login(session, name, greeting, decode_name(given) if session.is_anonymous else "")
        return greeting  # type: ignore[no-any-return]
    session.login, session.user_pending = Login.NONE, ""
    session.failures += 1
    site.transcript.login(session, name, reply)
    if reply is _LOGIN_INCORRECT and (blocked := site.logon_guard.failed(session, name)) is not None:
        return blocked  # type: ignore[no-any-return]
    attempts = site.settings.logon_attempts
    if attempts.delay:
        await deferLater(site.reactor, attempts.delay)
    return _TOO_MANY_FAILURES if session.failures >= attempts.max_failures else reply


def _turned_away(session: Session, name: str, error: HomeRefused) -> Reply:
    """The user exists and has nothing here; which folder or rule is to blame is for the log alone."""
    reply = reply_for(error, "")
    session.login, session.user_pending = Login.NONE, ""
    session.site.transcript.login(session, name, reply, denial=error.denial)
    return reply


async def _authenticate(session: Session, name: str, given: bytes) -> _Avatar:
    """
    The avatar of a user.

    :raises LoginFailed: no checker accepts them.
    :raises HomeRefused: one does, and the site has no home for this user.
    """
    site = session.site
    authentication, portal = site.settings.authentication, site.portal
    if authentication.anonymous and authentication.is_anonymous(name):
        return await _guarded(session, portal.login(Anonymous(), None, IFTPShell))
    credentials = site.credentials(name, given)
    asking = Deferred.fromCoroutine(credentials.put_to(lambda form: portal.login(form, None, IFTPShell)))
    return await _guarded(session, asking, credentials.withdrawal.make)


async def by_certificate(session: Session, name: str) -> Reply:
    """USER alone logs in whom the client's certificate names (RFC 4217 §12.2, PROTOCOL P-TLS-7); anybody else is asked for a password."""
    site, certificate = session.site, session.tls.peer_certificate if session.tls is not None else None
    try:
        _, avatar, logout = await _guarded(session, site.portal.login(ClientCertificate(name, certificate), None, IFTPShell))
        try:
            session.log_in(name, adapt(avatar), logout)
        except BaseException:
            logout()
            raise
    except (LoginFailed, UnhandledCredentials):
        return _ask_for_password(session, name)
    except HomeRefused as error:
        return _turned_away(session, name, error)
    except _ClientGone:
        raise CancelledError from None
    except Exception:
        site.log.failure("{site} #{session}: login by certificate ended in an error", site=site.settings.name, session=session.identifier)
        return _ask_for_password(session, name)
    session.user_pending = name  # a PASS may still come
    reply = Reply.of(232, "Logged in by your certificate.")
    site.transcript.login(session, name, reply)
    return reply


async def _guarded(session: Session, logging_in: Deferred[_Avatar], withdraw: Callable[[], None] = lambda: None) -> _Avatar:
    """
    Wait for a login so that, if the client goes or is sent away meanwhile and it then succeeds, the avatar is logged out at once.

    The login itself is not cancelled: a realm that has an avatar in the making could not hand it over to be logged out. ``withdraw``
    is called instead, for checkers that like to know.
    """
    if logging_in.called and not logging_in.paused:
        return await logging_in

    def leave(cancelled: Deferred[_Avatar]) -> None:
        cancelled.errback(_ClientGone())
        withdraw()

    waiting: Deferred[_Avatar] = Deferred(leave)

    def forward(result: _Avatar | Failure) -> None:
        if not waiting.called:
            waiting.callback(result)  # type: ignore[arg-type]
        elif not isinstance(result, Failure):
            result[2]()

    logging_in.addBoth(forward)
    session.login_under_way = waiting
    try:
        return await waiting
    finally:
        session.login_under_way = None


@login.command("ACCT", text("<account>", is_secret=True), needs=Needs.NOTHING, rfc="959 §4.1.1", help="accepted and not used")
def account(session: Session, name: str) -> Reply:
    """No account is ever asked for (PROTOCOL P-ACCT-1)."""
    if session.login is Login.NONE:
        return _USER_FIRST
    return Reply.of(202, "No account is needed here.")


@login.command("REIN", NOTHING, needs=Needs.NOTHING, rfc="959 §4.1.1", help="log out and start afresh")
def reinitialize(session: Session, _: None) -> Reply:
    """The session is as freshly connected: under TLS it goes back to clear text, and the client must AUTH again (PROTOCOL P-REIN-1)."""
    if session.is_secure and session.site.settings.tls.implicit:
        return Reply.of(502, "REIN is not possible on an implicit TLS connection; connect again.")
    if session.is_secure and not session.control.is_quiet:
        return _BEHIND_REIN
    default = session.site.hosts.default
    if default is not session.site and (refused := default.receive(session.control)) is not None:
        return refused  # type: ignore[no-any-return]
    session.reinitialize()
    session.control.restart_login_clock()
    if session.is_secure:
        session.control.after_reply(lambda: end_tls(session, lambda: tls_lost(session)))
    else:
        tls_lost(session)
    return Reply.of(220, "Ready for a new user.")


@login.command("QUIT", NOTHING, needs=Needs.NOTHING, rfc="959 §4.1.1", help="end the session")
def end(session: Session, _: None) -> Reply:
    """During a transfer it waits, like any other verb (PROTOCOL P-QUIT-1)."""
    return session.site.messages.goodbye(session)  # type: ignore[no-any-return]


@login.command("HOST", word("<name>"), needs=Needs.NOTHING, rfc="7151", feat="HOST", help="name the virtual host")
def host(session: Session, name: str) -> Reply:
    """
    The virtual host (RFC 7151 §3). A site without a host name of its own answers to every name, as IIS's sites do; an
    address must be the one that the client came to.
    """
    if session.login is Login.DONE:
        return Reply.of(503, "HOST comes before logging in; send REIN first.")
    literal = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        address = str(ip_address(literal))
    except ValueError:
        if not _is_host_name(name):
            return Reply.of(501, "Syntax: HOST <name> (a host name without a port, or an address).")
        if (refused := _move(session, name)) is not None:
            return refused
    else:
        if literal != name and ":" not in address:  # without brackets IPv6 is accepted too: lftp sends it so
            return Reply.of(501, "Syntax: HOST [<IPv6 address>] or HOST <IPv4 address>.")
        if address != session.local:
            return Reply.of(504, "This address is not served here.")
    session.log_out()
    session.host = name
    return Reply.of(220, "Host accepted.")


def _move(session: Session, host: str) -> Reply | None:
    """Go to the site of a host, if it is another one; why not, if it cannot be."""
    site = session.site.hosts.find(host)
    if site is None:
        return Reply.of(504, "This host is not served here.")
    asked = session.tls.server_name if session.tls is not None else ""
    if asked and not _is_same(host, asked):
        return Reply.of(504, "The TLS of this connection was begun for another host (SNI).")
    if site is not session.site and (refused := site.receive(session.control)) is not None:
        return refused  # type: ignore[no-any-return]
    return None


def _is_same(name: str, other: str) -> bool:
    return name.lower().rstrip(".") == other.lower().rstrip(".")


def _is_host_name(name: str) -> bool:
    labels = name.rstrip(".").split(".")
    return (
        name.isascii()
        and len(name) <= 255
        and all(label and len(label) <= 63 and label.replace("-", "a").replace("_", "a").isalnum() for label in labels)
    )


@login.command("CLNT", text("<name>"), needs=Needs.NOTHING, rfc="(none)", feat="CLNT", help="name the client program")
def client(session: Session, name: str) -> Reply:
    """lftp and WinSCP introduce themselves."""
    session.client = cleaned(name, 128)
    return Reply.of(200, "Noted.")


@login.command(
    "CSID", text("<name=value;...>"), needs=Needs.NOTHING, rfc="draft-peterson-streamlined-ftp", feat="CSID", help="exchange client and server names"
)
def identify(session: Session, facts: str) -> Reply:
    """The version is withheld (PROTOCOL P-SEC-16)."""
    session.client = cleaned(facts, 128)
    return Reply.of(200, "name=twistftp;casesensitive=1;")

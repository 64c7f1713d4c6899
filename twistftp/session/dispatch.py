"""
One command line to its reply: the order of checks of PROTOCOL P-GEN-1.

Not here: reading lines, waiting, writing (``interpreter``), and the verbs themselves (``verbs``).
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twistftp.session.access import note_reading_only
from twistftp.session.failures import reply_for
from twistftp.session.session import Session
from twistftp.storage.failures import PermissionDenied
from twistftp.wire.arguments import ArgumentError
from twistftp.wire.commands import Command, split_line
from twistftp.wire.paths import decode_name
from twistftp.wire.replies import Reply, cleaned
from twistftp.wire.states import Keeps, Login, Needs

__all__ = ["OTHER_PROTOCOLS", "TLS_FIRST", "cut", "dispatch", "named", "syntax_reply", "too_long", "unknown"]

_TOO_LONG = Reply.of(500, "Command line too long.")
_CUT = Reply.of(450, "Transfer not started: the client asked to stop.")
_NOT_LOGGED_IN = Reply.of(530, "Please log in with USER and PASS.")
TLS_FIRST = Reply.of(530, 'This server requires TLS: send AUTH TLS first (choose "explicit FTP over TLS" in your client).')
_PROTECT = Reply.of(522, "Data connections must be encrypted here: send PBSZ 0 and PROT P.")
_OTHER_PROTOCOL = Reply.of(421, "This is an FTP server.", closes=True)
_TOO_MANY_UNKNOWN = Reply.of(421, "Too many unknown commands.", closes=True)

# What browsers and mailers say when somebody makes them talk to an FTP server (PROTOCOL P-CONN-2, P-SEC-14).
OTHER_PROTOCOLS = frozenset(("GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "EHLO", "HELO"))
_UNKNOWN_VERBS = 10
_NOT_BELIEVED = Reply.of(421, "PROXY headers are not accepted from your address.", closes=True)


def dispatch(session: Session, command: Command, argument: bytes) -> Reply | Coroutine[Any, Any, Reply]:
    """
    Run a known verb: login, what it leaves pending, the argument's syntax, then the handler.

    :return: the reply, or a coroutine of it when the handler has to wait.
    :raises Exception: what the handler raises; ``failures`` turns it into a reply.
    """
    if session.login is not _LOGGED_IN:
        if command.needs is Needs.LOGIN:
            return TLS_FIRST if session.site.settings.tls.is_login_refused(is_secure=session.is_secure) else _NOT_LOGGED_IN
    elif session.site.settings.tls.is_strict and (refused_in_clear := _unprotected(session, command)) is not None:
        return refused_in_clear
    if command.keeps is not _KEEPS_ALL and (session.restart or session.range_end is not None or session.rename_from is not None):
        session.forget_pending(command.keeps)
    if command.writes and not session.store.writable:
        session.forget_pending(Keeps.NOTHING)
        name = decode_name(command.argument.name_in(argument))
        note_reading_only(session, command, name)
        return refused(name)
    try:
        value = command.argument.parse(argument)
    except ArgumentError as error:
        if command.is_transfer or command.verb in _SPENDING:
            session.forget_pending(Keeps.NOTHING)
        return syntax_reply(command, str(error))
    result: Reply | Coroutine[Any, Any, Reply] = command.handler(session, value)
    return result


def cut(session: Session) -> Reply:
    """The answer to a transfer behind which an ABOR waits already (PROTOCOL P-PIPE-3). It is not begun, but nothing waits behind it any more."""
    session.forget_pending(Keeps.NOTHING)
    return _CUT


def _unprotected(session: Session, command: Command) -> Reply | None:
    """What a command is answered that must not be given, or carried out, in clear text (PROTOCOL P-PROT-5)."""
    tls = session.site.settings.tls
    if command.needs is Needs.LOGIN and tls.is_command_refused(is_secure=session.is_secure, was_secure=session.tls is not None):
        return TLS_FIRST
    return _PROTECT if command.is_transfer and tls.is_transfer_refused(is_protected=session.is_protected) else None


_LOGGED_IN = Login.DONE  # to look a member of an Enum up takes as long as a call
_SPENDING = frozenset(("RNTO", "REST", "RANG", "HASH"))  # and transfers: what waits is theirs, so it is spent even if they cannot be read
_KEEPS_ALL = Keeps.RENAME | Keeps.RESTART


def named(command: Command | None, line: bytes) -> str:
    """What a command line names, for texts about it."""
    argument = split_line(line)[1]
    return decode_name(argument if command is None else command.argument.name_in(argument))


def refused(name: str) -> Reply:
    """The user may only read: said before the argument is read, so nothing about the file is given away."""
    return reply_for(PermissionDenied(), name) if name else Reply.of(550, "Permission denied.")


def syntax_reply(command: Command, reason: str = "") -> Reply:
    """501 with the usage, and the reason where there is one (PROTOCOL P-TEXT-2)."""
    return Reply.of(501, f"Syntax: {command.syntax}{f' ({reason})' if reason else ''}.")


def too_long(session: Session) -> Reply:
    """The answer to a line of which nobody can tell what it was; it was a command all the same (PROTOCOL P-GEN-12, P-GEN-13)."""
    session.forget_pending(Keeps.NOTHING)
    return _TOO_LONG


def unknown(session: Session, verb: str, line: bytes) -> Reply:
    """
    The answer to a verb that nobody declared; another protocol's ends the connection.

    What waits for its command goes, as with any other; but PRET, which nothing is to be prepared for here, keeps a restart point (PROTOCOL P-GEN-13).
    """
    session.forget_pending(Keeps.RESTART if verb == "PRET" else Keeps.NOTHING)
    if session.login is not Login.DONE:
        session.unknown_verbs += 1
        if verb == "PROXY" or line == b"\0":  # the first line of a header of version 1, the third of one of version 2
            session.site.reception.not_believed(session.peer)
            return _NOT_BELIEVED
        first = line.split(b" ", 1)[0]
        if verb in OTHER_PROTOCOLS or first.endswith(b":"):
            return _OTHER_PROTOCOL
        if session.unknown_verbs >= _UNKNOWN_VERBS:
            return _TOO_MANY_UNKNOWN
    shown = cleaned(verb or line.lstrip(b" ").split(b" ", 1)[0].decode("utf-8", "replace"), 16)
    return Reply.of(500, f'Unknown command "{shown}"; try HELP.')

"""
What the server tells of itself: FEAT HELP SYST STAT NOOP (RFC 959 §4.1.3, RFC 2389).

Not here: the facts themselves; FEAT and HELP are read off the table of verbs.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from twistftp.session.session import Session, TransferType
from twistftp.session.verbs.listings import status_of
from twistftp.wire.arguments import NOTHING, NOTHING_AT_ALL, OPTIONAL_PATHNAME, word
from twistftp.wire.commands import Command, CommandGroup
from twistftp.wire.replies import Reply, cleaned
from twistftp.wire.states import Keeps, Needs

__all__ = ["help_reply", "information"]

information = CommandGroup("Information")

_FEATURES_WITHOUT_VERB = ("TVFS", "UTF8")  # RFC 3659 §6, RFC 2640: how path names work
_COLUMNS = 8
_SYSTEMS = {"unix": Reply.of(215, "UNIX Type: L8"), "ms-dos": Reply.of(215, "Windows_NT")}
_OK = Reply.of(200, "OK.")


@information.command("FEAT", NOTHING_AT_ALL, needs=Needs.NOTHING, rfc="2389 §3", help="list the extensions of RFC 959 that work here")
def features(session: Session, _: None) -> Reply:
    """The truth for this session: what is switched off is not listed (PROTOCOL P-FEAT-2)."""
    lines = list(_FEATURES_WITHOUT_VERB)
    for command in (*session.site.verbs.values(), *session.site.site_verbs.values()):
        feature = command.feat(session) if callable(command.feat) else command.feat
        if feature:
            lines.append(feature)
    return Reply.listing(211, "Features:", sorted(lines), "End")


@information.command("HELP", word("[<verb>]", optional=True), needs=Needs.NOTHING, rfc="959 §4.1.3", help="list the verbs, or explain one")
def help_(session: Session, value: str) -> Reply:
    """``HELP SITE`` is ``SITE HELP``."""
    verb, _, rest = value.upper().partition(" ")
    if verb == "SITE":
        return help_reply(session, session.site.site_verbs, "SITE ", rest.strip())
    return help_reply(session, session.site.verbs, "", verb)


def help_reply(session: Session, table: Mapping[str, Command], prefix: str, verb: str) -> Reply:
    """The verbs of a table, or the syntax of one of them."""
    if verb:
        command = table.get(verb)
        if command is None or (prefix and not command.offered(session)):
            return Reply.of(501, f"Unknown command {prefix}{cleaned(verb, 16)}; HELP lists them all.")
        return Reply.of(214, f"Syntax: {command.syntax} - {command.help}")
    offered = sorted(name for name, command in table.items() if command.offered(session))
    rows = [offered[i : i + _COLUMNS] for i in range(0, len(offered), _COLUMNS)]
    lines = ["".join(f"{prefix}{name:<6}" for name in row).rstrip() for row in rows]
    return Reply.listing(214, "Commands:", lines, f"{prefix}HELP <verb> explains one." if not prefix else "End.")


@information.command("SYST", NOTHING, needs=Needs.NOTHING, rfc="959 §4.1.3", help="name the form of LIST")
def system(session: Session, _: None) -> Reply:
    """commons-net chooses its parser of LIST by this word (PROTOCOL P-SYST-1)."""
    return _SYSTEMS[session.site.settings.directory_browse.style]


@information.command(
    "NOOP", NOTHING, needs=Needs.NOTHING, keeps=Keeps.RENAME | Keeps.RESTART, rfc="959 §4.1.3", help="do nothing; keeps the session alive"
)
def nothing(session: Session, _: None) -> Reply:
    """Resets the idle timer, as any command does."""
    return _OK


def _protection(session: Session) -> str:
    return session.tls.description if session.tls is not None and session.tls.is_control_secure else "not encrypted"


def _data_protection(session: Session) -> str:
    if session.tls is None or not session.tls.is_private:
        return "not encrypted"
    return "encrypted, resuming this TLS session" if session.tls.has_resumed else "encrypted"


def _state(session: Session) -> list[str]:
    limits = session.site.settings.limits
    return [
        f"Connected to {session.local or 'this server'} from {session.peer or 'a local client'}",
        f"Logged in as {cleaned(session.user, 64)}",
        f"TYPE: {'ASCII' if session.type is TransferType.ASCII else 'Image'}, STRU: File, MODE: {'Deflate' if session.deflates else 'Stream'}",
        f"Control connection: {_protection(session)}; data connections: {_data_protection(session)}",
        f"Idle timeout: {limits.control_channel_timeout:g} s, data timeout: {limits.data_stall_timeout:g} s",
        f"Restart point: {session.restart}",
    ]


@information.command(
    "STAT",
    OPTIONAL_PATHNAME,
    keeps=Keeps.RENAME | Keeps.RESTART,
    while_busy=True,
    rfc="959 §4.1.3",
    help="show the session's state, or list a path here",
)
def status(session: Session, text: str) -> Reply | Coroutine[Any, Any, Reply]:
    """During a transfer the interpreter answers it with the progress (PROTOCOL P-STAT-2)."""
    if text:
        session.forget_pending(Keeps.RESTART)
        return status_of(session, text)
    return Reply.listing(211, "Status:", _state(session), "End of status.")

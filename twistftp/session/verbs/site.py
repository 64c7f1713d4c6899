"""
SITE and its own table of verbs (RFC 959 §4.1.3).

Not here: SITE EXEC, ever: no text of a client reaches a shell (RFC 2577 §9).
"""

from __future__ import annotations

import re
from collections.abc import Coroutine
from typing import Any

from twistftp.session.dispatch import dispatch
from twistftp.session.lookup import on_existing
from twistftp.session.session import Session
from twistftp.session.verbs.changes import set_time
from twistftp.session.verbs.information import help_reply
from twistftp.wire.arguments import NOTHING, PATHNAME, Argument, ArgumentError, behind_first_word, word
from twistftp.wire.commands import CommandGroup, CommandTable, split_line
from twistftp.wire.paths import decode_name
from twistftp.wire.replies import Reply, cleaned
from twistftp.wire.timeval import parse_timeval

__all__ = ["SITE_VERBS", "site"]

_ALL_BITS = 0o777

site = CommandGroup("Site")
_site_verbs = CommandGroup("SITE", prefix="SITE ")


@_site_verbs.command("HELP", word("[<verb>]", optional=True), rfc="959 §4.1.3", help="list the verbs behind SITE, or explain one")
def site_help(session: Session, value: str) -> Reply:
    """What works behind SITE."""
    return help_reply(session, session.site.site_verbs, "SITE ", value.upper())


@_site_verbs.command("WHY", NOTHING, rfc="(none)", help="say why the last data connection failed, and what to do about it")
def site_why(session: Session, _: None) -> Reply:
    """Cause, particulars and cure of this session's latest failure; what befell others is not told."""
    verdict = session.verdict
    if verdict is None:
        return Reply.of(200, "No data connection has failed in this session.")
    cause = verdict.cause.name.lower().replace("_", " ")
    return Reply.listing(214, f"Last failed data connection: {cause}.", [verdict.text, verdict.cure], "End.")


def _mode_and_name(octets: bytes) -> tuple[int, str]:
    mode, _, name = octets.partition(b" ")
    if not re.fullmatch(rb"[0-7]{3,4}", mode) or not name:
        raise ArgumentError
    return int(mode, 8), PATHNAME.parse(name)


def _changes_modes(session: Session) -> str | None:
    return "SITE CHMOD" if session.store is None or (session.store.writable and session.store.changes_modes) else None


@_site_verbs.command(
    "CHMOD",
    Argument("<octal mode> <path>", _mode_and_name, is_path=True, name_in=behind_first_word),
    writes=True,
    rfc="(none)",
    feat=_changes_modes,
    help="set the permission bits of a file or directory",
)
async def site_chmod(session: Session, value: tuple[int, str]) -> Reply:
    """Never bits that give somebody's rights to whoever runs a file (PROTOCOL P-SITE-2)."""
    mode, name = value
    if mode > _ALL_BITS:
        return Reply.of(550, f"{cleaned(name)}: Permission denied: the setuid, setgid and sticky bits cannot be set.")
    await on_existing(session, name, lambda path: session.store.set_mode(path, mode))
    return Reply.of(200, "Mode changed.")


_LONG_FORM = re.compile(rb"(.+) (\d{12}(?:\d\d)?) (\d{12}(?:\d\d)?) (\d{12}(?:\d\d)?) UTC", re.DOTALL)
_SHORT_FORM = re.compile(rb"(\d{12}(?:\d\d)?) (.+)", re.DOTALL)


def _utime_name(octets: bytes) -> bytes:
    match = _LONG_FORM.fullmatch(octets)
    return match[1] if match else behind_first_word(octets)


def _utime(octets: bytes) -> tuple[float, str]:
    """Both forms there are: ``time path``, and ``path atime mtime ctime UTC``."""
    if match := _LONG_FORM.fullmatch(octets):
        name, time = match[1], match[3]
    elif match := _SHORT_FORM.fullmatch(octets):
        time, name = match[1], match[2]
    else:
        raise ArgumentError
    try:
        seconds = parse_timeval(time.decode("ascii").ljust(14, "0"))
    except ValueError:
        raise ArgumentError("the time is YYYYMMDDhhmm[ss], UTC") from None
    return seconds, PATHNAME.parse(name)


@_site_verbs.command(
    "UTIME",
    Argument("<YYYYMMDDhhmm[ss]> <path>", _utime, is_path=True, name_in=_utime_name),
    writes=True,
    rfc="(none)",
    feat=lambda session: "SITE UTIME" if session.store is None or (session.store.writable and session.store.changes_times) else None,
    help="set when a file was last modified, as MFMT does",
)
async def site_utime(session: Session, value: tuple[float, str]) -> Reply:
    """lftp uses it where there is no MFMT (PROTOCOL P-SITE-3)."""
    seconds, name = value
    return await set_time(session, name, seconds) or Reply.of(200, "Time set.")


SITE_VERBS = CommandTable(_site_verbs)


def _words(octets: bytes) -> tuple[str, bytes]:
    verb, argument = split_line(octets)
    if not octets.strip(b" "):
        raise ArgumentError
    return verb or decode_name(octets.strip(b" ").split(b" ", 1)[0]), argument


def _name(octets: bytes) -> bytes:
    verb, argument = split_line(octets)
    command = SITE_VERBS.get(verb)
    return octets if command is None else command.argument.name_in(argument)


@site.command("SITE", Argument("<verb> [<argument>]", _words, name_in=_name), rfc="959 §4.1.3", help="verbs of this server: see SITE HELP")
def site_(session: Session, words: tuple[str, bytes]) -> Reply | Coroutine[Any, Any, Reply]:
    """Its verbs go through the same checks as all others."""
    verb, argument = words
    command = session.site.site_verbs.get(verb)
    if command is None:
        return Reply.of(500, f'Unknown command "SITE {cleaned(verb, 16)}"; try SITE HELP.')
    return dispatch(session, command, argument)

"""
SITE and its own table of verbs (RFC 959 §4.1.3).

Not here: SITE EXEC, ever: no text of a client reaches a shell (RFC 2577 §9).
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twistftp.session.dispatch import dispatch
from twistftp.session.session import Session
from twistftp.session.verbs.changes import refuse
from twistftp.session.verbs.information import help_reply
from twistftp.wire.arguments import NOTHING, Argument, ArgumentError, word
from twistftp.wire.commands import CommandGroup, CommandTable, split_line
from twistftp.wire.paths import decode_name
from twistftp.wire.replies import Reply, cleaned

__all__ = ["SITE_VERBS", "site"]

site = CommandGroup("Site")
_site_verbs = CommandGroup("SITE")

_NAME = Argument("<...>", decode_name, is_path=True)


@_site_verbs.command("HELP", word("[<verb>]", optional=True), rfc="959 §4.1.3", help="list the verbs behind SITE, or explain one")
def site_help(session: Session, value: str) -> Reply:
    """What works behind SITE."""
    return help_reply(session.site.site_verbs, "SITE ", value.upper())


@_site_verbs.command("WHY", NOTHING, rfc="(none)", help="say why the last data connection failed, and what to do about it")
def site_why(session: Session, _: None) -> Reply:
    """Cause, particulars and cure of this session's latest failure; what befell others is not told."""
    verdict = session.verdict
    if verdict is None:
        return Reply.of(200, "No data connection has failed in this session.")
    cause = verdict.cause.name.lower().replace("_", " ")
    return Reply.listing(214, f"Last failed data connection: {cause}.", [verdict.text, verdict.cure], "End.")


for _verb in ("CHMOD", "UTIME"):
    _site_verbs.command(_verb, _NAME, rfc="(none)", help="not allowed: this site is read-only", is_offered=False)(refuse)

SITE_VERBS = CommandTable(_site_verbs)


def _words(octets: bytes) -> tuple[str, bytes]:
    verb, argument = split_line(octets)
    if not octets.strip(b" "):
        raise ArgumentError
    return verb or decode_name(octets.strip(b" ").split(b" ", 1)[0]), argument


@site.command("SITE", Argument("<verb> [<argument>]", _words), rfc="959 §4.1.3", help="verbs of this server: see SITE HELP")
def site_(session: Session, words: tuple[str, bytes]) -> Reply | Coroutine[Any, Any, Reply]:
    """Its verbs go through the same checks as all others."""
    verb, argument = words
    command = session.site.site_verbs.get(verb)
    if command is None:
        return Reply.of(500, f'Unknown command "SITE {cleaned(verb, 16)}"; try SITE HELP.')
    return dispatch(session, command, argument)

"""
RFC 2228's verbs where no certificate is configured: each says so in the way that clients expect.

Not here: TLS.
"""

from __future__ import annotations

from typing import Any

from twistftp.session.session import Session
from twistftp.wire.arguments import Argument
from twistftp.wire.commands import CommandGroup
from twistftp.wire.replies import Reply
from twistftp.wire.states import Needs

security = CommandGroup("Security")

_ANY = Argument("<...>", bytes, is_secret=True)

# verb -> what it is answered (PROTOCOL P-AUTH-1, P-ADAT-1, P-PBSZ-1, P-PROT-1, P-CCC-1)
_ANSWERS: dict[str, tuple[Reply, str]] = {
    "AUTH": (Reply.of(502, "TLS is not available here: the site has no certificate."), "4217 §4"),
    "ADAT": (Reply.of(503, "AUTH comes first, and is not available here."), "2228 §3"),
    "PBSZ": (Reply.of(503, "PBSZ needs TLS, which is not available here."), "2228 §3"),
    "PROT": (Reply.of(503, "PROT needs TLS, which is not available here."), "2228 §3"),
    "CCC": (Reply.of(533, "The control connection is not protected."), "2228 §3"),
    **dict.fromkeys(("MIC", "CONF", "ENC"), (Reply.of(502, "Protected commands are not supported."), "2228 §3")),
}


def _declare(verb: str, answer: Reply, rfc: str) -> None:
    @security.command(verb, _ANY, needs=Needs.NOTHING, rfc=rfc, help="not available", is_offered=False)
    def refuse(session: Session, _: Any) -> Reply:
        return answer


for _verb, (_answer, _rfc) in _ANSWERS.items():
    _declare(_verb, _answer, _rfc)

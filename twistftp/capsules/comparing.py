"""
Replies as they are compared: cut out of a stream, and without what may differ from one time to the next.

Not here: which reply is compared with which (``replay``).
"""

from __future__ import annotations

import re

from attrs import frozen

from twistftp.capsules.format import text_of

__all__ = ["FROM_OUTSIDE", "OF_OTHER_FILES", "RULES", "Replies", "Rule", "code_of", "is_digest", "is_telnet", "normal"]


@frozen
class Rule:
    """In replies with one of ``codes`` (text that they begin with) what ``pattern`` matches counts as ``instead``."""

    codes: tuple[str, ...]
    pattern: re.Pattern[str]
    instead: str
    why: str


RULES = (
    Rule(("227",), re.compile(r"\(\d+(,\d+){5}\)"), "(address,port)", "the passive port is chosen anew"),
    Rule(("229",), re.compile(r"\(\|\|\|\d+\|\)"), "(|||port|)", "the passive port is chosen anew"),
    Rule(("425", "522"), re.compile(r"\bport \d+"), "port N", "the passive port is chosen anew"),
    Rule(("425",), re.compile(r"\bTCP \d+-\d+"), "TCP range", "the range of passive ports is the server's own"),
    Rule(("425",), re.compile(r"\b(All|of) \d+ passive"), "All N passive", "the range of passive ports is the server's own"),
    Rule(("150",), re.compile(r"FILE: .*"), "FILE: name", "STOU chooses its names at random"),
    Rule(("213",), re.compile(r"(?<=Status: )\d+"), "N", "how far a transfer is when it is asked"),
    Rule(("226",), re.compile(r"\d+ bytes, deflated"), "N bytes, deflated", "releases of zlib deflate differently"),
    Rule(("211",), re.compile(r"TLSv[\d.]+ [^;\s]+"), "TLS", "which ciphers there are is the library's affair"),
    Rule(("211",), re.compile(r"(?<=; data connections: )encrypted.*"), "encrypted", "a replay resumes no TLS sessions"),
    Rule(("421",), re.compile(r"(?<=Too many connections)[^;]*"), "", "the other sessions are not in the capsule"),
    Rule(("421",), re.compile(r"(?<=try again in )\d+"), "N", "the other sessions are not in the capsule"),
    Rule(("214",), re.compile(r"(?s).*"), "help", "HELP grows with the verbs"),
)
"""What legitimately differs."""

OF_OTHER_FILES = (
    Rule(("150",), re.compile(r"\(\d+ bytes\)"), "(N bytes)", "so large a listing or file is not"),
    Rule(("226",), re.compile(r"\d+ bytes"), "N bytes", "so large a listing or file is not"),
    Rule(("213",), re.compile(r"^213 \d{14}(\.\d+)?$"), "213 time", "copies of files have other times"),
    Rule(("250", "213"), re.compile(r"(?i)\b(modify|unique|perm|unix\.\w+)=[^;]*;"), "", "copies of files have other times, inodes and owners"),
    Rule(("212", "213"), re.compile(r"\d+ [A-Z][a-z]{2} [ \d]\d  ?(\d\d:\d\d|\d{4}) "), "size and time ", "copies of files have other times"),
)
"""What may differ, too, where the files are not those of the session but of a directory that is given."""

FROM_OUTSIDE = (
    "421 The server is shutting down;",
    "421 Disconnected by the administrator.",
    "421 Too many failed logins from your address;",
)
"""How replies begin that end a session for no reason of its own: what else went on at the server is not in the capsule."""

# Answers to Telnet options stand before a reply, or between two.
_TELNET = re.compile(rb"\xff[\xfb-\xfe](?s:.)")
_CODE = re.compile(rb"[1-5][0-9][0-9](?=[ -])")


def code_of(reply: str) -> str:
    """The code of a reply; ``""`` for answers to Telnet options."""
    return reply[:3] if reply[:3].isdecimal() else ""


def normal(reply: str, *, is_other: bool = False) -> str:
    """A reply without what may differ. ``is_other``: the files are other ones, too."""
    for rule in (*RULES, *OF_OTHER_FILES) if is_other else RULES:
        if reply.startswith(rule.codes):
            reply = rule.pattern.sub(rule.instead, reply)
    return reply


def is_telnet(reply: str) -> bool:
    """Whether this is no reply but the answer to a Telnet option."""
    return reply.startswith("Telnet ")


def is_digest(reply: str) -> bool:
    """Whether this is an answer to HASH: that of content which the capsule does not hold cannot be told."""
    return re.match(r"213 \S+ \d+-\d+ [0-9a-f]{32,} ", reply) is not None


class Replies:
    """Replies out of octets that come in any pieces. Each is a text; its lines are told apart by LF."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def rest(self) -> str:
        """What is no whole reply."""
        return text_of(self._rest)

    def feed(self, octets: bytes) -> list[str]:
        """The replies that are whole now."""
        octets = self._rest + octets
        found: list[str] = []
        while octets:
            telnet = _TELNET.match(octets)
            if telnet is not None:
                found.append(f"Telnet {telnet[0].hex()}")
                octets = octets[telnet.end() :]
                continue
            end = _end_of_reply(octets)
            if end < 0:
                break
            found.append(text_of(octets[:end].removesuffix(b"\r\n").replace(b"\r\n", b"\n")))
            octets = octets[end:]
        self._rest = octets
        return found


def _end_of_reply(octets: bytes) -> int:
    """Where the first reply ends; -1 if it does not. A line that is no reply counts as one, so that it is shown."""
    end = octets.find(b"\n") + 1
    code = _CODE.match(octets)
    if not end:
        return -1
    if code is None or octets[3:4] == b" ":
        return end
    last = octets.find(b"\n" + code[0] + b" ", end - 1)
    return (octets.find(b"\n", last + 1) + 1 or -1) if last >= 0 else -1

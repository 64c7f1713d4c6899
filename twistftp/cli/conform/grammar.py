"""
Grammars that replies and listings must follow, as the RFCs write them; each function says what is wrong, ``""``: nothing.

Not here: sockets, and which row asks.
"""

from __future__ import annotations

import re

__all__ = ["feature_fault", "mlsx_fault", "mlst_facts", "nlst_fault", "quoted_path", "reply_faults", "time_fault", "unix_line_fault"]

_CODE = re.compile(rb"[1-6][0-5][0-9]")
_TIME = re.compile(r"[0-9]{14}(\.[0-9]+)?\Z")
_FACT_NAME = re.compile(r"[A-Za-z0-9.\-_+]+\Z")  # RFC 3659 §7.2: factname = 1*RCHAR without "=" and ";"; these are what exists
_TYPES = re.compile(r"(file|cdir|pdir|dir|OS\.[!-~]+=[!-~]+)\Z", re.IGNORECASE)
_UNIX = re.compile(
    r"[-bcdlpsD][-r][-w][-xsS][-r][-w][-xsS][-r][-w][-xtT][+.@]? +\d+ +\S+ +\S+ +\d+ "
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-3]\d (\d\d:\d\d| \d{4}) (.+)\Z",
    re.DOTALL,
)


def reply_faults(lines: tuple[bytes, ...]) -> list[str]:
    """
    What RFC 959 §4.2 finds wrong with a reply.

    :param lines: as they came, with their line ends.
    """
    faults = []
    for line in lines:
        if not line.endswith(b"\r\n"):
            faults.append("a line does not end with CR LF")
        inner = line.rstrip(b"\r\n")
        if b"\r" in inner.replace(b"\r\0", b""):
            faults.append("a lone CR inside a line (RFC 854: CR stands before LF or NUL only)")
    first, last = lines[0].rstrip(b"\r\n"), lines[-1].rstrip(b"\r\n")
    if not _CODE.match(first):
        faults.append("no reply code of three digits in front")
    elif len(first) < 4 or first[3:4] not in b" -":
        faults.append("the code is not followed by a space or a hyphen")
    if len(lines) > 1:
        if last[:4] != first[:3] + b" ":
            faults.append("the last line does not begin with the code and a space")
        if any(re.match(rb"[0-9]{3} ", line) for line in lines[1:-1]):
            faults.append("a line in the middle begins with three digits and a space")
    return list(dict.fromkeys(faults))


def quoted_path(text: str) -> str | None:
    """The directory that a 257 names (RFC 959, appendix II): in quotation marks, those inside doubled."""
    match = re.match(r'257 "((?:[^"]|"")*)"(?!")', text)
    return match[1].replace('""', '"') if match else None


def feature_fault(lines: tuple[str, ...]) -> str:
    """RFC 2389 §3.2: ``211-text``, one space and a feature on each line, ``211 End``."""
    if len(lines) == 1:
        return ""  # "no features" is one line
    if not lines[0].startswith("211-"):
        return "the first line does not begin with 211-"
    wrong = [line for line in lines[1:-1] if not re.match(r" [!-~][ -~\x80-\U0010ffff]*\Z", line)]
    if wrong:
        return f"a feature stands behind exactly one space, unlike {wrong[0]!r}"
    return "" if re.match(r"211 End", lines[-1], re.IGNORECASE) else f"the last line is no 211 End: {lines[-1]!r}"


def time_fault(text: str) -> str:
    """RFC 3659 §2.3: YYYYMMDDHHMMSS, perhaps a fraction."""
    if not _TIME.match(text):
        return f"{text!r} is no time of 14 digits"
    month, day, hour, minute, second = (int(text[at : at + 2]) for at in (4, 6, 8, 10, 12))
    is_one = 1 <= month <= 12 and 1 <= day <= 31 and hour <= 23 and minute <= 59 and second <= 60
    return "" if is_one else f"{text!r} is no time"


def mlst_facts(entry: str) -> tuple[dict[str, str], str]:
    """The facts, by name in lower case, and the name of an entry."""
    facts, _, name = entry.partition(" ")
    found = (fact.partition("=") for fact in facts.split(";") if fact)
    return {key.lower(): value for key, _, value in found}, name


def mlsx_fault(entry: str) -> str:
    """An entry of MLSD or MLST without its leading space (RFC 3659 §7.2, §7.5)."""
    facts, space, name = entry.partition(" ")
    if not space or not name:
        return f"no name behind a space: {entry!r}"
    if facts and not facts.endswith(";"):
        return f"a fact does not end with a semicolon: {entry!r}"
    for fact in facts.split(";")[:-1]:
        key, equals, _ = fact.partition("=")
        if not equals or not _FACT_NAME.match(key):
            return f"{fact!r} is no fact: {entry!r}"
    known, _ = mlst_facts(entry)
    if "type" in known and not _TYPES.match(known["type"]):
        return f"type={known['type']} is not among file, cdir, pdir, dir and OS.name=type"
    if "size" in known and not re.fullmatch(r"[0-9]+", known["size"]):
        return f"size={known['size']} is no number"
    return next((fault for key in ("modify", "create") if key in known and (fault := time_fault(known[key]))), "")


def nlst_fault(lines: list[str]) -> str:
    """What looks like no list of names (RFC 1123 §4.1.2.7)."""
    for line in lines:
        if not line or _UNIX.match(line) or line.startswith("total "):
            return f"{line!r} is no name"
    return ""


def unix_line_fault(line: str) -> str:
    """The form of ``ls -l`` that clients read: nine columns and the name behind one space."""
    return "" if _UNIX.match(line) else f"a line is not of the form of ls -l: {line!r}"

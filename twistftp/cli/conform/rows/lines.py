"""
Lines and octets: what a command is, what a reply is, Telnet, and several commands at once.

Not here: what single commands do.
"""

from __future__ import annotations

from collections import Counter

from twistftp.cli.conform.row import Broken, NotTried, RowGroup
from twistftp.cli.conform.rows.words import BEYOND, FILE, LOGIN, MUST, SHOULD
from twistftp.cli.conform.visit import Visit
from twistftp.cli.doctor.control import Interrupted

__all__ = ["at_last", "lines"]

lines = RowGroup("Lines, replies, Telnet")
at_last = RowGroup("Lines, replies, Telnet")
"""What is judged by all that has come."""

lines.says("P-LINE-5", "RFC 959 §5.3", MUST, "Capitals make no difference in a verb.", ("nOoP", "200"), ("pwd", "257"))
lines.says(
    "P-GEN-9", "RFC 959 §4.2.2, §5.4", MUST, "An unknown verb is answered 500 (or 502), and the session goes on.",
    ("XYZZ", "500 502"), ("XYZZ with words", "500 502"), ("NOOP", "200"),
)  # fmt: skip
lines.says("P-GEN-9.early", "beyond", BEYOND, "An unknown verb is answered 500 before the login, too.", ("XYZZ", "500"), needs=())
lines.says(
    "P-GEN-8", "RFC 959 §5.3.1, §5.4", MUST, "A missing argument is answered 501 (or 500).",
    ("TYPE", "500 501"), ("STRU", "500 501 504"), ("MODE", "500 501 504"), ("RNFR", "500 501 550 553"), ("DELE", "500 501 550 553"),
)  # fmt: skip
lines.says(
    "P-GEN-8.501", "RFC 1123 §4.1.2.11; RFC 959 §4.2.2", SHOULD, "A missing argument is answered 501, which says so.",
    ("TYPE", "501"), ("PORT", "501"),
)  # fmt: skip
lines.says("P-GEN-8.CWD", "beyond", BEYOND, "CWD without a path is an error, and no change to somewhere.", ("CWD", "500 501 550"))
lines.says("P-GEN-7", "RFC 2389 §3.2", MUST, "FEAT with an argument is answered 501.", ("FEAT x", "501"), optional="500 502", names_codes=True)
lines.says(
    "P-GEN-7.junk", "beyond", BEYOND, "Arguments behind PWD, NOOP and SYST, which have none, are ignored.",
    ("NOOP 1", "200"), ("PWD x", "257"), ("SYST x", "215"),
)  # fmt: skip


@lines.row("P-GEN-2", "RFC 959 §4.2, §5.4", MUST, "Each command has exactly one reply.", LOGIN)
def one_reply(visit: Visit) -> None:
    """Replies with codes of their own, so that one too many would show."""
    client = visit.session()
    for command, codes in (
        ("SYST", "215 500 502"),
        ("PWD", "257"),
        ("NOOP", "200"),
        ("XYZZ", "500 502"),
        ("PWD", "257"),
        ("TYPE I", "200"),
        ("PWD", "257"),
    ):
        client.must(command, codes)
    if (stray := client.dialogue.hear_if_any(0.3)) is not None:
        raise Broken(f"a reply too many: {stray}")


@lines.row("P-LINE-1", "RFC 1123 §4.1.2.10", MUST, "A command that comes in pieces, CR and LF apart, is one command.", LOGIN)
def pieces(visit: Visit) -> None:
    """With a moment between, so that they are segments of their own."""
    client = visit.session(fresh=True)
    for piece in (b"NO", b"OP\r", b"\n"):
        client.send(piece)
        if piece != b"\n" and (early := client.dialogue.hear_if_any(0.15)) is not None:
            raise Broken(f"a reply before the end of the line: {early}")
    client.judge("NOOP in pieces", client.hear(), "200")
    client.must("PWD", "257")


@lines.row("P-PIPE-1", "RFC 1123 §4.1.2.10", MUST, "Several commands in one segment are executed in order.", LOGIN)
def pipeline(visit: Visit) -> None:
    """A single READ may include more than one command."""
    client = visit.session(fresh=True)
    client.send(b"NOOP\r\nPWD\r\nXYZZ\r\nTYPE I\r\nPWD\r\n")
    for command, codes in (("NOOP", "200"), ("PWD", "257"), ("XYZZ", "500 502"), ("TYPE I", "200"), ("PWD", "257")):
        client.judge(command, client.hear(), codes)


@lines.row("P-PIPE-5", "RFC 1123 §4.1.2.10", MUST, "PASV and RETR in one segment: the file comes over the port that the 227 names.", LOGIN, FILE)
def pipelined_retrieve(visit: Visit) -> None:
    """The client cannot connect before it has read the 227."""
    client = visit.session(fresh=True)
    verb = "EPSV" if client.is_ipv6 else "PASV"
    client.send(f"{verb}\r\nRETR {visit.sample().name}\r\n".encode("utf-8", "surrogateescape"))
    data = client.connect(verb, client.hear())
    try:
        client.judge("RETR", client.hear(), "1xx")
        client.protect(data)
        client.drain(data)
    finally:
        data.close()
    client.judge("the end of RETR", client.hear(visit.allowance.to_transfer), "2xx")


@lines.row("P-PIPE-6", "RFC 1123 §4.1.2.10", MUST, "USER and PASS in one segment log in.", LOGIN)
def pipelined_login(visit: Visit) -> None:
    """As some scripts send them."""
    client = visit.stranger() if visit.target.scheme == "ftp" else visit.secured()
    client.dialogue.send(f"USER {visit.target.user}\r\nPASS {visit.target.sent_password}\r\n".encode("utf-8", "surrogateescape"))
    said = client.hear(visit.allowance.to_talk)
    if not said.fits("331"):
        raise NotTried(f"USER is answered {said.code}")
    client.judge("PASS", client.hear(visit.allowance.to_talk), "230 202")


@lines.row("P-LINE-1.LF", "beyond; some cameras send it", BEYOND, "A line that ends with LF alone is a command.", LOGIN)
def bare_lf(visit: Visit) -> None:
    """RFC 959 knows CR LF only."""
    _answered(visit, b"NOOP\n")


def _answered(visit: Visit, octets: bytes, codes: str = "200") -> None:
    client = visit.session(fresh=True)
    client.send(octets)
    client.judge("the line", client.hear(), codes)


@lines.row("P-LINE-2", "beyond", BEYOND, "An empty line is ignored.", LOGIN)
def empty_line(visit: Visit) -> None:
    """One reply, for the command behind it."""
    client = visit.session(fresh=True)
    client.send(b"\r\nPWD\r\n")
    client.judge("PWD behind an empty line", client.hear(), "257")


@lines.row(
    "P-LINE-3", "RFC 959 §4.2.2 (500: command line too long)", SHOULD, "A line of 70 000 octets is answered 500 (or 421 before closing).", LOGIN
)
def long_line(visit: Visit) -> None:
    """501 and 550 say as much: the path is too long."""
    client = visit.session(fresh=True)
    client.send(b"CWD " + b"x" * 70_000 + b"\r\n")
    client.judge("the line", client.hear(visit.allowance.to_talk), "500 501 550 553 421")


@lines.row("P-LINE-4", "RFC 959 §4.2, §5.4", MUST, "A long line has one reply at most; what is in its middle is never a command of its own.", LOGIN)
def inside_a_long_line(visit: Visit) -> None:
    """Wherever the line were cut, a verb would follow."""
    client = visit.session(fresh=True)
    client.send(b"CWD " + b"NOOP" * 6_000 + b"\r\n")
    try:
        client.hear(visit.allowance.to_talk)
    except Interrupted:
        return  # hanging up is no way to answer (P-LINE-3), but executes nothing
    more = client.dialogue.hear_if_any(0.5)
    if more is not None and more.code != 421:
        raise Broken(f"a second reply to one line: {more}")


lines.says("P-LINE-7", "beyond", BEYOND, "Spaces behind an argument that is no name are ignored.", ("TYPE I ", "200"), ("REST 0 ", "350"))


@lines.row("P-LINE-9", "beyond; RFC 959 §5.3.2 has ASCII 1 to 127", BEYOND, "A NUL in an argument is answered 501.", LOGIN)
def nul(visit: Visit) -> None:
    """NUL ends a name in C, and only there."""
    _answered(visit, b"CWD a\0b\r\n", "501")


@lines.row(
    "P-TEL-2",
    "RFC 1123 §4.1.2.12",
    MUST,
    "Telnet options are refused: DONT answers WILL, WONT answers DO; the command around them works.",
    LOGIN,
)
def options(visit: Visit) -> None:
    """FTP's control connection is a Telnet connection."""
    client = visit.session(fresh=True)
    client.send(b"\xff\xfb\x01\xff\xfd\x01NOOP\r\n")
    client.judge("NOOP behind Telnet options", client.hear(), "200")
    client.must("PWD", "257")
    wanted = {b"\xff\xfe\x01": "DONT 1", b"\xff\xfc\x01": "WONT 1"}
    if missing := [name for command, name in wanted.items() if command not in client.dialogue.telnet]:
        raise Broken(f"the server does not answer {' and '.join(missing)}")


@lines.row(
    "P-TEL-3", "beyond; RFC 1123 §4.1.2.12 has servers refuse options", BEYOND, "Telnet WONT and DONT in front of a command are taken out.", LOGIN
)
def refusals(visit: Visit) -> None:
    """They are no part of its verb."""
    client = visit.session(fresh=True)
    client.send(b"\xff\xfc\x01\xff\xfe\x01NOOP\r\n")
    client.judge("NOOP behind Telnet commands", client.hear(), "200")


@lines.row("P-TEL-4", "RFC 959 §4.1.3; RFC 1123 §4.1.2.12", SHOULD, "A command works behind the Telnet signals IP and Synch.", LOGIN)
def signals(visit: Visit) -> None:
    """As RFC 959 recommends to send ABOR, STAT and QUIT; here nothing is under way."""
    client = visit.session(fresh=True)
    client.dialogue.send_urgent(b"\xff\xf4\xff")
    client.send(b"\xf2QUIT\r\n")
    client.judge("QUIT behind IP and Synch", client.hear(), "221")


@lines.row("P-TEL-1", "RFC 959 §5.3; RFC 854", MUST, "The octet 0xFF, sent twice, is one octet of a name; the session goes on.", LOGIN)
def doubled(visit: Visit) -> None:
    """A name that does not exist; its echo, if there is one, has to be doubled as well."""
    client = visit.session(fresh=True)
    client.must("CWD \udcfftwistftp-conform-none", "550 501 553")
    client.must("PWD", "257")


@lines.row(
    "P-GEN-4",
    "RFC 2640 §3.1; RFC 854",
    MUST,
    "A name with a CR in it (sent as CR NUL) is answered, and a reply that repeats it stays one line.",
    LOGIN,
)
def echo(visit: Visit) -> None:
    """A CR in the name, sent as CR NUL."""
    client = visit.session(fresh=True)
    client.send(b"CWD twistftp\r\0conform-none\r\n")
    said = client.hear()
    if said.faults:
        raise Broken("; ".join(said.faults))
    client.must("PWD", "257")


@at_last.row(
    "P-GEN-3",
    "RFC 959 §4.2; RFC 854",
    MUST,
    "Replies: three digits, a space or hyphen, text, CR LF; the last line of several begins with the code and a space.",
)
def reply_grammar(visit: Visit) -> None:
    """All replies of the whole examination, and some for this."""
    client = visit.stranger()
    for command in ("HELP", "FEAT", "STAT", "SYST", "XYZZ"):
        client.ask(command)
    visit.drop()
    if found := Counter(fault for said in visit.replies for fault in said.faults):
        example = next(said for said in visit.replies if said.faults)
        raise Broken(f"{'; '.join(f'{fault} ({count} times)' for fault, count in found.items())}; first in: {example}")
    visit.transcript.note(f"{len(visit.replies)} replies were looked at")


@at_last.row(
    "P-GEN-6.codes",
    "RFC 1123 §4.1.2.11",
    SHOULD,
    "Replies have the codes that RFC 959 and its successors list for the command, also where another of the same kind does for a MUST.",
    LOGIN,
)
def usual_codes(visit: Visit) -> None:
    """Those of the whole examination, and some for this."""
    client = visit.session(fresh=True)
    for command, code in (("NOOP", "200"), ("TYPE I", "200"), ("PWD", "257")):
        client.must(command, code)
    if odd := list(dict.fromkeys(visit.codes.odd)):
        raise Broken("; ".join(odd))


@at_last.row("P-GEN-3.padding", "beyond", BEYOND, "Lines in the middle of a reply begin with a space.")
def padding(visit: Visit) -> None:
    """RFC 959 §4.2 asks for that only where the line begins with three digits."""
    client = visit.stranger()
    for command in ("HELP", "FEAT"):
        client.ask(command)
    visit.drop()
    wrong = [line for said in visit.replies for line in said.lines[1:-1] if not line.startswith(" ")]
    if wrong:
        raise Broken(f"{len(wrong)} lines do not, first {wrong[0]!r}")


@at_last.row("P-GEN-5", "beyond; the limits of clients", BEYOND, "No line of a reply has more than 2000 octets.")
def line_length(visit: Visit) -> None:
    """FileZilla reads that many, ftplib 8192."""
    client = visit.stranger()
    for command in ("HELP", "FEAT"):
        client.ask(command)
    visit.drop()
    longest = max((len(line) for said in visit.replies for line in said.lines), default=0)
    if longest > 2000:
        raise Broken(f"one has {longest}")

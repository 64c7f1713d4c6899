"""
The pure parsers of what clients send, each as a function of octets that raises if one of its promises is broken.

Not here: who makes the octets up: Hypothesis (``test_parsers``), or a fuzzer that looks where they lead (``guided``).
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from tests.fuzz.grammar import read_replies
from tests.support.headers import SIGNATURE, local_2, version_1, version_2
from twistftp.accounts.users_file import BadUsersFile
from twistftp.accounts.users_file import parse as parse_users
from twistftp.policy.channels import PortRange
from twistftp.policy.matching import PeerMatch
from twistftp.policy.rule_text import parse_rule
from twistftp.session.verbs.table import SITE_VERBS, VERBS
from twistftp.transport.proxy_header import BadHeader, HeaderReader
from twistftp.wire.addresses import AddressError, encode_227, fold_address, parse_eprt, parse_port
from twistftp.wire.arguments import ArgumentError
from twistftp.wire.client_hello import Offer, offer_of
from twistftp.wire.commands import masked, split_line
from twistftp.wire.lines import Flood, LineSplitter
from twistftp.wire.nvt_ascii import FromNVT, ToNVT
from twistftp.wire.paths import decode_name, encode_name, glob_matcher, join, resolve, strip_options
from twistftp.wire.replies import Reply, cleaned, exact, quoted
from twistftp.wire.timeval import parse_timeval, timeval

__all__ = ["PARSERS", "SAMPLES"]

PARSERS: dict[str, Callable[[bytes], None]] = {}
SAMPLES: dict[str, tuple[bytes, ...]] = {}
"""Something good to start from."""


def _parser(*samples: bytes) -> Callable[[Callable[[bytes], None]], Callable[[bytes], None]]:
    def note(check: Callable[[bytes], None]) -> Callable[[bytes], None]:
        name = check.__name__.strip("_")
        PARSERS[name], SAMPLES[name] = check, samples
        return check

    return note


def _in_pieces(octets: bytes) -> tuple[list[bytes], bytes]:
    """The first octet says how large the pieces are in which the others come."""
    size, rest = octets[:1], octets[1:]
    step = max(1, (size or b"\1")[0])
    return [rest[start : start + step] for start in range(0, len(rest), step)], rest


def _lines_of(pieces: list[bytes]) -> list[Any]:
    splitter, found = LineSplitter(64), []
    for piece in pieces:
        splitter.feed(piece)
        try:
            while (line := splitter.next_line()) is not None:
                found.append(line)
        except Flood:
            return [*found, Flood]
        assert splitter.pending <= 65 + len(piece), "more is held than a line may have"
    return [*found, splitter.answers]


@_parser(b"\1NOOP\r\nUSER a\xff\xff\r\n", b"\3\xff\xf4\xff\xf2ABOR\r\n\xff\xfa\n\xff\xf0PWD\n", b"\7" + b"x" * 70 + b"\r\nNOOP\r\n")
def _lines(octets: bytes) -> None:
    pieces, whole = _in_pieces(octets)
    assert _lines_of(pieces) == _lines_of([whole]), "cuts matter"


@_parser(b"RETR a b", b" pass secret", b"XYZZY")
def _commands(octets: bytes) -> None:
    verb, argument = split_line(octets)
    assert verb == verb.upper() and len(verb) <= 16
    assert octets.endswith(argument)
    for is_expected in (False, True):
        assert masked(VERBS.get(verb), verb, argument, expecting_password=is_expected).isprintable()
    if verb == "PASS" and len(argument) > 4:
        assert decode_name(argument) not in masked(VERBS.get(verb), verb, argument)


@_parser(b"1", b"20240105090700 a", b"MLST type;", b"|1|192.0.2.9|50000|", b"9223372036854775807")
def _arguments(octets: bytes) -> None:
    for command in (*VERBS.values(), *SITE_VERBS.values()):
        try:
            command.argument.parse(octets)
        except ArgumentError:
            pass


def _check_end(host: str, port: int) -> None:
    assert str(ip_address(host)) == host == fold_address(host)
    assert 0 <= port <= 65535


@_parser(b"192,0,2,9,195,80", b"1, 2, 3, 4, 5, 6")
def _port(octets: bytes) -> None:
    try:
        host, port = parse_port(decode_name(octets))
    except AddressError:
        return
    _check_end(".".join(str(int(number)) for number in host.split(".")), port)
    assert parse_port(encode_227(host, port).partition("(")[2][:-2]) == (host, port)


@_parser(b"|1|192.0.2.9|50000|", b"|2|2001:db8::9|50000|", b"!2!::ffff:192.0.2.9!1!")
def _eprt(octets: bytes) -> None:
    try:
        host, port = parse_eprt(decode_name(octets))
    except AddressError:
        return
    _check_end(host, port)
    assert port


@_parser(b"/a/../b//c/./d", b"-la pub", b"[!a-z]*.t?t", b"*" * 40)
def _paths(octets: bytes) -> None:
    text = decode_name(octets)
    assert encode_name(text) == octets
    for cwd in ((), ("a", "b")):
        path = resolve(cwd, text)
        assert not {"", ".", ".."} & set(path) and "/" not in "".join(path)
        assert resolve(cwd, join(path)) == path
    assert text.endswith(strip_options(text))
    matches = glob_matcher(text)
    assert not matches(".hidden") or text.startswith(".")
    matches("a" * 60)


@_parser(b"20240105090700", b"20161231235960.5", b"00010101000000")
def _timeval(octets: bytes) -> None:
    text = decode_name(octets)
    try:
        seconds = parse_timeval(text)
    except ValueError:
        return
    if text[:4] >= "1970" and text[12:14] != "60" and "." not in text:
        assert timeval(seconds) == text


@_parser(b"\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03" + bytes(32) + b"\0\0\2\x13\1\1\0\0\0", b"\x16\x03\x01\0\1\1\x16\x03\x01\0\1\0")
def _client_hello(octets: bytes) -> None:
    known = Offer.UNKNOWN
    for end in range(len(octets) + 1):
        now = offer_of(octets[:end])
        assert known in (Offer.UNKNOWN, now), "what is known changes"
        known = now


def _announced(pieces: list[bytes]) -> Any:
    reader = HeaderReader()
    for number, piece in enumerate(pieces):
        try:
            if found := reader.feed(piece):
                return repr(found[0]), found[1] + b"".join(pieces[number + 1 :])
        except BadHeader:
            return None
    return "more"


@_parser(*(b"\1" + header for header in (version_1("192.0.2.9"), version_2("2001:db8::9", "2001:db8::1"), local_2(), SIGNATURE + b"\x21\x31\0\xd8")))
def _proxy_header(octets: bytes) -> None:
    pieces, whole = _in_pieces(octets)
    assert _announced(pieces) == _announced([whole]), "cuts matter"


@_parser(b"\1one\ntwo\r\nthree\r", b"\2\r\r\n\n")
def _nvt_ascii(octets: bytes) -> None:
    pieces, whole = _in_pieces(octets)
    to, back = ToNVT(), FromNVT()
    sent = b"".join(to.convert(piece) for piece in pieces)
    assert sent == ToNVT().convert(whole) and sent.count(b"\n") == sent.count(b"\r\n") == whole.count(b"\n")
    received = b"".join(back.convert(piece) for piece in pieces) + back.finish()
    assert received == whole.replace(b"\r\n", b"\n")


@_parser(b"No such file", b"a\r\nb\xff\x00")
def _replies(octets: bytes) -> None:
    text = decode_name(octets)
    listing = Reply.listing(250, cleaned(text), [exact(text), exact(text)], "End.")
    for reply in (Reply.of(550, cleaned(text)), Reply.of(257, quoted(text)), Reply.message(230, text), listing):
        found, rest = read_replies(reply.octets)
        assert [one.code for one in found] == [reply.code] and not rest


@_parser(b"alice:$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$aGFzaA\n# more\n", b"\xef\xbb\xbfbob:x")
def _users_file(octets: bytes) -> None:
    try:
        parse_users(octets)
    except BadUsersFile:
        pass


@_parser(b"*:read,write:/incoming", b"50000-50100", b"24/64", b"?,@staff,alice:read")
def _settings(octets: bytes) -> None:
    text = octets.decode("utf-8", "replace")
    for read in (PortRange.parse, PeerMatch.parse, lambda text: parse_rule("allow", text)):
        try:
            read(text)  # type: ignore[operator]
        except ValueError:
            pass

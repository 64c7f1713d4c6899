"""
What clients say, for Hypothesis: verbs, arguments that suit them and such that do not, and paths that lead everywhere.

Not here: octets that are no lines (``test_octets``).
"""

from __future__ import annotations

from hypothesis import strategies as st

from twistftp.session.verbs.table import SITE_VERBS, VERBS

__all__ = ["command", "octets", "paths"]

octets = st.binary(max_size=30).map(lambda data: data.translate(None, b"\n\r\xff\0"))
_NAMES = (
    *(b"binary", b"text", b"empty", b"pub", b"deep", b"readme", b"x", b"void", b"many", b"link", b"gone", b"loop", b"out", b"host", b"secret"),
    *(b"passwd", b"here", b'a"b', b"c\x07d", b"e\xff\xff", b" f ", b"*", b"-la", b"fifo", b"up", b"virtual", b"v", b"new", b"new2"),
    *(b"..", b".", b"", b"~", b"?*", b"[a-", b"p*", b"etc", b"root", b"outside", b"two", b"a" * 300),
)
paths = st.lists(st.sampled_from(_NAMES), min_size=1, max_size=4).map(b"/".join)
_simple_paths = st.sampled_from(
    [b"binary", b"text", b"empty", b"pub/readme", b"/pub", b"new", b"many", b"out/secret", b"secret", b"new2", b"virtual/v"]
)
_any_path = st.one_of(_simple_paths, _simple_paths, paths)
_numbers = st.one_of(st.sampled_from([b"0", b"1", b"5", b"16384", b"99999", b"9" * 19, b"-1"]), st.integers(0, 2**64).map(lambda n: str(n).encode()))
_times = st.sampled_from([b"20240105090700", b"20240230000000", b"99999999999999", b"1", b"20240105090700.5"])


def _words(*words: bytes) -> st.SearchStrategy[bytes]:
    return st.sampled_from(words)


_ARGUMENTS: dict[str, st.SearchStrategy[bytes]] = {
    "USER": _words(b"alice", b"bob", b"ftp", b"anonymous", b"slow", b"nobody", b"a b", b"ALICE", b"e\xcc\x81"),
    "PASS": _words(b"secret", b"secret", b"wrong", b"", b"me@example.org"),
    "TYPE": _words(b"A", b"I", b"i", b"A N", b"L 8", b"E", b"L 7", b"A C", b"X"),
    "STRU": _words(b"F", b"R", b"P", b"X"),
    "MODE": _words(b"S", b"Z", b"B", b"C", b"X"),
    "PORT": _words(b"192,0,2,9,195,80", b"192,0,2,9,0,80", b"192,0,2,8,195,80", b"192,0,2,9,195", b"0,0,0,0,9,9", b"192,0,2,1,0,21"),
    "EPRT": _words(b"|1|192.0.2.9|50000|", b"|2|::1|5000|", b"|1|192.0.2.8|5000|", b"|3|x|1|", b"|1|192.0.2.9|80|", b"!1!192.0.2.9!6000!"),
    "EPSV": _words(b"", b"", b"", b"1", b"2", b"ALL", b"3", b"x"),
    "REST": _numbers,
    "RANG": st.one_of(_words(b"1 0", b"0 9", b"5 4", b"0 99999"), st.tuples(_numbers, _numbers).map(b" ".join)),
    "ALLO": st.one_of(_numbers, _numbers.map(lambda n: n + b" R 10")),
    "HOST": _words(b"ftp.example.org", b"192.0.2.1", b"[::1]", b"192.0.2.2", b"a b", b"a:21"),
    "OPTS": _words(b"UTF8 ON", b"utf8", b"UTF8 OFF", b"MLST type;size;", b"MLST", b"MLST a b", b"HASH MD5", b"HASH X", b"MODE Z LEVEL 9", b"X"),
    "LANG": _words(b"", b"EN", b"de", b"1"),
    "AUTH": _words(b"TLS", b"SSL", b"X", b""),
    "PROT": _words(b"P", b"C", b"S", b"X"),
    "PBSZ": _words(b"0", b"1", b"x"),
    "MFMT": st.tuples(_times, _any_path).map(b" ".join),
    "MDTM": st.one_of(_any_path, st.tuples(_times, _any_path).map(b" ".join)),
    "HELP": st.sampled_from([b"", b"SITE", b"NOOP", b"SITE CHMOD", b"X"]),
    "STAT": st.one_of(st.just(b""), st.just(b""), _any_path),
    "LIST": st.one_of(st.just(b""), _any_path, _any_path.map(lambda path: b"-la " + path)),
    "ACCT": _words(b"x", b""),
}
_SITE = st.one_of(
    st.sampled_from([verb.encode() for verb in SITE_VERBS]),
    st.tuples(_words(b"CHMOD 644", b"CHMOD 9", b"UTIME 20240105090700", b"CHMOD 777", b"WHY", b"EXEC", b"HELP"), _any_path).map(b" ".join),
)
_NOTHING = frozenset(("PASV", "PWD", "XPWD", "CDUP", "XCUP", "SYST", "QUIT", "ABOR", "REIN", "NOOP", "CCC", "FEAT"))
# QUIT and REIN end what others would go on with, so they are rare.
_OFTEN = (
    *("PASV", "EPSV", "RETR", "RETR", "LIST", "STOR", "NOOP", "ABOR", "STAT", "REST"),
    *("TYPE", "NLST", "MLSD", "APPE", "CWD", "RNFR", "RNTO", "PORT"),
)


@st.composite
def command(draw: st.DrawFn) -> tuple[str, bytes]:
    """A verb and its argument."""
    kind = draw(st.integers(0, 30))
    if kind == 0:
        return draw(st.sampled_from(["QUIT", "REIN", "XYZZY", "GET", "MAIL", "P@SS", "noop"])), draw(octets.map(bytes.strip))
    verb = draw(st.sampled_from(_OFTEN) if kind < 16 else st.sampled_from(sorted(set(VERBS) - {"QUIT", "REIN", "AUTH"})))
    if verb == "SITE":
        return verb, draw(_SITE)
    if verb in _NOTHING:
        return verb, draw(octets) if kind == 1 else b""
    if kind == 2:
        return verb, draw(octets)
    argument = draw(_ARGUMENTS.get(verb, _any_path))
    return verb, argument

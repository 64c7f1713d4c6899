"""
Octets that are nearly right, for Hypothesis: edits of good ones, cuts into segments, and TLS ClientHellos by their grammar.

Not here: what is done with them.
"""

from __future__ import annotations

import struct

from hypothesis import strategies as st

__all__ = ["HELLOS", "client_hello", "cuts", "edited", "hellos", "in_records", "pieces_of"]

cuts = st.lists(st.integers(0, 400), max_size=8)
_Edit = tuple[str, int, bytes]
_edits: st.SearchStrategy[_Edit] = st.tuples(
    st.sampled_from(["set", "insert", "delete", "double", "end", "swap"]),
    st.integers(0, 300),
    st.one_of(st.binary(min_size=1, max_size=4), st.sampled_from([b"\0", b"\xff", b"\r\n", b" ", b"9", b"|", b",", b"\x7f", b";", b"/"])),
)


def pieces_of(octets: bytes, cuts: list[int]) -> list[bytes]:
    """Octets, cut at these places."""
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(octets)}), len(octets)]
    return [octets[start:stop] for start, stop in zip(edges, edges[1:], strict=False)]


def _edit(octets: bytes, edit: _Edit) -> bytes:
    kind, place, new = edit
    at = place % (len(octets) + 1)
    before, behind = octets[:at], octets[at:]
    return {
        "set": before + new + behind[len(new) :],
        "insert": before + new + behind,
        "delete": before + behind[len(new) :],
        "double": before + behind[:8] * 2 + behind[8:],
        "end": before,
        "swap": behind + before,
    }[kind]


@st.composite
def edited(draw: st.DrawFn, octets: st.SearchStrategy[bytes], least: int = 0) -> bytes:
    """Good octets with a few edits, ``least`` at least."""
    result = draw(octets)
    for edit in draw(st.lists(_edits, min_size=least, max_size=3)):
        result = _edit(result, edit)
    return result


def _sized(octets: bytes, width: int) -> bytes:
    return len(octets).to_bytes(8, "big")[8 - width :] + octets


def client_hello(session: bytes, suites: bytes, extensions: list[tuple[int, bytes]]) -> bytes:
    """The handshake message (RFC 8446 §4.1.2)."""
    listed = b"".join(struct.pack(">H", kind) + _sized(data, 2) for kind, data in extensions)
    body = b"\x03\x03" + bytes(range(32)) + _sized(session, 1) + _sized(suites, 2) + _sized(b"\0", 1) + (_sized(listed, 2) if extensions else b"")
    return b"\x01" + _sized(body, 3)


def in_records(message: bytes, size: int) -> bytes:
    """A handshake message in records of so many octets."""
    return b"".join(b"\x16\x03\x01" + _sized(message[start : start + size], 2) for start in range(0, len(message), size))


_SUITES = bytes.fromhex("13011302c02bc02cc02fc030cca8cca9")
_GOOD: tuple[tuple[int, bytes], ...] = (
    (0, _sized(b"\0" + _sized(b"ftp.example.org", 2), 2)),  # the server's name
    (10, _sized(bytes.fromhex("001d00170018"), 2)),  # groups
    (11, _sized(b"\0", 1)),
    (13, _sized(bytes.fromhex("0403080404010503080505010806060102010203"), 2)),  # signatures
    (16, _sized(_sized(b"ftp", 1), 2)),  # ALPN
    (23, b""),
    (43, _sized(bytes.fromhex("03040303"), 1)),  # versions
    (45, _sized(b"\x01", 1)),
    (51, _sized(b"\x00\x1d" + _sized(bytes(range(1, 33)), 2), 2)),  # a key share
)
_PSK = _sized(_sized(b"t" * 200, 2) + bytes(4), 2) + _sized(_sized(b"b" * 32, 1), 2)


_OLD = [one for one in _GOOD if one[0] not in (43, 45, 51)]
HELLOS = {
    "TLS 1.3": client_hello(b"\x07" * 32, _SUITES, list(_GOOD)),
    "TLS 1.3 with a ticket": client_hello(b"\x07" * 32, _SUITES, [*_GOOD, (41, _PSK)]),
    "TLS 1.2": client_hello(b"", _SUITES, _OLD),
    "TLS 1.2 with a ticket": client_hello(b"\x07" * 32, _SUITES, [*_OLD, (35, b"t" * 180)]),
}
"""What OpenSSL goes on with."""

_odd_extensions = st.tuples(st.sampled_from([0, 5, 10, 13, 16, 21, 35, 41, 42, 43, 44, 45, 50, 51, 2570, 65281]), st.binary(max_size=40))
_extensions = st.lists(st.one_of(st.sampled_from(_GOOD), st.sampled_from(_GOOD), st.just((41, _PSK)), _odd_extensions), max_size=10)
_messages = st.one_of(
    st.sampled_from(list(HELLOS.values())),
    st.builds(client_hello, st.binary(max_size=40), st.sampled_from([_SUITES, b"", b"\x13", b"\x00\xff", b"\x56\x00" + _SUITES]), _extensions),
)
hellos = edited(st.builds(in_records, edited(_messages), st.sampled_from([16384, 16384, 100, 7, 1])))
"""ClientHellos with odd extensions, in few or many records, edited on both levels."""

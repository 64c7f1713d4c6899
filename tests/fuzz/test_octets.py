"""
Octets on the control connection that need not be lines: Telnet codes, line ends in odd places, NUL, lines without end, cut anywhere.

Not here: sequences of commands (``test_session_machine``), what stands before a session (``test_headers``).
"""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz import effort
from tests.fuzz.case import FuzzCase
from tests.fuzz.client import Client
from tests.fuzz.grammar import Reply
from tests.fuzz.model import Disagreement, Model
from tests.fuzz.mutations import cuts, pieces_of
from tests.fuzz.words import command
from tests.fuzz.world import World
from twistftp.policy.settings import Limits

_LIMIT = 1 << 20
_SLOW_ONES = ("PASV", "EPSV", "PORT", "EPRT", "HASH")
"""Verbs after which the answer to the next line depends on how far the server has come by then (P-PIPE-2)."""


class _AnyModel(Model):
    """Knows nothing of commands: replies are well-formed, a preliminary one comes before a final one, and none behind the last."""

    def heard(self, reply: Reply) -> None:
        if self.is_closed or (reply.is_preliminary and (reply.code != 150 or self.has_begun)):
            raise Disagreement(f"out of order: {reply}")
        self.has_begun = reply.is_preliminary
        self.is_closed = reply.code in (221, 421)


class _RawClient(Client):
    """A client whose commands nobody has counted."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.model = _AnyModel()

    @property
    def heads(self) -> list[tuple[int, int]]:
        """What can be compared between two runs: codes, and numbers of lines."""
        return [(reply.code, len(reply.lines)) for reply in self.replies]


def _line(one: tuple[str, bytes]) -> bytes:
    return one[0].encode() + (b" " + one[1] if one[1] else b"")


_codes = st.sampled_from(
    [
        *(b"\xff\xf4", b"\xff\xf2", b"\xff\xff", b"\xff\xfb\x01", b"\xff\xfd\n", b"\xff\xfe\xff", b"\xff\xfa\x18\n\xff\xf0", b"\xff\xfa", b"\xff"),
        *(b"\xf2", b"\r", b"\n", b"\r\0", b"\0", b" ", b"\t", b"\xc3", b"\x7f", b"\x1b]0;", b"x" * 9000, b"ABOR", b"QUIT\r\n", b"PROXY "),
    ]
)
_pieces = st.one_of(
    command().map(_line),
    command().map(_line).map(bytes.lower),
    _codes,
    st.binary(max_size=12),
    st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r\r\n"]),
)
_streams = st.lists(_pieces, min_size=1, max_size=14).map(b"".join)
_calm_streams = st.lists(
    st.one_of(command().filter(lambda one: one[0] not in _SLOW_ONES).map(_line), _codes, st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"])),
    min_size=1,
    max_size=14,
).map(b"".join)


_TELNET = st.sampled_from([b"\xff\xf4", b"\xff\xf2", b"\xff\xfc\x18", b"\xff\xfb\n", b"\xff\xfa\x18\nNOOP\r\n\xff\xf0", b"\xff\xfd\xff"])
_plain_streams = st.lists(
    command().filter(lambda one: one[0] not in _SLOW_ONES).map(_line).filter(bytes.isascii).map(lambda line: line + b"\r\n"), min_size=1, max_size=6
).map(b"".join)


def answers(segments: list[bytes], logs_in: bool) -> list[tuple[int, int]]:
    """What a session says to these segments; nothing may be left of it."""
    world = World(many=3, limits=Limits(control_channel_timeout=10_000, unauthenticated_timeout=10_000))
    client: Any = world.connect(kind=_RawClient)
    try:
        if logs_in:
            client.send(b"USER alice\r\nPASS secret\r\n")
        world.turn()
        for segment in segments:
            client.send(segment)
            world.turn()
            world.check()
        world.wait(60)
        world.check()
        is_sent_away = client.replies[-1].code == 421
        if len(client.replies) > 1 + 2 * logs_in + b"".join(segments).count(b"\n") + is_sent_away:
            raise Disagreement(f"more replies than lines: {client.told}")
    except BaseException:
        world.close(is_broken=True)
        raise
    world.close()
    return client.heads


class StreamTests(FuzzCase):
    @effort(80)
    @given(_streams, cuts, st.booleans())
    @example(b"HELP\r\n\xff\xfd\nSYST\r\n", [7, 8, 9], True)
    @example(b"PASV\r\nRETR binary\r\n\xff\xf4\xff\xf2ABOR\r\n", [], True)
    def test_any_octets(self, octets: bytes, cuts: list[int], logs_in: bool) -> None:
        """P-LINE-1 to P-LINE-9, P-TEL-1 to P-TEL-10, P-GEN-4: whatever comes, replies are well-formed and at most one a line, and nothing is left."""
        answers(pieces_of(octets, cuts), logs_in)

    @effort(40)
    @given(_calm_streams, cuts, st.booleans())
    @example(b"x" * 9000 + b"\r\nNOOP\r\n", [1, 8191, 8192, 8193, 8194], False)
    def test_cuts_do_not_matter(self, octets: bytes, cuts: list[int], logs_in: bool) -> None:
        """P-LINE-1, P-LINE-4, P-TEL-7: the network cuts as it likes, and the answers are the same."""
        self.assertEqual(answers([octets], logs_in), answers(pieces_of(octets, cuts), logs_in))

    @effort(30)
    @given(_plain_streams, st.lists(st.tuples(st.integers(0, 400), _TELNET), min_size=1, max_size=4))
    def test_telnet_codes_do_not_matter(self, octets: bytes, codes: list[tuple[int, bytes]]) -> None:
        """P-TEL-2 to P-TEL-5, P-TEL-10: Telnet commands anywhere in lines and between them are no part of these."""
        with_codes = octets
        for place, code in sorted(codes, key=lambda one: one[0] % len(octets), reverse=True):
            with_codes = with_codes[: place % len(octets)] + code + with_codes[place % len(octets) :]
        self.assertEqual(answers([octets], True), answers([with_codes], True))

    def test_flood_while_a_command_waits(self) -> None:
        """P-PIPE-4, P-SEC-10: commands pile up behind a transfer that waits, or replies that are not read, to a bound; then nobody reads any more."""
        for first, reads in ((b"PASV\r\nRETR binary\r\n", True), (b"", False)):
            world = World(many=1, limits=Limits(data_channel_timeout=30))
            client: Any = world.connect(kind=_RawClient)
            client.send(b"USER alice\r\nPASS secret\r\n" + first)
            world.turn()
            client.wire.window = None if reads else 0
            for _ in range(200):
                client.send(b"HELP\r\n" * 700)
                world.turn()
                world.check()
            self.assertLess(client.wire.most_buffered, 1 << 18)
            unread = sum(len(octets) for octets in client.wire._arriving)
            self.assertGreater(unread, 500_000)
            client.leave(reset=True)
            world.wait(31)  # while it does not read the server does not learn that
            world.close()

    def test_octet_by_octet(self) -> None:
        """P-LINE-1, P-TEL-7: one octet a segment is as good as all in one."""
        octets = b"SYST\r\n\xff\xfb\x01NO\xff\xf4OP\r\n\xff\xfa\x18\n\xff\xf0PWD\r\n" + b"y" * 200 + b"\nTYPE I\r\n"
        self.assertEqual(answers([octets], True), answers([bytes([octet]) for octet in octets], True))

    def test_octets_without_end(self) -> None:
        """P-LINE-3, P-SEC-10: a mebibyte without a line end ends the session; at no time is more of it held than a line may have."""
        said = answers([b"z" * 65536] * (_LIMIT // 65536 + 2), True)
        self.assertEqual((421, 1), said[-1])

"""
Arguments that are nearly right: of PORT and EPRT, MLST and OPTS MLST, numbers, times, hosts.

Not here: the parsers for themselves (``tests/wire``, ``parsers``), sequences of commands.
"""

from __future__ import annotations

import re
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz import effort
from tests.fuzz.case import FuzzCase
from tests.fuzz.mutations import edited
from tests.fuzz.test_session_machine import finish
from tests.fuzz.world import THERE, World

_SAMPLES: dict[str, tuple[bytes, ...]] = {
    "PORT": (b"192,0,2,9,195,80", b"192, 0, 2, 9, 195, 80"),
    "EPRT": (b"|1|192.0.2.9|50000|", b"|2|2001:db8::9|50000|", b"|2|::ffff:192.0.2.9|50000|", b"!1!192.0.2.9!6000!"),
    "EPSV": (b"1", b"2", b"ALL"),
    "MLST": (b"pub", b"/pub/deep/../readme", b'a"b', b"e\xff\xff", b"two\nlines".replace(b"\n", b"\r\0")),
    "MLSD": (b"pub", b"/"),
    "OPTS": (b"MLST type;size;modify;", b"MLST Type*;UNIX.mode;", b"HASH SHA-256", b"UTF8 ON", b"MODE Z LEVEL 9"),
    "REST": (b"0", b"9223372036854775807"),
    "RANG": (b"0 9", b"1 0"),
    "ALLO": (b"100", b"100 R 10"),
    "MFMT": (b"20240105090700 text", b"20240105090700.123  a b"),
    "MDTM": (b"20240105090700 text", b"text"),
    "SIZE": (b"text", b"pub/readme"),
    "HASH": (b"text",),
    "HOST": (b"ftp.example.org", b"[2001:db8::1]", b"192.0.2.1"),
    "LIST": (b"-la pub", b"pub/[a-z]*", b"-- -la"),
    "NLST": (b"p*", b"[!a]?*"),
    "SITE": (b"CHMOD 644 text", b"UTIME 20240105090700 text", b"UTIME text 20240105090700 20240105090700 20240105090700 UTC", b"WHY", b"HELP CHMOD"),
    "TYPE": (b"A N", b"L 8"),
    "LANG": (b"en-US",),
    "RNTO": (b"new",),
    "MKD": (b"new", b"x/../new"),
    "CWD": (b"pub/../pub/./deep", b"~"),
    "STAT": (b"-la pub", b"pub"),
}
_LINE_ENDS = re.compile(rb"[\n\xff]|\r(?!\0)")
_near_arguments = st.sampled_from(sorted(_SAMPLES)).flatmap(
    lambda verb: st.tuples(st.just(verb), edited(st.sampled_from(_SAMPLES[verb])).map(lambda octets: _LINE_ENDS.sub(b"", octets)))
)
_TARGETS = {
    "PORT": (*_SAMPLES["PORT"], b"192,0,2,8,195,80", b"127,0,0,1,195,80", b"192,0,2,1,195,80", b"0,0,0,0,195,80", b"192,0,2,9,3,200"),
    "EPRT": (*_SAMPLES["EPRT"], b"|1|192.0.2.8|50000|", b"|1|127.0.0.1|6000|", b"|2|::ffff:127.0.0.1|6000|", b"|1|192.0.2.9|21|"),
}
_ports = st.sampled_from(["PORT", "EPRT"]).flatmap(
    lambda verb: st.tuples(st.just(verb), edited(st.sampled_from(_TARGETS[verb])).map(lambda octets: _LINE_ENDS.sub(b"", octets)))
)


def _asked(*commands: tuple[str, bytes]) -> Any:
    """A client that is logged in and has said these, one after the other."""
    world = World(many=1)
    client = world.connect(THERE)
    client.say(("USER", b"alice"), ("PASS", b"secret"))
    world.turn()
    for one in commands:
        if not client.model.is_closed:
            client.say(one)
            world.turn()
    return client


class ArgumentTests(FuzzCase):
    @effort(60)
    @given(st.lists(_near_arguments, min_size=1, max_size=5))
    @example([("EPRT", b"|1|192.0.2.9|50000|" * 40)])
    @example([("EPRT", b"|2|::ffff:192.0.2.9|50000|")])
    @example([("MLST", b"\xc3\x28"), ("OPTS", b"MLST " + b";" * 300)])
    @example([("REST", b"\xd9\xa3"), ("RANG", b"1 \xb2")])
    def test_one_reply_that_fits(self, commands: list[tuple[str, bytes]]) -> None:
        """P-GEN-1, P-GEN-2: an argument that is nearly right is taken or refused with a code that the verb may have, never with an error of ours."""
        finish(_asked(*commands).world)

    @effort(50)
    @given(_ports)
    @example(("PORT", b"192,0,2,9,4,0"))
    @example(("PORT", b"192,0,2,9,3,255"))
    @example(("EPRT", b"|1|192.0.2.009|50000|"))
    @example(("EPRT", b"|2|::ffff:192.0.2.9|50000|"))
    def test_connects_to_its_own_client_alone(self, one: tuple[str, bytes]) -> None:
        """P-DC-14, P-DC-15, P-SEC-1: whatever PORT and EPRT are given, this server connects to the client itself and to no port below 1024."""
        client = _asked(one, ("LIST", b""))
        targets = [(attempt.host, attempt.port) for attempt in client.world.clock.outgoing]
        client.world.wait(31)
        finish(client.world)
        was_taken = client.replies[3].code == 200
        self.assertEqual(was_taken, bool(targets), client.told)
        for host, port in targets:
            self.assertEqual((THERE, True), (host, port >= 1024))

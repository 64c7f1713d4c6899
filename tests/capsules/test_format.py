"""Tests of the form of capsules: lines in and out, and what is none."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.capsules.format import VERSION, BadCapsule, line_of, octets_of, packed, parse, text_of, unpacked

HEADER = {"capsule": VERSION, "time": 1.5, "peer": "127.0.0.1", "local": "127.0.0.1", "settings": {}}


class OctetsTests(SynchronousTestCase):
    """Octets as text, and back."""

    @given(st.binary())
    def test_texts(self, octets: bytes) -> None:
        """Whatever it is, it comes back, also through JSON, and the line is ASCII."""
        line = line_of({"client": text_of(octets)})
        self.assertTrue(line.isascii() and line.endswith(b"\n") and line.count(b"\n") == 1)
        self.assertEqual(octets, octets_of(json.loads(line)["client"]))

    @given(st.binary())
    def test_contents(self, octets: bytes) -> None:
        """The same for contents."""
        self.assertEqual(octets, unpacked(json.loads(line_of(packed(octets)))))

    def test_forms(self) -> None:
        """Text is to be read by people, the rest is not; no content is no empty one."""
        self.assertEqual({"text": "a\r\n"}, packed(b"a\r\n"))
        self.assertEqual({"base64": "/w=="}, packed(b"\xff"))
        self.assertIs(None, unpacked({"octets": 5}))


class ParseTests(SynchronousTestCase):
    """:func:`parse`."""

    def refused(self, *lines: Any) -> str:
        octets = [line if isinstance(line, bytes) else line_of(line) for line in lines]
        return str(self.assertRaises(BadCapsule, parse, octets))

    def test_good(self) -> None:
        """A header and events; keys that nobody knows are kept."""
        capsule = parse([line_of(HEADER | {"client": "curl"}), line_of({"t": 0, "server": "220 x\r\n", "more": 1})])
        self.assertEqual("curl", capsule.header["client"])
        self.assertEqual(({"t": 0, "server": "220 x\r\n", "more": 1},), capsule.events)

    def test_bad(self) -> None:
        """One line says which line is wrong and why."""
        self.assertEqual("it is empty", self.refused())
        self.assertEqual("line 1: no JSON: Extra data: line 1 column 5 (char 4)", self.refused(b"220 x\r\n"))
        self.assertIn("line 1: no JSON", self.refused(b"\xff\xfe"))
        self.assertEqual("line 1: no JSON object", self.refused(b"[]"))
        self.assertEqual('line 1: no header: it needs "capsule", the version of the form', self.refused({"t": 0, "server": ""}))
        self.assertEqual('line 1: no header: it needs "capsule", the version of the form', self.refused(HEADER | {"capsule": "1"}))
        self.assertEqual("line 1: version 99 of the form; this twistftp reads up to 1", self.refused(HEADER | {"capsule": 99}))
        self.assertEqual("line 1: the header lacks peer, or it is of the wrong type", self.refused(HEADER | {"peer": 3}))
        rule = "line 2: no event: it needs t, the seconds since the beginning, and one of client, server"
        for event in ({"t": 1}, {"client": ""}, {"t": "1", "client": ""}, {"t": True, "client": ""}):
            self.assertIn(rule, self.refused(HEADER, event))
        for time in (float("nan"), float("inf"), -1, 1e300):
            self.assertIn(rule, self.refused(HEADER, {"t": time, "client": ""}))
        self.assertEqual("line 2: t cannot be 100000000: no session lasts so long", self.refused(HEADER, {"t": 10**8, "client": ""}))
        self.assertEqual("line 3: server cannot be 5", self.refused(HEADER, {"t": 0, "client": ""}, {"t": 0, "server": 5}))
        self.assertEqual("line 1: time cannot be 1e+300", self.refused(HEADER | {"time": 1e300}))
        self.assertEqual("line 1: utc_offset cannot be 'x'", self.refused(HEADER | {"utc_offset": "x"}))
        self.assertEqual("line 1: tree: size cannot be 'x'", self.refused(HEADER | {"tree": [{"tree": "/", "size": "x"}]}))
        self.assertEqual("line 1: tree: no event of a tree: 5", self.refused(HEADER | {"tree": [5]}))
        self.assertIn("line 2: no JSON", self.refused(HEADER, b"[" * 100_000))
        self.assertIn("line 3: no event", self.refused(HEADER, {"t": 1, "closed": "FIN"}, {"server": "x"}))

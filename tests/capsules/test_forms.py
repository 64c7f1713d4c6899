"""Tests of what events are made of."""

import functools
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twistftp.capsules.forms import KINDS, fault

PASSED = {"octets": 3, "sha256": "0", "text": "one"}
GOOD: tuple[dict[str, Any], ...] = (
    {"client": "NOOP\r\n"},
    {"client": ["NO", "OP\r\n", {"filler": 9000, "open": 1}]},
    {"server": "220 \udcff"},
    {"tls": "begun"},
    {"data": 1, "opened": True, "private": False},
    {"data": 1, "ended": "FIN", "sent": PASSED, "moved": 2},
    {"data": 1, "ended": {"cause": "LOST", "octets": 4, "seconds": 0.5}, "received": {"octets": 0, "sha256": "0", "base64": "/w=="}},
    {"data": 1, "failed": {"cause": "NEVER_ARRIVED", "port": 50000}},
    {"avatar": "alice", "start": "/", "can": ["writable"], "facts": []},
    {"tree": "/a", "mode": 33188, "size": 3, "modified": -0.5, "target": None, "resolved": {"name": "b", "mode": 1}},
    {"tree": "/a", "at": 0, "text": "x", "later": True},
    {"refuses": "status", "path": "/", "as": "PermissionDenied"},
    {"free": None, "path": "/"},
    {"closed": "FIN"},
    {"cut": "why"},
)


class FaultTests(SynchronousTestCase):
    """:func:`fault`."""

    def test_good(self) -> None:
        """One of each kind, and keys that nobody knows."""
        self.assertEqual(set(KINDS), {kind for event in GOOD for kind in KINDS if kind in event})
        for event in GOOD:
            self.assertEqual("", fault({"t": 0, **event, "unknown": []}), event)

    def test_bad(self) -> None:
        """The first key that is wrong is named, with its value."""
        for event, expected in (
            ({"client": [{"filler": 10**12}]}, "client cannot be [{'filler': 1000000000000}]"),
            ({"server": "\ud800"}, "server cannot be '\\ud800'"),
            ({"tls": "on"}, "tls cannot be 'on'"),
            ({"data": -1}, "data cannot be -1"),
            ({"data": 1, "sent": {"octets": 1}}, "sent cannot be {'octets': 1}"),
            ({"data": 1, "received": {**PASSED, "base64": "?"}}, None),
            ({"data": 1, "ended": {"cause": "NIX"}}, "ended cannot be {'cause': 'NIX'}"),
            ({"data": 1, "failed": {"cause": "LOST", "unknown": 1}}, "failed cannot be {'cause': 'LOST', 'unknown': 1}"),
            ({"avatar": "alice", "start": "/", "can": []}, "facts is missing"),
            ({"tree": "/a", "size": True}, "size cannot be True"),
            ({"tree": "/a", "modified": float("inf")}, "modified cannot be inf"),
            ({"tree": "/a", "resolved": {"mode": 1}}, "resolved cannot be {'mode': 1}"),
            ({"refuses": "status"}, "path is missing"),
            ({"free": 1.5}, "free cannot be 1.5"),
            ({"data": 1, "failed": {"cause": ["LOST"]}}, "failed cannot be {'cause': ['LOST']}"),
            ({"free": functools.reduce(lambda inner, _: [inner], range(100_000), [])}, "free cannot be so deep"),
        ):
            found = fault({"t": 0, **event})
            self.assertEqual(expected or found, found)
            self.assertTrue(found and len(found) < 100 and found.isascii() and found.isprintable())

"""Tests of capsules that somebody has altered: whatever is in one, a replay ends, with a result or with one line."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.capsules.format import BadCapsule, parse
from twistftp.capsules.replay import play

CORPUS = Path(__file__).resolve().parent.parent / "interop" / "capsules"
NAMES = ("curl-fetch", "curl-tls-ccc", "ftplib", "lftp-mode-z", "by-hand-wrong", "by-hand-unique", "curl-active")
FILES = {name: (CORPUS / f"{name}.jsonl").read_bytes().splitlines() for name in NAMES}

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "/", "FIN", "begun", "secured", "left", "a\r\n", "x\udc80"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["filler", "cause", "octets", "text", "base64"]), inner, max_size=3),
    max_leaves=4,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Where in a JSON object a value could be replaced."""
    inside = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    return [place for key, inner in inside for place in [(value, key), *places(inner)]]


class AlteredTests(SynchronousTestCase):
    """:func:`play` of anything."""

    @given(st.data(), st.sampled_from(NAMES))
    @settings(max_examples=100)
    def test_ends(self, data: Any, name: str) -> None:
        """Lines that are missing, doubled or in another order, and values of other kinds."""
        lines = list(FILES[name])
        for _ in range(data.draw(st.integers(1, 3))):
            number = data.draw(st.integers(0, len(lines) - 1))
            match data.draw(st.sampled_from(("take", "double", "move", "value", "value", "octets"))):
                case "take":
                    del lines[number]
                case "double":
                    lines.insert(number, lines[number])
                case "move":
                    lines.insert(number, lines.pop())
                case "octets":
                    at = data.draw(st.integers(0, len(lines[number])))
                    lines[number] = lines[number][:at] + data.draw(st.binary(max_size=3)) + lines[number][at + 1 :]
                case _:
                    try:
                        event = json.loads(lines[number])
                    except ValueError:
                        continue
                    if where := places(event):
                        holder, key = data.draw(st.sampled_from(where))
                        holder[key] = data.draw(VALUES)
                    lines[number] = json.dumps(event).encode()
        try:
            count, _ = play(parse(lines))
        except BadCapsule as error:
            self.assertNotIn("\n", str(error))
        else:
            self.assertGreaterEqual(count, 0)

"""Tests of ``policy.access_log.json_lines``."""

import json
from typing import Any

from hypothesis import given
from hypothesis.strategies import floats
from twisted.trial.unittest import SynchronousTestCase

from tests.policy.access_log.support import ANYTHING, line
from twistftp.policy.access_log.entry import Outcome
from twistftp.policy.access_log.json_lines import JSON

FORM = JSON("my site", lambda: 0.0)


def made(form: JSON = FORM, **given: object) -> dict[str, Any]:
    """The object of a line."""
    text = line(form, **given)  # type: ignore[arg-type]
    if not text.endswith("\n") or len(text.splitlines()) != 1 or not text.isascii():
        raise AssertionError(f"not one line of ASCII: {text!r}")
    result: dict[str, Any] = json.loads(text)
    return result


class LineTests(SynchronousTestCase):
    """A line as a whole."""

    def test_command(self) -> None:
        """Everything that is known, under names of its own."""
        expected = {
            "time": "2024-03-09T16:00:01.250Z",
            "event": "command",
            "verb": "RETR",
            "argument": "my file",
            "path": "/my file",
            "code": 426,
            "cause": "ABORTED",
            "site": "my site",
            "session": 17,
            "session_id": "x-17",
            "client": "192.0.2.9",
            "server": "192.0.2.1",
            "client_port": 40000,
            "server_port": 21,
            "user": "alice",
            "host": "h",
            "octets_sent": 5,
            "octets_received": 7,
            "seconds": 1.5,
        }
        outcome = Outcome(426, 1223, 20, "ABORTED")
        late = JSON("my site", lambda: 0.25)
        found = made(late, now=1710000001.0, host="h", argument="my file", path="/my file", outcome=outcome, sent=5, received=7, seconds=1.5)
        self.assertEqual(expected, found)

    def test_pseudo_command(self) -> None:
        """What is no command has no verb; what is not known is null, and every key is there."""
        quiet = Outcome(0, 0, 0, "")
        found = made(method="DataChannelClosed", argument="", path="", user="", client="", client_port=0, server="", server_port=0, outcome=quiet)
        self.assertEqual(("data closed", None, None, None, None), (found["event"], found["verb"], found["argument"], found["code"], found["user"]))
        self.assertEqual(made().keys(), found.keys())

    @given(ANYTHING, ANYTHING, ANYTHING, ANYTHING)
    def test_no_forgery(self, user: str, host: str, argument: str, path: str) -> None:
        """P-SEC-13: whatever a client sends stays inside its string, which no reader need refuse: there are no half surrogate pairs."""
        found = made(user=user, host=host, argument=argument, path=path)
        for key, text in (("user", user), ("host", host), ("argument", argument), ("path", path)):
            shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            self.assertEqual(shown or None, found[key])
            shown.encode("utf-8")
        self.assertEqual(made().keys(), found.keys())

    @given(floats(0, 2**33))
    def test_time(self, now: float) -> None:
        """Milliseconds have three digits, whatever the time."""
        self.assertRegex(made(now=now)["time"], r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$")

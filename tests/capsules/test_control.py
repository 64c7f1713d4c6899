"""Tests of captured control connections: what the capsule of a session holds, in clear, under TLS and back."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from tests.capsules.support import capture
from tests.capsules.test_masking import SECRET, TELNET, pieces_of
from twistftp.policy.settings import Limits
from twistftp.session.interpreter import ServerPI


class DialogueTests(SynchronousTestCase):
    """A session in clear."""

    def test_header(self) -> None:
        """It says when, between whom and with which settings."""
        captured = capture(self, limits=Limits(data_channel_timeout=7))
        header = dict(captured.capsule.header)
        values = tuple(header[key] for key in ("capsule", "time", "peer", "local", "session"))
        self.assertEqual((1, 1710000000.0, "192.0.2.9", "192.0.2.1", 2), values)
        self.assertEqual({"limits": {"data_channel_timeout": 7}}, header["settings"])

    def test_dialogue(self) -> None:
        """Each side's octets, in order, with their time; who logged in, and the end."""
        captured = capture(self)
        captured.client.login("alice", "secret")
        captured.dialogue.clock.advance(2)
        captured.client.say("NOOP", "SYST")
        captured.client.say("QUIT")
        events = captured.capsule.events
        said = [(event["t"], event.get("client") or event.get("server") or event.get("avatar") or event.get("closed")) for event in events]
        expected = [
            *((0, "220 twistftp FTP service ready.\r\n"), (0, "USER alice\r\nPASS ****\r\n"), (0, "331 Password required.\r\n"), (0, "alice")),
            *((0, "230 Logged in.\r\n"), (2, "NOOP\r\nSYST\r\n"), (2, "200 OK.\r\n"), (2, "215 UNIX Type: L8\r\n")),
            *((2, "QUIT\r\n"), (2, "221 Goodbye.\r\n"), (2, "by the server")),
        ]
        self.assertEqual(expected, said)

    def test_ends(self) -> None:
        """A client's FIN and its reset differ; a line that was cut off is there."""
        captured = capture(self)
        captured.client.send(b"PASS half")
        self.assertEqual(["FIN"], captured.said("closed"))
        self.assertEqual(["PASS ****"], captured.said("client"))
        other = capture(self)
        other.client.leave(ConnectionLost())
        self.assertEqual(["reset"], other.said("closed"))

    def test_telnet(self) -> None:
        """Telnet codes and their answers are there (PROTOCOL P-TEL-2)."""
        captured = capture(self)
        captured.client.transport.protocol.dataReceived(b"\xff\xfd\x01NOOP\r\n")
        captured.dialogue.clock.advance(0)
        events = captured.capsule.events
        self.assertEqual("\udcff\udcfd\x01NOOP\r\n", events[1]["client"])
        self.assertEqual("\udcff\udcfc\x01200 OK.\r\n", "".join(event.get("server", "") for event in events[2:]))

    def test_mistyped_password(self) -> None:
        """A password where a verb belongs is neither in the line nor in the reply that repeats it (PROTOCOL P-SEC-13)."""
        captured = capture(self)
        for line in ("USER alice", "hunter2", "PASS wrong", "hunter2"):
            captured.client.say(line)
            captured.dialogue.wait(4)
        self.assertNotIn("HUNTER2", str(captured.capsule.events).upper())

    def test_floods(self) -> None:
        """Of more lines at once than anybody says no capsule is made: looking at them all would keep the others waiting."""
        captured = capture(self)
        captured.client.send(b"\n" * 1000)
        captured.client.send(b"\n" * 1001)
        captured.client.send(b"NOOP\r\n")
        captured.client.leave()
        self.assertEqual({"cut": "more than 1000 lines came at once"}, _untimed(captured.capsule.events[-1]))
        self.assertEqual(["\n" * 1000], captured.said("client"))

    def test_no_room(self) -> None:
        """A session for which there is no room is as ever."""
        captured = capture(self)
        captured.recording.room.take(1 << 30)
        self.assertIs(ServerPI, type(captured.dialogue.another().pi))

    def test_others_are_not_captured(self) -> None:
        """Sessions that began before are as ever, and so are those that begin after."""
        captured = capture(self)
        captured.dialogue.site.protocol = ServerPI
        self.assertIs(ServerPI, type(captured.dialogue.another().pi))
        self.assertIs(ServerPI, type(captured.dialogue.pi))

    @given(SECRET, TELNET, st.booleans(), st.lists(st.integers(0, 200), max_size=8), st.sampled_from(["PASS", "pass", "PaSS"]), st.booleans())
    @settings(max_examples=40)
    def test_no_password_in_the_file(self, secret: bytes, telnet: bytes, is_secure: bool, cuts: list[int], verb: str, is_first: bool) -> None:
        """No octet of a password is in the file, whatever the segments, the spelling, Telnet codes, pipelining and TLS."""
        captured = capture(self, is_secure=is_secure)
        if is_secure:
            captured.client.auth()  # type: ignore[attr-defined]
        line = verb[:2].encode() + telnet + verb[2:].encode() + b" " + secret + b"\r\n"
        stream = line + b"USER alice\r\nNOOP\r\n" if is_first else b"USER alice\r\n" + line + b"SYST\r\n" + secret + b"\r\n"
        for piece in pieces_of(stream, cuts):
            captured.client.send(piece)
        captured.client.leave()
        self.assertEqual([], [event for event in captured.octets.splitlines() if set(str(json.loads(event))) & set("αβγδεζ§¶")])


class TLSTests(SynchronousTestCase):
    """A session under TLS."""

    def test_steps(self) -> None:
        """The capsule is in clear, with the steps into TLS and out of it (PROTOCOL P-AUTH-7, P-CCC-2)."""
        captured = capture(self, is_secure=True, tls={"clear_command_channel": True})
        client: Any = captured.client
        client.auth()
        client.login("alice", "secret")
        client.say("CCC")
        client.leave_tls()
        client.say("NOOP")
        events = captured.capsule.events
        self.assertEqual(["begun", "secured", "left"], [event["tls"] for event in events if "tls" in event])
        secured = next(event for event in events if event.get("tls") == "secured")
        self.assertTrue(secured["with"].startswith("TLSv1.3 "))
        text = "".join(event["client"] for event in events if "client" in event)
        self.assertEqual("AUTH TLS\r\nUSER alice\r\nPASS ****\r\nCCC\r\nNOOP\r\n", text)

    def test_cut_off_at_auth(self) -> None:
        """What stands unfinished before TLS begins is no part of the first line in it."""
        captured = capture(self, is_secure=True)
        client: Any = captured.client
        client.auth()
        client.say("USER alice")
        self.assertIn("USER alice\r\n", captured.said("client"))

    def test_failure(self) -> None:
        """A handshake that fails is there, with its reason."""
        captured = capture(self, is_secure=True)
        captured.client.say("AUTH TLS")
        captured.client.transport.protocol.dataReceived(b"no TLS at all\r\n")
        captured.client.is_lost = True
        captured.client.transport.protocol.connectionLost(_gone())
        captured.recording.close()
        events = [json.loads(line) for line in captured.octets.splitlines()]
        self.assertEqual(["begun", "failed"], [event["tls"] for event in events if "tls" in event])


def _gone() -> Any:
    from twisted.python.failure import Failure

    return Failure(ConnectionLost())


def _untimed(event: Any) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key != "t"}

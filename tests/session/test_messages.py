"""Tests of ``session.messages``: texts with variables, where a client hears them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue
from twistftp.policy.settings import Limits, Messages

ALL = "%SiteName% [%UserName%] %SessionID% %BytesSent% %BytesReceived% %X%"


class MessageTests(SynchronousTestCase):
    """Banner, greeting, farewell, and too many connections."""

    def test_everywhere(self) -> None:
        """Each knows what is known by then: before a login no name, after transfers their octets, as the client sees them."""
        d = Dialogue(self, name="Mirror", messages=Messages(banner=ALL, greeting=ALL, exit=ALL))
        self.assertEqual(["220 Mirror [] 1 0 0 %X%"], d.greeting)
        self.assertEqual("230 Mirror [alice] 1 0 0 %X%", d.login("alice", "secret")[-1])
        d.fetch("RETR binary")
        d.say("TYPE I")
        d.fetch("RETR binary")
        octets = d.session.octets_sent
        self.assertGreaterEqual(octets, 2048)
        self.assertEqual([f"221 Mirror [alice] 1 0 {octets} %X%"], d.say("QUIT"))
        self.assertTrue(d.is_closing)
        self.assertEqual(["220 Mirror [] 2 0 0 %X%"], d.another().greeting)

    def test_anonymous(self) -> None:
        """Every anonymous user has the same name."""
        d = Dialogue(self, messages=Messages(greeting="Hello %UserName%"))
        self.assertEqual("230 Hello anonymous", d.login("FTP")[-1])

    def test_broken_transfers_count(self) -> None:
        """Octets of a transfer that failed were sent all the same."""
        d = Dialogue(self, messages=Messages(exit="%BytesReceived%"))
        d.login()
        d.pool.is_slow = True
        d.say("TYPE I")
        connection = d.passive().connect()
        d.say("RETR binary")
        connection.move(2)
        connection.lose()
        d.hear()
        self.assertEqual([f"221 {connection.octets}"], d.say("QUIT"))
        self.assertGreater(connection.octets, 0)

    def test_names_cannot_forge_lines(self) -> None:
        """P-SEC-13, P-GEN-4: line ends and control characters of a name do not come through, nor does one without end."""
        d = Dialogue(self, messages=Messages(greeting="Hello %UserName%\nRules apply."))
        for name in ("a\u2028230 b", "a\x1b[2J", "a\r\0b", "%SiteName%"):
            d.site.portal = self.anyone(d)
            said = d.say(f"USER {name}", "PASS x")[-1]
            self.assertEqual(2, len(said.split("\n")), said)
            self.assertTrue(said.replace("\n", "").isprintable(), said)
        self.assertEqual("230-Hello %SiteName%\n230 Rules apply.", said)
        self.assertLess(len(d.say("USER " + "x" * 5000, "PASS x")[-1]), 200)

    def anyone(self, d: Dialogue) -> object:
        from twisted.cred.credentials import IUsernamePassword
        from twisted.cred.portal import Portal

        class Anyone:
            credentialInterfaces = (IUsernamePassword,)

            def requestAvatarId(self, credentials: object) -> object:
                return "x"

        return Portal(d.realm, [Anyone()])  # type: ignore[list-item]

    def test_too_many(self) -> None:
        """A connection that gets no session has neither name nor number."""
        messages = Messages(max_clients="%SiteName% is full.\n%UserName%%SessionID%")
        d = Dialogue(self, name="Mirror", limits=Limits(max_connections=1), messages=messages)
        self.assertEqual(["421-Mirror is full.\n421 0"], d.another().greeting)

    def test_default_banner(self) -> None:
        """A site's name is no message: what looks like a variable in it stays."""
        self.assertEqual(["220 %UserName% FTP service ready."], Dialogue(self, name="%UserName%").greeting)

    def test_made_once(self) -> None:
        """A text without variables is the same reply for everybody, not made anew for each."""
        d = Dialogue(self, messages=Messages(banner="100 %", exit="Bye."))
        other = d.another()
        for message in (d.site.messages.banner, d.site.messages.greeting, d.site.messages.goodbye):
            self.assertIs(message(d.session), message(other.session))

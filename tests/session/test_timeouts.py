"""The timers of a control connection (PROTOCOL §3.3)."""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue
from twistftp.policy.settings import Limits


class IdleTests(SynchronousTestCase):
    def test_idle(self) -> None:
        """P-TIME-1, P-TEXT-9: 300 s without a command after login: 421 that says so, and the end."""
        d = Dialogue(self)
        d.login()
        self.assertEqual([], d.wait(299))
        self.assertEqual(["421 No command for 300 seconds; closing."], d.wait(2))
        self.assertTrue(d.is_closing)
        self.assertFalse(d.transport.is_aborted)
        d.wait(6)
        self.assertTrue(d.transport.is_aborted)

    def test_commands_count(self) -> None:
        """P-TIME-10, P-NOOP-1: each command received starts the clock anew."""
        d = Dialogue(self)
        d.login()
        for _ in range(5):
            self.assertEqual([], d.wait(250))
            self.assertEqual([200], d.codes("NOOP"))
        self.assertEqual([], d.wait(298))
        self.assertEqual([421], [int(reply[:3]) for reply in d.wait(4)])

    def test_not_in_a_transfer(self) -> None:
        """P-TIME-1, P-TIME-10: a transfer may take hours; the clock starts anew at its end."""
        d = Dialogue(self)
        d.login()
        d.pool.is_slow = True
        connection = d.passive().connect()
        d.say("RETR file.txt")
        self.assertEqual([], d.wait(2000))
        connection.finish()
        self.assertEqual(["226 Transfer complete (10 bytes)."], d.hear())
        self.assertEqual([], d.wait(298))
        self.assertEqual([421], [int(reply[:3]) for reply in d.wait(304)])

    def test_quit_just_before(self) -> None:
        """P-TIME-8: who quits when the idle time is nearly over has still 5 s to read the 221."""
        d = Dialogue(self)
        d.login()
        for rest in (299.5,):
            d.wait(rest)
            d.send(b"QUIT\r\n")
            d.wait(4)
            self.assertFalse(d.transport.is_aborted)
            d.wait(2)
            self.assertTrue(d.transport.is_aborted)

    def test_no_port_is_held(self) -> None:
        """P-TIME-8, P-QUIT-1: whoever takes those 5 s has no passive port any more, after QUIT and after 421."""
        for end in (lambda d: d.send(b"QUIT\r\n"), lambda d: d.wait(302)):
            d = Dialogue(self)
            d.login()
            d.passive()
            self.assertEqual(1, d.pool.open_leases)
            end(d)
            self.assertTrue(d.is_closing)
            self.assertEqual(0, d.pool.open_leases)


class LoginTimeTests(SynchronousTestCase):
    def test_login_takes_too_long(self) -> None:
        """P-TIME-2: 60 s from the connection to the 230; commands and failed passwords do not extend it."""
        d = Dialogue(self)
        d.wait(30)
        d.say("NOOP", "USER alice", "PASS wrong")
        d.wait(25)
        d.say("USER alice")
        self.assertEqual(["421 Not logged in within 60 seconds; closing."], d.wait(6))
        self.assertTrue(d.is_closing)

    def test_login_just_in_time(self) -> None:
        """P-TIME-2, P-TIME-1: after the login the idle time holds."""
        d = Dialogue(self)
        d.wait(58)
        d.login()
        self.assertEqual([], d.wait(298))
        self.assertEqual([421], [int(reply[:3]) for reply in d.wait(4)])

    def test_user_again(self) -> None:
        """P-TIME-2, P-USER-2: who logs in again much later has time to do so."""
        d = Dialogue(self)
        d.login()
        d.wait(200)
        self.assertEqual([331], d.codes("USER alice"))
        self.assertEqual([], d.wait(50))
        self.assertEqual([230], d.codes("PASS secret"))
        d.wait(299)
        d.say("USER alice")
        self.assertEqual([], d.wait(58))
        self.assertEqual([421], [int(reply[:3]) for reply in d.wait(3)])

    def test_settings(self) -> None:
        """The times are settings, and new ones hold for the next command."""
        d = Dialogue(self, limits=Limits(unauthenticated_timeout=5, control_channel_timeout=10))
        other = d.another()
        other.login()
        self.assertEqual(["421 Not logged in within 5 seconds; closing."], d.wait(6))
        d.site.reconfigure(attrs.evolve(d.settings, limits=Limits(control_channel_timeout=1000)))
        other.say("NOOP")
        d.wait(100)
        self.assertFalse(other.is_closing)
        d.site.reconfigure(attrs.evolve(d.settings, limits=Limits(control_channel_timeout=20)))
        other.say("NOOP")
        d.wait(25)
        self.assertTrue(other.is_closing)

    def test_silent_client(self) -> None:
        """P-TIME-8: a client that does not close after 421 is cut off after 5 s."""
        d = Dialogue(self)
        d.wait(61)
        self.assertTrue(d.is_closing)
        d.wait(6)
        self.assertTrue(d.transport.is_aborted)

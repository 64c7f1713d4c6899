"""Tests of ``session.logon_guard``: addresses from which too many logins fail."""

from __future__ import annotations

from typing import Any

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Client, Dialogue
from tests.support.memory import CountingRealm, MemoryStore
from twistftp.policy.settings import Limits, LogonAttempts, SiteSettings

BLOCKED = "421 Too many failed logins from your address; try again in {} seconds."
WRONG = ("USER alice", "PASS wrong")


class Case(SynchronousTestCase):
    """A site, and what it logs."""

    def setUp(self) -> None:
        self.said: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: Any) -> None:
        if event.get("log_namespace") == "twistftp.site" and "block" in event["log_format"]:
            self.said.append(event["log_format"].format(**event))

    def dialogue(self, **attempts: Any) -> Dialogue:
        return Dialogue(self, logon_attempts=LogonAttempts(**{"delay": 0, **attempts}))

    def fail_once(self, client: Client) -> int:
        return client.codes(*WRONG)[-1]

    def block(self, d: Dialogue, **where: Any) -> None:
        """Four failures over four connections."""
        codes = []
        for _ in range(4):
            client = d.another(**where)
            codes.append(self.fail_once(client))
            client.leave()
        self.assertEqual([530, 530, 530, 421], codes)


class BlockTests(Case):
    """The block of an address (P-SEC-3)."""

    def test_over_all_names_and_connections(self) -> None:
        """P-SEC-3: failures count over names and connections; the one that is too many is answered 421 and closed."""
        d = self.dialogue()
        clients = [d, d.another(), d.another(), d.another()]
        for number, client in enumerate(clients[:3]):
            self.assertEqual([331, 530], client.codes(f"USER nobody{number}", "PASS x"))
        self.assertEqual(["331 Password required.", BLOCKED.format(300)], clients[3].say(*WRONG, "NOOP"))
        self.assertTrue(clients[3].is_closing)
        said = "twistftp: 192.0.2.9 is blocked for 300 s after 4 failed logins in 0 s, the last as alice"
        self.assertEqual([said], self.said)

    def test_new_connections(self) -> None:
        """P-SEC-3, P-TEXT-9: new connections get 421, which says until when; those of other addresses are served."""
        d = self.dialogue()
        self.block(d)
        d.wait(100)
        self.assertEqual([BLOCKED.format(200)], d.another().greeting)
        self.assertEqual([331, 230], [int(reply[:3]) for reply in d.another(peer="192.0.2.8").login()])

    def test_open_connections(self) -> None:
        """Open ones that are not logged in get 421 and close, whatever they are doing; logged in ones, and other addresses, are untouched."""
        d = self.dialogue(delay=3)
        idle, named, waiting = d.another(), d.another(), d.another()
        logged_in, elsewhere = d.another(), d.another(peer="192.0.2.8")
        named.say("USER alice")
        logged_in.login()
        for client in (d, waiting, d.another()):
            self.assertEqual([331], client.codes(*WRONG, "NOOP"))
        self.assertEqual([331, 421], d.another().codes(*WRONG))
        for client in (idle, named, waiting):
            self.assertEqual([BLOCKED.format(300)], client.hear())
            self.assertTrue(client.is_closing)
        d.wait(4)
        self.assertEqual([], waiting.hear())
        self.assertEqual([257], logged_in.codes("PWD"))
        self.assertEqual([331, 230], [int(reply[:3]) for reply in elsewhere.login()])

    def test_end(self) -> None:
        """After its time the address is served again, which the log tells, with what was refused."""
        d = self.dialogue()
        self.block(d)
        for _ in range(3):
            d.another()
        d.wait(301)
        self.assertEqual([331, 230], [int(reply[:3]) for reply in d.another().login()])
        self.assertEqual("twistftp: 192.0.2.9 is no longer blocked; 3 connections were refused meanwhile", self.said[-1])
        self.assertEqual(2, len(self.said))

    def test_logged_in_ones_do_not_guess_on(self) -> None:
        """A connection that was logged in, and is used for guessing after the block, ends with the first failure."""
        d = self.dialogue()
        d.login()
        self.block(d)
        self.assertEqual([331, 421], d.codes(*WRONG))

    def test_success_between(self) -> None:
        """A right password between wrong ones does not start the count again: an attacker may have an account."""
        d = self.dialogue(max_failures=3)
        self.assertEqual([331, 530, 331, 230, 331, 530, 331, 421], d.codes(*WRONG, "USER alice", "PASS secret", *WRONG, *WRONG))

    def test_period(self) -> None:
        """Failures far from each other block nobody."""
        d = self.dialogue()
        for _ in range(8):
            client = d.another()
            self.assertEqual(530, self.fail_once(client))
            client.leave()
            d.wait(10)

    def test_exempt(self) -> None:
        """Exempt networks are never blocked, though a connection of theirs ends after as many failures as any."""
        d = self.dialogue(exempt=["192.0.2.0/24"])
        for _ in range(3):
            self.assertEqual([530, 530, 530, 421], [self.fail_once(client) for client in [d.another()] * 4])
        self.assertEqual([], self.said)

    def test_log_only(self) -> None:
        """With ``log_only`` the log says what would be, once."""
        d = self.dialogue(log_only=True)
        for _ in range(6):
            client = d.another()
            self.assertEqual(530, self.fail_once(client))
            client.leave()
        d.wait(301)
        self.assertEqual(["twistftp: 192.0.2.9 would be blocked for 300 s after 4 failed logins in 0 s, the last as alice"], self.said)

    def test_ipv6(self) -> None:
        """An IPv6 client is its /64."""
        d = self.dialogue()
        for number in range(4):
            self.fail_once(d.another(peer=f"2001:db8::{number + 1}", host="2001:db8::ff"))
        self.assertEqual([BLOCKED.format(300)], d.another(peer="2001:db8::77", host="2001:db8::ff").greeting)
        self.assertIn("2001:db8::/64 is blocked", self.said[-1])

    def test_broken_checkers(self) -> None:
        """A backend that is down does not get everybody blocked: 451 is no failed login of the client's."""

        class Broken:
            credentialInterfaces = (IUsernamePassword,)

            def requestAvatarId(self, credentials: Any) -> Any:
                raise OSError("down")

        d = Dialogue(self, portal=Portal(CountingRealm(None), [Broken()]), logon_attempts=LogonAttempts(delay=0, max_failures=100))  # type: ignore[list-item]
        for _ in range(50):
            self.assertEqual([331, 451], d.codes("USER a", "PASS b"))
        self.flushLoggedErrors(OSError)
        self.assertTrue(d.another().greeting[0].startswith("220"))
        e = Dialogue(self, portal=d.site.portal, logon_attempts=LogonAttempts(delay=0, max_failures=2))
        self.assertEqual([331, 451, 331, 421], e.codes("USER a", "PASS b", "USER a", "PASS b"))
        self.flushLoggedErrors(OSError)
        self.assertTrue(e.another().greeting[0].startswith("220"))

    def test_settings(self) -> None:
        """New settings hold at once: an address that becomes exempt is let in."""
        d = self.dialogue()
        self.block(d)
        d.site.reconfigure(SiteSettings(root="/", logon_attempts=LogonAttempts(exempt=["192.0.2.9"])))  # type: ignore[arg-type]
        self.assertTrue(d.another().greeting[0].startswith("220"))

    def test_log_is_bounded(self) -> None:
        """Blocks of many addresses at once: ten lines a second, the rest is counted."""
        d = self.dialogue(max_failures=1, block=100)
        for number in range(50):
            self.fail_once(d.another(peer=f"198.51.100.{number}"))
        self.assertEqual(10, len(self.said))
        d.wait(110)
        self.assertEqual("twistftp: 40 more blocks began or ended, not shown one by one", self.said[10])
        self.assertEqual(10, sum("is no longer blocked" in line for line in self.said))
        self.assertEqual("twistftp: 40 more blocks began or ended, not shown one by one", self.said[-1])
        self.assertEqual(22, len(self.said))

    def test_site_ends(self) -> None:
        """A site that ends leaves no timer behind."""
        d = self.dialogue()
        self.block(d)
        d.leave()
        d.site.doStart()
        d.site.doStop()
        d.wait(6)
        self.assertEqual([], d.clock.getDelayedCalls())


class WithdrawalTests(Case):
    """Who goes away while a checker thinks."""

    def test_checker_is_told(self) -> None:
        """The checker's answer is not waited for any more, and one that queues its work can forget it."""
        asked: list[Any] = []

        class Slow:
            credentialInterfaces = (IUsernamePassword,)

            def requestAvatarId(self, credentials: Any) -> Any:
                answer: Deferred[Any] = Deferred()
                asked.append(answer)
                credentials.withdrawal.then(answer.cancel)
                return answer

        realm = CountingRealm(None)
        d = Dialogue(self, portal=Portal(realm, [Slow()]))  # type: ignore[list-item]
        d.say("USER bob", "PASS x")
        d.leave()
        self.assertEqual((1, True), (len(asked), asked[0].called))
        self.assertEqual([], realm.logins)

    def test_waiting_guesses(self) -> None:
        """P-SEC-3: when an address is blocked, its guesses that wait for a checker are withdrawn at once, and what comes of them is logged out."""
        asked: list[tuple[Any, Deferred[Any]]] = []

        class Slow:
            credentialInterfaces = (IUsernamePassword,)

            def requestAvatarId(self, credentials: Any) -> Any:
                credentials.checkPassword("")
                asked.append((credentials, Deferred()))
                return asked[-1][1]

        realm = CountingRealm(MemoryStore({}))
        d = Dialogue(self, portal=Portal(realm, [Slow()]), logon_attempts=LogonAttempts(delay=0))  # type: ignore[list-item]
        clients = [d.another() for _ in range(20)]
        elsewhere = d.another(peer="192.0.2.8")
        for client in (*clients, elsewhere):
            self.assertEqual([331], client.codes("USER bob", "PASS x"))
        for _, answer in asked[:4]:
            answer.errback(UnauthorizedLogin())
        self.assertEqual([False] * 4 + [True] * 16 + [False], [credentials.withdrawal.is_made for credentials, _ in asked])
        for _, answer in asked[4:]:
            answer.callback("bob")
        self.assertEqual((17, 16), (len(realm.logins), realm.logouts))
        self.assertEqual(["230 Logged in."], elsewhere.hear())
        self.assertEqual([BLOCKED.format(300)], clients[-1].hear())
        self.assertEqual([], self.flushLoggedErrors())

    def test_time_for_the_login(self) -> None:
        """P-TIME-2: the time for the login is set for each site, and runs while checkers think."""
        d = Dialogue(self, limits=Limits(unauthenticated_timeout=5))
        d.wait(4)
        d.say(*WRONG)
        self.assertEqual(["421 Not logged in within 5 seconds; closing."], d.wait(2))

"""USER PASS ACCT REIN QUIT HOST CLNT CSID: who may come in, and how a session ends."""

from __future__ import annotations

from asyncio import CancelledError as AsyncioCancelled
from typing import Any

from twisted.cred.checkers import AllowAnonymousAccess, ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.support.dialogue import Dialogue
from tests.support.memory import CountingRealm, MemoryStore, portal_of
from twistftp.policy.settings import Authentication, LogonAttempts, Messages
from twistftp.wire.states import Login


@implementer(ICredentialsChecker)
class Checker:
    """Answers with what it is given; asked what, it remembers."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[Any, Any]] = []

    def requestAvatarId(self, credentials: Any) -> Any:
        self.asked.append((credentials.username, credentials.password))
        return self.answer(credentials) if callable(self.answer) else self.answer


def portal_with(answer: Any, case: Any = None) -> tuple[Portal, CountingRealm, Checker]:
    """A portal with one checker that gives ``answer``."""
    realm, checker = CountingRealm(MemoryStore({"f": b"x"})), Checker(answer)
    return Portal(realm, [checker, AllowAnonymousAccess()]), realm, checker


def raises(error: BaseException) -> Any:
    def check(_: Any) -> Any:
        raise error

    return check


class UserTests(SynchronousTestCase):
    def test_same_answer_for_every_name(self) -> None:
        """P-USER-1, P-SEC-4: 331 with the same text for names that exist and names that do not."""
        d = Dialogue(self)
        self.assertEqual(["331 Password required."], d.say("USER alice"))
        self.assertEqual(["331 Password required."], d.say("USER nobody@example.org \\ x"))

    def test_anonymous_names(self) -> None:
        """P-USER-1: ``anonymous`` and ``ftp`` are synonyms in any case; a blank at the end is dropped."""
        d = Dialogue(self)
        for name in ("anonymous", "ftp", "Anonymous", "FTP", "ftp "):
            self.assertEqual([331, 230], d.codes(f"USER {name}", "PASS x"))
            self.assertTrue(d.session.is_anonymous)

    def test_anonymous_off(self) -> None:
        """P-SEC-7: anonymous access can be switched off; the answers are those of any unknown user."""
        d = Dialogue(self, authentication=Authentication(anonymous=False), logon_attempts=LogonAttempts(delay=0))
        self.assertEqual(["331 Password required.", "530 Login incorrect."], d.login())

    def test_name_is_needed(self) -> None:
        """P-USER-1: without a name 501."""
        d = Dialogue(self)
        self.assertEqual([501, 501, 501], d.codes("USER", "USER ", "USER   "))

    def test_name_keeps_inner_blanks(self) -> None:
        """P-USER-1: the name is everything after one blank."""
        portal, _, checker = portal_with(succeed("x"))
        d = Dialogue(self, portal=portal)
        d.say("USER a b\\c@d ", "PASS p")
        self.assertEqual("a b\\c@d", checker.asked[0][0])

    def test_user_when_logged_in(self) -> None:
        """P-USER-2, P-STATE-2: USER logs the old user out at once; transfer parameters stay, only pre-login commands work."""
        d = Dialogue(self)
        d.login()
        d.say("TYPE I", "CWD pub")
        self.assertEqual([331, 530], d.codes("USER alice", "PWD"))
        self.assertEqual(1, d.realm.logouts)
        self.assertEqual([230], d.codes("PASS secret"))
        self.assertEqual(['257 "/" is the current directory.', "213 1024"], d.say("PWD", "SIZE binary"))

    def test_user_twice(self) -> None:
        """P-USER-3: PASS belongs to the latest name."""
        d = Dialogue(self)
        self.assertEqual([331, 331, 230], d.codes("USER nobody", "USER alice", "PASS secret"))
        self.assertEqual([b"alice"], d.realm.logins)

    def test_composed_names(self) -> None:
        """P-USER-1: names are taken in their composed form, so that checkers, rules and homes see one name however it was typed."""
        portal, _, checker = portal_with(succeed("x"))
        d = Dialogue(self, portal=portal)
        d.say("USER u\u0308", "PASS p")
        self.assertEqual(("ü", "ü"), (checker.asked[0][0], d.session.user))

    def test_user_drops_what_waits(self) -> None:
        """P-GEN-14: USER resets user, cwd, a restart point and the data port."""
        d = Dialogue(self)
        d.login()
        lease = d.passive()
        d.say("REST 5", "CWD pub", "USER ftp", "PASS x")
        self.assertTrue(lease.is_ended)
        self.assertEqual((0, ()), (d.session.restart, d.session.cwd))


class PassTests(SynchronousTestCase):
    def test_right_and_wrong(self) -> None:
        """P-PASS-1, P-TEXT-8: 230; 530 that says nothing about which part was wrong, after which USER must come again."""
        d = Dialogue(self)
        self.assertEqual(["331 Password required.", "230 Logged in."], d.login("alice", "secret"))
        d = Dialogue(self)
        self.assertEqual(["331 Password required."], d.login("alice", "wrong"))
        self.assertEqual(["530 Login incorrect."], d.wait(3))
        self.assertEqual(["503 Log in with USER first."], d.say("PASS secret"))
        self.assertEqual([331, 230], d.codes("USER alice", "PASS secret"))

    def test_without_user(self) -> None:
        """P-PASS-1, P-STATE-3, P-TEXT-4: 503 names the command that must come first, before login and after."""
        d = Dialogue(self)
        self.assertEqual(["503 Log in with USER first."], d.say("PASS x"))
        d.login()
        self.assertEqual([503], d.codes("PASS x"))

    def test_password_octets(self) -> None:
        """P-PASS-2: all octets after one blank, not trimmed; FF FF is one FF, CR NUL is CR; nothing at all is an empty password."""
        for line, password in (
            (b"PASS  a b ", b" a b "),
            (b"PASS", b""),
            (b"PASS ", b""),
            (b"PASS \xff\xff\xe9\r\0x", b"\xff\xe9\rx"),
        ):
            portal, _, checker = portal_with(lambda credentials: fail(UnauthorizedLogin()))
            Dialogue(self, portal=portal).say("USER bob", line)
            self.assertIn((b"bob", password), checker.asked)

    def test_delay(self) -> None:
        """P-PASS-3, P-SEC-3: the delay holds this session's queue and nobody else; unknown users wait as long."""
        d = Dialogue(self)
        other = d.another()
        for name in ("alice", "nobody"):
            self.assertEqual(["331 Password required."], d.say(f"USER {name}", "PASS wrong", "NOOP"))
            self.assertEqual([331, 230], other.codes("USER ftp", "PASS x"))
            self.assertEqual([], d.wait(2.5))
            self.assertEqual(["530 Login incorrect.", "200 OK."], d.wait(0.5))

    def test_max_failures(self) -> None:
        """P-PASS-3, P-SEC-3: after ``max_failures`` wrong passwords of one connection 421 and the end; a right one between does not reset that."""
        d = Dialogue(self, logon_attempts=LogonAttempts(delay=0, max_failures=3))
        wrong = ("USER alice", "PASS wrong")
        self.assertEqual([331, 530, 331, 230, 331, 530], d.codes(*wrong, "USER alice", "PASS secret", *wrong))
        self.assertFalse(d.is_closing)
        said = ["331 Password required.", "421 Too many failed logins from your address; try again in 300 seconds."]
        self.assertEqual(said, d.say(*wrong, "NOOP"))
        self.assertTrue(d.is_closing)

    def test_max_failures_alone(self) -> None:
        """P-PASS-3: the limit of a connection holds for addresses, too, that are never blocked."""
        d = Dialogue(self, logon_attempts=LogonAttempts(delay=0, max_failures=2, block=0))
        wrong = ("USER alice", "PASS wrong")
        self.assertEqual([331, 530], d.codes(*wrong))
        self.assertEqual(["331 Password required.", "421 Too many failed logins."], d.say(*wrong, "NOOP"))
        self.assertEqual([331, 230], [int(reply[:3]) for reply in d.another().login()])

    def test_greeting_of_many_lines(self) -> None:
        """P-PASS-1: 230 may have many lines, those between set one blank in."""
        d = Dialogue(self, messages=Messages(greeting="Welcome.\n230 tricky\nRules apply."))
        self.assertEqual("230-Welcome.\n 230 tricky\n230 Rules apply.", d.login()[-1])

    def test_str_and_bytes_checkers(self) -> None:
        """Checkers that compare text and those that compare octets (``FilePasswordDB``) both work."""
        for right in (("alice", "pä"), (b"alice", "pä".encode())):

            def check(credentials: Any, right: Any = right) -> Any:
                if (credentials.username, credentials.password) == right:
                    return succeed("alice")
                if type(credentials.username) is not type(right[0]):
                    raise TypeError("a str and bytes have met")
                return fail(UnauthorizedLogin())

            portal, realm, _ = portal_with(check)
            d = Dialogue(self, portal=portal, logon_attempts=LogonAttempts(delay=0))
            self.assertEqual([331, 530, 331, 230], d.codes("USER alice", "PASS no", "USER alice", "PASS pä"))
            self.assertEqual(["alice"], realm.logins)


class BrokenPortalTests(SynchronousTestCase):
    """Whatever a checker or a realm does, the session goes on: 451 or 530, and USER works again."""

    def assert_goes_on(self, d: Dialogue, code: int) -> None:
        self.assertEqual([331, code], d.codes("USER bob", "PASS x"))
        self.flushLoggedErrors()
        self.assertEqual(Login.NONE, d.session.login)
        d.site.portal = portal_of(d.realm)
        self.assertEqual([331, 230], d.codes("USER alice", "PASS secret"))

    def dialogue(self, portal: Any) -> Dialogue:
        return Dialogue(self, portal=portal, logon_attempts=LogonAttempts(delay=0))

    def test_checker_raises(self) -> None:
        """A checker that raises: 451 with a fixed text, P-TEXT-33."""
        self.assert_goes_on(self.dialogue(portal_with(raises(ValueError("database at 10.0.0.1")))[0]), 451)

    def test_text_tells_nothing(self) -> None:
        """P-TEXT-33: no exception class or text reaches the client."""
        d = self.dialogue(portal_with(raises(ValueError("database at 10.0.0.1")))[0])
        self.assertEqual("451 Logging in is not possible just now; try again later.", d.login("bob")[-1])
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))

    def test_checker_fails_later(self) -> None:
        """A checker whose Deferred fails with anything."""
        self.assert_goes_on(self.dialogue(portal_with(lambda _: fail(ValueError("no")))[0]), 451)

    def test_no_exceptions(self) -> None:
        """What is not even an ``Exception``, as asyncio's end of a task: at once, later, from the realm, from the logout."""
        for error in (AsyncioCancelled(), KeyboardInterrupt()):
            self.assert_goes_on(self.dialogue(portal_with(raises(error))[0]), 451)
            self.assert_goes_on(self.dialogue(portal_with(lambda _, error=error: fail(error))[0]), 451)
            portal, realm, _ = portal_with(succeed("x"))
            realm.raising = error
            self.assert_goes_on(self.dialogue(portal), 451)
            d = Dialogue(self)
            d.realm._logout = raises(error).__get__(d.realm)  # type: ignore[method-assign]
            d.login()
            d.leave()
            self.assertEqual(0, len(d.site.sessions))
            self.flushLoggedErrors()

    def test_unauthorized(self) -> None:
        """``UnauthorizedLogin``, raised or not: 530."""
        self.assert_goes_on(self.dialogue(portal_with(raises(UnauthorizedLogin()))[0]), 530)

    def test_no_checker(self) -> None:
        """Nobody checks passwords here: 530."""
        self.assert_goes_on(self.dialogue(Portal(CountingRealm(None), [AllowAnonymousAccess()])), 530)

    def test_portal_raises(self) -> None:
        """A portal whose ``login`` raises."""

        class Broken:
            def login(self, *_: Any) -> Any:
                raise RuntimeError("no")

        self.assert_goes_on(self.dialogue(Broken()), 451)

    def test_realm_raises(self) -> None:
        """A realm that raises."""
        portal, realm, _ = portal_with(succeed("x"))
        realm.raising = KeyError("home of bob")
        self.assert_goes_on(self.dialogue(portal), 451)

    def test_avatar_is_no_shell(self) -> None:
        """An avatar that is no ``IFTPShell`` is logged out at once."""
        portal, realm, _ = portal_with(succeed("x"))
        realm.avatar = object()
        self.assert_goes_on(self.dialogue(portal), 451)
        self.assertEqual(realm.logouts, len(realm.logins))

    def test_realm_gives_no_triple(self) -> None:
        """A realm that gives something else than three values."""
        portal, realm, _ = portal_with(succeed("x"))
        realm.requestAvatar = lambda *_: 7  # type: ignore[method-assign]
        self.assert_goes_on(self.dialogue(portal), 451)

    def test_logout_raises(self) -> None:
        """A logout that raises is logged and the session goes on: USER, REIN and the end of the connection work."""
        d = Dialogue(self)
        portal_realm = d.realm
        portal_realm._logout = raises(ValueError("logout")).__get__(portal_realm)  # type: ignore[method-assign]
        d.login()
        self.assertEqual([331, 230, 220, 331, 230], d.codes("USER ftp", "PASS x", "REIN", "USER ftp", "PASS x"))
        d.leave()
        self.assertEqual(3, len(self.flushLoggedErrors(ValueError)))


class LogoutTests(SynchronousTestCase):
    """The avatar's logout is called once for each login, whatever ends it."""

    def test_once_each(self) -> None:
        """USER again, REIN, QUIT and a lost connection each log out once (P-GEN-15)."""
        d = Dialogue(self)
        d.login()
        d.say("USER ftp", "USER ftp", "PASS x")
        self.assertEqual((2, 1), (len(d.realm.logins), d.realm.logouts))
        d.say("REIN", "REIN")
        self.assertEqual(2, d.realm.logouts)
        d.login()
        d.say("QUIT")
        d.leave()
        self.assertEqual((3, 3), (len(d.realm.logins), d.realm.logouts))
        other = d.another()
        other.login()
        other.leave()
        self.assertEqual((4, 4), (len(d.realm.logins), d.realm.logouts))

    def late(self) -> tuple[Dialogue, CountingRealm, Deferred[Any], Checker]:
        answer: Deferred[Any] = Deferred()
        portal, realm, checker = portal_with(lambda _: answer)
        d = Dialogue(self, portal=portal)
        self.assertEqual([331], d.codes("USER bob", "PASS x"))
        return d, realm, answer, checker

    def test_login_after_the_client_left(self) -> None:
        """A login that succeeds when the client has gone is logged out at once, and nobody is asked a second time."""
        d, realm, answer, checker = self.late()
        d.leave()
        answer.callback("bob")
        self.assertEqual((1, 1), (len(realm.logins), realm.logouts))
        self.assertEqual(1, len(checker.asked))

    def test_failure_after_the_client_left(self) -> None:
        """One that fails then is nobody's business."""
        d, realm, answer, _ = self.late()
        d.leave()
        answer.errback(Failure(ValueError("late")))
        self.assertEqual([], realm.logins)

    def test_nothing_waits_for_one_who_left(self) -> None:
        """Nor is the delay of a failed login begun for a client that has gone."""

        def check(credentials: Any) -> Any:
            return fail(UnauthorizedLogin()) if isinstance(credentials.username, str) else Deferred()

        d = Dialogue(self, portal=portal_with(check)[0])
        d.say("USER bob", "PASS x")
        d.leave()
        self.assertEqual([], d.clock.getDelayedCalls())

    def test_login_after_the_time_for_it(self) -> None:
        """P-TIME-2: the login deadline passes while a checker thinks: 421, and the late avatar is logged out with the connection."""
        d, realm, answer, _ = self.late()
        self.assertEqual(["421 Not logged in within 60 seconds; closing."], d.wait(61))
        answer.callback("bob")
        d.leave()
        self.assertEqual((1, 1), (len(realm.logins), realm.logouts))

    def test_commands_wait_for_a_slow_checker(self) -> None:
        """P-PIPE-1, P-PIPE-6: what follows PASS waits for its reply."""
        d, _, answer, _ = self.late()
        self.assertEqual([], d.say("PWD"))
        answer.callback("bob")
        self.assertEqual([230, 257], [int(reply[:3]) for reply in d.hear()])


class AcctTests(SynchronousTestCase):
    def test_acct(self) -> None:
        """P-ACCT-1: superfluous; 501 empty, 503 before USER."""
        d = Dialogue(self)
        self.assertEqual(["503 Log in with USER first."], d.say("ACCT x"))
        d.say("USER ftp")
        self.assertEqual([202, 501], d.codes("ACCT x", "ACCT"))
        d.say("PASS x")
        self.assertEqual([202], d.codes("ACCT x"))


class ReinTests(SynchronousTestCase):
    def test_as_freshly_connected(self) -> None:
        """P-REIN-1, P-GEN-14: REIN resets user, directory, TYPE, facts, EPSV ALL, host and what was pending."""
        d = Dialogue(self)
        d.say("HOST ftp.example.org", "OPTS MLST size")
        d.login()
        d.say("TYPE I", "CWD pub", "EPSV ALL", "REST 3")
        lease_count = len(d.pool.leases)
        self.assertEqual([220, 530], d.codes("REIN", "PWD"))
        self.assertEqual("", d.session.host)
        self.assertEqual((lease_count, 0), (len(d.pool.leases), d.pool.open_leases))
        d.login()
        self.assertEqual(['257 "/" is the current directory.'], d.say("PWD"))
        self.assertEqual([227], d.codes("PASV"))
        self.assertIn(" MLST type*;size*;modify*;", d.say("FEAT")[0])
        self.assertIn("TYPE: ASCII", d.say("STAT")[0])
        self.assertIn("Restart point: 0", d.say("STAT")[0])

    def test_new_time_to_log_in(self) -> None:
        """P-REIN-1, P-TIME-2: after REIN the client has the whole time to log in again."""
        d = Dialogue(self)
        d.login()
        d.wait(100)
        self.assertEqual([220], d.codes("REIN"))
        self.assertEqual([], d.wait(58))
        self.assertEqual(["421 Not logged in within 60 seconds; closing."], d.wait(3))

    def test_waits_for_the_transfer(self) -> None:
        """P-REIN-1, P-STATE-1: in a transfer 226 comes first."""
        d = Dialogue(self)
        d.login()
        d.pool.is_slow = True
        connection = d.passive().connect()
        self.assertEqual([150], d.codes("RETR file.txt", "REIN"))
        connection.finish()
        self.assertEqual([226, 220], [int(reply[:3]) for reply in d.hear()])


class QuitTests(SynchronousTestCase):
    def test_quit(self) -> None:
        """P-QUIT-1: 221, then the close; what came behind it is not run; after 5 s a hard close (P-TIME-8)."""
        d = Dialogue(self)
        self.assertEqual(["221 Goodbye."], d.say("QUIT", "NOOP"))
        self.assertTrue(d.is_closing)
        self.assertEqual([], d.say("NOOP"))
        self.assertFalse(d.transport.is_aborted)
        d.wait(6)
        self.assertTrue(d.transport.is_aborted)

    def test_exit_message(self) -> None:
        """The text is the administrator's."""
        d = Dialogue(self, messages=Messages(exit="Bye.\nCome again."))
        self.assertEqual(["221-Bye.\n221 Come again."], d.say("QUIT"))

    def test_in_a_transfer(self) -> None:
        """P-QUIT-1, P-DX-14: 226, then 221, then the close."""
        d = Dialogue(self)
        d.login()
        d.pool.is_slow = True
        connection = d.passive().connect()
        self.assertEqual([150], d.codes("RETR file.txt", "QUIT"))
        self.assertFalse(d.is_closing)
        connection.finish()
        self.assertEqual(["226 Transfer complete (10 bytes).", "221 Goodbye."], d.hear())
        self.assertTrue(d.is_closing)


class HostTests(SynchronousTestCase):
    def test_any_name(self) -> None:
        """P-HOST-1: a site without a host name of its own takes every name; the last HOST wins; logging in without works too."""
        d = Dialogue(self)
        self.assertEqual([220, 220], d.codes("HOST a.example", "HOST FTP.example.org"))
        self.assertEqual("FTP.example.org", d.session.host)
        self.assertEqual([331, 230], [int(reply[:3]) for reply in d.login()])

    def test_own_name(self) -> None:
        """P-HOST-1: any case; 504 for another name, which changes nothing."""
        d = Dialogue(self, host_name="ftp.example.org")
        d.say("HOST FTP.Example.ORG")
        self.assertEqual([504], d.codes("HOST www.example.org"))
        self.assertEqual("FTP.Example.ORG", d.session.host)

    def test_addresses(self) -> None:
        """P-HOST-1: an address must be the one that the client came to; IPv6 stands in brackets (lftp leaves them out, and is understood)."""
        d = Dialogue(self)
        self.assertEqual([220, 504, 504], d.codes("HOST 192.0.2.1", "HOST 192.0.2.2", "HOST [2001:db8::1]"))
        d = Dialogue(self, peer="2001:db8::9", host="2001:db8::1")
        self.assertEqual([220, 220, 220, 504], d.codes("HOST [2001:db8::1]", "HOST [2001:0db8:0::1]", "HOST 2001:db8::1", "HOST [2001:db8::2]"))

    def test_syntax(self) -> None:
        """P-HOST-1: 501 without a name, with a port, and for what is no host name."""
        d = Dialogue(self)
        wrong = (
            "HOST",
            "HOST ",
            "HOST a:21",
            "HOST a b",
            "HOST .",
            "HOST a..b",
            "HOST a/b",
            "HOST [a]",
            "HOST " + "a" * 64,
            "HOST bücher.example",
            "HOST [192.0.2.1]",
        )
        self.assertEqual([501] * len(wrong), d.codes(*wrong))

    def test_drops_user(self) -> None:
        """P-HOST-1, P-STATE-4: in U the pending USER is dropped; a refused HOST drops nothing; logged in it is 503."""
        d = Dialogue(self, host_name="a.example")
        self.assertEqual([331, 504, 230], d.codes("USER ftp", "HOST b.example", "PASS x"))
        self.assertEqual([503], d.codes("HOST a.example"))
        self.assertEqual([331, 220, 503], d.codes("USER ftp", "HOST a.example", "PASS x"))


class ClientNameTests(SynchronousTestCase):
    def test_clnt(self) -> None:
        """P-CLNT-1: 200, in any state; 501 without a name."""
        d = Dialogue(self)
        self.assertEqual([200, 501], d.codes("CLNT lftp 4.9", "CLNT"))
        self.assertEqual("lftp 4.9", d.session.client)

    def test_csid(self) -> None:
        """P-CSID-1, P-SEC-16: 200 with names and without a version; 501 without parameters."""
        d = Dialogue(self)
        self.assertEqual(["200 name=twistftp;casesensitive=1;"], d.say("CSID Name=WinSCP;Version=6.1;"))
        self.assertEqual([501], d.codes("CSID"))

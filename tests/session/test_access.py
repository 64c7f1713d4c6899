"""Tests of ``session.access``: rules and filters in a session, what the client is told of them, and what the log is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.support.dialogue import Client, Dialogue
from tests.support.memory import CountingRealm, MemoryStore, portal_of
from tests.support.trees import Link
from twistftp.policy.authorization import Rule
from twistftp.policy.denials import Denial, Reason
from twistftp.policy.filtering import RequestFiltering
from twistftp.policy.isolation import Account
from twistftp.policy.rule_text import parse_rule
from twistftp.policy.settings import Authentication, Logging, SiteSettings
from twistftp.session.access import access_of
from twistftp.storage.refusals import HomeRefused
from twistftp.storage.restricted import RestrictedStore
from twistftp.storage.site_store import ISiteStore
from twistftp.wire.paths import Path

TREE: Mapping[str, Any] = {
    "pub": {"a.txt": b"a", "evil.exe": b"e", ".git": {"config": b"c"}},
    "secret": {"plan": b"p"},
    "in": {"up": b"u"},
    "link": Link("secret/plan"),
}


@implementer(ISiteStore)
class OwnStore(MemoryStore):
    """A store as the site's own realm gives it."""

    def __init__(self, tree: Mapping[str, Any], account: Account) -> None:
        super().__init__(tree)
        self.account = account
        self.writable = account.name is not None

    def place(self, path: Path) -> Path:
        self.node(path)
        return path

    def as_writable(self, writable: bool) -> OwnStore:
        if self.writable == writable:
            return self
        store = OwnStore(self.tree, self.account)
        store.writable = writable
        return store


def rules(*texts: str) -> tuple[Rule, ...]:
    """Rules by their texts; a leading ``!`` forbids."""
    return tuple(parse_rule("deny" if text.startswith("!") else "allow", text.lstrip("!")) for text in texts)


class Realm(CountingRealm):
    """Refuses with ``denial``, if there is one."""

    denial: Denial | None = None

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        if self.denial is not None:
            raise HomeRefused(self.denial)
        return super().requestAvatar(avatarId, mind, *interfaces)


class Case(SynchronousTestCase):
    """A dialogue whose events are kept."""

    def start(self, *texts: str, groups: Any = (), **settings: Any) -> Dialogue:
        d = Dialogue(self, TREE, authorization=rules(*texts), groups=groups, **settings)
        self.events: list[dict[str, Any]] = []
        d.site.transcript.add_observer(self.events.append)  # type: ignore[arg-type]
        return d

    def denials(self) -> list[tuple[str, str, str, str]]:
        """Verb, path, cause and reason of each denial that was logged."""
        found = [(e["verb"], e["path"], e["cause"], e["why"]) for e in self.events if e["ftp_event"] == "denial"]
        self.events.clear()
        return found

    def names(self, d: Client, line: str = "NLST") -> list[str]:
        """What a listing shows."""
        return d.fetch(line)[1].decode().split("\r\n")[:-1]


class RuleTests(Case):
    """Authorization in a session."""

    def test_denied(self) -> None:
        """P-TEXT-17, P-SEC-20, P-CWD-1: 550 for each verb, there or not, with one line in the log that names the rule."""
        d = self.start("!?:read:/secret", "?:read")
        d.login()
        for line in ("CWD secret", "SIZE secret/plan", "MDTM /secret/plan", "MLST secret", "SIZE /secret/nothing", "STAT secret"):
            verb, _, name = line.partition(" ")
            self.assertEqual([f"550 {name}: Permission denied."], d.say(line))
            why = "authorization rule 1 (deny ?:read:/secret)"
            self.assertEqual([(verb, f"/{name.lstrip('/')}", "RULE_DENIED", why)], self.denials())
        for line in ("RETR secret/plan", "LIST secret", "NLST secret", "MLSD secret"):
            self.assertEqual("550 ", d.fetch(line)[0][0][:4])
            self.assertEqual(1, len(self.denials()))
        self.assertEqual(['257 "/" is the current directory.'], d.say("PWD"))

    def test_listings(self) -> None:
        """P-LS-9: LIST, NLST, MLSD and STAT leave the same out."""
        d = self.start("!?:read:/secret", "?:read")
        d.login()
        self.assertEqual(["in", "link", "pub"], self.names(d))
        self.assertEqual(["in", "link -> secret/plan", "pub"], [line.split(maxsplit=8)[-1] for line in self.names(d, "LIST")])
        self.assertEqual(["in", "link", "pub"], [line.split(" ", 1)[1] for line in self.names(d, "MLSD")])
        self.assertNotIn("secret\n", d.say("STAT /")[0].replace("secret/plan", ""))
        self.assertEqual(["450 No files found."], d.fetch("NLST s*")[0])
        self.assertEqual([], self.denials())

    def test_rename(self) -> None:
        """P-RNFR-1, P-ML-5: what may not be changed is refused by RNFR already, as its perm fact says, with one line in the log."""
        realm = Realm(OwnStore(TREE, Account("alice")))
        d = self.start("alice:read", "alice:write:/in", portal=portal_of(realm, InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")))
        d.login("alice", "secret")
        self.events.clear()
        self.assertEqual(["550 pub/a.txt: Permission denied."], d.say("RNFR pub/a.txt"))
        self.assertEqual([("RNFR", "/pub/a.txt", "NO_RULE", "no authorization rule allows to write here")], self.denials())
        self.assertEqual([503, 350], d.codes("RNTO in/a", "RNFR in/up"))

    def test_order_and_groups(self) -> None:
        """The first rule that matches decides, for groups as for names."""
        portal = portal_of(CountingRealm(MemoryStore(TREE)), InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret", bob=b"b"))
        d = self.start("alice:read:/secret", "!@staff:read:/secret", "*:read", groups=(("staff", ("alice", "bob")),), portal=portal)
        d.login("alice", "secret")
        self.assertEqual([250], d.codes("CWD /secret"))
        d.login("bob", "b")
        self.assertEqual([550], d.codes("CWD /secret"))
        d.login()
        self.assertEqual([250], d.codes("CWD /secret"))

    def test_only_below(self) -> None:
        """Who may use one directory gets there, and sees nothing else on the way."""
        d = self.start("?:read:/pub")
        d.login()
        self.assertEqual(["pub"], self.names(d))
        self.assertEqual([250, 250, 250], d.codes("CWD pub", "CDUP", "CWD /pub"))
        self.assertEqual([550, 550], d.codes("SIZE /in/up", "CWD /in"))
        self.assertEqual(("SIZE", "/in/up", "NO_RULE", "no authorization rule allows to read here"), self.denials()[0])

    def test_what_clients_add(self) -> None:
        """P-LOPT-1, P-GLOB-1, P-LINE-8, P-CWD-1: options, globs, blanks and ``~`` work where nothing but the way on is seen."""
        d = self.start("?:read:/pub")
        d.login()
        for line in ("NLST -a", "NLST -la ", "NLST *", "NLST p??"):
            self.assertEqual(["pub"], self.names(d, line))
        self.assertEqual(["450 No files found."], d.fetch("NLST i*")[0])
        self.assertEqual([250, 250], d.codes("CWD pub ", "CWD ~"))
        self.assertEqual([], self.denials())

    def test_drop_box(self) -> None:
        """P-SEC-7: into a directory that may only be written one can go, and see nothing."""
        d = self.start("!?:read:/in", "?:read", "?:write:/in")
        d.login()
        self.assertEqual([250, 550, 550], d.codes("CWD in", "SIZE up", "SIZE nothing"))
        self.assertEqual("550", d.fetch("LIST")[0][0][:3])
        self.assertEqual((True, False), (d.session.may_write(("in", "new")), d.session.may_write(("pub", "new"))))

    def test_nothing_for_this_user(self) -> None:
        """A user for whom there is no rule cannot log in; the log says why, and which rule it was. It is no failed attempt."""
        d = self.start("alice:read", "!?:read")
        self.assertEqual("530 User cannot log in, home directory inaccessible.", d.login()[-1])
        (event,) = [event for event in self.events if event["ftp_event"] == "login"]
        self.assertEqual(("RULE_DENIED", 1, 530), (event["cause"], event["substatus"], event["code"]))
        self.assertIn("authorization rule 2", event["why"])
        self.assertEqual((0, 1), (d.session.failures, d.realm.logouts))
        self.assertEqual([530, 331, 230], d.codes("PWD", "USER alice", "PASS secret"))

    def test_names_in_the_log(self) -> None:
        """P-SEC-13: a path that a client made up stays on one line of the log."""
        d = self.start("?:read:/pub")
        d.login()
        d.say("SIZE /in/a\x07b")
        self.assertEqual("/in/a?b", self.denials()[0][1])


class FilterTests(Case):
    """Request filtering in a session."""

    def test_hidden_segments(self) -> None:
        """P-SEC-20: the answer is that of a missing file; the log knows better."""
        d = self.start(request_filtering=RequestFiltering(hidden_segments=(".git",)))
        d.login()
        self.assertEqual(["550 pub/.git: No such file or directory."], d.say("CWD pub/.git"))
        self.assertEqual([("CWD", "/pub/.git", "HIDDEN_SEGMENT", "hidden segment '.git'")], self.denials())
        self.assertEqual(["550 pub/no: No such file or directory."], d.say("CWD pub/no"))
        self.assertEqual([], self.denials())
        self.assertEqual(["pub/a.txt", "pub/evil.exe"], self.names(d, "NLST pub"))

    def test_extensions(self) -> None:
        """The text says that it is the type."""
        d = self.start(request_filtering=RequestFiltering(denied_extensions=("exe",)))
        d.login()
        self.assertEqual(["550 pub/evil.exe: Permission denied; files of this type are not allowed here."], d.fetch("RETR pub/evil.exe")[0])
        self.assertEqual([("RETR", "/pub/evil.exe", "EXTENSION", "denied extension '.exe'")], self.denials())

    def test_other_paths(self) -> None:
        """Sequences, and paths that are too long."""
        d = self.start(request_filtering=RequestFiltering(deny_url_sequences=("//", "b/a"), max_url=32))
        d.login()
        text = "this path holds a sequence that is not allowed here"
        self.assertEqual([f"550 pub/a.txt: Permission denied; {text}."], d.say("SIZE pub/a.txt"))
        self.assertEqual([f"550 {'x' * 40}: Permission denied; this path is too long."], d.say("SIZE " + "x" * 40))
        self.assertEqual(["URL_SEQUENCE", "URL_LENGTH"], [cause for _, _, cause, _ in self.denials()])

    def test_too_large(self) -> None:
        """P-ALLO-1: an upload that will be too large is refused when it is announced."""
        d = self.start(request_filtering=RequestFiltering(max_content_length=1000))
        d.login()
        self.assertEqual([202], d.codes("ALLO 1000"))
        self.assertEqual(["552 Larger than the files that are accepted here."], d.say("ALLO 1001"))
        self.assertEqual("CONTENT_LENGTH", self.denials()[0][2])

    def test_too_large_after_all(self) -> None:
        """One that was not announced ends when it is: one line in the log, which says why; observers hear of the transfer, too."""
        d = self.start("*:read,write", request_filtering=RequestFiltering(max_content_length=10), writable=True)
        said: list[str] = []
        self.patch(d.site.transcript._log, "emit", lambda level, text, **fields: said.append(text.format(**fields)))
        d.login("alice", "secret")
        said.clear()
        self.assertEqual(["552 Larger than the files that are accepted here."], d.put("STOR in/new", b"x" * 20)[-1:], said)
        self.assertEqual(1, len(said), said)
        self.assertTrue(said[0].endswith("STOR /in/new refused: the upload is larger than 10 octets"), said)
        (transfer,) = [event for event in self.events if event["ftp_event"] == "transfer"]
        self.assertEqual("the upload is larger than 10 octets", transfer["why"])

    def test_many_lines(self) -> None:
        """Ten refusals a second are written, whatever else happens in it; the rest is counted."""
        said: list[str] = []
        d = self.start("?:read:/pub")
        d.site.transcript.remove_observer(self.events.append)  # type: ignore[arg-type]
        self.patch(d.site.transcript._log, "emit", lambda level, text, **fields: said.append(text.format(**fields)))
        self.patch(d.site.transcript._log, "info", lambda text, **fields: said.append(text.format(**fields)))
        for _ in range(12):
            d.login()
        for _ in range(13):
            d.say("SIZE /in/up")
        self.assertEqual((10, 10), (sum("logged in" in line for line in said), sum("refused" in line for line in said)))
        d.wait(1)
        d.say("SIZE /in/up")
        self.assertIn("twistftp: 3 more refusals, not shown one by one", said)

    def test_log_line(self) -> None:
        """One line says who, what and why."""
        said: list[str] = []
        d = self.start("?:read:/pub", logging=Logging(commands=False))
        self.patch(d.site.transcript._log, "emit", lambda level, text, **fields: said.append(text.format(**fields)))
        d.login()
        said.clear()
        d.say("SIZE /in/up")
        self.assertEqual(["twistftp #1 192.0.2.9 anonymous: SIZE /in/up refused: no authorization rule allows to read here"], said)


class LoginTests(Case):
    """Homes that are not there."""

    def refused(self, denial: Denial, **by_octets: bytes) -> Dialogue:
        realm = Realm(MemoryStore(TREE))
        realm.denial = denial
        return self.start(portal=portal_of(realm, InMemoryUsernamePasswordDatabaseDontUse(**by_octets) if by_octets else _Texts()))

    def test_missing_home(self) -> None:
        """530 says that it is the home, the log which folder; no delay, since the password was right. With checkers of either type."""
        for by_octets in ({"alice": b"secret"}, {}):
            d = self.refused(Denial(Reason.HOME_MISSING, "/srv/ftp/LocalUser/alice"), **by_octets)
            self.assertEqual("530 User cannot log in, home directory inaccessible.", d.login("alice", "secret")[-1])
            (event,) = [event for event in self.events if event["ftp_event"] == "login"]
            self.assertEqual(("HOME_MISSING", 33), (event["cause"], event["substatus"]))
            self.assertEqual("there is no home directory /srv/ftp/LocalUser/alice", event["why"])
            self.assertNotIn("home", event["log_format"])
            self.assertEqual((0, ["503 Log in with USER first."]), (d.session.failures, d.say("PASS secret")))

    def test_wrong_password(self) -> None:
        """P-SEC-4: who does not know the password learns nothing of homes."""
        d = self.refused(Denial(Reason.HOME_MISSING, "/x"), alice=b"secret")
        d.login("alice", "wrong")
        self.assertEqual(["530 Login incorrect."], d.wait(3))


class _Texts:
    """A checker that knows text alone, as Twisted's own FTP hands it out."""

    from twisted.cred.credentials import IUsernamePassword

    credentialInterfaces = (IUsernamePassword,)

    def requestAvatarId(self, credentials: Any) -> Any:
        from twisted.cred.error import UnauthorizedLogin
        from twisted.internet.defer import fail, succeed

        right = (credentials.username, credentials.password) == ("alice", "secret")
        return succeed("alice") if right else fail(UnauthorizedLogin())


class ChangeTests(Case):
    """SIGHUP: the rules of running sessions."""

    def test_next_command(self) -> None:
        """New rules hold for the next command of those who are here, in both directions; a transfer goes on."""
        d = self.start()
        d.login()
        other = d.another()
        other.login("alice", "secret")
        d.pool.is_slow = True
        connection = d.passive().connect()
        d.say("RETR secret/plan")
        d.site.reconfigure(evolve(d.settings, authorization=rules("!?:read:/secret", "*:read")))
        connection.finish()
        self.assertEqual((b"p", ["226 Transfer complete (1 bytes)."]), (connection.received, d.hear()))
        self.assertEqual([[550], [250]], [client.codes("CWD /secret") for client in (d, other)])
        self.assertEqual((False, False), (d.session.may_write(()), other.session.may_write(())))
        d.site.reconfigure(evolve(d.settings, request_filtering=RequestFiltering(hidden_segments=("secret",), denied_commands=("SYST",))))
        self.assertEqual([[550], [550]], [client.codes("CWD /secret") for client in (d, other)])
        self.assertEqual([502], d.codes("SYST"))
        d.site.reconfigure(d.settings)
        self.assertEqual([250, 215], d.codes("CWD /secret", "SYST"))
        self.assertIs(d.store, d.session.store)

    def test_not_logged_in(self) -> None:
        """Who has not logged in, or has logged out, has nothing that could change."""
        d = self.start()
        d.site.reconfigure(evolve(d.settings, authorization=rules("*:read")))
        self.assertIsNone(d.session.store)
        d.login()
        d.say("REIN")
        d.site.reconfigure(d.settings)
        self.assertEqual((None, None, False), (d.session.store, d.session.avatar, d.session.may_write(())))


class AccessTests(SynchronousTestCase):
    """``access_of``: whose store is put behind rules."""

    SITE = SiteSettings("/srv", authentication=Authentication(anonymous_names=("guest",)))

    def test_nothing_to_pay(self) -> None:
        """Without rules and filters verbs get the very store, the site's own and others'."""
        for store in (MemoryStore(TREE), OwnStore(TREE, Account()), OwnStore(TREE, Account("alice"))):
            self.assertIs(store, access_of(self.SITE, store, "guest").store)

    def test_stores_that_write(self) -> None:
        """The site's own stores can write if the rules let anything be written, without another that stands in front of them."""
        for account in (Account(), Account("alice")):
            store = OwnStore(TREE, account)
            self.assertIs(store, access_of(self.SITE, store, "guest").store)
            self.assertEqual(account.name is not None, store.writable)
        allowed = access_of(evolve(self.SITE, authorization=rules("?:read,write")), OwnStore(TREE, Account()), "guest").store
        self.assertEqual((OwnStore, True), (type(allowed), allowed.writable))
        denied = access_of(evolve(self.SITE, authorization=rules("*:read")), OwnStore(TREE, Account("alice")), "guest").store
        self.assertEqual((OwnStore, False), (type(denied), denied.writable))
        foreign: Any = MemoryStore(TREE)
        foreign.writable = True
        self.assertIs(foreign, access_of(self.SITE, foreign, "guest").store)
        given = access_of(evolve(self.SITE, authorization=rules("?:read")), foreign, "guest").store
        self.assertEqual((RestrictedStore, False), (type(given), given.writable))
        limited = access_of(evolve(self.SITE, request_filtering=RequestFiltering(max_content_length=1)), foreign, "guest").store
        self.assertEqual((RestrictedStore, True), (type(limited), limited.writable))

    def test_whose_default_rules(self) -> None:
        """The default rules are for the site's own avatars; others know what they are for."""
        for store, may_write in ((MemoryStore(TREE), True), (OwnStore(TREE, Account()), False), (OwnStore(TREE, Account("alice")), True)):
            self.assertEqual(may_write, access_of(self.SITE, store, "guest").rules.is_unlimited)

    def test_written_rules_hold_for_all(self) -> None:
        """Rules that somebody wrote are obeyed by every avatar."""
        site = evolve(self.SITE, authorization=rules("?:read", "alice:read,write"))
        for store, user, may_write in (
            (MemoryStore(TREE), "GUEST", False),
            (MemoryStore(TREE), "alice", True),
            (OwnStore(TREE, Account()), "guest", False),
            (OwnStore(TREE, Account("alice")), "ALICE", True),  # the name that the realm knows counts, not how it was typed
        ):
            access = access_of(site, store, user)
            self.assertEqual(may_write, access.rules.is_unlimited)
            self.assertIs(store, access.store)
        filtered = evolve(site, request_filtering=RequestFiltering(hidden_segments=("x",)))
        self.assertIsInstance(access_of(filtered, MemoryStore(TREE), "alice").store, RestrictedStore)

    def test_start(self) -> None:
        """Users with a directory of their own start there."""
        account = Account("alice", ("pub",))
        access = access_of(self.SITE, OwnStore(TREE, account), "alice")
        self.assertEqual(("pub",), access.start)
        site = evolve(self.SITE, authorization=rules("*:read:/in"))
        self.assertRaises(HomeRefused, access_of(site, OwnStore(TREE, account), "alice").demand_entry)

    def test_start_in_a_session(self) -> None:
        """P-CWD-1: it is the working directory after login."""
        store = OwnStore(TREE, Account("alice", ("pub",)))
        d = Dialogue(self, portal=portal_of(CountingRealm(store)))
        d.login("alice", "secret")
        self.assertEqual([250, 250], d.codes("CWD /in", "CWD ~"))
        self.assertEqual(['257 "/pub" is the current directory.', "213 1"], d.say("PWD", "SIZE a.txt"))

"""Tests of ``accounts.checkers``."""

import os
from typing import Any

import trustme
from cryptography import x509
from twisted.cred.checkers import ANONYMOUS, AllowAnonymousAccess, FilePasswordDB, ICredentialsChecker
from twisted.cred.credentials import Anonymous, IAnonymous, IUsernamePassword, UsernamePassword
from twisted.cred.error import UnauthorizedLogin, UnhandledCredentials
from twisted.internet.defer import Deferred, fail, succeed
from twisted.protocols.ftp import IFTPShell
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from twistftp.accounts.checkers import CertificateChecker, FirstOf, build_portal, make_checkers
from twistftp.credentials import ClientCertificate, IClientCertificate
from twistftp.policy.settings import Authentication
from twistftp.storage.confinement import Confinement


@implementer(ICredentialsChecker)
class Checker:
    """Answers as it was told and remembers what it was asked."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked = answer, []

    def requestAvatarId(self, credentials: Any) -> Any:
        self.asked.append(credentials)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


ALICE = UsernamePassword("alice", "secret")


class FirstOfTests(SynchronousTestCase):
    """Several checkers as one."""

    def test_interface(self) -> None:
        """It is a checker for all that its checkers take."""
        checker = FirstOf([Checker("a"), Checker("b"), AllowAnonymousAccess()])
        verifyObject(ICredentialsChecker, checker)
        self.assertEqual((IUsernamePassword, IAnonymous), checker.credentialInterfaces)

    def test_first_that_accepts(self) -> None:
        """They are asked in turn; later ones are not asked any more."""
        checkers = [Checker(UnauthorizedLogin()), Checker("second"), Checker("third")]
        self.assertEqual("second", self.successResultOf(FirstOf(checkers).requestAvatarId(ALICE)))
        self.assertEqual([1, 1, 0], [len(checker.asked) for checker in checkers])

    def test_deferred(self) -> None:
        """Answers may take time."""
        later: Deferred[str] = Deferred()
        result = FirstOf([Checker(fail(UnauthorizedLogin())), Checker(later)]).requestAvatarId(ALICE)
        self.assertNoResult(result)
        later.callback("alice")
        self.assertEqual("alice", self.successResultOf(result))

    def test_nobody(self) -> None:
        """If none accepts, the login is refused."""
        self.failureResultOf(FirstOf([Checker(UnauthorizedLogin()), Checker(fail(UnauthorizedLogin()))]).requestAvatarId(ALICE), UnauthorizedLogin)

    def test_broken_backend(self) -> None:
        """One that is broken does not keep out the users of another, and is told of when nobody accepts."""
        broken = Checker(OSError("down"))
        self.assertEqual("a", self.successResultOf(FirstOf([broken, Checker(succeed("a"))]).requestAvatarId(ALICE)))
        self.failureResultOf(FirstOf([broken, Checker(UnauthorizedLogin())]).requestAvatarId(ALICE), OSError)

    def test_other_kinds(self) -> None:
        """A checker is not asked about credentials of a kind that it does not take."""
        checker = Checker("alice")
        result = FirstOf([checker, AllowAnonymousAccess()]).requestAvatarId(Anonymous())
        self.assertEqual((ANONYMOUS, []), (self.successResultOf(result), checker.asked))


class MakeCheckersTests(SynchronousTestCase):
    """``--auth`` strings."""

    def test_memory(self) -> None:
        """Twisted's own checkers are made."""
        (checker,) = make_checkers(["memory:alice:secret"])
        self.assertEqual("alice", self.successResultOf(checker.requestAvatarId(ALICE)))

    def test_file(self) -> None:
        """A password file is found again after a change of directory."""
        path = self.mktemp()
        with open(path, "w", encoding="ascii") as file:
            file.write("alice:secret\n")
        (checker,) = make_checkers([f"file:{path}"])
        self.assertIsInstance(checker, FilePasswordDB)
        self.assertTrue(checker.filename.startswith("/") or ":" in checker.filename)

    def test_refusals(self) -> None:
        """What cannot be used is named by its kind; the rest might hold a password."""
        for text, rule in {
            "ldap:alice:secret": "'ldap' is no kind of authentication here; there are anonymous, file, memory",
            "memory:alice": "memory: ",
            "file:/does/not/exist": "file: there is no file '/does/not/exist'",
        }.items():
            error = str(self.assertRaises(ValueError, make_checkers, [text]))
            self.assertIn(rule, error)
            self.assertNotIn("secret", error)
            self.assertNotIn("\n", error)


class BuildPortalTests(SynchronousTestCase):
    """Who gets in, and what they get."""

    def login(self, credentials: Any, *checkers: Any, anonymous: bool = True) -> Any:
        root = self.mktemp()
        os.mkdir(root)
        portal = build_portal(Authentication(anonymous=anonymous), Confinement(root), checkers)
        return portal.login(credentials, None, IFTPShell)

    def test_anonymous(self) -> None:
        """Anonymous users get a shell."""
        interface, avatar, logout = self.successResultOf(self.login(Anonymous()))
        self.assertIs(IFTPShell, interface)
        self.assertTrue(IFTPShell.providedBy(avatar))
        logout()

    def test_no_anonymous(self) -> None:
        """Unless they are not allowed, whatever the checkers say."""
        self.failureResultOf(self.login(Anonymous(), anonymous=False), UnhandledCredentials)
        self.failureResultOf(self.login(Anonymous(), AllowAnonymousAccess(), anonymous=False), UnhandledCredentials)

    def test_named(self) -> None:
        """Named users get a shell, too, from whichever checker knows them."""
        for position in range(2):
            checkers = [Checker(UnauthorizedLogin()), Checker(UnauthorizedLogin())]
            checkers[position] = Checker("alice")
            self.successResultOf(self.login(ALICE, *checkers, anonymous=False))

    def test_nobody_named(self) -> None:
        """Without checkers there are no named users."""
        self.failureResultOf(self.login(ALICE), UnhandledCredentials)

    def test_certificate(self) -> None:
        """Whom a certificate names gets a shell without any checker of passwords (P-TLS-7); somebody else does not."""
        certificate = issued("alice", "alice@example.org")
        self.successResultOf(self.login(ClientCertificate("alice", certificate), anonymous=False))
        self.failureResultOf(self.login(ClientCertificate("bob", certificate), Checker("bob")), UnauthorizedLogin)


class CertificateTests(SynchronousTestCase):
    """P-TLS-7: who a certificate says that one is."""

    def test_interfaces(self) -> None:
        """Credentials and checker are what cred wants."""
        verifyObject(ICredentialsChecker, CertificateChecker())
        verifyObject(IClientCertificate, ClientCertificate("alice", issued("alice")))

    def test_names(self) -> None:
        """Its subject's common name, and alternative names that are mail addresses or host names; each in full, in its case."""
        certificate = issued("Alice Example", "alice@example.org", "alice.example.org", "192.0.2.1")
        for name, is_known in (
            ("Alice Example", True),
            ("alice@example.org", True),
            ("alice.example.org", True),
            ("192.0.2.1", False),
            ("alice", False),
            ("ALICE@example.org", False),
            ("alice@example.org\0", False),
            ("", False),
        ):
            result = CertificateChecker().requestAvatarId(ClientCertificate(name, certificate))
            if is_known:
                self.assertEqual(name, self.successResultOf(result))
            else:
                self.failureResultOf(result, UnauthorizedLogin)

    def test_without_names(self) -> None:
        """A certificate without a name logs nobody in."""
        self.failureResultOf(CertificateChecker().requestAvatarId(ClientCertificate("", issued(None, "192.0.2.1"))), UnauthorizedLogin)


def issued(common_name: str | None, *identities: str) -> x509.Certificate:
    """A client's certificate."""
    made = trustme.CA().issue_cert(*(identities or ("192.0.2.7",)), common_name=common_name)
    return x509.load_pem_x509_certificate(made.cert_chain_pems[0].bytes())

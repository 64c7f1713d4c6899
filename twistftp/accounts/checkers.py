"""
Who is let in: the credentials checkers of a site, and the portal made of them.

Not here: what the logged-in see (``accounts.realm``), and how often a password may be tried (the session).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.cred import strcred
from twisted.cred.checkers import AllowAnonymousAccess, FilePasswordDB, ICredentialsChecker
from twisted.cred.credentials import IAnonymous, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, fail, inlineCallbacks, maybeDeferred, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from twistftp.accounts.credentials import PasswordCredentials
from twistftp.credentials import IClientCertificate
from twistftp.policy.settings import Authentication

if TYPE_CHECKING:
    from collections.abc import Generator

    from cryptography.x509 import Certificate

    from twistftp.accounts.homes import Homes
    from twistftp.storage.confinement import Confinement

__all__ = ["SUPPORTED", "CertificateChecker", "FirstOf", "build_portal", "make_checkers"]

# What an FTP client can send: USER and PASS, or the anonymous user's name.
SUPPORTED = (IUsernamePassword, IAnonymous)


@implementer(ICredentialsChecker)
class FirstOf:
    """
    Several checkers as one: each is asked in turn until one accepts, in the form (text or octets) that it takes.

    ``Portal.registerChecker`` keeps one checker for each kind of credentials, so a second ``--auth`` would replace the first.
    """

    def __init__(self, checkers: Sequence[Any]) -> None:
        self._checkers = tuple(checkers)
        self.credentialInterfaces = tuple({kind: None for checker in checkers for kind in checker.credentialInterfaces})

    @inlineCallbacks
    def requestAvatarId(self, credentials: Any) -> Generator[Deferred[Any], Any, Any]:
        """
        The avatar id of the first checker that knows these credentials.

        :raises UnauthorizedLogin: none does.
        :raises Exception: none does, and one could not tell (its backend is down); the first such failure.
        """
        trouble = None
        for checker in self._checkers:
            if not any(kind.providedBy(credentials) for kind in checker.credentialInterfaces):
                continue
            try:
                if isinstance(credentials, PasswordCredentials):
                    return (yield Deferred.fromCoroutine(credentials.afresh().put_to(checker.requestAvatarId)))
                return (yield maybeDeferred(checker.requestAvatarId, credentials))
            except UnauthorizedLogin:
                pass
            except Exception:
                # A broken backend must not lock out the users of the others.
                trouble = trouble or Failure()
            if isinstance(credentials, PasswordCredentials) and credentials.withdrawal.is_made:
                break  # nobody waits for the others' answers
        if trouble is not None:
            trouble.raiseException()
        raise UnauthorizedLogin()


@implementer(ICredentialsChecker)
class CertificateChecker:
    """Believes the certificate: who is logged in is whom its subject or one of its alternative names names (PROTOCOL P-TLS-7)."""

    credentialInterfaces = (IClientCertificate,)

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """The user's name, if it stands in the certificate; else the Deferred fails with ``UnauthorizedLogin``."""
        return succeed(credentials.username) if credentials.username in _names(credentials.certificate) else fail(UnauthorizedLogin())


def _names(certificate: Certificate) -> set[object]:
    # Imported already, by who got the certificate; who never gets one does without.
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    names = {one.value for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)}
    try:
        others = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set(names)
    return {*names, *others.get_values_for_type(x509.RFC822Name), *others.get_values_for_type(x509.DNSName)}


def make_checkers(descriptions: Iterable[str]) -> list[Any]:
    """
    The checkers of Twisted's ``--auth`` strings, such as ``memory:alice:secret`` or ``file:/etc/ftp.passwords``.

    :raises ValueError: one cannot be used; the text says which by its type alone, since the rest may hold a password.
    """
    return [_make_checker(description) for description in descriptions]


def _make_checker(description: str) -> Any:
    kind, _, argument = description.partition(":")
    if kind == "file" and not os.path.isfile(argument):
        raise ValueError(f"file: there is no file {argument!r}")  # Twisted would warn now and refuse every login later
    try:
        checker = strcred.makeChecker(description)
    except strcred.InvalidAuthType:
        known = sorted({factory.authType for factory in strcred.findCheckerFactories() if _is_supported(factory)})
        raise ValueError(f"{kind!r} is no kind of authentication here; there are {', '.join(known)}") from None
    except Exception as error:
        raise ValueError(f"{kind}: {' '.join(str(error).split()) or 'its argument is not in the right form'}") from None
    if isinstance(checker, FilePasswordDB):
        checker.filename = os.path.abspath(checker.filename)  # twistd changes its directory when it becomes a daemon
    if not _is_supported(checker):
        raise ValueError(f"{kind}: checks nothing that FTP clients can send (a user name with a password, or an anonymous login)")
    return checker


def _is_supported(checker: Any) -> bool:
    return any(kind in SUPPORTED for kind in checker.credentialInterfaces)


def build_portal(
    authentication: Authentication, confinement: Confinement, extra_checkers: Sequence[Any] = (), homes: Homes | None = None
) -> Portal:
    """
    Make the portal of a site: everyone who may log in sees ``confinement``, or what ``homes`` gives.

    :param extra_checkers: whoever these accept may log in; anonymous users may if ``authentication`` allows them.
    """
    # IFTPShell lives in a module that installs a reactor when it is imported, and twistd must have read --reactor first.
    from twistftp.accounts.realm import SiteRealm

    checkers = list(extra_checkers)
    if not any(IAnonymous in checker.credentialInterfaces for checker in checkers):
        checkers.append(AllowAnonymousAccess())
    portal = Portal(SiteRealm(confinement, homes))
    for kind in SUPPORTED:
        able = [checker for checker in checkers if kind in checker.credentialInterfaces]
        if able and (authentication.anonymous or kind is not IAnonymous):
            portal.registerChecker(able[0] if len(able) == 1 else FirstOf(able), kind)
    portal.registerChecker(CertificateChecker())
    return portal

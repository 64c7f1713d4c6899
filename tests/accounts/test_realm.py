"""Tests of ``accounts.realm``."""

import os

from twisted.cred.checkers import ANONYMOUS
from twisted.cred.portal import IRealm
from twisted.protocols.ftp import IFTPShell
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface
from zope.interface.verify import verifyObject

from twistftp.accounts.realm import SiteRealm
from twistftp.storage.confinement import Confinement


class SiteRealmTests(SynchronousTestCase):
    """One content root for all."""

    def setUp(self) -> None:
        root = self.mktemp()
        os.mkdir(root)
        self.realm = SiteRealm(Confinement(root))

    def test_interface(self) -> None:
        """It is a realm."""
        verifyObject(IRealm, self.realm)

    def test_everybody(self) -> None:
        """Anonymous and named users, str and bytes, get shells of their own over the same root."""
        avatars = []
        for avatar_id in (ANONYMOUS, "alice", b"alice"):
            interface, avatar, logout = self.realm.requestAvatar(avatar_id, None, Interface, IFTPShell)
            self.assertIs(IFTPShell, interface)
            self.assertTrue(IFTPShell.providedBy(avatar))
            logout()
            logout()
            avatars.append(avatar)
        self.assertEqual(3, len(set(map(id, avatars))))
        self.assertEqual([False, True, True], [avatar.writable for avatar in avatars], "P-SEC-7: the anonymous may only read")

    def test_other_interfaces(self) -> None:
        """Nothing but an FTP shell is given."""
        self.assertRaises(NotImplementedError, self.realm.requestAvatar, ANONYMOUS, None, Interface)

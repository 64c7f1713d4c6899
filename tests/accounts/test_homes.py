"""Tests of ``accounts.homes``: which files a user sees."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from tests.support.trees import Link, open_descriptors, plant
from twistftp.accounts.homes import Homes
from twistftp.policy.denials import Reason
from twistftp.policy.isolation import Account, UserIsolation, VirtualDirectory
from twistftp.storage.confinement import Confinement
from twistftp.storage.failures import NotFound
from twistftp.storage.refusals import HomeRefused

PUBLIC = {"LocalUser": {"Public": {"p": b"p"}, "alice": {"a": b"a", "up": Link("..")}, "bob": {"b": b"b"}}, "top": b"t"}


class Case(SynchronousTestCase):
    """A root on disk; ``base`` is the directory that it is in."""

    def setUp(self) -> None:
        self.base = os.path.realpath(self.mktemp())
        self.root = os.path.join(self.base, "root")
        plant(self.base, {"root": PUBLIC, "home": {"al": {"ftp": {"h": b"h"}}, "eve": {"ftp": Link("/etc")}, "mel": {"ftp": Link("../al/ftp")}}})

    def homes(self, mode: str = "isolate", *, virtual: tuple[VirtualDirectory, ...] = (), **values: str) -> Homes:
        return Homes(Confinement(self.root), UserIsolation(mode, **values), virtual)

    def refused(self, homes: Homes, user: str | None) -> tuple[Reason, str]:
        error = self.assertRaises(HomeRefused, homes.shell, user)
        return error.denial.reason, error.denial.detail


class NoneTests(Case):
    """No isolation."""

    def test_everybody(self) -> None:
        """All see the root; anonymous users share one account."""
        homes = self.homes("none")
        alice, nobody = homes.shell("alice"), homes.shell(None)
        self.assertEqual((Account("alice"), Account()), (alice.account, nobody.account))
        self.assertIs(nobody.account, homes.shell(None).account)
        for shell in (alice, nobody):
            self.assertEqual(1, shell.status(("top",)).size)


class IsolateTests(Case):
    """The home is the root."""

    def test_homes(self) -> None:
        """IIS's layout: each sees what is in the own home, and nothing else, by ``..`` or by links."""
        homes = self.homes()
        for user, name in (("alice", "a"), ("bob", "b"), (None, "p")):
            shell = homes.shell(user)
            self.assertEqual((1, ()), (shell.status((name,)).size, shell.account.start))  # type: ignore[union-attr]
            for path in (("top",), ("up", "bob"), ("LocalUser",), ("..", "bob")):
                self.assertRaises(NotFound, shell.status, path)

    def test_missing(self) -> None:
        """A home that is not there, or no directory, refuses the login and names the folder."""
        homes = self.homes()
        self.assertEqual((Reason.HOME_MISSING, f"{self.root}/LocalUser/carol"), self.refused(homes, "carol"))
        self.assertEqual((Reason.HOME_MISSING, f"{self.root}/top/carol"), self.refused(self.homes(home="top/{user}"), "carol"))
        shutil.rmtree(os.path.join(self.root, "LocalUser", "Public"))
        self.assertEqual((Reason.HOME_MISSING, f"{self.root}/LocalUser/Public"), self.refused(homes, None))

    def test_names(self) -> None:
        """P-SEC-8: no name leads to anything but a home of its own."""
        for name in ("..", ".", "../..", "alice/..", "/", "\\", "a\0b", "", "bob/", " bob"):
            if name:
                self.assertEqual((Reason.HOME_NAME, name), self.refused(self.homes(), name))

    def test_absolute(self) -> None:
        """Homes elsewhere on the host; a link that the user can make changes nothing."""
        homes = self.homes(home=f"{self.base}/home/{{user}}/ftp", anonymous_home=self.root)
        self.assertEqual(1, homes.shell("al").status(("h",)).size)
        self.assertEqual(1, homes.shell(None).status(("top",)).size)
        self.assertEqual(Reason.HOME_MISSING, self.refused(homes, "eve")[0])  # its link leads out
        self.assertEqual((Reason.HOME_LEADS_AWAY, f"{self.base}/home/mel/ftp"), self.refused(homes, "mel"))
        self.assertEqual(Reason.HOME_MISSING, self.refused(self.homes(home="/nowhere/at/all/{user}"), "al")[0])

    def test_links_of_the_administrator(self) -> None:
        """The user's own directory may be a link within the root: its parent is nobody's home."""
        os.symlink("../LocalUser/alice", os.path.join(self.root, "LocalUser", "al"))
        os.symlink(f"{self.base}/home/al", os.path.join(self.root, "LocalUser", "out"))
        homes = self.homes()
        found = homes.find("al")
        self.assertEqual(f"{self.root}/LocalUser/alice", found.folder)
        self.assertEqual(Reason.HOME_MISSING, self.refused(homes, "out")[0])

    def test_not_readable(self) -> None:
        """One that the server may not read is told apart from a missing one."""
        root = tempfile.mkdtemp()  # trial's own directories are closed to other users
        self.addCleanup(shutil.rmtree, root)
        os.chmod(root, 0o755)
        shut = os.path.join(os.path.realpath(root), "bob")
        os.mkdir(shut, 0)
        homes = Homes(Confinement(root), UserIsolation("isolate", home="{user}"))
        if os.geteuid() == 0:
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)
        self.assertEqual((Reason.HOME_INACCESSIBLE, shut), self.refused(homes, "bob"))

    def test_virtual_directories(self) -> None:
        """They are in every home."""
        virtual = (VirtualDirectory("/archive", f"{self.base}/home/al"),)
        for user in ("alice", None):
            self.assertEqual(1, self.homes(virtual=virtual).shell(user).status(("archive", "ftp", "h")).size)

    def test_descriptors(self) -> None:
        """A home is open while its user is here, once for all sessions; one that was made anew is found."""
        homes = self.homes()
        gc.collect()
        before = open_descriptors()
        first, second = homes.shell("alice"), homes.shell("alice")
        self.assertEqual(before + (1 if before else 0), open_descriptors())
        del first
        home = os.path.join(self.root, "LocalUser", "alice")
        shutil.rmtree(home)
        self.assertEqual(Reason.HOME_MISSING, self.refused(homes, "alice")[0])
        os.mkdir(home)
        plant(home, {"new": b"new"})
        third = homes.shell("alice")
        self.assertEqual(3, third.status(("new",)).size)
        self.assertRaises(NotFound, second.status, ("new",))
        del second, third
        gc.collect()
        self.assertEqual(before, open_descriptors())


class StartTests(Case):
    """Users see the whole site and start in their directory."""

    def test_start(self) -> None:
        """The account says where."""
        homes = self.homes("start_in_users_directory")
        for user, name in (("alice", "alice"), (None, "Public")):
            shell = homes.shell(user)
            self.assertEqual(Account(user, ("LocalUser", name)), shell.account)
            self.assertEqual(1, shell.status(("top",)).size)

    def test_missing(self) -> None:
        """As with isolation, the folder is named."""
        homes = self.homes("start_in_users_directory")
        self.assertEqual((Reason.HOME_MISSING, f"{self.root}/LocalUser/carol"), self.refused(homes, "carol"))
        self.assertEqual((Reason.HOME_NAME, ".."), self.refused(homes, ".."))

    def test_virtual(self) -> None:
        """The directory may be a virtual one."""
        virtual = (VirtualDirectory("/LocalUser/dave", f"{self.base}/home/al"),)
        shell = self.homes("start_in_users_directory", virtual=virtual).shell("dave")
        self.assertEqual(("LocalUser", "dave"), shell.account.start)  # type: ignore[union-attr]


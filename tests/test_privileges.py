"""Tests of ``privileges``. Becoming the user is seen in ``test_service``, in a process of its own."""

import os
import tempfile
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from twistftp.privileges import ServingUser, may_read, prepare_for_chroot


class ServingUserTests(SynchronousTestCase):
    """Users of the system."""

    def setUp(self) -> None:
        if os.name != "posix":
            raise SkipTest("users have no numbers here")

    def test_of(self) -> None:
        """The groups are the user's own, whichever the caller has."""
        user = ServingUser.of(os.getuid())
        self.assertEqual(os.getuid(), user.uid)
        self.assertIn(user.gid, user.groups)
        self.assertEqual(4321, ServingUser.of(os.getuid(), 4321).gid)
        self.assertIn(4321, ServingUser.of(os.getuid(), 4321).groups)

    def test_nobody_known(self) -> None:
        """A number without a user."""
        self.assertRaises(KeyError, ServingUser.of, 4123456789)


class MayReadTests(SynchronousTestCase):
    """Who may read a directory."""

    def setUp(self) -> None:
        self.directory = self.enterContext(tempfile.TemporaryDirectory())

    def test_this_process(self) -> None:
        """Without a user, the process itself."""
        self.assertTrue(may_read(self.directory, None))
        self.assertFalse(may_read(str(Path(self.directory) / "nix"), None))

    def test_other_user(self) -> None:
        """Another user, by its rights."""
        if os.name != "posix" or os.getuid() != 0:
            raise SkipTest("needs root, to become somebody else")
        nobody = ServingUser.of(65534)
        self.assertFalse(may_read(self.directory, nobody))
        Path(self.directory).chmod(0o755)
        self.assertTrue(may_read(self.directory, nobody))
        self.assertEqual(0, os.getuid())


class ChrootTests(SynchronousTestCase):
    """What is fetched before a chroot."""

    def test_prepare(self) -> None:
        """May be done more than once."""
        prepare_for_chroot()
        prepare_for_chroot()

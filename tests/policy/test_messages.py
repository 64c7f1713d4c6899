"""Tests of ``policy.messages``."""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import text
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.messages import VARIABLES, expand, has_variables

VALUES = {"SiteName": "Mirror", "UserName": "alice", "SessionID": "7", "BytesSent": "10", "BytesReceived": "2000"}


class ExpandTests(SynchronousTestCase):
    """Variables and what is none."""

    def test_all(self) -> None:
        """Each of IIS's five, in any case, next to each other and more than once."""
        template = "%SiteName%/%UserName%/%SessionID%/%BytesSent%/%BytesReceived%%username%%USERNAME%"
        self.assertTrue(has_variables(template))
        self.assertEqual("Mirror/alice/7/10/2000alicealice", expand(template, VALUES))
        self.assertEqual(set(VARIABLES), set(VALUES))

    def test_none(self) -> None:
        """Anything else between percent signs stays, and so do single ones."""
        for plain in ("", "100 %", "%X%", "%%", "%SiteName", "SiteName%", "% SiteName %", "%Site\nName%", "%PATH%"):
            self.assertFalse(has_variables(plain))
            self.assertEqual(plain, expand(plain, VALUES))
        self.assertEqual("50%Mirror%X%", expand("50%%SiteName%%X%", VALUES))

    def test_values_are_not_expanded(self) -> None:
        """A user whose name is a variable is called so."""
        self.assertEqual("%SessionID% 7", expand("%UserName% %SessionID%", VALUES | {"UserName": "%SessionID%"}))

    @given(text())
    def test_one_line(self, name: str) -> None:
        """Whatever a client calls itself, the message has as many lines as the administrator wrote."""
        said = expand("Hello %UserName%!\nBye", VALUES | {"UserName": name})
        self.assertEqual(2, len(said.splitlines()))
        self.assertTrue(said.replace("\n", "").isprintable())

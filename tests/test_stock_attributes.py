"""What programs written for ``FTPFactory`` set on a site."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue
from tests.test_site import refused
from twistftp.policy.settings import Authentication, Limits, LogonAttempts


class StockAttributesTests(SynchronousTestCase):
    def test_allow_anonymous(self) -> None:
        """False keeps anonymous users out from the next login, True lets them in again."""
        d = Dialogue(self, logon_attempts=LogonAttempts(delay=0))
        self.assertIs(True, d.site.allowAnonymous)
        d.site.allowAnonymous = False
        self.assertIs(False, d.site.allowAnonymous)
        self.assertIs(False, d.site.settings.authentication.anonymous)
        self.assertEqual([331, 530], self.log_in(d))
        d.site.allowAnonymous = True
        self.assertEqual([331, 230], self.log_in(d))

    def test_settings(self) -> None:
        """The attributes tell what the settings say."""
        site = Dialogue(self, authentication=Authentication(anonymous=False), limits=Limits(max_connections=3)).site
        self.assertEqual((False, 3), (site.allowAnonymous, site.connectionLimit))

    def test_connection_limit(self) -> None:
        """As many sessions as that, and no more; None is any number."""
        d = Dialogue(self)
        self.assertIsNone(d.site.connectionLimit)
        d.site.connectionLimit = 1
        self.assertEqual(1, d.site.connectionLimit)
        self.assertEqual(["421 Too many connections (limit 1); try again later."], refused(d))
        d.site.connectionLimit = None
        self.assertEqual([], refused(d))

    def log_in(self, d: Dialogue) -> list[int]:
        """An anonymous login on a connection of its own."""
        other = d.another()
        return [code for line in ("USER anonymous", "PASS a@b") for code in other.codes(line)]

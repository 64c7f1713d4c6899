"""Tests of ``cli.cautions``."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import SkipTest

from attrs import evolve
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from twistftp.cli import main
from twistftp.cli.cautions import cautions, others_may_read
from twistftp.policy.settings import ServerSettings, SiteSettings, TLSSettings, VirtualDirectory

SITE = SiteSettings("/srv/ftp", name="S", tls=TLSSettings(self_signed=True))


class CautionTests(SynchronousTestCase):
    """What is warned of."""

    def warned(self, site: SiteSettings, *unreadable: str) -> list[str]:
        return list(cautions(ServerSettings((site,)), lambda directory: directory not in unreadable))

    def test_nothing(self) -> None:
        """A site with a certificate on all addresses, or on one of the network."""
        self.assertEqual([], self.warned(SITE) + self.warned(evolve(SITE, address="192.0.2.1")) + self.warned(evolve(SITE, listen=("unix:s",))))

    def test_loopback(self) -> None:
        """The walk-through's first warning; where endpoints are given the address counts for nothing."""
        for address in ("127.0.0.1", "127.9.9.9", "::1"):
            (line,) = self.warned(evolve(SITE, address=address))
            self.assertIn(f"'S' is bound to the loopback address {address}: remote clients cannot reach this", line)
        self.assertEqual([], self.warned(evolve(SITE, address="::1", listen=("tcp:21",))))

    def test_tls(self) -> None:
        """Allowed without a certificate, or in versions that nobody should use."""
        (line,) = self.warned(evolve(SITE, tls=TLSSettings()))
        self.assertIn("'S' allows TLS and has no certificate", line)
        for version, words in (("1.0", "minimum_version 1.0 of site 'S'"), ("1.1", "deprecated"), ("1.2", ""), ("1.3", "")):
            lines = self.warned(evolve(SITE, tls=TLSSettings(self_signed=True, minimum_version=version)))
            self.assertEqual((bool(words), True), (bool(lines), words in "".join(lines)), version)

    def test_roots(self) -> None:
        """The content root and virtual directories that not everybody may read."""
        site = evolve(SITE, virtual_directory=(VirtualDirectory("/a", "/mnt/a"),))
        one, two = self.warned(site, "/srv/ftp", "/mnt/a")
        self.assertTrue(one.startswith("/srv/ftp of site 'S' is not for everybody to read") and two.startswith("/mnt/a of"), (one, two))
        self.assertEqual([two], self.warned(site, "/mnt/a"))

    def test_others(self) -> None:
        """Root asks as somebody without rights; others ask nobody."""
        if os.name != "posix" or os.geteuid() != 0:
            raise SkipTest("only root can be somebody else")
        path = Path("/var/tmp") / f"twistftp-{os.getpid()}"
        path.mkdir()
        self.addCleanup(path.rmdir)
        for mode, may in ((0o755, True), (0o700, False), (0o711, False)):
            path.chmod(mode)
            self.assertIs(may, others_may_read(str(path)), oct(mode))
        self.patch(os, "geteuid", lambda: 1000)
        self.assertTrue(others_may_read(str(path)))

    def test_check_shows_them(self) -> None:
        """As warnings; the status stays 0."""
        base = Path(self.mktemp())
        (base / "pub").mkdir(parents=True)
        (base / "ftp.toml").write_text("[[site]]\nroot = 'pub'\naddress = '127.0.0.1'\n")
        result = CliRunner().invoke(main, ["check", str(base / "ftp.toml")])
        self.assertEqual(0, result.exit_code, result.output)
        self.assertIn("\nwarning: site 'twistftp' is bound to the loopback address 127.0.0.1", result.output)
        self.assertIn("\nwarning: site 'twistftp' allows TLS and has no certificate", result.output)

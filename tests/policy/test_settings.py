"""Tests of ``policy.settings``."""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.channels import PortRange
from twistftp.policy.settings import (
    Authentication,
    BadSetting,
    DirectoryBrowse,
    FirewallSupport,
    Limits,
    LogonAttempts,
    Messages,
    ServerSettings,
    SiteSettings,
    describe_change,
    pair_sites,
)

SITE = SiteSettings(root="/srv/ftp", name="x")


class RuleTests(SynchronousTestCase):
    """Values that break a rule are refused by name."""

    def test_refusals(self) -> None:
        """Kind, setting and value; the error carries all three."""
        cases = [
            (SiteSettings, "port", 65536),
            (SiteSettings, "port", -1),
            (SiteSettings, "address", "localhost"),
            (SiteSettings, "address", "[::1]"),
            (SiteSettings, "address", "127.0.0.1:21"),
            (SiteSettings, "name", "a\r\nb"),
            (SiteSettings, "name", " "),
            (SiteSettings, "host_name", "a b"),
            (SiteSettings, "host_name", "-a.example"),
            (SiteSettings, "host_name", "a" * 64),
            (Authentication, "anonymous_names", ("ftp", "")),
            (DirectoryBrowse, "style", "dos"),
            (Messages, "banner", "a\x1bb"),
            (Messages, "exit", "a\rb"),
            (Limits, "max_connections", -1),
            (Limits, "control_channel_timeout", 0),
            (Limits, "data_channel_timeout", float("nan")),
            (Limits, "data_stall_timeout", float("inf")),
            (Limits, "max_command_line", 100),
            (LogonAttempts, "max_failures", 0),
            (LogonAttempts, "delay", -1),
        ]
        for kind, name, value in cases:
            root = {"root": "/"} if kind is SiteSettings else {}
            error = self.assertRaises(BadSetting, kind, **root, **{name: value})
            self.assertEqual((name, repr(value)), (error.name, repr(error.value)))
            self.assertIn(f"{name} = {value!r}: ", str(error))

    def test_acceptances(self) -> None:
        """Values at the edge of their rules."""
        SiteSettings(root="/", port=0, address="::1", host_name="xn--bcher-kva.example", name="Bücher")
        SiteSettings(root="/", port=65535, address="fe80::1%eth0", host_name="_sites.a-b.example")
        Messages(banner="one\ntwo\tthree ä")
        LogonAttempts(max_failures=1, delay=0)

    def test_anonymous_names(self) -> None:
        """The anonymous user's names are known in any case (PROTOCOL P-USER-1)."""
        authentication = Authentication(anonymous_names=("ftp", "Gast"))
        self.assertTrue(authentication.is_anonymous("FTP") and authentication.is_anonymous("gAST"))
        self.assertFalse(authentication.is_anonymous("anonymous"))


class PairTests(SynchronousTestCase):
    """Which site became which."""

    def test_by_name(self) -> None:
        """A site with a name that was there is that one, whatever else has changed."""
        other = evolve(SITE, port=3000)
        self.assertEqual([(SITE, other)], pair_sites([SITE], [other]))

    def test_renamed(self) -> None:
        """A site that listens where one did whose name is gone is that one."""
        other = evolve(SITE, name="y")
        self.assertEqual([(SITE, other)], pair_sites([SITE], [other]))

    def test_added_and_removed(self) -> None:
        """What has no partner is old or new."""
        other = evolve(SITE, name="y", port=3000)
        self.assertEqual([(SITE, None), (None, other)], pair_sites([SITE], [other]))

    def test_name_before_place(self) -> None:
        """Names go first, also when sites change places."""
        one, two = evolve(SITE, port=1), evolve(SITE, name="y", port=2)
        self.assertEqual([(one, evolve(one, port=2)), (two, evolve(two, port=1))], pair_sites([one, two], [evolve(one, port=2), evolve(two, port=1)]))


class DescribeChangeTests(SynchronousTestCase):
    """What a re-read of the file changes, in words."""

    def test_nothing(self) -> None:
        """The same settings differ in nothing."""
        self.assertEqual([], describe_change(ServerSettings((SITE,)), ServerSettings((SITE,))))

    def test_values(self) -> None:
        """One line a setting, with the old value and the new."""
        old = ServerSettings((SITE,))
        new = ServerSettings(
            (evolve(SITE, limits=Limits(max_connections=5), messages=Messages(banner="a\nb")),), FirewallSupport(PortRange(5000, 5001)), grace=5.0
        )
        expected = [
            "firewall_support.data_channel_port_range: 0-0 -> 5000-5001",
            "grace: 10 -> 5",
            "limits.max_connections of site 'x': 0 -> 5",
            "messages.banner of site 'x': '' -> 'a\\nb'",
        ]
        self.assertEqual(expected, describe_change(old, new))

    def test_sites(self) -> None:
        """Sites that come and go."""
        other = evolve(SITE, name="y", port=3000)
        self.assertEqual(["site 'x': removed", "site 'y': added"], describe_change(ServerSettings((SITE,)), ServerSettings((other,))))

    def test_secrets(self) -> None:
        """Strings that may hold passwords are not shown."""
        new = evolve(SITE, authentication=Authentication(strcred=("memory:alice:secret",)))
        self.assertEqual(["authentication.strcred of site 'x': changed"], describe_change(ServerSettings((SITE,)), ServerSettings((new,))))

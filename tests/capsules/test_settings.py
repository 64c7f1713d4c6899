"""Tests of the settings in a capsule: what a replay needs, and nothing of the machine."""

import json

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from twistftp.capsules.settings import plain_settings, site_settings
from twistftp.policy.file_handling import FileHandling
from twistftp.policy.filtering import RequestFiltering
from twistftp.policy.settings import Authentication, DirectoryBrowse, Limits, Logging, Messages, SiteSettings
from twistftp.policy.tls import TLSSettings


class SettingsTests(SynchronousTestCase):
    """:func:`plain_settings` and :func:`site_settings`."""

    def test_round_trip(self) -> None:
        """What matters comes back, through JSON, too."""
        site = SiteSettings(
            root="/",
            name="A",
            host_name="ftp.example.org",
            messages=Messages(banner="Hello %SiteName%"),
            limits=Limits(control_channel_timeout=9),
            directory_browse=DirectoryBrowse(style="ms-dos"),
            file_handling=FileHandling(keep_partial_uploads=True),
            request_filtering=RequestFiltering(denied_commands=("SYST",)),
            authentication=Authentication(anonymous_names=("guest",)),
        )
        self.assertEqual(site, site_settings(json.loads(json.dumps(plain_settings(site)))))

    def test_defaults(self) -> None:
        """A site with nothing special has none."""
        self.assertEqual({}, plain_settings(SiteSettings(root="/srv/secret")))
        self.assertEqual(SiteSettings(root="/"), site_settings({}))

    def test_nothing_of_the_machine(self) -> None:
        """Paths, addresses and where users come from are left out; a certificate becomes one of the replay's own."""
        site = SiteSettings(
            root="/srv/secret",
            address="192.0.2.7",
            port=21,
            logging=Logging(file="/var/secret", capture="/var/secret"),
            authentication=Authentication(users_file="/etc/secret", strcred=("memory:a:secret",)),
            tls=TLSSettings(certificate="/etc/secret.pem", private_key="/etc/secret.key", data_channel="require"),
        )
        site = evolve(site, request_filtering=RequestFiltering(hidden_segments=("secret",)))
        self.assertEqual({"tls": {"data_channel": "require", "self_signed": True}}, plain_settings(site))

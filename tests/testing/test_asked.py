"""What a test may ask of a site: each mistake has a line that names it."""

from __future__ import annotations

from typing import Any

from attrs import fields
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.settings import SiteSettings
from twistftp.testing import FTPServer


class AskedTests(SynchronousTestCase):
    """Nothing is started here."""

    def test_mistakes(self) -> None:
        wrong: tuple[tuple[dict[str, Any], type[Exception], str], ...] = (
            ({"tls": {"session": "require"}}, ValueError, "tls must be True, False, .* not {'session'"),
            ({"tls": 1}, ValueError, "tls must be .* not 1"),
            ({"port": "21"}, TypeError, "port must be a number, or None for a free one, not '21'"),
            ({"port": True}, TypeError, "port must be a number"),
            ({"port": 65536}, ValueError, "port must be from 0 to 65535, not 65536"),
            ({"users": ["alice"]}, TypeError, "users must be a mapping of names to passwords"),
            ({"users": {"alice": None}}, TypeError, "users must be a mapping of names to passwords"),
            ({"files": ["a"]}, TypeError, "files must be a mapping of paths to contents, not list"),
            ({"files": {"d": {3: b""}}}, TypeError, "a path must be a str, not 3"),
            ({"files": {"/": b""}}, ValueError, "'/' is the root, and no name"),
            ({"files": {"a": b"", "a/b/c": b""}}, ValueError, "a/b/c cannot be in a, which is a file"),
            ({"user": {"alice": "x"}}, TypeError, "a site has no option 'user'; did you mean users"),
            ({"limit": {}}, TypeError, "a site has no option 'limit'; did you mean limits"),
            ({"limits": {"max_connections": object()}}, TypeError, "limits must be as in the configuration file"),
            ({"chaos": "reset_at"}, TypeError, r"^reset_at\(\) missing 1 required .* 'octet'$"),
        )
        for options, kind, text in wrong:
            with self.assertRaises(kind) as caught:
                FTPServer(**options)
            self.assertRegex(str(caught.exception), text)

    def test_what_has_another_name(self) -> None:
        """Sections that would change nothing at such a site are not taken in silence."""
        for name in ("authentication", "virtual_directory", "user_isolation", "listen", "auto_start", "logging"):
            self.assertRaisesRegex(ValueError, f"^{name} is not for sites of tests: .", FTPServer, **{name: {}})
            self.assertIn(name, {field.name for field in fields(SiteSettings)})

    def test_ports(self) -> None:
        for port in (None, 0, 65535):
            FTPServer(port=port)

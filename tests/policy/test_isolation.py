"""Tests of ``policy.isolation``: a user's name becomes one directory or nothing."""

import posixpath

from hypothesis import given
from hypothesis.strategies import sampled_from, text
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.denials import Denial, Reason
from twistftp.policy.isolation import Home, UserIsolation, VirtualDirectory, is_folder_name
from twistftp.policy.rules import BadSetting

NAMES = text(max_size=20) | text(sampled_from("./\\ a\0\n~${}:\udc80"), max_size=8)
TEMPLATES = sampled_from(("LocalUser/{user}", "{user}", "a/x-{user}.d/files", ".{user}", "/home/{user}/ftp", "/{user}", "/srv/{user}"))


def isolate(**values: str) -> UserIsolation:
    return UserIsolation("isolate", **values)


class HomeTests(SynchronousTestCase):
    """Homes by the settings and the user's name."""

    @given(TEMPLATES, NAMES)
    def test_no_name_escapes(self, template: str, user: str) -> None:
        """Whatever the name, the home has the shape of the template, with one name where the template has one."""
        home = isolate(home=template).home_of(user)
        if isinstance(home, Denial):
            self.assertEqual(Reason.HOME_NAME, home.reason)
            return
        assert home is not None
        parts = [*(part for part in home.base.split("/") if part), *home.names, *home.below]
        self.assertEqual(len([part for part in template.split("/") if part]), len(parts))
        for part in parts:
            self.assertFalse(part in ("", ".", "..") or set(part) & set("/\\\0\n"), parts)
        path = posixpath.join(home.base or "/root", *home.names, *home.below)
        self.assertEqual(path.rstrip("/"), posixpath.normpath(path))

    def test_where(self) -> None:
        """Below the root or absolute; what lies behind the user's own directory is told apart."""
        for template, expected in {
            "LocalUser/{user}": Home("", ("LocalUser", "al")),
            "{user}/ftp/pub": Home("", ("al",), ("ftp", "pub")),
            "/home/{user}/ftp": Home("/home", ("al",), ("ftp",)),
            "/{user}": Home("/", ("al",)),
            "team": Home("", ("team",)),
            "/srv/team": Home("/srv/team", ()),
        }.items():
            self.assertEqual(expected, isolate(home=template).home_of("al"))

    def test_anonymous(self) -> None:
        """Anonymous users share theirs, whatever name they gave."""
        self.assertEqual(Home("", ("LocalUser", "Public")), isolate().home_of(None))
        self.assertEqual(Home("/srv/pub", ()), isolate(anonymous_home="/srv/pub").home_of(None))

    def test_nobody(self) -> None:
        """Without isolation nobody has one, and no name is refused."""
        self.assertIsNone(UserIsolation().home_of("../x"))

    @given(TEMPLATES, sampled_from(("alice", "x.y", "\xe9")))
    def test_seen(self, template: str, user: str) -> None:
        """Every home lies in what is said to be seen; where homes are not isolated, that is the root."""
        isolation = isolate(home=template, anonymous_home="LocalUser/Public")
        home = isolation.home_of(user)
        assert isinstance(home, Home)
        way = posixpath.join(home.base or "/root", *(str(name) for name in home.names))
        seen, public = isolation.seen("/root")
        self.assertTrue(posixpath.normpath(way).startswith(posixpath.join(posixpath.normpath(seen), "")), (way, seen))
        self.assertEqual("/root/LocalUser/Public", public)
        self.assertEqual(("/root",), UserIsolation("start_in_users_directory").seen("/root"))
        self.assertEqual(("/root",), UserIsolation().seen("/root"))

    def test_names(self) -> None:
        """What can be a directory on any system."""
        for name in ("alice", "a.b", "Ä", "a b", "x" * 255, "dan@example.org", "~root", "$HOME"):
            self.assertTrue(is_folder_name(name), name)
        for name in ("", ".", "..", "a/b", "a\\b", "c:", "a\0", "a\x7f", " a", "a ", "a.", "ä" * 128, "*", 'a"b'):
            self.assertFalse(is_folder_name(name), name)


class RuleTests(SynchronousTestCase):
    """What the settings may be."""

    def test_refusals(self) -> None:
        """Each fault is refused by the name of its setting."""
        for values, name in (
            ({"mode": "all"}, "mode"),
            ({"home": ""}, "home"),
            ({"home": "../{user}"}, "home"),
            ({"home": "a/{name}"}, "home"),
            ({"home": "a/{}"}, "home"),
            ({"anonymous_home": "a/{user}"}, "anonymous_home"),
            ({"mode": "start_in_users_directory", "home": "/home/{user}"}, "home"),
        ):
            self.assertEqual(name, self.assertRaises(BadSetting, UserIsolation, **values).name)

    def test_virtual_directories(self) -> None:
        """They have a path of their own."""
        for path in ("", "/", "archive", "/../x", "//"):
            self.assertRaises(BadSetting, VirtualDirectory, path, "/mnt")
        self.assertEqual(("a", "b"), VirtualDirectory("/a//b/", "/mnt").names)

"""Tests of ``cli.doctor.target``: URLs and ranges taken apart."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.cli.doctor.target import TargetError, parse_ports, parse_target

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), min_size=1, max_size=12)


class TargetTests(SynchronousTestCase):
    """``parse_target``."""

    def test_plain(self) -> None:
        """A host is enough: the usual ports, and the anonymous user."""
        for scheme, port in (("ftp", 21), ("ftpes", 21), ("ftps", 990)):
            target = parse_target(f"{scheme}://ftp.example.org")
            self.assertEqual((scheme, "ftp.example.org", port, True), (target.scheme, target.host, target.port, target.is_anonymous))
            self.assertEqual(("", "anonymous"), (target.secret, target.user))
            self.assertTrue(target.sent_password)

    def test_hosts(self) -> None:
        """Names and addresses; IPv6 stands in brackets, with a zone if need be."""
        for text, host, is_address in (
            ("192.0.2.7", "192.0.2.7", True),
            ("[2001:db8::1]", "2001:db8::1", True),
            ("[fe80::1%25eth0]", "fe80::1%eth0", True),
            ("Example.ORG", "example.org", False),
        ):
            target = parse_target(f"ftp://{text}:2121/")
            self.assertEqual((host, 2121, is_address, ""), (target.host, target.port, target.is_address, target.path))

    @given(WORDS, WORDS, WORDS)
    def test_escapes(self, user: str, password: str, path: str) -> None:
        """What is escaped comes out as it was; the password is not in what Python shows of it."""
        target = parse_target(f"ftp://{quote(user, safe='')}:{quote(password, safe='')}@h/{quote(path, safe='')}")
        self.assertEqual((user, password, path), (target.user, target.password, target.path))
        if len(password) > 3 and password not in (user + path):
            self.assertNotIn(repr(password), repr(target))
        self.assertEqual((password, password, False), (target.secret, target.sent_password, target.is_anonymous))

    def test_bad(self) -> None:
        """Mistakes are named, and the password is not repeated."""
        for url, words in (
            ("http://u:se3cret@h", "begins with"),
            ("ftp.example.org", "begins with"),
            ("ftp://u:se3cret@", "no host"),
            ("ftp://u:se3cret@h:70000", "port"),
            ("ftp://u:se3cret@h:0", "port 0"),
            ("ftp://u:se3cret@[::1", "brackets"),
            ("ftp://u:se3cret#x@h", "%23"),
            ("ftp://u:se3cret%0D%0ADELE@h", "line ends"),
            ("ftp://u:se3cret%FF@h", "UTF-8"),
            ("ftp://u:se3cret@h ", "blanks"),
            ("ftp://u:se3cret@h%1bx", "control"),
        ):
            with self.subTest(url=url):
                error = self.assertRaises(TargetError, parse_target, url)
                self.assertIn(words, str(error))
                self.assertNotIn("se3cret", str(error))

    def test_ports(self) -> None:
        """Both ends count."""
        self.assertEqual([range(5, 8), range(9, 10)], [parse_ports("5-7"), parse_ports("9")])
        for text in ("", "-", "7-5", "0-5", "5-", "-5", "1-70000", "a-b", "5-7-9", "5 - 7", "٣"):
            self.assertRaises(TargetError, parse_ports, text)

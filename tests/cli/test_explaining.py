"""Tests of ``cli.explaining`` and ``cli.access_text``: who may do what, and why."""

from __future__ import annotations

import os
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from tests.support.trees import Link, plant
from twistftp.cli import main

RULES = """
[site.groups]
staff = ["alice"]
[[site.authorization]]
access = "deny"
users = ["?"]
permissions = ["read"]
path = "/secret"
[[site.authorization]]
access = "allow"
users = ["*"]
permissions = ["read"]
[[site.authorization]]
access = "allow"
users = ["@staff"]
permissions = ["write"]
path = "/archive/in"
"""


class ExplainTests(SynchronousTestCase):
    """``twistftp check CONFIG --explain USER PATH``."""

    def setUp(self) -> None:
        self.base = os.path.realpath(self.mktemp())
        plant(
            self.base,
            {
                "pub": {"secret": {"x": b"x"}, "link": Link("secret/x"), "a.exe": b"a", "d.exe": {}, "LocalUser": {"alice": {"f": b"f"}}},
                "arch": {"in": {}},
            },
        )

    def explain(self, rest: str, user: str, path: str) -> Result:
        file = Path(self.base) / "ftp.toml"
        file.write_text(f'[[site]]\nname = "S"\nroot = "pub"\n{rest}', "utf-8")
        return CliRunner().invoke(main, ["check", str(file), "--explain", user, path])

    def lines(self, rest: str, user: str, path: str, status: int = 0) -> dict[str, str]:
        """What is said, by its heading."""
        result = self.explain(rest, user, path)
        self.assertEqual(status, result.exit_code, result.output)
        first, *lines = result.output.splitlines()
        self.assertEqual("site 'S'", first)
        return {what.strip(): text.strip() for what, _, text in (line.partition(":") for line in lines)}

    def test_defaults(self) -> None:
        """Without rules the default ones are named."""
        expected = {
            "user": "anonymous",
            "path": "/secret/x",
            "home": f'{self.base}/pub, which everybody sees as "/"',
            "real path": f"{self.base}/pub/secret/x",
            "request filtering": "lets it pass",
            "read": "allowed by default rule 1: allow anonymous users to read everything",
            "write": "denied by default rule 2: forbid anonymous users to write everything",
        }
        for user in ("", "?", "ftp", "Anonymous"):
            self.assertEqual(expected, self.lines("", user, "secret/x"))
        named = self.lines("", "alice", "/")
        self.assertEqual(("alice", "allowed by default rule 3: allow everyone to read and write everything"), (named["user"], named["write"]))

    def test_rules(self) -> None:
        """The rule that decides, for the path and for where it leads."""
        why = "denied by authorization rule 1: forbid anonymous users to read /secret and everything below it"
        self.assertEqual(why, self.lines(RULES, "?", "/secret/none", 1)["read"])
        told = self.lines(RULES, "?", "/link", 1)
        self.assertEqual(("/secret/x", f"{self.base}/pub/secret/x"), (told["without links"], told["real path"]))
        self.assertIn("rule 1", told["read"])
        self.assertEqual("denied: no authorization rule matches", told["write"])
        self.assertEqual("allowed by authorization rule 2: allow everyone to read everything", self.lines(RULES, "alice", "/secret/x")["read"])

    def test_virtual_directories(self) -> None:
        """Where they really are."""
        rest = RULES + f'[[site.virtual_directory]]\npath = "/archive"\nroot = "{self.base}/arch"\n'
        told = self.lines(rest, "alice", "/archive/in/new")
        self.assertEqual(f"/archive, which is {self.base}/arch", told["virtual directory"])
        self.assertEqual(f"{self.base}/arch/in/new (not there)", told["real path"])
        self.assertIn("allowed by authorization rule 3: allow the group staff to write /archive/in", told["write"])

    def test_filters(self) -> None:
        """What a filter refuses no rule opens; directories have no extension."""
        rest = '[site.request_filtering]\ndenied_extensions = ["exe"]\nhidden_segments = ["secret"]\n'
        self.assertEqual("refuses it: denied extension '.exe' (EXTENSION)", self.lines(rest, "?", "/a.exe", 1)["request filtering"])
        self.assertEqual("refuses it: hidden segment 'secret' (HIDDEN_SEGMENT)", self.lines(rest, "?", "/link", 1)["request filtering"])
        self.assertEqual("lets it pass", self.lines(rest, "?", "/d.exe")["request filtering"])

    def test_homes(self) -> None:
        """Whose home is where, and who has none."""
        rest = '[site.user_isolation]\nmode = "isolate"\n'
        told = self.lines(rest, "alice", "f")
        self.assertEqual((f'{self.base}/pub/LocalUser/alice, which the user sees as "/"', "/f"), (told["home"], told["path"]))
        told = self.lines(rest, "bob", "f", 1)
        self.assertEqual(f"refused: there is no home directory {self.base}/pub/LocalUser/bob (HOME_MISSING)", told["login"])
        told = self.lines('[site.user_isolation]\nmode = "start_in_users_directory"\n', "alice", "f")
        self.assertEqual((f"{self.base}/pub, starting in /LocalUser/alice", "/LocalUser/alice/f"), (told["home"], told["path"]))

    def test_logins(self) -> None:
        """Who cannot log in at all."""
        told = self.lines("[site.authentication]\nanonymous = false\n", "?", "/", 1)
        self.assertEqual("refused: anonymous access is off", told["login"])
        told = self.lines(RULES.replace('"*"', '"bob"'), "?", "/", 1)
        self.assertIn("(NO_RULE)", told["login"])

    def test_several_sites(self) -> None:
        """Each is told of; the status is good if one lets the user in."""
        other = '[[site]]\nname = "T"\nport = 2122\nroot = "pub"\n[site.authentication]\nanonymous = false\n'
        result = self.explain(other, "?", "/")
        self.assertEqual(0, result.exit_code)
        self.assertIn("site 'T'\n  user:              anonymous\n  login:             refused", result.output)

    def test_misspelt_commands(self) -> None:
        """A denied command that there is not is warned of."""
        self.explain('[site.request_filtering]\ndenied_commands = ["DEL", "DELE"]\n', "?", "/")
        result = CliRunner().invoke(main, ["check", os.path.join(self.base, "ftp.toml")])
        warnings = [line for line in result.output.splitlines() if line.startswith("warning: denied")]
        self.assertEqual((0, ["warning: denied_commands of site 'S' names DEL, which is no verb of this server"]), (result.exit_code, warnings))

    def test_description(self) -> None:
        """``check`` alone says all of it in words."""
        rest = f"""{RULES}
[[site.virtual_directory]]
path = "/archive"
root = "{self.base}/arch"
[site.user_isolation]
mode = "isolate"
[site.request_filtering]
hidden_segments = [".git", "x"]
deny_url_sequences = ["~"]
denied_extensions = ["exe"]
denied_commands = ["SYST"]
max_url = 100
max_content_length = 1000
"""
        self.explain(rest, "?", "/")
        result = CliRunner().invoke(main, ["check", os.path.join(self.base, "ftp.toml")])
        self.assertEqual(0, result.exit_code, result.output)
        for line in (
            f"serves {self.base}/arch as the virtual directory /archive",
            "isolates users: each sees only LocalUser/{user}, anonymous users LocalUser/Public; without it nobody can log in",
            "authorization rule 3: allow the group staff to write /archive/in and everything below it",
            "the group staff: alice",
            "hides everything named .git, x",
            "refuses paths that hold ~",
            "refuses files that end in exe",
            "denies the commands SYST",
            "refuses paths of more than 100 octets",
            "refuses uploads of more than 1000 octets",
            "anonymous users (anonymous, ftp) may read, but for some paths; there are no users with names",
        ):
            self.assertIn(f"  {line}\n", result.output)
        self.explain('[site.user_isolation]\nmode = "start_in_users_directory"\n', "?", "/")
        result = CliRunner().invoke(main, ["check", os.path.join(self.base, "ftp.toml")])
        self.assertIn("users start in LocalUser/{user}, anonymous ones in LocalUser/Public, and see the whole site", result.output)

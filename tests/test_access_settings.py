"""Rules, homes, virtual directories and filters as the file and the options say them: ``configuration``, ``structuring``, ``options``."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from twistftp.configuration import ConfigurationError, describe_change, read
from twistftp.options import Options
from twistftp.policy.authorization import Rule
from twistftp.policy.filtering import RequestFiltering
from twistftp.policy.isolation import UserIsolation, VirtualDirectory
from twistftp.policy.settings import ServerSettings
from twistftp.roots import Place

FULL = """
[[site]]
root = "pub"
[site.groups]
staff = ["alice", "bob"]
nobody = []
[[site.authorization]]
access = "deny"
users = ["?", "@nobody"]
permissions = ["read", "write"]
path = "/private"
[[site.authorization]]
access = "allow"
users = ["@staff"]
permissions = ["write"]
[[site.virtual_directory]]
path = "/archive"
root = "archive"
[[site.virtual_directory]]
path = "/old"
root = "$TWISTFTP_TEST_OLD"
[site.user_isolation]
mode = "isolate"
home = "$TWISTFTP_TEST_OLD/{user}"
anonymous_home = "public"
[site.request_filtering]
hidden_segments = [".git"]
deny_url_sequences = ["~"]
denied_extensions = ["exe"]
denied_commands = ["syst"]
max_url = 200
max_content_length = 1000000
"""

RULE = "[[site.authorization]]\naccess = 'allow'\nusers = ['*']\npermissions = ['read']\n"

MISTAKES = {
    "[site.authorization]\naccess = 'allow'": (
        "[[site]] authorization = { access = \"allow\" }: each is a table of its own with two brackets: [[site.authorization]]"
    ),
    "[[site.authorization]]\naccess = 'allow'": "[[site.authorization]] users (number 1): is required",
    f"{RULE}pathh = '/'": "[[site.authorization]] pathh (number 1): unknown key; did you mean path?",
    f"{RULE}path = 'x'": (
        '[[site.authorization]] path (number 1) = "x": must be a path as clients see it, from the root and without "..", such as "/incoming"'
    ),
    f"{RULE}{RULE.replace('allow', 'permit')}": '[[site.authorization]] access (number 2) = "permit": must be one of allow, deny',
    RULE.replace("'read'", "'list'"): "[[site.authorization]] permissions (number 1) = [\"list\"]: must be read, write, or both",
    RULE.replace("['*']", "'*'"): '[[site.authorization]] users (number 1) = "*": must be a list of texts: ["…", "…"]',
    RULE.replace("*", "@team"): '[[site]] authorization = "@team": names a group that [site.groups] does not have',
    "[site.groups]\nstaff = 'alice'": "[[site]] groups = { staff = \"alice\" }: must be a table of lists: staff = [\"alice\", \"bob\"]",
    "[site.groups]\nstaff = ['alice', '@staff']": (
        '[[site]] groups = "@staff": is no name of a user; a group holds users alone, no groups, and neither "?" nor "*"'
    ),
    "[[site.virtual_directory]]\npath = '/a'\nroot = 'nix'": "[[site.virtual_directory]] root (number 1) = \"nix\": no such directory ({base}/nix)",
    "[[site.virtual_directory]]\npath = '/'\nroot = 'pub'": (
        "[[site.virtual_directory]] path (number 1) = \"/\": is the site's root already; a virtual directory needs a name"
    ),
    "[[site.virtual_directory]]\npath = '/a'\nroot = 'pub'\n" * 2: '[[site]] virtual_directory = "/a": two virtual directories have this path',
    "[site.user_isolation]\nmode = 'isolated'": (
        '[site.user_isolation] mode = "isolated": must be one of none, start_in_users_directory, isolate'
    ),
    "[site.user_isolation]\nhome = '/srv/{name}'": (
        "[site.user_isolation] home = \"/srv/{name}\": {name} is unknown; {user} stands for the user's name"
    ),
    "[site.user_isolation]\nhome = '/$TWISTFTP_UNSET/{user}'": (
        '[site.user_isolation] home = "/$TWISTFTP_UNSET/{user}": the environment variable TWISTFTP_UNSET is not set'
    ),
    "[site.user_isolation]\nhome = '$TWISTFTP_TEST_BAD/{user}'": (
        '[site.user_isolation] home = "/a/../b/{user}": must be a directory below the root, or an absolute one, without "..", such as '
        '"LocalUser/{user}"'
    ),
    "[site.request_filtering]\ndenied_commands = ['QUIT']": (
        "[site.request_filtering] denied_commands = [\"QUIT\"]: without QUIT nobody could use the site; set auto_start = false to switch it off"
    ),
    "[site.request_filtering]\nmax_url = 10": "[site.request_filtering] max_url = 10: must be 32 to 32768 octets",
    "[site.request_filtering]\nhidden = ['x']": "[site.request_filtering] hidden: unknown key",
}


class Case(SynchronousTestCase):
    """A directory with ``pub``, ``archive``, ``old`` and a file ``ftp.toml``."""

    def setUp(self) -> None:
        self.base = Path(self.mktemp()).absolute()
        for name in ("pub", "archive", "old"):
            (self.base / name).mkdir(parents=True)
        self.file = self.base / "ftp.toml"
        for name, value in (("OLD", str(self.base / "old")), ("BAD", "/a/../b")):
            os.environ[f"TWISTFTP_TEST_{name}"] = value
            self.addCleanup(os.environ.pop, f"TWISTFTP_TEST_{name}")

    def read(self, text: str) -> ServerSettings:
        self.file.write_text(text, "utf-8")
        return read(str(self.file))


class FileTests(Case):
    """The tables of the file."""

    def test_full(self) -> None:
        """Every key arrives in its setting; roots are found as that of the site is."""
        (site,) = self.read(FULL).sites
        self.assertEqual((("staff", ("alice", "bob")), ("nobody", ())), site.groups)
        rules = (Rule("deny", ("?", "@nobody"), ("read", "write"), "/private"), Rule("allow", ("@staff",), ("write",)))
        self.assertEqual(rules, site.authorization)
        virtual = (VirtualDirectory("/archive", str(self.base / "archive")), VirtualDirectory("/old", str(self.base / "old")))
        self.assertEqual(virtual, site.virtual_directory)
        self.assertEqual(UserIsolation("isolate", f"{self.base}/old/{{user}}", "public"), site.user_isolation)
        self.assertEqual(RequestFiltering((".git",), ("~",), ("exe",), ("syst",), 200, 1000000), site.request_filtering)

    def test_mistakes(self) -> None:
        """Each is one line that names the key, the value and the rule."""
        for content, line in MISTAKES.items():
            error = str(self.assertRaises(ConfigurationError, self.read, f'[[site]]\nroot = "pub"\n{content}'))
            self.assertEqual(f"{self.file}: {line.replace('{base}', str(self.base))}", error)

    def test_changes_in_words(self) -> None:
        """What SIGHUP logs."""
        before = self.read('[[site]]\nroot = "pub"\n')
        lines = describe_change(before, self.read('[[site]]\nroot = "pub"\n[[site.virtual_directory]]\npath = "/a"\nroot = "old"\n' + RULE))
        self.assertEqual(
            [
                "authorization of site 'twistftp': [] -> [allow *:read:/]",
                f"virtual_directory of site 'twistftp': [] -> [/a = {self.base}/old]",
            ],
            lines,
        )

    def test_behind_a_chroot(self) -> None:
        """Roots of virtual directories are paths behind it, as the site's own."""
        self.file.write_text('[[site]]\nroot = "pub"\n[[site.virtual_directory]]\npath = "/a"\nroot = "/old"\n', "utf-8")
        (site,) = read(str(self.file), {}, Place(str(self.base))).sites
        self.assertEqual("/old", site.virtual_directory[0].root)


class OptionTests(Case):
    """``--allow`` and ``--deny``."""

    def options(self, *arguments: str) -> Options:
        options = Options()
        options.parseOptions(["--root", str(self.base / "pub"), *arguments])
        return options

    def test_order(self) -> None:
        """One list, in the order in which they were given."""
        options = self.options("--deny", "?:read:/a", "--allow", "?:read", "--deny", "alice,bob:write:/b:c", "--allow", "*:read,write")
        expected = ["deny ?:read:/a", "allow ?:read:/", "deny alice,bob:write:/b:c", "allow *:read,write:/"]
        self.assertEqual(expected, [str(rule) for rule in options.settings.sites[0].authorization])

    def test_none(self) -> None:
        """Without any there are no rules, so the default ones hold."""
        self.assertEqual((), self.options().settings.sites[0].authorization)

    def test_mistakes(self) -> None:
        """The option, what was given and the form are named."""
        for arguments, start in (
            (("--allow", "?"), "--allow ?: must be USERS:PERMISSIONS[:/path]"),
            (("--deny", "?:list"), "--deny ?:list: permissions must be read, write, or both; the form is USERS:PERMISSIONS[:/path]"),
            (("--allow", "@staff:read"), '--allow "@staff": names a group that [site.groups] does not have'),
        ):
            error = self.assertRaises(UsageError, self.options, *arguments)
            self.assertTrue(str(error).startswith(start), str(error))

    def test_beside_a_file(self) -> None:
        """Options stand instead of the file's rules, and may name its groups; SIGHUP does not forget them."""
        self.file.write_text(f"[[site]]\nroot = '{self.base}/pub'\n[site.groups]\nstaff = ['alice']\n{RULE}", "utf-8")
        options = Options()
        options.parseOptions(["--config", str(self.file), "--allow", "@staff:read"])
        for settings in (options.settings, options.reread()):
            self.assertEqual(["allow @staff:read:/"], [str(rule) for rule in settings.sites[0].authorization])

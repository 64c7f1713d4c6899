"""A real ``twistd`` with rules, virtual directories, homes and filters, and ftplib: what users can do, and what the log says."""

from __future__ import annotations

import ftplib
import io
import os
import signal
import tempfile
from pathlib import Path
from unittest import SkipTest

from tests.support.clients import ClientsCase
from tests.support.trees import Link, plant
from tests.support.twistd import Twistd, run

SITE = """
[[site]]
root = "pub"
port = 0
address = "127.0.0.1"
[site.authentication]
strcred = ["memory:alice:secret:bob:b:carol:c"]
[site.logon_attempts]
delay = 0
[site.logging]
commands = true
"""

RULES = """
[site.groups]
staff = ["alice", "bob"]
[[site.authorization]]
access = "deny"
users = ["?"]
permissions = ["read"]
path = "/private"
[[site.authorization]]
access = "allow"
users = ["?", "@staff"]
permissions = ["read"]
[[site.authorization]]
access = "allow"
users = ["@staff"]
permissions = ["write"]
path = "/incoming"
"""

VIRTUAL = """
[[site.virtual_directory]]
path = "/archive"
root = "archive"
"""

FILTERS = """
[site.request_filtering]
hidden_segments = [".git"]
denied_extensions = ["exe"]
denied_commands = ["SYST"]
"""


class Case(ClientsCase):
    """``self.base`` holds ``pub``, ``archive`` and ``ftp.toml``."""

    def setUp(self) -> None:
        self.base = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.file = self.base / "ftp.toml"
        plant(
            str(self.base),
            {
                "pub": {
                    "readme": b"hello",
                    "tool.exe": b"MZ",
                    ".git": {"config": b"c"},
                    "private": {"plan": b"plan"},
                    "around": Link("private"),
                    "incoming": {},
                    "LocalUser": {"Public": {"p": b"p"}, "alice": {"a": b"a"}},
                },
                "archive": {"old": b"old", "out": Link("../pub/readme")},
            },
        )

    def serve(self, text: str) -> Twistd:
        self.file.write_text(text, "utf-8")
        return self.enterContext(Twistd("ftpsite", "--config", "ftp.toml", directory=self.base))

    def fetch(self, client: ftplib.FTP, name: str) -> bytes:
        received = io.BytesIO()
        client.retrbinary(f"RETR {name}", received.write)
        return received.getvalue()

    def refused(self, function: object, *arguments: object) -> str:
        return str(self.assertRaises(ftplib.error_perm, function, *arguments))

    def end(self, server: Twistd) -> None:
        self.hang_up()
        server.signal(signal.SIGTERM)
        self.assertEqual(0, server.end())
        self.assertFalse([line for line in server.lines if "Traceback" in line or "Unhandled" in line])


class RuleTests(Case):
    """Authorization and filtering."""

    def test_who_sees_what(self) -> None:
        """P-SEC-20: anonymous users, a group and a stranger; links lead around nothing; each refusal is in the log with its cause."""
        server = self.serve(SITE + RULES + VIRTUAL + FILTERS)
        who = r"anonymous users may read, but for some paths; named users \(memory\) have no access; rules name the group staff"
        match = server.wait_for(rf"on port (\d+) of .*; {who}")
        port = int(match[1])
        client = self.client(port)
        self.assertEqual(["LocalUser", "archive", "incoming", "readme", "tool.exe"], client.nlst())
        self.assertEqual(["archive/old", "archive/out"], client.nlst("archive"))
        self.assertEqual((b"hello", b"old"), (self.fetch(client, "readme"), self.fetch(client, "archive/old")))
        for name, reply, cause in (
            ("private/plan", "550 private/plan: Permission denied.", r"authorization rule 1 \(deny \?:read:/private\)"),
            ("private/none", "550 private/none: Permission denied.", r"authorization rule 1 \(deny \?:read:/private\)"),
            ("around/plan", "550 around/plan: Permission denied.", r"authorization rule 1 \(deny \?:read:/private\)"),
            (".git/config", "550 .git/config: No such file or directory.", "hidden segment '.git'"),
            ("tool.exe", "550 tool.exe: Permission denied; files of this type are not allowed here.", "denied extension '.exe'"),
        ):
            self.assertEqual(reply, self.refused(self.fetch, client, name))
            server.wait_for(rf"anonymous: RETR /{name} refused: {cause}")
        self.assertEqual("550 archive/out: No such file or directory.", self.refused(self.fetch, client, "archive/out"))
        self.assertEqual("502 SYST is switched off on this server.", self.refused(client.sendcmd, "SYST"))
        self.assertNotIn("private", "".join(name for name, _ in client.mlsd()))
        client.cwd("archive")
        self.assertEqual("/archive", client.pwd())
        alice = self.client(port, "alice", "secret")
        self.assertEqual((b"plan", b"plan"), (self.fetch(alice, "private/plan"), self.fetch(alice, "around/plan")))
        self.assertEqual("530 User cannot log in, home directory inaccessible.", self.refused(self.client, port, "carol", "c"))
        server.wait_for("carol: failed to log in: no authorization rule allows to read here")
        self.end(server)

    def test_hangup(self) -> None:
        """New rules hold for the next command of a session that is there; the old and the new are logged."""
        if not hasattr(signal, "SIGHUP"):
            raise SkipTest("this system has no SIGHUP")
        server = self.serve(SITE)
        port = server.port()
        client, alice = self.client(port), self.client(port, "alice", "secret")
        self.assertEqual(b"plan", self.fetch(client, "private/plan"))
        self.file.write_text(SITE + RULES, "utf-8")
        server.signal(signal.SIGHUP)
        server.wait_for(r"SIGHUP: authorization of site 'twistftp': \[\] -> \[deny \?:read:/private, ")
        self.assertEqual("550 private/plan: Permission denied.", self.refused(self.fetch, client, "private/plan"))
        self.assertEqual(b"plan", self.fetch(alice, "private/plan"))
        self.file.write_text(SITE + RULES.replace("@staff", "@team"), "utf-8")
        server.signal(signal.SIGHUP)
        server.wait_for(r'SIGHUP: .*\[\[site\]\] authorization = "@team": names a group .*; the old settings stay')
        self.file.write_text(SITE, "utf-8")
        server.signal(signal.SIGHUP)
        server.wait_for(r"SIGHUP: authorization of site 'twistftp': .* -> \[\]")
        self.assertEqual(b"plan", self.fetch(client, "private/plan"))
        self.end(server)

    def test_options(self) -> None:
        """``--deny`` and ``--allow`` do the same without a file."""
        arguments = ("--root", "pub", "-p", "0", "-i", "127.0.0.1", "--deny", "?:read:/private", "--allow", "?:read")
        with Twistd("ftpsite", *arguments, directory=self.base) as server:
            client = self.client(server.port())
            self.assertNotIn("private", client.nlst())
            self.assertEqual("550 private: Permission denied.", self.refused(client.cwd, "private"))
            self.end(server)

    def test_missing_virtual_directory(self) -> None:
        """A virtual directory that is not there stops the start, in one line."""
        self.file.write_text(SITE + VIRTUAL.replace('"archive"', '"nix"'), "utf-8")
        ended = run("-n", "--pidfile=", "ftpsite", "--config", "ftp.toml", directory=self.base)
        self.assertEqual(1, ended.returncode)
        self.assertRegex(ended.stderr, r"\A[^\n]*\[\[site\.virtual_directory\]\] root \(number 1\) = \"nix\": no such directory[^\n]*\n\Z")


DROP_BOX = """
[[site.authorization]]
access = "deny"
users = ["?"]
permissions = ["read"]
path = "/incoming"
[[site.authorization]]
access = "allow"
users = ["*"]
permissions = ["read"]
[[site.authorization]]
access = "allow"
users = ["*"]
permissions = ["write"]
path = "/incoming"
[site.request_filtering]
denied_extensions = ["exe"]
max_content_length = 1000
"""


class WritingTests(Case):
    """Who may change what."""

    def store(self, client: ftplib.FTP, name: str, octets: int = 1) -> str:
        return client.storbinary(f"STOR {name}", io.BytesIO(b"x" * octets))

    def test_defaults(self) -> None:
        """P-SEC-7: anonymous users change nothing, and the log names the default rule; users with names do."""
        server = self.serve(SITE)
        port = server.port()
        client, alice = self.client(port), self.client(port, "alice", "secret")
        self.assertEqual("550 new: Permission denied.", self.refused(self.store, client, "new"))
        server.wait_for(r"anonymous: STOR /new refused: default rule 2 \(deny \?:write:/\)")
        self.assertEqual("226", self.store(alice, "new")[:3])
        self.assertEqual("r", dict(client.mlsd())["new"]["perm"])
        self.end(server)

    def test_drop_box(self) -> None:
        """P-SEC-7: after SIGHUP an anonymous session may write where the rules say, and what arrives it cannot see."""
        if not hasattr(signal, "SIGHUP"):
            raise SkipTest("this system has no SIGHUP")
        server = self.serve(SITE)
        port = server.port()
        client, alice = self.client(port), self.client(port, "alice", "secret")
        self.file.write_text(SITE + DROP_BOX + VIRTUAL, "utf-8")
        server.signal(signal.SIGHUP)
        server.wait_for("SIGHUP: request_filtering.max_content_length")
        self.assertEqual("226", self.store(client, "incoming/up", 1000)[:3])
        self.assertEqual("550 incoming/up: Permission denied.", self.refused(self.fetch, client, "incoming/up"))
        self.assertEqual("550 incoming: Permission denied.", self.refused(client.nlst, "incoming"))
        self.assertEqual(("e", "el"), tuple("".join(sorted(set(dict(one.mlsd())["incoming"]["perm"]) & set("el"))) for one in (client, alice)))
        for one in (client, alice):
            self.assertEqual("550 new: Permission denied.", self.refused(self.store, one, "new"))
            self.assertEqual("550 readme: Permission denied.", self.refused(one.delete, "readme"))
            refusal = self.refused(self.store, one, "incoming/x.exe")
            self.assertEqual("553 incoming/x.exe: Permission denied; files of this type are not allowed here.", refusal)
        self.assertEqual("552 Larger than the files that are accepted here.", self.refused(self.store, alice, "incoming/big", 1001))
        server.wait_for("alice: STOR /incoming/big refused: the upload is larger than 1000 octets")
        self.assertEqual(b"x" * 1000, self.fetch(alice, "incoming/up"))
        self.assertEqual("550 moved: Permission denied.", self.refused(alice.rename, "incoming/up", "moved"))
        self.assertEqual("250", alice.rename("incoming/up", "incoming/moved")[:3])
        self.assertEqual(["moved"], os.listdir(self.base / "pub" / "incoming"))
        self.end(server)

    def test_virtual_directories(self) -> None:
        """They take uploads, and are not removed."""
        server = self.serve(SITE + VIRTUAL)
        alice = self.client(server.port(), "alice", "secret")
        self.store(alice, "archive/new")
        self.assertIn("new", os.listdir(self.base / "archive"))
        text = "Permission denied; virtual directories are not for clients to change."
        self.assertEqual(f"550 archive: {text}", self.refused(alice.rmd, "archive"))
        self.assertEqual("550 archive: Directory already exists.", self.refused(alice.mkd, "archive"))
        self.assertEqual("550 archive/new", self.refused(alice.rename, "readme", "archive/new")[:15])
        self.end(server)

    def test_isolated(self) -> None:
        """P-PATH-4: what an isolated user stores is in the own home, whatever the path."""
        server = self.serve(SITE + '[site.user_isolation]\nmode = "isolate"\n')
        alice = self.client(server.port(), "alice", "secret")
        self.store(alice, "/../../new")
        self.assertEqual({"a", "new"}, set(os.listdir(self.base / "pub" / "LocalUser" / "alice")))
        self.end(server)


class HomeTests(Case):
    """User isolation."""

    def test_isolate(self) -> None:
        """Each in a home of their own; without one 530, and a line that names the folder."""
        server = self.serve(SITE + VIRTUAL + '[site.user_isolation]\nmode = "isolate"\n')
        port = server.port()
        self.assertEqual(["archive", "p"], self.client(port).nlst())
        alice = self.client(port, "alice", "secret")
        self.assertEqual((["a", "archive"], "/"), (alice.nlst(), alice.pwd()))
        for path in ("..", "/..", "/../..", "../Public"):
            try:
                alice.cwd(path)
            except ftplib.error_perm:
                continue
            self.assertEqual(["a", "archive"], alice.nlst())
        self.assertEqual("550 /LocalUser: No such file or directory.", self.refused(alice.cwd, "/LocalUser"))
        self.assertEqual("530 User cannot log in, home directory inaccessible.", self.refused(self.client, port, "bob", "b"))
        server.wait_for(rf"bob: failed to log in: there is no home directory {os.path.realpath(self.base)}/pub/LocalUser/bob")
        os.mkdir(self.base / "pub" / "LocalUser" / "bob")
        self.assertEqual(["archive"], self.client(port, "bob", "b").nlst())
        self.end(server)

    def test_start_in_users_directory(self) -> None:
        """The session starts there, and the whole site is seen."""
        server = self.serve(SITE + '[site.user_isolation]\nmode = "start_in_users_directory"\n')
        port = server.port()
        alice, anonymous = self.client(port, "alice", "secret"), self.client(port)
        self.assertEqual(("/LocalUser/alice", ["a"], ["p"]), (alice.pwd(), alice.nlst(), anonymous.nlst()))
        alice.cwd("/")
        self.assertIn("readme", alice.nlst())
        self.assertEqual("530 User cannot log in, home directory inaccessible.", self.refused(self.client, port, "bob", "b"))
        self.end(server)

    def test_privileges_and_chroot(self) -> None:
        """Homes and virtual directories behind ``--chroot``, for another user."""
        if os.name != "posix" or os.getuid() != 0:
            raise SkipTest("needs root")
        self.base.chmod(0o755)
        text = SITE.replace("pub", "/pub") + VIRTUAL.replace('"archive"', '"/archive"')
        self.file.write_text(f'{text}[site.user_isolation]\nmode = "isolate"\n', "utf-8")
        before = ("--chroot", str(self.base), "--uid", "65534")
        with Twistd(*before, "ftpsite", "--config", "ftp.toml", directory=self.base) as server:
            alice = self.client(server.port(), "alice", "secret")
            self.assertEqual(["a", "archive"], alice.nlst())
            self.assertEqual(b"old", self.fetch(alice, "archive/old"))
            self.end(server)

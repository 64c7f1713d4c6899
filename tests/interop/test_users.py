"""Users files and blocked addresses over real sockets, and in a real ``twistd``."""

from __future__ import annotations

import ftplib
import os
import shutil
import signal
import tempfile
from pathlib import Path
from threading import Thread
from unittest import SkipTest

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase

from tests.support.running import PATIENCE, SiteCase
from tests.support.twistd import Twistd, run
from twistftp.accounts.hashing import hash_password
from twistftp.accounts.saving import change
from twistftp.accounts.users_file import with_user

NOBODY = 65534
HASHES = {name: hash_password(password.encode()) for name, password in (("alice", "secret"), ("jürgen", "größe"), ("bob", "bobs"))}


def set_user(path: Path, name: str) -> None:
    change(str(path), lambda content: with_user(content, name, HASHES[name]))


def login(port: int, user: str, password: str) -> str:
    """The reply to PASS, or to the connection."""
    try:
        with ftplib.FTP(timeout=PATIENCE, encoding="utf-8") as ftp:
            ftp.connect("127.0.0.1", port)
            return ftp.login(user, password)
    except (ftplib.error_perm, ftplib.error_temp) as error:
        return str(error)


class SocketTests(SiteCase):
    """A site in this process, its clients in threads."""

    def users(self) -> Path:
        path = Path(self.absolute_path())
        for name in HASHES:
            set_user(path, name)
        return path

    async def test_logins(self) -> None:
        """Names and passwords of any alphabet; wrong and unknown ones say the same (P-SEC-4); so do anonymous users their own."""
        running = await self.serve(authentication={"users_file": str(self.users())}, logon_attempts={"delay": 0, "block": 0})
        for user, password, reply in (
            ("alice", "secret", "230 Logged in."),
            ("jürgen", "größe", "230 Logged in."),
            ("ju\u0308rgen", "größe", "230 Logged in."),
            ("alice", "größe", "530 Login incorrect."),
            ("nobody", "secret", "530 Login incorrect."),
            ("Alice", "secret", "530 Login incorrect."),
            ("anonymous", "x@", "230 Logged in."),
        ):
            self.assertEqual(reply, await deferToThread(login, running.port, user, password), user)

    async def test_many_at_once(self) -> None:
        """Forty who log in at once all get in, and the others of the site are served meanwhile."""
        running = await self.serve({"a": b"a"}, authentication={"users_file": str(self.users())})
        replies: list[str] = []
        threads = [Thread(target=lambda: replies.append(login(running.port, "alice", "secret"))) for _ in range(40)]
        for thread in threads:
            thread.start()
        self.assertEqual("230 Logged in.", await deferToThread(login, running.port, "anonymous", "x@"))
        for thread in threads:
            await deferToThread(thread.join)
        self.assertEqual(["230 Logged in."] * 40, replies)

    async def test_leaving(self) -> None:
        """Clients that go away while their passwords wait to be verified leave nothing behind."""
        running = await self.serve(authentication={"users_file": str(self.users())})

        def leave() -> None:
            for _ in range(30):
                ftp = ftplib.FTP(timeout=PATIENCE)
                ftp.connect("127.0.0.1", running.port)
                ftp.sock.sendall(b"USER alice\r\nPASS secret\r\n")  # type: ignore[union-attr]
                ftp.close()

        await deferToThread(leave)

    async def test_block(self) -> None:
        """P-SEC-3: after four failures the address is refused."""
        running = await self.serve(authentication={"users_file": str(self.users())}, logon_attempts={"delay": 0})

        def attack() -> list[str]:
            return [login(running.port, "alice", "wrong")[:3] for _ in range(6)]

        self.assertEqual(["530", "530", "530", "421", "421", "421"], await deferToThread(attack))
        self.assertRegex(await deferToThread(login, running.port, "anonymous", "x@"), "^421 Too many failed logins from your address; try again in ")
        running.site.logon_guard.stop()  # the timer of the block's end would count as left over


class TwistdTests(SynchronousTestCase):
    """The command, with ``--users``."""

    def setUp(self) -> None:
        # Not below trial's directory: another user must be able to go there.
        self.base = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.base.chmod(0o755)
        (self.base / "pub").mkdir()
        self.users = self.base / "users"
        set_user(self.users, "alice")

    def twistd(self, *arguments: str, before: tuple[str, ...] = ()) -> Twistd:
        return Twistd(*before, "ftpsite", "--interface", "127.0.0.1", "--port", "0", *arguments, directory=self.base)

    def test_serves(self) -> None:
        """The start line says who may log in; a user who is added meanwhile gets in; a file that is broken meanwhile locks nobody out."""
        with self.twistd("--root", "pub", "--users", "users") as server:
            line = server.wait_for(r"serving .* on port (\d+) of .*anonymous users may read; named users \(users file\) may read and write")
            port = int(line[1])
            self.assertEqual("230 Logged in.", login(port, "alice", "secret"))
            set_user(self.users, "bob")
            self.assertEqual("230 Logged in.", login(port, "bob", "bobs"))
            server.wait_for(rf"users file {self.users}: read again, 2 users \(before: 1\)")
            self.users.write_text("alice\n")
            self.assertEqual("230 Logged in.", login(port, "alice", "secret"))
            server.wait_for(rf"users file {self.users}: line 1: must be NAME:HASH; the users from before \(2\) stay")
            server.signal(signal.SIGTERM)
            self.assertEqual(0, server.end())
            self.assertFalse([line for line in server.lines if "Traceback" in line or "Unhandled" in line])

    def test_mistakes(self) -> None:
        """A file that is not there or is no users file: one line with file, line and rule, and status 1."""
        self.users.write_text(f"alice:{HASHES['alice']}\nbob:secret\n")
        for path, rule in (("users", "line 2: the hash is none of argon2"), ("nix", "no such file")):
            ended = run("-n", "--pidfile=", "ftpsite", "--root", "pub", "--users", path, directory=self.base)
            self.assertEqual((1, ""), (ended.returncode, ended.stdout))
            self.assertRegex(ended.stderr, rf'\Atwistd ftpsite: --users "{path}": {rule}[^\n]*\n\Z')
            self.assertNotIn("secret", ended.stderr)

    def test_reload(self) -> None:
        """SIGHUP: a change is read at once; a file that cannot be used instead is refused, and the old settings stay."""
        config = self.base / "ftp.toml"
        text = '[[site]]\nroot = "pub"\naddress = "127.0.0.1"\nport = 0\n[site.authentication]\nusers_file = "users"\n'
        config.write_text(text)
        with Twistd("ftpsite", "--config", str(config), directory=self.base) as server:
            port = server.port()
            set_user(self.users, "bob")
            server.signal(signal.SIGHUP)
            server.wait_for("read again, 2 users")
            config.write_text(text.replace('"users"', '"nix"'))
            server.signal(signal.SIGHUP)
            server.wait_for(rf"SIGHUP: twistftp: users file {self.base}/nix: no such file.*; the old settings stay")
            self.assertEqual("230 Logged in.", login(port, "bob", "bobs"))

    def needs_root(self) -> None:
        if os.name != "posix" or os.getuid() != 0:
            raise SkipTest("needs root, to become somebody else")

    def test_privileges(self) -> None:
        """The file is read before privileges are dropped; a change that the serving user may not read is told once, with the cure."""
        self.needs_root()
        with self.twistd("--root", "pub", "--users", "users", before=("--uid", str(NOBODY))) as server:
            port = server.port()
            self.assertEqual("230 Logged in.", login(port, "alice", "secret"))
            set_user(self.users, "bob")
            for _ in range(2):
                self.assertEqual("230 Logged in.", login(port, "alice", "secret"))
            self.assertEqual("530 Login incorrect.", login(port, "bob", "bobs"))
            shutil.chown(self.users, NOBODY)
            self.assertEqual("230 Logged in.", login(port, "bob", "bobs"))
            server.wait_for("read again, 2 users")
            told = [line for line in server.lines if "may not read it" in line]
            self.assertEqual(1, len(told), told)
            self.assertIn(f"user {NOBODY}, who serves, may not read it: let the group of that user read file and directory, or restart", told[0])

    def test_chroot(self) -> None:
        """Behind a chroot the users stay those of the start, and a file of that name inside is never believed."""
        self.needs_root()
        inside = self.base / "jail" / self.base.relative_to("/")
        (self.base / "jail" / "pub").mkdir(parents=True)
        inside.mkdir(parents=True)
        before = ("--chroot", str(self.base / "jail"), "--uid", str(NOBODY))
        with self.twistd("--root", "/pub", "--users", "users", before=before) as server:
            server.wait_for(f"users file {self.users}: lies outside --chroot and is not read again; changes need a restart")
            port = server.port()
            self.assertEqual("230 Logged in.", login(port, "alice", "secret"))
            set_user(inside / "users", "bob")
            (inside / "users").chmod(0o644)
            self.assertEqual("530 Login incorrect.", login(port, "bob", "bobs"))
            self.assertEqual("230 Logged in.", login(port, "alice", "secret"))
            server.signal(signal.SIGTERM)
            self.assertEqual(0, server.end())
            self.assertFalse([line for line in server.lines if "Traceback" in line])



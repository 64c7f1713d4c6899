"""A site's life, what it tells its test, and what it is told."""

from __future__ import annotations

import asyncio
import io
import os
import threading
import time
from ftplib import FTP, FTP_TLS, error_perm, parse227
from pathlib import Path
from unittest import skipUnless
from urllib.request import urlopen

from tests.support.running import free_range, has_ipv6
from tests.testing.support import CONTENT, SitesCase, whole
from twistftp.testing import FTPServer, ftp_site


class LifeTests(SitesCase):
    def test_with(self) -> None:
        """Clients can connect inside of with, and not behind it."""
        with ftp_site({"a.txt": "hällo"}) as site:
            self.assertEqual("hällo".encode(), self.fetch(self.client(site), "a.txt"))
            port = site.port
        self.assertRaises(ConnectionRefusedError, FTP().connect, "127.0.0.1", port)
        self.assertRaisesRegex(RuntimeError, "not running", lambda: site.commands)
        site.stop()

    def test_one_start(self) -> None:
        site = self.serve()
        self.assertRaisesRegex(RuntimeError, "started already", site.start)

    def test_open_connections_are_reset(self) -> None:
        """The end of a site waits for nobody."""
        site = self.serve("stall_at(0)")
        client = self.client(site)
        connection = self.begin(client)
        site.stop()
        self.assertRaises(ConnectionResetError, client.sock.recv, 1)
        self.assertRaises(ConnectionResetError, connection.recv, 1)

    def test_sites_are_apart(self) -> None:
        """Two sites have their own files, users and words."""
        one, other = self.serve(files={"one": b"1"}), self.serve(files={"other": b"2"}, users={"alice": "secret"})
        self.client(one).voidcmd("NOOP")
        self.assertEqual(["other"], self.client(other).nlst())
        self.assertEqual(["USER user", "PASS password", "NOOP"], one.commands)
        self.assertIn("USER alice", other.commands)
        self.assertEqual(1, len({one._link, other._link}), "one process serves both")

    def test_async_with(self) -> None:
        """asyncio's loop goes on meanwhile."""

        async def use() -> bytes:
            async with ftp_site({"a": b"x"}) as site:
                reader, writer = await asyncio.open_connection(site.host, site.port)
                greeting = await reader.readline()
                writer.close()
                await asyncio.to_thread(site.wait_until_empty)
                return greeting

        self.assertEqual(b"220 twistftp FTP service ready.\r\n", asyncio.run(use()))

    @skipUnless(has_ipv6(), "no IPv6 here")
    def test_ipv6(self) -> None:
        site = self.serve(address="::1")
        self.assertEqual(CONTENT, self.fetch(self.client(site)))
        self.assertEqual(f"ftp://user:password@[::1]:{site.port}/", site.url)

    def test_all_addresses(self) -> None:
        """Where the site listens everywhere, its own clients find it here."""
        site = self.serve(address="0.0.0.0")
        self.assertEqual("127.0.0.1", site.host)
        self.assertEqual(CONTENT, self.fetch(self.client(site)))

    def test_ports(self) -> None:
        """A port of one's own choice, and a range of passive ones."""
        low, high = map(int, free_range(4).split("-"))
        site = self.serve(port=low, passive_ports=f"{low + 1}-{high}")
        self.assertEqual(low, site.port)
        self.assertIn(self.begin(self.client(site)).getpeername()[1], range(low + 1, high + 1))


class AccessTests(SitesCase):
    def test_users(self) -> None:
        """Names and passwords; the first is the site's own word for a client. Anonymous users only read."""
        site = self.serve(users={"ålice": "s/cret", "bob": "other"})
        self.assertEqual(("ålice", "s/cret"), (site.user, site.password))
        for name, password in site.users.items():
            client = self.connect(site)
            client.encoding = "utf-8"
            client.login(name, password)
            client.storbinary("STOR new", io.BytesIO(b"x"))
        client = self.connect(site)
        self.assertRaises(error_perm, client.login, "bob", "wrong")
        client.login()
        self.assertRaisesRegex(error_perm, "^550", client.delete, "a.bin")
        self.assertEqual({"a.bin": CONTENT, "new": b"x"}, dict(site.files))

    def test_read_only_and_no_anonymous(self) -> None:
        site = self.serve(writable=False, anonymous=False)
        self.assertRaisesRegex(error_perm, "^550", self.client(site).mkd, "new")
        self.assertRaisesRegex(error_perm, "^530", self.connect(site).login)

    def test_nobody(self) -> None:
        """Without users there is the anonymous one."""
        site = self.serve(users={})
        self.assertEqual("anonymous", site.user)
        self.assertEqual(CONTENT, self.fetch(self.client(site)))

    def test_url(self) -> None:
        """It is one that programs take."""
        site = self.serve(users={"us er": "p@ss"})
        with urlopen(site.url + "a.bin") as answer:
            self.assertEqual(CONTENT, answer.read())

    def test_tls(self) -> None:
        """Certificates are for this machine's names, and verified by what the site gives for it."""
        site = self.serve(tls=True)
        for host in ("localhost", "127.0.0.1"):
            client = FTP_TLS(context=site.client_context(), timeout=10)
            self.addCleanup(client.close)
            client.connect(host, site.port)
            client.login(site.user, site.password)
            client.prot_p()
            self.assertEqual(CONTENT, self.fetch(client))
        self.assertEqual([True, True], [session.is_protected for session in site.sessions])
        self.assertEqual(site.ca_pem, Path(site.ca_file).read_text())
        self.assertEqual(CONTENT, self.fetch(self.client(site, FTP)), "TLS is offered, not demanded")

    def test_tls_required(self) -> None:
        site = self.serve(tls="required")
        self.assertRaisesRegex(error_perm, "^530", self.client, site, FTP)
        self.assertEqual(CONTENT, self.fetch(self.client(site)))

    def test_ca_file_goes(self) -> None:
        """The file with the authority's certificate is there as long as the site."""
        with ftp_site(tls="implicit") as site:
            path = site.ca_file
            self.assertTrue(site.url.startswith("ftps://"))
            self.assertTrue(os.path.exists(path))
        self.assertFalse(os.path.exists(path))


class SettingsTests(SitesCase):
    def test_sections(self) -> None:
        """Whatever the configuration file has."""
        site = self.serve(name="Mine", limits={"max_connections": 1}, messages={"greeting": "Hello %UserName%"})
        self.assertIn("Mine", self.connect(site).getwelcome())
        self.client(self.serve())
        self.assertRaisesRegex(Exception, "^421", self.connect, site)

    def test_rules_and_addresses(self) -> None:
        """Who may do what, and what 227 says."""
        rules = [{"access": "deny", "users": ["bob"], "permissions": ["read"]}, {"access": "allow", "users": ["*"], "permissions": ["read", "write"]}]
        nat = {"external_address": "192.0.2.9", "internal_networks": ["10.0.0.0/8"]}
        site = self.serve(authorization=rules, firewall_support=nat, users={"alice": "x", "bob": "x"})
        client = self.client(site)
        self.assertEqual("192.0.2.9", parse227(client.sendcmd("PASV"))[0])
        self.assertEqual(CONTENT, self.fetch(client))
        client = self.connect(site)
        client.login("bob", "x")
        self.assertRaisesRegex(error_perm, "^550", self.fetch, client)

    def test_what_is_wrong(self) -> None:
        """Each mistake has a line of its own, and nothing is left behind."""
        wrong = (
            ({"tls": "yes"}, ValueError, "^tls must be"),
            ({"chaos": ["reset"]}, ValueError, "no fault 'reset'; did you mean reset_at"),
            ({"chaos": [3]}, TypeError, "3 is no fault"),
            ({"files": {"a": 3}}, TypeError, "^a: a file's content is bytes or str"),
            ({"limits": {"max_connections": -1}}, ValueError, "^limits: .*max_connections"),
            ({"limits": {"max_connection": 1}}, ValueError, "^limits: unknown key max_connection; did you mean max_connections"),
            ({"authorization": [{"users": ["*"]}]}, ValueError, "^authorization.0.access: is required$"),
            ({"colour": "red"}, TypeError, "^a site has no option 'colour'$"),
            ({"passive_ports": "9-1"}, ValueError, "port 9 is outside"),
            ({"root": "/nowhere/at/all", "files": {"a": b"x"}}, NotADirectoryError, "^root: there is no directory /nowhere/at/all$"),
            ({"root": __file__}, NotADirectoryError, "no directory .*test_server.py$"),
            ({"address": "192.0.2.1"}, OSError, "192.0.2.1|assign"),
        )
        for options, kind, text in wrong:
            with self.assertRaises(kind) as caught:
                FTPServer(**options).start()  # type: ignore[arg-type]
            self.assertRegex(str(caught.exception), text)
        self.assertEqual(CONTENT, self.fetch(self.client(self.serve())))

    def test_no_delay_after_a_wrong_password(self) -> None:
        """Tests have no time to lose, and nobody is kept out."""
        site = self.serve()
        begun = time.monotonic()
        for _ in range(20):
            self.assertRaises(error_perm, self.connect(site).login, "user", "wrong")
        self.assertLess(time.monotonic() - begun, 3)


class SeenTests(SitesCase):
    def test_commands(self) -> None:
        """What clients say, in order, together and apart; passwords are in the commands and not in the log."""
        site = self.serve()
        one, other = self.client(site), self.client(site)
        one.voidcmd("NOOP")
        other.sendcmd("SYST")
        one.delete("a.bin")
        self.assertEqual(["USER user", "PASS password"] * 2 + ["NOOP", "SYST", "DELE a.bin"], site.commands)
        login = ["USER user", "PASS password"]
        self.assertEqual({1: [*login, "NOOP", "DELE a.bin"], 2: [*login, "SYST"]}, site.commands_by_session)
        self.assertIn("twistftp #1 127.0.0.1 user: DELE a.bin -> 250 Removed.", site.log)
        self.assertNotIn("PASS password", "\n".join(site.log))
        site.forget()
        self.assertEqual(([], []), (site.commands, site.log))

    def test_status_during_a_transfer_is_a_command(self) -> None:
        """So are those that are answered at once."""
        site = self.serve("stall_at(10)")
        client = self.client(site)
        connection = self.begin(client)
        self.exactly(connection, 10)
        self.assertEqual("213", client.sendcmd("STAT")[:3])
        self.assertEqual("426", client.abort()[:3])
        client.getresp()
        self.assertEqual(["RETR a.bin", "STAT", "ABOR"], site.commands[-3:])

    def test_sessions(self) -> None:
        """Who is there, and where."""
        site = self.serve(files={"dir": {"a": b""}})
        client = self.client(site)
        client.cwd("dir")
        (session,) = site.sessions
        self.assertEqual((1, "127.0.0.1", "user", "/dir", False), (session.number, session.peer, session.user, session.directory, session.is_busy))
        site.disconnect()
        site.wait_until_empty()
        self.assertEqual([], site.sessions)
        self.assertRaises((ConnectionError, EOFError), client.voidcmd, "NOOP")

    def test_waiting(self) -> None:
        """Until something is so, or the time is over."""
        site = self.serve("stall_at(10)")
        client = self.client(site)
        site.wait_until_idle()
        connection = self.begin(client)
        site.wait_for_command("retr a.bin")
        self.assertRaisesRegex(TimeoutError, "not within 0.05 s: no command", site.wait_until_idle, 0.05)
        self.assertRaisesRegex(TimeoutError, "RETR for the 2th time", site.wait_for_command, "RETR", 2, 0.01)
        self.assertRaisesRegex(TimeoutError, "every client is gone", site.wait_until_empty, 0.01)
        connection.close()
        client.close()
        site.wait_until_empty()

    def test_waiting_in_a_thread(self) -> None:
        """Others may ask meanwhile."""
        site = self.serve()
        waiting = threading.Thread(target=site.wait_for_command, args=("SYST",))
        waiting.start()
        client = self.client(site)
        self.assertEqual(2, len(site.commands))
        client.sendcmd("SYST")
        waiting.join(10)
        self.assertFalse(waiting.is_alive())

    def test_uploads_are_there(self) -> None:
        """When 226 has come, so has the file."""
        site = self.serve()
        client = self.client(site)
        for number in range(20):
            client.storbinary("STOR b.bin", io.BytesIO(b"%d" % number))
            self.assertEqual(b"%d" % number, site.files["b.bin"])


class OnDiskTests(SitesCase):
    def test_root(self) -> None:
        """A directory of the test's own; files are written into it."""
        root = Path(self.mktemp())
        root.mkdir()
        (root / "there").write_bytes(b"before")
        site = self.serve(root=root, files={"dir/a": b"x", "empty": None})
        client = self.client(site)
        self.assertEqual(b"before", self.fetch(client, "there"))
        client.storbinary("STOR dir/b", io.BytesIO(b"y"))
        self.assertEqual(b"y", (root / "dir" / "b").read_bytes())
        self.assertEqual({"dir/a": b"x", "dir/b": b"y", "there": b"before"}, dict(site.files))
        site.stop()
        self.assertTrue((root / "there").exists())

    def test_temporary(self) -> None:
        """One that goes with the site."""
        with ftp_site({"a": b"x"}, on_disk=True) as site:
            root = site.root
            assert root is not None
            self.assertEqual(b"x", (root / "a").read_bytes())
            self.assertEqual(b"x", whole(self.begin(self.client(site), "RETR a")))
        self.assertFalse(root.exists())

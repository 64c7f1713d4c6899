"""Tests of ``service``: sites that start, change and end; at the end, dialogues with a real ``twistd``."""

import errno
import ftplib
import io
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import SkipTest

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.support.clients import ClientsCase
from tests.support.twistd import Twistd, environment, run
from twistftp.binding import range_text
from twistftp.configuration import ConfigurationError
from twistftp.policy.channels import DYNAMIC, PortRange
from twistftp.policy.settings import Authentication, FirewallSupport, ServerSettings, SiteFirewallSupport, SiteSettings
from twistftp.service import CannotStart, Server
from twistftp.storage.listing_cache import OCTETS
from twistftp.storage.listing_cache import SHARED as LISTINGS
from twistftp.virtual_hosts import VirtualHosts

ONE = SiteSettings("/srv/ftp", name="one")
TWO = SiteSettings("/srv/two", name="two", port=2122)
NOBODY = 65534


class FakeSite(Factory):
    """Remembers what it was told; ``drained`` fires when the test says so."""

    noisy = False

    def __init__(self, settings: SiteSettings) -> None:
        self.settings, self.portal, self.is_stopped = settings, None, False
        self.tls: Any = None
        self.hosts = VirtualHosts(self)
        self.drained: Deferred[None] | None = None
        self.grace: float | None = None

    def reconfigure(self, settings: SiteSettings, portal: Any = None, tls: Any = None) -> None:
        self.settings, self.portal, self.tls = settings, portal, tls

    def drain(self, grace: float) -> "Deferred[None]":
        self.grace, self.drained = grace, Deferred()
        return self.drained

    def stopFactory(self) -> None:
        self.is_stopped = True


class FakePool:
    """As much of the passive pool as the service touches."""

    def __init__(self) -> None:
        self.ports, self.reserved, self.is_closed = DYNAMIC, set(), False

    def close(self) -> None:
        self.is_closed = True


class FakePort:
    """An open port; the ``network`` knows which are open."""

    def __init__(self, network: "dict[tuple[int, str], FakePort]", port: int, address: str, factory: Factory) -> None:
        self.network, self.key, self.factory = network, (port, address), factory
        network[self.key] = self
        factory.doStart()

    def getHost(self) -> Any:
        return type("Host", (), {"port": self.key[0], "host": self.key[1]})()

    def stopListening(self) -> None:
        del self.network[self.key]
        self.factory.doStop()


class Case(SynchronousTestCase):
    """A server whose sites, pool and network are fakes; ``said`` is what it has logged."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.network: dict[tuple[int, str], FakePort] = {}
        self.sites: list[FakeSite] = []
        self.said: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: Any) -> None:
        if event.get("log_namespace", "").startswith("twistftp."):
            self.said.append(event["log_format"].format(**event))

    def listen(self, port: int, factory: Factory, address: str) -> FakePort:
        if any(port == taken and (address == other or "::" in (address, other)) for taken, other in self.network):
            raise CannotListenError(address, port, OSError(errno.EADDRINUSE, "in use"))
        return FakePort(self.network, port, address, factory)

    def make_site(self, settings: SiteSettings) -> FakeSite:
        self.sites.append(FakeSite(settings))
        return self.sites[-1]

    def server(self, *sites: SiteSettings, **options: Any) -> Server:
        settings = ServerSettings(sites)
        self.pool = FakePool()
        return Server(
            self.reactor,
            settings,
            self.pool,
            make_portal=lambda site: f"portal of {site.name}",
            make_site=self.make_site,
            listen=self.listen,
            **options,
        )

    def started(self, *sites: SiteSettings) -> Server:
        self.next: ServerSettings | Exception = ServerSettings(sites)
        server = self.server(*sites, reread=self.reread)
        server.privilegedStartService()
        self.start(server)
        return server

    def start(self, server: Server) -> None:
        """Start, with a reactor that runs; signals stay those of the test runner."""
        server._catch_signals = lambda: None
        server.startService()
        hooks, self.reactor.whenRunningHooks, self.reactor.running = self.reactor.whenRunningHooks, [], True
        for hook, arguments, keywords in hooks:
            hook(*arguments, **keywords)

    def reread(self) -> ServerSettings:
        if isinstance(self.next, Exception):
            raise self.next
        return self.next

    def reload(self, server: Server, *sites: SiteSettings, **settings: Any) -> None:
        """SIGHUP, with these settings in the file."""
        self.said.clear()
        self.next = ServerSettings(sites, **settings)
        self.successResultOf(server.reload())


class StartTests(Case):
    """The start."""

    def test_binds_while_privileged(self) -> None:
        """Ports are opened before privileges are dropped, one line for each site is said after."""
        server = self.server(ONE, TWO)
        self.assertEqual({}, self.network)
        server.privilegedStartService()
        self.assertEqual({(2121, "::"), (2122, "::")}, set(self.network))
        self.assertEqual({2121, 2122}, self.pool.reserved)
        self.assertEqual([], self.said)
        self.start(server)
        self.assertEqual(2, len(self.said))

    def test_start_line(self) -> None:
        """Root, place, passive ports and who may read."""
        self.started(evolve(ONE, name="My New FTP Site"))
        expected = f"My New FTP Site: serving /srv/ftp on port 2121 of all addresses; passive ports {range_text(DYNAMIC)}; anonymous users may read"
        self.assertEqual([expected], self.said)

    def test_access(self) -> None:
        """Who may read is said in words."""
        for authentication, words in {
            Authentication(strcred=("memory:a:b",)): "anonymous users may read; named users (memory) may read and write",
            Authentication(False, strcred=("memory:a:b", "file:x", "memory:c:d")): "named users (memory, file) may read and write",
            Authentication(users_file="/etc/u", strcred=("memory:a:b",)): "anonymous users may read; named users (users file, memory) may read and write",  # noqa: E501
            Authentication(False): "nobody may log in, for anonymous access is off and there is neither --users nor --auth",
        }.items():
            self.network.clear()
            self.started(evolve(ONE, authentication=authentication))
            self.assertTrue(self.said[-1].endswith(f"; {words}"), self.said[-1])

    def test_auto_start(self) -> None:
        """A site that is not to start by itself is not bound."""
        self.started(evolve(ONE, auto_start=False), TWO)
        self.assertEqual({(2122, "::")}, set(self.network))

    def test_without_privileged_start(self) -> None:
        """``twist`` starts services without the privileged part: the ports are bound all the same, once."""
        server = self.server(SiteSettings(root=".", address="127.0.0.1", port=2121))
        self.start(server)
        self.assertEqual([(2121, "127.0.0.1")], list(self.network))
        self.assertTrue(any("serving" in line for line in self.said))

    def test_cannot_bind(self) -> None:
        """One site that cannot be bound ends the start, with one line and status 1."""
        server = self.server(ONE, evolve(TWO, port=2121))
        error = self.assertRaises(CannotStart, server.privilegedStartService)
        line = "two: cannot listen on port 2121 of all addresses: another program, or another server of this kind, listens there already"
        self.assertEqual((1, line, [line]), (error.code, str(error), self.said))
        self.assertEqual({}, self.network)
        self.assertIsInstance(error, Exception)

    def test_cannot_bind_in_the_foreground(self) -> None:
        """Then the line goes to the real standard error, which the log has taken over."""
        self.patch(sys, "__stderr__", io.StringIO())
        server = self.server(ONE, evolve(TWO, port=2121), foreground=True)
        self.assertRaises(CannotStart, server.privilegedStartService)
        self.assertRegex(sys.__stderr__.getvalue(), r"\Atwistd ftpsite: two: cannot listen [^\n]+\n\Z")
        self.assertEqual([], self.said)


class StopTests(Case):
    """The end."""

    def test_drain(self) -> None:
        """Sites listen until they are drained; then ports, factories and the pool are closed."""
        server = self.started(ONE, TWO)
        stopped = server.stopService()
        self.assertEqual([10.0, 10.0], [site.grace for site in self.sites])
        self.sites[0].drained.callback(None)
        self.assertEqual({(2122, "::")}, set(self.network))
        self.assertNoResult(stopped)
        self.sites[1].drained.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(({}, True, [True, True]), (self.network, self.pool.is_closed, [site.is_stopped for site in self.sites]))

    def test_second_signal(self) -> None:
        """A second SIGTERM does not wait for transfers."""
        server = self.started(ONE)
        server.terminate()
        self.assertTrue(self.reactor.hasStopped)
        stopped = server.stopService()
        server.terminate()
        self.successResultOf(stopped)
        self.sites[0].drained.callback(None)

    def test_not_bound(self) -> None:
        """A site that was never started has nothing to drain."""
        self.successResultOf(self.started(evolve(ONE, auto_start=False)).stopService())


class ReloadTests(Case):
    """SIGHUP."""

    def test_no_file(self) -> None:
        """Without a file there is nothing to read."""
        self.successResultOf(self.server(ONE).reload())
        self.assertEqual(["SIGHUP: no configuration file, nothing to re-read"], self.said)

    def test_bad_file(self) -> None:
        """A bad file is refused whole."""
        server = self.started(ONE)
        self.said.clear()
        self.next = ConfigurationError("ftp.toml: [[site]] prot: unknown key")
        self.successResultOf(server.reload())
        self.assertEqual(["SIGHUP: ftp.toml: [[site]] prot: unknown key; the old settings stay"], self.said)
        self.assertIs(ONE, self.sites[0].settings)

    def test_nothing_new(self) -> None:
        """The same file changes nothing, and says so."""
        server = self.started(ONE)
        self.reload(server, ONE)
        self.assertEqual(["SIGHUP: nothing has changed"], self.said)

    def test_settings(self) -> None:
        """New settings go to the site and to the pool; each change is said."""
        server = self.started(ONE)
        port = self.network[2121, "::"]
        new = evolve(ONE, host_name="ftp.example")
        self.reload(server, new, firewall_support=FirewallSupport(PortRange(5000, 5001)), grace=3.0)
        expected = [
            "SIGHUP: firewall_support.data_channel_port_range: 0-0 -> 5000-5001",
            "SIGHUP: grace: 10 -> 3",
            "SIGHUP: host_name of site 'one': '' -> 'ftp.example'",
        ]
        self.assertEqual(expected, self.said)
        self.assertEqual((new, "portal of one"), (self.sites[0].settings, self.sites[0].portal))
        self.assertEqual(PortRange(5000, 5001), self.pool.ports)
        self.assertIs(port, self.network[2121, "::"])
        server.stopService()
        self.assertEqual(3.0, self.sites[0].grace)

    def test_listing_cache(self) -> None:
        """What is kept of listings has the bound of the settings, at the start and after SIGHUP."""
        self.addCleanup(LISTINGS.limit, OCTETS)
        server = self.started(ONE)
        self.assertEqual(32 << 20, LISTINGS.most_octets)
        self.reload(server, ONE, listing_cache=5)
        self.assertEqual((5 << 20, ["SIGHUP: listing_cache: 32 -> 5"]), (LISTINGS.most_octets, self.said))

    def test_traps(self) -> None:
        """What asks for trouble is one line each, at the start and when SIGHUP brings it; what was said is not said again."""
        server = self.started(evolve(ONE, firewall_support=SiteFirewallSupport("10.0.0.7")))
        private = "external address 10.0.0.7 of site 'one' is private: clients on the Internet cannot reach it; give the public one"
        self.assertEqual(private, self.said[-1])
        self.said.clear()
        self.reload(server, server.settings.sites[0], firewall_support=FirewallSupport(PortRange(2100, 2199)))
        hold = "passive ports 2100-2199 hold the control port 2121 of site 'one', which is left out; choose a range without it"
        self.assertEqual(["SIGHUP: firewall_support.data_channel_port_range: 0-0 -> 2100-2199", hold], self.said)

    def test_port(self) -> None:
        """A new port is opened before the old one is closed; the factory is the same and never stopped."""
        server = self.started(ONE)
        self.reload(server, evolve(ONE, port=2200))
        self.assertEqual({(2200, "::")}, set(self.network))
        self.assertEqual({2200}, self.pool.reserved)
        self.assertFalse(self.sites[0].is_stopped)
        self.assertIn("on port 2200 of all addresses", self.said[-1])

    def test_address_of_the_same_port(self) -> None:
        """Where both cannot be open at once the old port goes first, and the factory lives on."""
        server = self.started(ONE)
        self.reload(server, evolve(ONE, address="127.0.0.1"))
        self.assertEqual({(2121, "127.0.0.1")}, set(self.network))
        self.assertFalse(self.sites[0].is_stopped)

    def test_port_that_is_taken(self) -> None:
        """The old port stays, the other settings change, and the next SIGHUP tries again."""
        server = self.started(ONE)
        other = FakePort(self.network, 2200, "::", Factory())
        new = evolve(ONE, port=2200, host_name="ftp.example")
        self.reload(server, new)
        self.assertIn("SIGHUP: one: cannot listen on port 2200 of all addresses", self.said[-1])
        self.assertIn("it stays on port 2121 of all addresses", self.said[-1])
        self.assertEqual("ftp.example", self.sites[0].settings.host_name)
        other.stopListening()
        self.reload(server, new)
        self.assertEqual({(2200, "::")}, set(self.network))

    def test_address_that_is_not_ours(self) -> None:
        """If the old port had to go first, it comes back."""
        server = self.started(ONE)
        listen = server._listen

        def refuse(port: int, site: Factory, address: str) -> FakePort:
            if address == "192.0.2.1":
                raise CannotListenError(address, port, OSError(errno.EADDRNOTAVAIL, "no"))
            return listen(port, site, address)

        server._listen = refuse
        self.reload(server, evolve(ONE, address="192.0.2.1"))
        self.assertEqual({(2121, "::")}, set(self.network))
        self.assertIn("this machine has no such address", self.said[-1])

    def test_added_and_removed(self) -> None:
        """A site that is gone is drained, a new one is started."""
        server = self.started(ONE)
        self.reload(server, TWO)
        self.assertEqual(["SIGHUP: site 'one': removed", "SIGHUP: site 'two': added"], self.said[:2])
        self.assertIn("two: serving /srv/two on port 2122", self.said[2])
        self.assertEqual({(2121, "::"), (2122, "::")}, set(self.network))
        self.sites[0].drained.callback(None)
        self.assertEqual({(2122, "::")}, set(self.network))

    def test_added_but_taken(self) -> None:
        """A new site whose port is taken is reported and tried again by the next SIGHUP; the others go on."""
        server = self.started(ONE)
        FakePort(self.network, 2122, "::", Factory())
        self.reload(server, ONE, TWO)
        self.assertIn("this site is not started", self.said[-1])
        self.network.pop((2122, "::"))
        self.reload(server, ONE, TWO)
        self.assertIn((2122, "::"), self.network)

    def test_auto_start(self) -> None:
        """A site may be switched on and off."""
        server = self.started(evolve(ONE, auto_start=False))
        self.reload(server, ONE)
        self.assertIn((2121, "::"), self.network)
        self.next = ServerSettings((evolve(ONE, auto_start=False),))
        done = server.reload()
        self.sites[-1].drained.callback(None)
        self.successResultOf(done)
        self.assertEqual({}, self.network)
        self.reload(server, ONE)
        self.assertIn((2121, "::"), self.network)

    def test_one_after_another(self) -> None:
        """A site that is switched off, and on again while it still drains, is on in the end; and what came later is not undone."""
        server = self.started(ONE, TWO)
        self.next = ServerSettings((evolve(ONE, auto_start=False), evolve(TWO, host_name="first.example")))
        first = server.reload()
        self.next = ServerSettings((ONE, evolve(TWO, host_name="second.example")))
        second = server.reload()
        self.assertNoResult(second)
        self.sites[0].drained.callback(None)
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual({(2121, "::"), (2122, "::")}, set(self.network))
        self.assertEqual("second.example", self.sites[1].settings.host_name)

    def test_while_stopping(self) -> None:
        """It is too late then, and said to be."""
        server = self.started(ONE)
        server.stopService()
        self.said.clear()
        self.reload(server, evolve(ONE, port=2200))
        self.assertEqual(["SIGHUP: too late, stopping"], self.said)


class TwistdTests(ClientsCase):
    """The command, in a process of its own."""

    def setUp(self) -> None:
        # Not below trial's directory: another user must be able to go there.
        self.base = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.base.chmod(0o755)
        (self.base / "pub").mkdir()
        (self.base / "pub" / "a.txt").write_bytes(b"hello\n")

    def twistd(self, *arguments: str, before: tuple[str, ...] = ()) -> Twistd:
        """``twistd`` serving ``pub`` on a free port of the loopback."""
        return Twistd(*before, "ftpsite", "--interface", "127.0.0.1", "--port", "0", *arguments, directory=self.base)

    def fetch(self, client: ftplib.FTP, name: str = "a.txt") -> bytes:
        received: list[bytes] = []
        client.retrbinary(f"RETR {name}", received.append)
        return b"".join(received)

    def test_serves(self) -> None:
        """The first command of the README: a start line, a file, and exit status 0 on SIGTERM."""
        with self.twistd("--root", "./pub") as server:
            line = server.wait_for(r"twistftp: serving (\S+) on port (\d+) of 127.0.0.1 \(loopback: remote clients cannot reach this\); passive ")
            self.assertEqual(str(self.base / "pub"), line[1])
            self.assertIn("anonymous users may read", line.string)
            client = self.client(int(line[2]))
            self.assertEqual(b"hello\n", self.fetch(client))
            client.close()
            server.signal(signal.SIGTERM)
            self.assertEqual(0, server.end())
            self.assertFalse([line for line in server.lines if "Traceback" in line or "Unhandled" in line])

    def test_own_reactor(self) -> None:
        """Where nobody chose a reactor, it is ours on Linux."""
        with self.twistd("--root", "pub") as server:
            server.wait_for("reactor class: twistftp.transport.epoll.DirectEPollReactor" if sys.platform == "linux" else "reactor class: twisted")

    def test_reactor(self) -> None:
        """``--reactor`` is obeyed: nothing installs another one first."""
        with self.twistd("--root", "pub", before=("--reactor=poll",)) as server:
            server.wait_for("reactor class: twisted.internet.pollreactor.PollReactor")
            client = self.client(server.port())
            self.assertEqual(b"hello\n", self.fetch(client))
            client.close()
            server.signal(signal.SIGTERM)
            self.assertEqual(0, server.end())

    def test_interrupt(self) -> None:
        """Ctrl-C ends it as well, and the shell is told why."""
        # Who was started in the background ignores it, and so would the server.
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))
        with self.twistd("--root", "pub") as server:
            server.port()
            server.signal(signal.SIGINT)
            self.assertEqual(-signal.SIGINT, server.end())

    def test_drain(self) -> None:
        """SIGTERM lets a transfer finish; who comes meanwhile gets 421."""
        size = 64 << 20
        with open(self.base / "pub" / "big", "wb") as file:
            file.truncate(size)
        with self.twistd("--root", "pub") as server:
            port = server.port()
            client = self.client(port)
            client.voidcmd("TYPE I")
            data = self.enterContext(client.transfercmd("RETR big"))
            server.signal(signal.SIGTERM)
            server.wait_for("stopping: new connections are refused, transfers have up to 10 s to finish")
            self.assertIn("421", str(self.assertRaises(ftplib.Error, self.client, port)))
            received = 0
            while chunk := data.recv(1 << 20):
                received += len(chunk)
            self.assertEqual((size, "226"), (received, client.voidresp()[:3]))
            client.close()
            self.assertEqual(0, server.end())

    def test_grace(self) -> None:
        """A transfer that does not finish is ended when the grace is over."""
        with open(self.base / "pub" / "big", "wb") as file:
            file.truncate(64 << 20)
        with self.twistd("--root", "pub", "--grace", "0.2") as server:
            client = self.client(server.port())
            client.voidcmd("TYPE I")
            self.enterContext(client.transfercmd("RETR big"))
            server.signal(signal.SIGTERM)
            self.assertEqual(0, server.end())

    def test_hangup(self) -> None:
        """SIGHUP: a bad file changes nothing; a good one does, and the session goes on."""
        if not hasattr(signal, "SIGHUP"):
            raise SkipTest("this system has no SIGHUP")
        file = self.base / "ftp.toml"
        file.write_text("[[site]]\nroot = 'pub'\n")
        with self.twistd("--config", "ftp.toml") as server:
            port = server.port()
            client = self.client(port)
            file.write_text("[[site]]\nroot = 'pub'\nprot = 3\n")
            server.signal(signal.SIGHUP)
            server.wait_for(r"SIGHUP: .*ftp.toml: \[\[site\]\] prot: unknown key; did you mean port\?; the old settings stay")
            file.write_text("[[site]]\nroot = 'pub'\n[site.limits]\nmax_connections = 1\n[site.messages]\nexit = 'So long.'\n")
            server.signal(signal.SIGHUP)
            server.wait_for("SIGHUP: limits.max_connections of site 'twistftp': 0 -> 1")
            server.wait_for("SIGHUP: messages.exit of site 'twistftp': 'Goodbye.' -> 'So long.'")
            self.assertIn("421", str(self.assertRaises(ftplib.Error, self.client, port)))
            self.assertEqual(b"hello\n", self.fetch(client))
            self.assertEqual("221 So long.", client.quit())
            server.signal(signal.SIGTERM)
            self.assertEqual(0, server.end())

    def test_privileges(self) -> None:
        """A port below 1024 is bound by root; user, group and all supplementary groups are then dropped, and it serves."""
        if not sys.platform.startswith("linux") or os.getuid() != 0:
            raise SkipTest("needs root on Linux")
        with socket.socket() as found:
            for port in range(1023, 900, -1):
                try:
                    found.bind(("127.0.0.1", port))
                    break
                except OSError:
                    continue
        with self.twistd("--root", "pub", "--port", str(port), before=("--uid", str(NOBODY), "--gid", str(NOBODY))) as server:
            self.assertEqual(port, server.port())
            status = Path(f"/proc/{server.process.pid}/status").read_text("ascii")
            for name, expected in {"Uid": [NOBODY] * 4, "Gid": [NOBODY] * 4, "Groups": [NOBODY]}.items():
                match = re.search(rf"^{name}:(.*)$", status, re.MULTILINE)
                self.assertEqual(expected, [int(number) for number in match[1].split()], name)
            client = self.client(port)
            self.assertEqual((b"hello\n", ["a.txt"]), (self.fetch(client), client.nlst()))
            client.close()
            server.signal(signal.SIGTERM)
            self.assertEqual(0, server.end())

    def test_chroot(self) -> None:
        """Behind ``--chroot`` nothing is needed but the files: no /dev/null, no user database, no Python library."""
        if not sys.platform.startswith("linux") or os.getuid() != 0:
            raise SkipTest("needs root on Linux")
        before = ("--chroot", str(self.base), "--uid", str(NOBODY))
        with self.twistd("--root", "/pub", "--auth", "memory:alice:secret", before=before) as server:
            client = self.client(server.port())
            self.assertEqual((b"hello\n", ["a.txt"]), (self.fetch(client), client.nlst()))
            status = Path(f"/proc/{server.process.pid}/status").read_text("ascii")
            self.assertRegex(status, rf"Uid:\s+{NOBODY}\s+{NOBODY}\s+{NOBODY}\s+{NOBODY}\n")
            self.assertRegex(client.sendcmd("USER alice"), "^331")
            self.assertRegex(client.sendcmd("PASS secret"), "^230")
            client.close()
            server.signal(signal.SIGTERM)
            self.assertEqual(0, server.end())
            self.assertFalse([line for line in server.lines if "Traceback" in line])

    def test_root_that_the_user_may_not_read(self) -> None:
        """The start is refused if the serving user could not read the root."""
        if os.name != "posix" or os.getuid() != 0:
            raise SkipTest("needs root, to become somebody else")
        (self.base / "pub").chmod(0o700)
        ended = run("-n", "--pidfile=", "--uid", str(NOBODY), "ftpsite", "--root", "pub", directory=self.base)
        self.assertEqual(1, ended.returncode)
        self.assertIn(f"is not readable for user {NOBODY} (--uid)", ended.stderr)

    def test_mistakes(self) -> None:
        """A bad option is one line on standard error, exit status 1, and nothing else."""
        for arguments in ("", "--root pub --passive-ports 1-2", "--nix"):
            ended = run("-n", "--pidfile=", "ftpsite", *arguments.split(), directory=self.base)
            self.assertEqual((1, ""), (ended.returncode, ended.stdout), arguments)
            self.assertRegex(ended.stderr, r"\Atwistd ftpsite: [^\n]+\n\Z")

    def test_taken_port(self) -> None:
        """A port that is taken: one line, status 1, no traceback, no pid file left."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            ended = run("-n", "ftpsite", "--root", "pub", "-i", "127.0.0.1", "-p", port, directory=self.base)
            self.assertEqual(1, ended.returncode)
            line = rf"\Atwistd ftpsite: twistftp: cannot listen on port {port} of 127\.0\.0\.1 [^\n]+ listens there already\n\Z"
            self.assertRegex(ended.stderr, line)
            self.assertNotIn("Traceback", ended.stdout)
            self.assertEqual([], list(self.base.glob("*.pid")))
            daemon = run("ftpsite", "--root", "pub", "-i", "127.0.0.1", "-p", port, directory=self.base)
            self.assertEqual(1, daemon.returncode)
            self.assertIn("cannot listen on port", daemon.stderr)
            self.assertNotIn("Traceback", (self.base / "twistd.log").read_text())

    def test_help(self) -> None:
        """``--help`` and ``--help-auth`` end well."""
        for option, text in (("--help", "--passive-ports="), ("--help-auth", "memory")):
            ended = run("ftpsite", option, directory=self.base)
            self.assertEqual(0, ended.returncode)
            self.assertIn(text, ended.stdout)

    def test_imports_install_no_reactor(self) -> None:
        """Neither the package, the plugin, the service nor parsed options do."""
        code = (
            "import sys, twistftp, twisted.plugins.twistftp_plugin, twistftp.service\n"
            "twistftp.SiteSettings\n"
            "options = twistftp.service.Options()\n"
            "options.parseOptions(['--root', 'pub', '--auth', 'memory:a:b', '--listen', 'tcp:2121'])\n"
            "assert 'twisted.internet.reactor' not in sys.modules\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True, cwd=self.base, env=environment())

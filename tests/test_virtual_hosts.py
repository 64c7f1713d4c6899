"""Sites that share a port, told apart by HOST and by the server name of TLS."""

from __future__ import annotations

import ftplib
import signal
import ssl
from pathlib import Path
from unittest.mock import Mock

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue
from tests.support.running import free_range
from tests.support.twistd import Twistd
from twistftp.policy.settings import Limits, SiteSettings, TLSSettings
from twistftp.virtual_hosts import VirtualHosts


class Site:
    """As much of a site as there is to choose from."""

    def __init__(self, host_name: str) -> None:
        self.settings = SiteSettings("/", host_name=host_name)
        self.tls = f"tls of {host_name}"
        self.hosts = VirtualHosts(self)


class ChoiceTests(SynchronousTestCase):
    def test_find(self) -> None:
        """P-HOST-1: names match in any case and with a dot at the end; what is nobody's is the nameless site's."""
        named, nameless = Site("a.example"), Site("")
        hosts = named.hosts
        self.assertEqual((named, None), (hosts.find("A.example."), hosts.find("b.example")))
        self.assertIs(named, hosts.default)
        self.assertEqual((True, False, False), (hosts.has("A.example."), hosts.has("b.example"), hosts.has("")))
        hosts.add(nameless)
        self.assertEqual((named, nameless, nameless), (hosts.find("a.example"), hosts.find("b.example"), hosts.default))
        self.assertEqual((True, False, False), (hosts.has("a.example"), hosts.has("b.example"), hosts.has("")))
        self.assertEqual(("tls of a.example", "tls of "), (hosts.tls_of("a.example"), hosts.tls_of("x")))

    def test_come_and_go(self) -> None:
        """A site is in one group at a time; the last one of a group stays its own."""
        one, two, three = Site("one.example"), Site("two.example"), Site("three.example")
        one.hosts.add(two)
        three.hosts.add(two)
        self.assertEqual(([one], [three, two]), (one.hosts.sites, two.hosts.sites))
        two.hosts.remove(two)
        self.assertEqual(([three], [two]), (three.hosts.sites, two.hosts.sites))
        two.hosts.remove(two)
        self.assertEqual([two], two.hosts.sites)


class HostTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.one = Dialogue(self, name="one", host_name="one.example")
        self.two = Dialogue(self, name="two", host_name="two.example")
        self.one.site.hosts.add(self.two.site)

    def test_moves(self) -> None:
        """P-HOST-1: HOST moves the session to the site of that name; the last one wins; counts follow."""
        d = self.one
        self.assertEqual([220], d.codes("HOST two.example"))
        self.assertIs(self.two.site, d.session.site)
        self.assertEqual((0, 2), (len(self.one.site.sessions), len(self.two.site.sessions)))
        self.assertEqual([220, 504], d.codes("HOST ONE.example.", "HOST three.example"))
        self.assertEqual((1, 1), (len(self.one.site.sessions), len(self.two.site.sessions)))

    def test_with_the_user(self) -> None:
        """P-HOST-1, P-USER-1: ``HOST|USER``, as with IIS, is for clients that know neither HOST nor SNI; a login before it ends."""
        d = self.one
        self.assertEqual([331, 230], d.codes("USER two.example|ftp", "PASS x"))
        self.assertEqual(("two", "ftp", "two.example"), (d.session.site.settings.name, d.session.user, d.session.host))
        self.assertEqual([331, 230], d.codes("USER ONE.example.|anonymous", "PASS x"))
        self.assertEqual(("one", "anonymous"), (d.session.site.settings.name, d.session.user))
        for name in ("three.example|ftp", "two.example|", "|ftp"):  # nobody's host, or nobody: names as any others
            self.assertEqual([331], d.codes(f"USER {name}"))
            self.assertEqual(("one", name), (d.session.site.settings.name, d.session.user_pending))

    def test_with_the_user_and_no_room(self) -> None:
        """P-USER-1: the other site's own rules count: its limits, and TLS where it requires that."""
        self.two.site.reconfigure(evolve(self.two.site.settings, limits=Limits(max_connections=1)), self.two.site.portal)
        self.assertEqual([421], self.one.codes("USER two.example|ftp"))
        self.assertTrue(self.one.is_closing)
        self.setUp()
        tls = evolve(TLSSettings(self_signed=True), control_channel="require")
        self.two.site.settings = evolve(self.two.site.settings, tls=tls)
        self.assertEqual([530, 530], self.one.codes("USER two.example|ftp", "PASS x"))

    def test_with_the_user_and_another_server_name(self) -> None:
        """P-USER-1, P-TLS-6: who began TLS for another host is not logged in there."""
        d = self.one
        d.session.tls = Mock(server_name="one.example", peer_certificate=None)
        self.assertEqual([530], d.codes("USER two.example|ftp"))
        self.assertEqual([331], d.codes("USER one.example|ftp"))
        self.assertEqual("one", d.session.site.settings.name)

    def test_rein(self) -> None:
        """P-REIN-1: REIN is as freshly connected: at the default site."""
        self.one.codes("HOST two.example")
        self.assertEqual([220], self.one.codes("REIN"))
        self.assertIs(self.one.site, self.one.session.site)

    def test_no_room(self) -> None:
        """P-HOST-1: a site that is full refuses who comes by HOST as it refuses a new connection: 421, then close."""
        for limits in (Limits(max_connections=1), Limits(max_connections_per_address=1)):
            self.setUp()
            self.two.site.reconfigure(evolve(self.two.site.settings, limits=limits), self.two.site.portal)
            self.assertEqual([421], self.one.codes("HOST two.example"))
            self.assertTrue(self.one.is_closing)


CONFIG = """
[[site]]
name = "one"
root = "one"
address = "127.0.0.1"
port = {port}
host_name = "one.example"
[site.tls]
self_signed = true

[[site]]
name = "two"
root = "two"
address = "127.0.0.1"
port = {port}
host_name = "two.example"
[site.tls]
self_signed = true
"""


class RealTests(SynchronousTestCase):
    """A real server, with certificates that it makes itself."""

    def test_sni_and_host(self) -> None:
        """P-TLS-6, P-HOST-1: the server name chooses certificate and site; a HOST that says otherwise is 504; without TLS HOST chooses."""
        folder = Path(self.mktemp())
        for name in ("one", "two"):
            (folder / name).mkdir(parents=True)
            (folder / name / f"in-{name}").touch()
        port = int(free_range(1).partition("-")[0])
        (folder / "ftp.toml").write_text(CONFIG.format(port=port), "utf-8")
        with Twistd("ftpsite", "--config", "ftp.toml", directory=folder) as server:
            server.wait_for("two: serving")
            for name, other in (("one", "two"), ("two", "one")):
                for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                    client = Client(f"{name}.example", port, version)
                    self.assertIn(f"{name}.example".encode(), client.sock.getpeercert(binary_form=True))  # type: ignore[union-attr]
                    self.assertRaisesRegex(ftplib.error_perm, "504 The TLS of this connection", client.sendcmd, f"HOST {other}.example")
                    client.sendcmd(f"HOST {name}.example")
                    client.login()
                    client.prot_p()
                    self.assertEqual([f"in-{name}"], client.nlst())
                    client.quit()
            plain = ftplib.FTP()
            plain.connect("127.0.0.1", port, timeout=10)
            plain.sendcmd("HOST two.example")
            plain.login()
            self.assertEqual(["in-two"], plain.nlst())
            plain.quit()

    def test_leaving(self) -> None:
        """The site whose ports they are goes; the other one goes on there, and a third comes."""
        folder = Path(self.mktemp())
        for name in ("one", "two"):
            (folder / name).mkdir(parents=True)
            (folder / name / f"in-{name}").touch()
        port = int(free_range(1).partition("-")[0])
        config = folder / "ftp.toml"
        both = CONFIG.format(port=port)
        config.write_text(both, "utf-8")
        with Twistd("ftpsite", "--config", "ftp.toml", directory=folder) as server:
            server.wait_for("two: FTPS")
            config.write_text("[[site]]" + both.split("[[site]]")[2], "utf-8")
            server.signal(signal.SIGHUP)
            server.wait_for("site 'one': removed")
            self.assertEqual({"in-two"}, self.names(port, "two.example"))
            self.assertRaisesRegex(ftplib.error_perm, "504", self.names, port, "one.example")
            config.write_text(both, "utf-8")
            server.signal(signal.SIGHUP)
            server.wait_for("one: serving")
            self.assertEqual({"in-one"}, self.names(port, "one.example"))
            self.assertEqual({"in-two"}, self.names(port, "two.example"))

    def names(self, port: int, host: str) -> set[str]:
        """What a client sees that names a host."""
        with ftplib.FTP() as client:
            client.connect("127.0.0.1", port, timeout=10)
            client.sendcmd(f"HOST {host}")
            client.login()
            return set(client.nlst())


class Client(ftplib.FTP_TLS):
    """ftplib's, connected to 127.0.0.1 under a name, and in TLS."""

    def __init__(self, name: str, port: int, version: ssl.TLSVersion) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode, context.maximum_version = False, ssl.CERT_NONE, version
        super().__init__(context=context)
        self.connect("127.0.0.1", port, timeout=10)
        self.host = name
        self.auth()

    def makepasv(self) -> tuple[str, int]:
        """Where the connection goes is not what TLS is told."""
        return "127.0.0.1", super().makepasv()[1]

"""Tests of ``configuration``: what a file and options become, and the one line in which each mistake is refused."""

import os
from pathlib import Path

from hypothesis import given
from hypothesis.strategies import dictionaries, integers, lists, recursive, sampled_from, text
from twisted.trial.unittest import SynchronousTestCase

from twistftp.configuration import OPTIONS, ConfigurationError, _Source, describe_change, load, read
from twistftp.policy.channels import PortRange
from twistftp.policy.settings import Authentication, LogonAttempts, ServerSettings, SiteFirewallSupport, SiteSettings
from twistftp.policy.settings import describe_change as of_settings

SITE = '[[site]]\nroot = "pub"\n'

FULL = """
[firewall_support]
data_channel_port_range = "50000-50100"

[server]
grace = 2.5
control_socket = "run/s"
listing_cache = 5

[metrics]
endpoint = "tcp:9121"

[[site]]
name = "My New FTP Site"
root = "pub"
address = "127.0.0.1"
port = 2100
host_name = "ftp.example.org"
listen = []
auto_start = true

[site.firewall_support]
external_address = "ftp.example.org"
external_ports = "60000-60100"
internal_networks = ["10.0.0.0/8"]
match_client_address_for_pasv = "24/64"
match_client_address_for_port = false
active_mode = false
active_port = 0
proxy_from = ["10.0.0.5/32"]

[site.firewall_support.external_addresses]
"10.8.0.0/16" = "10.8.0.1"

[site.authentication]
anonymous = true
anonymous_names = ["guest"]
strcred = ["memory:alice:secret"]

[site.limits]
max_connections = 10
min_bytes_per_second = 10
max_bytes_per_second = 1000
max_site_bytes_per_second = 5000
data_channel_timeout = 5

[site.logon_attempts]
max_failures = 2
delay = 0
period = 60
block = 600
exempt = ["10.0.0.0/8", "2001:db8::1"]
log_only = true

[site.directory_browse]
style = "ms-dos"
time = "local"

[site.messages]
banner = "Hello"

[site.logging]
commands = true
file = "log/access.log"
format = "json"

[[site]]
name = "other"
root = "pub"
listen = ["tcp:2200"]
"""

# What stands in the file below `root = "pub"`, and the line that refuses it, without the file's name.
MISTAKES = {
    "prot = 21": "[[site]] prot: unknown key; did you mean port?",
    "users_file = 'x'": "[[site]] users_file: unknown key; it belongs into [site.authentication]",
    "max_connections = 3": "[[site]] max_connections: unknown key; it belongs into [site.limits]",
    "data_channel_port_range = '0-0'": "[[site]] data_channel_port_range: unknown key; it belongs into [firewall_support]",
    "grace = 3": "[[site]] grace: unknown key; it belongs into [server]",
    "[site.firewall_support]\ndata_channel_port_range = '0-0'": (
        "[site.firewall_support] data_channel_port_range: unknown key; it belongs into [firewall_support]"
    ),
    "[site.tls]\ncertificate = 'x'": (
        '[site.tls] certificate = "x": needs its private key as well (--private-key FILE, private_key); PEM'
    ),
    "[site.tls]\nprivate_key = 'x'": '[site.tls] private_key = "x": needs its certificate as well (--certificate FILE, certificate); PEM',
    "[site.tls]\ncontrol_channel = 'require'": (
        '[site.tls] control_channel = "require": needs a certificate (--certificate and --private-key, or --self-signed)'
    ),
    "[site.tls]\nsession = 'on'": '[site.tls] session = "on": must be one of off, auto, require',
    "[site.tls]\nimplict = true": "[site.tls] implict: unknown key; did you mean implicit?",
    "[site.limits]\nmax_conections = 1": "[site.limits] max_conections: unknown key; did you mean max_connections?",
    "[server]\nworkers = 65": "[server] workers = 65: must be 1-64, a number of processes; as many as there are processors is enough",
    "[sever]\ngrace = 1": "sever: unknown key; did you mean server?",
    "port = 'x'": '[[site]] port = "x": must be a whole number',
    "port = true": "[[site]] port = true: must be a whole number",
    "port = 21.0": "[[site]] port = 21.0: must be a whole number",
    "port = 65536": "[[site]] port = 65536: a port is 0 to 65535",
    "name = 3": "[[site]] name = 3: must be a text in quotes",
    'name = "a\\nb"': '[[site]] name = "a\\nb": must be some text on one line, without control characters',
    "auto_start = 1": "[[site]] auto_start = 1: must be true or false",
    "address = 'ftp.example.org'": (
        '[[site]] address = "ftp.example.org": must be an IPv4 or IPv6 address of this machine, without brackets or port, '
        "or empty for all (host names are not looked up)"
    ),
    "listen = 'tcp:21'": '[[site]] listen = "tcp:21": must be a list of texts: ["…", "…"]',
    "listen = ['tcp:21', 3]": '[[site]] listen = ["tcp:21", 3]: must be a list of texts: ["…", "…"]',
    "listen = ['foo:21']": (
        '[[site]] listen = "foo:21": is no usable Twisted endpoint, such as tcp:2121, tcp6:2121, unix:/run/ftp.sock or haproxy:tcp:2121 '
        "(Unknown endpoint type: 'foo')"
    ),
    "limits = 3": "[[site]] limits = 3: must be a table",
    "[site.logon_attempts]\nexempt = ['10.0.0.1/8']": (
        '[site.logon_attempts] exempt = "10.0.0.1/8": must be a network such as "10.0.0.0/8" or "fc00::/7"; did you mean 10.0.0.0/8?'
    ),
    "[site.logon_attempts]\nexempt = '10.0.0.0/8'": "[site.logon_attempts] exempt = \"10.0.0.0/8\": must be a list of texts: [\"…\", \"…\"]",
    "[site.logon_attempts]\nperiod = 0": "[site.logon_attempts] period = 0: must be 0.01 or more",
    "[site.logon_attempts]\nblock = -1": "[site.logon_attempts] block = -1: must be 0 or more",
    "[site.tls]\ncertificate = ' '\nprivate_key = 'x'": '[site.tls] certificate = " ": must not be empty',
    "[site.tls]\ncertificate = '$NIX_SUCH/a'\nprivate_key = 'x'": (
        '[site.tls] certificate = "$NIX_SUCH/a": the environment variable NIX_SUCH is not set'
    ),
    '"a\\nb" = 1': '[[site]] "a\\nb": unknown key',
    "authorization = ['x']": '[[site.authorization]] (number 1) = "x": must be a table',
    "port = 1979-05-27": "[[site]] port = 1979-05-27: must be a whole number",
    "[firewall_support]\npassive_ports = '5000-5001'": (
        "[firewall_support] passive_ports: unknown key; did you mean data_channel_port_range in [firewall_support]?"
    ),
    "[firewall_support]\nlowDataChannelPort = 5000": (
        "[firewall_support] lowDataChannelPort: unknown key; did you mean data_channel_port_range in [firewall_support]?"
    ),
    "externalIp4Address = '203.0.113.7'": (
        "[[site]] externalIp4Address: unknown key; did you mean external_address in [site.firewall_support]?"
    ),
    "[site.authentication]\nusers_file = 'nix'": '[site.authentication] users_file = "nix": no such file; make it with: twistftp passwd FILE USER',
    "[site.authentication]\nusers_file = '$NIX_SUCH'": '[site.authentication] users_file = "$NIX_SUCH": the environment variable NIX_SUCH is not set',
    "[site.limits]\nmax_connections = -1": "[site.limits] max_connections = -1: must be 0 or more",
    "[site.limits]\ndata_channel_timeout = nan": "[site.limits] data_channel_timeout = nan: must be 0.01 or more",
    "[site.limits]\ndata_channel_timeout = true": "[site.limits] data_channel_timeout = true: must be a number",
    "[site.firewall_support]\nexternal_address = '127.0.0.1'": (
        '[site.firewall_support] external_address = "127.0.0.1": a loopback address leads clients to themselves'
    ),
    "[site.firewall_support.external_addresses]\n'10.0.0.1/8' = '10.0.0.1'": (
        '[site.firewall_support] external_addresses = "10.0.0.1/8=10.0.0.1": must be a network such as "10.0.0.0/8" or "fc00::/7"; '
        "did you mean 10.0.0.0/8?"
    ),
    "[site.firewall_support]\nexternal_addresses = 'x'": (
        '[site.firewall_support] external_addresses = "x": must be a table of texts: "10.8.0.0/16" = "10.8.0.1"'
    ),
    "[site.firewall_support]\nexternal_ports = '6000-6001'": (
        '[site.firewall_support] external_ports = "6000-6001": needs passive ports other than 0-0, and as many'
    ),
    "[site.firewall_support]\nexternal_ports = '6000-6001'\n[firewall_support]\ndata_channel_port_range = '5000-5002'": (
        '[site.firewall_support] external_ports = "6000-6001": must be as many ports as the passive ports 5000-5002'
    ),
    "[site.firewall_support]\ninternal_networks = '::1'": '[site.firewall_support] internal_networks = "::1": must be a list of texts: ["…", "…"]',
    "[site.firewall_support]\nmatch_client_address_for_pasv = '24'": (
        '[site.firewall_support] match_client_address_for_pasv = "24": must be true, false, or prefix lengths for IPv4 and IPv6 such as "24/64"'
    ),
    "[site.firewall_support]\nmatch_client_address_for_pasv = 24": (
        '[site.firewall_support] match_client_address_for_pasv = 24: must be true, false, or prefix lengths for IPv4 and IPv6 such as "24/64"'
    ),
    "[site.firewall_support]\nactive_port = 65536": "[site.firewall_support] active_port = 65536: a port is 0 to 65535",
    "[site.limits]\nmax_bytes_per_second = 10\nmin_bytes_per_second = 20": (
        "[site.limits] min_bytes_per_second = 20: must not be more than max_bytes_per_second, which is 10"
    ),
    "[site.limits]\nmax_site_bytes_per_second = 10\nmin_bytes_per_second = 20": (
        "[site.limits] min_bytes_per_second = 20: must not be more than max_site_bytes_per_second, which is 10"
    ),
    "[site.logging]\nformat = 'clf'": '[site.logging] format = "clf": must be one of w3c, json, xferlog',
    "[site.logging]\nfile = '$TWISTFTP_UNSET/a'": (
        '[site.logging] file = "$TWISTFTP_UNSET/a": the environment variable TWISTFTP_UNSET is not set'
    ),
    "[site.logging]\nfile = 'nowhere/a.log'": '[site.logging] file = "nowhere/a.log": there is no directory to make it in; make that first',
    "[site.logging]\nfile = 'pub'": '[site.logging] file = "pub": is a directory',
    "[site.authentication]\nanonymous_names = []": (
        "[site.authentication] anonymous_names = []: must hold a name; anonymous = false keeps anonymous users out"
    ),
    "[site.authentication]\nanonymous_names = ['']": (
        '[site.authentication] anonymous_names = [""]: each name must be some text without control characters'
    ),
    "[site.firewall_support.external_addresses]\n'10.0.0.0/8' = 5": (
        '[site.firewall_support] external_addresses = { "10.0.0.0/8" = 5 }: must be a table of texts: "10.8.0.0/16" = "10.8.0.1"'
    ),
    "[metrics]\nendpoint = 'nix:1'": (
        '[metrics] endpoint = "nix:1": is no usable Twisted endpoint, such as tcp:2121, tcp6:2121, unix:/run/ftp.sock or haproxy:tcp:2121 '
        "(Unknown endpoint type: 'nix')"
    ),
    "[site.directory_browse]\nstyle = 'dos'": '[site.directory_browse] style = "dos": must be one of unix, ms-dos',
    "[site.authentication]\nstrcred = ['memory:a']": "[site.authentication] strcred: memory: argstring must be in format U:P:...",
    "[server]\ngrace = -1": "[server] grace = -1: must be 0 or more",
    "[server]\nlisting_cache = -1": "[server] listing_cache = -1: must be 0 or more",
    "[firewall_support]\ndata_channel_port_range = '50-60'": '[firewall_support] data_channel_port_range = "50-60": port 50 is outside 1024-65535',
    "[firewall_support]\ndata_channel_port_range = 5000": ('[firewall_support] data_channel_port_range = 5000: must be a text such as "50000-50100"'),
    "[firewall_support]\ndata_channel_port_range = '2121'": (
        '[firewall_support] data_channel_port_range = "2121": holds control ports alone; none is left for data'
    ),
    "[[site]]\nroot = 'pub'": '[[site]] name (site 2) = "twistftp": another site has this name; give each its own',
    "[[site]]\nroot = 'pub'\nname = 'b'": (
        "[[site]] port (site 2) = 2121: site 'twistftp' listens there already; change port or address, or give each a host name"
    ),
    "[[site]]\nname = 'b'": "[[site]] root (site 2): is required",
    "port = x\nname = 'a'": "not valid TOML: Invalid value (at line 3, column 8)",
}

# Whole files.
WRONG_FILES = {
    "": "has no [[site]], so there is nothing to serve",
    "[site]\nroot = 'pub'": "site = { root = \"pub\" }: each site is a table of its own with two brackets: [[site]]",
    "site = [3]": "site = 3: must be a table",
    "[[site]]": "[[site]] root: is required",
    "[[site]]\nroot = ''": '[[site]] root = "": must not be empty',
    "[[site]]\nroot = '$TWISTFTP_UNSET/a'": '[[site]] root = "$TWISTFTP_UNSET/a": the environment variable TWISTFTP_UNSET is not set',
}


KEYS = sampled_from(["root", "port", "site", "server", "limits", "grace", "nix"])


class Case(SynchronousTestCase):
    """A directory with a content root ``pub`` and a file ``ftp.toml``; ``work`` is the working directory."""

    def setUp(self) -> None:
        self.base = Path(self.mktemp()).absolute()
        (self.base / "pub").mkdir(parents=True)
        (self.base / "work" / "here").mkdir(parents=True)
        (self.base / "log").mkdir()
        self.file = self.base / "ftp.toml"
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.base / "work")

    def read(self, content: str, given: dict = {}) -> ServerSettings:
        self.file.write_text(content, "utf-8")
        return read(str(self.file), given)

    def refusal(self, content: str, given: dict = {}) -> str:
        line = str(self.assertRaises(ConfigurationError, self.read, content, given))
        self.assertTrue(line.isprintable(), line)
        return line.removeprefix(f"{self.file}: ")


class FileTests(Case):
    """The configuration file."""

    def test_least(self) -> None:
        """A root is enough; everything else has its default."""
        expected = ServerSettings((SiteSettings(root=str(self.base / "pub")),))
        self.assertEqual(expected, self.read(SITE))
        self.assertEqual(expected, load(str(self.file)))

    def test_full(self) -> None:
        """Every key arrives in its setting."""
        settings = self.read(FULL)
        one, two = settings.sites
        self.assertEqual(PortRange(50000, 50100), settings.firewall_support.data_channel_port_range)
        self.assertEqual((2.5, 5), (settings.grace, settings.listing_cache))
        self.assertEqual(("My New FTP Site", "127.0.0.1", 2100, "ftp.example.org"), (one.name, one.address, one.port, one.host_name))
        support = SiteFirewallSupport(
            "ftp.example.org", {"10.8.0.0/16": "10.8.0.1"}, PortRange(60000, 60100), ["10.0.0.0/8"], "24/64", False, False, 0, ["10.0.0.5"]
        )
        self.assertEqual(support, one.firewall_support)
        self.assertEqual(Authentication(True, ("guest",), ("memory:alice:secret",)), one.authentication)
        self.assertEqual((10, 5.0), (one.limits.max_connections, one.limits.data_channel_timeout))
        self.assertEqual(LogonAttempts(2, 0.0, 60.0, 600.0, ["10.0.0.0/8", "2001:db8::1"], True), one.logon_attempts)
        limits = one.limits
        self.assertEqual((10, 1000, 5000), (limits.min_bytes_per_second, limits.max_bytes_per_second, limits.max_site_bytes_per_second))
        self.assertEqual((str(self.base / "log" / "access.log"), "json"), (one.logging.file, one.logging.format))
        self.assertEqual((str(self.base / "run" / "s"), "tcp:9121"), (settings.control_socket, settings.metrics.endpoint))
        self.assertEqual(("ms-dos", "local"), (one.directory_browse.style, one.directory_browse.time))
        self.assertEqual(("Hello", True), (one.messages.banner, one.logging.commands))
        self.assertEqual(("other", ("tcp:2200",)), (two.name, two.listen))

    def test_mistakes(self) -> None:
        """Each mistake is one line that names the file, the key, the value and the rule."""
        for content, line in MISTAKES.items():
            self.assertEqual(line, self.refusal(SITE + content))

    def test_wrong_files(self) -> None:
        """Files without a site that could be served."""
        for content, line in WRONG_FILES.items():
            self.assertEqual(line, self.refusal(content))

    def test_unreadable(self) -> None:
        """A file that is not there, is a directory, or is no text."""
        for path, rule in ((self.base / "nix", "no such file or directory"), (self.base, "is a directory")):
            self.assertEqual(f"{path}: {rule}", str(self.assertRaises(ConfigurationError, read, str(path))))
        self.file.write_bytes(b"# \xff")
        self.assertEqual(f"{self.file}: not UTF-8 text (octet 2)", str(self.assertRaises(ConfigurationError, load, str(self.file))))

    def test_no_external_ports(self) -> None:
        """An empty text is the same as no key."""
        self.assertIs(None, self.read(f"{SITE}[site.firewall_support]\nexternal_ports = ''").sites[0].firewall_support.external_ports)

    def test_byte_order_mark(self) -> None:
        """Windows' editors put one at the beginning."""
        self.assertEqual("twistftp", self.read("\ufeff" + SITE).sites[0].name)

    def test_sites_on_different_ports(self) -> None:
        """Sites that are not started, or listen elsewhere, are in nobody's way."""
        for difference in ("port = 2122", "auto_start = false", "listen = ['tcp:2121']", "port = 2121\nauto_start = false"):
            self.assertEqual(2, len(self.read(f"{SITE}{SITE}name = 'b'\n{difference}").sites))

    def test_describe_change(self) -> None:
        """Is to be had from here."""
        self.assertIs(of_settings, describe_change)

    @given(
        recursive(
            integers() | text(max_size=5) | lists(integers(), max_size=2),
            lambda inner: dictionaries(KEYS, inner, max_size=4) | lists(inner, max_size=2),
        )
    )
    def test_any_document(self, value: object) -> None:
        """Whatever a file holds, it is taken or refused in one line."""
        document = value if isinstance(value, dict) else {"site": value}
        try:
            _Source("ftp.toml", {}).structured(document)
        except ConfigurationError as error:
            self.assertTrue(str(error).isprintable())


class OptionTests(Case):
    """Options as values for places of the file."""

    def test_alone(self) -> None:
        """Without a file there is one site, whose relative root starts at the working directory."""
        settings = read(None, {("site", 0, "root"): "here", ("site", 0, "port"): 2200, ("server", "grace"): 1.0})
        self.assertEqual(ServerSettings((SiteSettings(root=str(self.base / "work" / "here"), port=2200),), grace=1.0), settings)

    def test_over_the_file(self) -> None:
        """What is given beside a file overrides it; a root then starts at the working directory."""
        given = {("site", 0, "root"): "here", ("site", 0, "authentication", "anonymous"): False, ("site", 0, "logging", "commands"): True}
        (site,) = self.read(SITE + "port = 2200", given).sites
        self.assertEqual(SiteSettings(str(self.base / "work" / "here"), port=2200, authentication=Authentication(False), logging=site.logging), site)
        self.assertTrue(site.logging.commands)

    def test_without_a_site_in_the_file(self) -> None:
        """A root that is given makes the site that the file does not have."""
        self.assertEqual(str(self.base / "work" / "here"), self.read("[server]\ngrace = 1", {("site", 0, "root"): "here"}).sites[0].root)

    def test_several_sites(self) -> None:
        """An option for a site is refused where it is not clear for which; one for the server is not."""
        rule = f"--port: is for one site and {self.file} has 2 sites; change the file instead"
        self.assertEqual(rule, self.refusal(FULL, {("site", 0, "port"): 1}))
        self.assertEqual(1.0, self.read(FULL, {("server", "grace"): 1.0}).grace)
        rule = f"--port: is for one site and {self.file} has no [[site]]; change the file instead"
        self.assertEqual(rule, self.refusal("", {("site", 0, "port"): 1}))

    def test_mistakes(self) -> None:
        """A refused value goes by the option's name."""
        wrong: dict[tuple[str | int, ...], tuple[object, str]] = {
            ("site", 0, "root"): ("nix", f'--root "nix": no such directory ({self.base / "work" / "nix"})'),
            ("site", 0, "port"): ("x", '--port "x": must be a whole number'),
            ("site", 0, "address"): ("x", '--interface "x": must be an IPv4 or IPv6 address'),
            ("site", 0, "listen"): (["x"], '--listen "x": is no usable Twisted endpoint'),
            ("site", 0, "name"): ("", '--name "": must be some text'),
            ("site", 0, "host_name"): ("a b", '--host-name "a b": must be a host name'),
            ("firewall_support", "data_channel_port_range"): ("1-2", '--passive-ports "1-2": port 1 is outside 1024-65535'),
            ("server", "grace"): (-1, "--grace -1: must be 0 or more"),
            ("site", 0, "firewall_support", "external_address"): ("::1", '--external-address "::1": must be an IPv4 address or a DNS name'),
            ("site", 0, "firewall_support", "external_addresses"): ({"x": "a"}, '--external-address "x=a": must be a network'),
            ("site", 0, "firewall_support", "external_ports"): ("0-0", '--external-ports "0-0": must be a range'),
            ("site", 0, "firewall_support", "internal_networks"): (["x"], '--internal-network "x": must be a network'),
        }
        for where, (value, line) in wrong.items():
            for content in (None, SITE):
                if content:
                    self.file.write_text(content)
                given = {("site", 0, "root"): "here", where: value}
                error = self.assertRaises(ConfigurationError, read, content and str(self.file), given)
                self.assertTrue(str(error).startswith(line), str(error))
        self.assertEqual("--root: is required", str(self.assertRaises(ConfigurationError, read, None)))

    def test_table_where_a_value_is(self) -> None:
        """A file that is wrong where an option goes is refused, too."""
        self.assertEqual("server = 3: must be a table", self.refusal(f"server = 3\n{SITE}", {("server", "grace"): 1.0}))
        self.assertEqual("site = 3: each site is a table of its own with two brackets: [[site]]", self.refusal("site = 3", {("site", 0, "port"): 1}))

    def test_every_option_has_a_place(self) -> None:
        """The table of options names settings that exist."""
        for where in OPTIONS:
            keys = {"firewall_support": "firewall_support", "server": None}.get(str(where[0]), "site")
            value: object = SiteSettings("/") if keys == "site" else ServerSettings(())
            for key in where[2:] if keys == "site" else where[1:] if keys is None else where:
                self.assertTrue(hasattr(value, str(key)), where)
                value = getattr(value, str(key))

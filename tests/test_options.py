"""Tests of ``options``."""

import io
import os
import sys
from pathlib import Path
from unittest import SkipTest

from twisted.python.usage import UsageError
from twisted.scripts.twistd import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

from tests.support.tls import authority, write_files
from twistftp.options import Options
from twistftp.policy.channels import PortRange
from twistftp.policy.settings import Authentication, SiteFirewallSupport, SiteSettings


class Case(SynchronousTestCase):
    """A directory to serve."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp()).absolute()
        self.root.mkdir(parents=True)

    def parse(self, *arguments: str) -> Options:
        options = Options()
        options.parseOptions(["--root", str(self.root), *arguments])
        return options

    def refusal(self, *arguments: str) -> str:
        return str(self.assertRaises(UsageError, self.parse, *arguments))


class ParseTests(Case):
    """Options and what they set."""

    def test_defaults(self) -> None:
        """A root is enough."""
        self.assertEqual((SiteSettings(str(self.root)),), self.parse().settings.sites)

    def test_all(self) -> None:
        """Each option arrives in its setting."""
        arguments = "-p 2200 -i 127.0.0.1 --name x --host-name ftp.example --listen tcp:1 --listen tcp:2 --no-anonymous --log-commands"
        arguments += " --auth memory:a:b --auth=memory:c:d --passive-ports=5000-5001 --grace 0.5"
        settings = self.parse(*arguments.split()).settings
        (site,) = settings.sites
        expected = (2200, "127.0.0.1", "x", "ftp.example", ("tcp:1", "tcp:2"))
        self.assertEqual(expected, (site.port, site.address, site.name, site.host_name, site.listen))
        self.assertEqual(Authentication(False, strcred=("memory:a:b", "memory:c:d")), site.authentication)
        self.assertTrue(site.logging.commands)
        self.assertEqual((PortRange(5000, 5001), 0.5), (settings.firewall_support.data_channel_port_range, settings.grace))

    def test_users(self) -> None:
        """A users file by its absolute path, which SIGHUP finds again from anywhere, and which it need not be able to read."""
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.root)
        Path("users").write_text("# nobody\n", "ascii")
        Path("ftp.toml").write_text("[[site]]\n", "ascii")
        options = self.parse("--users", "users", "--config", "ftp.toml")
        expected = Authentication(users_file=str(self.root / "users"))
        self.assertEqual(expected, options.settings.sites[0].authentication)
        os.chdir("/")
        (self.root / "users").unlink()
        self.assertEqual(expected, options.reread().sites[0].authentication)

    def test_monitoring(self) -> None:
        """Paths are absolute from here on: a daemon changes its directory; off stays a word."""
        arguments = "--access-log log/a.log --access-log-format json --control-socket run/s --metrics tcp:9121"
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.root)
        (self.root / "log").mkdir()  # the file is opened at the start, so there must be room for it
        options = self.parse(*arguments.split())
        settings, logging = options.settings, options.settings.sites[0].logging
        self.assertEqual((str(self.root / "log" / "a.log"), "json"), (logging.file, logging.format))
        self.assertEqual((str(self.root / "run" / "s"), "tcp:9121"), (settings.control_socket, settings.metrics.endpoint))
        self.assertEqual("off", self.parse("--control-socket", "off").settings.control_socket)
        os.chdir("/")
        self.assertEqual(settings, options.reread())

    def test_firewall_support(self) -> None:
        """Addresses for everybody and for one network come by the same option; the networks that are given replace the usual ones."""
        arguments = "--external-address 10.8.0.0/16=10.8.0.1 --external-address ftp.example.org --external-address 10.9.0.0/16=vpn.example.org "
        arguments += "--passive-ports 5000-5001 --external-ports 6000-6001 --internal-network 10.0.0.0/8 --internal-network ::1"
        table = {"10.8.0.0/16": "10.8.0.1", "10.9.0.0/16": "vpn.example.org"}
        expected = SiteFirewallSupport("ftp.example.org", table, PortRange(6000, 6001), ["10.0.0.0/8", "::1"])
        self.assertEqual(expected, self.parse(*arguments.split()).settings.sites[0].firewall_support)

    def test_proxy_from(self) -> None:
        """Networks of load balancers, as many as there are; one that is none is refused by its option."""
        support = self.parse("--proxy-from", "10.0.0.5", "--proxy-from", "2001:db8::/64").settings.sites[0].firewall_support
        self.assertEqual(SiteFirewallSupport(proxy_from=["10.0.0.5/32", "2001:db8::/64"]), support)
        self.assertTrue(self.refusal("--proxy-from", "balancer").startswith('--proxy-from "balancer": must be a network'))

    def test_firewall_support_over_a_file(self) -> None:
        """Only what is given replaces what the file says."""
        file = self.root / "ftp.toml"
        file.write_text("[[site]]\nroot = '.'\n[site.firewall_support]\nexternal_address = '203.0.113.7'\nactive_port = 0\n", "ascii")
        support = self.parse("--config", str(file), "--external-address", "10.8.0.0/16=10.8.0.1").settings.sites[0].firewall_support
        self.assertEqual(SiteFirewallSupport("203.0.113.7", {"10.8.0.0/16": "10.8.0.1"}, active_port=0), support)

    def test_zero(self) -> None:
        """A zero is a value, not the lack of one."""
        settings = self.parse("--port", "0", "--grace", "0").settings
        self.assertEqual((0, 0), (settings.sites[0].port, settings.grace))

    def test_refusals(self) -> None:
        """One line that names the option, the value and the rule."""
        for arguments, line in {
            "--port x": '--port "x": must be a whole number',
            "--port 70000": "--port 70000: a port is 0 to 65535",
            "--port -1": "--port -1: a port is 0 to 65535",
            "--grace x": '--grace "x": must be a number',
            "--grace nan": "--grace nan: must be 0 or more",
            "--passive-ports 60000-50000": '--passive-ports "60000-50000": the low end 60000 is above the high end 50000',
            "--passive-ports 0-50000": '--passive-ports "0-50000": only 0-0, both ends, means the system\'s dynamic range',
            "--auth nix:secret": "--auth: 'nix' is no kind of authentication here; there are anonymous, file, memory",
            "--no-anonymous --auth anonymous": "--no-anonymous: contradicts --auth anonymous",
            "--external-address 0.0.0.0": '--external-address "0.0.0.0": 0.0.0.0 is no address to connect to',
            "--external-address 10.0.0.0/8=127.0.0.1": '--external-address "10.0.0.0/8=127.0.0.1": a loopback address leads clients to themselves',
            "--external-address a --external-address b": "--external-address b: a was given already; another one needs its network, NETWORK=ADDR",
            "--external-ports 5000": '--external-ports "5000": needs passive ports other than 0-0, and as many',
            "--internal-network 10.0.0.1/8": '--internal-network "10.0.0.1/8": must be a network',
            "--users /does/not/exist": '--users "/does/not/exist": no such file',
            "--users /": '--users "/": is a directory',
            "--nix": "option --nix not recognized",
            "--passiveports 5000": "option --passiveports not recognized; did you mean --passive-ports?",
            "--extern 5000": "option --extern not a unique prefix; did you mean --external-address or --external-ports?",
            "--config=": '--config "": must be a file, not empty',
            "--access-log-format json": "--access-log-format json: there is no access log; name its file with --access-log FILE",
            "--port": "option --port requires argument",
            "--config /does/not/exist": "/does/not/exist: no such file or directory",
            "stray": "unexpected argument 'stray'",
        }.items():
            refusal = self.refusal(*arguments.split())
            self.assertTrue(refusal.startswith(line), refusal)
            self.assertNotIn("\n", refusal)

    def test_no_root(self) -> None:
        """Without root and file the line has an example."""
        error = self.assertRaises(UsageError, Options().parseOptions, [])
        self.assertEqual("--root is required (or --config with a file). Example: twistd -n ftpsite --root ./pub", str(error))

    def test_forgotten_word(self) -> None:
        """A directory alone is taken for what it was meant to be."""
        self.assertEqual(f"unexpected argument {str(self.root)!r}; did you mean --root {self.root}?", self.refusal(str(self.root)))

    def test_options_of_twistd(self) -> None:
        """Those that were meant for ``twistd`` itself are told where they go; what it does not have either is just unknown."""
        for arguments, meant in (("-n", True), ("--nodaemon", True), ("--logfile=x", True), ("-z", False), ("--logfil=x", False)):
            options, stderr = Options(), io.StringIO()
            options.parent = ServerOptions()
            self.patch(sys, "stderr", stderr)
            error = self.assertRaises(SystemExit, options.parseOptions, [arguments])
            name = arguments.partition("=")[0]
            advice = f"; {name} is an option of twistd itself: it goes before the word ftpsite" if meant else ""
            self.assertEqual((1, f"twistd ftpsite: option {name} not recognized{advice}\n"), (error.code, stderr.getvalue()))

    def test_files_of_twistd(self) -> None:
        """A pid file or a log that cannot be is refused in a line, where ``twistd`` would show a traceback; relative ones start at its --rundir."""
        rule = "there is no directory to make it in; make that first"
        for above, line in (
            ({"pidfile": "nix/a.pid"}, f"--pidfile nix/a.pid: {rule}; name another place, or none (--pidfile=), before the word ftpsite"),
            ({"logfile": "nix/a.log"}, f"--logfile nix/a.log: {rule}; name another place, or -n for the terminal, before the word ftpsite"),
            ({"pidfile": "a.pid", "rundir": "nix"}, "--rundir nix: no such directory\n"),
            ({"pidfile": "a.pid", "rundir": str(self.root)}, ""),
            ({"pidfile": "", "logfile": "-"}, ""),
            ({"pidfile": "nix/a.pid", "chroot": str(self.root)}, ""),
        ):
            options, stderr = Options(), io.StringIO()
            options.parent = above
            self.patch(sys, "stderr", stderr)
            root = "/" if "chroot" in above else str(self.root)
            if line:
                self.assertRaises(SystemExit, options.parseOptions, ["--root", root])
                self.assertTrue(stderr.getvalue().startswith(f"twistd ftpsite: {line}"), stderr.getvalue())
            else:
                options.parseOptions(["--root", root])

    def test_unknown_user(self) -> None:
        """``twistd`` would end in a traceback for a ``--uid`` without a name."""
        if os.name != "posix":
            raise SkipTest("this system has no --uid")
        options = Options()
        options.parent = {"uid": 4123456789}
        self.patch(sys, "stderr", io.StringIO())
        error = self.assertRaises(SystemExit, options.parseOptions, ["--root", str(self.root)])
        self.assertEqual((1, "twistd ftpsite: --uid 4123456789: the system knows no such user\n"), (error.code, sys.stderr.getvalue()))


class RereadTests(Case):
    """What SIGHUP sees."""

    def test_reread(self) -> None:
        """The file as it is now; options still override it, and relative paths mean what they meant."""
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.root)
        (self.root / "pub").mkdir()
        Path("ftp.toml").write_text("[[site]]\nroot = 'nix'\nport = 1\n[site.messages]\nbanner = 'old'", "ascii")
        options = Options()
        options.parseOptions(["--root", "pub", "--port", "2200", "--config", "ftp.toml"])
        Path("ftp.toml").write_text("[[site]]\nroot = 'nix'\nport = 1\n[site.messages]\nbanner = 'new'", "ascii")
        os.chdir("/")
        before, (after,) = options.settings.sites[0], options.reread().sites
        self.assertEqual(("old", "new"), (before.messages.banner, after.messages.banner))
        self.assertEqual((2200, str(self.root / "pub")), (after.port, after.root))

    def test_without_file(self) -> None:
        """Options alone: relative paths mean what they meant."""
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.root)
        (self.root / "pub").mkdir()
        write_files(self.root, authority().issue_cert("localhost"))
        options = Options()
        options.parseOptions(["--root", "pub", "--certificate", "cert.pem", "--private-key", "key.pem", "--access-log", "log"])
        os.chdir("/")
        self.assertEqual(options.settings, options.reread())


class HelpTests(Case):
    """What ``--help`` says."""

    def test_help(self) -> None:
        """Every option has words of its own, and lines fit a terminal."""
        text = str(Options())
        for word in ("--root=", "--port=", "--passive-ports=", "--no-anonymous", "--listen=", "--auth=", "--config=", "SIGHUP"):
            self.assertIn(word, text)

    def test_version(self) -> None:
        """Ours comes first."""
        self.patch(sys, "stdout", io.StringIO())
        self.assertRaises(SystemExit, Options().parseOptions, ["--version"])
        self.assertRegex(sys.stdout.getvalue(), r"^twistftp \d+\.\d+\.\d+, Twisted ")

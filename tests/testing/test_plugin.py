"""The fixtures, in test runs of pytest's own, and the examples, which users copy."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from tests.testing.support import CHECKOUT, pytest_environment

SAMPLE = """
    import sys
    from ftplib import FTP

    import pytest

    from twistftp.testing import chaos

    ports = []


    def login(site):
        client = FTP(timeout=10)
        client.connect(site.host, site.port)
        client.login(site.user, site.password)
        return client


    def test_plain(ftp_site):
        assert "twisted" not in sys.modules
        assert dict(ftp_site.files) == {}
        client = login(ftp_site)
        client.mkd("mine")
        client.quit()
        ports.append(ftp_site.port)


    def test_a_site_for_each_test(ftp_site):
        assert ftp_site.files.directories == []
        for port in ports:
            with pytest.raises(ConnectionRefusedError):
                FTP().connect("127.0.0.1", port)


    @pytest.mark.ftp_site(files={"method": b""}, users={"alice": "secret"}, tls=True)
    class TestMarkers:
        def test_of_the_class(self, ftp_site):
            assert (ftp_site.user, list(ftp_site.files), ftp_site.tls) == ("alice", ["method"], "explicit")

        @pytest.mark.ftp_site({"nearer": b""}, users={"bob": "x"})
        def test_nearest(self, ftp_site):
            assert (ftp_site.user, ftp_site.tls) == ("bob", "explicit")

        @pytest.mark.ftp_site(chaos=[chaos.odd_550(["odd"])])
        def test_chaos(self, ftp_site):
            with pytest.raises(Exception, match="^550 odd$"):
                login(ftp_site).delete("missing")


    def test_several(make_ftp_site):
        one, other = make_ftp_site({"a": b"1"}), make_ftp_site(files={"a": b"2"})
        assert (one.files["a"], other.files["a"]) == (b"1", b"2")


    @pytest.mark.ftp_site(tls="maybe")
    def test_mistake(ftp_site):
        pass
"""


@skipUnless(find_spec("pytest"), "needs pytest")
class PytestTests(SynchronousTestCase):
    """What ``python -m pytest`` says."""

    timeout = 180

    def run_pytest(self, *arguments: object, path: str = "") -> tuple[int, str]:
        environment = pytest_environment()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *map(str, arguments)],
            cwd=CHECKOUT,
            env={**environment, "PYTHONPATH": os.pathsep.join((environment["PYTHONPATH"], path))},
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def sample(self) -> Path:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "conftest.py").write_text('pytest_plugins = ["twistftp.testing.plugin"]\n')
        (folder / "test_sample.py").write_text(dedent(SAMPLE))
        return folder

    def test_fixtures(self) -> None:
        """A site for each test, as its markers say; what is wrong with one is told."""
        status, output = self.run_pytest("--strict-markers", self.sample())
        self.assertIn("6 passed, 1 error", output)
        self.assertIn("ValueError: tls must be True, False", output)
        self.assertEqual(1, status)

    def test_the_process_ends_with_the_run(self) -> None:
        """Though the one that ran pytest goes on, as an editor's does."""
        code = f"""
import pytest
from twistftp.testing import link
assert pytest.main(["-q", "-p", "no:cacheprovider", "-k", "test_plain", {str(self.sample())!r}]) == 0
assert link._current is None
"""
        done = subprocess.run([sys.executable, "-c", code], env=pytest_environment(), capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertIn("1 passed", done.stdout)

    @skipUnless(find_spec("setuptools"), "needs setuptools")
    def test_as_installed(self) -> None:
        """The fixtures are there by the entry point of the package alone; whoever names the plugin as well, in any way, has it once."""
        base = Path(self.mktemp()).absolute()
        base.mkdir()
        command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(base)]
        subprocess.run(command, cwd=CHECKOUT, capture_output=True, timeout=60, check=True)
        test = base / "test_one.py"
        test.write_text("def test_one(ftp_site): assert list(ftp_site.files) == []\n")
        self.assertIn("1 passed", self.run_pytest(test, path=str(base))[1])
        (base / "conftest.py").write_text('pytest_plugins = ["twistftp.testing.plugin"]\n')
        self.assertIn("1 passed", self.run_pytest("-p", "twistftp.testing.plugin", test, path=str(base))[1])

    @skipUnless(find_spec("xdist"), "needs pytest-xdist")
    def test_in_parallel(self) -> None:
        """Each of pytest-xdist's processes has sites of its own."""
        _, output = self.run_pytest("-n", "2", "-k", "test_plain or test_several", self.sample())
        self.assertIn("2 passed", output)

    def test_fixtures_are_listed(self) -> None:
        """``pytest --fixtures`` says what they are for, ``--markers`` what can be said of a site."""
        plugin = ("-p", "twistftp.testing.plugin")
        self.assertRegex(self.run_pytest(*plugin, "--fixtures", self.sample())[1], r"(?s)ftp_site.*An FTP site of the test's own")
        self.assertIn("@pytest.mark.ftp_site(files=None", self.run_pytest(*plugin, "--markers", self.sample())[1])

    def test_loading_is_light(self) -> None:
        """pytest loads the file of the entry point in every run: nothing else comes with it."""
        code = "import sys, twistftp.testing.plugin; print(sorted(name for name in sys.modules if name.startswith('twistftp')))"
        done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=True)
        self.assertEqual("['twistftp', 'twistftp.testing', 'twistftp.testing.plugin']\n", done.stdout)

    def test_example_with_ftplib(self) -> None:
        """It passes as it stands."""
        status, output = self.run_pytest("-p", "twistftp.testing.plugin", CHECKOUT / "examples" / "test_with_ftplib.py")
        self.assertEqual(0, status, output)
        self.assertIn("8 passed", output)


@skipUnless(find_spec("aioftp"), "needs aioftp")
class AioftpExampleTests(SynchronousTestCase):
    def test_example_with_aioftp(self) -> None:
        """It passes as it stands, without pytest."""
        command = [sys.executable, str(CHECKOUT / "examples" / "test_with_aioftp.py")]
        done = subprocess.run(command, env=pytest_environment(), capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertRegex(done.stderr, r"Ran 3 tests .*\n\nOK")

"""The process of the sites, and that of the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from select import select
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from tests.testing.support import CHECKOUT, SitesCase, run
from twistftp.testing import FTPServer
from twistftp.testing.link import ServerDied, end, link


class ProcessTests(SynchronousTestCase):
    """Two processes: what one leaves to the other, and how they end."""

    timeout = 60

    def test_nothing_is_imported(self) -> None:
        """Neither Twisted nor pytest nor anything that makes certificates comes into the test's process."""
        code = """
import sys
from twistftp.testing import chaos, ftp_site
with ftp_site({"a": b"x"}, tls=True, chaos=[chaos.late_226(1)]) as site:
    site.client_context(), site.files["a"], site.commands
print(sorted({"twisted", "pytest", "cryptography", "OpenSSL", "trustme", "zope"} & {name.split(".")[0] for name in sys.modules}))
"""
        done = run(code)
        self.assertEqual(("[]\n", "", 0), (done.stdout, done.stderr, done.returncode))

    @skipUnless(hasattr(os, "pidfd_open"), "no pidfd here")
    def test_it_ends_with_its_parent(self) -> None:
        """However that one ends: it is killed here, and a fork of it holds the line open."""
        code = """
import os, signal, sys
from twistftp.testing import ftp_site
site = ftp_site().start()
if not os.fork():
    signal.pause()
print(site._link.pid, os.getpid(), flush=True)
sys.stdin.read()
"""
        with subprocess.Popen([sys.executable, "-c", code], cwd=CHECKOUT, stdin=-1, stdout=-1, text=True, start_new_session=True) as tests:
            worker, parent = map(int, tests.stdout.readline().split())  # type: ignore[union-attr]
            watched = os.pidfd_open(worker)
            self.addCleanup(os.close, watched)
            os.kill(parent, signal.SIGKILL)
            gone, _, _ = select([watched], [], [], 30)
            os.killpg(tests.pid, signal.SIGKILL)  # the fork
            self.assertEqual([watched], gone)

    def test_a_fork_has_its_own(self) -> None:
        """A process that was forked does not speak on its parent's line."""
        code = """
import os
from ftplib import FTP
from twistftp.testing import ftp_site
with ftp_site({"mine": b""}) as site:
    child = os.fork()
    if not child:
        with ftp_site({"child": b""}) as own:
            assert list(own.files) == ["child"] and own._link is not site._link
        raise SystemExit
    assert os.waitpid(child, 0)[1] == 0
    print(list(site.files))
"""
        done = run(code)
        self.assertEqual(("['mine']\n", "", 0), (done.stdout, done.stderr, done.returncode))

    def test_a_fork_and_its_parents_site(self) -> None:
        """It may not ask it anything, and is told so; leaving the block there ends neither site nor directory."""
        code = """
import os
from twistftp.testing import ftp_site
with ftp_site({"a": b"x"}, on_disk=True) as site:
    child = os.fork()
    if not child:
        try:
            site.commands
        except RuntimeError as error:
            print(error, flush=True)
        raise SystemExit
    assert os.waitpid(child, 0)[1] == 0
    print(site.commands, dict(site.files))
"""
        done = run(code)
        told = "the site was started by another process, of which this one is a fork; ask it there"
        self.assertEqual((f"{told}\n[] {{'a': b'x'}}\n", "", 0), (done.stdout, done.stderr, done.returncode))

    @skipUnless(os.path.isdir("/proc/self/fd"), "no /proc here")
    def test_nothing_is_left(self) -> None:
        """No thread while a site is there; behind its end no file and no directory, behind the process's no child and no descriptor either."""
        code = """
import os, threading
from ftplib import FTP
from pathlib import Path
from twistftp.testing import ftp_site
from twistftp.testing.link import end
def state():
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return threading.active_count(), len(os.listdir("/proc/self/fd")), children, os.listdir(os.environ["TMPDIR"])
before = state()
for on_disk in (False, True):
    with ftp_site({"a": b"x"}, tls=True, on_disk=on_disk) as site:
        site.ca_file, site.client_context(), site.files["a"]
        with FTP() as client:
            client.connect(site.host, site.port)
        during = state()
    after = state()
    assert (during[0], after[3]) == (1, []), (during, after)
end()
assert state() == before, (before, state())
assert list(ftp_site({"a": b""}).start().files) == ["a"]  # and again, without an end of its own
print(threading.active_count())
"""
        folder = self.mktemp()
        os.mkdir(folder)
        done = run(code, env={**os.environ, "TMPDIR": os.path.abspath(folder)})
        self.assertEqual(("1\n", "", 0), (done.stdout, done.stderr, done.returncode))
        self.assertEqual([], os.listdir(folder))

    def test_warnings_are_the_tests_own(self) -> None:
        """Where they are errors, by the environment too, sites start all the same."""
        code = "from twistftp.testing import ftp_site\nwith ftp_site(tls=True) as site: print(site.commands)"
        done = run(code, env={**os.environ, "PYTHONWARNINGS": "error"})
        self.assertEqual(("[]\n", "", 0), (done.stdout, done.stderr, done.returncode))

    def test_one_that_dies(self) -> None:
        """Whoever asks is told, and the next site has a new process."""
        site = FTPServer({"a": b"x"}).start()
        self.addCleanup(site.stop)
        before = link()
        os.kill(before.pid, signal.SIGKILL)
        self.assertRaisesRegex(ServerDied, "process of the FTP sites has ended", lambda: (site.wait_for_command("NOOP"), site.commands))
        site.stop()
        with FTPServer({"a": b"x"}) as site:
            self.assertEqual(b"x", site.files["a"])
            self.assertNotEqual(before.pid, link().pid)


class _Rung(Exception):
    """The time is over."""


class ConversationTests(SitesCase):
    """Questions and answers on the line."""

    def test_many_ask_at_a_time(self) -> None:
        """Each thread gets its own answers, whoever reads them."""
        site = self.serve(files={str(number): b"%d" % number for number in range(8)})
        found: dict[int, set[bytes]] = {}

        def ask(number: int) -> None:
            found[number] = {site.files[str(number)] for _ in range(100)}

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual({number: {b"%d" % number} for number in range(8)}, found)

    def test_big_files(self) -> None:
        """They cost what their octets cost, and not the square of it."""
        site = self.serve(files={"big": bytes(40_000_000)})
        self.assertEqual(40_000_000, len(site.files["big"]))

    @skipUnless(hasattr(signal, "setitimer"), "no timers here")
    def test_a_wait_that_is_broken_off(self) -> None:
        """A signal that ends it, as pytest-timeout's, leaves the line as it was."""

        def ring(*_: object) -> None:
            raise _Rung

        site = self.serve()
        self.addCleanup(signal.signal, signal.SIGALRM, signal.signal(signal.SIGALRM, ring))
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with self.assertRaises(_Rung):
            site.wait_for_command("NOOP", timeout=0.5)
        self.assertEqual(["a.bin"], list(site.files))
        site.wait_until_idle()
        with self.assertRaises(TimeoutError):
            site.wait_for_command("NOOP", timeout=0.6)  # the answer to the first comes meanwhile

    def test_end(self) -> None:
        """Whoever has a site still is told, and the next one has a new process."""
        site = self.serve()
        before = link().pid
        end()
        end()
        self.assertRaisesRegex(ServerDied, "has ended", lambda: site.commands)
        self.assertEqual(["a.bin"], list(self.serve().files))
        self.assertNotEqual(before, link().pid)

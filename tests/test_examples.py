"""Tests of the files in ``examples`` that are no programs: what systemd and logrotate are given."""

import shlex
import shutil
import subprocess
import tempfile
from configparser import ConfigParser
from pathlib import Path
from unittest import SkipTest

from twisted.scripts.twistd import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

from twistftp.options import Options

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
UNIT = EXAMPLES / "twistftp.service"


def unit() -> ConfigParser:
    """The unit, whose keys are spelt in capitals."""
    parser = ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(UNIT.read_text("utf-8"))
    return parser


class ServiceTests(SynchronousTestCase):
    """``twistftp.service`` and ``twistftp.logrotate``."""

    def test_command(self) -> None:
        """``twistd`` and ``ftpsite`` know the options of the unit; no pid file is written, and SIGTERM has time for the default grace."""
        service = unit()["Service"]
        program, *arguments = shlex.split(service["ExecStart"])
        before, after = arguments[: arguments.index("ftpsite")], arguments[arguments.index("ftpsite") + 1 :]
        self.assertEqual("twistd", Path(program).name)
        above = ServerOptions()
        above.parseOptions(before)
        self.assertEqual(("", 1), (above["pidfile"], above["nodaemon"]))
        root = Path(self.mktemp()).absolute()
        root.mkdir(parents=True)
        file = root / "ftp.toml"
        file.write_text("[[site]]\nroot = '.'\n", "utf-8")
        options = Options()
        options.parseOptions([str(file) if one == "/etc/ftp.toml" else one for one in after])
        self.assertEqual(f"/run/{service['RuntimeDirectory']}/twistftp.sock", options.settings.control_socket)
        self.assertGreater(float(service["TimeoutStopSec"]), options.settings.grace)

    def test_verify(self) -> None:
        """systemd itself finds nothing wrong, once the program is one that is there."""
        if not shutil.which("systemd-analyze"):
            raise SkipTest("needs systemd-analyze")
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        copy = folder / UNIT.name
        copy.write_text(UNIT.read_text("utf-8").replace("/opt/twistftp/bin/twistd", "/bin/true"), "utf-8")
        ended = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual((0, ""), (ended.returncode, "".join(line for line in ended.stderr.splitlines() if UNIT.name in line)))

    def test_logs(self) -> None:
        """What is rotated are the logs of the unit's directory, by its user, and it is the unit that is reloaded."""
        service, rotation = unit()["Service"], (EXAMPLES / "twistftp.logrotate").read_text("utf-8")
        self.assertIn(f"/var/log/{service['LogsDirectory']}/*.log {{", rotation)
        self.assertIn(f"su {service['User']} ", rotation)
        self.assertIn(f"systemctl reload {UNIT.name}", rotation)

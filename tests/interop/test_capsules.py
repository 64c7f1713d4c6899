"""
The corpus: sessions of real clients, as ``record`` has captured them, played in memory. What a client heard then it must hear now.

Not here: recording them anew, and the replay's own tests.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twistftp.capsules.reading import read_capsule
from twistftp.capsules.replay import play

CORPUS = Path(__file__).resolve().parent / "capsules"
CLIENTS = ("aioftp", "basic-ftp", "commons-net", "curl", "ftplib", "lftp", "ncftp", "net-ftp-perl", "php", "rclone", "ruby", "tnftp", "wget")


class ReplayTests(SynchronousTestCase):
    """A test for each capsule, named after it: every reply and every listing and file is the same."""

    def assert_same(self, path: Path) -> None:
        capsule = read_capsule(str(path))
        self.assertEqual("", capsule.lack)
        count, difference = play(capsule)
        self.assertIs(None, difference)
        self.assertGreater(count, 1)


def _test_of(path: Path) -> Callable[[ReplayTests], None]:
    return lambda case: case.assert_same(path)


for _path in sorted(CORPUS.glob("*.jsonl")):
    setattr(ReplayTests, "test_" + re.sub(r"\W", "_", _path.stem), _test_of(_path))


class CorpusTests(SynchronousTestCase):
    """The corpus as a whole."""

    def test_every_client(self) -> None:
        """There are capsules of every client, and of TLS wherever a client can (PROTOCOL P-CLI-2)."""
        names = [path.stem for path in CORPUS.glob("*.jsonl")]
        self.assertEqual([], [client for client in CLIENTS if not any(name.startswith(client) for name in names)])
        secure = {name.removesuffix("-tls") for name in names if name.endswith("-tls")}
        self.assertLessEqual({"aioftp", "basic-ftp", "commons-net", "curl", "ftplib", "lftp", "net-ftp-perl", "php", "ruby"}, secure)

    def test_nothing_private(self) -> None:
        """No capsule is large, or holds a password, a path of the machine that it was recorded on, or another address than the loopback one."""
        for path in CORPUS.glob("*.jsonl"):
            text = path.read_text("ascii")
            self.assertLess(len(text), 1 << 16, path.name)
            said = "".join(str(event["client"]) for event in map(json.loads, text.splitlines()) if "client" in event)
            self.assertNotRegex(said, r"(?i)secret|wrong|/tmp|/home|/root", path.name)
            self.assertLessEqual(set(re.findall(r"(?<![\d.])\d+\.\d+\.\d+\.\d+(?![\d.])", said)), {"127.0.0.1"}, path.name)

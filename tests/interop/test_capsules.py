"""
The corpus: sessions of real clients, as ``record`` has captured them, played in memory. What a client heard then it must hear now.

Not here: recording them anew, and the replay's own tests.
"""

import json
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twistftp.capsules.reading import read_capsule
from twistftp.capsules.replay import play

CORPUS = Path(__file__).resolve().parent / "capsules"
CLIENTS = ("aioftp", "basic-ftp", "commons-net", "curl", "ftplib", "lftp", "ncftp", "net-ftp-perl", "php", "rclone", "ruby", "tnftp", "wget")


class CorpusTests(SynchronousTestCase):
    """Each capsule of the corpus."""

    def test_every_client(self) -> None:
        """There are capsules of every client, and of TLS wherever a client can (PROTOCOL P-CLI-2)."""
        names = [path.stem for path in CORPUS.glob("*.jsonl")]
        self.assertEqual([], [client for client in CLIENTS if not any(name.startswith(client) for name in names)])
        self.assertLessEqual({"curl-tls", "lftp-tls", "ftplib-tls", "aioftp-tls", "basic-ftp-tls", "php-tls", "commons-net-tls"}, set(names))

    def test_same(self) -> None:
        """Every reply and every listing and file is the same."""
        for path in sorted(CORPUS.glob("*.jsonl")):
            count, difference = play(read_capsule(str(path)))
            self.assertIs(None, difference, path.name)
            self.assertGreater(count, 1, path.name)

    def test_nothing_private(self) -> None:
        """No capsule holds a password, a path of the machine that it was recorded on, or another address than the loopback one."""
        for path in CORPUS.glob("*.jsonl"):
            text = path.read_text("ascii")
            said = "".join(str(event["client"]) for event in map(json.loads, text.splitlines()) if "client" in event)
            self.assertNotRegex(said, r"(?i)secret|wrong|/tmp|/home|/root", path.name)
            self.assertEqual({"127.0.0.1"}, set(re.findall(r"(?<![\d.])\d+\.\d+\.\d+\.\d+(?![\d.])", said)) | {"127.0.0.1"} - {"1.2.3.4"}, path.name)

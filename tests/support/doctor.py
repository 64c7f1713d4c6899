"""
The doctor sent to a scripted server, as a user sends it.

Not here: the servers (``scripted``) and the assertions.
"""

from __future__ import annotations

import ssl
import tempfile
from functools import cache
from pathlib import Path

import trustme
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from tests.support.scripted import Scripted
from twistftp.cli import main

__all__ = ["Authority", "DoctorCase", "authority"]


class Authority:
    """A certificate authority of one's own; ``path`` is its certificate."""

    def __init__(self) -> None:
        self.own = trustme.CA()
        self._directory = tempfile.TemporaryDirectory()
        self.path = str(Path(self._directory.name) / "ca.pem")
        self.own.cert_pem.write_to_path(self.path)

    def context(self, *names: str, **options: object) -> ssl.SSLContext:
        """A server's context, with a certificate for these names (default 127.0.0.1)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.own.issue_cert(*(names or ("127.0.0.1",)), **options).configure_cert(context)  # type: ignore[arg-type]
        return context


@cache
def authority() -> Authority:
    """The one that all tests share."""
    return Authority()


class DoctorCase(SynchronousTestCase):
    """Runs ``twistftp doctor``."""

    timeout = 60

    def doctor(self, server: Scripted, *options: str, scheme: str = "ftp", user: str = "", path: str = "", seconds: float = 10) -> Result:
        """Start a server and send the doctor to it."""
        with server:
            return self.visit(server, *options, scheme=scheme, user=user, path=path, seconds=seconds)

    def visit(self, server: Scripted, *options: str, scheme: str = "ftp", user: str = "", path: str = "", seconds: float = 10) -> Result:
        """Send the doctor to a server that runs."""
        host = f"[{server.address}]" if ":" in server.address else server.address
        return self.run_doctor(f"{scheme}://{user}{host}:{server.port}{path}", "--timeout", str(seconds), *options)

    def run_doctor(self, *arguments: str) -> Result:
        """The command, whatever it is asked."""
        result = CliRunner().invoke(main, ["doctor", *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def assertFinds(self, result: Result, status: int, *words: str) -> None:
        """The status and, somewhere in the report, these words, however its lines are broken."""
        text = " ".join(result.output.split())
        for word in words:
            self.assertIn(word, text, result.output)
        self.assertEqual(status, result.exit_code, result.output)

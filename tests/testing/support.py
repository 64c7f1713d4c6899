"""
A test of ``twistftp.testing``: sites that end with it, and ftplib as their client.

Not here: what is expected of either.
"""

from __future__ import annotations

import io
import os
import socket
import ssl
import struct
import subprocess
import sys
from ftplib import FTP, FTP_TLS
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twistftp.testing import FTPServer

__all__ = ["CHECKOUT", "CONTENT", "ResumingFTP", "SitesCase", "pytest_environment", "run", "segments_received", "whole"]

CHECKOUT = Path(__file__).resolve().parents[2]
CONTENT = bytes(range(256)) * 20  # 5 120 octets
_DATA_SEGMENTS_IN = 152  # its place in Linux's struct tcp_info


class ResumingFTP(FTP_TLS):
    """ftplib as many have it: its data connections resume the TLS session of the control connection."""

    def ntransfercmd(self, cmd: str, rest: Any = None) -> Any:
        connection, size = FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:  # type: ignore[attr-defined]
            connection = self.context.wrap_socket(connection, server_hostname=self.host, session=self.sock.session)  # type: ignore[union-attr]
        return connection, size


def run(code: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A program of its own, as a user's test run is one."""
    return subprocess.run(  # type: ignore[no-any-return]
        [sys.executable, "-W", "error", "-c", code], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False, **options
    )


def pytest_environment() -> dict[str, str]:
    """For a run of pytest's own: the checkout on the path, and none of the words for a run around it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return {**kept, "PYTHONPATH": str(CHECKOUT)}


def whole(connection: Any) -> bytes:
    """All that comes over a data connection, which is then closed."""
    data = b""
    with connection:
        while piece := connection.recv(65536):
            data += piece
    return data


def segments_received(connection: socket.socket) -> int:
    """Segments with octets that the kernel has received, as Linux counts them: those that came while nobody read, too."""
    status = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _DATA_SEGMENTS_IN + 4)
    return int(struct.unpack_from("I", status, _DATA_SEGMENTS_IN)[0])


class SitesCase(SynchronousTestCase):
    """Sites in a process of their own, so tests may block."""

    timeout = 60

    def serve(self, *chaos: Any, files: Any = None, **options: Any) -> FTPServer:
        """A site with these faults, which has ``a.bin``."""
        site = FTPServer({"a.bin": CONTENT} if files is None else files, chaos=chaos, **options).start()
        self.addCleanup(site.stop)
        return site

    def connect(self, site: FTPServer, kind: type[FTP] = FTP) -> Any:
        """A client, connected."""
        client = kind(timeout=10, **({"context": site.client_context()} if issubclass(kind, FTP_TLS) else {}))
        self.addCleanup(client.close)
        client.connect(site.host, site.port)
        return client

    def client(self, site: FTPServer, kind: type[FTP] | None = None) -> Any:
        """A client, logged in, with PROT P at a site with TLS."""
        client = self.connect(site, kind or (FTP_TLS if site.tls else FTP))
        client.login(site.user, site.password)
        if isinstance(client, FTP_TLS):
            client.prot_p()
        return client

    def fetch(self, client: FTP, name: str = "a.bin", rest: int | None = None) -> bytes:
        """A file by RETR."""
        data = io.BytesIO()
        client.retrbinary(f"RETR {name}", data.write, rest=rest)
        return data.getvalue()

    def begin(self, client: FTP, line: str = "RETR a.bin") -> Any:
        """The data connection of a transfer that begins now."""
        client.voidcmd("TYPE I")
        connection = client.ntransfercmd(line)[0]
        self.addCleanup(connection.close)
        return connection

    def exactly(self, connection: Any, count: int) -> bytes:
        """So many octets, and no more."""
        data = b""
        while len(data) < count and (piece := connection.recv(count - len(data))):
            data += piece
        return data

    def assert_silent(self, connection: Any, seconds: float = 0.2) -> None:
        """Nothing comes, and it does not end."""
        connection.settimeout(seconds)
        self.assertRaises((TimeoutError, ssl.SSLWantReadError), connection.recv, 1)

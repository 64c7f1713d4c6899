"""
A client's side of one FTP session, plain or with TLS: its control connection and the transfers that belong to it.

Not here: how many sessions there are and what each is asked to do (``load``).

Plain blocking sockets and Python's ``ssl``. What arrives in the clear is dropped inside the kernel (MSG_TRUNC): receiving costs the shared machine
little. With TLS it has to be decrypted. Certificates are not checked: what a client finds out about them is no work of the server.
"""

from __future__ import annotations

import random
import re
import socket
import ssl
import sys

_HOST = "127.0.0.1"
_PATIENCE = 60.0  # seconds for any one thing that a server has to do
_LONGEST_LINE = 4096
_MOST_LINES = 1000  # of one reply
_PIECE = 1 << 20
_DROP = socket.MSG_TRUNC if sys.platform == "linux" else 0  # tcp(7): the octets are discarded, not copied
_SINK = bytearray(_PIECE)  # shared by all threads: nobody reads it
_SOURCE = memoryview(random.Random(114).randbytes(_PIECE))  # nothing that could be compressed
_PASV_PORT = re.compile(rb"(\d+),(\d+)\D*$")


class Failed(Exception):
    """A server did not do what a work asks of it; the text says what."""


def tls_context() -> ssl.SSLContext:
    """One for all sessions: what is resumed is chosen for each connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _close(connection: socket.socket) -> None:
    """With close_notify, as RFC 4217 §12.4 asks; what the server makes of it then is its own affair."""
    try:
        if isinstance(connection, ssl.SSLSocket) and connection.fileno() >= 0:
            connection.unwrap()
    except OSError:
        pass  # it has closed already, or sent no close_notify of its own
    connection.close()


def _drain(data: socket.socket, *, look: bool) -> tuple[int, int]:
    """Read to the end: the octets, and the lines among them if we are to ``look``."""
    flags = 0 if look or isinstance(data, ssl.SSLSocket) else _DROP
    sink = bytearray(_PIECE) if look else _SINK
    octets = lines = 0
    while got := data.recv_into(sink, _PIECE, flags):
        octets += got
        lines += sink.count(b"\n", 0, got) if look else 0
    return octets, lines


def _pour(data: socket.socket, octets: int) -> None:
    for at in range(0, octets, _PIECE):
        data.sendall(_SOURCE[: octets - at])


class Session:
    """One control connection; with TLS if there is a ``context`` for it."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None, source: str = "") -> None:
        self.transfers = self.resumed = 0  # data connections, and how many of them resumed the TLS session of the control connection
        self.cipher = ""  # with the version of TLS
        self._context = context
        self._control = socket.create_connection((_HOST, port), _PATIENCE, (source, 0))
        self._source = source
        self._control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = self._control.makefile("rb")
        self._expect("greeting", b"220")
        if context:
            self.command("AUTH TLS", b"234")
            self._replies.close()
            self._control = protected = context.wrap_socket(self._control)
            self._replies = self._control.makefile("rb")
            self.cipher = f"{protected.version()} {(protected.cipher() or ['?'])[0]}"

    @property
    def control(self) -> socket.socket:
        """The control connection, for those who do not keep to the protocol."""
        return self._control

    def _expect(self, what: str, *starts: bytes) -> bytes:
        """The next reply, which must start in one of these ways. Lines of a reply before its last are skipped."""
        for _ in range(_MOST_LINES):
            line = self._replies.readline(_LONGEST_LINE)
            if not line:
                raise Failed(f"{what}: the server closed the connection")
            if line[:3].isdigit() and line[3:4] in {b" ", b"\r"}:
                if line.startswith(starts):
                    return line
                raise Failed(f"{what}: {line.decode('utf-8', 'replace').strip()}")
        raise Failed(f"{what}: a reply without end")

    def command(self, line: str, *starts: bytes) -> bytes:
        """Send a command; its reply must start in one of these ways."""
        self._control.sendall(line.encode() + b"\r\n")
        return self._expect(line.partition(" ")[0], *starts)

    def login(self, user: str, password: str) -> None:
        """Give a name and, if the server wants it, a password."""
        if self.command(f"USER {user}", b"331", b"230").startswith(b"331"):
            self.command(f"PASS {password}", b"230")

    def prepare_transfers(self) -> None:
        """Binary, and protected where the control connection is."""
        if self._context:
            self.command("PBSZ 0", b"200")
            self.command("PROT P", b"200")
        self.command("TYPE I", b"200")

    def pipeline(self, count: int) -> None:
        """Send ``count`` NOOPs at once, then read the replies."""
        self._control.sendall(b"NOOP\r\n" * count)
        for _ in range(count):
            self._expect("NOOP", b"200")

    def retrieve(self, command: str, *, look: bool = False) -> tuple[int, int]:
        """PASV and a transfer; gives the octets, and the lines among them if we are to ``look``."""
        data = self.open_data(command)
        try:
            found = _drain(data, look=look)
        finally:
            _close(data)
        self._expect(command, b"226", b"250")
        return found

    def store(self, path: str, octets: int) -> None:
        """PASV and an upload."""
        command = f"STOR {path}"
        data = self.open_data(command)
        try:
            _pour(data, octets)
        finally:
            _close(data)
        self._expect(command, b"226", b"250")

    def abort(self, path: str, octets: int) -> None:
        """Begin to fetch a file that is long enough not to have ended, and give up after ``octets``."""
        data = self.open_data(f"RETR {path}")
        try:
            while octets > 0:
                octets -= data.recv_into(_SINK, min(octets, _PIECE)) or octets
            self.command("ABOR", b"426")
            self._expect("ABOR", b"226")
        finally:
            data.close()

    def passive(self) -> int:
        """The port that PASV gives."""
        found = _PASV_PORT.search(self.command("PASV", b"227"))
        if not found:
            raise Failed("PASV: a reply without a port")
        return int(found[1]) * 256 + int(found[2])  # the address in the reply is not looked at: we talk to loopback only

    def open_data(self, command: str) -> socket.socket:
        """The data connection of a command that has been answered with 150; with TLS it resumes the session, as the usual clients do."""
        data = socket.create_connection((_HOST, self.passive()), _PATIENCE, (self._source, 0))
        try:
            self.command(command, b"150", b"125")
            if isinstance(self._control, ssl.SSLSocket) and self._context:
                data = protected = self._context.wrap_socket(data, session=self._control.session)
                self.resumed += bool(protected.session_reused)
        except BaseException:
            data.close()
            raise
        self.transfers += 1
        return data

    def quit(self) -> None:
        """In good order."""
        self.command("QUIT", b"221")
        self.drop()

    def drop(self) -> None:
        """Close without a word."""
        self._replies.close()
        _close(self._control)

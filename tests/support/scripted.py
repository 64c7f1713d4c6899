"""
An FTP server that behaves as badly as a test wants: real sockets on loopback, a thread for each connection, TLS if given a context.

Not here: what is asked of it. By default it is a good server with one file; a script replaces what it says or does.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum
from types import TracebackType
from typing import Any

__all__ = ["Deed", "Scripted", "Talk", "black_hole"]

_PATIENCE = 20.0


@contextmanager
def black_hole() -> Iterator[int]:
    """A port that answers no SYN: the backlog of its listener is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


class Deed(Enum):
    """What is done instead of replying."""

    CUT = "close"
    RESET = "reset"
    SILENCE = "say nothing"


Words = bytes | Deed


class Scripted:
    """
    A server, for as long as the ``with`` block lasts. ``commands`` are those that came, in order.

    :param verbs: what to do at a verb instead of what a good server does: octets to send, a deed, or a function of the talk and the argument.
    :param greeting: the first words.
    :param features: the lines of FEAT.
    :param tls: a context for TLS; ``None``: AUTH is refused.
    :param is_implicit: TLS from the first octet.
    :param files: names and contents.
    :param told: changes the address and port that PASV tells.
    :param data: what to do with a data connection instead of the transfer.
    """

    def __init__(
        self,
        verbs: dict[str, Words | Callable[[Talk, str], Words]] | None = None,
        *,
        greeting: Words = b"220 Scripted.\r\n",
        features: tuple[str, ...] = ("EPSV", "MLST type*;size*;"),
        tls: ssl.SSLContext | None = None,
        is_implicit: bool = False,
        files: dict[str, bytes] | None = None,
        told: Callable[[str, int], tuple[str, int]] = lambda address, port: (address, port),
        data: Callable[[Talk, socket.socket], None] | None = None,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.verbs, self.greeting, self.features, self.tls, self.is_implicit = verbs or {}, greeting, features, tls, is_implicit
        self.files = {"readme": b"hello world\n"} if files is None else files
        self.told, self.data, self.address, self._port = told, data, address, port
        self.commands: list[str] = []
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._is_over = False

    def __enter__(self) -> Scripted:
        self._is_over = False
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self._listener = self.keep(socket.create_server((self.address, self._port), family=family))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        self._is_over = True
        for skt in self._open:
            with suppress(OSError):
                skt.shutdown(socket.SHUT_RDWR)
            skt.close()
        for thread in self._threads:
            thread.join(_PATIENCE)
            if thread.is_alive():
                raise AssertionError("a thread of the scripted server does not end")

    def keep(self, skt: socket.socket) -> Any:
        """Close a socket at the end, if nobody does before."""
        skt.settimeout(_PATIENCE)
        self._open.append(skt)
        if self._is_over:
            skt.close()
        return skt

    def closed_port(self) -> int:
        """A port on which nobody listens."""
        with socket.create_server((self.address, 0)) as skt:
            return int(skt.getsockname()[1])

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._is_over:
            try:
                skt, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self._start(self._talk, self.keep(skt))

    def _talk(self, skt: socket.socket) -> None:
        # The client's going away and the end of the test are how these connections end.
        with suppress(OSError, ValueError, EOFError):
            Talk(self, skt).run()


class Talk:
    """One control connection of the scripted server."""

    def __init__(self, server: Scripted, skt: socket.socket) -> None:
        self.server, self.control = server, skt
        self.passive: socket.socket | None = None
        self.target: tuple[str, int] | None = None
        self.is_private = False
        self.is_protected = False

    def run(self) -> None:
        """Greet and obey."""
        if self.server.is_implicit:
            self.secure()
        if not self.do(self.server.greeting):
            return
        rest = b""
        while True:
            while b"\n" not in rest:
                octets = self.control.recv(4096)
                if not octets:
                    return
                rest += octets
            line, _, rest = rest.partition(b"\n")
            text = line.rstrip(b"\r").decode("utf-8", "replace")
            self.server.commands.append(text)
            verb, _, argument = text.partition(" ")
            script = self.server.verbs.get(verb.upper()) or self.usual(verb, argument)
            if not self.do(script(self, argument) if callable(script) else script):
                return

    def usual(self, verb: str, argument: str = "") -> Words:
        """What a good server does at a verb."""
        method = getattr(self, f"do_{verb.lower()}", None)
        words: Words = method(argument) if method is not None else b"500 Unknown.\r\n"
        return words

    def do(self, words: Words) -> bool:
        """Say something, or do it; whether the connection goes on."""
        if isinstance(words, bytes):
            self.control.sendall(words)
            return True
        if words is Deed.RESET:
            self.control.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if words is not Deed.SILENCE:
            self.control.close()
        return words is Deed.SILENCE

    def secure(self) -> None:
        """TLS from here on."""
        assert self.server.tls is not None
        self.control = self.server.keep(self.server.tls.wrap_socket(self.control, server_side=True))
        self.is_private = True

    def do_user(self, _: str) -> Words:
        return b"331 Password.\r\n"

    def do_pass(self, _: str) -> Words:
        return b"230 In.\r\n"

    def do_feat(self, _: str) -> Words:
        offers = (*self.server.features, *(["AUTH TLS"] if self.server.tls and not self.is_private else []))
        return b"211-Features:\r\n" + b"".join(f" {line}\r\n".encode() for line in offers) + b"211 End\r\n"

    def do_syst(self, _: str) -> Words:
        return b"215 UNIX Type: L8\r\n"

    def do_type(self, _: str) -> Words:
        return b"200 Type.\r\n"

    def do_cwd(self, _: str) -> Words:
        return b"250 There.\r\n"

    def do_quit(self, _: str) -> Words:
        return b"221 Bye.\r\n"

    def do_auth(self, _: str) -> Words:
        if self.server.tls is None:
            return b"502 No TLS.\r\n"
        self.control.sendall(b"234 TLS.\r\n")
        self.secure()
        return b""

    def do_pbsz(self, _: str) -> Words:
        return b"200 0\r\n"

    def do_prot(self, argument: str) -> Words:
        self.is_protected = argument == "P"
        return b"200 Protected.\r\n"

    def listen(self) -> int:
        """Open a passive port."""
        address = self.control.getsockname()[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.passive = self.server.keep(socket.create_server((address, 0), family=family))
        return int(self.passive.getsockname()[1])

    def do_pasv(self, _: str) -> Words:
        address, port = self.server.told(self.control.getsockname()[0], self.listen())
        return f"227 Entering Passive Mode ({address.replace('.', ',')},{port >> 8},{port & 255}).\r\n".encode()

    def do_epsv(self, _: str) -> Words:
        return f"229 Entering Extended Passive Mode (|||{self.listen()}|)\r\n".encode()

    def do_port(self, argument: str) -> Words:
        numbers = [int(number) for number in argument.split(",")]
        self.target = ".".join(map(str, numbers[:4])), numbers[4] * 256 + numbers[5]
        return b"200 Port.\r\n"

    def do_eprt(self, argument: str) -> Words:
        _, _, address, port, _ = argument.split(argument[0])
        self.target = address, int(port)
        return b"200 Port.\r\n"

    def do_list(self, _: str) -> Words:
        lines = [f"-rw-r--r--   1 ftp ftp {len(text):>12} Nov 23 06:30 {name}\r\n" for name, text in self.server.files.items()]
        return self.transfer("".join(lines).encode())

    def do_mlsd(self, _: str) -> Words:
        return self.transfer("".join(f"type=file;size={len(text)}; {name}\r\n" for name, text in self.server.files.items()).encode())

    def do_retr(self, argument: str) -> Words:
        if argument not in self.server.files:
            return b"550 No such file.\r\n"
        return self.transfer(self.server.files[argument])

    def connect(self) -> socket.socket:
        """The data connection, without TLS."""
        if self.target is not None:
            target, self.target = self.target, None
            return self.server.keep(socket.create_connection(target, _PATIENCE))
        if self.passive is None:
            raise EOFError
        with self.passive as listener:
            self.passive = None
            return self.server.keep(listener.accept()[0])

    def transfer(self, octets: bytes) -> Words:
        """Send something over a data connection."""
        self.control.sendall(b"150 Here it comes.\r\n")
        data = self.connect()
        if self.server.data is not None:
            with data:
                self.server.data(self, data)
            return b"226 Done.\r\n"
        if self.is_protected:
            assert self.server.tls is not None
            data = self.server.keep(self.server.tls.wrap_socket(data, server_side=True))
        data.sendall(octets)
        if isinstance(data, ssl.SSLSocket):
            with suppress(OSError):
                data.unwrap()
        data.close()
        return b"226 Done.\r\n"

"""
A client in memory that encrypts its connections, in order or not.

Not here: when (``test_tls_machine``); its engine is ``tests.support.tls.TLSClient``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tests.fuzz.client import Client
from tests.fuzz.grammar import Reply
from tests.fuzz.model import Disagreement
from tests.fuzz.wires import Wire
from tests.support.tls import TLS12, TLSClient, authority, client_context, write_files

__all__ = ["DataTLS", "SecureClient", "certificate", "contexts"]

_ALERT = b"\x15"


@cache
def certificate(number: int = 0) -> tuple[str, str]:
    """A certificate and its key as files, for all sites of this process; each number has its own."""
    return write_files(Path(mkdtemp(prefix="fuzz-tls-")), authority().issue_cert("ftp.example.org"))


@cache
def contexts() -> tuple[Any, ...]:
    """What clients speak: all versions, and TLS 1.2."""
    return client_context(), client_context(TLS12)


class DataTLS:
    """TLS on a data connection; ``received`` is what came in it."""

    def __init__(self, wire: Wire, engine: TLSClient) -> None:
        self.wire, self.engine = wire, engine
        wire.engine = self  # type: ignore[attr-defined]
        self._taken = 0
        self.has_ended = False  # it has said close_notify
        wire.send(engine.begin())

    @property
    def received(self) -> bytes:
        """What the server has sent in TLS."""
        return self.engine.received

    def pump(self) -> bool:
        """Take what has come; whether that was anything."""
        octets = self.wire.got[self._taken :]
        self._taken += len(octets)
        self.engine.feed(octets)
        answer = self.engine.output()
        self.wire.send(answer)
        return bool(octets or answer)


class SecureClient(Client):
    """After ``234`` it waits to be told what to do (``shake_hands``)."""

    def __init__(self, world: Any, wire: Wire, peer: str) -> None:
        super().__init__(world, wire, peer)
        self.expects_tls = False  # 234 has come, and no ClientHello has gone
        self.is_leaving = False  # CCC or REIN was granted, or the server has ended TLS
        self.version = 0
        self.session: Any = None
        self._records = b""

    @property
    def is_secure(self) -> bool:
        """Whether it can speak in TLS."""
        return self.engine is not None and self.engine.is_secure

    @property
    def is_waiting(self) -> bool:
        """Whether a command under way may change between clear text and TLS: an honest client says nothing until it is answered."""
        return any(verb in ("AUTH", "CCC", "REIN") for verb, _ in self.model.pending)

    def shake_hands(self, version: int = 0, cut: int | None = None) -> None:
        """The ClientHello, or the first octets of it."""
        self.version = version
        self.expects_tls = False
        self.engine = TLSClient(contexts()[version])
        hello = self.engine.begin()
        self.wire.send(hello[:cut])
        self.may_be_cut |= cut is not None

    def leave_tls(self, says_so: bool) -> None:
        """Back to clear text behind the server's close_notify."""
        if self.is_leaving and self.engine is not None and self.engine.has_end:
            engine, self.engine, self.is_leaving = self.engine, None, False
            if says_so:
                self.wire.send(engine.end())

    def listen(self) -> bool:
        is_busy = sum(data.pump() for wire in self.data if (data := getattr(wire, "engine", None)) is not None) > 0
        if self.expects_tls and self.wire.got:
            if not self.wire.got.startswith(_ALERT):
                raise Disagreement(f"clear text behind 234: {self.wire.got!r}")
            self.wire.got = b""
        return super().listen() or is_busy

    def _decrypted(self, octets: bytes) -> bytes:
        """Record by record: behind the server's close_notify there may be clear text."""
        engine, found = self.engine, b""
        self._records += octets
        while len(self._records) >= 5 and not engine.has_end:
            end = 5 + int.from_bytes(self._records[3:5], "big")
            if len(self._records) < end:
                break
            engine.feed(self._records[:end])
            self._records = self._records[end:]
            self.wire.send(engine.output())
        found, engine.received = engine.received, b""
        if engine.has_end and self._records:
            raise Disagreement(f"octets behind close_notify: {self._records!r}")
        if engine.is_secure and engine.session is not None:
            self.session = engine.session
        return found  # type: ignore[no-any-return]

    def heard(self, reply: Reply, ended: tuple[str, bytes] | None) -> None:
        super().heard(reply, ended)
        verb = ended[0] if ended is not None else ""
        if verb == "AUTH" and reply.code == 234:
            if self.model.pending:
                raise Disagreement(f"234 although octets stood behind AUTH: {self.model.pending}")
            self.expects_tls = True
        if (verb == "CCC" and reply.code == 200) or (verb == "REIN" and reply.code == 220 and self.engine is not None):
            self.is_leaving = True

    def protect(self, resumes: bool) -> DataTLS | None:
        """Begin TLS on the newest data connection."""
        if not self.data or self.data[-1].is_lost or hasattr(self.data[-1], "engine"):
            return None
        session = self.session if resumes else None
        return DataTLS(self.data[-1], TLSClient(contexts()[self.version], session=session))

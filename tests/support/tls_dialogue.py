"""
Dialogues under TLS: a client of ``tests.support.dialogue`` that can encrypt its control connection and come back from it.

Not here: assertions, and TLS on data connections, which are made up (``dialogue.FakeConnection``).
"""

from __future__ import annotations

from typing import Any

from tests.support.dialogue import Client, Dialogue, replies_of
from tests.support.tls import TLSClient, tls_settings

__all__ = ["SecureClient", "SecureDialogue"]


class SecureClient(Client):
    """``engine`` is its TLS, as long as it is in TLS."""

    engine: TLSClient | None = None

    def auth(self, engine: TLSClient | None = None, mechanism: str = "TLS") -> str:
        """AUTH, and the handshake if it is granted; the reply."""
        [reply] = self.say(f"AUTH {mechanism}")
        if reply.startswith("234"):
            self.shake_hands(engine)
        return reply

    def shake_hands(self, engine: TLSClient | None = None) -> list[str]:
        """The handshake; what the server says in TLS at once."""
        self.engine = engine or TLSClient()
        super().send(self.engine.begin())
        return self.hear()

    def protected(self, **options: Any) -> Any:
        """AUTH, PBSZ, PROT P and a login."""
        self.auth(**options)
        if self.codes("PBSZ 0", "PROT P") != [200, 200]:
            raise AssertionError("no protection")
        self.login()
        return self

    def send(self, octets: bytes) -> None:
        super().send(octets if self.engine is None else self.engine.say(octets))

    def send_raw(self, octets: bytes) -> None:
        """Octets as they are, whatever the connection is in."""
        super().send(octets)

    def heard(self) -> list[str]:
        octets = self._rest
        engine = self.engine
        while True:
            new = self.transport.writes[self._read :]
            self._read = len(self.transport.writes)
            for write in new:
                if engine is None or engine.has_end:
                    octets += write
                else:
                    engine.feed(write)
                    octets, engine.received = octets + engine.received, b""
            answer = engine.output() if engine is not None else b""
            if not answer:
                break
            super().send(answer)
        replies, self._rest = replies_of(octets)
        return replies

    def leave(self, reason: Exception | None = None) -> None:
        self.engine = None
        super().leave(reason)

    def leave_tls(self, *, says_so: bool = True) -> None:
        """The server's close_notify has come; answer it, or not, and speak in clear from now on."""
        engine, self.engine = self.engine, None
        if engine is None or not engine.has_end:
            raise AssertionError("the server has not said close_notify")
        if says_so:
            super().send(engine.end())

    @property
    def is_secure(self) -> bool:
        """Whether the handshake is done."""
        return self.engine is not None and self.engine.is_secure


class SecureDialogue(SecureClient, Dialogue):
    """A site with a certificate; ``tls`` are settings of ``[site.tls]``."""

    def __init__(self, case: Any, tree: Any = None, *, tls: Any = None, **options: Any) -> None:
        Dialogue.__init__(self, case, tree, tls=tls_settings(case, **(tls or {})), **options)

    def another(self, **where: Any) -> Any:
        client = SecureClient(self, **where)
        self.clients.append(client)
        return client

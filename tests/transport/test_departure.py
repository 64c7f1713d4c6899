"""Tests of ``twistftp.transport.departure``; its failures are met in those of ``engine`` and ``secure``."""

from __future__ import annotations

from typing import Any

from tests.support.tls import VERSIONS, TLSClient
from tests.transport import test_engine
from twistftp.transport.departure import Departure


class DepartureTests(test_engine.EngineCase):
    """The way back to clear text, P-CCC-2."""

    def leave(self, version: Any) -> tuple[TLSClient, Departure]:
        client, engine = self.secure_pair(version)
        client.feed(engine.close())
        return client, Departure(engine)

    def test_close_notify(self) -> None:
        """Everything in TLS is thrown away, and what comes behind the client's close_notify is in clear, however it is cut."""
        for version in VERSIONS:
            for cut in (1, 2, 7, 1000):
                client, departure = self.leave(version)
                octets = client.say(b"NOOP\r\n") + client.end() + b"PWD\r\n"
                clear = b""
                left = False
                for start in range(0, len(octets), cut):
                    piece = octets[start : start + cut]
                    if left:
                        clear += piece
                    elif (got := departure.receive(piece)) is not None:
                        left, clear = True, got
                self.assertEqual((True, b"PWD\r\n"), (left, clear), (version, cut))

    def test_without_close_notify(self) -> None:
        """Octets in clear are as good: many clients say nothing before them."""
        for version in VERSIONS:
            _, departure = self.leave(version)
            self.assertEqual(b"PWD\r\n", departure.receive(b"PWD\r\n"))

    def test_no_tls_any_more(self) -> None:
        """A record that cannot be decrypted ends TLS as well."""
        for version in VERSIONS:
            _, departure = self.leave(version)
            self.assertEqual(b"X", departure.receive(b"\x17\x03\x03\x00\x20" + bytes(32) + b"X"))

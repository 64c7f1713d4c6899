"""Tests of ``twistftp.transport.engine``."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.tls import VERSIONS, TLSClient, client_context, site_tls
from tests.support.tls_alerts import CLOSE_NOTIFY, USER_CANCELED, AlertingClient
from twistftp.transport.departure import EngineFailed
from twistftp.transport.engine import CHUNK, Engine


class EngineCase(SynchronousTestCase):
    """A client's engine and the server's, octets carried by hand."""

    def pair(self, version: Any = None, **settings: Any) -> tuple[TLSClient, Engine]:
        site = site_tls(self, **settings)
        return TLSClient(client_context(version)), Engine(site.full(site.session_context(), is_data=False))

    def secure_pair(self, version: Any = None, client: TLSClient | None = None) -> tuple[TLSClient, Engine]:
        made, engine = self.pair(version)
        client = client or made
        engine.feed(client.begin())
        self.assertFalse(engine.shake_hands())
        client.feed(engine.output())
        engine.feed(client.output())
        self.assertTrue(engine.shake_hands())
        client.feed(engine.output())
        self.assertTrue(client.is_secure)
        return client, engine


class HandshakeTests(EngineCase):
    def test_who_speaks_last(self) -> None:
        """P-TLS-1: up to TLS 1.2 the client waits for the server's last word, from 1.3 on it does not."""
        for version, speaks_last in zip(VERSIONS, (True, False), strict=True):
            _, engine = self.secure_pair(version)
            self.assertEqual(speaks_last, engine.speaks_last)

    def test_garbage(self) -> None:
        """What is no handshake fails with a reason of few words; what is no TLS at all is sent no alert."""
        messages = (b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00")
        for octets, alert in ((b"USER ftp\r\n" * 3, b""), *((message, b"\x15") for message in messages)):
            _, engine = self.pair()
            engine.feed(octets)
            error = self.assertRaises(EngineFailed, engine.shake_hands)
            self.assertRegex(str(error), r"^[a-z][a-z0-9 ]+$")
            self.assertEqual(alert, engine.output()[:1])

    def test_client_refuses(self) -> None:
        """A client's alert is a failure whose reason says so."""
        client, engine = self.pair()
        client = TLSClient(name="other.example.org")
        engine.feed(client.begin())
        engine.shake_hands()
        client.feed(engine.output())
        self.assertIsNotNone(client.error)
        engine.feed(client.output())
        self.assertIn("alert", str(self.assertRaises(EngineFailed, engine.shake_hands)))


class OctetTests(EngineCase):
    def test_both_ways(self) -> None:
        """Octets arrive as they were sent, few and many, more than a chunk, too."""
        for version in VERSIONS:
            client, engine = self.secure_pair(version)
            self.assertIsNone(engine.read())
            for size in (0, 1, 16384, 16385, CHUNK, CHUNK * 3 + 5):
                data = bytes(range(256)) * (size // 256 + 1)
                data = data[:size]
                client.received = b""
                client.feed(engine.encrypted(data) if data else engine.output())
                self.assertTrue(client.received == data, size)
                if data:
                    engine.feed(client.say(data))
                    got = b""
                    while part := engine.read():
                        got += part
                    self.assertTrue(got == data, size)

    def test_user_canceled(self) -> None:
        """P-TD-4: Java says user_canceled before its close_notify (RFC 8446 §6.1): that is a clean end, however the records are cut."""
        for pieces in (1, 2):
            client = AlertingClient(self)
            _, engine = self.secure_pair(client=client)
            engine.feed(client.say(b"all of it"))
            records = [client.alert(USER_CANCELED), client.alert(CLOSE_NOTIFY)]
            if pieces == 1:
                records = [b"".join(records)]
            else:
                self.assertEqual(b"all of it", engine.read())
            for record in records[:-1]:
                engine.feed(record)
                self.assertIsNone(engine.read())
            engine.feed(records[-1])
            found = [engine.read(), engine.read()]
            self.assertEqual([b"all of it", b""] if pieces == 1 else [b"", b""], found)

    def test_end(self) -> None:
        """The client's close_notify reads as the end; ours is one, and a second one is nothing."""
        for version in VERSIONS:
            client, engine = self.secure_pair(version)
            engine.feed(client.say(b"last"))
            engine.feed(client.end())
            self.assertEqual([b"last", b""], [engine.read(), engine.read()])
            client.feed(engine.close())
            self.assertTrue(client.has_end)
            self.assertEqual(b"", engine.close())

    def test_changed_on_the_way(self) -> None:
        """P-DX-21: a record that was changed is no octets but a failure."""
        for version in VERSIONS:
            client, engine = self.secure_pair(version)
            octets = bytearray(client.say(b"last"))
            octets[-1] ^= 1
            engine.feed(bytes(octets))
            self.assertRaises(EngineFailed, engine.read)

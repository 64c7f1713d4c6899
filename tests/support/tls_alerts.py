"""
Alerts of TLS 1.3 that Python's ``ssl`` never sends, as records made by hand from a client's key log (RFC 8446 §5.2, §7.3).

Not here: engines (``tls``).
"""

from __future__ import annotations

import hmac
import os
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from tests.support.tls import TLS13, TLSClient, client_context

__all__ = ["CLOSE_NOTIFY", "USER_CANCELED", "AlertingClient"]

CLOSE_NOTIFY, USER_CANCELED = 0, 90
_WARNING, _ALERT = 1, 21
_CIPHERS: dict[str, tuple[str, int, Any]] = {
    "TLS_AES_128_GCM_SHA256": ("sha256", 16, AESGCM),
    "TLS_AES_256_GCM_SHA384": ("sha384", 32, AESGCM),
    "TLS_CHACHA20_POLY1305_SHA256": ("sha256", 32, ChaCha20Poly1305),
}


class AlertingClient(TLSClient):
    """A client whose secrets are known: ``alert`` is a record of its own, behind those of what it has said (each less than one record)."""

    def __init__(self, case: Any) -> None:
        self._log = Path(os.path.abspath(case.mktemp()))
        context = client_context(TLS13)
        context.keylog_filename = str(self._log)
        super().__init__(context)
        self._records = 0

    def say(self, data: bytes) -> bytes:
        self._records += 1
        return super().say(data)

    def alert(self, description: int) -> bytes:
        """An alert, of the level that clients give those that are no errors."""
        lines = [line.split() for line in self._log.read_text().splitlines()]
        secret = bytes.fromhex(next(line[2] for line in lines if line[:1] == ["CLIENT_TRAFFIC_SECRET_0"]))
        digest, size, cipher = _CIPHERS[(self.ssl.cipher() or ("",))[0]]
        nonce = int.from_bytes(_expanded(secret, digest, b"iv", 12), "big") ^ self._records
        inner = bytes((_WARNING, description, _ALERT))
        header = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2, "big")
        self._records += 1
        return header + bytes(cipher(_expanded(secret, digest, b"key", size)).encrypt(nonce.to_bytes(12, "big"), inner, header))


def _expanded(secret: bytes, digest: str, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label, for what fits into one block."""
    label = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes((len(label),)) + label + b"\0\x01"
    return hmac.digest(secret, info, digest)[:size]

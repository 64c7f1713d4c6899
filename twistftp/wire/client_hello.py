"""
Whether a TLS ClientHello offers to resume a session (RFC 8446 §4.2.11, RFC 5077 §3.2).

Not here: the handshake itself (OpenSSL's). This looks at the first octets of a connection before OpenSSL sees them, and
judges nothing: what is no ClientHello is left for OpenSSL to refuse.
"""

from __future__ import annotations

import struct
from enum import Enum

__all__ = ["LONGEST", "Offer", "offer_of"]

LONGEST = 65536
"""Octets after which a ClientHello that is not complete yet is not waited for any longer."""

_MOST_RECORDS = 64  # that one may be spread over; more would make it dear to look again with each segment
_HANDSHAKE_RECORD, _CLIENT_HELLO = 22, 1
_EXTENSION = struct.Struct(">HH").unpack_from  # its kind, and the length of what it holds
_SESSION_TICKET, _PRE_SHARED_KEY, _SUPPORTED_VERSIONS = 35, 41, 43


class Offer(Enum):
    """What is known of a ClientHello."""

    UNKNOWN = "not all of it has come"
    NONE = "no session to resume, or no ClientHello at all"
    SESSION = "a session to resume"


def offer_of(octets: bytes) -> Offer:
    """What the ClientHello at the beginning of a connection offers."""
    message = b""
    position = 0
    for _ in range(_MOST_RECORDS):
        if len(octets) - position < 5:
            return _incomplete(octets)
        if octets[position] != _HANDSHAKE_RECORD:
            return Offer.NONE
        length = int.from_bytes(octets[position + 3 : position + 5], "big")
        if not length:
            return Offer.NONE
        message += octets[position + 5 : position + 5 + length]
        position += 5 + length
        if message and message[0] != _CLIENT_HELLO:
            return Offer.NONE
        if len(message) >= 4 and len(message) >= 4 + int.from_bytes(message[1:4], "big"):
            return _offer_of_message(message[4 : 4 + int.from_bytes(message[1:4], "big")])
        if position > len(octets):
            return _incomplete(octets)
    return Offer.NONE


def _incomplete(octets: bytes) -> Offer:
    return Offer.UNKNOWN if len(octets) < LONGEST else Offer.NONE


def _offer_of_message(body: bytes) -> Offer:
    # client_version (2), random (32), session_id <0..32>, cipher_suites <2..>, compression_methods <1..>, extensions
    position = 34
    has_identifier = body[position : position + 1] not in (b"", b"\0")
    for width in (1, 2, 1):
        position += width + int.from_bytes(body[position : position + width], "big")
    # A session identifier alone is an offer, too, but to TLS 1.3 it is nothing but camouflage (RFC 8446 appendix D.4).
    is_offer = has_identifier
    position += 2
    last = len(body) - 4
    while position <= last:
        kind, length = _EXTENSION(body, position)
        if kind == _PRE_SHARED_KEY or (kind == _SESSION_TICKET and length):
            return Offer.SESSION
        if kind == _SUPPORTED_VERSIONS:
            is_offer = False
        position += 4 + length
    return Offer.SESSION if is_offer else Offer.NONE

"""
What a control connection asks of its transport beside writing: has everything gone out, and how to end it in order.

Not here: writing (``sockets``).
"""

from __future__ import annotations

from typing import Any

from twistftp.transport.secure import SecureTransport
from twistftp.transport.sockets import DirectIO, DirectServer

__all__ = ["hang_up", "holds_output", "local_end", "writes_through"]


def local_end(transport: Any) -> tuple[str, int, int]:
    """Address, port and IPv6 scope of our end: ``""`` and 0 where it has none."""
    if type(transport) is DirectServer:  # without an address object, which costs as much as the rest of the question
        end = transport.server.end or transport.socket.getsockname()
        return end[0], end[1], end[3] if len(end) > 2 else 0
    host = transport.getHost()
    return getattr(host, "host", ""), getattr(host, "port", 0), getattr(host, "scopeID", 0)


def writes_through(transport: Any) -> bool:
    """Whether a write goes to the kernel at once, as long as nothing is held."""
    return getattr(transport, "sends_at_once", False)


def holds_output(transport: Any) -> bool:
    """Whether octets given earlier are still in the reactor's buffer; ``False`` for transports without one."""
    transport = getattr(transport, "below", transport)
    return bool(getattr(transport, "dataBuffer", b"") or getattr(transport, "_tempDataBuffer", ()))


def hang_up(transport: Any) -> None:
    """
    Close in order: FIN behind the last octet, then wait for the peer's, so that nothing it sent meanwhile makes the kernel
    reset the connection and the last reply be lost.
    """
    if isinstance(transport, DirectIO) or (isinstance(transport, SecureTransport) and transport.is_secure):
        transport.finish()
    elif isinstance(transport, SecureTransport):
        transport.abortConnection()  # nothing can be said before the handshake is done
    else:
        transport.loseConnection()

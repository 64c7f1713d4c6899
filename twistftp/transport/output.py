"""
What a control connection asks of its transport beside writing: has everything gone out, and how to end it in order.

Not here: writing (``sockets``).
"""

from __future__ import annotations

from typing import Any

from twistftp.transport.secure import SecureTransport
from twistftp.transport.sockets import DirectIO

__all__ = ["hang_up", "holds_output", "writes_through"]


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

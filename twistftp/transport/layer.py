"""
What a layer between a transport and a protocol leaves to the transport.

Not here: what the layer does itself (``secure``).
"""

from __future__ import annotations

from typing import Any

__all__ = ["Layer"]


class Layer:
    """To the protocol above it is a transport; ``below`` is the one that it stands on."""

    below: Any = None

    def queued(self) -> int:
        """Octets that the kernel holds and the peer has not acknowledged."""
        return self.below.queued()  # type: ignore[no-any-return]

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """The transport below knows when it is full, and tells the producer."""
        self.below.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """The inverse."""
        self.below.unregisterProducer()

    def getPeer(self) -> Any:
        """The other end."""
        return self.below.getPeer()

    def getHost(self) -> Any:
        """This end."""
        return self.below.getHost()

    def getHandle(self) -> Any:
        """The socket, if there is one."""
        return self.below.getHandle() if hasattr(self.below, "getHandle") else None

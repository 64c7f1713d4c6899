"""
Twisted without its own TLS: the reactor imports that, and OpenSSL with it, whether anybody wants it or not.

Not here: the TLS of FTP (``transport.tls``), which needs nothing of Twisted's and imports OpenSSL when a site has it turned on.

It is a sixth of the memory of a server without TLS. For Twisted TLS is optional (``pip install twisted[tls]``), so it is told that there is none;
what its reactor then lacks is ``listenSSL``, ``connectSSL`` and the transports' ``startTLS``. Endpoints may want them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["is_left_out", "is_wanted_by", "left_out"]

_OPTIONAL = "OpenSSL"
_IN_CLEAR = frozenset({"tcp", "tcp6", "unix", "systemd", "stdio"})


@contextmanager
def left_out() -> Iterator[None]:
    """
    What of Twisted is imported meanwhile does without TLS, unless that has been imported before. Afterwards OpenSSL is there for all who want it.
    """
    if _OPTIONAL in sys.modules:
        yield
        return
    sys.modules[_OPTIONAL] = None  # type: ignore[assignment]  # so Python's own reference: "its import raises ModuleNotFoundError"
    try:
        yield
    finally:
        del sys.modules[_OPTIONAL]


def is_left_out() -> bool:
    """Whether the reactor has been imported without it."""
    tcp = sys.modules.get("twisted.internet.tcp")
    return tcp is not None and not hasattr(tcp.Connection, "startTLS")


def is_wanted_by(endpoint: str) -> bool:
    """Whether a server endpoint's string may want it; of those of plugins nobody knows."""
    return endpoint.removeprefix("haproxy:").partition(":")[0] not in _IN_CLEAR

"""
The operating system's dynamic port range: what ``0-0`` comes to on this machine.

Not here: what follows from it (``policy``). Rules may be printed on another machine than the server's; those of ``0-0`` should not be.
"""

from __future__ import annotations

from pathlib import Path

from twistftp.policy.channels import PortRange

__all__ = ["dynamic_range", "system_range"]

_LINUX = "/proc/sys/net/ipv4/ip_local_port_range"
# RFC 6335 §6; Windows since Vista, macOS and FreeBSD use it.
_ELSEWHERE = PortRange(49152, 65535)


def system_range(path: str = _LINUX) -> PortRange | None:
    """The range that the system says it uses, as far as it lies within what a passive port may be; ``None`` where it does not say."""
    try:
        low, high = (int(word) for word in Path(path).read_text("ascii").split())
        return PortRange(max(low, 1024), high)
    except (OSError, ValueError):
        return None


def dynamic_range(path: str = _LINUX) -> PortRange:
    """The same, with what is usual elsewhere where the system does not say."""
    return system_range(path) or _ELSEWHERE

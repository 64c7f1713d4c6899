"""
Which part of the passive ports each worker has.

Not here: telling the workers (``supervisor``), and choosing ports in a part (``transport.ports``).
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise

from twistftp.policy.channels import PortRange

__all__ = ["split"]


def split(ports: PortRange, workers: int, reserved: Collection[int] = ()) -> list[PortRange]:
    """
    The part of each worker: disjoint, in the order of the range, with as many usable ports as the others' or one less. The dynamic range
    is the system's to divide: everybody has it whole.

    :param reserved: ports that nobody may use, the control ports.
    :raises ValueError: a worker would have none.
    """
    if ports.is_dynamic:
        return [ports] * workers
    usable = [port for port in range(ports.low, ports.high + 1) if port not in reserved]
    count = len(usable)
    if count < workers:
        raise ValueError(f"{count} usable ports are too few for {workers} workers, each of which needs one of its own")
    edges = [number * count // workers for number in range(workers + 1)]
    return [PortRange(usable[first], usable[last - 1]) for first, last in pairwise(edges)]

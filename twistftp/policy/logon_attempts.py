"""
Failed logins by client, and which clients they block.

Not here: telling anybody (``session.logon_guard``) and the settings (``settings.LogonAttempts``). Time is passed in, in seconds.

A client is an IPv4 address, or an IPv6 network of 64 bits: nobody gets less than that from a provider, so whoever guesses passwords has as many
addresses in it as there are guesses. Link-local addresses count one by one, for there the network is everybody on the wire.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from attrs import define

from twistftp.policy.settings import LogonAttempts

__all__ = ["Block", "FailedLogins", "client_of"]

_MOST_CLIENTS = 10_000
_MOST_FAILURES = 100_000


@lru_cache(4096)
def client_of(address: str) -> str:
    """The client that an address stands for, ``""`` if it is no IP address: all who come by a Unix socket look the same."""
    plain = address.partition("%")[0]
    try:
        parsed = ip_address(plain)
    except ValueError:
        return ""
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    if not isinstance(parsed, IPv6Address) or parsed.is_link_local:
        return str(parsed)
    return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"


@define
class Block:
    """``client`` is kept out until ``until``, for ``failures`` failed logins within ``seconds``; ``refused`` connections came meanwhile."""

    client: str
    until: float
    failures: int
    seconds: float
    refused: int = 0


class FailedLogins:
    """
    Who has failed how often of late, and who is blocked. What it holds is bounded, however many addresses an attacker has: what is forgotten
    first are the clients whose last failure is longest ago.
    """

    def __init__(self, most_clients: int = _MOST_CLIENTS, most_failures: int = _MOST_FAILURES) -> None:
        self._most_clients, self._most_failures = most_clients, most_failures
        self._failures: dict[str, list[float]] = {}  # in the order of the last one
        self._count = 0
        self._blocks: dict[str, Block] = {}

    def __len__(self) -> int:
        """How many times and blocks are held."""
        return self._count + len(self._blocks)

    def failed(self, address: str, settings: LogonAttempts, now: float) -> Block | None:
        """A login from ``address`` has failed: the block that this brings about, ``None`` if it does not."""
        client = client_of(address)
        if not client or _is_exempt(address, settings) or self._standing(client, now):
            return None
        before = self._failures.pop(client, [])
        times = [time for time in before if now - time < settings.period]
        times.append(now)
        self._count += len(times) - len(before)
        if len(times) < settings.max_failures:
            self._failures[client] = times
            self._forget()
            return None
        self._count -= len(times)
        if not settings.block:
            return None
        block = Block(client, now + settings.block, len(times), now - times[0])
        self.add(block)
        return block

    def _forget(self) -> None:
        while self._count > self._most_failures or len(self._failures) > self._most_clients:
            self._count -= len(self._failures.pop(next(iter(self._failures))))

    def _standing(self, client: str, now: float) -> Block | None:
        block = self._blocks.get(client)
        return block if block is not None and now < block.until else None

    def blocked(self, address: str, settings: LogonAttempts, now: float) -> Block | None:
        """The block that keeps ``address`` out now, if one does; today's settings decide whether it holds."""
        if not self._blocks or settings.log_only:
            return None
        block = self._standing(client_of(address), now)
        return block if block is not None and not _is_exempt(address, settings) else None

    def standing(self, client: str, settings: LogonAttempts, now: float) -> Block | None:
        """The same for a client."""
        return None if settings.log_only else self._standing(client, now)

    def add(self, block: Block) -> None:
        """A block that was found elsewhere."""
        self._blocks.pop(block.client, None)
        while len(self._blocks) >= self._most_clients:
            del self._blocks[next(iter(self._blocks))]
        self._blocks[block.client] = block

    def blocks(self) -> list[Block]:
        """All that are not forgotten yet."""
        return list(self._blocks.values())

    def ended(self, now: float) -> list[Block]:
        """The blocks that are over; they are forgotten."""
        over = [block for block in self._blocks.values() if block.until <= now]
        for block in over:
            del self._blocks[block.client]
        return over

    @property
    def next_end(self) -> float | None:
        """When the first of the blocks ends."""
        return min((block.until for block in self._blocks.values()), default=None)


def _is_exempt(address: str, settings: LogonAttempts) -> bool:
    if not settings.exempt:
        return False
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in settings.exempt)

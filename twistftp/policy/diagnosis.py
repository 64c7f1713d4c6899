"""
Why a data connection failed: a closed list of causes, and what each one tells the client to do.

Not here: finding the cause out (``transport`` raises it, ``session.transfer`` reports it).
"""

from __future__ import annotations

from enum import Enum

from attrs import frozen

__all__ = ["Cause", "Verdict"]


class Cause(Enum):
    """Each value is the reply code and its text (PROTOCOL §8); the fields in braces are :class:`Verdict`'s."""

    NOT_SET_UP = (425, "No data connection: send PASV or EPSV (or PORT/EPRT) first.")
    POOL_BUSY = (425, "All {ports} passive ports are in use; try again shortly.")
    CANNOT_LISTEN = (425, "No passive port could be opened; try again later.")
    NEVER_ARRIVED = (
        425,
        "No connection reached port {port} within {seconds:g} s: a firewall or NAT probably blocks the passive ports {range}.",
    )
    FOREIGN_PEER = (425, "A connection to port {port} came from {address}, not from your address, and was refused.")
    CONNECT_FAILED = (425, "Cannot connect to {address} port {port} ({reason}): use passive mode.")
    RESET_EARLY = (425, "The data connection was reset before the transfer began.")
    LOST = (426, "Data connection lost after {octets} bytes.")
    STALLED = (426, "Data connection timed out: no data for {seconds:g} s, {octets} bytes moved.")
    ABORTED = (426, "Transfer aborted by the client after {octets} bytes.")
    CLOSING = (426, "Transfer ended by the server after {octets} bytes.")


@frozen
class Verdict:
    """One failed data connection: its cause and the particulars that the text names."""

    cause: Cause
    port: int = 0
    ports: int = 0
    range: str = ""
    seconds: float = 0
    address: str = ""
    reason: str = ""
    octets: int = 0

    @property
    def code(self) -> int:
        """The reply code."""
        return self.cause.value[0]

    @property
    def text(self) -> str:
        """The reply text: what happened, and what to do about it."""
        fields = {name: getattr(self, name) for name in ("port", "ports", "range", "seconds", "address", "reason", "octets")}
        return self.cause.value[1].format(**fields)

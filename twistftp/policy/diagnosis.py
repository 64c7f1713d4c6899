"""
Why a data connection failed: a closed list of causes, and what each one tells the client to do.

Not here: finding the cause out (``transport`` raises it, ``session.transfer`` reports it) and counting (``session.verdicts``).
"""

from __future__ import annotations

from enum import Enum

import attrs
from attrs import frozen

from twistftp.policy.firewall import is_private

__all__ = ["Cause", "Verdict", "refused_target"]


class Cause(Enum):
    """
    Each value is the reply code, its text (PROTOCOL §8) and the cure, at more length, for SITE WHY.

    The fields in braces are :class:`Verdict`'s.
    """

    NOT_SET_UP = (
        425,
        "No data connection: send PASV or EPSV (or PORT/EPRT) first.",
        "Send PASV, EPSV, PORT or EPRT before every transfer and every listing: each is good for one.",
    )
    POOL_BUSY = (
        425,
        "All {ports} passive ports are in use; try again shortly.",
        "Let your other transfers end first. The administrator can widen the data channel port range.",
    )
    CANNOT_LISTEN = (
        425,
        "No passive port could be opened; try again later.",
        "Tell the administrator: other programs hold the ports of the data channel port range.",
    )
    NEVER_ARRIVED = (
        425,
        "No connection reached port {port} within {seconds:g} s: a firewall or NAT probably blocks it; open TCP {range} to this server.",
        "Open TCP {range} to this server in its firewall, the cloud's rules and the router's forwarding; behind a NAT, set its external address.",
    )
    FILTER_SUSPECTED = (
        425,
        "No connection reached port {port} after {by}, while those after {instead} arrive: a stateful FTP filter is likely; use {instead}.",
        "Use {instead}. A filter or FTP helper on the way rewrites the answer to {by}: switch it off, and open TCP {range} instead.",
    )
    TLS_FILTER_SUSPECTED = (
        425,
        "No connection reached port {port}, while those without TLS arrive: a stateful FTP filter is likely; open TCP {range} to this server.",
        "A firewall on the way opens data ports by reading the answer to PASV, which TLS hides from it. Open TCP {range} to this server in it.",
    )
    PRIVATE_ADVERTISED = (
        425,
        "No connection reached port {port} within {seconds:g} s: you were told {address}, a private address; use EPSV.",
        "Use EPSV, which names no address. The administrator must set the server's external address, since a NAT lies before it.",
    )
    FOREIGN_PEER = (
        425,
        "A connection to port {port} came from {address}, not from your address, and was refused.",
        "Let the data connection leave by the same address as the control connection: a NAT or proxy on your side uses several.",
    )
    HEADERLESS = (
        425,
        "The load balancer {address} connected to port {port} without a PROXY protocol header and was refused.",
        "Tell the administrator: the balancer must send PROXY protocol headers to the passive ports, too.",
    )
    PRIVATE_TARGET = (
        501,
        "{by} names {address}, you come from {peer}: a NAT lies between; use passive mode, or name your own address.",
        "Use passive mode (PASV or EPSV): {address} is a private address, which cannot be reached from here.",
    )
    FOREIGN_TARGET = (
        501,
        "{by} names {address}, you come from {peer}: use passive mode, or name your own address.",
        "Use passive mode (PASV or EPSV). In active mode the data connection goes to the address of the control connection and no other.",
    )
    CONNECT_FAILED = (
        425,
        "Cannot connect to {address} port {port} ({reason}): use passive mode.",
        "Use passive mode (PASV or EPSV), or let connections of this server through to {address} port {port}.",
    )
    RESET_EARLY = (
        425,
        "The data connection was reset before the transfer began.",
        "Try again. If it is so every time, a firewall or virus scanner on the way resets data connections.",
    )
    TLS_NOT_STARTED = (
        522,
        "TLS on the data connection failed: the client did not start it within {seconds:g} s.",
        "After PROT P the client must start TLS on every data connection. A proxy or virus scanner on the way may hold it back.",
    )
    TLS_FAILED = (
        522,
        "TLS on the data connection failed: {reason}.",
        "The client and this server did not agree on TLS for the data connection: {reason}. The administrator finds it in the log.",
    )
    NOT_RESUMED = (
        522,
        "TLS session reuse required on the data connection (enable it in your client).",
        "The data connection must resume the TLS session of its control connection, which proves that it is yours. Enable it in your client.",
    )
    OTHER_CERTIFICATE = (
        522,
        "TLS on the data connection failed: it showed another client certificate than the control connection.",
        "Use the same client certificate for both connections.",
    )
    LEVEL_CHANGED = (
        425,
        "The data connection was made before PROT changed its protection; send PASV or EPSV again.",
        "Send PROT before PASV or EPSV, not between it and the transfer command.",
    )
    LOST = (
        426,
        "Data connection lost after {octets} bytes.",
        "Try again; in TYPE I the rest can be had with REST. If it always breaks, something on the way cuts data connections.",
    )
    STALLED = (
        426,
        "Data connection timed out: no data for {seconds:g} s, {octets} bytes moved.",
        "The client did not read, or a firewall or NAT on the way has forgotten the connection. In TYPE I the rest can be had with REST.",
    )
    ABORTED = (426, "Transfer aborted by the client after {octets} bytes.", "Nothing is wrong: the client asked for it.")
    CLIENT_GONE = (426, "The client left after {octets} bytes.", "Keep the control connection open until the transfer has ended.")
    CLOSING = (426, "Transfer ended by the server after {octets} bytes.", "Try again later.")


@frozen
class Verdict:
    """One failed data connection: its cause and the particulars that the texts name; ``by`` is the verb that set it up."""

    cause: Cause
    port: int = 0
    ports: int = 0
    range: str = ""
    seconds: float = 0
    address: str = ""
    reason: str = ""
    octets: int = 0
    peer: str = ""
    by: str = ""
    instead: str = ""

    @property
    def code(self) -> int:
        """The reply code."""
        return self.cause.value[0]

    @property
    def text(self) -> str:
        """The reply text: what happened, and what to do about it."""
        return self._filled(self.cause.value[1])

    @property
    def cure(self) -> str:
        """What to do about it, at more length."""
        return self._filled(self.cause.value[2])

    def _filled(self, text: str) -> str:
        return text.format(**attrs.asdict(self, recurse=False))


def refused_target(verb: str, host: str, peer: str) -> Verdict:
    """Why a PORT or EPRT that names another address than the client's is refused (PROTOCOL P-DC-14)."""
    behind_nat = is_private(host) and not is_private(peer)
    return Verdict(Cause.PRIVATE_TARGET if behind_nat else Cause.FOREIGN_TARGET, by=verb, address=host, peer=peer)

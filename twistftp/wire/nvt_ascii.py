"""
TYPE A: the line ends of files to those of the wire and back (RFC 959 §3.1.1.1, PROTOCOL P-TYPE-2).

Not here: reading and sending. Each converter keeps one octet of memory, so its result does not depend on where the data was cut.
"""

from __future__ import annotations

__all__ = ["FromNVT", "ToNVT", "converted_size"]


def _with_crlf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class ToNVT:
    """File to wire: LF becomes CRLF, a CRLF stays, a lone CR stays; never CR CR LF."""

    __slots__ = ("_after_cr",)

    def __init__(self) -> None:
        self._after_cr = False

    def convert(self, data: bytes) -> bytes:
        """Convert the next octets of the file."""
        if not data:
            return data
        after_cr, self._after_cr = self._after_cr, data.endswith(b"\r")
        if b"\n" not in data:
            return data
        if after_cr and data[:1] == b"\n":  # this LF's CR went out with the octets before
            return b"\n" + _with_crlf(data[1:])
        return _with_crlf(data)


class FromNVT:
    """Wire to file: CRLF becomes LF, also when it was cut in two; a lone CR is kept."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def convert(self, data: bytes) -> bytes:
        """Convert the next octets that arrived; a CR at their end is held back."""
        if not data:
            return data
        data, self._held = self._held + data, b""
        if data.endswith(b"\r"):
            data, self._held = data[:-1], b"\r"
        return data.replace(b"\r\n", b"\n")

    def finish(self) -> bytes:
        """What was held back when the data ended: a CR at the end of the file is kept."""
        held, self._held = self._held, b""
        return held


def converted_size(data: bytes) -> int:
    """The octets that a whole file has on the wire in TYPE A."""
    return len(data) + data.count(b"\n") - data.count(b"\r\n")

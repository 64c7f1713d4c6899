"""
The control connection octet by octet: what is sent is sent as it is, what comes is kept as it came.

Not here: logging in and data connections (``client``). The doctor's reader takes what it can understand; this one also tells how it came.
"""

from __future__ import annotations

import re

from attrs import frozen

from twistftp.cli.conform.connection import Allowance, Connection
from twistftp.cli.conform.grammar import reply_faults
from twistftp.cli.conform.row import fits
from twistftp.cli.conform.transcript import Transcript, shown
from twistftp.cli.doctor.channel import Lost, OutOfTime
from twistftp.cli.doctor.control import Interrupted
from twistftp.cli.doctor.seen import Ending

__all__ = ["Dialogue", "Said"]

_LONGEST_LINE = 16384
_LONGEST_REPLY = 256 * 1024
_IAC, _SUBNEGOTIATION = 0xFF, 0xFA
_WITH_OPTION = range(0xFB, 0xFF)
_TELNET = re.compile(rb"\xff[\xfb-\xfe].|\xff?[\xf0-\xf9]", re.DOTALL)


@frozen
class Said:
    """One reply. ``lines`` are without their ends; ``faults`` is what its grammar finds."""

    code: int
    lines: tuple[str, ...]
    faults: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.lines[0] if len(self.lines) == 1 else f"{self.lines[0]} ..."

    @property
    def text(self) -> str:
        """The first line behind its code."""
        return self.lines[0][4:]

    def fits(self, codes: str) -> bool:
        """Whether its code is among these."""
        return fits(self.code, codes)


class Dialogue:
    """
    Sends and reads. ``replies`` are all that came, ``telnet`` the Telnet commands among them.

    :param transcript: where it is written down.
    """

    def __init__(self, channel: Connection, allowance: Allowance, transcript: Transcript) -> None:
        self.channel, self.transcript = channel, transcript
        self.replies: list[Said] = []
        self.telnet = b""
        self._allowance = allowance
        self._raw, self._buffer = b"", b""
        self._command = ""

    def send(self, octets: bytes) -> None:
        """
        Send octets as they are.

        :raises Interrupted: the connection has ended.
        """
        self._command = shown(_TELNET.sub(b"", octets).split(b"\r\n")[0].split(b" ")[0][:40])
        self.transcript.client(octets)
        self._send(octets, is_urgent=False)

    def send_urgent(self, octets: bytes) -> None:
        """Send octets, the last of them urgent."""
        self.transcript.note("the next line as urgent data")
        self.transcript.client(octets)
        self._send(octets, is_urgent=True)

    def _send(self, octets: bytes, is_urgent: bool) -> None:
        until = self._allowance.until(self._allowance.to_reply)
        try:
            (self.channel.send_urgent if is_urgent else self.channel.send)(octets, until)
        except Lost as lost:
            raise Interrupted(self._command, lost) from None

    def hear(self, patience: float = 0) -> Said:
        """
        Read one reply.

        :param patience: seconds; 0: those for a reply.
        :raises Interrupted: none came.
        """
        until = self._allowance.until(patience or self._allowance.to_reply)
        try:
            lines = self._reply(until)
        except Lost as lost:
            raise Interrupted(self._command, lost) from None
        texts = tuple(line.rstrip(b"\r\n").decode("utf-8", "surrogateescape") for line in lines)
        said = Said(int(lines[0][:3]), texts, tuple(reply_faults(lines)))
        self.replies.append(said)
        return said

    def hear_if_any(self, seconds: float) -> Said | None:
        """One reply, if it comes within so many seconds; ``None`` if none does, or the connection ends instead."""
        try:
            return self.hear(seconds)
        except (Interrupted, OutOfTime):
            return None

    def is_ended(self, seconds: float) -> bool:
        """Whether the server closes within so many seconds, and says nothing more."""
        try:
            self.hear(seconds)
        except Interrupted as interrupted:
            return interrupted.ending in {Ending.CLOSED, Ending.RESET}
        return False

    def _reply(self, until: float) -> tuple[bytes, ...]:
        lines = [self._line(until)]
        first = re.match(rb"([1-6][0-9][0-9])(-?)", lines[0])
        if first is None:
            raise Lost(Ending.GARBLED, shown(lines[0][:200]))
        size = 0
        while first[2] and not (len(lines) > 1 and lines[-1].startswith(first[1] + b" ")):
            lines.append(self._line(until))
            size += len(lines[-1])
            if size > _LONGEST_REPLY:
                raise Lost(Ending.ENDLESS)
        return tuple(lines)

    def _line(self, until: float) -> bytes:
        while b"\n" not in self._buffer:
            if len(self._buffer) > _LONGEST_LINE:
                raise Lost(Ending.ENDLESS)
            octets = self.channel.receive(until)
            if not octets:
                if self._buffer:
                    raise Lost(Ending.GARBLED, shown(self._buffer[:200]))
                raise Lost(Ending.CLOSED)
            self.feed(octets)
        line, end, self._buffer = self._buffer.partition(b"\n")
        self.transcript.server(line.removesuffix(b"\r"))
        return line + end

    def feed(self, octets: bytes) -> None:
        """Take octets of the server: Telnet commands apart (RFC 854), the rest to be read as lines."""
        self._raw += octets
        while self._raw:
            at = self._raw.find(_IAC)
            if at < 0:
                self._buffer, self._raw = self._buffer + self._raw, b""
                return
            self._buffer, rest = self._buffer + self._raw[:at], self._raw[at:]
            size = self._telnet_size(rest)
            if len(rest) < size:
                self._raw = rest
                return
            command, self._raw = rest[:size], rest[size:]
            if command == b"\xff\xff":
                self._buffer += b"\xff"
            else:
                self.telnet += command
                self.transcript.note(f"Telnet command of the server: {command.hex(' ').upper()}")

    @staticmethod
    def _telnet_size(octets: bytes) -> int:
        if len(octets) > 1 and octets[1] in _WITH_OPTION:
            return 3
        if len(octets) > 1 and octets[1] == _SUBNEGOTIATION:
            end = octets.find(b"\xff\xf0")
            return end + 2 if end >= 0 else len(octets) + 1
        return 2

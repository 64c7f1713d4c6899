"""
The control connection from the client's side: commands out, replies in, in step.

Not here: which commands, and what the replies mean.
"""

from __future__ import annotations

import re
from contextlib import suppress

from twistftp.cli.doctor.channel import Budget, Channel, Lost, OutOfTime
from twistftp.cli.doctor.harmless import harmless
from twistftp.cli.doctor.seen import Answer, Ending

__all__ = ["Control", "Interrupted"]

_FIRST = re.compile(rb"([1-5][0-9][0-9])(?:([ -])(.*))?\Z", re.DOTALL)
_LONGEST_LINE = 8192
_LONGEST_REPLY = 128 * 1024
"""A FEAT has some twenty lines, a banner some more; what goes on behind this is no reply."""


class Interrupted(Exception):
    """No reply came to ``command`` (``""``: the greeting), and the control connection is of no more use."""

    def __init__(self, command: str, lost: Lost) -> None:
        super().__init__(command)
        self.command, self.ending, self.detail = command, lost.ending, lost.detail


class Control:
    """
    Reads replies, one for each command.

    :param secret: what no answer may hold.
    """

    def __init__(self, channel: Channel, budget: Budget, secret: str = "") -> None:
        self.channel = channel
        self._budget, self._secret = budget, secret
        self._buffer = b""
        self._command = ""

    def say(self, command: str, patience: float = 0) -> Answer:
        """
        Send a command and read its reply.

        :param patience: seconds; 0: those for a reply.
        :raises Interrupted: the connection ended, or no reply came.
        """
        self.send(command)
        return self.hear(patience)

    def send(self, command: str) -> None:
        """
        Send a command.

        :raises Interrupted: the connection has ended.
        """
        self._command = command.partition(" ")[0]
        # 0xFF would be a Telnet command (RFC 959 §5.3).
        octets = command.encode("utf-8", "surrogateescape").replace(b"\xff", b"\xff\xff") + b"\r\n"
        try:
            self.channel.send(octets, self._budget.until(self._budget.to_reply))
        except Lost as lost:
            raise Interrupted(self._command, lost) from None

    def hear(self, patience: float = 0) -> Answer:
        """
        Read one reply.

        :raises Interrupted: the connection ended, or no reply came: ``GARBLED`` when it is none, ``ENDLESS`` when it goes on and on.
        """
        try:
            return self._reply(self._budget.until(patience or self._budget.to_reply))
        except Lost as lost:
            raise Interrupted(self._command, lost) from None

    def _reply(self, until: float) -> Answer:
        line = self._line(until)
        first = _FIRST.match(line)
        if first is None:
            raise Lost(Ending.GARBLED, harmless(line, self._secret))
        code, lines, size = first[1], [first[3] or b""], len(line)
        if first[2] == b"-":
            end = code + b" "
            while not (line.startswith(end) or line == code):
                line = self._line(until)
                size += len(line) + 2
                if size > _LONGEST_REPLY:
                    raise Lost(Ending.ENDLESS, harmless(lines[0], self._secret))
                lines.append(line[4:] if line[:4] in {end, code + b"-"} else line)
        return Answer(int(code), tuple(harmless(text, self._secret).strip() for text in lines))

    def strays(self) -> list[Answer]:
        """
        Replies that are there already, before anything was asked.

        :raises Interrupted: the connection has ended.
        """
        found = []
        try:
            if self.channel.has_more():
                self._buffer += self.channel.receive(self._budget.until(1))
            while re.match(rb"[1-5][0-9][0-9] [^\n]*\n", self._buffer):
                found.append(self._reply(self._budget.until(1)))
        except Lost as lost:
            raise Interrupted(self._command, lost) from None
        return found

    def close(self) -> None:
        """Say good-bye without waiting for the answer."""
        with suppress(Lost, OutOfTime):
            self.channel.send(b"QUIT\r\n", self._budget.until(1))
        self.channel.close()

    def _line(self, until: float) -> bytes:
        while (end := self._buffer.find(b"\n", 0, _LONGEST_LINE)) < 0:
            if len(self._buffer) >= _LONGEST_LINE:
                raise Lost(Ending.ENDLESS, harmless(self._buffer, self._secret))
            octets = self.channel.receive(until)
            if not octets:
                if self._buffer:
                    raise Lost(Ending.GARBLED, harmless(self._buffer, self._secret))
                raise Lost(Ending.CLOSED)
            self._buffer += octets
        line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
        return line.rstrip(b"\r")

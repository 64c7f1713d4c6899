"""
One session with the server: commands whose replies are judged, and transfers.

Not here: connecting and logging in (``visit``), and which rules there are (``rows``).
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

from attrs import frozen

from twistftp.cli.conform.codes import Codes
from twistftp.cli.conform.connection import Allowance, Connection
from twistftp.cli.conform.dialogue import Dialogue, Said
from twistftp.cli.conform.row import Broken, NotTried
from twistftp.cli.doctor.channel import Lost, OutOfTime
from twistftp.cli.doctor.control import Interrupted
from twistftp.cli.doctor.seen import Answer
from twistftp.cli.doctor.transfers import told
from twistftp.wire.addresses import fold_address, is_ipv6

__all__ = ["Client", "Transfer"]

_MOST = 4 << 20
"""Octets of one transfer; what goes on behind these is not looked at."""
# Commands after which a session is as it was, so that the next check may go on with it.
_HARMLESS = frozenset(
    ("NOOP", "PWD", "SYST", "FEAT", "HELP", "STAT", "TYPE", "SIZE", "MDTM", "MLST", "PASV", "EPSV", "RETR", "LIST", "NLST", "MLSD", "STOR")
)


@frozen
class Transfer:
    """
    One transfer. ``begun`` is its first reply, ``ended`` its last, which may be the same; ``octets`` are what came.

    ``is_ended_properly``: whether a close_notify ended it; ``is_resumed``: whether its TLS resumed a session.
    """

    begun: Said
    ended: Said
    octets: bytes = b""
    is_ended_properly: bool | None = None
    is_resumed: bool | None = None

    @property
    def lines(self) -> list[str]:
        """A listing's lines without their ends."""
        text = self.octets.decode("utf-8", "surrogateescape")
        return [line.removesuffix("\r") for line in text.split("\n")[:-1]] + ([text.rsplit("\n", 1)[-1]] if text and not text.endswith("\n") else [])


class Client:
    """
    A control connection and what is known about it.

    :param context: TLS contexts for data connections, which share their sessions with the control connection's.
    """

    def __init__(self, dialogue: Dialogue, allowance: Allowance, codes: Codes, context: ssl.SSLContext, host: str) -> None:
        self.dialogue, self._allowance, self._codes, self._context, self._host = dialogue, allowance, codes, context, host
        self.is_protected = False
        """Whether data connections are under TLS."""
        self.said_commands: list[str] = []

    @property
    def channel(self) -> Connection:
        """The control connection."""
        return self.dialogue.channel

    @property
    def is_ipv6(self) -> bool:
        """Whether it goes over IPv6 indeed, not over IPv4 in its clothes."""
        return is_ipv6(fold_address(self.channel.peer))

    @property
    def is_as_new(self) -> bool:
        """Whether the next check may go on with it."""
        return all(command.upper() in _HARMLESS for command in self.said_commands)

    def send(self, command: str | bytes) -> None:
        """Send a command; octets go as they are, text gets a line end and its 0xFF doubled (RFC 959 §5.3)."""
        if isinstance(command, str):
            command = command.encode("utf-8", "surrogateescape").replace(b"\xff", b"\xff\xff") + b"\r\n"
            self.said_commands.append(command.split(b" ")[0].strip().decode("ascii", "replace"))
        else:
            self.said_commands.append("(octets)")
        self.dialogue.send(command)

    def hear(self, patience: float = 0) -> Said:
        """One reply."""
        return self.dialogue.hear(patience)

    def ask(self, command: str | bytes, patience: float = 0) -> Said:
        """Send a command and read its reply."""
        self.send(command)
        return self.hear(patience)

    def must(self, command: str, codes: str, patience: float = 0) -> Said:
        """
        Send a command that must be answered by one of these codes.

        :raises Broken: it is not.
        """
        return self.judge(command, self.ask(command, patience), codes)

    def judge(self, command: str, said: Said, codes: str) -> Said:
        """
        Compare a reply with what it must be, as exactly as the present check wants it.

        :raises Broken: it is something else.
        """
        if not self._codes.accepts(command, said.code, codes):
            raise Broken(f"{command} is answered {said.code}, not {' or '.join(codes.split())}")
        return said

    def is_out(self, after: str) -> None:
        """
        See that a login has ended.

        :raises Broken: it still holds.
        """
        if (said := self.ask("PWD")).code < 400:
            raise Broken(f"after {after} the login still holds: PWD is answered {said.code}")

    def settle(self, command: str, codes: str) -> Said:
        """
        A command that a check needs before it can look at anything; if it fails, that is another check's business.

        :raises NotTried: it is not answered by one of these codes.
        """
        said = self.ask(command)
        if not said.fits(codes):
            raise NotTried(f"{command} is answered {said.code}, so there is nothing to look at")
        return said

    # --- data connections ------------------------------------------------------------------------------------------------------------

    def passive(self, command: str = "") -> Connection:
        """
        A data connection in passive mode.

        :raises Broken: the reply names no port, or the port cannot be connected to.
        :raises NotTried: there is no passive mode.
        """
        command = command or ("EPSV" if self.is_ipv6 else "PASV")
        said = self.ask(command)
        if said.code >= 400:
            raise NotTried(f"{command} is answered {said.code}")
        return self.connect(command, said)

    def place(self, command: str, said: Said) -> int:
        """
        The port that a 227 or 229 names.

        :raises Broken: it names none.
        """
        found = told(command.partition(" ")[0], Answer(said.code, (said.text,)))
        if found is None:
            raise Broken(f"{command} is answered {said.code}, and no port can be read from it")
        return found[1]

    def connect(self, command: str, said: Said) -> Connection:
        """Connect to the control connection's peer at the port that a reply names; a NAT may have another address in the 227."""
        port = self.place(command, said)
        try:
            return self.channel.connect_beside(self.channel.peer, port)
        except Lost as lost:
            raise Broken(f"port {port}, which {command} names, cannot be connected to: {lost.ending.value}") from None

    def protect(self, data: Connection) -> None:
        """
        TLS on a data connection, if it is agreed on.

        :raises Broken: it does not come about.
        """
        if not self.is_protected or data.tls is not None:
            return
        tls = self.channel.tls
        try:
            data.start_tls(self._context, self._host, tls.session if tls else None, self._allowance.until(self._allowance.to_transfer))
        except Lost as lost:
            raise Broken(f"no TLS on the data connection: {lost.ending.value}{f' ({lost.detail})' if lost.detail else ''}") from None

    def drain(self, data: Connection) -> bytes:
        """
        All that comes, to the end.

        :raises Broken: the end does not come.
        :raises NotTried: it is too much.
        """
        octets = bytearray()
        until = self._allowance.until(self._allowance.to_transfer)
        try:
            while more := data.receive(until):
                octets += more
                if len(octets) > _MOST:
                    raise NotTried(f"more than {_MOST >> 20} MiB came")
        except Lost as lost:
            raise Broken(f"the data connection ends badly after {len(octets)} octets: {lost.ending.value}") from None
        return bytes(octets)

    def fetch(self, command: str, data: Connection | None = None, passive: str = "") -> Transfer:
        """
        A listing or a file.

        :raises Broken: it does not come as it should. A refusal is no such thing: it is in the result.
        """
        data = data or self.passive(passive)
        try:
            begun = self.ask(command, self._allowance.to_transfer)
            if begun.code >= 400:
                return Transfer(begun, begun)
            self.protect(data)
            octets = self.drain(data)
            is_resumed = data.tls.session_reused if data.tls is not None else None
        finally:
            data.close()
        self.dialogue.transcript.data(f"{len(octets)} octets{' over TLS' if data.tls is not None else ''}, then the server closes")
        ended = begun if begun.code >= 200 else self.hear(self._allowance.to_transfer)
        return Transfer(begun, ended, octets, data.is_ended_properly if data.tls is not None else None, is_resumed)

    def fetched(self, command: str, passive: str = "") -> Transfer:
        """
        A listing or a file that must come.

        :raises Broken: it does not.
        """
        transfer = self.fetch(command, passive=passive)
        self.judge(command, transfer.begun, "1xx 2xx")
        self.judge(f"the end of {command}", transfer.ended, "2xx")
        return transfer

    def store(self, command: str, octets: bytes, during: Callable[[Connection], None] | None = None) -> Transfer:
        """
        Send a file.

        :param during: called when the octets are sent and the end is not.
        :raises Broken: the connection breaks.
        """
        data = self.passive()
        try:
            begun = self.ask(command, self._allowance.to_transfer)
            if begun.code >= 400:
                return Transfer(begun, begun)
            self.protect(data)
            until = self._allowance.until(self._allowance.to_transfer)
            data.send(octets, until)
            if during is not None:
                during(data)
            data.finish(until)
            is_answered = data.await_end(self._allowance.until(1.0))
        except Lost as lost:
            raise Broken(f"the data connection breaks: {lost.ending.value}") from None
        finally:
            data.close()
        self.dialogue.transcript.data(f"{len(octets)} octets sent{' over TLS' if data.tls is not None else ''}, then the client closes")
        ended = begun if begun.code >= 200 else self.hear(self._allowance.to_transfer)
        return Transfer(begun, ended, b"", is_answered if data.tls is not None else None)

    def stored(self, command: str, octets: bytes) -> Transfer:
        """
        A file that must be taken.

        :raises Broken: it is not.
        """
        transfer = self.store(command, octets)
        self.judge(command, transfer.begun, "1xx")
        self.judge(f"the end of {command}", transfer.ended, "2xx")
        return transfer

    def listen(self) -> tuple[socket.socket, int]:
        """
        A socket for an active data connection, on the address that the server knows, and its port.

        :raises NotTried: there can be none.
        """
        try:
            listener = self.channel.listen_beside()
        except OSError:
            raise NotTried("no port can be opened here") from None
        return listener, int(listener.getsockname()[1])

    def accept(self, listener: socket.socket) -> Connection:
        """
        The server's connection.

        :raises Broken: it does not come.
        """
        try:
            return Connection.accept(listener, self._allowance)
        except Lost as lost:
            raise Broken(f"the server does not connect to the port it was told: {lost.ending.value}") from None

    @property
    def own_address(self) -> str:
        """The client's address as the server sees it, if no NAT is between."""
        return fold_address(self.channel.local).partition("%")[0]

    def port_argument(self, port: int, address: str = "") -> str:
        """The argument of PORT."""
        return f"{(address or self.own_address).replace('.', ',')},{port >> 8},{port & 255}"

    def leave(self) -> None:
        """QUIT, and close. Nothing of it is written down."""
        transcript = self.dialogue.transcript
        mark = transcript.mark()
        try:
            self.dialogue.send(b"QUIT\r\n")
            self.dialogue.hear_if_any(1.0)
        except (Interrupted, OutOfTime):
            pass
        finally:
            transcript.cut(mark)
            self.channel.close()

"""
Data connections of a session: PASV, EPSV, PORT and EPRT, and one listing or file over each.

Not here: which are tried and when (``walk``), and what their fate means (``rules``).
"""

from __future__ import annotations

import re
import ssl
from typing import Any

from attrs import evolve

from twistftp.cli.doctor.channel import Budget, Channel, Lost
from twistftp.cli.doctor.control import Control, Interrupted
from twistftp.cli.doctor.seen import Active, Answer, Ending, Passive, Session, Transfer
from twistftp.policy.firewall import is_private
from twistftp.wire.addresses import fold_address, is_ipv6, is_unusable_target

__all__ = ["Mover", "stated", "told"]

_ENOUGH = {"RETR": 64 * 1024}
"""Octets of a file that show that files can be had."""
_ENOUGH_OF_A_LISTING = 256 * 1024
# The numbers anywhere in the text: RFC 1123 §4.1.2.6 has clients scan for them, for servers leave the brackets out.
_227 = re.compile(r"(\d{1,3})" + r",\s*(\d{1,3})" * 5, re.ASCII)
_229 = re.compile(r"\(([!-~])\1\1(\d{1,5})\1\)", re.ASCII)


def told(verb: str, answer: Answer) -> tuple[str, int] | None:
    """The address (``""`` in a 229) and port that a reply names, if it does."""
    if verb == "EPSV":
        match = _229.search(answer.text) if answer.code == 229 else None
        port = int(match[2]) if match else 0
        return ("", port) if 0 < port < 65536 else None
    match = _227.search(answer.text) if answer.code == 227 else None
    return _numbers_of(match)


def _numbers_of(match: re.Match[str] | None) -> tuple[str, int] | None:
    """The address and port in six numbers, if they are such."""
    numbers = [int(number) for number in match.groups()] if match else []
    if not numbers or max(numbers) > 255 or not (port := numbers[4] * 256 + numbers[5]):
        return None
    return ".".join(map(str, numbers[:4])), port


def stated(text: str) -> tuple[str, int] | None:
    """The address and port in a text: servers of BSD's family say in their STAT, too, where they listen."""
    return _numbers_of(_227.search(text))


def _is_senseless(address: str, peer: str) -> bool:
    """Whether there is no point in connecting to an address that a 227 of this peer names."""
    return is_unusable_target(address) or (is_private(address) and not is_private(peer))


class Mover:
    """
    Moves listings and files for one session; what it finds goes into ``seen``.

    :param context: for data connections under TLS; ``None``: they are in the clear.
    """

    def __init__(self, control: Control, seen: Session, budget: Budget, context: ssl.SSLContext | None, host: str) -> None:
        self._control, self._seen, self._budget, self._context, self._host = control, seen, budget, context, host
        self._peer = fold_address(control.channel.peer)
        self.octets = bytearray()
        """What the latest transfer brought."""

    def passive(self, verb: str, command: str, argument: str = "") -> Passive:
        """
        One PASV or EPSV and, if the data connection comes up, a transfer over it, whose octets are then in ``octets``.

        :raises Interrupted: the control connection was lost. What is known by then is in ``seen``.
        """
        answer = self._control.say(verb)
        place = told(verb, answer)
        if place is None:
            return self._note(Passive(verb, answer))
        address, port = place
        found = Passive(verb, answer, address, port)
        data: Channel | None = None
        if address in ("", self._peer) or not _is_senseless(address, self._peer):
            data, ending = self._connect(address if address not in ("", self._peer) else self._control.channel.peer, port)
            found = evolve(found, ending=ending)
        if data is None and address not in ("", self._peer):
            data, ending = self._connect(self._control.channel.peer, port)
            found = evolve(found, at_peer=ending)
        if data is None:
            return self._note(found)
        transfer, interrupted = self._move(data, command, argument)
        self._note(evolve(found, transfer=transfer))
        if interrupted:
            raise interrupted
        return self._seen.passive[-1]

    def active(self, command: str, argument: str = "") -> None:
        """
        One PORT or EPRT, as the address is, and a transfer; the outcome goes into ``seen``.

        :raises Interrupted: the control connection was lost.
        """
        local = fold_address(self._control.channel.local)
        verb = "EPRT" if is_ipv6(local) else "PORT"
        try:
            listener = self._control.channel.listen_beside()
        except OSError:
            return
        with listener:
            port = listener.getsockname()[1]
            numbers = f"{local.replace('.', ',')},{port >> 8},{port & 255}"
            answer = self._control.say(f"EPRT |2|{local.partition('%')[0]}|{port}|" if verb == "EPRT" else f"PORT {numbers}")
            self._seen.active = Active(verb, answer)
            if not answer.is_positive:
                return
            self._control.send(f"{command} {argument}".rstrip())
            try:
                data = Channel.accept(listener, self._budget)
            except Lost as lost:
                # Its own patience: servers try to connect for longer than the doctor waits. What comes later would be out of step.
                self._seen.active = Active(verb, answer, Transfer(command, False, ending=lost.ending))
                said = self._control.hear(1)
                said = self._control.hear() if said.code < 200 else said
                self._seen.active = Active(verb, answer, Transfer(command, False, ending=lost.ending, answer=said))
                return
        transfer, interrupted = self._move(data, command, argument, is_sent=True)
        self._seen.active = Active(verb, answer, transfer, fold_address(data.peer))
        if interrupted:
            raise interrupted

    def _note(self, found: Passive) -> Passive:
        self._seen.passive.append(found)
        return found

    def _connect(self, host: str, port: int) -> tuple[Channel | None, Ending]:
        try:
            return self._control.channel.connect_beside(host, port), Ending.OPEN
        except Lost as lost:
            return None, lost.ending

    def _move(self, data: Channel, command: str, argument: str, is_sent: bool = False) -> tuple[Transfer, Interrupted | None]:
        self.octets.clear()
        transfer = Transfer(command, False)
        try:
            if not is_sent:
                self._control.send(f"{command} {argument}".rstrip())
            answer = self._control.hear(self._budget.to_transfer)
            transfer = evolve(transfer, answer=answer)
            if not answer.is_positive:
                return transfer, None
            transfer = self._receive(data, transfer)
            data.close()
            if answer.code < 200:
                answer = self._control.hear(self._budget.to_reply if transfer.is_cut else self._budget.to_transfer)
            is_whole = transfer.ending is Ending.OPEN and answer.code < 300
            transfer = evolve(transfer, answer=answer, is_done=is_whole or transfer.is_cut)
        except Interrupted as interrupted:
            # A file of which enough has come has come, whatever the server thinks of the end.
            return evolve(transfer, is_done=transfer.is_cut, ending=interrupted.ending, octets=len(self.octets)), interrupted
        finally:
            data.close()
        return transfer, None

    def _receive(self, data: Channel, transfer: Transfer) -> Transfer:
        octets = self.octets
        enough = _ENOUGH.get(transfer.command, _ENOUGH_OF_A_LISTING)
        until = self._budget.until(self._budget.to_transfer)
        changes: dict[str, Any] = {}
        try:
            if self._context is not None:
                tls = self._control.channel.tls
                data.start_tls(self._context, self._host, tls.session if tls else None, until)
                changes["is_resumed"] = bool(data.tls and data.tls.session_reused)
            while len(octets) < enough and (more := data.receive(until)):
                octets += more
            changes["is_cut"] = len(octets) >= enough
        except Lost as lost:
            # Octets that trickle show that there is a way for them.
            is_slow = lost.ending is Ending.SILENT and bool(octets)
            changes |= {"is_cut": True} if is_slow else {"ending": lost.ending, "detail": lost.detail}
        return evolve(transfer, octets=len(octets), **changes)

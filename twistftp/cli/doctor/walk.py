"""
One session with a server: what a client would do, one thing after the other, and what came of it.

Not here: judgement (``rules``). A control connection that is lost on the way is made anew, so that the next thing is tried, too.
"""

from __future__ import annotations

import re

from twistftp.cli.doctor.arrival import Arrival, Errand
from twistftp.cli.doctor.control import Control, Interrupted
from twistftp.cli.doctor.files import best, directories
from twistftp.cli.doctor.seen import NO_CHANCE, Ending, Interruption, Passive, Session, Stop
from twistftp.cli.doctor.transfers import Mover, stated
from twistftp.wire.addresses import is_ipv6

__all__ = ["Walk"]

_ARRIVALS = 4
"""Control connections of one walk; more could look like an attack."""

_UNKNOWN = range(500, 505)
"""Replies to a verb that the server does not know after all."""


class Walk:
    """One walk by one scheme. ``seen`` is filled as it goes, so that it holds what is known when the time is up."""

    def __init__(self, errand: Errand, scheme: str) -> None:
        self._errand, self._scheme = errand, scheme
        self.seen = Session(scheme)
        self.step = "the connection"
        self._arrivals = 0
        self._control: Control | None = None
        self._mover: Mover | None = None
        self._listing = "LIST"
        self._inside: list[str] = []
        self._names: list[str] | None = None
        self._octets = b""

    @property
    def control(self) -> Control | None:
        """The control connection, if it is up."""
        return self._control

    def arrive(self) -> bool:
        """Be logged in; whether that is so."""
        if self._control is None and self._arrivals < _ARRIVALS:
            # What befalls a later connection says nothing about the server that the first one did not say.
            seen = self.seen if self._arrivals == 0 else Session(self._scheme)
            self._arrivals += 1
            arrival = Arrival(self._errand, self._scheme, seen)
            self._control = control = arrival.arrive()
            if control is not None:
                try:
                    self._settle(control, arrival)
                except Interrupted as interrupted:
                    self._lose(interrupted)
        return self._control is not None

    def leave(self) -> None:
        """End the session."""
        if self._control is not None:
            self._control.close()
            self._control = None

    def try_passive(self) -> None:
        """List and fetch by PASV, and by EPSV."""
        if not self.arrive():
            return
        verbs = ["EPSV"] if is_ipv6(self.seen.peer) else ["PASV", "EPSV"]
        for verb in verbs:
            self.step = verb
            self._list_and_fetch(verb)
        # Once is by chance. What fails beside something that works is tried again, until it works or is no chance any more.
        if len({self.seen.connected(verb) for verb in verbs}) == 2:
            for verb in verbs * (NO_CHANCE - 1):
                if self._is_worth_another_try(verb):
                    self.step = f"{verb}, once more"
                    self._try(verb, self._listing)

    def _is_worth_another_try(self, verb: str) -> bool:
        """Whether there are failures at the server's own address alone; a wrong address will not get better."""
        told = [one for one in self.seen.tries(verb) if one.is_told]
        return bool(told) and all(one.ending is not Ending.OPEN and one.address in ("", self.seen.peer) for one in told)

    def try_active(self) -> None:
        """List by PORT or EPRT. This may leave the session out of step, so it comes last."""
        self.step = "active mode"
        if not self.arrive() or self._mover is None:
            return
        try:
            self._mover.active(self._listing)
        except Interrupted:
            self.leave()

    def ask_why(self) -> None:
        """What the server knows about failures, where it has a verb for it; or where it says in STAT that it listens."""
        self.step = "the server's own account"
        if not self.arrive() or self._control is None:
            return
        control, verb = self._control, "EPSV" if is_ipv6(self.seen.peer) else "PASV"
        try:
            if not self.seen.works(verb) and (answer := control.say(verb)).code == 227:  # which also gives up what was unused
                self.seen.stated = self._contradiction(answer.text, control.say("STAT").text)
            if re.search(r"\bWHY\b", control.say("SITE HELP").text) and (why := control.say("SITE WHY")).lines[1:]:
                self.seen.own_account = why
        except Interrupted:
            self.leave()

    def _contradiction(self, told: str, state: str) -> str:
        here, there = stated(told), stated(state)
        if not here or not there or here == there:
            return ""
        return f"the 227 names {here[0]} port {here[1]}, the server's own STAT {there[0]} port {there[1]}"

    def _settle(self, control: Control, arrival: Arrival) -> None:
        if arrival.seen.is_protected:
            self.step = "PROT"
            control.say("PBSZ 0")
            arrival.seen.protection = control.say("PROT P")
        self.step = "FEAT"
        arrival.look_at_features(control)
        if any(line.upper().startswith("MLST") for line in arrival.seen.features or ()):
            self._listing = "MLSD"
        arrival.seen.system = control.say("SYST")
        arrival.seen.strays += control.strays()
        control.say("TYPE I")
        for directory in [self._errand.target.path, *self._inside]:
            if directory and not (answer := control.say(f"CWD {directory}")).is_positive:
                arrival.seen.stop = Stop("directory", answer=answer)
                self.leave()
                return
        protection = arrival.seen.protection
        context = arrival.context if protection is not None and protection.is_positive else None
        self._mover = Mover(control, self.seen, self._errand.budget, context, arrival.name)

    def _list_and_fetch(self, verb: str) -> None:
        found = self._try(verb, self._listing)
        refused = found.transfer.answer if found is not None and found.transfer is not None else None
        if self._listing == "MLSD" and refused is not None and refused.code in _UNKNOWN:
            self._listing = "LIST"
            found = self._try(verb, self._listing)
        if found is None or found.transfer is None or not found.transfer.is_done:
            return
        if self._names is None:
            self._names = best(self._octets) or self._look_deeper(verb, directories(self._octets)[:3])
            self.seen.has_no_file = not self._names
        for name in self._names:
            found = self._try(verb, "RETR", name)
            if found is None or found.transfer is None or found.transfer.is_done or found.transfer.octets:
                return

    def _look_deeper(self, verb: str, names: list[str]) -> list[str]:
        """A file in one of these directories; the session stays there."""
        for name in names:
            if self._control is None:
                break
            try:
                if not self._control.say(f"CWD {name}").is_positive:
                    continue
                self._try(verb, self._listing)
                if found := best(self._octets):
                    self._inside.append(name)
                    return found
                if self._control is None or not self._control.say("CDUP").is_positive:
                    break
            except Interrupted as interrupted:
                self._lose(interrupted)
        return []

    def _try(self, verb: str, command: str, argument: str = "") -> Passive | None:
        """One attempt; ``None`` if nothing can be said of it but that the control connection is gone."""
        self._octets = b""
        if not self.arrive() or self._mover is None or self._control is None:
            return None
        mover, count = self._mover, len(self.seen.passive)
        try:
            self.seen.strays += self._control.strays()
            found: Passive | None = mover.passive(verb, command, argument)
        except Interrupted as interrupted:
            found = self.seen.passive[-1] if len(self.seen.passive) > count else None
            self._lose(interrupted, is_noted=not (found and found.transfer and found.transfer.is_cut))
        self._octets = bytes(mover.octets)
        return found

    def _lose(self, interrupted: Interrupted, is_noted: bool = True) -> None:
        """The control connection is of no more use. It is no event that one is whose transfer the doctor itself has cut off."""
        if is_noted:
            self.seen.interruptions.append(Interruption(interrupted.command, interrupted.ending))
        if self._control is not None:
            self._control.channel.close()
        self._control = self._mover = None

"""
The way into a server: connection, greeting, TLS and login. Where it ends before its time, ``seen.stop`` says where.

Not here: what is done inside (``walk``), and what a stop means (``rules``).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import datetime

from attrs import frozen

from twistftp.cli.doctor.certificate import checking, describe, unchecking
from twistftp.cli.doctor.channel import Budget, Channel, Lost, addresses
from twistftp.cli.doctor.control import Control, Interrupted
from twistftp.cli.doctor.seen import Connect, Ending, Session, Stop
from twistftp.cli.doctor.target import Target
from twistftp.wire.addresses import fold_address

__all__ = ["Arrival", "Errand"]


@frozen
class Errand:
    """Who goes where, with how much time; ``context`` checks certificates, ``None``: they are taken as they are."""

    target: Target
    budget: Budget
    now: datetime
    context: ssl.SSLContext | None

    @classmethod
    def of(cls, target: Target, budget: Budget, now: datetime, ca: str = "", is_insecure: bool = False) -> Errand:
        """
        An errand that trusts what the system does, or the certificates of a file.

        :raises CannotTrust: it holds none.
        """
        return cls(target, budget, now, None if is_insecure else checking(ca))


class Arrival:
    """One way into the server by one scheme; ``context`` is that of its TLS, which data connections share for their sessions."""

    def __init__(self, errand: Errand, scheme: str, seen: Session) -> None:
        self._errand, self._budget, self._target = errand, errand.budget, errand.target
        self.scheme, self.seen = scheme, seen
        self.context = errand.context or unchecking()
        self._trust_error = ""

    def arrive(self) -> Control | None:
        """The control connection, logged in; ``None``: ``seen.stop`` says why not. What was connected then is closed again."""
        control = self.connect()
        if control is None:
            return None
        for stage, step in self._steps().items():
            try:
                stop = step(control)
            except Interrupted as interrupted:
                stop = Stop(stage, interrupted.ending, interrupted.detail)
            except Lost as lost:
                stop = Stop(stage, lost.ending, lost.detail)
            if stop is not None:
                self.seen.stop = stop
                control.close()
                if stop.stage == "greeting" and stop.ending is Ending.SILENT:
                    self.seen.speaks_tls_at_once = self._speaks_tls_at_once()
                elif stop.ending is Ending.UNTRUSTED:
                    self._look_at_certificate(stop.detail)
                return None
        return control

    def connect(self) -> Control | None:
        """A connection to the control port, by the first of the host's addresses that works."""
        seen = self.seen
        try:
            places = addresses(self._target.host, self._target.port, self._budget)
        except Lost as lost:
            seen.stop = Stop("connect", lost.ending, lost.detail)
            return None
        for family, place in places[:6]:
            try:
                channel = Channel.connect(family, place, self._budget)
            except Lost as lost:
                seen.connects.append(Connect(place[0], lost.ending))
                continue
            seen.connects.append(Connect(place[0], Ending.OPEN))
            seen.local, seen.peer = fold_address(channel.local), fold_address(channel.peer)
            return Control(channel, self._budget, self._target.secret)
        seen.stop = Stop("connect", seen.connects[0].ending)
        return None

    def _steps(self) -> dict[str, Callable[[Control], Stop | None]]:
        """The steps of a scheme, by the stage they are."""
        steps = {"handshake": self._shake, "trust": self._trust, "greeting": self._greet}
        if self.scheme != "ftps":
            steps = {"greeting": self._greet}
        if self.scheme == "ftpes":
            steps |= {"auth": self._ask_for_tls, "handshake": self._shake, "trust": self._trust}
        return {**steps, "login": self._log_in}

    def _greet(self, control: Control) -> Stop | None:
        greeting = control.hear(self._budget.to_talk)
        if greeting.code == 120:  # "ready in n minutes": the 220 comes when it is (RFC 959 §5.4)
            greeting = control.hear(self._budget.to_talk)
        self.seen.greeting = greeting
        return None if 200 <= greeting.code < 300 else Stop("greeting", answer=greeting)

    def _ask_for_tls(self, control: Control) -> Stop | None:
        self.look_at_features(control)
        self.seen.auth = answer = control.say("AUTH TLS")
        # 234 it is; 200 and 334 are said by old servers that mean the same.
        return None if answer.code in {234, 200, 334} else Stop("auth", answer=answer)

    def look_at_features(self, control: Control) -> None:
        """FEAT; ``None`` if there is none. What a server offers is remembered though TLS makes it say less."""
        answer = control.say("FEAT")
        found = tuple(line.strip() for line in answer.lines[1:-1]) if answer.code == 211 else None
        kept = [line for line in self.seen.features or () if line.upper().startswith("AUTH")]
        self.seen.features = found if found is None else tuple(dict.fromkeys([*found, *kept]))

    def _shake(self, control: Control) -> Stop | None:
        control.channel.start_tls(self.context, self.name, None, self._budget.until(self._budget.to_talk))
        self.seen.tls = describe(control.channel, self._target, self._trust_error, self._errand.context is not None, self._errand.now)
        return None

    def _trust(self, control: Control) -> Stop | None:
        tls = self.seen.tls
        if tls is None or not tls.is_checked:
            return None
        error = tls.trust_error or (tls.certificate.name_error if tls.certificate else "the server shows none")
        return Stop("trust", Ending.UNTRUSTED, error) if error else None

    def _log_in(self, control: Control) -> Stop | None:
        target = self._target
        answer = control.say(f"USER {target.user}", self._budget.to_talk)
        if answer.code in {331, 332}:
            answer = control.say(f"PASS {target.sent_password}", self._budget.to_talk)
        self.seen.login = answer
        return None if 200 <= answer.code < 300 else Stop("login", answer=answer)

    @property
    def name(self) -> str:
        """The host as TLS names it."""
        return self._target.host.partition("%")[0].rstrip(".")

    def _speaks_tls_at_once(self) -> bool:
        """Whether a port that says nothing waits for a client to begin with TLS."""
        probe = Arrival(self._errand, "ftps", Session("ftps"))
        probe.context = unchecking()
        control = probe.connect()
        if control is None:
            return False
        try:
            probe._shake(control)
        except Lost:
            return False
        finally:
            control.channel.close()
        return True

    def _look_at_certificate(self, trust_error: str) -> None:
        """What is the matter with a certificate that was refused: shake hands once more, look at it, and go."""
        probe = Arrival(self._errand, self.scheme, Session(self.scheme))
        probe.context, probe._trust_error = unchecking(), trust_error
        control = probe.connect()
        if control is None:
            return
        try:
            for stage, step in probe._steps().items():
                if stage in {"trust", "login"} or step(control):
                    break
        except (Lost, Interrupted):
            pass
        finally:
            control.channel.close()
        self.seen.tls = probe.seen.tls

"""
One row after the other, whatever the server does: each check has its share of the time, and a session that breaks is made anew.

Not here: what the checks do (``rows``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twistftp.cli.conform.card import Card, Outcome
from twistftp.cli.conform.connection import Allowance
from twistftp.cli.conform.row import Broken, Need, NotOffered, NotTried, Row, Verdict
from twistftp.cli.conform.transcript import shown
from twistftp.cli.conform.visit import CannotConnect, Visit
from twistftp.cli.doctor.channel import Lost, OutOfTime, ending_of
from twistftp.cli.doctor.control import Interrupted
from twistftp.cli.doctor.target import Target

__all__ = ["Examination", "NoServer", "examine", "shown_url"]

_LATE = "the time was up (--timeout)"
_GIVES_UP = 3
"""Connections in a row that do not come about, after which there is no server any more."""


class NoServer(Exception):
    """There is no server to look at; the text says what there is instead."""


def examine(target: Target, rows: Iterable[Row], seconds: float, *, ca: str = "", is_insecure: bool = False, may_write: bool = False) -> Card:
    """
    Try rows on a server, for at most so many seconds (and a few more to clear up).

    :param may_write: make files there, in a directory of our own.
    :raises CannotTrust: ``ca`` holds no certificates.
    :raises NoServer: nobody is there who speaks FTP.
    """
    visit = Visit(target, Allowance(seconds), ca=ca, is_insecure=is_insecure, may_write=may_write)
    examination = Examination(visit)
    try:
        examination.introduce()
        if may_write:
            examination.make_ground()
        outcomes = tuple(examination.outcome(row) for row in rows)
    finally:  # an interrupt from the keyboard, too, leaves nothing behind
        if may_write:
            examination.clear_ground()
        visit.drop()
    return Card(shown_url(target), examination.server, outcomes, tuple(examination.remarks), examination.trouble(outcomes))


def shown_url(target: Target) -> str:
    """The URL without a password."""
    user = "" if target.is_anonymous else f"{target.user}@"
    host = f"[{target.host}]" if ":" in target.host else target.host
    return shown(f"{target.scheme}://{user}{host}:{target.port}/{target.path}".encode("utf-8", "surrogateescape"))


class Examination:
    """The course of it; ``server`` is how the server introduces itself, ``remarks`` what is to be said beside the rows."""

    def __init__(self, visit: Visit) -> None:
        self._visit, self._allowance = visit, visit.allowance
        self.server: dict[str, str] = {}
        self.remarks: list[str] = []
        self._misses = 0
        self._no_session = ""

    def outcome(self, row: Row) -> Outcome:
        """Try one row."""
        visit = self._visit
        if self._allowance.is_over:
            return Outcome(row, Verdict.NOT_TRIED, _LATE)
        if self._misses >= _GIVES_UP:
            return Outcome(row, Verdict.NOT_TRIED, "the server does not take connections any more")
        visit.begin()
        visit.codes.is_exact = row.is_exact
        verdict, reason = self._verdict(row)
        # What the server owes behind its last reply would be taken for the next check's.
        visit.settle(verdict in {Verdict.PASS, Verdict.NOT_APPLICABLE})
        # The reason may quote the server.
        return Outcome(row, verdict, shown(reason.encode("utf-8", "surrogateescape"), visit.target.secret), visit.transcript.lines)

    def _verdict(self, row: Row) -> tuple[Verdict, str]:
        try:
            self._supply(row)
            row.check(self._visit)
        except Broken as broken:
            self._misses = 0
            return Verdict.FAIL, str(broken)
        except NotOffered as missing:
            return Verdict.NOT_APPLICABLE, str(missing)
        except CannotConnect as error:
            self._misses += 1
            return Verdict.NOT_TRIED, str(error)
        except NotTried as missing:
            return Verdict.NOT_TRIED, str(missing)
        except Interrupted as interrupted:
            detail = f" ({interrupted.detail})" if interrupted.detail else ""
            return Verdict.FAIL, f"no reply to {interrupted.command or 'the connection (no greeting)'}: {interrupted.ending.value}{detail}"
        except Lost as lost:
            return Verdict.FAIL, f"a connection breaks: {lost.ending.value}"
        except OSError as error:  # of a socket that the server has reset, asked for its address
            return Verdict.FAIL, f"a connection breaks: {ending_of(error).value}"
        except OutOfTime:
            if self._allowance.is_over:
                return Verdict.NOT_TRIED, _LATE
            return Verdict.FAIL, f"it did not come to an end within {self._allowance.seconds:.0f} s"
        self._misses = 0
        return Verdict.PASS, ""

    def _supply(self, row: Row) -> None:
        """
        See that what a row needs is there.

        :raises NotTried: it is not.
        """
        visit, needs = self._visit, row.needs
        if Need.LOGIN in needs and visit.no_entry:
            raise NotTried(visit.no_entry)
        if Need.WRITE in needs:
            if not visit.may_write:
                raise NotTried("--write was not given")
            if not visit.ground.is_ours:
                raise NotTried(visit.ground.trouble or "no directory could be made")
        if Need.FILE in needs:
            visit.sample()
        if Need.DIRECTORY in needs:
            visit.directory()
        for need, is_wanted in ((Need.IPV4, False), (Need.IPV6, True)):
            if need in needs and visit.session().is_ipv6 is not is_wanted:
                raise NotTried(f"the control connection goes over IPv{'4' if is_wanted else '6'}")

    def make_ground(self) -> None:
        """The files to look at."""
        self._visit.begin()
        trouble = self._trying(self._visit.ground.make)
        self._visit.ground.trouble = self._visit.ground.trouble or trouble
        if self._visit.ground.trouble:
            self.remarks.append(f"The files to look at could not be made: {self._visit.ground.trouble}")
        self._visit.drop()

    def clear_ground(self) -> None:
        """Remove them again; for this there is time even if there is none any more."""
        left: list[str] = []
        self._allowance.extend(10.0)
        trouble = self._trying(lambda: left.append(self._visit.ground.clear()))
        self.remarks += [text for text in [*left, trouble and f"what was made could not be removed: {trouble}"] if text]

    def introduce(self) -> None:
        """
        What the server says about itself.

        :raises NoServer: nothing.
        """
        visit = self._visit

        def note(name: str, text: str) -> None:
            self.server[name] = shown(text.encode("utf-8", "surrogateescape"), visit.target.secret)

        def ask() -> None:
            client = visit.session(fresh=True)
            if client.channel.tls is not None:
                note("TLS", client.channel.tls.version() or "")
            note("SYST", str(client.ask("SYST")))
            note("FEAT", ", ".join(line.strip() for line in client.ask("FEAT").lines[1:-1]))

        visit.begin()
        if trouble := self._trying(lambda: note("greeting", " ".join(visit.greet(visit.stranger(hears_greeting=False)).lines))):
            raise NoServer(trouble)
        visit.begin()
        self._no_session = self._trying(ask)
        visit.drop()

    def trouble(self, outcomes: tuple[Outcome, ...]) -> str:
        """Why much could not be looked at; ``""``: it could."""
        if self._no_session:
            return f"no session could be had: {self._no_session}"
        if self._misses >= _GIVES_UP:
            return "the server has stopped taking connections"
        late = sum(one.reason == _LATE for one in outcomes)
        return f"the time was up before {late} rows could be tried" if late else ""

    def _trying(self, step: Callable[[], object]) -> str:
        """Do something that may fail; why it did."""
        try:
            step()
        except (Broken, NotOffered, NotTried) as error:
            return str(error)
        except (Interrupted, Lost) as error:
            return f"the connection breaks: {error.ending.value}"
        except OSError as error:
            return f"the connection breaks: {ending_of(error).value}"
        except OutOfTime:
            return "the time was up"
        return ""

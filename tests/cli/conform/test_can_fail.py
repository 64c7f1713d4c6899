"""
No check is there for show: each fails when the server it looks at errs in what the check is about.

The server is a real one, whose words are changed before the check reads them: one wrong reply, or another fault, at a time.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from twisted.internet.threads import deferToThread

from tests.support.conform import ConformCase
from tests.support.running import RunningSite
from twistftp.cli.conform.card import Outcome
from twistftp.cli.conform.catalogue import ROWS
from twistftp.cli.conform.client import Client
from twistftp.cli.conform.connection import Allowance, Connection
from twistftp.cli.conform.dialogue import Dialogue
from twistftp.cli.conform.examination import Examination
from twistftp.cli.conform.row import Need, Row, Verdict
from twistftp.cli.conform.visit import Visit
from twistftp.cli.doctor.certificate import unchecking
from twistftp.cli.doctor.target import parse_target

Fault = Callable[[], AbstractContextManager[Any]]

_reply, _drain, _start_tls = Dialogue._reply, Client.drain, Connection.start_tls
_send = Dialogue.send


def says(command: str, *lines: bytes, after: int = 0) -> Fault:
    """The reply to a command is another one, but for the first so many."""

    @contextmanager
    def fault() -> Iterator[None]:
        count = 0

        def reply(dialogue: Dialogue, until: float) -> tuple[bytes, ...]:
            nonlocal count
            true = _reply(dialogue, until)
            if dialogue._command != command:
                return true
            count += 1
            return lines if count > after else true

        with patch.object(Dialogue, "_reply", reply):
            yield

    return fault


def edits(pattern: bytes, replacement: bytes) -> Fault:
    """Something in all replies is written otherwise."""

    @contextmanager
    def fault() -> Iterator[None]:
        def reply(dialogue: Dialogue, until: float) -> tuple[bytes, ...]:
            return tuple(re.sub(pattern, replacement, line) for line in _reply(dialogue, until))

        with patch.object(Dialogue, "_reply", reply):
            yield

    return fault


def sends(change: Callable[[bytes], bytes]) -> Fault:
    """Data connections bring other octets."""

    @contextmanager
    def fault() -> Iterator[None]:
        with patch.object(Client, "drain", lambda client, data: change(_drain(client, data))):
            yield

    return fault


def stays() -> Fault:
    """Connections do not end."""
    return lambda: patch.object(Dialogue, "is_ended", lambda dialogue, seconds: False)


def babbles() -> Fault:
    """There is a reply more than there are commands."""

    @contextmanager
    def fault() -> Iterator[None]:
        def hear_if_any(dialogue: Dialogue, seconds: float) -> Any:
            return dialogue.replies[-1]

        with patch.object(Dialogue, "hear_if_any", hear_if_any):
            yield

    return fault


def is_mute() -> Fault:
    """There is none where there should be."""
    return lambda: patch.object(Dialogue, "hear_if_any", lambda dialogue, seconds: None)


def has_no_close_notify() -> Fault:
    """TLS just ends."""

    @contextmanager
    def fault() -> Iterator[None]:
        with (
            patch.object(Connection, "is_ended_properly", property(lambda connection: False, lambda connection, value: None), create=True),
            patch.object(Connection, "await_end", lambda connection, until: False),
        ):
            yield

    return fault


def takes(context: Callable[[], ssl.SSLContext]) -> Fault:
    """Whatever a client offers is agreed on as if it had been this; a session is never resumed."""

    @contextmanager
    def fault() -> Iterator[None]:
        def start_tls(connection: Connection, _: Any, host: str, session: Any, until: float) -> None:
            _start_tls(connection, context(), host, None, until)

        with patch.object(Connection, "start_tls", start_tls):
            yield

    return fault


def has_no_tls() -> Fault:
    """No handshake succeeds but the ordinary one."""

    @contextmanager
    def fault() -> Iterator[None]:
        with patch("twistftp.cli.conform.rows.security._tried", lambda visit, context: None):
            yield

    return fault


def lets_in_what_is_behind_auth() -> Fault:
    """Somebody has put a command behind AUTH, and its reply comes under TLS."""

    @contextmanager
    def fault() -> Iterator[None]:
        with (
            patch.object(Dialogue, "send", lambda dialogue, octets: _send(dialogue, octets.replace(b"AUTH TLS\r\nNOOP", b"AUTH TLS"))),
            says("SYST", b"200 Done.\r\n")(),
        ):
            yield

    return fault


# What one wrong code for all of a command's replies cannot show, by the row.
FAULTS: dict[str, tuple[Fault, ...]] = {
    "P-CONN-1": (says("", b"599 Hello.\r\n"),),
    "P-USER-1.unknown": (says("USER", b"530 Unknown.\r\n", after=1),),
    "P-PIPE-6": (says("USER", b"530 Too fast.\r\n", after=1),),
    "P-LINE-2": (says("", b"500 Nothing.\r\n", after=1),),
    "P-REST-1.bad": (says("REST", b"350 Fine.\r\n", after=1),),
    "P-GEN-9.minimum": (says("STAT", b"502 No.\r\n"),),
    "P-FEAT-2": (says("SIZE", b"502 No.\r\n"),),
    "P-MKD-1.exists": (says("MKD", b'257 "twice"\r\n', after=1),),
    "P-QUIT-1": (stays(),),
    "P-CONN-2": (says("POST", b"200 Served.\r\n"),),
    "P-GEN-2": (babbles(),),
    "P-LINE-1": (babbles(),),
    "P-LINE-4": (babbles(),),
    "P-PIPE-2": (babbles(),),
    "P-TEL-2": (lambda: patch.object(Dialogue, "telnet", property(lambda dialogue: b"", lambda dialogue, value: None), create=True),),
    "P-STAT-2": (is_mute(),),
    "P-GEN-4": (says("CWD", b"550 two\rlines\r\n", after=1),),
    "P-GEN-3": (edits(rb"\r\n\Z", b"\n"), edits(rb"\A(\d\d\d) ", rb"\1")),
    "P-GEN-3.padding": (edits(rb"\A ", b""),),
    "P-GEN-5": (edits(rb"\A", b"200 " + b"x" * 2000),),
    "P-PWD-1": (edits(rb'"', b"'"),),
    "P-PWD-1.quotes": (edits(rb'\A257 "(.*)"', rb'257 "\1" is "here"'),),
    "P-MKD-1": (edits(rb'\A257 "(.*)"', rb"257 \1"),),
    "P-QUOT-1": (edits(rb'""', b'"'),),
    "P-CWD-1": (says("PWD", b'257 "/"\r\n'),),
    "P-CDUP-1": (says("PWD", b'257 "/elsewhere"\r\n', after=1),),
    "P-SYST-1.name": (says("SYST", b"215 CP/M\r\n"),),
    "P-STAT-3": (says("STAT", b"213-Status\r\n", b" nothing\r\n", b"213 End\r\n"),),
    "P-FEAT-1": (edits(rb"\A (\S+)", rb"  \1"),),
    "P-FEAT-2.missing": (edits(rb"\A SIZE", b" XYZZ"),),
    "P-AUTH-1.feat": (edits(rb"\A PBSZ", b" XYZZ"),),
    "P-AUTH-6": (lets_in_what_is_behind_auth(),),
    "P-PASV-1": (edits(rb"\d+\)", b"0)"), edits(rb"\(.*\)", b"(see above)")),
    "P-PB-1": (edits(rb"\((\d+,\d+,\d+,\d+,\d+,\d+)\)", rb"\1"),),
    "P-EPSV-1": (edits(rb"\(\|\|\|(\d+)\|\)", rb"\1"),),
    "P-PB-3": (edits(rb"\(\|\|\|(\d+)\|\)", rb"(!!!\1!)"),),
    "P-RETR-1": (sends(lambda octets: octets[:-1]),),
    "P-RETR-2": (sends(lambda octets: octets[:-1]),),
    "P-REST-2": (sends(lambda octets: octets + b"x"), sends(lambda octets: b"the same")),
    "P-GEN-13": (sends(lambda octets: octets + b"x"),),
    "P-TYPE-2": (sends(lambda octets: octets.replace(b"\r", b"")),),
    "P-DX-17": (sends(lambda octets: octets[:-1]),),
    "P-RANG-1": (sends(lambda octets: octets[:2]),),
    "P-HASH-1": (sends(lambda octets: octets + b"x"),),
    "P-MODEZ-1": (sends(lambda octets: octets[:-1] + b"x"),),
    "P-LIST-1.file": (sends(lambda octets: b""),),
    "P-TYPE-3": (sends(lambda octets: octets.replace(b"\r", b"")),),
    "P-LU-1": (sends(lambda octets: b"11-02-09  05:32PM       <DIR>          NT\r\n"),),
    "P-LS-2": (sends(lambda octets: b"total 1\r\n" + octets),),
    "P-NLST-1": (sends(lambda octets: b"-rw-r--r--   1 ftp      ftp            12 Nov 23 06:30 somefile.txt\r\n"),),
    "P-LN-1": (sends(lambda octets: b"other\r\n"),),
    "P-LN-2": (sends(lambda octets: octets.replace(b"sub/", b"")),),
    "P-LS-9": (sends(lambda octets: octets + (b"more\r\n" if b"=" in octets else b"")),),
    "P-MLSD-1": (sends(lambda octets: octets.replace(b"; ", b" ")),),
    "P-ML-8": (sends(lambda octets: octets.replace(b"; ", b"; sub/")),),
    "P-MLST-1": (edits(rb"\A type", b"type"),),
    "P-MLST-1.three": (edits(rb"; /", b"; "),),
    "P-ML-3": (edits(rb"size=\d+", b"size=1"),),
    "P-ML-4": (edits(rb"modify=\d\d", b"modify=18"),),
    "P-ML-5": (edits(rb"perm=\w+", b"perm=w"),),
    "P-ML-5.letters": (edits(rb"perm=", b"perm=x"),),
    "P-ML-6": (edits(rb"unique=\w+", b"unique=1"),),
    "P-OPTS-3": (edits(rb"\A200 MLST OPTS", b"200"), edits(rb"\A type=", b" perm=r;type=")),
    "P-ML-9": (edits(rb"\A  ?/", b" type=file; /"),),
    "P-SIZE-1": (edits(rb"\A213 ", b"213 1"), edits(rb"\A213 (\d+)", rb"213 \1 bytes")),
    "P-SIZE-2": (edits(rb"\A213 ", b"213 1"),),
    "P-MDTM-1": (edits(rb"\A213 \d\d\d\d\d\d", b"213 200013"),),
    "P-MDTM-1.digits": (edits(rb"\A(213 \d+)", rb"\1.123"),),
    "P-STOR-1": (sends(lambda octets: octets[::-1]),),
    "P-STOR-1.replace": (sends(lambda octets: octets + b"x"),),
    "P-STOR-1.empty": (sends(lambda octets: octets + b"x"),),
    "P-TYPE-2.STOR": (sends(lambda octets: octets.replace(b"\r", b"")),),
    "P-APPE-1": (sends(lambda octets: octets[3:]),),
    "P-REST-3": (sends(lambda octets: octets[5:]),),
    "P-STOU-1": (edits(rb"FILE: ", b""),),
    "P-LINE-6": (sends(lambda octets: octets.replace(b"  ", b" ")),),
    "P-LINE-6.edges": (sends(lambda octets: re.sub(rb" edges ", b"edges", octets)),),
    "P-PATH-2": (sends(lambda octets: octets.decode().encode("ascii", "replace")),),
    "P-MFMT-1": (edits(rb"\A213 2001", b"213 2002"),),
    "P-LOPT-1": (sends(lambda octets: b"" if b"sub" in octets and next(_ODD) else octets),),
    "P-TD-3": (has_no_close_notify(),),
    "P-TD-4": (has_no_close_notify(),),
    "P-TD-7": (takes(unchecking),),
    "P-TLS-1": (takes(unchecking),),
    "P-TLS-1.new": (has_no_tls(),),
    "P-TLS-4": (takes(unchecking),),
    "P-TLS-5": (has_no_tls(),),
    "P-PATH-1": (says("PWD", b'257 "/sub"\r\n'),),
}
_ODD = iter([1, 0] * 100)


def last_commands(outcome: Outcome) -> list[str]:
    """The commands of a transcript as a dialogue names them, the last first."""
    found = []
    for line in reversed(outcome.transcript):
        if match := re.match(r"C: (?:\\x[0-9a-f]{2})*(\S+)", line):
            found.append(match[1][:40])
    return list(dict.fromkeys(found))


class MutationTests(ConformCase):
    """One fault at a time."""

    async def test_each_can_fail(self) -> None:
        """Every row: without a fault it holds, with one of the faults it does not."""
        running = await self.start()
        self.assertEqual([], await deferToThread(self.survivors, running))

    def survivors(self, running: RunningSite) -> list[str]:
        """Rows that no fault makes fail."""
        visit = Visit(parse_target(f"ftp://alice:secret@127.0.0.1:{running.port}"), Allowance(230.0, 12.0), is_insecure=True, may_write=True)
        examination = Examination(visit)
        examination.make_ground()
        self.assertEqual([], examination.remarks)
        left = []
        for row in ROWS:
            if Need.IPV6 in row.needs:
                continue
            outcome = self.renewed(examination, row)
            if outcome.verdict is not Verdict.PASS:
                left.append(f"{row.id} holds for no server: {outcome.reason}")
            elif not any(self.fails(examination, row, fault) for fault in self.faults(row, outcome)):
                left.append(f"{row.id} fails for no fault")
        examination.clear_ground()
        visit.drop()
        return left

    @staticmethod
    def faults(row: Row, outcome: Outcome) -> Iterator[Fault]:
        """First its own, then wrong codes."""
        yield from FAULTS.get(row.id, ())
        if row.id in FAULTS:
            return
        for command in last_commands(outcome):
            for code in (b"599", b"299", b"199"):
                yield says(command, code + b" Wrong.\r\n")

    def fails(self, examination: Examination, row: Row, fault: Fault) -> bool:
        """Whether the row does, with that fault."""
        with ExitStack() as stack:
            return self.renewed(examination, row, lambda: stack.enter_context(fault())).verdict is Verdict.FAIL

    @staticmethod
    def renewed(examination: Examination, row: Row, begin: Callable[[], object] = lambda: None) -> Outcome:
        """A row's outcome, with files that no earlier attempt has changed."""
        visit = examination._visit
        visit.replies.clear()
        visit.codes.odd.clear()
        visit._features = None
        if Need.WRITE in row.needs:
            examination.clear_ground()
            examination.make_ground()
        if Need.LOGIN in row.needs and row.id != "P-FEAT-2.missing":
            visit.begin()
            visit.features()
        begin()
        return examination.outcome(row)

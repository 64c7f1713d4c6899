"""PROTOCOL §1.8: what each verb gets in each state."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue
from twistftp.storage import digests

STATES = ("N", "U", "L", "X", "P", "T")
# rows: id, command lines, and for N U L P T the code; "q" of X is checked for all. P and T: what stays pending ("" lost, "P", "T").
MATRIX: tuple[tuple[str, tuple[str, ...], dict[str, int], str], ...] = (
    ("P-STATE-1", ("SYST",), {"N": 215, "U": 215, "L": 215, "P": 215, "T": 215}, ""),
    ("P-STATE-1", ("FEAT",), {"N": 211, "U": 211, "L": 211, "P": 211, "T": 211}, ""),
    ("P-STATE-1", ("HELP",), {"N": 214, "U": 214, "L": 214, "P": 214, "T": 214}, ""),
    ("P-STATE-1", ("NOOP",), {"N": 200, "U": 200, "L": 200, "P": 200, "T": 200}, "PT"),
    ("P-STATE-1", ("OPTS UTF8 ON",), {"N": 200, "U": 200, "L": 200, "P": 200, "T": 200}, "T"),
    ("P-STATE-1", ("LANG", "CLNT x", "CSID x"), {"N": 200, "U": 200, "L": 200, "P": 200, "T": 200}, ""),
    ("P-STATE-1", ("QUIT",), {"N": 221, "U": 221, "L": 221, "P": 221, "T": 221}, ""),
    ("P-STATE-1", ("REIN",), {"N": 220, "U": 220, "L": 220, "P": 220, "T": 220}, ""),
    ("P-STATE-2", ("USER ftp",), {"N": 331, "U": 331, "L": 331, "P": 331, "T": 331}, ""),
    ("P-STATE-3", ("PASS x",), {"N": 503, "U": 230, "L": 503, "P": 503, "T": 503}, ""),
    ("P-STATE-4", ("HOST a.example",), {"N": 220, "U": 220, "L": 503, "P": 503, "T": 503}, ""),
    ("P-STATE-7", ("PASV",), {"N": 530, "U": 530, "L": 227, "P": 227, "T": 227}, "T"),
    ("P-STATE-7", ("EPSV",), {"N": 530, "U": 530, "L": 229, "P": 229, "T": 229}, "T"),
    (
        "P-STATE-7",
        ("PORT 192,0,2,9,10,10", "EPRT |1|192.0.2.9|5000|", "TYPE I", "MODE S", "STRU F"),
        {"N": 530, "U": 530, "L": 200, "P": 200, "T": 200},
        "T",
    ),
    ("P-STATE-7", ("ALLO 1",), {"N": 530, "U": 530, "L": 202, "P": 202, "T": 202}, "T"),
    ("P-STATE-8", ("RETR file.txt",), {"N": 530, "U": 530, "L": 425, "P": 425, "T": 425}, ""),
    ("P-STATE-8", ("STOR x", "APPE x"), {"N": 530, "U": 530, "L": 425, "P": 425, "T": 554}, ""),
    ("P-STATE-9", ("LIST", "NLST", "MLSD"), {"N": 530, "U": 530, "L": 425, "P": 425, "T": 425}, ""),
    ("P-STATE-10", ("STOU",), {"N": 530, "U": 530, "L": 425, "P": 425, "T": 503}, ""),
    ("P-STATE-11", ("RNTO x",), {"N": 530, "U": 530, "L": 503, "P": 250, "T": 503}, ""),
    ("P-STATE-12", ("REST 0", "RANG 0 3"), {"N": 530, "U": 530, "L": 350, "P": 350, "T": 350}, ""),
    ("P-STATE-13", ("SIZE file.txt", "MDTM file.txt"), {"N": 530, "U": 530, "L": 213, "P": 213, "T": 213}, "T"),
    ("P-STATE-14", ("CWD pub", "CDUP", "MLST"), {"N": 530, "U": 530, "L": 250, "P": 250, "T": 250}, ""),
    ("P-STATE-14", ("PWD",), {"N": 530, "U": 530, "L": 257, "P": 257, "T": 257}, ""),
    ("P-STATE-14", ("MKD x",), {"N": 530, "U": 530, "L": 257, "P": 257, "T": 257}, ""),
    ("P-STATE-14", ("RMD void", "DELE binary"), {"N": 530, "U": 530, "L": 250, "P": 250, "T": 250}, ""),
    ("P-STATE-14", ("RNFR file.txt",), {"N": 530, "U": 530, "L": 350, "P": 350, "T": 350}, "P"),
    ("P-STATE-14", ("HASH file.txt", "MFMT 20240101000000 file.txt"), {"N": 530, "U": 530, "L": 213, "P": 213, "T": 213}, ""),
    ("P-STATE-14", ("SITE CHMOD 644 file.txt",), {"N": 530, "U": 530, "L": 200, "P": 200, "T": 200}, ""),
    ("P-STATE-14", ("SITE HELP",), {"N": 530, "U": 530, "L": 214, "P": 214, "T": 214}, ""),
    ("P-STATE-15", ("ABOR",), {"N": 226, "U": 226, "L": 226, "P": 226, "T": 226}, ""),
    ("P-STATE-16", ("STAT",), {"N": 530, "U": 530, "L": 211, "P": 211, "T": 211}, "PT"),
    ("P-STATE-16", ("STAT pub",), {"N": 530, "U": 530, "L": 212, "P": 212, "T": 212}, "T"),
    ("P-STATE-16", ("STAT file.txt",), {"N": 530, "U": 530, "L": 213, "P": 213, "T": 213}, "T"),
)


def in_state(case: Any, state: str) -> Dialogue:
    """A dialogue that has come to a state."""
    d = Dialogue(case, writable=True)
    case.patch(digests, "in_thread", lambda function, *arguments: succeed(function(*arguments)))
    if state == "U":
        d.say("USER ftp")
    elif state != "N":
        d.login()
    if state == "P":
        d.session.rename_from = ("empty",)
    elif state == "T":
        d.say("REST 5")
    elif state == "X":
        d.pool.is_slow = True
        d.passive().connect()
        d.say("RETR file.txt")
    return d


class MatrixTests(SynchronousTestCase):
    def test_codes(self) -> None:
        """P-STATE-1 to P-STATE-16, P-GEN-10, P-GEN-12, P-GEN-13: each row in N, U, L, P and T, and what stays pending."""
        for row, lines, codes, keeps in MATRIX:
            for line in lines:
                for state, code in codes.items():
                    d = in_state(self, state)
                    self.assertEqual([code], d.codes(line), (row, line, state))
                    if state in "PT":
                        pending = {"P": d.session.rename_from is not None, "T": d.session.restart == 5}[state]
                        self.assertEqual(state in keeps, pending, (row, line, state))

    def test_in_a_transfer(self) -> None:
        """P-STATE-1 to P-STATE-14, P-PIPE-2: in X everything waits for the 226 and is then answered as in L."""
        for row, lines, codes, _ in MATRIX:
            for line in lines:
                if line not in ("ABOR", "STAT"):
                    d = in_state(self, "X")
                    self.assertEqual([], d.say(line), (row, line))
                    d.pool.leases[0].made.finish()  # type: ignore[union-attr]
                    self.assertEqual([226, codes["L"]], [int(reply[:3]) for reply in d.hear()], (row, line))

    def test_what_acts_at_once(self) -> None:
        """P-STATE-15, P-STATE-16: in X ABOR and STAT do not wait."""
        self.assertEqual([426, 226], in_state(self, "X").codes("ABOR"))
        self.assertEqual([213], in_state(self, "X").codes("STAT"))

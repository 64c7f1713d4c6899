"""
Which replies a verb may have in which state, by PROTOCOL §1, as tables; and one session as its client understands it.

Not here: parsing replies (``grammar``), sending. The tables say what is possible at all; :class:`Model` narrows them down by what has
been answered so far. Nothing of the server is asked.
"""

from __future__ import annotations

import re

from attrs import define, field

from tests.fuzz.grammar import Reply

__all__ = ["LOGIN_FREE", "TRANSFERS", "Disagreement", "Model"]


class Disagreement(AssertionError):
    """The server said what the tables do not allow."""


def _codes(text: str) -> frozenset[int]:
    return frozenset(map(int, text.split()))


# Possible for any verb: a bad argument, a verb that the site denies, the end.
_ALWAYS = _codes("501 502 421 451")
TRANSFERS = frozenset(("RETR", "STOR", "APPE", "STOU", "LIST", "NLST", "MLSD"))
_FILE = _codes("550 553 530 450 452 552")
_BEFORE_150 = _codes("425 426 450 503 504 522 530 550 551 552 553 554 452")
_AFTER_150 = _codes("226 425 426 452 522 552")
_UPLOADS = frozenset(("STOR", "APPE", "STOU"))
_AFTER_150_OF_UPLOADS = _codes("450 550 553")  # RFC 959 §5.4: where the file's place was taken meanwhile

# verb -> codes of its final reply when logged in (P-GEN-1 §1.1 to §1.5)
_LOGGED_IN: dict[str, frozenset[int]] = {
    "USER": _codes("331 230 232 530"),
    "PASS": _codes("230 503 530"),
    "ACCT": _codes("202 503 530"),
    "REIN": _codes("220"),
    "QUIT": _codes("221"),
    "HOST": _codes("503"),
    "CLNT": _codes("200"),
    "CSID": _codes("200"),
    **dict.fromkeys(("CWD", "XCWD", "CDUP", "XCUP"), _codes("250 550 530")),
    **dict.fromkeys(("PWD", "XPWD"), _codes("257 530")),
    **dict.fromkeys(("MKD", "XMKD"), _codes("257") | _FILE),
    **dict.fromkeys(("RMD", "XRMD", "DELE"), _codes("250") | _FILE),
    "SMNT": _codes("530"),
    "RNFR": _codes("350") | _FILE,
    "RNTO": _codes("250 503") | _FILE,
    "TYPE": _codes("200 504 530"),
    "STRU": _codes("200 504 530"),
    "MODE": _codes("200 504 530"),
    "PASV": _codes("227 425 530"),
    "EPSV": _codes("229 200 425 522 530"),
    "PORT": _codes("200 504 530"),
    "EPRT": _codes("200 504 522 530"),
    "ALLO": _codes("202 200 552 550 530"),
    "REST": _codes("350 530"),
    "RANG": _codes("350 530"),
    **dict.fromkeys(TRANSFERS, _BEFORE_150 | _AFTER_150),
    "ABOR": _codes("226"),
    "SYST": _codes("215"),
    "STAT": _codes("211 212 213 450 550 530"),
    "HELP": _codes("214"),
    "NOOP": _codes("200"),
    "SITE": _codes("200 214 250 350 500 503 504 530 550 553"),
    "FEAT": _codes("211"),
    "OPTS": _codes("200 504"),
    "LANG": _codes("200 504"),
    "SIZE": _codes("213 550 530 450"),
    "MDTM": _codes("213 550 530 553"),
    "MFMT": _codes("213") | _FILE,
    "MLST": _codes("250 550 530"),
    "HASH": _codes("213 450 530 550 551 552 553 556"),
    "AUTH": _codes("234 431 503 504 534"),
    "ADAT": _codes("503"),
    **dict.fromkeys(("MIC", "CONF", "ENC"), _codes("533 537")),
    "PBSZ": _codes("200 503"),
    "PROT": _codes("200 503 504 534 536"),
    "CCC": _codes("200 533 534"),
}
LOGIN_FREE = frozenset(
    (
        *("USER", "PASS", "ACCT", "AUTH", "ADAT", "PBSZ", "PROT", "CCC", "HOST", "FEAT", "OPTS"),
        *("HELP", "LANG", "CLNT", "CSID", "SYST", "NOOP", "REIN", "QUIT", "ABOR", "MIC", "CONF", "ENC"),
    )
)
_IN_U = {"PASS": _codes("230 530"), "HOST": _codes("220 504"), "ACCT": _codes("202")}
_IN_N = {"PASS": _codes("503 530"), "HOST": _codes("220 504"), "ACCT": _codes("503")}
_KEEP_P = frozenset({"RNTO", "NOOP", "STAT"})
_KEEP_T = frozenset(
    (
        *("PASV", "EPSV", "PORT", "EPRT", "TYPE", "MODE", "STRU", "ALLO", "SIZE"),
        *("MDTM", "NOOP", "OPTS", "PRET", "PBSZ", "PROT", "STAT", "REST", "RANG"),
    )
)
_SHAPES = {  # the exact forms of P-PB-1, P-PB-3, P-SIZE-1, P-MDTM-1, P-SYST-1, P-PWD-1
    ("PASV", 227): r"Entering Passive Mode \((\d{1,3},){5}\d{1,3}\)\.?",
    ("EPSV", 229): r"Entering Extended Passive Mode \(\|\|\|\d{1,5}\|\)\.?",
    ("SIZE", 213): r"\d+",
    ("SYST", 215): r"UNIX Type: L8|Windows_NT",
    ("PWD", 257): r'"([^"]|"")*"[^"]*',
    ("MKD", 257): r'"([^"]|"")*"[^"]*',
    ("REST", 350): r"[^0-9]*\d+[^0-9]*",
}
_CUT = "asked to stop"
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')


@define
class Model:
    """What a client knows of its session."""

    login: str = "N"  # N, U, L as in PROTOCOL §1
    may_be_renaming: bool = False  # P
    may_be_restarting: bool = False  # T
    has_port: bool = False
    is_epsv_only: bool = False
    certificate: bool = False
    cwd: str | None = None
    pending: list[tuple[str, bytes]] = field(factory=list)  # commands without a final reply
    has_begun: bool = False  # 150 was said to the first of them
    is_closed: bool = False  # 221 or 421 was said
    greeted: bool = False

    def sent(self, verb: str, argument: bytes) -> None:
        """A command line has gone out; ``""`` stands for what is no verb."""
        self.pending.append((verb, argument))

    def heard(self, reply: Reply) -> tuple[str, bytes] | None:
        """
        A reply has come: the command that it ends, ``None`` if it ends none.

        :raises Disagreement: it cannot have.
        """
        if self.is_closed:
            raise Disagreement(f"a reply behind the last: {reply}")
        if not self.greeted:
            self.greeted = True
            return self._demand(reply, "the greeting", _codes("220 421"), ("", b""))
        if reply.code == 421:
            self.is_closed = True
            return self.pending.pop(0) if self.pending else None
        if not self.pending:
            raise Disagreement(f"a reply to nothing: {reply}")
        if reply.is_preliminary:
            return self._begin(reply)
        if self._is_progress(reply):
            del self.pending[1]
            return None
        verb, argument = self.pending.pop(0)
        begun, self.has_begun = self.has_begun, False
        self._check(verb, argument, reply, begun)
        self._follow(verb, argument, reply)
        return verb, argument

    def _begin(self, reply: Reply) -> None:
        verb = self.pending[0][0]
        if reply.code != 150 or verb not in TRANSFERS or self.has_begun or self.login != "L" or not self.has_port:
            raise Disagreement(f"{reply} to {self.pending[0]}")
        self.has_begun = True

    def _is_progress(self, reply: Reply) -> bool:
        """STAT while a transfer runs or HASH computes, if nothing is queued before it (P-PIPE-2, P-STAT-2)."""
        is_one = reply.code == 213 and len(reply.lines) == 1 and reply.lines[0].startswith(b"Status: ")
        return is_one and len(self.pending) > 1 and self.pending[1] == ("STAT", b"") and (self.has_begun or self.pending[0][0] == "HASH")

    def _possible(self, verb: str, argument: bytes, begun: bool) -> frozenset[int]:
        if verb not in _LOGGED_IN:
            return _codes("500 530 502 501")
        if begun:
            return _AFTER_150 | _codes("451") | (_AFTER_150_OF_UPLOADS if verb in _UPLOADS else frozenset())
        if self.login != "L" and verb not in LOGIN_FREE:
            return _codes("530 502") | (_codes("450") if verb in TRANSFERS else frozenset())  # 450: P-PIPE-3 comes first
        codes = (_IN_N if self.login == "N" else _IN_U if self.login == "U" else {}).get(verb, _LOGGED_IN[verb])
        if verb == "PASS" and self.login == "L" and not self.certificate:
            codes = _codes("503 530")
        if verb in TRANSFERS:
            codes -= _codes("226")
            if not self.has_port:
                codes -= _codes("426 522") if b"\0" in argument else frozenset()
        if verb == "RNTO" and not self.may_be_renaming:
            codes -= _codes("250 553 450")
        if self.is_epsv_only and verb in ("PASV", "PORT", "EPRT"):
            return _codes("501 502 530")
        return codes | _ALWAYS

    def _check(self, verb: str, argument: bytes, reply: Reply, begun: bool) -> None:
        self._demand(reply, f"{verb} {argument!r} in {self.login}", self._possible(verb, argument, begun), None)
        if reply.code == 450 and _CUT in reply.text and not any(waiting == "ABOR" for waiting, _ in self.pending):
            raise Disagreement(f"{verb} is cut off by an ABOR that has been answered")
        shape = _SHAPES.get((verb, reply.code))
        if shape is not None and not re.fullmatch(shape, reply.text, re.DOTALL):
            raise Disagreement(f"{verb} is answered {reply}")
        if verb == "PWD" and reply.code == 257 and self.cwd is not None and _path_of(reply) != self.cwd:
            raise Disagreement(f"PWD says {reply.text!r}, CWD said {self.cwd!r}")

    def _demand(self, reply: Reply, what: str, codes: frozenset[int], result: tuple[str, bytes] | None) -> tuple[str, bytes] | None:
        if reply.code not in codes:
            raise Disagreement(f"{what} is answered {reply.code} {reply.text!r}, not one of {sorted(codes)}")
        if reply.code in (221, 421):
            self.is_closed = True
        return result

    def _follow(self, verb: str, argument: bytes, reply: Reply) -> None:
        """What the reply means for later ones. Where it is not certain, everything stays possible."""
        code = reply.code
        if verb in _LOGGED_IN and code not in (500, 530, 502):
            self.may_be_renaming &= verb in _KEEP_P or verb == "SITE" or code == 501
            self.may_be_restarting &= verb in _KEEP_T
        if verb == "RNFR" and code == 350:
            self.may_be_renaming = True
        if verb == "RNTO" and code in (250, 553, 450):
            self.may_be_renaming = False
        if verb in ("REST", "RANG") and code == 350:
            self.may_be_restarting = True
        if code in (227, 229) or (verb in ("PORT", "EPRT") and code == 200):
            self.has_port = True
        elif verb == "RETR" and code == 550 and reply.text.endswith(": Is a directory."):
            pass  # Lynx lists it then with the set-up that it has
        elif (verb in TRANSFERS and code != 530) or (verb in ("PASV", "EPSV") and code == 425):
            self.has_port = False
        if verb == "EPSV" and code == 200:
            self.is_epsv_only = True
        if verb in ("CWD", "XCWD", "CDUP", "XCUP") and code == 250:
            self.cwd = _path_of(reply)
        self._follow_login(verb, code)

    def _follow_login(self, verb: str, code: int) -> None:
        if verb == "USER" and code in (331, 230, 232, 530) and code != 501:
            self.login = {331: "U", 230: "L", 232: "L"}.get(code, self.login if code == 530 else "N")
            self.certificate = code == 232
            if code != 530:
                self._start_over()
        elif verb == "PASS":
            self.login = "L" if code == 230 else "N" if self.login == "U" and code in (530, 451) else self.login
            self.cwd = None if code == 230 else self.cwd
        elif verb == "HOST" and code == 220:
            self.login = "N"
        elif verb in ("REIN", "AUTH") and code in (220, 234):
            self.login, self.certificate = "N", False
            self.is_epsv_only &= verb == "AUTH"
            self._start_over()
        elif verb == "ABOR" and code == 226:
            self.has_port = False

    def _start_over(self) -> None:
        self.cwd, self.has_port, self.may_be_renaming, self.may_be_restarting = None, False, False, False


def _path_of(reply: Reply) -> str | None:
    found = _QUOTED.match(reply.text)
    return found[1].replace('""', '"') if found is not None else None

"""
PROTOCOL's rows and the tests: every row that this release covers in its session layer is named by a test.

Not here: rows of the transport and of what later releases add (TLS, optional features).
"""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

COVERED = """
P-GEN-1 P-GEN-2 P-GEN-3 P-GEN-4 P-GEN-5 P-GEN-6 P-GEN-7 P-GEN-8 P-GEN-9 P-GEN-10 P-GEN-11 P-GEN-12 P-GEN-13 P-GEN-14 P-GEN-15
P-CONN-1 P-CONN-2
P-USER-1 P-USER-2 P-USER-3
P-PASS-1 P-PASS-2 P-PASS-3
P-ACCT-1
P-REIN-1
P-QUIT-1
P-HOST-1
P-CLNT-1
P-CSID-1
P-CWD-1
P-CDUP-1
P-SMNT-1
P-XCMD-1
P-TYPE-1 P-TYPE-2 P-TYPE-3
P-STRU-1
P-MODE-1
P-MODEZ-1 P-MODEZ-2
P-PORT-1
P-EPRT-1
P-PASV-1
P-EPSV-1 P-EPSV-2 P-EPSV-3 P-EPSV-4 P-EPSV-5
P-ALLO-1
P-REST-1 P-REST-2 P-REST-3 P-REST-4 P-REST-5
P-RANG-1
P-STOR-1
P-STOU-1
P-APPE-1
P-RNFR-1
P-RNTO-1
P-DELE-1
P-RMD-1
P-MKD-1
P-MFMT-1
P-HASH-1
P-RETR-1 P-RETR-2
P-LIST-1
P-NLST-1
P-PWD-1
P-ABOR-1 P-ABOR-2 P-ABOR-3 P-ABOR-4
P-SYST-1
P-STAT-1 P-STAT-2 P-STAT-3
P-HELP-1 P-HELP-2
P-NOOP-1
P-SITE-1 P-SITE-2 P-SITE-3
P-FEAT-1 P-FEAT-2
P-OPTS-1 P-OPTS-2 P-OPTS-3 P-OPTS-4
P-LANG-1
P-SIZE-1 P-SIZE-2
P-MDTM-1 P-MDTM-2
P-MLST-1
P-MLSD-1
P-OTHER-1
P-AUTH-0
P-STATE-1 P-STATE-2 P-STATE-3 P-STATE-4 P-STATE-7 P-STATE-8 P-STATE-9 P-STATE-10 P-STATE-11 P-STATE-12 P-STATE-13 P-STATE-14 P-STATE-15
P-STATE-16
P-LINE-1 P-LINE-2 P-LINE-3 P-LINE-4 P-LINE-5 P-LINE-6 P-LINE-7 P-LINE-8 P-LINE-9 P-LINE-10 P-LINE-11
P-TEL-1 P-TEL-2 P-TEL-3 P-TEL-4 P-TEL-8 P-TEL-9 P-TEL-10
P-PIPE-1 P-PIPE-2 P-PIPE-3 P-PIPE-4 P-PIPE-5 P-PIPE-6 P-PIPE-8
P-PATH-1 P-PATH-2 P-PATH-4 P-PATH-6 P-PATH-7
P-QUOT-1 P-QUOT-2
P-GLOB-1 P-GLOB-2
P-LOPT-1 P-LOPT-2
P-DC-1 P-DC-2 P-DC-3 P-DC-5 P-DC-6 P-DC-7 P-DC-8 P-DC-9 P-DC-10 P-DC-13 P-DC-14 P-DC-15 P-DC-17 P-DC-18
P-DX-1 P-DX-3 P-DX-4 P-DX-5 P-DX-6 P-DX-7 P-DX-8 P-DX-9 P-DX-10 P-DX-12 P-DX-13 P-DX-14 P-DX-15 P-DX-18 P-DX-20 P-DX-21
P-TIME-1 P-TIME-2 P-TIME-4 P-TIME-5 P-TIME-8 P-TIME-9 P-TIME-10
P-PB-1 P-PB-2 P-PB-3 P-PB-4 P-PB-5 P-PB-6 P-PB-7 P-PB-8 P-PB-9 P-PB-10 P-PB-11 P-PB-12 P-PB-13 P-PB-14 P-PB-17 P-PB-18
P-LS-1 P-LS-2 P-LS-3 P-LS-4 P-LS-5 P-LS-7 P-LS-8 P-LS-9
P-LU-1 P-LU-2 P-LU-3 P-LU-4 P-LU-5 P-LU-6 P-LU-7 P-LU-8 P-LU-9
P-LD-1 P-LD-2 P-LD-3 P-LD-4
P-LN-1 P-LN-2 P-LN-3
P-ML-1 P-ML-2 P-ML-3 P-ML-4 P-ML-5 P-ML-6 P-ML-7 P-ML-8 P-ML-9 P-ML-10
P-SEC-1 P-SEC-3 P-SEC-4 P-SEC-7 P-SEC-8 P-SEC-9 P-SEC-10 P-SEC-12 P-SEC-13 P-SEC-14 P-SEC-16 P-SEC-18 P-SEC-20
P-TEXT-1 P-TEXT-2 P-TEXT-3 P-TEXT-4 P-TEXT-5 P-TEXT-6 P-TEXT-8 P-TEXT-9 P-TEXT-10 P-TEXT-11 P-TEXT-12 P-TEXT-13 P-TEXT-14 P-TEXT-15 P-TEXT-16
P-TEXT-17 P-TEXT-18 P-TEXT-19 P-TEXT-20 P-TEXT-21 P-TEXT-22 P-TEXT-23 P-TEXT-24 P-TEXT-25 P-TEXT-29 P-TEXT-30 P-TEXT-31 P-TEXT-32 P-TEXT-33
"""
_TESTS = Path(__file__).resolve().parent
_ROW = re.compile(r"\bP-[A-Z]+-\d+\b")


class RowTests(SynchronousTestCase):
    def test_every_row_is_named(self) -> None:
        """Each covered row's id stands in a docstring or a table of some test."""
        named: set[str] = set()
        for path in sorted(_TESTS.rglob("test_*.py")):
            if path.name != Path(__file__).name:
                named.update(_ROW.findall(path.read_text(encoding="utf-8")))
        self.assertEqual([], sorted(frozenset(COVERED.split()) - named))

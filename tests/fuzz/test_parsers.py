"""
The pure parsers, with octets that Hypothesis makes up or gets by editing good ones; and whether the guided fuzzer runs.

Not here: what is promised (``parsers``).
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest

from tests.fuzz import effort
from tests.fuzz.case import FuzzCase
from tests.fuzz.mutations import edited
from tests.fuzz.parsers import PARSERS, SAMPLES

_ROOT = Path(__file__).resolve().parent.parent.parent
_any = st.sampled_from(sorted(PARSERS)).flatmap(
    lambda name: st.tuples(st.just(name), st.one_of(edited(st.sampled_from(SAMPLES[name])), st.binary(max_size=80)))
)


class ParserTests(FuzzCase):
    def test_samples(self) -> None:
        """What the others start from keeps all promises."""
        for name, check in PARSERS.items():
            for sample in SAMPLES[name]:
                check(sample)

    @effort(300)
    @given(_any)
    def test_any_octets(self, one: tuple[str, bytes]) -> None:
        """P-LINE-1 to P-LINE-11, P-PATH-1, P-PATH-2, P-PORT-1, P-EPRT-1: parsers keep their promises and raise nothing but what they say."""
        PARSERS[one[0]](one[1])


class GuidedTests(FuzzCase):
    def setUp(self) -> None:
        if importlib.util.find_spec("atheris") is None:
            raise SkipTest("atheris is not installed")

    def guided(self, *arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "tests.fuzz.guided", *arguments]
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, timeout=120, env={**os.environ, "PYTHONPATH": str(_ROOT)})
        return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")

    def test_runs(self) -> None:
        """The command of CONTRIBUTING starts from the samples and lets coverage guide it."""
        status, said = self.guided("timeval", "-runs=200", "-seed=1")
        self.assertEqual(0, status, said)
        self.assertIn("Done 200 runs", said)
        self.assertIn("cov:", said)

    def test_unknown_parser(self) -> None:
        """Who names none that exists is told which do."""
        status, said = self.guided("nothing")
        self.assertEqual(2, status)
        self.assertIn("client_hello", said)

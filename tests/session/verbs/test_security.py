"""RFC 2228's verbs without a certificate."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue


class SecurityTests(SynchronousTestCase):
    def test_answers(self) -> None:
        """P-AUTH-0, P-GEN-9: each is known and says that there is no TLS; in any state."""
        d = Dialogue(self)
        expected = {"AUTH TLS": 502, "ADAT x": 503, "PBSZ 0": 503, "PROT P": 503, "CCC": 533, "MIC x": 502, "CONF x": 502, "ENC x": 502}
        self.assertEqual(expected, {line: d.codes(line)[0] for line in expected})
        d.login()
        self.assertEqual(expected, {line: d.codes(line)[0] for line in expected})

    def test_not_offered(self) -> None:
        """P-FEAT-2, P-HELP-1: neither FEAT nor HELP shows them."""
        d = Dialogue(self)
        for reply in d.say("FEAT", "HELP"):
            self.assertNotIn("AUTH", reply)

"""Tests of ``policy.access_log.statuses``."""

from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.access_log.statuses import FINE, of_cause, of_code
from twistftp.policy.diagnosis import Cause


class StatusTests(SynchronousTestCase):
    """IIS's numbers."""

    def test_causes(self) -> None:
        """Every cause has a Windows error; those of IIS's catalogue have its substatus."""
        for cause in Cause:
            self.assertGreater(of_cause(cause)[0], 0, cause)
        expected = {"FOREIGN_PEER": 38, "STALLED": 15, "ABORTED": 20, "CLOSING": 21, "TOO_SLOW": 50, "DISCONNECTED": 52}
        self.assertEqual(expected, {name: of_cause(Cause[name])[1] for name in expected})

    def test_codes(self) -> None:
        """A reply that says yes is fine; a failed login is one to Windows, too."""
        self.assertEqual([FINE, FINE, (1326, 35), (87, 0)], [of_code(code) for code in (226, 331, 530, 500)])

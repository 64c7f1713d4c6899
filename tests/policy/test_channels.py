"""Tests of ``policy.channels``."""

from hypothesis import given
from hypothesis.strategies import integers, text
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.channels import DYNAMIC, PortRange

PORTS = integers(1024, 65535)


class PortRangeTests(SynchronousTestCase):
    """What a data channel port range may be."""

    def test_forms(self) -> None:
        """``LOW-HIGH``, one port, ``0-0``; blanks do not matter."""
        self.assertEqual(PortRange(50000, 50100), PortRange.parse("50000-50100"))
        self.assertEqual(PortRange(50000, 50100), PortRange.parse(" 50000 - 50100 "))
        self.assertEqual(PortRange(5000, 5000), PortRange.parse("5000"))
        self.assertEqual(DYNAMIC, PortRange.parse("0-0"))
        self.assertEqual(DYNAMIC, PortRange.parse("0"))

    def test_refusals(self) -> None:
        """Each rule has words of its own."""
        rules = {
            "1-2": "port 1 is outside 1024-65535",
            "1023-2000": "port 1023 is outside 1024-65535",
            "2000-65536": "port 65536 is outside 1024-65535",
            "6000-5000": "the low end 6000 is above the high end 5000",
            "0-5000": "only 0-0, both ends, means the system's dynamic range",
            "5000-0": "only 0-0, both ends, means the system's dynamic range",
            "": "a range is LOW-HIGH, one port N, or 0-0",
            "5000-": "a range is LOW-HIGH, one port N, or 0-0",
            "-5000": "a range is LOW-HIGH, one port N, or 0-0",
            "5000-5001-5002": "a range is LOW-HIGH, one port N, or 0-0",
            "٣٣٣٣": "a range is LOW-HIGH, one port N, or 0-0",
            "5_000": "a range is LOW-HIGH, one port N, or 0-0",
            "999999999999999999999": "a range is LOW-HIGH, one port N, or 0-0",
        }
        for given_text, rule in rules.items():
            error = self.assertRaises(ValueError, PortRange.parse, given_text)
            self.assertEqual(rule, str(error))

    @given(PORTS, PORTS)
    def test_round_trip(self, one: int, other: int) -> None:
        """A range is read back from its text, and holds its ends and nothing beside."""
        ports = PortRange(min(one, other), max(one, other))
        self.assertEqual(ports, PortRange.parse(str(ports)))
        self.assertEqual(abs(one - other) + 1, len(ports))
        self.assertTrue(one in ports and other in ports and ports.low - 1 not in ports and ports.high + 1 not in ports)

    @given(text())
    def test_any_text(self, given_text: str) -> None:
        """Any text is a range or refused, with one line."""
        try:
            ports = PortRange.parse(given_text)
        except ValueError as error:
            self.assertNotIn("\n", str(error))
        else:
            self.assertTrue(ports.is_dynamic or len(ports) > 0)

    def test_dynamic(self) -> None:
        """The dynamic range holds no port that we know of."""
        self.assertTrue(DYNAMIC.is_dynamic)
        self.assertEqual(0, len(DYNAMIC))
        self.assertNotIn(0, DYNAMIC)
        self.assertNotIn("x", PortRange(5000, 5001))
        self.assertEqual("0-0", str(DYNAMIC))

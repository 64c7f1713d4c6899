"""Tests of ``policy.access_log.w3c``: whatever clients send, a line is one line and a field one field."""

from urllib.parse import unquote_plus

from hypothesis import example, given
from hypothesis.strategies import binary, floats, integers
from twisted.trial.unittest import SynchronousTestCase

from tests.policy.access_log.support import ANYTHING, line
from twistftp.policy.access_log.entry import Outcome
from twistftp.policy.access_log.w3c import FIELDS, W3C, field, header

FORM = W3C("my site", "host", lambda: 0.0)


def fields(**given: object) -> dict[str, str]:
    """The fields of a line."""
    text = line(FORM, **given)  # type: ignore[arg-type]
    if not text.endswith("\n") or len(text.splitlines()) != 1:
        raise AssertionError(f"not one line: {text!r}")
    return dict(zip(FIELDS, text[:-1].split(" "), strict=True))


class LineTests(SynchronousTestCase):
    """A line as a whole."""

    def test_command(self) -> None:
        """A line has IIS's fields in IIS's order, the time in UTC and milliseconds taken."""
        expected = (
            "2024-03-09 16:00:01 192.0.2.9 40000 alice my+site host ftp.example.org 192.0.2.1 21 RETR my+file.txt "
            "550 2 0 5 7 1234 x-17 /pub/my+file.txt NotFound"
        )
        made = line(
            FORM, now=1710000001.9, user="alice", host="ftp.example.org", argument="my file.txt", path="/pub/my file.txt",
            outcome=Outcome(550, 2, 0, "NotFound"), sent=5, received=7, seconds=1.2345,
        )  # fmt: skip
        self.assertEqual(expected + "\n", made)

    def test_nothing_known(self) -> None:
        """What is not known is ``-``."""
        made = fields(user="", host="", argument="", path="", client="", client_port=0, server="", server_port=0, outcome=Outcome(0, 0, 0, ""))
        unknown = {name for name, value in made.items() if value == "-"}
        self.assertEqual(
            {"c-ip", "c-port", "cs-username", "cs-host", "s-ip", "s-port", "cs-uri-stem", "sc-status", "x-fullpath", "x-debug"}, unknown
        )

    @given(ANYTHING, ANYTHING, ANYTHING, ANYTHING)
    def test_no_forgery(self, user: str, host: str, argument: str, path: str) -> None:
        """P-SEC-13: line ends, spaces, quotes, ``+``, control characters and octets that are no UTF-8 make no lines or fields, and are not lost."""
        made = fields(user=user, host=host, argument=argument, path=path)
        for name, text in (("cs-username", user), ("cs-host", host), ("cs-uri-stem", argument), ("x-fullpath", path)):
            self.assertTrue(made[name].isprintable())
            made[name].encode("utf-8")
            self.assertEqual(text, "" if made[name] == "-" else unquote_plus(made[name], errors="surrogateescape"))

    @given(floats(10, 2**33), floats(-1, 1))
    def test_times(self, now: float, offset: float) -> None:
        """Lines may be of any seconds, in any order."""
        form = W3C("my site", "host", lambda: offset)
        lines = [line(form, now=at) for at in (now, now + 1.5, now)]
        self.assertEqual(lines[0], lines[2])
        self.assertNotEqual(lines[0][:19], lines[1][:19])

    def test_clocks(self) -> None:
        """When a clock is set, the lines of the next second know."""
        began = [1710000000.0]
        form = W3C("my site", "host", lambda: began[0])
        stamps = [line(form, now=at)[11:19] for at in (0.0, 0.9)]
        began[0] += 3600.0
        stamps += [line(form, now=at)[11:19] for at in (0.95, 1.0, 1.25)]
        self.assertEqual(["16:00:00", "16:00:00", "16:00:00", "17:00:01", "17:00:01"], stamps)

    def test_numbers(self) -> None:
        """Octets and whole milliseconds, whichever of them are none; a clock that was set back has taken no time."""
        names = ("sc-bytes", "cs-bytes", "time-taken")
        for sent, received, seconds, milliseconds in ((0, 0, 0.00099, 0), (0, 0, 0.001, 1), (5, 0, 0.0, 0), (0, 7, -1.0, 0), (1, 2, 3.0, 3000)):
            found = fields(sent=sent, received=received, seconds=seconds)
            self.assertEqual([str(one) for one in (sent, received, milliseconds)], [found[name] for name in names])

    def test_header(self) -> None:
        """The lines before all others."""
        expected = ["#Software: twistftp 1.2.3", "#Version: 1.0", "#Date: 2024-03-09 16:00:00", f"#Fields: {' '.join(FIELDS)}"]
        self.assertEqual(expected, header(1710000000.0, "1.2.3").splitlines())


class FieldTests(SynchronousTestCase):
    """One field."""

    def test_examples(self) -> None:
        """IIS's ``+``, ``%XX`` for the rest; letters of any script stay."""
        self.assertEqual("a+b%2Bc%25d%22%0D%0A%E2%80%A8%FFé", field('a b+c%d"\r\n\u2028\udcffé'))
        self.assertEqual(("-", "%2D", "--"), (field(""), field("-"), field("--")))

    @given(binary(max_size=50))
    @example(b"\x85\xa0\xff")
    def test_octets(self, octets: bytes) -> None:
        """No octets a client can send break it."""
        self.assertEqual(1, len(field(octets.decode("utf-8", "surrogateescape")).split()))

    @given(integers(0, 0x10FFFF))
    def test_characters(self, number: int) -> None:
        """No single character is a separator."""
        shown = field(f"a{chr(number)}b")
        self.assertEqual(([shown], [shown]), (shown.split(), shown.splitlines()))

"""The faults' names and parameters: how they are written, sent to the site's process, and documented."""

from __future__ import annotations

import json
import re
from pathlib import Path

from attrs import fields
from twisted.trial.unittest import SynchronousTestCase

from twistftp.testing import chaos
from twistftp.testing.faults.base import Fault, Occasional
from twistftp.testing.server import ftp_site
from twistftp.testing.worker.armed import Armoury
from twistftp.wire.replies import Reply

CHECKOUT = Path(__file__).resolve().parents[2]
# Those that cannot be without a parameter, with one.
GIVEN = {
    **dict.fromkeys(("reset_at", "stall_at", "half_close_at", "disk_full_at", "reset_control_at"), "1000"),
    "half_close_control_at": "2",
    "reply_421_at": "3",
    "no_commands": "'SIZE'",
}


class NameTests(SynchronousTestCase):
    def test_every_fault(self) -> None:
        """Each can be named by a text, is the same when it has been sent, and says what it does."""
        for name, kind in chaos.FAULTS.items():
            fault = chaos.named(f"{name}({GIVEN.get(name, '')})")
            self.assertIs(kind, type(fault))
            self.assertIs(kind, getattr(chaos, name))
            self.assertEqual(fault, chaos.from_json(json.loads(json.dumps(fault.as_json()))))
            self.assertTrue(kind.__doc__)
            self.assertNotEqual(Fault.__doc__, kind.__doc__)
            self.assertIn(name, chaos.__all__)

    def test_texts(self) -> None:
        """Python's own way of writing calls."""
        cases = {
            "early_226": chaos.early_226(),
            " reset_at( 1000, times = 1, on='retr' ) ": chaos.reset_at(1000, times=1, on=["RETR"]),
            "split_replies([1, -2], pause=0)": chaos.split_replies((1, -2), pause=0),
            "wrong_certificate('expired')": chaos.wrong_certificate("expired"),
        }
        for text, fault in cases.items():
            self.assertEqual((fault,), chaos.read([text]))
        self.assertEqual((chaos.no_epsv(), chaos.no_mlsd()), chaos.read([chaos.no_epsv, "no_mlsd"]))
        self.assertEqual((chaos.no_epsv(),), chaos.read("no_epsv"))
        self.assertEqual((chaos.no_epsv(),), chaos.read(chaos.no_epsv()))

    def test_mistakes(self) -> None:
        """What is wrong is told where it is written."""
        for text in ("reset_at(", "a.b()", "reset_at(x)", "", "reset_at(**{})(1)", "1"):
            self.assertRaisesRegex(ValueError, "is no fault; write", chaos.named, text)
        self.assertRaisesRegex(ValueError, "there is no fault 'late_22'; did you mean late_226", chaos.named, "late_22")
        self.assertRaises(TypeError, chaos.named, "reset_at")
        self.assertRaises(TypeError, chaos.named, "reset_at(1, often=True)")
        for text in ("reset_at(-1)", "reset_at('x')", "reset_at(1, times=0)", "late_226(0)", "octet_segments(0)", "connection_limit(True)"):
            self.assertRaisesRegex(ValueError, "must be .* or more, not", chaos.named, text)
        self.assertRaisesRegex(ValueError, "kind must be one of", chaos.wrong_certificate, "blue")
        self.assertRaisesRegex(ValueError, "form must be one of", chaos.odd_multiline, "blue")
        self.assertRaisesRegex(ValueError, "texts must be", chaos.odd_550, ["a\nb"])
        self.assertRaisesRegex(ValueError, "texts must be", chaos.odd_550, [])
        self.assertRaises(TypeError, ftp_site, chaos=[object()])

    def test_occasions(self) -> None:
        """A fault that is used up leaves the others; what it leaves as it is does not count."""
        armoury = Armoury([chaos.odd_550(["one"], times=1), chaos.odd_550(["two"], times=1), chaos.missing_226(on="RETR")])
        missing, done = Reply.of(550, "No."), Reply.of(226, "Done.")
        self.assertIs(done, armoury.said("STOR", done, 1))
        self.assertEqual(["two", "No."], [armoury.said("RETR", missing, 1).text for _ in range(2)])
        self.assertEqual(0, armoury.said("RETR", done, 1).code)


class DocumentTests(SynchronousTestCase):
    """docs/testing.md."""

    def rows(self) -> dict[str, str]:
        text = (CHECKOUT / "docs" / "testing.md").read_text("utf-8").partition("\n## Chaos\n")[2]
        return dict(re.findall(r"^\| `(\w+)(\([^`]*\))?` \|", text, re.MULTILINE))

    def test_every_fault_is_there(self) -> None:
        """With its parameters and their defaults."""
        rows = self.rows()
        self.assertEqual(sorted(chaos.FAULTS), sorted(rows))
        for name, kind in chaos.FAULTS.items():
            own = [one for one in fields(kind) if one.name not in ("times", "on")]
            named = re.findall(r"(\w+)(?:=|,|\))", rows[name])
            for one in own:
                self.assertIn(one.name, named, f"{name}: {one.name} is not in the table")
            self.assertEqual(bool(own), bool(rows[name]), name)

    def test_which_are_occasional(self) -> None:
        """The text says which faults have ``times``: all but these."""
        text = (CHECKOUT / "docs" / "testing.md").read_text("utf-8")
        lasting = {name for name, kind in chaos.FAULTS.items() if not issubclass(kind, Occasional)}
        (section,) = re.findall(r"^### The whole site\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
        self.assertEqual(lasting, set(re.findall(r"^\| `(\w+)", section, re.MULTILINE)))

    def test_every_fault_is_tested(self) -> None:
        """Each is named in a test that has a client."""
        tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_chaos_*.py"))
        self.assertEqual([], [name for name in chaos.FAULTS if not re.search(rf"\b{name}\b", tests)])

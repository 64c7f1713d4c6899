"""Tests of ``twistftp.wire.commands``."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.wire.arguments import NOTHING, PASSWORD, PATHNAME, word
from twistftp.wire.commands import Command, CommandGroup, CommandTable, masked, split_line
from twistftp.wire.states import Keeps, Needs


def handler(session: Any, value: Any) -> None:
    """A verb's work."""


RETR = Command("RETR", PATHNAME, handler, "send a file", "959")
PASS = Command("PASS", PASSWORD, handler, "log in", "959", needs=Needs.NOTHING)


class SplitLineTests(SynchronousTestCase):
    """A line's verb and argument."""

    def test_verbs_in_any_case(self) -> None:
        """Letters of a verb are in any case (P-LINE-5)."""
        self.assertEqual(("NOOP", b""), split_line(b"nOoP"))

    def test_argument(self) -> None:
        """The argument is everything behind exactly one blank, octet by octet (P-LINE-6)."""
        for line, argument in ((b"STOR  a ", b" a "), (b"STOR ", b""), (b"STOR", b""), (b"STOR a\tb\xff\0", b"a\tb\xff\0"), (b"STOR  ", b" ")):
            self.assertEqual(("STOR", argument), split_line(line))

    def test_blanks_before_the_verb(self) -> None:
        """Blanks before the verb are dropped (P-LINE-2)."""
        self.assertEqual(("RETR", b"x"), split_line(b"   RETR x"))
        self.assertEqual(("", b""), split_line(b"   "))
        self.assertEqual(("", b""), split_line(b""))

    def test_no_verbs(self) -> None:
        """What is not 1 to 16 letters and digits is no verb (P-LINE-5)."""
        self.assertEqual(("A" * 16, b""), split_line(b"a" * 16))
        for line in (b"a" * 17, b"NO-OP", b"RETR\tx", b"\xe9RETR", b"RETR\r", b"RETR\n", b"NOOP\0", "NOOP²".encode(), "ŞTAT".encode(), b"GET:"):
            self.assertEqual(("", b""), split_line(line), line)

    @given(st.text("ABCXYZ019", min_size=1, max_size=16), st.binary())
    def test_round_trip(self, verb: str, argument: bytes) -> None:
        """A verb and any argument come through (P-LINE-5, P-LINE-6)."""
        self.assertEqual((verb, argument), split_line(b"%s %s" % (verb.lower().encode(), argument)))

    @given(st.binary())
    def test_any_line(self, line: bytes) -> None:
        """Any line is read; its verb is in capitals or missing (P-LINE-5)."""
        verb, _ = split_line(line)
        self.assertTrue(verb == "" or (verb.isascii() and verb.isalnum() and verb == verb.upper()))


class CommandTests(SynchronousTestCase):
    """A verb's declaration."""

    def test_syntax(self) -> None:
        """HELP and 501 show the verb with its argument (P-GEN-8, P-HELP-1)."""
        self.assertEqual("RETR <path>", RETR.syntax)
        self.assertEqual("NOOP", Command("NOOP", NOTHING, handler, "", "").syntax)

    def test_what_is_not_said(self) -> None:
        """A verb needs a login, keeps nothing, waits for a transfer's end, and is in HELP but not in FEAT (P-GEN-10, P-GEN-12, P-PIPE-2)."""
        said = (RETR.needs, RETR.keeps, RETR.while_busy, RETR.is_transfer, RETR.is_offered, RETR.feat)
        self.assertEqual((Needs.LOGIN, Keeps.NOTHING, False, False, True, None), said)


class CommandGroupTests(SynchronousTestCase):
    """The verbs of one file."""

    def test_declaring(self) -> None:
        """The decorator gives the handler back and keeps what was declared."""
        group = CommandGroup("Files")
        declared = group.command("SIZE", PATHNAME, help="size", rfc="3659", feat="SIZE", keeps=Keeps.RESTART)(handler)
        self.assertIs(handler, declared)
        self.assertEqual([Command("SIZE", PATHNAME, handler, "size", "3659", keeps=Keeps.RESTART, feat="SIZE")], group.commands)

    def test_aliases(self) -> None:
        """An alias is the same verb under another name, but not a feature of its own (P-XCMD-1, P-FEAT-1)."""
        group = CommandGroup("Directories")
        group.command("PWD", NOTHING, aliases=("XPWD", "XXPWD"), help="where", rfc="959", feat="PWD", is_offered=False)(handler)
        self.assertEqual(["PWD", "XPWD", "XXPWD"], [command.verb for command in group.commands])
        self.assertEqual(["PWD", None, None], [command.feat for command in group.commands])
        self.assertEqual({(NOTHING, handler, "where", False)}, {(c.argument, c.handler, c.help, c.is_offered) for c in group.commands})

    def test_groups_are_apart(self) -> None:
        """A verb is declared in one group only."""
        first, second = CommandGroup("a"), CommandGroup("b")
        first.command("NOOP", NOTHING, help="", rfc="")(handler)
        self.assertEqual([], second.commands)


class CommandTableTests(SynchronousTestCase):
    """All verbs."""

    def table(self, *verbs: str, aliases: tuple[str, ...] = ()) -> CommandTable:
        """A table with one group for each verb."""
        groups = [CommandGroup(verb) for verb in verbs]
        for group, verb in zip(groups, verbs, strict=True):
            group.command(verb, NOTHING, help="", rfc="", aliases=aliases)(handler)
        return CommandTable(*groups)

    def test_mapping(self) -> None:
        """A table gives a verb's command, in the order of declaration."""
        table = self.table("PWD", "NOOP")
        self.assertEqual((["PWD", "NOOP"], 2, "NOOP"), (list(table), len(table), table["NOOP"].verb))
        self.assertEqual((True, False), ("PWD" in table, "pwd" in table))
        self.assertEqual(["PWD", "NOOP"], [group.title for group in table.groups])

    def test_unknown_verbs(self) -> None:
        """An unknown verb, and what is none, has no command (P-GEN-9)."""
        table = self.table("PWD")
        self.assertEqual((None, None, 1), (table.get("XXXX"), table.get(""), table.get("XXXX", 1)))
        self.assertRaises(KeyError, lambda: table["XXXX"])

    def test_declared_twice(self) -> None:
        """A verb that is declared twice, as an alias too, stops the start of the program."""
        self.assertIn("NOOP", str(self.assertRaises(ValueError, self.table, "NOOP", "NOOP")))
        self.assertRaises(ValueError, self.table, "PWD", aliases=("PWD",))
        self.assertRaises(ValueError, self.table, "PWD", "CWD", aliases=("CWD",))


class MaskedTests(SynchronousTestCase):
    """Command lines in logs."""

    def test_plain(self) -> None:
        """What is no secret is shown as it came (P-SEC-13)."""
        self.assertEqual("RETR a é b", masked(RETR, "RETR", "a é b".encode()))
        self.assertEqual("NOOP", masked(None, "NOOP", b""))

    def test_secrets(self) -> None:
        """A secret is four stars, whatever its length (P-SEC-13, P-PASS-2)."""
        self.assertEqual("PASS ****", masked(PASS, "PASS", b"secret"))
        self.assertEqual("PASS", masked(PASS, "PASS", b""))
        self.assertEqual("ACCT ****", masked(Command("ACCT", word("<x>", is_secret=True), handler, "", ""), "ACCT", b"secret"))

    def test_mistyped_passwords(self) -> None:
        """While a password is awaited, an unknown verb may be one: neither it nor its argument is shown (P-SEC-13)."""
        self.assertEqual("**** ****", masked(None, "HUNTER2", b"x", expecting_password=True))
        self.assertEqual("****", masked(None, "HUNTER2", b"", expecting_password=True))
        self.assertEqual("RETR x", masked(RETR, "RETR", b"x", expecting_password=True))

    def test_new_passwords(self) -> None:
        """P-SEC-13: what other servers take as a new password is one, though there is no such command here."""
        site = Command("SITE", word("<x>"), handler, "", "")
        for argument, shown in ((b"PSWD old new", "SITE PSWD ****"), (b"cpwd new", "SITE cpwd ****"), (b"PSWDX x", "SITE PSWDX x")):
            self.assertEqual(shown, masked(site, "SITE", argument))
        self.assertEqual("STAT PSWD x", masked(RETR, "STAT", b"PSWD x"))

    def test_one_event_one_line(self) -> None:
        """Nothing of an argument ends a line or moves a terminal's cursor (P-SEC-13)."""
        shown = masked(RETR, "RETR", "a\r\n\0\x1b[2J\x7f\x85\u2028\u202e".encode() + b"\xff")
        self.assertEqual(r"RETR a\r\n\x00\x1b[2J\x7f\x85\u2028\u202e\xff", shown)

    def test_long_arguments(self) -> None:
        """At most 512 octets are shown (P-LINE-11)."""
        self.assertEqual("RETR " + "x" * 512, masked(RETR, "RETR", b"x" * 8000))

    @given(st.binary(min_size=1, max_size=40), st.booleans())
    def test_any_secret(self, secret: bytes, expecting: bool) -> None:
        """The text does not depend on the secret (P-SEC-13)."""
        self.assertEqual("PASS ****", masked(PASS, "PASS", secret, expecting_password=expecting))
        self.assertEqual("**** ****", masked(None, secret.hex()[:16].upper(), secret, expecting_password=True))

    @given(st.binary(max_size=600))
    def test_any_argument(self, argument: bytes) -> None:
        """Any argument is shown in printable characters (P-SEC-13)."""
        shown = masked(RETR, "RETR", argument)
        self.assertTrue(shown.isprintable(), shown)
        self.assertEqual(1, len(shown.splitlines()))

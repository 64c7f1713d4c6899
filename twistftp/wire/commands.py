"""
A verb is declared once, here is the declaration; dispatch, 501 texts, HELP, FEAT and log masking read it.

Not here: the verbs themselves (``session.verbs``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from attrs import evolve, field, frozen

from twistftp.wire.arguments import Argument
from twistftp.wire.states import Keeps, Needs

__all__ = ["Command", "CommandGroup", "CommandTable", "masked", "split_line"]

_VERB = re.compile(rb"[A-Za-z0-9]{1,16}")


def split_line(line: bytes) -> tuple[str, bytes]:
    """
    A command line's verb, in capitals, and its argument: everything behind exactly one space (PROTOCOL P-LINE-5, P-LINE-6).

    Blanks before the verb are dropped (P-LINE-2); the verb is ``""`` when it is no word of 1 to 16 letters and digits.
    """
    verb, _, argument = line.lstrip(b" ").partition(b" ")
    return _remembered(verb) if len(verb) <= _SHORT else _verb(verb), argument


def _verb(octets: bytes) -> str:
    return octets.decode("ascii").upper() if _VERB.fullmatch(octets) else ""


_SHORT = 4  # octets: all verbs that come often, and no password that is sent by mistake
# Other servers have these: "SITE PSWD old new" and "SITE CPWD new" change a password. Here they are refused, but the client has said it.
_NEW_PASSWORD = re.compile(rb"(?i:PSWD|CPWD)(?= )").match
_remembered = lru_cache(maxsize=256)(_verb)


@frozen
class Command:
    """
    One verb. ``handler`` is called with the session and the argument's value and gives a ``Reply``, at once or as a coroutine.

    ``writes``: refused to users who may only read, before its argument is looked at (PROTOCOL P-GEN-1).
    ``feat`` is its line of FEAT: text, or a function of the session that gives one or ``None``. ``rfc`` names where it is defined.
    """

    verb: str
    argument: Argument
    handler: Callable[[Any, Any], Any]
    help: str
    rfc: str
    needs: Needs = Needs.LOGIN
    keeps: Keeps = Keeps.NOTHING
    feat: str | Callable[[Any], str | None] | None = None
    while_busy: bool = False
    is_transfer: bool = False
    writes: bool = False
    prefix: str = ""
    """What stands before the verb: ``"SITE "`` for those behind SITE."""
    is_offered: bool | Callable[[Any], bool] = True  # False: known, but always refused; HELP leaves it out. A function of the session may say

    def offered(self, session: Any) -> bool:
        """Whether HELP shows it."""
        return self.is_offered(session) if callable(self.is_offered) else self.is_offered

    @property
    def syntax(self) -> str:
        """The verb with its argument, as HELP and 501 show it."""
        return f"{self.prefix}{self.verb} {self.argument.syntax}".rstrip()


@frozen
class CommandGroup:
    """The verbs of one file. ``group.command(...)`` decorates a handler; ``aliases`` are other verbs for the same."""

    title: str
    commands: list[Command] = field(factory=list)
    prefix: str = ""

    def command(
        self, verb: str, argument: Argument, *, aliases: tuple[str, ...] = (), **declared: Any
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declare a verb; see :class:`Command` for what can be said of it."""

        def declare(handler: Callable[..., Any]) -> Callable[..., Any]:
            command = Command(verb, argument, handler, prefix=self.prefix, **declared)
            self.commands.append(command)
            self.commands.extend(evolve(command, verb=alias, feat=None) for alias in aliases)
            return handler

        return declare


class CommandTable(Mapping[str, Command]):
    """All verbs by name. A verb declared twice is a mistake that is found when the program starts."""

    def __init__(self, *groups: CommandGroup) -> None:
        self.groups = groups
        self._commands: dict[str, Command] = {}
        for group in groups:
            for command in group.commands:
                if command.verb in self._commands:
                    raise ValueError(f"{command.verb} is declared twice")
                self._commands[command.verb] = command
        self.get = self._commands.get  # type: ignore[method-assign]  # the dictionary's own: every line goes through it

    def __getitem__(self, verb: str) -> Command:
        return self._commands[verb]

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    def __len__(self) -> int:
        return len(self._commands)


def masked(command: Command | None, verb: str, argument: bytes, *, expecting_password: bool = False) -> str:
    """
    A command line fit for logs: secrets as ``****``, so too unknown verbs while a password is awaited, which may be
    one mistyped (PROTOCOL P-SEC-13); control characters escaped, so that one event stays one line.
    """
    if not argument:
        shown = ""
    elif (command is not None and command.argument.is_secret) or (command is None and expecting_password):
        shown = " ****"
    elif verb == "SITE" and (asked := _NEW_PASSWORD(argument)):
        shown = f" {asked[0].decode()} ****"
    else:
        shown = " " + argument[:512].decode("utf-8", "backslashreplace")
    if command is None and expecting_password:
        verb = "****"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in verb + shown)

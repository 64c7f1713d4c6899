"""
One site that runs in the process of the sites of tests: made of what the test has asked for, looked into, and ended.

Not here: the conversation with the test's process (``host``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from time import time
from typing import Any

from cattrs.errors import ForbiddenExtraKeysError
from twisted.internet.task import deferLater

from twistftp.policy.settings import SiteSettings
from twistftp.storage.confinement import Confinement
from twistftp.storage.filesystem import FilesystemShell
from twistftp.structuring import Where, advice, first_fault, structure
from twistftp.testing.chaos import from_json
from twistftp.testing.worker.armed import Armoury
from twistftp.testing.worker.memory import MemoryTree
from twistftp.testing.worker.memory_store import MemoryStore
from twistftp.testing.worker.site import FaultySite
from twistftp.testing.worker.tls import TestedTLS
from twistftp.testing.worker.users import portal_for
from twistftp.transport.sockets import listen

__all__ = ["RunningSite"]

_LOOK = 0.003  # seconds between two looks at whether what is waited for has come

# What a site of tests is unless told otherwise: nobody waits for a second try, and nobody is kept out for it.
_DEFAULTS: dict[str, dict[str, Any]] = {"logon_attempts": {"delay": 0, "block": 0, "max_failures": 1000}, "limits": {"data_channel_timeout": 10}}
_TLS: dict[str, dict[str, Any]] = {
    "": {},
    "explicit": {"self_signed": True},
    "required": {"self_signed": True, "control_channel": "require", "data_channel": "require"},
    "implicit": {"self_signed": True, "implicit": True},
}


def _told(where: Where, found: BaseException) -> str:
    """What is wrong with the settings, and where in the sections that the test has given."""
    place = ".".join(map(str, where[2:]))  # behind "site" and its number
    text = str(found)
    match found:
        case ForbiddenExtraKeysError():
            key = min(found.extra_fields)
            text = f"unknown key {key}{advice(key, found.cl)}"
        case KeyError():
            text = "is required"
    return f"{place}: {text}" if place else text


class RunningSite:
    """
    A site and its port.

    :param wanted: as ``server.FTPServer`` says it.
    :raises ValueError: a setting is not as it should be. :raises OSError: the address cannot be had, or the root not be used.
    """

    def __init__(self, reactor: Any, wanted: dict[str, Any]) -> None:
        self._reactor = reactor
        self._table = {"root": wanted["root"] or "/", "address": wanted["address"], "tls": _TLS[wanted["tls"]], **deepcopy(_DEFAULTS)}
        for name, value in wanted["settings"].items():
            self._table[name] = {**self._table.get(name, {}), **value} if isinstance(value, dict) else value
        armoury = Armoury(from_json(fault) for fault in wanted["chaos"])
        settings = self._settings(armoury)
        self.tree: MemoryTree | None = None
        if wanted["root"]:
            confinement = Confinement(wanted["root"])
            make_avatar: Callable[[bool], Any] = lambda writable: FilesystemShell(confinement, writable=writable)
        else:
            tree = self.tree = MemoryTree(time)
            make_avatar = lambda writable: MemoryStore(tree, writable=writable)
        portal = portal_for(make_avatar, wanted["users"], anonymous=wanted["anonymous"], writable=wanted["writable"])
        self.site = FaultySite(
            settings, portal, armoury, reactor=reactor, passive_ports=wanted["passive_ports"], tls=self._tls(settings, armoury)
        )
        try:
            listener: Any = listen(reactor, 0 if wanted["port"] is None else wanted["port"], self.site, wanted["address"])
        except BaseException:
            self.site.let_go()
            raise
        self._listener = listener
        self.port = int(self._listener.getHost().port)
        self.site.pool.reserved = {self.port}

    def _settings(self, armoury: Armoury) -> SiteSettings:
        table = deepcopy(self._table)
        for fault in armoury.faults:
            fault.settings(table)
        try:
            (settings,) = structure({"site": [table]}).site
        except Exception as error:
            raise ValueError(_told(*first_fault(error, ()))) from None
        return settings

    @staticmethod
    def _tls(settings: SiteSettings, armoury: Armoury) -> TestedTLS | None:
        if not settings.tls.is_on:
            return None
        return TestedTLS(settings.tls, armoury.certificate, refuses_tickets=armoury.refuses_tickets)

    def use_chaos(self, faults: Iterable[dict[str, Any]]) -> None:
        """Other faults from the next command on; those that were are gone."""
        armoury = Armoury(from_json(fault) for fault in faults)
        settings = self._settings(armoury)
        self.site.armoury = armoury
        self.site.reconfigure(settings, tls=self._tls(settings, armoury))

    def sessions(self) -> list[dict[str, Any]]:
        """Who is there."""
        return [
            {
                "number": control.session.identifier,
                "peer": control.peer,
                "user": control.session.user,
                "directory": "/" + "/".join(control.session.cwd),
                "is_secure": control.session.is_secure,
                "is_protected": control.session.is_protected,
                "has_resumed": bool(control.session.tls is not None and control.session.tls.has_resumed),
                "is_busy": control.is_busy,
            }
            for control in sorted(self.site.sessions, key=lambda control: control.session.identifier)
        ]

    async def wait(self, condition: Callable[[], Any], within: float, what: str) -> None:
        """Until it is so. :raises TimeoutError: it was not in time; ``what`` it should have been."""
        deadline = self._reactor.seconds() + within
        while not condition():
            if self._reactor.seconds() > deadline:
                raise TimeoutError(f"not within {within:g} s: {what}")
            await deferLater(self._reactor, _LOOK)

    async def wait_until_idle(self, within: float) -> None:
        """Nothing goes on."""
        await self.wait(lambda: self.site.is_idle, within, "no command is carried out and no data connection is open")

    async def wait_until_empty(self, within: float) -> None:
        """Nobody is there."""
        await self.wait(lambda: not self.site.sessions and self.site.is_idle, within, "every client is gone")

    async def wait_for_command(self, verb: str, count: int, within: float) -> None:
        """It has been said so often."""
        prefix = verb.upper()

        def is_said() -> bool:
            said = [line for _, line in self.site.commands if line.upper() == prefix or line.upper().startswith(f"{prefix} ")]
            return len(said) >= count

        await self.wait(is_said, within, f"a client says {verb}{f' for the {count}th time' if count > 1 else ''}")

    def disconnect(self) -> None:
        """Reset every control connection."""
        for control in list(self.site.sessions):
            control.abort()

    async def close(self) -> None:
        """End everything at once."""
        await self._listener.stopListening()
        self.disconnect()
        await self.site.pool.close()
        self.site.let_go()

"""
The addresses of DNS names, kept fresh in the background: whoever needs one takes the latest and never waits.

Not here: the questions to DNS themselves (``dns``, or whatever is passed in), and who is told the addresses (``policy.firewall``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from twistftp.policy.firewall import is_private
from twistftp.policy.firewall_support import unusable

__all__ = ["Answer", "Lookup", "LookupFailed", "Resolver"]

Answer = tuple[list[str], float]
"""The IPv4 addresses of a name, and the seconds for which they are good."""
Lookup = Callable[[str], "Deferred[Answer]"]

LONGEST = 30.0
"""Seconds after which a name is asked for again, however long its answer is good: a changed address must not wait for hours."""
SHORTEST = 1.0
"""Seconds between two questions at least, whatever the answer says."""
RETRY = 5.0
"""Seconds after which a question that failed is put again."""


class LookupFailed(Exception):
    """A name has no address just now; the text says why."""


class Resolver:
    """
    The latest good address of each watched name, in ``addresses``.

    :param lookup: asks for the IPv4 addresses of a name.
    :param addresses: where the addresses are kept.
    """

    _log = Logger()

    def __init__(self, reactor: IReactorTime, lookup: Lookup, addresses: dict[str, str] | None = None) -> None:
        self.addresses: dict[str, str] = {} if addresses is None else addresses
        self._reactor, self._lookup = reactor, lookup
        self._names: dict[str, _Name] = {}
        self._is_running = False

    def watch(self, names: Iterable[str]) -> None:
        """These names from now on, and no others. What is known of those that stay is kept."""
        wanted = set(names)
        for gone in self._names.keys() - wanted:
            self._names.pop(gone).stop()
            self.addresses.pop(gone, None)
        for name in sorted(wanted - self._names.keys()):
            self._names[name] = _Name(self, name)
            if self._is_running:
                self._names[name].ask_in(0)

    def start(self) -> None:
        """Ask for all names in the reactor's next turn, and then again and again."""
        if not self._is_running:
            self._is_running = True
            for name in self._names.values():
                name.ask_in(0)

    def stop(self) -> None:
        """Ask no more; leaves no delayed call. The addresses stay."""
        self._is_running = False
        for name in self._names.values():
            name.stop()

    def call_later(self, seconds: float, what: Callable[[], None]) -> IDelayedCall:
        """For names: a delayed call."""
        return self._reactor.callLater(seconds, what)

    def look_up(self, name: str) -> Deferred[Answer]:
        """For names: ask."""
        return maybeDeferred(self._lookup, name)

    def found(self, name: str, addresses: list[str]) -> str:
        """For names: take an answer. Why none of its addresses can be used, ``""`` if one can."""
        usable = [address for address in addresses if not unusable(address)]
        if not usable:
            return f"{addresses[0]}: {unusable(addresses[0])}" if addresses else "it has no IPv4 address"
        before = self.addresses.get(name)
        if before not in usable:  # of several the same one as long as there is that one: they come in any order
            self.addresses[name] = usable[0]
            was = f"{before} -> " if before else ""
            private = "; that is private, clients on the Internet cannot reach it" if is_private(usable[0]) else ""
            self._log.info("External address {name}: {was}{now}{private}", name=name, was=was, now=usable[0], private=private)
        return ""

    def failed(self, name: str, why: str) -> None:
        """For names: say that there is no new answer."""
        latest = self.addresses.get(name)
        instead = f"{latest}, the last good answer, stays" if latest else "until there is an answer clients are told the local address"
        self._log.warn("External address {name} cannot be found out ({why}); {instead}.", name=name, why=why, instead=instead)


class _Name:
    """One watched name: either a question is under way or a delayed call will put the next, while the resolver runs."""

    def __init__(self, resolver: Resolver, name: str) -> None:
        self._resolver, self._name = resolver, name
        self._next: IDelayedCall | None = None
        self._asking: Deferred[Any] | None = None
        self._has_failed = False  # a failure that lasts is told once

    def ask_in(self, seconds: float) -> None:
        self._next = self._resolver.call_later(seconds, self._ask)

    def stop(self) -> None:
        call, self._next = self._next, None
        if call is not None:
            call.cancel()
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()

    def _ask(self) -> None:
        self._next = None
        asking = self._asking = self._resolver.look_up(self._name)
        asking.addCallback(self._answered).addErrback(self._failed).addCallback(self._ask_again, asking)

    def _answered(self, answer: Answer) -> float:
        addresses, seconds = answer
        trouble = self._resolver.found(self._name, addresses)
        if trouble:
            return self._say_once(trouble)
        self._has_failed = False
        return min(max(seconds, SHORTEST), LONGEST)

    def _failed(self, failure: Failure) -> float:
        if failure.check(CancelledError):
            return RETRY
        error = failure.value
        return self._say_once(" ".join(str(error).split()) if isinstance(error, (LookupFailed, OSError)) else type(error).__name__)

    def _say_once(self, why: str) -> float:
        if self._asking is not None and not self._has_failed:
            self._has_failed = True
            self._resolver.failed(self._name, why)
        return RETRY

    def _ask_again(self, seconds: float, asking: Deferred[Any]) -> None:
        # An answer may have been there at once, and a stop may have come meanwhile: only the question under way is followed by another.
        if self._asking is asking:
            self._asking = None
            self.ask_in(seconds)

"""
A site in memory with everything real but the network, the clock and the threads: real files, a real passive pool, real data connections.

Not here: what is done to it (the tests), which replies are right (``model``), and its wires.
"""

from __future__ import annotations

import itertools
import re
from random import Random
from time import perf_counter
from typing import Any

from attrs import evolve
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet import threads
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError, TimeoutError, UserError
from twisted.python.failure import Failure

from tests.fuzz.client import Client
from tests.fuzz.place import Place
from tests.fuzz.watching import Watch
from tests.fuzz.wires import Wire, Wires, address
from tests.storage.threads import Threads
from tests.support.dialogue import TurningClock
from twistftp.accounts.checkers import build_portal
from twistftp.accounts.homes import Homes
from twistftp.policy.channels import PortRange
from twistftp.policy.isolation import VirtualDirectory
from twistftp.policy.settings import Authentication, LogonAttempts, SiteSettings
from twistftp.site import FTPSite
from twistftp.storage.confinement import Confinement
from twistftp.transport import deflate, receiving, sending
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.pool import PassivePool

__all__ = ["HERE", "OTHER_PORTS", "PORTS", "THERE", "World"]

HERE, THERE = "192.0.2.1", "192.0.2.9"
PORTS = PortRange(50000, 50003)
OTHER_PORTS = PortRange(50003, 50005)
"""What a reload may change them to."""
_TURNS = 3000
_TIMED = (deflate, receiving, sending)


class _Slow:
    """A checker for the user ``slow``, whose answers wait in ``waiting``."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self) -> None:
        self.waiting: list[Deferred[Any]] = []
        self._known = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret", bob=b"secret")

    def requestAvatarId(self, credentials: Any) -> Any:
        if credentials.username not in (b"slow", "slow"):
            return self._known.requestAvatarId(credentials)
        answer: Deferred[Any] = Deferred()
        self.waiting.append(answer)
        return answer


class _Outgoing:
    """A connection that the server tries to make (PORT)."""

    def __init__(self, clock: Clock, host: str, port: int, factory: Any, timeout: float) -> None:
        self.host, self.port, self._clock, self._factory = host, port, clock, factory
        self._timer = clock.callLater(timeout, lambda: self.fail(TimeoutError()))

    def accept(self, wires: Wires) -> Wire:
        """The client takes it."""
        self._end()
        wire = Wire(address(self.host, self.port), address(HERE, 20))
        wires.attach(wire, self._factory.buildProtocol(wire.peer))
        return wire

    def fail(self, why: Exception | None = None) -> None:
        """It cannot be made."""
        self._end()
        self._factory.clientConnectionFailed(self, Failure(why or ConnectionRefusedError()))

    def disconnect(self) -> None:
        """The server gives it up."""
        if self in self._clock.outgoing:
            self.fail(UserError())

    def _end(self) -> None:
        self._clock.outgoing.remove(self)
        if self._timer.active():
            self._timer.cancel()


class Clock(TurningClock):
    """A clock with connections to the outside."""

    def __init__(self) -> None:
        super().__init__()
        self.outgoing: list[_Outgoing] = []

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None) -> Any:
        attempt = _Outgoing(self, host, port, factory, timeout)
        self.outgoing.append(attempt)
        return attempt


class World:
    """One site and its clients. :meth:`close` says whether it has let go of everything."""

    ports = PORTS

    def __init__(self, many: int = 70, **settings: Any) -> None:
        self.place = Place(many)
        self.clock, self.wires = self._network()
        self.threads, self.slow = Threads(), _Slow()
        self.are_threads_slow = self._has_changed_ports = False
        self.clients: list[Client] = []
        self.watch = Watch(self.place.root, self.place.virtual)
        self.watch.__enter__()
        self._defer_to_thread = threads.deferToThread
        for module in _TIMED:  # how much work is done in one turn must not depend on how fast the machine is
            module.perf_counter = self.clock.seconds  # type: ignore[attr-defined]
        threads.deferToThread = self.threads  # type: ignore[assignment]
        deadlines = Deadlines(self.clock)
        self.pool = PassivePool(self.clock, self.ports, deadlines, warm=2, listen=self.wires.listen)
        settings.setdefault("logon_attempts", LogonAttempts(delay=1, max_failures=6, block=0))
        settings.setdefault("authentication", Authentication())
        self.settings = SiteSettings(self.place.root, virtual_directory=(VirtualDirectory("/virtual", self.place.virtual),), **settings)
        self.site = FTPSite(self.settings, self._portal(self.settings), pool=self.pool, reactor=self.clock)
        self.site.now = lambda: 1710000000.0  # type: ignore[method-assign]
        self._ports = itertools.count(30000)
        self._open()
        self.pool._open._random = Random(1)  # type: ignore[assignment]  # the same ports in every run
        self.watch.remember()

    # The network

    def _network(self) -> tuple[Any, Any]:
        """The clock and the connections."""
        return Clock(), Wires()

    def _open(self) -> None:
        """Open the control port."""

    def _arrive(self, peer: str) -> Any:
        """A control connection: its client's end."""
        return self.wires.arrive(self.site, address(peer, next(self._ports)), address(HERE, 21))

    def _step(self) -> bool:
        """One turn of the reactor; whether anything happened."""
        due = any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls())
        if due:
            self.clock.advance(0)
        return self.wires.turn() or due

    # What happens

    def connect(self, peer: str = THERE, engine: Any = None, kind: type[Client] = Client) -> Client:
        """One more client."""
        with self.watch.looking():
            wire = self._arrive(peer)
        client = kind(self, wire, peer)
        self.clients.append(client)
        self.turn()
        return client

    def turn(self) -> None:
        """Let the reactor turn until nothing is left to do without time passing; the clients hear what was said."""
        for _ in range(_TURNS):
            with self.watch.looking():
                if not self.are_threads_slow:
                    self.threads.run()
                is_busy = self._step()
            for client in self.clients:
                is_busy |= client.listen()
            if not (is_busy or (self.threads.calls and not self.are_threads_slow)):
                return
        raise AssertionError("the reactor is never idle")

    def wait(self, seconds: float) -> None:
        """Let time pass, from one delayed call to the next."""
        end = self.clock.seconds() + seconds
        while True:
            due = min((call.getTime() for call in self.clock.getDelayedCalls()), default=end)
            with self.watch.looking():
                self.clock.advance(max(0.0, min(due, end) - self.clock.seconds()))
            self.turn()
            if due >= end:
                return

    def answer_slow(self, is_right: bool) -> None:
        """A checker has come to a decision."""
        waiting, self.slow.waiting = self.slow.waiting, []
        for answer in waiting:
            if not answer.called:
                if is_right:
                    answer.callback("bob")
                else:
                    answer.errback(UnauthorizedLogin())
        self.turn()

    def reconfigure(self, identity: Any = None, ports: PortRange | None = None, *, has_new_users: bool = False, **changes: Any) -> None:
        """
        A configuration reload, as SIGHUP has it: sessions that are here go on.

        :param identity: the site's certificate, read anew (``SiteTLS``).
        :param ports: the data channel port range from now on.
        :param has_new_users: those who come from now on are looked up anew, in roots opened anew.
        """
        with self.watch.looking():
            if ports is not None:
                self.pool.ports, self._has_changed_ports = ports, True
            settings = evolve(self.settings, **changes)
            self.site.reconfigure(settings, self._portal(settings) if has_new_users else None, identity)

    def _portal(self, settings: SiteSettings) -> Portal:
        root = Confinement(self.place.root)
        return build_portal(settings.authentication, root, [self.slow], Homes(root, settings.user_isolation, settings.virtual_directory))

    # What must be so

    def check(self) -> None:
        """The bounds of PROTOCOL P-SEC-10 and P-PIPE-4, at any time. :raises AssertionError: one is broken."""
        trouble = list(self.watch.trouble)
        if self.pool.open_ports > len(PORTS) + len(OTHER_PORTS) * self._has_changed_ports:
            trouble.append(f"{self.pool.open_ports} open ports")
        if self.pool.active_leases > len(self.site.sessions):
            trouble.append(f"{self.pool.active_leases} leases of {len(self.site.sessions)} sessions")
        for control in self.site.sessions:
            if control._intake.octets > 3 * 65536 + 2 * self.most_at_once or len(control._intake._lines) > 256 + 2:
                trouble.append(f"{control._intake.octets} octets and {len(control._intake._lines)} lines wait")
        if trouble:
            raise AssertionError("\n".join(trouble))

    @property
    def most_at_once(self) -> int:
        """Octets of the largest segment that any client has sent."""
        return max((client.largest for client in self.clients), default=0)

    def close(self, *, is_broken: bool = False) -> None:
        """Everybody leaves, time passes. :raises AssertionError: something is left, unless all ``is_broken`` anyway."""
        trouble: list[str] = []
        try:
            self.are_threads_slow = False
            for client in self.clients:
                client.leave()
            self.answer_slow(False)
            for attempt in list(self.clock.outgoing):
                attempt.fail()
            self.turn()
            self.check()
            self.wait(20)
            trouble = self._left_over()
        except Exception:
            if not is_broken:
                raise
        finally:
            threads.deferToThread = self._defer_to_thread
            for module in _TIMED:
                module.perf_counter = perf_counter  # type: ignore[attr-defined]
            self.watch.__exit__()
            self.place.remove()
        if trouble and not is_broken:
            raise AssertionError("\n".join(trouble))

    def _left_over(self) -> list[str]:
        counts = {
            "sessions": len(self.site.sessions),
            "leases": self.pool.active_leases,
            "open ports": self.pool.open_ports,
            "data connections": self.pool.open_connections,
            "threads at work": len(self.threads.calls),
            "neighbours": len(self.pool.neighbours._by_address),
            "watched items": len(self.site.deadlines),
            "waiting clients": len(self.pool._waiters),
        }
        self.site.logon_guard.stop()
        trouble = [f"{count} {what}" for what, count in counts.items() if count and what != "watched items"]
        if len(self.site.deadlines):
            trouble.append(f"still watched: {[re.sub(r' at 0x[0-9a-f]+', '', repr(item)) for item in self.site.deadlines._bucket_of]}")
        trouble += [f"delayed call: {call}" for call in self.clock.getDelayedCalls()]
        trouble += self.watch.trouble + self.watch.left_over() + self.place.trouble()
        return trouble

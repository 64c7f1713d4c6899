"""
A control connection that is written down: kinds of the server-PI, its session and its outlet that tell a capsule what passes.

Not here: masking (``masking``), data connections (``data``), what the store says (``learning``), and the file (``recording``).
A site whose sessions are not captured has none of these.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from twistftp import __version__
from twistftp.capsules.data import CapturedPort
from twistftp.capsules.format import VERSION, text_of
from twistftp.capsules.learning import LearningStore, Learnt
from twistftp.capsules.masking import ClientTape, Verbs, joined, mask_reply
from twistftp.capsules.recording import CapsuleFile, Recording
from twistftp.capsules.settings import plain_settings
from twistftp.policy.settings import SiteSettings
from twistftp.session.interpreter import ServerPI
from twistftp.session.outlet import Outlet
from twistftp.session.session import Session
from twistftp.transport.secure import SecureTransport
from twistftp.wire.paths import join

__all__ = ["CapturedPI", "capturing"]

_LINES = 1000
"""Lines in one segment, at most, of which a capsule is made: no client says so many at once, and others would wait while they are looked at."""


def capturing(recording: Recording) -> Callable[[Any, int, str], ServerPI]:
    """What ``FTPSite.protocol`` is while the site's sessions are captured; those for which there is no room are as ever."""

    def begin(site: Any, identifier: int, peer: str) -> ServerPI:
        return CapturedPI(recording, site, identifier, peer) if recording.is_open else ServerPI(site, identifier, peer)

    return begin


class CapturedPI(ServerPI):
    """One client's control connection, of which a capsule is made."""

    def __init__(self, recording: Recording, site: Any, identifier: int, peer: str) -> None:
        super().__init__(site, identifier, peer)
        self._recording = recording
        self._tape = ClientTape(site.settings.limits.max_command_line)
        self.capsule: CapsuleFile
        self._was_in_tls = False
        self.kind_of_session = _CapturedSession  # type: ignore[misc, assignment]
        self.kind_of_outlet = partial(_CapturedOutlet, self._said)  # type: ignore[misc, assignment]

    def begin_capsule(self, local: str) -> None:
        """There is a session, whose client connected to the address ``local``."""
        site = self.site
        now = site.now()
        hosts = [plain_settings(other.settings) for other in site.hosts.sites if other is not site]
        self.capsule = self._recording.begin(
            self._identifier,
            {
                "capsule": VERSION,
                "server": f"twistftp {__version__}",
                "time": now,
                "utc_offset": site.utc_offset(now),
                "session": self._identifier,
                "peer": self.peer,
                "local": local,
                "settings": plain_settings(site.settings),
                **({"hosts": hosts} if hosts else {}),
            },
        )

    def dataReceived(self, data: bytes) -> None:
        """Octets from the client, in clear."""
        if not self.capsule.is_over:
            if data.count(b"\n") > _LINES:
                self.capsule.cut(f"more than {_LINES} lines came at once")
            elif pieces := self._tape.take(data, self._verbs):
                self.capsule.note({"client": joined(pieces)})
        super().dataReceived(data)

    @property
    def _verbs(self) -> Verbs:
        return self.site.verbs, self.site.site_verbs

    def _said(self, data: bytes) -> None:
        self.capsule.note({"server": text_of(mask_reply(data))})

    def use_transport(self, transport: Any) -> None:
        """The control connection goes under TLS or comes back; of what came before the server keeps nothing, and so the tape."""
        super().use_transport(transport)
        self._note_rest()
        if not isinstance(transport, SecureTransport):
            self.capsule.note({"tls": "left"})
        elif not transport.is_secure:
            self.capsule.note({"tls": "begun"})
            transport.secured = partial(self._secured, transport.secured)
            transport.failed = partial(self._not_secured, transport.failed)

    def _secured(self, then: Callable[[Any], object], connection: Any) -> None:
        then(connection)
        tls = self.session.tls
        name = {"name": tls.server_name} if tls is not None and tls.server_name else {}
        self.capsule.note({"tls": "secured", "with": tls.description if tls is not None else "", **name})

    def _not_secured(self, then: Callable[[str], object], reason: str) -> None:
        self.capsule.note({"tls": "failed", "why": reason})
        then(reason)

    def connectionLost(self, reason: Failure = Failure(CancelledError())) -> None:  # noqa: B008 (Twisted's own signature)
        """The end of both."""
        self._note_rest()
        by_server, is_clean = self._is_closing, reason.check(ConnectionDone) is not None
        how = "by the server" if by_server else "FIN" if is_clean else "reset"
        self.capsule.note({"closed": how})
        self.capsule.is_ending = True  # the last session to go lets the server end, and all recordings, before this returns
        super().connectionLost(reason)
        self.capsule.end()

    def _note_rest(self) -> None:
        if pieces := self._tape.rest(self._verbs):
            self.capsule.note({"client": joined(pieces)})

    def logged_in(self, session: Session) -> None:
        """There is a user."""
        self._tape.logged_in()
        store = session.store
        can = [name for name in ("restartable", "writable", "appendable", "changes_times", "changes_modes") if getattr(store, name, False)]
        event = {"avatar": text_of(session.user.encode("utf-8", "surrogateescape")), "start": join(session.cwd), "can": can}
        self.capsule.note(event | {"facts": sorted(store.facts)})


class _CapturedSession(Session):
    """A session whose data connections and store are watched."""

    __slots__ = ("_data_connections", "_learnt")

    def __init__(self, site: Any, identifier: int, peer: str, control: Any) -> None:
        self._data_connections = 0
        self._learnt = Learnt()
        super().__init__(site, identifier, peer, control)
        control.begin_capsule(self.local)

    def log_in(self, user: str, store: Any, logout: Callable[[], Any]) -> None:
        """As ever; then what the store says is noted."""
        super().log_in(user, store, logout)
        self._watch_store()
        self.control.logged_in(self)  # type: ignore[attr-defined]

    def obey(self, settings: SiteSettings) -> None:
        """As ever; the rules may have put another store in front."""
        super().obey(settings)
        if self.store is not None:
            self._watch_store()

    def _watch_store(self) -> None:
        self.store = LearningStore(self.store, self.control.capsule, self._learnt)  # type: ignore[attr-defined]

    def use_data_port(self, port: Any) -> None:
        """As ever; what comes of the port is noted."""
        super().use_data_port(CapturedPort(port, self._next_data_connection, self.control.capsule.note))  # type: ignore[attr-defined]

    def _next_data_connection(self) -> int:
        self._data_connections += 1
        return self._data_connections


class _CapturedOutlet(Outlet):
    """An outlet that tells what it writes."""

    __slots__ = ("_said",)

    def __init__(self, said: Callable[[bytes], None], transport: Any, *rest: Any) -> None:
        self._said = said
        super().__init__(_Tap(transport, said), *rest)

    def use(self, transport: Any) -> None:
        """Write there from now on."""
        super().use(_Tap(transport, self._said))


class _Tap:
    """The transport, as an outlet sees it."""

    __slots__ = ("_said", "_transport", "below")

    def __init__(self, transport: Any, said: Callable[[bytes], None]) -> None:
        self._transport, self._said = transport, said
        self.below = getattr(transport, "below", transport)

    @property
    def sends_at_once(self) -> bool:
        """As the transport."""
        return getattr(self._transport, "sends_at_once", False)

    def write(self, data: bytes) -> None:
        """Note it, and write it."""
        self._said(data)
        self._transport.write(data)

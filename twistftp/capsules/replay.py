"""
A capsule played: a site in memory hears what the client said, in its order and at its time, and must answer as then.

Not here: the site's surroundings (``stage``), and what counts as the same answer (``comparing``).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from twistftp.capsules.comparing import FROM_OUTSIDE, Replies, code_of, is_digest, is_telnet, normal
from twistftp.capsules.data import verdict_of
from twistftp.capsules.difference import Difference, Otherwise, shortened, side_by_side
from twistftp.capsules.format import BadCapsule, Capsule, octets_of, text_of, unpacked
from twistftp.capsules.masking import MASK, mask_reply
from twistftp.capsules.played_data import PlayedConnection, PlayedPort
from twistftp.capsules.played_tls import ClientTLS
from twistftp.capsules.settings import site_settings
from twistftp.capsules.stage import PlayedPI, PlayedPool, PlayedPortal, PlayedTransport, TurningClock
from twistftp.capsules.tree import PlayedStore
from twistftp.session.messages import Messages
from twistftp.site import FTPSite
from twistftp.transport.deadlines import Deadlines
from twistftp.transport.secure import SecureTransport
from twistftp.wire.paths import resolve
from twistftp.wire.replies import Reply

__all__ = ["Replay", "play"]

PATIENCE = 5.0
"""Seconds of the capsule's time that an answer may be later than it was."""

_CONTEXT = 6  # lines of the dialogue that are shown before a difference
_LOGINS = {"230": True, "232": True, "530": False, "421": False, "451": None}
_FILE = re.compile(r"^150 FILE: (.*)$")


def play(capsule: Capsule, store: PlayedStore | None = None) -> tuple[int, Difference | None]:
    """
    Play a capsule: how many replies were the same, and the first difference, if there is one.

    :param store: the user's files; ``None``: those that the capsule tells of.
    :raises BadCapsule: its settings or events cannot be used.
    """
    try:
        return Replay(capsule, store).run()
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, SSL.Error) as error:
        if isinstance(error, BadCapsule):
            raise
        raise BadCapsule(f"an event is not of the form: {type(error).__name__}: {' '.join(str(error).split())}") from error


class Replay:
    """One capsule and the site that it is played to."""

    def __init__(self, capsule: Capsule, store: PlayedStore | None = None) -> None:
        header = capsule.header
        self._events, self._is_whole = capsule.events, not capsule.lack
        self._clock = TurningClock()
        self._began = float(header["time"])
        self._is_given = store is not None
        self._store = store or PlayedStore(self._now)
        if not self._is_given:
            self._plant(header.get("tree", ()))
        self._expected = _replies_of(capsule.events)
        self._heard = Replies()
        self._replies: deque[str] = deque()  # heard and not compared yet
        self._count = self._compared = 0
        self._then = Replies()
        self._lines: deque[str] = deque(maxlen=_CONTEXT)
        self._ports: dict[int, PlayedPort] = {}
        self._verbs: dict[int, str] = {}
        self._tls: ClientTLS | None = None
        self._is_lost = self._is_masked = False
        self._start: tuple[str, ...] = ()
        pool = PlayedPool(Deadlines(self._clock), self._awaited, self._reply_ahead)
        self._site = self._site_of(header, header["settings"], pool)
        for plain in header.get("hosts", ()):  # the other sites on its port
            self._site.hosts.add(self._site_of(header, plain, pool))
        self._transport = PlayedTransport(header["peer"], header["local"], self._take)

    def _site_of(self, header: Mapping[str, Any], plain: Any, pool: PlayedPool) -> FTPSite:
        try:
            settings = site_settings(plain)
        except Exception as error:  # whatever cattrs makes of it
            raise BadCapsule(f"the header's settings cannot be used: {' '.join(str(error).split())}") from None
        numbers, portal = iter([int(header.get("session", 1))]), PlayedPortal(self._store, self._is_granted)
        site = FTPSite(settings, portal, pool=pool, reactor=self._clock, numbers=numbers)  # type: ignore[arg-type]
        site.now = self._now  # type: ignore[method-assign]
        site.utc_offset = lambda now: float(header.get("utc_offset", 0.0))  # type: ignore[method-assign]
        site.messages = Messages(settings)
        site.protocol = self._begin  # type: ignore[assignment]
        return site

    def _now(self) -> float:
        return self._began + float(self._clock.seconds())

    def _begin(self, site: Any, number: int, peer: str) -> PlayedPI:
        control = PlayedPI(site, number, peer)
        control.awaited = self._awaited
        return control

    # What the capsule says of the tree, before and while it is played

    def _plant(self, tree: Any) -> None:
        seen = set()
        for event in [*tree, *(event for event in self._events if "tree" in event)]:
            path = resolve((), event["tree"])
            if event.get("later") or ("at" not in event and path in seen):
                continue
            if "at" not in event:
                seen.add(path)
            self._store.plant(path, event)

    def _arm(self, number: int) -> None:
        """What the server met while it did what the client says in event ``number``."""
        self._store.armed.clear()
        for event in self._events[number + 1 :]:
            if "client" in event:
                break
            if "refuses" in event:
                self._store.armed.append(event)
            elif "tree" in event and not self._is_given:
                self._store.change(resolve((), event["tree"]), event)
            elif "free" in event:
                self._store.free = event["free"]
            elif "avatar" in event:
                self._meet(event)
            elif "server" in event and (name := _FILE.match(event["server"].partition("\r")[0])):
                self._store.unique_name = name[1]

    def _meet(self, event: Mapping[str, Any]) -> None:
        for name in ("restartable", "writable", "appendable", "changes_times", "changes_modes"):
            setattr(self._store, name, name in event["can"])
        self._store.facts = frozenset(event["facts"])
        self._control.start = resolve((), event["start"])

    # What the site asks

    def _awaited(self, port: PlayedPort) -> None:
        number = len(self._ports) + 1
        self._ports[number] = port

    def _reply_ahead(self) -> str:
        return self._expected[self._count] if self._count < len(self._expected) else ""

    def _is_granted(self) -> bool | None:
        for reply in self._expected[self._count :]:
            if (code := code_of(reply)) in _LOGINS:
                return _LOGINS[code]
        return False

    # The client's side of the control connection

    def _take(self, octets: bytes) -> None:
        if self._tls is not None and not self._tls.has_end:
            octets = self._tls.heard(octets)
        found = self._heard.feed(mask_reply(octets))
        self._count += sum(not is_telnet(reply) for reply in found)
        self._replies += found

    def _give(self, octets: bytes) -> None:
        if self._is_lost or self._transport.is_aborted:
            return
        if self._tls is not None:
            self._tls.say(octets)
        else:
            self._transport.protocol.dataReceived(octets)
        self._settle()

    def _settle(self) -> None:
        """Let the reactor turn, and the client's TLS answer, until both have nothing left to do."""
        self._clock.turn()
        while self._tls is not None and not self._is_lost and (octets := self._tls.output()):
            self._transport.protocol.dataReceived(octets)
            self._clock.turn()

    # The play

    def run(self) -> tuple[int, Difference | None]:
        """Play it to its end, or to the first difference: how many replies were the same, and that difference."""
        self._control: Any = self._site.buildProtocol(self._transport.getPeer())
        self._transport.protocol = self._control
        self._arm(-1)
        self._control.makeConnection(self._transport)
        try:
            for number, event in enumerate(self._events):
                self._clock.until(float(event["t"]))
                self._settle()
                self._play(number, event)
                if "cut" in event:
                    break
            if self._is_whole:
                self._expect_no_more()
        except Otherwise as found:
            expected, got = side_by_side(found.then, found.now, is_other=self._is_given)
            return self._compared, Difference(expected, got, number + 2, float(event["t"]), tuple(self._lines))
        finally:
            self._lose(ConnectionDone())
        return self._compared, None

    def _play(self, number: int, event: Mapping[str, Any]) -> None:
        if "client" in event:
            self._arm(number)
            self._say(event["client"])
        elif "server" in event:
            for reply in self._then.feed(octets_of(event["server"])):
                self._compare(reply)
        elif "data" in event:
            self._play_data(number, event)
        elif "tls" in event:
            self._play_tls(number, event["tls"])
        elif "closed" in event:
            self._play_end(event["closed"])

    def _say(self, said: Any) -> None:
        for piece in said if isinstance(said, list) else [said]:
            if isinstance(piece, Mapping):
                octets = b"x" * (piece["filler"] - 1) + (b"x" if piece.get("open") else b"\n")
                self._lines.append(f"client: ({piece['filler']} octets of a line that is too long)")
            else:
                octets = octets_of(piece)
                self._is_masked |= MASK in piece
                self._lines.extend(f"client: {shortened(line)}" for line in piece.splitlines())
            self._give(octets)

    def _compare(self, then: str) -> None:
        end = self._clock.seconds() + PATIENCE
        while not self._replies and self._clock.seconds() < end:
            for port in self._ports.values():
                port.knock()
            self._settle()
            if not self._replies:
                self._clock.until(self._clock.seconds() + 0.5)
                self._settle()
        if not self._replies and then.startswith(FROM_OUTSIDE):
            self._control.close(Reply.of(421, then[4:], closes=True))
        if is_telnet(then) and self._is_masked and not (self._replies and is_telnet(self._replies[0])):
            return  # a line that is masked has lost its Telnet codes
        now = self._replies.popleft() if self._replies else ""
        is_same = normal(then, is_other=self._is_given) == normal(now, is_other=self._is_given)
        if not is_same and not (self._store.has_invented and is_digest(then) and is_digest(now)):
            raise Otherwise(then, now or "no reply")
        self._compared += not is_telnet(then)
        self._lines.append(f"server: {shortened(now)}")

    def _expect_no_more(self) -> None:
        self._settle()
        if self._replies:
            raise Otherwise("no more replies", self._replies[0])
        if self._heard.rest:
            raise Otherwise("no more octets", self._heard.rest)

    def _play_data(self, number: int, event: Mapping[str, Any]) -> None:
        which = event["data"]
        port = self._ports.get(which)
        if port is None:
            if self._replies:  # the server has said why
                raise Otherwise(self._expected[self._compared], self._replies[0])
            raise Otherwise(f"data connection {which}", "the server waits for none")
        if "failed" in event:
            port.failed(verdict_of(event["failed"]))
        elif "opened" in event:
            transfer = self._control.session.transfer
            self._verbs[which] = getattr(transfer, "verb", "") if not self._control.session.deflates else ""
            port.opened(bool(event.get("private")), self._end_of(which, number))
        elif port.made is not None:
            port.made.ended()
            self._settle()
            self._compare_data(which, port.made, event)
        self._settle()

    def _end_of(self, which: int, number: int) -> Mapping[str, Any]:
        """How a data connection will end; one whose end was not written down was cut off with its session."""
        later = (event for event in self._events[number:] if event.get("data") == which and "ended" in event)
        return next(later, {"ended": {"cause": "CLIENT_GONE"}})

    def _compare_data(self, which: int, made: PlayedConnection, event: Mapping[str, Any]) -> None:
        then = event.get("sent")
        verb = self._verbs.get(which, "")
        if then is None or not made.is_whole or not verb or self._store.has_invented or (self._is_given and verb != "RETR"):
            return
        if made.octets == then["octets"] and made.sha256 == then["sha256"]:
            return
        kept = text_of(unpacked(then) or b"").splitlines()
        found = text_of(bytes(made.head)).splitlines()
        for old, new in zip(kept, found, strict=False):
            if old != new:
                raise Otherwise(f"{verb} sends {old}", f"{verb} sends {new}")
        old, new = f"{then['octets']} octets", f"{made.octets} octets"
        if old == new:
            old, new = f"{old} of SHA-256 {then['sha256']}", f"{new} of SHA-256 {made.sha256}"
        raise Otherwise(f"{verb} sends {old}", f"{verb} sends {new}")

    def _play_tls(self, number: int, step: str) -> None:
        if step == "begun":
            if not isinstance(self._transport.protocol, SecureTransport):
                raise Otherwise("TLS begins", "the server stays in clear text")
            secured = next((event for event in self._events[number + 1 :] if "tls" in event), {})
            if secured.get("tls") != "secured":
                return
            self._tls = ClientTLS(secured.get("name", ""))  # not later: a server of implicit TLS holds its first reply back until it can be read
            try:
                self._settle()
            except SSL.Error as error:
                raise Otherwise("TLS comes about", f"the handshake fails: {error}") from None
            if not self._tls.is_secure:
                raise Otherwise("TLS comes about", "the handshake does not end")
        elif step == "failed":
            self._lose(ConnectionLost())
        elif step == "left" and self._tls is not None:
            self._tls.end()
            self._settle()
            self._tls = None

    def _play_end(self, how: str) -> None:
        is_closed = self._transport.disconnecting
        if how == "by the server" and not is_closed:
            raise Otherwise("the server closes the connection", "it does not")
        if how != "by the server" and is_closed:
            raise Otherwise("the client closes the connection", "the server does")
        self._lose(ConnectionDone() if how != "reset" else ConnectionLost())

    def _lose(self, reason: Exception) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._transport.protocol.connectionLost(Failure(reason))


def _replies_of(events: tuple[Mapping[str, Any], ...]) -> list[str]:
    parser = Replies()
    said = (reply for event in events if "server" in event for reply in parser.feed(octets_of(event["server"])))
    return [reply for reply in said if not is_telnet(reply)]

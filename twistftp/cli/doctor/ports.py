"""
Every port of a range: which ones the doctor can connect to, which ones not.

Not here: what a closed port means. A port that refuses may be closed by a firewall, or nobody may listen on it just now: most
servers listen only on ports that they have offered. So the server is asked for its ports, too, and those are knocked at while they are offered.
"""

from __future__ import annotations

import errno
import selectors
import socket
from collections import deque
from collections.abc import Iterable, Iterator
from time import monotonic

from twistftp.cli.doctor.channel import Budget, Lost, OutOfTime, ending_of
from twistftp.cli.doctor.control import Control, Interrupted
from twistftp.cli.doctor.seen import Ending, PortState, Scan
from twistftp.cli.doctor.transfers import told
from twistftp.wire.addresses import is_ipv6

__all__ = ["knock", "scanned"]

_AT_ONCE = 200
"""Connections that are tried at the same time, well below what a process may have open."""
_OFFERS = 400
"""Passive ports that the server is asked for at most."""
_IN_PROGRESS = {0, errno.EINPROGRESS, errno.EWOULDBLOCK}


def scanned(control: Control, ports: range, budget: Budget) -> Scan:
    """
    Look at each port of a range, on the machine at the other end of a control connection.

    :raises Interrupted: never; what is not known when the connection is lost stays so.
    """
    reserve = max(budget.left, 0) / 3  # for what comes after
    endings = knock(control.channel.family, control.channel.peer, ports, budget, reserve)
    outside: dict[int, None] = {}
    offered = _offered(control, {port for port, ending in endings.items() if ending is Ending.REFUSED}, budget, reserve)
    for port, ending in offered.items():
        if port in endings:
            endings[port] = ending
        else:
            outside[port] = None
    return Scan(_judged(ports, endings, set(offered)), tuple(outside))


def _judged(ports: Iterable[int], endings: dict[int, Ending], offered: set[int]) -> dict[int, PortState]:
    """Silence is a firewall's. A refusal is one where no port at all is open, or where the server was listening."""
    some_open = Ending.OPEN in endings.values()
    found = {}
    for port in ports:
        ending = endings.get(port, Ending.NOT_TRIED)
        if ending is Ending.OPEN:
            state = PortState.OPEN
        elif ending is Ending.NOT_TRIED:
            state = PortState.UNKNOWN
        elif ending is Ending.REFUSED and some_open and port not in offered:
            state = PortState.IDLE
        else:
            state = PortState.CLOSED
        found[port] = state
    return found


def knock(family: int, host: str, ports: Iterable[int], budget: Budget, reserve: float) -> dict[int, Ending]:
    """Connect to each of these ports, many at a time, and close again; those that there is no time for are left out."""
    waiting = deque(ports)
    rounds = len(waiting) // _AT_ONCE + 1
    patience = max(0.5, min(budget.to_connect, (budget.left - reserve) / rounds))
    endings: dict[int, Ending] = {}
    with selectors.DefaultSelector() as selector:
        while (waiting or selector.get_map()) and budget.left > reserve:
            while waiting and len(selector.get_map()) < _AT_ONCE:
                port = waiting.popleft()
                _begin(selector, family, host, port, endings, monotonic() + patience)
            for key, _ in selector.select(0.05):
                skt: socket.socket = key.fileobj  # type: ignore[assignment]
                _end(selector, skt, endings, key.data[0], skt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
            for key in [key for key in selector.get_map().values() if key.data[1] <= monotonic()]:
                _end(selector, key.fileobj, endings, key.data[0], errno.ETIMEDOUT)  # type: ignore[arg-type]
        for key in list(selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
    return endings


def _begin(selector: selectors.BaseSelector, family: int, host: str, port: int, endings: dict[int, Ending], until: float) -> None:
    skt = socket.socket(family, socket.SOCK_STREAM)
    skt.setblocking(False)
    try:
        number = skt.connect_ex((host, port))
    except OSError as error:
        number = error.errno or errno.ENETUNREACH
    if number in _IN_PROGRESS:
        selector.register(skt, selectors.EVENT_WRITE, (port, until))
    else:
        skt.close()
        endings[port] = ending_of(OSError(number, ""))


def _end(selector: selectors.BaseSelector, skt: socket.socket, endings: dict[int, Ending], port: int, number: int) -> None:
    selector.unregister(skt)
    skt.close()
    # A closed port refuses; who resets has accepted before, as servers do with connections that no client of theirs announced.
    ending = ending_of(OSError(number, "")) if number else Ending.OPEN
    endings[port] = Ending.OPEN if ending is Ending.RESET else ending


def _offered(control: Control, wanted: set[int], budget: Budget, reserve: float) -> dict[int, Ending]:
    """What happens at ports that the server offers, until it has offered all that are wanted, or offers nothing new any more."""
    endings: dict[int, Ending] = {}
    in_vain = 0
    try:
        for port in _offers(control) if wanted else ():
            in_vain = in_vain + 1 if port in endings else 0
            # Each offer is taken up: there are servers that do not make one again that was left.
            try:
                control.channel.connect_beside(control.channel.peer, port).close()
                endings[port] = Ending.OPEN
            except Lost as lost:
                endings[port] = Ending.OPEN if lost.ending is Ending.RESET else lost.ending
            if wanted <= endings.keys() or in_vain > 20 + min(len(wanted), _OFFERS) or len(endings) >= _OFFERS or budget.left <= reserve:
                break
    except (Interrupted, OutOfTime):
        pass
    return endings


def _offers(control: Control) -> Iterator[int]:
    """The ports that a server offers by EPSV, which filters that alter replies mostly do not know, or else by PASV."""
    verbs = ["EPSV"] if is_ipv6(control.channel.peer) else ["EPSV", "PASV"]
    for verb in verbs:
        while (place := told(verb, control.say(verb))) is not None:
            verbs.clear()  # the first that works
            yield place[1]

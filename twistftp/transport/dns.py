"""
Questions to DNS by ``twisted.names``: the IPv4 addresses of a name and the time for which they are good.

Not here: when to ask (``resolver``). ``twisted.names`` is imported when it is first needed: most servers never do, and it takes its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from twisted.internet import base, defer, error, posixbase, udp
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.python.failure import Failure

from twistftp.transport.resolver import Answer, LookupFailed

__all__ = ["DNS"]

_PORT = 53
_TIMEOUTS = (1, 3, 6)


class DNS:
    """
    Asks the hosts file, then the system's name servers.

    There is no cache between: DNS servers have theirs, and the system's configuration is read for each question, so that what
    changes is seen. What has been read once is kept for the time when it can be read no more (behind a ``--chroot``).

    :param servers: addresses and ports to ask instead of those of ``resolv_conf``.
    """

    def __init__(
        self, reactor: Any, servers: Sequence[tuple[str, int]] = (), resolv_conf: str = "/etc/resolv.conf", hosts: str = "/etc/hosts"
    ) -> None:
        self._reactor, self._servers, self._resolv_conf, self._hosts = reactor, list(servers), resolv_conf, hosts
        self._known = [("127.0.0.1", _PORT)]

    def prepare(self) -> None:
        """Do now what a ``--chroot`` makes impossible later."""
        from twisted.names import client, hosts  # noqa: F401

        "a.example".encode("idna")  # Python loads the codec of host names when it is first used
        self._find_servers()

    def __call__(self, name: str) -> Deferred[Answer]:
        """
        Ask for the IPv4 addresses of a name.

        :raises LookupFailed: there is no answer, or it is that there is no such name.
        """
        from twisted.names import client, hosts, resolve

        clock = _Clock(self._reactor)
        chain = resolve.ResolverChain([hosts.Resolver(self._hosts), client.Resolver(servers=self._find_servers(), reactor=clock)])
        asked: Deferred[Any] = chain.lookupAddress(name, _TIMEOUTS)
        return asked.addBoth(clock.clear).addCallbacks(_addresses, _in_words)

    def _find_servers(self) -> list[tuple[str, int]]:
        if self._servers:
            return self._servers
        try:
            lines = Path(self._resolv_conf).read_text("ascii", "replace").splitlines()
        except OSError:
            return self._known
        found = [(words[1], _PORT) for line in lines if len(words := line.split()) > 1 and words[0] == "nameserver"]
        self._known = found or self._known
        return self._known


class _Clock:
    """
    The reactor for one question. It remembers the question's time-outs, which would stay behind when it is cancelled, and has
    its port (each question has one of its own, as a defence against forged answers) opened and closed without lines in the log.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._calls: list[Any] = []

    def callLater(self, *call: Any, **keywords: Any) -> Any:
        delayed = self._reactor.callLater(*call, **keywords)
        self._calls.append(delayed)
        return delayed

    def listenUDP(self, port: int, protocol: Any, *how: Any, **keywords: Any) -> Any:
        protocol.noisy = False
        if not isinstance(self._reactor, posixbase.PosixReactorBase):
            return self._reactor.listenUDP(port, protocol, *how, **keywords)
        listener = _QuietPort(port, protocol, *how, **(keywords | {"reactor": self._reactor}))
        listener.startListening()
        return listener

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def clear(self, result: Any) -> Any:
        """End all time-outs; passes a result on."""
        for delayed in self._calls:
            if delayed.active():
                delayed.cancel()
        return result


class _QuietPort(udp.Port):
    """Two lines in the log for each question would bury everything else."""

    def _bindSocket(self) -> None:
        try:
            skt = self.createInternetSocket()
            skt.bind((self.interface, self.port))
        except OSError as why:
            raise CannotListenError(self.interface, self.port, why) from why
        self._realPortNumber = skt.getsockname()[1]
        self.connected = True
        self.socket = skt
        self.fileno = skt.fileno  # type: ignore[method-assign]

    def connectionLost(self, reason: Any = None) -> None:
        self._realPortNumber = None
        base.BasePort.connectionLost(self, reason)
        self.protocol.doStop()
        self.socket.close()
        del self.socket
        del self.fileno
        if hasattr(self, "d"):
            self.d.callback(None)
            del self.d


def _in_words(failure: Failure) -> NoReturn:
    """What went wrong, for people."""
    from twisted.names.error import DNSNameError, DomainError

    if failure.check(CancelledError):
        failure.raiseException()
    if failure.check(DNSNameError, DomainError):
        raise LookupFailed("there is no such name")
    raise LookupFailed("no name server answers" if failure.check(error.TimeoutError, defer.TimeoutError) else "the name server fails")


def _addresses(response: tuple[Sequence[Any], Sequence[Any], Sequence[Any]]) -> Answer:
    """The address records of an answer; an alias among them (CNAME) is good for its own time, too."""
    from twisted.names import dns

    answers = response[0]
    addresses = [record.payload.dottedQuad() for record in answers if record.type == dns.A]
    return addresses, float(min((record.ttl for record in answers), default=0))

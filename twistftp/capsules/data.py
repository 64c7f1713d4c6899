"""
Data connections that are written down: a data port and its connection that tell a capsule what became of them.

Not here: the connections themselves (``transport``) and the file (``recording``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from twistftp.capsules.format import packed
from twistftp.policy.diagnosis import Cause, Verdict
from twistftp.transport.interfaces import DataConnectionFailed, IDataConnection, IDataPort, ISink, ISource
from twistftp.transport.sending import FileSource

__all__ = ["KEPT", "CapturedConnection", "CapturedPort", "plain_verdict", "verdict_of"]

KEPT = 1 << 14
"""Octets of a data connection that a capsule holds, from its beginning."""

Note = Callable[[Mapping[str, Any]], None]


def plain_verdict(verdict: Verdict) -> dict[str, Any]:
    """A verdict as a capsule holds it: what is said in it."""
    fields = attrs.asdict(verdict, recurse=False, filter=lambda attribute, value: value != attribute.default)
    return {name: value.name if isinstance(value, Enum) else value for name, value in fields.items()}


def verdict_of(plain: Mapping[str, Any]) -> Verdict:
    """The inverse. :raises (KeyError, TypeError): it is none."""
    return Verdict(**{**plain, "cause": Cause[plain["cause"]]})


@implementer(IDataPort)
class CapturedPort:
    """
    A data port in front of the real one, which everything else is asked of.

    :param number: gives the next number of a data connection of this session; one that nobody waits for has none.
    """

    def __init__(self, port: Any, number: Callable[[], int], note: Note) -> None:
        self._port, self._number, self._note = port, number, note

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def connection(self, timeout: float) -> Any:
        """As the real one; how it ends is noted."""
        number = self._number()
        try:
            made = self._port.connection(timeout)
        except DataConnectionFailed as error:
            self._failed(number, error)
            raise
        if isinstance(made, Deferred):
            return made.addCallbacks(lambda connection: self._made(number, connection), lambda failure: self._failed(number, failure))
        return self._made(number, made)

    def _made(self, number: int, connection: Any) -> CapturedConnection:
        self._note({"data": number, "opened": True, "private": bool(connection.is_private)})
        return CapturedConnection(connection, number, self._note)

    def _failed(self, number: int, failure: Any) -> Any:
        error = failure.value if isinstance(failure, Failure) else failure
        verdict = error.verdict if isinstance(error, DataConnectionFailed) else Verdict(Cause.ABORTED)
        self._note({"data": number, "failed": plain_verdict(verdict)})
        return failure

    def close(self) -> None:
        """As the real one."""
        self._port.close()

    def refuse(self) -> None:
        """As the real one."""
        self._port.refuse()


class _Tape:
    """Octets as they pass: how many, their digest, and the first of them."""

    def __init__(self) -> None:
        self.octets = 0
        self._digest = hashlib.sha256()
        self._kept = b""

    def take(self, data: bytes) -> None:
        self.octets += len(data)
        self._digest.update(data)
        if (room := KEPT - len(self._kept)) > 0:
            self._kept += data[:room]

    @property
    def plain(self) -> dict[str, Any]:
        """What a capsule holds of it."""
        return {"octets": self.octets, "sha256": self._digest.hexdigest(), **packed(self._kept)}


@implementer(IDataConnection)
class CapturedConnection:
    """A data connection in front of the real one. Files go through this process's memory here, for else nobody would see them."""

    def __init__(self, connection: Any, number: int, note: Note) -> None:
        self._connection, self._number, self._note = connection, number, note
        self._tape = _Tape()
        self._way = "unused"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def send_file(self, file: Any, offset: int, count: int) -> Any:
        """As the real one."""
        return self.send(FileSource(file, offset, count))

    def send(self, source: Any) -> Any:
        """As the real one."""
        self._way = "sent"
        return self._watched(self._connection.send, _Source(source, self._tape))

    def receive(self, sink: Any) -> Any:
        """As the real one."""
        self._way = "received"
        return self._watched(self._connection.receive, _Sink(sink, self._tape))

    def _watched(self, method: Callable[[Any], Any], argument: Any) -> Any:
        try:
            result = method(argument)
        except Exception as error:
            self._ended(error)
            raise
        if isinstance(result, Deferred):
            return result.addBoth(self._fired)
        self._ended(None)
        return result

    def _fired(self, result: Any) -> Any:
        self._ended(result.value if isinstance(result, Failure) else None)
        return result

    def _ended(self, error: BaseException | None) -> None:
        event: dict[str, Any] = {"data": self._number, "ended": "FIN", self._way: self._tape.plain}
        if self._connection.octets != self._tape.octets:
            event["moved"] = self._connection.octets  # not all that was given to the connection has gone out
        if isinstance(error, DataConnectionFailed):
            event["ended"] = plain_verdict(error.verdict)
        elif error is not None:
            event["ended"] = plain_verdict(Verdict(Cause.ABORTED)) if isinstance(error, CancelledError) else "refused"
        elif getattr(self._connection, "is_truncated", False):
            event["ended"] = "FIN without close_notify"
        self._note(event)
        self._way = ""

    def abort(self, cause: Cause) -> None:
        """As the real one."""
        self._connection.abort(cause)
        self._note_unused()

    def close(self) -> None:
        """As the real one."""
        self._connection.close()
        self._note_unused()

    def _note_unused(self) -> None:
        if self._way == "unused":
            self._way = ""
            self._note({"data": self._number, "ended": "unused"})


@implementer(ISource)
class _Source:
    """A source whose octets are noted."""

    def __init__(self, source: Any, tape: _Tape) -> None:
        self._source, self._tape = source, tape

    def read(self) -> Any:
        data = self._source.read()
        return data.addCallback(self._took) if isinstance(data, Deferred) else self._took(data)

    def _took(self, data: bytes) -> bytes:
        self._tape.take(data)
        return data


@implementer(ISink)
class _Sink:
    """A sink whose octets are noted; octets of a pipe could not be, so it takes none."""

    takes_pipes = False

    def __init__(self, sink: Any, tape: _Tape) -> None:
        self._sink, self._tape = sink, tape

    def write(self, data: bytes) -> Any:
        self._tape.take(data)
        return self._sink.write(data)

    def take(self, pipe: int, count: int) -> Any:
        raise NotImplementedError("it takes no pipes")

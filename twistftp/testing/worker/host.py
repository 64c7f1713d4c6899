"""
What the test's process asks for, one JSON object a line, and what it is answered: sites opened, looked into and closed.

Not here: a site (``running``), and the other end of the line (``testing.link``).

A question is ``{"id": …, "do": …, "site": …, …}``, its answer ``{"id": …, "result": …}`` or ``{"id": …, "error": text, "kind": …}``, in which
``kind`` names an exception of Python. Octets are in base64. Answers may come in another order than questions.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol

from twistftp.storage import failures
from twistftp.testing.worker.running import RunningSite
from twistftp.testing.worker.tls import authority
from twistftp.wire.paths import resolve

__all__ = ["Host"]

_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (failures.NotFound, "FileNotFoundError"),
    (failures.IsADirectory, "IsADirectoryError"),
    (failures.NotADirectory, "NotADirectoryError"),
    (failures.ObjectExists, "FileExistsError"),
    (failures.StorageError, "PermissionError"),
    (TimeoutError, "TimeoutError"),
    (ValueError, "ValueError"),
    (OSError, "OSError"),
)


class Host(Protocol):
    """The end of the line in this process; when it is closed, so is the process."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._begun: list[bytes] = []  # of a question: put together once, for files make long ones
        self._sites: dict[int, RunningSite] = {}
        self._opened = 0

    def connectionLost(self, *_: Any) -> None:
        """The test's process is gone, or has no more to ask."""
        if self._reactor.running:
            self._reactor.stop()

    def dataReceived(self, data: bytes) -> None:
        """Questions, or a part of one."""
        *ends, rest = data.split(b"\n")
        for end in ends:
            question = json.loads(b"".join([*self._begun, end]))
            self._begun = []
            Deferred.fromCoroutine(self._answer(question))
        if rest:
            self._begun.append(rest)

    async def _answer(self, question: dict[str, Any]) -> None:
        number = question.pop("id")
        try:
            do = _DOES[question.pop("do")]
            site = question.pop("site", None)
            result = do(self, **question) if site is None else do(self._sites[site], **question)
            self._say({"id": number, "result": await result if hasattr(result, "__await__") else result})
        except Exception as error:
            self._failed(number, error)

    def _failed(self, number: int, error: BaseException) -> None:
        kind = next((name for row, name in _KINDS if isinstance(error, row)), "RuntimeError")
        text = str(error) if kind != "RuntimeError" else f"{type(error).__name__}: {error}"
        self._say({"id": number, "error": text, "kind": kind})

    def _say(self, answer: dict[str, Any]) -> None:
        if self.transport is not None:
            self.transport.write(json.dumps(answer).encode() + b"\n")

    def open(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Start a site: its number and port."""
        site = RunningSite(self._reactor, wanted)
        self._opened += 1
        self._sites[self._opened] = site
        return {"site": self._opened, "port": site.port}

    async def close(self, number: int) -> None:
        """End one."""
        await self._sites.pop(number).close()


def _tree(site: RunningSite) -> Any:
    if site.tree is None:
        raise ValueError("this site serves a directory")
    return site.tree


def _plant(site: RunningSite, files: dict[str, str | None]) -> None:
    _tree(site).plant({path: None if content is None else b64decode(content) for path, content in files.items()})


def _read(site: RunningSite, path: str) -> str:
    return b64encode(_tree(site).file(resolve((), path)).content).decode()


def _files(site: RunningSite) -> dict[str, dict[str, Any]]:
    return {path: {"is_directory": node.children is not None, "modified": node.modified} for path, node in _tree(site).walk()}


def _set_modified(site: RunningSite, path: str, seconds: float) -> None:
    _tree(site).find(resolve((), path)).modified = seconds


def _forget(site: RunningSite) -> None:
    site.site.commands.clear()
    site.site.lines.clear()


_DOES: dict[str, Callable[..., Any]] = {
    "ping": lambda host: None,
    "authority": lambda host: authority().pem,
    "open": Host.open,
    "close": Host.close,
    "plant": _plant,
    "read": _read,
    "files": _files,
    "discard": lambda site, path: _tree(site).discard(resolve((), path)),
    "set_modified": _set_modified,
    "commands": lambda site: site.site.commands,
    "log": lambda site: site.site.lines,
    "forget": _forget,
    "sessions": RunningSite.sessions,
    "use_chaos": RunningSite.use_chaos,
    "disconnect": RunningSite.disconnect,
    "wait_until_idle": RunningSite.wait_until_idle,
    "wait_until_empty": RunningSite.wait_until_empty,
    "wait_for_command": RunningSite.wait_for_command,
}

"""
The process in which the sites run, as the test's process sees it: started when first needed, one for all sites, ended with its parent.

Not here: what it does (``testing.worker``) and what it is asked (``server``).
"""

from __future__ import annotations

import atexit
import builtins
import json
import os
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

__all__ = ["Link", "ServerDied", "link"]

_END = 5.0  # seconds for its end, after which it is killed
_SHOWN = 2000  # characters of its last words
# With the modules of this process, wherever it has them from.
_BEGIN = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from twistftp.testing.worker.__main__ import main; main()"


class ServerDied(RuntimeError):
    """The process of the sites is gone; the text has its last words."""


class Link:
    """The line to one such process. Any thread may ask at any time."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._errors = tempfile.TemporaryFile("w+b")  # noqa: SIM115 (as long as the process)
        arguments = [sys.executable, "-P", "-c", _BEGIN, json.dumps(sys.path)]
        self._process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors)  # noqa: S603 (this Python)
        self._lock = threading.Lock()
        self._asked: dict[int, Future[Any]] = {}
        self._number = 0
        self._is_over = False
        self._authority = ""
        self._listener = threading.Thread(target=self._listen, name="twistftp.testing", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked, from this process: a fork of the one that started it cannot."""
        return not self._is_over and self.owner == os.getpid()

    @property
    def authority(self) -> str:
        """The certificate, in PEM form, of whoever has issued those of the sites."""
        if not self._authority:
            self._authority = self.ask("authority")
        return self._authority

    def ask(self, do: str, **question: Any) -> Any:
        """
        The answer to a question (``worker.host``).

        :raises ServerDied: there is nobody to answer.
        :raises Exception: what the answer says: ``ValueError``, ``TimeoutError``, ``FileNotFoundError``…
        """
        waiting: Future[Any] = Future()
        with self._lock:
            if self._is_over:
                raise ServerDied(self._last_words())
            self._number += 1
            line = json.dumps({"id": self._number, "do": do, **question}).encode() + b"\n"
            self._asked[self._number] = waiting
            try:
                self._process.stdin.write(line)  # type: ignore[union-attr]
                self._process.stdin.flush()  # type: ignore[union-attr]
            except OSError:
                raise ServerDied(self._last_words()) from None
        return waiting.result()

    def _listen(self) -> None:
        for line in self._process.stdout:  # type: ignore[union-attr]
            answer = json.loads(line)
            with self._lock:
                waiting = self._asked.pop(answer["id"])
            if "error" in answer:
                waiting.set_exception(_exception(answer["kind"], answer["error"]))
            else:
                waiting.set_result(answer["result"])
        with self._lock:
            self._is_over = True
            left, self._asked = self._asked, {}
        for waiting in left.values():
            waiting.set_exception(ServerDied(self._last_words()))

    def _last_words(self) -> str:
        try:
            self._errors.seek(0)
            words = self._errors.read().decode("utf-8", "replace")[-_SHOWN:]
        except (OSError, ValueError):
            words = ""
        return f"the process of the FTP sites has ended{f': …{words}' if words else ''}"

    def close(self) -> None:
        """End it; in a fork of its parent, only let go of it."""
        with suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]
        if self.owner != os.getpid():
            return
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join(_END)
        self._process.stdout.close()  # type: ignore[union-attr]
        self._errors.close()


def _exception(kind: str, text: str) -> Exception:
    known = getattr(builtins, kind, RuntimeError)
    return known(text) if isinstance(known, type) and issubclass(known, Exception) else RuntimeError(text)


_current: Link | None = None
_choosing = threading.Lock()


def link() -> Link:
    """The process of this one: started now if there is none, or none that lives."""
    global _current  # noqa: PLW0603 (there is one)
    with _choosing:
        if _current is None or not _current.is_alive:
            if _current is not None:
                _current.close()
            _current = Link()
        return _current


@atexit.register
def _close() -> None:
    if _current is not None:
        _current.close()

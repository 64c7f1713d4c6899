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
from contextlib import suppress
from typing import Any

__all__ = ["Link", "ServerDied", "end", "link"]

_END = 5.0  # seconds for its end, after which it is killed
_SHOWN = 2000  # characters of its last words
_PIECE = 1 << 20  # octets of a read at most
# With the modules of this process, wherever it has them from.
_BEGIN = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from twistftp.testing.worker.__main__ import main; main()"


class ServerDied(RuntimeError):
    """The process of the sites is gone; the text has its last words."""


class Link:
    """
    The line to one such process. Any thread may ask at any time.

    There is no thread behind it, for tests may fork, or look whether one is left: whoever waits for an answer reads, for all who wait.
    """

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._errors = tempfile.TemporaryFile("w+b")  # noqa: SIM115 (as long as the process)
        arguments = [sys.executable, "-P", "-c", _BEGIN, json.dumps([entry for entry in sys.path if isinstance(entry, str)])]
        # Warnings that the tests take for errors are theirs.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
        self._process = subprocess.Popen(  # noqa: S603 (this Python)
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=environment
        )
        self._speaking = threading.Lock()
        self._turn = threading.Condition()  # of the four below
        self._has_reader = False
        self._is_over = False
        self._asked: set[int] = set()
        self._answers: dict[int, dict[str, Any]] = {}
        self._begun: list[bytes] = []  # of an answer; the reader's own
        self._number = 0
        self._authority = ""

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def is_here(self) -> bool:
        """Whether this process has started it: a fork of that one must not speak on its line."""
        return self.owner == os.getpid()

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked, from this process."""
        return not self._is_over and self.is_here

    @property
    def authority(self) -> str:
        """The certificate, in PEM form, of whoever has issued those of the sites."""
        if not self._authority:
            self._authority = self.ask("authority")
        return self._authority

    def ask(self, do: str, **question: Any) -> Any:
        """
        The answer to a question (``worker.host``).

        :raises ServerDied: there is nobody to answer. :raises RuntimeError: this process is a fork of the one that has the line.
        :raises Exception: what the answer says: ``ValueError``, ``TimeoutError``, ``FileNotFoundError``…
        """
        if not self.is_here:
            raise RuntimeError("the site was started by another process, of which this one is a fork; ask it there")
        answer = self._answer_to(self._say({"do": do, **question}))
        if "error" in answer:
            raise _exception(answer["kind"], answer["error"])
        return answer["result"]

    def _say(self, question: dict[str, Any]) -> int:
        with self._speaking:
            self._number += 1
            line = json.dumps({"id": self._number, **question}).encode() + b"\n"
            self._asked.add(self._number)
            try:
                self._process.stdin.write(line)  # type: ignore[union-attr]
                self._process.stdin.flush()  # type: ignore[union-attr]
            except (OSError, ValueError):
                self._is_over = True
                raise ServerDied(self._last_words()) from None
            except BaseException:
                self._is_over = True  # half a question was said: nobody would understand the next one
                raise
            return self._number

    def _answer_to(self, number: int) -> dict[str, Any]:
        try:
            while True:
                with self._turn:
                    self._turn.wait_for(lambda: number in self._answers or self._is_over or not self._has_reader)
                    if number in self._answers:
                        return self._answers.pop(number)
                    if self._is_over:
                        raise ServerDied(self._last_words())
                    self._has_reader = True
                try:
                    self._read()
                finally:
                    with self._turn:
                        self._has_reader = False
                        self._turn.notify_all()
        finally:
            self._asked.discard(number)  # so what comes when nobody waits any more, after a Ctrl-C, is dropped

    def _read(self) -> None:
        data = os.read(self._process.stdout.fileno(), _PIECE)  # type: ignore[union-attr]
        if not data:
            self._is_over = True
        *ends, rest = data.split(b"\n")
        for end in ends:
            answer = json.loads(b"".join([*self._begun, end]))
            self._begun = []
            if answer["id"] in self._asked:
                self._answers[answer["id"]] = answer
        if rest:
            self._begun.append(rest)

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
        if self.is_here:
            try:
                self._process.wait(_END)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            with self._turn:  # a reader is at the end, too
                self._turn.wait_for(lambda: not self._has_reader, _END)
                self._is_over = True
        else:
            self._process.returncode = 0  # it is not this process's child, so nobody need warn that it still runs
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
def end() -> None:
    """End the process now, and with it all sites; the next site has a new one. At the end of this process it comes by itself."""
    global _current
    with _choosing:
        ended, _current = _current, None
    if ended is not None:
        ended.close()

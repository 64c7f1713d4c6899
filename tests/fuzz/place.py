"""
What lies on the disk where sites are fuzzed: a root with oddities in it, and things outside that nobody may reach.

Not here: the site (``world``).
"""

from __future__ import annotations

import os
import shutil
import tempfile

from tests.support.trees import Link, plant

__all__ = ["BINARY", "SECRET", "Place"]

SECRET = b"octets from outside the root"
_MEMORY = "/dev/shm"
"""A file system in memory, where Linux has one: hundreds of places are made."""
BINARY = bytes(range(256)) * 64


class Place:
    """``root`` is the content root, ``virtual`` a virtual directory's, beside them is what is outside; ``many`` files make up one directory."""

    def __init__(self, many: int = 70) -> None:
        self.base = os.path.realpath(tempfile.mkdtemp(prefix="fuzz-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None))
        self.root, self.virtual, self.outside = (os.path.join(self.base, name) for name in ("root", "virtual", "outside"))
        plant(self.outside, {"secret": SECRET, "deep": {"secret": SECRET}})
        plant(self.virtual, {"v": b"virtual\n", "out": Link("../outside")})
        plant(
            self.root,
            {
                "binary": BINARY,
                "text": b"one\ntwo\r\nthree\rfour\n" * 50,
                "empty": b"",
                "pub": {"readme": b"hello\n", "deep": {"x": b"x"}, ".hidden": b"h", "up": Link(".."), "out": Link("../../outside")},
                "void": {},
                "many": {f"{number:03}": b"" for number in range(many)},
                "link": Link("pub"),
                "gone": Link("no"),
                "loop": Link("loop"),
                "out": Link("../outside"),
                "host": Link(self.outside),
                "secret": Link("../outside/secret"),
                "passwd": Link("/etc/passwd"),
                "here": Link(os.path.join(self.root, "pub")),
                'a"b': {"c": b"c"},
                "c\x07d": b"control",
                b"e\xff": b"latin",
                " f ": b"blanks",
                "*": b"star",
                "-la": b"option",
                "two\nlines": b"lf",
            },
        )
        os.mkfifo(os.path.join(self.root, "fifo"))
        self._before = self._snapshot()

    def trouble(self) -> list[str]:
        """What has changed outside."""
        return [] if self._snapshot() == self._before else ["something outside the root has changed"]

    def remove(self) -> None:
        """It is needed no more."""
        shutil.rmtree(self.base)

    def _snapshot(self) -> list[tuple[str, int, int, bytes]]:
        found = []
        for directory, _, files in os.walk(self.outside):
            status = os.stat(directory)
            found.append((directory, status.st_mode, status.st_mtime_ns, b""))
            for name in files:
                path = os.path.join(directory, name)
                with open(path, "rb") as file:
                    found.append((path, os.stat(path).st_mode, os.stat(path).st_mtime_ns, file.read()))
        found.append(("", 0, 0, repr(sorted(os.listdir(self.base))).encode()))
        return found

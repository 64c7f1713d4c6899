"""
Directories with known content for tests, and every way in which a root can be confined.

Not here: assertions.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twistftp.storage.confinement import Confinement
from twistftp.storage.openat2 import is_available


@dataclass(frozen=True)
class Link:
    """A symbolic link in the plan of a tree."""

    target: str | bytes


def plant(root: str | bytes, plan: Mapping[str | bytes, Any]) -> None:
    """Make ``root`` and in it what the plan says: octets are a file, a mapping is a directory, a ``Link`` a link."""
    root = os.fsencode(root)
    os.makedirs(root, exist_ok=True)
    for name, content in plan.items():
        path = os.path.join(root, name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name)
        if isinstance(content, Link):
            os.symlink(os.fsencode(content.target), path)
        elif isinstance(content, Mapping):
            plant(path, content)
        else:
            with open(path, "wb") as file:
                file.write(content)


def kernel_confines() -> bool:
    """Whether ``openat2`` works on this machine."""
    descriptor = os.open("/", os.O_RDONLY)
    try:
        return is_available(descriptor)
    finally:
        os.close(descriptor)


def read_all(confinement: Confinement, *path: str) -> bytes:
    """The content of a file below the root."""
    descriptor = confinement.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.read(descriptor, 1 << 16)
    finally:
        os.close(descriptor)


def open_descriptors() -> int:
    """How many descriptors this process has (Linux); elsewhere 0."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

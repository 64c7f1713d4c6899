"""
The mark on a file that is being uploaded in its own place: ``flock(2)``, which ends with the process and is seen by all of them.

Not here: who marks (``placing``) and who minds.
"""

from __future__ import annotations

from contextlib import suppress

try:
    import fcntl
except ImportError:  # Windows: whoever is first has the file
    fcntl = None  # type: ignore[assignment]

__all__ = ["is_locked", "lock", "unlock"]


def lock(descriptor: int) -> bool:
    """Mark the file, as long as the descriptor is open. ``False``: somebody else has. A file system without locks marks nothing."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def unlock(descriptor: int) -> None:
    """Take the mark away before the descriptor is closed."""
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def is_locked(descriptor: int) -> bool:
    """Whether the file of a descriptor, which is not the marking one, is marked."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    unlock(descriptor)
    return False

"""
Small words that findings and the report share.

Not here: sentences (``causes``, ``report``).
"""

from __future__ import annotations

from collections.abc import Iterable

from twistftp.cli.doctor.seen import Answer, Ending

__all__ = ["also_said", "endings_text", "ports_text", "said"]


def ports_text(ports: Iterable[int], most: int = 20) -> str:
    """Ports as ranges: ``50000-50002, 50007``; ``"none"``."""
    ranges: list[list[int]] = []
    for port in sorted(set(ports)):
        if ranges and ranges[-1][1] == port - 1:
            ranges[-1][1] = port
        else:
            ranges.append([port, port])
    texts = [str(low) if low == high else f"{low}-{high}" for low, high in ranges]
    return ", ".join([*texts[:most], *([f"and {len(texts) - most} more"] if len(texts) > most else [])]) or "none"


def endings_text(endings: Iterable[Ending]) -> str:
    """How attempts ended, each way once."""
    return ", ".join(dict.fromkeys(ending.value for ending in endings)) or "nothing came"


def said(answer: Answer | None) -> str:
    """A reply, quoted."""
    return f'"{answer}"' if answer is not None else "nothing"


def also_said(answer: Answer | None) -> str:
    """A reply that adds to something else."""
    return f"; the server said: {said(answer)}" if answer is not None and answer.code >= 400 else ""

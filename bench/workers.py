"""
What ``--workers N`` is worth: twistftp with one process and with N, at the same work.

    python bench/workers.py --setup DIR                    once: a small file and a certificate (``compare.py --setup`` makes them, too)
    python bench/workers.py --dir DIR [--workers 2] [--work login,small,tlslogin,tlssmall] [--repeat 5] [--pin]

Not here: how a server is started and ended (``servers``), counted (``accounting``) and asked (``load``).

The generator shares the machine with the server, so on few processors the rate says how fast both are together. What the server alone could do
follows from CPU: it is as fast as its busiest process, which has a whole processor then. So for each run we count the CPU of every process and
give the rate at which the busiest one would be busy all the time, "possible"; how evenly connections are spread over the workers is in it. Where
there are processors enough for both (``--pin``), the rate that was measured should come near.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from accounting import seconds_each
from compare import WORKS, Load, Work, WorkFailed
from place import Place, set_up_little
from servers import Server, Unavailable

_SETTLE = 0.3
_WORKS = {
    "login": replace(WORKS["login"], count=100),
    "small": replace(WORKS["small50"], count=60),
    "tlslogin": replace(WORKS["tlslogin"], count=40),
    "tlssmall": replace(WORKS["tlssmall"], title="TLS: PASV + RETR 1 KiB, 50 clients", clients=50, count=20),
}


class Run(NamedTuple):
    """One round: seconds of CPU for an operation, of all processes and of the busiest; operations a second."""

    whole: float
    busiest: float
    rate: float

    @property
    def possible(self) -> float:
        """Operations a second when the busiest process is busy all the time."""
        return 1 / self.busiest


@contextmanager
def _on(processors: set[int] | None) -> Iterator[None]:
    """Children that are started meanwhile run on these processors."""
    if processors is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure(place: Place, work: Work, workers: int, generators: int, rounds: int, pin: tuple[set[int], set[int]] | None) -> list[Run]:
    """Rounds with one server; the generators, each with its part of the clients, play at once."""
    part = replace(work, clients=max(1, work.clients // generators))
    found = []
    with ExitStack() as stack:
        with _on(pin[0] if pin else None):
            server = stack.enter_context(Server("twistftp", place, work.service._replace(workers=workers)))
        with _on(pin[1] if pin else None):
            loads = [stack.enter_context(Load(part, server)) for _ in range(generators)]
        for load in loads:
            load.answer()
        for _ in range(rounds):
            time.sleep(_SETTLE)
            before = seconds_each(server.pid)
            with ThreadPoolExecutor(generators) as threads:
                results = list(threads.map(Load.round, loads))
            time.sleep(_SETTLE)
            spent = [seconds - before.get(pid, 0.0) for pid, seconds in seconds_each(server.pid).items()]
            operations = sum(result["operations"] for result in results)
            found.append(Run(sum(spent) / operations, max(spent) / operations, operations / max(result["seconds"] for result in results)))
    return found


def _median(runs: list[Run]) -> Run:
    return Run(*(statistics.median(column) for column in zip(*runs, strict=True)))


def _row(title: str, workers: int, run: Run, one: Run) -> str:
    possible, measured = (f"{rate:.0f} | {rate / rate_of_one:.2f}" for rate, rate_of_one in ((run.possible, one.possible), (run.rate, one.rate)))
    return f"| {title} | {workers} | {run.whole * 1e6:.0f} µs | {run.whole / run.busiest:.2f} | {possible} | {measured} |"


def main() -> None:
    """Every work with one process and with several, in turn; then a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setup", metavar="DIR", type=Path, help="make what is needed, then end")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()) / "twistftp-compare", help="what --setup was given (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="to be compared with one (2)")
    parser.add_argument("--generators", type=int, default=0, metavar="N", help="processes that ask (as many as workers)")
    parser.add_argument("--work", default=",".join(_WORKS), metavar="NAMES", help=f"of {','.join(_WORKS)}")
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="rounds, of which the medians are shown (5)")
    parser.add_argument("--pin", action="store_true", help="the server on the first processors, one for each worker, the generators on the others")
    options = parser.parse_args()
    if options.setup:
        set_up_little(Place(options.setup.resolve()))
        return
    names = options.work.split(",")
    if unknown := [name for name in names if name not in _WORKS]:
        parser.error(f"{', '.join(unknown)}: not one of {', '.join(_WORKS)}")
    processors = sorted(os.sched_getaffinity(0))
    if options.pin and len(processors) <= options.workers:
        parser.error(f"--pin: {len(processors)} processors leave none for the generators beside {options.workers} workers")
    pin = (set(processors[: options.workers]), set(processors[options.workers :])) if options.pin else None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # so that the servers are ended too
    place, generators = Place(options.dir.resolve()), options.generators or options.workers
    print(f"{len(processors)} processors, load average {os.getloadavg()[0]:.1f}, {generators} generators; medians of {options.repeat}.", end="\n\n")
    print("| Work | Workers | CPU of one | busy at once | possible /s | × | measured /s | × |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for work in (_WORKS[name] for name in names):
        one: Run | None = None
        for workers in (1, options.workers):
            try:
                run = _median(measure(place, work, workers, generators, options.repeat, pin))
            except (WorkFailed, Unavailable, OSError) as error:
                sys.exit(f"{work.title}, {workers} workers: {error}")
            one = one or run
            print(_row(work.title, workers, run, one), flush=True)


if __name__ == "__main__":
    main()

"""
Whether a session costs the same among 10 and among 10 000, and an entry of a listing among 100 and among 100 000; as tables and curves.

    python bench/scale.py --dir DIR [--only twistftp,pyftpdlib] [--sessions 10,100,1000,10000] [--entries 100,...] [--json FILE] [--plots DIR]

Not here: comparing servers on works of one size (``compare``). DIR is what ``compare.py --setup`` has made; directories are added where they are
missing. A curve ends where a server does, and why is said under the tables.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from compare import names_of
from instructions import Instructions
from place import Place, make_directory
from plot import Curve, curves
from report import machine
from servers import SERVERS, Server, Service, Unavailable
from work import Load, Work, WorkFailed

_SETTLE = 0.5  # seconds
_ROUNDS = 3
_OPERATIONS = 5000  # of a round of NOOPs
_MANY = 1000  # sessions from which on the memory of one can be told from what the server has at hand
_SPARE = 500  # descriptors beside those of sessions

_COUNTS = {"sessions": [10, 100, 1000, 10_000], "entries": [100, 1000, 10_000, 100_000]}

# measure: what it is of, and in what there is one more
_TITLES = {
    "noop": ("A NOOP, with so many sessions beside", "idle sessions"),
    "active": ("A NOOP, asked by so many sessions in turn", "active sessions"),
    "login": ("Login and QUIT, with so many sessions beside", "idle sessions"),
    "memory": ("Memory of a session", "idle sessions"),
    "tlsmemory": ("Memory of a session with TLS", "idle sessions"),
    "entry": ("An entry of LIST, of so many", "entries"),
}


@dataclass
class Cost:
    """Of an operation; ``instructions`` are those in user mode, None where they cannot be counted."""

    cpu: float = 0.0  # seconds
    instructions: float | None = None
    kib: float = 0.0

    def text(self) -> str:
        """For a cell."""
        if self.kib:
            return f"{self.kib:.2f} KiB"
        return f"{self.cpu * 1e6:.2f} µs" + ("" if self.instructions is None else f", {self.instructions / 1e3:.1f} k")


@dataclass
class Findings:
    """Costs by measure, server and how many there were."""

    costs: dict[str, dict[str, dict[int, Cost]]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, measured: str, name: str, count: int, cost: Cost) -> None:
        """One place of a curve."""
        self.costs.setdefault(measured, {}).setdefault(name, {})[count] = cost
        print(f"{measured:9} {name:10} {count:7} {cost.text()}", file=sys.stderr, flush=True)


# --- measuring -----------------------------------------------------------------------------------------------------------------------------------


def _cost(server: Server, load: Load, operations: int) -> Cost:
    """Of one operation; the median of some rounds."""
    found = []
    for _ in range(_ROUNDS):
        time.sleep(_SETTLE)
        before = server.cpu()
        with Instructions(server.pids()) as counter:
            load.round()
        found.append((server.cpu() - before, counter.count))
    cpu, counts = statistics.median(cpu for cpu, _ in found), [count for _, count in found if count is not None]
    return Cost(cpu / operations, statistics.median(counts) / operations if counts else None)


def _memory(server: Server, work: Work) -> tuple[Load, float]:
    """Open the sessions of ``work``; who holds them, and the KiB that each has taken."""
    with Load(Work("", "", "login", 1, 20, tls=work.tls), server) as first:  # what is made once for all is there then
        first.answer()
        first.round()
    time.sleep(_SETTLE)
    before = server.memory_kib()
    holder = Load(work, server)
    holder.__enter__()
    try:
        holder.answer()
        time.sleep(_SETTLE)
        return holder, (server.memory_kib() - before) / work.sessions
    except BaseException:
        holder.__exit__(None, None, None)
        raise


def _sessions(place: Place, name: str, count: int, findings: Findings) -> None:
    turns = max(1, _OPERATIONS // count)
    holding = Work("", "", "hold", 1, turns, is_rehearsed=False, sessions=count)
    with Server(name, place, Service()) as server:
        holder, kib = _memory(server, holding)
        try:
            if count >= _MANY:
                findings.add("memory", name, count, Cost(kib=kib))
            for measured, work in (("noop", Work("", "", "noop", 1, _OPERATIONS)), ("login", Work("", "", "login", 20, 25))):
                with Load(work, server) as load:
                    load.answer()
                    findings.add(measured, name, count, _cost(server, load, work.clients * work.count))
            findings.add("active", name, count, _cost(server, holder, turns * count))
        finally:
            holder.__exit__(None, None, None)


def _tls_sessions(place: Place, name: str, count: int, findings: Findings) -> None:
    work = Work("", "", "hold", 1, 1, tls=True, is_rehearsed=False, sessions=count)
    with Server(name, place, work.service) as server:
        holder, kib = _memory(server, work)
        holder.__exit__(None, None, None)
    findings.add("tlsmemory", name, count, Cost(kib=kib))


def _entries(place: Place, name: str, counts: list[int], findings: Findings) -> None:
    """A listing of nothing is taken off: it is the same for all, and of a small directory the greater part."""
    with Server(name, place, Service(anew=True)) as server:
        empty = Cost()
        for count in (0, *counts):
            make_directory(place.root / f"entries{count}", count)
            times = max(3, 20_000 // max(count, 100))
            with Load(Work("", "", "list", 1, times, f"/entries{count}", count), server) as load:
                load.answer()
                cost = _cost(server, load, times)
            if not count:
                empty = cost
                continue
            more = None if cost.instructions is None or empty.instructions is None else (cost.instructions - empty.instructions) / count
            findings.add("entry", name, count, Cost((cost.cpu - empty.cpu) / count, more))


def _steps(place: Place, name: str, options: argparse.Namespace, findings: Findings) -> Iterator[tuple[str, Callable[[], None]]]:
    """All that is measured of a server, each a step that may fail alone."""
    for count in options.sessions:
        yield f"{count} sessions", partial(_sessions, place, name, count, findings)
    if "TLS" not in SERVERS[name].lacks:
        for count in options.sessions:
            if count >= _MANY:
                yield f"{count} sessions with TLS", partial(_tls_sessions, place, name, count, findings)
    if options.entries:
        yield "listings", partial(_entries, place, name, options.entries, findings)


# --- telling -------------------------------------------------------------------------------------------------------------------------------------


def _markdown(findings: Findings) -> Iterator[str]:
    for measured, servers in findings.costs.items():
        title, about = _TITLES[measured]
        counts = sorted({count for costs in servers.values() for count in costs})
        yield f"**{title}**\n"
        yield f"| {about} | {' | '.join(map(str, counts))} | last : first |"
        yield "|---|" + "--:|" * (len(counts) + 1)
        for name, costs in servers.items():
            values = [_value(costs[count]) for count in sorted(costs)]
            cells = [costs[count].text() if count in costs else "–" for count in counts]
            yield f"| {name} | {' | '.join(cells)} | {values[-1] / values[0]:.2f} |"
        yield ""
    yield from findings.failures


def _value(cost: Cost) -> float:
    """What is drawn and compared: the steadiest that there is."""
    return cost.kib or cost.instructions or cost.cpu


def _draw(findings: Findings, directory: Path) -> None:
    for measured, servers in findings.costs.items():
        colours = list(SERVERS)  # the same as in all other plots
        lines = [Curve(name, [(count, _value(costs[count])) for count in sorted(costs)], colours.index(name)) for name, costs in servers.items()]
        some = [cost for costs in servers.values() for cost in costs.values()]
        if some[0].kib:
            text, unit = (lambda value: f"{value:g} KiB"), "KiB of anonymous memory"
        elif all(cost.instructions is not None for cost in some):
            text, unit = (lambda value: f"{value / 1e3:g} k"), "thousands of instructions of the server, in user mode"
        else:
            text, unit = (lambda value: f"{value * 1e6:g} µs"), "CPU time of the server"
        title, about = _TITLES[measured]
        curves(directory / f"scale-{measured}.svg", title, f"{unit}, by {about}", lines, _number, text, log=True)


def _number(count: float) -> str:
    return f"{count:,.0f}".replace(",", " ")


def _save(path: Path, conditions: str, findings: Findings) -> None:
    costs = {
        measured: {name: {count: vars(cost) for count, cost in costs.items()} for name, costs in servers.items()}
        for measured, servers in findings.costs.items()
    }
    path.write_text(json.dumps({"conditions": conditions, "costs": costs, "failures": findings.failures}, indent=1) + "\n", "utf-8")


def _load(path: Path) -> tuple[str, Findings]:
    """
    What ``_save`` has written.

    :raises ValueError: something else is in the file.
    """
    values = json.loads(path.read_text("utf-8"))
    try:
        costs = {
            measured: {name: {int(count): Cost(**cost) for count, cost in costs.items()} for name, costs in servers.items()}
            for measured, servers in values["costs"].items()
        }
        return values["conditions"], Findings(costs, values["failures"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} holds no results: {error!r}") from None


# --- the command line ----------------------------------------------------------------------------------------------------------------------------


def _counts(text: str) -> list[int]:
    found = [int(part) for part in text.split(",") if part]
    if any(not 1 <= count <= 1_000_000 for count in found):
        raise argparse.ArgumentTypeError("from 1 to 1000000")
    return sorted(found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()) / "twistftp-compare", help="what --setup was given (%(default)s)")
    parser.add_argument("--only", type=names_of(SERVERS), default=["twistftp"], metavar="NAMES", help=f"of {','.join(SERVERS)} (twistftp)")
    for what, counts in _COUNTS.items():
        known = ",".join(map(str, counts))
        parser.add_argument(f"--{what}", type=_counts, default=counts, metavar="COUNTS", help=f"how many {what} ({known}); '' for none")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here as well")
    parser.add_argument("--from-json", type=Path, metavar="FILE", help="measure nothing; tables and plots of a run whose --json this was")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw each table as an SVG in this directory")
    return parser.parse_args()


def _raise_limit(wanted: int) -> None:
    """
    Let this process and its children have so many open files.

    :raises OSError, ValueError: the system does not permit it.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = hard if hard == resource.RLIM_INFINITY else max(hard, wanted)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, most) if most > 0 else wanted, most))


def _measure(options: argparse.Namespace) -> Findings:
    """Each server in turn."""
    place = Place(options.dir.resolve())
    if not place.is_ready:
        sys.exit(f"{place.directory} is not ready: run compare.py --setup {place.directory} first")
    wanted = max([*options.sessions, 0]) + _SPARE
    try:
        _raise_limit(wanted)
    except (OSError, ValueError):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        sys.exit(f"{wanted} open files are wanted, and {most} permitted: start as root, raise it by ulimit -Hn, or take fewer --sessions")
    findings = Findings()
    for name in options.only:
        for what, step in _steps(place, name, options, findings):
            try:
                step()
            except (WorkFailed, Unavailable, OSError, subprocess.SubprocessError) as error:
                findings.failures.append(f"- {name}, {what}: {str(error) or type(error).__name__}")
                print(findings.failures[-1], file=sys.stderr, flush=True)
    return findings


def main() -> None:
    """Measure, or read what was measured; then tables and curves."""
    options = _options()
    if options.from_json:
        try:
            conditions, findings = _load(options.from_json)
        except (OSError, ValueError) as error:
            sys.exit(str(error))
    else:
        findings = _measure(options)
        conditions = f"{machine()}; medians of {_ROUNDS}; CPU of the server, and instructions in user mode."
    print("\n".join([conditions, "", *_markdown(findings)]))
    if options.json:
        _save(options.json, conditions, findings)
    if options.plots:
        _draw(findings, options.plots)


if __name__ == "__main__":
    main()

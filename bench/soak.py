"""
Lets well-behaved and hostile clients at a twistftp for a long time, and requires that it holds no more at the end than at the beginning.

    python bench/soak.py [--seconds 3600] [--seed 959] [--clients 8] [--json FILE] [--plots DIR]
    python bench/soak.py --visits 4 --clients 3       a few seconds, in which always the same is done: the tests' profile
    python bench/soak.py --from-json FILE --plots DIR draws a soak again

Not here: what clients do (``guests``, ``vandals``), and what is looked at (``watch``).

The time is divided into rounds. After each all clients leave, and the server, once it has noticed, is calm: these samples are compared.
Exit status 1: something grew, a guest was not served as it should have been, an unfinished upload was left, or the server ended.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle
from operator import attrgetter
from pathlib import Path
from typing import Any

import guests
import vandals
from place import Place, make_certificate, make_directory, make_users_file
from plot import Curve, curves
from report import machine
from servers import Program, Server, Service, Unavailable, free_ports, twistftp_command
from watch import Growth, Sample, Watch, growths

_ROUNDS = 12  # at least, if none is shorter than
_SHORTEST, _LONGEST = 1.0, 60.0  # seconds of a round
_ROUNDS_OF_VISITS = 4  # where visits are counted instead
_PORTS = 40  # passive ports; a guest's address needs one for each that waits at the same time
_TO_CALM = 90.0  # seconds until a server without clients is calm; clients that are gone without a word take longest
_PATIENCE = 180.0  # seconds for the last visit of a round
_SAMPLES = 4  # of a round, at most one a second
_MOST_FAILURES = 20
_IN_MINUTES = 600  # seconds from which on curves are drawn over minutes
_DRAWN = ("descriptors", "listeners", "sessions", "leases", "delayed_calls")


# Somebody who has gone in the middle of a thousand commands, with LIST the next, is noticed when no data connection has come. A guest on a busy
# machine may take a while to connect.
_CONFIGURATION = """
[[site]]
[site.limits]
data_channel_timeout = 10
data_stall_timeout = 60
unauthenticated_timeout = 20
"""


@dataclass(frozen=True)
class Round:
    """How long clients come again in a round: for some seconds or, if there is a number of ``visits``, each so many times."""

    seconds: float
    visits: int = 0


class Crowd:
    """Threads of clients. Each does all kinds of things in turn, in an order of its own; the details come from a generator of its own."""

    def __init__(self, scene: guests.Scene, clients: int, seed: int) -> None:
        self._scene, self._seed = scene, seed
        self._visits = [_in_turn(list(guests.VISITS), f"{seed} {who} visits") for who in range(clients)]
        self._attacks = [_in_turn(list(vandals.ATTACKS), f"{seed} {who} attacks") for who in range(clients)]
        self.done: Counter[str] = Counter()
        self.failures: list[str] = []
        self._lock = threading.Lock()

    def play(self, number: int, round_: Round) -> list[threading.Thread]:
        """A round of that number; gives the threads, which end by themselves."""
        until = time.monotonic() + round_.seconds

        def goes_on(done: int) -> bool:
            return done < round_.visits if round_.visits else time.monotonic() < until

        def client(kind: str, who: int, do: Callable[[Any, random.Random], str], kinds: Iterator[Any]) -> threading.Thread:
            rng = random.Random(f"{self._seed} {number} {who} {kind}")
            return threading.Thread(target=self._repeat, args=(do, kinds, rng, goes_on), daemon=True)

        threads = [client("visits", who, self._visit, kinds) for who, kinds in enumerate(self._visits)]
        threads += [client("attacks", who, self._attack, kinds) for who, kinds in enumerate(self._attacks)]
        for thread in threads:
            thread.start()
        return threads

    def _repeat(self, do: Callable[[Any, random.Random], str], kinds: Iterator[Any], rng: random.Random, goes_on: Callable[[int], bool]) -> None:
        done = 0
        while goes_on(done):
            what = do(next(kinds), rng)
            done += 1
            with self._lock:
                self.done[what] += 1

    def _visit(self, name: str, rng: random.Random) -> str:
        try:
            guests.VISITS[name](self._scene, rng)
        except Exception as error:  # whatever it is, a guest was not served
            with self._lock:
                self.failures.append(f"{name}: {type(error).__name__}: {error}")
        return name

    def _attack(self, attack: vandals.Attack, rng: random.Random) -> str:
        try:
            attack(self._scene, rng)
        except vandals.EXPECTED:
            pass
        except Exception as error:  # ours to mend: or the thread would end, and nobody notice
            with self._lock:
                self.failures.append(f"{attack.__name__}: {type(error).__name__}: {error}")
        return attack.__name__


def _in_turn(kinds: list[Any], seed: str) -> Iterator[Any]:
    """All of them again and again."""
    random.Random(seed).shuffle(kinds)
    return cycle(kinds)


# --- the server ----------------------------------------------------------------------------------------------------------------------------------


def _prepare(place: Place, small: bytes) -> None:
    place.uploads.mkdir(parents=True)
    (place.root / guests.SMALL).write_bytes(small)
    with (place.root / guests.BIG).open("wb") as file:
        file.truncate(256 << 20)  # sparse: it is there to be broken off
    make_directory(place.root / guests.DIRECTORY, guests.ENTRIES)
    make_certificate(place)
    make_users_file(place)


def _program(socket_path: Path) -> Program:
    low = free_ports(_PORTS)

    def command(place: Place, port: int, service: Service) -> list[str]:
        configuration = place.directory / "ftp.toml"
        configuration.write_text(_CONFIGURATION)
        more = ["--config", str(configuration), "--passive-ports", f"{low}-{low + _PORTS - 1}"]
        more += ["--control-socket", str(socket_path), "--allow", "*:read,write"]
        return [*twistftp_command(place, port, service), *more]

    return Program(command)


# --- rounds --------------------------------------------------------------------------------------------------------------------------------------


class Trouble(Exception):
    """The soak cannot go on; the text says why."""


def _calm(watch: Watch, began: float) -> Sample:
    """
    The first sample without anybody.

    :raises Trouble: there is none.
    """
    deadline = time.monotonic() + _TO_CALM
    while not (sample := watch.sample(time.monotonic() - began)).is_calm:
        if time.monotonic() > deadline:
            raise Trouble(f"{_TO_CALM:.0f} s after all clients have gone: {sample}")
        time.sleep(0.05)
    return sample


def _soak(crowd: Crowd, watch: Watch, seconds: float, visits: int) -> tuple[list[Sample], list[Sample]]:
    """
    Rounds until the time is over; all samples, and the calm ones.

    :param visits: of each client in a round; then there are a few rounds, however long they take. 0: as many as there is time for.
    :raises Trouble: a client does not end, or the server does not become calm.
    """
    round_ = Round(0.0 if visits else min(max(seconds / _ROUNDS, _SHORTEST), _LONGEST), visits)
    began, number = time.monotonic(), 0
    samples = [_calm(watch, began)]
    calm: list[Sample] = []
    while len(calm) < _ROUNDS_OF_VISITS or (not visits and time.monotonic() - began < seconds):
        threads = crowd.play(number, round_)
        number += 1
        ends = time.monotonic() + round_.seconds
        while (left := ends - time.monotonic()) > 0:
            time.sleep(min(left, max(1.0, round_.seconds / _SAMPLES)))
            samples.append(watch.sample(time.monotonic() - began))
        deadline = time.monotonic() + _PATIENCE
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in threads):
            raise Trouble(f"a client is still not served after {_PATIENCE:.0f} s")
        calm.append(_calm(watch, began))
        samples.append(calm[-1])
        print(f"{calm[-1].seconds:6.0f} s: {crowd.done.total()} visits and attacks, {calm[-1]}", file=sys.stderr, flush=True)
    return samples, calm


# --- telling -------------------------------------------------------------------------------------------------------------------------------------


def _draw(directory: Path, samples: list[Sample]) -> None:
    unit, seconds = ("min", 60.0) if samples[-1].seconds > _IN_MINUTES else ("s", 1.0)
    calm = [sample for sample in samples if sample.is_calm]

    def line(name: str, values: Callable[[Sample], float], some: list[Sample]) -> Curve:
        return Curve(name, [(sample.seconds / seconds, values(sample)) for sample in some])

    def time_text(value: float) -> str:
        return f"{value:g} {unit}"

    held = [line(name.replace("_", " "), attrgetter(name), samples) for name in _DRAWN]
    curves(directory / "soak-counts.svg", "Soak: what the server holds", "after each round all clients leave", held, time_text, "{:g}".format)
    memory = [
        line(name, lambda sample: sample.kib / 1024, some) for name, some in (("while clients are there", samples), ("when they have gone", calm))
    ]
    curves(directory / "soak-memory.svg", "Soak: the server’s memory", "Pss_Anon", memory, time_text, "{:g} MiB".format)


def _save(path: Path, samples: list[Sample], done: Mapping[str, int]) -> None:
    values = {"conditions": machine(), "done": done, "samples": [sample._asdict() for sample in samples]}
    path.write_text(json.dumps(values) + "\n", "utf-8")


def _load(path: Path) -> list[Sample]:
    """
    The samples that ``_save`` has written.

    :raises ValueError: something else is in the file.
    """
    try:
        return [Sample(**values) for values in json.loads(path.read_text("utf-8"))["samples"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no samples: {error!r}") from None


def _tell(crowd: Crowd, found: list[Growth], troubles: list[str], totals: object) -> None:
    print(f"{machine()}.\n")
    print("| What is held when nobody is there | at first | at last | by a line through all |\n|---|--:|--:|--:|")
    for growth in found:
        sign = " **grows**" if growth.is_leak else ""
        print(f"| {growth.measured.replace('_', ' ')}{sign} | {growth.first:g} | {growth.last:g} | {growth.gain:+.1f} |")
    print(f"\n{', '.join(f'{count} × {what}' for what, count in sorted(crowd.done.items()))}.\nThe server counted {json.dumps(totals)}.\n")
    for trouble in troubles:
        print(f"- {trouble}")
    print("Nothing grew." if not troubles else "FAILED")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600.0, help="how long (%(default)g); rounds that have begun are ended")
    parser.add_argument("--visits", type=int, default=0, metavar="N", help="of each client in each of a few rounds, instead of --seconds")
    parser.add_argument("--seed", type=int, default=959, help="what clients choose comes from this number (%(default)s)")
    parser.add_argument("--clients", type=int, default=8, help="of each kind, all at once (%(default)s)")
    parser.add_argument("--grow-mib", type=float, default=6.0, help="by how much memory may have grown since the first quarter (%(default)g)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples here")
    parser.add_argument("--from-json", type=Path, metavar="FILE", help="soak nothing; draw what was written there")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw them as SVG in this directory")
    return parser.parse_args()


def main() -> int:
    """Soak, compare, tell; the exit status."""
    options = _options()
    if options.from_json:
        try:
            _draw(options.plots or Path(), _load(options.from_json))
        except (OSError, ValueError) as error:
            sys.exit(str(error))
        return 0
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    small = random.Random(options.seed).randbytes(300_000)
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        place = Place(Path(directory), lasts=False)
        _prepare(place, small)
        socket_path = place.directory / "s"
        samples: list[Sample] = []
        calm: list[Sample] = []
        troubles: list[str] = []
        totals: object = None
        with Server("twistftp", place, Service(tls=True, writing=True), proc=True, program=_program(socket_path)) as server:
            crowd = Crowd(guests.scene(server.port, small), options.clients, options.seed)
            try:
                watch = Watch(server.pids()[0], str(socket_path))
            except OSError as error:
                raise Unavailable(f"{server.greeting} It has no control socket ({error}): {server.last_words()}") from None
            try:
                samples, calm = _soak(crowd, watch, options.seconds, options.visits)
                totals = watch.totals()
            except (Trouble, OSError) as error:
                troubles.append(f"the server ended: {server.last_words()}" if server.ended else str(error))
            finally:
                watch.close()
        if "Traceback" in (log := (place.directory / "twistftp.log").read_text(errors="replace")):
            troubles.append(f"a traceback in the log: {log[log.index('Traceback') :][:2000]}")
        troubles += [f"an upload was left: {path.name}" for path in place.uploads.iterdir()]
    found = growths(calm, {"kib": options.grow_mib * 1024}) if calm else []
    troubles += [f"{growth.measured} grew from {growth.first:g} to {growth.last:g}" for growth in found if growth.is_leak]
    troubles += [f"it went wrong: {failure}" for failure in crowd.failures[:_MOST_FAILURES]]
    _tell(crowd, found, troubles, totals)
    if options.json:
        _save(options.json, samples, crowd.done)
    if options.plots and calm:
        _draw(options.plots, samples)
    return 1 if troubles else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Unavailable as error:
        sys.exit(str(error))

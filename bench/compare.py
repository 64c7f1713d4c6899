"""
Compares twistftp with vsftpd, pyftpdlib and Twisted's stock FTP server on the same work, and prints the README's table of figures.

    python bench/compare.py --setup DIR                    once: the peers, a certificate, a tree to serve (1.2 GB)
    python bench/compare.py --dir DIR [--only twistftp,vsftpd] [--work login,noop] [--repeat 3] [--quick] [--json FILE] [--plots DIR]
    python bench/compare.py --from-json FILE --plots DIR   draws a run again

Not here: how a server is started and ended (``servers``), counted (``accounting``) and asked (``load``); any figure of a run.
Progress goes to standard error and the tables to standard output. README.md beside this file says how to read them.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from place import UPLOADS, Place, set_up
from report import Run, machine, tell_again
from servers import SERVERS, Server, Unavailable
from table import MEASURES, Figures, NotOffered, Results
from work import Load, Work, WorkFailed

_SETTLE = 0.3  # seconds until what ended sessions and starting leave behind is done
_GB = 1e9


WORKS = {
    "start": Work("start", "start", "start"),
    "login": Work("log in and out, 20 clients", "session", "login", 20, 50),
    "login300": Work("log in and out, 300 at once", "session", "login", 300),
    "noop": Work("NOOP, 1 client", "command", "noop", 1, 5000),
    "noop50": Work("NOOP, 50 clients", "command", "noop", 50, 200),
    "pipe": Work("NOOP, pipelined", "command", "pipe", 1, 5000),
    "small": Work("PASV + RETR 1 KiB, 1 client", "file", "retr", 1, 500, "/1k.bin", 1 << 10),
    "small50": Work("PASV + RETR 1 KiB, 50 clients", "file", "retr", 50, 40, "/1k.bin", 1 << 10),
    "big": Work("RETR 1 GiB, 1 client", "GB", "retr", 1, 1, "/1g.bin", 1 << 30),
    "big20": Work("RETR 10 MiB, 20 clients", "GB", "retr", 20, 10, "/10m.bin", 10 << 20),
    "list1k": Work("LIST 1 000 entries", "listing", "list", 1, 30, "/dir1k", 1000, anew=True),
    "list20k": Work("LIST 20 000 entries", "listing", "list", 1, 3, "/dir20k", 20000, anew=True),
    "mlsd1k": Work("MLSD 1 000 entries", "listing", "mlsd", 1, 30, "/dir1k", 1000, anew=True),
    "again1k": Work("LIST 1 000 entries, unchanged", "listing", "list", 1, 100, "/dir1k", 1000),
    "again20k": Work("LIST 20 000 entries, unchanged", "listing", "list", 1, 10, "/dir20k", 20000),
    "stor": Work("STOR 1 GiB, 1 client", "GB", "stor", 1, 1, f"/{UPLOADS}", 1 << 30),
    "stor20": Work("STOR 10 MiB, 20 clients", "GB", "stor", 20, 5, f"/{UPLOADS}", 10 << 20),
    "tlslogin": Work("TLS: log in and out, 20 clients", "session", "login", 20, 20, tls=True),
    "tlssmall": Work("TLS: PASV + RETR 1 KiB, 1 client", "file", "retr", 1, 200, "/1k.bin", 1 << 10, tls=True),
    "tlsbig": Work("TLS: RETR 1 GiB, 1 client", "GB", "retr", 1, 1, "/1g.bin", 1 << 30, tls=True),
    "idle": Work("idle sessions", "session", "idle", 1, 1000),
}


# --- measuring -----------------------------------------------------------------------------------------------------------------------------------


def _starts(make: Callable[[], Server], work: Work, rounds: int) -> list[Figures]:
    """One start more than asked for: the first may have to compile modules."""
    found = []
    for _ in range(rounds + 1):
        with make() as server:
            found.append({"start": server.seconds_to_start, "cpu": server.cpu(), "footprint": server.memory_kib() / 1024})
    return found[1:]


def _idle_sessions(make: Callable[[], Server], work: Work, rounds: int) -> list[Figures]:
    """Each time with a server of its own, which has served a session before."""
    found = []
    for _ in range(rounds):
        with make() as server, Load(work, server) as load:
            load.answer()
            time.sleep(_SETTLE)
            before = server.memory_kib()
            operations = load.round()["operations"]
            time.sleep(_SETTLE)
            found.append({"memory": (server.memory_kib() - before) / operations})
    return found


@contextmanager
def _no_uploads(server: Server) -> Iterator[None]:
    """Before, nothing is there that the server might refuse to replace; afterwards nothing is left, however the block ends."""
    server.place.remove_uploads()
    try:
        yield
    finally:
        server.place.remove_uploads()


def _check_uploads(server: Server, work: Work) -> None:
    wanted, sizes = work.clients * work.count, server.place.uploaded()
    if sizes != [work.expect] * wanted:
        raise WorkFailed(f"STOR: {sum(sizes)} octets in {len(sizes)} files instead of {wanted} files of {work.expect}")


def _operations(make: Callable[[], Server], work: Work, rounds: int) -> list[Figures]:
    """All rounds with one server and, but for logins, with sessions that exist before the clock runs."""
    found = []
    with make() as server, _no_uploads(server), Load(work, server) as load:
        try:
            server.cipher = load.answer()["cipher"]
            for _ in range(rounds):
                server.place.remove_uploads()  # here and not by the server: to free their room is no part of an upload
                time.sleep(_SETTLE)
                before = server.cpu()
                result = load.round()
                time.sleep(_SETTLE)
                amount = result["octets"] / _GB if work.unit == "GB" else result["operations"]
                figures = {"cpu": (server.cpu() - before) / amount, "rate": amount / result["seconds"]}
                if result["p99"] is not None:
                    figures["p99"] = result["p99"]
                if work.tls and result["transfers"]:
                    figures["resumed"] = result["resumed"] / result["transfers"]
                if work.service.writing:
                    _check_uploads(server, work)
                found.append(figures)
        except WorkFailed as error:
            raise WorkFailed(f"the server ended: {server.last_words()}" if server.ended else str(error)) from None
    return found


_MEASURERS = {"start": _starts, "idle": _idle_sessions}


def measure(work: Work, rounds: int, make: Callable[[], Server]) -> Figures | str:
    """The medians of all rounds, or why there are none."""
    try:
        found = _MEASURERS.get(work.kind, _operations)(make, work, rounds)
    except (WorkFailed, Unavailable, OSError, subprocess.SubprocessError) as error:
        return str(error) or type(error).__name__
    return {measured: statistics.median(figures[measured] for figures in found) for measured in found[0]}


# --- the command line ----------------------------------------------------------------------------------------------------------------------------


def names_of(known: dict[str, Any]) -> Callable[[str], list[str]]:
    def names(text: str) -> list[str]:
        if unknown := [name for name in text.split(",") if name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not one of {', '.join(known)}")
        return text.split(",")

    return names


def positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 100:
        raise argparse.ArgumentTypeError("from 1 to 100")
    return number


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setup", metavar="DIR", type=Path, help="install the peers and make the tree, then end")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()) / "twistftp-compare", help="what --setup was given (%(default)s)")
    parser.add_argument("--only", type=names_of(SERVERS), default=list(SERVERS), metavar="NAMES", help=f"of {','.join(SERVERS)}")
    parser.add_argument("--work", type=names_of(WORKS), default=list(WORKS), metavar="NAMES", help=f"of {','.join(WORKS)}")
    parser.add_argument("--repeat", type=positive, default=3, metavar="N", help="rounds, of which the medians are shown (3)")
    parser.add_argument("--quick", action="store_true", help="divide the counts by 20: to see that all works, not to quote")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here as well, for --from-json")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw each table as an SVG in this directory")
    parser.add_argument("--from-json", type=Path, metavar="FILE", help="measure nothing; tables and plots of a run whose --json this was")
    parser.add_argument("--proc", action="store_true", help="read /proc even where a cgroup could be made")
    return parser.parse_args()


def _said(outcome: Figures | str) -> str:
    if isinstance(outcome, NotOffered):
        return outcome
    if isinstance(outcome, str):
        return f"FAILED: {outcome}"
    return ", ".join(f"{measured} {MEASURES[measured].text(value)}" for measured, value in outcome.items())


def _conditions(methods: set[str], greetings: dict[str, str], ciphers: dict[str, str], options: argparse.Namespace) -> str:
    """Under which the figures came about."""
    facts = [
        machine(),
        f"medians of {options.repeat}{', counts divided by 20' if options.quick else ''}",
        f"CPU by {' and '.join(sorted(methods))}",
        "greetings: " + ", ".join(f"{name} “{greeting}”" for name, greeting in greetings.items()),
    ]
    if ciphers:
        facts.append("TLS: " + ", ".join(f"{name} {cipher}" for name, cipher in ciphers.items()))
    return "; ".join(facts) + "."


def main() -> None:
    """Every work with every server in turn, then the tables."""
    options = _options()
    if options.setup:
        set_up(Place(options.setup.resolve()))
        return
    if options.from_json:
        tell_again(options)
        return
    place = Place(options.dir.resolve())
    if not place.is_ready:
        sys.exit(f"{place.directory} is not ready: run with --setup {place.directory} first")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # so that the servers are ended too
    results: Results = {name: {} for name in options.work}
    methods: set[str] = set()
    greetings: dict[str, str] = {}
    ciphers: dict[str, str] = {}
    for work_name in options.work:
        work = WORKS[work_name].divided(20) if options.quick else WORKS[work_name]
        for name in options.only:  # the servers take turns in each work, so that slow times of a shared machine hit all
            made: list[Server] = []

            def make(name: str = name, work: Work = work, made: list[Server] = made) -> Server:
                made.append(Server(name, place, work.service, proc=options.proc))
                return made[-1]

            lacking = work.lacking(name)
            outcome = results[work_name][name] = NotOffered(f"no {lacking}") if lacking else measure(work, options.repeat, make)
            if made and made[-1].greeting:
                methods.add(made[-1].account.method)
                greetings[name] = made[-1].greeting
                ciphers |= {name: made[-1].cipher} if made[-1].cipher else {}
            print(f"{work_name:9} {name:10} {_said(outcome)}", file=sys.stderr, flush=True)
    titles = {name: (WORKS[name].title, WORKS[name].unit) for name in options.work}
    Run(_conditions(methods, greetings, ciphers, options), options.only, titles, results).tell(options.json, options.plots)


if __name__ == "__main__":
    main()

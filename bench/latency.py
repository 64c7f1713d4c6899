"""
How long another client's NOOP takes while a server has something big to do, for twistftp and its peers.

    python bench/latency.py --dir DIR [--only twistftp,pyftpdlib] [--work cold,hash] [--cold GIB] [--quick] [--json FILE] [--plots DIR]
    python bench/latency.py --from-json FILE --plots DIR   draws a run again

Not here: asking NOOP (``probe``), giving work (``load``), and works whose own speed counts (``compare``).
DIR is what ``compare.py --setup`` has made. What is missing for these works is made there when it is wanted: 4 GiB (``--cold``), and a
directory of 100 000 files.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from compare import names_of, positive
from place import UPLOADS, Place, make_cold_file, make_directory
from report import Run, machine, tell_again
from servers import SERVERS, Server, Unavailable
from table import Figures, NotOffered, Results
from work import Child, Load, Work, WorkFailed

_QUIET = 3.0  # seconds
_SETTLE = 0.3
_GIB = 1 << 30
_COLD_GIB = 4
_COLD = "cold.bin"
_NICE = ["nice", "-n", "15"]  # the generator should take the server's CPU no more than the clients of a busy site would

WORKS = {
    "quiet": Work("nothing else", "", "quiet"),
    "cold": Work("RETR of a cold file", "", "retr", 1, 1, f"/{_COLD}", is_rehearsed=False),
    "list100k": Work("LIST 100 000 entries", "", "list", 1, 4, "/dir100k", 100_000, anew=True),
    "mlsd100k": Work("MLSD 100 000 entries", "", "mlsd", 1, 4, "/dir100k", 100_000, anew=True),
    "tls20": Work("TLS: RETR 10 MiB, 20 clients", "", "retr", 20, 8, "/10m.bin", 10 << 20, tls=True),
    "stor": Work("STOR 1 GiB", "", "stor", 1, 2, f"/{UPLOADS}", _GIB, is_rehearsed=False, synced=True),
    "hash": Work("HASH 1 GiB", "", "hash", 1, 2, "/1g.bin"),
}


def _works(options: argparse.Namespace) -> dict[str, Work]:
    """Those that are asked for; everything once and a cold GiB where it has to be quick."""
    gib = options.cold or (1 if options.quick else _COLD_GIB)
    found = {}
    for name in options.work:
        work = WORKS[name]
        if work.path == f"/{_COLD}":
            found[name] = replace(work, title=f"RETR of a cold file of {gib} GiB", expect=gib * _GIB)
        else:
            found[name] = replace(work, count=1) if options.quick else work
    return found


def _measure(work: Work, name: str, place: Place) -> Figures:
    """
    One client asks the server at work, and another one a second server of the same kind that has nothing to do.

    :raises WorkFailed: it came to nothing.
    """
    place.remove_uploads()
    with (
        Server(name, place, work.service) as server,
        Server(name, place, work.service, beside=True) as idle,
        Child("probe.py", server, []) as probe,  # in the clear: TLS is the others' affair
        Child("probe.py", idle, []) as beside,
    ):
        if work.kind == "quiet":
            found = _ask(probe, beside, lambda: time.sleep(_QUIET))
        else:
            with Load(work, server, _NICE) as load:
                load.answer()
                if work.path == f"/{_COLD}":
                    make_cold_file(place.root / _COLD, work.expect)
                found = _ask(probe, beside, load.round)
    place.remove_uploads()
    return found


def _ask(probe: Child, beside: Child, do: Any) -> Figures:
    for child in (probe, beside):
        child.answer()
    time.sleep(_SETTLE)
    for child in (probe, beside):
        child.go()
    do()
    for child in (probe, beside):
        child.go()
    asked, compared = probe.answer(), beside.answer()
    return {"others": asked["p99"], "worst": asked["worst"], "beside": compared["p99"]}


def _prepare(place: Place, works: list[Work]) -> None:
    """Make what these works want and ``--setup`` has not made."""
    if any(work.path == "/dir100k" for work in works):
        make_directory(place.root / "dir100k", 100_000)
    for work in works:
        if work.path == f"/{_COLD}":
            make_cold_file(place.root / _COLD, work.expect)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()) / "twistftp-compare", help="what --setup was given (%(default)s)")
    parser.add_argument("--only", type=names_of(SERVERS), default=list(SERVERS), metavar="NAMES", help=f"of {','.join(SERVERS)}")
    parser.add_argument("--work", type=names_of(WORKS), default=list(WORKS), metavar="NAMES", help=f"of {','.join(WORKS)}")
    parser.add_argument("--cold", type=positive, metavar="GIB", help=f"size of the cold file, which is kept ({_COLD_GIB})")
    parser.add_argument("--quick", action="store_true", help="once each, and a cold file of 1 GiB")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here as well, for --from-json")
    parser.add_argument("--from-json", type=Path, metavar="FILE", help="measure nothing; tables and plots of a run whose --json this was")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw each table as an SVG in this directory")
    return parser.parse_args()


def main() -> None:
    """Every work with every server in turn, then the tables."""
    options = _options()
    if options.from_json:
        tell_again(options)
        return
    place = Place(options.dir.resolve())
    if not place.is_ready:
        sys.exit(f"{place.directory} is not ready: run compare.py --setup {place.directory} first")
    works = _works(options)
    _prepare(place, list(works.values()))
    results: Results = {name: {} for name in works}
    for key, work in works.items():
        for name in options.only:
            lacking = work.lacking(name)
            try:
                outcome: Figures | str = NotOffered(f"no {lacking}") if lacking else _measure(work, name, place)
            except (WorkFailed, Unavailable, OSError, subprocess.SubprocessError) as error:
                outcome = str(error) or type(error).__name__
            results[key][name] = outcome
            said = outcome if isinstance(outcome, str) else ", ".join(f"{measured} {value * 1e3:.2f} ms" for measured, value in outcome.items())
            print(f"{key:9} {name:10} {said}", file=sys.stderr, flush=True)
    conditions = f"{machine()}; NOOP every 2 ms by a process of its own"
    Run(f"{conditions}.", options.only, {name: (work.title, work.unit) for name, work in works.items()}, results).tell(options.json, options.plots)


if __name__ == "__main__":
    main()

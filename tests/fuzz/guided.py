"""
Coverage-guided fuzzing of one pure parser: ``python -m tests.fuzz.guided NAME [options of libFuzzer] [corpus directory]``.

Not here: the parsers (``parsers``). Needs atheris (``pip install atheris``); an input that breaks a promise is printed and kept as ``crash-…``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Run until an input breaks a promise, or as long as the options say (``-runs``, ``-max_total_time``)."""
    import atheris

    with atheris.instrument_imports(include=["twistftp"], enable_loader_override=False):
        from tests.fuzz.parsers import PARSERS, SAMPLES
    name, options = (arguments[0] if arguments else ""), arguments[1:]
    if name not in PARSERS:
        print(f"usage: python -m tests.fuzz.guided NAME [options of libFuzzer]; NAME is one of {', '.join(PARSERS)}", file=sys.stderr)
        raise SystemExit(2)
    with tempfile.TemporaryDirectory() as seeds:
        for number, sample in enumerate(SAMPLES[name]):
            (Path(seeds) / str(number)).write_bytes(sample)
        # New inputs go to the first directory: the caller's, if there is one.
        atheris.Setup([sys.argv[0], *options, seeds], PARSERS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])

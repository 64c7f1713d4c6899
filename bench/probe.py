"""
A client that asks NOOP again and again while others give the server work: how long one that comes at any time has to wait.

Not here: the work (``load``), and which there is (``latency``). A process of its own, so that nothing but the server is waited for; as root it also
goes before all others on the machine.

The dialogue: we log in and say {"ready": true}; the first line lets us ask, the next one stops us, and we answer with the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
import time

from client import Failed, Session

_PACE = 0.002  # seconds


def ask(session: Session) -> list[float]:
    """
    Until there is a line to read: what one had to wait who wanted to ask every ``_PACE`` seconds.

    While a reply is waited for these wait, too: each counts from when it wanted to ask, or long waits would count no more than short ones.
    """
    waited = []
    due = time.perf_counter()
    while not select.select([sys.stdin], [], [], max(0.0, due - time.perf_counter()))[0]:
        session.command("NOOP", b"200")
        now = time.perf_counter()
        while due <= now:
            waited.append(now - due)
            due += _PACE
    return sorted(waited)


def main() -> None:
    """Log in, ask while we are told to, tell."""
    parser = argparse.ArgumentParser(description="The client of latency.py that has to wait.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", default="anonymous")
    parser.add_argument("--password", default="bench@example.org")
    options = parser.parse_args()
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        pass  # not root: then the machine's other work is waited for as well
    try:
        session = Session(options.port)
        session.login(options.user, options.password)
        session.command("NOOP", b"200")
        print(json.dumps({"ready": True}), flush=True)
        sys.stdin.readline()
        waited = ask(session)
        session.drop()
    except (Failed, OSError) as error:
        print(json.dumps({"failed": str(error) or type(error).__name__}), flush=True)
        return
    print(json.dumps({"p99": waited[int(len(waited) * 0.99)], "worst": waited[-1]}), flush=True)


if __name__ == "__main__":
    main()

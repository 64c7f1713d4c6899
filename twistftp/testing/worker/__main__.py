"""
``python -m twistftp.testing.worker``: started by ``testing.link``, whose end it does not outlive.

Not here: what it does (``host``).
"""

from __future__ import annotations

import os
import signal
import sys

_LOOK = 1.0  # seconds between two looks at whether the parent is alive: a fork of it may hold the pipe open


def main() -> None:
    """Listen to standard input and answer on standard output until the former ends."""
    from twisted.internet import reactor, stdio, task

    from twistftp.testing.worker.host import Host

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests; they end this
    answers = os.dup(1)
    os.dup2(2, 1)  # a print must not get between the answers
    sys.stdout = sys.stderr
    host = Host(reactor)
    stdio.StandardIO(host, 0, answers, reactor=reactor)  # type: ignore[call-arg, misc]
    parent = os.getppid()

    def look() -> None:
        if os.getppid() != parent:
            host.connectionLost()

    task.LoopingCall(look).start(_LOOK, now=False)
    reactor.run(installSignalHandlers=False)  # type: ignore[call-arg]


if __name__ == "__main__":
    main()

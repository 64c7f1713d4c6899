"""
Runs a peer that has to be started from Python: ``peers.py pyftpdlib|twisted PORT ROOT``, by the Python of the peers' environment.

Not here: twistftp, or any setting that makes a peer slower than it comes. Each serves ROOT read-only to anonymous users on 127.0.0.1, with limits on
the number of sessions lifted, a backlog as long as twistftp's, and no log.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

_BACKLOG = 511
_HOST = "127.0.0.1"


def _pyftpdlib(port: int, root: str) -> None:
    """pyftpdlib's asynchronous server; it would refuse the 513th session."""
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.servers import FTPServer

    # The level must be set before the server looks at it; it logs a line for each login and transfer otherwise.
    logging.basicConfig(level=logging.ERROR)
    authorizer = DummyAuthorizer()
    authorizer.add_anonymous(root)
    FTPHandler.authorizer = authorizer
    server = FTPServer((_HOST, port), FTPHandler, backlog=_BACKLOG)
    server.max_cons = server.max_cons_per_ip = 0
    server.serve_forever()


def _twisted(port: int, root: str) -> None:
    """``twisted.protocols.ftp`` as ``twistd ftp`` sets it up, but on the loopback interface and with a longer backlog."""
    from twisted.cred.checkers import AllowAnonymousAccess
    from twisted.cred.portal import Portal
    from twisted.internet import reactor as installed
    from twisted.protocols.ftp import FTPFactory, FTPRealm

    reactor: Any = installed  # Twisted's hints know no reactor that has all interfaces
    reactor.listenTCP(port, FTPFactory(Portal(FTPRealm(root), [AllowAnonymousAccess()])), backlog=_BACKLOG, interface=_HOST)
    reactor.run()


_PEERS = {"pyftpdlib": _pyftpdlib, "twisted": _twisted}

if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in _PEERS:
        sys.exit(__doc__)
    _PEERS[sys.argv[1]](int(sys.argv[2]), sys.argv[3])

"""
Runs a peer that has to be started from Python, by the Python of the peers' environment: see its ``--help``.

Not here: twistftp, or any setting that makes a peer slower than it comes. Each serves ROOT on 127.0.0.1, read-only to anonymous users and, where a
user is named, for writing to that one; with limits on the number of sessions lifted, a backlog as long as twistftp's, and no log.
"""

from __future__ import annotations

import argparse
import logging
from typing import Any

_BACKLOG = 511
_HOST = "127.0.0.1"


def _pyftpdlib(options: argparse.Namespace) -> None:
    """pyftpdlib's asynchronous server; it would refuse the 513th session."""
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
    from pyftpdlib.servers import FTPServer

    # The level must be set before the server looks at it; it logs a line for each login and transfer otherwise.
    logging.basicConfig(level=logging.ERROR)
    handler = TLS_FTPHandler if options.certificate else FTPHandler
    if options.certificate:
        handler.certfile, handler.keyfile = options.certificate, options.private_key
    authorizer = DummyAuthorizer()
    authorizer.add_anonymous(options.root)
    if options.user:
        authorizer.add_user(options.user, options.password, options.root, perm="elradfmwMT")
    handler.authorizer = authorizer
    server = FTPServer((_HOST, options.port), handler, backlog=_BACKLOG)
    server.max_cons = server.max_cons_per_ip = 0
    server.serve_forever()


def _twisted(options: argparse.Namespace) -> None:
    """``twisted.protocols.ftp`` as ``twistd ftp`` sets it up, but on the loopback interface and with a longer backlog."""
    from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
    from twisted.cred.portal import Portal
    from twisted.internet import reactor as installed
    from twisted.protocols.ftp import FTPFactory, FTPRealm
    from twisted.python.filepath import FilePath

    class Realm(FTPRealm):
        """Where a user is named, they see the same tree."""

        def getHomeDirectory(self, avatarId: object) -> FilePath[str]:
            return FilePath(options.root)

    checkers: list[Any] = [AllowAnonymousAccess()]
    if options.user:
        users = InMemoryUsernamePasswordDatabaseDontUse()
        users.users = {options.user: options.password}  # given to its constructor the name would become octets, and the protocol asks with text
        checkers.append(users)
    reactor: Any = installed  # Twisted's hints know no reactor that has all interfaces
    reactor.listenTCP(options.port, FTPFactory(Portal(Realm(options.root), checkers)), backlog=_BACKLOG, interface=_HOST)
    reactor.run()


_PEERS = {"pyftpdlib": _pyftpdlib, "twisted": _twisted}


def main() -> None:
    """Serve until a signal ends us."""
    parser = argparse.ArgumentParser(description="Serves ROOT with a peer, on 127.0.0.1.")
    parser.add_argument("peer", choices=_PEERS)
    parser.add_argument("port", type=int)
    parser.add_argument("root")
    parser.add_argument("--certificate", help="PEM; pyftpdlib alone has TLS")
    parser.add_argument("--private-key")
    parser.add_argument("--user", help="who may write")
    parser.add_argument("--password")
    options = parser.parse_args()
    _PEERS[options.peer](options)


if __name__ == "__main__":
    main()

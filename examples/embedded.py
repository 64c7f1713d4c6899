"""
A program of its own around an FTP site: ``python examples/embedded.py FOLDER``.

It serves the folder on port 2121 and prints a line for every file that somebody fetches.
"""

import sys

from twisted.internet import endpoints, reactor
from twisted.python import log

from twistftp import FTPSite, SiteSettings


def fetched(event: dict) -> None:
    """Called with every event of the site; commands and logins are events too."""
    if event["ftp_event"] == "transfer" and event["verb"] == "RETR" and not event["cause"]:
        print(f"{event['peer']} has {event['path']} ({event['octets']} bytes)", flush=True)


def main(folder: str) -> None:
    """Serve ``folder`` until somebody ends the program."""
    site = FTPSite(SiteSettings(root=folder, name="Example"), passive_ports="21000-21100")
    site.transcript.add_observer(fetched)
    endpoints.serverFromString(reactor, "tcp:2121").listen(site).addErrback(log.err)
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1])

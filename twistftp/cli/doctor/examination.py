"""
The order in which the doctor looks at things.

Not here: how each is done (``walk``, ``ports``) and what is made of it (``rules``).
"""

from __future__ import annotations

from datetime import datetime

from twistftp.cli.doctor.arrival import Errand
from twistftp.cli.doctor.channel import Budget, OutOfTime
from twistftp.cli.doctor.ports import scanned
from twistftp.cli.doctor.seen import Seen
from twistftp.cli.doctor.target import Target
from twistftp.cli.doctor.walk import Walk

__all__ = ["examine"]


def examine(target: Target, seconds: float, now: datetime, ca: str = "", is_insecure: bool = False, ports: range | None = None) -> Seen:
    """
    Look at a server, for at most so many seconds.

    :param ca: a file of certificates to trust instead of the system's.
    :param ports: a range to look at port by port.
    :raises CannotTrust: ``ca`` holds no certificates.
    """
    errand = Errand.of(target, Budget(seconds), now, ca, is_insecure)
    walk = Walk(errand, target.scheme)
    seen = Seen(target.host, target.port, errand.budget.to_talk, walk.seen)
    current = walk
    try:
        if walk.arrive():
            walk.try_passive()
            if not seen.session.could_list_and_fetch:
                walk.ask_why()
            if ports is not None and walk.arrive() and walk.control is not None:
                walk.step = "the range of ports"
                seen.scan = scanned(walk.control, ports, errand.budget)
            if (scheme := _other_scheme(seen, target)) is not None:
                current = Walk(errand, scheme)
                seen.other = current.seen
                if current.arrive():
                    current.try_passive()
                current.leave()
                current = walk
            walk.try_active()
    except OutOfTime:
        seen.ran_out = current.step
    walk.leave()
    current.leave()
    return seen


def _other_scheme(seen: Seen, target: Target) -> str | None:
    """
    What to compare with: TLS where the server offers it; the clear where TLS does not get far and there is no password to betray.
    """
    session = seen.session
    if session.scheme == "ftp":
        return "ftpes" if session.offers("AUTH") else None
    if session.scheme == "ftpes" and target.is_anonymous and not session.could_list_and_fetch:
        return "ftp"
    return None

"""
What ``twistd --uid`` and ``--chroot`` take from the process: the user as whom it serves, and what it must have before.

Not here: which user that is (``options``), and when it is become (``twistd``; behind a chroot ``service``).
"""

from __future__ import annotations

import codecs
import os

from attrs import frozen

__all__ = ["ServingUser", "may_read", "may_write", "prepare_for_chroot"]


@frozen
class ServingUser:
    """A user of the system with its groups, looked up while the user database can still be reached."""

    uid: int
    gid: int
    groups: tuple[int, ...]

    @classmethod
    def of(cls, uid: int, gid: int | None = None) -> ServingUser:
        """
        Look a user up; without ``gid`` its own primary group counts.

        :raises KeyError: the system knows no such user.
        """
        import pwd  # not on Windows, nor are users with numbers

        known = pwd.getpwuid(uid)
        primary = known.pw_gid if gid is None else gid
        return cls(uid, primary, tuple(os.getgrouplist(known.pw_name, primary)))

    def become(self) -> None:
        """
        Give up all other rights of this process, for good.

        :raises OSError: it has no right to do so.
        """
        os.setgroups(self.groups)
        os.setgid(self.gid)
        os.setuid(self.uid)


def may_read(directory: str, user: ServingUser | None) -> bool:
    """Whether ``user`` (``None``: this process) may list and enter ``directory``."""
    return _may(directory, os.R_OK | os.X_OK, user)


def may_write(directory: str, user: ServingUser | None) -> bool:
    """Whether ``user`` (``None``: this process) may make files in ``directory``."""
    return _may(directory, os.W_OK | os.X_OK, user)


def _may(directory: str, mode: int, user: ServingUser | None) -> bool:
    if user is None or os.geteuid() != 0:
        return os.access(directory, mode)
    # Mode bits alone would not tell (ACLs, the directories above); a child that becomes the user and asks does.
    child = os.fork()
    if not child:
        try:
            user.become()
            os._exit(0 if os.access(directory, mode) else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


def prepare_for_chroot() -> None:
    """
    Get what Python and Twisted fetch when it is first wanted, and what cannot be found behind a chroot.

    That is the codec of host names, with which every address is bound, and ``/dev/null``, of which Twisted keeps a
    descriptor in reserve.
    """
    from twisted.internet import tcp  # not before it is known whether its TLS is wanted (``twisted_tls``)

    codecs.lookup("idna")
    tcp._reservedFD.reserve()

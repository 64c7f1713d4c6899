"""
What one client's session knows: the only owner of a session's mutable state (PROTOCOL P-GEN-14).

Not here: reading lines and writing replies (``interpreter``), what verbs do with the state (``verbs``).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from twistftp.policy.authorization import NOTHING, Permission, UserRules
from twistftp.session.access import access_of
from twistftp.session.transcript import printable
from twistftp.session.verdicts import given_up
from twistftp.wire.addresses import fold_address
from twistftp.wire.entries import DEFAULT_FACTS
from twistftp.wire.paths import Path
from twistftp.wire.states import Keeps, Login

if TYPE_CHECKING:
    from twistftp.policy.diagnosis import Verdict
    from twistftp.policy.settings import SiteSettings
    from twistftp.session.transfer import Transfer
    from twistftp.wire.replies import Reply

__all__ = ["Control", "Session", "TransferType"]


class TransferType(Enum):
    """TYPE (RFC 959 §3.1.1); ``L 8`` is the same as ``I``."""

    ASCII = "A"
    IMAGE = "I"


class Control(Protocol):
    """What verbs and transfers ask of the control connection (``interpreter.ServerPI``)."""

    transport: Any

    def send(self, reply: Reply) -> None:
        """Write a reply at once: a 1xx, or one to a command that acts during a transfer."""

    def look_ahead(self) -> None:
        """A transfer has begun: act on an ABOR or STAT for it that has come already."""

    def restart_login_clock(self) -> None:
        """The client has the whole time to log in again."""


class Session:
    """
    One control connection's state.

    ``peer`` and ``local`` are the two ends' plain addresses (``""`` where the connection is no IP connection),
    ``interface`` is the local address in the form that a listener binds to; ``control`` is its control connection.
    """

    __slots__ = (
        "_ends",
        "avatar",
        "client",
        "control",
        "cwd",
        "data_port",
        "epsv_all",
        "facts",
        "failures",
        "host",
        "identifier",
        "login",
        "logout_avatar",
        "passive_by",
        "peer",
        "rename_from",
        "restart",
        "rights",
        "site",
        "start",
        "store",
        "transfer",
        "type",
        "unknown_verbs",
        "user",
        "user_pending",
        "verdict",
    )

    def __init__(self, site: Any, identifier: int, peer: str, control: Control) -> None:
        self.site = site
        self.identifier = identifier
        self.peer = peer
        self.control = control
        self._ends: tuple[str, str] | None = None  # looked up when first needed: not every session does
        self.failures = 0  # failed logins of this connection; nothing resets them
        self.unknown_verbs = 0
        self.data_port: Any = None  # an IDataPort, until a transfer takes it
        self.passive_by = ""  # PASV or EPSV, whichever set the latest data port up
        self.transfer: Transfer | None = None
        self.logout_avatar: Callable[[], Any] | None = None
        self._start_afresh()

    @property
    def local(self) -> str:
        """The local address."""
        return (self._ends or self._find_ends())[0]

    @property
    def interface(self) -> str:
        """The local address as a listener takes it: with the zone of a link-local one (PROTOCOL P-PB-10)."""
        return (self._ends or self._find_ends())[1]

    def _find_ends(self) -> tuple[str, str]:
        host = self.control.transport.getHost()
        address, scope = getattr(host, "host", ""), getattr(host, "scopeID", 0)
        plain = fold_address(address)
        self._ends = plain, f"{address}%{scope}" if scope and "%" not in address else plain
        return self._ends

    def _start_afresh(self) -> None:
        self.login = Login.NONE
        self.user = ""
        self.user_pending = ""
        self.store: Any = None  # an IFileStore, once logged in
        self.avatar: Any = None  # the same without the site's rules
        self.rights: UserRules = NOTHING
        self.host = ""
        self.client = ""
        self.epsv_all = False
        self.facts = DEFAULT_FACTS
        self.verdict: Verdict | None = None  # of the last data connection that failed
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Transfer parameters to their defaults (RFC 959 §4.1.2): TYPE A, and nothing pending."""
        self.cwd: Path = ()
        self.start: Path = ()  # the directory after login
        self.type = TransferType.ASCII
        self.rename_from: Path | None = None
        self.restart = 0

    def log_in(self, user: str, store: Any, logout: Callable[[], Any]) -> None:
        """The user is known and has an avatar. :raises HomeRefused: the site's rules leave the user nothing to see; nothing has changed then."""
        access = access_of(self.site.settings, store, user)
        access.demand_entry()
        self.login = Login.DONE
        self.user = user
        self.user_pending = ""
        self.avatar, self.store, self.rights = store, access.store, access.rules
        self.logout_avatar = logout
        self.cwd = self.start = access.start

    def obey(self, settings: SiteSettings) -> None:
        """The site's settings have changed: its rules hold from the next command on."""
        if self.avatar is not None:
            access = access_of(settings, self.avatar, self.user)
            self.store, self.rights = access.store, access.rules

    def may_write(self, path: Path) -> bool:
        """Whether the site's rules let the user change something at ``path``. What an avatar of somebody else's allows, it knows itself."""
        return self.rights.may(Permission.WRITE, path)

    def log_out(self) -> None:
        """
        Drop user, avatar, working directory and data port; the avatar's logout is called exactly once.

        A logout that fails is logged and no more: the user is gone all the same, and the client has nothing to do with it.
        """
        if self.data_port is not None:
            self.drop_data_port()
        logout, self.logout_avatar = self.logout_avatar, None
        user = self.user
        self.login = Login.NONE
        self.user = self.user_pending = ""
        self.store = self.avatar = None
        self.rights = NOTHING
        self.cwd = ()
        self.rename_from, self.restart = None, 0
        if logout is not None:
            try:
                logout()
            except Exception:  # a realm's own code
                self.site.log.failure(
                    "{site} #{session}: logout of {user} failed", site=self.site.settings.name, session=self.identifier, user=printable(user, 64)
                )

    def reinitialize(self) -> None:
        """REIN: as freshly connected (RFC 959 §4.1.1)."""
        self.log_out()
        self._start_afresh()

    def forget_pending(self, keeps: Keeps) -> None:
        """Drop a waiting RNFR or REST, but what the present verb keeps (PROTOCOL P-GEN-12, P-GEN-13)."""
        if not keeps & Keeps.RENAME:
            self.rename_from = None
        if not keeps & Keeps.RESTART:
            self.restart = 0

    def take_restart(self) -> int:
        """The restart point for the transfer that begins now; it is used up."""
        offset, self.restart = self.restart, 0
        return offset

    def use_data_port(self, port: Any) -> None:
        """The client's newest PASV, EPSV, PORT or EPRT; an older one ends (PROTOCOL P-DC-3)."""
        if self.data_port is not None:
            self.drop_data_port()
        self.data_port = port
        self.passive_by = ""

    def take_data_port(self) -> Any:
        """Hand the data port to the transfer that begins now; ``None`` when none is set up."""
        port, self.data_port = self.data_port, None
        return port

    def refuse_data_port(self) -> None:
        """The transfer was refused, which uses the set-up up (PROTOCOL P-DC-1)."""
        port = self.take_data_port()
        if port is not None:
            port.refuse()

    def drop_data_port(self) -> None:
        """Give an unused data port up, if there is one."""
        port = self.take_data_port()
        if port is not None:
            port.close()
            given_up(self, port)

    @property
    def is_anonymous(self) -> bool:
        """Whether the user logged in under an anonymous name."""
        authentication = self.site.settings.authentication
        return self.login is Login.DONE and authentication.anonymous and authentication.is_anonymous(self.user)

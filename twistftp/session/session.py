"""
What one client's session knows: the only owner of a session's mutable state (PROTOCOL P-GEN-14).

Not here: reading lines and writing replies (``interpreter``), what verbs do with the state (``verbs``).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from twistftp.policy.authorization import NOTHING, Permission, UserRules
from twistftp.policy.diagnosis import Cause
from twistftp.policy.proxying import Proxies
from twistftp.session.access import access_of
from twistftp.session.transcript import printable
from twistftp.session.verdicts import given_up
from twistftp.transport.deflate import BEST
from twistftp.transport.output import local_end
from twistftp.wire.addresses import fold_address
from twistftp.wire.entries import DEFAULT_FACTS
from twistftp.wire.paths import Path
from twistftp.wire.states import Keeps, Login

if TYPE_CHECKING:
    from twistftp.policy.diagnosis import Verdict
    from twistftp.policy.settings import SiteSettings
    from twistftp.session.transfer import Transfer
    from twistftp.transport.herald import Introduction
    from twistftp.transport.tls_session import SessionTLS
    from twistftp.wire.replies import Reply

__all__ = ["Control", "Session", "TransferType"]


class TransferType(Enum):
    """TYPE (RFC 959 §3.1.1); ``L 8`` is the same as ``I``."""

    ASCII = "A"
    IMAGE = "I"


class Control(Protocol):
    """What verbs and transfers ask of the control connection (``interpreter.ServerPI``)."""

    transport: Any
    introduction: Introduction | None

    def send(self, reply: Reply) -> None:
        """Write a reply at once: a 1xx, or one to a command that acts during a transfer."""

    def look_ahead(self) -> None:
        """A transfer has begun: act on an ABOR or STAT for it that has come already."""

    def restart_login_clock(self) -> None:
        """The client has the whole time to log in again."""

    @property
    def is_quiet(self) -> bool:
        """Whether the client has sent nothing behind the command that runs."""

    def after_reply(self, action: Callable[[], object]) -> None:
        """Do something when the reply to the command that runs has been sent."""

    def use_transport(self, transport: Any) -> None:
        """Write there from now on."""

    def close(self, reply: Reply) -> None:
        """End the connection, with this for a last reply."""


class Session:
    """
    One control connection's state.

    ``peer`` and ``local`` are the two ends' plain addresses (``""`` where the connection is no IP connection),
    ``interface`` is the local address in the form that a listener binds to; ``control`` is its control connection. Behind a load balancer
    ``peer`` and ``local`` are those that its header named, and ``introduction`` says more (PROTOCOL P-PB-18).
    """

    __slots__ = (
        "_ends",
        "avatar",
        "client",
        "control",
        "cwd",
        "data_port",
        "deflates",
        "deflate_level",
        "epsv_all",
        "facts",
        "failures",
        "host",
        "identifier",
        "introduction",
        "login",
        "login_under_way",
        "logout_avatar",
        "octets_received",
        "octets_sent",
        "passive_by",
        "hash",
        "peer",
        "range_end",
        "rename_from",
        "restart",
        "rights",
        "site",
        "spares_data_port",
        "start",
        "store",
        "tls",
        "transfer",
        "trouble",
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
        self.introduction: Introduction | None = control.introduction
        self._ends: tuple[str, str, int] | None = None  # looked up when first needed: not every session does
        self.failures = 0  # failed logins of this connection; nothing resets them
        self.unknown_verbs = 0
        self.login_under_way: Any = None  # a Deferred, while a checker thinks
        self.octets_sent = 0  # over data connections that have ended
        self.octets_received = 0
        self.data_port: Any = None  # an IDataPort, until a transfer takes it
        self.spares_data_port = False  # the transfer that is being refused leaves it
        self.passive_by = ""  # PASV or EPSV, whichever set the latest data port up
        self.transfer: Transfer | None = None
        self.tls: SessionTLS | None = None  # from AUTH on; data connections keep it after CCC
        self.trouble: object = None  # why the present command failed, or the session ends: for logs
        self.logout_avatar: Callable[[], Any] | None = None
        self._start_afresh()

    @property
    def ends(self) -> tuple[str, str, int]:
        """Local address, the same as a listener takes it, and local port: "" and 0 where there are none."""
        return self._ends or self._find_ends()

    @property
    def local(self) -> str:
        """The local address: the one that the client connected to."""
        return (self._ends or self._find_ends())[0]

    @property
    def interface(self) -> str:
        """The local address as a listener takes it: with the zone of a link-local one (PROTOCOL P-PB-10)."""
        return (self._ends or self._find_ends())[1]

    def _find_ends(self) -> tuple[str, str, int]:
        came = self.introduction
        if came is None:
            address, port, scope = local_end(self.control.transport)
            plain = shown = fold_address(address)
        else:
            address, port, scope = getattr(came.own, "host", ""), getattr(came.own, "port", 0), getattr(came.own, "scopeID", 0)
            plain = fold_address(address)
            shown = plain if came.is_own else fold_address(came.announced.destination.host)
            if not plain:
                plain = "::" if ":" in shown else ""  # it came by a socket of another kind, so its data connections may come anywhere
        self._ends = shown, f"{address}%{scope}" if scope and "%" not in address else plain, port
        return self._ends

    @property
    def proxies(self) -> Proxies:
        """The balancers by which data connections may come: those that were listed when this client came by one, else those of now."""
        return self.site.settings.firewall_support.proxies if self.introduction is None else self.introduction.proxies

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
        self.hash = "SHA-256"  # what HASH computes
        self.verdict: Verdict | None = None  # of the last data connection that failed
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Transfer parameters to their defaults (RFC 959 §4.1.2): TYPE A, MODE S, and nothing pending."""
        self.cwd: Path = ()
        self.start: Path = ()  # the directory after login
        self.type = TransferType.ASCII
        self.deflates = False  # MODE Z
        self.deflate_level = BEST
        self.rename_from: Path | None = None
        self.restart = 0
        self.range_end: int | None = None  # RANG: the last octet of the next transfer

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
        if self.tls is not None:
            self.tls.logged_in()

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
        self.rename_from, self.restart, self.range_end = None, 0, None
        if logout is not None:
            try:
                logout()
            except BaseException:  # a realm's own code; asyncio's CancelledError is no Exception
                self.site.log.failure(
                    "{site} #{session}: logout of {user} failed", site=self.site.settings.name, session=self.identifier, user=printable(user, 64)
                )

    def give_up_login(self) -> None:
        """The connection is being closed: a login that is under way has nobody left to log in."""
        if self.login_under_way is not None:
            self.login_under_way.cancel()

    def leave(self) -> None:
        """The connection is being closed, which a client may take its time to see: its transfer ends, and its port is free for others."""
        if self.transfer is not None:
            self.transfer.abort(Cause.CLOSING)
        if self.data_port is not None:
            self.drop_data_port()

    def reinitialize(self) -> None:
        """REIN: as freshly connected (RFC 959 §4.1.1)."""
        self.log_out()
        self._start_afresh()

    def forget_pending(self, keeps: Keeps) -> None:
        """Drop a waiting RNFR or REST, but what the present verb keeps (PROTOCOL P-GEN-12, P-GEN-13)."""
        if not keeps & Keeps.RENAME:
            self.rename_from = None
        if not keeps & Keeps.RESTART:
            self.restart, self.range_end = 0, None

    def take_range(self) -> tuple[int, int | None]:
        """Where the transfer that begins now starts, and its last octet if RANG named one; they are used up."""
        taken = self.restart, self.range_end
        self.restart, self.range_end = 0, None
        return taken

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
        """The transfer was refused, which uses the set-up up (PROTOCOL P-DC-1), unless that was said to spare it."""
        if self.spares_data_port:
            self.spares_data_port = False
            return
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
    def is_secure(self) -> bool:
        """Whether the control connection is encrypted."""
        return self.tls is not None and self.tls.is_control_secure

    @property
    def is_protected(self) -> bool:
        """Whether data connections are to be encrypted (PROT P)."""
        return self.tls is not None and self.tls.is_private

    @property
    def is_anonymous(self) -> bool:
        """Whether the user logged in under an anonymous name."""
        authentication = self.site.settings.authentication
        return self.login is Login.DONE and authentication.anonymous and authentication.is_anonymous(self.user)

"""
What the checks are given: sessions of each kind, one at a time, and what is known about the server by now.

Not here: the server's files (``ground``), and the order of the checks (``examination``).
"""

from __future__ import annotations

import ssl
from typing import Any

from twistftp.cli.conform.client import Client
from twistftp.cli.conform.codes import Codes
from twistftp.cli.conform.connection import Allowance, Connection
from twistftp.cli.conform.dialogue import Dialogue, Said
from twistftp.cli.conform.ground import Directory, Ground, Sample
from twistftp.cli.conform.row import Broken, NotOffered, NotTried
from twistftp.cli.conform.transcript import Transcript
from twistftp.cli.doctor.certificate import checking, unchecking
from twistftp.cli.doctor.channel import Lost, addresses
from twistftp.cli.doctor.seen import Ending
from twistftp.cli.doctor.target import Target

__all__ = ["CannotConnect", "Visit"]


class CannotConnect(NotTried):
    """There is no control connection to be had."""


class Visit:
    """
    One examination of one server.

    :param may_write: whether files may be made on the server, in a directory of our own.
    :raises CannotTrust: ``ca`` holds no certificates.
    """

    def __init__(self, target: Target, allowance: Allowance, *, ca: str = "", is_insecure: bool = False, may_write: bool = False) -> None:
        self.target, self.allowance, self.may_write = target, allowance, may_write
        # With ftp:// the password goes over the wire in the clear anyway, so TLS that proves nothing is no worse.
        self.context = unchecking() if is_insecure or (target.scheme == "ftp" and not ca) else checking(ca)
        self.context.check_hostname = self.context.verify_mode is not ssl.CERT_NONE
        self.transcript = Transcript(target.secret)
        self.ground = Ground(self)
        self.codes = Codes()
        self.replies: list[Said] = []
        """All replies to commands, for the check of their grammar."""
        self.alpn: str | None = None
        """What the latest handshake chose."""
        self._client: Client | None = None
        self._kind = ""
        self.no_entry = ""
        """Why the server does not let us in. It is not asked again then: that would look like guessing."""
        self._features: dict[str, str] | None = None
        self._places: list[Any] = []

    @property
    def host(self) -> str:
        """The host as TLS names it."""
        return self.target.host.partition("%")[0].rstrip(".")

    @property
    def is_tls_first(self) -> bool:
        """Whether TLS begins with the first octet."""
        return self.target.scheme == "ftps"

    def begin(self) -> None:
        """The next check: a transcript of its own, and time."""
        self.transcript = Transcript(self.target.secret)
        self.allowance.renew()

    def drop(self) -> None:
        """The session is not fit to go on with."""
        client, self._client, self._kind = self._client, None, ""
        if client is not None:
            self.replies += client.dialogue.replies
            client.leave()

    def settle(self, is_fine: bool) -> None:
        """After a check: keep the session if the next can go on with it."""
        if self._client is not None and not (is_fine and self._client.is_as_new):
            self.drop()

    # --- sessions ----------------------------------------------------------------------------------------------------------------------

    def stranger(self, hears_greeting: bool = True) -> Client:
        """A new connection, not logged in; over TLS only if that begins with the first octet."""
        client = self.bare()
        if self.is_tls_first:
            self.shake(client)
        if hears_greeting:
            self.greet(client)
        return client

    def bare(self) -> Client:
        """A new connection on which nothing has happened yet."""
        self.drop()
        return self._connected()

    def greet(self, client: Client) -> Said:
        """
        The greeting.

        :raises CannotConnect: it turns us away.
        """
        greeting = client.hear(self.allowance.to_talk)
        if greeting.code == 120:
            greeting = client.hear(self.allowance.to_talk)
        if greeting.code == 421:
            raise CannotConnect(f"the server turns us away: {greeting}")
        return greeting

    def secured(self) -> Client:
        """
        A new connection under TLS, not logged in.

        :raises NotOffered: the server has no TLS.
        """
        client = self.stranger()
        if not self.is_tls_first:
            said = client.ask("AUTH TLS")
            if said.code in {500, 502, 504, 530, 534}:
                raise NotOffered(f"AUTH TLS is answered {said.code}")
            client.judge("AUTH TLS", said, "234")
            self.shake(client)
        return client

    def shake(self, client: Client, context: ssl.SSLContext | None = None) -> None:
        """
        TLS on the control connection.

        :raises Broken: it does not come about.
        """
        until = self.allowance.until(self.allowance.to_talk)
        try:
            client.channel.start_tls(context or self.context, self.host, None, until)
        except Lost as lost:
            error = f"{lost.ending.value}{f' ({lost.detail})' if lost.detail else ''}"
            raise (NotTried if lost.ending is Ending.UNTRUSTED else Broken)(f"TLS does not come about: {error}") from None
        self.transcript.note("TLS is up")

    def session(self, fresh: bool = False) -> Client:
        """
        A session that is logged in as the URL says.

        :param fresh: a new one, in which nothing was said but the login.
        :raises NotTried: the server does not let us in.
        """
        return self._logged_in("plain" if self.target.scheme == "ftp" else "TLS", fresh)

    def protected(self, fresh: bool = False) -> Client:
        """A session that is logged in under TLS, data connections too."""
        return self._logged_in("TLS", fresh)

    def _logged_in(self, kind: str, fresh: bool) -> Client:
        if self._client is not None and self._kind == kind and not fresh and self._client.is_as_new:
            self._client.dialogue.transcript = self.transcript
            self.transcript.note("in the session of the check before")
            return self._client
        if self.no_entry:
            raise NotTried(self.no_entry)
        mark = self.transcript.mark()
        client = self.stranger() if kind == "plain" else self.secured()
        self.log_in(client)
        if kind == "TLS":
            client.settle("PBSZ 0", "200")
            client.settle("PROT P", "200")
            client.is_protected = True
        for directory in self.ground.path:
            client.settle(f"CWD {directory}", "2xx")
        self.transcript.fold(mark, f"a new session, logged in{' under TLS, with PROT P' if kind == 'TLS' else ''}")
        client.said_commands.clear()
        self._kind = kind
        return client

    def log_in(self, client: Client) -> None:
        """
        USER and PASS.

        :raises NotTried: the server does not let us in; it is not asked again then.
        """
        said = client.ask(f"USER {self.target.user}", self.allowance.to_talk)
        if said.code in {331, 332}:
            said = client.ask(f"PASS {self.target.sent_password}", self.allowance.to_talk)
        if said.code not in {202, 230, 232}:
            self.no_entry = f"the login is refused: {said}"
            raise NotTried(self.no_entry)

    def _connected(self) -> Client:
        try:
            self._places = self._places or addresses(self.target.host, self.target.port, self.allowance)
        except Lost as lost:
            raise CannotConnect(f"{lost.ending.value}: {lost.detail}") from None
        ending = Ending.NOT_TRIED
        for place in list(self._places[:6]):
            family, address = place
            try:
                channel = Connection.connect(family, address, self.allowance)
            except Lost as lost:
                ending = lost.ending
                continue
            self._places = [place]
            dialogue = Dialogue(channel, self.allowance, self.transcript)
            self._client = Client(dialogue, self.allowance, self.codes, self.context, self.host)
            return self._client
        raise CannotConnect(f"the control port cannot be connected to: {ending.value}")

    # --- what is known ---------------------------------------------------------------------------------------------------------------

    def features(self) -> dict[str, str]:
        """What FEAT lists for a session that is logged in: names in capitals, and what stands behind them."""
        if self._features is None:
            said = self.session().ask("FEAT")
            lines = [line.strip() for line in said.lines[1:-1]] if said.code == 211 else []
            self._features = {line.split(" ")[0].upper(): line.partition(" ")[2] for line in lines}
            self._more = [line.upper() for line in lines]
        return self._features

    def needs_feature(self, name: str) -> None:
        """
        Go on only if FEAT lists it.

        :raises NotOffered: it does not.
        """
        features = self.features()
        if name not in features and name not in self._more:
            raise NotOffered(f"FEAT does not list {name}")

    def sample(self) -> Sample:
        """
        A small file that is not empty.

        :raises NotTried: none is known.
        """
        return self.ground.sample()

    def directory(self) -> Directory:
        """
        A directory with a file in it.

        :raises NotTried: none is known.
        """
        return self.ground.directory()

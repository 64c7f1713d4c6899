"""
One USER and PASS as credentials that any checker can judge: those that compare text and those that compare octets.

Not here: the checkers themselves (``checkers``, ``users``), and what a client is told (the session).
"""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest
from typing import Any

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import LoginFailed
from twisted.internet.defer import maybeDeferred
from zope.interface import implementer

from twistftp.storage.refusals import HomeRefused
from twistftp.wire.paths import decode_name, encode_name

__all__ = ["PasswordCredentials", "Withdrawal", "text_of"]


def text_of(name: str | bytes) -> str:
    """A name as text, in whichever form credentials have it."""
    return decode_name(name) if isinstance(name, bytes) else str(name)


def _octets_of(value: object) -> bytes | None:
    """Text or octets as octets; ``None`` for what is neither, or cannot be said in octets."""
    if isinstance(value, str):
        try:
            return encode_name(value)
        except UnicodeEncodeError:
            return None
    return bytes(value) if isinstance(value, (bytes, bytearray, memoryview)) else None


def _same(one: bytes, other: object) -> bool:
    octets = _octets_of(other)
    return octets is not None and compare_digest(one, octets)


class Withdrawal:
    """Tells those who still think about credentials that nobody waits for their answer any more."""

    def __init__(self) -> None:
        self.is_made = False
        self._actions: list[Callable[[], Any]] = []

    def then(self, action: Callable[[], Any]) -> None:
        """Call ``action`` when it is made; at once, if it has been."""
        if self.is_made:
            action()
        else:
            self._actions.append(action)

    def make(self) -> None:
        """The client has gone."""
        self.is_made = True
        actions, self._actions = self._actions, []
        for action in actions:
            action()


class _Seen:
    """What a checker has done with a text; apart from the credentials, so that a name which outlives them keeps no password."""

    __slots__ = ("is_equal", "is_hashed")

    def __init__(self) -> None:
        self.is_hashed = self.is_equal = False


class _Text(str):
    """Text that equals the same text as octets, too, and hashes as they do where Python lets it (ASCII)."""

    _octets: bytes
    _seen: _Seen

    def __new__(cls, octets: bytes, seen: _Seen) -> _Text:
        made = super().__new__(cls, decode_name(octets))
        made._octets, made._seen = octets, seen
        return made

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (str, bytes)):
            return NotImplemented
        is_equal = _same(self._octets, other)
        self._seen.is_equal |= is_equal
        return is_equal

    def __ne__(self, other: object) -> bool:
        return not _same(self._octets, other) if isinstance(other, (str, bytes)) else NotImplemented

    def __hash__(self) -> int:
        self._seen.is_hashed = True
        return str.__hash__(self)

    def __reduce__(self) -> Any:
        return str, (str(self),)


@implementer(IUsernamePassword)
class _Plain:
    """The same credentials for a checker that can do nothing with them: octets, or text, as plain as can be."""

    def __init__(self, username: str | bytes, password: str | bytes) -> None:
        self.username, self.password = username, password

    def checkPassword(self, password: object) -> bool:
        """Whether this is the password, as text or octets."""
        return _same(_octets_of(self.password) or b"", password)


@implementer(IUsernamePassword)
class PasswordCredentials:
    """
    A user name and a password.

    To whoever asks for them they are text that equals octets, too. So a checker of either kind finds its user and says
    yes or no when it is asked once, and one that counts wrong passwords counts right. Asked a second time, as plain octets, is only
    one that stumbled over this, or refused it without a look at the password; a third time, as plain text, one that stumbled again.

    ``withdrawal`` is made when nobody waits for an answer any more.
    """

    def __init__(self, name: str, password: bytes, withdrawal: Withdrawal | None = None) -> None:
        self._seen = _Seen()
        self._name, self._octets = name, password
        self._is_read = self._is_compared = False
        self._is_settled = False
        self.username = _Text(encode_name(name), self._seen)
        self.withdrawal = withdrawal or Withdrawal()

    @property
    def password(self) -> str:
        """The password, as text that equals octets."""
        self._is_read = True
        return _Text(self._octets, _Seen())

    def checkPassword(self, password: object) -> bool:
        """Whether this is the password, as text or octets; takes the same time wherever they differ."""
        self._is_compared = True
        return _same(self._octets, password)

    def afresh(self) -> PasswordCredentials:
        """For one of several checkers, each of which is asked in the form that it takes; these here are not asked in another form then."""
        self._is_settled = True
        return PasswordCredentials(self._name, self._octets, self.withdrawal)

    @property
    def _is_final(self) -> bool:
        """Whether a refusal holds for the octets, too."""
        if self._is_settled or self._is_compared:
            return True
        # A dictionary with octets for keys does not find text that hashes differently; one that finds it has compared it.
        is_missed = self._seen.is_hashed and not self._seen.is_equal and str.__hash__(self.username) != hash(encode_name(self._name))
        return self._is_read and not is_missed

    async def put_to(self, question: Callable[[Any], Any]) -> Any:
        """
        The answer of a checker or portal to ``question(credentials)``.

        :raises LoginFailed: it does not accept them.
        :raises BaseException: whatever it fails with, in both forms.
        """
        try:
            return await maybeDeferred(question, self)
        except HomeRefused:  # the checker has accepted them, and the realm has nothing for this user
            raise
        except LoginFailed as refusal:
            if self._is_final or self.withdrawal.is_made:
                raise
            first: Exception = refusal
        except Exception as stumbled:
            if self._is_settled or self.withdrawal.is_made:
                raise
            first = stumbled
        try:
            return await maybeDeferred(question, _Plain(encode_name(self._name), self._octets))
        except (LoginFailed, HomeRefused):
            raise
        except Exception:
            if isinstance(first, LoginFailed):
                raise first from None
            if self.withdrawal.is_made:
                raise
        # Neither would do: one that takes nothing but text of the very type.
        return await maybeDeferred(question, _Plain(self._name, decode_name(self._octets)))

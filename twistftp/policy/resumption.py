"""
What a client has shown of how it resumes its TLS session, and so whether a data connection that does not may still be its own.

Not here: whose session a ClientHello resumes (``transport.tls_session``).

Three kinds of honest clients do not always resume. Those that keep sessions by address and port, as Java and Perl's Net::FTP do,
have none for a passive port that they have not been at. Those that use no TLS 1.3 ticket twice, as RFC 8446 appendix C.4 advises
and OpenSSL does, have none left when the tickets that they keep are used up: those of the control connection alone (Python), or the
newest that came (Ruby, Net::FTP), and an upload brings none (see ``transport.secure``).
"""

from __future__ import annotations

__all__ = ["Habits"]

_FULL, _RESUMED = 2, 1
"""Tickets that OpenSSL gives after a full handshake of TLS 1.3, and after one that resumed."""


class Habits:
    """One session's data connections so far. ``resumptions`` are those that resumed it."""

    __slots__ = ("_due", "_has_one_use_tickets", "_is_spent", "_proofs", "_tickets", "_without", "resumptions")

    def __init__(self) -> None:
        self.resumptions = 0
        self._proofs = 0  # resumptions with what can only have come over the control connection, or from another port
        self._without: set[int] = set()  # passive ports whose first connection did not resume; not more than there are ports
        self._tickets = _FULL  # what a client has left that uses each once, at most
        self._due = 0  # tickets that go with the next octets
        self._is_spent = False  # no ticket has gone out since the last was used
        self._has_one_use_tickets = False

    def resumed(self, port: int) -> None:
        """A data connection has resumed the session. ``port``: our passive one, or 0."""
        self.resumptions += 1
        self._proofs += port not in self._without
        self._tickets -= 1
        self._due = _RESUMED
        self._is_spent = True

    def did_not(self, port: int) -> None:
        """One has not."""
        if port and not self._proofs:
            self._without.add(port)
        self._due = _FULL

    def tickets_sent(self) -> None:
        """The data connection sends octets, and the tickets with them."""
        if self._due:
            self._tickets += self._due
            self._due = 0
            self._is_spent = False

    @property
    def is_held_to(self) -> bool:
        """Whether the client has the session of its control connection, and can be expected to resume it."""
        return self._proofs > 0

    def may_have_none(self) -> bool:
        """Whether a client with TLS 1.3 that is held to its habit, and offers nothing, may have nothing left to offer."""
        self._has_one_use_tickets |= self._is_spent or self.resumptions == 1
        return self._has_one_use_tickets and self._tickets >= 0

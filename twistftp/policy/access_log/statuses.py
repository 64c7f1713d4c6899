"""
Why something failed, in the numbers of IIS's log: Windows' error and the FTP service's substatus (Microsoft's KB 969061).

Not here: failures of storage, which this layer does not know; the access log adds them.
"""

from __future__ import annotations

from collections.abc import Mapping

from twistftp.policy.diagnosis import Cause

__all__ = ["FINE", "Status", "of_cause", "of_code"]

Status = tuple[int, int]
"""``sc-win32-status`` and ``sc-substatus``."""

FINE: Status = (0, 0)
_TIMED_OUT = 121  # ERROR_SEM_TIMEOUT
_NO_SECURITY = 0x80090331  # SEC_E_ALGORITHM_MISMATCH: client and server have nothing in common
_ABORTED = 1236  # ERROR_CONNECTION_ABORTED
_BAD_PARAMETER = 87  # ERROR_INVALID_PARAMETER

_CAUSES: Mapping[Cause, Status] = {
    Cause.NOT_SET_UP: (_BAD_PARAMETER, 0),
    Cause.POOL_BUSY: (10048, 0),  # WSAEADDRINUSE
    Cause.CANNOT_LISTEN: (10013, 0),  # WSAEACCES
    Cause.NEVER_ARRIVED: (_TIMED_OUT, 15),
    Cause.FILTER_SUSPECTED: (_TIMED_OUT, 15),
    Cause.TLS_FILTER_SUSPECTED: (_TIMED_OUT, 15),
    Cause.PRIVATE_ADVERTISED: (_TIMED_OUT, 15),
    Cause.FOREIGN_PEER: (_ABORTED, 38),
    Cause.PRIVATE_TARGET: (_BAD_PARAMETER, 38),
    Cause.FOREIGN_TARGET: (_BAD_PARAMETER, 38),
    Cause.CONNECT_FAILED: (10061, 53),  # WSAECONNREFUSED
    Cause.RESET_EARLY: (10054, 53),  # WSAECONNRESET
    Cause.HEADERLESS: (_ABORTED, 38),
    Cause.TLS_NOT_STARTED: (_TIMED_OUT, 15),
    Cause.TLS_FAILED: (_NO_SECURITY, 32),
    Cause.NOT_RESUMED: (_NO_SECURITY, 32),
    Cause.OTHER_CERTIFICATE: (_NO_SECURITY, 49),
    Cause.LEVEL_CHANGED: (_BAD_PARAMETER, 24),
    Cause.LOST: (_ABORTED, 23),
    Cause.STALLED: (_TIMED_OUT, 15),
    Cause.TOO_SLOW: (_TIMED_OUT, 50),
    Cause.ABORTED: (1223, 20),  # ERROR_CANCELLED
    Cause.CLIENT_GONE: (_ABORTED, 23),
    Cause.CLOSING: (_ABORTED, 21),
    Cause.DISCONNECTED: (_ABORTED, 52),
}

_CODES: Mapping[int, Status] = {
    421: (_ABORTED, 0),
    451: (1117, 3),  # ERROR_IO_DEVICE
    522: (5, 24),
    530: (1326, 35),  # ERROR_LOGON_FAILURE
    534: (5, 25),
    550: (5, 1),  # ERROR_ACCESS_DENIED, by rule
    553: (5, 1),
}


def of_cause(cause: Cause) -> Status:
    """The numbers of a data connection that failed."""
    return _CAUSES.get(cause, (_ABORTED, 53))


def of_code(code: int) -> Status:
    """The numbers of a reply of which no more is known."""
    return FINE if code < 400 else _CODES.get(code, (_BAD_PARAMETER, 0))

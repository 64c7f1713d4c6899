"""
xferlog(5), the transfer log of wu-ftpd, which vsftpd and ProFTPD write, too: one line a file.

Not here: what happened (``entry``), and the file. Times are UTC, where the others write local ones.
"""

from __future__ import annotations

from datetime import UTC, datetime

from twistftp.policy.access_log.entry import Transferred

__all__ = ["xferlog"]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def xferlog(done: Transferred) -> str:
    """
    One line, its end included: time, seconds (whole ones, at least 1), client, octets, path, type, ``_``, direction, access mode, user,
    service, ``0 *``, completion. A name in it loses its spaces, as everywhere: the format has no escapes.
    """
    at = datetime.fromtimestamp(int(done.time), UTC)
    # In English whatever the locale: strftime would not be.
    stamp = f"{_DAYS[at.weekday()]} {_MONTHS[at.month - 1]} {at.day:2} {at:%H:%M:%S %Y}"
    return (
        f"{stamp} {max(1, round(done.seconds))} {_word(done.client)} {done.octets} {_word(done.path)} {'a' if done.is_text else 'b'} _ "
        f"{done.direction} {'a' if done.is_anonymous else 'r'} {_word(done.user)} ftp 0 * {'c' if done.is_complete else 'i'}\n"
    )


def _word(text: str) -> str:
    """A text as one word: ``_`` for spaces and for what cannot be printed, ``?`` for no text."""
    return "".join(character if character.isprintable() and character != " " else "_" for character in text) or "?"

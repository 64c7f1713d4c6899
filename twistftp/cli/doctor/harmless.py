"""
Texts of a server made fit for a terminal: no control characters, no passwords, no end in sight no more.

Not here: what the texts mean.
"""

from __future__ import annotations

__all__ = ["harmless"]

_LONGEST = 300
_MASK = "********"


def harmless(octets: bytes | str, secret: str = "", longest: int = _LONGEST) -> str:
    """
    What may be printed of a text from the network: what is not printable (control characters, directions of writing, octets that
    are not UTF-8) becomes ``?``, ``secret`` becomes asterisks, and the rest behind ``longest`` characters is cut off.
    """
    text = octets.decode("utf-8", "replace") if isinstance(octets, bytes) else octets
    if secret:  # before anything is cut off or replaced, which could leave a part of it
        text = text.replace(secret, _MASK)
    text = "".join(character if character.isprintable() and character != "\ufffd" else "?" for character in text.strip("\r\n"))
    if secret:  # ... and where the replacing has made one
        text = text.replace(secret, _MASK)
    return text if len(text) <= longest else text[:longest] + "..."

"""
How exactly reply codes are compared: RFC 1123 §4.1.2.11 lets servers use other codes of the same kind than those that RFC 959 lists.

Not here: which codes are expected (``rows``).
"""

from __future__ import annotations

from twistftp.cli.conform.row import fits

__all__ = ["Codes"]

_NEGATIVE = "45"


def _kind(code: str) -> str:
    """The first digit; whether a refusal is for now or for good (4yz, 5yz) is a SHOULD as well."""
    return "negative" if code[0] in _NEGATIVE else code[0]


class Codes:
    """
    ``is_exact`` says whether the present check is about the code itself. Otherwise the kind decides, and ``odd`` are the others that came, in words,
    for a check of their own.
    """

    def __init__(self) -> None:
        self.is_exact = True
        self.odd: list[str] = []

    def accepts(self, command: str, code: int, codes: str) -> bool:
        """Whether a command may be answered so, if these codes are expected."""
        if fits(code, codes):
            return True
        if self.is_exact or _kind(str(code)) not in map(_kind, codes.split()):
            return False
        self.odd.append(f"{command} is answered {code}, not {' or '.join(codes.split())}")
        return True

"""
Request filtering: names, paths and commands that a site refuses to everybody, whatever the authorization rules say.

Not here: rules about users (``authorization``), and who asks (``storage.restricted`` for paths, the session for commands).
Names are compared without regard to case, since some file systems do the same.
"""

from __future__ import annotations

from functools import cached_property

from attrs import Attribute, field, frozen

from twistftp.policy.denials import Denial, Reason
from twistftp.policy.rules import BadSetting
from twistftp.wire.paths import Path, encode_name, join

__all__ = ["RequestFiltering"]

_LONGEST = 4096  # octets of a path; nothing in storage has a longer one


def _segments(instance: object, attribute: Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    if not all(name.strip() and "/" not in name and name.isprintable() for name in value):
        raise BadSetting(attribute.name, value, 'each must be one name of a file or directory, without "/"')


def _sequences(instance: object, attribute: Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    if not all(value):
        raise BadSetting(attribute.name, value, "must not hold an empty text: every path holds it")


def _extensions(instance: object, attribute: Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    if not all(text.strip(". ") and "/" not in text and text.isprintable() for text in value):
        raise BadSetting(attribute.name, value, 'each must be an extension such as ".exe" (the dot may be left out)')


def _commands(instance: object, attribute: Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    for text in value:
        first, *more = text.upper().split() or [""]
        if not first.isalnum() or (more and not (first == "SITE" and len(more) == 1 and more[0].isalnum())):
            raise BadSetting(attribute.name, value, 'each must be a verb such as "SYST", or one of SITE\'s such as "SITE CHMOD"')
        if first in ("USER", "PASS", "QUIT"):
            raise BadSetting(attribute.name, value, f"without {first} nobody could use the site; set auto_start = false to switch it off")


def _path_length(instance: object, attribute: Attribute[int], value: int) -> None:
    if not 32 <= value <= 32768:
        raise BadSetting(attribute.name, value, "must be 32 to 32768 octets")


def _not_negative(instance: object, attribute: Attribute[int], value: int) -> None:
    if value < 0:
        raise BadSetting(attribute.name, value, "must be 0 (no limit) or more octets")


@frozen
class RequestFiltering:
    """
    ``[site.request_filtering]``: what is refused to everybody.

    ``hidden_segments`` are names that do not exist for clients; ``deny_url_sequences`` texts that no path may hold; ``denied_extensions``
    ends of files' names; ``denied_commands`` verbs. ``max_url`` is the longest path, from the root, and ``max_content_length`` the largest
    upload, in octets (0 = no limit).
    """

    hidden_segments: tuple[str, ...] = field(default=(), validator=_segments)
    deny_url_sequences: tuple[str, ...] = field(default=(), validator=_sequences)
    denied_extensions: tuple[str, ...] = field(default=(), validator=_extensions)
    denied_commands: tuple[str, ...] = field(default=(), validator=_commands)
    max_url: int = field(default=4096, validator=_path_length)
    max_content_length: int = field(default=0, validator=_not_negative)

    def of_path(self, path: Path) -> Denial | None:
        """Why ``path`` is refused, ``None`` if it is not."""
        hidden = self._hidden
        if hidden:
            for name in path:
                if name.casefold() in hidden:
                    return Denial(Reason.HIDDEN_SEGMENT, name)
        if self.deny_url_sequences:
            text = join(path).casefold()
            for sequence in self.deny_url_sequences:
                if sequence.casefold() in text:
                    return Denial(Reason.URL_SEQUENCE, sequence)
        if self.max_url < _LONGEST and len(encode_name(join(path))) > self.max_url:
            return Denial(Reason.URL_LENGTH, str(self.max_url))
        return None

    def of_file(self, name: str) -> Denial | None:
        """Why a file of this name is refused, ``None`` if it is not."""
        if self._endings:
            # Windows drops dots and blanks at the end of a name, so there "x.exe. " opens x.exe.
            name = name.casefold().rstrip(". ")
            for ending in self._endings:
                if name.endswith(ending):
                    return Denial(Reason.EXTENSION, ending)
        return None

    def of_length(self, octets: int) -> Denial | None:
        """Why an upload of so many octets is refused, ``None`` if it is not."""
        if 0 < self.max_content_length < octets:
            return Denial(Reason.CONTENT_LENGTH, str(self.max_content_length))
        return None

    def hides(self, name: str) -> bool:
        """Whether listings leave ``name`` out."""
        return name.casefold() in self._hidden

    @property
    def hides_names(self) -> bool:
        """Whether there are hidden segments at all."""
        return bool(self.hidden_segments)

    @property
    def filters_paths(self) -> bool:
        """Whether any path could be refused."""
        return bool(self.hidden_segments or self.deny_url_sequences or self.denied_extensions or self.max_url < _LONGEST)

    @cached_property
    def denied_verbs(self) -> frozenset[str]:
        """``denied_commands`` in capitals."""
        return frozenset(" ".join(text.upper().split()) for text in self.denied_commands)

    @cached_property
    def _hidden(self) -> frozenset[str]:
        return frozenset(name.casefold() for name in self.hidden_segments)

    @cached_property
    def _endings(self) -> tuple[str, ...]:
        return tuple(f".{text.strip('. ').casefold()}" for text in self.denied_extensions)

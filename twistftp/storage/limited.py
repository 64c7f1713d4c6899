"""
An upload that ends when it gets too large: ``[site.request_filtering] max_content_length``.

Not here: the upload itself, whose every method this passes on.
"""

from __future__ import annotations

from typing import Any

from twistftp.policy.filtering import RequestFiltering
from twistftp.storage.refusals import denied

__all__ = ["LimitedUpload"]


class LimitedUpload:
    """Passes octets on to ``upload`` until the file would be larger than ``filtering`` allows."""

    def __init__(self, upload: Any, filtering: RequestFiltering) -> None:
        self._upload = upload
        self._filtering = filtering
        self.takes_pipes: bool = upload.takes_pipes
        self.finish = upload.finish
        self.abandon = upload.abandon

    @property
    def offset(self) -> int:
        """Where the first octet goes."""
        return self._upload.offset  # type: ignore[no-any-return]

    @property
    def octets(self) -> int:
        """Octets given so far."""
        return self._upload.octets  # type: ignore[no-any-return]

    def write(self, data: bytes) -> Any:
        """Take the next octets. :raises TooLarge: there are too many."""
        self._check(len(data))
        return self._upload.write(data)

    def take(self, pipe: Any, count: int) -> Any:
        """Take ``count`` octets that a pipe holds. :raises TooLarge: there are too many."""
        self._check(count)
        return self._upload.take(pipe, count)

    def _check(self, more: int) -> None:
        if trouble := self._filtering.of_length(self._upload.offset + self._upload.octets + more):
            raise denied(trouble)

"""
``[site.file_handling]``: what becomes of files that arrive, by IIS's names.

Not here: doing it (``storage``).
"""

from __future__ import annotations

from attrs import frozen

__all__ = ["FileHandling"]


@frozen
class FileHandling:
    """
    ``keep_partial_uploads``: write in place, and keep what arrived of an upload that broke; else it replaces the file when it is complete.

    ``allow_replace_on_rename``: RNTO may take a file's place. ``allow_read_uploads_in_progress``: what has arrived can be fetched.
    ``sync_uploads``: 226 comes when the octets are on the disk, not only with the system.
    ``mode_z``: clients may have transfers deflated (MODE Z), which takes the server's time instead of the line's.
    """

    keep_partial_uploads: bool = False
    allow_replace_on_rename: bool = False
    allow_read_uploads_in_progress: bool = False
    sync_uploads: bool = False
    mode_z: bool = False

"""
From names in a local directory to the lines of a listing: each object is looked at, and its values go straight into the form.

Not here: where names come from and in which portions (``listing``), how forms look (``wire``).
"""

from __future__ import annotations

import os
import stat
from operator import mod

from twistftp.storage.attributes import IDENTITY_MASK, IDENTITY_SALT, Rights, entry_of
from twistftp.storage.confinement import Directory, text_of
from twistftp.storage.links import Links
from twistftp.storage.statuses import look
from twistftp.wire.entries import Entry
from twistftp.wire.forms import NAMES, FactsForm, Form
from twistftp.wire.unix_form import KIND, OWNER, UnixForm

__all__ = ["Renderer"]

_FILE, _DIRECTORY, _LINK = stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK
_UNIX = stat.ST_MODE, stat.ST_NLINK, stat.ST_SIZE, stat.ST_MTIME
_FACTS = *_UNIX, stat.ST_UID, stat.ST_GID, stat.ST_INO, stat.ST_DEV


class Renderer:
    """
    The objects of one directory. What vanishes while it is looked at is left out (P-LS-6).

    :ivar others: lines added of objects that may change without a word to their directory, which is anything but files with one name, and of those
        that could not be looked at: the first line, the one behind the last, and the name.
    """

    __slots__ = ("_directory", "_links", "_rights", "others")

    def __init__(self, directory: Directory, links: Links, rights: Rights) -> None:
        self._directory = directory
        self._links = links
        self._rights = rights
        self.others: list[tuple[int, int, bytes]] = []

    def add_entries(self, names: list[bytes], batch: list[Entry]) -> None:
        """Add their entries. Every call of Python code counts here: ``attributes.entry_of`` explains."""
        directory, prefix, letters = self._directory.descriptor, self._directory.prefix, self._rights
        lstat, new, add, is_link = os.lstat, tuple.__new__, batch.append, stat.S_ISLNK
        salt, mask, owner = IDENTITY_SALT, IDENTITY_MASK, OWNER
        for octets in names:
            try:
                found = lstat(prefix + octets, dir_fd=directory)
                mode, inode, device, links, user, group, size, _, modified, _ = found
                if is_link(mode):
                    add(self._links.entry(octets, found))
                    continue
            except OSError:
                continue
            name = octets.decode("utf-8", "surrogateescape")
            unique = "%x" % (hash((salt, device, inode >> 60, inode)) & mask)
            add(new(Entry, (name, mode, size, modified, links, owner, owner, unique, letters[mode, user, group], None, None)))

    def add_lines(self, names: list[bytes], lines: list[bytes], form: Form) -> None:
        """Add their lines in a form."""
        if form is NAMES:
            lines.append(b"%s\r\n" % b"\r\n".join(names))
        elif isinstance(form, UnixForm):
            self._add_unix(names, lines, form)
        elif isinstance(form, FactsForm) and form.is_usual:
            self._add_facts(names, lines, form)
        else:
            self._add_any(names, lines, form)

    def _add_unix(self, names: list[bytes], lines: list[bytes], form: UnixForm) -> None:
        """As ``UnixForm.lines``, without an entry."""
        modes, links, sizes, seconds = look(self._directory, names, _UNIX)
        templates = list(map(form.files.__getitem__, modes))
        rows = zip(sizes, form.dates(seconds), names, strict=True)
        if None not in templates and links.count(1) == len(links):  # nothing but files with one name, as nearly always: then no loop of ours
            lines.extend(map(mod, templates, rows))
            return
        for template, mode, count, row in zip(templates, modes, links, rows, strict=True):
            if template is not None and count == 1:
                lines.append(template % row)
            elif mode & KIND in (_FILE, _DIRECTORY):
                lines.append(b"%s%8d %s %s\r\n" % (form.heads[mode, count, OWNER, OWNER], *row))
                self.others.append((len(lines) - 1, len(lines), row[2]))
            else:
                self._look_again(row[2], lines, form)

    def _add_facts(self, names: list[bytes], lines: list[bytes], form: FactsForm) -> None:
        """As ``FactsForm.lines``, without an entry."""
        modes, links, sizes, seconds, users, groups, inodes, devices = look(self._directory, names, _FACTS)
        letters = map(self._rights.__getitem__, zip(modes, users, groups, strict=True))
        templates = map(form.templates.__getitem__, zip(modes, letters, strict=True))
        salt, mask, add = IDENTITY_SALT, IDENTITY_MASK, lines.append
        uniques = [hash((salt, device, inode >> 60, inode)) & mask for device, inode in zip(devices, inodes, strict=True)]
        rows = zip(sizes, form.times(seconds), uniques, names, strict=True)
        for template, mode, count, row in zip(templates, modes, links, rows, strict=True):
            kind = mode & KIND
            if kind == _FILE:
                add(template % row)
                if count != 1:
                    self.others.append((len(lines) - 1, len(lines), row[3]))
            elif kind == _DIRECTORY:
                add(template % row[1:])
                self.others.append((len(lines) - 1, len(lines), row[3]))
            else:
                self._look_again(row[3], lines, form)

    def _add_any(self, names: list[bytes], lines: list[bytes], form: Form) -> None:
        for name in names:
            try:
                found = self._directory.status(name)
            except OSError:
                self._add_other(name, None, lines, form)
                continue
            if found.st_nlink != 1 or not stat.S_ISREG(found.st_mode):
                self._add_other(name, found, lines, form)
            else:
                lines.append(form.lines((entry_of(text_of(name), found, self._rights),)))

    def _look_again(self, name: bytes, lines: list[bytes], form: Form) -> None:
        try:
            found = self._directory.status(name)
        except OSError:
            self._add_other(name, None, lines, form)
        else:
            self._add_other(name, found, lines, form)

    def _add_other(self, name: bytes, found: os.stat_result | None, lines: list[bytes], form: Form) -> None:
        """The line of anything, if it has one; ``found``: its ``lstat``, ``None`` if that failed."""
        first = len(lines)
        if found is not None:
            try:
                is_link = found.st_mode & KIND == _LINK
                entry = self._links.entry(name, found) if is_link else entry_of(text_of(name), found, self._rights)
            except OSError:  # it went away meanwhile
                pass
            else:
                line = form.lines((entry,))
                if line:
                    lines.append(line)
        self.others.append((first, len(lines), name))

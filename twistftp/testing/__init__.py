"""
A server for other people's test suites: ``with ftp_site(files={"a.txt": b"hello"}) as site: ...``; docs/testing.md says all of it.

=============================  ==================================================================================
``server``, ``files``          :class:`FTPServer`, what ``ftp_site`` gives, and its files
``asked``                      its options, checked
``chaos``, ``faults``          what can be made to go wrong, by name, and what each does
``plugin``                     the fixture ``ftp_site`` for pytest
``link``                       the process in which the sites run, as the test's process sees it
``worker``                     that process: sites with faults, files in memory, certificates
=============================  ==================================================================================

Importing this imports neither Twisted nor pytest: the sites run in a process of their own, so the tests may have any event loop.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twistftp.testing import chaos as chaos
    from twistftp.testing.server import FTPServer as FTPServer
    from twistftp.testing.server import ftp_site as ftp_site

__all__ = ["FTPServer", "chaos", "ftp_site"]


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for (PEP 562)."""
    if name == "chaos":
        return import_module("twistftp.testing.chaos")
    if name in __all__:
        return getattr(import_module("twistftp.testing.server"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""
pytest's fixtures ``ftp_site`` and ``make_ftp_site``, and the marker that says what the former is like.

Not here: the site (``server``). pytest finds this file by the entry point ``pytest11``; where the package is not installed,
``pytest_plugins = ["twistftp.testing.plugin"]`` in the topmost ``conftest.py`` does the same.
Nothing else of the package is imported before a test asks for a site.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from twistftp.testing.server import FTPServer

__all__ = ["ftp_site", "make_ftp_site", "pytest_configure", "pytest_unconfigure"]

_MARKER = "ftp_site(files=None, *, tls=False, users=None, chaos=(), ...): what the fixture ftp_site is like (see twistftp.testing.FTPServer)"


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of the marker."""
    config.addinivalue_line("markers", _MARKER)


def pytest_unconfigure() -> None:
    """The process of the sites ends with the run, though the one that ran pytest may go on."""
    if (link := sys.modules.get("twistftp.testing.link")) is not None:
        link.end()


@pytest.fixture
def make_ftp_site() -> Iterator[Callable[..., FTPServer]]:
    """Starts FTP sites, given the options of ``FTPServer``; they end with the test."""
    from twistftp.testing.server import FTPServer

    with ExitStack() as sites:
        yield lambda *arguments, **options: sites.enter_context(FTPServer(*arguments, **options))


@pytest.fixture
def ftp_site(request: pytest.FixtureRequest, make_ftp_site: Callable[..., FTPServer]) -> FTPServer:
    """An FTP site of the test's own; ``@pytest.mark.ftp_site(...)`` says what it is like, the nearest marker's word counting for each option."""
    options: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("ftp_site"))):
        if len(marker.args) > 1:
            raise TypeError("@pytest.mark.ftp_site takes one positional argument, the files; the others are named")
        options |= dict(zip(("files",), marker.args, strict=False)) | marker.kwargs
    return make_ftp_site(**options)

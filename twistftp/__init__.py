"""
twistftp: an FTP and FTPS server on Twisted for people who serve files from behind firewalls and NAT.

The map of the package, bottom first; a module imports only from the rows above its own
(``tests/test_layers.py`` checks it):

==============================  ===============================================================
``wire``                        the octets and words of FTP: lines, replies, addresses, paths,
                                listings. Pure: no Twisted, no clock, no file, no socket
``policy``                      decisions about values: settings, port ranges, diagnoses. Pure too
``storage``                     avatars: ``IFTPShell`` over files; knows no socket and no session
``accounts``                    the cred realm, the checkers, the users file
``transport``                   connections: sockets, TLS, the passive pool, active mode, data transfer
``session``                     the server-PI: one client's control connection, verb by verb
``site``, ``virtual_hosts``     :class:`FTPSite`, the factory, and sites that share a port
``stock_attributes``            what programs set on Twisted's own factory, as settings
``capsules``                    sessions written down, and played again in memory
``monitoring`` and its kin      access logs, Prometheus metrics, the local control socket
``configuration``, ``service``  TOML and options to settings; the ``twistd ftpsite`` command
``cli``                         the ``twistftp`` command
``testing``                     a server for other people's test suites, which can be broken on purpose
==============================  ===============================================================

Importing this package installs no reactor: the public names below are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twistftp.policy.settings import SiteSettings as SiteSettings
    from twistftp.site import FTPSite as FTPSite

__version__ = "0.1.0"
__all__ = ["FTPSite", "SiteSettings", "__version__"]

_HOMES = {"FTPSite": "twistftp.site", "SiteSettings": "twistftp.policy.settings"}


def __dir__() -> list[str]:
    """The public names, whether they are loaded or not: for ``help()`` and for those who complete names."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for (PEP 562), so that ``import twistftp`` stays light."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

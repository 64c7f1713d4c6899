"""
Short names for the levels and needs in the tables of rows.

Not here: what they mean (``row``).
"""

from __future__ import annotations

from twistftp.cli.conform.row import Level, Need

__all__ = ["BEYOND", "DIRECTORY", "FILE", "IPV4", "IPV6", "LOGIN", "MUST", "SHOULD", "TLS", "WRITE"]

MUST, SHOULD, BEYOND = Level.MUST, Level.SHOULD, Level.BEYOND
LOGIN, FILE, DIRECTORY, TLS, WRITE, IPV4, IPV6 = Need.LOGIN, Need.FILE, Need.DIRECTORY, Need.TLS, Need.WRITE, Need.IPV4, Need.IPV6

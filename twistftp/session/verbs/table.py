"""
All verbs, gathered: the one table that dispatch, HELP, FEAT and the README are made from.

Not here: any verb.
"""

from __future__ import annotations

from twistftp.session.verbs.changes import changes
from twistftp.session.verbs.data_ports import data_ports
from twistftp.session.verbs.directories import directories
from twistftp.session.verbs.files import files
from twistftp.session.verbs.hashing import hashing
from twistftp.session.verbs.information import information
from twistftp.session.verbs.listings import listings
from twistftp.session.verbs.login import login
from twistftp.session.verbs.parameters import parameters
from twistftp.session.verbs.security import security
from twistftp.session.verbs.site import SITE_VERBS, site
from twistftp.session.verbs.transfers import transfers
from twistftp.session.verbs.uploads import uploads
from twistftp.wire.commands import CommandTable

__all__ = ["SITE_VERBS", "VERBS"]

VERBS = CommandTable(login, directories, parameters, data_ports, transfers, uploads, listings, files, changes, hashing, information, site, security)

"""
Tells ``twistd`` of the ``ftpsite`` command.

Not here: anything else. ``twistd`` loads every plugin file whatever command it runs, so ours names its module by string.
"""

from twisted.application.service import ServiceMaker

twistftp = ServiceMaker("twistftp FTP site", "twistftp.service", "An FTP server for files behind firewalls and NAT.", "ftpsite")

"""
The process in which the sites of tests run: ``python -m twistftp.testing.worker``.

It has a process of its own because importing Twisted's FTP installs a reactor, and the tests may have another event loop.
"""

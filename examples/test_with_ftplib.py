"""
Tests of a program that fetches files with ftplib: ``python -m pytest examples/test_with_ftplib.py``.

The fixture ``ftp_site`` comes with twistftp. Each test has a site of its own, with the files and the faults that its marker names.
"""

import io
from ftplib import FTP, error_temp

import pytest

from twistftp.testing import chaos

CONTENT = b"0123456789" * 1000


def fetch(host: str, port: int, user: str, password: str, name: str, tries: int = 3) -> bytes:
    """What is tested: a download that goes on where it was broken off."""
    data = io.BytesIO()
    for _ in range(tries):
        try:
            with FTP(timeout=10) as ftp:
                ftp.connect(host, port)
                ftp.login(user, password)
                ftp.retrbinary(f"RETR {name}", data.write, rest=data.tell() or None)
                return data.getvalue()
        except (error_temp, OSError):
            continue
    raise OSError(f"{name} could not be fetched")


@pytest.mark.ftp_site(files={"a.bin": CONTENT})
def test_fetch(ftp_site):
    """All is well."""
    assert fetch(ftp_site.host, ftp_site.port, ftp_site.user, ftp_site.password, "a.bin") == CONTENT
    assert ftp_site.commands[-1] == "QUIT"


@pytest.mark.ftp_site(files={"a.bin": CONTENT}, chaos=[chaos.reset_at(4000, times=1)])
def test_fetch_goes_on(ftp_site):
    """The data connection is reset once, after 4 000 octets: the second try asks for the rest."""
    assert fetch(ftp_site.host, ftp_site.port, ftp_site.user, ftp_site.password, "a.bin") == CONTENT
    assert "REST 4000" in ftp_site.commands


@pytest.mark.parametrize("fault", ["split_replies(seed=1)", "odd_multiline", "early_226", "no_epsv", "octet_segments"])
def test_fetch_from_odd_servers(make_ftp_site, fault):
    """None of these is an excuse."""
    site = make_ftp_site(files={"a.bin": CONTENT}, chaos=[fault])
    assert fetch(site.host, site.port, site.user, site.password, "a.bin") == CONTENT


@pytest.mark.ftp_site(files={"a.bin": CONTENT}, chaos=[chaos.rewritten_port()])
def test_fetch_gives_up(ftp_site):
    """Nobody listens where 227 says."""
    with pytest.raises(OSError, match=r"a\.bin could not be fetched"):
        fetch(ftp_site.host, ftp_site.port, ftp_site.user, ftp_site.password, "a.bin")
    assert len([line for line in ftp_site.commands if line == "PASV"]) == 3

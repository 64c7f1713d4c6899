"""
Makes the cards of this directory: starts each server on 127.0.0.1, has ``twistftp conform`` look at it, and ends it.

    python docs/conformance/make.py            # all four, three minutes; or the names of some

``README.md`` beside it says what has to be installed. Not here: the rows, and how servers are asked (``twistftp.cli.conform``); how the two
peers that have no program of their own are started (``bench/peers.py``).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
HOST, USER, PASSWORD = "127.0.0.1", "alice", "secret"
FILES = ["pub/inner.txt", "readme.txt"]
BEGIN, END = "<!-- made by make.py -->", "<!-- end -->"
START_LIMIT = END_LIMIT = 20.0

CONFIGURATION = """
[[site]]
name = "twistftp"
root = "{root}"
address = "{host}"
port = {port}
[site.tls]
certificate = "{certificate}"
private_key = "{key}"
clear_command_channel = true
[site.authentication]
users_file = "{users}"
[site.file_handling]
mode_z = true
"""
# The root of its anonymous user must not be open to writing; "pub" is. Without seccomp_sandbox=NO it is killed by its own filter on newer kernels.
VSFTPD = """
background=NO
listen=YES
listen_address={host}
listen_port={port}
anonymous_enable=YES
local_enable=YES
anon_root={root}
write_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_umask=022
secure_chroot_dir={empty}
seccomp_sandbox=NO
ssl_enable=YES
allow_anon_ssl=YES
force_local_logins_ssl=NO
force_local_data_ssl=NO
rsa_cert_file={certificate}
rsa_private_key_file={key}
ssl_ciphers=HIGH
"""


class Place(NamedTuple):
    """Where a server works, and the port it is given."""

    directory: Path
    port: int

    @property
    def root(self) -> Path:
        """The tree that is served."""
        return self.directory / "root"

    @property
    def certificate(self) -> Path:
        """PEM; signed by itself."""
        return self.directory / "cert.pem"

    @property
    def key(self) -> Path:
        """PEM."""
        return self.directory / "key.pem"

    def filled(self, template: str, name: str) -> str:
        """A configuration file; its path."""
        path = self.directory / name
        values = {"users": self.directory / "users", "empty": self.directory / "empty"}
        path.write_text(template.format(root=self.root, host=HOST, port=self.port, certificate=self.certificate, key=self.key, **values))
        return str(path)


class Server(NamedTuple):
    """How one is started, how the card names it, and the URL without scheme, host and port."""

    command: Callable[[Place], list[str]]
    name: Callable[[], str]
    login: str = f"{USER}:{PASSWORD}@"
    directory: str = ""


def twistftp_command(place: Place) -> list[str]:
    """By ``twistd``, with a configuration file in which what is optional is switched on."""
    subprocess.run(
        [sys.executable, "-m", "twistftp", "passwd", str(place.directory / "users"), USER],
        input=f"{PASSWORD}\n", text=True, check=True, stdout=subprocess.DEVNULL, env=environment(),
    )  # fmt: skip
    twistd = str(Path(sys.executable).parent / "twistd")
    return [twistd, "-n", "--pidfile=", "ftpsite", "--config", place.filled(CONFIGURATION, "site.toml")]


def peer_command(peer: str, *options: str) -> Callable[[Place], list[str]]:
    """By the benchmark's script."""

    def command(place: Place) -> list[str]:
        files = {"tls": ["--certificate", str(place.certificate), "--private-key", str(place.key)]}
        more = [part for option in options for part in files[option]]
        script = str(CHECKOUT / "bench" / "peers.py")
        return [sys.executable, script, peer, str(place.port), str(place.root), "--user", USER, "--password", PASSWORD, *more]

    return command


def vsftpd_program() -> str:
    """Its path; ``sbin`` is not in everybody's."""
    program = shutil.which("vsftpd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None or os.geteuid() != 0:
        raise SystemExit("vsftpd has to be installed, and started by root")
    return program


def vsftpd_command(place: Place) -> list[str]:
    """By a configuration file, which it wants to belong to root."""
    return [vsftpd_program(), place.filled(VSFTPD, "vsftpd.conf")]


def vsftpd_version() -> str:
    """It tells its version on standard input, which is a terminal for it."""
    with tempfile.TemporaryFile("w+") as terminal:
        subprocess.run([vsftpd_program(), "-v"], stdin=terminal, check=False)
        terminal.seek(0)
        found = re.search(r"version (\S+)", terminal.read())
    return f"vsftpd {found[1] if found else ''}".strip()


def twistftp_version() -> str:
    """That of the checkout, on the release of Twisted that is installed."""
    found = re.search(r'^__version__ = "([^"]+)"$', (CHECKOUT / "twistftp" / "__init__.py").read_text(), re.MULTILINE)
    assert found is not None
    return f"twistftp {found[1]} (Twisted {importlib.metadata.version('Twisted')})"


SERVERS = {
    "twistftp": Server(twistftp_command, twistftp_version),
    "pyftpdlib": Server(peer_command("pyftpdlib", "tls"), lambda: f"pyftpdlib {importlib.metadata.version('pyftpdlib')}"),
    "vsftpd": Server(vsftpd_command, vsftpd_version, login="anonymous@", directory="/pub"),
    "twisted": Server(peer_command("twisted"), lambda: f"Twisted {importlib.metadata.version('Twisted')} (twisted.protocols.ftp)"),
}


def environment() -> dict[str, str]:
    """For a child process: it sees the checkout, and names of months are English."""
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def make_place(directory: Path, port: int) -> Place:
    """The tree, with a directory in which anybody may write, and the certificate."""
    place = Place(directory, port)
    directory.chmod(0o755)  # vsftpd goes through it as its user "ftp"
    (directory / "empty").mkdir()
    (place.root / "pub").mkdir(parents=True)
    (place.root / "pub").chmod(0o777)
    for name in FILES:
        (place.root / name).write_text("A line of text.\nAnother one.\n")
    openssl = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*openssl, "-keyout", str(place.key), "-out", str(place.certificate)], check=True, capture_output=True)
    return place


@contextmanager
def running(command: list[str], place: Place) -> Iterator[None]:
    """A server that has greeted once; it and its children are ended in the end."""
    if greets(place.port):
        raise SystemExit(f"port {place.port} is taken: use --port")
    log = place.directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=place.directory, env=environment(), start_new_session=True
        )
    try:
        until = time.monotonic() + START_LIMIT
        while not greets(place.port):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"{command[0]} does not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.05)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(END_LIMIT)
        finally:
            process.kill()


def greets(port: int) -> bool:
    """Whether somebody is there."""
    try:
        with socket.create_connection((HOST, port), 5) as probe:
            return probe.recv(3) == b"220"
    except OSError:
        return False


def make_card(name: str, port: int) -> None:
    """Three files, which tell nothing about this machine."""
    server = SERVERS[name]
    cards = [HERE / f"{name}.{form}" for form in ("txt", "json", "html")]
    with tempfile.TemporaryDirectory(prefix="conformance-") as directory:
        place = make_place(Path(directory), port)
        with running(server.command(place), place):
            outputs = [part for card in cards for part in ("--output", str(card))]
            url = f"ftp://{server.login}{HOST}:{port}{server.directory}"
            options = ["--write", "--insecure", "--name", server.name(), *outputs]
            said = subprocess.run([sys.executable, "-m", "twistftp", "conform", url, *options], env=environment(), check=False)
            if said.returncode not in {0, 1}:
                raise SystemExit(f"{name}: no card")
        if (left := sorted(str(path.relative_to(place.root)) for path in place.root.rglob("*"))) != ["pub", *FILES]:
            raise SystemExit(f"{name}: something was left there: {left}")
        for card in cards:
            for word in (directory, socket.gethostname(), PASSWORD):
                if word in card.read_text("utf-8"):
                    raise SystemExit(f"{card.name} holds {word!r}, which is nobody's business")


def write_table() -> None:
    """The table of ``README.md``, of the cards that are there."""
    page = HERE / "README.md"
    before, _, rest = page.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    lines = ["| server | card | MUST | SHOULD | beyond the RFCs |", "|---|---|---|---|---|"]
    for name in SERVERS:
        card = json.loads((HERE / f"{name}.json").read_text("utf-8"))
        sums = [f"{one['PASS']} of {one['PASS'] + one['FAIL']}" for one in (card["summary"][level] for level in ("MUST", "SHOULD", "BEYOND"))]
        links = ", ".join(f"[{form}]({name}.{ending})" for form, ending in (("text", "txt"), ("HTML", "html"), ("JSON", "json")))
        lines.append(f"| {card['name']} | {links} | {' | '.join(sums)} |")
    page.write_text(f"{before}{BEGIN}\n{chr(10).join(lines)}\n{END}{after}", "utf-8")


def main() -> None:
    """One server after the other: their ports may be one."""
    parser = argparse.ArgumentParser(description="Makes the cards of this directory.")
    parser.add_argument("servers", nargs="*", help=f"of {', '.join(SERVERS)}; all, if none is named")
    parser.add_argument("--port", type=int, default=2121, help="the port that each of them gets, and cards show (%(default)s)")
    options = parser.parse_args()
    for name in options.servers or SERVERS:
        if name not in SERVERS:
            parser.error(f"there is no server {name!r}")
        began = time.monotonic()
        make_card(name, options.port)
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    write_table()


if __name__ == "__main__":
    main()

"""
The directory of a comparison, and what ``--setup`` puts there: the peers, a tree to serve, a certificate, a users file.

Not here: starting the servers that work in it (``servers``). vsftpd alone goes elsewhere: apt-get installs it for the whole machine.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import importlib.util
import ipaddress
import os
import pwd
import random
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

USER = PASSWORD = "bench"  # of those who may write; on loopback, while an upload is measured
UPLOADS = "up"  # directory under the root

_CHECKOUT = Path(__file__).resolve().parent.parent
_FILES = {"1k.bin": 1 << 10, "10m.bin": 10 << 20, "1g.bin": 1 << 30}
_DIRECTORIES = {"dir1k": 1000, "dir20k": 20000}
_VALIDITY = datetime.timedelta(days=3650)


@dataclass(frozen=True)
class Place:
    """The directory that ``--setup`` fills; logs and configuration files go there too."""

    directory: Path
    lasts: bool = True  # whether what is put there is found by later runs

    @property
    def root(self) -> Path:
        """The tree that is served."""
        return self.directory / "root"

    @property
    def uploads(self) -> Path:
        """Where clients write, inside the tree."""
        return self.root / UPLOADS

    @property
    def python(self) -> Path:
        """The Python of the peers."""
        return self.directory / "peers" / "bin" / "python"

    @property
    def certificate(self) -> Path:
        """PEM; signed by itself, for ``localhost``."""
        return self.directory / "cert.pem"

    @property
    def private_key(self) -> Path:
        """PEM, without a passphrase."""
        return self.directory / "key.pem"

    @property
    def users(self) -> Path:
        """twistftp's users file."""
        return self.directory / "users"

    @property
    def is_ready(self) -> bool:
        """Whether ``--setup`` was here, the present one: earlier ones made less."""
        return all(path.exists() for path in (self.root, self.uploads, self.certificate, self.private_key, self.users))

    def uploaded(self) -> list[int]:
        """The sizes of the files that clients have written."""
        return [path.stat().st_size for path in self.uploads.iterdir()]

    def remove_uploads(self) -> None:
        """What one server has written another might not be allowed to replace, and would have to free the room of."""
        for path in self.uploads.iterdir():
            path.unlink()


def environment(place: Place, *, ours: bool) -> dict[str, str]:
    """
    For a child process. Compiled modules are kept for all, beside the tree; in a directory that does not last they would be compiled in every run.

    :param ours: whether it is twistftp: only that sees PYTHONPATH, and the checkout if it is found nowhere else
    """
    unwanted = ({"PYTHONDONTWRITEBYTECODE"} if place.lasts else set()) | (set() if ours else {"PYTHONPATH"})
    inherited = {key: value for key, value in os.environ.items() if key not in unwanted}
    if place.lasts:
        inherited["PYTHONPYCACHEPREFIX"] = str(place.directory / "pycache")
    if ours and not importlib.util.find_spec("twistftp"):
        inherited["PYTHONPATH"] = os.pathsep.join([str(_CHECKOUT), *filter(None, [inherited.get("PYTHONPATH")])])
    return inherited


def vsftpd_program() -> str | None:
    """Its path; ``sbin`` is not in everybody's."""
    return shutil.which("vsftpd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def set_up(place: Place) -> None:
    """All of it. May be run again: what is there stays."""
    place.root.mkdir(parents=True, exist_ok=True)
    place.directory.chmod(0o755)  # vsftpd goes through it as its user "ftp"
    _make_tree(place.root)
    make_certificate(place)
    make_users_file(place)
    if not place.python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place.directory / "peers")], check=True)
    # The same Twisted and the same TLS library on both sides, or the comparison would be one of their releases.
    subprocess.run(
        [str(place.python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "pyftpdlib", *map(_as_here, ("Twisted", "pyOpenSSL"))],
        check=True,
    )
    _install_vsftpd()
    _make_uploads_directory(place.uploads)


def set_up_little(place: Place) -> None:
    """What ``workers.py`` needs: small files and a certificate. May be run again: what is there stays."""
    place.root.mkdir(parents=True, exist_ok=True)
    make_file(place.root / "1k.bin", _FILES["1k.bin"], random.Random(959).randbytes(1 << 20))
    make_certificate(place)


def _as_here(distribution: str) -> str:
    """What to ask pip for: the release that this Python has, if it has any."""
    try:
        return f"{distribution}=={importlib.metadata.version(distribution)}"
    except importlib.metadata.PackageNotFoundError:
        return distribution


def _make_tree(root: Path) -> None:
    """Files of the same octets in every run, and directories of small files."""
    piece = random.Random(959).randbytes(1 << 20)
    for name, size in _FILES.items():
        make_file(root / name, size, piece)
    for name, count in _DIRECTORIES.items():
        make_directory(root / name, count)


def make_file(path: Path, size: int, piece: bytes) -> None:
    if path.exists() and path.stat().st_size == size:
        return
    with path.open("wb") as file:
        for at in range(0, size, len(piece)):
            file.write(piece[: size - at])


def make_directory(directory: Path, count: int) -> None:
    """Of small files from three years, no two of the same second, as archives are; those that are there stay."""
    directory.mkdir(exist_ok=True)
    now, age = int(time.time()), 3 * 365 * 86400
    for number in range(len(os.listdir(directory)), count):
        file = directory / f"some-file-name-{number:06}.tar.gz"
        file.write_bytes(b"x" * (number % 777))
        then = now - number * 7919 % count * age // count  # in no order
        os.utime(file, (then, then))


def make_cold_file(path: Path, size: int) -> None:
    """Real blocks on the disk, and none of them in the page cache: a sparse file would have neither."""
    make_file(path, size, random.Random(959).randbytes(1 << 20))
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def make_certificate(place: Place) -> None:
    """With a P-256 key: what certificates have nowadays, and cheap for the generator to check."""
    if place.certificate.exists() and place.private_key.exists():
        return
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + _VALIDITY)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    place.private_key.touch(mode=0o600)
    place.private_key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    place.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def make_users_file(place: Place) -> None:
    """By twistftp's own command."""
    if place.users.exists():
        return
    command = [sys.executable, "-m", "twistftp", "passwd", str(place.users), USER]
    subprocess.run(command, input=f"{PASSWORD}\n", text=True, env=environment(place, ours=True), check=True, stdout=subprocess.DEVNULL)


def _make_uploads_directory(uploads: Path) -> None:
    """For the user who starts the servers and, where there is one, vsftpd's: root may write there anyway."""
    uploads.mkdir(exist_ok=True)
    if os.geteuid() != 0:
        return
    try:
        user = pwd.getpwnam("ftp")
    except KeyError:
        return
    os.chown(uploads, user.pw_uid, user.pw_gid)


def _install_vsftpd() -> None:
    """By apt-get, where that is possible; the service that the package brings is not left running."""
    if vsftpd_program():
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        print("vsftpd is missing; it is installed for root on Debian only. The others can be compared without it.", file=sys.stderr)
        return
    quietly = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}  # invoke-rc.d starts nothing in runlevel 1
    subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", "vsftpd"], env=quietly, check=True, stdin=subprocess.DEVNULL)
    if shutil.which("systemctl"):
        subprocess.run(["systemctl", "disable", "--now", "vsftpd"], check=False, capture_output=True)

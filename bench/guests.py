"""
Well-behaved clients of the soak: each visit is a session in which all must be as it should be, whatever others do meanwhile.

Not here: those who do not behave (``vandals``), and how many there are (``soak``).
"""

from __future__ import annotations

import asyncio
import ftplib
import importlib.util
import io
import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from client import Session, tls_context
from place import PASSWORD, UPLOADS, USER

HOST = "127.0.0.1"
SMALL, BIG = "small.bin", "big.bin"  # the big one is never fetched whole
DIRECTORY, ENTRIES = "many", 300
_PATIENCE = 60.0  # seconds for one reply: how fast the server is does not count here
_ANONYMOUS = ("anonymous", "soak@example.org")
_NAMED = (USER, PASSWORD)
_SHARE = 0.1  # of those with a name: to verify a password takes as long as a hundred anonymous logins
_MOST_TASKS = 4


def who(rng: random.Random) -> tuple[str, str]:
    """As whom to log in. All may write."""
    return _NAMED if rng.random() < _SHARE else _ANONYMOUS


class Wrong(Exception):
    """The server has answered something else than it should have; the text says what."""


@dataclass(frozen=True)
class Scene:
    """Where the server is, and what is in its ``SMALL`` file."""

    port: int
    small: bytes
    context: ssl.SSLContext


def scene(port: int, small: bytes) -> Scene:
    """With a context of TLS for all."""
    return Scene(port, small, tls_context())


Visit = Callable[[Scene, random.Random], None]


# --- ftplib --------------------------------------------------------------------------------------------------------------------------------------


class _Resuming(ftplib.FTP_TLS):
    """Its data connections resume the session of the control connection, as those of most clients do."""

    def ntransfercmd(self, cmd: str, rest: Any = None) -> Any:
        """As the base class's, but for the session."""
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:  # type: ignore[attr-defined]
            connection = self.context.wrap_socket(connection, session=self.sock.session)  # type: ignore[union-attr]
        return connection, size


def _list(ftp: ftplib.FTP, scene: Scene, rng: random.Random) -> None:
    names = ftp.nlst(DIRECTORY) if rng.random() < 0.5 else [name for name, facts in ftp.mlsd(DIRECTORY) if facts["type"] == "file"]
    if len(names) != ENTRIES:
        raise Wrong(f"a listing of {len(names)} names instead of {ENTRIES}")


def _fetch(ftp: ftplib.FTP, scene: Scene, rng: random.Random) -> None:
    start = rng.choice((0, len(scene.small) // 2))
    found = io.BytesIO()
    ftp.retrbinary(f"RETR {SMALL}", found.write, rest=start or None)
    _same(found.getvalue(), scene.small[start:])


def _upload(ftp: ftplib.FTP, scene: Scene, rng: random.Random) -> None:
    path, found = _new_name(rng), io.BytesIO()
    ftp.storbinary(f"STOR {path}", io.BytesIO(scene.small))
    ftp.retrbinary(f"RETR {path}", found.write)
    _same(found.getvalue(), scene.small)
    ftp.delete(path)


def _give_up(ftp: ftplib.FTP, scene: Scene, rng: random.Random) -> None:
    ftp.voidcmd("TYPE I")
    data = ftp.transfercmd(f"RETR {BIG}")
    try:
        data.recv(rng.randrange(1, 100_000))
        ftp.putcmd("ABOR")  # its own abort() wants urgent data, which TLS does not have
        replies = [ftp.getmultiline()[:3], ftp.getmultiline()[:3]]
        if replies != ["426", "226"]:
            raise Wrong(f"ABOR: {' '.join(replies)}")
    finally:
        data.close()


def _new_name(rng: random.Random) -> str:
    return f"{UPLOADS}/{rng.getrandbits(64):016x}"


def _same(found: bytes, wanted: bytes) -> None:
    if found != wanted:
        raise Wrong(f"a file of {len(found)} octets is not the one of {len(wanted)} that was wanted")


_TASKS = (_list, _fetch, _upload, _give_up)


def _by_ftplib(scene: Scene, rng: random.Random, ftp: ftplib.FTP) -> None:
    with ftp:
        ftp.connect(HOST, scene.port)
        ftp.login(*who(rng))
        if isinstance(ftp, ftplib.FTP_TLS):
            ftp.prot_p()
        for task in rng.choices(_TASKS, k=rng.randint(1, _MOST_TASKS)):
            task(ftp, scene, rng)


def plain(scene: Scene, rng: random.Random) -> None:
    """Python's ftplib in the clear."""
    _by_ftplib(scene, rng, ftplib.FTP(timeout=_PATIENCE))


def encrypted(scene: Scene, rng: random.Random) -> None:
    """Python's ftplib with TLS, sessions resumed."""
    _by_ftplib(scene, rng, _Resuming(context=scene.context, timeout=_PATIENCE))


# --- by hand -------------------------------------------------------------------------------------------------------------------------------------


def by_hand(scene: Scene, rng: random.Random) -> None:
    """Sockets, with pipelining and ABOR."""
    session = Session(scene.port, scene.context if rng.random() < 0.3 else None)
    try:
        session.login(*who(rng))
        session.prepare_transfers()
        session.pipeline(rng.randrange(1, 100))
        octets, _ = session.retrieve(f"RETR {SMALL}")
        _, lines = session.retrieve(f"{rng.choice(('LIST', 'MLSD'))} {DIRECTORY}", look=True)
        if octets != len(scene.small) or lines < ENTRIES:
            raise Wrong(f"{octets} octets and {lines} lines instead of {len(scene.small)} and {ENTRIES}")
        if rng.random() < 0.5:
            session.abort(BIG, rng.randrange(1, 1 << 20))
        path = _new_name(rng)
        session.store(path, rng.randrange(1, 2 << 20))
        session.command(f"DELE {path}", b"250")
        session.quit()
    finally:
        session.drop()


# --- aioftp --------------------------------------------------------------------------------------------------------------------------------------


def by_aioftp(scene: Scene, rng: random.Random) -> None:
    """aioftp, where it is installed."""
    asyncio.run(_by_aioftp(scene, rng))


async def _by_aioftp(scene: Scene, rng: random.Random) -> None:
    import aioftp

    async with aioftp.Client.context(HOST, scene.port, *who(rng), socket_timeout=_PATIENCE) as client:
        names = [str(path) async for path, _ in client.list(DIRECTORY)]
        if len(names) != ENTRIES:
            raise Wrong(f"aioftp: a listing of {len(names)} names instead of {ENTRIES}")
        path = _new_name(rng)
        async with client.upload_stream(path) as stream:
            await stream.write(scene.small)
        async with client.download_stream(path) as stream:
            _same(await stream.read(), scene.small)
        await client.remove_file(path)


VISITS: dict[str, Visit] = {"ftplib": plain, "ftplib with TLS": encrypted, "by hand": by_hand}
if importlib.util.find_spec("aioftp"):
    VISITS["aioftp"] = by_aioftp

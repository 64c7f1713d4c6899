"""
Hostile and broken clients of the soak: each attack takes a second or two and leaves without tidying up.

Not here: those who behave (``guests``). What the server answers does not count, nor whether it answers at all.

They come from other loopback addresses than the guests, since the server keeps those out that guess passwords.
"""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Callable

from client import Failed, Session
from guests import BIG, DIRECTORY, HOST, Scene, who
from place import UPLOADS, USER

_PATIENCE = 10.0
_PAUSE = 0.02  # seconds between two reads of somebody slow
_MOST_PAUSES = 30
_LINE = 100_000  # octets, far more than any line may have
_FLOOD = 20_000  # commands
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER
_HELLO = bytes.fromhex("160301020001 0001fc0303")  # where a ClientHello begins

Attack = Callable[[Scene, random.Random], None]


def _address(rng: random.Random) -> str:
    return f"127.0.1.{rng.randrange(1, 9)}"


def _connect(scene: Scene, rng: random.Random) -> socket.socket:
    return socket.create_connection((HOST, scene.port), _PATIENCE, (_address(rng), 0))


def _session(scene: Scene, rng: random.Random, *, secure: bool = False) -> Session:
    """Logged in, binary, data protected where the control connection is."""
    session = Session(scene.port, scene.context if secure else None, _address(rng))
    try:
        session.login(*who(rng))
        session.prepare_transfers()
    except BaseException:
        session.drop()
        raise
    return session


def _leave(connection: socket.socket, rng: random.Random) -> None:
    """By a reset, or just so."""
    if rng.random() < 0.5:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()


def _wait(rng: random.Random) -> None:
    time.sleep(rng.random() * _PAUSE * _MOST_PAUSES)


# --- before the login ----------------------------------------------------------------------------------------------------------------------------


def mute(scene: Scene, rng: random.Random) -> None:
    """Connects and says nothing."""
    connection = _connect(scene, rng)
    _wait(rng)
    _leave(connection, rng)


def half_open_handshake(scene: Scene, rng: random.Random) -> None:
    """Begins TLS and never ends it, or sends something else."""
    connection = _connect(scene, rng)
    connection.recv(1000)
    connection.sendall(b"AUTH TLS\r\n")
    connection.recv(1000)
    connection.sendall((_HELLO if rng.random() < 0.5 else b"") + rng.randbytes(rng.randrange(1, 400)))
    _wait(rng)
    _leave(connection, rng)


def garbage(scene: Scene, rng: random.Random) -> None:
    """Sends octets of any kind, telnet's among them."""
    connection = _connect(scene, rng)
    for _ in range(rng.randrange(1, 30)):
        connection.sendall(rng.choice((b"\xff\xf4\xff\xf2", b"USER ", b"\r\n", b"\n", b"\0")) + rng.randbytes(rng.randrange(200)))
    connection.recv(10_000)
    _leave(connection, rng)


def long_lines(scene: Scene, rng: random.Random) -> None:
    """Sends lines that no buffer should hold."""
    connection = _connect(scene, rng)
    for _ in range(rng.randrange(1, 5)):
        connection.sendall(b"USER " + b"x" * _LINE + rng.choice((b"\r\n", b"")))
    connection.recv(10_000)
    _leave(connection, rng)


def guesses(scene: Scene, rng: random.Random) -> None:
    """Tries passwords, from so many addresses that some are not blocked yet."""
    connection = socket.create_connection((HOST, scene.port), _PATIENCE, (f"127.1.{rng.randrange(250)}.{rng.randrange(1, 250)}", 0))
    for _ in range(rng.randrange(1, 4)):
        connection.sendall(f"USER {USER}\r\nPASS {rng.random()}\r\n".encode())
    _wait(rng)  # the answers may take longer: whoever guesses is made to wait
    _leave(connection, rng)


# --- after it ------------------------------------------------------------------------------------------------------------------------------------


def flood(scene: Scene, rng: random.Random) -> None:
    """Pipelines commands by the thousand and reads no reply."""
    session = _session(scene, rng, secure=rng.random() < 0.3)
    session.control.settimeout(1.0)  # the server stops reading, as it should
    try:
        session.control.sendall(rng.choice((b"NOOP\r\n", b"PASV\r\nLIST\r\n", b"FEAT\r\n", b"MLST\r\n")) * _FLOOD)
    finally:
        _leave(session.control, rng)


def squat(scene: Scene, rng: random.Random) -> None:
    """Asks for ports and never connects."""
    session = _session(scene, rng)
    for _ in range(rng.randrange(1, 8)):
        session.command(rng.choice(("PASV", "EPSV")), b"2", b"4")
    session.control.sendall(b"LIST\r\n")
    _wait(rng)
    _leave(session.control, rng)


def connect_as_stranger(scene: Scene, rng: random.Random) -> None:
    """Comes to a port that somebody else was given."""
    session = _session(scene, rng)
    port = session.passive()
    with socket.create_connection((HOST, port), _PATIENCE, ("127.0.2.1", 0)) as stranger:
        stranger.sendall(rng.randbytes(100))
        session.control.sendall(f"NLST {DIRECTORY}\r\n".encode())
        _wait(rng)
    _leave(session.control, rng)


def reset_download(scene: Scene, rng: random.Random) -> None:
    """Breaks off a download, the control connection sometimes too."""
    session = _session(scene, rng, secure=rng.random() < 0.3)
    data = session.open_data(f"RETR {BIG}")
    data.recv(rng.randrange(1, 1 << 18))
    for connection in rng.choice(((data, session.control), (session.control, data), (data,))):
        _leave(connection, rng)
    _wait(rng)
    session.drop()


def reset_upload(scene: Scene, rng: random.Random) -> None:
    """Breaks off an upload."""
    session = _session(scene, rng, secure=rng.random() < 0.3)
    data = session.open_data(f"STOR {UPLOADS}/never-{rng.getrandbits(32):x}")
    data.sendall(rng.randbytes(rng.randrange(1, 1 << 18)))
    data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    data.close()
    _wait(rng)
    session.drop()


def read_slowly(scene: Scene, rng: random.Random) -> None:
    """Reads a big file by the spoonful."""
    session = _session(scene, rng, secure=rng.random() < 0.3)
    data = session.open_data(f"RETR {BIG}")
    for _ in range(rng.randrange(_MOST_PAUSES)):
        data.recv(1000)
        time.sleep(_PAUSE)
    _leave(data, rng)
    session.drop()


def bounce(scene: Scene, rng: random.Random) -> None:
    """Has the server connect where it should not, and where nobody listens."""
    session = _session(scene, rng)
    lines = ["PORT 127,0,0,1,0,22", "EPRT |1|10.0.0.1|4000|", "PORT 127,0,1,1,200,7", f"LIST {DIRECTORY}"]
    session.control.sendall("".join(f"{line}\r\n" for line in lines).encode())
    session.control.recv(1000)
    _wait(rng)
    _leave(session.control, rng)


def hang_up(scene: Scene, rng: random.Random) -> None:
    """Says QUIT, or half closes, in the middle of a transfer."""
    session = _session(scene, rng)
    data = session.open_data(f"RETR {BIG}")
    if rng.random() < 0.5:
        session.control.sendall(b"QUIT\r\n")
    else:
        session.control.shutdown(socket.SHUT_WR)
    data.recv(1 << 16)
    _wait(rng)
    _leave(data, rng)
    _leave(session.control, rng)


ATTACKS: tuple[Attack, ...] = (
    *(mute, half_open_handshake, garbage, long_lines, guesses, flood, squat, connect_as_stranger),
    *(reset_download, reset_upload, read_slowly, bounce, hang_up),
)
EXPECTED = (OSError, Failed)  # of an attack: turned away, hung up on, not answered

"""
Asking a running server over its control socket: one question, one answer.

Not here: what is asked and how it is shown (``status``), and the server's end (``control``).
"""

from __future__ import annotations

import json
import socket
from typing import Any

from twistftp.places import usual_places

__all__ = ["NoAnswer", "ask"]

_PATIENCE = 5.0
"""Seconds that a server may take."""


class NoAnswer(Exception):
    """There is no server to ask, or it has said no; the text is one line."""


def ask(path: str | None, **question: object) -> dict[str, Any]:
    """
    Ask the server at ``path``, or in one of the usual places.

    :raises NoAnswer: it cannot be asked, or the answer is an error.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise NoAnswer("this system has no Unix sockets, so a running server cannot be asked")
    failures = []
    for place in [path] if path else usual_places():
        try:
            answer = json.loads(_exchange(place, json.dumps(question).encode() + b"\n"))
        except (ConnectionRefusedError, FileNotFoundError):
            failures.append(f"no server listens at {place}")
        except OSError as error:
            failures.append(f"{place}: {(error.strerror or str(error)).lower()}")
        except ValueError:
            failures.append(f"{place}: what answers there is no twistftp")
        else:
            if "error" in answer:
                raise NoAnswer(str(answer["error"]))
            return answer  # type: ignore[no-any-return]
    raise NoAnswer("; ".join(failures) + (" (--control-socket names another place)" if path is None else ""))


def _exchange(path: str, question: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as skt:
        skt.settimeout(_PATIENCE)
        skt.connect(path)
        skt.sendall(question)
        answer = bytearray()
        while not answer.endswith(b"\n"):
            octets = skt.recv(65536)
            if not octets:
                break
            answer += octets
    return bytes(answer)

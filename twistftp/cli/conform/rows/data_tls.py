"""
Data connections under TLS: who shakes hands when, and how a transfer ends (RFC 4217 §7, §9).

Not here: the control connection's TLS (``security``).
"""

from __future__ import annotations

from twistftp.cli.conform.row import Broken, NotOffered, NotTried, RowGroup
from twistftp.cli.conform.rows.words import BEYOND, FILE, LOGIN, MUST, SHOULD, TLS, WRITE
from twistftp.cli.conform.visit import Visit
from twistftp.policy.firewall import is_private

__all__ = ["data_tls"]

data_tls = RowGroup("TLS on data connections")


@data_tls.row("P-TD-1", "RFC 4217 §7, §9", MUST, "After PROT P a listing comes under TLS, the server being TLS's server.", TLS, LOGIN)
def protected_listing(visit: Visit) -> None:
    """The client shakes hands when the 150 has come."""
    client = visit.protected()
    client.fetched("LIST")


@data_tls.row("P-TD-1.active", "RFC 4217 §7", MUST, "In active mode, too, the server is TLS's server.", TLS, LOGIN)
def protected_active(visit: Visit) -> None:
    """It connects, and waits for the client's hello."""
    client = visit.protected(fresh=True)
    if client.is_ipv6 or (is_private(client.own_address) and not is_private(client.channel.peer)):
        raise NotTried("PORT cannot be used from here")
    listener, port = client.listen()
    with listener:
        said = client.ask(f"PORT {client.port_argument(port)}")
        if said.code >= 500:
            raise NotOffered(f"PORT is answered {said.code}: no active mode")
        client.send("LIST")
        data = client.accept(listener)
    try:
        client.judge("LIST", client.hear(), "1xx")
        client.protect(data)
        client.drain(data)
    finally:
        data.close()
    client.judge("the end of LIST", client.hear(visit.allowance.to_transfer), "226 250")


@data_tls.row(
    "P-TD-2",
    "beyond; some clients shake hands at once",
    BEYOND,
    "The client may begin with TLS on the data connection before the transfer command.",
    TLS,
    LOGIN,
)
def early_hello(visit: Visit) -> None:
    """Its hello is there when the server begins."""
    client = visit.protected(fresh=True)
    data = client.passive()
    try:
        client.send("LIST")
        client.protect(data)
        client.judge("LIST", client.hear(), "1xx")
        client.drain(data)
    finally:
        data.close()
    client.judge("the end of LIST", client.hear(visit.allowance.to_transfer), "226 250")


@data_tls.row(
    "P-TD-3",
    "RFC 8446 §6.1; RFC 5246 §7.2.1",
    MUST,
    "The server ends a file under TLS with close_notify, so that nobody can cut it short.",
    TLS,
    LOGIN,
    FILE,
)
def ended_properly(visit: Visit) -> None:
    """In TYPE I."""
    client = visit.protected()
    client.settle("TYPE I", "200")
    if not client.fetched(f"RETR {visit.sample().name}").is_ended_properly:
        raise Broken("the connection just ends")


@data_tls.row(
    "P-TD-4",
    "RFC 5246 §7.2.1 (RFC 8446 §6.1 leaves it open)",
    SHOULD,
    "The server answers the close_notify that ends an upload with its own.",
    TLS,
    LOGIN,
    WRITE,
)
def answered_properly(visit: Visit) -> None:
    """Python's ftplib waits for it."""
    client = visit.protected()
    client.settle("TYPE I", "200")
    if not client.stored("STOR closed.bin", b"x" * 5000).is_ended_properly:
        raise Broken("the connection just ends")


@data_tls.row(
    "P-TD-7", "beyond; RFC 4217 §10.2 permits it", BEYOND, "A data connection can resume the TLS session of the control connection.", TLS, LOGIN
)
def resumed(visit: Visit) -> None:
    """Spares a handshake, and proves whose data connection it is."""
    if not visit.protected().fetched("LIST").is_resumed:
        raise Broken("it shakes hands anew")

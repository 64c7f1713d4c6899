"""
Where data connections go: PASV, EPSV, PORT and EPRT (RFC 959 §4.1.2, RFC 2428), and that nobody is sent to third parties (RFC 2577).

Not here: what goes over them (``transfers``).
"""

from __future__ import annotations

import re

from twistftp.cli.conform.client import Client, Transfer
from twistftp.cli.conform.row import Broken, NotOffered, NotTried, RowGroup
from twistftp.cli.conform.rows.words import BEYOND, FILE, IPV4, IPV6, LOGIN, MUST, SHOULD
from twistftp.cli.conform.visit import Visit
from twistftp.policy.firewall import is_private

__all__ = ["data_ports"]

data_ports = RowGroup("Data connections")
_ELSEWHERE = "192.0.2.1"
"""An address for documentation (RFC 5737): nobody is there, and no packet gets there."""
_PRIVILEGED = 1000
_BOUNCE = "beyond; RFC 2577 §2 has the attack, RFC 959 §5.2 permits it"
_EPSV, _EPRT = "RFC 2428 §3", "RFC 2428 §2"


@data_ports.row(
    "P-PASV-1", "RFC 1123 §4.1.2.6; RFC 959 §5.4", MUST, "PASV is answered 227 with six numbers that lead to an open port, each time.", LOGIN, IPV4
)
def passive(visit: Visit) -> None:
    """Twice in a row: the second reply is good, too."""
    client = visit.session(fresh=True)
    for _ in range(2):
        said = client.must("PASV", "227")
        client.connect("PASV", said).close()


@data_ports.row(
    "P-PB-1",
    "beyond; what firewalls and clients read",
    BEYOND,
    "The numbers of the 227 stand in brackets, without blanks or zeros in front.",
    LOGIN,
    IPV4,
)
def passive_form(visit: Visit) -> None:
    """RFC 1123 §4.1.2.6 lets clients look for the digits."""
    said = visit.session(fresh=True).settle("PASV", "227")
    if len(said.lines) > 1 or not re.match(r"227 \D*\((0|[1-9]\d*)(,(0|[1-9]\d*)){5}\)\.?\Z", said.lines[0]):
        raise Broken(f"the reply is {said.lines[0]!r}")


@data_ports.row("P-PB-10", "beyond", BEYOND, "On IPv6 PASV is refused: a 227 has no room for the address.", LOGIN, IPV6)
def passive_on_ipv6(visit: Visit) -> None:
    """EPSV is for that."""
    visit.session(fresh=True).must("PASV", "5xx")


def _extended(client: Client) -> str:
    """
    EPSV; its reply.

    :raises NotOffered: the server does not have it.
    """
    said = client.ask("EPSV")
    if said.fits("500 502"):
        raise NotOffered(f"EPSV is answered {said.code}")
    client.judge("EPSV", said, "229")
    return said.lines[0]


def _with_extended(visit: Visit) -> Client:
    """A new session with a server that has EPSV; some do nothing else while a port that they have opened waits for its client."""
    _extended(visit.session(fresh=True))
    return visit.session(fresh=True)


@data_ports.row("P-EPSV-1", _EPSV, MUST, "EPSV, where there is any, is answered 229 and (|||port|), and the port is open.", LOGIN, names_codes=True)
def extended_passive(visit: Visit) -> None:
    """Without network and address: the client knows both."""
    client = visit.session(fresh=True)
    line = _extended(client)
    if not re.search(r"\(([!-~])\1\1\d+\1\)", line):
        raise Broken(f"no (|||port|) in {line!r}")
    client.connect("EPSV", client.dialogue.replies[-1]).close()


@data_ports.row("P-PB-3", "beyond; what firewalls and clients read", BEYOND, "The delimiter of the 229 is |, and it has no other brackets.", LOGIN)
def extended_form(visit: Visit) -> None:
    """RFC 2428 §3 recommends the | and leaves others."""
    line = _extended(visit.session(fresh=True))
    if not re.match(r"229 [^(]*\(\|\|\|\d+\|\)[^(]*\Z", line):
        raise Broken(f"the reply is {line!r}")


@data_ports.row("P-EPSV-2", _EPSV, MUST, "EPSV with a network that there is not is answered 522, with the own one 229.", LOGIN, names_codes=True)
def network(visit: Visit) -> None:
    """1 is IPv4, 2 is IPv6, 9 is nobody's."""
    client = _with_extended(visit)
    client.must("EPSV 9", "522")
    client.must(f"EPSV {'2' if client.is_ipv6 else '1'}", "229")


@data_ports.row("P-EPSV-3", _EPSV, MUST, "EPSV ALL is accepted.", LOGIN)
def all_extended(visit: Visit) -> None:
    """RFC 2428 gives no code."""
    _with_extended(visit).must("EPSV ALL", "2xx")


@data_ports.row("P-EPSV-3.200", "beyond; firewalls drop a 229 without a port", BEYOND, "EPSV ALL is answered 200.", LOGIN)
def all_extended_code(visit: Visit) -> None:
    """As most servers do."""
    _with_extended(visit).must("EPSV ALL", "200")


@data_ports.row("P-EPSV-5", _EPSV + ", §4", MUST, "After EPSV ALL, PASV, PORT and EPRT are refused, and EPSV works.", LOGIN)
def only_extended(visit: Visit) -> None:
    """Whatever the 5yz."""
    client = _with_extended(visit)
    client.settle("EPSV ALL", "2xx")
    if not client.is_ipv6:
        client.must("PASV", "5xx")
        client.must(f"PORT {client.port_argument(40000)}", "5xx")
    client.must(_eprt(client, client.own_address, 40000), "5xx")
    client.must("EPSV", "229")


def _eprt(client: Client, address: str, port: int) -> str:
    return f"EPRT |{'2' if client.is_ipv6 else '1'}|{address}|{port}|"


def _active(visit: Visit, verb: str) -> Transfer:
    """
    A listing in active mode.

    :raises NotOffered: the server does not do that.
    :raises NotTried: a NAT is between.
    """
    client = visit.session(fresh=True)
    if is_private(client.own_address) and not is_private(client.channel.peer):
        raise NotTried("this client is behind a NAT, so the server could not connect to it")
    listener, port = client.listen()
    with listener:
        command = f"PORT {client.port_argument(port)}" if verb == "PORT" else _eprt(client, client.own_address, port)
        said = client.ask(command)
        if said.code >= 500:
            raise NotOffered(f"{verb} is answered {said.code}: no active mode")
        client.judge(verb, said, "200")
        client.send("LIST")
        data = client.accept(listener)
    try:
        begun = client.judge("LIST", client.hear(), "1xx")
        client.protect(data)
        octets = client.drain(data)
    finally:
        data.close()
    ended = client.judge("the end of LIST", client.hear(visit.allowance.to_transfer), "226 250")
    return Transfer(begun, ended, octets)


@data_ports.row(
    "P-PORT-1", "RFC 959 §5.1, §4.1.2", MUST, "PORT with the client's own address is answered 200, and the server connects to it.", LOGIN, IPV4
)
def active(visit: Visit) -> None:
    """Where active mode is switched off, that is the administrator's choice."""
    _active(visit, "PORT")


@data_ports.row(
    "P-EPRT-1", _EPRT, MUST, "EPRT with the client's own address, where there is any, is answered 200, and the server connects to it.", LOGIN
)
def extended_active(visit: Visit) -> None:
    """IPv4 or IPv6, as the control connection."""
    _active(visit, "EPRT")


@data_ports.row("P-EPRT-1.network", _EPRT, MUST, "EPRT with a network that there is not is answered 522.", LOGIN, names_codes=True)
def extended_network(visit: Visit) -> None:
    """The number is nobody's."""
    client = visit.session(fresh=True)
    said = client.ask(f"EPRT |9|{client.own_address}|40000|")
    if said.fits("500 502"):
        raise NotOffered(f"EPRT is answered {said.code}")
    client.judge("EPRT |9|...", said, "522")


@data_ports.row("P-EPRT-1.syntax", _EPRT, MUST, "EPRT with something else than network, address and port is answered 501 (or 500).", LOGIN)
def extended_syntax(visit: Visit) -> None:
    """No such address, no such port, too few fields."""
    client = visit.session(fresh=True)
    family = "2" if client.is_ipv6 else "1"
    if client.ask("EPRT x").code == 502:
        raise NotOffered("EPRT is answered 502")
    client.must(f"EPRT |{family}|nowhere|40000|", "500 501")
    client.must(f"EPRT |{family}|{client.own_address}|", "500 501")


@data_ports.row("P-PORT-1.syntax", "RFC 959 §5.4", MUST, "PORT with something else than six numbers is answered 501 (or 500).", LOGIN, IPV4)
def port_syntax(visit: Visit) -> None:
    """Too few, too large, no numbers."""
    client = visit.session(fresh=True)
    for argument in ("1,2,3", "127,0,0,1,300,1", "a,b,c,d,e,f"):
        client.must(f"PORT {argument}", "500 501 502")


@data_ports.row("P-DC-14", _BOUNCE, BEYOND, "No bounce: PORT with a third party's address is refused.", LOGIN, IPV4)
def bounce(visit: Visit) -> None:
    """Nothing is sent there: no transfer follows."""
    client = visit.session(fresh=True)
    client.must(f"PORT {client.port_argument(40000, _ELSEWHERE)}", "5xx")


@data_ports.row("P-DC-14.EPRT", _BOUNCE, BEYOND, "No bounce: EPRT with a third party's address is refused.", LOGIN)
def extended_bounce(visit: Visit) -> None:
    """As PORT."""
    client = visit.session(fresh=True)
    client.must(_eprt(client, "2001:db8::1" if client.is_ipv6 else _ELSEWHERE, 40000), "5xx")


@data_ports.row("P-DC-14.privileged", "RFC 2577 §3", SHOULD, "No bounce: PORT with a port below 1024 is refused.", LOGIN, IPV4)
def privileged(visit: Visit) -> None:
    """Of the client's own address; 504 is what RFC 2577 suggests."""
    client = visit.session(fresh=True)
    client.must(f"PORT {client.port_argument(_PRIVILEGED)}", "5xx")


@data_ports.row("P-DC-15", "beyond", BEYOND, "PORT with port 0, or with the address 0.0.0.0, is refused.", LOGIN, IPV4)
def nowhere(visit: Visit) -> None:
    """Neither can be connected to."""
    client = visit.session(fresh=True)
    client.must(f"PORT {client.port_argument(0)}", "5xx")
    client.must(f"PORT {client.port_argument(40000, '0.0.0.0')}", "5xx")


@data_ports.row(
    "P-DC-2",
    "beyond; RFC 959 §3.2 has a default port, which no client uses",
    BEYOND,
    "A listing without PASV or PORT before it is answered 425.",
    LOGIN,
)
def no_set_up(visit: Visit) -> None:
    """503 says as much."""
    visit.session(fresh=True).must("LIST", "425 503", visit.allowance.to_talk)


@data_ports.row("P-DC-3", "beyond", BEYOND, "After a second PASV, the transfer goes over the second port.", LOGIN)
def latest(visit: Visit) -> None:
    """The first is given up."""
    client = visit.session(fresh=True)
    first = client.passive()
    try:
        client.fetched("LIST")
    finally:
        first.close()


@data_ports.row("P-DC-5", "RFC 959 §3.2, §4.1.2", MUST, "In passive mode the client may connect after the transfer command.", LOGIN, FILE)
def late(visit: Visit) -> None:
    """The port waits for it."""
    client = visit.session(fresh=True)
    verb = "EPSV" if client.is_ipv6 else "PASV"
    said = client.ask(verb)
    client.place(verb, said)
    client.send(f"RETR {visit.sample().name}")
    early = client.dialogue.hear_if_any(0.3)
    if early is not None and early.code >= 400:
        raise Broken(f"RETR is answered {early.code} before the client can connect")
    data = client.connect(verb, said)
    try:
        client.judge("RETR", early or client.hear(), "1xx")
        client.protect(data)
        client.drain(data)
    finally:
        data.close()
    client.judge("the end of RETR", client.hear(visit.allowance.to_transfer), "226 250")

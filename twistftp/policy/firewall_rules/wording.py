"""
The remarks that stand above the rules of every firewall, and how ports are joined to a list.

Not here: the rules themselves.
"""

from __future__ import annotations

from collections.abc import Iterable

from twistftp.policy.channels import PortRange
from twistftp.policy.firewall_rules.service import Service

__all__ = ["ACTIVE", "CONTROL", "PASSIVE", "active_remarks", "joined", "lines", "remarks", "spanned"]

CONTROL = "FTP control"
PASSIVE = "FTP passive data"
ACTIVE = "FTP active data"


def remarks(service: Service, mark: str = "#", *, is_mapped: bool = False) -> list[str]:
    """
    Comment lines for all kinds of firewall: what to know about this service.

    :param is_mapped: these rules map the external ports themselves.
    """
    kind = "FTP with TLS" if service.has_tls else "plain FTP"
    notes = [f"{kind}, control {joined(service.listening, ', ') or '(see below)'}, passive data {service.passive}"]
    if service.is_dynamic:
        notes += [
            f"The server takes its data ports from the system's dynamic range, so all {len(service.passive)} ports must be open, for every program",
            "that listens there. Better choose a range outside it (--passive-ports LOW-HIGH), and print these rules again.",
        ]
    notes += [f"Listens on {place}: add its port by hand." for place in service.unknown]
    for outside in service.external_ports if not is_mapped else ():
        notes.append(f"The NAT in front must pass its ports {outside} to {service.passive} here, in this order.")
    return [f"{mark} {note}" for note in notes]


def active_remarks(service: Service, mark: str = "#", *, has_privileged_ports: bool = True) -> list[str]:
    """
    Comment lines for the rules of active mode; none without it.

    :param has_privileged_ports: whether the system keeps ports below 1024 for a few.
    """
    if not service.active_ranges:
        return []
    notes = ["Active mode: outgoing data connections, for those who deny outgoing by default. The clients' own firewalls must let them in, too;"]
    notes += ["passive mode spares them that."]
    if 0 in service.active_ports:
        notes += ["They come from any port of the dynamic range (active_port = 0); active_port = 20 makes a rule for one port."]
    elif has_privileged_ports:
        notes += ["A server that may not bind this port (root or CAP_NET_BIND_SERVICE may) connects from any other, which no rule here covers."]
    return [f"{mark} {note}" for note in notes]


def joined(ports: Iterable[int | PortRange], separator: str = ",", dash: str = "-") -> str:
    """Ports and ranges in one list: ``21,50000-50100``."""
    return separator.join(spanned(part, dash) for part in ports)


def spanned(ports: int | PortRange, dash: str = "-") -> str:
    """``50000-50100``, with the sign that this firewall has for "to"; one port stands alone."""
    return str(ports).replace("-", dash)


def lines(*parts: str | Iterable[str]) -> str:
    """A text of lines; an iterable gives as many as it has, and an empty string is an empty line."""
    text: list[str] = []
    for part in parts:
        text.extend([part] if isinstance(part, str) else part)
    return "\n".join(text) + "\n"

"""
Firewalls of clouds: an AWS security group, for Terraform.

Not here: load balancers (``containers.kubernetes`` makes one).
"""

from __future__ import annotations

from collections.abc import Iterator

from twistftp.policy.firewall_rules.service import Service
from twistftp.policy.firewall_rules.wording import ACTIVE, CONTROL, PASSIVE, lines, remarks

__all__ = ["terraform_aws"]

_FAMILIES = (("ipv4", "cidr_ipv4", "0.0.0.0/0"), ("ipv6", "cidr_ipv6", "::/0"))
_PRIVATE = ["# An instance has a private address: clients outside need its public one in the 227 (external_address), unless all of them use EPSV."]


def terraform_aws(service: Service) -> str:
    """Rules for a security group that exists; its id is a variable."""
    blocks: list[str] = []
    for port in service.listening:
        blocks += _rules("ingress", f"control_{port}", port, port, CONTROL)
    blocks += _rules("ingress", "passive", service.passive.low, service.passive.high, PASSIVE)
    if service.active_mode:
        blocks += ["", "# Active mode. A security group knows destination ports alone: the source port (20) cannot be said here."]
        blocks += _rules("egress", "active", 1024, 65535, ACTIVE)
    return lines(
        remarks(service),
        "# Security groups keep state: replies need no rules.",
        [] if service.has_external_address else _PRIVATE,
        'variable "twistftp_security_group_id" {',
        "  type = string",
        "}",
        blocks,
    )


def _rules(direction: str, name: str, low: int, high: int, description: str) -> Iterator[str]:
    """The blocks for IPv4 and IPv6, laid out as ``terraform fmt`` would."""
    for family, key, everywhere in _FAMILIES:
        values = {
            "security_group_id": "var.twistftp_security_group_id",
            "description": f'"{description}"',
            key: f'"{everywhere}"',
            "ip_protocol": '"tcp"',
            "from_port": str(low),
            "to_port": str(high),
        }
        yield ""
        yield f'resource "aws_vpc_security_group_{direction}_rule" "twistftp_{name}_{family}" {{'
        yield from (f"  {key:<17} = {value}" for key, value in values.items())
        yield "}"

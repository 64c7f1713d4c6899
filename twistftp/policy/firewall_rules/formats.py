"""
The table of all firewalls that rules can be printed for.

Not here: what the rules of each are, and printing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from twistftp.policy.firewall_rules.clouds import terraform_aws
from twistftp.policy.firewall_rules.containers import docker_compose, kubernetes
from twistftp.policy.firewall_rules.frontends import firewalld, pf, ufw
from twistftp.policy.firewall_rules.netfilter import iptables, nftables
from twistftp.policy.firewall_rules.service import Service
from twistftp.policy.firewall_rules.windows import netsh, powershell

__all__ = ["FORMATS", "rules"]

FORMATS: Mapping[str, Callable[[Service], str]] = MappingProxyType(
    {
        "netsh": netsh,
        "powershell": powershell,
        "nftables": nftables,
        "iptables": iptables,
        "ufw": ufw,
        "firewalld": firewalld,
        "pf": pf,
        "docker-compose": docker_compose,
        "kubernetes": kubernetes,
        "terraform-aws": terraform_aws,
    }
)


def rules(service: Service, format: str) -> str:  # noqa: A002 (the option's name)
    """
    The rules that let ``service`` through, as text. They allow and never forbid.

    :param format: a key of :data:`FORMATS`.
    :raises NoRules: this firewall cannot have such rules.
    """
    return FORMATS[format](service)

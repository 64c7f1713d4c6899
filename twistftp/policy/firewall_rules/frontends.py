"""
Firewalls that are set by a command of their own: ufw, firewalld and pf.

Not here: the packet filter of Linux itself (``netfilter``).
"""

from __future__ import annotations

from twistftp.policy.channels import PortRange
from twistftp.policy.firewall_rules.service import Service
from twistftp.policy.firewall_rules.wording import ACTIVE, CONTROL, PASSIVE, active_remarks, joined, lines, remarks, spanned

__all__ = ["firewalld", "pf", "ufw"]


def ufw(service: Service) -> str:
    """Commands for Ubuntu's firewall."""
    control = [f"ufw allow {joined(service.listening)}/tcp comment '{CONTROL}'"] if service.listening else []
    sources = [spanned(part, ":") for part in service.active_ranges]
    return lines(
        remarks(service),
        '# For IPv4 and IPv6 alike. If ufw has never been used here, allow ssh before "ufw enable".',
        control,
        f"ufw allow {spanned(service.passive, ':')}/tcp comment '{PASSIVE}'",
        active_remarks(service),
        [f"ufw allow out proto tcp from any port {source} to any comment '{ACTIVE}'" for source in sources],
    )


def firewalld(service: Service) -> str:
    """
    Commands for firewalld: one service with all ports, in the default zone.

    The ``ftp`` service that firewalld brings along is not used: it opens port 21 alone and loads the connection tracking helper.
    """
    command = "firewall-cmd --permanent"
    own = f"{command} --service=twistftp"
    inward: list[int | PortRange] = [*service.listening, service.passive]
    outward = f"{command} --policy=twistftp-active"
    sources = [spanned(part) for part in service.active_ranges]
    policy = [
        *active_remarks(service),
        f"{command} --new-policy=twistftp-active",
        f"{outward} --add-ingress-zone=HOST",
        f"{outward} --add-egress-zone=ANY",
        *(f"{outward} --add-source-port={source}/tcp" for source in sources),
    ]
    return lines(
        remarks(service),
        "# In the default zone; add --zone=NAME to the --add-service line for another.",
        f"{command} --new-service=twistftp",
        (f"{own} --add-port={spanned(part)}/tcp" for part in inward),
        f"{command} --add-service=twistftp",
        policy if sources else [],
        "firewall-cmd --reload",
    )


def pf(service: Service) -> str:
    """Rules for the packet filter of FreeBSD, OpenBSD and macOS."""
    inward = joined([*service.listening, service.passive], ", ", ":")
    outward = joined(service.active_ranges, ", ", ":")
    return lines(
        remarks(service),
        '# Put these lines into pf.conf behind the "block" rules that they make exceptions of: in pf the last rule that matches decides,',
        '# and there is no "quick" here, so that what you block further down stays blocked. Check with: pfctl -nf /etc/pf.conf',
        f"pass in proto tcp from any to any port {{ {inward} }} flags S/SA keep state",
        [*active_remarks(service), f"pass out proto tcp from any port {{ {outward} }} to any port 1024:65535 flags S/SA keep state"]
        if outward
        else [],
    )

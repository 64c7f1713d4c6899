"""
The packet filter of Linux: nftables and iptables.

Not here: programs that write such rules themselves (``frontends``). Every rule names its ports and needs no connection tracking
helper; the rules for replies are for those whose policy drops everything that is not named.
"""

from __future__ import annotations

from twistftp.policy.firewall_rules.service import Service
from twistftp.policy.firewall_rules.wording import ACTIVE, CONTROL, PASSIVE, active_remarks, joined, lines, remarks, spanned

__all__ = ["iptables", "nftables"]


def nftables(service: Service) -> str:
    """One table, complete in itself, for ``nft -f``; loading it again replaces it."""
    inward: list[str] = []
    outward: list[str] = []
    control = f"{{ {joined(service.listening, ', ')} }}"
    if service.listening:
        inward.append(f'tcp dport {control} counter accept comment "{CONTROL}"')
        outward.append(f'tcp sport {control} ct state established counter accept comment "{CONTROL}, replies"')
    inward.append(f'tcp dport {service.passive} counter accept comment "{PASSIVE}"')
    outward.append(f'tcp sport {service.passive} ct state established counter accept comment "{PASSIVE}, replies"')
    if service.active_ranges:
        # The names of the rules tell which is which in "nft list table inet twistftp", where the counters show what is used.
        sources = [spanned(part) for part in service.active_ranges]
        outward += [f'tcp sport {source} tcp dport 1024-65535 counter accept comment "{ACTIVE}"' for source in sources]
        inward += [f'tcp dport {source} ct state established counter accept comment "{ACTIVE}, replies"' for source in sources]
    # The administrator's chain needs what this table's has; a chain that lets established connections through has the second line already.
    by_hand = [f"tcp dport '{{ {joined([*service.listening, service.passive], ', ')} }}' accept"]
    by_hand += [f"tcp dport {spanned(part)} ct state established accept" for part in service.active_ranges]
    return lines(
        remarks(service),
        "# Load with: nft -f FILE. An accept here does not override a drop in another base chain. If a chain of yours drops what it does not",
        "# name (nft list ruleset shows it, often inet filter input), this table does not help; put the ports into that chain, before its drop:",
        (f"#   nft insert rule inet filter input {rule}" for rule in by_hand),
        _hint(service, "a ct helper object of type ftp, set for port 21 in a prerouting chain, and ct state related accept"),
        active_remarks(service),
        "add table inet twistftp",
        "delete table inet twistftp",
        "table inet twistftp {",
        _chain("input", inward),
        _chain("output", outward),
        "}",
    )


def _chain(name: str, rules: list[str]) -> list[str]:
    head = f"\t\ttype filter hook {name} priority filter; policy accept;"
    return [f"\tchain {name} {{", head, *(f"\t\t{rule}" for rule in rules), "\t}"]


def iptables(service: Service) -> str:
    """Shell lines, the same for IPv4 and for IPv6."""
    rules: list[tuple[str, str, str]] = []  # chain, what matches, name
    established = "-m conntrack --ctstate ESTABLISHED"
    for port in service.listening:
        rules.append(("INPUT", f"--dport {port}", CONTROL))
        rules.append(("OUTPUT", f"--sport {port} {established}", f"{CONTROL}, replies"))
    ports = spanned(service.passive, ":")
    rules.append(("INPUT", f"--dport {ports}", PASSIVE))
    rules.append(("OUTPUT", f"--sport {ports} {established}", f"{PASSIVE}, replies"))
    for part in service.active_ranges:
        source = spanned(part, ":")
        rules.append(("OUTPUT", f"--sport {source} --dport 1024:65535", ACTIVE))
        rules.append(("INPUT", f"--dport {source} {established}", f"{ACTIVE}, replies"))
    return lines(
        remarks(service),
        "# Appended, so that what you drop before stays dropped. If your chain ends in a DROP or REJECT rule, write -I CHAIN NUMBER instead of",
        "# -A CHAIN, with the number of that rule (iptables -L INPUT --line-numbers). A reboot forgets them: see iptables-save.",
        _hint(service, "iptables -t raw -A PREROUTING -p tcp --dport 21 -j CT --helper ftp"),
        active_remarks(service),
        (
            f'{program} -A {chain} -p tcp {match} -m comment --comment "{name}" -j ACCEPT'
            for program in ("iptables", "ip6tables")
            for chain, match, name in rules
        ),
    )


def _hint(service: Service, how: str) -> list[str]:
    """For plain FTP: that there is another way, and why these rules do without."""
    if not service.may_use_helper:
        return ["# No connection tracking helper (nf_conntrack_ftp) can do it: TLS hides the commands, and a 227 with another address misleads it."]
    return [
        "# The data ports are opened by number, which works with and without TLS. A helper would open them one by one, for plain FTP alone:",
        f"#   {how}",
    ]

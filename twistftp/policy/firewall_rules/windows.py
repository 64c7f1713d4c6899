"""
Windows Firewall: netsh, as in the walk-through of IIS, and PowerShell.

Not here: other systems. Windows has a filter of its own that reads FTP ("stateful FTP"); the walk-through leans on it for plain
FTP and turns it off for FTPS. These rules do the same.
"""

from __future__ import annotations

from twistftp.policy.firewall_rules.service import Service
from twistftp.policy.firewall_rules.wording import active_remarks, joined, lines, remarks

__all__ = ["netsh", "powershell"]

_ADD = "netsh advfirewall firewall add rule"
_STANDARD = (21,)  # the port that filters which read along look at
_PLAIN = "FTP (non-SSL)"  # the walk-through's name for it
_ADMINISTRATOR = "Run as administrator. Windows lets replies and, unless it was told otherwise, outgoing connections through."
_WHY_ENABLED = ["The filter reads PASV and PORT and opens each data port for its connection alone. The setting is for the whole machine."]
_WHY_DISABLED = [
    "The filter cannot read encrypted commands, and a 227 that names the firewall's address is not what it expects; it may break such sessions.",
    "So the data ports are opened and the filter is off. Off is machine-wide: it concerns every FTP server and client on this machine.",
]
_OTHER_PORT = ["Do not count on the filter for control ports other than 21: the data ports are opened here."]


def netsh(service: Service) -> str:
    """Lines for a command prompt; they can be saved as a ``.cmd`` file."""
    name = _PLAIN if service.may_use_helper else "twistftp control"
    control = [f'{_ADD} name="{name}" action=allow protocol=TCP dir=in localport={joined(service.listening)}'] if service.listening else []
    passive = f'{_ADD} name="twistftp passive" action=allow protocol=TCP dir=in localport={service.passive}'
    return lines(
        remarks(service, "rem"),
        f"rem {_ADMINISTRATOR}",
        control,
        _data(service, passive, "rem ", "netsh advfirewall set global StatefulFtp enable", "netsh advfirewall set global StatefulFtp disable"),
        _active(service, "rem ", f'{_ADD} name="twistftp active" action=allow protocol=TCP dir=out localport='),
    )


def powershell(service: Service) -> str:
    """The same with the cmdlets of the NetSecurity module."""
    rule = 'New-NetFirewallRule -DisplayName "{}" -Direction {} -Protocol TCP -Action Allow -LocalPort {}'
    name = _PLAIN if service.may_use_helper else "twistftp control"
    control = [rule.format(name, "Inbound", joined(service.listening))] if service.listening else []
    passive = rule.format("twistftp passive", "Inbound", service.passive)
    setting = "Set-NetFirewallSetting -EnableStatefulFtp {}"
    return lines(
        remarks(service),
        f"# {_ADMINISTRATOR}",
        control,
        _data(service, passive, "# ", setting.format("True"), setting.format("False")),
        _active(service, "# ", rule.format("twistftp active", "Outbound", "")),
    )


def _data(service: Service, passive: str, mark: str, enable: str, disable: str) -> list[str]:
    """The rules for passive data: by the filter, by open ports, or both."""
    if not service.may_use_helper:
        return [*(mark + line for line in _WHY_DISABLED), passive, disable]
    enabled = [*(mark + line for line in _WHY_ENABLED), enable]
    if service.listening == _STANDARD:
        return [*enabled, f"{mark}For FTPS, which it cannot read, turn it off and open the data ports instead:", mark + passive, mark + disable]
    return [*enabled, *(mark + line for line in _OTHER_PORT), passive]


def _active(service: Service, mark: str, rule: str) -> list[str]:
    """Outgoing data connections: the walk-through's note, as a rule."""
    return [*active_remarks(service, mark.strip(), has_privileged_ports=False), rule + joined(service.active_ranges)] if service.active_ranges else []

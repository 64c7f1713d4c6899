"""
The settings of a server and of its sites: frozen values with their defaults and their rules.

Not here: where they come from (``configuration`` reads files and options). The names are those of the
configuration file, and so is the nesting: ``[site.limits] max_connections`` is ``SiteSettings.limits.max_connections``.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

import attrs
from attrs import Attribute, field, frozen

from twistftp.policy.authorization import Groups, Rule, unknown_group
from twistftp.policy.channels import PortRange
from twistftp.policy.file_handling import FileHandling
from twistftp.policy.filtering import RequestFiltering
from twistftp.policy.firewall_support import FirewallSupport, Networks, SiteFirewallSupport, read_networks
from twistftp.policy.isolation import UserIsolation, VirtualDirectory
from twistftp.policy.rules import BadSetting, is_host_name, port_number
from twistftp.policy.tls import TLSSettings

__all__ = [
    "Authentication",
    "BadSetting",
    "DirectoryBrowse",
    "FileHandling",
    "FirewallSupport",
    "Limits",
    "Logging",
    "LogonAttempts",
    "Messages",
    "Metrics",
    "ServerSettings",
    "SiteFirewallSupport",
    "SiteSettings",
    "TLSSettings",
    "describe_change",
    "pair_sites",
]


_Validator = Callable[[Any, "Attribute[Any]", Any], None]


def _at_least(low: float) -> _Validator:
    def check(instance: object, attribute: Attribute[float], value: float) -> None:
        if not low <= value < math.inf:  # written so that NaN fails, too
            raise BadSetting(attribute.name, value, f"must be {low} or more")

    return check


def _one_of(*allowed: str) -> _Validator:
    def check(instance: object, attribute: Attribute[str], value: str) -> None:
        if value not in allowed:
            raise BadSetting(attribute.name, value, f"must be one of {', '.join(allowed)}")

    return check


def _address(instance: object, attribute: Attribute[str], value: str) -> None:
    if value:
        try:
            ipaddress.ip_address(value)
        except ValueError:
            rule = "must be an IPv4 or IPv6 address of this machine, without brackets or port, or empty for all (host names are not looked up)"
            raise BadSetting(attribute.name, value, rule) from None


def _host_name(instance: object, attribute: Attribute[str], value: str) -> None:
    if value and not is_host_name(value):
        raise BadSetting(attribute.name, value, "must be a host name such as ftp.example.org (internationalized names in their xn-- form)")


def _one_line(instance: object, attribute: Attribute[str], value: str) -> None:
    # A line break here would let the name end a reply or a log line early.
    if not value.strip() or not value.isprintable():
        raise BadSetting(attribute.name, value, "must be some text on one line, without control characters")


def _message(instance: object, attribute: Attribute[str], value: str) -> None:
    if not all(character.isprintable() or character in "\n\t" for character in value):
        raise BadSetting(attribute.name, value, "must be text: of all control characters only line breaks and tabs are possible")


def _names(instance: object, attribute: Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    if not value:
        raise BadSetting(attribute.name, value, "must hold a name; anonymous = false keeps anonymous users out")
    if not all(name.strip() and name.isprintable() for name in value):
        raise BadSetting(attribute.name, value, "each name must be some text without control characters")


def _exempt(value: Iterable[object]) -> Networks:
    return read_networks("exempt", value)


def _users_alone(instance: object, attribute: Attribute[Groups], value: Groups) -> None:
    for member in (member for _, members in value for member in members):
        if member in ("", "?", "*") or member.startswith("@"):
            rule = 'is no name of a user; a group holds users alone, no groups, and neither "?" nor "*"'
            raise BadSetting(attribute.name, member, rule)


def _groups_there(instance: Any, attribute: Attribute[tuple[Rule, ...]], value: tuple[Rule, ...]) -> None:
    if group := unknown_group(value, instance.groups):
        raise BadSetting(attribute.name, group, "names a group that [site.groups] does not have")


def _paths_differ(instance: object, attribute: Attribute[tuple[VirtualDirectory, ...]], value: tuple[VirtualDirectory, ...]) -> None:
    for number, one in enumerate(value):
        if any(one.names == other.names for other in value[:number]):
            raise BadSetting(attribute.name, one.path, "two virtual directories have this path")


def _count(default: int) -> int:
    return field(default=default, validator=_at_least(0))


def _seconds(default: float) -> float:
    return field(default=default, validator=_at_least(0.01))


def _text(default: str = "") -> str:
    return field(default=default, validator=_message)


@frozen
class Authentication:
    """``[site.authentication]``: who may log in. ``users_file`` is a path (``""`` = none), ``strcred`` holds Twisted's ``--auth`` strings."""

    anonymous: bool = True
    anonymous_names: tuple[str, ...] = field(default=("anonymous", "ftp"), validator=_names)
    strcred: tuple[str, ...] = ()
    users_file: str = ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Where users with names come from, in the order in which they are asked. The rest of a ``strcred`` text may hold a password."""
        return tuple(dict.fromkeys([*(["users file"] if self.users_file else []), *(text.partition(":")[0] for text in self.strcred)]))

    def is_anonymous(self, name: str) -> bool:
        """Whether ``name``, in any case, is one of the anonymous user's names (PROTOCOL P-USER-1)."""
        return name.lower() in self._lower_names

    @cached_property
    def _lower_names(self) -> frozenset[str]:
        return frozenset(name.lower() for name in self.anonymous_names)


@frozen
class Limits:
    """
    ``[site.limits]``: counts (0 = no limit) and seconds. Octets a second of each data connection, at least and at most, and at most
    of all the site's data connections together.
    """

    max_connections: int = _count(0)
    max_connections_per_address: int = _count(0)
    control_channel_timeout: float = _seconds(300)
    unauthenticated_timeout: float = _seconds(60)
    data_channel_timeout: float = _seconds(30)
    data_stall_timeout: float = _seconds(300)
    min_bytes_per_second: int = _count(0)
    max_bytes_per_second: int = _count(0)
    max_site_bytes_per_second: int = _count(0)
    max_command_line: int = field(default=8192, validator=_at_least(1024))

    def __attrs_post_init__(self) -> None:
        """Nobody can be faster than allowed and as fast as wanted then."""
        for name in ("max_bytes_per_second", "max_site_bytes_per_second"):
            if 0 < getattr(self, name) < self.min_bytes_per_second:
                raise BadSetting("min_bytes_per_second", self.min_bytes_per_second, f"must not be more than {name}, which is {getattr(self, name)}")


@frozen
class LogonAttempts:
    """
    ``[site.logon_attempts]``: ``max_failures`` end a connection; so many from one address within ``period`` seconds block it for ``block``
    seconds (0: never), if it is not ``exempt``. ``delay`` is the seconds before each 530. With ``log_only`` blocks are but logged.
    """

    max_failures: int = field(default=4, validator=_at_least(1))
    delay: float = field(default=3.0, validator=_at_least(0))
    period: float = _seconds(30)
    block: float = field(default=300.0, validator=_at_least(0))
    exempt: Networks = field(default=(), converter=_exempt)
    log_only: bool = False


@frozen
class DirectoryBrowse:
    """``[site.directory_browse]``: how LIST looks."""

    style: str = field(default="unix", validator=_one_of("unix", "ms-dos"))
    time: str = field(default="gmt", validator=_one_of("gmt", "local"))


@frozen
class Messages:
    """``[site.messages]``: texts for people. ``banner`` greets a connection, ``greeting`` a login."""

    banner: str = _text()
    greeting: str = _text()
    exit: str = _text("Goodbye.")
    max_clients: str = _text()
    suppress_default_banner: bool = False


@frozen
class Logging:
    """
    ``[site.logging]``: ``commands`` whether each command, too, is written to the log (secrets masked); ``file`` the access log
    (``""`` = none), ``format`` its format. ``capture`` is the directory where a capsule of each session goes (``""`` = none).
    """

    commands: bool = False
    file: str = ""
    format: str = field(default="w3c", validator=_one_of("w3c", "json", "xferlog"))
    capture: str = ""


@frozen
class SiteSettings:
    """
    ``[[site]]``: one FTP site.

    ``root`` is the content root, ``address`` the bind address (``""`` = all, IPv4 and IPv6), ``listen`` Twisted
    endpoint strings that stand instead of address and port. Everything else is as in the configuration file.
    """

    root: str
    name: str = field(default="twistftp", validator=_one_line)
    address: str = field(default="", validator=_address)
    port: int = field(default=2121, validator=port_number)
    host_name: str = field(default="", validator=_host_name)
    listen: tuple[str, ...] = ()
    auto_start: bool = True
    firewall_support: SiteFirewallSupport = SiteFirewallSupport()
    authentication: Authentication = Authentication()
    groups: Groups = field(default=(), validator=_users_alone)
    authorization: tuple[Rule, ...] = field(default=(), validator=_groups_there)
    virtual_directory: tuple[VirtualDirectory, ...] = field(default=(), validator=_paths_differ)
    user_isolation: UserIsolation = UserIsolation()
    request_filtering: RequestFiltering = RequestFiltering()
    limits: Limits = Limits()
    logon_attempts: LogonAttempts = LogonAttempts()
    file_handling: FileHandling = FileHandling()
    directory_browse: DirectoryBrowse = DirectoryBrowse()
    messages: Messages = Messages()
    logging: Logging = Logging()
    tls: TLSSettings = TLSSettings()


@frozen
class Metrics:
    """``[metrics]``: the Twisted endpoint where Prometheus asks (``""`` = none)."""

    endpoint: str = ""


def _workers(instance: object, attribute: Attribute[int], value: int) -> None:
    if not 1 <= value <= 64:
        raise BadSetting(attribute.name, value, "must be 1-64, a number of processes; as many as there are processors is enough")


@frozen
class ServerSettings:
    """
    A whole process: its sites, the port range they share and ``grace``, the seconds SIGTERM lets transfers finish. ``control_socket``
    is where ``twistftp status`` asks: a path, ``""`` for the usual place, ``"off"`` for none. ``workers`` is the number of processes that serve.
    ``listing_cache``: MiB of listings that each of them keeps in memory.
    """

    sites: tuple[SiteSettings, ...]
    firewall_support: FirewallSupport = FirewallSupport()
    grace: float = field(default=10.0, validator=_at_least(0))
    control_socket: str = ""
    metrics: Metrics = Metrics()
    workers: int = field(default=1, validator=_workers)
    listing_cache: int = _count(32)


def pair_sites(old: Iterable[SiteSettings], new: Iterable[SiteSettings]) -> list[tuple[SiteSettings | None, SiteSettings | None]]:
    """
    Which site of the old settings became which of the new: by name, then, for one that was renamed, by where it listens.

    A site that has no partner was removed (``(site, None)``) or added (``(None, site)``).
    """
    left = {site.name: site for site in old}
    pairs: list[tuple[SiteSettings | None, SiteSettings | None]] = []
    added: list[SiteSettings] = []
    for site in new:
        if site.name in left:
            pairs.append((left.pop(site.name), site))
        else:
            added.append(site)
    for site in added:
        renamed = next((was for was in left.values() if (was.address, was.port, was.listen) == (site.address, site.port, site.listen)), None)
        pairs.append((left.pop(renamed.name) if renamed else None, site))
    return [*((was, None) for was in left.values()), *pairs]


def describe_change(old: ServerSettings, new: ServerSettings) -> list[str]:
    """What differs, one line a setting: ``limits.max_connections of site 'x': 0 -> 5``."""
    lines = list(_differences(old, new, "", ""))
    for was, site in pair_sites(old.sites, new.sites):
        if site is None:
            lines.extend(f"site {gone.name!r}: removed" for gone in (was,) if gone)
        elif was is None:
            lines.append(f"site {site.name!r}: added")
        else:
            lines.extend(_differences(was, site, "", f" of site {was.name!r}"))
    return lines


# Their values may hold passwords, which must not get into a log.
_SECRET = frozenset({"strcred"})


def _differences(old: Any, new: Any, path: str, owner: str) -> Iterator[str]:
    for one in attrs.fields(type(old)):
        was, now = getattr(old, one.name), getattr(new, one.name)
        if was == now or one.name == "sites":
            continue
        if attrs.has(type(was)) and not isinstance(was, PortRange):
            yield from _differences(was, now, f"{path}{one.name}.", owner)
        else:
            change = "changed" if one.name in _SECRET else f"{_shown(was)} -> {_shown(now)}"
            yield f"{path}{one.name}{owner}: {change}"


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return f"[{', '.join(_shown(item) for item in value)}]"
    return repr(value) if isinstance(value, str) or value is None else str(value)

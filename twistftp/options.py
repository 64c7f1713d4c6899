"""
The options of ``twistd ftpsite``.

Not here: the rules of the values (``configuration`` judges options and file alike), and starting anything (``service``).
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from twisted.cred import strcred
from twisted.python import usage

from twisted import copyright
from twistftp import __version__
from twistftp.accounts.checkers import SUPPORTED, make_checkers
from twistftp.configuration import OPTIONS, ConfigurationError, read
from twistftp.policy.rule_text import parse_rule
from twistftp.policy.settings import ServerSettings
from twistftp.policy.tls import parse_policy
from twistftp.privileges import ServingUser
from twistftp.roots import Place, file_trouble

__all__ = ["Options"]

_EXAMPLE = "Example: twistd -n ftpsite --root ./pub"


class Options(usage.Options, strcred.AuthOptionMixin):
    """``twistd ftpsite [options]``; after parsing, ``settings`` holds what they and the configuration file say."""

    synopsis = "[options]\n\n  twistd -n ftpsite --root ./pub\n  twistd ftpsite --config /etc/ftp.toml"
    longdesc = (
        "Serves a directory by FTP: read access for anonymous users, on port 2121 unless told otherwise, in the passive and "
        "active modes of IPv4 and IPv6. Options of twistd itself (-n to stay in the foreground, --uid, --gid, --logfile, "
        "--pidfile, --reactor) go before the word ftpsite. SIGTERM ends the server after the transfers that are under way; "
        "SIGHUP re-reads the configuration file without ending anything."
    )
    optParameters = [
        ["root", "r", None, "Directory to serve; ~, $VAR, ${VAR} and %VAR% are expanded. Required unless the configuration file has one."],
        ["port", "p", None, "Control port; default 2121."],
        ["interface", "i", None, "IP address to listen on; default all, IPv4 and IPv6."],
        ["name", None, None, "Name of the site, for the greeting and the log; default twistftp."],
        ["host-name", None, None, "Name of the virtual host."],
        ["passive-ports", None, None, "Data channel port range, LOW-HIGH or one port N, within 1024-65535; default 0-0, the system's dynamic range."],
        ["external-ports", None, None, "The range of the same size that a port-mapping NAT shows outside, for all clients that are not internal."],
        ["certificate", None, None, "Certificate (PEM, with its chain): turns FTPS on. Read again when it changes."],
        ["private-key", None, None, "The certificate's private key (PEM)."],
        ["tls", None, None, "allow (the default), require, or CONTROL/DATA: allow, require, require-credentials / allow, require, deny."],
        ["tls-session", None, None, "Must data connections resume the control connection's TLS session: off, auto, require; default auto."],
        ["users", None, None, "File of users with names; make it with: twistftp passwd FILE USER."],
        ["grace", None, None, "Seconds that SIGTERM lets transfers finish; default 10."],
        ["workers", None, None, "Processes that share the control port and split the passive ports; default 1."],
        ["access-log", None, None, "File that gets a line for each command (or transfer, for xferlog); SIGHUP opens it again."],
        ["access-log-format", None, None, "Format of the access log: w3c (default), json or xferlog."],
        ["capture", None, None, "Directory that gets a file for each session, all of what was said in it, secrets masked: see twistftp replay."],
        ["control-socket", None, None, "Unix socket where 'twistftp status' asks; default twistftp.sock in XDG_RUNTIME_DIR or /run; off for none."],
        ["metrics", None, None, "Twisted endpoint for Prometheus, /metrics, and for /healthz, such as tcp:9121:interface=127.0.0.1."],
        ["config", "c", None, "Configuration file (TOML). Options given beside it override it."],
    ]
    optFlags = [
        ["no-anonymous", None, "Refuse anonymous logins."],
        ["self-signed", None, "Make a certificate at start, for tests and first tries; its SHA-256 fingerprint is printed."],
        ["implicit-tls", None, "TLS from the first octet, usual on port 990."],
        ["log-commands", None, "Write each command to the log, secrets masked."],
    ]
    compData = usage.Completions(
        optActions={
            "root": usage.CompleteDirs(),
            "certificate": usage.CompleteFiles("*.pem"),
            "private-key": usage.CompleteFiles("*.pem"),
            "users": usage.CompleteFiles(),
            "access-log": usage.CompleteFiles(),
            "capture": usage.CompleteDirs(),
            "config": usage.CompleteFiles("*.toml"),
            "interface": usage.CompleteNetInterfaces(),
        }
    )
    supportedInterfaces = SUPPORTED
    settings: ServerSettings

    def __init__(self) -> None:
        super().__init__()
        self["listen"], self["auth"], self["external-address"], self["internal-network"] = [], [], [], []
        self["proxy-from"] = []
        self["allow"] = []  # those of --deny, too: among all rules the order counts

    def opt_listen(self, endpoint: str) -> None:
        """Twisted endpoint to listen on instead of port and interface: systemd:..., haproxy:tcp:2121, unix:... May be repeated."""
        self["listen"].append(endpoint)

    def opt_auth(self, description: str) -> None:
        """Where users with names come from, as in memory:alice:secret; see --help-auth. May be repeated; each is tried in turn."""
        try:
            (checker,) = make_checkers([description])
        except ValueError as error:
            raise usage.UsageError(f"--auth: {error}") from None
        self.addChecker(checker)
        self["auth"].append(description)

    def opt_external_address(self, address: str) -> None:
        """IPv4 address or DNS name told to PASV clients outside; NETWORK=ADDR for the clients of one network. May be repeated."""
        plain = [one for one in self["external-address"] if "=" not in one]
        if plain and "=" not in address:
            raise usage.UsageError(f"--external-address {address}: {plain[0]} was given already; another one needs its network, NETWORK=ADDR")
        self["external-address"].append(address)

    def opt_internal_network(self, network: str) -> None:
        """Network whose clients get the local address and port, such as 10.0.0.0/8; default the private ones. May be repeated."""
        self["internal-network"].append(network)

    def opt_proxy_from(self, network: str) -> None:
        """Network of load balancers, whose connections begin with a PROXY protocol header, such as 10.0.0.5/32. May be repeated."""
        self["proxy-from"].append(network)

    def opt_allow(self, rule: str) -> None:
        """Authorization rule USERS:PERMISSIONS[:/path], such as ?:read or alice,bob:read,write:/incoming. The first that matches decides."""
        self._add_rule("allow", rule)

    def opt_deny(self, rule: str) -> None:
        """The same, forbidding. Order counts across --allow and --deny; who matches no rule has no access. May be repeated."""
        self._add_rule("deny", rule)

    def _add_rule(self, access: str, text: str) -> None:
        try:
            rule = parse_rule(access, text)
        except ValueError as error:
            raise usage.UsageError(f"--{access} {text}: {error}") from None
        self["allow"].append({"access": access, "users": list(rule.users), "permissions": list(rule.permissions), "path": rule.path})

    def opt_version(self) -> None:
        """Show the versions of twistftp and Twisted and exit."""
        print(f"twistftp {__version__}, Twisted {copyright.version}")
        raise SystemExit(0)

    def parseArgs(self, *arguments: str) -> None:
        """Refuse stray words; the commonest is a directory without ``--root``."""
        if arguments:
            meant = f"; did you mean --root {arguments[0]}?" if os.path.isdir(arguments[0]) else ""
            raise usage.UsageError(f"unexpected argument {arguments[0]!r}{meant}")

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Read the command line.

        :raises usage.UsageError: something in it cannot be used. Below ``twistd``, which would print its whole usage text
            first, the one line goes to standard error instead and the command ends with status 1.
        """
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            line = f"{error}{self._meant(str(error))}"
            if getattr(self, "parent", None) is None:
                raise usage.UsageError(line) from None
            sys.stderr.write(f"twistd ftpsite: {line}\n")
            raise SystemExit(1) from None

    def _meant(self, complaint: str) -> str:
        """What may have been meant, where getopt complains of an option: one of twistd's own in the wrong place, or one like it."""
        match = re.fullmatch(r"option (-(\w)|--([^ =]+)) not (recognized|a unique prefix)", complaint)
        if match is None:
            return ""
        name = match[3] or ""
        above: Any = getattr(self, "parent", None)
        if above is not None and (name in {one.rstrip("=") for one in above.longOpt} or (match[2] or "-") in above.shortOpt):
            return f"; {match[1]} is an option of twistd itself: it goes before the word ftpsite"
        names = sorted(one.rstrip("=") for one in self.longOpt)
        beginning = [one for one in names if name and one.startswith(name)]
        near = beginning or difflib.get_close_matches(name, names, 1)
        return f"; did you mean {' or '.join(f'--{one}' for one in near)}?" if near else ""

    def postOptions(self) -> None:
        """Judge everything before anything is opened."""
        if self["config"] == "":
            raise usage.UsageError('--config "": must be a file, not empty')
        if self["root"] is None and self["config"] is None:
            raise usage.UsageError(f"--root is required (or --config with a file). {_EXAMPLE}")
        self._judge_files_of_twistd()
        if self["no-anonymous"] and any(description.partition(":")[0] == "anonymous" for description in self["auth"]):
            raise usage.UsageError("--no-anonymous: contradicts --auth anonymous")
        try:
            self.settings = read(self["config"], self._given(), self.place())
        except ConfigurationError as error:
            raise usage.UsageError(str(error)) from None
        if self["access-log-format"] is not None and not self.settings.sites[0].logging.file:
            raise usage.UsageError(f"--access-log-format {self['access-log-format']}: there is no access log; name its file with --access-log FILE")
        if self["config"] is not None:
            self["config"] = os.path.abspath(self["config"])
        for option, found in _PATHS.items():
            if self[option] is not None:
                self[option] = found(self.settings)

    def _judge_files_of_twistd(self) -> None:
        """``twistd`` ends in a traceback where its pid file or its log cannot be; by default the first lies in the working directory."""
        above: Any = getattr(self, "parent", None) or {}
        if above.get("chroot"):
            return
        if not os.path.isdir(above.get("rundir") or "."):
            raise usage.UsageError(f"--rundir {above['rundir']}: no such directory")
        cures = {"pidfile": "name another place, or none (--pidfile=)", "logfile": "name another place, or -n for the terminal"}
        for option, cure in cures.items():
            file = above.get(option)
            if file in (None, "", "-"):
                continue
            if trouble := file_trouble(os.path.abspath(os.path.join(above.get("rundir") or "", file)), Place()):
                raise usage.UsageError(f"--{option} {file}: {trouble}; {cure}, before the word ftpsite")

    def reread(self) -> ServerSettings:
        """
        The settings as they are now: the file read again, if there is one, with the options that were given laid over it.

        :raises ConfigurationError: the file cannot be used.
        """
        # By now the process stands behind its chroot and is the serving user: "/" is the same place, seen from inside.
        return read(self["config"], self._given(), Place("/" if self.place().chroot else "", is_serving=True))

    def _given(self) -> dict[tuple[str | int, ...], object]:
        """The options that were given, by their places in the file."""
        found: dict[tuple[str | int, ...], object] = {}
        for place, option in OPTIONS.items():
            value: Any = self[option[2:]] if option != "--passive-ports" else self["passive-ports"]
            if value in (None, [], 0):
                continue
            try:
                typed = _TYPED.get(str(place[-1]) if option in _FILLS_TWO else option, lambda given: given)(value)
            except ValueError as error:
                raise usage.UsageError(f"{option} {value}: {error}") from None
            if typed is not None:
                found[place] = typed
        return found

    def place(self) -> Place:
        """How the file system will look once ``twistd`` has done what its own options ask for."""
        above: Any = getattr(self, "parent", None) or {}
        uid = above.get("uid")
        try:
            user = None if uid is None else ServingUser.of(uid, above.get("gid"))
        except KeyError:
            raise usage.UsageError(f"--uid {uid}: the system knows no such user") from None
        return Place(above.get("chroot") or "", user)


def _whole(text: str) -> object:
    return int(text) if text.removeprefix("-").isdecimal() and text.isascii() else text


def _decimal(text: str) -> object:
    try:
        return int(text) if text.removeprefix("-").isdecimal() else float(text)
    except ValueError:
        return text


def _plain(texts: list[str]) -> object:
    return next((text for text in texts if "=" not in text), None)


def _by_network(texts: list[str]) -> object:
    pairs = (text.partition("=") for text in texts if "=" in text)
    return {network.strip(): address.strip() for network, _, address in pairs} or None


_PATHS: dict[str, Callable[[ServerSettings], str]] = {
    "root": lambda settings: settings.sites[0].root,
    "users": lambda settings: settings.sites[0].authentication.users_file,
    "certificate": lambda settings: settings.sites[0].tls.certificate,
    "private-key": lambda settings: settings.sites[0].tls.private_key,
    "access-log": lambda settings: settings.sites[0].logging.file,
    "capture": lambda settings: settings.sites[0].logging.capture,
    "control-socket": lambda settings: settings.control_socket,
}
"""Options that name files, and where their absolute paths are found: a daemon changes its directory, and SIGHUP reads again."""

_FILLS_TWO = ("--external-address", "--tls")
# How the text of an option becomes a value of the file. A text that does not stays one, and the rule refuses it.
# Some options fill two keys; these are found by the keys' names.
_TYPED: dict[str, Any] = {
    "--port": _whole,
    "--grace": _decimal,
    "--workers": _whole,
    "--no-anonymous": lambda given: False,
    "--log-commands": bool,
    "--self-signed": bool,
    "--implicit-tls": bool,
    "control_channel": lambda given: parse_policy(given)[0],
    "data_channel": lambda given: parse_policy(given)[1],
    "external_address": _plain,
    "external_addresses": _by_network,
}

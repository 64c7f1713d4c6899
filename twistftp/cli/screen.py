"""
What ``twistftp status`` and ``twistftp sessions`` show: a screen of text and a table, made of a server's answers.

Not here: asking (``asking``), printing and the live view (``status``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

__all__ = ["sessions_table", "size", "status_lines", "time_span"]

_UNITS = ("KiB", "MiB", "GiB", "TiB")


def size(octets: float) -> str:
    """Octets for people."""
    if octets < 1024:
        return f"{octets:.0f} B"
    for unit in _UNITS:
        octets /= 1024
        if octets < 1024 or unit == _UNITS[-1]:
            break
    return f"{octets:.1f} {unit}"


def time_span(seconds: float) -> str:
    """Seconds for people: the two largest units."""
    whole = int(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def status_lines(answer: Mapping[str, Any]) -> list[str]:
    """One screen about the whole server."""
    pool = answer["pool"]
    state = "shutting down" if answer["is_draining"] else "up"
    lines = [f"twistftp {answer['version']}, process {answer['pid']}, {state} for {time_span(answer['uptime'])}"]
    lines += [f"  worker {one['worker']}: process {one['pid']}, {one['sessions']} sessions" for one in answer.get("workers", ())]
    lines += [""]
    for site in answer["sites"]:
        lines += [_shown(f"site {site['name']!r}: {site['root']} on {site['where']}")]
        lines += [f"  sessions     {site['sessions']} now, {site['sessions_total']} so far; {site['refused']} connections refused"]
        lines += [f"  logins       {_counts(site['logins'])}"]
        lines += _tls_lines(site["tls"]) if site["tls"] is not None else []
        lines += [f"  transfers    {site['transfers_under_way']} under way"]
        for direction, outcomes in site["transfers"].items():
            lines += [f"    {direction + 's':10} {_counts(outcomes)}; {size(site['octets'].get(direction, 0))}"]
        lines += [f"  data connections that failed: {_counts(site['verdicts'])}", ""]
    ports = f"passive ports {pool['ports']}" if pool["ports"] != "0-0" else "passive ports of the system's dynamic range"
    lines += [
        f"{ports}: {pool['open_ports']} open, {pool['leases']} offered to clients, {pool['connections']} data connections",
        f"  so far: {pool['leased']} given, {pool['waits']} had to wait, {pool['shared']} shared one by TLS, {pool['refused']} refused",
        f"  {pool['strangers']} connections of strangers dropped, {pool['unproven']} to shared ports that proved to be nobody's",
        f"  {pool['unbindable']} ports held by other programs",
    ]
    return lines


def _tls_lines(tls: Mapping[str, Any]) -> list[str]:
    until = f"{datetime.fromisoformat(tls['expires']):%Y-%m-%d %H:%M} UTC"
    return [
        f"  TLS          {tls['sessions']} sessions now; certificate until {until}",
        *([_shown(f"    {tls['trouble']}")] if tls["trouble"] else []),
        f"    handshakes {_counts(tls['handshakes'])}; data connections: {_counts(tls['data_handshakes'])}",
    ]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none"


def sessions_table(sessions: Iterable[Mapping[str, Any]], before: Mapping[int, tuple[int, float]] | None = None, elapsed: float = 0.0) -> Table:
    """
    The sessions as a table.

    :param before: octets and seconds of each session's transfer at the last look, for the present rate instead of the mean one.
    :param elapsed: seconds since then.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("id", "site", "user", "address", "what", "rate", "idle"):
        table.add_column(title, justify="right" if title in ("id", "rate", "idle") else "left", overflow="fold")
    for one in sessions:
        octets, seconds = (before or {}).get(one["id"], (0, 0.0))
        is_same = elapsed > 0 and 0 < seconds <= one["seconds"] and octets <= one["octets"]
        rate = (one["octets"] - octets) / elapsed if is_same else one["rate"]
        row = (one["id"], one["site"], _user(one), one["client"] or "-", _what(one), f"{size(rate)}/s" if one["verb"] else "", _idle(one))
        # Text, not markup: a name with square brackets is a name.
        table.add_row(*(Text(_shown(str(cell))) for cell in row))
    return table


def _user(one: Mapping[str, Any]) -> str:
    return str(one["user"]) if one["is_logged_in"] else "(not logged in)"


def _what(one: Mapping[str, Any]) -> str:
    if not one["verb"]:
        return "-"
    if one["is_waiting"]:
        return f"{one['verb']} {one['path']} (waiting for the data connection)"
    of_total = f" of {size(one['total'])}" if one["total"] else ""
    return f"{one['verb']} {one['path']} ({size(one['octets'])}{of_total})"


def _idle(one: Mapping[str, Any]) -> str:
    return time_span(one["idle"]) if one["idle"] >= 1 else ""


def _shown(text: str) -> str:
    """Without control characters: names come from clients, and a terminal obeys them."""
    return "".join(character if character.isprintable() else "?" for character in text)

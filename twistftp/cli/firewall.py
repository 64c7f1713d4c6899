"""
``twistftp firewall``: prints the rules that a firewall needs for a configuration.

Not here: the rules (``policy.firewall_rules``). It prints only; it never changes the machine.
"""

from __future__ import annotations

import click

from twistftp.cli.failing import one_line_errors
from twistftp.configuration import Where, read
from twistftp.dynamic import dynamic_range
from twistftp.policy.firewall_rules.formats import FORMATS, rules
from twistftp.policy.firewall_rules.service import describe

__all__ = ["firewall"]


@click.command(short_help="Print the rules that a firewall needs.")
@click.argument("config", required=False, type=click.Path(readable=False))
@click.option("--format", "-f", "kind", required=True, type=click.Choice(list(FORMATS)), help="Which firewall the rules are for.")
@click.option("--port", "-p", type=int, help="Control port; default 2121, or what CONFIG says.")
@click.option("--passive-ports", metavar="RANGE", help="Data channel port range; default 0-0 (the system's dynamic range), or what CONFIG says.")
def firewall(config: str | None, kind: str, port: int | None, passive_ports: str | None) -> None:
    """
    Print the rules that let clients through to the server of CONFIG, or to that of the options.

    The options are those of "twistd ftpsite"; beside a CONFIG they override it. The rules allow and never forbid. Nothing is
    changed: what to do with them is said in their first lines.
    """
    options: dict[Where, object] = {("site", 0, "port"): port, ("firewall_support", "data_channel_port_range"): passive_ports}
    given = {place: value for place, value in options.items() if value is not None}
    if config is None:
        given[("site", 0, "root")] = "."  # a site has one, and rules do not depend on it
    with one_line_errors("firewall"):
        text = rules(describe(read(config, given), dynamic_range()), kind)
    click.echo(text, nl=False)

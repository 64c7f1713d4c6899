"""
What the state machines have found, each as a dialogue of its own.

Not here: what tests of single modules show as well or better (they stand beside these).
"""

from __future__ import annotations

from tests.fuzz.case import FuzzCase
from tests.fuzz.client import Client
from tests.fuzz.test_session_machine import finish
from tests.fuzz.world import World
from tests.support.headers import version_1
from twistftp.policy.settings import RequestFiltering, SiteFirewallSupport


def _with_a_port(world: World) -> Client:
    """A client that has logged in and been told a passive port."""
    client = world.connect()
    client.say(("USER", b"alice"), ("PASS", b"secret"), ("EPSV", b""))
    world.turn()
    return client


class ReloadTests(FuzzCase):
    def test_abor_is_denied_while_it_waits(self) -> None:
        """P-PIPE-3: an ABOR that has ended a transfer, and is denied by a reload before its own turn, cuts no transfers behind it."""
        world = World(many=1)
        client = _with_a_port(world)
        world.are_threads_slow = True
        client.say(("RETR", b"binary"), ("HASH", b"text"), ("ABOR", b""))
        world.turn()
        world.reconfigure(request_filtering=RequestFiltering(denied_commands=("ABOR",)))
        world.are_threads_slow = False
        client.say(("EPSV", b""))
        world.turn()
        client.dial()
        client.say(("RETR", b"binary"))
        world.turn()
        self.assertEqual([229, 426, 213, 502, 229, 150, 226], [reply.code for reply in client.replies[3:]], client.told)
        finish(world)


class CutTests(FuzzCase):
    """Transfers behind which an ABOR waits already: they are not begun (P-PIPE-3)."""

    def test_rename(self) -> None:
        """P-GEN-12: between RNFR and RNTO it is a command like any other, and no rename waits behind it."""
        world = World(many=1)
        client = _with_a_port(world)
        client.say(("RETR", b"binary"))
        world.turn()
        client.say(("RNFR", b"text"), ("RETR", b"binary"), ("RNTO", b"n"), ("ABOR", b""))
        world.turn()
        self.assertEqual([426, 350, 450, 503, 226], [reply.code for reply in client.replies[4:]], client.told)
        finish(world)


class HalfClosedTests(FuzzCase):
    def test_behind_a_header(self) -> None:
        """P-DC-11: a data connection that a balancer has announced is told of its FIN on transports that know their first protocol alone, too."""
        world = World(many=1, firewall_support=SiteFirewallSupport(proxy_from=("192.0.2.7",)))
        client = world.connect("192.0.2.7")
        client.send(version_1("198.51.100.5"))
        client.say(("USER", b"alice"), ("PASS", b"secret"), ("EPSV", b""))
        world.turn()
        wire = client.dial("192.0.2.7")
        assert wire is not None
        wire.send(version_1("198.51.100.5"))
        world.turn()
        self.assertEqual(1, world.pool.open_connections)
        client.leave(reset=True)
        world.wait(20)
        self.assertEqual(0, world.pool.open_connections)
        finish(world)

"""
What the state machines have found, each as a dialogue of its own.

Not here: what tests of single modules show as well or better (they stand beside these).
"""

from __future__ import annotations

from tests.fuzz.case import FuzzCase
from tests.fuzz.test_session_machine import finish
from tests.fuzz.world import World
from twistftp.policy.settings import RequestFiltering


class ReloadTests(FuzzCase):
    def test_abor_is_denied_while_it_waits(self) -> None:
        """P-PIPE-3: an ABOR that has ended a transfer, and is denied by a reload before its own turn, cuts no transfers behind it."""
        world = World(many=1)
        client = world.connect()
        client.say(("USER", b"alice"), ("PASS", b"secret"), ("EPSV", b""))
        world.turn()
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

"""Tests of the room that capsules have: on the disk in all, and in memory."""

import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.support.at_once import at_once
from twistftp.capsules.room import LOOK, Room

FILE = 4096


class RoomTests(SynchronousTestCase):
    """:class:`Room`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.directory = Path(os.path.abspath(self.mktemp()))
        self.directory.mkdir()

    def room(self, total: int, **options: Any) -> Room:
        return Room(self.clock, str(self.directory), options.pop("in_thread", at_once), 1000, total, **options)

    def test_total(self) -> None:
        """What is there already counts, and so does what is added; a capsule is only begun if a whole one has room."""
        (self.directory / "old").write_bytes(bytes(5000))
        (self.directory / "dangling").symlink_to("nowhere")
        room = self.room(3 * FILE + 5000 + 7 + 1000)
        self.assertTrue(room.is_open)
        room.begin()
        self.assertFalse(room.is_open)
        self.assertEqual("", room.refusal(1000))
        room.take(600)
        self.assertEqual("", room.refusal(400))
        self.assertEqual(f"all capsules together have reached {3 * FILE + 6007} octets", room.refusal(401))

    def test_room_is_made(self) -> None:
        """It is told once that the directory is full, and once that it is not any more; it is looked at once a minute at most."""
        looks: list[str] = []

        def in_thread(function: Any, directory: str) -> Any:
            looks.append(directory)
            return at_once(function, directory)

        (self.directory / "old").write_bytes(bytes(5000))
        with capturedLogs() as events:
            room = self.room(10_000, in_thread=in_thread)
            for _ in range(5):
                self.assertFalse(room.is_open)
            self.assertEqual(1, len(looks))
            self.clock.advance(LOOK)
            self.assertFalse(room.is_open)
            self.assertEqual(2, len(looks))
            (self.directory / "old").unlink()
            self.assertFalse(room.is_open)
            self.clock.advance(LOOK)
            room.is_open  # noqa: B018 (looks)
            self.assertTrue(room.is_open)
        self.assertEqual([9096, None], [event.get("used") for event in events])

    def test_others(self) -> None:
        """What other processes write counts, before long: together they use hardly more than there is."""
        total = 1_000_000
        rooms = [self.room(total) for _ in range(4)]
        number = 0
        while any(room.is_open for room in rooms):
            for room in rooms:
                if room.is_open:
                    number += 1
                    room.begin()
                    room.take(1000)
                    (self.directory / str(number)).write_bytes(bytes(1000))
                    room.wrote(1000)
        self.assertTrue(total - FILE - 1000 < number * (FILE + 1000) < 1.1 * total, number * (FILE + 1000))

    def test_meanwhile(self) -> None:
        """What is written while a thread looks is not forgotten."""
        looking: list[Deferred[int]] = []

        def in_thread(*_: Any) -> Deferred[int]:
            looking.append(Deferred())
            return looking[-1]

        room = self.room(20_000, in_thread=in_thread)
        room.begin()
        room.take(5000)
        looking[0].callback(7000)
        self.assertFalse(room.is_open)
        self.assertEqual(1, len(looking))

    def test_held(self) -> None:
        """What waits for the disk is bounded, too."""
        room = self.room(1 << 20, held=100)
        room.take(60)
        self.assertEqual("", room.refusal(40))
        self.assertEqual("100 octets wait for the disk", room.refusal(41))
        room.take(41)
        self.assertFalse(room.is_open)
        room.wrote(101)
        self.assertTrue(room.is_open)
        self.assertEqual("", room.refusal(100))

    def test_nothing_to_see(self) -> None:
        """A directory that cannot be read counts as empty: the first capsule will tell."""
        self.directory.rmdir()
        self.assertTrue(self.room(10_000).is_open)

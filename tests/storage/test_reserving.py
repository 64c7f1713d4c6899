"""``storage.reserving`` and ``storage.statfs``: room on the disk ahead of a large upload."""

from __future__ import annotations

import os
import sys
from typing import Any
from unittest import mock

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.storage.test_uploads import Base
from twistftp.storage import reserving, statfs
from twistftp.storage.reserving import Reserve
from twistftp.storage.statfs import EXT4, file_system


class Disk:
    """What the system would be asked for, and its answers."""

    def __init__(self, case: SynchronousTestCase, kind: int | None = EXT4, free: int = 1 << 40, refuses: bool = False) -> None:
        self.calls: list[tuple[int, int]] = []
        self.refuses = refuses
        case.patch(reserving, "_fallocate", self.fallocate)
        case.patch(reserving, "file_system", lambda number: kind)
        case.patch(reserving.os, "fstatvfs", lambda number: mock.Mock(f_bavail=free // 4096, f_frsize=4096))

    def fallocate(self, number: int, mode: int, start: int, count: int) -> int:
        self.calls.append((start, count))
        return -1 if self.refuses else 0


class ReserveTests(SynchronousTestCase):
    """When is room asked for."""

    def extended(self, start: int, end: int, **disk: Any) -> tuple[list[tuple[int, int]], int]:
        asked = Disk(self, **disk)
        reserve = Reserve(start)
        self.assertEqual(start + reserving.FROM, reserve.end)
        reserve.extend(-1, end)
        return asked.calls, reserve.end

    def test_without_a_gap(self) -> None:
        """From where the last room ended to a stride behind what comes; from any offset."""
        for start in (0, 5):
            end = start + reserving.FROM + 7
            self.assertEqual(([(start + reserving.FROM, 7 + reserving.STRIDE)], end + reserving.STRIDE), self.extended(start, end))

    def test_not_here(self) -> None:
        """On other file systems, on a disk that is nearly full, and where the system refuses, the upload does without and asks once."""
        end = reserving.FROM + 1
        self.assertEqual(([], sys.maxsize), self.extended(0, end, kind=0x01021994))
        self.assertEqual(([], sys.maxsize), self.extended(0, end, kind=None))
        self.assertEqual(([], sys.maxsize), self.extended(0, end, free=reserving.SPARE))
        calls, limit = self.extended(0, end, refuses=True)
        self.assertEqual((1, sys.maxsize), (len(calls), limit))

    def test_refused_in_part(self) -> None:
        """What a quota or a full disk lets somebody have of a stride is given back, too."""
        Disk(self, refuses=True)
        path = self.mktemp()
        with open(path, "wb") as file:
            reserve = Reserve(0)
            reserve.extend(file.fileno(), reserving.FROM + 1)
            with mock.patch.object(os, "ftruncate") as truncated:
                reserve.give_back(file.fileno())
            truncated.assert_called_once_with(file.fileno(), 0)

    def test_no_such_call(self) -> None:
        """Other systems are never asked, and nothing is given back that was not had."""
        self.patch(reserving, "_fallocate", None)
        reserve = Reserve(0)
        self.assertEqual(sys.maxsize, reserve.end)
        reserve.give_back(-1)

    def test_file_system(self) -> None:
        """What is no descriptor has none, nor has any where the system does not say."""
        self.assertIs(None, file_system(-1))
        self.patch(statfs, "_libc", None)
        with open(os.devnull, "rb") as file:
            self.assertIs(None, file_system(file.fileno()))


class UploadTests(Base):
    """Uploads that become large."""

    def setUp(self) -> None:
        self.patch(reserving, "FROM", 8192)
        self.patch(reserving, "STRIDE", 1 << 20)
        super().setUp()

    def test_in_a_thread(self) -> None:
        """A small one never asks; a large one waits for a thread that asks and writes, and the next octets go at once."""
        disk = Disk(self)
        upload = self.store.open_upload(("n",))
        self.assertIs(None, upload.write(b"x" * 8192))
        stored = upload.write(b"y")
        self.assertNoResult(stored)
        self.assertEqual([], disk.calls)
        self.threads.run()
        self.successResultOf(stored)
        self.assertEqual([(8192, 1 + (1 << 20))], disk.calls)
        self.assertIs(None, upload.write(b"z"))
        upload.finish()
        self.threads.run()
        self.assertEqual(b"x" * 8192 + b"yz", self.read("n"))

    def test_in_its_place(self) -> None:
        """A file that is written in its own place is left as the others see it."""
        disk = Disk(self)
        self.put(("f",), b"x" * 10000, in_place=True)
        self.assertEqual(([], 10000), (disk.calls, len(self.read("f"))))

    def test_goes_on(self) -> None:
        """Behind the octets that stay."""
        disk = Disk(self)
        self.put(("f",), b"x" * 8192, b"y", offset=3)
        self.assertEqual([(3 + 8192, 1 + (1 << 20))], disk.calls)
        self.assertEqual(b"old" + b"x" * 8192 + b"y", self.read("f"))

    def test_room(self) -> None:
        """On ext4 the room is there while the file grows, its size says what has arrived, and nothing is over at its end."""
        place = os.open(self.root, os.O_RDONLY)
        kind, disk = file_system(place), os.fstatvfs(place)
        os.close(place)
        if kind != EXT4 or disk.f_bavail * disk.f_frsize < 2 * reserving.SPARE:
            raise SkipTest("the working directory is not on an ext4 with room")
        upload = self.store.open_upload(("n",))
        self.write(upload, b"x" * 8192, b"y" * 100)
        number = upload._place.number  # type: ignore[attr-defined]
        found = os.fstat(number)
        self.assertEqual(8292, found.st_size)
        self.assertGreaterEqual(found.st_blocks * 512, 1 << 20)
        upload.finish()
        self.threads.run()
        found = os.stat(self.at("n"))
        self.assertEqual(8292, found.st_size)
        self.assertLess(found.st_blocks * 512, 1 << 16)
        self.assertEqual(b"x" * 8192 + b"y" * 100, self.read("n"))

"""``storage.holding``."""

from __future__ import annotations

from typing import Any

from twisted.internet import threads
from twisted.trial.unittest import TestCase

from twistftp.storage.failures import ReadFailed
from twistftp.storage.holding import in_thread


class InThreadTests(TestCase):
    timeout = 10

    async def test_no_thread(self) -> None:
        """P-SEC-10: when the system gives no more threads that is a failure of the moment, in the system's words; later there may be one."""

        def refuse(*call: Any) -> None:
            raise RuntimeError("can't start new thread")

        usual = threads.deferToThread
        self.patch(threads, "deferToThread", refuse)
        self.assertEqual("Resource temporarily unavailable", self.assertRaises(ReadFailed, in_thread, int).strerror)
        self.patch(threads, "deferToThread", usual)
        self.assertEqual(7, await in_thread(int, "7"))

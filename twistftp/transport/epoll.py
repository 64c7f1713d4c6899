"""
The reactor that ``twistd ftpsite`` runs on where the administrator chose none: Twisted's own for epoll, without the logging context of each event.

Not here: anything that works on this reactor only. Every other one serves as well; with this one a command costs a third less, for it is little
more than one event.

``EPollReactor`` calls what has an event by way of ``callWithLogger``: that copies a dictionary and goes through seven functions, so that a line
written by ``twisted.python.log`` may name the connection it was written for. Our lines name it themselves.
"""

from __future__ import annotations

import sys
from select import EPOLLIN

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.internet.posixbase import _NO_FILEDESC
from twisted.logger import Logger

__all__ = ["DirectEPollReactor", "install"]

_TIDY = 50
"""Cancelled delayed calls: when there are more, ``runUntilCurrent`` may have to forget them."""


class DirectEPollReactor(EPollReactor):
    """
    Serves all as its base class does: delayed calls, threads, descriptors that were closed meanwhile; whoever fails is logged and
    disconnected. Only events of ``twisted.python.log`` do not say in ``system`` any more during whose event they came up.
    """

    _log = Logger()

    def mainLoop(self) -> None:
        """Run until stopped. A turn in which nothing is due looks at the delayed calls once, not twice."""
        while self._started:
            try:
                wait = self.timeout()
                if wait == 0 or self.threadCallQueue or self._justStopped or self._cancellations > _TIDY:
                    self.runUntilCurrent()
                    wait = self.timeout()
                self.doPoll(wait if self.running else 0)
            except BaseException:  # as Twisted's own loop: nothing that an application raises ends it
                self._log.failure("Unexpected error in main loop")
        self._log.info("Main loop terminated.")

    def doPoll(self, timeout: float | None) -> None:
        """
        Wait for events, and have each attended to.

        :param timeout: seconds, ``None`` for as long as it takes.
        """
        selectables = self._selectables
        for descriptor, events in self._poller.poll(timeout, len(selectables)):
            if (selectable := selectables.get(descriptor)) is None:  # it was let go of in this very turn
                continue
            try:
                if events != EPOLLIN:
                    self._doReadOrWrite(selectable, descriptor, events)
                    continue
                try:
                    why = selectable.doRead() if selectable.fileno() != -1 else _NO_FILEDESC
                except BaseException as error:
                    self._log.failure("Unexpected error in {selectable!r}", selectable=selectable)
                    why = error
                if why:
                    self._disconnectSelectable(selectable, why, True)
            except BaseException:  # what fails in hearing that it is lost is no fault of the others
                self._log.failure("Unexpected error in {selectable!r}", selectable=selectable)

    doIteration = doPoll


def install() -> None:
    """Install the reactor of this process, unless it has one."""
    if "twisted.internet.reactor" not in sys.modules:
        installReactor(DirectEPollReactor())

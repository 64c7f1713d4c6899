"""Tests of ``binding``."""

import errno
import os
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from twistftp import binding
from twistftp.binding import CannotBind, close_ports, has_same_binding, open_ports, port_numbers, range_text, where
from twistftp.policy.channels import DYNAMIC, PortRange
from twistftp.policy.settings import SiteSettings


class Case(SynchronousTestCase):
    """A reactor in memory; ``faults`` are the addresses that cannot be bound, with the reason."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.faults: dict[str, int] = {}

    def listen(self, port: int, factory: Factory, address: str) -> Any:
        if address in self.faults:
            raise CannotListenError(address, port, OSError(self.faults[address], os.strerror(self.faults[address])))
        return self.reactor.listenTCP(port, factory, 50, address)

    def open(self, **settings: Any) -> list[Any]:
        self.settings = SiteSettings("/", name="x", **settings)
        return open_ports(self.reactor, self.listen, self.settings, Factory())

    def opened(self) -> list[tuple[int, str]]:
        return [(port, interface) for port, _, _, interface in self.reactor.tcpServers]


class OpenTests(Case):
    """Where a site listens."""

    def test_all_addresses(self) -> None:
        """One listener for IPv4 and IPv6."""
        ports = self.open()
        self.assertEqual([(2121, "::")], self.opened())
        self.assertEqual("port 2121 of all addresses", where(self.settings, ports))

    def test_without_ipv6(self) -> None:
        """IPv4 alone where the system has no IPv6."""
        for reason in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            self.faults = {"::": reason}
            ports = self.open()
            self.assertEqual((2121, "0.0.0.0"), self.opened()[-1])
            self.assertEqual("port 2121 of all IPv4 addresses", where(self.settings, ports))

    def test_one_address(self) -> None:
        """The address that was asked for; a loopback is called one."""
        ports = self.open(address="192.0.2.1", port=21)
        self.assertEqual([(21, "192.0.2.1")], self.opened())
        self.assertEqual("port 21 of 192.0.2.1", where(self.settings, ports))
        for address in ("127.0.0.1", "127.1.2.3", "::1"):
            ports = self.open(address=address)
            self.assertEqual(f"port 2121 of {address} (loopback: remote clients cannot reach this)", where(self.settings, ports))

    def test_endpoints(self) -> None:
        """Endpoints instead of port and address."""
        ports = self.open(listen=("tcp:2200", "tcp:2201:interface=127.0.0.1"), port=21)
        self.assertEqual([(2200, ""), (2201, "127.0.0.1")], self.opened())
        self.assertEqual({2200, 2201}, port_numbers(ports))
        self.assertEqual("tcp:2200 and tcp:2201:interface=127.0.0.1", where(self.settings, ports))

    def test_unix(self) -> None:
        """A local socket has no port number."""
        self.assertEqual(set(), port_numbers(self.open(listen=("unix:/run/ftp.sock",))))

    def test_same_binding(self) -> None:
        """Address, port and endpoints make a binding."""
        one = SiteSettings("/")
        self.assertTrue(has_same_binding(one, SiteSettings("/srv", name="other")))
        for other in (SiteSettings("/", port=1), SiteSettings("/", address="::1"), SiteSettings("/", listen=("tcp:1",))):
            self.assertFalse(has_same_binding(one, other))


class FailureTests(Case):
    """Ports that cannot be opened."""

    def test_reasons(self) -> None:
        """One line: the site, the place, the reason, and what may help."""
        for reason, text in {
            errno.EADDRINUSE: "another program, or another server of this kind, listens there already",
            errno.EACCES: "not permitted; ports below 1024 are for root, or for a process with CAP_NET_BIND_SERVICE",
            errno.EADDRNOTAVAIL: "this machine has no such address",
            errno.ENOBUFS: os.strerror(errno.ENOBUFS),
        }.items():
            self.faults = {"192.0.2.1": reason}
            error = self.assertRaises(CannotBind, self.open, address="192.0.2.1", port=21)
            self.assertEqual(f"x: cannot listen on port 21 of 192.0.2.1: {text}", str(error))

    def test_all_addresses(self) -> None:
        """A port that is taken is not evaded by listening on half of the addresses."""
        self.faults = {"::": errno.EADDRINUSE}
        self.assertRaises(CannotBind, self.open)
        self.assertEqual([], self.opened())

    def test_endpoint(self) -> None:
        """An endpoint that cannot be parsed after all is named."""
        error = self.assertRaises(CannotBind, self.open, listen=("tcp:2200", "nix:1"))
        self.assertEqual("x: cannot listen on nix:1: Unknown endpoint type: 'nix'", str(error))

    def test_close(self) -> None:
        """Closing waits for all ports."""
        self.successResultOf(close_ports(self.open(listen=("tcp:2200", "tcp:2201"))))


class RangeTextTests(SynchronousTestCase):
    """The passive ports, for people."""

    def test_range_text(self) -> None:
        """A range is shown as it is, the dynamic one as the system's."""
        self.assertEqual("5000-5001", range_text(PortRange(5000, 5001)))
        self.assertRegex(range_text(DYNAMIC), r"^(\d+-\d+ \()?the system's dynamic range\)?$")
        self.patch(binding, "system_range", lambda: None)
        self.assertEqual("the system's dynamic range", range_text(DYNAMIC))

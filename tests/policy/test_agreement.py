"""Settings that are good one by one, together."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.agreement import disagreements
from twistftp.policy.channels import PortRange
from twistftp.policy.firewall_support import FirewallSupport, SiteFirewallSupport
from twistftp.policy.settings import ServerSettings, SiteSettings
from twistftp.policy.tls import TLSSettings

ONE = SiteSettings(root="/srv", name="one")
TWO = evolve(ONE, name="two")


class AgreementTests(SynchronousTestCase):
    """What is found wrong with two sites, or with the passive ports."""

    def wrong(self, *sites: SiteSettings, ports: str = "0-0", workers: int = 1) -> list[str]:
        settings = ServerSettings(sites, FirewallSupport(PortRange.parse(ports)), workers=workers)
        return [f"{found.where[-1]} = {found.value}: {found.rule}" for found in disagreements(settings)]

    def test_names(self) -> None:
        """Each site has a name of its own."""
        self.assertEqual(["name = one: another site has this name; give each its own"], self.wrong(ONE, evolve(ONE, port=2122)))

    def test_one_port(self) -> None:
        """A port is one site's, unless host names tell them apart or one does not start. Implicit TLS is the whole port's."""
        rule = "port = 2121: site 'one' listens there already; change port or address, or give each a host name"
        self.assertEqual([rule], self.wrong(ONE, TWO))
        self.assertEqual([rule], self.wrong(evolve(ONE, host_name="a.example"), evolve(TWO, host_name="A.example")))
        for other in (
            evolve(TWO, port=2122),
            evolve(TWO, host_name="b.example"),
            evolve(TWO, auto_start=False),
            evolve(TWO, listen=("tcp:2121",)),
        ):
            self.assertEqual([], self.wrong(ONE, other), other)
        self.assertEqual([], self.wrong(evolve(ONE, port=0), evolve(TWO, port=0)))
        self.assertEqual([rule], self.wrong(ONE, evolve(TWO, host_name="b.example", tls=TLSSettings(self_signed=True, implicit=True))))

    def test_part_of_all(self) -> None:
        """One address is a part of all, which the system would refuse to the one that comes second."""
        for one, other, place in (
            ("", "192.0.2.1", "all addresses"),
            ("192.0.2.1", "", "192.0.2.1"),
            ("::", "192.0.2.1", "all addresses"),
            ("::", "2001:db8::1", "all addresses"),
            ("2001:db8::1", "::", "2001:db8::1"),
            ("0.0.0.0", "192.0.2.1", "all addresses"),
            ("0.0.0.0", "", "all addresses"),
            ("", "::", "all addresses"),
        ):
            rule = f"address = {other}: site 'one' listens on port 2121 of {place} already; give each an address of its own, or another port"
            self.assertEqual([rule], self.wrong(evolve(ONE, address=one), evolve(TWO, address=other, host_name="b.example")), (one, other))
        for one, other in (("192.0.2.1", "192.0.2.2"), ("0.0.0.0", "2001:db8::1"), ("2001:db8::1", "0.0.0.0"), ("192.0.2.1", "2001:db8::1")):
            self.assertEqual([], self.wrong(evolve(ONE, address=one), evolve(TWO, address=other)), (one, other))

    def test_mapped_ports(self) -> None:
        """A NAT shows as many ports as there are behind it (PROTOCOL P-PB-12)."""
        mapped = evolve(ONE, firewall_support=SiteFirewallSupport(external_ports=PortRange(6000, 6001)))
        self.assertEqual([], self.wrong(mapped, ports="5000-5001"))
        self.assertEqual(["external_ports = 6000-6001: must be as many ports as the passive ports 5000-5002"], self.wrong(mapped, ports="5000-5002"))
        self.assertEqual(["external_ports = 6000-6001: needs passive ports other than 0-0, and as many"], self.wrong(mapped))

    def test_ports_for_data(self) -> None:
        """Control ports inside the range are not for data, and each worker wants one."""
        name = "data_channel_port_range"
        self.assertEqual([f"{name} = 2121: holds control ports alone; none is left for data"], self.wrong(ONE, ports="2121", workers=4))
        few = [f"{name} = 2120-2122: has 2 usable ports for 3 workers; each worker needs at least one of its own"]
        self.assertEqual(few, self.wrong(ONE, ports="2120-2122", workers=3))
        self.assertEqual([], self.wrong(ONE, ports="2120-2122", workers=2))
        self.assertEqual([], self.wrong(evolve(ONE, listen=("tcp:2121",)), ports="2121"))

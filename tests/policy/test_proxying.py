"""Tests of ``policy.proxying`` and of the setting ``proxy_from``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.proxying import NOBODY, Proxies
from twistftp.policy.rules import BadSetting
from twistftp.policy.settings import SiteFirewallSupport, SiteSettings


def listed(*networks: str) -> Proxies:
    return SiteFirewallSupport(proxy_from=networks).proxies


class ProxiesTests(SynchronousTestCase):
    def test_default(self) -> None:
        """Nobody is believed unless the site says so."""
        self.assertEqual(NOBODY, SiteSettings("/").firewall_support.proxies)
        self.assertFalse(NOBODY)
        self.assertNotIn("192.0.2.1", NOBODY)

    def test_members(self) -> None:
        """Addresses of both families and no others; what is no address is in no network."""
        proxies = listed("10.0.0.0/8", "2001:db8::/64", "fe80::/64", "192.0.2.1")
        for address in ("10.255.0.1", "2001:db8::5", "fe80::1%eth0", "192.0.2.1"):
            self.assertIn(address, proxies)
        for address in ("11.0.0.1", "2001:db8:1::5", "192.0.2.2", "", "unix"):
            self.assertNotIn(address, proxies)

    def test_alone(self) -> None:
        """The rule that believes one address; a peer without one gives the rule that believes nobody."""
        self.assertEqual(listed("10.0.0.1/32"), Proxies.alone("10.0.0.1"))
        self.assertIn("fe80::1%eth0", Proxies.alone("fe80::1%eth0"))
        self.assertEqual(NOBODY, Proxies.alone(""))

    def test_overlap(self) -> None:
        """Whether a balancer could have an address of a client's network, whichever is the wider one."""
        proxies = listed("10.0.0.5/32", "2001:db8::/64")
        for network in ("10.0.0.5", "10.0.0.0/24", "*", "2001:db8::7", "2001:db8::/48"):
            self.assertTrue(proxies.may_speak_from(network), network)
            self.assertFalse(NOBODY.may_speak_from(network), network)
        for network in ("10.0.0.6", "10.0.1.0/24", "2001:db9::/64", "unix", ""):
            self.assertFalse(proxies.may_speak_from(network), network)

    def test_bad_network(self) -> None:
        """A network with host bits, or none at all, is refused under the name of the setting."""
        for text in ("10.0.0.5/8", "balancer.example.org"):
            error = self.assertRaises(BadSetting, SiteFirewallSupport, proxy_from=[text])
            self.assertEqual(("proxy_from", text), (error.name, error.value))

"""What PASV and EPSV tell clients behind and before a NAT, and what PORT may name where a site allows it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue
from twistftp.policy.channels import PortRange
from twistftp.policy.matching import ANY, EXACT, PeerMatch
from twistftp.policy.settings import SiteFirewallSupport, SiteSettings

OUTSIDE = {"peer": "198.51.100.9", "host": "10.0.0.5"}
INSIDE = {"peer": "10.0.0.9", "host": "10.0.0.5"}


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.warnings: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: Any) -> None:
        if event.get("log_level") is not None and event["log_level"].name == "warn" and "--external-address" in event["log_format"]:
            self.warnings.append(event["log_format"].format(**event))

    def dialogue(self, support: dict[str, Any], user: str = "anonymous", **where: Any) -> Dialogue:
        d = Dialogue(self, firewall_support=SiteFirewallSupport(**support), **where)
        d.login(user, "secret" if user == "alice" else "me@example.org")
        return d


class ExternalTests(Case):
    def test_outside_and_inside(self) -> None:
        """P-PB-11, P-PB-13: 227 byte for byte; 229 does not change."""
        support = {"external_address": "203.0.113.7"}
        d = self.dialogue(support, **OUTSIDE)
        self.assertEqual(
            ["227 Entering Passive Mode (203,0,113,7,195,80).", "229 Entering Extended Passive Mode (|||50001|)"], d.say("PASV") + d.say("EPSV")
        )
        self.assertEqual(("10.0.0.5", "198.51.100.9"), d.pool.asked[0])
        self.assertEqual(["227 Entering Passive Mode (10,0,0,5,195,80)."], self.dialogue(support, **INSIDE).say("PASV"))
        self.assertEqual([], self.warnings)

    def test_port_mapping(self) -> None:
        """P-PB-12: the ports of both 227 and 229; for clients inside those that listen."""
        support = {"external_ports": PortRange(60000, 60100), "external_addresses": {"198.51.100.0/24": "203.0.113.7"}}
        d = self.dialogue(support, **OUTSIDE)
        self.assertEqual(
            ["227 Entering Passive Mode (203,0,113,7,234,96).", "229 Entering Extended Passive Mode (|||60001|)"], d.say("PASV") + d.say("EPSV")
        )
        d = self.dialogue(support, **INSIDE)
        self.assertEqual(["229 Entering Extended Passive Mode (|||50000|)"], d.say("EPSV"))
        d = self.dialogue(support, peer="2001:db8::9", host="2001:db8::1")
        self.assertEqual(["229 Entering Extended Passive Mode (|||60000|)"], d.say("EPSV"))

    def test_name(self) -> None:
        """P-PB-14: the local address at once while the name is not known, then the name's latest."""
        d = self.dialogue({"external_address": "ftp.example.org"}, **OUTSIDE)
        self.assertEqual(["227 Entering Passive Mode (10,0,0,5,195,80)."], d.say("PASV"))
        d.site.resolver.addresses["ftp.example.org"] = "203.0.113.8"
        self.assertEqual(["227 Entering Passive Mode (203,0,113,8,195,81)."], d.say("PASV"))
        self.assertEqual([], self.warnings)

    def test_reconfigured(self) -> None:
        """SIGHUP: the next PASV tells the new address, without a new login; one that waits for its port does so, too."""
        d = self.dialogue({"external_address": "203.0.113.7"}, **OUTSIDE)
        d.pool.waiting = Deferred()
        d.say("PASV")
        d.site.reconfigure(SiteSettings("/srv/ftp", firewall_support=SiteFirewallSupport("203.0.113.8")))
        d.pool.waiting.callback(d.pool.make("198.51.100.9"))
        self.assertEqual(["227 Entering Passive Mode (203,0,113,8,195,80)."], d.hear())

    def test_private_address_is_told_of_once(self) -> None:
        """A private address shown outside is one warning for each client network, with the option that cures it."""
        d = self.dialogue({}, **OUTSIDE)
        d.say("PASV", "PASV", "EPSV")
        for peer in ("198.51.100.200", "::ffff:198.51.100.9", "10.0.0.9", "100.64.0.9"):
            other = d.another(peer=peer, host="10.0.0.5")
            other.login()
            other.say("PASV")
        line = (
            "twistftp: clients of 198.51.100.0/24 are told the private address 10.0.0.5 and cannot reach it through a NAT; "
            "give the public one with --external-address (external_address of [site.firewall_support])"
        )
        self.assertEqual([line], self.warnings)
        other = d.another(peer="203.0.113.9", host="10.0.0.5")
        other.login()
        other.say("PASV")
        self.assertEqual(2, len(self.warnings))


class NamesTests(Case):
    def test_resolver_follows_the_site(self) -> None:
        """P-PB-14: asked from the first port to the last; SIGHUP changes the names; nothing is left."""
        d = self.dialogue({"external_address": "a.example"}, **OUTSIDE)
        asked: list[str] = []
        pending: Deferred[Any] = Deferred()
        d.site.resolver._lookup = lambda name: (asked.append(name), pending)[1]
        d.clock.advance(60)
        self.assertEqual([], asked)
        d.site.doStart()
        d.clock.advance(0)
        d.site.reconfigure(SiteSettings("/srv/ftp", firewall_support=SiteFirewallSupport(external_addresses={"198.51.100.0/24": "b.example"})))
        d.clock.advance(0)
        self.assertEqual(["a.example", "b.example"], asked)
        d.site.doStop()
        d.leave()
        self.assertEqual([], [call for call in d.clock.getDelayedCalls() if "_Name" in repr(call.func)])


class MatchTests(Case):
    def test_rule_reaches_the_pool(self) -> None:
        """P-DC-10: exact unless the site says otherwise."""
        for value, match in ((True, EXACT), (False, ANY), ("24/64", PeerMatch(24, 64))):
            d = self.dialogue({"match_client_address_for_pasv": value})
            d.say("PASV")
            self.assertEqual(match, d.pool.match)

    def test_port_of_others(self) -> None:
        """P-DC-14: with match_client_address_for_port = false users with names may name others, from port 1024 up."""
        d = self.dialogue({"match_client_address_for_port": False}, "alice")
        self.assertEqual([200, 200], d.codes("PORT 203,0,113,9,195,80", "EPRT |1|203.0.113.9|5000|"))
        self.assertEqual("203.0.113.9", d.active_ports[0].peer)
        self.assertEqual([504, 501], d.codes("PORT 203,0,113,9,0,22", "PORT 203,0,113,9,0,0"))
        for target in ("127,0,0,1", "192,0,2,1", "0,0,0,0", "224,0,0,1"):
            self.assertEqual([501], d.codes(f"PORT {target},195,80"), target)
        self.assertEqual([501], self.dialogue({}, "alice").codes("PORT 203,0,113,9,195,80"))

    def test_anonymous_never(self) -> None:
        """P-DC-14, P-SEC-1: there is no such option for anonymous users, under whatever name, nor after anonymous access was switched off."""
        for user in ("anonymous", "FTP"):
            d = self.dialogue({"match_client_address_for_port": False}, user)
            self.assertEqual([501, 501, 200], d.codes("PORT 203,0,113,9,195,80", "EPRT |1|203.0.113.9|5000|", "PORT 192,0,2,9,195,80"))
        from twistftp.policy.settings import Authentication

        support = SiteFirewallSupport(match_client_address_for_port=False)
        d.site.reconfigure(SiteSettings("/srv/ftp", firewall_support=support, authentication=Authentication(anonymous=False)))
        self.assertEqual([501], d.codes("PORT 203,0,113,9,195,80"))

    def test_source_port(self) -> None:
        """P-DC-13: from port 20, or the one that is set."""
        for support, port in (({}, 20), ({"active_port": 0}, 0), ({"active_port": 2020}, 2020)):
            d = self.dialogue(support)
            d.say("PORT 192,0,2,9,195,80")
            self.assertEqual(port, d.active_ports[0].source_port)  # type: ignore[attr-defined]

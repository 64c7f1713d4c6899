"""Tests of ``policy.tls``."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given
from hypothesis.strategies import text
from twisted.trial.unittest import SynchronousTestCase

from twistftp.policy.rules import BadSetting
from twistftp.policy.tls import CONTROL, DATA, TLSSettings, parse_policy

PAIR = {"certificate": "cert.pem", "private_key": "key.pem"}
NEEDED = "needs a certificate (--certificate and --private-key, or --self-signed)"


def site(control: str = "allow", data: str = "allow", **settings: Any) -> TLSSettings:
    """Settings with a certificate."""
    return TLSSettings(self_signed=True, control_channel=control, data_channel=data, **settings)


class SettingsTests(SynchronousTestCase):
    """What ``[site.tls]`` may say."""

    def test_refusals(self) -> None:
        """Each rule names its key, the value, and has words of its own (P-TLS-9)."""
        no_authority = "is needed beside client_certificates: the PEM file of those who may issue them"
        rules: tuple[tuple[dict[str, Any], str, Any, str], ...] = (
            ({"certificate": "c"}, "certificate", "c", "needs its private key as well (--private-key FILE, private_key); PEM"),
            ({"private_key": "k"}, "private_key", "k", "needs its certificate as well (--certificate FILE, certificate); PEM"),
            (PAIR | {"self_signed": True}, "certificate", "cert.pem", "is given beside a self-signed one that is to be made; choose one of them"),
            ({"control_channel": "require"}, "control_channel", "require", NEEDED),
            ({"control_channel": "require-credentials"}, "control_channel", "require-credentials", NEEDED),
            ({"data_channel": "require"}, "data_channel", "require", NEEDED),
            ({"implicit": True}, "implicit", True, NEEDED),
            ({"session": "require"}, "session", "require", NEEDED),
            ({"clear_command_channel": True}, "clear_command_channel", True, NEEDED),
            ({"client_certificates": "allow", "client_ca": "ca"}, "client_certificates", "allow", NEEDED),
            (PAIR | {"client_certificates": "require"}, "client_ca", "", no_authority),
            (PAIR | {"control_channel": "on"}, "control_channel", "on", "must be one of allow, require, require-credentials"),
            (PAIR | {"data_channel": "off"}, "data_channel", "off", "must be one of allow, require, deny"),
            (PAIR | {"session": "yes"}, "session", "yes", "must be one of off, auto, require"),
            (PAIR | {"minimum_version": "0.9"}, "minimum_version", "0.9", "must be one of 1.0, 1.1, 1.2, 1.3"),
            (PAIR | {"client_certificates": "on"}, "client_certificates", "on", "must be one of ignore, allow, require"),
        )
        for given_settings, key, value, rule in rules:
            error = self.assertRaises(BadSetting, TLSSettings, **given_settings)
            self.assertEqual((key, value, rule), (error.name, error.value, error.rule), given_settings)

    def test_off(self) -> None:
        """Without a certificate there is no TLS, and nothing is asked for; what forbids it needs none."""
        for settings in (TLSSettings(), TLSSettings(data_channel="deny")):
            self.assertFalse(settings.is_on or settings.is_strict or settings.offers_ccc)
            self.assertFalse(settings.is_login_refused(is_secure=False) or settings.is_command_refused(is_secure=False, was_secure=False))
        for settings in (TLSSettings(**PAIR), TLSSettings(self_signed=True)):  # type: ignore[arg-type]
            self.assertTrue(settings.is_on)

    def test_minimum(self) -> None:
        """P-TLS-1: 1.2 is the oldest version unless somebody says otherwise."""
        self.assertEqual("1.2", TLSSettings().minimum_version)


class PolicyTests(SynchronousTestCase):
    """What follows from the policies."""

    def test_login(self) -> None:
        """P-USER-4, P-SEC-5, P-TLS-9: USER and PASS wait for TLS unless it is only allowed."""
        for control, secure in product(CONTROL, (False, True)):
            self.assertEqual(control != "allow" and not secure, site(control).is_login_refused(is_secure=secure), control)

    def test_commands(self) -> None:
        """P-TLS-9: only ``require`` wants the whole session encrypted; what was encrypted and is not after CCC has been allowed to be so."""
        for control, secure, was in product(CONTROL, (False, True), (False, True)):
            refused = control == "require" and not secure and not was
            self.assertEqual(refused, site(control).is_command_refused(is_secure=secure, was_secure=was), (control, secure, was))

    def test_data(self) -> None:
        """P-PROT-2, P-PROT-5, P-SEC-17: ``require`` refuses PROT C and transfers under it, ``deny`` refuses PROT P."""
        for data, private in product(DATA, (False, True)):
            settings = site(data=data)
            self.assertEqual(data == "require" and not private, settings.is_transfer_refused(is_protected=private))
            self.assertEqual((data, private) in (("require", False), ("deny", True)), settings.is_level_refused(is_protected=private))

    def test_strict(self) -> None:
        """Whether anything must be encrypted."""
        strict = {(control, data) for control, data in product(CONTROL, DATA) if site(control, data).is_strict}
        self.assertEqual({(control, data) for control, data in product(CONTROL, DATA) if "require" in (control, data)}, strict)

    def test_clear_channel(self) -> None:
        """P-CCC-1, P-CCC-2: by its own setting, or where credentials alone must be encrypted; never on an implicit connection."""
        self.assertFalse(site().offers_ccc)
        self.assertTrue(site(clear_command_channel=True).offers_ccc)
        self.assertTrue(site("require-credentials").offers_ccc)
        self.assertFalse(site("require-credentials", implicit=True).offers_ccc)
        self.assertFalse(site(clear_command_channel=True, implicit=True).offers_ccc)


class OptionTests(SynchronousTestCase):
    """``--tls``."""

    def test_forms(self) -> None:
        """CONTROL alone means the nearest for data, CONTROL/DATA is as it says."""
        self.assertEqual(("allow", "allow"), parse_policy("allow"))
        self.assertEqual(("require", "require"), parse_policy("require"))
        self.assertEqual(("require-credentials", "allow"), parse_policy("require-credentials"))
        for control, data in product(CONTROL, DATA):
            self.assertEqual((control, data), parse_policy(f"{control}/{data}"))

    @given(text())
    def test_any_text(self, given_text: str) -> None:
        """Any text is a policy or refused with the rule."""
        try:
            control, data = parse_policy(given_text)
        except ValueError as error:
            self.assertIn("must be allow, require, or CONTROL/DATA", str(error))
        else:
            self.assertTrue(control in CONTROL and data in DATA)

    def test_refusals(self) -> None:
        """Half of a policy, or too much of one."""
        for given_text in ("", "/", "deny", "require/", "/require", "allow/allow/allow", "Require", "allow /deny"):
            self.assertRaises(ValueError, parse_policy, given_text)

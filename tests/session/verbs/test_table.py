"""The table of verbs, and what is derived from it."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from tests.support.dialogue import Dialogue
from twistftp.session.verbs.table import SITE_VERBS, VERBS
from twistftp.wire.states import Needs

# PROTOCOL 1.6, without what this release has not.
FEATURES = [
    "CLNT", "CSID", "EPRT", "EPSV", "HASH SHA-256*;SHA-512;SHA-1;MD5", "HOST", "LANG EN*", "MDTM", "MFMT",
    "MLST type*;size*;modify*;perm*;unique*;unix.mode*;unix.owner;unix.group;",
    "RANG STREAM", "REST STREAM", "SITE CHMOD", "SITE UTIME", "SIZE", "TVFS", "UTF8",
]  # fmt: skip
_EARLY = "USER PASS ACCT AUTH ADAT PBSZ PROT CCC HOST FEAT OPTS HELP LANG CLNT CSID SYST NOOP REIN QUIT ABOR MIC CONF ENC"
BEFORE_LOGIN = set(_EARLY.split())
_OFFERED = (
    "USER PASS ACCT REIN QUIT HOST CLNT CSID CWD CDUP XCWD XCUP PWD XPWD TYPE STRU MODE PORT EPRT PASV EPSV ALLO REST RETR LIST NLST MLSD MLST ABOR "
    "SYST STAT HELP NOOP SITE FEAT OPTS LANG SIZE MDTM "
    "STOR APPE STOU DELE MKD XMKD RMD XRMD RNFR RNTO MFMT HASH RANG"
)
OFFERED = set(_OFFERED.split())


class TableTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.d = Dialogue(self, writable=True)

    def test_help_lists_what_is_offered(self) -> None:
        """P-HELP-1: exactly the verbs that work."""
        words = set(re.findall(r"^ (.*)$", self.d.say("HELP")[0], re.MULTILINE))
        self.assertEqual(OFFERED, {word for line in words for word in line.split()})
        self.assertEqual(OFFERED, {verb for verb, command in VERBS.items() if command.offered(self.d.session)})

    def test_site_help(self) -> None:
        """P-HELP-2, P-SITE-1: so does SITE's."""
        self.assertEqual("214-Commands:\n SITE CHMOD SITE HELP  SITE UTIME SITE WHY\n214 End.", self.d.say("HELP SITE")[0])
        offered = {verb for verb, command in SITE_VERBS.items() if command.offered(self.d.session)}
        self.assertEqual({"CHMOD", "HELP", "UTIME", "WHY"}, offered)

    def test_features(self) -> None:
        """P-FEAT-1, P-FEAT-2: PROTOCOL 1.6's lines for what there is; FEAT and OPTS themselves are none."""
        self.assertEqual(FEATURES, [line[1:] for line in self.d.say("FEAT")[0].split("\n")[1:-1]])

    def test_every_feature_works(self) -> None:
        """P-FEAT-2: no verb that FEAT names is unknown or switched off."""
        self.d.login()
        for line in FEATURES:
            verb = line if line.startswith("SITE ") else line.split()[0]
            if verb not in ("TVFS", "UTF8"):
                self.assertNotIn(self.d.codes(f"{verb} x")[0], (500, 502), verb)

    def test_before_login(self) -> None:
        """P-GEN-10: what may be said before login, and nothing else, which is 530 (P-TEXT-6)."""
        self.assertEqual(BEFORE_LOGIN, {verb for verb, command in VERBS.items() if command.needs is Needs.NOTHING})
        for verb in VERBS:
            d = Dialogue(self)
            if verb not in BEFORE_LOGIN:
                self.assertEqual(["530 Please log in with USER and PASS."] * 2, d.say(verb, f"{verb} x"), verb)

    def test_syntax_is_what_501_says(self) -> None:
        """P-TEXT-2, P-GEN-8: a 501 for a missing argument and HELP show the same usage."""
        self.d.login()
        for verb, command in VERBS.items():
            if command.argument.syntax.startswith("<") and command.offered(self.d.session) and verb not in ("USER", "PASS"):
                self.assertTrue(self.d.say(verb)[0].startswith(f"501 Syntax: {command.syntax}"), verb)
                if verb != "SITE":  # whose verbs HELP SITE lists
                    self.assertTrue(self.d.say(f"HELP {verb}")[0].startswith(f"214 Syntax: {command.syntax}"), verb)

    def test_every_verb_says_where_it_is_defined(self) -> None:
        """Each has an RFC and a line of help."""
        for command in (*VERBS.values(), *SITE_VERBS.values()):
            self.assertTrue(command.rfc and command.help, command.verb)

    def test_others_are_unknown(self) -> None:
        """P-OTHER-1, P-GEN-9: verbs of other servers are 500 or 502."""
        self.d.login()
        others = "THMB PRET SPSV ESTA ESTP LPRT LPSV XRSQ XCRC AVBL MFF MFCT MD5 XMD5"
        for verb in others.split():
            self.assertIn(self.d.codes(f"{verb} x")[0], (500, 502), verb)

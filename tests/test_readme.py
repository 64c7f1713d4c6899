"""The README says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import trustme
from twisted.trial.unittest import SynchronousTestCase

from tests.support.readme import verbs_table, verdicts_table
from twistftp.options import Options

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


class ReadmeTests(SynchronousTestCase):
    """What is derived is derived, and what is offered exists."""

    def test_verbs(self) -> None:
        """The table of verbs is that of the declarations."""
        self.assertIn(verbs_table(), README)

    def test_verdicts(self) -> None:
        """P-TEXT-11 and others: docs/firewalls.md explains every cause for which a data connection can fail, in the words of the code."""
        self.assertIn(verdicts_table(), (Path(__file__).parent.parent / "docs" / "firewalls.md").read_text("utf-8"))

    def test_options(self) -> None:
        """Each option of ours is in the README, and the README names none that there is not."""
        own = {f"--{name.rstrip('=')}" for name in Options().longOpt} - {"--version", "--help", "--help-auth", "--help-auth-type"}
        table = re.findall(r"^\| `(--[a-z-]+)", README, re.MULTILINE)
        self.assertEqual(sorted(own), sorted(table))

    def test_configuration(self) -> None:
        """The README's example configuration is read without complaint, and every key of it is a setting."""
        from twistftp.configuration import load

        example = re.search(r"```toml\n(.*?)```", README, re.DOTALL)
        assert example is not None
        text = re.sub(r'(?m)^root = "[^"]*"', 'root = "."', example[1])
        folder = Path(self.mktemp())
        folder.mkdir()
        issued = trustme.CA().issue_cert("localhost")
        issued.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
        issued.private_key_pem.write_to_path(str(folder / "key.pem"))
        path = folder / "ftp.toml"
        path.write_text(text, encoding="utf-8")
        settings = load(str(path))
        self.assertEqual("My New FTP Site", settings.sites[0].name)

    def test_links(self) -> None:
        """Every file that the README points to is there."""
        for target in re.findall(r"\]\((?!https?:|#)([^)]+)\)", README):
            self.assertTrue((Path(__file__).parent.parent / target).exists(), target)

    def test_figures(self) -> None:
        """Every plot that there is, is shown, and none that there is not."""
        figures = Path(__file__).parent.parent / "docs" / "figures"
        shown = set(re.findall(r"^!\[[^\]]*\]\(([^)]+)\)", (figures / "README.md").read_text("utf-8"), re.MULTILINE))
        self.assertEqual({path.name for path in figures.glob("*.svg")}, shown)

"""``twistftp doctor`` on a client's machine, with real firewalls and routers between it and the server."""

from __future__ import annotations

import re
import sys

from tests.firewall.scene import DROP_ALL_BUT, FirewallCase
from tests.support.doctor import authority
from tests.support.scripted import Scripted
from tests.support.twistd import CHECKOUT

_FORWARD = """
table ip nat {{
    chain pre {{ type nat hook prerouting priority dstnat; iif c0 tcp dport {{ {} }} dnat to 10.0.0.20; }}
}}
"""
_HELPER = """
table inet helped {
    ct helper ftp-std { type "ftp" protocol tcp; }
    chain pre { type filter hook prerouting priority filter; tcp dport 21 ct helper set "ftp-std"; }
}
"""
_MASQUERADE = """
table ip nat {
    chain post { type nat hook postrouting priority srcnat; oif s0 masquerade; }
}
"""


_RUNS = re.compile(r"```console\n\$ twistftp doctor (.*)\n((?:.*\n)*?)```")


class DoctorTests(FirewallCase):
    """One sick network each."""

    def doctor(self, status: int, *words: str, address: str = "", options: tuple[str, ...] = (), scheme: str = "ftp") -> str:
        """Send the doctor; what it says, with its lines joined."""
        address = address or self.lab.server_address
        url = f"{scheme}://[{address}]" if ":" in address else f"{scheme}://{address}"
        done = self.lab.client.run("env", f"PYTHONPATH={CHECKOUT}", sys.executable, "-m", "twistftp", "doctor", url, *options)
        text = " ".join(done.stdout.decode().split())
        for word in words:
            self.assertIn(word, text, done.stdout.decode() + done.stderr.decode())
        self.assertEqual(status, done.returncode, text)
        return text

    def test_works(self) -> None:
        """Through a firewall with the range open, by IPv4 and IPv6."""
        lab = self.laboratory()
        lab.server.nft(DROP_ALL_BUT.format("tcp dport { 21, 50000-50004 } ct state new accept"))
        self.serve("--passive-ports", "50000-50004")
        text = self.doctor(0, "result: works; clients can list and fetch", options=("--ports", "50000-50004"))
        self.assertNotIn("problem", text)
        self.doctor(0, "result: works; clients can list and fetch", "works active EPRT", address=lab.server_address6)

    def test_control_port_closed(self) -> None:
        """The control port is dropped, or rejected."""
        lab = self.laboratory()
        lab.server.nft("table inet lab { chain input { type filter hook input priority filter; tcp dport 21 drop; }; }")
        self.serve()
        self.doctor(1, "problem: control port closed", "does not answer at all", options=("--timeout", "6"))
        lab.server.nft("delete table inet lab")
        rule = "tcp dport 21 reject with icmpx admin-prohibited"
        lab.server.nft(f"table inet lab {{ chain input {{ type filter hook input priority filter; {rule}; }}; }}")
        self.doctor(1, "problem: control port closed", "There is no way to")

    def test_range_closed(self) -> None:
        """The range is dropped: the ports are listed, and so is what the server itself knows of it."""
        lab = self.laboratory()
        lab.server.nft(DROP_ALL_BUT.format("tcp dport 21 ct state new accept"))
        self.serve("--passive-ports", "50000-50001")
        text = self.doctor(1, "problem: the passive port range is closed", "(no answer)", "works active PORT")
        self.assertRegex(text, r"cannot be reached: 5000[01]")
        self.assertIn("SITE WHY Last failed data connection: never arrived.", text)
        self.assertIn("Open TCP 50000-50001 to this server", text)

    def test_part_of_the_range_closed(self) -> None:
        """Which ports of a range are dropped."""
        lab = self.laboratory()
        lab.server.nft(DROP_ALL_BUT.format("tcp dport { 21, 50000-50002 } ct state new accept"))
        self.serve("--passive-ports", "50000-50004")
        self.doctor(1, "problem: ports of the range are closed", "Closed: 50003-50004; open: 50000-50002", options=("--ports", "50000-50004"))

    def test_no_external_address(self) -> None:
        """A server behind a NAT that does not know its external address: 227 is wrong, 229 cannot be."""
        lab = self.laboratory(server_net="10.0.0")
        lab.router.nft(_FORWARD.format("21, 50000-50004"))
        self.serve("--passive-ports", "50000-50004")
        self.doctor(
            0,
            "problem: wrong address in the 227 reply",
            "PASV is told 10.0.0.20, a private address, but the server is at 198.51.100.1",
            "is open there",
            "result: only EPSV works: wrong address in the 227 reply; clients that use it can list and fetch",
            address="198.51.100.1",
        )
        lab.router.nft("flush chain ip nat pre\nadd rule ip nat pre iif c0 tcp dport 21 dnat to 10.0.0.20")
        self.doctor(1, "problem: wrong address in the 227 reply", address="198.51.100.1")

    def test_helpful_router(self) -> None:
        """A router that translates the 227 and forwards what it names does no harm."""
        lab = self.laboratory(server_net="10.0.0")
        lab.router.nft(_FORWARD.format("21") + _HELPER)
        self.serve("--passive-ports", "50000-50009")
        self.doctor(0, "works PASV", "result: works", address="198.51.100.1")

    def test_swallowed(self) -> None:
        """Connection tracking's helper drops a 227 that names a port which was offered before and left unused."""
        lab = self.laboratory()
        lab.router.nft(_HELPER)
        self.serve("--passive-ports", "50000")
        client = self.client()
        client.passive()
        client.close()
        self.doctor(1, "problem: the reply to PASV", "never comes", options=("--timeout", "12"))

    def test_filter_and_tls(self) -> None:
        """
        The walk-through's case: a firewall opens port 21 and has connection tracking open the data ports, as it reads the replies. Plain
        works, and TLS comes up and then has no data connections, because there is nothing to read.
        """
        lab = self.laboratory()
        lab.server.nft(DROP_ALL_BUT.format("tcp dport 21 ct state new accept") + _HELPER)
        server = Scripted(tls=authority().context(lab.server_address), address=lab.server_address, port=21)
        with lab.server.inside():  # its threads stay there
            self._stack.enter_context(server)
        title = "a stateful filter opens data ports only where it can read along"
        quoted = "will not be able to parse the encrypted traffic"
        trusting = ("--timeout", "20", "--ca", authority().path)
        self.doctor(1, f"problem: {title}", quoted, "works TLS", "for comparison, in the clear", scheme="ftpes", options=trusting)
        self.doctor(0, f"note: with TLS (ftpes://): {title}", "result: works", options=trusting)

    def test_behind_a_nat(self) -> None:
        """A client behind a NAT: active mode cannot work, which is no problem."""
        lab = self.laboratory(client_net="192.168.7")
        lab.router.nft(_MASQUERADE)
        self.serve("--passive-ports", "50000-50004")
        text = self.doctor(0, "note: active mode is refused", "PORT names 192.168.7.10", "result: works")
        self.assertNotIn("problem", text)

    def test_readme(self) -> None:
        """The README's runs are real: one where all is open, one where the range is closed. Which ports come up is chance."""

        def alike(text: str) -> str:
            in_one_line = re.sub(r"\s+", " ", text)  # first: where lines break is chance, too
            in_one_line = re.sub(r"listed \d+ octets", "listed OCTETS", in_one_line)  # MLSD names inodes, whose numbers have more digits or fewer
            return re.sub(r"\b5000[0-4](, 5000[0-4]|-5000[0-4](?= \(no answer))?", "PORT", in_one_line).strip()

        runs = _RUNS.findall((CHECKOUT / "README.md").read_text("utf-8"))
        self.assertEqual(2, len(runs))
        lab = self.laboratory()
        for number in range(32):
            (self.root / str(number)).unlink()
        lab.server.nft(DROP_ALL_BUT.format("tcp dport { 21, 50000-50004 } ct state new accept"))
        self.serve("--passive-ports", "50000-50004")
        for (arguments, shown), status in zip(runs, (0, 1), strict=True):
            url, *options = arguments.split()
            self.assertEqual(f"ftp://{lab.server_address}", url)
            self.assertEqual(alike(shown), alike(self.doctor(status, options=tuple(options))))
            lab.server.nft("delete table inet lab")
            lab.server.nft(DROP_ALL_BUT.format("tcp dport 21 ct state new accept"))

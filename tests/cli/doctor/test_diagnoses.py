"""The doctor against servers that are scripted to be ill, in the clear: each illness is told apart."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from threading import Event
from unittest.mock import patch

from click.testing import CliRunner
from twisted.trial.unittest import SkipTest

from tests.support.doctor import DoctorCase, authority
from tests.support.running import free_range, has_ipv6
from tests.support.scripted import Deed, Scripted, Talk, Words
from twistftp.cli import main


class HealthyTests(DoctorCase):
    """Servers that work."""

    def test_works(self) -> None:
        """Listed and fetched by both verbs, active mode too; status 0, and nothing is found."""
        left = Event()

        def leave(talk: Talk, argument: str) -> Words:
            left.set()
            return talk.usual("QUIT")

        with Scripted({"QUIT": leave}) as server:
            result = self.visit(server)
            self.assertTrue(left.wait(10), "no QUIT came")
        self.assertFinds(result, 0, "result: works; clients can list and fetch", "anonymous: 230 In.", "listed 27 octets", "fetched 12 octets")
        self.assertNotIn("problem", result.output)
        self.assertNotIn("note", result.output)
        self.assertEqual(4, server.commands.count("RETR readme") + server.commands.count("PASV"))

    def test_ipv6(self) -> None:
        """Over IPv6 there is EPSV and EPRT, and PASV is not missed."""
        if not has_ipv6():
            raise SkipTest("no IPv6 here")
        server = Scripted(address="::1")
        self.assertFinds(self.doctor(server), 0, "result: works; clients can list and fetch", "works active EPRT")
        self.assertNotIn("PASV", server.commands)

    def test_user(self) -> None:
        """User and password of the URL are undone of their escapes; the password is never shown, though the server repeats it."""

        def say(talk: Talk, argument: str) -> Words:
            return f"230 Welcome; your password is {argument}.\r\n".encode()

        server = Scripted({"PASS": say})
        result = self.doctor(server, user="al%40ice:s3cret%20w%C3%B6rd@")
        self.assertFinds(result, 0, "al@ice: 230 Welcome; your password is ********.")
        self.assertEqual(["USER al@ice", "PASS s3cret wörd"], server.commands[:2])
        self.assertNotIn("s3cret", result.output)

    def test_question(self) -> None:
        """A password that the URL lacks is asked for where somebody can answer, and not shown; elsewhere it is empty."""
        with Scripted() as server:
            url = f"ftp://alice@127.0.0.1:{server.port}"
            with patch("twistftp.cli.doctor.command._can_ask", return_value=True):
                result = CliRunner().invoke(main, ["doctor", url], input="s3cret\n")
            self.assertEqual(["USER alice", "PASS s3cret"], server.commands[:2])
            self.assertNotIn("s3cret", result.output)
            self.run_doctor(url)
            self.assertIn("PASS ", server.commands)

    def test_directory(self) -> None:
        """A path in the URL is a directory to look into."""
        server = Scripted()
        self.doctor(server, path="/pub/a%20b")
        self.assertIn("CWD pub/a b", server.commands)
        self.assertFinds(self.doctor(Scripted({"CWD": b"550 Not here.\r\n"}), path="/x"), 1, "problem: no such directory", '"550 Not here."')

    def test_deeper(self) -> None:
        """A file in a directory of the directory is good enough."""
        inside: list[str] = []

        def enter(talk: Talk, argument: str) -> Words:
            inside.append(argument)
            return b"250 There.\r\n"

        def show(talk: Talk, argument: str) -> Words:
            return talk.transfer(b"type=file;size=12; readme\r\n" if inside else b"type=dir; pub\r\n")

        self.assertFinds(self.doctor(Scripted({"CWD": enter, "MLSD": show})), 0, "fetched 12 octets")

    def test_old_server(self) -> None:
        """A server without FEAT, MLSD and EPSV, with a listing in Windows' form."""

        def show(talk: Talk, argument: str) -> Words:
            return talk.transfer(b"11-23-26  06:30AM                   12 readme\r\n")

        verbs = {"FEAT": b"500 What?\r\n", "EPSV": b"500 What?\r\n", "LIST": show, "SYST": b"500 What?\r\n"}
        self.assertFinds(self.doctor(Scripted(verbs)), 0, "result: works", "note: EPSV is not there")

    def test_no_mlsd_after_all(self) -> None:
        """MLSD that FEAT lists and that does not work: LIST does."""
        self.assertFinds(self.doctor(Scripted({"MLSD": b"502 No.\r\n"})), 0, "result: works")

    def test_empty(self) -> None:
        """Without a file, nobody knows whether one could be fetched."""
        self.assertFinds(self.doctor(Scripted(files={})), 1, "works PASV", "problem: there is no file to fetch")

    def test_big(self) -> None:
        """A prefix of a file is enough."""
        result = self.doctor(Scripted(files={"big": bytes(5 << 20)}))
        self.assertFinds(result, 0, "octets and stopped there")


class WayInTests(DoctorCase):
    """Before and at the login."""

    def test_control_port_closed(self) -> None:
        """Nobody listens."""
        with socket.create_server(("127.0.0.1", 0)) as skt:
            port = skt.getsockname()[1]
        result = self.run_doctor(f"ftp://127.0.0.1:{port}")
        self.assertFinds(result, 1, "problem: control port closed", "refuses connections", "result: does not work: control port closed")

    def test_unknown_name(self) -> None:
        """A name that cannot be."""
        self.assertFinds(self.run_doctor("ftp://nosuchhost.invalid", "--timeout", "5"), 1, "fails control", "problem: the")

    def test_greetings(self) -> None:
        """What comes instead of a greeting, or in it."""
        for greeting, title, words in (
            (b"SSH-2.0-OpenSSH_9.2\r\n", "this is no FTP server", 'It said: "SSH-2.0-OpenSSH_9.2"'),
            (b"421 Too many connections.\r\n", "the server turns you away", '"421 Too many connections."'),
            (Deed.CUT, "connected, and cut off at once", "connection closed"),
            (Deed.RESET, "connected, and cut off at once", "connection reset"),
            (Deed.SILENCE, "the server says nothing", "no greeting came within 1 s"),
        ):
            with self.subTest(greeting=greeting):
                self.assertFinds(self.doctor(Scripted(greeting=greeting), seconds=3), 1, f"problem: {title}", words)

    def test_implicit(self) -> None:
        """A port that speaks TLS from the first octet, asked in the clear; and the other way round."""
        server = Scripted(tls=authority().context(), is_implicit=True)
        self.assertFinds(self.doctor(server, seconds=3), 1, "problem: the port speaks TLS from the first octet", "Use ftps://")
        self.assertFinds(self.doctor(Scripted(), scheme="ftps"), 1, "problem: the port does not speak TLS", 'It said: "220 Scripted."')

    def test_logins(self) -> None:
        """Logins that are refused, and those that want TLS first."""
        for verb, words, title in (
            ("PASS", b"530 Login incorrect.\r\n", "login refused"),
            ("USER", b"530 Not here.\r\n", "login refused"),
            ("USER", b"534 Policy requires SSL.\r\n", "the server wants TLS"),
            ("PASS", b"530 Non-anonymous sessions must use encryption.\r\n", "the server wants TLS"),
            ("USER", Deed.RESET, "the session ends during the login"),
        ):
            with self.subTest(words=words):
                self.assertFinds(self.doctor(Scripted({verb: words})), 1, f"problem: {title}")

    def test_control_characters(self) -> None:
        """What a server says does nothing to the terminal."""
        result = self.doctor(Scripted(greeting=b"220 \x1b]0;pwned\x07\x9b31m\xe2\x80\xae hi\r\n"))
        self.assertTrue(result.output.replace("\n", "").isprintable())
        self.assertIn("220 ?]0;pwned??31m? hi", result.output)

    def test_two_addresses(self) -> None:
        """An address of the host that does not answer is told, another one is used."""
        with Scripted() as server:
            port = server.port
            found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("127.0.0.66", "127.0.0.1")]
            with patch("socket.getaddrinfo", return_value=found):
                result = self.run_doctor(f"ftp://two.example.org:{port}")
        self.assertFinds(result, 0, "note: one of the server's addresses does not answer", "127.0.0.66 (connection refused)")


def numbers(address: str, port: int) -> bytes:
    return f"227 Entering Passive Mode ({address.replace('.', ',')},{port >> 8},{port & 255}).\r\n".encode()


class PassiveTests(DoctorCase):
    """Passive mode and what breaks it."""

    def test_range_closed(self) -> None:
        """The control port is open, the passive ports are not; they are listed."""
        server = Scripted({"PASV": lambda talk, _: numbers("127.0.0.1", 20001), "EPSV": b"229 Here (|||20003|)\r\n"})
        result = self.doctor(server)
        self.assertFinds(result, 1, "problem: the passive port range is closed", "20001, 20003 (connection refused)", "works active PORT")
        self.assertEqual(1, result.output.count("problem:"))

    def test_some_closed(self) -> None:
        """Some ports of the range are open."""

        def offer(talk: Talk, argument: str) -> Words:
            if talk.server.commands.count("EPSV") > 1:
                return b"229 Here (|||20003|)\r\n"
            return talk.usual("EPSV")

        result = self.doctor(Scripted({"EPSV": offer, "PASV": b"502 No.\r\n"}))
        self.assertFinds(result, 1, "problem: some ports of the passive port range are closed", "Closed: 20003 (connection refused)")

    def test_wrong_address(self) -> None:
        """A 227 that names another address: the port is open at the server's. With EPSV a client gets along, without it does not."""
        server = Scripted(told=lambda _, port: ("127.0.0.77", port))
        result = self.doctor(server)
        self.assertFinds(result, 0, "problem: wrong address in the 227 reply", "PASV is told 127.0.0.77, but the server is at 127.0.0.1")
        self.assertFinds(result, 0, "result: only EPSV works: wrong address in the 227 reply; clients that use it can list and fetch")
        server = Scripted({"EPSV": b"500 What?\r\n"}, told=lambda _, port: ("0.0.0.0", port))
        self.assertFinds(self.doctor(server), 1, "problem: wrong address in the 227 reply", "is open there")

    def test_altered(self) -> None:
        """A 227 whose ports are closed each time, while those of EPSV are open each time."""
        server = Scripted(told=lambda address, _: (address, 20005))
        result = self.doctor(server)
        words = "application-level gateway (ALG)", "use EPSV, which works here"
        self.assertFinds(result, 0, "problem: 227 altered: address or port translated on the way", *words)

    def test_altered_by_stat(self) -> None:
        """The server's own STAT says where it listens, and that is not what came."""
        state = b"211-Status:\r\n in Passive mode (127,0,0,1,80,80)\r\n211 End\r\n"
        server = Scripted({"STAT": state, "EPSV": b"500 What?\r\n", "PASV": lambda talk, _: numbers("127.0.0.1", 20007)})
        self.assertFinds(self.doctor(server), 1, "problem: 227 altered: address or port translated on the way", "STAT 127.0.0.1 port 20560")

    def test_only_epsv(self) -> None:
        """PASV refused."""
        result = self.doctor(Scripted({"PASV": b"502 No.\r\n"}))
        self.assertFinds(result, 0, "problem: only EPSV works", "result: only EPSV works; clients that use it")

    def test_epsv_answered_for(self) -> None:
        """EPSV refused though FEAT lists it: that was not the server."""
        result = self.doctor(Scripted({"EPSV": b"500 What?\r\n"}, features=("EPSV",)))
        self.assertFinds(result, 0, "note: a middlebox answers EPSV in the server's place", '"500 What?"')

    def test_no_passive_mode(self) -> None:
        """Both refused."""
        result = self.doctor(Scripted({"PASV": b"502 No.\r\n", "EPSV": b"502 No.\r\n"}, features=()))
        self.assertFinds(result, 1, "problem: the server refuses passive mode", 'PASV: "502 No."; EPSV: "502 No."')

    def test_killed(self) -> None:
        """The session ends at PASV and EPSV; active mode is tried all the same."""
        for deed, title in ((Deed.CUT, "the session is killed at PASV and EPSV"), (Deed.RESET, "the session is killed at PASV and EPSV")):
            with self.subTest(deed=deed):
                self.assertFinds(self.doctor(Scripted({"PASV": deed, "EPSV": deed})), 1, f"problem: {title}", "works active")

    def test_swallowed(self) -> None:
        """The 227 never comes, as with connection tracking that drops it; EPSV works, in a session of its own."""
        result = self.doctor(Scripted({"PASV": Deed.SILENCE}), seconds=6)
        self.assertFinds(result, 0, "problem: the reply to PASV never comes", "result: only EPSV works")

    def test_taken_elsewhere(self) -> None:
        """Something accepts data connections, but the server does not get them."""

        def deny(talk: Talk, argument: str) -> Words:
            talk.connect().close()
            return b"425 No connection reached me.\r\n"

        result = self.doctor(Scripted({"MLSD": deny, "LIST": deny}))
        self.assertFinds(result, 1, "problem: data connections come up here, but not at the server", '"425 No connection reached me."')

    def test_refused(self) -> None:
        """Listing and fetching that the user may not."""
        result = self.doctor(Scripted({"MLSD": b"550 No.\r\n"}))
        self.assertFinds(result, 1, "problem: listing refused")
        self.assertNotIn("active mode", result.output.split("problem")[1])
        self.assertFinds(self.doctor(Scripted({"RETR": b"550 No.\r\n"})), 1, "problem: fetching refused")


class MiddleboxTests(DoctorCase):
    """Who else is on the way."""

    def test_masks(self) -> None:
        """Replies written over with X, as Cisco's inspection does with that to SYST."""
        self.assertFinds(self.doctor(Scripted({"SYST": b"215 XXXXXXXXXXXXX\r\n"})), 0, "note: a middlebox masks replies", "The reply to SYST")
        self.assertFinds(self.doctor(Scripted(greeting=b"220 ***************\r\n")), 0, "note: a middlebox masks replies")
        self.assertNotIn("middlebox", self.doctor(Scripted(greeting=b"220 *** Welcome ***\r\n")).output)

    def test_proxy(self) -> None:
        """A greeting that gives a proxy away."""
        self.assertFinds(self.doctor(Scripted(greeting=b"220 Acme FTP proxy ready\r\n")), 0, "note: an FTP proxy answers")

    def test_strays(self) -> None:
        """Two replies to one command."""
        result = self.doctor(Scripted({"SYST": b"215 UNIX\r\n200 And hello from the firewall.\r\n"}))
        self.assertFinds(result, 0, "note: replies to nothing that was asked", "hello from the firewall", "result: works")

    def test_auth_answered_for(self) -> None:
        """FEAT offers AUTH, and it is refused: that was not the server. For ftp:// it is a note, for ftpes:// the problem."""
        server = Scripted({"AUTH": b"500 AUTH not understood.\r\n"}, tls=authority().context())
        words = "a middlebox answers AUTH in the server's place", "FEAT offers AUTH TLS", "return an error to prevent SSL negotiation from starting"
        self.assertFinds(self.doctor(server), 0, "note: with TLS (ftpes://): ", *words, "netsh advfirewall set global StatefulFtp disable")
        self.assertFinds(self.doctor(server, scheme="ftpes"), 1, f"problem: {words[0]}", *words[1:])


class PortsTests(DoctorCase):
    """``--ports``."""

    def test_ports(self) -> None:
        """Open ports, ports on which nobody listens just now, and a port outside that the server names."""
        low, _, high = free_range(4).partition("-")
        with ExitStack() as stack:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", int(low))))
            server = stack.enter_context(Scripted({"EPSV": lambda talk, _: f"229 x (|||{talk.listen()}|)\r\n".encode()}))
            result = self.visit(server, "--ports", f"{low}-{high}")
            del listener
        idle = f"{int(low) + 1}-{high}"
        self.assertFinds(result, 0, f"works range open: {low}", f"nobody listens there at the moment: {idle}", "note: the server uses ports outside")

    def test_offered(self) -> None:
        """A port that refuses while the server offers it is closed, and that is a problem though others are open."""
        low, _, high = free_range(2).partition("-")
        with Scripted({"EPSV": b"500 No.\r\n"}) as server, socket.create_server(("127.0.0.1", int(high))):
            server.verbs["PASV"] = _pasv_then(int(low), 2)
            result = self.visit(server, "--ports", f"{low}-{high}")
        self.assertFinds(result, 1, "problem: ports of the range are closed", f"Closed: {low}; open: {high}")

    def test_all_closed(self) -> None:
        """Where no port is open, refusals are what a firewall gives."""
        ports = free_range(3)
        self.assertFinds(self.doctor(Scripted({"EPSV": b"500\r\n", "PASV": b"500\r\n"}), "--ports", ports), 1, f"Closed: {ports}; no port is open")

    def test_usage(self) -> None:
        """Mistakes on the command line end with status 2, and show no password."""
        for arguments in (
            [],
            ["http://u:s3cret@h"],
            ["ftp://u:s3cret@h", "--ports", "9-1"],
            ["ftp://u:s3cret@h", "--timeout", "0"],
            ["ftp://u:s3cret@h", "--ca", "x", "--insecure"],
            ["ftps://u:s3cret@127.0.0.1", "--ca", "/no/such/file"],
            ["ftps://u:s3cret@127.0.0.1", "--ca", __file__],
        ):
            with self.subTest(arguments=arguments):
                result = self.run_doctor(*arguments)
                self.assertEqual(2, result.exit_code, result.output)
                self.assertNotIn("s3cret", result.output)
                self.assertNotIn("Traceback", result.output)

    def test_usage_lines(self) -> None:
        """What is wrong with an option is told with its name and value."""
        for arguments, line in (
            (["ftp://h", "--ports", "9-1"], "--ports 9-1: a range of ports is LOW-HIGH or N, from 1 to 65535"),
            (["ftp://h", "--ports", ""], "--ports : a range of ports is"),
            (["ftps://127.0.0.1", "--ca", __file__], f"--ca {__file__}: holds no certificate in PEM form"),
            (["ftps://127.0.0.1", "--ca", "/no/such/file"], "--ca /no/such/file: no such file or directory"),
        ):
            with self.subTest(arguments=arguments):
                self.assertIn(f"Error: {line}", self.run_doctor(*arguments).output)


def _pasv_then(port: int, good: int) -> Callable[[Talk, str], Words]:
    """PASV that is as it should be so many times, and then names one port."""

    def pasv(talk: Talk, argument: str) -> Words:
        if talk.server.commands.count("PASV") <= good:
            return talk.usual("PASV")
        return numbers("127.0.0.1", port)

    return pasv


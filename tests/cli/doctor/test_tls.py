"""The doctor and TLS: certificates, resumption, and what filters do to it. The servers are the standard library's, so any server's like."""

from __future__ import annotations

import socket
import ssl
import struct
from datetime import UTC, datetime, timedelta

from tests.support.doctor import DoctorCase, authority
from tests.support.scripted import Deed, Scripted, Talk, Words

_LINGER = struct.pack("ii", 1, 0)


def trusting() -> tuple[str, str]:
    return "--ca", authority().path


def only(version: ssl.TLSVersion, *names: str) -> ssl.SSLContext:
    context = authority().context(*names)
    context.minimum_version = context.maximum_version = version
    return context


class WorkingTests(DoctorCase):
    """Servers with TLS that works."""

    def test_explicit(self) -> None:
        """TLS after AUTH, 1.2 and 1.3: protocol, cipher and certificate are shown, and data connections resume the session."""
        for version, shown in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            with self.subTest(version=version):
                server = Scripted(tls=only(version))
                result = self.doctor(server, *trusting(), scheme="ftpes")
                self.assertFinds(result, 0, f"works TLS {shown}, ", "certificate for 127.0.0.1, issued by", "days left", "works active PORT")
                self.assertEqual(4, result.output.count("TLS session resumed"), result.output)
                self.assertEqual(["FEAT", "AUTH TLS", "USER anonymous"], server.commands[:3])
                self.assertLess(server.commands.index("PROT P"), server.commands.index("PASV"))

    def test_implicit(self) -> None:
        """TLS from the first octet."""
        result = self.doctor(Scripted(tls=authority().context(), is_implicit=True), *trusting(), scheme="ftps")
        self.assertFinds(result, 0, "works TLS TLSv1.3", "TLS session resumed", "result: works")

    def test_not_resumed(self) -> None:
        """A server that does not resume is worth a note."""

        def fresh(talk: Talk, data: socket.socket) -> None:
            # A context of its own knows no sessions but its own.
            with authority().context().wrap_socket(data, server_side=True) as tls:
                tls.sendall(b"type=file;size=12; readme\r\n")

        result = self.doctor(Scripted(tls=authority().context(), data=fresh), *trusting(), scheme="ftpes")
        self.assertFinds(result, 0, "TLS session not resumed", "note: data connections do not resume the TLS session")

    def test_comparison(self) -> None:
        """Asked for ftp://, TLS that the server offers is tried as well."""
        result = self.doctor(Scripted(tls=authority().context()), *trusting())
        self.assertFinds(result, 0, "for comparison, with TLS (ftpes://):", "TLS session resumed", "result: works")

    def test_password_in_the_comparison(self) -> None:
        """No password goes to a server whose certificate is not trusted, though ftp:// was asked for."""
        server = Scripted(tls=authority().context())
        result = self.doctor(server, user="alice:s3cret@")
        self.assertFinds(result, 0, "note: with TLS (ftpes://): the certificate is not trusted")
        self.assertEqual(1, server.commands.count("PASS s3cret"))

    def test_unprotected_data(self) -> None:
        """PROT P refused: data connections in the clear work, with a note."""
        result = self.doctor(Scripted({"PROT": b"534 No.\r\n"}, tls=authority().context()), *trusting(), scheme="ftpes")
        self.assertFinds(result, 0, "note: data connections are not protected", "result: works")


class CertificateTests(DoctorCase):
    """Whose certificate it is, and whether it is good."""

    def test_private_authority(self) -> None:
        """Not trusted without --ca; nothing is sent behind it, and the certificate is shown; --insecure looks on."""
        server = Scripted(tls=authority().context())
        result = self.doctor(server, scheme="ftpes", user="alice:s3cret@")
        self.assertFinds(result, 1, "problem: the certificate is not trusted", "certificate for 127.0.0.1", "`--ca FILE`")
        self.assertFalse([line for line in server.commands if line.startswith(("USER", "PASS"))])
        self.assertFinds(self.doctor(server, "--insecure", scheme="ftpes"), 0, "not checked (--insecure)")

    def test_other_host(self) -> None:
        """The certificate of another host is told as such, by address and by name."""
        server = Scripted(tls=authority().context("ftp.example.org", "127.0.0.2"))
        result = self.doctor(server, *trusting(), scheme="ftpes", user="alice:s3cret@")
        words = "It is not valid for 127.0.0.1; it names ftp.example.org, 127.0.0.2"
        self.assertFinds(result, 1, "problem: the certificate is another host's", words)
        self.assertFalse([line for line in server.commands if line.startswith(("USER", "PASS"))])
        with Scripted(tls=authority().context("localhost")) as server:
            result = self.run_doctor(f"ftpes://localhost:{server.port}", *trusting())
        self.assertFinds(result, 0, "certificate for localhost")

    def test_expired(self) -> None:
        """A certificate that has expired, and one that soon will."""
        now = datetime.now(UTC)
        server = Scripted(tls=authority().context(not_before=now - timedelta(90), not_after=now - timedelta(1)))
        self.assertFinds(self.doctor(server, *trusting(), scheme="ftpes"), 1, "problem: the certificate has expired", "(expired)")
        server = Scripted(tls=authority().context(not_before=now - timedelta(90), not_after=now + timedelta(5)))
        self.assertFinds(self.doctor(server, *trusting(), scheme="ftpes"), 0, "note: the certificate expires soon", "In 4 days")


class FilterTests(DoctorCase):
    """What is the server's doing, and what that of something on the way."""

    def test_auth(self) -> None:
        """AUTH that is refused or cut: by a filter, over its certificate, or because there is no TLS."""
        tls = authority().context()
        quoted = "recognize the beginning of SSL negotiation, e.g. AUTH SSL or AUTH TLS commands, and return an error"
        for words, offer, title, more in (
            (b"500 AUTH not understood.\r\n", tls, "a middlebox answers AUTH in the server's place", quoted),
            (b"500 'XXXX': command not understood.\r\n", tls, "a middlebox masks commands", quoted),
            (b"500 'XXXX': command not understood.\r\n", None, "a middlebox masks commands", quoted),
            (b"534 Local policy on server does not allow TLS secure connections.\r\n", tls, "the server itself refuses TLS", "certificate"),
            (b"502 No TLS here.\r\n", None, "the server does not offer TLS", "FEAT does not list AUTH"),
            (b"\x00\x01 no FTP\r\n", tls, "something cuts the session at AUTH TLS", "?? no FTP"),
            (Deed.RESET, tls, "something cuts the session at AUTH TLS", quoted),
            (Deed.CUT, None, "something cuts the session at AUTH TLS", quoted),
            (Deed.SILENCE, tls, "something cuts the session at AUTH TLS", quoted),
        ):
            with self.subTest(words=words, offer=offer):
                result = self.doctor(Scripted({"AUTH": words}, tls=offer), *trusting(), scheme="ftpes", seconds=4)
                self.assertFinds(result, 1, f"problem: {title}", more)

    def test_handshake(self) -> None:
        """AUTH is agreed to, and then no TLS comes."""

        def cut(talk: Talk, argument: str) -> Words:
            talk.control.sendall(b"234 TLS.\r\n")
            talk.control.recv(4096)
            return Deed.RESET

        def answer(talk: Talk, argument: str) -> Words:
            talk.control.sendall(b"234 TLS.\r\n")
            talk.control.recv(4096)
            return b"500 Command not understood.\r\n"

        def wait(talk: Talk, argument: str) -> Words:
            talk.control.sendall(b"234 TLS.\r\n")
            while talk.control.recv(4096):
                pass
            return Deed.CUT

        quoted = 'will not be able to parse the encrypted traffic that would establish the data connection"'
        for script, title, more in (
            (cut, "the TLS handshake is cut off", quoted),
            (answer, "something else than TLS came back", "500 Command not understood."),
            (wait, "the TLS handshake is cut off", quoted),
        ):
            with self.subTest(title=title, script=script):
                result = self.doctor(Scripted({"AUTH": script}), *trusting(), scheme="ftpes", seconds=4)
                self.assertFinds(result, 1, f"problem: {title}", more)

    def test_old_tls(self) -> None:
        """A server that speaks TLS and cannot agree."""
        context = only(ssl.TLSVersion.TLSv1_2)
        context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # and its key is no RSA key
        self.assertFinds(self.doctor(Scripted(tls=context), *trusting(), scheme="ftpes"), 1, "problem: no TLS that both sides accept")

    def test_killed(self) -> None:
        """The session dies at PASV under TLS and not in the clear: stateful inspection."""

        def at_passive(talk: Talk, argument: str) -> Words:
            return Deed.RESET if talk.is_private else talk.usual("PASV")

        def at_extended(talk: Talk, argument: str) -> Words:
            return Deed.CUT if talk.is_private else talk.usual("EPSV")

        server = Scripted({"PASV": at_passive, "EPSV": at_extended}, tls=authority().context())
        result = self.doctor(server, *trusting(), scheme="ftpes")
        words = "a stateful filter kills the TLS session at PASV and EPSV", "netsh advfirewall set global StatefulFtp disable"
        self.assertFinds(result, 1, f"problem: {words[0]}", words[1], "for comparison, in the clear (ftp://):")
        self.assertFinds(self.doctor(server, *trusting()), 0, f"note: with TLS (ftpes://): {words[0]}", words[1])

    def test_no_comparison_with_a_password(self) -> None:
        """For comparison a password is never sent in the clear."""
        server = Scripted({"PASV": Deed.CUT, "EPSV": Deed.CUT}, tls=authority().context())
        result = self.doctor(server, *trusting(), scheme="ftpes", user="alice:s3cret@")
        self.assertFinds(result, 1, "problem: a stateful filter kills the TLS session")
        self.assertNotIn("for comparison", result.output)
        self.assertEqual(server.commands.count("AUTH TLS"), server.commands.count("PASS s3cret"))

    def test_ports_open_in_the_clear_alone(self) -> None:
        """A filter that opens the ports of replies that it can read."""

        def passive(talk: Talk, argument: str) -> Words:
            return b"227 x (127,0,0,1,78,41)\r\n" if talk.is_private else talk.usual("PASV")

        def extended(talk: Talk, argument: str) -> Words:
            return b"229 x (|||20011|)\r\n" if talk.is_private else talk.usual("EPSV")

        server = Scripted({"PASV": passive, "EPSV": extended}, tls=authority().context())
        result = self.doctor(server, *trusting(), scheme="ftpes")
        self.assertFinds(result, 1, "problem: a stateful filter opens data ports only where it can read along", "tried: 20009, 20011")

    def test_altered(self) -> None:
        """The 227 names another address in the clear than under TLS."""

        def passive(talk: Talk, argument: str) -> Words:
            return talk.usual("PASV") if talk.is_private else b"227 x (127,0,0,77,78,41)\r\n"

        server = Scripted({"PASV": passive, "EPSV": b"500 No.\r\n"}, tls=authority().context())
        result = self.doctor(server, *trusting())
        self.assertFinds(result, 1, "problem: 227 altered: address or port translated on the way", "names 127.0.0.77, under TLS", "127.0.0.1")

    def test_data(self) -> None:
        """TLS that fails on data connections, and a server that wants the session resumed."""

        def reset(talk: Talk, data: socket.socket) -> None:
            data.recv(4096)
            data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)

        result = self.doctor(Scripted(tls=authority().context(), data=reset), *trusting(), scheme="ftpes")
        self.assertFinds(result, 1, "problem: TLS fails on data connections", "connection reset")

        def deny(talk: Talk, argument: str) -> Words:
            talk.control.sendall(b"150 Here it comes.\r\n")
            talk.connect().close()
            return b"522 SSL connection failed: session reuse required.\r\n"

        result = self.doctor(Scripted({"MLSD": deny}, tls=authority().context()), *trusting(), scheme="ftpes")
        self.assertFinds(result, 1, "problem: TLS on data connections is not as the server wants it", "session reuse required")

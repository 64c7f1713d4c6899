"""Tests of ``twistd ftpsite --workers 2`` while it changes: SIGHUP together with workers that end, stop, or are replaced."""

from __future__ import annotations

import os
import signal
import socket
import ssl
from pathlib import Path

from tests.support.running import free_range
from tests.workers.running import WorkersCase, eventually


def free_port() -> int:
    """A port that nobody has."""
    return int(free_range(1).partition("-")[0])


class ChangingTests(WorkersCase):
    """SIGHUP, and processes that end meanwhile."""

    def test_log_that_cannot_be_opened(self) -> None:
        """SIGHUP names an access log that cannot be opened: all serve on without it, and a worker that is replaced does so, too."""
        office = self.office(text="")
        port = office.port()
        office.both()
        office.write('[site.logging]\nfile = "nowhere/access.log"\n', port=0)
        office.signal(signal.SIGHUP)
        office.wait_for("the access log stays as it is")
        first = office.both()
        os.kill(first[0], signal.SIGKILL)
        office.wait_for("another takes its place")
        eventually(lambda: len(office.pids()) == 2, "a worker in its place")
        for guest in office.guests(port):
            self.assertEqual(["hello.txt"], guest.nlst())
        self.assertEqual(first[1], office.both()[1])

    def test_root_that_is_gone(self) -> None:
        """Somebody takes a site's root away: a worker that is replaced serves on like the other, and so do the other sites."""
        port = free_port()
        office = self.office(text=f'name = "A"\n[[site]]\nname = "B"\nroot = "pub/b"\nport = {port}\naddress = "127.0.0.1"\n', folders=("b",))
        office.wait_for("B: serving")
        first = office.both()
        (office.root / "b").rmdir()
        os.kill(first[0], signal.SIGKILL)
        office.wait_for("another takes its place")
        eventually(lambda: {office.guest(port).worker for _ in range(8)} == {1, 2}, "both serve")
        self.assertEqual(first[1], office.both()[1])

    def test_worker_that_ends(self) -> None:
        """A worker that ends takes no connection of a port that SIGHUP brings, either: nobody is sent away."""
        office = self.office("--grace", "1000", text="")
        two, data, pid = office.told_to_end(office.port())
        new_port = free_port()
        office.write("", port=new_port)
        office.signal(signal.SIGHUP)
        office.wait_for(f"serving .* on port {new_port} ")
        self.assertEqual(["220"] * 12, [self.greeting(new_port)[1] for _ in range(12)])
        while data.recv(1 << 18):
            pass
        two.voidresp()
        office.wait_for(rf"process {pid}\) has ended; another takes its place")
        self.assertEqual([], [line for line in office.lines if "Traceback" in line])

    def test_replaced_meanwhile(self) -> None:
        """A worker is replaced while another still has a port that was closed: nobody listens there, and all do on the new one, once each."""
        office = self.office(text="")
        port = office.port()
        one, two = office.both()
        new_port = free_port()
        office.write("", port=new_port)
        os.kill(one, signal.SIGSTOP)
        try:
            office.signal(signal.SIGHUP)
            office.wait_for(f"serving .* on port {new_port} ")
            self.assertTrue(_refuses(port))
            os.kill(two, signal.SIGKILL)
            office.wait_for("another takes its place")
            eventually(lambda: two not in office.pids(), "another is there")
        finally:
            os.kill(one, signal.SIGCONT)
        three = office.both()[1]
        eventually(lambda: _listening(three) == [new_port], "one socket for one port")
        for guest in office.guests(new_port):
            self.assertEqual(["hello.txt"], guest.nlst())

    def test_taken_over(self) -> None:
        """SIGHUP takes a site out and gives its port to another: that has it at once, though one worker is stopped."""
        port, other_port = free_port(), free_port()
        office = self.office(text=f'name = "A"\n[[site]]\nname = "B"\nroot = "pub"\nport = {other_port}\naddress = "127.0.0.1"\n', port=port)
        office.wait_for("B: serving")
        one, _ = office.both()
        os.kill(one, signal.SIGSTOP)
        try:
            office.write('name = "A"\n', port=other_port)
            office.signal(signal.SIGHUP)
            office.wait_for(f"A: serving .* on port {other_port} ")
            self.assertTrue(_refuses(port))
            self.assertEqual(["220"] * 8, [self.greeting(other_port)[1] for _ in range(8)])
        finally:
            os.kill(one, signal.SIGCONT)
        for guest in office.guests(other_port):
            self.assertEqual(["hello.txt"], guest.nlst())

    def test_report_of_one_that_drains(self) -> None:
        """A site that is switched off drains with its ports closed, and is reported on meanwhile."""
        office = self.office(text="")
        (office.root / "big").write_bytes(b"x" * 30_000_000)
        office.port()
        _, two = office.guests(int(office.ask("status")["sites"][0]["where"].split()[1]))
        data, _ = two.ntransfercmd("RETR big")
        data.recv(1000)
        office.write("auto_start = false\n")
        office.signal(signal.SIGHUP)
        office.wait_for("auto_start")
        pid = office.both()[1]
        eventually(lambda: not _listening(pid) or set(_listening(pid)) <= set(range(office.low, office.low + 20)), "the port is closed")
        self.assertEqual({1, 2}, {one["worker"] for one in office.ask("status")["workers"]})
        self.assertEqual([2], [session["worker"] for session in office.sessions()])
        while data.recv(1 << 18):
            pass
        two.voidresp()
        office.signal(signal.SIGTERM)
        self.assertEqual(0, office.end())
        self.assertEqual([], [line for line in office.lines if "Traceback" in line or "could not be done" in line])

    def test_self_signed(self) -> None:
        """SIGHUP asks for a self-signed certificate: one is made, and all show it, who takes a place as well."""
        office = self.office(text="")
        port = office.port()
        office.both()
        office.write("[site.tls]\nself_signed = true\nimplicit = true\n")
        office.signal(signal.SIGHUP)
        office.wait_for("SIGHUP")
        office.ask("status")  # all have heard
        shown = {_shown(port) for _ in range(30)}
        self.assertEqual(1, len(shown))
        os.kill(office.both()[0], signal.SIGKILL)
        office.wait_for("another takes its place")
        office.both()
        self.assertEqual(shown, {_shown(port) for _ in range(30)})

    def test_stuck(self) -> None:
        """One that does nothing does not keep the others from the next SIGHUP; when it goes on, it catches up."""
        office = self.office(text="")
        port = office.port()
        one, _ = office.both()
        os.kill(one, signal.SIGSTOP)
        try:
            for number in (3, 4):
                office.write(f"[site.limits]\nmax_connections_per_address = {number}\n")
                office.signal(signal.SIGHUP)
                office.wait_for(f"max_connections_per_address.* {number}")
        finally:
            os.kill(one, signal.SIGCONT)
        office.ask("status")  # it has heard all that was said before
        self.assertEqual(["220"] * 4 + ["421"] * 8, [self.greeting(port)[1] for _ in range(12)])


def _refuses(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(15)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _shown(port: int) -> bytes | None:
    """The certificate that a client sees."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 15) as skt, context.wrap_socket(skt) as secure:
        secure.recv(512)
        return secure.getpeercert(binary_form=True)


def _listening(pid: int) -> list[int]:
    """The TCP ports on which a process listens, once for each descriptor."""
    inodes = [target[8:-1] for one in Path(f"/proc/{pid}/fd").iterdir() if (target := os.readlink(one)).startswith("socket:[")]
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ports = {row[9]: int(row[1].partition(":")[2], 16) for row in rows if row[3] == "0A"}
    return sorted(ports[inode] for inode in inodes if inode in ports)

"""Tests of ``twistd ftpsite --workers 2`` as it is: real processes, which are also killed."""

from __future__ import annotations

import contextlib
import ftplib
import os
import re
import signal
import socket
import threading
from pathlib import Path
from urllib.request import urlopen

from tests.support.running import free_range
from tests.workers.running import Office, WorkersCase, eventually, is_alive


class ServingTests(WorkersCase):
    """Two processes are one server."""

    def test_both_serve(self) -> None:
        """Clients of one port are served by both; their data ports are of disjoint halves of the range; nobody's session has another's number."""
        office = self.office()
        port = office.port()
        one, two = office.guests(port)
        offers = {guest.worker: {guest.offered() for _ in range(30)} for guest in (one, two)}
        low, middle = office.low, office.low + 10
        self.assertLessEqual(offers[1], set(range(low, middle)))
        self.assertLessEqual(offers[2], set(range(middle, low + 20)))
        self.assertGreater(len(offers[1]), 2, "which port of its half is next cannot be guessed")
        for guest in (one, two):
            self.assertEqual(["hello.txt"], guest.nlst())
        sessions = office.sessions()
        self.assertEqual({1, 2}, {session["worker"] for session in sessions})
        self.assertEqual(len(sessions), len({session["id"] for session in sessions}))

    def test_other_endpoints(self) -> None:
        """Endpoint strings work as with one process, a PROXY header in front as well."""
        office = self.office("--listen", "haproxy:tcp:0:interface=127.0.0.1", "--listen", "unix:pub.sock")
        office.wait_for("serving")
        path = str(office.place / "pub.sock")
        for _ in range(6):
            skt = socket.socket(socket.AF_UNIX)
            self.addCleanup(skt.close)
            skt.connect(path)
            self.assertEqual(b"220", skt.recv(512)[:3])
        office.both()
        numbers = [port for port in _listening(office.process.pid) if not office.low <= port < office.low + 20]
        skt = socket.create_connection(("127.0.0.1", numbers[0]), 15)
        self.addCleanup(skt.close)
        skt.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 21\r\n")
        self.assertEqual(b"220", skt.recv(512)[:3])
        self.assertIn("192.0.2.7", [session["client"] for session in office.sessions()])

    def test_an_endpoint_that_cannot_be_shared(self) -> None:
        """It is an error of the start, which says which can."""
        office = Office(self, "--listen", "ssl:0:privateKey=key.pem:certKey=key.pem")
        with office:
            self.assertEqual(1, office.end())
        self.assertEqual(1, len([line for line in office.lines if "ssl:0" in line]))

    def test_reactors(self) -> None:
        """select serves as epoll does; one that cannot be forked is an error of the start in one line."""
        for name, status in (("select", 0), ("asyncio", 1)):
            office = Office(self)
            office._arguments = (f"--reactor={name}", *office._arguments)
            with office:
                if not status:
                    office.guests(office.port())
                    office.signal(signal.SIGTERM)
                self.assertEqual(status, office.end(), name)
        self.assertEqual(1, len([line for line in office.lines if "workers = 2: must be 1 here: the reactor AsyncioSelectorReactor" in line]))

    def test_access_log(self) -> None:
        """Both write whole lines to one file, with one header; SIGHUP has both go over to a new one, with one header again."""
        office = self.office("--access-log", "access.log")
        port = office.port()
        log = office.place / "access.log"
        for name in ("old.log", "older.log"):
            for guest in office.guests(port):
                guest.quit()
            eventually(lambda: log.exists() and _lines_of_both(log), "lines of both workers")
            lines = log.read_text().splitlines()
            self.assertEqual(1, sum(line.startswith("#Fields") for line in lines))
            self.assertTrue(lines[0].startswith("#Software"), lines[0])
            width = len(lines[3].split()) - 1
            self.assertEqual({width}, {len(line.split()) for line in lines[4:]})
            os.rename(log, log.parent / name)
            office.signal(signal.SIGHUP)
            office.wait_for("SIGHUP")
            eventually(log.exists, "a new log")
            eventually(lambda: len(_open_below(office, log)) == 3, "all have the new one open")


class EndTests(WorkersCase):
    """Processes that end, and the end of all."""

    def test_killed_worker(self) -> None:
        """The other's sessions do not notice; another takes the place, with the same part of the passive ports; counts never go backwards."""
        office = self.office()
        port = office.port()
        one, two = office.guests(port)
        used = {two.offered() for _ in range(40)}
        before = office.ask("status")["sites"][0]
        first, second = office.both()
        os.kill(second, signal.SIGKILL)
        office.wait_for(rf"worker 2 \(process {second}\) was ended by signal 9 \(SIGKILL\); another takes its place")
        third = eventually(lambda: next((pid for pid in office.pids() if pid not in (first, second)), 0), "a new worker")
        self.assertTrue(is_alive(third))
        self.assertEqual(["hello.txt"], one.nlst())
        self.assertRaises(EOFError, two.voidcmd, "NOOP")
        after = office.ask("status")["sites"][0]
        self.assertGreaterEqual(after["sessions_total"], before["sessions_total"])
        self.assertEqual(before["logins"], after["logins"])
        self.assertEqual({1}, {session["worker"] for session in office.sessions()})
        _, again = office.guests(port)
        again_used = {again.offered() for _ in range(80)}
        self.assertTrue(used & again_used)
        self.assertEqual(["hello.txt"], again.nlst())
        numbers = [session["id"] for session in office.sessions()]
        self.assertGreater(max(number for number in numbers if number % 2 == 0), before["sessions_total"] // 2)

    def test_ports_of_a_killed_worker(self) -> None:
        """With one port for each, the one of a worker that was killed while a client was to come is free for the next."""
        office = self.office(size=2)
        port = office.port()
        one, two = office.guests(port)
        self.assertEqual(office.low + 1, two.offered())
        os.kill(office.both()[1], signal.SIGKILL)
        office.wait_for("another takes its place")
        _, again = office.guests(port)
        self.assertEqual(office.low + 1, again.offered())
        self.assertEqual(["hello.txt"], again.nlst())
        self.assertEqual(["hello.txt"], one.nlst())

    def test_worker_told_to_end(self) -> None:
        """SIGTERM for one worker: its transfer ends well, nobody is refused meanwhile, and then another takes the place; its counts stay."""
        office = self.office()
        port = office.port()
        two, data, pid = office.told_to_end(port)
        for _ in range(5):
            self.assertEqual("220", self.greeting(port)[1])
        self.assertEqual(30_000_000 - 1000, _drained(data))
        two.voidresp()
        office.wait_for(rf"process {pid}\) has ended; another takes its place")
        eventually(lambda: len(office.pids()) == 2, "two workers")
        self.assertEqual(30_000_000, office.ask("status")["sites"][0]["octets"]["download"])

    def test_drain(self) -> None:
        """SIGTERM: transfers in a worker end well, who comes is told 421, the status is 0, no process and no socket stays."""
        office = self.office()
        (office.root / "big").write_bytes(b"x" * 30_000_000)
        port = office.port()
        one, two = office.guests(port)
        streams = [guest.ntransfercmd("RETR big")[0] for guest in (one, two)]
        for data in streams:
            data.recv(1000)
        pids = office.both()
        office.signal(signal.SIGTERM)
        office.wait_for("stopping: new connections are refused")
        eventually(lambda: self.greeting(port)[1] == "421", "421 for those who come")
        for data, guest in zip(streams, (one, two), strict=True):
            self.assertEqual(30_000_000 - 1000, _drained(data))
            self.assertEqual("226", guest.getresp()[:3])
        self.assertEqual(0, office.end())
        self.assertEqual([False, False], [is_alive(pid) for pid in pids])
        self.assertFalse(Path(office.control).exists())
        self.assertEqual([], [line for line in office.lines if "Traceback" in line])

    def test_signal_for_all(self) -> None:
        """systemd sends SIGTERM to every process: whoever hears of it first, transfers end well; the second time nobody waits."""
        office = self.office("--grace", "1000")
        (office.root / "big").write_bytes(b"x" * 30_000_000)
        port = office.port()
        one, two = office.guests(port)
        streams = [guest.ntransfercmd("RETR big")[0] for guest in (one, two)]
        for data in streams:
            self.addCleanup(data.close)
            data.recv(1000)
        pids = office.both()
        os.kill(pids[0], signal.SIGTERM)  # this worker hears it first, the other last
        office.wait_for("this worker is to end")
        office.signal(signal.SIGTERM)
        office.wait_for("stopping")
        eventually(lambda: [self.greeting(port)[1] for _ in range(8)] == ["421"] * 8, "both have heard")
        os.kill(pids[1], signal.SIGTERM)
        self.assertEqual(30_000_000 - 1000, _drained(streams[0]))
        self.assertEqual("226", one.getresp()[:3])
        self.assertTrue(is_alive(pids[1]), "it waits for its transfer")
        for pid in (office.process.pid, pids[1]):
            os.kill(pid, signal.SIGTERM)
        self.assertEqual(0, office.end())
        self.assertEqual([False, False], [is_alive(pid) for pid in pids])

    def test_interrupt(self) -> None:
        """Ctrl-C reaches the whole process group: the workers leave it to the supervisor, and transfers end well."""
        office = self.office(by=("setsid", "--wait"))
        (office.root / "big").write_bytes(b"x" * 30_000_000)
        one, _ = office.guests(office.port())
        data, _ = one.ntransfercmd("RETR big")
        data.recv(1000)
        os.killpg(office.ask("status")["pid"], signal.SIGINT)
        office.wait_for("stopping")
        self.assertEqual(30_000_000 - 1000, _drained(data))
        self.assertEqual("226", one.getresp()[:3])
        office.end()

    def test_hurry(self) -> None:
        """The second SIGTERM does not wait for transfers."""
        office = self.office("--grace", "1000")
        (office.root / "big").write_bytes(b"x" * 30_000_000)
        one, _ = office.guests(office.port())
        data, _ = one.ntransfercmd("RETR big")
        self.addCleanup(data.close)
        data.recv(1000)
        office.signal(signal.SIGTERM)
        office.wait_for("stopping")
        office.signal(signal.SIGTERM)
        self.assertEqual(0, office.end())

    def test_killed_supervisor(self) -> None:
        """The workers go, too."""
        office = self.office()
        office.port()
        pids = office.both()
        os.kill(office.process.pid, signal.SIGKILL)
        for pid in pids:
            eventually(lambda pid=pid: not is_alive(pid), "it is gone")


class WholeTests(WorkersCase):
    """Limits, blocks and reports are of all together."""

    def burst(self, port: int, count: int, source: str = "127.0.0.1") -> list[str]:
        """The first replies to so many connections that are made at once."""
        replies: list[str] = []
        threads = [threading.Thread(target=lambda: replies.append(self.greeting(port, source)[1])) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(replies)

    def test_limits(self) -> None:
        """Of a burst exactly so many are let in, in all and from an address; a worker that is killed holds no place."""
        office = self.office(text="[site.limits]\nmax_connections = 9\nmax_connections_per_address = 6\n")
        port = office.port()
        office.both()
        self.assertEqual(["220"] * 6 + ["421"] * 24, self.burst(port, 30))
        self.assertEqual(["220"] * 3 + ["421"] * 27, self.burst(port, 30, "127.0.0.2"))
        self.assertEqual(9, len(office.sessions()))
        for pid in office.both():
            os.kill(pid, signal.SIGKILL)
            office.wait_for("another takes its place")
        office.both()
        self.assertEqual(["220"] * 6 + ["421"] * 4, self.burst(port, 10))

    def test_block(self) -> None:
        """Failed logins count together, whichever worker had them; a block holds in both, and ends what is not logged in."""
        office = self.office(
            text="[site.logon_attempts]\nmax_failures = 4\ndelay = 0\n[site.authentication]\nstrcred = [\"memory:alice:secret\"]\n"
        )
        port = office.port()
        one, two = office.guests(port)
        idle = [self.greeting(port)[0] for _ in range(6)]
        for guest in (one, two):
            guesser = ftplib.FTP()
            self.addCleanup(guesser.close)
            while True:
                guesser.connect("127.0.0.1", port, timeout=15)
                if [s for s in office.sessions() if s["worker"] == guest.worker and not s["is_logged_in"]]:
                    break
            for _ in range(2):
                try:
                    guesser.login("alice", "wrong")
                except ftplib.error_perm as error:
                    self.assertEqual("530", str(error)[:3])
                except (ftplib.error_temp, EOFError, ConnectionError):
                    pass  # the block came first
        office.wait_for(r"127.0.0.1 is blocked for 300 s after 4 failed logins .* the last as alice")
        for skt in idle:
            self.assertEqual(b"421", skt.recv(512)[:3])
        self.assertEqual(["421"] * 12, self.burst(port, 12))
        self.assertEqual({"220"}, {self.greeting(port, "127.0.0.2")[1] for _ in range(4)})
        self.assertEqual(["hello.txt"], two.nlst())
        os.kill(office.both()[0], signal.SIGKILL)
        office.wait_for("another takes its place")
        office.both()
        self.assertEqual(["421"] * 12, self.burst(port, 12), "who takes a place knows the blocks")

    def test_reports(self) -> None:
        """Status, sessions, disconnect and metrics are of all; a worker that was killed takes nothing of the totals with it."""
        metrics = int(free_range(1).partition("-")[0])
        office = self.office("--metrics", f"tcp:{metrics}:interface=127.0.0.1")
        port = office.port()
        one, two = office.guests(port)
        for guest in (one, two):
            guest.retrbinary("RETR hello.txt", lambda _: None)
        status = office.ask("status")
        self.assertEqual({"complete": 2}, status["sites"][0]["transfers"]["download"])
        self.assertEqual(10, status["sites"][0]["octets"]["download"])
        self.assertEqual(office.range, status["pool"]["ports"])
        self.assertEqual(office.process.pid, status["pid"])
        eventually(lambda: office.ask("status")["sites"][0]["sessions"] == 2, "two sessions")

        def page(name: str = "metrics") -> str:
            with urlopen(f"http://127.0.0.1:{metrics}/{name}") as answer:
                return answer.read().decode()  # type: ignore[no-any-return]

        first = page()
        self.assertIn('twistftp_transfers_total{direction="download",outcome="complete",site="twistftp"} 2.0', first)
        self.assertIn("twistftp_pool_range_ports 20.0", first)
        self.assertIn("twistftp_workers 2.0", first)
        self.assertIn('twistftp_sessions{site="twistftp"} 2.0', first)
        self.assertIn('twistftp_command_seconds_count{class="transfer",site="twistftp"} 2.0', first)
        self.assertEqual("ok\n", page("healthz"))
        mine = next(session for session in office.sessions() if session["worker"] == 2)
        self.assertEqual("127.0.0.1", office.ask("disconnect", id=mine["id"])["client"])
        self.assertEqual("421", two.getmultiline()[:3])
        two.close()
        eventually(lambda: len(office.sessions()) == 1, "that one is gone")
        with self.assertRaisesRegex(Exception, "there is no session 4711"):
            office.ask("disconnect", id=4711)
        before = page()
        os.kill(office.both()[0], signal.SIGKILL)
        office.wait_for("another takes its place")
        office.both()
        after = page()
        for name in re.findall(r"^(twistftp_\w+_(?:total|count|bucket)\S*) ", before, re.MULTILINE):
            self.assertGreaterEqual(_value(after, name), _value(before, name), name)
        self.assertIn('twistftp_sessions{site="twistftp"} 0.0', after)
        self.assertIn("twistftp_workers_replaced_total 1.0", after)

    def test_reload(self) -> None:
        """SIGHUP: a new port and a new range for all; sessions stay, a 227 given out stays good, a bad file changes nothing."""
        office = self.office(text="")
        port = office.port()
        one, two = office.guests(port)
        promised = {guest: guest.offered() for guest in (one, two)}
        new_range, new_port = free_range(10), int(free_range(1).partition("-")[0])
        office.write("[site.limits]\nmax_connections = 0\nmax_connections_per_address = 4\n", new_range, new_port)
        office.signal(signal.SIGHUP)
        office.wait_for(rf"serving .* on port {new_port} ")
        for guest, number in promised.items():
            data = socket.create_connection(("127.0.0.1", number), 15)
            guest.sendcmd("NLST")
            self.assertEqual(b"hello.txt\r\n", data.recv(100))
            data.close()
            guest.voidresp()
        low = int(new_range.partition("-")[0])
        eventually(lambda: one.offered() in range(low, low + 5), "the new range in worker 1")
        eventually(lambda: two.offered() in range(low + 5, low + 10), "the new range in worker 2")
        self.assertEqual(["220"] * 2 + ["421"] * 8, self.burst(new_port, 10))
        self.assertRaises(ConnectionRefusedError, self.greeting, port)
        (office.place / "ftp.toml").write_text("[[site]]\nroot = 3\n")
        office.signal(signal.SIGHUP)
        office.wait_for("the old settings stay")
        self.assertEqual(["hello.txt"], one.nlst())
        os.kill(office.both()[0], signal.SIGKILL)
        office.wait_for("another takes its place")
        office.both()
        self.assertEqual("220", self.greeting(new_port, "127.0.0.2")[1])

    def test_site_rate(self) -> None:
        """The octets a second of a site are for both: two transfers in two workers take as long as one after the other."""
        office = self.office(text="[site.limits]\nmax_site_bytes_per_second = 400000\n")
        (office.root / "big").write_bytes(b"x" * 400_000)
        one, two = office.guests(office.port())
        started = os.times().elapsed
        streams = [guest.ntransfercmd("RETR big")[0] for guest in (one, two)]
        threads = [threading.Thread(target=_drained, args=(data,)) for data in streams]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertGreater(os.times().elapsed - started, 1.4)

    def test_too_few_ports(self) -> None:
        """Fewer passive ports than workers: the start fails in one line, and so does SIGHUP, which changes nothing."""
        office = Office(self, size=1)
        with office:
            self.assertEqual(1, office.end())
        self.assertEqual(1, len(office.lines))


def _drained(data: socket.socket) -> int:
    count = 0
    with data:
        while piece := data.recv(1 << 18):
            count += len(piece)
    return count


def _value(page: str, name: str) -> float:
    return float(next(line for line in page.splitlines() if line.startswith(name + " ")).rpartition(" ")[2])


def _lines_of_both(log: Path) -> bool:
    ended = re.findall(r" QUIT .* \S+-(\d{12}) ", log.read_text())
    return {int(number) % 2 for number in ended} == {0, 1}


def _open_below(office: Office, path: Path) -> list[int]:
    """The processes that have a file open."""
    return [pid for pid in [office.process.pid, *office.pids()] if str(path) in _open(pid)]


def _open(pid: int) -> list[str]:
    """What a process has open."""
    found = []
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed by now
            found.append(os.readlink(one))
    return found


def _listening(pid: int) -> list[int]:
    """The TCP ports on which a process listens."""
    inodes = {target[8:-1] for target in _open(pid) if target.startswith("socket:[")}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [int(row[1].partition(":")[2], 16) for row in rows if row[3] == "0A" and row[9] in inodes]

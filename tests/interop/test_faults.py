"""
Clients and networks that misbehave: what the client is told, that it never takes a short file as whole, and that the
session lives. ``SiteCase`` looks after each test whether the site has let go of everything.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.error import ConnectError

from tests.interop.by_hand import Control, Data, connect, data_from, data_to, is_turned_away, log_in, port_in
from tests.support.running import RunningSite, SiteCase, free_range, has_ipv6, in_time, until
from tests.support.trees import plant

BIG = 64 << 20
"""Octets of a file that no pair of socket buffers holds."""


class Case(SiteCase):
    """A site with a small and a very big file, and what every one of these tests does."""

    is_plain = False

    async def start(self, **settings: Any) -> RunningSite:
        running = await self.serve({"small": b"0123456789" * 100, "sub": {"deep": b"x"}}, is_plain=self.is_plain, **settings)
        (running.root / "big").touch()
        os.truncate(running.root / "big", BIG)
        return running

    async def assert_alive(self, control: Control) -> None:
        """The session answers, and can transfer."""
        self.assertEqual("200 OK.", await control.ask("NOOP"))
        data = await data_to(self, control)
        self.assertEqual("150 Opening data connection (1000 bytes).", await control.ask("RETR small"))
        self.assertEqual("226 Transfer complete (1000 bytes).", await control.reply())
        self.assertEqual("FIN", await in_time(data.closed))
        self.assertEqual(b"0123456789" * 100, data.received)
        self.assertEqual([], control.replies)

    async def begin(self, control: Control, is_deaf: bool = False, command: str = "RETR big") -> Data:
        """A transfer that has begun."""
        data = await data_to(self, control, is_deaf)
        reply = await control.ask(command)
        self.assertEqual("150", reply[:3], reply)
        return data

    async def fetch(self, control: Control, command: str) -> str:
        """The whole of a file or a listing."""
        data = await self.begin(control, command=command)
        self.assertEqual("226", (await control.reply())[:3])
        self.assertEqual("FIN", await in_time(data.closed))
        return data.received.decode()

    async def some(self, data: Data) -> None:
        """Wait for the first octets."""
        await until(lambda: data.count, "the first octets")


class SetUpTests(Case):
    """Data connections that do not come about (PROTOCOL P-DC)."""

    async def test_refused(self) -> None:
        """An active connection to where nobody listens is 425 with address, port and reason, and no 150 before it (P-DC-7, P-TEXT-12)."""
        control = await log_in(self, await self.start())
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
        await control.ask(f"PORT 127,0,0,1,{port >> 8},{port & 255}")
        self.assertEqual(f"425 Cannot connect to 127.0.0.1 port {port} (connection refused): use passive mode.", await control.ask("RETR small"))
        await self.assert_alive(control)

    async def test_never_opened(self) -> None:
        """A client that does not come to its passive port is told which port, which range, and of firewalls (P-DC-6, P-TIME-4, P-TEXT-11)."""
        ports = free_range(4)
        control = await log_in(self, await self.start(passive_ports=ports, limits={"data_channel_timeout": 0.3}))
        port = await control.passive()
        why = f"No connection reached port {port} within 0.3 s: a firewall or NAT probably blocks it; open TCP {ports} to this server."
        self.assertEqual(f"425 {why}", await control.ask("RETR small"))
        with self.assertRaises(ConnectError):
            await connect(port, Data())
        await self.assert_alive(control)

    async def test_not_set_up(self) -> None:
        """Each transfer needs a set-up of its own; the one before is used up, even by one that failed (P-DC-1, P-DC-2)."""
        control = await log_in(self, await self.start())
        for command in ("RETR small", "LIST", "NLST", "MLSD"):
            self.assertEqual("425 No data connection: send PASV or EPSV (or PORT/EPRT) first.", await control.ask(command))
        await control.passive()
        self.assertEqual("550 none: No such file or directory.", await control.ask("RETR none"))
        self.assertEqual("425", (await control.ask("RETR small"))[:3])
        await self.assert_alive(control)

    async def test_early_connection_and_550(self) -> None:
        """An early data connection whose transfer is refused ends with FIN, not with RST, even when the client has sent something (P-DC-17)."""
        control = await log_in(self, await self.start())
        for junk in (b"", b"x" * 100_000):
            data = await data_to(self, control)
            data.transport.write(junk)
            self.assertEqual("550 none: No such file or directory.", await control.ask("RETR none"))
            self.assertEqual("FIN", await in_time(data.closed))
            self.assertEqual(0, data.count)
        await self.assert_alive(control)

    async def test_late_connection_and_550(self) -> None:
        """A data connection that was on its way when its transfer was refused ends with FIN, too: the client started it in good faith (DESIGN §3)."""
        control = await log_in(self, await self.start())
        port = await control.passive()
        self.assertEqual("550", (await control.ask("RETR none"))[:3])
        data = self.closing(await connect(port, Data()))
        self.assertEqual("FIN", await in_time(data.closed))

    async def test_second_passive(self) -> None:
        """A second PASV ends the first: its port admits nobody, its early connection is closed; the new one works (P-DC-3)."""
        control = await log_in(self, await self.start())
        first = await control.passive()
        second = port_in(await control.ask("PASV"))
        self.assertNotEqual(first, second)
        self.assertTrue(await is_turned_away(first))
        early = self.closing(await connect(second, Data()))
        await self.assert_alive(control)
        self.assertEqual("FIN", await in_time(early.closed))
        self.assertEqual(0, early.count)

    async def test_one_connection_a_lease(self) -> None:
        """A second connection to the same passive port is reset or refused; the first gets the file (P-DC-4)."""
        running = await self.start()
        control = await log_in(self, running)
        port = await control.passive()
        first = self.closing(await connect(port, Data()))
        self.assertTrue(await is_turned_away(port))
        self.assertEqual("150", (await control.ask("RETR small"))[:3])
        self.assertEqual("226", (await control.reply())[:3])
        self.assertEqual("FIN", await in_time(first.closed))
        self.assertEqual(1000, first.count)

    async def test_stranger_first(self) -> None:
        """A connection from another address is dropped, and the rightful client still gets its file (P-DC-10, P-SEC-2)."""
        control = await log_in(self, await self.start())
        port = await control.passive()
        self.assertTrue(await is_turned_away(port, "127.0.0.2"))
        control.say("RETR small")
        self.assertTrue(await is_turned_away(port, "127.0.0.3"))
        data = self.closing(await connect(port, Data()))
        self.assertEqual("150", (await control.reply())[:3])
        self.assertEqual("226", (await control.reply())[:3])
        self.assertEqual("FIN", await in_time(data.closed))
        self.assertEqual(1000, data.count)
        await self.assert_alive(control)

    async def test_stranger_alone(self) -> None:
        """When only a connection from another address came, the client is told that one (P-TEXT-13)."""
        control = await log_in(self, await self.start(limits={"data_channel_timeout": 0.3}))
        port = await control.passive()
        self.assertTrue(await is_turned_away(port, "127.0.0.2"))
        self.assertEqual(
            f"425 A connection to port {port} came from 127.0.0.2, not from your address, and was refused.", await control.ask("RETR small")
        )
        await self.assert_alive(control)

    async def test_bounce(self) -> None:
        """PORT and EPRT to another address, to a port below 1024, to 0 or to nowhere are refused, and nothing is connected to (P-DC-14, P-DC-15)."""
        control = await log_in(self, await self.start())
        with socket.create_server(("127.0.0.2", 0)) as victim:
            victim.setblocking(False)
            port = victim.getsockname()[1]
            for command, code in (
                (f"PORT 127,0,0,2,{port >> 8},{port & 255}", "501"),
                (f"EPRT |1|127.0.0.2|{port}|", "501"),
                ("PORT 127,0,0,1,0,22", "504"),
                ("EPRT |1|127.0.0.1|1023|", "504"),
                ("PORT 127,0,0,1,0,0", "501"),
                (f"PORT 0,0,0,0,{port >> 8},{port & 255}", "501"),
                (f"EPRT |2|::1|{port}|", "522"),
            ):
                self.assertEqual(code, (await control.ask(command))[:3], command)
            self.assertEqual("425", (await control.ask("RETR small"))[:3])
            with self.assertRaises(BlockingIOError):
                victim.accept()
        await self.assert_alive(control)

    async def test_refused_port_keeps_nothing(self) -> None:
        """A refused PORT does not make an earlier PASV's port admit others (P-DC-3)."""
        control = await log_in(self, await self.start())
        data = await data_to(self, control)
        self.assertEqual("501", (await control.ask("PORT 127,0,0,2,200,1"))[:3])
        reply = await control.ask("RETR small")
        self.assertIn(reply[:3], ("150", "425"))
        if reply.startswith("150"):
            self.assertEqual("226", (await control.reply())[:3])
            self.assertEqual("FIN", await in_time(data.closed))
            self.assertEqual(1000, data.count)

    async def test_range_exhausted(self) -> None:
        """When one address has leases on all ports, PASV waits two seconds, says so by 425, and works when a port is free (P-DC-11, P-SEC-12)."""
        running = await self.start(passive_ports=free_range(2))
        one, two, three = [await log_in(self, running) for _ in range(3)]
        await one.passive()
        await two.passive()
        before = running.site.reactor.seconds()
        self.assertEqual("425 All 2 passive ports are in use; try again shortly.", await three.ask("EPSV"))
        waited = running.site.reactor.seconds() - before
        self.assertTrue(1.5 < waited < 3.5, f"waited {waited:.2f} s")
        self.assertEqual("200 OK.", await three.ask("NOOP"))
        three.say("EPSV")
        self.assertEqual("221 Goodbye.", await one.ask("QUIT"))
        reply = await three.reply()
        self.assertEqual("229", reply[:3], reply)
        data = self.closing(await connect(port_in(reply), Data()))
        self.assertEqual("150", (await three.ask("RETR small"))[:3])
        self.assertEqual("226", (await three.reply())[:3])
        self.assertEqual("FIN", await in_time(data.closed))
        self.assertEqual(1000, data.count)
        await self.assert_alive(two)
        await self.assert_alive(three)

    async def test_exhausted_and_gone(self) -> None:
        """A client that goes while its PASV waits for a port leaves nothing behind, and the next one in the queue is served (P-DC-11)."""
        running = await self.start(passive_ports=free_range(1))
        one, two, three = [await log_in(self, running) for _ in range(3)]
        await one.passive()
        two.say("EPSV")
        three.say("EPSV")
        await until(lambda: running.site.pool.counters.waits == 2, "both wait")
        two.reset()
        one.reset()
        self.assertEqual("229", (await three.reply())[:3])
        await self.assert_alive(three)

    async def test_early_reset(self) -> None:
        """A data connection that the client has reset before the transfer command is 425, or 150 and 426; never 226 (P-DC-9)."""
        control = await log_in(self, await self.start())
        data = await data_to(self, control)
        data.reset()
        await in_time(data.closed)
        codes = [(await control.ask("RETR small"))[:3]]
        if codes == ["150"]:
            codes.append((await control.reply())[:3])
        self.assertIn(codes, (["425"], ["150", "426"]))
        await self.assert_alive(control)

    async def test_active_reset(self) -> None:
        """A client that accepts an active connection and resets it gets 426, and the session goes on (P-DX-4)."""
        control = await log_in(self, await self.start())
        data = await data_from(self, control)
        data.opened.addCallback(lambda _: data.reset())
        self.assertEqual("150", (await control.ask("RETR big"))[:3])
        self.assertEqual("426", (await control.reply())[:3])
        await self.assert_alive(control)


class CourseTests(Case):
    """Transfers that go wrong, or that a client makes strange (PROTOCOL P-DX)."""

    async def test_reset(self) -> None:
        """A data connection that is reset while a file, a text or a listing goes over it is 426; the session lives (P-DX-4)."""
        running = await self.start()
        control = await log_in(self, running)
        for kind in ("I", "A"):
            await control.ask(f"TYPE {kind}")
            data = await self.begin(control)
            await self.some(data)
            data.reset()
            self.assertRegex(await control.reply(), r"^426 Data connection lost after \d+ bytes\.$")
        await control.ask("TYPE I")
        await self.assert_alive(control)

    async def test_stalled(self) -> None:
        """A client that takes no octet for the stall time is given up with 426 and "timed out" (P-DX-6, P-TIME-6)."""
        control = await log_in(self, await self.start(limits={"data_stall_timeout": 0.5}))
        data = await self.begin(control, is_deaf=True)
        self.assertRegex(await control.reply(), r"^426 Data connection timed out: no data for 0\.5 s, \d+ bytes moved\.$")
        data.listen()
        self.assertEqual("RST", await in_time(data.closed))
        self.assertLess(data.count, BIG)
        await self.assert_alive(control)

    async def test_half_close_first(self) -> None:
        """A client that sends its FIN at once, before or after the command, gets everything and 226 (P-DX-17)."""
        control = await log_in(self, await self.start())
        for command, size in (("RETR big", BIG), ("RETR small", 1000), ("NLST", 17)):
            data = await data_to(self, control)
            data.half_close()
            self.assertEqual("150", (await control.ask(command))[:3])
            self.assertEqual(f"226 Transfer complete ({size} bytes).", await control.reply(30))
            self.assertEqual("FIN", await in_time(data.closed))
            self.assertEqual(size, data.count)
        data = await self.begin(control)
        data.half_close()
        self.assertEqual("226", (await control.reply(30))[:3])
        self.assertEqual("FIN", await in_time(data.closed))
        self.assertEqual(BIG, data.count)
        await self.assert_alive(control)

    async def test_junk(self) -> None:
        """What a client sends on a download's connection is thrown away and changes nothing (P-DX-16)."""
        control = await log_in(self, await self.start())
        for command, size in (("RETR big", BIG), ("RETR small", 1000)):
            data = await data_to(self, control)
            data.transport.write(b"junk" * 50_000)
            self.assertEqual("150", (await control.ask(command))[:3])
            data.transport.write(b"more" * 50_000)
            self.assertEqual("226", (await control.reply(30))[:3])
            self.assertEqual("FIN", await in_time(data.closed))
            self.assertEqual(size, data.count)
        await self.assert_alive(control)

    async def test_removed(self) -> None:
        """A file that is removed while it is sent is sent to its end (P-RETR-1)."""
        running = await self.start()
        control = await log_in(self, running)
        data = await self.begin(control, is_deaf=True)
        (running.root / "big").unlink()
        data.listen()
        self.assertEqual(f"226 Transfer complete ({BIG} bytes).", await control.reply(30))
        self.assertEqual("FIN", await in_time(data.closed))
        self.assertEqual(BIG, data.count)
        self.assertEqual("550 big: No such file or directory.", await control.ask("RETR big"))
        await self.assert_alive(control)

    async def test_truncated(self) -> None:
        """A file cut short while it is sent ends in RST and 451, so that no client takes what it got as the file (P-DX-7, P-DX-21)."""
        running = await self.start()
        control = await log_in(self, running)
        for kind in ("I", "A"):
            await control.ask(f"TYPE {kind}")
            os.truncate(running.root / "big", BIG)
            data = await self.begin(control, is_deaf=True)
            os.truncate(running.root / "big", 1000)
            data.listen()
            self.assertEqual("451 Local error while reading: the file became shorter while it was sent.", await control.reply(30))
            self.assertEqual("RST", await in_time(data.closed), kind)
            self.assertLess(data.count, BIG)
        await control.ask("TYPE I")
        await self.assert_alive(control)

    async def test_grown(self) -> None:
        """A file that grows while it is sent is sent as long as it was when it was opened (P-RETR-1)."""
        running = await self.start()
        control = await log_in(self, running)
        data = await self.begin(control, is_deaf=True)
        os.truncate(running.root / "big", BIG + 5)
        data.listen()
        self.assertEqual(f"226 Transfer complete ({BIG} bytes).", await control.reply(30))
        self.assertEqual("FIN", await in_time(data.closed))
        self.assertEqual(BIG, data.count)

    async def test_control_lost(self) -> None:
        """A lost control connection, by RST or by FIN, ends the transfer: the client's file is not whole and ours is closed (P-DX-13, P-GEN-15)."""
        running = await self.start()
        for is_reset in (True, False):
            control = await log_in(self, running)
            data = await self.begin(control, is_deaf=True)
            self.assertEqual(1, len(running.open_files()))
            if is_reset:
                control.reset()
            else:
                control.transport.loseConnection()
            await until(lambda: not running.open_files(), "the file is closed")
            data.listen()
            self.assertEqual("RST", await in_time(data.closed))
            self.assertLess(data.count, BIG)
            await self.assert_let_go(running)

    async def test_control_lost_while_waiting(self) -> None:
        """A control connection lost while a transfer waits frees the port, and a data connection that comes late is not served (P-DX-13)."""
        running = await self.start()
        control = await log_in(self, running)
        port = await control.passive()
        control.say("RETR small")
        await until(running.open_files, "the file is open")
        control.reset()
        await self.assert_let_go(running)
        with self.assertRaises(ConnectError):
            await connect(port, Data())

    async def test_abort_while_waiting(self) -> None:
        """ABOR before the data connection: 426 and 226, never a 150; the port is free (P-DX-10, P-ABOR-2)."""
        running = await self.start()
        control = await log_in(self, running)
        await control.passive()
        control.say("RETR small")
        self.assertEqual("426 Transfer aborted by the client after 0 bytes.", await control.ask("ABOR"))
        self.assertEqual("226", (await control.reply())[:3])
        self.assertEqual(0, running.site.pool.active_leases)
        self.assertEqual([], running.open_files())
        await self.assert_alive(control)

    async def test_abort_while_connecting(self) -> None:
        """ABOR while the server connects to a client that does not answer: 426 and 226, and no attempt goes on (P-DX-10)."""
        control = await log_in(self, await self.start())
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            port = full.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)):  # fills the queue: further SYNs are dropped
                await control.ask(f"EPRT |1|127.0.0.1|{port}|")
                control.say("RETR small")
                self.assertEqual("426", (await control.ask("ABOR"))[:3])
                self.assertEqual("226", (await control.reply())[:3])
                await self.assert_alive(control)

    async def test_abort_urgently(self) -> None:
        """
        ABOR in all the ways in which clients send it while octets move: plain, all urgent as ftplib, behind Telnet's IP and Synch as
        lftp. 426 and 226; the session lives (P-ABOR-1, P-DX-9, P-TEL-4, P-TEL-8).
        """
        control = await log_in(self, await self.start())
        for urgent, plain in ((b"", b"ABOR\r\n"), (b"ABOR\r\n", b""), (b"\xff\xf4\xff\xf2", b"ABOR\r\n"), (b"\xff\xf4\xff", b"\xf2ABOR\r\n")):
            data = await self.begin(control, is_deaf=True)
            if urgent:
                control.say_urgently(urgent)
            control.transport.write(plain)
            self.assertRegex(await control.reply(), r"^426 Transfer aborted by the client after \d+ bytes\.$", f"{urgent!r} {plain!r}")
            self.assertEqual("226", (await control.reply())[:3])
            data.listen()
            await in_time(data.closed)
            self.assertLess(data.count, BIG)
            await self.assert_alive(control)

    async def test_abort_too_late(self) -> None:
        """ABOR after the last octet has gone: 226 and 226 (P-ABOR-4)."""
        control = await log_in(self, await self.start())
        data = await self.begin(control, command="RETR small")
        self.assertEqual("226 Transfer complete (1000 bytes).", await control.ask("ABOR"))
        self.assertEqual("226", (await control.reply())[:3])
        self.assertEqual("FIN", await in_time(data.closed))
        self.assertEqual(1000, data.count)
        await self.assert_alive(control)

    async def test_quit(self) -> None:
        """QUIT during a transfer waits for its end: 226, then 221, then FIN (P-QUIT-1, P-DX-14)."""
        control = await log_in(self, await self.start())
        data = await self.begin(control, is_deaf=True)
        control.say("QUIT")
        data.listen()
        self.assertEqual(f"226 Transfer complete ({BIG} bytes).", await control.reply(30))
        self.assertEqual("221 Goodbye.", await control.reply())
        self.assertEqual("FIN", await in_time(control.closed))
        self.assertEqual("FIN", await in_time(data.closed))
        self.assertEqual(BIG, data.count)

    async def test_busy(self) -> None:
        """During a transfer STAT tells the progress at once; NOOP waits for its turn (P-STAT-2, P-PIPE-2)."""
        control = await log_in(self, await self.start())
        data = await self.begin(control, is_deaf=True)
        self.assertRegex(await control.ask("STAT"), rf"^213 Status: \d+ of {BIG} bytes transferred$")
        control.say("NOOP", "PWD")
        data.listen()
        self.assertEqual(["226", "200", "257"], [(await control.reply(30))[:3] for _ in range(3)])

    async def test_server_ends(self) -> None:
        """A server that shuts down lets transfers finish; those that outlast the grace are reset, with 426 and 421 (P-DX-15)."""
        running = await self.start()
        good, slow, idle = [await log_in(self, running) for _ in range(3)]
        whole = await self.begin(good)
        cut = await self.begin(slow, is_deaf=True)
        drained = running.site.drain(1.0)
        self.assertEqual("421", (await idle.reply())[:3])
        self.assertEqual("226", (await good.reply(30))[:3])
        self.assertEqual("421", (await good.reply())[:3])
        self.assertEqual("FIN", await in_time(whole.closed))
        self.assertEqual(BIG, whole.count)
        late = self.closing(await connect(running.port, Control()))
        self.assertEqual("421", (await late.reply())[:3])
        self.assertEqual("426", (await slow.reply())[:3])
        self.assertEqual("421", (await slow.reply())[:3])
        cut.listen()
        self.assertEqual("RST", await in_time(cut.closed))
        self.assertLess(cut.count, BIG)
        await in_time(drained)


class PlainTransportTests(CourseTests):
    """The same over the control transports of Twisted's own endpoints, as when somebody embeds a site (CONTRACT §5)."""

    is_plain = True


class FileTests(Case):
    """What is not a file to be sent."""

    async def test_special_files(self) -> None:
        """RETR of a FIFO, a device or a socket is 550 at once, not a session that hangs (P-RETR-1)."""
        running = await self.start()
        os.mkfifo(running.root / "fifo")
        with socket.socket(socket.AF_UNIX) as listening:
            here = os.open(".", os.O_RDONLY)
            self.addCleanup(os.close, here)
            os.chdir(running.root)  # the whole path may be too long for a socket's name
            try:
                listening.bind("socket")
            finally:
                os.fchdir(here)
        names = ["fifo", "socket"]
        try:
            os.mknod(running.root / "device", 0o020666, os.makedev(1, 5))
            names.append("device")
        except PermissionError:
            pass
        control = await log_in(self, running)
        for name in names:
            data = await data_to(self, control)
            self.assertEqual(f"550 {name}: Not a plain file.", await control.ask(f"RETR {name}", 2))
            self.assertEqual("FIN", await in_time(data.closed))
            self.assertEqual("550", (await control.ask(f"SIZE {name}", 2))[:3])
        kinds = {line.split()[-1]: line[0] for line in (await self.fetch(control, "LIST")).splitlines()}
        self.assertEqual(("p", "s"), (kinds["fifo"], kinds["socket"]))
        await self.assert_alive(control)

    async def test_links(self) -> None:
        """A link out of the root is as a missing file; a dangling one does not spoil LIST and is left out of MLSD (P-PATH-4, P-LS-6, P-ML-2)."""
        running = await self.start()
        secret = self.absolute_path()
        plant(secret, {"file": b"secret"})
        for name, target in (("out", secret), ("up", f"../{os.path.basename(secret)}"), ("gone", "nowhere"), ("loop", "loop"), ("good", "small")):
            (running.root / name).symlink_to(target)
        control = await log_in(self, running)
        for name in ("out/file", "up/file", "gone", "loop"):
            self.assertEqual(f"550 {name}: No such file or directory.", await control.ask(f"RETR {name}"))
        lines = (await self.fetch(control, "LIST")).splitlines()
        names = {line[:1] + line.split(maxsplit=8)[8] for line in lines}
        self.assertLessEqual({"lgone -> nowhere", "lgood -> small", "-small", "dsub"}, names)
        self.assertEqual([], [line for line in lines if os.path.basename(secret) in line])
        names = {line.split("; ")[1] for line in (await self.fetch(control, "MLSD")).splitlines()}
        self.assertEqual({"big", "good", "small", "sub"}, names)
        self.assertEqual("0123456789" * 100, await self.fetch(control, "RETR good"))

    async def test_links_elsewhere(self) -> None:
        """What a link leads to outside the root, or nowhere, is missing for every verb that names it (P-PATH-4, P-SEC-20)."""
        running = await self.start()
        (running.root / "out").symlink_to("/etc")
        (running.root / "gone").symlink_to("nowhere")
        control = await log_in(self, running)
        for name in ("out", "gone"):
            for verb in ("CWD", "SIZE", "MDTM", "MLST", "MLSD", "RETR"):
                self.assertEqual(f"550 {name}: No such file or directory.", await control.ask(f"{verb} {name}"))


class IPv6Tests(Case):
    """The same over IPv6."""

    async def test_both_modes(self) -> None:
        """EPSV and EPRT work, PASV and PORT say what to use (P-PASV-1, P-EPRT-1)."""
        if not has_ipv6():
            self.skipTest("no ::1 on this machine")
        control = await log_in(self, await self.start(address="::1"))
        self.assertEqual("502 PASV works on IPv4 only; use EPSV.", await control.ask("PASV"))
        self.assertEqual("501", (await control.ask("PORT 127,0,0,1,200,1"))[:3])
        self.assertEqual("522", (await control.ask("EPSV 1"))[:3])
        self.assertEqual("501", (await control.ask("EPRT |2|::2|50000|"))[:3])
        await self.assert_alive(control)
        data = await data_from(self, control)
        self.assertEqual("150", (await control.ask("RETR small"))[:3])
        self.assertEqual("226", (await control.reply())[:3])
        self.assertEqual("FIN", await in_time(data.closed))
        self.assertEqual(1000, data.count)

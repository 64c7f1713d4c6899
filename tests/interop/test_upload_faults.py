"""Uploads that break: clients that reset, stall or leave, servers that are killed, disks that are full, two at once."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any
from unittest import SkipTest

from twisted.internet import reactor as installed_reactor

from tests.interop.by_hand import Control, Data, connect
from tests.support.running import RunningSite, SiteCase, in_time
from tests.support.twistd import Twistd

reactor: Any = installed_reactor

BINARY = Random(4).randbytes(3_000_000)
ALICE = {"strcred": ("memory:alice:secret",)}
KEEPING = {"keep_partial_uploads": True}
SOON = 2.0
"""Seconds within which another session's NOOP is answered whatever goes on; it takes some milliseconds."""


class Case(SiteCase):
    async def log_in(self, running: RunningSite) -> Control:
        """A session of somebody who may write."""
        control = self.closing(await connect(running.port, Control(), running.address))
        control.say("USER alice", "PASS secret", "TYPE I")
        for code in ("220", "331", "230", "200"):
            self.assertEqual(code, (await control.reply())[:3])
        return control  # type: ignore[no-any-return]

    async def begin(self, control: Control, command: str, octets: bytes = b"") -> Data:
        """An upload under way, with these octets sent."""
        data = self.closing(await connect(await control.passive(), Data()))
        self.assertEqual("150", (await control.ask(command))[:3])
        data.transport.write(octets)
        return data  # type: ignore[no-any-return]

    async def whole(self, control: Control, command: str, octets: bytes) -> str:
        """An upload to its end: its final reply."""
        data = await self.begin(control, command, octets)
        data.half_close()
        reply = await control.reply()
        self.assertEqual("FIN", await in_time(data.closed))
        return reply

    async def fetch(self, control: Control, name: str) -> tuple[str, bytes]:
        """What a client gets: the first reply that is no 150, and the octets."""
        data = self.closing(await connect(await control.passive(), Data()))
        reply = await control.ask(f"RETR {name}")
        if reply[:3] == "150":
            reply = await control.reply()
        await in_time(data.closed)
        return reply[:3], data.received

    async def arrived(self, control: Control, count: int) -> None:
        """Wait until the server has that many octets of the upload under way."""
        while int((await control.ask("STAT")).split()[2]) < count:
            pass


class BrokenTests(Case):
    """P-DX-5, P-DX-21, P-TEXT-15."""

    async def test_reset(self) -> None:
        """RST is 426, wherever it comes; what was there before is there."""
        running = await self.serve({"f": b"old"}, authentication=ALICE)
        control = await self.log_in(running)
        for count in (0, 1, 1_000_000):
            data = await self.begin(control, "STOR f", BINARY[:count])
            await self.arrived(control, count)
            data.reset()
            self.assertRegex(await control.reply(), r"^426 Data connection lost after \d+ bytes\. What had arrived was removed\.$")
        self.assertEqual(b"old", (running.root / "f").read_bytes())
        self.assertEqual(["f"], os.listdir(running.root))

    async def test_several_breaks(self) -> None:
        """P-REST-3: kept, and resumed over several breaks by REST and by APPE: in the end every octet is there, once."""
        running = await self.serve(authentication=ALICE, file_handling=KEEPING)
        control = await self.log_in(running)
        size = 0
        for verb in ("STOR", "STOR", "APPE", "STOR"):
            if verb == "STOR":
                self.assertEqual("350", (await control.ask(f"REST {size}"))[:3])
            data = await self.begin(control, f"{verb} f", BINARY[size : size + 700_000])
            await self.arrived(control, 500_000)
            data.reset()
            reply = await control.reply()
            self.assertRegex(reply, r"^426 .* Partial file of \d+ bytes kept; resume with REST \d+ or APPE\.$")
            before, size = size, int((await control.ask("SIZE f")).split()[1])
            self.assertIn(f"Partial file of {size} bytes kept", reply)
            self.assertGreater(size, before)
        await control.ask(f"REST {size}")
        self.assertEqual("226", (await self.whole(control, "STOR f", BINARY[size:]))[:3])
        self.assertTrue((running.root / "f").read_bytes() == BINARY)

    async def test_stalled(self) -> None:
        """P-DX-6: a client that sends nothing more is given up."""
        running = await self.serve(authentication=ALICE, limits={"data_stall_timeout": 0.5})
        control = await self.log_in(running)
        await self.begin(control, "STOR f", b"x")
        self.assertRegex(await control.reply(), r"^426 Data connection timed out: no data for 0\.5 s, 1 bytes moved")
        self.assertEqual([], os.listdir(running.root))

    async def test_aborted(self) -> None:
        """P-ABOR-1, P-DX-9: ABOR ends it at once."""
        running = await self.serve(authentication=ALICE)
        control = await self.log_in(running)
        await self.begin(control, "STOR f", BINARY)
        control.say("ABOR")
        self.assertEqual(["426", "226"], [(await control.reply())[:3] for _ in range(2)])
        self.assertEqual([], os.listdir(running.root))

    async def test_left(self) -> None:
        """P-DX-13, P-GEN-15: so does the loss of the control connection."""
        running = await self.serve({"f": b"old"}, authentication=ALICE)
        control = await self.log_in(running)
        await self.begin(control, "APPE f", BINARY)
        await self.arrived(control, 1)
        control.reset()
        await self.assert_let_go(running)
        self.assertEqual(b"old", (running.root / "f").read_bytes())

    async def test_file_goes(self) -> None:
        """P-DX-18: a file that is removed or replaced meanwhile by others: the upload is whole all the same."""
        running = await self.serve({"f": b"old"}, authentication=ALICE)
        control = await self.log_in(running)
        data = await self.begin(control, "STOR f", BINARY)
        (running.root / "f").unlink()
        data.half_close()
        self.assertEqual("226", (await control.reply())[:3])
        self.assertTrue((running.root / "f").read_bytes() == BINARY)


class TogetherTests(Case):
    """Several at one file."""

    async def test_two_writers(self) -> None:
        """Each upload is whole, the last one stays."""
        running = await self.serve(authentication=ALICE)
        first, second = await self.log_in(running), await self.log_in(running)
        data = await self.begin(first, "STOR f", BINARY[:1000])
        self.assertEqual("226", (await self.whole(second, "STOR f", b"second"))[:3])
        self.assertEqual(b"second", (running.root / "f").read_bytes())
        data.half_close()
        self.assertEqual("226", (await first.reply())[:3])
        self.assertEqual(BINARY[:1000], (running.root / "f").read_bytes())

    async def test_two_writers_in_place(self) -> None:
        """Where they are written in place the second is refused, 450."""
        running = await self.serve(authentication=ALICE, file_handling=KEEPING)
        first, second = await self.log_in(running), await self.log_in(running)
        data = await self.begin(first, "STOR f", BINARY[:1000])
        await self.arrived(first, 1000)
        self.assertRegex(await second.ask("STOR f"), "^450 f: The file is being uploaded")
        data.half_close()
        self.assertEqual("226", (await first.reply())[:3])
        self.assertEqual(BINARY[:1000], (running.root / "f").read_bytes())

    async def read_meanwhile(self, handling: dict[str, bool]) -> tuple[str, bytes]:
        """What a reader gets of a file during an upload; after it, all."""
        running = await self.serve({"f": b"old"}, authentication=ALICE, file_handling=handling)
        writer, reader = await self.log_in(running), await self.log_in(running)
        data = await self.begin(writer, "STOR f", BINARY[:1000])
        await self.arrived(writer, 1000)
        found = await self.fetch(reader, "f")
        data.half_close()
        self.assertEqual("226", (await writer.reply())[:3])
        self.assertEqual(("226", BINARY[:1000]), await self.fetch(reader, "f"))
        return found

    async def test_reader(self) -> None:
        """P-RETR-1: during an upload a reader gets the file as it was."""
        self.assertEqual(("226", b"old"), await self.read_meanwhile({}))

    async def test_reader_in_place(self) -> None:
        """P-RETR-1: 450 for one that is written in place."""
        self.assertEqual(("450", b""), await self.read_meanwhile(KEEPING))

    async def test_reader_allowed(self) -> None:
        """P-RETR-1: what has arrived, where the setting says so."""
        self.assertEqual(("226", BINARY[:1000]), await self.read_meanwhile({"allow_read_uploads_in_progress": True}))

    async def test_reader_allowed_in_place(self) -> None:
        """P-RETR-1: so too of one that is written in place."""
        self.assertEqual(("226", BINARY[:1000]), await self.read_meanwhile({"allow_read_uploads_in_progress": True, **KEEPING}))

    async def test_others_are_served(self) -> None:
        """While a big file is received and written down, others are answered."""
        running = await self.serve(authentication=ALICE)
        control, other = await self.log_in(running), await self.log_in(running)
        data = await self.begin(control, "STOR f")
        left = 64
        while left or not control.replies:
            if left and not data.transport.dataBuffer:
                data.transport.write(BINARY[: 1 << 20])
                left -= 1
                if not left:
                    data.half_close()
            before = reactor.seconds()
            self.assertEqual("200 OK.", await other.ask("NOOP"))
            self.assertLess(reactor.seconds() - before, SOON)
        self.assertEqual("226", (await control.reply())[:3])
        self.assertEqual(64 << 20, (running.root / "f").stat().st_size)


class KilledTests(SiteCase):
    """A server of its own that is killed in the midst of an upload."""

    def upload(self, port: int, octets: bytes, is_there: Callable[[], bool]) -> tuple[socket.socket, socket.socket]:
        """An upload of ``f`` under way, by hand, up to where ``is_there``."""
        control = socket.create_connection(("127.0.0.1", port), 30)
        replies = control.makefile("r", encoding="utf-8")
        for line, code in (("", "220"), ("USER alice", "331"), ("PASS secret", "230"), ("TYPE I", "200"), ("EPSV", "229")):
            if line:
                control.sendall(f"{line}\r\n".encode())
            reply = replies.readline()
            self.assertEqual(code, reply[:3])
        data = socket.create_connection(("127.0.0.1", int(reply.split("|||")[1].split("|")[0])), 30)
        control.sendall(b"STOR f\r\n")
        self.assertEqual("150", replies.readline()[:3])
        data.sendall(octets)
        moved = 0
        while moved < len(octets) or not is_there():
            control.sendall(b"STAT\r\n")
            moved = int(replies.readline().split()[2])
        replies.close()
        return control, data

    def kill(self, keeps: bool) -> tuple[Path, int]:
        """Kill a server that has received 2 MB of a file that was there: its root, and the octets."""
        here = Path(self.absolute_path())
        root = here / "root"
        root.mkdir(parents=True)
        (root / "f").write_bytes(b"old")
        (here / "site.toml").write_text(
            f'[[site]]\nroot = "root"\naddress = "127.0.0.1"\nport = 0\n[site.authentication]\nstrcred = ["memory:alice:secret"]\n'
            f"[site.file_handling]\nkeep_partial_uploads = {str(keeps).lower()}\n"
        )
        count = 2_000_000
        with Twistd("ftpsite", "--config", "site.toml", directory=here) as server:
            # What a thread is still writing down has not arrived yet.
            sockets = self.upload(server.port(), BINARY[:count], lambda: not keeps or (root / "f").stat().st_size == count)
            server.signal(signal.SIGKILL)
            server.process.wait()
            for one in sockets:
                one.close()
        return root, count

    def test_nothing_is_left(self) -> None:
        """kill -9 leaves what was there before, and nothing else (where the file system has files without names)."""
        root, _ = self.kill(False)
        self.assertEqual(b"old", (root / "f").read_bytes())
        self.assertEqual([], [name for name in os.listdir(root) if name != "f" and not name.startswith(".twistftp-")])

    def test_all_is_kept(self) -> None:
        """... or every octet that had arrived, when that is wanted."""
        root, count = self.kill(True)
        self.assertTrue((root / "f").read_bytes() == BINARY[:count])


class FullDiskTests(SiteCase):
    """A file system of two megabytes."""

    def test_full(self) -> None:
        """P-DX-8, P-STOR-1, P-ALLO-1: 452, nothing of the file is left, and a file that fits still does."""
        if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("unshare") is None:
            raise SkipTest("to mount a file system is for root")
        here = Path(self.absolute_path())
        (here / "root").mkdir(parents=True)
        mount = ("unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=2m tmpfs root && exec "$@"', "sh")
        if subprocess.run([*mount, "true"], cwd=here, capture_output=True, check=False).returncode:
            raise SkipTest("mounting is not permitted here")
        with Twistd(
            "ftpsite", "--root", "root", "--interface", "127.0.0.1", "--port", "0", "--auth", "memory:alice:secret", directory=here, by=mount
        ) as server:
            control = socket.create_connection(("127.0.0.1", server.port()), 30)
            replies = control.makefile("r", encoding="utf-8")

            def ask(line: str) -> str:
                control.sendall(f"{line}\r\n".encode())
                return replies.readline()

            def put(name: str, octets: bytes) -> str:
                port = int(ask("EPSV").split("|||")[1].split("|")[0])
                with socket.create_connection(("127.0.0.1", port), 30) as data:
                    self.assertEqual("150", ask(f"STOR {name}")[:3])
                    with contextlib.suppress(OSError):
                        data.sendall(octets)
                        data.shutdown(socket.SHUT_WR)
                    return replies.readline()

            replies.readline()
            self.assertEqual(["331", "230", "200"], [ask(line)[:3] for line in ("USER alice", "PASS secret", "TYPE I")])
            self.assertEqual("552", ask("ALLO 3000000")[:3])
            self.assertEqual("452", put("big", BINARY)[:3])
            self.assertEqual("550", ask("SIZE big")[:3])
            self.assertEqual("226", put("small", BINARY[:1_000_000])[:3])
            self.assertEqual("213 1000000", ask("SIZE small").strip())
            replies.close()
            control.close()

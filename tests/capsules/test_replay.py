"""Tests of replays: what was captured plays the same, and what is otherwise is found and shown."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from tests.capsules.support import Captured, capture
from tests.support.at_once import at_once
from tests.support.tls import TLSClient, client_context
from twistftp.capsules.comparing import FROM_OUTSIDE
from twistftp.capsules.format import BadCapsule, Capsule
from twistftp.capsules.reading import read_capsule
from twistftp.capsules.replay import play
from twistftp.capsules.tree import PlayedStore
from twistftp.control import _FAREWELL
from twistftp.policy.file_handling import FileHandling
from twistftp.policy.filtering import RequestFiltering
from twistftp.policy.logon_attempts import Block
from twistftp.policy.settings import Limits, LogonAttempts
from twistftp.policy.settings import Messages as Texts
from twistftp.session.logon_guard import _keep_out
from twistftp.site import _SHUTTING_DOWN
from twistftp.storage import digests
from twistftp.storage.failures import DiskFull

LARGE = bytes(range(256)) * 400
TREE = {"file.txt": b"one\ntwo\n", "large": LARGE, "empty": b"", "pub": {"a": b"aa", "with space": b"s", "deep": {"é": b"e"}}, "void": {}}

COMMANDS = (
    *("PWD", "CWD pub", "CWD /none", "CDUP", "SYST", "FEAT", "HELP", "NOOP", "STAT", "STAT pub", "XYZZY x", "TYPE A", "TYPE I", "MODE S", "STRU F"),
    *("SIZE file.txt", "SIZE pub", "MDTM pub/a", "MLST pub", "MLST", "OPTS MLST type;size;", "REST 3", "RANG 1 2", "HASH file.txt", "HASH large"),
    *("DELE pub/a", "RMD void", "RMD pub", "MKD made", "MKD pub", "RNFR file.txt", "RNTO moved", "MFMT 20200101000000 file.txt"),
    "SITE CHMOD 600 empty",
    *("ALLO 5", "AVBL", "REIN", "USER anonymous", "USER alice", "PASS secret", "PASS wrong", "ABOR", "EPSV ALL", "PORT 1,2,3,4,5,6", "RETR file.txt"),
)
TRANSFERS = (
    *("RETR file.txt", "RETR large", "RETR none", "RETR pub", "LIST", "LIST pub", "NLST", "NLST *t", "MLSD"),
    *("STOR new", "APPE file.txt", "STOU", "STOR pub"),
)


class PlayCase(SynchronousTestCase):
    """Captures and plays."""

    def setUp(self) -> None:
        self.patch(digests, "in_thread", at_once)  # HASH

    def begin(self, **options: Any) -> Captured:
        options.setdefault("writable", True)
        options.setdefault("logon_attempts", LogonAttempts(delay=1, block=0))
        return capture(self, TREE, **options)

    def log_in(self, **options: Any) -> Captured:
        captured = self.begin(**options)
        captured.client.login("alice", "secret")
        captured.client.say("TYPE I")
        return captured

    def assert_same(self, captured: Captured) -> int:
        count, difference = play(captured.capsule)
        self.assertIs(None, difference)
        return count


class SameTests(PlayCase):
    """Sessions that are played the same."""

    def transfer(self, captured: Captured, line: str) -> None:
        client = captured.client
        if client.codes("PASV") != [227]:
            return
        connection = captured.dialogue.pool.leases[-1].connect()
        if line[:4] in ("STOR", "APPE", "STOU"):
            connection.give(b"some ")
            connection.give(b"octets\n")
            connection.end()
        client.say(line)

    @given(st.lists(st.one_of(st.sampled_from(COMMANDS), st.sampled_from(TRANSFERS).map(lambda line: (line,))), max_size=14), st.booleans())
    @settings(max_examples=60)
    def test_any_session(self, lines: list[Any], is_logged_in: bool) -> None:
        """Whatever is said, a replay says the same."""
        captured = self.log_in() if is_logged_in else self.begin()
        for line in lines:
            if captured.client.is_closing:
                break
            if isinstance(line, tuple):
                self.transfer(captured, line[0])
            else:
                captured.client.say(line)
                captured.dialogue.wait(2)
        self.assert_same(captured)

    STRANGE = st.one_of(
        st.sampled_from([b"\x16\x03\x01\x02\0\x01", b"GET / HTTP/1.1\r\n", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n", b"\0\n", b"EHLO x\r\n"]),
        st.sampled_from([b"USER alice\r\n", b"PASS secret\r\n", b"pass\tsecret\n", b"Host: x\r\n", b"\xff\xf4\xff\xf2ABOR\r\n"]),
        st.sampled_from([b"SITE PSWD a b\r\n", b"SITE \xff\r\n", b"SITE WHY\r\n"]),
        st.sampled_from([b"x" * 9000 + b"\r\n", b"\r\n", b"  \r\n", b"\xff\xfd\x01", b"\xff\xfa"]),
        st.binary(min_size=1, max_size=20),
    )

    @given(st.lists(STRANGE, max_size=10), st.booleans())
    @settings(max_examples=80)
    def test_strangers(self, said: list[bytes], is_secure: bool) -> None:
        """What comes to a port that the whole world can reach: other protocols, scans, noise."""
        captured = self.begin(is_secure=is_secure)
        client: Any = captured.client
        if is_secure:
            client.auth()
        for octets in said:
            if client.is_closing:
                break
            client.send(octets)
            captured.dialogue.wait(2)
        self.assert_same(captured)

    def test_virtual_hosts(self) -> None:
        """HOST and the server name of TLS lead to another site on the port; the capsule has its settings, too."""
        for is_secure in (False, True):
            captured = self.begin(is_secure=is_secure, name="one", host_name="one.example")
            kind: Any = type(captured.dialogue)
            other = kind(self, TREE, name="two", host_name="two.example", messages=Texts(greeting="This is two"))
            captured.dialogue.site.hosts.add(other.site)
            client: Any = captured.dialogue.another()
            if is_secure:
                context = client_context()
                context.check_hostname = False
                client.auth(TLSClient(context, name="two.example"))
            self.assertEqual([504 if is_secure else 220, 220, 504], client.codes("HOST one.example", "HOST two.example", "HOST three.example"))
            client.login("anonymous")
            client.say("PWD", "REIN", "QUIT")
            client.leave()
            captured.recording.close()
            capsule = read_capsule(str(max(captured.directory.iterdir(), key=lambda path: int(path.stem.rpartition("-")[2]))))
            self.assertEqual("two", capsule.header["hosts"][0]["name"])
            self.assertIn("This is two", str(capsule.events))
            self.assertEqual("", capsule.lack)
            self.assertIs(None, play(capsule)[1])

    def test_ended_from_outside(self) -> None:
        """What ends a session without its doing is done to the replay as well: a server that stops, an administrator."""
        captured = self.log_in()
        captured.dialogue.site.drain(10)
        captured.client.hear()
        self.assertEqual("by the server", captured.said("closed")[0])
        self.assertEqual(5, self.assert_same(captured))
        disconnected = self.log_in()
        disconnected.client.pi.close(_FAREWELL)
        disconnected.client.hear()
        self.assertEqual(5, self.assert_same(disconnected))

    def test_outside_texts(self) -> None:
        """These replies are the server's own words."""
        block = _keep_out(Block("192.0.2.9", 9.0, 4, 30.0), 5.0)
        for reply, start in zip((_SHUTTING_DOWN, _FAREWELL, block), FROM_OUTSIDE, strict=True):
            self.assertTrue(reply.octets.decode().startswith(start), start)

    def test_count(self) -> None:
        """All replies are counted."""
        captured = self.log_in()
        captured.client.say("PWD", "QUIT")
        self.assertEqual(6, self.assert_same(captured))

    def test_pipelined(self) -> None:
        """Lines that came together, and a line that came in pieces."""
        captured = self.begin()
        captured.client.send(b"USER alice\r\nPASS secret\r\nTYPE I\r\nCWD pub\r\nSIZE a\r\nPAS")
        captured.client.send(b"V\r\n")
        captured.client.hear()
        self.assertEqual(7, self.assert_same(captured))

    def test_time(self) -> None:
        """What takes its time is waited for: delays of refused logins, and time-outs."""
        captured = self.begin(limits=Limits(control_channel_timeout=20))
        captured.client.login("alice", "wrong")
        captured.dialogue.wait(1.5)
        captured.client.login("alice", "secret")
        captured.dialogue.wait(30)
        self.assertEqual(["by the server"], captured.said("closed"))
        self.assertEqual(6, self.assert_same(captured))

    def test_data_connection_that_never_comes(self) -> None:
        """A port that nobody reaches, and active mode into a closed one."""
        captured = self.log_in()
        lease = captured.client.passive()
        captured.client.say("LIST")
        captured.dialogue.wait(30)
        lease.never_comes()
        captured.client.hear()
        captured.client.say("PORT 192,0,2,9,200,1", "LIST")
        captured.dialogue.active_ports[-1].refuse_connection()
        captured.client.hear()
        self.assert_same(captured)

    def test_busy_pool(self) -> None:
        """PASV that was refused."""
        from twistftp.policy.diagnosis import Cause, Verdict

        for cause in (Cause.POOL_BUSY, Cause.CANNOT_LISTEN):
            captured = self.log_in()
            captured.dialogue.pool.failing = Verdict(cause, ports=3)
            self.assertEqual([425], captured.client.codes("PASV"))
            self.assert_same(captured)

    def test_aborted(self) -> None:
        """ABOR and STAT while octets move, and the loss of the data connection."""
        captured = self.log_in()
        client = captured.client
        connection = client.passive().connect()
        connection.is_slow = True
        client.say("RETR large")
        connection.move()
        client.say("STAT")
        self.assertEqual([426, 226], client.codes("ABOR"))
        connection = client.passive().connect()
        client.say("STOR new")
        connection.give(b"half")
        connection.lose()
        self.assertIn("426", client.hear()[0])
        client.say("SIZE new")
        self.assert_same(captured)

    def test_client_gone(self) -> None:
        """A client that resets its control connection in the midst of a transfer."""
        captured = self.log_in()
        connection = captured.client.passive().connect()
        connection.is_slow = True
        captured.client.say("RETR large")
        captured.client.leave(ConnectionLost())
        self.assert_same(captured)

    def test_full_disk(self) -> None:
        """An upload that the disk refused then is refused now."""
        captured = self.log_in()
        captured.dialogue.store.upload_error = DiskFull()
        self.assertIn("452", captured.client.put("STOR new", b"octets")[-1])
        captured.dialogue.store.upload_error = None
        self.assertIn("226", captured.client.put("STOR new", b"octets")[-1])
        self.assert_same(captured)

    def test_rules(self) -> None:
        """So is what the site's rules and filters refused, though the capsule does not hold them."""
        captured = self.log_in(request_filtering=RequestFiltering(denied_extensions=(".txt",), hidden_segments=("void",)))
        self.assertEqual([550, 550, 550], captured.client.codes("SIZE file.txt", "CWD void", "CWD none"))
        captured.client.fetch("LIST")
        self.assert_same(captured)

    def test_deflated(self) -> None:
        """MODE Z, whose octets may be others with another zlib."""
        captured = self.log_in(file_handling=FileHandling(mode_z=True))
        captured.client.say("MODE Z")
        captured.client.fetch("RETR large")
        captured.client.fetch("LIST")
        self.assert_same(captured)

    def test_tls(self) -> None:
        """AUTH TLS, PROT P, and back to clear text."""
        captured = self.begin(is_secure=True, tls={"clear_command_channel": True})
        client: Any = captured.client
        client.protected()
        client.fetch("LIST")
        client.say("CCC")
        client.leave_tls()
        client.say("NOOP", "QUIT")
        self.assert_same(captured)

    def test_implicit_tls(self) -> None:
        """TLS from the first octet."""
        captured = self.begin(is_secure=True, tls={"implicit": True})
        client: Any = captured.client
        client.shake_hands()
        client.login("alice", "secret")
        client.say("QUIT")
        self.assertEqual(4, self.assert_same(captured))

    def test_long_lines(self) -> None:
        """Lines of which the capsule holds the length alone."""
        captured = self.begin()
        captured.client.say("x" * 9000, "NOOP")
        captured.client.send(b"y" * 9000)
        self.assertEqual(3, self.assert_same(captured))

    def test_changes(self) -> None:
        """Files that the session makes look as they did then, whatever the time is now."""
        captured = self.log_in()
        client = captured.client
        client.put("STOR new", b"octets")
        client.say("MDTM new", "RNFR new", "RNTO pub/newer", "SIZE pub/newer", "MFMT 20200101000000 pub/newer", "MLST pub/newer", "CWD pub")
        client.fetch("MLSD")
        client.say("DELE newer", "SIZE newer", "HASH a")
        self.assert_same(captured)

    def test_cut(self) -> None:
        """A capsule that was cut off is played as far as it goes."""
        captured = self.begin(limit=1500)
        captured.client.login("alice", "secret")
        for _ in range(50):
            captured.client.say("NOOP")
        self.assertIn("cut", captured.capsule.events[-1])
        self.assert_same(captured)


class DifferenceTests(PlayCase):
    """What is otherwise."""

    def capsule(self) -> Capsule:
        captured = self.log_in()
        captured.client.say("CWD pub")
        captured.client.fetch("NLST")
        captured.client.say("NOOP", "QUIT")
        return captured.capsule

    def changed(self, old: str, new: str) -> Capsule:
        """The capsule with another text in its events."""
        capsule = self.capsule()
        text = json.dumps(capsule.events)
        self.assertIn(old, text)
        return Capsule(capsule.header, tuple(json.loads(text.replace(old, new))))

    def difference(self, capsule: Capsule, store: PlayedStore | None = None) -> Any:
        _, difference = play(capsule, store)
        if difference is None:
            self.fail("it is the same")
        return difference

    def assert_differ(self, then: str, now: str, capsule: Capsule) -> None:
        found = self.difference(capsule)
        self.assertEqual((then, now), (found.expected, found.got))

    def test_reply(self) -> None:
        """Another reply, with what came before it."""
        found = self.difference(self.changed("200 OK.", "200 Fine."))
        self.assertEqual(("200 Fine.", "200 OK."), (found.expected, found.got))
        self.assertEqual(next(line for line, event in enumerate(self.capsule().events, 2) if "200 OK." in str(event)), found.line)
        self.assertEqual(("server: 226 Transfer complete (21 bytes).", "client: NOOP", "client: QUIT"), found.before[-3:])

    def test_no_reply(self) -> None:
        """A reply that does not come, and one too many."""
        capsule = self.capsule()
        events = [event for event in capsule.events if event.get("client") != "CWD pub\r\n"]
        self.assertEqual('250 "/pub" is the current directory.', self.difference(Capsule(capsule.header, tuple(events))).expected)
        events = [event for event in capsule.events if not event.get("server", "").startswith("221")]
        self.assert_differ("no more replies", "221 Goodbye.", Capsule(capsule.header, tuple(events)))
        events = [event for event in capsule.events if not str(event.get("client", "")).startswith("NOOP")]
        self.assert_differ("200 OK.", "no reply", Capsule(capsule.header, tuple(events)))

    def test_data(self) -> None:
        """Other octets over a data connection."""
        found = self.difference(self.changed("with space", "without"))
        self.assertIn("NLST sends", found.expected)
        capsule = self.capsule()
        events = [dict(event) for event in capsule.events]
        for event in events:
            if "sent" in event:
                event["sent"] = {**event["sent"], "octets": 99, "sha256": "0"}
        self.assertEqual("NLST sends 99 octets", self.difference(Capsule(capsule.header, tuple(events))).expected)
        sent = next(event["sent"] for event in capsule.events if "sent" in event)
        for event in events:
            if "sent" in event:
                event["sent"] = {**event["sent"], "octets": sent["octets"]}
        self.assert_differ(
            f"NLST sends {sent['octets']} octets of SHA-256 0",
            f"NLST sends {sent['octets']} octets of SHA-256 {sent['sha256']}",
            Capsule(capsule.header, tuple(events)),
        )

    def test_data_connection(self) -> None:
        """One that nobody waits for now."""
        found = self.difference(self.changed('"data": 1', '"data": 7'))
        self.assertEqual(("data connection 7", "the server waits for none"), (found.expected, found.got))

    def test_broken_off(self) -> None:
        """Wherever a capsule ends before the session did, what there is of it is the same, and it says that there was more."""
        capsule = self.capsule()
        for end in range(len(capsule.events)):
            part = Capsule(capsule.header, capsule.events[:end])
            self.assertIs(None, play(part)[1], end)
            self.assertEqual("the session's end is not in it", part.lack)
        self.assertEqual("", capsule.lack)
        self.assertEqual("its last line is not whole", Capsule(capsule.header, capsule.events, is_broken_off=True).lack)
        self.assertEqual("why", Capsule(capsule.header, ({"t": 0, "cut": "why"},), is_broken_off=True).lack)

    def test_end(self) -> None:
        """The other side closes."""
        self.assertEqual("the server does", self.difference(self.changed("by the server", "FIN")).got)
        capsule = self.capsule()
        events = [event for event in capsule.events if "QUIT" not in str(event) and "221" not in str(event) and "200 OK" not in str(event)]
        self.assertEqual("the server closes the connection", self.difference(Capsule(capsule.header, tuple(events))).expected)

    def test_settings(self) -> None:
        """A site that is set up otherwise."""
        capsule = self.capsule()
        header = dict(capsule.header) | {"settings": {"messages": {"banner": "Hello"}}}
        self.assert_differ("220 twistftp FTP service ready.", "220 Hello", Capsule(header, capsule.events))

    def test_no_tls(self) -> None:
        """TLS that does not begin, or come about."""
        captured = self.begin(is_secure=True)
        client: Any = captured.client
        client.auth()
        client.login()
        capsule = captured.capsule
        found = self.difference(Capsule({**capsule.header, "settings": {}}, capsule.events))
        self.assertIn("234", found.expected)
        events = tuple(event for event in capsule.events if event.get("client") != "AUTH TLS\r\n" and "234" not in str(event))
        self.assert_differ("TLS begins", "the server stays in clear text", Capsule(capsule.header, events))

    def test_other_files(self) -> None:
        """The files of another tree: what they hold is compared, dates and the like of listings are not."""
        capsule = self.capsule()
        store = PlayedStore(lambda: 0.0)
        store.plant(("pub",), {"mode": 0o40755})
        self.assertIs(None, play(capsule, store)[1])
        self.assertEqual("550 pub: No such file or directory.", self.difference(capsule, PlayedStore(lambda: 0.0)).got)

    def test_unusable(self) -> None:
        """Events and settings of other forms are one line."""
        capsule = self.capsule()
        for header, events in (
            ({**capsule.header, "settings": {"no": 1}}, capsule.events),
            ({**capsule.header, "settings": {"tls": 5}}, capsule.events),
            (capsule.header, ({"t": 0, "server": 5},)),
            (capsule.header, ({"t": 0, "client": {"no": 1}},)),
            (capsule.header, ({"t": 0, "avatar": "x"},)),
            (capsule.header, ({"t": 0, "data": [], "opened": True},)),
            (capsule.header, ({"t": 0, "tree": "/x", "base64": "?", "at": 0},)),
        ):
            error = self.assertRaises(BadCapsule, play, Capsule(header, tuple(events)))
            self.assertNotIn("\n", str(error))

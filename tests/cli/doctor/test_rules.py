"""Tests of the rules: from what was seen to what it means. No network: the values are made up, or drawn by Hypothesis."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistftp.cli.doctor.causes import Cause
from twistftp.cli.doctor.finding import Finding
from twistftp.cli.doctor.report import report
from twistftp.cli.doctor.rules import findings
from twistftp.cli.doctor.seen import (
    Active,
    Answer,
    Certificate,
    Connect,
    Ending,
    Interruption,
    Passive,
    PortState,
    Scan,
    Seen,
    Session,
    Stop,
    Tls,
    Transfer,
)
from twistftp.cli.doctor.wording import ports_text

HERE, THERE, PRIVATE = "203.0.113.20", "198.51.100.7", "10.0.0.20"
CERTIFICATE = Certificate("h", ("h",), "us", datetime(2030, 1, 1, tzinfo=UTC), 400)
TLS = Tls("TLSv1.3", "TLS_AES_256_GCM_SHA384", CERTIFICATE)


def went(verb: str, *commands: str, address: str | None = None, port: int = 50000) -> list[Passive]:
    """Attempts that came through."""
    told = (HERE if verb == "PASV" else "") if address is None else address
    answer = Answer(227, ("...",))
    return [Passive(verb, answer, told, port + number, Ending.OPEN, transfer=Transfer(one, True, 9)) for number, one in enumerate(commands)]


def missed(verb: str, *endings: Ending, address: str | None = None, at_peer: Ending = Ending.NOT_TRIED, port: int = 50010) -> list[Passive]:
    """Attempts whose data connections did not come up."""
    told = (HERE if verb == "PASV" else "") if address is None else address
    return [Passive(verb, Answer(227, ("...",)), told, port + number, ending, at_peer) for number, ending in enumerate(endings)]


def session(*passive: list[Passive], **values: object) -> Session:
    made = Session("ftpes" if values.get("tls") else "ftp", [Connect(HERE, Ending.OPEN)], THERE, HERE, greeting=Answer(220, ("hi",)))
    made.login = Answer(230, ("in",))
    made.passive = [one for several in passive for one in several]
    for name, value in values.items():
        setattr(made, name, value)
    return made


def look(one: Session, other: Session | None = None, **values: object) -> list[Finding]:
    return findings(Seen("h", 21, 10, one, other, **values))  # type: ignore[arg-type]


def causes(one: Session, other: Session | None = None, **values: object) -> list[Cause]:
    """The problems."""
    return [finding.cause for finding in look(one, other, **values) if finding.is_problem]


BOTH = ("LIST", "RETR")


class DataRuleTests(SynchronousTestCase):
    """Which cause is taken for which fate of data connections."""

    def test_all_is_well(self) -> None:
        """Nothing is found where nothing is the matter."""
        self.assertEqual([], look(session(went("PASV", *BOTH), went("EPSV", *BOTH))))

    def test_range_closed(self) -> None:
        """All ports at the server's own address fail."""
        found = look(session(missed("PASV", Ending.SILENT), missed("EPSV", Ending.REFUSED, port=50020)))
        self.assertEqual([Cause.RANGE_CLOSED], [finding.cause for finding in found])
        self.assertIn("50010, 50020 (no answer, connection refused)", found[0].why)

    def test_some_closed(self) -> None:
        """Some fail, and not because of the verb."""
        passive = went("PASV", "LIST"), missed("PASV", Ending.SILENT), went("EPSV", *BOTH), missed("EPSV", Ending.SILENT, port=50030)
        self.assertEqual([Cause.SOME_CLOSED], causes(session(*passive)))

    def test_wrong_address(self) -> None:
        """A 227 with a private address, told to a client outside; EPSV works or does not."""
        for others, expected in ((went("EPSV", *BOTH), "use EPSV, which works here"), ([], "use EPSV, or a client")):
            one = session(missed("PASV", Ending.NOT_TRIED, address=PRIVATE, at_peer=Ending.OPEN), others)
            found = [finding for finding in look(one) if finding.is_problem]
            self.assertEqual([Cause.WRONG_ADDRESS], [finding.cause for finding in found])
            self.assertIn(f"PASV is told {PRIVATE}, a private address, but the server is at {HERE} (port 50010 is open there)", found[0].why)
            self.assertIn(expected, found[0].cure)

    def test_wrong_address_inside(self) -> None:
        """A server that tells its external address inside, too."""
        one = session(missed("PASV", Ending.SILENT, address=HERE, at_peer=Ending.OPEN), peer=PRIVATE)
        self.assertEqual([Cause.WRONG_INSIDE], causes(one))
        self.assertEqual([Cause.WRONG_ADDRESS], causes(session(missed("PASV", Ending.NOT_TRIED, address="0.0.0.0"), peer=PRIVATE)))

    def test_altered_by_comparison(self) -> None:
        """The 227 in the clear and that under TLS name different addresses."""
        clear = session(missed("PASV", Ending.SILENT, address="192.0.2.1", at_peer=Ending.SILENT))
        self.assertEqual([Cause.WRONG_ADDRESS], causes(clear))
        self.assertEqual([Cause.ALTERED], causes(clear, session(went("PASV", *BOTH), tls=TLS)))
        # The same under TLS: nobody can have altered that.
        same = session(missed("PASV", Ending.SILENT, address="192.0.2.1"), tls=TLS)
        self.assertEqual([Cause.WRONG_ADDRESS], causes(clear, same))

    def test_altered_by_stat(self) -> None:
        """The server's STAT contradicts its 227."""
        clear = session(missed("PASV", Ending.REFUSED), went("EPSV", *BOTH), stated="the 227 names A, the server's own STAT B")
        (found,) = look(clear)
        self.assertEqual((Cause.ALTERED, True), (found.cause, found.is_problem))
        self.assertTrue(found.why.startswith("The 227 names A, the server's own STAT B."))

    def test_altered_by_ports(self) -> None:
        """EPSV's ports are open each time, those of PASV never: three times is no chance, twice may be."""
        works = went("EPSV", *BOTH)
        self.assertEqual([Cause.SOME_CLOSED], causes(session(missed("PASV", Ending.REFUSED, Ending.SILENT), works)))
        self.assertEqual([Cause.ALTERED], causes(session(missed("PASV", *[Ending.REFUSED] * 3), works)))
        elsewhere = missed("PASV", Ending.NOT_TRIED, Ending.NOT_TRIED, address=PRIVATE, at_peer=Ending.SILENT)
        self.assertEqual([Cause.WRONG_ADDRESS], causes(session(elsewhere, works)))

    def test_epsv_fails(self) -> None:
        """A filter that opens the ports of 227 and does not know 229."""
        self.assertEqual([Cause.PASV_ONLY], causes(session(went("PASV", *BOTH), missed("EPSV", *[Ending.SILENT] * 3))))

    def test_only_epsv(self) -> None:
        """PASV refused by the server."""
        refused = [Passive("PASV", Answer(502, ("no",)))]
        self.assertEqual([Cause.ONLY_EPSV], causes(session(refused, went("EPSV", *BOTH))))
        self.assertEqual([Cause.PASSIVE_REFUSED], causes(session(refused, [Passive("EPSV", Answer(500, ("no",)))])))

    def test_refused_though_offered(self) -> None:
        """What FEAT lists and is refused as unknown, is refused by somebody else."""
        one = session(went("PASV", *BOTH), [Passive("EPSV", Answer(500, ("no",)))], features=("EPSV",))
        self.assertEqual([(Cause.ANSWERED_FOR, False)], [(finding.cause, finding.is_problem) for finding in look(one)])
        self.assertEqual([Cause.UNREADABLE], causes(session([Passive("PASV", Answer(227, ("here",)))])))

    def test_filter_reads_along(self) -> None:
        """Plain works, TLS does not: whichever was asked for, the cause is the same."""
        clear = session(went("PASV", *BOTH), went("EPSV", *BOTH))
        tls = session(missed("PASV", Ending.SILENT), missed("EPSV", Ending.SILENT, port=50020), tls=TLS)
        self.assertEqual([Cause.STATEFUL_FILTER], causes(tls, clear))
        self.assertEqual([(Cause.STATEFUL_FILTER, False)], [(finding.cause, finding.is_problem) for finding in look(clear, tls)])
        self.assertEqual([Cause.RANGE_CLOSED], causes(tls))
        self.assertEqual([Cause.RANGE_CLOSED], causes(tls, session(missed("PASV", Ending.SILENT))))

    def test_killed(self) -> None:
        """A session that ends at PASV: under TLS it is a filter that cannot read, in the clear one that does not like what it reads."""
        for ending, clear in ((Ending.RESET, Cause.CUT_AT_PASSIVE), (Ending.CLOSED, Cause.CUT_AT_PASSIVE), (Ending.SILENT, Cause.SWALLOWED)):
            at = [Interruption("PASV", ending), Interruption("EPSV", ending)]
            self.assertEqual([clear], causes(session(interruptions=at)))
            self.assertEqual([Cause.CUT_UNDER_TLS], causes(session(interruptions=at, tls=TLS)))
            self.assertEqual([clear], causes(session(interruptions=at, tls=TLS), session(interruptions=at)))

    def test_killed_elsewhere(self) -> None:
        """A session that ends at another command."""
        self.assertEqual([Cause.CUT], causes(session(interruptions=[Interruption("SYST", Ending.RESET)])))
        self.assertEqual([Cause.CUT_UNDER_TLS], causes(session(interruptions=[Interruption("LIST", Ending.RESET)], tls=TLS)))

    def test_transfers(self) -> None:
        """Data connections that come up and bring nothing."""

        def one(code: int, text: str, ending: Ending = Ending.OPEN, command: str = "LIST", **values: object) -> list[Cause]:
            transfer = Transfer(command, False, answer=Answer(code, (text,)), ending=ending)
            before = went("PASV", "LIST") if command == "RETR" else []
            return causes(session(before, [Passive("PASV", Answer(227, ()), HERE, 50000, Ending.OPEN, transfer=transfer)], **values))

        self.assertEqual([Cause.TAKEN_ELSEWHERE], one(425, "No connection."))
        self.assertEqual([Cause.LIST_REFUSED], one(550, "No."))
        self.assertEqual([Cause.FETCH_REFUSED], one(550, "No.", command="RETR"))
        self.assertEqual([Cause.STALLED], one(150, "Here.", Ending.SILENT))
        self.assertEqual([Cause.DATA_TLS_DEMANDED], one(521, "PROT P required."))
        self.assertEqual([Cause.DATA_TLS_DEMANDED], one(425, "TLS session was not resumed.", Ending.RESET, tls=TLS))
        self.assertEqual([Cause.DATA_TLS_CUT], one(425, "No.", Ending.RESET, tls=TLS))

    def test_ports(self) -> None:
        """A range that was asked about: closed ports are a problem though a client gets along."""
        fine = session(went("PASV", *BOTH))
        ports = {1: PortState.OPEN, 2: PortState.CLOSED, 3: PortState.CLOSED, 4: PortState.IDLE}
        found = look(fine, scan=Scan(ports, (9,)))
        self.assertEqual([Cause.SCAN_CLOSED, Cause.OUTSIDE], [finding.cause for finding in found])
        self.assertIn("Closed: 2-3; open: 1; reached, nobody listens there at the moment: 4.", found[0].why)
        self.assertEqual([], look(fine, scan=Scan({1: PortState.OPEN, 4: PortState.IDLE})))

    def test_active(self) -> None:
        """That active mode fails is no problem."""
        active = Active("PORT", Answer(200, ("ok",)), Transfer("LIST", False, ending=Ending.SILENT, answer=Answer(425, ("no",))))
        for value, cause in ((active, Cause.ACTIVE_BLOCKED), (Active("PORT", Answer(501, ("no",))), Cause.ACTIVE_REFUSED)):
            (found,) = look(session(went("PASV", *BOTH), active=value))
            self.assertEqual((cause, False), (found.cause, found.is_problem))


ANSWERS = st.none() | st.builds(Answer, st.integers(100, 699), st.lists(st.text("aX*{}0 ", max_size=9), max_size=3).map(tuple))
ENDINGS = st.sampled_from(Ending)
TRANSFERS = st.none() | st.builds(
    Transfer,
    st.sampled_from(["LIST", "RETR"]),
    st.booleans(),
    st.integers(0, 9),
    st.booleans(),
    ANSWERS,
    ENDINGS,
    st.just("d{"),
    st.sampled_from([None, True, False]),
)
PASSIVE = st.builds(
    Passive, st.sampled_from(["PASV", "EPSV"]), ANSWERS, st.sampled_from(["", HERE, THERE, PRIVATE]), st.integers(0, 3), ENDINGS, ENDINGS, TRANSFERS
)
STOPS = st.none() | st.builds(
    Stop, st.sampled_from(["connect", "greeting", "auth", "handshake", "trust", "login", "directory"]), ENDINGS, st.sampled_from(["", "x{}"]), ANSWERS
)
CERTIFICATES = st.none() | st.builds(
    Certificate, st.just("s"), st.just(()), st.just("i"), st.just(datetime(2030, 1, 1, tzinfo=UTC)), st.integers(-9, 99), st.sampled_from(["", "no"])
)
SESSIONS = st.builds(
    Session,
    st.sampled_from(["ftp", "ftpes", "ftps"]),
    st.lists(st.builds(Connect, st.just(HERE), ENDINGS), max_size=2),
    st.just(THERE),
    st.just(HERE),
    st.booleans(),
    ANSWERS,
    st.none() | st.just(("AUTH TLS", "EPSV")),
    ANSWERS,
    st.none() | st.builds(Tls, st.just("v"), st.just("c"), CERTIFICATES, st.sampled_from(["", "bad"]), st.booleans()),
    ANSWERS,
    ANSWERS,
    STOPS,
    st.lists(PASSIVE, max_size=5),
    st.none() | st.builds(Active, st.just("PORT"), ANSWERS, TRANSFERS),
    st.lists(st.builds(Interruption, st.sampled_from(["PASV", "EPSV", "LIST", "SYST"]), ENDINGS), max_size=2),
    st.lists(ANSWERS.filter(bool), max_size=2),
    st.booleans(),
    ANSWERS,
    st.sampled_from(["", "the 227 names x, STAT y"]),
    ANSWERS,
)
SCANS = st.none() | st.builds(Scan, st.dictionaries(st.integers(1, 9), st.sampled_from(PortState)), st.sampled_from([(), (7,)]))
SEEN = st.builds(Seen, st.just("h"), st.just(21), st.just(1.0), SESSIONS, st.none() | SESSIONS, SCANS, st.sampled_from(["", "PASV"]))


class AnythingTests(SynchronousTestCase):
    """What holds whatever was seen."""

    @settings(max_examples=40)
    @given(SEEN)
    def test_findings(self, seen: Seen) -> None:
        """What does not work has a problem; each cause is named once; problems come first; all texts can be written."""
        found = findings(seen)
        if not seen.is_fine:
            self.assertTrue(any(finding.is_problem for finding in found))
        self.assertEqual(sorted(not finding.is_problem for finding in found), [not finding.is_problem for finding in found])
        own = [finding.cause for finding in found if not finding.about and finding.cause is not Cause.NO_TIME]
        self.assertEqual(len(set(own)), len(own))
        for finding in found:
            for text in (finding.title, finding.why, finding.cure):
                self.assertTrue(text)
                self.assertNotIn("None", text)

    @settings(max_examples=40)
    @given(SEEN)
    def test_report(self, seen: Seen) -> None:
        """There is always a report, it ends with the result, and no line of it has control characters."""
        lines = list(report(seen, findings(seen), "user"))
        self.assertRegex(lines[-1], r"^result: (works|only EPSV works|does not work)")
        self.assertEqual(seen.is_fine, not lines[-1].startswith("result: does not work"))
        self.assertTrue(all(part.isprintable() for line in lines for part in line.split("\n")))

    @given(st.sets(st.integers(1, 300), max_size=60))
    def test_ports_text(self, ports: set[int]) -> None:
        """Ports are named in order, as few ranges as can be."""
        text = ports_text(ports, most=300)
        named = [range(int(low), int(high or low) + 1) for low, _, high in (part.partition("-") for part in text.split(", ") if part != "none")]
        self.assertEqual(sorted(ports), [port for several in named for port in several])
        self.assertTrue(all(after.start > before.stop for before, after in zip(named, named[1:], strict=False)))


class TableTests(SynchronousTestCase):
    """The texts."""

    def test_each_has_all(self) -> None:
        """A title that fits into a line, what it means, and a cure."""
        for cause in Cause:
            self.assertTrue(all(cause.value), cause)
            self.assertLess(len(cause.value.title), 70)
            self.assertRegex(cause.value.cure, r"[.`]$")

"""``storage.listing_cache``: whatever happens, what is kept is what would be listed anew."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.support.at_once import at_once, now
from tests.support.trees import Link, open_descriptors, plant
from twistftp.policy.authorization import Rule, rules_of
from twistftp.policy.filtering import RequestFiltering
from twistftp.storage import listing as listing_module
from twistftp.storage import listing_cache as module
from twistftp.storage import mounts, rendering, statuses
from twistftp.storage.confinement import Confinement
from twistftp.storage.failures import StorageError
from twistftp.storage.filesystem import FilesystemShell
from twistftp.storage.inotify import Watches, is_local
from twistftp.storage.interfaces import ILongListing
from twistftp.storage.listing import LocalListing
from twistftp.storage.listing_cache import LIFE, SHARED, ListingCache
from twistftp.storage.restricted import RestrictedStore
from twistftp.wire.entries import ALL_FACTS, DEFAULT_FACTS
from twistftp.wire.forms import NAMES as NAMES_FORM
from twistftp.wire.forms import DosForm, FactsForm, Form
from twistftp.wire.timeval import RECENT
from twistftp.wire.unix_form import UnixForm

MEMORY = "/dev/shm"  # a disk may be waited for when a file is emptied
NEVER = 1 << 62
"""A size below which every directory is: nothing is kept."""


NOTHING = open(os.devnull, "rb")  # noqa: SIM115 (never has anything urgent to say)


class Counting(ListingCache):
    """Counts what it has given, and keeps of the smallest directory, too."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"small": -1, **options})
        self.hits = 0

    def find(self, *arguments: Any) -> Any:
        found = super().find(*arguments)
        self.hits += found is not None
        return found

    @property
    def watched(self) -> int:
        return len(self._directories)

    def overflow(self) -> None:
        """What the system says when too much has happened."""
        assert self._watches is not None
        self._watches = Forgetful(self._watches)  # type: ignore[assignment]
        self._poll = self._watches

    def check(self) -> None:
        """The counts are those of what there is."""
        counted = 0
        for place, known in self._directories.items():
            own = sum(text.octets for text in known.texts.values()) + sum(one.octets for one in known.recordings.values())
            assert own == known.octets, (own, known.octets)
            assert self._places[known.watch] == place
            assert known.is_unchanged
            for text in known.texts.values():
                assert text.octets >= sum(len(piece) if isinstance(piece, bytes) else sum(map(len, piece)) for piece in text.pieces)
            counted += own
        assert self.octets == counted <= self.most_octets, (self.octets, counted)
        assert len(self._places) == len(self._directories) <= self._most_directories


class Still(mounts.Mounts):
    """The mount table of a machine on which nobody mounts anything meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        os.dup2(NOTHING.fileno(), self._descriptor)


class Forgetful:
    """Watches that have forgotten what there was to tell."""

    def __init__(self, watches: Watches) -> None:
        self.close, self.fileno = watches.close, watches.fileno

    def poll(self, timeout: int) -> list[tuple[int, int]]:
        return [(self.fileno(), 1)]

    def ended(self) -> None:
        return None


def all_of(listing: LocalListing, form: Form | bytes) -> bytes:
    """All lines in a form, or of NLST with a prefix."""
    made = []
    while more := now(listing.next_names(form) if isinstance(form, bytes) else listing.next_lines(form)):
        made.append(more)
    listing.close()
    return b"".join(made)


def demand_inotify() -> None:
    """Skip where nothing can be kept."""
    descriptor = os.open(".", os.O_RDONLY)
    try:
        if not is_local(descriptor):
            raise SkipTest("no file system here of whose changes the system tells")
        Watches().close()
    except OSError as error:
        raise SkipTest(f"no inotify here: {error}") from None
    finally:
        os.close(descriptor)


class Cases(SynchronousTestCase):
    """A directory ``d`` of 100 files with long names and one of each other kind."""

    def setUp(self) -> None:
        demand_inotify()
        self.root = os.path.abspath(self.mktemp())
        files = {f"{number:03}-{'x' * 60}": b"1" * number for number in range(100)}
        plant(self.root, {"d": {**files, "050-dir": {"in it": b""}, "link": Link("000-to nothing")}, "e": {"a": b"", "b": b"12"}})
        self.confinement = Confinement(self.root)
        self.addCleanup(self.confinement.close)
        self.seconds = 1000.0
        self.patch(module, "monotonic", lambda: self.seconds)
        self.patch(module, "Mounts", Still)
        self.cache = Counting()
        self.addCleanup(self.cache.clear)

    def at(self, *names: str) -> str:
        return os.path.join(self.root, *names)

    def listing(self, directory: str = "d", cache: ListingCache | None = None, **options: Any) -> LocalListing:
        listing = LocalListing(self.confinement, (directory,), at_once, cache=cache or self.cache, **options)
        self.addCleanup(listing.close)
        return listing

    def anew(self, form: Form | bytes, directory: str = "d") -> bytes:
        return all_of(self.listing(directory, ListingCache(small=NEVER)), form)

    def kept(self, form: Form | bytes, directory: str = "d") -> bool:
        """List; whether what was listed had been kept. It is right in any case."""
        before = self.cache.hits
        self.assertEqual(self.anew(form, directory), all_of(self.listing(directory), form))
        self.cache.check()
        return self.cache.hits > before


class CacheTests(Cases):
    """What is kept, and for how long."""

    def test_kept(self) -> None:
        """P-LS-9: the second listing is the first; each form is kept by itself; no object but those that must be is looked at."""
        for form in (UnixForm(10**9), FactsForm(DEFAULT_FACTS), FactsForm(frozenset({"size"})), b""):
            self.assertEqual([False, True, True], [self.kept(form) for _ in range(3)])
        looked_at: list[bytes] = []
        look = rendering.look
        self.patch(rendering, "look", lambda directory, names, fields: (looked_at.extend(names), look(directory, names, fields))[1])
        all_of(self.listing(), UnixForm(10**9))
        self.assertEqual([b"050-dir", b"link"], looked_at)
        looked_at.clear()
        all_of(self.listing(), b"d/")
        self.assertEqual([], looked_at)

    def test_forms_of_one_directory(self) -> None:
        """Only so many forms of a directory are kept: the latest."""
        for hours in range(module.FORMS + 1):
            self.assertFalse(self.kept(UnixForm(10**9, hours * 3600)))
        self.assertFalse(self.kept(UnixForm(10**9)))
        self.assertTrue(self.kept(UnixForm(10**9, module.FORMS * 3600)))
        self.assertTrue(self.kept(UnixForm(10**9)))

    def test_prefix(self) -> None:
        """P-LN-2: NLST's prefix is put in front of what is kept."""
        self.kept(b"")
        self.assertTrue(self.kept(b"d/"))
        self.assertTrue(all_of(self.listing(), b"d/").startswith(b"d/000-x"))
        self.assertEqual([b"", b""], [all_of(self.listing("empty"), prefix) for prefix in (b"", b"d/")] if os.mkdir(self.at("empty")) is None else [])

    def test_ms_dos(self) -> None:
        """The other style of LIST is kept as well."""
        self.assertEqual([False, True], [self.kept(DosForm()) for _ in range(2)])

    def test_time_passes(self) -> None:
        """P-LU-6: dates that were recent get their year although nothing has changed; then those lines are kept."""
        os.utime(self.at("d", f"050-{'x' * 60}"), (10**9, 10**9))
        for when in (10**9 + RECENT - 1, 10**9 + RECENT, 10**9 - 1):
            self.assertEqual([False, True], [self.kept(UnixForm(when)) for _ in range(2)])

    def test_changes(self) -> None:
        """Any change in the directory is seen at once, and then the new listing is kept."""
        file = self.at("d", f"050-{'x' * 60}")
        for change in (
            lambda: os.truncate(file, 1),
            lambda: os.chmod(file, 0o600),
            lambda: os.rename(file, self.at("d", "z")),
            lambda: os.unlink(self.at("d", "z")),
            lambda: plant(self.at("d"), {"new": b""}),
            lambda: os.rename(self.at("e", "a"), self.at("d", "new")),
        ):
            self.kept(UnixForm(10**9))
            self.assertTrue(self.kept(UnixForm(10**9)))
            change()
            self.assertFalse(self.kept(UnixForm(10**9)))

    def test_what_may_change_elsewhere(self) -> None:
        """What changes without a word to the directory is looked at each time: directories, links, files with several names."""
        os.link(self.at("e", "b"), self.at("d", "b"))
        os.symlink("../e/a", self.at("d", "to a"))
        forms = (UnixForm(10**9), FactsForm(frozenset(ALL_FACTS)), DosForm())
        for form in forms:
            self.kept(form)
        for change in (
            lambda: plant(self.at("d", "050-dir"), {"more": b"", "sub": {}}),
            lambda: plant(self.at("e"), {"b": b"longer than it was", "a": b"longer, too"}),
            lambda: os.unlink(self.at("e", "b")),
            lambda: os.unlink(self.at("e", "a")),
        ):
            change()
            self.assertEqual([True] * 3, [self.kept(form) for form in forms])

    def test_life(self) -> None:
        """What the system does not tell at all is seen after a while: a file that was given another name and is changed under it."""
        form = UnixForm(10**9)
        self.kept(form)
        os.link(self.at("d", f"050-{'x' * 60}"), self.at("e", "other"))
        os.truncate(self.at("e", "other"), 5)
        self.seconds += LIFE + 0.1
        self.assertEqual([False, True], [self.kept(form) for _ in range(2)])

    def test_changed_while_it_is_made(self) -> None:
        """A listing during which something changes is not kept."""
        for name, value in (("_BATCH", 16), ("_STEP", 4)):
            self.patch(listing_module, name, value)
        listing, form = self.listing(), UnixForm(10**9)
        listing.next_lines(form)
        os.truncate(self.at("d", f"000-{'x' * 60}"), 5)
        all_of(listing, form)
        self.assertEqual([False, True], [self.kept(form) for _ in range(2)])

    def test_left(self) -> None:
        """A listing that is not read to its end is not kept, and leaves nothing behind."""
        listing = self.listing()
        listing.next_lines(UnixForm(10**9))
        self.assertGreater(self.cache.octets, 0)
        listing.close()
        self.assertEqual(0, self.cache.octets)
        self.assertFalse(self.kept(UnixForm(10**9)))

    def test_at_the_same_time(self) -> None:
        """Of several that make the same listing one keeps it; one that takes too long makes room for the next."""
        form = UnixForm(10**9)
        slow = self.listing()
        slow.next_lines(form)
        self.assertEqual([False, False], [self.kept(form) for _ in range(2)])
        self.seconds += LIFE + 0.1
        self.assertEqual([False, True], [self.kept(form) for _ in range(2)])
        all_of(slow, form)
        self.assertTrue(self.kept(form))

    def test_being_sent(self) -> None:
        """What is being sent is sent to its end, though something changes."""
        self.patch(listing_module, "_PORTION", 100)
        self.patch(module, "_PIECE", 100)
        form = UnixForm(10**9)
        expected = self.anew(form)
        self.kept(form)
        listing = self.listing()
        first = listing.next_lines(form)
        assert isinstance(first, bytes)
        self.cache.clear()
        plant(self.at("d"), {"a": b""})
        self.assertEqual(expected, first + all_of(listing, form))

    def test_slow_disk(self) -> None:
        """What must be looked at is looked at in a thread where that takes long."""
        plant(self.at("d"), {f"dir{number:03}": {} for number in range(200)})
        form = UnixForm(10**9)
        self.assertFalse(self.kept(form))
        self.patch(listing_module, "_PATIENCE", -1.0)
        calls: list[object] = []

        def in_thread(function: Any, *arguments: Any) -> Any:
            calls.append(function)
            return at_once(function, *arguments)

        listing = LocalListing(self.confinement, ("d",), in_thread, cache=self.cache)
        self.assertEqual(self.anew(form), all_of(listing, form))
        self.assertEqual(1, self.cache.hits)
        self.assertGreater(len(calls), 2)

    def test_other_directory_under_the_name(self) -> None:
        """Directories are known by themselves, not by their names."""
        form = UnixForm(10**9)
        self.kept(form)
        os.rename(self.at("d"), self.at("x"))
        os.rename(self.at("e"), self.at("d"))
        self.assertFalse(self.kept(form))
        self.assertTrue(self.kept(form, "x"))
        shutil.rmtree(self.at("x"))
        plant(self.at("x"), {"only": b""})
        self.assertFalse(self.kept(form, "x"))

    def test_rights(self) -> None:
        """P-ML-5: who may do other things gets other facts."""
        form = FactsForm(DEFAULT_FACTS)
        for options in ({"writable": True}, {"writable": False}):
            first, second = (all_of(self.listing(**options), form) for _ in range(2))
            self.assertEqual((first, options["writable"]), (second, b"perm=adfrw;" in first))
        self.assertEqual(2, self.cache.hits)

    def test_unreadable(self) -> None:
        """An object that could not be looked at is looked at each time."""
        lstat, is_broken = os.lstat, True

        def look(name: Any, **options: Any) -> Any:
            if is_broken and name == f"050-{'x' * 60}".encode():
                raise OSError
            return lstat(name, **options)

        self.patch(os, "lstat", look)
        self.patch(statuses, "_statx", None)
        for form in (UnixForm(10**9), FactsForm(DEFAULT_FACTS), DosForm()):
            is_broken = True
            self.assertFalse(self.kept(form))
            is_broken = False
            self.assertTrue(self.kept(form))


class BoundsTests(Cases):
    """What is kept is bounded, and where nothing can be kept nothing is."""

    def test_octets(self) -> None:
        """The directories used last are kept, as far as there is room."""
        plant(self.root, {f"dir{number}": {f"{n:03}-{'y' * 50}": b"" for n in range(50)} for number in range(20)})
        form = UnixForm(10**9)
        one = len(self.anew(form, "dir0"))
        self.cache = Counting(octets=one * 5)
        self.addCleanup(self.cache.clear)
        for number in range(20):
            self.kept(form, f"dir{number}")
            self.assertEqual(number >= 1, self.kept(form, "dir0") if number else self.kept(form, "d"))
        self.assertEqual((True, True, False), tuple(self.kept(form, name) for name in ("dir0", "dir19", "dir3")))
        self.assertLess(self.cache.watched, 6)

    def test_memory(self) -> None:
        """The octets that are counted are not fewer than those that are taken from the system, be it for lines or for names alone."""
        plant(self.root, {f"dir{number}": {f"{n:03}-{'y' * 20}": ({}, b"")[number % 2] for n in range(200)} for number in range(16)})
        self.cache = Counting(octets=40_000)
        self.addCleanup(self.cache.clear)
        forms = (UnixForm(10**9), FactsForm(DEFAULT_FACTS), b"")

        def list_all() -> None:
            for number, form in itertools.product(range(16), forms):
                all_of(LocalListing(self.confinement, (f"dir{number}",), at_once, cache=self.cache), form)

        list_all()  # whatever else is remembered of directories is remembered now
        self.cache.clear()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before = tracemalloc.get_traced_memory()[0]
        list_all()
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] - before
        self.assertGreater(self.cache.octets, 20_000)
        self.assertLess(taken, self.cache.octets + 10_000, tracemalloc.take_snapshot().statistics("lineno")[:9])

    def test_too_much_for_one(self) -> None:
        """A listing longer than half of the room is not kept, and drives nothing out but what it took for the while."""
        form = UnixForm(10**9)
        self.cache = Counting(octets=len(self.anew(form)))
        self.addCleanup(self.cache.clear)
        self.kept(form, "e")
        self.assertEqual([False, False], [self.kept(form) for _ in range(2)])
        self.assertTrue(self.kept(form, "e"))

    def test_forms_and_octets(self) -> None:
        """Several forms of one directory find their room in it, too."""
        form = UnixForm(10**9)
        self.cache = Counting(octets=len(self.anew(form)) * 5 // 2)
        self.addCleanup(self.cache.clear)
        for hours in range(5):
            self.kept(UnixForm(10**9, 3600 * hours))
        self.assertTrue(self.kept(form))

    def test_recordings_at_the_same_time(self) -> None:
        """What is being made is counted."""
        plant(self.root, {f"dir{number}": {f"{n:03}-{'y' * 50}": b"" for n in range(300)} for number in range(8)})
        form = UnixForm(10**9)
        self.cache = Counting(octets=len(self.anew(form, "dir0")) * 3)
        self.addCleanup(self.cache.clear)
        listings = [self.listing(f"dir{number}") for number in range(8)]
        while any(list(map(now, [listing.next_lines(form) for listing in listings]))):
            self.cache.check()
        self.cache.check()

    def test_watches(self) -> None:
        """Only so many directories are watched, the ones used last; those forgotten by us are forgotten by the system."""
        self.cache = Counting(directories=3)
        self.addCleanup(self.cache.clear)
        plant(self.root, {f"dir{number}": {"a": b""} for number in range(9)})
        before = open_descriptors()
        for number in range(9):
            self.kept(b"", f"dir{number}")
        self.assertEqual((3, 2), (self.cache.watched, open_descriptors() - before))  # the watches and the mount table
        assert self.cache._watches is not None
        with open(f"/proc/self/fdinfo/{self.cache._watches._descriptor}") as info:
            self.assertEqual(3, sum(line.startswith("inotify ") for line in info))
        self.assertEqual([True] * 3 + [False], [self.kept(b"", f"dir{number}") for number in (8, 7, 6, 0)])

    def test_limit(self) -> None:
        """The limit can be changed: 0 is nothing at all, and what it was leaves all as it is."""
        before = open_descriptors()
        self.assertEqual([False, True], [self.kept(b"") for _ in range(2)])
        self.cache.limit(module.OCTETS)
        self.assertTrue(self.kept(b""))
        self.cache.limit(0)
        self.assertEqual(([False] * 3, 0, before), ([self.kept(b"") for _ in range(3)], self.cache.watched, open_descriptors()))
        self.cache.limit(100_000)
        self.assertEqual([False, True], [self.kept(b"") for _ in range(2)])

    def test_fork(self) -> None:
        """A child process does not read its parent's events."""
        program = (
            "import os, sys\nfrom twistftp.storage.listing_cache import SHARED\n"
            "SHARED._small, directory = -1, os.open('.', os.O_RDONLY)\n"
            "SHARED.record(directory, os.fstat(directory), 'form')\n"
            "print(len(SHARED._directories), SHARED._watches is not None, flush=True)\n"
            "if not os.fork():\n    print(len(SHARED._directories), SHARED._watches is not None, flush=True)\n    os._exit(0)\n"
            "os.wait()\nopen('new', 'w').close()\nSHARED.find(directory, os.fstat(directory), 'form', 0)\n"
            "print(len(SHARED._directories), SHARED._watches is not None)\n"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment, cwd=self.root)
        self.assertEqual(("1 True\n0 False\n0 True\n", ""), (done.stdout, done.stderr))

    def test_small(self) -> None:
        """A directory of one block is not worth a watch."""
        self.cache = Counting(small=module.SMALL)
        self.assertEqual(([False] * 3, 0), ([self.kept(b"", "e") for _ in range(3)], self.cache.watched))
        size = os.stat(self.at("d")).st_size
        self.assertEqual([False, size > module.SMALL], [self.kept(b"") for _ in range(2)])
        self.cache.clear()

    def test_no_watches(self) -> None:
        """Where the system refuses a watch, listings are what they always are, and it is asked again after a while."""
        asked: list[int] = []

        def refuse(self: Watches, directory: int) -> int:
            asked.append(directory)
            raise OSError(28, "No space left on device")

        with self.subTest("refused"):
            patched = self.patch(Watches, "watch", refuse)
            self.assertEqual([False] * 3, [self.kept(b"") for _ in range(3)])
            self.assertEqual(1, len(asked))
        patched.restore()
        self.assertEqual([False] * 2, [self.kept(b"") for _ in range(2)])
        self.seconds += 61
        self.assertEqual([False, True], [self.kept(b"") for _ in range(2)])

    def test_no_inotify(self) -> None:
        """Nor where there is none at all."""

        def none() -> None:
            raise OSError(38, "Function not implemented")

        self.patch(module, "Watches", none)
        self.assertEqual([False] * 3, [self.kept(UnixForm(0)) for _ in range(3)])

    def test_file_systems_that_change_elsewhere(self) -> None:
        """Of those that others change nothing is kept."""
        self.patch(mounts, "is_local", lambda descriptor: False)
        self.assertEqual(([False] * 3, 0), ([self.kept(UnixForm(0)) for _ in range(3)], self.cache.watched))

    def test_overflow(self) -> None:
        """When the system cannot tell what has happened, anything may have."""
        self.kept(b"")
        recording = self.listing("e")
        recording.next_lines(UnixForm(0))
        self.cache.overflow()
        self.assertFalse(self.kept(b""))
        all_of(recording, UnixForm(0))
        self.assertEqual([True, False, True], [self.kept(b""), self.kept(UnixForm(0), "e"), self.kept(UnixForm(0), "e")])

    def test_without_descriptors(self) -> None:
        """Where directories have no descriptors nothing is kept."""
        confinement = Confinement(self.root, use_descriptors=False)
        for _ in range(2):
            self.assertEqual(self.anew(b""), all_of(LocalListing(confinement, ("d",), at_once, cache=self.cache), b""))
        self.assertEqual(0, self.cache.hits)


READ_ALL, WRITE_ALL = Rule("allow", ("*",), ("read",)), Rule("allow", ("*",), ("read", "write"))
USERS: tuple[tuple[bool, tuple[Rule, ...], RequestFiltering], ...] = (
    (False, (READ_ALL,), RequestFiltering()),
    (True, (WRITE_ALL,), RequestFiltering()),
    (True, (READ_ALL,), RequestFiltering()),
    (True, (WRITE_ALL,), RequestFiltering(hidden_segments=("a",))),
    (True, (WRITE_ALL,), RequestFiltering(denied_extensions=(".x",))),
    (True, (Rule("deny", ("*",), ("read",), "/d/b.x"), WRITE_ALL), RequestFiltering()),
    (True, (Rule("deny", ("*",), ("write",), "/d"), WRITE_ALL), RequestFiltering()),
    (True, (Rule("allow", ("*",), ("write",)),), RequestFiltering()),
)


class UsersTests(SynchronousTestCase):
    """One directory, and users with rules and filters of their own."""

    def setUp(self) -> None:
        demand_inotify()
        self.patch(SHARED, "_small", -1)
        self.addCleanup(SHARED.clear)
        root = os.path.abspath(self.mktemp())
        plant(root, {"d": {"a": b"1", "b.x": b"22", "c": {}, "link": Link("b.x"), "gone": Link("nowhere")}})
        self.file = os.path.join(root, "d", "a")
        confinement = Confinement(root)
        self.addCleanup(confinement.close)
        self.stores = [
            RestrictedStore(FilesystemShell(confinement, at_once, writable=writable), rules_of(rules, (), "alice"), filtering)
            for writable, rules, filtering in USERS
        ]

    def seen(self, user: int, form: Form) -> bytes | str:
        """A listing as the verbs ask for it, or why there is none."""
        try:
            listing = self.stores[user].listing(("d",))
        except StorageError as error:
            return type(error).__name__
        if ILongListing.providedBy(listing):
            return all_of(listing, form)
        lines = []
        while batch := now(listing.next_batch()):
            lines.append(form.lines(batch))
        listing.close()
        return b"".join(lines)

    def test_users(self) -> None:
        """P-LS-9, P-ML-5: each sees what would be listed anew for them, whoever has listed before."""
        forms = (UnixForm(10**9), FactsForm(frozenset(ALL_FACTS)), FactsForm(frozenset({"perm"})), NAMES_FORM)
        expected: dict[tuple[int, int], bytes | str] = {}
        for size in (5, 6):
            os.truncate(self.file, size)
            for user, number in itertools.product(range(len(USERS)), range(len(forms))):
                SHARED.clear()
                expected[user, number] = self.seen(user, forms[number])
            if size == 5:
                first = dict(expected)
            self.assertGreater(len(set(expected.values())), 8)
            orders = itertools.product(range(len(forms)), range(len(USERS)), range(len(USERS)))
            for number, one, other in orders:
                SHARED.clear()
                for who in (one, other, one, other):
                    self.assertEqual(expected[who, number], self.seen(who, forms[number]))
        self.assertNotEqual(first, expected)


NAME_LIST = [f"{letter}{'n' * 40}" for letter in "abcdef"]
NAMES = st.sampled_from(NAME_LIST)
DIRECTORIES = st.sampled_from(("d", "e"))
TIMES = st.sampled_from((0, 10**9, 10**9 - RECENT, 10**9 - RECENT + 1, 10**9 + 1))
FORMS = st.one_of(
    st.builds(UnixForm, st.sampled_from((10**9, 10**9 + 1, 10**9 + 2, 2 * 10**9)), st.sampled_from((0, 7200))),
    st.builds(FactsForm, st.sampled_from((DEFAULT_FACTS, frozenset(ALL_FACTS), frozenset({"perm"}))), st.sampled_from(({}, {ord("w"): None}))),
    st.builds(DosForm),
    st.sampled_from((b"", b"d/")),
)


class Machine(RuleBasedStateMachine):
    """
    Two directories in which everything happens, listed in all ways in between; some listings stay half read for a while.

    The model is a listing that keeps nothing. In half of the runs all is listed after every step, so that each meets what was kept before it. What
    the system does not tell of (a file of one name gets another in another directory) is followed by ``LIFE`` seconds.
    """

    hits = 0
    is_eager = False

    def __init__(self) -> None:
        super().__init__()
        self.root = tempfile.mkdtemp(dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
        a, b, c, d, e, f = NAME_LIST
        plant(self.root, {"d": {a: b"", b: b"1", c: {}, d: Link(b), e: Link(c)}, "e": {a: b"22", b: {"in it": b""}, e: Link("none"), f: Link(a)}})
        os.link(self.at("e", a), self.at("d", f))
        self.confinement = Confinement(self.root)
        self.cache = Counting(octets=30000, directories=3)
        self.fresh = itertools.count()
        self.begun: list[tuple[LocalListing, Form | bytes]] = []

    def teardown(self) -> None:
        for listing, _ in self.begun:
            listing.close()
        type(self).hits += self.cache.hits
        self.cache.clear()
        self.confinement.close()
        shutil.rmtree(self.root)

    def at(self, *names: str) -> str:
        return os.path.join(self.root, *names)

    def wait(self) -> None:
        """A time after which nothing that is kept now is used."""
        for known in self.cache._directories.values():
            for one in (*known.texts.values(), *known.recordings.values()):
                one.began -= LIFE + 1

    def listing(self, directory: str, cache: ListingCache, *, writable: bool) -> LocalListing:
        return LocalListing(self.confinement, (directory,), at_once, writable, cache)

    @initialize(is_eager=st.booleans())
    def begin_eager(self, is_eager: bool) -> None:
        self.is_eager = is_eager
        if not is_eager:
            self.cache = Counting(octets=3000, directories=3)

    @rule(directory=DIRECTORIES, form=FORMS, writable=st.booleans())
    def list(self, directory: str, form: Form | bytes, writable: bool) -> None:
        expected = all_of(self.listing(directory, ListingCache(small=NEVER), writable=writable), form)
        first = all_of(self.listing(directory, self.cache, writable=writable), form)
        again = all_of(self.listing(directory, self.cache, writable=writable), form)
        assert first == again == expected, (directory, expected, first, again)

    @rule(directory=DIRECTORIES, form=FORMS)
    def begin(self, directory: str, form: Form | bytes) -> None:
        listing = self.listing(directory, self.cache, writable=False)
        now(listing.next_names(form) if isinstance(form, bytes) else listing.next_lines(form))
        self.begun.append((listing, form))

    @rule(whole=st.booleans())
    def end(self, whole: bool) -> None:
        if self.begun:
            listing, form = self.begun.pop(0)
            if whole:
                all_of(listing, form)
            listing.close()

    @rule(directory=DIRECTORIES, name=NAMES, size=st.integers(0, 99))
    def write(self, directory: str, name: str, size: int) -> None:
        try:
            with open(self.at(directory, name), "wb") as file:
                file.write(b"x" * size)
        except OSError:
            pass

    @rule(directory=DIRECTORIES, name=NAMES, size=st.integers(0, 99))
    def truncate(self, directory: str, name: str, size: int) -> None:
        self.try_to(os.truncate, self.at(directory, name), size)

    @rule(directory=DIRECTORIES, name=NAMES, mode=st.sampled_from((0o644, 0o600, 0o755)))
    def chmod(self, directory: str, name: str, mode: int) -> None:
        self.try_to(os.chmod, self.at(directory, name), mode)

    @rule(directory=DIRECTORIES, mode=st.sampled_from((0o755, 0o700, 0o555)))
    def chmod_directory(self, directory: str, mode: int) -> None:
        os.chmod(self.at(directory), mode)

    @rule(directory=DIRECTORIES, name=NAMES, seconds=TIMES)
    def set_time(self, directory: str, name: str, seconds: int) -> None:
        self.try_to(os.utime, self.at(directory, name), (seconds, seconds))

    @rule(directory=DIRECTORIES, name=NAMES, to=DIRECTORIES, new=NAMES)
    def rename(self, directory: str, name: str, to: str, new: str) -> None:
        self.try_to(os.rename, self.at(directory, name), self.at(to, new))

    @rule(directory=DIRECTORIES, name=NAMES)
    def delete(self, directory: str, name: str) -> None:
        path = self.at(directory, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            self.try_to(os.unlink, path)

    @rule(directory=DIRECTORIES, name=NAMES)
    def make_directory(self, directory: str, name: str) -> None:
        self.try_to(os.mkdir, self.at(directory, name))

    @rule(directory=DIRECTORIES, name=NAMES, seconds=TIMES, is_directory=st.booleans())
    def change_below(self, directory: str, name: str, seconds: int, is_directory: bool) -> None:
        below = self.at(directory, name, f"below{next(self.fresh)}")
        if os.path.isdir(self.at(directory, name)):
            (os.mkdir if is_directory else lambda path: open(path, "w").close())(below)
            os.utime(self.at(directory, name), (seconds, seconds))

    @rule(directory=DIRECTORIES, name=NAMES, to=st.one_of(NAMES, st.just(".."), st.builds("../d/{}".format, NAMES)))
    def link(self, directory: str, name: str, to: str) -> None:
        """Make a symbolic link, or let one lead elsewhere."""
        path = self.at(directory, name)
        if os.path.islink(path):
            os.unlink(path)
        self.try_to(os.symlink, to, path)

    @rule(directory=DIRECTORIES, name=NAMES, to=DIRECTORIES, new=NAMES)
    def give_another_name(self, directory: str, name: str, to: str, new: str) -> None:
        self.try_to(lambda: os.link(self.at(directory, name), self.at(to, new), follow_symlinks=False))
        if to != directory:
            self.wait()

    @rule()
    def swap(self) -> None:
        """Each directory gets the other's name."""
        os.rename(self.at("d"), self.at("x"))
        os.rename(self.at("e"), self.at("d"))
        os.rename(self.at("x"), self.at("e"))

    @rule(directory=DIRECTORIES)
    def replace(self, directory: str) -> None:
        """Another one, with the same names in it."""
        os.rename(self.at(directory), self.at("x"))
        os.mkdir(self.at(directory))
        for name in os.listdir(self.at("x")):
            open(self.at(directory, name), "w").close()
        shutil.rmtree(self.at("x"))

    @rule()
    def overflow(self) -> None:
        if self.cache._watches is not None:
            self.cache.overflow()

    @rule(name=NAMES, size=st.integers(1, 99))
    def write_later(self, name: str, size: int) -> None:
        """An open file is renamed and written to."""
        path = self.at("d", name)
        if os.path.isfile(path) and not os.path.islink(path) and not os.path.isdir(self.at("e", name)):
            with open(path, "ab", 0) as file:
                os.rename(path, self.at("e", name))
                file.write(b"y" * size)

    def try_to(self, function: Any, *arguments: Any) -> None:
        try:
            function(*arguments)
        except OSError:
            pass

    @invariant()
    def all_is_right(self) -> None:
        if self.is_eager:
            forms = (UnixForm(10**9), UnixForm(10**9 + next(self.fresh) % 2), FactsForm(DEFAULT_FACTS), b"")
            for directory, form, writable in itertools.product(("d", "e"), forms, (True, False)):
                self.list(directory, form, writable)
        self.cache.check()


class MachineTests(SynchronousTestCase):
    """Anything may happen."""

    def test_machine(self) -> None:
        """P-LS-9: what is kept is what would be listed anew, whatever happens in between."""
        demand_inotify()
        for name, value in (("_BATCH", 3), ("_STEP", 1), ("_PORTION", 100)):
            self.patch(listing_module, name, value)
        self.patch(module, "_PIECE", 100)
        examples = settings.default.max_examples // 3
        run_state_machine_as_test(
            Machine, settings=settings(max_examples=examples, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow])
        )
        self.assertGreater(Machine.hits, 100)

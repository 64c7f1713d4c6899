"""Tests of ``storage.restricted``: the one place that all operations on a path go through."""

from __future__ import annotations

import gc
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from hypothesis import example, given
from hypothesis.strategies import builds, dictionaries, lists, recursive, sampled_from
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.support.at_once import at_once, now
from tests.support.memory import MemoryStore
from tests.support.trees import Link, open_descriptors, plant
from twistftp.policy.authorization import DEFAULT_RULES, Permission, Rule, UserRules, rules_of
from twistftp.policy.denials import Reason
from twistftp.policy.filtering import RequestFiltering
from twistftp.policy.rule_text import parse_rule
from twistftp.storage.confinement import Confinement
from twistftp.storage.failures import NotFound, PermissionDenied, ReadFailed, StorageError
from twistftp.storage.filesystem import FilesystemShell
from twistftp.storage.interfaces import IFileStore, ILongListing
from twistftp.storage.operations import CHANGES
from twistftp.storage.refusals import Denied, NameRefused, Refused, TooLarge
from twistftp.storage.restricted import RestrictedStore
from twistftp.wire.entries import Entry
from twistftp.wire.paths import Path, join, resolve
from twistftp.wire.unix_form import UnixForm

READ, WRITE = Permission.READ, Permission.WRITE
TREE: Mapping[str, Any] = {
    "pub": {"a.txt": b"a", "b.EXE": b"b", ".git": {"config": b"c"}, "in": {"up": b"u"}},
    "secret": {"plan": b"p", "open": {"x": b"x"}},
    "readme": b"r",
}


OPTIONS: dict[str, dict[str, Any]] = {
    "open_upload": {"offset": None, "in_place": True, "is_part": False},
    "open_unique": {"in_place": True},
    "move": {"replace": True},
}


def rules(*texts: str, user: str | None = "alice") -> UserRules:
    """Rules by their texts; a leading ``!`` forbids."""
    parsed = tuple(parse_rule("deny" if text.startswith("!") else "allow", text.lstrip("!")) for text in texts)
    return rules_of(parsed, (), user)


class ChangingStore(MemoryStore):
    """A store that remembers what it was told to change."""

    def __init__(self, tree: Mapping[str, Any]) -> None:
        super().__init__(tree)
        self.done: list[tuple[Any, ...]] = []
        self.writable = self.appendable = self.changes_times = True
        self.changes_modes = False

    def read_upload(self, path: Any) -> str:
        return "arrived so far"

    def free_space(self, path: Any) -> int:
        return 7

    def format_the_disk(self) -> None:
        raise AssertionError("nobody may")


def change(name: str) -> Any:
    """A method that remembers that it was called."""
    return lambda self, *arguments, **options: self.done.append((name, *arguments, *options.items())) or "done"


for name in CHANGES:
    setattr(ChangingStore, name, change(name))


class Upload:
    """Something that is being uploaded, from an offset on."""

    takes_pipes = True

    def __init__(self, offset: int) -> None:
        self.offset, self.octets = offset, 0
        self.write = self.take = lambda *given: "taken"
        self.finish, self.abandon = (lambda: "finished"), (lambda: "abandoned")


def everything(tree: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every object of a tree."""
    yield path, tree
    for name, node in tree.items():
        if isinstance(node, Mapping):
            yield from everything(node, (*path, name))
        else:
            yield (*path, name), node


def names_in(store: Any, *path: str) -> list[str]:
    """What a listing shows."""
    listing, names = store.listing(path), []
    while batch := now(listing.next_batch()):
        names += [entry.name for entry in batch]
    listing.close()
    return names


class Case(SynchronousTestCase):
    """Helpers."""

    def refused(self, reason: Reason, function: Any, *arguments: Any, kind: type[Exception] = Denied) -> Denied:
        error = self.assertRaises(kind, function, *arguments)
        self.assertIsInstance(error, Denied)
        self.assertIs(reason, error.denial.reason)
        return error  # type: ignore[no-any-return]

    def restricted(self, *texts: str, user: str | None = "alice", tree: Mapping[str, Any] = TREE, **filters: Any) -> Any:
        self.store = ChangingStore(tree)
        return RestrictedStore(self.store, rules(*texts, user=user), RequestFiltering(**filters))


class ReadingTests(Case):
    """What may be read."""

    def test_interface(self) -> None:
        """It is a store like the one behind it."""
        store = self.restricted("*:read")
        verifyObject(IFileStore, store)
        self.assertEqual((True, self.store.facts), (store.restartable, store.facts))

    def test_denied_directory(self) -> None:
        """P-SEC-20: what may not be read is refused whether it is there or not, and left out of its parent's listing."""
        store = self.restricted("!*:read,write:/secret", "*:read")
        for path in (("secret",), ("secret", "plan"), ("secret", "nothing"), ("secret", "open", "x")):
            for operation in (store.status, store.listing, store.open_file):
                error = self.refused(Reason.RULE_DENIED, operation, path, kind=Refused)
                self.assertEqual("authorization rule 1 (deny *:read,write:/secret)", error.denial.why)
        self.assertEqual(["pub", "readme"], names_in(store))
        self.assertEqual([], self.store.open)

    def test_only_below(self) -> None:
        """On the way to what is allowed, nothing else is shown, and files on the way cannot be read."""
        store = self.restricted("*:read:/secret/open")
        self.assertEqual(["secret"], names_in(store))
        self.assertEqual(["open"], names_in(store, "secret"))
        self.assertEqual(["x"], names_in(store, "secret", "open"))
        self.assertTrue(store.status(("secret",)).is_directory)
        self.refused(Reason.NO_RULE, store.open_file, ("readme",))
        self.refused(Reason.NO_RULE, store.status, ("secret", "plan"))
        self.refused(Reason.NO_RULE, store.status, ("secret", "nothing"))

    def test_drop_box(self) -> None:
        """P-SEC-7: an upload area that cannot be read can be entered; what is in it is neither listed nor known."""
        store = self.restricted("!*:read:/pub/in", "*:read", "*:write:/pub/in")
        entry = store.status(("pub", "in"))
        self.assertEqual((True, "e"), (entry.is_directory, entry.perm))
        self.refused(Reason.RULE_DENIED, store.listing, ("pub", "in"))
        for name in ("up", "nothing"):
            self.refused(Reason.RULE_DENIED, store.status, ("pub", "in", name))
            self.refused(Reason.RULE_DENIED, store.open_file, ("pub", "in", name))
        self.assertIn("in", names_in(store, "pub"))

    def test_writing_alone(self) -> None:
        """Who may only write has no right to list in any perm fact."""
        store = self.restricted("*:write")
        self.store.permissions = {(): "cmpdfel"}
        self.assertEqual("cmpdfe", store.status(()).perm)
        self.refused(Reason.NO_RULE, store.listing, ())

    def test_hidden_segments(self) -> None:
        """P-SEC-20: hidden names are not there, whatever the case, and are in no listing."""
        store = self.restricted("*:read,write", hidden_segments=(".GIT", "secret"))
        for path in ((".git",), ("pub", ".git"), ("pub", ".git", "config"), ("pub", ".Git", "nothing")):
            for operation in (store.status, store.listing, store.open_file, store.open_upload, store.remove_file):
                self.refused(Reason.HIDDEN_SEGMENT, operation, path, kind=NotFound)
        self.assertEqual(["pub", "readme"], names_in(store))
        self.assertEqual(["a.txt", "b.EXE", "in"], names_in(store, "pub"))

    def test_extensions(self) -> None:
        """Files of a denied type are listed, without the right to read them, and refused; directories are none."""
        tree = {"x.exe": b"x", "d.exe": {"y": b"y"}}
        store = self.restricted("*:read", tree=tree, denied_extensions=("exe",))
        self.refused(Reason.EXTENSION, store.open_file, ("x.exe",), kind=PermissionDenied)
        self.refused(Reason.EXTENSION, store.status, ("x.exe",))
        self.assertTrue(store.status(("d.exe",)).is_directory)
        store.open_file(("d.exe", "y")).close()
        listing = store.listing(())
        self.assertEqual([("d.exe", "el"), ("x.exe", "")], [(entry.name, entry.perm) for entry in listing.next_batch()])
        listing.close()

    def test_sequences_and_lengths(self) -> None:
        """Paths that are refused for what is in them."""
        store = self.restricted("*:read", deny_url_sequences=("/open",), max_url=40)
        self.refused(Reason.URL_SEQUENCE, store.status, ("secret", "open", "x"), kind=Refused)
        self.refused(Reason.URL_LENGTH, store.status, ("secret", "x" * 40))
        store.open_file(("secret", "plan")).close()

    def test_what_is_missing_is_missing(self) -> None:
        """Where reading is allowed, the store behind gives the answer."""
        store = self.restricted("*:read")
        error = self.assertRaises(NotFound, store.status, ("nothing",))
        self.assertNotIsInstance(error, Denied)

    def test_deferred(self) -> None:
        """Stores that take their time are asked for the same, and their answers looked at when they come."""
        store = self.restricted("!*:read:/secret/plan", "*:read", "*:write:/pub/in", denied_extensions=("exe",))
        self.store.is_slow = True
        good, bad = store.status(("readme",)), store.status(("pub", "b.EXE"))
        self.store.release()
        self.assertEqual("readme", self.successResultOf(good).name)
        self.failureResultOf(bad, Refused)
        missing = self.restricted("*:write:/pub")
        self.store.is_slow = True
        gone, there = missing.status(("pub", "gone")), missing.status(("pub", "in"))
        self.store.release()
        self.failureResultOf(gone, Refused)
        self.assertTrue(self.successResultOf(there).is_directory)
        store = self.restricted("!*:read:/secret/plan", "*:read", "*:write:/pub/in", denied_extensions=("exe",))
        self.store.is_slow = True
        listing = store.listing(("secret",))
        self.store.release()
        opened = self.successResultOf(listing)
        batch = opened.next_batch()
        self.assertIsInstance(batch, Deferred)
        self.store.release()
        self.assertEqual(["open"], [entry.name for entry in self.successResultOf(batch)])
        opened.close()

    def test_a_batch_of_which_nothing_is_shown(self) -> None:
        """An empty batch would be the end of a listing."""
        for is_slow in (False, True):
            tree = {**{f"a{number}": b"" for number in range(10)}, "z": b""}
            store = self.restricted(*(f"!*:read:/a{number}" for number in range(10)), "*:read", tree=tree)
            listing = store.listing(())
            self.store.is_slow = is_slow
            batch = listing.next_batch()
            while self.store.waiting:
                self.store.release()
            entries = self.successResultOf(batch) if is_slow else batch
            self.assertEqual(["z"], [entry.name for entry in entries])


class ChangingTests(Case):
    """What may be written."""

    def test_abilities(self) -> None:
        """It says what the store behind can do, and that it can do nothing where the rules let nothing be written."""
        for texts, writable in ((("*:read",), False), (("*:read", "*:write:/in"), True), (("*:read,write",), True)):
            store = self.restricted(*texts)
            self.assertEqual((writable, True, True, False), (store.writable, store.appendable, store.changes_times, store.changes_modes))
        plain = RestrictedStore(MemoryStore(TREE), rules("*:read,write"), RequestFiltering())
        self.assertFalse(plain.writable)

    def test_the_rest_cannot_be_reached(self) -> None:
        """A method of the store behind that no table has is not there."""
        self.assertFalse(hasattr(self.restricted("*:read,write"), "format_the_disk"))

    def test_what_arrives(self) -> None:
        """An upload under way is read by those who may read the file, free space is told to those who may know of the directory."""
        store = self.restricted("!*:read:/secret", "*:read", denied_extensions=("exe",))
        self.assertEqual(("arrived so far", 7), (store.read_upload(("readme",)), store.free_space(("pub",))))
        self.refused(Reason.RULE_DENIED, store.read_upload, ("secret", "plan"))
        self.refused(Reason.EXTENSION, store.read_upload, ("x.exe",))
        self.refused(Reason.RULE_DENIED, store.free_space, ("secret",))

    def test_uploads_that_get_too_large(self) -> None:
        """The write with which a file would get larger than the limit is refused, wherever it began; without a limit nothing stands between."""
        store = self.restricted("*:read,write", max_content_length=10)
        for octets, is_allowed in ((6, True), (7, False)):
            self.store.__dict__["open_upload"] = lambda path: Upload(4)
            upload = store.open_upload(("new",))
            for write in (upload.write, lambda data, upload=upload: upload.take("pipe", len(data))):
                if is_allowed:
                    self.assertEqual("taken", write(b"x" * octets))
                else:
                    self.refused(Reason.CONTENT_LENGTH, write, b"x" * octets, kind=TooLarge)
            self.assertEqual((4, 0, True, "finished", "abandoned"),
                             (upload.offset, upload.octets, upload.takes_pipes, upload.finish(), upload.abandon()))
        store = self.restricted("*:read", "*:write:/in")
        self.store.__dict__["open_upload"] = lambda path: Upload(4)
        self.assertIsInstance(store.open_upload(("in", "new")), Upload)

    def test_every_change_needs_the_right(self) -> None:
        """Each method of the table is refused where writing is not allowed, and done where it is."""
        store = self.restricted("!*:write:/secret", "*:read,write")
        for name, change in CHANGES.items():
            good, bad = ("pub", "new"), ("secret", "new")
            more, options = ((7,), {}) if name.startswith("set_") else ((), OPTIONS.get(name, {}))
            for paths in [(bad, good), (good, bad)] if change.paths == 2 else [(bad,)]:
                self.refused(Reason.RULE_DENIED, lambda: getattr(store, name)(*paths, *more, **options))
            self.assertEqual([], self.store.done)
            goods = [good, ("pub", "other")][: change.paths]
            self.assertEqual("done", getattr(store, name)(*goods, *more, **options))
            self.assertEqual([(name, *goods, *more, *options.items())], self.store.done)
            self.store.done.clear()

    def test_defaults(self) -> None:
        """P-SEC-7: under the default rules anonymous users change nothing."""
        store = RestrictedStore(ChangingStore(TREE), rules_of(DEFAULT_RULES, (), None), RequestFiltering())
        for name, change in CHANGES.items():
            self.refused(Reason.RULE_DENIED, getattr(store, name), *[("x",)] * change.paths, *[0] * name.startswith("set_"))

    def test_new_names(self) -> None:
        """P-TEXT-24: a name that may not be made is the name's fault (553); of files alone are extensions looked at."""
        store = self.restricted("*:read,write", denied_extensions=("exe",), max_url=32)
        self.refused(Reason.EXTENSION, store.open_upload, ("x.exe",), kind=NameRefused)
        self.refused(Reason.EXTENSION, store.move, ("readme",), ("x.exe",), kind=NameRefused)
        self.refused(Reason.URL_LENGTH, store.make_directory, ("x" * 32,), kind=NameRefused)
        self.refused(Reason.EXTENSION, store.remove_file, ("pub", "b.EXE"), kind=Refused)
        self.assertEqual("done", store.make_directory(("x.exe",)))

    def test_moves(self) -> None:
        """A rename takes nothing out of the reach of a rule that forbids, and nothing into view."""
        store = self.restricted("!*:read:/pub/in", "!*:read,write:/secret/plan", "*:read,write")
        self.refused(Reason.RULE_DENIED, store.move, ("secret",), ("other",))
        self.refused(Reason.MOVED_INTO_VIEW, store.move, ("pub", "in", "up"), ("up",))
        self.assertEqual("done", store.move(("pub", "in", "up"), ("pub", "in", "down")))
        self.assertEqual("done", store.move(("secret", "open"), ("open",)))

    def test_rights_in_entries(self) -> None:
        """RFC 3659 §7.5.5: the perm fact has the letters that rules leave."""
        store = self.restricted("*:read", "*:write:/pub/in", "!*:read:/secret")
        self.store.permissions = {("pub", "in"): "celmpdf", ("pub", "a.txt"): "adfrw", ("pub", "in", "up"): "adfrw"}
        listing = store.listing(("pub",))
        shown = {entry.name: entry.perm for entry in listing.next_batch()} | {entry.name: entry.perm for entry in listing.next_batch()}
        listing.close()
        self.assertEqual(("celmpdf", "r"), (shown["in"], shown["a.txt"]))
        self.assertEqual("adfrw", store.status(("pub", "in", "up")).perm)


# Paths in the tree of ``LinkModelTests``, most of them through links, and places where rules may be about.
_THROUGH_LINKS = """
a/b/x a/up/a/x a/up/b/file a/up/to/x a/up/to a/up b/to/y b/to b/b/file b/b c/loop/c/x c/loop/to/x c/loop/b c/loop c/a/x
c/c/out/b/b/y c/c/out c/c a b c a/c/y nothing/x b/nothing
"""
_PLACES = "a b c a/b b/a b/b b/c c/a c/b c/a/x c/b/x b/a/x b/b/y b/c/x a/up b/to c/loop"
LINK_PATHS, PLACES = (sampled_from([tuple(path.split("/")) for path in paths.split()]) for paths in (_THROUGH_LINKS, _PLACES))
LINK_RULE = builds(lambda access, path: Rule(access, ("?",), ("read",), join(path)), sampled_from(("allow", "deny")), PLACES)
LINK_RULES = lists(LINK_RULE, max_size=4).map(lambda rules: (*rules, Rule("allow", ("?",), ("read",))))
NAMES = sampled_from(("a", "b", "c"))
TREES = dictionaries(NAMES, recursive(sampled_from((b"", b"x")), lambda inner: dictionaries(NAMES, inner, max_size=3), max_leaves=6))
RULES = lists(
    builds(
        Rule,
        sampled_from(("allow", "deny")),
        sampled_from((("?",), ("*",))),
        sampled_from((("read",), ("write",), ("read", "write"))),
        lists(NAMES, max_size=3).map(lambda names: join(tuple(names))),
    ),
    max_size=5,
).map(tuple)


class ModelTests(Case):
    """Against the definition, for any tree and rules."""

    @given(TREES, RULES)
    def test_reading(self, tree: Mapping[str, Any], some: tuple[Rule, ...]) -> None:
        """Every file is read exactly where a rule says so; every listing shows what may be known, and nothing else."""
        mine = rules_of(some, (), None)
        store = RestrictedStore(MemoryStore(tree), mine, RequestFiltering())
        for path, node in everything(tree):
            is_directory = isinstance(node, Mapping)
            if not is_directory:
                try:
                    store.open_file(path).close()
                    is_read = True
                except Refused:
                    is_read = False
                self.assertEqual(mine.decide(READ, path).is_allowed, is_read)
                continue
            try:
                shown = set(names_in(store, *path))
            except Refused:
                self.assertFalse(mine.may(READ, path) or mine.leads_on(path))
                continue
            for name, child in node.items():
                below = (*path, name)
                self.assertEqual(mine.sees(below), name in shown, below)
            self.assertLessEqual(shown, set(node))

    @given(TREES, RULES)
    def test_what_is_shown_can_be_looked_at(self, tree: Mapping[str, Any], some: tuple[Rule, ...]) -> None:
        """A directory that is shown can be entered; of a path that cannot be known, not even the absence is told."""
        mine = rules_of(some, (), None)
        store = RestrictedStore(MemoryStore(tree), mine, RequestFiltering())
        for path, node in everything(tree):
            if isinstance(node, Mapping) and mine.sees(path):
                self.assertTrue(store.status(path).is_directory)
            missing = (*path, "missing")
            if not mine.may(READ, missing):
                self.assertRaises(Denied, store.status, missing)


class LocalTests(Case):
    """Over real files: links, and listings that make their lines themselves."""

    def setUp(self) -> None:
        self.root = os.path.abspath(self.mktemp())
        plant(
            self.root,
            {
                **TREE,
                "around": Link("secret"),
                "file": Link("/secret/plan"),
                "fine": Link("pub/a.txt"),
                "history": Link("pub/.git"),
                "nowhere": Link("nothing"),
                "plain.txt": Link("pub/b.EXE"),
            },
        )
        self.shell = FilesystemShell(Confinement(self.root), at_once)

    def over(self, *texts: str, **filters: Any) -> Any:
        return RestrictedStore(self.shell, rules(*texts), RequestFiltering(**filters))

    def test_links_lead_around_no_rule(self) -> None:
        """P-SEC-8: what a link leads to is judged by where it is; in listings, links into the forbidden are left out."""
        store = self.over("!*:read:/secret", "*:read")
        for path in (("around",), ("around", "plan"), ("file",), ("around", "open", "x")):
            self.refused(Reason.RULE_DENIED, store.status, path)
            self.refused(Reason.RULE_DENIED, store.open_file, path)
        self.refused(Reason.RULE_DENIED, store.listing, ("around",))
        store.open_file(("fine",)).close()
        self.assertEqual(["fine", "history", "nowhere", "plain.txt", "pub", "readme"], names_in(store))

    def test_a_place_that_cannot_be_known(self) -> None:
        """Where a link leads must be known, or it is not followed and not listed."""

        class Shell(FilesystemShell):
            def place(self, path: Any) -> Path:
                if "fine" in path:
                    raise ReadFailed("too many open files")
                return super().place(path)

        store = RestrictedStore(Shell(Confinement(self.root), at_once), rules("!*:read:/secret", "*:read"), RequestFiltering())
        for operation in (store.open_file, store.status, store.listing):
            self.assertRaises(ReadFailed, operation, ("fine",))
        self.assertNotIn("fine", names_in(store))

    def test_links_lead_to_nothing_hidden(self) -> None:
        """Nor around filters."""
        store = self.over("*:read", hidden_segments=(".git",), denied_extensions=("exe",))
        self.refused(Reason.HIDDEN_SEGMENT, store.open_file, ("history", "config"), kind=NotFound)
        self.refused(Reason.EXTENSION, store.open_file, ("plain.txt",))
        self.assertNotIn("history", names_in(store))

    def test_changes_through_links(self) -> None:
        """A change below a link is a change where the link leads."""
        class Shell(FilesystemShell):
            def open_upload(self, path: Any) -> str:
                return "done"

        store = RestrictedStore(Shell(Confinement(self.root)), rules("!*:write:/secret", "*:read,write"), RequestFiltering())
        for path in (("around", "new"), ("file",), ("around",)):
            self.refused(Reason.RULE_DENIED, store.open_upload, path)
        self.assertEqual(["done", "done"], [store.open_upload(path) for path in (("pub", "new"), ("no such", "new"))])

    def test_lines_are_made_directly_where_nothing_is_left_out(self) -> None:
        """Rules without paths, and filters that hide nothing, cost a listing nothing."""
        form = UnixForm(0)
        for store, is_direct in (
            (self.over("*:read", denied_extensions=("exe",)), True),
            (self.over("*:read", hidden_segments=(".git",)), False),
            (self.over("!*:read:/secret", "*:read"), False),
        ):
            listing = store.listing(("pub",))
            self.assertEqual(is_direct, ILongListing.providedBy(listing))
            if is_direct:
                self.assertIn(b"a.txt\r\n", now(listing.next_lines(form)))
            listing.close()

    def test_nothing_stays_open(self) -> None:
        """A listing that is refused, or let go, holds no descriptor."""
        gc.collect()
        before = open_descriptors()
        store = self.over("!*:read:/secret", "*:read")
        names_in(store)
        for operation in (store.listing, store.open_file, store.status):
            self.assertRaises(StorageError, operation, ("secret",))
        gc.collect()
        self.assertEqual(before, open_descriptors())

    def test_entry_of_the_root(self) -> None:
        """The root has no name that could be filtered."""
        entry = self.over("*:read", denied_extensions=("exe",), hidden_segments=("x",)).status(())
        self.assertIsInstance(entry, Entry)
        self.assertTrue(stat.S_ISDIR(entry.mode))


class LinkModelTests(Case):
    """Over real files with links in all directions, for any rules: every file holds the path where it is."""

    def setUp(self) -> None:
        root = os.path.abspath(self.mktemp())
        tree: dict[str, Any] = {}
        for a in "abc":
            tree[a] = {b: {c: f"/{a}/{b}/{c}".encode() for c in "xy"} for b in "abc"}
        tree["a"]["up"] = Link("../b")
        tree["b"]["to"] = Link("/c/a")
        tree["b"]["b"]["file"] = Link("../../c/b/x")
        tree["c"]["loop"] = Link("../a/up")
        tree["c"]["c"]["out"] = Link("../../../..")
        plant(root, tree)
        self.shell = FilesystemShell(Confinement(root), at_once)

    @given(LINK_RULES, LINK_PATHS)
    @example((Rule("deny", ("?",), ("read",), "/b"), Rule("allow", ("?",), ("read",))), ("a",))
    def test_no_way_around(self, some: tuple[Rule, ...], path: Path) -> None:
        """What can be read is allowed under the path that was asked for and under the one where it is; what is listed can be known there, too."""
        mine = rules_of(some, (), None)
        store = RestrictedStore(self.shell, mine, RequestFiltering())
        try:
            with closing(store.open_file(path)) as file:
                real = resolve((), now(file.read_at(0, 100)).decode())
        except StorageError:
            pass
        else:
            self.assertTrue(mine.may(READ, path) and mine.may(READ, real), (path, real))
        try:
            names = names_in(store, *path)
        except StorageError:
            return
        for name in names:
            self.assertTrue(mine.sees((*path, name)))
            try:
                self.assertTrue(mine.sees(self.shell.place((*path, name))))
            except NotFound:  # a link that leads nowhere
                continue

"""
The layers of the package: imports point down only, and each file has one job and says so.

Sources are read with ``ast`` and never imported, so an import hidden in a function counts as one at the top does.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

PACKAGE = Path(__file__).resolve().parent.parent / "twistftp"
PURE = frozenset({"wire", "policy"})

# What the modules of a layer may import of ours. The layers that are not named here are the outer ones.
MAY_IMPORT = {
    "wire": frozenset({"wire"}),
    "policy": frozenset({"wire", "policy"}),
    "credentials": frozenset(),
    "virtual_hosts": frozenset(),
    "stock_attributes": frozenset({"policy"}),
    "storage": frozenset({"wire", "policy", "storage"}),
    "transport": frozenset({"wire", "policy", "transport"}),
    "accounts": frozenset({"wire", "policy", "credentials", "storage", "accounts"}),
    "session": frozenset({"wire", "policy", "credentials", "storage", "transport", "session"}),
    "site": frozenset({"wire", "policy", "credentials", "virtual_hosts", "stock_attributes", "storage", "transport", "accounts", "session"}),
}
# The outer shell, bottom first: each may import the layers above, itself, and what stands before it here.
SHELL = (
    *("steady", "twisted_tls", "endpoint_text", "privileges", "places", "roots", "dynamic", "binding", "structuring", "configuration", "options"),
    *("logfile", "capsules", "accesslog", "reporting", "control", "metrics", "monitoring"),
    *("assembly", "site_service", "server", "workers", "service", "testing", "cli", "__main__"),
)

# What a value never needs: time and the world are passed in.
IMPURE = frozenset(
    {"os", "socket", "time", "threading", "asyncio", "select", "selectors", "subprocess", "signal", "ssl", "io", "pathlib", "shutil", "tempfile"}
    | {"multiprocessing", "twisted", "zope", "OpenSSL"}
)

# "from twisted.internet import reactor": where a process is put together, and where embedders may leave it out (CONTRACT §5).
NAMES_THE_REACTOR = {("service", "makeService"), ("site", "__init__"), ("testing.worker.__main__", "main")}


def modules() -> Iterator[tuple[str, Path, ast.Module]]:
    """Every module of the package: its dotted name below ``twistftp`` (``""`` for the package), path and tree."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, path, ast.parse(path.read_text("utf-8"), str(path))


def imports(tree: ast.Module, package: str) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """What a module imports, as dotted names, with the line and the functions and classes around it."""

    def walk(node: ast.AST, around: tuple[str, ...]) -> Iterator[tuple[str, int, tuple[str, ...]]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, child.lineno, around) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = child.module or ""
                if child.level:
                    above = package.split(".")[: len(package.split(".")) - child.level + 1]
                    base = ".".join([*above, *([base] if base else [])])
                yield from ((f"{base}.{alias.name}", child.lineno, around) for alias in child.names)
            name = getattr(child, "name", None)
            inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            yield from walk(child, (*around, str(name)) if inside else around)

    yield from walk(tree, ())


class LayerTests(SynchronousTestCase):
    """Each import of each module, against the table."""

    def found(self) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
        """Every import: the module's name, its layer, the imported name, and the functions around."""
        for name, path, tree in modules():
            package = ".".join(["twistftp", *path.relative_to(PACKAGE).parts[:-1]])
            for imported, line, around in imports(tree, package):
                self.place = f"{path.relative_to(PACKAGE.parent)}:{line}"
                yield name, name.split(".")[0], imported, around

    def test_the_package_is_found(self) -> None:
        """The test looks where the code is."""
        names = {name for name, _, _ in modules()}
        self.assertLessEqual({"", "wire", "policy.settings", "service"}, names)

    def test_imports_point_down(self) -> None:
        """A module imports from its own layer and those below."""
        wrong = []
        for name, layer, imported, _ in self.found():
            if not imported.startswith("twistftp.") or not name:
                continue
            target = imported.split(".")[1]
            if target == "__version__":
                continue
            if layer in MAY_IMPORT:
                allowed = MAY_IMPORT[layer]
            else:
                self.assertIn(layer, SHELL, f"{name}: a module without a place in the table of layers")
                allowed = frozenset({*MAY_IMPORT, *SHELL[: SHELL.index(layer) + 1]})
            if target not in allowed:
                wrong.append(f"{self.place} imports {imported}")
        self.assertEqual([], wrong)

    def test_pure_layers_are_pure(self) -> None:
        """``wire`` and ``policy`` see no Twisted, clock, file, socket or process."""
        wrong = [f"{self.place} imports {what}" for _, layer, what, _ in self.found() if layer in PURE and what.split(".")[0] in IMPURE]
        self.assertEqual([], wrong)

    def test_the_reactor_is_passed_in(self) -> None:
        """Nobody names the reactor but those who put a process together, and they do so inside a function."""
        named = []
        for name, _, imported, around in self.found():
            if imported.startswith("twisted.internet.reactor") and (name, around[-1] if around else "") not in NAMES_THE_REACTOR:
                named.append(self.place)
        self.assertEqual([], named)

    def test_no_star(self) -> None:
        """``import *`` hides what is imported."""
        self.assertEqual([], [self.place for _, _, imported, _ in self.found() if imported.endswith(".*")])


class FileTests(SynchronousTestCase):
    """Rules for each file."""

    def test_every_module_says_its_job(self) -> None:
        """Each has a docstring; a longer one also says what is not its job."""
        silent = [name for name, _, tree in modules() if not ast.get_docstring(tree)]
        self.assertEqual([], silent)

    def test_no_module_is_long(self) -> None:
        """350 lines are enough for one job."""
        long = {str(path.relative_to(PACKAGE)): lines for _, path, _ in modules() if (lines := len(path.read_text("utf-8").splitlines())) > 350}
        self.assertEqual({}, long)

    def test_packages_import_nothing_of_their_modules(self) -> None:
        """``__init__`` files hold docstrings, so importing one module imports no others (the top one and ``testing`` are lazy, ``cli`` a command)."""
        eager = []
        for name, path, tree in modules():
            if path.name == "__init__.py" and name and "." not in name:
                eager += [f"{name}: {imported}" for imported, _, around in imports(tree, f"twistftp.{name}") if imported.startswith("twistftp.")]
        self.assertLessEqual({line.split(":")[0] for line in eager}, {"storage", "cli", "testing"})

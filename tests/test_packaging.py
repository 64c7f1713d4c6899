"""Tests of the package as it is built and installed: what is in the wheel, and that ``twistd`` finds the command."""

import ast
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

import twistftp

CHECKOUT = Path(__file__).resolve().parent.parent


def run(*command: object, cwd: Path) -> str:
    """Run a program that must succeed, and give what it says; nothing of this checkout is on its path."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run([str(part) for part in command], cwd=cwd, env=clean, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise AssertionError(f"{command} ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}")
    return ended.stdout


def can_build() -> bool:
    """Whether a wheel can be built without fetching anything: setuptools does it alone since 70.1."""
    try:
        return tuple(int(part) for part in version("setuptools").split(".")[:2]) >= (70, 1) and bool(version("pip"))
    except PackageNotFoundError:
        return False


class WheelTests(SynchronousTestCase):
    """A wheel, built from a copy of the checkout and installed into an environment of its own."""

    def test_wheel(self) -> None:
        """It holds the package and the plugin file; installed, ``twistd`` offers and runs ``ftpsite``."""
        if not can_build():
            raise SkipTest("needs pip and setuptools 70.1 or newer in the environment")
        base = Path(self.enterContext(tempfile.TemporaryDirectory()))
        source = base / "source"
        ignore = shutil.ignore_patterns("__pycache__", "dropin.cache")
        for name in ("twistftp", "twisted"):
            shutil.copytree(CHECKOUT / name, source / name, ignore=ignore)
        for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
            if (CHECKOUT / name).exists():
                shutil.copy(CHECKOUT / name, source)
        run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", base, source, cwd=base)
        (wheel,) = base.glob("*.whl")
        self.assert_content(wheel)

        environment = base / "environment"
        venv.create(environment, with_pip=False)
        scripts = environment / ("Scripts" if os.name == "nt" else "bin")
        python = scripts / ("python.exe" if os.name == "nt" else "python")
        packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=base).strip())
        # The libraries come from the environment that runs the tests: nothing is fetched.
        (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
        run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--ignore-installed", wheel, cwd=base)

        self.assertTrue(run(python, "-c", "import twistftp; print(twistftp.__file__)", cwd=base).startswith(str(packages)))
        twistd = [python, "-c", "from twisted.scripts.twistd import run; run()"]
        self.assertRegex(run(*twistd, "--help", cwd=base), r"(?m)^ +ftpsite +An FTP server")
        self.assertEqual(f"twistftp {twistftp.__version__}", run(*twistd, "ftpsite", "--version", cwd=base).split(",")[0])

    def assert_content(self, wheel: Path) -> None:
        """Check the files of a wheel."""
        with zipfile.ZipFile(wheel) as archive:
            names = set(archive.namelist())
            metadata = archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
        modules = {str(path.relative_to(CHECKOUT).as_posix()) for path in (CHECKOUT / "twistftp").rglob("*.py")}
        self.assertLessEqual({*modules, "twistftp/py.typed", "twisted/plugins/twistftp_plugin.py"}, names)
        self.assertEqual({"twisted/plugins/twistftp_plugin.py"}, {name for name in names if name.startswith("twisted/")})
        self.assertEqual({"twistftp", "twisted", f"twistftp-{twistftp.__version__}.dist-info"}, {name.split("/")[0] for name in names})
        self.assertIn("Requires-Python: >=3.11", metadata)
        self.assertTrue(any(name.endswith("LICENSE") for name in names))


class SourceTests(SynchronousTestCase):
    """What can be seen without building."""

    def test_version(self) -> None:
        """``setup.py`` reads the version that the package has."""
        text = (CHECKOUT / "twistftp" / "__init__.py").read_text("utf-8")
        self.assertIn(f'__version__ = "{twistftp.__version__}"\n', text)

    def test_public_names(self) -> None:
        """Those that are loaded when first used are shown before."""
        self.assertLessEqual(set(twistftp.__all__), set(dir(twistftp)))

    def test_plugin_is_light(self) -> None:
        """The plugin file names our module by string: ``twistd`` loads it whatever command it runs."""
        tree = ast.parse((CHECKOUT / "twisted" / "plugins" / "twistftp_plugin.py").read_text("utf-8"))
        imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        self.assertEqual(["twisted.application.service"], imported)
        self.assertFalse((CHECKOUT / "twisted" / "plugins" / "__init__.py").exists())

"""
How twistftp is built and what it needs.

Not here: settings of tools (``pyproject.toml``).
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
README = HERE / "README.md"


def version() -> str:
    """The version, read as text: importing the package would need what is not installed yet."""
    text = (HERE / "twistftp" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)[1]


setup(
    name="twistftp",
    version=version(),
    description="An FTP server on Twisted for people who serve files from behind firewalls and NAT",
    long_description=README.read_text(encoding="utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    author="The twistftp developers",
    license="MIT",
    python_requires=">=3.11",
    # twisted/plugins has no __init__.py, here as in every project with a plugin: it extends Twisted's own directory.
    packages=[*find_packages(include=["twistftp", "twistftp.*"]), "twisted.plugins"],
    package_data={"twistftp": ["py.typed"]},
    install_requires=[
        *("Twisted[tls]>=24.10", "attrs>=23.2", "cattrs>=23.2.1", "click>=8.1", "zope.interface>=6.2"),
        # argon2-cffi hashes the passwords of users files; prometheus-client: /metrics; rich: the tables of "twistftp sessions".
        *("argon2-cffi>=21.2", "prometheus-client>=0.17", "rich>=13"),
        # These come with Twisted[tls]; certificates are read with the first, and "twistftp doctor" looks at a server's with both.
        *("cryptography>=45.0.7", "pyOpenSSL>=25.2", "service-identity>=23.1"),
    ],
    # aioftp is one of the clients that the tests upload with, trustme makes certificates, pytest tries the fixture.
    # atheris fuzzes the parsers by coverage (CONTRIBUTING.md); it is not made for all systems, so the tests do without.
    extras_require={
        "fuzz": ["atheris>=2.3"],
        "test": ["aioftp>=0.22", "coverage", "hypothesis>=6.100", "mypy", "mypy-zope", "pytest>=7", "ruff", "setuptools>=70.1", "trustme>=1.1"],
    },
    # pytest, where there is one, loads the second: a small file that imports nothing of the package before a test asks for a site.
    # It has the module's name, so that pytest knows it for the same as that of "pytest_plugins" in a conftest.py, or of "-p".
    entry_points={"console_scripts": ["twistftp = twistftp.cli:main"], "pytest11": ["twistftp.testing.plugin = twistftp.testing.plugin"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: No Input/Output (Daemon)",
        "Framework :: Twisted",
        "Intended Audience :: System Administrators",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Internet :: File Transfer Protocol (FTP)",
    ],
    zip_safe=False,
)

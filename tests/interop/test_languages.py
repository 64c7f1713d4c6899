"""
The FTP clients of programming languages' own libraries under TLS: Perl's Net::FTP, Ruby's net/ftp, PHP's ftp_* functions. How they
keep TLS sessions is theirs alone.
"""

from __future__ import annotations

import shutil
import subprocess
from random import Random
from typing import Any

from tests.interop.test_tls_clients import Case
from tests.support.running import free_range

TREE: dict[str | bytes, Any] = {"binary": Random(2).randbytes(100_000), "up": {}}
STEPS = ["get", "list", "put", "put", "put", "get", "list", "put", "put"]
"""Transfers of a session: more uploads in a row than anybody has tickets, and more than there are ports."""
PORTS = 5

PERL = """
use strict; use warnings; use Net::FTP;
my ($port, $passive, @steps) = @ARGV;
my $ftp = Net::FTP->new('127.0.0.1', Port => $port, Passive => $passive, Timeout => 10, SSL_verify_mode => 0) or die $@;
$ftp->starttls and $ftp->login('alice', 'secret') and $ftp->binary or die $ftp->message;
my %ways = (put => sub { $ftp->put('binary', 'up/binary') }, get => sub { $ftp->get('binary', 'got') }, list => sub { $ftp->dir });
for my $step (@steps) { $ways{$step}->() or die "$step: ", $ftp->message; print "$step\\n"; }
$ftp->quit;
"""
RUBY = """
require 'net/ftp'
port, passive, *steps = ARGV
ftp = Net::FTP.new(nil, ssl: { verify_mode: OpenSSL::SSL::VERIFY_NONE }, passive: passive == '1', open_timeout: 10, read_timeout: 10)
ftp.connect('127.0.0.1', port.to_i)
ftp.login('alice', 'secret')
ways = { 'put' => -> { ftp.putbinaryfile('binary', 'up/binary') }, 'get' => -> { ftp.getbinaryfile('binary', 'got') }, 'list' => -> { ftp.list } }
steps.each { |step| ways[step].call; puts step }
ftp.quit
ftp.close
"""


PHP = """<?php
[, $port, $passive] = $argv;
$ftp = ftp_ssl_connect('127.0.0.1', (int) $port, 10);
if (!$ftp || !ftp_login($ftp, 'alice', 'secret') || !ftp_pasv($ftp, $passive === '1')) { exit(1); }
$ways = [
    'put' => fn() => ftp_put($ftp, 'up/binary', 'binary'),
    'get' => fn() => ftp_get($ftp, 'got', 'binary'),
    'list' => fn() => ftp_rawlist($ftp, '.'),
];
foreach (array_slice($argv, 3) as $step) { if (!$ways[$step]()) { exit(2); } echo $step, "\\n"; }
ftp_close($ftp);
"""


class LanguageCase(Case):
    """A site with a few ports, a user who may write, and a script whose transfers must all succeed."""

    async def visit(self, language: str, script: str, passive: str) -> None:
        running = await self.start(TREE, passive_ports=free_range(PORTS), authentication={"strcred": ("memory:alice:secret",)})
        (self.here / "binary").write_bytes(TREE["binary"])
        (self.here / "script").write_text(script)
        outcome = await self.run_to_end(language, "script", str(running.port), passive, *STEPS)
        self.assertEqual((STEPS, ""), (outcome.output.split(), outcome.errors))
        self.assertEqual([], self.refused())
        self.assertTrue((running.root / "up" / "binary").read_bytes() == TREE["binary"])
        self.assert_same("got", TREE["binary"])


class PerlTests(LanguageCase):
    """
    Net::FTP: on active connections it uses all tickets that it gets, each once; on passive ones it keeps them for each port, so it
    resumes there from the second connection on (P-TD-9).
    """

    def setUp(self) -> None:
        perl = shutil.which("perl")
        if perl is None or subprocess.run([perl, "-MIO::Socket::SSL", "-e1"], stderr=subprocess.DEVNULL, check=False).returncode:
            self.skipTest("Perl's IO::Socket::SSL is not installed")

    async def test_passive(self) -> None:
        """No transfer is refused for the session that it does not resume."""
        await self.visit("perl", PERL, "1")

    async def test_active(self) -> None:
        """The same."""
        await self.visit("perl", PERL, "0")


class RubyTests(LanguageCase):
    """net/ftp: it keeps the newest ticket and uses it once (P-TD-9)."""

    async def test_passive(self) -> None:
        """No transfer is refused for the session that it does not resume."""
        await self.visit("ruby", RUBY, "1")

    async def test_active(self) -> None:
        """The same."""
        await self.visit("ruby", RUBY, "0")


class PhpTests(LanguageCase):
    """``ftp_ssl_connect``: it offers the session of the control connection every time, and fails if there is none (DESIGN §4)."""

    async def test_passive(self) -> None:
        """Every transfer is made."""
        await self.visit("php", PHP, "1")

    async def test_active(self) -> None:
        """The same."""
        await self.visit("php", PHP, "0")

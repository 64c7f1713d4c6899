"""
Records the corpus of capsules anew: real clients visit a server that captures. ``python -m tests.interop.record [NAME...]``.

Not here: replaying them (``test_capsules``). A client that is not installed is left out, and the capsules of it stay as they are;
basic-ftp is fetched from npm, if there is an npm.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.trees import plant

HERE = Path(__file__).resolve().parent
CAPSULES = HERE / "capsules"
VISITS = HERE / "visits"
PYTHON = sys.executable
NET = "/usr/share/java/commons-net.jar"
TREE = {
    "file.txt": b"one\ntwo\nthree\n",
    "empty": b"",
    "large": bytes(range(256)) * 16384,
    "pub": {"a": b"hello\n", "b": b"bb", "with two  spaces": b"s", "deep": {"c": b"ccc", "\xe9": b"e"}},
    "incoming": {},
}
MODIFIED = 1704445620  # 2024-01-05 09:07:00 UTC
CONFIG = """
[server]
control_socket = "off"
[[site]]
name = "Capsules"
root = "root"
address = "127.0.0.1"
port = {port}
[site.tls]
self_signed = true
[site.authentication]
strcred = ["memory:alice:secret"]
[site.file_handling]
mode_z = true
[site.logon_attempts]
delay = 0
exempt = ["127.0.0.1"]
[site.logging]
capture = "capsules"
"""

CURL = ("curl", "--disable", "--silent", "--insecure")
LFTP = ("lftp", "--norc", "-c")
SET = "set net:max-retries 1; set net:timeout 10; set ssl:verify-certificate no; set ftp:ssl-allow no; "
LOG_IN = "open -u alice,secret {url}; "
TYPED = "<user alice secret\nls\ncd pub\nsize a\nmodtime a\nget a\nascii\nget b\nmput small\nrename small moved\ndelete moved\nquit\n"
TLS = SET.replace("ssl-allow no", "ssl-force yes")

# Each client's arguments; {url}, {here} (the files for visits), {host} and {port} are filled in. ``<`` is put before what is typed.
VISITORS: dict[str, tuple[str, ...]] = {
    "curl-list": (*CURL, "{url}/pub/"),
    "curl-fetch": (*CURL, "-o", "got", "{url}/pub/with%20two%20%20spaces"),
    "curl-pasv": (*CURL, "--disable-epsv", "-o", "got", "{url}/file.txt"),
    "curl-active": (*CURL, "--ftp-port", "-", "-o", "got", "{url}/file.txt"),
    "curl-port": (*CURL, "--ftp-port", "-", "--disable-eprt", "{url}/"),
    "curl-range": (*CURL, "--range", "4-6", "-o", "got", "{url}/file.txt"),
    "curl-head": (*CURL, "--head", "{url}/file.txt"),
    "curl-ascii": (*CURL, "--use-ascii", "-o", "got", "{url}/file.txt"),
    "curl-missing": (*CURL, "{url}/missing"),
    "curl-large": (*CURL, "-o", "got", "{url}/large"),
    "curl-upload": (*CURL, "-u", "alice:secret", "-T", "small", "-Q", "-DELE /incoming/up", "{url}/incoming/up"),
    "curl-refused": (*CURL, "-T", "small", "{url}/incoming/up"),
    "curl-login": (*CURL, "-u", "alice:wrong", "{url}/"),
    "curl-tls": (*CURL, "--ssl-reqd", "-o", "got", "{url}/file.txt"),
    "curl-tls-upload": (*CURL, "--ssl-reqd", "-u", "alice:secret", "-T", "small", "-Q", "-DELE /incoming/up", "{url}/incoming/up"),
    "curl-tls-ccc": (*CURL, "--ssl-reqd", "--ftp-ssl-ccc", "-o", "got", "{url}/file.txt"),
    "wget": ("wget", "--no-config", "--quiet", "--tries=1", "-O", "got", "{url}/file.txt"),
    "wget-recursive": ("wget", "--no-config", "--quiet", "--tries=1", "-r", "-nH", "-P", "tree", "{url}/pub"),
    "wget-active": ("wget", "--no-config", "--quiet", "--tries=1", "--no-passive-ftp", "-O", "got", "{url}/file.txt"),
    "lftp": (*LFTP, SET + LOG_IN + "cls -l; cd pub; get -O . a; pget -n 1 b; glob echo *; put -O /incoming small; rm /incoming/small; bye"),
    "lftp-mirror": (*LFTP, SET + "open {url}; mirror pub mirrored; bye"),
    "lftp-mirror-up": (*LFTP, SET + LOG_IN + "mirror -R here /incoming/there; rm -r /incoming/there; bye"),
    "lftp-tls": (*LFTP, TLS + LOG_IN + "ls; get file.txt; bye"),
    "lftp-mode-z": (*LFTP, SET + "set ftp:use-mode-z yes; open {url}; ls; get file.txt -o got; bye"),
    "ncftp-ls": ("ncftpls", "-P", "{port}", "-l", "ftp://{host}/pub/"),
    "ncftp-get": ("ncftpget", "-V", "-P", "{port}", "{host}", ".", "/file.txt"),
    "ncftp-put": ("ncftpput", "-V", "-P", "{port}", "-u", "alice", "-p", "secret", "-DD", "{host}", "/incoming", "spare"),
    "ncftp": ("ncftp", "-P", "{port}", "-u", "alice", "-p", "secret", "{host}", "<ls\ncd pub\nls -l\nget a\nmkdir made\nrmdir made\nquit\n"),
    "tnftp": ("tnftp", "-n", "-v", "{host}", "{port}", TYPED),
    "tnftp-fetch": ("tnftp", "-V", "-o", "got", "{url}/file.txt"),
    "ftplib": (PYTHON, "{here}/visit_ftplib.py", "{host}", "{port}", "plain"),
    "ftplib-tls": (PYTHON, "{here}/visit_ftplib.py", "{host}", "{port}", "tls"),
    "aioftp": (PYTHON, "{here}/visit_aioftp.py", "{host}", "{port}", "plain"),
    "aioftp-tls": (PYTHON, "{here}/visit_aioftp.py", "{host}", "{port}", "tls"),
    "basic-ftp": ("node", "{here}/visit.mjs", "{host}", "{port}", "plain"),
    "basic-ftp-tls": ("node", "{here}/visit.mjs", "{host}", "{port}", "tls"),
    "net-ftp-perl": ("perl", "{here}/visit.pl", "{host}", "{port}", "plain"),
    "net-ftp-perl-tls": ("perl", "{here}/visit.pl", "{host}", "{port}", "tls"),
    "php": ("php", "{here}/visit.php", "{host}", "{port}", "plain"),
    "php-tls": ("php", "{here}/visit.php", "{host}", "{port}", "tls"),
    "ruby": ("ruby", "{here}/visit.rb", "{host}", "{port}", "plain"),
    "ruby-tls": ("ruby", "{here}/visit.rb", "{host}", "{port}", "tls"),
    "commons-net": ("java", "-cp", NET, "{here}/Visit.java", "{host}", "{port}", "plain"),
    "commons-net-tls": ("java", "-cp", NET, "{here}/Visit.java", "{host}", "{port}", "tls"),
    "rclone": ("rclone", "--config", "none", "copy", ":ftp,host={host},port={port},user=alice,pass={obscured}:pub", "cloned"),
    "by-hand-pipelined": (PYTHON, "{here}/visit_by_hand.py", "{host}", "{port}", "pipelined"),
    "by-hand-aborted": (PYTHON, "{here}/visit_by_hand.py", "{host}", "{port}", "aborted"),
    "by-hand-reset": (PYTHON, "{here}/visit_by_hand.py", "{host}", "{port}", "reset"),
    "by-hand-wrong": (PYTHON, "{here}/visit_by_hand.py", "{host}", "{port}", "wrong"),
    "by-hand-unique": (PYTHON, "{here}/visit_by_hand.py", "{host}", "{port}", "unique"),
}
FAILS = {"curl-missing", "curl-refused", "curl-login"}
"""These end with an error, as they should."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def replant(root: Path) -> None:
    """The server's files, as each client finds them."""
    root.mkdir(exist_ok=True)
    for path in root.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    plant(str(root), TREE)
    for path in (*sorted(root.rglob("*"), reverse=True), root):
        os.utime(path, (MODIFIED, MODIFIED))


def prepare(place: Path, port: int) -> None:
    """The server's directory."""
    replant(place / "root")
    (place / "capsules").mkdir()
    (place / "ftp.toml").write_text(CONFIG.format(port=port))


def begin(place: Path, port: int) -> subprocess.Popen[bytes]:
    """A server, when it listens."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent.parent)}
    command = [str(Path(PYTHON).parent / "twistd"), "-n", "--pidfile=", "--logfile=server.log", "ftpsite", "--config", "ftp.toml"]
    server = subprocess.Popen(command, cwd=place, env=environment)
    for _ in range(100):
        time.sleep(0.2)
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            continue
        return server
    raise SystemExit("the server does not start")


def visit(name: str, place: Path, port: int, modules: Path) -> str:
    """Let one client come; what went wrong, if something did."""
    arguments = VISITORS[name]
    program = shutil.which(arguments[0])
    if program is None or (NET in arguments and not os.path.exists(NET)):
        return "not installed"
    home = place / "homes" / name
    (home / "here").mkdir(parents=True)
    for file in ("small", "spare", "here/one"):
        (home / file).write_bytes(b"small\n")
        os.utime(home / file, (MODIFIED, MODIFIED))
    if name.startswith("basic-ftp"):
        (home / "node_modules").symlink_to(modules / "node_modules")
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "dumb", "LC_ALL": "C.UTF-8", "TZ": "UTC", "no_proxy": "*"}
    environment["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
    values = {"url": f"ftp://127.0.0.1:{port}", "host": "127.0.0.1", "port": str(port), "here": str(VISITS)}
    if "rclone" in name:
        values["obscured"] = subprocess.run(["rclone", "obscure", "secret"], capture_output=True, text=True, check=True).stdout.strip()
    *given, typed = arguments if arguments[-1].startswith("<") else (*arguments, "")
    command = [program, *(argument.format(**values) for argument in given[1:])]
    ended = subprocess.run(command, cwd=home, env=environment, input=typed[1:].encode(), capture_output=True, timeout=60, check=False)
    if (ended.returncode != 0) is not (name in FAILS):
        return f"ended with {ended.returncode}: {ended.stderr.decode(errors='replace')[-500:]}{ended.stdout.decode(errors='replace')[-300:]}"
    return ""


def collected(place: Path, seen: set[Path]) -> list[Path]:
    """The capsules that are new, when all of them are complete and for a second no other has come: some clients have several sessions."""
    found: dict[Path, int] = {}
    quiet = 0
    for _ in range(100):
        time.sleep(0.2)
        new = {path: path.stat().st_size for path in (place / "capsules").glob("*.jsonl") if path not in seen}
        quiet = quiet + 1 if new == found and all('"closed"' in path.read_text() for path in new) else 0
        found = new
        if found and quiet >= 5:
            break
    return sorted(found, key=lambda path: int(path.stem.rpartition("-")[2]))


def main(wanted: list[str]) -> int:
    """Record; the exit status."""
    unknown = [name for name in wanted if name not in VISITORS]
    if unknown:
        print(f"no such visitors: {', '.join(unknown)}; there are {', '.join(VISITORS)}")
        return 2
    place = Path(tempfile.mkdtemp(prefix="capsules-"))
    port = free_port()
    prepare(place, port)
    if shutil.which("npm") and any(name.startswith("basic-ftp") for name in wanted or VISITORS):
        subprocess.run(["npm", "install", "--silent", "--prefix", str(place / "npm"), "basic-ftp"], check=True)
    server = begin(place, port)
    faults = 0
    try:
        seen = set(collected(place, set()))  # that of the look whether it listens
        for name in wanted or VISITORS:
            replant(place / "root")
            fault = visit(name, place, port, place / "npm")
            if fault == "not installed":
                print(f"{name}: {fault}")
                continue
            new = collected(place, seen)
            seen.update(new)
            if fault:
                faults += 1
                print(f"{name}: {fault}")
                continue
            for old in CAPSULES.glob(f"{name}.*jsonl"):
                old.unlink()
            for number, path in enumerate(new, 1):
                header, *events = path.read_text().splitlines(keepends=True)
                header = json.dumps({**json.loads(header), "name": name}, separators=(",", ":")) + "\n"
                target = CAPSULES / (f"{name}.jsonl" if len(new) == 1 else f"{name}.{number}.jsonl")
                target.write_text("".join([header, *events]))
            print(f"{name}: {len(new)}")
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
        shutil.rmtree(place)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Sessions that no library makes: HOST PORT and which one."""

import socket
import sys
import time
from collections.abc import Callable

host, port, which = sys.argv[1:]
control = socket.create_connection((host, int(port)), 10)
control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
answers = control.makefile("rb")


def hear() -> str:
    line = answers.readline().decode("latin-1").replace("\xff\xfc\x01", "")  # the refusal of a Telnet option
    code, text = line[:3], line
    while line[3:4] == "-" or not line.startswith(code):
        line = answers.readline().decode("latin-1")
        text += line
        if line.startswith(f"{code} "):
            break
    print(text, end="")
    return text


def say(octets: bytes) -> str:
    control.sendall(octets)
    return hear()


def passive() -> socket.socket:
    numbers = say(b"PASV\r\n").partition("(")[2].partition(")")[0].split(",")
    return socket.create_connection((host, int(numbers[4]) * 256 + int(numbers[5])), 10)


def log_in() -> None:
    say(b"USER alice\r\n")
    say(b"PASS secret\r\n")


def pipelined() -> None:
    """Everything at once, and a last line in pieces."""
    control.sendall(b"USER alice\r\nPASS secret\r\nTYPE I\r\nSYST\r\nPWD\r\nCWD pub\r\nSIZE a\r\nNOOP\r\n")
    for _ in range(8):
        hear()
    for piece in (b"MD", b"TM ", b"a\r", b"\nQUIT\r\n"):
        control.sendall(piece)
        time.sleep(0.05)
    hear()
    hear()


def aborted() -> None:
    """ABOR as Telnet has it, in the midst of a download that nobody reads."""
    log_in()
    say(b"TYPE I\r\n")
    data = passive()
    say(b"RETR large\r\n")
    say(b"STAT\r\n")
    control.send(b"\xff\xf4\xff", socket.MSG_OOB)
    control.sendall(b"\xf2ABOR\r\n")
    hear()
    hear()
    data.close()
    say(b"QUIT\r\n")


def reset() -> None:
    """A data connection that is not used, one that goes away in the midst, and then the control connection does."""
    log_in()
    passive().close()
    say(b"RETR missing\r\n")
    data = passive()
    control.sendall(b"STOR cut\r\n")
    hear()
    data.sendall(b"half")
    data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    time.sleep(0.1)
    data.close()
    hear()
    control.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def wrong() -> None:
    """What is no command, or none yet, and lines that are too long."""
    for line in (b"NOOP", b"LIST", b"XYZZY secret", b"PASS first", b"USER", b"USER alice", b"secret", b"PASS wrong", b"USER alice", b"PASS secret"):
        say(line + b"\r\n")
    for line in (b"RETR", b"x" * 9000, b"CWD " + b"y" * 5000, b"TYPE Q", b"PORT 1,2,3,4,5,6", b"REST -1", b"\xff\xfd\x01NOOP", b"STAT pub", b"QUIT"):
        say(line + b"\r\n")


def unique() -> None:
    """STOU, and what becomes of the name."""
    log_in()
    data = passive()
    name = say(b"STOU\r\n").partition("FILE: ")[2].strip().encode()
    data.sendall(b"unique")
    data.close()
    hear()
    say(b"SIZE " + name + b"\r\n")
    say(b"MLST " + name + b"\r\n")
    say(b"HASH " + name + b"\r\n")
    say(b"HASH large\r\n")
    say(b"DELE " + name + b"\r\n")
    say(b"QUIT\r\n")


SESSIONS: dict[str, Callable[[], None]] = {"pipelined": pipelined, "aborted": aborted, "reset": reset, "wrong": wrong, "unique": unique}
hear()
SESSIONS[which]()
answers.close()
control.close()

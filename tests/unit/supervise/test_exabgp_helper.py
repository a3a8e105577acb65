"""The helper as ExaBGP sees it: a process with pipes; and as speakers see it: a socket."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.supervise import exabgp_helper

LIMIT_S = 20.0


class Played:
    """We play ExaBGP: `heard` are its commands, `say` its answers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        words = [sys.executable, "-ISE", exabgp_helper.__file__, str(path)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    def say(self, octets: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(octets)

    def heard(self) -> bytes:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def speaker(self) -> socket.socket:
        """A connection, as soon as there is somebody to connect to."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            made = socket.socket(socket.AF_UNIX)
            made.settimeout(LIMIT_S)
            if made.connect_ex(str(self.path)) == 0:
                return made
            made.close()
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Played]:
    made = Played(tmp_path / "api.sock")
    yield made
    for pipe in (made.process.stdin, made.process.stdout):
        assert pipe is not None
        pipe.close()
    assert made.process.wait(timeout=LIMIT_S) == 0


def read(speaker: socket.socket, octets: int) -> bytes:
    found = b""
    while len(found) < octets and (part := speaker.recv(octets - len(found))):
        found += part
    return found


def test_commands_go_in_and_answers_come_back(played: Played) -> None:
    with played.speaker() as speaker:
        speaker.sendall(b"show neighbor json\n")
        assert played.heard() == b"show neighbor json\n"
        played.say(b"[]\ndone\n")
        assert read(speaker, 8) == b"[]\ndone\n"


def test_half_a_command_of_a_dead_speaker_never_reaches_exabgp(played: Played) -> None:
    with played.speaker() as dead:
        dead.sendall(b"first\nannounce route 192.0")
        assert played.heard() == b"first\n"
    with played.speaker() as speaker:
        speaker.sendall(b"second\n")
        assert played.heard() == b"second\n"


def test_answers_to_a_former_speaker_are_not_the_next_ones(played: Played) -> None:
    with played.speaker() as dead:
        dead.sendall(b"first\nother\n")
        assert (played.heard(), played.heard()) == (b"first\n", b"other\n")
    with played.speaker() as speaker:
        speaker.sendall(b"second\n")
        assert played.heard() == b"second\n"
        played.say(b"of the first\ndone\nerror\nof the second\ndone\n")
        assert read(speaker, 19) == b"of the second\ndone\n"


def test_what_exabgp_says_to_nobody_does_not_stop_it(played: Played) -> None:
    for _ in range(64):
        played.say(b"x" * 65535 + b"\n")
    with played.speaker() as speaker:
        speaker.sendall(b"now\n")
        assert played.heard() == b"now\n"
        played.say(b"done\n")
        assert read(speaker, 5) == b"done\n"


def test_newer_speaker_takes_the_place_of_the_older(played: Played) -> None:
    with played.speaker() as older, played.speaker() as newer:
        newer.sendall(b"mine\n")
        assert played.heard() == b"mine\n"
        assert older.recv(10) == b""


def test_long_batch_passes_while_exabgp_answers(played: Played) -> None:
    """Neither side reads ahead without end: commands wait while answers go out."""
    with played.speaker() as speaker:
        speaker.sendall(b"".join(b"announce %06d %s\n" % (number, b"x" * 80) for number in range(2000)))
        for number in range(2000):
            assert played.heard().startswith(b"announce %06d" % number)
            played.say(b"done\n")
        assert read(speaker, 10000) == b"done\n" * 2000

"""The helper process of ExaBGP that gives its API a socket: commands in from the speaker, answers and events back.

ExaBGP starts it with pipes on stdin and stdout, as a script of its own (`python -ISE FILE SOCKET`): standard library
only, nothing of ours is imported. It serves one speaker, the newest. What ExaBGP says while there is none is dropped,
and so is the end of a command that a dead speaker left unfinished: named pipes would keep both, and once full they
stop ExaBGP, which writes to its helpers without a limit of time (5.0.15), until the routers drop the sessions.

Answers to a former speaker's commands are dropped as well, so a new one counts from its own first command.
"""

import os
import selectors
import socket
import sys
from contextlib import suppress

CHUNK = 1 << 16
MOST_WAITING = 1 << 20
"""Octets of commands that wait for ExaBGP before no more are read."""
MOST_UNREAD = 1 << 26
"""Octets that a speaker may leave unread before it counts as dead."""
ANSWERS = (b"done", b"error")
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Speaker:
    """One connection. `partial` is a command that has not ended, `unread` what it has not taken yet."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.partial = b""
        self.unread = bytearray()


class Helper:
    """The whole process; `serve` returns when ExaBGP has gone."""

    def __init__(self, server: socket.socket, said: int, told: int) -> None:
        self._server = server
        self._said = said
        self._told = told
        self._waiting = bytearray()
        self._line = b""
        self._speaker: Speaker | None = None
        self._outstanding = 0
        self._stale = 0

    def serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            while True:
                self._watch(selector)
                ready = {key.fileobj: events for key, events in selector.select()}
                if self._said in ready and not self._hear():
                    return
                if self._told in ready:
                    self._tell()
                speaker = self._speaker
                if speaker is not None and speaker.connection in ready:
                    self._attend(speaker, ready[speaker.connection])
                if self._server in ready:
                    self._accept()

    def _watch(self, selector: selectors.BaseSelector) -> None:
        """Wait for what there is to do now."""
        wanted: dict[int | socket.socket, int] = {self._said: READ, self._server: READ}
        if self._waiting:
            wanted[self._told] = WRITE
        if self._speaker is not None:
            reading = READ if len(self._waiting) < MOST_WAITING else 0
            writing = WRITE if self._speaker.unread else 0
            if reading | writing:
                wanted[self._speaker.connection] = reading | writing
        for key in list(selector.get_map().values()):
            selector.unregister(key.fileobj)
        for fileobj, events in wanted.items():
            selector.register(fileobj, events)

    def _accept(self) -> None:
        connection, _ = self._server.accept()
        connection.setblocking(False)
        self._drop()
        self._stale, self._line = self._outstanding, b""
        self._speaker = Speaker(connection)

    def _drop(self) -> None:
        if self._speaker is not None:
            self._speaker.connection.close()
        self._speaker = None

    def _hear(self) -> bool:
        """Take what ExaBGP says to the speaker; False when ExaBGP has gone."""
        octets = os.read(self._said, CHUNK)
        *lines, self._line = (self._line + octets).split(b"\n")
        for line in lines:
            self._pass_on(line)
        return bool(octets)

    def _pass_on(self, line: bytes) -> None:
        stale = self._stale > 0
        if line in ANSWERS:
            self._outstanding = max(0, self._outstanding - 1)
            self._stale = max(0, self._stale - 1)
        if self._speaker is None or stale:
            return
        self._speaker.unread += line + b"\n"
        if len(self._speaker.unread) > MOST_UNREAD:
            self._drop()

    def _tell(self) -> None:
        with suppress(BlockingIOError):
            del self._waiting[: os.write(self._told, self._waiting)]

    def _attend(self, speaker: Speaker, events: int) -> None:
        try:
            if events & WRITE:
                del speaker.unread[: speaker.connection.send(speaker.unread)]
            if events & READ:
                self._read(speaker)
        except BlockingIOError:
            return
        except OSError:
            self._drop()

    def _read(self, speaker: Speaker) -> None:
        octets = speaker.connection.recv(CHUNK)
        if not octets:
            self._drop()
            return
        *lines, speaker.partial = (speaker.partial + octets).split(b"\n")
        self._outstanding += len(lines)
        self._waiting += b"".join(line + b"\n" for line in lines)


def main(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - pathlib would double the memory of this process
    os.umask(0o117)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        os.set_blocking(1, False)
        Helper(server, said=0, told=1).serve()


if __name__ == "__main__":
    main(sys.argv[1])

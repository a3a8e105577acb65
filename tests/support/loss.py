"""A client that sends 1000 datagrams per second to an address, and the services behind it: what is lost is counted."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network

import msgspec

from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace

PORT = 7

ROOMY = """
import contextlib, socket
SO_RCVBUFFORCE = 33
def roomy(opened):
    with contextlib.suppress(PermissionError):
        opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 * 1024 * 1024)
    return opened
"""
"""A socket that loses nothing while its process waits for the CPU for seconds: what is lost then, the network lost."""

ECHO = (
    ROOMY
    + """
import signal, sys
address = sys.argv[1]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
opened = roomy(socket.socket(family, socket.SOCK_DGRAM))
opened.bind((address, int(sys.argv[2])))
signal.signal(signal.SIGTERM, lambda *_: opened.setblocking(False))
signal.siginterrupt(signal.SIGTERM, True)
print("bound", flush=True)
while True:
    try:
        data, sender = opened.recvfrom(64)
        opened.sendto(data, sender)
    except BlockingIOError:
        break
"""
)
"""Ends on SIGTERM, after what has arrived by then."""

CLIENT = (
    ROOMY
    + """
import select, sys, time
address = sys.argv[1]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
opened = roomy(socket.socket(family, socket.SOCK_DGRAM))
opened.connect((address, int(sys.argv[2])))
opened.setblocking(False)
unanswered, begin, sent, served, prompt = set(), time.monotonic(), 0, False, 0

def receive():
    global served, prompt
    while True:
        try:
            answered = int(opened.recv(64))
            unanswered.discard(answered)
            prompt = prompt + 1 if answered > sent - 20 else 0
            if not served and prompt == 100:
                unanswered.clear()
                served = True
        except BlockingIOError:
            return
        except OSError:
            pass

while not select.select([sys.stdin], [], [], max(0.0, begin + sent / 1000 - time.monotonic()))[0]:
    receive()
    unanswered.add(sent)
    try:
        opened.send(str(sent).encode())
    except BlockingIOError:
        unanswered.discard(sent)
    except OSError:
        pass
    sent += 1
    if served and sent % 100 == 0:
        print(sent, flush=True)
patience = time.monotonic() + 2
while unanswered and time.monotonic() < patience:
    select.select([opened], [], [], 0.1)
    receive()
print("lost", *sorted(unanswered), flush=True)
"""
)
"""Counts after a hundred prompt answers in a row: what waits for the neighbor at first comes in one burst, which no
buffer holds. Tells every hundredth datagram; ends when its standard input does, and tells which were not answered.
"""


@contextlib.contextmanager
def service(node: Namespace, address: str) -> "Iterator[subprocess.Popen[str]]":
    """An echo service on an address that the node's kernel itself answers for neither by ARP nor by NDP."""
    node.sysctl("net.ipv4.conf.all.arp_ignore", 1)
    node.sysctl("net.ipv4.conf.all.arp_announce", 2)
    namespaces.set_up(node, "lo")
    namespaces.add_address(node, "lo", str(ip_network(address)))
    argv = [sys.executable, "-c", ECHO, address, str(PORT)]
    with node.popen(argv, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "bound\n"
            yield process
        finally:
            process.kill()


@dataclass(frozen=True, slots=True)
class Client:
    process: "subprocess.Popen[str]"

    def wait_for(self, datagrams: int) -> None:
        """Return when that many more (rounded to hundreds) were sent."""
        for _ in range(datagrams // 100):
            self._line()

    def stop(self) -> list[int]:
        """End the client, and return the numbers of the datagrams that were not answered."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        while not (line := self._line()).startswith("lost"):
            pass
        return msgspec.convert(line.split()[1:], list[int], strict=False)

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the client ended early"
        return line


@contextlib.contextmanager
def client(machine: Namespace, address: str) -> Iterator[Client]:
    """Datagrams to the address until the block ends."""
    argv = [sys.executable, "-c", CLIENT, address, str(PORT)]
    with machine.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Client(process)
        finally:
            process.kill()

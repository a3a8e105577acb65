"""Asking over UDP."""

import contextlib
import socket

from tests.e2e.cluster.machine import Machine

LIMIT_S = 1.0


def echoed(machine: Machine, address: str, port: int) -> bool:
    """Whether what a machine sends to an address comes back from there."""

    def ask() -> bool:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as opened, contextlib.suppress(OSError):
            opened.settimeout(LIMIT_S)
            opened.connect((address, port))
            opened.send(b"anybody there")
            return opened.recv(64) == b"anybody there"
        return False

    return machine.namespace.inside(ask)

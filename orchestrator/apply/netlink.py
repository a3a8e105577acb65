"""Sockets for rtnetlink: one that listens to events, one that asks and reads the whole answer.

The kernel answers within the call that asks, so asking never waits for anybody. All decisions about what messages mean
are elsewhere (`packet.rtnetlink`).

Why our own and no library: the responder shall stay below 25 MiB, and pyroute2, which the lab uses, takes 19 of them
(RSS after import, Python 3.11).
"""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Self

from orchestrator.packet import netlink
from orchestrator.packet.netlink import KIND_DONE, KIND_ERROR, Flag, Message, MessageError

DATAGRAM_LIMIT = 64 * 1024
"""The kernel fills at most 32 KiB."""
ANSWER_LIMIT_S = 1.0
FROM_KERNEL = 0
"""The port id of the kernel; whoever else writes to us is not heard."""

Batch = tuple[Message, ...]


class NetlinkSocket:
    """One NETLINK_ROUTE socket of the namespace. Ends with its `with` block."""

    def __init__(self, groups: int = 0) -> None:
        """`groups` is the mask of what to subscribe to (RTMGRP_*). Raises OSError."""
        with ExitStack() as undo:
            opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
            undo.callback(opened.close)
            opened.bind((0, groups))
            undo.pop_all()
        self._socket = opened
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> Batch | None:
        """Return the messages of the next datagram, None if there is none now.

        Raises OSError: ENOBUFS when the kernel's queue overflowed, so that events are missing, EPROTO for garbage.
        """
        try:
            octets, sender = self._socket.recvfrom(DATAGRAM_LIMIT)
        except BlockingIOError:
            return None
        return _batch(octets) if sender[0] == FROM_KERNEL else ()

    def ask(self, request: Message) -> Iterator[Batch]:
        """Yield the messages of the answer as they come, without the one that ends it. Raises OSError: the answer.

        Not for a socket that subscribes: its events are no answer, and would be lost here.
        """
        self._sequence += 1
        self._socket.settimeout(ANSWER_LIMIT_S)
        self._socket.send(netlink.encode(replace(request, sequence=self._sequence)))
        while (batch := self.receive()) is not None:
            answer = tuple(each for each in batch if each.sequence == self._sequence)
            for message in answer:
                _raise_error(message)
            yield tuple(each for each in answer if each.kind not in (KIND_DONE, KIND_ERROR))
            if any(each.kind in (KIND_DONE, KIND_ERROR) or not each.flags & Flag.MULTI for each in answer):
                return


def _batch(octets: bytes) -> Batch:
    messages = netlink.decode(octets)
    if isinstance(messages, MessageError):
        raise OSError(errno.EPROTO, f"netlink: {messages.value}")
    return messages


def _raise_error(message: Message) -> None:
    number = netlink.errno_of(message)
    if isinstance(number, int) and number:
        raise OSError(number, os.strerror(number))

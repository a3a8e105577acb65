"""When a namespace's kernel takes a route in or out: its rtnetlink notifications (IPv4, linux/rtnetlink.h)."""

import socket
import struct
import time
from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Self

from orchestrator.lab.namespaces import Namespace

RTMGRP_IPV4_ROUTE = 0x40
RTM_NEWROUTE, RTM_DELROUTE = 24, 25
RTA_DST = 1
HEADER = struct.Struct("=IHHII")
ROUTE = struct.Struct("=8BI")
ATTRIBUTE = struct.Struct("=HH")
BUFFER_OCTETS = 8 * 1024 * 1024
DATAGRAM_LIMIT = 65_536
SO_RCVBUFFORCE = 33


class KernelRoutes:
    """The routes that come and go from now on, in their order."""

    def __init__(self, namespace: Namespace) -> None:
        self._socket = namespace.inside(_open)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def added(self, prefix: IPv4Network, limit_s: float) -> float:
        """Return when (seconds since the epoch) the route is there next. Raises TimeoutError."""
        return self._seen(RTM_NEWROUTE, prefix, limit_s)

    def removed(self, prefix: IPv4Network, limit_s: float) -> float:
        """Return when the route is gone next. Raises TimeoutError."""
        return self._seen(RTM_DELROUTE, prefix, limit_s)

    def _seen(self, kind: int, prefix: IPv4Network, limit_s: float) -> float:
        deadline = time.monotonic() + limit_s
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                datagram = self._socket.recv(DATAGRAM_LIMIT)
            except TimeoutError:
                break
            if (kind, prefix) in changes(datagram):
                return time.time()
        raise TimeoutError(f"no notification about {prefix} within {limit_s:g} s")


def changes(datagram: bytes) -> Iterator[tuple[int, IPv4Network]]:
    """Return kind and destination of each message about a route; the default route has no RTA_DST and is left out."""
    start = 0
    while start + HEADER.size <= len(datagram):
        length, kind, *_ = HEADER.unpack_from(datagram, start)
        if kind in (RTM_NEWROUTE, RTM_DELROUTE):
            route = datagram[start + HEADER.size : start + length]
            bits = route[1]
            for octets in _destinations(route[ROUTE.size :]):
                yield kind, IPv4Network((octets, bits))
        start += length + 3 & ~3


def _destinations(attributes: bytes) -> Iterator[bytes]:
    start = 0
    while start + ATTRIBUTE.size <= len(attributes):
        length, kind = ATTRIBUTE.unpack_from(attributes, start)
        if kind == RTA_DST:
            yield attributes[start + ATTRIBUTE.size : start + length]
        start += max(length + 3 & ~3, ATTRIBUTE.size)


def _open() -> socket.socket:
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_OCTETS)
    opened.bind((0, RTMGRP_IPV4_ROUTE))
    return opened

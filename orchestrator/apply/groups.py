"""Memberships of one interface in IPv6 multicast groups: real ones, so that the kernel sends MLD reports.

A switch that snoops MLD forwards solicitations to members only; a filter of the interface (PACKET_ADD_MEMBERSHIP, or
all multicast) tells the switch nothing (measured on a Linux bridge with a querier: 0 of 200 arrive).

The kernel charges memberships to their socket and refuses at some number, 2340 with the usual limit of option memory
(net.core.optmem_max): then the next socket takes over. Closing them leaves all groups.
"""

import errno
import socket
import struct
from collections.abc import Iterable
from contextlib import ExitStack, suppress

_NO_ROOM = (errno.ENOMEM, errno.ENOBUFS)


class Memberships:
    """The groups (16 octets) that an interface is in. They come and go a few at a time, see `proceed`."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._sockets: list[socket.socket] = []
        self._holders: dict[bytes, socket.socket] = {}
        self._to_join: list[bytes] = []
        self._to_leave: list[bytes] = []

    @property
    def count(self) -> int:
        """How many groups are joined."""
        return len(self._holders)

    def want(self, groups: Iterable[bytes]) -> None:
        """Be in these and no others, as soon as `proceed` has done it."""
        wanted = frozenset(groups)
        self._to_join = sorted(wanted - self._holders.keys())
        self._to_leave = sorted(self._holders.keys() - wanted)

    def proceed(self, limit: int) -> int:
        """Join or leave at most `limit` groups and return how many; 0 when there is nothing to do.

        Raises OSError for a group that cannot be joined, which is forgotten until it is wanted anew; the others wait.
        """
        leaving = self._to_leave[:limit]
        self._to_leave = self._to_leave[limit:]
        for group in leaving:
            self._leave(group)
        joining = self._to_join[: limit - len(leaving)]
        for group in joining:
            del self._to_join[0]
            self._join(group)
        return len(joining) + len(leaving)

    def close(self) -> None:
        for each in self._sockets:
            each.close()
        self._sockets.clear()
        self._holders.clear()

    def _join(self, group: bytes) -> None:
        """The newest socket is the likeliest to have room."""
        for each in reversed(self._sockets):
            if self._has_room(each, group):
                self._holders[group] = each
                return
        with ExitStack() as undo:
            opened = undo.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, self._request(group))
            undo.pop_all()
        self._sockets.append(opened)
        self._holders[group] = opened

    def _has_room(self, holder: socket.socket, group: bytes) -> bool:
        try:
            holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, self._request(group))
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            return False
        return True

    def _leave(self, group: bytes) -> None:
        """An interface that is gone has been left."""
        with suppress(OSError):
            self._holders.pop(group).setsockopt(socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, self._request(group))

    def _request(self, group: bytes) -> bytes:
        return struct.pack("=16sI", group, self._index)

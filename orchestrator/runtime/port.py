"""One interface that answers: a socket and a table for ARP, the same for NDP while it can carry that, and its groups.

A port does what it is told at once and plans nothing; when to announce, and how much at a time, is the wire's part.
"""

from collections.abc import Set as AbstractSet
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Protocol

from orchestrator.apply.frames import FrameSocket
from orchestrator.apply.groups import Memberships
from orchestrator.fsm.arp_answers import arp_answers
from orchestrator.fsm.gratuitous import announcements, poke
from orchestrator.fsm.interfaces import Gateway, Link, link_local
from orchestrator.fsm.ndp_answers import ndp_answers
from orchestrator.fsm.responder import Answers, Claim, DropReason, WireOrders, family_of, scope
from orchestrator.fsm.tally import Tally
from orchestrator.net.addresses import IpFamily
from orchestrator.net.link import MacAddress
from orchestrator.packet import arp, ndp

FRAMES_PER_WAKE_UP = 64
BACKLOG_LIMIT = 65536
"""More than the buffer of a socket holds, but not more than can be read while the next arrive."""


class Channel:
    """A socket with what is answered on it."""

    def __init__(self, socket: FrameSocket, answers: Answers, tally: Tally) -> None:
        self.socket = socket
        self.answers = answers
        self._tally = tally

    def read(self, own_macs: AbstractSet[bytes]) -> list[Claim]:
        """Answer some of what waits, and return the claims in it; the rest is for the next turn of the loop."""
        claims = []
        answers = self.answers
        for _ in range(FRAMES_PER_WAKE_UP):
            frame = self.socket.receive()
            if frame is None:
                break
            self._respond(frame, answers)
            if claimed := answers.claim(frame, own_macs):
                claims.append(claimed)
        return claims

    def drop_backlog(self) -> None:
        for _ in range(BACKLOG_LIMIT):
            if self.socket.receive() is None:
                break
            self._tally.drops[DropReason.PAUSED] += 1

    def send(self, frame: bytes) -> bool:
        """Return whether the kernel took the frame."""
        taken = self.socket.send(frame)
        if not taken:
            self._tally.drops[DropReason.ERROR] += 1
        return taken

    def _respond(self, frame: bytes, answers: Answers) -> None:
        reply = answers.answer(frame)
        if isinstance(reply, DropReason):
            self._tally.drops[reply] += 1
            return
        address = answers.subject(frame)
        self._tally.requests[address] += 1
        if self.send(reply):
            self._tally.responses[address] += 1


class Readers(Protocol):
    """Who reads channels while they are open."""

    def opened(self, channel: Channel) -> None: ...

    def closing(self, channel: Channel) -> None: ...


class Port:
    """An eligible link, open. `channels` are by family; IPv6 is there while the link has a link-local address."""

    def __init__(self, link: Link, orders: WireOrders, tally: Tally, readers: Readers) -> None:
        """Raises OSError when the interface is gone."""
        self.link = link
        self._readers = readers
        self.channels: dict[IpFamily, Channel] = {}
        self.memberships = Memberships(link.index)
        self._tally = tally
        self._open(IpFamily.IPV4, orders)
        self._follow_link_local(orders)

    @property
    def mac(self) -> MacAddress:
        assert self.link.mac is not None, "an eligible link has a MAC address"
        return self.link.mac

    @property
    def addresses(self) -> frozenset[bytes]:
        """What is answered for here, of both families."""
        return frozenset().union(*(channel.answers.scope.here for channel in self.channels.values()))

    def set_orders(self, orders: WireOrders) -> None:
        for family, channel in self.channels.items():
            channel.answers = self._answers(family, orders)
        self._follow_groups()

    def set_link(self, link: Link, orders: WireOrders) -> None:
        """A new name may bring other addresses, a new MAC other replies. Raises OSError when the interface is gone."""
        before, self.link = self.link, link
        if (before.name, before.mac) != (link.name, link.mac):
            self.set_orders(orders)
        self._follow_link_local(orders)

    def announce(self, address: bytes) -> bool:
        """Return whether an announcement of the address went out."""
        channel = self._channel_of(address)
        if channel is None:
            return False
        sent = [channel.send(frame) for frame in announcements(self.mac, address, link_local(self.link))]
        self._tally.gratuitous[address] += sum(sent)
        return any(sent)

    def poke(self, address: bytes, gateway: Gateway) -> None:
        """Tell one gateway, if the address is of its family."""
        channel, frame = self._channel_of(address), poke(self.mac, address, link_local(self.link), gateway)
        if channel is not None and frame is not None and channel.send(frame):
            self._tally.gratuitous[address] += 1

    def ask(self, address: bytes) -> bool:
        """Ask whether anybody has the address, without saying that we want it (RFC 5227 §2.1.1, RFC 4862 §5.4.2).

        Return whether the question went out: without carrier the kernel takes frames and forgets them.
        """
        channel = self._channel_of(address)
        if channel is None or not self.link.carrier or address not in channel.answers.scope.heard:
            return False
        match ip_address(address):
            case IPv4Address() as asked:
                return channel.send(arp.probe(self.mac, asked))
            case IPv6Address() as asked:
                return channel.send(ndp.probe(self.mac, asked))

    def close(self) -> None:
        for family in tuple(self.channels):
            self._close(family)
        self.memberships.close()

    def _channel_of(self, address: bytes) -> Channel | None:
        return self.channels.get(family_of(address))

    def _answers(self, family: IpFamily, orders: WireOrders) -> Answers:
        around = scope(orders, self.link.name, family)
        compute = arp_answers if family is IpFamily.IPV4 else ndp_answers
        return compute(around, self.link.name, self.mac)

    def _open(self, family: IpFamily, orders: WireOrders) -> None:
        opened = FrameSocket(self.link.index, family)
        self.channels[family] = Channel(opened, self._answers(family, orders), self._tally)
        self._readers.opened(self.channels[family])

    def _close(self, family: IpFamily) -> None:
        channel = self.channels.pop(family)
        self._readers.closing(channel)
        channel.socket.close()

    def _follow_link_local(self, orders: WireOrders) -> None:
        able = link_local(self.link) is not None
        if able and IpFamily.IPV6 not in self.channels:
            self._open(IpFamily.IPV6, orders)
        elif not able and IpFamily.IPV6 in self.channels:
            self._close(IpFamily.IPV6)
            self.memberships.close()
        self._follow_groups()

    def _follow_groups(self) -> None:
        """Those of watched addresses, too: taking one over does not wait for the switch to learn of the group."""
        channel = self.channels.get(IpFamily.IPV6)
        heard = channel.answers.scope.heard if channel is not None else frozenset()
        self.memberships.want({ndp.solicited_node(address) for address in heard})

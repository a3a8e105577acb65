"""Which ARP requests are answered, and with what: one lookup in a set per frame.

A reply is put together from what the interface always says and what stands in the request:

    reply = asker's MAC | our MAC, ARP reply, our MAC | the address | asker's MAC and IP
                          ^ the head: one per interface

The order of the checks is that of contract 4.5. As there, the sender's IP is not looked at: probes and other nodes'
announcements of our addresses are answered too.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from orchestrator.fsm.responder import GROUP_BIT, Claim, DropReason, Scope, not_announced
from orchestrator.net.link import BROADCAST, InterfaceName, MacAddress
from orchestrator.packet import arp
from orchestrator.packet.arp import Operation

_REQUEST = Operation.REQUEST.value
_REPLY = Operation.REPLY.value


@dataclass(frozen=True, slots=True, kw_only=True)
class ArpAnswers:
    """What one interface answers; `head` is the constant part of replies."""

    name: InterfaceName
    scope: Scope
    destinations: frozenset[bytes]
    head: bytes

    def answer(self, frame: bytes) -> bytes | DropReason:
        """Return the reply to a frame that the interface received, or why there is none; never raises.

        Source: contract 4.5. Stricter in one point: a request whose sender MAC is a group address would make us
        broadcast, and counts as malformed.
        """
        if len(frame) < arp.FRAME_LENGTH or frame[arp.FRAME_KIND_AT] != arp.FRAME_KIND or frame[22] & GROUP_BIT:
            return DropReason.MALFORMED
        if frame[arp.OPERATION] != _REQUEST:
            return DropReason.ARP_REPLY
        if frame[arp.DESTINATION] not in self.destinations:
            return DropReason.ETHERNET_DESTINATION
        address = frame[arp.TARGET_ADDRESS]
        if address not in self.scope.here:
            return not_announced(address, self.scope)
        return frame[arp.SENDER_MAC] + self.head + address + frame[arp.SENDER]

    def subject(self, frame: bytes) -> bytes:
        return frame[arp.TARGET_ADDRESS]

    def claim(self, frame: bytes, own_macs: AbstractSet[bytes]) -> Claim | None:
        """Return the claim to an address of this interface that a request or a reply carries."""
        address = frame[arp.SENDER_ADDRESS]
        if address not in self.scope.heard or frame[arp.SENDER_MAC] in own_macs:
            return None
        packet = arp.decode_frame(frame)
        return Claim(address, packet.sender_mac, self.name) if isinstance(packet, arp.ArpPacket) else None


def arp_answers(around: Scope, name: InterfaceName, mac: MacAddress) -> ArpAnswers:
    """Return what the interface answers for IPv4 addresses."""
    return ArpAnswers(
        name=name,
        scope=around,
        destinations=frozenset((BROADCAST.octets, mac.octets)),
        head=b"".join((mac.octets, arp.FRAME_KIND, _REPLY, mac.octets)),
    )

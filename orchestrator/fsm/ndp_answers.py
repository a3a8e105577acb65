"""Which Neighbor Solicitations are answered, and with what: one lookup in a set and one modulo per frame.

A reply's octets are the same for every address of an interface but for the address itself, which stands in it twice, and
the asker. So is its checksum: a constant, twice the address as a number, and the asker's.

    reply = asker's MAC | our MAC, IPv6 | address | asker's IP | NA | checksum | flags | address | option with our MAC

Asked for by group or directly, with or without the asker's MAC in an option (then its frame tells). Flags, RFC 4861
§7.2.4: Router is never set. Solicited is, but for an asker without address: it asks whether ours is free, and all nodes
are told that it is not. Override is always set: our address is neither anycast nor proxied. Linux 6.18, measured with
an entry that has the former owner's MAC: with Override it takes the new MAC in every state but PERMANENT, without it a
STALE entry keeps the old one and a REACHABLE one becomes STALE with the old one. MetalLB's replies are without
(contract 4.6), and want an option.

The source of a reply is the address it speaks for, as the kernel does it.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from orchestrator.fsm.responder import GROUP_BIT, Claim, DropReason, Scope, not_announced
from orchestrator.net.link import InterfaceName, MacAddress
from orchestrator.packet import ndp
from orchestrator.packet.ethernet import FrameError
from orchestrator.packet.ndp import Flag

_KIND = bytes((ndp.ADVERTISEMENT, 0))
_LENGTH = 32
_HEADER = b"\x60\0\0\0" + _LENGTH.to_bytes(2) + bytes((ndp.NEXT_HEADER, ndp.HOP_LIMIT))
_REPLY = bytes((Flag.SOLICITED | Flag.OVERRIDE, 0, 0, 0))
_DEFENSE = bytes((Flag.OVERRIDE, 0, 0, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class NdpAnswers:
    """What one interface answers; `front`, `option` and `total` are the constant parts of replies and checksum."""

    name: InterfaceName
    mac: bytes
    scope: Scope
    front: bytes
    option: bytes
    total: int

    def answer(self, frame: bytes) -> bytes | DropReason:
        """Return the reply to a frame that the interface received, or why there is none; never raises."""
        options = ndp.check(frame)
        if isinstance(options, FrameError) or frame[6] & GROUP_BIT:
            return DropReason.MALFORMED
        if frame[ndp.ICMP_AT] != ndp.SOLICITATION:
            return DropReason.NDP_MESSAGE_TYPE
        target, destination = frame[ndp.TARGET], frame[ndp.DESTINATION]
        if destination != self.mac and destination != ndp.SOLICITED_NODE_MAC + target[13:]:
            return DropReason.ETHERNET_DESTINATION
        if target not in self.scope.here:
            return not_announced(target, self.scope)
        asker = frame[ndp.SOURCE]
        if asker == ndp.UNSPECIFIED:
            return self._reply(target, ndp.ALL_NODES_MAC.octets, ndp.ALL_NODES.packed, _DEFENSE)
        return self._reply(target, options.get(ndp.SOURCE_LINK_OPTION) or frame[ndp.SOURCE_MAC], asker, _REPLY)

    def _reply(self, address: bytes, asker_mac: bytes, asker: bytes, flags: bytes) -> bytes:
        total = self.total + 2 * int.from_bytes(address) + int.from_bytes(asker) + int.from_bytes(flags)
        return b"".join(
            (asker_mac, self.front, address, asker, _KIND, ndp.checksum(total), flags, address, self.option)
        )

    def subject(self, frame: bytes) -> bytes:
        return frame[ndp.TARGET]

    def claim(self, frame: bytes, own_macs: AbstractSet[bytes]) -> Claim | None:
        """Return the claim to an address of this interface that an advertisement carries."""
        if frame[ndp.TARGET] not in self.scope.heard or frame[ndp.ICMP_AT] != ndp.ADVERTISEMENT:
            return None
        options = ndp.check(frame)
        if isinstance(options, FrameError):
            return None
        mac = options.get(ndp.TARGET_LINK_OPTION) or frame[ndp.SOURCE_MAC]
        return Claim(frame[ndp.TARGET], MacAddress(mac), self.name) if mac not in own_macs else None


def ndp_answers(around: Scope, name: InterfaceName, mac: MacAddress) -> NdpAnswers:
    """Return what the interface answers for IPv6 addresses."""
    option = ndp.link_option(ndp.TARGET_LINK_OPTION, mac)
    total = _LENGTH + ndp.NEXT_HEADER + int.from_bytes(_KIND) + int.from_bytes(option)
    return NdpAnswers(
        name=name,
        mac=mac.octets,
        scope=around,
        front=mac.octets + ndp.IPV6_TYPE + _HEADER,
        option=option,
        total=total,
    )

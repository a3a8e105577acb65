"""Ethernet II frames (IEEE 802.3 §3.1), without the frame check sequence.

 0             6             12     14
+-------------+-------------+------+---------------------------+
| destination |   source    | type | payload, padded to 46     |
+-------------+-------------+------+---------------------------+
"""

from dataclasses import dataclass
from enum import Enum

from orchestrator.net.link import MacAddress

HEADER_LENGTH = 14
TYPE_ARP = 0x0806
TYPE_IPV6 = 0x86DD


class FrameError(Enum):
    """Why octets are not the packet that was looked for."""

    TRUNCATED = "truncated"
    OTHER_TYPE = "otherType"
    OTHER_OPERATION = "otherOperation"
    HOP_LIMIT = "hopLimit"
    CHECKSUM = "checksum"
    ADDRESS = "address"
    OPTION = "option"


@dataclass(frozen=True, slots=True, kw_only=True)
class EthernetFrame:
    """A frame; a decoded payload keeps its padding."""

    destination: MacAddress
    source: MacAddress
    ethertype: int
    payload: bytes


def encode(frame: EthernetFrame) -> bytes:
    """Return the octets; the network interface pads a short frame."""
    return frame.destination.octets + frame.source.octets + frame.ethertype.to_bytes(2) + frame.payload


def decode(octets: bytes) -> EthernetFrame | FrameError:
    """Return the frame that `octets` are; never raises."""
    if len(octets) < HEADER_LENGTH:
        return FrameError.TRUNCATED
    return EthernetFrame(
        destination=MacAddress(octets[0:6]),
        source=MacAddress(octets[6:12]),
        ethertype=int.from_bytes(octets[12:14]),
        payload=octets[HEADER_LENGTH:],
    )

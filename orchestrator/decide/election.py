"""Which of several nodes answers ARP and NDP for an address. Nothing but the sets of nodes goes in, so all agree."""

from collections.abc import Collection, Mapping
from hashlib import sha256

from orchestrator.config.model import NodeName
from orchestrator.net.addresses import IpAddress


def elect(address: IpAddress, candidates: Collection[NodeName], preference: Mapping[NodeName, int]) -> NodeName | None:
    """Return the node that answers for `address`; None if `candidates` is empty.

    Every speaker gets the same answer from the same set, in any order: highest preference (absent = 0), then lowest
    sha256(node + "#" + address). Source: contract 4.2 with its vectors.
    """
    suffix = f"#{address}".encode()
    return min(candidates, key=lambda node: (-preference.get(node, 0), _rank(node, suffix)), default=None)


def _rank(node: NodeName, suffix: bytes) -> bytes:
    return sha256(node.encode() + suffix).digest()

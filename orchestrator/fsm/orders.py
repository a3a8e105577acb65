"""A table from the speaker, checked and with its texts parsed: all of it can be used, or none."""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.errors import InvalidConfig
from orchestrator.fsm.interfaces import DEFAULT_EXCLUSIONS, exclusion
from orchestrator.fsm.liveness import Timing
from orchestrator.fsm.responder_api import Entry, PeerNode, Table
from orchestrator.net.addresses import IpAddress, parse_address
from orchestrator.net.link import MacAddress

MAX_NODE_OCTETS = 255
MIN_INTERVAL_MS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshOrders:
    """Heartbeats: `peers` are node names with the addresses to send to, at least one; `unready` as in the table."""

    peers: tuple[tuple[str, tuple[IpAddress, ...]], ...]
    key: bytes
    port: int
    timing: Timing
    unready: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """All that the responder shall do. `entries` are those of the table, by the octets of their address.

    `nodes` are the MACs of the peers. `interfaces` are those that announcements are for; None means any. `for_reserve`
    as in the table.
    """

    number: int
    entries: Mapping[bytes, Entry]
    excluded: re.Pattern[str] | None
    interfaces: tuple[str, ...] | None = None
    nodes: Mapping[MacAddress, str] = field(default_factory=dict)
    for_reserve: bool = False
    mesh: MeshOrders


def parse_addresses(entries: Iterable[Entry], known: Mapping[Entry, bytes]) -> dict[Entry, bytes]:
    """Return the octets of each entry's address. Raises InvalidConfig.

    `known` are those that need not be parsed: of 5000 entries mostly one has changed.
    """
    return {entry: known.get(entry) or parse_address(entry.address).packed for entry in entries}


def parse_table(table: Table, node: str, known: Mapping[Entry, bytes]) -> Orders:
    """Return the orders in a table for `node`. Raises InvalidConfig, naming the value that is wrong.

    `known` are addresses that are parsed already.
    """
    if table.node != node:
        raise InvalidConfig(f'the table is for node "{table.node}", this is "{node}"')
    return Orders(
        number=table.number,
        entries=_by_address(table.entries, known),
        excluded=_exclusion(DEFAULT_EXCLUSIONS if table.exclude is None else table.exclude),
        interfaces=table.interfaces,
        nodes={MacAddress.parse(mac): peer.node for peer in table.peers for mac in peer.macs},
        for_reserve=table.for_reserve,
        mesh=_mesh(table),
    )


def _by_address(entries: Iterable[Entry], known: Mapping[Entry, bytes]) -> Mapping[bytes, Entry]:
    by_address: dict[bytes, Entry] = {}
    for entry, address in parse_addresses(entries, known).items():
        if by_address.setdefault(address, entry) is not entry:
            raise InvalidConfig(f"{entry.address} has two entries")
    return by_address


def _mesh(table: Table) -> MeshOrders:
    if not 0 < table.port <= 0xFFFF:
        raise InvalidConfig(f"port {table.port} is not 1 to 65535")
    if table.interval_ms < MIN_INTERVAL_MS or table.hold_s < 0:
        raise InvalidConfig(
            f"interval_ms {table.interval_ms} must be at least {MIN_INTERVAL_MS}, hold_s {table.hold_s} at least 0"
        )
    if table.isolation_s < 0:
        raise InvalidConfig(f"isolation_s {table.isolation_s} is not at least 0")
    return MeshOrders(
        peers=tuple(_peer(peer) for peer in table.peers),
        key=_key(table.key_base64.open()),
        port=table.port,
        timing=Timing(interval_s=table.interval_ms / 1000, hold_s=table.hold_s, isolation_s=table.isolation_s),
        unready=frozenset(table.unready),
    )


def _peer(peer: PeerNode) -> tuple[str, tuple[IpAddress, ...]]:
    if not 0 < len(peer.node.encode()) <= MAX_NODE_OCTETS:
        raise InvalidConfig(f'node name "{peer.node}" is not 1 to {MAX_NODE_OCTETS} octets')
    if not peer.addresses:
        raise InvalidConfig(f'peer "{peer.node}" has no address')
    return peer.node, tuple(parse_address(address) for address in peer.addresses)


def _key(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise InvalidConfig("the heartbeat key is not base64") from None


def _exclusion(patterns: tuple[str, ...]) -> re.Pattern[str] | None:
    try:
        return exclusion(patterns)
    except re.error as error:
        raise InvalidConfig(f'"{error.pattern!r}" is not a regular expression: {error}') from None

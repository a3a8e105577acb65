"""What advice is given from and made of: everything known, the short codes, and the form of a warning."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import ip_interface

from orchestrator.config.model import Config, NodeName, Peer, Pool
from orchestrator.config.nodes import selected
from orchestrator.net.addresses import AddressRange, IpAddress, IpFamily, Prefix
from orchestrator.resources.core import Service
from orchestrator.resources.extensions import SpeakerStateSpec
from orchestrator.resources.meta import ObjectRef, Problem, Severity
from orchestrator.resources.metallb import (
    BGPAdvertisement,
    BGPAdvertisementSpec,
    L2Advertisement,
    L2AdvertisementSpec,
)
from orchestrator.resources.selectors import matches_any, selector_faults
from orchestrator.resources.snapshot import ClusterSnapshot

EVERY_CLUSTER_HAS = "default"
"""A namespace that no cluster is without: where it is known, all are."""
SHOWN = 3
"""How many names a message lists."""


class AdviceReason(Enum):
    """The code of a warning, as `ferrule lint` prints it; docs/lint.md explains each."""

    NODE_ADDRESS_IN_POOL = "NodeAddressInPool"
    PEER_ADDRESS_IN_POOL = "PeerAddressInPool"
    CLUSTER_ADDRESS_IN_POOL = "ClusterAddressInPool"
    SUBNET_ADDRESS_IN_POOL = "SubnetAddressInPool"
    POOL_NOT_ADVERTISED = "PoolNotAdvertised"
    FAMILY_NOT_ADVERTISED = "FamilyNotAdvertised"
    NO_NODE_ON_LINK = "PoolOffLink"
    SINGLE_ADDRESS_POOL = "SingleAddressPool"
    NO_USABLE_ADDRESS = "NoUsableAddress"
    SERVES_NO_NAMESPACE = "ServesNoNamespace"
    SELECTS_NO_POOL = "SelectsNoPool"
    SELECTS_NO_NODE = "SelectsNoNode"
    PREFERS_NO_NODE = "PrefersNoNode"
    NO_PEER = "NoPeer"
    FOREIGN_TRAFFIC = "ForeignTraffic"
    LOCAL_PREF_NOT_SENT = "LocalPrefNotSent"
    AS_PATH_NOT_SENT = "AsPathNotSent"
    WEIGHTS_COARSE = "WeightsCoarse"
    PEER_GETS_NO_ROUTES = "PeerGetsNoRoutes"
    PEER_IS_OWN_NODE = "PeerIsOwnNode"
    NEEDS_MULTI_HOP = "NeedsMultiHop"
    ONE_SOURCE_FOR_MANY_NODES = "OneSourceForManyNodes"
    ONE_ROUTER_ID_FOR_MANY_NODES = "OneRouterIdForManyNodes"
    BFD_WITH_GRACEFUL_RESTART = "BfdWithGracefulRestart"
    DEAD_PEER_UNNOTICED = "DeadPeerUnnoticed"
    COMMUNITY_UNUSED = "CommunityUnused"
    BFD_PROFILE_UNUSED = "BfdProfileUnused"
    QUOTA_ADMITS_NOBODY = "QuotaAdmitsNobody"


AdvertisementSpec = L2AdvertisementSpec | BGPAdvertisementSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that advice may look at. Without nodes, `services` or `speakers` nothing is said that needs them.

    `nodes_of` has the nodes of every BGPAdvertisement and L2Advertisement whose selectors can be applied.
    """

    config: Config
    snapshot: ClusterSnapshot
    services: Collection[Service] = ()
    speakers: Collection[SpeakerStateSpec] = ()
    nodes_of: Mapping[ObjectRef, frozenset[NodeName]] = field(default_factory=dict)

    @property
    def receivers(self) -> dict[str, Peer]:
        """Every peer that prefixes go to, by name."""
        return {**self.config.peers, **self.config.locked_peers}

    def pools(self) -> Iterator[Pool]:
        """The pools in use whose objects can be read now."""
        return (pool for name, pool in sorted(self.config.pools.items()) if name in self.snapshot.pools)

    def all_read(self, *kinds: str) -> bool:
        """Whether no object of these kinds is hidden by what cannot be parsed."""
        return not any(ref.kind in kinds for ref in self.snapshot.unusable)

    def prefixes_of(self, nodes: Iterable[NodeName]) -> dict[NodeName, tuple[Prefix, ...]] | None:
        """The subnets on the interfaces of nodes; None unless the speakers of all of them have told."""
        told = {state.node: state for state in self.speakers}
        wanted = sorted(nodes)
        if not wanted or not set(wanted) <= set(told):
            return None
        return {
            node: tuple(ip_interface(text).network for part in told[node].interfaces for text in part.prefixes)
            for node in wanted
        }


def known_of(
    config: Config, snapshot: ClusterSnapshot, services: Collection[Service], speakers: Collection[SpeakerStateSpec]
) -> Known:
    """Apply the node selectors of all advertisements, once."""
    l2 = {l2_ref(each): each.spec.node_selectors for each in snapshot.l2_advertisements.values() if is_sound(each.spec)}
    bgp = {
        bgp_ref(each): each.spec.node_selectors for each in snapshot.bgp_advertisements.values() if is_sound(each.spec)
    }
    nodes_of = {ref: selected(selectors, config.nodes) for ref, selectors in (*l2.items(), *bgp.items())}
    return Known(config=config, snapshot=snapshot, services=services, speakers=speakers, nodes_of=nodes_of)


def l2_ref(advertisement: L2Advertisement) -> ObjectRef:
    return ObjectRef("L2Advertisement", *advertisement.metadata.key)


def bgp_ref(advertisement: BGPAdvertisement) -> ObjectRef:
    return ObjectRef("BGPAdvertisement", *advertisement.metadata.key)


def warning(ref: ObjectRef, field: str, reason: AdviceReason, message: str) -> Problem:
    """Return a problem that stops nothing; `message` ends with the remedy."""
    return Problem(ref=ref, field=field, message=message, severity=Severity.WARNING, code=reason.value)


def is_for(spec: AdvertisementSpec, pool: str, labels: dict[str, str]) -> bool:
    """Whether an advertisement names or selects that pool (contract 3.7)."""
    if not spec.ip_address_pools and not spec.ip_address_pool_selectors:
        return True
    selectors = spec.ip_address_pool_selectors
    return pool in spec.ip_address_pools or (bool(selectors) and matches_any(selectors, labels))


def is_sound(spec: AdvertisementSpec) -> bool:
    """Whether its selectors can be applied; what is wrong with them is said elsewhere."""
    return not any(
        selector_faults(selectors, "") for selectors in (spec.ip_address_pool_selectors, spec.node_selectors)
    )


class Entries:
    """The entries of pools, for the one that holds an address. Pools do not overlap."""

    def __init__(self, pools: Iterable[Pool]) -> None:
        self._entries = sorted(
            (
                (part.first.version, int(part.first), int(part.last), pool, f"spec.addresses[{index}]")
                for pool in pools
                for index, part in enumerate(pool.ranges)
            ),
            key=lambda entry: entry[:2],
        )

    def holding(self, address: IpAddress) -> tuple[Pool, str] | None:
        """Return the pool and the field of its entry that holds the address."""
        version, number = int(address.version), int(address)
        index = bisect_right(self._entries, (version, number), key=lambda entry: entry[:2]) - 1
        if index < 0:
            return None
        found_version, _, last, pool, field = self._entries[index]
        return (pool, field) if found_version == version and number <= last else None


def families_of(ranges: Iterable[AddressRange]) -> tuple[IpFamily, ...]:
    """The families of some ranges, IPv4 first."""
    found = {part.family for part in ranges}
    return tuple(family for family in IpFamily if family in found)


def some_of(names: Iterable[str]) -> str:
    """Return the first few names as one text."""
    listed = sorted(names)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more

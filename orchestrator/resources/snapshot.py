"""ClusterSnapshot: all that one pass of `resolve` may look at.

Services and EndpointSlices are not in it: they change often and are many, and a plan looks at one group of them.
Every mapping is by name, of objects in our own namespace where the kind has one (contract 00: others are ignored).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from orchestrator.resources import core, extensions, metallb
from orchestrator.resources.kinds import KubeObject
from orchestrator.resources.meta import ObjectRef, Problem

AnyObject = TypeVar("AnyObject", bound=KubeObject)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSnapshot:
    """The configuration objects at one moment.

    `unusable` holds objects that exist but could not be parsed, with what is wrong with them: their last good spec
    stays. `incomplete` says that some input could not be read at all: absent objects may then exist.
    """

    pools: Mapping[str, metallb.IPAddressPool] = field(default_factory=dict)
    l2_advertisements: Mapping[str, metallb.L2Advertisement] = field(default_factory=dict)
    bgp_advertisements: Mapping[str, metallb.BGPAdvertisement] = field(default_factory=dict)
    peers: Mapping[str, metallb.BGPPeer] = field(default_factory=dict)
    bfd_profiles: Mapping[str, metallb.BFDProfile] = field(default_factory=dict)
    communities: Mapping[str, metallb.Community] = field(default_factory=dict)
    reservations: Mapping[str, extensions.AddressReservation] = field(default_factory=dict)
    quotas: Mapping[str, extensions.AddressQuota] = field(default_factory=dict)
    secrets: Mapping[str, core.Secret] = field(default_factory=dict)
    config_maps: Mapping[str, core.ConfigMap] = field(default_factory=dict)
    nodes: Mapping[str, core.Node] = field(default_factory=dict)
    namespaces: Mapping[str, core.Namespace] = field(default_factory=dict)
    unusable: Mapping[ObjectRef, tuple[Problem, ...]] = field(default_factory=dict)
    incomplete: bool = False


def snapshot_of(
    objects: Iterable[KubeObject],
    unusable: Mapping[ObjectRef, tuple[Problem, ...]],
    namespace: str,
    *,
    incomplete: bool,
) -> ClusterSnapshot:
    """Return the snapshot of a set of objects; those of other namespaces than `namespace` are left out."""
    here = [obj for obj in objects if obj.metadata.namespace in {"", namespace}]
    return ClusterSnapshot(
        pools=_by_name(here, metallb.IPAddressPool),
        l2_advertisements=_by_name(here, metallb.L2Advertisement),
        bgp_advertisements=_by_name(here, metallb.BGPAdvertisement),
        peers=_by_name(here, metallb.BGPPeer),
        bfd_profiles=_by_name(here, metallb.BFDProfile),
        communities=_by_name(here, metallb.Community),
        reservations=_by_name(here, extensions.AddressReservation),
        quotas=_by_name(here, extensions.AddressQuota),
        secrets=_by_name(here, core.Secret),
        config_maps=_by_name(here, core.ConfigMap),
        nodes=_by_name(here, core.Node),
        namespaces=_by_name(here, core.Namespace),
        unusable=unusable,
        incomplete=incomplete,
    )


def _by_name(objects: Iterable[KubeObject], kind: type[AnyObject]) -> Mapping[str, AnyObject]:
    return {obj.metadata.name: obj for obj in objects if isinstance(obj, kind)}

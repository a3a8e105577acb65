"""
ClusterSnapshot: all that one pass of `resolve` may look at.

Services and EndpointSlices are not in it: they change often and are many, and a plan looks at one group of them.
Every mapping is by name, of objects in our own namespace where the kind has one (contract 00: others are ignored).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.resources import core, metallb
from orchestrator.resources.meta import ObjectRef, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSnapshot:
    """
    The configuration objects at one moment.

    `unusable` holds objects that exist but could not be parsed, with what is wrong with them: their last good spec
    stays. `incomplete` says that some input could not be read at all: absent objects may then exist.
    """

    pools: Mapping[str, metallb.IPAddressPool] = field(default_factory=dict)
    l2_advertisements: Mapping[str, metallb.L2Advertisement] = field(default_factory=dict)
    bgp_advertisements: Mapping[str, metallb.BGPAdvertisement] = field(default_factory=dict)
    peers: Mapping[str, metallb.BGPPeer] = field(default_factory=dict)
    bfd_profiles: Mapping[str, metallb.BFDProfile] = field(default_factory=dict)
    communities: Mapping[str, metallb.Community] = field(default_factory=dict)
    secrets: Mapping[str, core.Secret] = field(default_factory=dict)
    nodes: Mapping[str, core.Node] = field(default_factory=dict)
    namespaces: Mapping[str, core.Namespace] = field(default_factory=dict)
    unusable: Mapping[ObjectRef, tuple[Problem, ...]] = field(default_factory=dict)
    incomplete: bool = False

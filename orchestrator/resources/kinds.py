"""Which struct parses which apiVersion and kind, and where such objects live."""

from dataclasses import dataclass

from orchestrator.resources import core, extensions, metallb
from orchestrator.resources.meta import ObjectRef

Configured = (
    metallb.IPAddressPool
    | metallb.L2Advertisement
    | metallb.BGPAdvertisement
    | metallb.BGPPeer
    | metallb.BFDProfile
    | metallb.Community
    | extensions.AddressReservation
    | extensions.AddressQuota
)
"""What people configure; the status says what we make of it."""

KubeObject = (
    core.Service
    | core.EndpointSlice
    | core.Node
    | core.Namespace
    | core.Secret
    | core.ConfigMap
    | Configured
    | metallb.ServiceL2Status
    | metallb.ServiceBGPStatus
    | metallb.ConfigurationState
    | extensions.SpeakerState
    | extensions.Failover
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One served kind: its versions, the plural of its URLs, whether objects have a namespace."""

    group: str
    versions: tuple[str, ...]
    kind: str
    plural: str
    struct: type[KubeObject]
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The version that we write: the last listed."""
        return f"{self.group}/{self.versions[-1]}" if self.group else self.versions[-1]

    @property
    def has_status(self) -> bool:
        """Whether objects have a status, which is then written apart from the rest."""
        return "status" in self.struct.__struct_fields__


METALLB = "metallb.io"
FERRULE = "ferrule.io"

KINDS: tuple[Kind, ...] = (
    Kind(group="", versions=("v1",), kind="Service", plural="services", struct=core.Service),
    Kind(
        group="discovery.k8s.io",
        versions=("v1",),
        kind="EndpointSlice",
        plural="endpointslices",
        struct=core.EndpointSlice,
    ),
    Kind(group="", versions=("v1",), kind="Node", plural="nodes", struct=core.Node, namespaced=False),
    Kind(group="", versions=("v1",), kind="Namespace", plural="namespaces", struct=core.Namespace, namespaced=False),
    Kind(group="", versions=("v1",), kind="Secret", plural="secrets", struct=core.Secret),
    Kind(group="", versions=("v1",), kind="ConfigMap", plural="configmaps", struct=core.ConfigMap),
    Kind(
        group=METALLB,
        versions=("v1beta1",),
        kind="IPAddressPool",
        plural="ipaddresspools",
        struct=metallb.IPAddressPool,
    ),
    Kind(
        group=METALLB,
        versions=("v1beta1",),
        kind="L2Advertisement",
        plural="l2advertisements",
        struct=metallb.L2Advertisement,
    ),
    Kind(
        group=METALLB,
        versions=("v1beta1",),
        kind="BGPAdvertisement",
        plural="bgpadvertisements",
        struct=metallb.BGPAdvertisement,
    ),
    Kind(group=METALLB, versions=("v1beta1", "v1beta2"), kind="BGPPeer", plural="bgppeers", struct=metallb.BGPPeer),
    Kind(group=METALLB, versions=("v1beta1",), kind="BFDProfile", plural="bfdprofiles", struct=metallb.BFDProfile),
    Kind(group=METALLB, versions=("v1beta1",), kind="Community", plural="communities", struct=metallb.Community),
    Kind(
        group=METALLB,
        versions=("v1beta1",),
        kind="ServiceL2Status",
        plural="servicel2statuses",
        struct=metallb.ServiceL2Status,
    ),
    Kind(
        group=METALLB,
        versions=("v1beta1",),
        kind="ServiceBGPStatus",
        plural="servicebgpstatuses",
        struct=metallb.ServiceBGPStatus,
    ),
    Kind(
        group=METALLB,
        versions=("v1beta1",),
        kind="ConfigurationState",
        plural="configurationstates",
        struct=metallb.ConfigurationState,
    ),
    Kind(
        group=FERRULE,
        versions=("v1alpha1",),
        kind="SpeakerState",
        plural="speakerstates",
        struct=extensions.SpeakerState,
    ),
    Kind(group=FERRULE, versions=("v1alpha1",), kind="Failover", plural="failovers", struct=extensions.Failover),
    Kind(
        group=FERRULE,
        versions=("v1alpha1",),
        kind="AddressReservation",
        plural="addressreservations",
        struct=extensions.AddressReservation,
    ),
    Kind(
        group=FERRULE,
        versions=("v1alpha1",),
        kind="AddressQuota",
        plural="addressquotas",
        struct=extensions.AddressQuota,
    ),
)

CONFIGURED_KINDS = tuple(kind.kind for kind in KINDS if issubclass(kind.struct, Configured))
BY_NAME = {kind.kind: kind for kind in KINDS}
BY_STRUCT = {kind.struct: kind for kind in KINDS}


def ref_of(obj: KubeObject) -> ObjectRef:
    """Return the reference of a parsed object."""
    return ObjectRef(BY_STRUCT[type(obj)].kind, obj.metadata.namespace, obj.metadata.name)

"""The kinds of group metallb.io, with the defaults of their schemas (contract 01).

Limits and formats of the schemas stand here as `Meta` on the field types, so that `schema` can generate the CRDs from
the structs; the descriptions of the fields are in `schema_texts`. Fields that MetalLB does not have are marked `ours`.
"""

from typing import Annotated, ClassVar, Literal

import msgspec

from orchestrator.resources.meta import Condition, KubeStruct, ObjectMeta
from orchestrator.resources.secret_text import SecretText

INT32, INT64 = {"format": "int32"}, {"format": "int64"}
FILLED_IN = msgspec.Meta(extra={"filled_in": True})
"""On a field whose default the API server writes into the object; the other defaults are ours while reading."""
UNLIMITED = {"unlimited": True}
"""On a number whose limits are those of MetalLB's type, and not in its schema."""

Asn = Annotated[int, msgspec.Meta(ge=0, le=4294967295, extra_json_schema=INT64)]
LocalAsn = Annotated[int, msgspec.Meta(ge=1, le=4294967295, extra_json_schema=INT64)]
Int32 = Annotated[int, msgspec.Meta(extra_json_schema=INT32)]
Int64 = Annotated[int, msgspec.Meta(extra_json_schema=INT64)]
NO_PASSWORD = SecretText("")
Duration = Annotated[str, msgspec.Meta(examples=["90s"])]
"""Go's form, see `durations`; the example stands in the message about a value that is no text."""
BfdInterval = Annotated[int, msgspec.Meta(ge=10, le=60000, extra_json_schema=INT32)]


class LabelSelectorRequirement(KubeStruct, frozen=True):
    key: str
    operator: str
    values: tuple[str, ...] = ()


class LabelSelector(KubeStruct, frozen=True):
    """metav1.LabelSelector; an empty one matches everything."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


class ServiceAllocation(KubeStruct, frozen=True):
    """Which Services a pool serves first; lower positive `priority` wins, 0 is last."""

    priority: int = 0
    namespaces: tuple[str, ...] = ()
    namespace_selectors: tuple[LabelSelector, ...] = ()
    service_selectors: tuple[LabelSelector, ...] = ()


class IPAddressPoolSpec(KubeStruct, frozen=True):
    """Ours: a `draining` pool gives addresses to nobody; who has one keeps it."""

    addresses: tuple[str, ...]
    auto_assign: Annotated[bool, FILLED_IN] = True
    avoid_buggy_ips: Annotated[bool, FILLED_IN] = msgspec.field(default=False, name="avoidBuggyIPs")
    service_allocation: ServiceAllocation | None = None
    draining: bool = False


class AcceptedStatus(KubeStruct, frozen=True):
    """Ours, in place of MetalLB's empty statuses: whether the object is in use."""

    conditions: tuple[Condition, ...] = ()


class IPAddressPoolStatus(KubeStruct, frozen=True, omit_defaults=False):
    """Ours: `conditions`; not set, they are left as they are. The schema wants the counts beside them."""

    assigned_ipv4: Int64 = msgspec.field(default=0, name="assignedIPv4")
    assigned_ipv6: Int64 = msgspec.field(default=0, name="assignedIPv6")
    available_ipv4: Int64 = msgspec.field(default=0, name="availableIPv4")
    available_ipv6: Int64 = msgspec.field(default=0, name="availableIPv6")
    conditions: tuple[Condition, ...] | msgspec.UnsetType = msgspec.UNSET


class IPAddressPool(KubeStruct, frozen=True):
    metadata: ObjectMeta
    spec: IPAddressPoolSpec
    status: IPAddressPoolStatus | None = None


class PreferredNodeSelector(KubeStruct, frozen=True):
    """Adds `weight` to the score of each node that `preference` matches."""

    weight: Annotated[int, msgspec.Meta(ge=1, le=100, extra_json_schema=INT32)]
    preference: LabelSelector


class L2AdvertisementSpec(KubeStruct, frozen=True):
    """Ours: `require_on_link` admits only nodes with an address in the subnet of what they answer for; `spread`: `even`
    balances addresses over the nodes, `hash` is MetalLB's order.
    """

    ip_address_pools: tuple[str, ...] = msgspec.field(default=(), name="ipAddressPools")
    ip_address_pool_selectors: tuple[LabelSelector, ...] = msgspec.field(default=(), name="ipAddressPoolSelectors")
    node_selectors: tuple[LabelSelector, ...] = ()
    interfaces: tuple[str, ...] = ()
    service_selectors: tuple[LabelSelector, ...] = ()
    preferred_node_selectors: tuple[PreferredNodeSelector, ...] = ()
    require_on_link: bool = False
    spread: Literal["hash", "even"] = "hash"


class L2Advertisement(KubeStruct, frozen=True):
    metadata: ObjectMeta
    spec: L2AdvertisementSpec = L2AdvertisementSpec()
    status: AcceptedStatus | None = None


class BGPAdvertisementSpec(KubeStruct, frozen=True):
    """Ours: `med` and `as_path_prepend` (how often the AS number is repeated), 0 is what BGP sends without them; `weight`:
    `endpoints` lets routers share traffic by the endpoints of each node, `equal` by nodes.
    """

    aggregation_length: Annotated[Int32, msgspec.Meta(ge=1), FILLED_IN] = 32
    aggregation_length_v6: Annotated[Int32, FILLED_IN] = msgspec.field(default=128, name="aggregationLengthV6")
    local_pref: Annotated[Int32, msgspec.Meta(ge=0, le=4294967295, extra=UNLIMITED)] = 0
    med: Annotated[Int64, msgspec.Meta(ge=0, le=4294967295)] = 0
    as_path_prepend: Annotated[Int32, msgspec.Meta(ge=0, le=10)] = 0
    weight: Literal["equal", "endpoints"] = "equal"
    communities: tuple[str, ...] = ()
    ip_address_pools: tuple[str, ...] = msgspec.field(default=(), name="ipAddressPools")
    ip_address_pool_selectors: tuple[LabelSelector, ...] = msgspec.field(default=(), name="ipAddressPoolSelectors")
    node_selectors: tuple[LabelSelector, ...] = ()
    peers: tuple[str, ...] = ()
    service_selectors: tuple[LabelSelector, ...] = ()


class BGPAdvertisement(KubeStruct, frozen=True):
    metadata: ObjectMeta
    spec: BGPAdvertisementSpec = BGPAdvertisementSpec()
    status: AcceptedStatus | None = None


class SecretReference(KubeStruct, frozen=True):
    """`key` is ours (default `password`); only `name` is used for the look-up, in our own namespace."""

    name: str = ""
    namespace: str = ""
    key: str = "password"


class BGPPeerSpec(KubeStruct, frozen=True):
    """v1beta2, the stored version."""

    my_asn: Asn = msgspec.field(name="myASN")
    peer_asn: Asn = msgspec.field(default=0, name="peerASN")
    local_asn: LocalAsn | None = msgspec.field(default=None, name="localASN")
    dynamic_asn: Literal["", "internal", "external"] = msgspec.field(default="", name="dynamicASN")
    peer_address: str = ""
    interface: str = ""
    source_address: str = ""
    peer_port: Annotated[int, msgspec.Meta(ge=1, le=16384), FILLED_IN] = 179
    hold_time: Duration | None = None
    keepalive_time: Duration | None = None
    connect_time: Duration | None = None
    router_id: str = msgspec.field(default="", name="routerID")
    node_selectors: tuple[LabelSelector, ...] = ()
    password: SecretText = NO_PASSWORD
    password_secret: SecretReference | None = None
    bfd_profile: str = ""
    enable_graceful_restart: bool = False
    ebgp_multi_hop: bool = msgspec.field(default=False, name="ebgpMultiHop")
    vrf: str = ""
    disable_mp: Annotated[bool, FILLED_IN] = msgspec.field(default=False, name="disableMP")
    dual_stack_address_family: Annotated[bool, FILLED_IN] = False


class BGPPeer(KubeStruct, frozen=True):
    """Either version: v1beta1 is converted while parsing (contract 1.5, without its timer quirk)."""

    metadata: ObjectMeta
    spec: BGPPeerSpec
    status: AcceptedStatus | None = None


class LegacyNodeSelectorRequirement(KubeStruct, frozen=True):
    key: str
    operator: str
    values: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class LegacyNodeSelector(KubeStruct, frozen=True):
    match_labels: dict[str, str] = {}
    match_expressions: tuple[LegacyNodeSelectorRequirement, ...] = ()


class BGPPeerV1Beta1Spec(KubeStruct, frozen=True):
    my_asn: Asn = msgspec.field(name="myASN")
    peer_asn: Asn = msgspec.field(name="peerASN")
    peer_address: str
    source_address: str = ""
    peer_port: Annotated[int, msgspec.Meta(ge=0, le=16384)] = 0
    hold_time: Duration | None = None
    keepalive_time: Duration | None = None
    router_id: str = msgspec.field(default="", name="routerID")
    node_selectors: tuple[LegacyNodeSelector, ...] = ()
    password: SecretText = NO_PASSWORD
    bfd_profile: str = ""
    ebgp_multi_hop: bool = msgspec.field(default=False, name="ebgpMultiHop")


class BGPPeerV1Beta1(KubeStruct, frozen=True):
    metadata: ObjectMeta
    spec: BGPPeerV1Beta1Spec
    status: AcceptedStatus | None = None


class BFDProfileSpec(KubeStruct, frozen=True):
    """Intervals in milliseconds; absent means FRR's default."""

    receive_interval: BfdInterval | None = None
    transmit_interval: BfdInterval | None = None
    detect_multiplier: Annotated[Int32, msgspec.Meta(ge=2, le=255)] | None = None
    echo_interval: BfdInterval | None = None
    echo_mode: bool = False
    passive_mode: bool = False
    minimum_ttl: Annotated[Int32, msgspec.Meta(ge=1, le=254)] | None = None


class BFDProfile(KubeStruct, frozen=True):
    metadata: ObjectMeta
    spec: BFDProfileSpec = BFDProfileSpec()
    status: AcceptedStatus | None = None


class CommunityAlias(KubeStruct, frozen=True):
    name: str = ""
    value: str = ""


class CommunitySpec(KubeStruct, frozen=True):
    communities: tuple[CommunityAlias, ...] = ()


class Community(KubeStruct, frozen=True):
    metadata: ObjectMeta
    spec: CommunitySpec = CommunitySpec()
    status: AcceptedStatus | None = None


class InterfaceInfo(KubeStruct, frozen=True):
    name: str = ""


class ServiceL2StatusStatus(KubeStruct, frozen=True):
    node: str = ""
    service_name: str = ""
    service_namespace: str = ""
    interfaces: tuple[InterfaceInfo, ...] = ()


class ServiceL2Status(KubeStruct, frozen=True):
    """Which node answers for a Service's addresses; written by that node's speaker."""

    UNUSED: ClassVar[frozenset[str]] = frozenset({"spec"})

    metadata: ObjectMeta
    status: ServiceL2StatusStatus = ServiceL2StatusStatus()


class ServiceBGPStatusStatus(KubeStruct, frozen=True):
    node: str = ""
    service_name: str = ""
    service_namespace: str = ""
    peers: tuple[str, ...] = ()


class ServiceBGPStatus(KubeStruct, frozen=True):
    """To which peers a node announces a Service; written by that node's speaker."""

    UNUSED: ClassVar[frozenset[str]] = frozenset({"spec"})

    metadata: ObjectMeta
    status: ServiceBGPStatusStatus = ServiceBGPStatusStatus()


class ConfigurationStateStatus(KubeStruct, frozen=True):
    result: Literal["", "Valid", "Invalid", "Unknown"] = ""
    error_summary: str = ""
    conditions: tuple[Condition, ...] = ()


class ConfigurationState(KubeStruct, frozen=True):
    """Whether a component (`controller`, `speaker-<node>`) can use the configuration."""

    UNUSED: ClassVar[frozenset[str]] = frozenset({"spec"})

    metadata: ObjectMeta
    status: ConfigurationStateStatus = ConfigurationStateStatus()

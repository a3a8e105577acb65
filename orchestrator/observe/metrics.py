"""One table of metric names, and the registry that exposes them. MetalLB's names where the meaning is the same.

The rest of the program says `metrics.set(Name.X, value, pool="a")`; only this package knows the metrics library.
Counters that MetalLB names without `_total` are exposed untyped: the library would add the suffix.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import Metric as SampleFamily
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

# Else each counter has a gauge with its time of creation beside it: as many series again.
disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations


class Form(Enum):
    GAUGE = "gauge"
    COUNTER = "counter"
    BARE_COUNTER = "counter without the _total suffix"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: exposed name, form, label names, help text."""

    name: str
    form: Form
    labels: tuple[str, ...]
    text: str


_POOL = ("pool",)
_IP = ("ip",)
_PEER = ("peer", "vrf")
LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Name(Enum):
    """Every metric that we expose (contract 06, and ours with the prefix `ferrule_`)."""

    ADDRESSES = Family("metallb_allocator_addresses_total", Form.GAUGE, _POOL, "Usable addresses of the pool")
    ADDRESSES_IPV4 = Family(
        "metallb_allocator_ipv4_addresses_total", Form.GAUGE, _POOL, "Usable IPv4 addresses of the pool"
    )
    ADDRESSES_IPV6 = Family(
        "metallb_allocator_ipv6_addresses_total", Form.GAUGE, _POOL, "Usable IPv6 addresses of the pool"
    )
    IN_USE = Family("metallb_allocator_addresses_in_use_total", Form.GAUGE, _POOL, "Distinct addresses in use")
    IN_USE_IPV4 = Family(
        "metallb_allocator_ipv4_addresses_in_use_total", Form.GAUGE, _POOL, "Distinct IPv4 addresses in use"
    )
    IN_USE_IPV6 = Family(
        "metallb_allocator_ipv6_addresses_in_use_total", Form.GAUGE, _POOL, "Distinct IPv6 addresses in use"
    )
    SERVICES_ALLOCATED = Family(
        "metallb_allocator_services_allocated_total", Form.GAUGE, _POOL, "Services that have an address of the pool"
    )
    UPDATES = Family(
        "metallb_k8s_client_updates_total", Form.COUNTER, (), "Batches of changed objects that were handled"
    )
    UPDATE_ERRORS = Family(
        "metallb_k8s_client_update_errors_total", Form.COUNTER, (), "Updates that could not be handled"
    )
    CONFIG_LOADED = Family("metallb_k8s_client_config_loaded_bool", Form.GAUGE, (), "1 once a configuration is in use")
    CONFIG_STALE = Family(
        "metallb_k8s_client_config_stale_bool", Form.GAUGE, (), "1 while some object cannot be used as it is"
    )
    PROBLEMS = Family("ferrule_config_problems", Form.GAUGE, ("kind",), "Problems of configuration objects, by kind")
    API_REQUESTS = Family(
        "ferrule_api_requests_total",
        Form.COUNTER,
        ("verb", "resource", "code"),
        "Requests to the API server; code 0 is one that was not answered",
    )
    API_SECONDS = Family(
        "ferrule_api_request_seconds",
        Form.HISTOGRAM,
        ("verb",),
        "Until the API server had answered (a watch: had begun)",
    )
    WATCH_UP = Family(
        "ferrule_watch_up", Form.GAUGE, ("resource",), "1 while what is known of the resource is up to date"
    )
    WRITES_REFUSED = Family(
        "ferrule_writes_refused", Form.GAUGE, ("kind",), "Objects of which the API server does not take what we write"
    )
    OBSERVING = Family("ferrule_observing", Form.GAUGE, (), "1 while a MetalLB runs on the cluster and we only look on")
    PENDING = Family(
        "ferrule_services_pending", Form.GAUGE, ("reason",), "Services that wait for an address, by reason"
    )
    RESTING = Family(
        "ferrule_addresses_resting", Form.GAUGE, _POOL, "Released addresses that others get only if no other is free"
    )
    QUOTA_USED = Family(
        "ferrule_address_quota_used",
        Form.GAUGE,
        ("quota", "namespace", "family"),
        "Distinct addresses that count against the AddressQuota; no namespace where all count together",
    )
    QUOTA_LIMIT = Family(
        "ferrule_address_quota_limit", Form.GAUGE, ("quota", "family"), "Addresses that the AddressQuota allows"
    )

    ANNOUNCED = Family(
        "metallb_speaker_announced",
        Form.GAUGE,
        ("service", "protocol", "node", "ip"),
        "1 for each address announced from here",
    )
    DECLINED = Family(
        "ferrule_services_declined", Form.GAUGE, ("protocol", "reason"), "Services not announced from here, by reason"
    )
    DRAIN_STAGE = Family(
        "ferrule_drain_stage", Form.GAUGE, (), "Drain of this node: 0 none, 1 routes marked, 2 routes withdrawn"
    )
    DRAIN_HELD_BACK = Family(
        "ferrule_drain_held_back", Form.GAUGE, (), "Services still announced from here because no other node would"
    )
    REQUESTS = Family(
        "metallb_layer2_requests_received",
        Form.BARE_COUNTER,
        _IP,
        "ARP requests and Neighbor Solicitations for our addresses",
    )
    RESPONSES = Family(
        "metallb_layer2_responses_sent",
        Form.BARE_COUNTER,
        _IP,
        "ARP replies and Neighbor Advertisements that were asked for",
    )
    GRATUITOUS = Family("metallb_layer2_gratuitous_sent", Form.BARE_COUNTER, _IP, "Unasked announcements sent")
    OWNER_CHANGES = Family(
        "ferrule_layer2_owner_changes_total", Form.COUNTER, ("direction",), "Addresses this node took over or gave away"
    )
    FAILOVER_SECONDS = Family(
        "ferrule_layer2_failover_seconds",
        Form.HISTOGRAM,
        (),
        "From the last sign of a dead owner to our first announcement of its address",
    )
    CONFLICTS = Family(
        "ferrule_layer2_conflicts_total",
        Form.COUNTER,
        ("kind",),
        "Addresses of ours seen with another MAC: of a node, of a stranger, or in use before we began",
    )
    CONFLICTS_OPEN = Family(
        "ferrule_layer2_conflicts_open", Form.GAUGE, ("action",), "Addresses that somebody else has now, by what we do"
    )
    GROUPS = Family(
        "ferrule_layer2_group_memberships", Form.GAUGE, ("interface",), "Solicited-node groups that are joined"
    )
    HEARTBEATS = Family(
        "ferrule_heartbeats_total", Form.COUNTER, ("outcome",), "Heartbeats sent, received, or refused by reason"
    )
    DROPS = Family("ferrule_layer2_drops_total", Form.COUNTER, ("reason",), "Frames not answered, by reason")
    ALIVE = Family("ferrule_speaker_peer_alive", Form.GAUGE, ("peer_node",), "1 for each node whose responder is alive")

    BGP_UP = Family("metallb_bgp_session_up", Form.GAUGE, _PEER, "1 while the session is established")
    BGP_PREFIXES = Family("metallb_bgp_announced_prefixes_total", Form.GAUGE, _PEER, "Prefixes sent to the peer")
    BGP_PENDING = Family("metallb_bgp_pending_prefixes_total", Form.GAUGE, _PEER, "Prefixes that the peer should have")
    BGP_UPDATES = Family("metallb_bgp_updates_total", Form.BARE_COUNTER, _PEER, "UPDATE messages sent")
    BGP_UPDATES_RECEIVED = Family(
        "metallb_bgp_updates_total_received", Form.BARE_COUNTER, _PEER, "UPDATE messages received"
    )
    BGP_OPENS_SENT = Family("metallb_bgp_opens_sent", Form.BARE_COUNTER, _PEER, "OPEN messages sent")
    BGP_OPENS_RECEIVED = Family("metallb_bgp_opens_received", Form.BARE_COUNTER, _PEER, "OPEN messages received")
    BGP_NOTIFICATIONS = Family("metallb_bgp_notifications_sent", Form.BARE_COUNTER, _PEER, "NOTIFICATION messages sent")
    BGP_KEEPALIVES_SENT = Family("metallb_bgp_keepalives_sent", Form.BARE_COUNTER, _PEER, "KEEPALIVE messages sent")
    BGP_KEEPALIVES_RECEIVED = Family(
        "metallb_bgp_keepalives_received", Form.BARE_COUNTER, _PEER, "KEEPALIVE messages received"
    )
    BGP_REFRESH_SENT = Family("metallb_bgp_route_refresh_sent", Form.BARE_COUNTER, _PEER, "ROUTE-REFRESH messages sent")
    BGP_SENT = Family("metallb_bgp_total_sent", Form.BARE_COUNTER, _PEER, "Messages sent")
    BGP_RECEIVED = Family("metallb_bgp_total_received", Form.BARE_COUNTER, _PEER, "Messages received")

    DAMPENED = Family("ferrule_prefixes_dampened", Form.GAUGE, (), "Prefixes kept back because they come and go")
    DAMPENED_TOTAL = Family(
        "ferrule_prefix_dampings_total", Form.COUNTER, (), "How often a prefix was kept back because it came and went"
    )
    WITHDRAWALS_HELD = Family(
        "ferrule_withdrawals_held",
        Form.GAUGE,
        (),
        "Prefixes that a changed configuration no longer announces and whose withdrawal waits for a moment",
    )
    HOLDS = Family(
        "ferrule_withdrawal_holds_total",
        Form.COUNTER,
        ("outcome",),
        "Configurations whose withdrawals were held: withdrawn after all, or averted",
    )
    BFD_UP = Family("metallb_bfd_session_up", Form.GAUGE, _PEER, "1 while BFD says that the path to the peer is up")
    BFD_CONTROL_IN = Family("metallb_bfd_control_packet_input", Form.BARE_COUNTER, _PEER, "BFD packets received")
    BFD_CONTROL_OUT = Family("metallb_bfd_control_packet_output", Form.BARE_COUNTER, _PEER, "BFD packets sent")
    BFD_ECHO_IN = Family("metallb_bfd_echo_packet_input", Form.BARE_COUNTER, _PEER, "BFD echo packets received")
    BFD_ECHO_OUT = Family("metallb_bfd_echo_packet_output", Form.BARE_COUNTER, _PEER, "BFD echo packets sent")
    BFD_UP_EVENTS = Family("metallb_bfd_session_up_events", Form.BARE_COUNTER, _PEER, "Times that BFD came up")
    BFD_DOWN_EVENTS = Family("metallb_bfd_session_down_events", Form.BARE_COUNTER, _PEER, "Times that BFD went down")
    BFD_ZEBRA = Family("metallb_bfd_zebra_notifications", Form.BARE_COUNTER, _PEER, "Times that bfdd told zebra")

    APPLY_SECONDS = Family(
        "ferrule_apply_seconds", Form.HISTOGRAM, ("engine",), "From the first event of a batch to the daemon's answer"
    )
    PLAN_DIVERGENCE = Family(
        "ferrule_plan_divergence", Form.GAUGE, (), "Groups whose plan differs from a recomputation; 0 is right"
    )
    LINES_RESTORED = Family(
        "ferrule_frr_lines_restored_total", Form.COUNTER, (), "Lines of ours that were missing and put back"
    )
    LINES_FOREIGN = Family("ferrule_frr_lines_foreign", Form.GAUGE, (), "Lines in FRR that are not ours")
    LINES_REFUSED = Family("ferrule_frr_lines_refused", Form.GAUGE, (), "Lines that a daemon refused")
    CHILD_UP = Family("ferrule_child_ready", Form.GAUGE, ("child",), "1 while the supervised child answers")
    CHILD_RESTARTS = Family(
        "ferrule_child_restarts", Form.GAUGE, ("child",), "Restarts of the child since the supervisor started"
    )


class _BareCounters(Collector):
    """Families whose samples carry the bare name, exposed untyped."""

    def __init__(self, families: list[Family]) -> None:
        self.values: dict[str, dict[tuple[str, ...], float]] = {family.name: {} for family in families}
        self._families = families

    def collect(self) -> Iterator[SampleFamily]:
        for family in self._families:
            exposed = SampleFamily(family.name, family.text, "unknown")
            for labels, value in list(self.values[family.name].items()):
                exposed.add_sample(family.name, dict(zip(family.labels, labels, strict=True)), value)
            yield exposed


class Metrics:
    """The metrics of one process. Only names given at the start are exposed."""

    def __init__(self, names: tuple[Name, ...]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._bare = _BareCounters([name.value for name in names if name.value.form is Form.BARE_COUNTER])
        self.registry.register(self._bare)
        self._typed = {name: self._make(name.value) for name in names if name.value.form is not Form.BARE_COUNTER}

    def _make(self, family: Family) -> Gauge | Counter | Histogram:
        match family.form:
            case Form.HISTOGRAM:
                return Histogram(
                    family.name, family.text, family.labels, registry=self.registry, buckets=LATENCY_BUCKETS
                )
            case Form.COUNTER:
                return Counter(family.name, family.text, family.labels, registry=self.registry)
            case _:
                return Gauge(family.name, family.text, family.labels, registry=self.registry)

    def set(self, name: Name, value: float, **labels: str) -> None:
        """Set a gauge, or the present reading of a counter that is counted elsewhere (bare counters)."""
        if name.value.form is Form.BARE_COUNTER:
            self._bare.values[name.value.name][self._key(name, labels)] = value
            return
        child = self._child(name, labels)
        assert isinstance(child, Gauge), f"{name} is not a gauge"
        child.set(value)

    def add(self, name: Name, amount: float = 1, **labels: str) -> None:
        """Raise a counter."""
        child = self._child(name, labels)
        assert isinstance(child, Counter), f"{name} is not a counter"
        child.inc(amount)

    def observe(self, name: Name, seconds: float, **labels: str) -> None:
        """Add one observation to a histogram."""
        child = self._child(name, labels)
        assert isinstance(child, Histogram), f"{name} is not a histogram"
        child.observe(seconds)

    def replace(self, name: Name, values: dict[tuple[str, ...], float]) -> None:
        """Set all series of a family: those not in `values` (label values in the family's order) vanish."""
        if name.value.form is Form.BARE_COUNTER:
            self._bare.values[name.value.name] = dict(values)
            return
        family = self._typed[name]
        assert isinstance(family, Gauge), f"{name} is not a gauge"
        family.clear()
        for labels, value in values.items():
            family.labels(*labels).set(value)

    def forget(self, name: Name, **labels: str) -> None:
        """Remove one series; absent is fine."""
        if name.value.form is Form.BARE_COUNTER:
            self._bare.values[name.value.name].pop(self._key(name, labels), None)
            return
        self._typed[name].remove(*self._key(name, labels))

    def _key(self, name: Name, labels: dict[str, str]) -> tuple[str, ...]:
        return tuple(labels[label] for label in name.value.labels)

    def _child(self, name: Name, labels: dict[str, str]) -> Gauge | Counter | Histogram:
        family = self._typed[name]
        return family.labels(**labels) if labels else family


POOL_METRICS = (
    Name.ADDRESSES,
    Name.ADDRESSES_IPV4,
    Name.ADDRESSES_IPV6,
    Name.IN_USE,
    Name.IN_USE_IPV4,
    Name.IN_USE_IPV6,
    Name.SERVICES_ALLOCATED,
)
"""What the allocator says of each pool."""
ALLOCATION_METRICS = (*POOL_METRICS, Name.PENDING, Name.RESTING, Name.QUOTA_USED, Name.QUOTA_LIMIT)
"""What only the controller that leads knows."""
_BOTH = (
    Name.UPDATES,
    Name.UPDATE_ERRORS,
    Name.CONFIG_LOADED,
    Name.CONFIG_STALE,
    Name.PROBLEMS,
    Name.API_REQUESTS,
    Name.API_SECONDS,
    Name.WATCH_UP,
    Name.WRITES_REFUSED,
    Name.OBSERVING,
)
CONTROLLER_METRICS: tuple[Name, ...] = (
    *_BOTH,
    *ALLOCATION_METRICS,
)
SPEAKER_METRICS: tuple[Name, ...] = tuple(name for name in Name if name in _BOTH or name not in CONTROLLER_METRICS)

"""What a process knows of the objects: source events in, what changed out. No decisions here.

Services and EndpointSlices are kept by key, EndpointSlices also by their Service. Configuration objects are kept by
name and only in our own namespace: MetalLB's objects elsewhere are ignored (contract 00).
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from orchestrator.config import extras
from orchestrator.decide.convergence import addresses_in_status
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import IpAddress
from orchestrator.resources import core, extensions, metallb
from orchestrator.resources.kinds import BY_NAME, Configured, KubeObject, ref_of
from orchestrator.resources.meta import Condition, ObjectKey, ObjectRef, Problem
from orchestrator.resources.snapshot import ClusterSnapshot
from orchestrator.sources.interface import InputState, Removed, Rivals, SourceEvent, Synced, Unusable, Upserted

_CONFIGURATION_KINDS = {
    "IPAddressPool": "pools",
    "L2Advertisement": "l2_advertisements",
    "BGPAdvertisement": "bgp_advertisements",
    "BGPPeer": "peers",
    "BFDProfile": "bfd_profiles",
    "Community": "communities",
    "AddressReservation": "reservations",
    "AddressQuota": "quotas",
    "Secret": "secrets",
    "ConfigMap": "config_maps",
    "Node": "nodes",
    "Namespace": "namespaces",
}
_NAMESPACE_WIDE = frozenset({"Node", "Namespace"})


@dataclass(frozen=True, slots=True)
class Standing:
    """Which edit of a configuration object we have, and what is said of it in its status."""

    generation: int
    conditions: tuple[Condition, ...]


@dataclass(slots=True)
class Changes:
    """What one batch of events touched: `endpoints` are Services whose EndpointSlices changed, `told` those of which a
    speaker says something else; `standings`: objects were edited. `lost_statuses` are ServiceL2Status objects that went,
    `lost_speakers` the nodes of SpeakerStates that did. `completed`: what was put off at the start is there now, too.
    """

    services: set[ObjectKey] = field(default_factory=set)
    endpoints: set[ObjectKey] = field(default_factory=set)
    told: set[ObjectKey] = field(default_factory=set)
    standings: bool = False
    completed: bool = False
    configuration: bool = False
    speakers: bool = False
    failovers: bool = False
    last_good: bool = False
    rivals: bool = False
    lost_statuses: set[ObjectRef] = field(default_factory=set)
    lost_speakers: set[str] = field(default_factory=set)

    @property
    def announcements(self) -> set[ObjectKey]:
        """The Services that may be announced otherwise now."""
        return self.services | self.endpoints


class ObjectStore:
    """The objects that have been delivered. One task owns it."""

    def __init__(self, namespace: str, last_good_name: str) -> None:
        self.services: dict[ObjectKey, core.Service] = {}
        self.slices: dict[ObjectKey, dict[ObjectKey, core.EndpointSlice]] = {}
        self._service_of: dict[ObjectKey, ObjectKey] = {}
        self.speakers: dict[str, extensions.SpeakerState] = {}
        self.failovers: dict[str, extensions.Failover] = {}
        self.l2_statuses: dict[ObjectKey, metallb.ServiceL2Status] = {}
        self._l2_of: dict[ObjectKey, set[ObjectKey]] = {}
        self._bgp_of: dict[ObjectKey, dict[str, str]] = {}
        self._bgp_subjects: dict[str, ObjectKey] = {}
        self.last_good: core.ConfigMap | None = None
        self.config_maps: dict[ObjectRef, core.ConfigMap] = {}
        self.unusable: dict[ObjectRef, tuple[Problem, ...]] = {}
        self.warnings: dict[ObjectRef, tuple[Problem, ...]] = {}
        self.input = InputState()
        self.rivals: frozenset[str] = frozenset()
        self.synced = False
        self.complete = False
        self.standings: dict[ObjectRef, Standing] = {}
        """Of every configuration object of ours, usable or not."""
        self._namespace = namespace
        self._last_good_name = last_good_name
        self._configuration: dict[str, dict[str, KubeObject]] = {name: {} for name in _CONFIGURATION_KINDS.values()}

    def apply(self, events: Sequence[SourceEvent]) -> Changes:
        """Take in a batch and return what it touched."""
        changes = Changes()
        for event in events:
            match event:
                case Upserted(obj, problems):
                    self._upsert(obj, problems, changes)
                case Removed(ref):
                    self._remove(ref, changes)
                case Unusable(ref=ref, problems=problems):
                    self._judge(ref, Standing(event.generation, event.conditions), changes)
                    changes.configuration |= self.unusable.get(ref) != problems
                    self.unusable[ref] = problems
                case InputState():
                    changes.configuration |= event != self.input
                    self.input = event
                case Rivals(pods):
                    changes.rivals |= pods != self.rivals
                    self.rivals = pods
                case Synced(complete):
                    self.synced = True
                    changes.completed |= complete and not self.complete
                    self.complete |= complete
        return changes

    def endpoints(self, service: ObjectKey) -> tuple[core.EndpointSlice, ...]:
        """The EndpointSlices of a Service, by name."""
        return tuple(part for _, part in sorted(self.slices.get(service, {}).items()))

    def addresses(self, service: ObjectKey) -> tuple[IpAddress, ...]:
        """The addresses in the status of a Service; none if one of them is no address."""
        found = self.services.get(service)
        try:
            return () if found is None else addresses_in_status(found)
        except InvalidConfig:
            return ()

    def l2_statuses_of(self, service: ObjectKey) -> Mapping[ObjectKey, str]:
        """The ServiceL2Status objects of a Service, by key with the node that wrote each."""
        keys = sorted(self._l2_of.get(service, ()))
        return {key: self.l2_statuses[key].status.node for key in keys}

    def bgp_nodes_of(self, service: ObjectKey) -> frozenset[str]:
        """The nodes that say that they announce a Service over BGP."""
        return frozenset(self._bgp_of.get(service, {}).values())

    @property
    def nodes(self) -> Mapping[str, core.Node]:
        """The Node objects by name."""
        return {name: node for name, node in self._configuration["nodes"].items() if isinstance(node, core.Node)}

    def snapshot(self) -> ClusterSnapshot:
        """The configuration objects as they are now; the mappings are copies."""
        kinds: Mapping[str, dict[str, KubeObject]] = {
            name: dict(objects) for name, objects in self._configuration.items()
        }
        return ClusterSnapshot(**kinds, unusable=dict(self.unusable), incomplete=self.input.incomplete)  # type: ignore[arg-type]  # one field per kind, filled by kind

    def problems(self) -> tuple[Problem, ...]:
        """Problems found before `resolve`: of the input and warnings about usable objects."""
        return (*self.input.problems, *(problem for group in self.warnings.values() for problem in group))

    def _upsert(self, obj: KubeObject, problems: tuple[Problem, ...], changes: Changes) -> None:
        ref = ref_of(obj)
        changes.configuration |= self.unusable.pop(ref, None) is not None
        if problems:
            self.warnings[ref] = problems
        else:
            self.warnings.pop(ref, None)
        match obj:
            case core.Service():
                self.services[ref.key] = obj
                changes.services.add(ref.key)
            case core.EndpointSlice():
                self._place_slice(ref.key, obj, changes)
            case extensions.SpeakerState():
                self.speakers[obj.spec.node] = obj
                changes.speakers = True
            case extensions.Failover():
                self.failovers[ref.name] = obj
                changes.failovers = True
            case metallb.ServiceL2Status():
                self._forget_l2_status(ref.key, changes)
                self.l2_statuses[ref.key] = obj
                self._l2_of.setdefault(subject_of(obj), set()).add(ref.key)
                changes.told.add(subject_of(obj))
            case metallb.ServiceBGPStatus():
                self._place_bgp_status(ref.name, obj, changes)
            case core.ConfigMap():
                self._config_map_changed(ref, obj, changes)
            case _:
                self._configure(ref, obj, changes)

    def _remove(self, ref: ObjectRef, changes: Changes) -> None:
        changes.configuration |= self.unusable.pop(ref, None) is not None
        self.warnings.pop(ref, None)
        self.standings.pop(ref, None)
        match ref.kind:
            case "Service":
                self.services.pop(ref.key, None)
                changes.services.add(ref.key)
            case "EndpointSlice":
                self._displace_slice(ref.key, changes)
            case "SpeakerState":
                lost = {node for node, state in self.speakers.items() if state.metadata.name == ref.name}
                for node in lost:
                    del self.speakers[node]
                changes.lost_speakers |= lost
                changes.speakers = True
            case "Failover":
                changes.failovers |= self.failovers.pop(ref.name, None) is not None
            case "ServiceL2Status":
                self._forget_l2_status(ref.key, changes)
                changes.lost_statuses.add(ref)
            case "ServiceBGPStatus":
                self._forget_bgp_status(ref.name, changes)
            case "ConfigMap":
                self._config_map_changed(ref, None, changes)
            case _:
                self._configure(ref, None, changes)

    def _place_slice(self, key: ObjectKey, part: core.EndpointSlice, changes: Changes) -> None:
        service = ObjectKey(key.namespace, part.metadata.labels.get(core.LABEL_SERVICE_NAME, ""))
        if self._service_of.get(key, service) != service:
            self._displace_slice(key, changes)
        self._service_of[key] = service
        self.slices.setdefault(service, {})[key] = part
        changes.endpoints.add(service)

    def _displace_slice(self, key: ObjectKey, changes: Changes) -> None:
        service = self._service_of.pop(key, None)
        if service is not None:
            del self.slices[service][key]
            if not self.slices[service]:
                del self.slices[service]
            changes.endpoints.add(service)

    def _forget_l2_status(self, key: ObjectKey, changes: Changes) -> None:
        if (status := self.l2_statuses.pop(key, None)) is not None:
            subject = subject_of(status)
            changes.told.add(subject)
            self._l2_of[subject].discard(key)
            if not self._l2_of[subject]:
                del self._l2_of[subject]

    def _place_bgp_status(self, name: str, status: metallb.ServiceBGPStatus, changes: Changes) -> None:
        """Of these there is one per Service and node: nothing is kept but who speaks of whom."""
        subject, node = subject_of(status), sys.intern(status.status.node)
        if self._bgp_subjects.get(name) == subject and self._bgp_of[subject].get(name) == node:
            return
        self._forget_bgp_status(name, changes)
        self._bgp_subjects[name] = subject
        self._bgp_of.setdefault(subject, {})[name] = node
        changes.told.add(subject)

    def _forget_bgp_status(self, name: str, changes: Changes) -> None:
        subject = self._bgp_subjects.pop(name, None)
        if subject is None:
            return
        changes.told.add(subject)
        del self._bgp_of[subject][name]
        if not self._bgp_of[subject]:
            del self._bgp_of[subject]

    def _config_map_changed(self, ref: ObjectRef, obj: core.ConfigMap | None, changes: Changes) -> None:
        if ref.key == (self._namespace, self._last_good_name):
            changes.last_good |= obj != self.last_good
            self.last_good = obj
        elif ref.key == (self._namespace, extras.CONFIG_MAP_NAME):
            self._configure(ref, obj, changes)
        elif obj is not None:
            self.config_maps[ref] = obj
        else:
            self.config_maps.pop(ref, None)

    def _judge(self, ref: ObjectRef, standing: Standing, changes: Changes) -> None:
        """Keep what concerns the verdict on a configuration object of ours."""
        if (
            ref.namespace == self._namespace
            and ref.kind in BY_NAME
            and issubclass(BY_NAME[ref.kind].struct, Configured)
        ):
            before = self.standings.get(ref)
            changes.standings |= before is None or before.generation != standing.generation
            self.standings[ref] = standing

    def _configure(self, ref: ObjectRef, obj: KubeObject | None, changes: Changes) -> None:
        name = _CONFIGURATION_KINDS.get(ref.kind)
        if name is None or (ref.namespace != self._namespace and ref.kind not in _NAMESPACE_WIDE):
            return
        objects = self._configuration[name]
        if obj is None:
            changes.configuration |= objects.pop(ref.name, None) is not None
            return
        if isinstance(obj, Configured):
            self._judge(ref, _standing_of(obj), changes)
        relevant = _without_status(obj)
        changes.configuration |= objects.get(ref.name) != relevant
        objects[ref.name] = relevant


def subject_of(status: metallb.ServiceL2Status | metallb.ServiceBGPStatus) -> ObjectKey:
    """Return the Service that a status is about."""
    return ObjectKey(status.status.service_namespace, status.status.service_name)


def _standing_of(obj: Configured) -> Standing:
    found = obj.status.conditions if obj.status is not None else ()
    return Standing(obj.metadata.generation, () if found is msgspec.UNSET else found)


def _without_status(obj: KubeObject) -> KubeObject:
    """Leave out what changes without changing the configuration: the version, and statuses, which are our own words."""
    metadata = msgspec.structs.replace(obj.metadata, resource_version="", generation=0)
    if isinstance(obj, Configured):
        return msgspec.structs.replace(obj, metadata=metadata, status=None)
    return msgspec.structs.replace(obj, metadata=metadata)

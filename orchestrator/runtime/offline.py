"""The whole computation without a cluster: objects in, what one node would run out. No daemon, no clock, no file.

The same parts as in the processes, in their order: resolve, adopt and allocate as the controller does, plan and render
as the speaker does. What a node remembers (router id, clause numbers) is new here.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_interface

import msgspec
from jinja2 import FileSystemLoader

from orchestrator.config.engines import usable
from orchestrator.config.model import Config, NodeFacts, NodeName
from orchestrator.config.nodes import heeding_readiness
from orchestrator.config.resolve import resolve
from orchestrator.decide.allocator import Allocator, Gone
from orchestrator.decide.convergence import Rules
from orchestrator.decide.eligibility import NodeView
from orchestrator.decide.ledger import Ledger
from orchestrator.decide.node_plan import GroupPlan, NodePlan
from orchestrator.decide.requests import AllocationRefusal
from orchestrator.net.bgp import BgpEngine, RouterId
from orchestrator.render.document import Daemon, FrrDocument
from orchestrator.render.environment import build_environment
from orchestrator.render.exabgp import ExabgpDocument, ExabgpInput, ExabgpRenderer
from orchestrator.render.extras import as_written
from orchestrator.render.frr import FrrInput, FrrRenderer
from orchestrator.render.router_id import choose_router_id
from orchestrator.render.views import Leg
from orchestrator.resources.classes import ServedClasses
from orchestrator.resources.core import LoadBalancerStatus, Service, ServiceStatus
from orchestrator.resources.extensions import SpeakerState
from orchestrator.resources.kinds import KubeObject, ref_of
from orchestrator.resources.meta import ObjectKey, Problem
from orchestrator.runtime.last_good import CONFIG_MAP_NAME, from_config_map
from orchestrator.runtime.planning import Planner
from orchestrator.runtime.speaker_surroundings import look_around
from orchestrator.runtime.store import ObjectStore
from orchestrator.settings import template_folder
from orchestrator.sources.interface import InputState, SourceEvent, Unusable, Upserted
from orchestrator.sources.manifests.overlay import OVERLAID_KINDS, overlaid
from orchestrator.sources.manifests.reader import ManifestSet

SHOWN_HELPER = ("/usr/bin/env", "python3", "-ISE", "exabgp_helper.py", "/run/ferrule/exabgp.sock")
"""In place of the helper's command, whose paths are this machine's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocated:
    """Services by key with the addresses that they would have, and why others have none."""

    services: Mapping[ObjectKey, Service]
    refusals: Mapping[ObjectKey, AllocationRefusal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """What all nodes have in common: the configuration, its problems, the Services with their addresses."""

    store: ObjectStore
    config: Config
    problems: tuple[Problem, ...]
    refusals: Mapping[ObjectKey, AllocationRefusal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What a node's next document keeps of the one before: for either engine what it needs."""

    router_id: RouterId | None = None
    sequences: Mapping[int, int] = field(default_factory=dict)
    frr: Mapping[Daemon, str] = field(default_factory=dict)
    exabgp: str = ""
    legs: tuple[Leg, ...] = ()

    @classmethod
    def of(cls, document: FrrDocument | ExabgpDocument) -> "Remembered":
        if isinstance(document, FrrDocument):
            return cls(router_id=document.router_id, sequences=document.catalog.sequences, frr=document.daemon_texts)
        return cls(router_id=document.router_id, exabgp=document.text, legs=document.legs)


NOTHING = Remembered()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOutcome:
    """What one node would announce and run; `problems` are what the engine cannot do, or cannot be told."""

    plan: NodePlan
    groups: tuple[GroupPlan, ...]
    document: FrrDocument | ExabgpDocument
    problems: tuple[Problem, ...] = ()


def compute(manifests: ManifestSet, states: ManifestSet | None, namespace: str, classes: ServedClasses) -> Computed:
    """Resolve the manifests and allocate; `states` are objects of a state folder, whose statuses count."""
    store = ObjectStore(namespace, CONFIG_MAP_NAME)
    store.apply(list(_events(manifests, states)))
    return compute_store(store, classes, manifests)


def compute_store(store: ObjectStore, classes: ServedClasses, manifests: ManifestSet) -> Computed:
    """Resolve what a store holds and allocate; problems are located in `manifests` as far as they are there."""
    resolved = resolve(store.snapshot(), from_config_map(store.last_good))
    allocated = _allocate(store.services, resolved.config, Rules(classes=classes))
    store.services.update(allocated.services)
    return Computed(
        store=store,
        config=resolved.config,
        problems=tuple(dict.fromkeys((*manifests.all_problems, *manifests.located(resolved.problems)))),
        refusals=allocated.refusals,
    )


def heeding(computed: Computed, node: NodeName) -> Computed:
    """Return the same for a node that withdraws while it is NotReady."""
    return replace(computed, config=heeding_readiness(computed.config, node, computed.store.snapshot().nodes))


def outcome_on(
    computed: Computed,
    facts: NodeFacts,
    view: NodeView,
    engine: BgpEngine = BgpEngine.FRR,
    remembered: Remembered = NOTHING,
) -> NodeOutcome:
    """Plan and render for one of the nodes; `view.node` is its name.

    The view is completed by what a state folder tells: the interfaces of nodes, and addresses that were moved by hand.
    """
    config, refused = usable(engine, computed.config)
    planner = Planner(_informed(view, computed), computed.store)
    planner.configuration_changed(config)
    legs = _legs(facts, computed.store.speakers.get(facts.name)) or remembered.legs
    subject = _Subject(facts=facts, config=config, plan=planner.plan, legs=legs)
    document = _document(engine, subject, remembered)
    plans = tuple(plan for _, plan in sorted(planner.group_plans.items()))
    return NodeOutcome(plan=planner.plan, groups=plans, document=document, problems=(*refused, *document.problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What is rendered."""

    facts: NodeFacts
    config: Config
    plan: NodePlan
    legs: tuple[Leg, ...]


def _document(engine: BgpEngine, subject: _Subject, remembered: Remembered) -> FrrDocument | ExabgpDocument:
    environment = build_environment(FileSystemLoader(template_folder()))
    facts, config, plan, legs = subject.facts, subject.config, subject.plan, subject.legs
    router_id = choose_router_id(facts, config.peers_of(facts.name), remembered.router_id)
    if engine is BgpEngine.FRR:
        extras = None if config.extras is None else as_written(config.extras)
        frr = FrrInput(
            node=facts,
            config=config,
            plan=plan,
            router_id=router_id,
            sequences=remembered.sequences,
            legs=legs,
            previous=remembered.frr,
            extras=extras,
        )
        return FrrRenderer(environment).render(frr)
    exabgp = ExabgpInput(
        node=facts, config=config, plan=plan, router_id=router_id, legs=legs, previous=remembered.exabgp
    )
    return ExabgpRenderer(environment, SHOWN_HELPER).render(exabgp)


def _informed(view: NodeView, computed: Computed) -> NodeView:
    state = computed.store.speakers.get(view.node)
    around = look_around(view.node, computed.config, computed.store, state.spec.interfaces if state else ())
    return replace(view, links=around.links, placements=around.placements)


def _events(manifests: ManifestSet, states: ManifestSet | None) -> Iterator[SourceEvent]:
    kept: dict[object, KubeObject] = {ref_of(event.obj): event.obj for event in states.objects} if states else {}
    for event in manifests.objects:
        state = kept.pop(ref_of(event.obj), None)
        yield event if state is None else Upserted(overlaid(event.obj, state), event.problems)
    yield from (Upserted(obj) for obj in kept.values() if ref_of(obj).kind not in OVERLAID_KINDS)
    yield from (Unusable(ref, problems) for ref, problems in manifests.unusable.items())
    yield InputState(problems=manifests.problems, incomplete=manifests.incomplete)


def _allocate(services: Mapping[ObjectKey, Service], config: Config, rules: Rules) -> Allocated:
    allocator = Allocator(Ledger(), rules)
    allocator.configure(config)
    allocator.adopt(services.values())
    assigned: dict[ObjectKey, Service] = {}
    refusals: dict[ObjectKey, AllocationRefusal] = {}
    for step in allocator.round(services, services.keys()):
        if isinstance(step, Gone):
            continue
        key, result = step.service.metadata.key, step.result
        if result.ingress is not None:
            status = ServiceStatus(load_balancer=LoadBalancerStatus(ingress=result.ingress))
            assigned[key] = msgspec.structs.replace(step.service, status=status)
        refusals.pop(key, None)
        if result.refusal is not None:
            refusals[key] = result.refusal
    return Allocated(services=assigned, refusals=refusals)


def _legs(facts: NodeFacts, state: SpeakerState | None) -> tuple[Leg, ...]:
    """A SpeakerState tells what is on-link; of the node's addresses its Node object knows the InternalIPs."""
    if state is None:
        return ()
    networks = ((link.name, ip_interface(prefix).network) for link in state.spec.interfaces for prefix in link.prefixes)
    return tuple(
        Leg(interface=name, address=address, prefix=network)
        for name, network in networks
        for address in facts.internal_addresses
        if address in network
    )


def node_names(config: Config) -> str:
    """The known nodes, for a message."""
    names: Iterable[NodeName] = sorted(config.nodes)
    return ", ".join(names) or "none: the manifests hold no Node objects"

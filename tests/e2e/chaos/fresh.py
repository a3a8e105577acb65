"""What should be, computed anew from nothing but the objects that the API server has: no process of ours is asked.

A node's SpeakerState is one of these objects: it tells the node's interfaces, which no computation can know.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jinja2 import FileSystemLoader

from orchestrator.config.model import Config, NodeName
from orchestrator.config.resolve import resolve
from orchestrator.decide.allocator import Allocator, Converged
from orchestrator.decide.convergence import Outcome, Rules, age
from orchestrator.decide.eligibility import NodeView
from orchestrator.decide.ledger import Ledger
from orchestrator.decide.node_plan import Announced, Protocol
from orchestrator.errors import StartupError
from orchestrator.render.canonical import Line, parse
from orchestrator.render.environment import build_environment
from orchestrator.render.frr import FrrInput, FrrRenderer
from orchestrator.render.policies import sequences_in
from orchestrator.render.router_id import choose_router_id, router_id_in
from orchestrator.render.views import legs_in
from orchestrator.resources.meta import ObjectKey
from orchestrator.runtime import speaker_process
from orchestrator.runtime.command_origin import open_for_command
from orchestrator.runtime.last_good import from_config_map
from orchestrator.runtime.planning import Planner
from orchestrator.runtime.speaker_surroundings import look_around
from orchestrator.runtime.store import ObjectStore
from orchestrator.settings import Cluster as ClusterOrigin
from orchestrator.settings import ProcessSettings, template_folder
from tests.e2e.cluster.cluster import SYSTEM_NAMESPACE, Cluster

Texts = Mapping[str, str]
"""The files of a node's daemons by their names."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a status object says: `details` are interfaces or peers."""

    kind: str
    service: str
    node: str
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """The computation over one read of all objects."""

    store: ObjectStore
    config: Config
    planners: Mapping[NodeName, Planner]

    @property
    def routes(self) -> dict[str, dict[str, frozenset[str]]]:
        """Per prefix the nodes that announce it to the router, with their communities."""
        found: dict[str, dict[str, frozenset[str]]] = {}
        for node, planner in self.planners.items():
            for prefix, route in planner.plan.routes.items():
                for _, attributes in route.policy.per_peer:
                    of_prefix = found.setdefault(str(prefix), {})
                    of_prefix[node] = frozenset(str(each) for each in attributes.communities)
        return found

    @property
    def owners(self) -> dict[str, str]:
        """Per layer-2 address the node that answers."""
        return {str(address): node for node, planner in self.planners.items() for address in planner.plan.layer2}

    @property
    def statements(self) -> set[Statement]:
        return {_statement(part, node) for node, part in self._announced()}

    def document(self, node: NodeName, present: Texts) -> dict[str, frozenset[Line]]:
        """What the node's daemons should run; of what is there, only numbers are kept that have a past."""
        facts = self.config.nodes[node]
        earlier = {daemon: parse(present.get(daemon, "")) for daemon in ("bgpd", "bfdd")}
        given = FrrInput(
            node=facts,
            config=self.config,
            plan=self.planners[node].plan,
            router_id=choose_router_id(facts, self.config.peers_of(node), router_id_in(earlier["bgpd"])),
            sequences=sequences_in(earlier["bgpd"]),
            legs=legs_in(earlier["bfdd"]),
        )
        rendered = FrrRenderer(build_environment(FileSystemLoader(template_folder()))).render(given)
        return {daemon: parse(text) for daemon, text in rendered.daemon_texts.items()}

    def wrong_statuses(self) -> list[str]:
        """What a controller that starts now would change, or should have told of."""
        services = self.store.services
        allocator = self._allocator()
        adopted = set(allocator.adopt(services.values()))
        found = [
            f"{key}: its addresses are not allowed beside those of the others"
            for key, service in sorted(services.items(), key=lambda item: age(item[1]))
            if service.status.load_balancer.ingress and key not in adopted
        ]
        for step in allocator.round(services, services.keys()):
            if isinstance(step, Converged) and step.result.differs_from(step.service):
                key, has = step.service.metadata.key, step.service.status.load_balancer.ingress
                found.append(f"{key}: has {has}, should have {step.result.ingress}")
        return found

    def refusals(self) -> dict[ObjectKey, str]:
        """The Services that must wait, with the words of the event that says why."""
        services = self.store.services
        allocator = self._allocator()
        allocator.adopt(services.values())
        waiting = [key for key, each in services.items() if not each.status.load_balancer.ingress]
        return {
            step.service.metadata.key: step.result.events[-1].message
            for step in allocator.round(services, waiting)
            if isinstance(step, Converged) and step.result.outcome is Outcome.REFUSED
        }

    def _allocator(self) -> Allocator:
        allocator = Allocator(Ledger(), Rules())
        allocator.configure(self.config)
        return allocator

    def _announced(self) -> Iterator[tuple[NodeName, Announced]]:
        for node, planner in self.planners.items():
            for plan in planner.group_plans.values():
                yield from ((node, part) for part in plan.announced)


def compute(cluster: Cluster) -> Fresh:
    """Read all objects, and compute. Raises AssertionError if they cannot be read just now."""
    origin = ClusterOrigin(kubeconfig=cluster.plane.kubeconfig())
    settings = ProcessSettings(origin=origin, namespace=SYSTEM_NAMESPACE)

    async def read() -> ObjectStore:
        async with open_for_command(settings, speaker_process.KINDS) as objects:
            return objects.store

    try:
        store = cluster.plane.run(read())
    except StartupError as error:
        raise AssertionError(f"objects not read: {error}") from error
    config = resolve(store.snapshot(), from_config_map(store.last_good)).config
    planners = {node: _planner(node, config, store) for node in sorted(config.nodes)}
    return Fresh(store=store, config=config, planners=planners)


def _planner(node: NodeName, config: Config, store: ObjectStore) -> Planner:
    """As if all nodes had lived for long."""
    state = store.speakers.get(node)
    around = look_around(node, config, store, state.spec.interfaces if state else ())
    view = NodeView(node=node, alive=frozenset(config.nodes), links=around.links, placements=around.placements)
    planner = Planner(view, store)
    planner.configuration_changed(config)
    return planner


def _statement(part: Announced, node: NodeName) -> Statement:
    if part.protocol is Protocol.BGP:
        return Statement("ServiceBGPStatus", str(part.service), node, tuple(sorted(part.peers)))
    return Statement("ServiceL2Status", str(part.service), node, tuple(sorted(part.interfaces or ())))

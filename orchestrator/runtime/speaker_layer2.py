"""The speaker's side of layer 2: the responder's table, made from plans and from what responders report; who lives.

A table is made from the tenures of the addresses, the surroundings and the heartbeat key, and sent when it differs
from the last one. What comes back becomes the view that the next plan is made from.
"""

import time
from collections.abc import Callable, Iterable
from math import inf

import msgspec
import structlog

from orchestrator.apply.layer2 import Disconnected, ResponderClient, ResponderEvent
from orchestrator.config.model import Config, NodeName
from orchestrator.decide.eligibility import NodeView
from orchestrator.decide.node_plan import GroupPlan
from orchestrator.fsm.interfaces import Eligibility
from orchestrator.fsm.liveness import NodeState, interval_for
from orchestrator.fsm.membership import Role
from orchestrator.fsm.responder_api import (
    Claimed,
    Counters,
    LinkReport,
    Links,
    Liveness,
    Mode,
    Probed,
    Released,
    Silent,
    Table,
)
from orchestrator.fsm.tenure import Past, Verdict
from orchestrator.net.addresses import IpAddress, parse_address
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.resources.extensions import AddressConflict, SpeakerInterface, SpeakerState
from orchestrator.resources.meta import ObjectKey
from orchestrator.resources.secret_text import SecretText
from orchestrator.runtime.exclusion_list import Exclusions
from orchestrator.runtime.planning import Outcome, Planner
from orchestrator.runtime.speaker_counts import FrameCounts
from orchestrator.runtime.speaker_drain import NodeDrain
from orchestrator.runtime.speaker_surroundings import Surroundings, candidates, look_around, reserve
from orchestrator.runtime.speaker_tenures import Tenures
from orchestrator.runtime.store import ObjectStore
from orchestrator.settings import ConflictAction, SpeakerSettings

log = structlog.get_logger()

START_S = 3.0
"""So long after its first start a node's speaker counts nodes as alive whose speakers have not spoken yet."""


class Layer2:
    """Keeps the responder fed and knows what it reported."""

    def __init__(
        self,
        settings: SpeakerSettings,
        metrics: Metrics,
        store: ObjectStore,
        post: Callable[[ResponderEvent], None],
        drain: NodeDrain,
    ) -> None:
        self.client = ResponderClient(settings.run.responder_socket, post)
        self.tenures = Tenures(metrics)
        self.counts = FrameCounts(metrics)
        self.links: tuple[LinkReport, ...] = ()
        self._settings = settings
        self._metrics = metrics
        self._store = store
        self._drain = drain
        self._around = Surroundings()
        self._liveness: Liveness | None = None
        self._alive: frozenset[NodeName] = frozenset()
        self._reserve: frozenset[NodeName] = frozenset()
        self._claims: list[Claimed] = []
        self._start_ends = time.monotonic() + START_S
        self._exclude: tuple[str, ...] | None = None
        self._table = Table(
            number=0,
            node=settings.node,
            port=settings.mesh_port,
            hold_s=settings.return_hold_s,
            isolation_s=settings.isolation_hold_s,
        )

    @property
    def table(self) -> Table:
        """The table that was sent last; number 0 if none was."""
        return self._table

    @property
    def held(self) -> tuple[str, ...]:
        """The addresses of the table in force that are answered for, as text."""
        return tuple(each.address for each in self._table.entries if each.mode in {Mode.ANSWER, Mode.RELEASE})

    @property
    def interfaces(self) -> tuple[SpeakerInterface, ...]:
        """The links for our SpeakerState: those that may answer. Until the responder tells, what was last written."""
        if not self.links:
            written = self._store.speakers.get(self._settings.node)
            return () if written is None else written.spec.interfaces
        return tuple(
            SpeakerInterface(name=link.name, mac=link.mac, carrier=link.carrier, prefixes=link.prefixes)
            for link in self.links
            if link.eligibility is Eligibility.ELIGIBLE
        )

    def took(self, event: ResponderEvent | Exclusions) -> None:
        """Take in what the responder reported, or a new exclusion list."""
        match event:
            case Liveness():
                self._live(event)
            case Links(interfaces):
                self.links = interfaces
            case Counters():
                self.counts.add(event)
            case Probed() | Silent() | Released():
                self.tenures.heard(event, time.monotonic())
            case Claimed():
                self._claims.append(event)
            case Disconnected():
                self.tenures.responder_lost()
            case Exclusions(patterns=patterns):
                self._exclude = patterns
            case _:
                pass

    def resume(self, written: SpeakerState) -> None:
        """Go on where an earlier speaker of this node left off; `written` was its last word.

        Then this is no start of a whole cluster, and nobody is waited for: nodes without a speaker would otherwise be
        elected for addresses that this node is answering for.
        """
        self._start_ends = -inf
        self.tenures.remember(written.spec.conflicts)

    def look_around(self, config: Config) -> None:
        """Take in Nodes, SpeakerStates, Failovers and links that changed."""
        self._around = look_around(self._settings.node, config, self._store, self.interfaces)

    def view(self, now: float) -> NodeView:
        """Return what the next plan is made from."""
        node, speakers, drain = self._settings.node, self._store.speakers, self._drain.stage(now)
        starting = now < self._start_ends
        self._alive = candidates(node, self._around, speakers, self._liveness, starting=starting, drain=drain)
        self._reserve = reserve(node, self._around, speakers, self._liveness, drain=drain) - self._alive
        return NodeView(
            node=node,
            alive=self._alive,
            reserve=self._reserve,
            links=self._around.links,
            placements=self._around.placements,
            occupied=self.tenures.occupied,
            classes=self._settings.classes,
            ignore_exclude_label=self._settings.ignore_exclude_label,
            drain=drain,
            successors=self._drain.successors(now, self._around.unready),
        )

    def deadline(self, now: float) -> float:
        """When time alone changes something, in monotonic seconds; infinite if never."""
        start_ends = self._start_ends if now < self._start_ends else inf
        return min(start_ends, self.tenures.deadline)

    def judge_claims(self, planner: Planner, now: float) -> None:
        """Decide whose the addresses are that others claimed: rank decides between nodes, the flag about strangers.

        An address that was yielded to a node which is heard again and stands by is free.
        """
        ours: set[str] = set()
        for event in self._claims:
            address = parse_address(event.address)
            if address not in self.tenures.held or address not in planner.plan.layer2:
                continue
            verdict = self._verdict(event, address, planner)
            self.tenures.claimed(event, verdict, now)
            if verdict is Verdict.OURS and event.node:
                ours.add(event.address)
        self._claims.clear()
        if ours:
            self.client.defend(tuple(sorted(ours)))
        for address, rival in self.tenures.occupied.items():
            if self._stands_by(rival.node):
                self.tenures.end_yield(address)

    def follow(self, outcomes: Iterable[Outcome], planner: Planner, now: float) -> None:
        """Bring the tenures to the new plans."""
        rounds = [outcome.groups.values() for outcome in outcomes]
        services = _services_of(after for groups in rounds for _, after in groups)

        def past_of(address: IpAddress, previously: NodeName) -> Past:
            return self._past(address, services.get(address, ()), previously)

        self.tenures.follow(rounds, planner.plan.layer2, self._withheld(planner), past_of, now)

    def send(self, key: SecretText) -> None:
        """Send the responder its table if that changed."""
        table = msgspec.structs.replace(
            self._table,
            entries=self.tenures.entries,
            peers=self._around.peers,
            exclude=self._exclude,
            key_base64=key,
            interval_ms=round(1000 * interval_for(len(self._around.peers) + 1)),
            unready=self._around.unready,
            interfaces=self._around.announcing,
            for_reserve=self._settings.node in self._reserve,
        )
        if table == self._table and table.number > 0:
            return
        self._table = msgspec.structs.replace(table, number=table.number + 1)
        self.client.send(self._table)

    def forget_unknown(self) -> None:
        """Forget what was counted for addresses that no Service has any more, and that they were used."""
        services = self._store.services.values()
        known = {entry.ip for service in services for entry in service.status.load_balancer.ingress}
        self.counts.keep_only(known)
        self.tenures.forget_use(known)

    def _live(self, event: Liveness) -> None:
        before = self._liveness.role if self._liveness else Role.SETTLING
        if event.role is not before and event.role in {Role.ISOLATED, Role.STANDBY}:
            log.warning("this node takes no address over", node=self._settings.node, reason=event.role.value)
        self._liveness = event
        states: dict[tuple[str, ...], float] = {
            (node,): float(state is NodeState.UP) for node, state in event.states.items()
        }
        self._metrics.replace(Name.ALIVE, states)

    def _verdict(self, event: Claimed, address: IpAddress, planner: Planner) -> Verdict:
        """A node that stands by claims nothing: it hands over, and its last announcement may still be on the way."""
        if not event.node:
            yields = self._settings.on_address_conflict is ConflictAction.YIELD
            return Verdict.THEIRS if yields else Verdict.OURS
        if self._stands_by(event.node):
            return Verdict.OURS
        owner = planner.owner_between(address, frozenset({self._settings.node, event.node}))
        return Verdict.THEIRS if owner == event.node else Verdict.OURS

    def _stands_by(self, node: NodeName) -> bool:
        """Whether a node of ours is heard, or has left, and owns nothing."""
        state = self._liveness.states.get(node) if self._liveness else None
        return state in {NodeState.UP, NodeState.LEFT} and node not in self._alive

    def _past(self, address: IpAddress, services: Iterable[ObjectKey], previously: NodeName) -> Past:
        """Who had the address: by the statuses of its Services, else by the last plan. Refused addresses had nobody."""
        me = self._settings.node
        if any(_refuses(state.spec.conflicts, address) for name, state in self._store.speakers.items() if name != me):
            return Past(used=False)
        nodes = {node for service in services for node in self._store.l2_statuses_of(service).values()}
        if others := sorted(nodes - {me}):
            return Past(used=True, node=others[0])
        if previously in self._store.speakers:
            return Past(used=True, node=previously)
        return Past(used=me in nodes or address in self.tenures.used)

    def _withheld(self, planner: Planner) -> frozenset[IpAddress]:
        """Addresses that others have on the wire, which the plan would otherwise give to this node."""
        if not self.tenures.occupied:
            return frozenset()
        return frozenset(address for plan in planner.group_plans.values() for address in plan.withheld)


def _services_of(plans: Iterable[GroupPlan]) -> dict[IpAddress, set[ObjectKey]]:
    """Per address of a group the Services of the group: what one of them says of an owner goes for all."""
    found: dict[IpAddress, set[ObjectKey]] = {}
    for plan in plans:
        services = {part.service for part in plan.announced} | {part.service for part in plan.declined}
        for entry in plan.layer2:
            found.setdefault(entry.address, set()).update(services)
    return found


def _refuses(conflicts: Iterable[AddressConflict], address: IpAddress) -> bool:
    return any(each.action == "refused" and each.address == str(address) for each in conflicts)

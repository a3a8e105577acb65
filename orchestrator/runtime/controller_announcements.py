"""By whom each Service is announced, as far as the controller knows; looked at again when what was told has settled.

A node that fails makes several events: its statuses go, another's come. What happens of a Service is left to settle, so
that its condition changes once. Over BGP many nodes tell of one Service, one after the other: once one has, the others are
left more time. Statuses are believed; only for a Service that nobody tells of the plan is computed, to say why.
"""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from ipaddress import ip_network

from orchestrator.config.model import Config, NodeName
from orchestrator.decide.announced import ANNOUNCED, announced, unannounced, without_speaker
from orchestrator.decide.drain import drains_in
from orchestrator.decide.eligibility import NodeView, Occupied
from orchestrator.decide.ledger import Ledger
from orchestrator.decide.node_plan import Protocol
from orchestrator.decide.outlook import Outlook, Prospects, Speakers
from orchestrator.errors import InvalidConfig
from orchestrator.fsm.peers import node_links
from orchestrator.net.addresses import IpAddress, Prefix, parse_address
from orchestrator.net.link import MacAddress
from orchestrator.resources.classes import ServedClasses
from orchestrator.resources.core import Service
from orchestrator.resources.extensions import SpeakerState
from orchestrator.resources.meta import Condition, ObjectKey
from orchestrator.runtime.store import ObjectStore

SETTLE_S = 1.0
MORE_S = 5.0
"""How long what is told of a Service that is announced already is left to settle, if it is not about its owner."""
SHARERS = 32
"""Of more Services that share addresses only so many are looked at together: all have about the same outlook."""
LEFT = frozenset({"refused", "yielded"})
"""Of a conflict: the node does not answer for the address."""


class Announcements:
    """What is said of each Service. `most_told`: of more Services speakers may write no ServiceBGPStatus (None: never)."""

    def __init__(self, store: ObjectStore, ledger: Ledger, classes: ServedClasses, most_told: int | None) -> None:
        self._store = store
        self._ledger = ledger
        self._classes = classes
        self._most_told = most_told
        self._config = Config()
        self._prospects: Prospects | None = None
        self._said: dict[ObjectKey, Condition | None] = {}
        self._soon: dict[ObjectKey, float] = {}
        self._later: dict[ObjectKey, float] = {}

    # What happened ------------------------------------------------------------------------------------------------

    def configured(self, config: Config) -> None:
        """Plan with this configuration from now on."""
        self._config = config
        self._prospects = None

    def speakers_changed(self) -> None:
        """Plan with what the SpeakerStates say from now on."""
        self._prospects = None

    def look_at(self, keys: Iterable[ObjectKey], now: float) -> None:
        """Something happened to these Services, or to their endpoints; those that share their addresses are concerned."""
        for key in keys:
            assignment = self._ledger.assignment(key)
            for address in () if assignment is None else assignment.addresses:
                for user in self._ledger.users(address):
                    self._soon.setdefault(user, now + SETTLE_S)
            self._soon.setdefault(key, now + SETTLE_S)

    def look_at_all(self, keys: Iterable[ObjectKey], now: float) -> None:
        """What concerns all of them has settled."""
        self._soon = dict.fromkeys(keys, now)

    def told(self, keys: Iterable[ObjectKey], now: float) -> None:
        """Speakers say something else of these Services."""
        for key in keys:
            said = self._said.get(key)
            is_more = said is not None and said.status == "True" and len(self._store.bgp_nodes_of(key)) > 1
            if is_more:
                self._later.setdefault(key, now + MORE_S)
            else:
                self._soon.setdefault(key, now + SETTLE_S)

    def forget(self, key: ObjectKey) -> None:
        """The Service is gone, or not ours."""
        for memory in (self._said, self._soon, self._later):
            memory.pop(key, None)

    # What is said -------------------------------------------------------------------------------------------------

    def said(self, service: Service) -> Condition | None:
        """Return the condition as it was found last; a Service without an address has none."""
        if not service.status.load_balancer.ingress:
            return None
        key = service.metadata.key
        return self._said[key] if key in self._said else _held(service)

    def next_at(self) -> float | None:
        """Return when a Service is to be looked at, in monotonic seconds; None: nothing is to be."""
        if not self._store.complete:
            return None
        return min((deadline for queue in (self._soon, self._later) for deadline in _first(queue)), default=None)

    def ripe(self, now: float) -> ObjectKey | None:
        """Take a Service of which everything has settled; None if there is none."""
        if not self._store.complete:
            return None
        for queue in (self._soon, self._later):
            key = next(iter(queue), None)
            if key is not None and queue[key] <= now:
                self._soon.pop(key, None)
                self._later.pop(key, None)
                return key
        return None

    def renew(self, service: Service, services: Mapping[ObjectKey, Service]) -> None:
        """Find the condition again; `services` are all, as they are or will be."""
        has_address = bool(service.status.load_balancer.ingress)
        self._said[service.metadata.key] = self._found(service, services) if has_address else None

    def _found(self, service: Service, services: Mapping[ObjectKey, Service]) -> Condition:
        key, speakers = service.metadata.key, self._store.speakers.keys()
        group = self._group(service, services)
        slices = {each.metadata.key: self._store.endpoints(each.metadata.key) for each in group}
        as_planned = self._most_told is not None and len(self._ledger.assignments) > self._most_told
        by = self._told_of(key)
        if as_planned and speakers and (planned := self._plan().bgp_nodes(key, group, slices)):
            by[Protocol.BGP] = planned
        if by:
            return announced(by, bgp_as_planned=as_planned)
        if not speakers:
            return without_speaker()
        if any(problem.ref.kind == "EndpointSlice" for problem in self._store.input.problems):
            return unannounced(Outlook())  # they cannot be read, and without them everything seems to have no endpoint
        return unannounced(self._plan().outlook(key, group, slices))

    def _told_of(self, key: ObjectKey) -> dict[Protocol, Collection[NodeName]]:
        """Who says so; nodes without a SpeakerState have left something behind, unless nobody has one."""
        speakers = self._store.speakers.keys()
        told = {
            Protocol.LAYER2: frozenset(self._store.l2_statuses_of(key).values()),
            Protocol.BGP: self._store.bgp_nodes_of(key),
        }
        known = {protocol: nodes & speakers if speakers else nodes for protocol, nodes in told.items()}
        return {protocol: nodes for protocol, nodes in known.items() if nodes}

    def _group(self, service: Service, services: Mapping[ObjectKey, Service]) -> list[Service]:
        """The Service and those that share its addresses, and theirs."""
        found: dict[ObjectKey, Service] = {}
        todo = [service.metadata.key]
        while todo and len(found) < SHARERS:
            key = todo.pop(0)
            if key in found or key not in services:
                continue
            found[key] = services[key]
            assignment = self._ledger.assignment(key)
            for address in () if assignment is None else assignment.addresses:
                users = self._ledger.users(address)
                todo += sorted(users) if len(users) <= SHARERS else sorted(users)[:SHARERS]
        return list(found.values())

    def _plan(self) -> Prospects:
        if self._prospects is None:
            self._prospects = Prospects(self._config, speakers_of(self._store.speakers, self._classes))
        return self._prospects


def speakers_of(states: Mapping[NodeName, SpeakerState], classes: ServedClasses) -> Speakers:
    """Return what the SpeakerStates say, for planning."""
    view = NodeView(
        node="",
        alive=frozenset(name for name, state in states.items() if not state.spec.is_leaving),
        reserve=frozenset(name for name, state in states.items() if state.spec.is_last_resort),
        links={name: node_links(state.spec.interfaces) for name, state in states.items() if state.spec.interfaces},
        classes=classes,
    )
    occupied = {name: _occupied(state) for name, state in states.items() if state.spec.conflicts}
    return Speakers(
        nodes=frozenset(states),
        view=view,
        occupied=occupied,
        drains=drains_in(states),
        not_ready=frozenset(name for name, state in states.items() if state.spec.node_not_ready),
        dampened={name: prefixes_in(state.spec.dampened) for name, state in states.items() if state.spec.dampened},
    )


def _occupied(state: SpeakerState) -> Mapping[IpAddress, Occupied]:
    found: dict[IpAddress, Occupied] = {}
    for conflict in state.spec.conflicts:
        if conflict.action not in LEFT:
            continue
        try:
            address, mac = parse_address(conflict.address), MacAddress.parse(conflict.mac)
        except InvalidConfig:
            continue
        found[address] = Occupied(
            mac=mac, interface=conflict.interface, node=conflict.node, before_use=conflict.action == "refused"
        )
    return found


def prefixes_in(texts: Iterable[str]) -> frozenset[Prefix]:
    """Return the prefixes of a SpeakerState; what is none is passed over."""
    found: set[Prefix] = set()
    for text in texts:
        with suppress(ValueError):
            found.add(ip_network(text))
    return frozenset(found)


def _held(service: Service) -> Condition | None:
    return next((each for each in service.status.conditions if each.type == ANNOUNCED), None)


def _first(queue: Mapping[ObjectKey, float]) -> list[float]:
    """The deadline of the first, which is the earliest: all wait equally long."""
    return [next(iter(queue.values()))] if queue else []

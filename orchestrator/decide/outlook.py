"""Outlook: by which nodes a Service should be announced, and what keeps the others from it; for all nodes at once.

What a speaker finds for its own node, asked for every node that has a speaker. Nodes of which the configuration says the
same have the same outcome, so one of each class is asked. Over layer 2 only the node that is elected has reasons of its
own; if nobody can be, each node is told what keeps it from taking part.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.config.model import Config, NodeName
from orchestrator.decide.announcement import prepare
from orchestrator.decide.bgp import plan_bgp
from orchestrator.decide.candidates import Candidate
from orchestrator.decide.contest import Entrant
from orchestrator.decide.drain import Drained, DrainStage, successors
from orchestrator.decide.eligibility import NodeView, Occupied, is_excluded, is_local
from orchestrator.decide.layer2 import Lineup, line_up, plan_layer2
from orchestrator.decide.node_plan import Announced, Decline, DeclineReason, Protocol, Route
from orchestrator.decide.reach import Reach
from orchestrator.decide.withdrawal import dampened_text, is_carried
from orchestrator.net.addresses import IpAddress, Prefix
from orchestrator.resources.core import EndpointSlice, Service
from orchestrator.resources.meta import ObjectKey

Nodes = tuple[NodeName, ...]

_KINDS = {Protocol.LAYER2: "L2Advertisement", Protocol.BGP: "BGPAdvertisement"}
_ON_NODES = {
    DeclineReason.NO_MATCHING_ADVERTISEMENT: "no {kind} of pool {pool} is for this Service there; "
    "look at its nodeSelectors and serviceSelectors",
    DeclineReason.NODE_NETWORK_UNAVAILABLE: "the Node has condition NetworkUnavailable; look at its CNI",
    DeclineReason.NODE_EXCLUDED: "remove the label node.kubernetes.io/exclude-from-external-load-balancers",
    DeclineReason.NODE_DRAINED: "the node is drained; `ferrule drain` shows by what",
    DeclineReason.NODE_NOT_READY: "the Node is NotReady, and the speakers withdraw for it (--withdraw-not-ready)",
    DeclineReason.NO_LOCAL_ENDPOINTS: "externalTrafficPolicy is Local and no endpoint there can serve; "
    "look at the pods behind the selector",
    DeclineReason.NO_PEER_ON_NODE: "no BGPPeer that the advertisements go to selects the node; "
    "look at the nodeSelectors of the BGPPeers",
}
"""Texts that are the same for every node; a decline's own detail names one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One reason why a Service is not announced over the protocols (none: over any) by the nodes (none: by any)."""

    reason: DeclineReason
    text: str
    protocols: tuple[Protocol, ...] = ()
    nodes: Nodes = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Who should announce a Service, by protocol; sorted names, none if it is not known which node is elected.

    `causes` say why the other nodes do not.
    """

    planned: Mapping[Protocol, Nodes] = field(default_factory=dict)
    causes: tuple[Cause, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Speakers:
    """What is known of the nodes that have a speaker: `view` but for its node, and who has their addresses on the wire.

    `drains` are those of them that are drained. `not_ready` withdraw for that; `dampened` are prefixes that a node keeps
    back for a while.
    """

    nodes: frozenset[NodeName] = frozenset()
    view: NodeView = field(default_factory=lambda: NodeView(node=""))
    occupied: Mapping[NodeName, Mapping[IpAddress, Occupied]] = field(default_factory=dict)
    drains: Mapping[NodeName, Drained] = field(default_factory=dict)
    not_ready: frozenset[NodeName] = frozenset()
    dampened: Mapping[NodeName, frozenset[Prefix]] = field(default_factory=dict)

    def stage_of(self, node: NodeName) -> DrainStage:
        """Return how far the drain of a node is."""
        return self.drains[node].stage if node in self.drains else DrainStage.SERVING


class Prospects:
    """The outlook of Services under one configuration; what they have in common is computed once."""

    def __init__(self, config: Config, speakers: Speakers) -> None:
        self._config = _with_readiness(config, speakers.not_ready)
        self._speakers = speakers
        self._reach = Reach(config, speakers.view)
        self._classes = _classes(self._config, speakers)

    def outlook(
        self, key: ObjectKey, services: Sequence[Service], endpoints: Mapping[ObjectKey, Sequence[EndpointSlice]]
    ) -> Outlook:
        """Return the outlook of the Service `key`; `services` are its address group, with their `endpoints`."""
        groundwork = prepare(self._config, services, endpoints, self._speakers.view)
        candidates = groundwork.candidates
        candidate = next((each for each in candidates if each.key == key), None)
        if candidate is None:
            causes = (Cause(reason=each.reason, text=each.detail) for each in _of(key, groundwork.declined))
            return Outlook(causes=tuple(dict.fromkeys(causes)))
        if not candidate.pool.l2_advertisements and not candidate.pool.bgp_advertisements:
            text = f"no L2Advertisement or BGPAdvertisement selects pool {candidate.pool.name}; create one"
            return Outlook(causes=(Cause(reason=DeclineReason.NO_MATCHING_ADVERTISEMENT, text=text),))
        if not candidate.serving.anywhere:
            text = "no endpoint can serve; look at the pods behind the selector"
            return Outlook(causes=(Cause(reason=DeclineReason.NO_ENDPOINTS, text=text),))
        planned: dict[Protocol, Nodes] = {}
        found: list[Cause] = []
        for part in (self._layer2(candidate, candidates), self._bgp(candidate, candidates)):
            planned |= part.planned
            found += part.causes
        return Outlook(planned=planned, causes=_joined(found))

    def bgp_nodes(
        self, key: ObjectKey, services: Sequence[Service], endpoints: Mapping[ObjectKey, Sequence[EndpointSlice]]
    ) -> Nodes:
        """Return the nodes that should announce the Service over BGP."""
        candidates = prepare(self._config, services, endpoints, self._speakers.view).candidates
        candidate = next((each for each in candidates if each.key == key), None)
        return () if candidate is None else self._bgp(candidate, candidates).planned.get(Protocol.BGP, ())

    def _view_of(self, node: NodeName) -> NodeView:
        speakers = self._speakers
        return replace(
            speakers.view,
            node=node,
            occupied=speakers.occupied.get(node, {}),
            drain=speakers.stage_of(node),
            successors=successors(node, speakers.nodes, speakers.drains),
        )

    # BGP --------------------------------------------------------------------------------------------------------------

    def _bgp(self, candidate: Candidate, candidates: Sequence[Candidate]) -> Outlook:
        if not candidate.pool.bgp_advertisements:
            return Outlook()
        announcing: list[NodeName] = []
        causes: list[Cause] = []
        for nodes in self._alike(candidate):
            plan = plan_bgp(self._config, candidates, self._view_of(nodes[0]))
            if _is_in(candidate.key, plan.announced):
                kept_back = tuple(node for node in nodes if self._keeps_back(node, candidate, plan.routes))
                announcing += (node for node in nodes if node not in kept_back)
                causes += [_dampened(candidate, kept_back)] if kept_back else []
                continue
            causes += [_cause(candidate, decline, nodes) for decline in _of(candidate.key, plan.declined)]
        planned = {Protocol.BGP: tuple(sorted(announcing))} if announcing else {}
        return Outlook(planned=planned, causes=tuple(causes))

    def _keeps_back(self, node: NodeName, candidate: Candidate, routes: Sequence[Route]) -> bool:
        """Whether the node announces none of the addresses for now."""
        dampened = self._speakers.dampened.get(node, frozenset())
        live = [route for route in routes if route.prefix not in dampened]
        return not any(is_carried(address, live) for address in candidate.addresses)

    def _alike(self, candidate: Candidate) -> Iterator[Nodes]:
        """The nodes in classes; where the endpoints are counts under policy Local."""
        for nodes in self._classes:
            if not is_local(candidate.service):
                yield nodes
                continue
            serving = tuple(node for node in nodes if node in candidate.serving.nodes)
            others = tuple(node for node in nodes if node not in candidate.serving.nodes)
            yield from (part for part in (serving, others) if part)

    # Layer 2 ----------------------------------------------------------------------------------------------------------

    def _layer2(self, candidate: Candidate, candidates: Sequence[Candidate]) -> Outlook:
        if not candidate.pool.l2_advertisements:
            return Outlook()
        lineup = line_up(candidates, self._speakers.view, self._reach)
        entrant = next((each for each in lineup.entrants if each.candidate.key == candidate.key), None)
        if entrant is None:
            refusals = _of(candidate.key, lineup.declined)
            return Outlook(causes=tuple(_cause(candidate, decline, ()) for decline in refusals))
        owner = self._owner(lineup)
        if owner is None or all(owner not in each.nodes for each in entrant.advertisements):
            return Outlook(causes=tuple(self._not_taking_part(entrant, lineup)))
        plan = plan_layer2(lineup, self._view_of(owner))
        if _is_in(candidate.key, plan.announced):
            known = lineup.contest is not None and not lineup.contest.domain
            return Outlook(planned={Protocol.LAYER2: (owner,) if known else ()})
        causes = (_cause(candidate, decline, (owner,)) for decline in _of(candidate.key, plan.declined))
        return Outlook(causes=tuple(causes))

    def _owner(self, lineup: Lineup) -> NodeName | None:
        contest, view = lineup.contest, self._speakers.view
        return None if contest is None else contest.winner(contest.candidates(view.alive, view.reserve), view.shares)

    def _not_taking_part(self, entrant: Entrant, lineup: Lineup) -> Iterator[Cause]:
        candidate = entrant.candidate
        for nodes in self._alike(candidate):
            reason = self._obstacle(entrant, nodes[0])
            if reason is not None:
                yield _cause(candidate, candidate.decline(Protocol.LAYER2, reason, ""), nodes)
                continue
            plan = plan_layer2(lineup, self._view_of(nodes[0]))
            for decline in _of(candidate.key, plan.declined):
                yield _cause(candidate, decline, nodes)

    def _obstacle(self, entrant: Entrant, node: NodeName) -> DeclineReason | None:
        """What keeps a node from any election about the Service; None: what it says itself is more telling."""
        facts = self._config.nodes.get(node)
        if all(node not in advertisement.nodes for advertisement in entrant.advertisements):
            return DeclineReason.NO_MATCHING_ADVERTISEMENT
        if facts is not None and facts.network_unavailable:
            return DeclineReason.NODE_NETWORK_UNAVAILABLE
        if facts is not None and is_excluded(facts, self._speakers.view):
            return DeclineReason.NODE_EXCLUDED
        if self._speakers.stage_of(node) is DrainStage.OUT:
            return DeclineReason.NODE_DRAINED
        if is_local(entrant.candidate.service) and node not in entrant.candidate.serving.nodes:
            return DeclineReason.NO_LOCAL_ENDPOINTS
        return None


def _classes(config: Config, speakers: Speakers) -> tuple[Nodes, ...]:
    """Nodes that every advertisement and peer treats alike, in the order of their first."""
    found: dict[object, list[NodeName]] = {}
    for node in sorted(speakers.nodes):
        facts = config.nodes.get(node)
        profile = (
            tuple(peer.name for peer in config.receivers_on(node)),
            tuple(one.name for pool in config.pools.values() for one in pool.l2_advertisements if node in one.nodes),
            tuple(one.name for pool in config.pools.values() for one in pool.bgp_advertisements if node in one.nodes),
            facts is None,
            facts is not None and facts.network_unavailable,
            facts is not None and is_excluded(facts, speakers.view),
            facts is not None and facts.not_ready,
            speakers.drains.get(node),
        )
        found.setdefault(profile, []).append(node)
    return tuple(tuple(group) for group in found.values())


def _with_readiness(config: Config, not_ready: Collection[NodeName]) -> Config:
    """The configuration as the speakers have it: each knows only of its own node whether that counts."""
    nodes = {
        name: replace(facts, not_ready=True) if name in not_ready else facts for name, facts in config.nodes.items()
    }
    return replace(config, nodes=nodes) if not_ready else config


def _dampened(candidate: Candidate, nodes: Nodes) -> Cause:
    text = dampened_text(", ".join(map(str, candidate.addresses)))
    return Cause(reason=DeclineReason.DAMPENED, text=text, protocols=(Protocol.BGP,), nodes=nodes)


def _is_in(key: ObjectKey, announced: Iterable[Announced]) -> bool:
    return any(part.service == key for part in announced)


def _of(key: ObjectKey, declined: Iterable[Decline]) -> list[Decline]:
    return [decline for decline in declined if decline.service == key]


def _cause(candidate: Candidate, decline: Decline, nodes: Nodes) -> Cause:
    reason = decline.reason
    if decline.protocol is Protocol.BGP and reason is DeclineReason.NOT_OWNER:
        reason = DeclineReason.NO_MATCHING_ADVERTISEMENT
    text = _ON_NODES.get(reason)
    if text is not None:
        text = text.format(kind=_KINDS[decline.protocol], pool=candidate.pool.name)
    return Cause(reason=reason, text=text or decline.detail, protocols=(decline.protocol,), nodes=nodes)


def _joined(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Causes of one reason and protocol as one of all their nodes; those of both protocols alike as one."""
    nodes: dict[tuple[DeclineReason, str, tuple[Protocol, ...]], set[NodeName]] = {}
    for cause in causes:
        nodes.setdefault((cause.reason, cause.text, cause.protocols), set()).update(cause.nodes)
    protocols: dict[tuple[DeclineReason, str, Nodes], tuple[Protocol, ...]] = {}
    for (reason, text, over), found in nodes.items():
        key = (reason, text, tuple(sorted(found)))
        protocols[key] = (*protocols.get(key, ()), *over)
    return tuple(
        Cause(reason=reason, text=text, protocols=over, nodes=found)
        for (reason, text, found), over in protocols.items()
    )

"""BGP for one group (contract 5.2, 5.3): which prefixes this node announces, to which peers, with which attributes.

A prefix that several advertisements or Services give has the union of communities and the sum of the Services' weights.
Two local preferences, MEDs or AS paths for one prefix at one peer cannot both hold: the older Service has its own, the
younger is declined.

A Node's annotations move its routes as a whole: a path that is longer by some AS numbers stays longer whatever the
advertisements say, so these add up; a MED is a number that people compare, so the node's stands as it was written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from orchestrator.config import preferences
from orchestrator.config.model import BgpAdvertisement, Config, NodeFacts, NodeName, Peer, Weight
from orchestrator.decide.candidates import Candidate
from orchestrator.decide.drain import DrainStage, marked
from orchestrator.decide.eligibility import NodeView, is_excluded, is_local
from orchestrator.decide.node_plan import (
    Announced,
    Decline,
    DeclineReason,
    Protocol,
    Route,
    RouteAttributes,
    RoutePolicy,
)
from orchestrator.decide.weights import ready_endpoints
from orchestrator.net.addresses import IpAddress, IpFamily, Prefix, covering_prefix, family_of, prefix_key
from orchestrator.resources.meta import ObjectKey
from orchestrator.resources.selectors import admits


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpPlan:
    routes: tuple[Route, ...] = ()
    announced: tuple[Announced, ...] = ()
    declined: tuple[Decline, ...] = ()


def plan_bgp(config: Config, candidates: Sequence[Candidate], view: NodeView) -> BgpPlan:
    """Return the routes of the group; `candidates` are the older Services first."""
    receivers = config.receivers_on(view.node)
    here = config.nodes.get(view.node, NodeFacts(name=view.node, labels={}))
    routes: dict[Prefix, Route] = {}
    announced: list[Announced] = []
    declined: list[Decline] = []
    released = _released(config, candidates, view)
    for candidate in candidates:
        matching = _advertisements(config, candidate, view)
        if isinstance(matching, Decline):
            declined.append(matching)
            continue
        if candidate.key in released:
            declined.append(candidate.decline(Protocol.BGP, DeclineReason.NODE_DRAINED, f"node {view.node} is drained"))
            continue
        offer = _offer(candidate, matching, receivers, here)
        younger = _conflict(candidate, offer.routes, routes)
        if younger is not None:
            declined.append(younger)
            continue
        declined += offer.declined
        announced += offer.announced
        for route in offer.routes:
            routes[route.prefix] = route.union(routes.get(route.prefix))
    if view.drain is not DrainStage.SERVING:
        internal = frozenset(peer.name for peer in receivers if not peer.is_external)
        routes = {prefix: marked(route, internal) for prefix, route in routes.items()}
    return BgpPlan(
        routes=tuple(sorted(routes.values(), key=lambda route: prefix_key(route.prefix))),
        announced=tuple(announced),
        declined=tuple(declined),
    )


def _released(config: Config, candidates: Sequence[Candidate], view: NodeView) -> frozenset[ObjectKey]:
    """The Services that a drained node withdraws: those of which another node announces every address, or all if forced."""
    if view.drain is DrainStage.OUT:
        return frozenset(candidate.key for candidate in candidates)
    if view.drain is not DrainStage.HANDED_OVER:
        return frozenset()
    left = _announced_by(view.node, config, candidates, view)
    nodes = {name for one in candidates for each in one.pool.bgp_advertisements for name in each.nodes}
    for successor in sorted(view.successors & nodes - {view.node}):
        if not left:
            break
        left -= _announced_by(successor, config, candidates, view)
    held = {key for key, _ in left}
    return frozenset(candidate.key for candidate in candidates if candidate.key not in held)


def _announced_by(
    node: NodeName, config: Config, candidates: Sequence[Candidate], view: NodeView
) -> frozenset[tuple[ObjectKey, IpAddress]]:
    plan = plan_bgp(config, candidates, replace(view, node=node, drain=DrainStage.SERVING))
    return frozenset((part.service, address) for part in plan.announced for address in part.addresses)


def _advertisements(config: Config, candidate: Candidate, view: NodeView) -> tuple[BgpAdvertisement, ...] | Decline:
    """The advertisements that announce this Service from this node, or the first reason why none does."""
    pool, node = candidate.pool.name, view.node
    here = tuple(one for one in candidate.pool.bgp_advertisements if node in one.nodes)
    matching = tuple(one for one in here if admits(one.service_selectors, candidate.service.metadata.labels))
    reason, detail = DeclineReason.NOT_OWNER, ""
    if not here:
        detail = f"no BGPAdvertisement of pool {pool} includes node {node}; create one, or look at nodeSelectors"
    elif not matching:
        names = ", ".join(one.name for one in here)
        reason = DeclineReason.NO_MATCHING_ADVERTISEMENT
        detail = f"the serviceSelectors of {names} do not match this Service; look at its labels"
    else:
        refusal = _preference_conflict(candidate, matching) or _node_refusal(config, candidate, view)
        if refusal is None:
            return matching
        reason, detail = refusal
    return candidate.decline(Protocol.BGP, reason, detail)


def _preference_conflict(
    candidate: Candidate, matching: Sequence[BgpAdvertisement]
) -> tuple[DeclineReason, str] | None:
    families = {family_of(address) for address in candidate.addresses}
    for one, other in combinations(matching, 2):
        conflict = preferences.conflict(one, other, families)
        if conflict is not None:
            detail = (
                f"BGPAdvertisements {one.name} ({conflict.field} {conflict.one}) and {other.name} ({conflict.other}) "
                "give one update different preferences; make them equal or separate them by peers or serviceSelectors"
            )
            return DeclineReason.CONFLICTING_ADVERTISEMENTS, detail
    return None


def _node_refusal(config: Config, candidate: Candidate, view: NodeView) -> tuple[DeclineReason, str] | None:
    facts = config.nodes.get(view.node)
    if facts is not None and facts.network_unavailable:
        return DeclineReason.NODE_NETWORK_UNAVAILABLE, f"node {view.node} has condition NetworkUnavailable"
    if facts is not None and is_excluded(facts, view):
        detail = f"node {view.node} has the label exclude-from-external-load-balancers; remove it"
        return DeclineReason.NODE_EXCLUDED, detail
    if facts is not None and facts.not_ready:
        return DeclineReason.NODE_NOT_READY, f"node {view.node} is NotReady, and --withdraw-not-ready is set"
    if is_local(candidate.service) and view.node not in candidate.serving.nodes:
        detail = f"externalTrafficPolicy is Local and no endpoint on node {view.node} can serve"
        return DeclineReason.NO_LOCAL_ENDPOINTS, detail
    if not candidate.serving.anywhere:
        return DeclineReason.NO_ENDPOINTS, "no endpoint can serve; look at the pods behind the selector"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """What one Service would add."""

    routes: tuple[Route, ...] = ()
    announced: tuple[Announced, ...] = ()
    declined: tuple[Decline, ...] = ()


def _offer(
    candidate: Candidate, matching: Sequence[BgpAdvertisement], receivers: Sequence[Peer], here: NodeFacts
) -> _Offer:
    targets = {one.name: tuple(peer for peer in receivers if _is_for(one, peer)) for one in matching}
    if not any(targets.values()):
        detail = f"no BGPPeer that {', '.join(sorted(targets))} goes to selects node {here.name}"
        return _Offer(declined=(candidate.decline(Protocol.BGP, DeclineReason.NO_PEER_ON_NODE, detail),))
    routes: dict[Prefix, Route] = {}
    carried: list[IpAddress] = []
    for address in candidate.addresses:
        found = tuple(_routes(address, candidate, matching, targets, here))
        for route in found:
            routes[route.prefix] = route.union(routes.get(route.prefix), weigh=max)
        carried += [address] if found else []
    peers = sorted({peer for route in routes.values() for peer, _ in route.policy.per_peer})
    announced = Announced(service=candidate.key, protocol=Protocol.BGP, addresses=tuple(carried), peers=tuple(peers))
    return _Offer(
        routes=tuple(routes.values()),
        announced=(announced,) if carried else (),
        declined=tuple(_uncarried(candidate, address) for address in candidate.addresses if address not in carried),
    )


def _is_for(advertisement: BgpAdvertisement, peer: Peer) -> bool:
    return advertisement.peers is None or peer.name in advertisement.peers


def _routes(
    address: IpAddress,
    candidate: Candidate,
    matching: Sequence[BgpAdvertisement],
    targets: dict[str, tuple[Peer, ...]],
    here: NodeFacts,
) -> Iterator[Route]:
    """One route per advertisement that reaches a peer which carries the address' family."""
    family = family_of(address)
    for advertisement in matching:
        peers = [peer for peer in targets[advertisement.name] if family in peer.families]
        if peers:
            sent = _attributes(advertisement, here)
            if advertisement.weight is Weight.ENDPOINTS:
                sent = replace(sent, weight=_weight(candidate, family, here.name))
            times = advertisement.as_path_prepend + here.as_path_prepend
            per_peer = ((peer.name, _with_path(sent, peer, times) if times else sent) for peer in peers)
            yield Route(
                prefix=covering_prefix(address, advertisement.length_for(family)),
                policy=RoutePolicy(per_peer=tuple(sorted(per_peer, key=lambda entry: entry[0]))),
                origins=(advertisement.origin,),
            )


def _attributes(advertisement: BgpAdvertisement, here: NodeFacts) -> RouteAttributes:
    return RouteAttributes(
        local_pref=advertisement.local_pref,
        med=advertisement.med if here.med is None else here.med,
        communities=advertisement.communities,
    )


def _weight(candidate: Candidate, family: IpFamily, node: NodeName) -> int:
    """With the policy Cluster every node passes traffic on to all endpoints, so all weigh the same."""
    return ready_endpoints(candidate.slices, node, family) if is_local(candidate.service) else 1


def _with_path(sent: RouteAttributes, peer: Peer, times: int) -> RouteAttributes:
    """An internal peer takes a path with its own AS number for a loop (RFC 4271 §9.1.2; FRR 8.4.4 drops it, tried)."""
    return replace(sent, prepended=(peer.own_asn,) * times) if peer.is_external else sent


def _uncarried(candidate: Candidate, address: IpAddress) -> Decline:
    family = family_of(address).value
    detail = (
        f"no BGPPeer that would get {address} carries {family}; add an {family} peer, or set dualStackAddressFamily"
    )
    return candidate.decline(Protocol.BGP, DeclineReason.NO_PEER_CARRIES_FAMILY, detail)


def _conflict(candidate: Candidate, offered: Sequence[Route], routes: dict[Prefix, Route]) -> Decline | None:
    """The Service's routes were weighed against each other before; here against those of older Services."""
    for route in offered:
        present = routes.get(route.prefix)
        if present is not None and route.policy.conflicts_with(present.policy):
            names = ", ".join(origin.name for origin in (*present.origins, *route.origins))
            detail = (
                f"an older Service announces {route.prefix} with other preferences; compare localPref, med and "
                f"asPathPrepend of {names}"
            )
            return candidate.decline(Protocol.BGP, DeclineReason.CONFLICTING_ADVERTISEMENTS, detail)
    return None

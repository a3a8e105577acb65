"""Layer 2 for one group (contract 4.2, 4.3): which addresses this node answers for.

One election per group. Its candidates are the nodes that may answer for every member, so that a shared address is
answered for where all of its Services work; its key is the first address of the lowest member, so that both families
of a dual-stack Service, and whatever shares an address with it, stay on one node. For a single Service that is
MetalLB's election. The key does not depend on endpoints: losing one never moves an address by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.config.model import Config, L2Advertisement, NodeName
from orchestrator.decide.annotations import ALLOW_SHARED_IP, annotation
from orchestrator.decide.candidates import Candidate
from orchestrator.decide.election import elect
from orchestrator.decide.eligibility import NodeView, is_local, layer2_candidates, preference
from orchestrator.decide.node_plan import (
    Announced,
    Decline,
    DeclineReason,
    Layer2Address,
    Protocol,
    layer2_in_order,
)
from orchestrator.net.addresses import IpAddress
from orchestrator.resources.selectors import admits


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer2Plan:
    layer2: tuple[Layer2Address, ...] = ()
    announced: tuple[Announced, ...] = ()
    declined: tuple[Decline, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entrant:
    """A Service that takes part in the election, with its advertisements and the nodes that may answer for it."""

    candidate: Candidate
    advertisements: tuple[L2Advertisement, ...]
    nodes: frozenset[NodeName]


def plan_layer2(config: Config, candidates: Sequence[Candidate], view: NodeView) -> Layer2Plan:
    """Return the addresses that this node answers for."""
    entrants: list[_Entrant] = []
    declined: list[Decline] = []
    for candidate in candidates:
        entered = _enter(config, candidate, view)
        if isinstance(entered, Decline):
            declined.append(entered)
        else:
            entrants.append(entered)
    if not entrants:
        return Layer2Plan(declined=tuple(declined))
    owner = _owner(candidates, entrants)
    announced: list[Announced] = []
    addresses: dict[IpAddress, Layer2Address] = {}
    for entrant in entrants:
        refusal = _refusal(entrant, owner, view)
        if refusal is not None:
            declined.append(refusal)
            continue
        interfaces = _interfaces(entrant, view)
        announced.append(_announced(entrant.candidate, interfaces))
        for address in entrant.candidate.addresses:
            addresses[address] = _joined(addresses.get(address), address, interfaces)
    return Layer2Plan(layer2=layer2_in_order(addresses.values()), announced=tuple(announced), declined=tuple(declined))


def _enter(config: Config, candidate: Candidate, view: NodeView) -> _Entrant | Decline:
    """Steps 1 to 3 and 5 to 6 of contract 4.2, which have the same result on every node."""
    if not candidate.serving.anywhere:
        detail = "no endpoint can serve; look at the pods behind the selector"
        return candidate.decline(Protocol.LAYER2, DeclineReason.NOT_OWNER, detail)
    labels = candidate.service.metadata.labels
    advertisements = tuple(
        advertisement
        for advertisement in candidate.pool.l2_advertisements
        if admits(advertisement.service_selectors, labels)
    )
    selective = [advertisement.name for advertisement in advertisements if advertisement.service_selectors]
    if selective and annotation(candidate.service, ALLOW_SHARED_IP) is not None:
        detail = (
            f"L2Advertisement {selective[0]} has serviceSelectors and the Service may share its address; "
            "remove one of them"
        )
        return candidate.decline(Protocol.LAYER2, DeclineReason.SHARED_IP_WITH_SERVICE_SELECTOR, detail)
    nodes = layer2_candidates(config, advertisements, view)
    if is_local(candidate.service):
        nodes &= candidate.serving.nodes
    return _Entrant(candidate=candidate, advertisements=advertisements, nodes=nodes)


def _owner(candidates: Sequence[Candidate], entrants: Sequence[_Entrant]) -> NodeName | None:
    """The elected node. Services without an advertisement take no part in the choice of nodes."""
    taking_part = [entrant for entrant in entrants if entrant.advertisements]
    if not taking_part:
        return None
    nodes = frozenset.intersection(*(entrant.nodes for entrant in taking_part))
    advertisements = [advertisement for entrant in taking_part for advertisement in entrant.advertisements]
    key = min(candidates, key=lambda candidate: candidate.key).addresses[0]
    return elect(key, nodes, preference(advertisements))


def _refusal(entrant: _Entrant, owner: NodeName | None, view: NodeView) -> Decline | None:
    candidate = entrant.candidate
    if all(view.node not in advertisement.nodes for advertisement in entrant.advertisements):
        detail = (
            f"no L2Advertisement of pool {candidate.pool.name} is for this Service on node {view.node}; "
            "look at its nodeSelectors and serviceSelectors"
        )
        return candidate.decline(Protocol.LAYER2, DeclineReason.NO_MATCHING_ADVERTISEMENT, detail)
    if owner is None:
        return candidate.decline(Protocol.LAYER2, DeclineReason.NOT_OWNER, _no_node(candidate))
    if owner != view.node:
        return candidate.decline(Protocol.LAYER2, DeclineReason.NOT_OWNER, f"node {owner} answers for it")
    return None


def _no_node(candidate: Candidate) -> str:
    rule = "hosts a serving endpoint of it and of what shares its address, " if is_local(candidate.service) else ""
    return f"no node {rule}is alive, advertised, connected and without the exclude label; free one"


def _interfaces(entrant: _Entrant, view: NodeView) -> tuple[str, ...] | None:
    """The union over the advertisements that include this node; one without interfaces means all: None."""
    here = [advertisement for advertisement in entrant.advertisements if view.node in advertisement.nodes]
    if any(not advertisement.interfaces for advertisement in here):
        return None
    return tuple(sorted({name for advertisement in here for name in advertisement.interfaces}))


def _joined(present: Layer2Address | None, address: IpAddress, interfaces: tuple[str, ...] | None) -> Layer2Address:
    """An address of several Services is answered for wherever one of them asks."""
    if present is None:
        return Layer2Address(address=address, interfaces=interfaces)
    if present.interfaces is None or interfaces is None:
        return Layer2Address(address=address)
    return Layer2Address(address=address, interfaces=tuple(sorted({*present.interfaces, *interfaces})))


def _announced(candidate: Candidate, interfaces: tuple[str, ...] | None) -> Announced:
    return Announced(
        service=candidate.key, protocol=Protocol.LAYER2, addresses=candidate.addresses, interfaces=interfaces
    )

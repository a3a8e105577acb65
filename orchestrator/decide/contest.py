"""The election of a group's owner: who takes part, who may win, who does (contract 4.2).

One contest per group. Its candidates are the nodes that may answer for every member, so that a shared address is
answered for where all of its Services work; its key is the first address of the lowest member, so that both families
of a dual-stack Service, and whatever shares an address with it, stay on one node. For a single Service that is
MetalLB's election. The key does not depend on endpoints: losing one never moves an address by itself.

A contest is the same on every node that knows the same: nothing of it depends on where it is held.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.config.model import L2Advertisement, NodeName, Spread
from orchestrator.decide.annotations import ALLOW_SHARED_IP, annotation
from orchestrator.decide.candidates import Candidate
from orchestrator.decide.election import elect
from orchestrator.decide.eligibility import NodeView, Placement, is_local, preference
from orchestrator.decide.node_plan import Decline, DeclineReason, Protocol
from orchestrator.decide.reach import NOBODY, Admission, Nodes, Reach
from orchestrator.net.addresses import IpAddress, address_key
from orchestrator.resources.selectors import admits

Domain = tuple[str, ...]
"""Names of the L2Advertisements with `spread: even` that a group is under; addresses of one domain are balanced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """A Service that takes part in the election, with its advertisements and the nodes that may answer for it."""

    candidate: Candidate
    advertisements: tuple[L2Advertisement, ...]
    admission: Admission


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What the choice of an owner depends on, but for who lives. `address` is the key.

    `everyone` may own the group at all; `able` are those of them who are not known to be unable to answer. `off_link`
    could win if it had an address in the subnets; `domain` is empty where MetalLB's order decides.
    """

    address: IpAddress
    everyone: Nodes
    able: Nodes
    off_link: Nodes = NOBODY
    preference: Mapping[NodeName, int]
    placement: Placement | None = None
    domain: Domain = ()

    def candidates(self, alive: Nodes | None, reserve: Nodes = NOBODY) -> Nodes:
        """Return who takes part if these live, None if nobody knows: the able ones, or everyone if none of them lives.

        If none of everyone does, those of the reserve take part.
        """
        return (
            _living(self.able, alive)
            or _living(self.everyone, alive)
            or _living(self.able, reserve)
            or _living(self.everyone, reserve)
        )

    def contenders(self, nodes: Nodes) -> Nodes:
        """Return those of `nodes` who may win: where a person wants it, then the most preferred."""
        nodes = _placed(nodes, self.placement)
        if not self.preference:
            return nodes
        best = max((self.preference.get(node, 0) for node in nodes), default=0)
        return frozenset(node for node in nodes if self.preference.get(node, 0) == best)

    def winner(self, nodes: Nodes, shares: Mapping[IpAddress, NodeName]) -> NodeName | None:
        """Return the owner if only `nodes` took part; None if they are none."""
        if not self.domain and self.placement is None:
            return elect(self.address, nodes, self.preference)
        contenders = self.contenders(nodes)
        share = shares.get(self.address) if self.domain else None
        return share if share in contenders else elect(self.address, contenders, {})


def _placed(nodes: Nodes, placement: Placement | None) -> Nodes:
    if placement is None:
        return nodes
    if placement.to in nodes:
        return frozenset({placement.to})
    return nodes - placement.avoid or nodes


def enter(candidate: Candidate, reach: Reach) -> Entrant | Decline:
    """Steps 1 to 3 and 5 to 6 of contract 4.2 without liveness, which have the same result on every node."""
    if not candidate.serving.anywhere:
        detail = "no endpoint can serve; look at the pods behind the selector"
        return candidate.decline(Protocol.LAYER2, DeclineReason.NOT_OWNER, detail)
    labels = candidate.service.metadata.labels
    advertisements = tuple(one for one in candidate.pool.l2_advertisements if admits(one.service_selectors, labels))
    selective = [one.name for one in advertisements if one.service_selectors]
    if selective and annotation(candidate.service, ALLOW_SHARED_IP) is not None:
        detail = (
            f"L2Advertisement {selective[0]} has serviceSelectors and the Service may share its address; "
            "remove one of them"
        )
        return candidate.decline(Protocol.LAYER2, DeclineReason.SHARED_IP_WITH_SERVICE_SELECTOR, detail)
    admission = reach.admission(advertisements, candidate.addresses)
    if is_local(candidate.service):
        admission = admission.within(candidate.serving.nodes)
    return Entrant(candidate=candidate, advertisements=advertisements, admission=admission)


def contest_between(candidates: Collection[Candidate], entrants: Sequence[Entrant], view: NodeView) -> Contest | None:
    """Return the contest of a group; None if no Service of it has an advertisement.

    Services without one take no part in the choice of nodes; of all `candidates` the lowest gives the key.
    """
    taking_part = [entrant for entrant in entrants if entrant.advertisements]
    if not taking_part:
        return None
    able = frozenset.intersection(*(entrant.admission.able for entrant in taking_part))
    admitted = frozenset.intersection(*(entrant.admission.admitted for entrant in taking_part))
    advertisements = [advertisement for entrant in taking_part for advertisement in entrant.advertisements]
    return Contest(
        address=min(candidates, key=lambda candidate: candidate.key).addresses[0],
        everyone=admitted,
        able=able,
        off_link=_off_link(taking_part, admitted),
        preference=preference(advertisements),
        placement=_placement(taking_part, view),
        domain=tuple(sorted({one.name for one in advertisements if one.spread is Spread.EVEN})),
    )


def _living(nodes: Nodes, alive: Nodes | None) -> Nodes:
    return nodes if alive is None else nodes & alive


def _off_link(entrants: Sequence[Entrant], admitted: Nodes) -> Nodes:
    """The nodes that only lack an address: each Service would take them if they had one."""
    if not any(entrant.admission.off_link for entrant in entrants):
        return NOBODY
    willing = [entrant.admission.admitted | entrant.admission.off_link for entrant in entrants]
    return frozenset.intersection(*willing) - admitted


def _placement(entrants: Sequence[Entrant], view: NodeView) -> Placement | None:
    """The placement of the lowest address of the group that has one."""
    if not view.placements:
        return None
    placed = [address for entrant in entrants for address in entrant.candidate.addresses if address in view.placements]
    return view.placements[min(placed, key=address_key)] if placed else None

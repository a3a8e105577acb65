"""Which peers run on which nodes: what two peers may not do on one node (contract 3.8), decided per node.

On one node each neighbor is configured once per VRF, all peers of a VRF have one myASN, and all have one routerID
(unset is a value too: a new peer with a routerID would restart the sessions of the others). Claims are served in
their precedence; one that conflicts takes its last good spec if that fits, else it loses the nodes of the conflict.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from orchestrator.config.claims import Claim, Claims
from orchestrator.config.model import NodeName, Peer
from orchestrator.config.peers import Draft
from orchestrator.net.bgp import Asn, RouterId
from orchestrator.resources.meta import ObjectRef, Problem

NEIGHBOR_FIELDS = ("spec.peerAddress", "spec.interface")
IMAGINED = "*"
"""Starts the names of the nodes that stand in while none is known: one for each list of selectors that peers have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """The peers that may run, those that are locked, and those to hold; see Config."""

    peers: Mapping[str, Peer]
    locked: Mapping[str, Peer]
    held: frozenset[str]
    problems: tuple[Problem, ...]
    memories: Mapping[ObjectRef, bytes]


@dataclass(frozen=True, slots=True)
class _Conflict:
    node: NodeName
    winner: str
    field: str
    message: str


class _Seats:
    """What is taken on each node so far, and by which peer."""

    def __init__(self, imagined: Mapping[str, frozenset[NodeName]]) -> None:
        self._imagined = imagined
        self._neighbors: dict[tuple[NodeName, str, str], str] = {}
        self._asns: dict[tuple[NodeName, str], tuple[Asn, str]] = {}
        self._router_ids: dict[NodeName, tuple[RouterId | None, str]] = {}

    def _nodes(self, peer: Peer) -> frozenset[NodeName]:
        return self._imagined.get(peer.name, peer.nodes)

    def take(self, peer: Peer, lost: frozenset[NodeName]) -> None:
        for node in self._nodes(peer) - lost:
            self._neighbors[node, peer.vrf, peer.neighbor] = peer.name
            self._asns.setdefault((node, peer.vrf), (peer.my_asn, peer.name))
            self._router_ids.setdefault(node, (peer.router_id, peer.name))

    def conflicts(self, peer: Peer) -> Iterator[_Conflict]:
        """The first conflict on each node, by node name."""
        for node in sorted(self._nodes(peer)):
            conflict = self._conflict_on(node, peer)
            if conflict is not None:
                yield conflict

    def _conflict_on(self, node: NodeName, peer: Peer) -> _Conflict | None:
        winner = self._neighbors.get((node, peer.vrf, peer.neighbor))
        if winner is not None:
            identifier = f"{peer.neighbor}-{peer.vrf}" if peer.vrf else peer.neighbor
            message = (
                f"peer {identifier} already exists, FRR mode doesn't support duplicate BGPPeers selecting the same node"
            )
            return _Conflict(node, winner, NEIGHBOR_FIELDS[0 if peer.address else 1], message)
        my_asn, winner = self._asns.get((node, peer.vrf), (peer.my_asn, ""))
        if my_asn != peer.my_asn:
            message = (
                f"peer {peer.name} has myAsn different from {winner}, in FRR mode peers selecting the same node must "
                "have the same myAsn within the same VRF"
            )
            return _Conflict(node, winner, "spec.myASN", message)
        router_id, winner = self._router_ids.get(node, (peer.router_id, ""))
        if router_id != peer.router_id:
            message = (
                f"peer {peer.name} has RouterID different from {winner}, in FRR mode peers selecting the same node "
                "must all have the same RouterID"
            )
            return _Conflict(node, winner, "spec.routerID", message)
        return None


def settle(claims: Claims[Draft], *, nodes_known: bool) -> Sessions:
    """Serve the claims and return which peers run where."""
    seats = _Seats({} if nodes_known else _imagine(claims))
    drafts: dict[str, Draft] = {}
    problems: list[Problem] = []
    memories = dict(claims.memories)
    for claim in claims.served:
        draft, conflicts = _choose(claim, seats)
        first_conflicts = tuple(seats.conflicts(claim.variants[0].peer))
        problems += _problems(claim, first_conflicts)
        lost = frozenset(conflict.node for conflict in conflicts)
        seats.take(draft.peer, lost)
        settled_in = not draft.locked and draft is claim.variants[0] and not conflicts
        memories |= claim.memory(in_use=settled_in)
        if not lost or draft.peer.nodes - lost:
            drafts[claim.ref.name] = replace(draft, peer=replace(draft.peer, nodes=draft.peer.nodes - lost))
    locked = {name: draft.peer for name, draft in drafts.items() if draft.locked}
    return Sessions(
        peers={name: draft.peer for name, draft in sorted(drafts.items()) if not draft.locked},
        locked=dict(sorted(locked.items())),
        held=claims.unclaimed | frozenset(locked),
        problems=tuple(problems),
        memories=memories,
    )


def _imagine(claims: Claims[Draft]) -> Mapping[str, frozenset[NodeName]]:
    """Return where peers would surely meet while no node is known: those with equal selectors, and all with one without.

    Contract 3.8 lets all peers meet then; two that select different racks would be refused offline for nothing.
    """
    wanted = {claim.ref.name: claim.variants[0].selectors for claim in claims.served}
    places = {name: f"{IMAGINED}{msgspec.json.encode(selectors).decode()}" for name, selectors in wanted.items()}
    everywhere = frozenset(places.values())
    return {name: frozenset({places[name]}) if selectors else everywhere for name, selectors in wanted.items()}


def _choose(claim: Claim[Draft], seats: _Seats) -> tuple[Draft, Sequence[_Conflict]]:
    """The first variant that is free of conflicts, an unlocked one if possible; else the own spec and its conflicts."""
    options = [(draft, tuple(seats.conflicts(draft.peer))) for draft in claim.variants]
    return min(options, key=lambda option: (bool(option[1]), option[0].locked))


def _problems(claim: Claim[Draft], conflicts: Sequence[_Conflict]) -> Iterator[Problem]:
    """One problem per winner and field, naming the nodes."""
    met: dict[tuple[str, str, str], list[NodeName]] = {}
    for conflict in conflicts:
        met.setdefault((conflict.winner, conflict.field, conflict.message), []).append(conflict.node)
    for (winner, field, message), nodes in met.items():
        place = "" if nodes[0].startswith(IMAGINED) else f" (on {', '.join(nodes)})"
        remedy = f"BGPPeer {winner} goes first{place}; change {field} or nodeSelectors of one of them"
        summary = message if field in NEIGHBOR_FIELDS else ""
        yield Problem(ref=claim.ref, field=field, message=f"{message}; {remedy}", summary=summary)

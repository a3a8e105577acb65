"""All peers and this node itself: who may own addresses, who is to be told what, when to look again.

A node that has just started waits for its peers' first heartbeats, at most 4 intervals, before it owns anything: one
of them may want it to stand by (see `liveness`). Isolation, that is more than half of the peers lost at once, will be
one more reason to stand by.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from orchestrator.fsm.heartbeat import Heartbeat, HeartbeatFlag, Refusal
from orchestrator.fsm.liveness import (
    UNKNOWN_COUNTS_S,
    NodeState,
    PeerView,
    Timing,
    hear,
    holds_us,
    is_alive,
    pass_time,
    silence_ends,
)

SETTLING_INTERVALS = 4.0


class Role(Enum):
    """What this node may do: own addresses or not.

    SETTLING: it waits for its peers' first word. STANDBY: a peer saw it go and come back, or it has no interface to
    serve. ISOLATED: it lost most peers at once; it keeps what it has and takes nothing over. LEAVING: it was told to go.
    """

    SETTLING = "settling"
    ACTIVE = "active"
    STANDBY = "standby"
    ISOLATED = "isolated"
    LEAVING = "leaving"

    @property
    def serves(self) -> bool:
        """Whether this node answers for its addresses."""
        return self in {Role.ACTIVE, Role.ISOLATED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """The views of all peers, by node name. `settling_until`: when this node stops waiting for their first word."""

    node: str
    timing: Timing = field(default_factory=Timing)
    settling_until: float
    leaving: bool = False
    able: bool = True
    views: Mapping[str, PeerView] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the election needs to know, and this node's own part in it. `alive` is sorted."""

    states: Mapping[str, NodeState]
    alive: tuple[str, ...]
    role: Role


def started(node: str, peers: Iterable[str], timing: Timing, now: float) -> Membership:
    """Return the membership of a process that has just been told its peers."""
    fresh = Membership(node=node, settling_until=now + SETTLING_INTERVALS * timing.interval_s)
    return with_peers(fresh, peers, timing, now)


def with_peers(membership: Membership, peers: Iterable[str], timing: Timing, now: float) -> Membership:
    """Return the membership with these peers, no longer leaving; what is known about those that stay is kept."""
    views = {peer: membership.views.get(peer) or PeerView(known_since=now) for peer in sorted(peers)}
    return replace(membership, timing=timing, views=views, leaving=False)


def leaving(membership: Membership) -> Membership:
    """Return the membership of a node that goes."""
    return replace(membership, leaving=True)


def receive(membership: Membership, heartbeat: Heartbeat, now: float) -> Membership | Refusal:
    """Return the membership after an authentic heartbeat, or why it does not count."""
    if heartbeat.receiver != membership.node:
        return Refusal.OTHER_RECEIVER
    view = membership.views.get(heartbeat.sender)
    if view is None:
        return Refusal.UNKNOWN_SENDER
    after = hear(view, heartbeat, now, membership.timing)
    if isinstance(after, Refusal):
        return after
    return replace(membership, views={**membership.views, heartbeat.sender: after})


def at(membership: Membership, now: float) -> Membership:
    """Return the membership at `now`."""
    views = {peer: pass_time(view, now, membership.timing) for peer, view in membership.views.items()}
    return replace(membership, views=views)


def outlook(membership: Membership, now: float) -> Outlook:
    """Return who is alive at `now`; equal outlooks need not be told twice."""
    role = role_of(membership, now)
    alive = _alive_peers(membership, now)
    if role in {Role.ACTIVE, Role.SETTLING}:
        alive.add(membership.node)
    states = {peer: view.state for peer, view in membership.views.items()}
    return Outlook(states=states, alive=tuple(sorted(alive)), role=role)


def role_of(membership: Membership, now: float) -> Role:
    """Return what this node may do. It stands by only while another node is there to serve."""
    views = membership.views.values()
    if membership.leaving:
        return Role.LEAVING
    if not membership.able:
        return Role.STANDBY
    if any(holds_us(view, now, membership.timing) for view in views) and _alive_peers(membership, now):
        return Role.STANDBY
    if now < membership.settling_until and any(view.state is NodeState.UNKNOWN for view in views):
        return Role.SETTLING
    return Role.ACTIVE


def _alive_peers(membership: Membership, now: float) -> set[str]:
    return {peer for peer, view in membership.views.items() if is_alive(view, now)}


def flags_for(membership: Membership, peer: str, now: float) -> HeartbeatFlag:
    """Return the flags of the next heartbeat to `peer`."""
    role = role_of(membership, now)
    flags = HeartbeatFlag.NONE
    if role is Role.LEAVING:
        flags |= HeartbeatFlag.LEAVING
    if role is Role.STANDBY:
        flags |= HeartbeatFlag.STANDBY
    if now < membership.views[peer].returned_at + membership.timing.hold_s:
        flags |= HeartbeatFlag.LOST
    return flags


def next_change(membership: Membership, now: float) -> float | None:
    """Return the next time at which the outlook may change if nothing is heard until then."""
    times = [membership.settling_until]
    for view in membership.views.values():
        times += [view.held_until, view.known_since + UNKNOWN_COUNTS_S, silence_ends(view, membership.timing)]
    return min((time for time in times if time > now), default=None)

"""All peers and this node itself: who may own addresses, who is to be told what, when to look again.

A node that has just started, or slept, waits for its peers' first heartbeats, at most 4 intervals, before it owns
anything: one of them may want it to stand by (see `liveness`).

*Cable.* A node without carrier that hears nobody knows that it is cut off: it forgets who was there, as after a sleep.
When the carrier is back it waits for the first word longer than after a start: neighbors may have to be resolved anew,
and the kernel asks for each once a second.

*Isolation.* When more than half of the peers that were UP, and at least two, are lost at once, this node believes that
it is itself cut off. It keeps what it has and takes nothing over: those peers go on counting (they are `doubted`)
until they are heard, or the cluster calls them dead, or `isolation_s` has passed: by then two that died together must
be replaced. So of a cluster that broke in two, the smaller part takes nothing over, and of two halves none does.

Who is alive is decided in `candidates` alone. If nobody were left, because all hold each other, everybody who could
serve is alive. Who could serve and is held is in `reserve`: an address that nobody else may own does not wait.
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
    called_dead,
    doubted,
    grace_ends,
    hear,
    holds_us,
    is_able,
    is_alive,
    is_deaf_to,
    is_heard,
    is_held,
    is_overdue,
    is_present,
    pass_time,
    patience_ends,
    silence_ends,
    was_lost,
)

SETTLING_INTERVALS = 4.0
RECONNECTION_S = 1.5
"""Until the first word after the carrier is back: the second question for a neighbor's MAC, and what follows."""

FEWEST_LOST = 2
"""One lost peer is a dead peer, also where it is the only one: somebody must serve."""


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
    """The views of all peers, by node name. `settling_until`: when this node stops waiting for their first word.

    `unready` are nodes that the cluster calls dead. `able`: this node has an interface to serve (see `with_carrier`).
    """

    node: str
    timing: Timing = field(default_factory=Timing)
    settling_until: float
    leaving: bool = False
    able: bool = True
    unready: frozenset[str] = frozenset()
    views: Mapping[str, PeerView] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the election needs to know, and this node's own part in it. `alive` and `reserve` are sorted."""

    states: Mapping[str, NodeState]
    alive: tuple[str, ...]
    role: Role
    reserve: tuple[str, ...] = ()


def started(node: str, peers: Iterable[str], timing: Timing, now: float) -> Membership:
    """Return the membership of a process that has just been told its peers."""
    fresh = Membership(node=node, settling_until=now + SETTLING_INTERVALS * timing.interval_s)
    return with_peers(fresh, peers, timing, now)


def with_peers(membership: Membership, peers: Iterable[str], timing: Timing, now: float) -> Membership:
    """Return the membership with these peers, no longer leaving; what is known about those that stay is kept."""
    stranger = PeerView(known_since=now, interval_s=timing.interval_s)
    views = {peer: membership.views.get(peer, stranger) for peer in sorted(peers)}
    return replace(membership, timing=timing, views=views, leaving=False)


def leaving(membership: Membership) -> Membership:
    """Return the membership of a node that goes."""
    return replace(membership, leaving=True)


def with_carrier(membership: Membership, able: bool, now: float) -> Membership:
    """Return the membership of a node of which an interface to serve, or none, has carrier.

    One that has it again, and heard nobody without, knows nothing: not even that those are gone who seemed to be.
    """
    if not able or membership.able:
        return replace(membership, able=able)
    if _hears_somebody(membership, now):
        return _settling(replace(membership, able=True), _patience_s(membership), now)
    views = {peer: _unheard(view, now) for peer, view in membership.views.items()}
    return _settling(replace(membership, able=True, views=views), max(RECONNECTION_S, _patience_s(membership)), now)


def awoken(membership: Membership, now: float) -> Membership:
    """Return the membership of a process that slept longer than its peers had patience: who lives must be heard anew.

    Who was gone before stays gone; who was there may have buried this node meanwhile, and will say so.
    """
    views = {peer: view if _is_gone(view) else _unheard(view, now) for peer, view in membership.views.items()}
    return _settling(replace(membership, views=views), _patience_s(membership), now)


def _settling(membership: Membership, patience_s: float, now: float) -> Membership:
    return replace(membership, settling_until=now + patience_s)


def _patience_s(membership: Membership) -> float:
    return SETTLING_INTERVALS * membership.timing.interval_s


def _is_gone(view: PeerView) -> bool:
    return view.state in {NodeState.DOWN, NodeState.LEFT}


def _unheard(view: PeerView, now: float) -> PeerView:
    """What was heard in the past stays known, so that it cannot be replayed."""
    return PeerView(known_since=now, interval_s=view.interval_s, seen=view.seen, heard_at=view.heard_at)


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
    received = replace(membership, views={**membership.views, heartbeat.sender: after})
    return _sooner_settled(received, now) if view.state is not after.state else received


def _sooner_settled(membership: Membership, now: float) -> Membership:
    """After the first word of one, the others' is not far."""
    return replace(membership, settling_until=min(membership.settling_until, now + _patience_s(membership)))


def at(membership: Membership, now: float) -> Membership:
    """Return the membership at `now`; the same one if nothing changes by time alone."""
    changed = {peer: after for peer, view in membership.views.items() if (after := pass_time(view, now)) is not view}
    if changed and not membership.able and not _hears_somebody(membership, now):
        return replace(membership, views={peer: _unheard(view, now) for peer, view in membership.views.items()})
    if changed and is_cut_off(membership, now):
        changed = {peer: doubted(view, now, membership.timing) for peer, view in changed.items()}
    for peer in membership.unready & membership.views.keys():
        view = changed.get(peer, membership.views[peer])
        if (after := called_dead(view, now)) is not view:
            changed[peer] = after
    return replace(membership, views={**membership.views, **changed}) if changed else membership


def is_cut_off(membership: Membership, now: float) -> bool:
    """Whether this node seems to have lost the network, rather than most of its peers their lives."""
    counted = [
        view for peer, view in membership.views.items() if peer not in membership.unready and is_present(view, now)
    ]
    lost = sum(view.state is NodeState.DOWN or is_overdue(view, now) for view in counted)
    return lost >= FEWEST_LOST and 2 * lost > len(counted)


def _hears_somebody(membership: Membership, now: float) -> bool:
    return any(is_heard(view, now) for view in membership.views.values())


def candidates(membership: Membership, now: float) -> frozenset[str]:
    """Return the nodes that may own addresses, this one perhaps among them."""
    views = membership.views.items()
    alive = {peer for peer, view in views if is_alive(view, now)}
    can_serve = membership.able and not membership.leaving
    if can_serve and not _is_held(membership, now):
        alive.add(membership.node)
    return frozenset(alive) or _able(membership, now)


def reserve(membership: Membership, now: float) -> frozenset[str]:
    """Return the nodes that could serve and are held, this one perhaps among them."""
    return _able(membership, now) - candidates(membership, now)


def _able(membership: Membership, now: float) -> frozenset[str]:
    able = frozenset(peer for peer, view in membership.views.items() if is_able(view, now))
    return able | {membership.node} if membership.able and not membership.leaving else able


def _is_held(membership: Membership, now: float) -> bool:
    return any(holds_us(view, now) for view in membership.views.values())


def outlook(membership: Membership, now: float) -> Outlook:
    """Return who is alive at `now`; equal outlooks need not be told twice."""
    alive = candidates(membership, now)
    states = {peer: view.state for peer, view in membership.views.items()}
    held = tuple(sorted(reserve(membership, now)))
    return Outlook(states=states, alive=tuple(sorted(alive)), role=_role(membership, alive, now), reserve=held)


def _role(membership: Membership, alive: frozenset[str], now: float) -> Role:
    views = membership.views.values()
    if membership.leaving:
        return Role.LEAVING
    if membership.node not in alive:
        return Role.STANDBY
    if now < membership.settling_until and any(view.state is NodeState.UNKNOWN for view in views):
        return Role.SETTLING
    return Role.ISOLATED if any(now < view.doubted_until for view in views) else Role.ACTIVE


def own_flags(membership: Membership, now: float) -> HeartbeatFlag:
    """Return the flags of the next heartbeat to anybody. Who is held says so even if nobody else is there to serve."""
    flags = HeartbeatFlag.NONE
    if membership.leaving:
        flags |= HeartbeatFlag.LEAVING
    if not membership.able:
        flags |= HeartbeatFlag.UNABLE
    if not membership.able or _is_held(membership, now):
        flags |= HeartbeatFlag.STANDBY
    return flags


def flags_about(membership: Membership, peer: str, now: float) -> HeartbeatFlag:
    """Return the flags that are for this peer alone.

    That a node without carrier is deaf is no news. When it can be heard again, its peers are to say at once that they
    hold it, and not to wait until it hears them.
    """
    view, flags = membership.views[peer], HeartbeatFlag.NONE
    if was_lost(view, now):
        flags |= HeartbeatFlag.LOST
    if is_held(view, now):
        flags |= HeartbeatFlag.HELD
    if membership.able and is_deaf_to(view, now):
        flags |= HeartbeatFlag.DEAF
    return flags


def next_change(membership: Membership, now: float) -> float | None:
    """Return the next time at which the outlook may change if nothing is heard until then."""
    times = [membership.settling_until]
    for peer, view in membership.views.items():
        times += _turns(view)
        if peer in membership.unready:
            times.append(patience_ends(view))
    return min((time for time in times if time > now), default=None)


def _turns(view: PeerView) -> tuple[float, ...]:
    if view.state is NodeState.UNKNOWN:
        return (view.known_since + UNKNOWN_COUNTS_S,)
    if view.state is NodeState.UP:
        return (silence_ends(view), view.held_until, grace_ends(view))
    return (view.doubted_until,)

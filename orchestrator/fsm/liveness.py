"""Which nodes are alive, from the heartbeats of their responders: (view, event, now) -> view.

    state    | heartbeat | "I do not hear you" (DEAF) | leaving | silence of 4.25 of its intervals
    UNKNOWN  | UP        | UNKNOWN                    | LEFT    | UNKNOWN; DOWN if the cluster calls it unready
    UP       | UP        | DOWN after 2 intervals     | LEFT    | DOWN, maybe doubted
    DOWN     | UP, held  | DOWN                       | LEFT    | DOWN
    LEFT     | UP, held  | DOWN                       | LEFT    | LEFT

Alive, that is a candidate for addresses, is a node that is UP and neither held nor standing by, or UNKNOWN for less
than 3 s. Life needs both directions: of two nodes of which only one hears the other, each takes the other for lost.

*Held*: a node that comes back waits, so that one that comes and goes moves few addresses: `hold_s`, twice as long each
time that it is lost again within its hold after it counted again, at most 5 min. All must agree on that, the node
itself included, which after a restart knows nothing: its peers tell it (HELD), it stands by while one of them does,
and says so to all (STANDBY). Two nodes that lost each other (both say LOST) lost the network between them, not
themselves: neither is held; but when that goes on, the one whose name is first holds the other.

*Doubted*: this node believes that it is itself cut off (see `membership`). A peer that was lost then goes on counting
as it did before, for `isolation_s`, and is not held when the same process of it is heard again.

This module knows one peer; `membership` knows all of them and this node itself.
"""

import math
from dataclasses import dataclass, replace
from enum import Enum

from orchestrator.fsm.heartbeat import Heartbeat, HeartbeatFlag, Refusal, Seen, advance

NEVER = -math.inf
UNKNOWN_COUNTS_S = 3.0
MISSED_INTERVALS = 4.25
"""The fourth heartbeat is missing, and a quarter of an interval is left to one that is merely late."""

OVERDUE_INTERVALS = 2.0
"""Of nodes that fall silent together, every one is silent for at least 3.25 intervals when the first one is DOWN."""

DEAF_INTERVALS = 2.0
"""By then every other node that does not hear us has said so, and isolation can be told from one broken path."""

GRACE_INTERVALS = 4.0
"""A peer that we lost, too, has so long to learn that, and to end its hold of us."""

LONGEST_HOLD_S = 300.0
SHORTEST_INTERVAL_S = 0.08
"""A dead node is then noticed after 0.26 to 0.34 s: within the budget of 0.35 s with the first announcement."""
HEARTBEATS_PER_S = 64 / 0.3
_PROMPT = HeartbeatFlag.DEAF | HeartbeatFlag.UNABLE


class NodeState(Enum):
    """What the heartbeats of a node say about it. UNKNOWN: none yet. LEFT: it said that it goes."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"
    LEFT = "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """`interval_s` between two heartbeats of this node; `hold_s` from return to being alive, the first time.

    `isolation_s`: how long a node that lost most of its peers at once goes on counting them as alive.
    """

    interval_s: float = 0.1
    hold_s: float = 30.0
    isolation_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerView:
    """What this node knows about one other. Times are monotonic seconds of this node.

    `able_at` is when one that is UNABLE was last heard before that. `interval_s` is the peer's own pace; `deaf_since`: since when it says that it does not hear us. `lost_at` is when it
    last ceased to be alive, `cut_off` whether we thought ourselves cut off then. `returned_at` is when it was heard
    again; it is held for `hold_s` from then on, or until `held_until` if that is earlier.
    """

    known_since: float
    interval_s: float = 0.1
    state: NodeState = NodeState.UNKNOWN
    seen: Seen | None = None
    heard_at: float = NEVER
    flags: HeartbeatFlag = HeartbeatFlag.NONE
    able_at: float = NEVER
    deaf_since: float = math.inf
    lost_at: float = NEVER
    cut_off: bool = False
    doubted_until: float = NEVER
    returned_at: float = NEVER
    hold_s: float = 0.0
    held_until: float = NEVER


def interval_for(nodes: int) -> float:
    """Return the seconds between two heartbeats in a cluster of this size: 0.08 up to 17 nodes, 0.3 at 64, 0.94 at 200.

    Beyond 17 nodes each one handles the same number of heartbeats per second, however many there are.
    """
    return max(SHORTEST_INTERVAL_S, nodes / HEARTBEATS_PER_S)


def hear(view: PeerView, heartbeat: Heartbeat, now: float, timing: Timing) -> PeerView | Refusal:
    """Return the view after a heartbeat of this peer; the same view if that or a newer one came by another path."""
    seen = advance(view.seen, heartbeat)
    if seen is None:
        return Refusal.REPLAYED
    if seen is view.seen:
        return view
    if _says_the_same(view, heartbeat):
        return replace(view, seen=seen, heard_at=now)
    deaf = HeartbeatFlag.DEAF in heartbeat.flags
    fails = HeartbeatFlag.UNABLE in heartbeat.flags and HeartbeatFlag.UNABLE not in view.flags
    heard = replace(
        view,
        seen=seen,
        heard_at=now,
        interval_s=heartbeat.interval_ms / 1000,
        flags=heartbeat.flags,
        able_at=view.heard_at if fails else view.able_at,
        deaf_since=min(view.deaf_since, now) if deaf else math.inf,
    )
    if HeartbeatFlag.LEAVING in heartbeat.flags:
        return _left(view, heard, now)
    if deaf:
        return _deaf(view, heard, now, timing)
    return _excused(_up(view, heard, now, timing), heartbeat, now, timing)


def _says_the_same(view: PeerView, heartbeat: Heartbeat) -> bool:
    """Nearly all heartbeats only push the silence away, and a large cluster has hundreds per second."""
    same = view.state is NodeState.UP and heartbeat.flags == view.flags and view.deaf_since == math.inf
    return same and heartbeat.interval_ms == round(view.interval_s * 1000)


def _left(view: PeerView, heard: PeerView, now: float) -> PeerView:
    lost_at = view.lost_at if view.state is NodeState.LEFT else now
    return replace(heard, state=NodeState.LEFT, lost_at=lost_at, cut_off=False, doubted_until=NEVER)


def _deaf(view: PeerView, heard: PeerView, now: float, timing: Timing) -> PeerView:
    """Who says so lives: if we think that we are the one who is cut off, that is no reason to think otherwise."""
    if now < view.doubted_until:
        return replace(heard, doubted_until=now + timing.isolation_s)
    return replace(heard, state=NodeState.DOWN) if view.state is NodeState.LEFT else heard


def _up(view: PeerView, heard: PeerView, now: float, timing: Timing) -> PeerView:
    """A node without carrier is UP, but gone as far as addresses are concerned: its return comes with its carrier."""
    up = replace(heard, state=NodeState.UP, doubted_until=NEVER)
    if HeartbeatFlag.UNABLE in heard.flags:
        fails = view.state is NodeState.UP and HeartbeatFlag.UNABLE not in view.flags
        return replace(up, lost_at=now, cut_off=False) if fails else up
    if not _is_gone(view):
        return up
    return _returned(view, up, now, timing)


def _is_gone(view: PeerView) -> bool:
    return view.state in {NodeState.DOWN, NodeState.LEFT} or _is_unable(view)


def _is_unable(view: PeerView) -> bool:
    """Whether it lost its carrier after it had been alive; one that starts without carrier has nothing to return to."""
    return (
        view.state is NodeState.UP and HeartbeatFlag.UNABLE in view.flags and view.lost_at > view.returned_at
    )  # fmt: skip


def _returned(view: PeerView, up: PeerView, now: float, timing: Timing) -> PeerView:
    """A peer that went on running while we were cut off did not return: we did."""
    if view.cut_off and _same_process(view, up):
        return replace(up, cut_off=False)
    hold_s = _hold_after(view, timing)
    return replace(up, cut_off=False, returned_at=now, hold_s=hold_s, held_until=now + hold_s)


def _same_process(before: PeerView, after: PeerView) -> bool:
    return before.seen is not None and after.seen is not None and before.seen.instance == after.seen.instance


def _hold_after(view: PeerView, timing: Timing) -> float:
    """How long a peer that was lost when `view` says is held this time."""
    if view.lost_at < view.held_until:
        return max(view.hold_s, timing.hold_s)
    if view.lost_at < view.held_until + view.hold_s:
        return min(2 * view.hold_s, max(timing.hold_s, LONGEST_HOLD_S))
    return timing.hold_s


def _excused(view: PeerView, heartbeat: Heartbeat, now: float, timing: Timing) -> PeerView:
    """A peer that lost us, too, is not held; of a pair that goes on losing each other one is."""
    if HeartbeatFlag.LOST not in heartbeat.flags or now >= view.held_until:
        return view
    if view.hold_s > timing.hold_s and heartbeat.receiver < heartbeat.sender:
        return view
    return replace(view, held_until=now)


def pass_time(view: PeerView, now: float) -> PeerView:
    """Return the view at `now`, without a heartbeat since the last one; the same one if nothing changes."""
    if view.state is NodeState.UP and now >= silence_ends(view):
        return replace(view, state=NodeState.DOWN, lost_at=now, cut_off=False, doubted_until=NEVER)
    return view


def called_dead(view: PeerView, now: float) -> PeerView:
    """Return the view at `now` of a peer that the cluster calls dead; that counts if it is silent."""
    if view.state is NodeState.UNKNOWN and now >= patience_ends(view):
        return replace(view, state=NodeState.DOWN, lost_at=now)
    if view.state is NodeState.DOWN and now < view.doubted_until:
        return replace(view, doubted_until=NEVER)
    return view


def doubted(view: PeerView, now: float, timing: Timing) -> PeerView:
    """Return the view of a peer that was just lost while this node seems to be cut off."""
    return replace(view, cut_off=True, doubted_until=now + timing.isolation_s)


def silence_ends(view: PeerView) -> float:
    """When a peer that is UP becomes DOWN if nothing else is heard."""
    return min(patience_ends(view), view.deaf_since + DEAF_INTERVALS * view.interval_s)


def patience_ends(view: PeerView) -> float:
    """When a peer has been silent for too long."""
    return max(view.known_since, view.heard_at) + MISSED_INTERVALS * view.interval_s


def is_heard(view: PeerView, now: float) -> bool:
    """Whether nothing is wrong with the peer's heartbeats."""
    return view.state is NodeState.UP and not is_overdue(view, now)


def is_overdue(view: PeerView, now: float) -> bool:
    """Whether a peer that is UP may be lost already: silent for longer than usual, or deaf."""
    return now > view.heard_at + OVERDUE_INTERVALS * view.interval_s or now >= view.deaf_since


def is_deaf_to(view: PeerView, now: float) -> bool:
    """Whether the peer is to be told that we hear nothing of it. A start gives it the time that UNKNOWN counts."""
    if view.heard_at < view.known_since:
        return now >= view.known_since + UNKNOWN_COUNTS_S or view.state is NodeState.DOWN
    return now >= patience_ends(view)


def is_present(view: PeerView, now: float) -> bool:
    """Whether the peer is UP as far as elections are concerned: for real, or doubted to be DOWN."""
    return view.state is NodeState.UP or now < view.doubted_until


def is_able(view: PeerView, now: float) -> bool:
    """Whether the peer could serve if nobody else did."""
    return is_present(view, now) and HeartbeatFlag.UNABLE not in view.flags


def is_alive(view: PeerView, now: float) -> bool:
    """Whether the peer is a candidate for addresses."""
    if view.state is NodeState.UNKNOWN:
        return now < view.known_since + UNKNOWN_COUNTS_S
    willing = not view.flags & (HeartbeatFlag.STANDBY | HeartbeatFlag.UNABLE)
    return is_present(view, now) and willing and now >= view.held_until


def failed_at(view: PeerView) -> float | None:
    """Return when a peer that died or lost its carrier was last heard able to serve; None for any other.

    One that left, or stands by, went in order.
    """
    unable = HeartbeatFlag.UNABLE in view.flags
    if view.state is not NodeState.DOWN and not (view.state is NodeState.UP and unable):
        return None
    heard_at = view.able_at if unable else view.heard_at
    return None if heard_at == NEVER else heard_at


def is_held(view: PeerView, now: float) -> bool:
    """Whether the peer is to be told to stand by; one without carrier knows it before that comes back."""
    return now < view.held_until or _is_unable(view)


def was_lost(view: PeerView, now: float) -> bool:
    """Whether the peer is to be told that it was gone not long ago."""
    return now < view.returned_at + view.hold_s


def holds_us(view: PeerView, now: float) -> bool:
    """Whether the peer wants this node to stand by, and means it."""
    return HeartbeatFlag.HELD in view.flags and is_present(view, now) and now >= grace_ends(view)


def grace_ends(view: PeerView) -> float:
    """Until when the word of a peer that was heard again may not take into account that we lost it, too."""
    return view.returned_at + GRACE_INTERVALS * view.interval_s


def is_news(before: PeerView, after: PeerView) -> bool:
    """Whether a heartbeat may change the outlook."""
    return (before.state, before.flags, before.held_until, before.doubted_until) != (
        after.state,
        after.flags,
        after.held_until,
        after.doubted_until,
    )


def is_new_acquaintance(before: PeerView, after: PeerView) -> bool:
    """Whether the peer should hear from us at once: it is new or back, or what it waits for is our answer."""
    if not _same_process(before, after) or before.state is not after.state:
        return True
    return before.flags & _PROMPT != after.flags & _PROMPT or (before.held_until > after.held_until)

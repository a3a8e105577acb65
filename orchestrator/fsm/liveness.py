"""Which nodes are alive, from the heartbeats of their responders: (view, event, now) -> view.

    state    | heartbeat | heartbeat, leaving | silence of 4 missed heartbeats
    UNKNOWN  | UP        | LEFT               | UNKNOWN (there was no earlier sign of life to miss)
    UP       | UP        | LEFT               | DOWN
    DOWN     | UP, held  | LEFT               | DOWN
    LEFT     | UP, held  | LEFT               | LEFT

Alive, that is a candidate for addresses, is a node that is UP and neither held nor standing by, or UNKNOWN for less
than 3 s. *Held*: a node that comes back waits `hold_s`, so that one that comes and goes moves no addresses. All must
agree on that, the node itself included, which after a restart knows nothing: its peers tell it (LOST), it stands by
while one of them does, and says so to all (STANDBY). Two nodes that lost each other lost the network between them,
not themselves: neither is held. If nobody at all would be left, everybody who is UP is alive.

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


class NodeState(Enum):
    """What the heartbeats of a node say about it. UNKNOWN: none yet. LEFT: it said that it goes."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"
    LEFT = "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """`interval_s` between two heartbeats of this node; `hold_s` from return to being alive.

    `isolation_s`: how long a node that lost most of its peers at once goes on counting them as alive.
    """

    interval_s: float = 0.1
    hold_s: float = 30.0
    isolation_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerView:
    """What this node knows about one other. Times are monotonic seconds.

    `returned_at` is when it was last heard again after DOWN or LEFT; `held_until` is in the past if it is not held.
    """

    known_since: float
    state: NodeState = NodeState.UNKNOWN
    seen: Seen | None = None
    heard_at: float = NEVER
    returned_at: float = NEVER
    held_until: float = NEVER
    flags: HeartbeatFlag = HeartbeatFlag.NONE


def hear(view: PeerView, heartbeat: Heartbeat, now: float, timing: Timing) -> PeerView | Refusal:
    """Return the view after a heartbeat of this peer."""
    seen = advance(view.seen, heartbeat)
    if seen is None:
        return Refusal.REPLAYED
    heard = replace(view, seen=seen, heard_at=now, flags=heartbeat.flags)
    if HeartbeatFlag.LEAVING in heartbeat.flags:
        return replace(heard, state=NodeState.LEFT)
    if view.state in {NodeState.DOWN, NodeState.LEFT}:
        heard = replace(heard, returned_at=now, held_until=now + timing.hold_s)
    if HeartbeatFlag.LOST in heartbeat.flags and _lost_lately(heard, now, timing):
        heard = replace(heard, held_until=NEVER)
    return replace(heard, state=NodeState.UP)


def _lost_lately(view: PeerView, now: float, timing: Timing) -> bool:
    """Whether this peer's word that it lost us can be about the same break: it ends its own hold a little later."""
    return now < view.returned_at + 2 * timing.hold_s


def is_new_acquaintance(before: PeerView, after: PeerView) -> bool:
    """Whether a peer was heard for the first time, again, or as a new instance: it should hear from us at once."""
    if before.seen is None or after.seen is None:
        return True
    return before.state is not after.state or before.seen.instance != after.seen.instance


def pass_time(view: PeerView, now: float, timing: Timing) -> PeerView:
    """Return the view at `now`, without a heartbeat since the last one."""
    if view.state is NodeState.UP and now >= silence_ends(view, timing):
        return replace(view, state=NodeState.DOWN)
    return view


def silence_ends(view: PeerView, timing: Timing) -> float:
    """When a peer that is UP becomes DOWN if nothing is heard."""
    return view.heard_at + MISSED_INTERVALS * timing.interval_s


def is_alive(view: PeerView, now: float) -> bool:
    """Whether the peer is a candidate for addresses."""
    match view.state:
        case NodeState.UNKNOWN:
            return now < view.known_since + UNKNOWN_COUNTS_S
        case NodeState.UP:
            return now >= view.held_until and HeartbeatFlag.STANDBY not in view.flags
        case NodeState.DOWN | NodeState.LEFT:
            return False


def holds_us(view: PeerView, now: float, timing: Timing) -> bool:
    """Whether the peer wants this node to stand by."""
    says_so = view.state is NodeState.UP and HeartbeatFlag.LOST in view.flags
    return says_so and not _lost_lately(view, now, timing)

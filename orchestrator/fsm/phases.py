"""What is done about each address of the table, and about those on the wire who say that they have it.

Theory. Two facts meet: what the speaker orders (a mode per address, the whole table each time) and what the wire shows
(claims by other MACs; silence). An address changes hands without loss if the new owner speaks before the old one stops,
so an address that is to be released goes on being answered, quietly, until its new owner was heard. An address that is
used for the first time may belong to a stranger who knows nothing of us: it is asked for first (RFC 5227 §2.1.1). One
that another was found to have is watched until that one is silent. Every address is in one phase:

    phase       answered  announced  asked for
    RESTING     -         -          -              this node may not serve
    ANSWERED    yes       yes        -
    RELEASING   yes       -          -              its new owner is awaited, 1 s at most
    RELEASED    -         -          -
    PROBING     -         -          3 x 100 ms     a verdict 100 ms after the last
    OCCUPIED    -         -          every 5 s      a stranger had it before we did
    WATCHED     -         -          every 500 ms   another has it, and we gave way
    SILENT      -         -          every 5 s      nobody seems to have it any more

    ordered     ANSWERED    RELEASING   PROBING    OCCUPIED   WATCHED    SILENT     RESTING, RELEASED, new
    ANSWER      stays       ANSWERED    ANSWERED   ANSWERED   ANSWERED   ANSWERED   ANSWERED
    PROBE       stays       ANSWERED    stays      stays      PROBING    PROBING    PROBING
    RELEASE     RELEASING   stays       RELEASED   RELEASED   RELEASED   RELEASED   RELEASED
    WATCH       WATCHED     WATCHED     WATCHED    WATCHED    stays      stays      WATCHED
    may not     RESTING     ...                                                     RESTING

    heard       RELEASING -> RELEASED   PROBING -> OCCUPIED (strangers only)   SILENT -> WATCHED
    in silence  RELEASING -> RELEASED   PROBING, OCCUPIED -> ANSWERED          WATCHED -> SILENT
"""

from collections.abc import Mapping
from enum import Enum

from orchestrator.fsm.inquiry import Rhythm
from orchestrator.fsm.membership import Role
from orchestrator.fsm.responder_api import Mode

RELEASE_LIMIT_S = 1.0
PROBE_INTERVAL_S = 0.1
"""RFC 5227's pauses of seconds are for hosts that boot all at once; a Service waits for this one."""
WATCH_INTERVAL_S = 0.5
SECOND_LOOK_INTERVAL_S = 5.0
ASKS = 3
"""That many asks without an answer are silence (RFC 5227's PROBE_NUM)."""


class Phase(Enum):
    """What is done about one address; see the tables above."""

    RESTING = "resting"
    ANSWERED = "answered"
    RELEASING = "releasing"
    RELEASED = "released"
    PROBING = "probing"
    OCCUPIED = "occupied"
    WATCHED = "watched"
    SILENT = "silent"


ANSWERING = frozenset({Phase.ANSWERED, Phase.RELEASING})
LISTENING = frozenset({Phase.PROBING, Phase.OCCUPIED, Phase.WATCHED, Phase.SILENT})

RHYTHMS: Mapping[Phase, Rhythm] = {
    Phase.RELEASING: Rhythm(asks=0, verdict_s=RELEASE_LIMIT_S),
    Phase.PROBING: Rhythm(asks=ASKS, interval_s=PROBE_INTERVAL_S, verdict_s=PROBE_INTERVAL_S),
    Phase.OCCUPIED: Rhythm(
        asks=ASKS, first_s=SECOND_LOOK_INTERVAL_S, interval_s=SECOND_LOOK_INTERVAL_S, verdict_s=PROBE_INTERVAL_S
    ),
    Phase.WATCHED: Rhythm(asks=ASKS, interval_s=WATCH_INTERVAL_S, verdict_s=WATCH_INTERVAL_S),
    Phase.SILENT: Rhythm(asks=None, first_s=SECOND_LOOK_INTERVAL_S, interval_s=SECOND_LOOK_INTERVAL_S),
}
IN_SILENCE: Mapping[Phase, Phase] = {
    Phase.RELEASING: Phase.RELEASED,
    Phase.PROBING: Phase.ANSWERED,
    Phase.OCCUPIED: Phase.ANSWERED,
    Phase.WATCHED: Phase.SILENT,
}

_STAYING: Mapping[Mode, frozenset[Phase]] = {
    Mode.ANSWER: frozenset({Phase.ANSWERED}),
    Mode.PROBE: frozenset({Phase.ANSWERED, Phase.PROBING, Phase.OCCUPIED}),
    Mode.RELEASE: frozenset({Phase.RELEASING, Phase.RELEASED}),
    Mode.WATCH: frozenset({Phase.WATCHED, Phase.SILENT}),
}
_ENTERED: Mapping[tuple[Mode, Phase], Phase] = {
    (Mode.PROBE, Phase.RELEASING): Phase.ANSWERED,
    (Mode.RELEASE, Phase.ANSWERED): Phase.RELEASING,
}
_ELSE_ENTERED: Mapping[Mode, Phase] = {
    Mode.ANSWER: Phase.ANSWERED,
    Mode.PROBE: Phase.PROBING,
    Mode.RELEASE: Phase.RELEASED,
    Mode.WATCH: Phase.WATCHED,
}


def effective_mode(mode: Mode, role: Role) -> Mode | None:
    """Return what an order comes to in this role; None if this node may not serve at all."""
    if role is Role.LEAVING:
        return Mode.RELEASE
    return mode if role.serves else None


def ordered_phase(mode: Mode | None, phase: Phase) -> Phase:
    """Return the phase that an address in `phase` is in after it was ordered so; None: this node may not serve."""
    if mode is None:
        return Phase.RESTING
    if phase in _STAYING[mode]:
        return phase
    return _ENTERED.get((mode, phase), _ELSE_ENTERED[mode])

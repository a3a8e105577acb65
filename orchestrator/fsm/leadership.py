"""Which controller leads, by a Lease (coordination.k8s.io/v1): (state, event, now) -> (state, request).

Why not `kubernetes.aio.leaderelection`: it measures by the wall clock, counts a renewal from when its answer arrives, knows
no limit for a request that hangs (and calls itself leader as long), never releases, never counts `leaseTransitions`, and
retries in step with its rivals.

The argument that no two lead at one instant. A leader may write until `renew_s` after the instant at which it SENT its
last successful renewal. A rival takes the Lease over when it has seen no change of it for the holder's whole
`leaseDurationSeconds`, counted from when it READ that state: later than it was written, which is later than it was sent.
`renew_s` is less than the duration, and the write names the version that was read, so a renewal in between refuses it.
Clocks of two machines are never compared, and no clock here stands still while a machine sleeps (CLOCK_BOOTTIME). An
answer that is lost is no renewal; neither is one that left the version as it was, because nobody else can see it.

    what is known of the Lease          | next request
    nothing, or a write's fate          | Read
    absent, released, or held by us     | Write, at once (held by us and not written by us: the same pod, restarted)
    held by another                     | Read every `retry_s`; Write once it has not changed for its duration
    held by us, and we leave            | Write without holder; then nothing

`transitions` counts changes of holder and so numbers the leaders: the fencing epoch for whoever wants one.
"""

from dataclasses import dataclass, replace
from math import ceil, inf

RELEASED_DURATION_S = 1
"""The Lease of nobody; its duration may not be 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Who we are, and the durations: retry_s < renew_s < duration_s."""

    identity: str
    duration_s: float
    renew_s: float
    retry_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRecord:
    """The Lease as it is read and written; no `resource_version`: it does not exist. Times are the holder's wall clock."""

    holder: str = ""
    duration_s: int = 0
    acquired: str = ""
    renewed: str = ""
    transitions: int = 0
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """Read the Lease; answer with `found` or `failed`."""


@dataclass(frozen=True, slots=True)
class Write:
    """Create or replace the Lease, if its version is still the record's; answer with `written` or `failed`."""

    record: LeaseRecord
    sent_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Leadership:
    """What one candidate knows. Times are its own CLOCK_BOOTTIME in seconds.

    `known` was seen for the first time at `changed_at`; `stale` says that it must be read before the next write.
    `term` numbers the times that this process began to lead; `next_at` is when the next request is due.
    """

    known: LeaseRecord | None = None
    changed_at: float = 0.0
    stale: bool = False
    leads_until: float = -inf
    term: int = 0
    next_at: float = -inf
    leaving: bool = False

    def leads(self, now: float) -> bool:
        """Whether we may write now."""
        return now < self.leads_until

    @property
    def holder(self) -> str:
        """Who holds the Lease as far as we know; empty for nobody."""
        return "" if self.known is None else self.known.holder


def request(state: Leadership, candidate: Candidate, now: float, wall: str) -> Read | Write | None:
    """Return what to ask of the API server now; None before `next_at`, and when there is nothing left to release.

    `wall` is the time as it is written into the Lease: RFC 3339 with microseconds.
    """
    if now < state.next_at:
        return None
    known = state.known
    if state.leaving:
        return _releasing(state, candidate, now, wall)
    if known is None or state.stale:
        return Read()
    return Write(_claim(known, candidate, wall), now) if _may_take(state, candidate, now) else Read()


def _releasing(state: Leadership, candidate: Candidate, now: float, wall: str) -> Read | Write | None:
    known = state.known
    if known is None:
        return None
    if state.stale:
        return Read()
    if known.holder != candidate.identity:
        return None
    released = replace(known, holder="", duration_s=RELEASED_DURATION_S, acquired=wall, renewed=wall)
    return Write(released, now)


def _may_take(state: Leadership, candidate: Candidate, now: float) -> bool:
    known = state.known
    if known is None:
        return False
    return known.holder in {"", candidate.identity} or now >= state.changed_at + _duration(known, candidate)


def _duration(known: LeaseRecord, candidate: Candidate) -> float:
    return known.duration_s if known.duration_s > 0 else candidate.duration_s


def _claim(known: LeaseRecord, candidate: Candidate, wall: str) -> LeaseRecord:
    ours = known.holder == candidate.identity
    return replace(
        known,
        holder=candidate.identity,
        duration_s=ceil(candidate.duration_s),
        acquired=known.acquired if ours else wall,
        renewed=wall,
        transitions=known.transitions + (known != LeaseRecord() and not ours),
    )


def found(state: Leadership, candidate: Candidate, record: LeaseRecord, now: float, jitter: float) -> Leadership:
    """Return the state after the Lease was read; 0 <= `jitter` < 1 keeps rivals out of step.

    A Lease that somebody deleted still binds: its holder writes until it notices.
    """
    if not record.resource_version and state.known is not None:
        record = replace(state.known, resource_version="")
    changed_at = state.changed_at if record == state.known else now
    leads_until = state.leads_until if record.holder == candidate.identity else -inf
    state = replace(state, known=record, changed_at=changed_at, leads_until=leads_until, stale=False)
    if state.leaving or _may_take(state, candidate, now):
        return replace(state, next_at=now)
    expiry = changed_at + _duration(record, candidate)
    return replace(state, next_at=min(_later(candidate, now, jitter), expiry))


def written(
    state: Leadership, candidate: Candidate, write: Write, version: str, now: float, jitter: float
) -> Leadership:
    """Return the state after a write succeeded; the Lease now has `version`."""
    if version == write.record.resource_version:
        return failed(state, candidate, now, jitter)
    known = replace(write.record, resource_version=version)
    after = replace(state, known=known, changed_at=now, stale=False, next_at=_later(candidate, now, jitter))
    if state.leaving:
        return replace(after, next_at=now)
    until = write.sent_at + candidate.renew_s
    if now >= until:
        return replace(after, next_at=now)
    return replace(after, leads_until=until, term=state.term if state.leads(now) else state.term + 1)


def refused(state: Leadership, now: float) -> Leadership:
    """Return the state after somebody else was faster: the Lease has another version, came, or went. Read it at once."""
    return replace(state, stale=True, next_at=now)


def failed(state: Leadership, candidate: Candidate, now: float, jitter: float) -> Leadership:
    """Return the state after a request without answer, or with a useless one: it may or may not have had an effect."""
    return replace(state, stale=True, next_at=_later(candidate, now, jitter))


def leave(state: Leadership, now: float) -> Leadership:
    """Return the state of one that lets go: it may not write from now on, and releases the Lease if it has it."""
    return replace(state, leaving=True, leads_until=-inf, next_at=now)


def _later(candidate: Candidate, now: float, jitter: float) -> float:
    return now + candidate.retry_s * (1 + jitter / 2)

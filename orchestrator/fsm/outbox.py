"""What waits to be written to the API server, and what goes next.

Each object has one place, in which the newest content replaces what has not been sent; while one write of an object is
under way the next waits. Places are served by urgency, the first come first, within a budget for each urgency. What the
API server does not take goes one of three ways:

| what happened                              | what it costs                                                        |
|--------------------------------------------|----------------------------------------------------------------------|
| the object is refused (`refuse`)           | this object, 30 s doubling to 5 min, or until its content changes     |
| a whole kind is refused (`block`)          | the kind, 2 s doubling to 5 min; one object goes ahead and finds out  |
| no answer, or not now (`pause`)            | everything, for a moment; then one write goes ahead and finds out     |

An object that fails again and again while others are written is at fault itself, whatever the answer says: `pause` tells
so, and the caller refuses it. Nothing that waits is ever lost but by `drop` and `forget`.
"""

import heapq
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import count
from typing import Generic

from orchestrator.fsm.letters import AnyContent, Dispatch, Letter, Limits, Urgency
from orchestrator.fsm.pacing import Bucket

URGENCIES = tuple(Urgency)
"""The most urgent first."""


@dataclass(slots=True, eq=False)
class _Place(Generic[AnyContent]):
    """One object: what waits for it, what is under way, and how often it was refused or failed."""

    waiting: Letter[AnyContent] | None = None
    under_way: Dispatch[AnyContent] | None = None
    forgotten: bool = False
    due: float | None = None
    parked: str = ""
    refusals: int = 0
    reason: str = ""
    strikes: int = 0
    seen_successes: int = -1


@dataclass(slots=True)
class _Blockade:
    """A kind that is not taken: when to try again, and with whom."""

    reason: str
    times: int
    until: float
    scout: Hashable | None = None


class Outbox(Generic[AnyContent]):
    """All places. `now` is monotonic seconds."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buckets = {each: Bucket(grant.per_s, grant.burst) for each, grant in limits.allowances.items()}
        self._places: dict[Hashable, _Place[AnyContent]] = {}
        self._ready: dict[Urgency, dict[Hashable, None]] = {each: {} for each in Urgency}
        self._delayed: list[tuple[float, int, Hashable]] = []
        self._sequence = count()
        self._blockades: dict[str, _Blockade] = {}
        self._under_way = dict.fromkeys(Urgency, 0)
        self._sent = 0
        self._pauses = 0
        self._paused_until = 0.0
        self._probing = False
        self._successes = 0

    # What is asked for ---------------------------------------------------------------------------------------------

    def put(self, letter: Letter[AnyContent], now: float) -> None:
        """Ask for a write; it replaces what waits in its place."""
        place = self._places.setdefault(letter.key, _Place())
        before = place.waiting
        if before is not None:
            letter = letter.over(before)
            if place.refusals and letter.content == before.content:
                return
            if before.urgency != letter.urgency:
                self._ready[before.urgency].pop(letter.key, None)
        place.waiting = letter
        if place.under_way is None and not place.parked:
            self._queue(letter.key, place, letter.not_before, now)

    def waiting(self, urgency: Urgency) -> int:
        """How many are ready to be sent with this urgency."""
        return len(self._ready[urgency])

    def hurry(self, now: float) -> None:
        """Make ready what only waits for its time; refused ones stay."""
        for key, place in self._places.items():
            if place.due is not None and not place.refusals:
                self._queue(key, place, now, now)

    def settled(self, *, but: frozenset[Urgency] = frozenset()) -> bool:
        """Whether nothing is under way or will be sent without something changing; those of `but` do not count."""
        return not any(
            self._under_way[urgency] or self._ready[urgency] for urgency in Urgency if urgency not in but
        ) and not any(place.due is not None and not place.refusals for place in self._places.values())

    def forget(self) -> frozenset[Hashable]:
        """Drop all that waits, and return what was refused; what is under way does not come back."""
        refused = frozenset(key for key, place in self._places.items() if place.reason)
        self._places = {
            key: _Place(under_way=place.under_way, forgotten=True)
            for key, place in self._places.items()
            if place.under_way is not None
        }
        for queue in self._ready.values():
            queue.clear()
        self._delayed.clear()
        self._blockades.clear()
        return refused

    # What goes next ------------------------------------------------------------------------------------------------

    def take(self, now: float) -> Dispatch[AnyContent] | None:
        """Return what is to be sent now; None if nothing may be. It has to come back by one of the calls below."""
        if now < self._paused_until or self._full:
            return None
        self._wake(now)
        for urgency in URGENCIES:
            key = self._first(urgency, now)
            if key is not None:
                return self._send(key)
        return None

    def next_at(self) -> float | None:
        """Return when `take` may have something if nothing else happens; None: not before something does."""
        if self._full:
            return None
        times = [self._buckets[each].next_at() for each in Urgency if self._may_send(each)]
        while self._delayed and self._stale(*self._delayed[0]):
            heapq.heappop(self._delayed)
        if self._delayed:
            times.append(self._delayed[0][0])
        times += [blockade.until for blockade in self._blockades.values() if blockade.scout is None]
        return max(min(times), self._paused_until) if times else None

    @property
    def _full(self) -> bool:
        return self._sent >= (1 if self._probing else self._limits.side_by_side)

    def _first(self, urgency: Urgency, now: float) -> Hashable | None:
        while self._may_send(urgency):
            key = next(iter(self._ready[urgency]))
            if not self._held_up(key):
                return key if self._buckets[urgency].take(now) else None
        return None

    def _may_send(self, urgency: Urgency) -> bool:
        grant, ready = self._limits.allowances[urgency], self._ready[urgency]
        too_many = grant.most_waiting is not None and len(ready) > grant.most_waiting
        return bool(ready) and not too_many and self._under_way[urgency] < grant.side_by_side

    def _held_up(self, key: Hashable) -> bool:
        """Whether the key's kind is blocked; then it is parked, unless it is the one who finds out."""
        place = self._places[key]
        assert place.waiting is not None
        blockade = self._blockades.get(place.waiting.kind)
        if blockade is None or blockade.scout == key:
            return False
        del self._ready[place.waiting.urgency][key]
        place.parked = place.waiting.kind
        return True

    def _send(self, key: Hashable) -> Dispatch[AnyContent]:
        place = self._places[key]
        letter = place.waiting
        assert letter is not None
        del self._ready[letter.urgency][key]
        place.waiting, place.under_way = None, Dispatch(letter, self._pauses)
        self._under_way[letter.urgency] += 1
        self._sent += 1
        return place.under_way

    def _wake(self, now: float) -> None:
        """Make ready what has waited long enough."""
        while self._delayed and self._delayed[0][0] <= now:
            entry = heapq.heappop(self._delayed)
            if not self._stale(*entry):
                self._queue(entry[2], self._places[entry[2]], now, now)
        for kind, blockade in self._blockades.items():
            if blockade.scout is None and blockade.until <= now:
                self._send_scout(kind, blockade, now)

    def _send_scout(self, kind: str, blockade: _Blockade, now: float) -> None:
        for key, place in self._places.items():
            if place.parked == kind:
                blockade.scout, place.parked = key, ""
                self._queue(key, place, now, now)
                return
        blockade.until = now + self._limits.first_refusal_s

    def _stale(self, at: float, _: int, key: Hashable) -> bool:
        place = self._places.get(key)
        return place is None or place.due != at

    # What became of it ---------------------------------------------------------------------------------------------

    def done(self, dispatch: Dispatch[AnyContent], now: float) -> tuple[bool, bool]:
        """It is written. Returns whether the object, and whether its kind, had been refused."""
        self._successes += 1
        self._probing = False
        opened = self._unblock(dispatch.letter.kind, now)
        return self.drop(dispatch, now), opened

    def drop(self, dispatch: Dispatch[AnyContent], now: float) -> bool:
        """It need not be written any more. Returns whether it had been refused."""
        place = self._arrived(dispatch, now)
        if place is None:
            return False
        recovered = bool(place.reason)
        place.reason, place.refusals, place.strikes = "", 0, 0
        self._go_on(dispatch.letter.key, place, now)
        return recovered

    def put_back(self, dispatch: Dispatch[AnyContent], now: float, delay_s: float = 0.0) -> None:
        """It was not sent, or has to be sent once more."""
        place = self._arrived(dispatch, now)
        if place is not None:
            self._return(place, dispatch, now + delay_s, now)

    def refuse(self, dispatch: Dispatch[AnyContent], reason: str, now: float) -> bool:
        """The API server does not take this content. Returns whether that, or the reason, is new."""
        self._probing = False
        self._unblock(dispatch.letter.kind, now)
        place = self._arrived(dispatch, now)
        if place is None:
            return False
        sent = dispatch.letter.content
        changed = place.waiting is not None and place.waiting.content.over(sent) != sent
        place.refusals = 0 if changed else place.refusals + 1
        news, place.reason = place.reason != reason, reason
        self._return(
            place,
            dispatch,
            now if changed else now + self._patience_s(self._limits.first_refusal_s, place.refusals),
            now,
        )
        return news

    def block(self, dispatch: Dispatch[AnyContent], reason: str, now: float) -> bool:
        """The API server takes nothing of this kind. Returns whether that, or the reason, is new."""
        self._probing = False
        kind = dispatch.letter.kind
        before = self._blockades.get(kind)
        scouted = before is not None and before.scout == dispatch.letter.key
        place = self._arrived(dispatch, now)
        if before is None or scouted:
            times = before.times + 1 if before is not None else 1
            self._blockades[kind] = _Blockade(
                reason, times, now + self._patience_s(self._limits.first_blockade_s, times)
            )
        if place is not None:
            self._return(place, dispatch, now, now)
        return before is None or before.reason != reason

    def pause(self, dispatch: Dispatch[AnyContent], now: float, delay_s: float) -> bool:
        """No answer came, or not now. Returns True if the object itself is the cause: `refuse` it then, it is still out.

        Of those that were under way together only the first makes a pause; `news` tells whether this is the first.
        """
        place = self._places.get(dispatch.letter.key)
        if place is not None and place.under_way is dispatch and place.seen_successes != self._successes:
            place.strikes += 1
            place.seen_successes = self._successes
            if place.strikes >= self._limits.strikes:
                place.strikes = 0
                return True
        if self.news(dispatch):
            self._pauses += 1
            self._probing = True
            self._paused_until = now + delay_s
        self.put_back(dispatch, now)
        return False

    def news(self, dispatch: Dispatch[AnyContent]) -> bool:
        """Whether nothing that left together with it has made a pause yet."""
        return dispatch.pause == self._pauses

    def _arrived(self, dispatch: Dispatch[AnyContent], now: float) -> _Place[AnyContent] | None:
        """The place of what is not under way any more; None if it was forgotten meanwhile."""
        letter = dispatch.letter
        self._under_way[letter.urgency] -= 1
        self._sent -= 1
        blockade = self._blockades.get(letter.kind)
        if blockade is not None and blockade.scout == letter.key:
            blockade.scout = None
        place = self._places[letter.key]
        place.under_way = None
        if not place.forgotten:
            return place
        place.forgotten = False
        self._go_on(letter.key, place, now)
        return None

    def _go_on(self, key: Hashable, place: _Place[AnyContent], now: float) -> None:
        """With what came in while something else of the place was under way."""
        if place.waiting is None:
            del self._places[key]
        else:
            self._queue(key, place, place.waiting.not_before, now)

    def _return(self, place: _Place[AnyContent], dispatch: Dispatch[AnyContent], at: float, now: float) -> None:
        """Back to its place, unless there is something newer; that takes over what it leaves out."""
        letter = dispatch.letter
        if place.waiting is not None:
            letter = place.waiting.over(letter)
        place.waiting = letter
        self._queue(letter.key, place, at, now)

    def _queue(self, key: Hashable, place: _Place[AnyContent], at: float, now: float) -> None:
        assert place.waiting is not None
        if at > now:
            place.due = at
            self._ready[place.waiting.urgency].pop(key, None)
            heapq.heappush(self._delayed, (at, next(self._sequence), key))
        else:
            place.due = None
            self._ready[place.waiting.urgency][key] = None

    def _unblock(self, kind: str, now: float) -> bool:
        if self._blockades.pop(kind, None) is None:
            return False
        for key, place in self._places.items():
            if place.parked == kind:
                place.parked = ""
                if place.under_way is None:
                    self._queue(key, place, now, now)
        return True

    def _patience_s(self, first: float, times: int) -> float:
        doubled: float = first * 2 ** min(times - 1, 16)
        return min(doubled, self._limits.longest_refusal_s)

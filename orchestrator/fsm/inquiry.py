"""Asking for addresses until somebody claims them, or until the silence has lasted.

A rhythm says how often is asked and how long is waited then; with no asks at all it is a deadline. Addresses are their
octets, times monotonic seconds.
"""

from dataclasses import dataclass

from orchestrator.fsm.pacing import Agenda

VERDICT_SPACING_S = 0.05
"""Verdicts may change what every interface answers, which takes some milliseconds with 5000 addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """Ask after `first_s`, `asks` times every `interval_s` (None: for ever); silence for `verdict_s` then is a verdict."""

    asks: int | None
    first_s: float = 0.0
    interval_s: float = 0.0
    verdict_s: float = 0.0


class Inquiry:
    """What is asked when. The work of a call does not depend on the number of addresses, but for a logarithm."""

    def __init__(self) -> None:
        self._rhythms: dict[bytes, Rhythm] = {}
        self._unanswered: dict[bytes, int] = {}
        self._asks = Agenda()
        self._verdicts = Agenda()
        self._verdict_at = 0.0
        self._suspended: set[bytes] = set()

    def begin(self, address: bytes, rhythm: Rhythm, now: float) -> None:
        """Ask for the address in this rhythm, in place of what was asked before."""
        self.end(address)
        self._rhythms[address], self._unanswered[address] = rhythm, 0
        if rhythm.asks == 0:
            self._verdicts.plan(address, now + rhythm.verdict_s)
        else:
            self._asks.plan(address, now + rhythm.first_s)

    def answered(self, address: bytes, now: float) -> None:
        """No silence yet. An ask that is planned stays so: a flood of claims must not fill the agenda."""
        self._unanswered[address] = 0
        if address not in self._asks:
            self._verdicts.cancel(address)
            self._asks.plan(address, now + self._rhythms[address].interval_s)

    def suspend(self, address: bytes) -> None:
        """The question could not be put: that nobody answered says nothing. Wait with it for `resume`."""
        self._suspended.add(address)
        for agenda in (self._asks, self._verdicts):
            agenda.cancel(address)

    def resume(self, now: float) -> None:
        """Begin anew with what is suspended."""
        for address in sorted(self._suspended):
            self.begin(address, self._rhythms[address], now)

    def end(self, address: bytes) -> None:
        """Ask no more; an unknown address is fine."""
        self._suspended.discard(address)
        for each in (self._rhythms, self._unanswered):
            each.pop(address, None)
        for agenda in (self._asks, self._verdicts):
            agenda.cancel(address)

    def asks_due(self, now: float, limit: int) -> list[bytes]:
        """Return at most `limit` addresses to ask for now, and plan what follows."""
        due = self._asks.due(now, limit)
        for address in due:
            self._follow(address, self._rhythms[address], now)
        return due

    def silences_due(self, now: float) -> list[bytes]:
        """Return the addresses whose verdict is that nobody answers; they are asked for no more."""
        due = self._verdicts.due(now)
        for address in due:
            self.end(address)
        return due

    def next_ask_at(self) -> float | None:
        return self._asks.next_at()

    def next_silence_at(self) -> float | None:
        return self._verdicts.next_at()

    def _follow(self, address: bytes, rhythm: Rhythm, now: float) -> None:
        self._unanswered[address] += 1
        if rhythm.asks is None or self._unanswered[address] < rhythm.asks:
            self._asks.plan(address, now + rhythm.interval_s)
        else:
            self._verdicts.plan(address, self._shared(now + rhythm.verdict_s))

    def _shared(self, earliest: float) -> float:
        """Return a time that many verdicts can share, less than VERDICT_SPACING_S after `earliest`."""
        if not earliest <= self._verdict_at < earliest + VERDICT_SPACING_S:
            soon = self._verdict_at + VERDICT_SPACING_S
            self._verdict_at = soon if earliest <= soon < earliest + VERDICT_SPACING_S else earliest
        return self._verdict_at

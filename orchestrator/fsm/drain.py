"""The steps of a node's drain: (state, wish, now) -> state, and the stage that a state is in.

    wish      while serving      while marked             after the wait
    NONE      SERVING            SERVING at once          SERVING at once
    DRAIN     MARKED             MARKED until the wait    HANDED_OVER
    FORCE     MARKED             MARKED until the wait    OUT

Who asks for more force, or for less, on the way changes the last step only: the wait counts from the first wish.
"""

import math
from dataclasses import dataclass

from orchestrator.config.drains import Wish
from orchestrator.decide.drain import DrainStage


@dataclass(frozen=True, slots=True)
class Drain:
    """`since` is when (monotonic seconds) the drain began: None without one, -inf if an earlier speaker was through."""

    wish: Wish = Wish.NONE
    since: float | None = None

    def wished(self, wish: Wish, now: float) -> "Drain":
        """Return the state under this wish."""
        if wish is Wish.NONE:
            return Drain()
        return Drain(wish, now if self.since is None else self.since)

    def stage(self, now: float, wait_s: float) -> DrainStage:
        """Return how far the drain is."""
        if self.since is None:
            return DrainStage.SERVING
        if now < self.since + wait_s:
            return DrainStage.MARKED
        return DrainStage.OUT if self.wish is Wish.FORCE else DrainStage.HANDED_OVER

    def deadline(self, now: float, wait_s: float) -> float:
        """Return when time alone takes the next step; infinite if it does not."""
        marked = self.stage(now, wait_s) is DrainStage.MARKED
        return self.since + wait_s if marked and self.since is not None else math.inf

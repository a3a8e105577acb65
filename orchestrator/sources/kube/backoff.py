"""How long to wait after a failed request. Pure: randomness is an argument.

| failure                      | first    | at most | why                                                              |
|------------------------------|----------|---------|------------------------------------------------------------------|
| not reached                  | 0.05 s   | 1 s     | a restarted API server is back within seconds and must be seen   |
| 401, 409, 429, 5xx, others   | 0.05 s   | 10 s    | it answers, and needs time; Retry-After is honored               |
| 403, 404                     | 0.05 s   | 30 s    | a person must act; while the server starts it says so for a moment |
| 410                          | 0        | 10 s    | the history is gone: list again at once, but not in a circle     |

The delay doubles while failures of one kind follow each other. Half of it is random: many processes lose the same
server at the same moment.
"""

from dataclasses import dataclass

from orchestrator.errors import KubeError

FIRST_S = 0.05
LONGEST_S = 10.0
LONGEST_UNREACHED_S = 1.0
LONGEST_REFUSED_S = 30.0
LONGEST_ASKED_S = 60.0
"""A Retry-After beyond this is not believed."""
STARTING_ASKED_S = 1.0
"""An API server that starts asks for 5 s with each 503, however soon it is ready (seen on 1.34)."""
REFUSALS = frozenset({403, 404})
GONE = 410
UNAVAILABLE = 503


@dataclass(frozen=True, slots=True)
class Failures:
    """How often in a row the same status has come back; 0 is a server that was not reached."""

    status: int = -1
    count: int = 0

    def another(self, status: int) -> "Failures":
        """Count one more; a different status starts anew."""
        return Failures(status, self.count + 1 if status == self.status else 1)


def delay_s(error: KubeError, failures: Failures, randomness: float) -> float:
    """Return seconds to wait before the next try; `failures` includes this one, `randomness` is from 0 to 1."""
    if error.status == GONE and failures.count == 1:
        return 0.0
    longest = LONGEST_S
    if error.status == 0:
        longest = LONGEST_UNREACHED_S
    elif error.status in REFUSALS:
        longest = LONGEST_REFUSED_S
    doubled = min(longest, FIRST_S * 2.0 ** min(failures.count - 1, 16))
    asked = min(error.retry_after_s, STARTING_ASKED_S if error.status == UNAVAILABLE else LONGEST_ASKED_S)
    return max(asked, doubled * (0.5 + randomness / 2))

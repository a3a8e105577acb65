"""What the responder counted, as metrics: its increments summed up, per address as long as some Service has it."""

from collections.abc import Collection

from orchestrator.fsm.responder_api import Counters
from orchestrator.observe.metrics import Metrics, Name

_PER_ADDRESS = (Name.REQUESTS, Name.RESPONSES, Name.GRATUITOUS)


class FrameCounts:
    """Sums over the life of the speaker."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._totals: dict[str, tuple[int, int, int]] = {}

    def add(self, counters: Counters) -> None:
        for each in counters.addresses:
            requests, responses, gratuitous = self._totals.get(each.address, (0, 0, 0))
            sums = (requests + each.requests, responses + each.responses, gratuitous + each.gratuitous)
            self._totals[each.address] = sums
            for name, total in zip(_PER_ADDRESS, sums, strict=True):
                self._metrics.set(name, total, ip=each.address)
        for reason, amount in counters.drops.items():
            self._metrics.add(Name.DROPS, amount, reason=reason)
        for outcome, amount in counters.heartbeats.items():
            self._metrics.add(Name.HEARTBEATS, amount, outcome=outcome)
        for seconds in counters.failovers_s:
            self._metrics.observe(Name.FAILOVER_SECONDS, seconds)
        if counters.groups:
            self._metrics.replace(Name.GROUPS, {(each,): float(count) for each, count in counters.groups.items()})

    def keep_only(self, addresses: Collection[str]) -> None:
        """Forget the addresses that are not among these: nobody has them any more."""
        for address in [each for each in self._totals if each not in addresses]:
            del self._totals[address]
            for name in _PER_ADDRESS:
                self._metrics.forget(name, ip=address)

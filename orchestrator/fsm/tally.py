"""What was counted since the last report: per address and per reason."""

from collections import Counter
from ipaddress import ip_address

from orchestrator.fsm.heartbeat import Refusal
from orchestrator.fsm.responder import DropReason
from orchestrator.fsm.responder_api import AddressCount, Counters


class Tally:
    """Counts; `take` returns the increments and begins anew. Addresses are their octets.

    `failovers_s` are single measurements; `groups` is a reading, by interface, to be set when it has changed.
    """

    def __init__(self) -> None:
        self.requests: Counter[bytes] = Counter()
        self.responses: Counter[bytes] = Counter()
        self.gratuitous: Counter[bytes] = Counter()
        self.drops: Counter[DropReason] = Counter()
        self.heartbeats: Counter[Refusal] = Counter()
        self.failovers_s: list[float] = []
        self.groups: dict[str, int] = {}

    def take(self) -> Counters | None:
        """Return what was counted, sorted; None if nothing was."""
        addresses = sorted({*self.requests, *self.responses, *self.gratuitous})
        counters = Counters(
            addresses=tuple(self._of(address) for address in addresses),
            drops={reason.value: self.drops[reason] for reason in DropReason if self.drops[reason]},
            heartbeats={reason.value: self.heartbeats[reason] for reason in Refusal if self.heartbeats[reason]},
            failovers_s=tuple(self.failovers_s),
            groups=dict(sorted(self.groups.items())),
        )
        for counter in (
            self.requests,
            self.responses,
            self.gratuitous,
            self.drops,
            self.heartbeats,
            self.failovers_s,
            self.groups,
        ):
            counter.clear()
        return counters if counters != Counters() else None

    def _of(self, address: bytes) -> AddressCount:
        return AddressCount(
            address=str(ip_address(address)),
            requests=self.requests[address],
            responses=self.responses[address],
            gratuitous=self.gratuitous[address],
        )

"""When announcements are sent unasked: at once, every 1.1 s for 5 s, then every 4 minutes.

1.1 s because Linux does not replace a neighbor entry that is younger than 1 s for every form of announcement
(locktime). 4 minutes because switches forget a silent MAC after 5. The burst is MetalLB's (contract 4.6), the refresh
is ours. A process that was late sends once and goes on from there; it does not catch up.

The first one also goes to each gateway by itself: a router that drops or ignores broadcasts learns of the new owner all
the same, and it is where most clients are.
"""

import heapq
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from orchestrator.fsm.interfaces import Gateway
from orchestrator.net.link import MacAddress
from orchestrator.packet import arp, ndp

BURST_INTERVAL_S = 1.1
BURST_S = 5.0
REFRESH_INTERVAL_S = 240.0


class Place(NamedTuple):
    """An address (its octets) on an interface (its index)."""

    interface: int
    address: bytes


@dataclass(slots=True, order=True)
class _Batch:
    """Places that are to be announced at one time, the next one last; out of date for those with a newer batch."""

    at: float
    burst_until: float = field(compare=False)
    places: list[Place] = field(compare=False)


class Schedule:
    """Which places are to be announced when. Times are monotonic seconds.

    Thousands of places begin together and stay together but for the limit on each turn: a batch is less than one plan
    for each of them.
    """

    def __init__(self) -> None:
        self._plans: dict[Place, _Batch] = {}
        self._heap: list[_Batch] = []

    @property
    def places(self) -> AbstractSet[Place]:
        """Everything that is announced."""
        return self._plans.keys()

    def start(self, places: Iterable[Place], now: float) -> None:
        """Begin the burst of each place, at once; a running one begins anew."""
        self._plan(_Batch(now, now + BURST_S, list(places)[::-1]))

    def stop(self, places: Iterable[Place]) -> None:
        """Announce these no longer; unknown ones are fine."""
        for place in places:
            self._plans.pop(place, None)

    def due(self, now: float, limit: int) -> tuple[Place, ...]:
        """Return at most `limit` places that are to be announced now, and plan their next time."""
        ready: list[Place] = []
        while len(ready) < limit and self._heap and self._heap[0].at <= now:
            batch = self._heap[0]
            taken = self._take(batch, limit - len(ready))
            if not batch.places:
                heapq.heappop(self._heap)
            ready += taken
            self._plan(_Batch(_following(batch, now), batch.burst_until, taken[::-1]))
        return tuple(ready)

    def next_at(self) -> float | None:
        """Return when `due` has something next; possibly earlier than that, if a place was stopped."""
        return self._heap[0].at if self._heap else None

    def _take(self, batch: _Batch, limit: int) -> list[Place]:
        taken: list[Place] = []
        while batch.places and len(taken) < limit:
            place = batch.places.pop()
            if self._plans.get(place) is batch:
                taken.append(place)
        return taken

    def _plan(self, batch: _Batch) -> None:
        if batch.places:
            self._plans.update(dict.fromkeys(batch.places, batch))
            heapq.heappush(self._heap, batch)


def _following(batch: _Batch, now: float) -> float:
    again = now + BURST_INTERVAL_S
    return again if again < batch.burst_until else now + REFRESH_INTERVAL_S


def announcements(mac: MacAddress, address: bytes, link_local: IPv6Address | None) -> tuple[bytes, ...]:
    """Return the frames of one announcement, none if IPv6 lacks its source.

    ARP: the request form, which every stack takes, then the reply form. NDP: an advertisement from the interface's own
    address, as contract 4.6 has it.
    """
    match ip_address(address):
        case IPv4Address() as owned:
            return arp.announcement_request(mac, owned), arp.announcement_reply(mac, owned)
        case IPv6Address() as owned:
            return (ndp.announcement(mac, link_local, owned),) if link_local is not None else ()


def poke(mac: MacAddress, address: bytes, link_local: IPv6Address | None, gateway: Gateway) -> bytes | None:
    """Return the frame that tells one gateway; None if the address is of another family."""
    match ip_address(address), gateway.address:
        case IPv4Address() as owned, IPv4Address() as asked:
            return arp.request_to(gateway.mac, mac, owned, asked)
        case IPv6Address() as owned, IPv6Address() as told if link_local is not None:
            return ndp.announcement_to(told, gateway.mac, mac, link_local, owned)
    return None

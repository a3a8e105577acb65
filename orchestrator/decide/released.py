"""Released addresses: which rest, and for whom they are kept. Clients may still send to them, or their Service comes back.

Two times after a release count. For `sticky_s` an address is *kept*: only a Service that had it may take it. For
`cool_down_s` it *rests*: others take it only if nothing else is free. Until both are over, its former Service gets it
back before any other address. An address that several Services shared was released by each of them.

Times are seconds since 1970, because the next leader goes on with what this one has remembered.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.net.addresses import IpAddress
from orchestrator.resources.meta import ObjectKey

MOST_REMEMBERED = 10_000
"""What is remembered is persisted in one object."""

_Entry = tuple[IpAddress, ObjectKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """`service` gave `address` back at `at`, seconds since 1970."""

    address: IpAddress
    service: ObjectKey
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Elapsed:
    """What ended as time passed: addresses that are kept for fewer Services now, and those of which nothing is left.

    In the order of release.
    """

    no_longer_kept: tuple[IpAddress, ...] = ()
    forgotten: tuple[IpAddress, ...] = ()


class Released:
    """An index of releases by address and by Service, in the order of release."""

    def __init__(self, cool_down_s: float, sticky_s: float) -> None:
        self._sticky_s = sticky_s
        self._rest_s = max(cool_down_s, sticky_s)
        self._now = 0.0
        self._entries: dict[_Entry, float] = {}
        self._kept: dict[_Entry, float] = {}
        self._services: dict[IpAddress, set[ObjectKey]] = {}
        self._addresses: dict[ObjectKey, dict[IpAddress, None]] = {}

    @property
    def releases(self) -> tuple[Release, ...]:
        """What is remembered, the earliest first."""
        return tuple(Release(address=address, service=key, at=at) for (address, key), at in self._entries.items())

    @property
    def next_change(self) -> float | None:
        """When an address is kept no longer for somebody; None: none is kept."""
        at = next(iter(self._kept.values()), None)
        return None if at is None else at + self._sticky_s

    def remember(self, address: IpAddress, service: ObjectKey, at: float | None = None) -> None:
        """The Service released the address now, or at that time; times in the future are taken for now."""
        at = self._now if at is None else min(at, self._now)
        self.forget(address, service)
        if at + self._rest_s <= self._now:
            return
        entry = (address, service)
        self._entries[entry] = at
        if at + self._sticky_s > self._now:
            self._kept[entry] = at
        self._services.setdefault(address, set()).add(service)
        self._addresses.setdefault(service, {})[address] = None

    def forget(self, address: IpAddress, service: ObjectKey) -> None:
        """The Service has the address again."""
        entry = (address, service)
        if self._entries.pop(entry, None) is None:
            return
        self._kept.pop(entry, None)
        _remove(self._services, address, service)
        of_service = self._addresses[service]
        del of_service[address]
        if not of_service:
            del self._addresses[service]

    def pass_time(self, now: float) -> Elapsed:
        """Forget what is over, and what is too much to remember; return what that changes."""
        self._now = now
        no_longer_kept: dict[IpAddress, None] = {}
        while self._kept and next(iter(self._kept.values())) + self._sticky_s <= now:
            entry = next(iter(self._kept))
            del self._kept[entry]
            no_longer_kept[entry[0]] = None
        forgotten = []
        while self._entries and self._is_over(now):
            address, service = next(iter(self._entries))
            if (address, service) in self._kept:
                no_longer_kept[address] = None
            self.forget(address, service)
            if address not in self._services:
                forgotten.append(address)
        return Elapsed(no_longer_kept=tuple(no_longer_kept), forgotten=tuple(forgotten))

    def _is_over(self, now: float) -> bool:
        return next(iter(self._entries.values())) + self._rest_s <= now or len(self._entries) > MOST_REMEMBERED

    def rests(self, address: IpAddress) -> bool:
        """Whether the address was released not long ago."""
        return address in self._services

    def kept_for(self, address: IpAddress) -> frozenset[ObjectKey]:
        """For which Services the address is kept; empty if for none."""
        if not self._kept:
            return frozenset()
        return frozenset(key for key in self._services.get(address, ()) if (address, key) in self._kept)

    def former(self, service: ObjectKey) -> tuple[IpAddress, ...]:
        """Which addresses the Service had, the latest first."""
        return tuple(reversed(self._addresses.get(service, {})))

    def resting(self) -> Iterable[IpAddress]:
        """All addresses of which something is remembered, in the order of their last release."""
        return reversed(dict.fromkeys(address for address, _ in reversed(self._entries)))


def _remove(index: dict[IpAddress, set[ObjectKey]], address: IpAddress, service: ObjectKey) -> None:
    index[address].discard(service)
    if not index[address]:
        del index[address]

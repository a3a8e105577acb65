"""How many addresses namespaces hold, against the limits of AddressQuotas.

Counted are distinct addresses in use: one that several Services of a scope share counts once there. Counts follow every
change of the ledger, so that asking costs nothing. A quota only ever refuses a new address; nobody loses one to it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from orchestrator.config.model import AddressQuota, QuotaScope
from orchestrator.decide.requests import AllocationRefusal, RefusalReason
from orchestrator.net.addresses import IpAddress, IpFamily, family_of

Counts = Mapping[IpFamily, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaUsage:
    """Distinct addresses in use under a quota: of all its namespaces together, and of each that has any."""

    total: Counts
    namespaces: Mapping[str, Counts]


_Users = dict[IpFamily, Counter[IpAddress]]
"""How many Services use each address."""


def _nobody() -> _Users:
    return {family: Counter() for family in IpFamily}


@dataclass(slots=True)
class _Count:
    total: _Users = field(default_factory=_nobody)
    namespaces: dict[str, _Users] = field(default_factory=lambda: defaultdict(_nobody))


class QuotaCounts:
    """The counts under all quotas. `pool` is None for an address that is in no pool."""

    def __init__(self, quotas: Mapping[str, AddressQuota]) -> None:
        self.quotas = dict(sorted(quotas.items()))
        self._counts = {name: _Count() for name in self.quotas}
        self._of_namespace: dict[str, tuple[AddressQuota, ...]] = {}

    def _covering(self, namespace: str, pool: str | None) -> Iterator[AddressQuota]:
        if namespace not in self._of_namespace:
            self._of_namespace[namespace] = tuple(
                quota for quota in self.quotas.values() if quota.namespaces is None or namespace in quota.namespaces
            )
        return (quota for quota in self._of_namespace[namespace] if quota.pools is None or pool in quota.pools)

    def enter(self, namespace: str, pool: str | None, address: IpAddress) -> None:
        """A Service of the namespace uses the address now."""
        family = family_of(address)
        for quota in self._covering(namespace, pool):
            count = self._counts[quota.name]
            count.total[family][address] += 1
            count.namespaces[namespace][family][address] += 1

    def leave(self, namespace: str, pool: str | None, address: IpAddress) -> None:
        """A Service of the namespace uses the address no longer."""
        family = family_of(address)
        for quota in self._covering(namespace, pool):
            count = self._counts[quota.name]
            for users in (count.total[family], count.namespaces[namespace][family]):
                users[address] -= 1
                if not users[address]:
                    del users[address]

    def refusal(self, namespace: str, pool: str | None, address: IpAddress) -> AllocationRefusal | None:
        """Return why no Service of the namespace may begin to use this address."""
        family = family_of(address)
        for quota in self._covering(namespace, pool):
            limit = quota.limits.get(family)
            if limit is None:
                continue
            count = self._counts[quota.name]
            users = count.total if quota.scope is QuotaScope.TOTAL else count.namespaces[namespace]
            if address not in users[family] and len(users[family]) >= limit:
                return _exceeded(quota, namespace, family, len(users[family]))
        return None

    def usage(self, quota: str) -> QuotaUsage:
        """Return how much of a quota is used."""
        count = self._counts[quota]
        used = {namespace: _sizes(users) for namespace, users in sorted(count.namespaces.items())}
        return QuotaUsage(
            total=_sizes(count.total),
            namespaces={namespace: sizes for namespace, sizes in used.items() if any(sizes.values())},
        )


def _sizes(users: _Users) -> Counts:
    return {family: len(counter) for family, counter in users.items()}


def _exceeded(quota: AddressQuota, namespace: str, family: IpFamily, used: int) -> AllocationRefusal:
    whose = f"namespace {namespace} uses" if quota.scope is QuotaScope.NAMESPACE else "its namespaces together use"
    message = (
        f"AddressQuota {quota.name}: {whose} {used} of {quota.limits[family]} {family.value} addresses; "
        "release one, share one (metallb.io/allow-shared-ip), or raise the quota"
    )
    return AllocationRefusal(RefusalReason.QUOTA_EXCEEDED, message)
